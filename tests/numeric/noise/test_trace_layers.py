"""`noise_trace` against a loop over samples, layer by layer, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from numeric._noise._trace import noise_trace
from tests.numeric.noise.reference import Fn, per_sample, squares, varied, worst


EXACT = 1e-12  # float64 sums of a few thousand terms, with room for conditioning

Case = Callable[[], tuple[nn.Module, Tensor]]


def P(*shape: int) -> nn.Parameter:  # noqa: N802 - short, as in mathematics
    return nn.Parameter(torch.randn(shape, dtype=torch.float64))


def R(*shape: int) -> Tensor:  # noqa: N802 - likewise
    return torch.randn(shape, dtype=torch.float64)


def mlp(*sizes: int, bias: bool = True) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b, bias=bias), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Words(nn.Module):
    """Embedding, positions, and a head that may be tied."""

    def __init__(self, *, tied: bool, padding: int | None):
        super().__init__()
        self.table = nn.Embedding(11, 6, padding_idx=padding)
        self.places = P(5, 6)
        self.head = nn.Linear(6, 11, bias=False)
        if tied:
            self.head.weight = self.table.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.tanh(self.table(x) + self.places))
        return out


class Attention(nn.Module):
    """Self- or cross-attention over (N, T, 6)."""

    def __init__(
        self,
        *,
        cross: bool = False,
        keys: int = 6,
        bias_kv: bool = False,
        three: bool = False,
    ):
        super().__init__()
        self.cross, self.keys, self.three = cross, keys, three
        self.core = nn.MultiheadAttention(
            6, 2, batch_first=True, kdim=keys, add_bias_kv=bias_kv
        )

    def forward(self, x: Tensor) -> Tensor:
        query = x[:, :2] if self.cross else x
        key = x if self.keys == 6 and not self.three else x[..., : self.keys]
        out: Tensor = self.core(query, key, x, need_weights=False)[0]
        return out


def twice() -> nn.Module:
    layer = nn.Linear(5, 5)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(5, 2))


def convolution(axes: int) -> nn.Module:
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[axes]
    return nn.Sequential(
        kind(4, 6, 3, stride=2, padding=1, dilation=2, groups=2),
        nn.Tanh(),
        kind(6, 4, 3, padding="same", padding_mode="circular"),
        kind(4, 3, 3, padding="same"),
    )


def normed() -> nn.Module:
    model = nn.Sequential(
        nn.Conv1d(4, 6, 3), nn.GroupNorm(3, 6), nn.BatchNorm1d(6), nn.Conv1d(6, 2, 1)
    ).double()
    model(R(9, 4, 8))  # running statistics that are not the default
    return model.eval()


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, dropout=0.0)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


GHOST: dict[str, Case] = {
    "mlp": lambda: (mlp(5, 7, 3), R(8, 5)),
    "wide": lambda: (mlp(12, 14, 3), R(4, 12)),
    "no bias": lambda: (mlp(5, 7, 3, bias=False), R(8, 5)),
    "short sequence": lambda: (mlp(5, 7, 3), R(8, 4, 5)),
    "long sequence": lambda: (mlp(2, 3, 2), R(6, 60, 2)),
    "four axes": lambda: (mlp(3, 4, 2), R(5, 2, 3, 3)),
    "samples on a middle axis": lambda: (
        Fn(lambda s, x: s.l(x.transpose(0, 1)).transpose(0, 1), l=nn.Linear(5, 3)),
        R(7, 2, 3, 5),
    ),
    "Conv1d": lambda: (convolution(1), R(6, 4, 9)),
    "Conv2d": lambda: (convolution(2), R(6, 4, 7, 8)),
    "Conv3d": lambda: (convolution(3), R(5, 4, 5, 5, 6)),
    "ConvTranspose2d": lambda: (
        nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        ),
        R(5, 4, 3, 4),
    ),
    "norms": lambda: (
        nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 4), nn.RMSNorm(4)),
        R(7, 4),
    ),
    "norms of sequences": lambda: (
        nn.Sequential(nn.Linear(4, 6), nn.LayerNorm((3, 6)), nn.RMSNorm(6)),
        R(7, 3, 4),
    ),
    "GroupNorm, BatchNorm": lambda: (normed(), R(7, 4, 8)),
    "words": lambda: (Words(tied=False, padding=0), torch.randint(11, (7, 5))),
    "tied words": lambda: (Words(tied=True, padding=None), torch.randint(11, (7, 5))),
    "x @ W": lambda: (
        Fn(
            lambda s, x: torch.tanh(x @ s.W + s.b) * s.g @ s.U,
            W=P(5, 6),
            b=P(6),
            g=P(6),
            U=P(6, 2),
        ),
        R(7, 5),
    ),
    "rows @ W": lambda: (Fn(lambda s, x: s.c - x @ s.W, W=P(5, 6), c=P(6)), R(7, 4, 5)),
    "W @ x": lambda: (
        Fn(lambda s, x: s.U @ torch.tanh(s.W @ x), W=P(6, 5), U=P(3, 6)),
        R(7, 5, 4),
    ),
    "W @ x.T": lambda: (
        Fn(
            lambda s, x: (s.U @ torch.tanh(s.W @ x.T + s.b[:, None])).T,
            W=P(6, 5),
            U=P(3, 6),
            b=P(6),
        ),
        R(7, 5),
    ),
    "scalars": lambda: (
        Fn(lambda s, x: s.u * torch.tanh(s.w * x) - s.c, u=P(), w=P(), c=P()),
        R(7),
    ),
    "attention": lambda: (Attention(), R(7, 3, 6)),
    "attention, other keys": lambda: (Attention(keys=4), R(7, 3, 6)),
    "cross attention": lambda: (Attention(cross=True), R(7, 3, 6)),
    "three projections": lambda: (Attention(keys=6, three=True), R(7, 3, 6)),
    "transformer": lambda: (encoder(), R(7, 3, 6)),
    "used twice": lambda: (twice(), R(7, 5)),
    "a slice": lambda: (
        Fn(
            lambda s, x: x @ s.W[1:4, ::2] + s.W[0, :3] + s.W.split(2)[1][0, :3],
            W=P(6, 6),
        ),
        R(7, 3),
    ),
    "signs": lambda: (Fn(lambda s, x: x * s.c - s.c, c=P(3)), R(7, 3)),
    "unused": lambda: (Fn(lambda s, x: x @ s.W, W=P(3, 2), spare=P(4)), R(7, 3)),
    "one output": lambda: (Fn(lambda s, x: (x @ s.W)[:, 0], W=P(3, 1)), R(7, 3)),
}
SLOW: dict[str, Case] = {
    "InstanceNorm": lambda: (
        nn.Sequential(nn.Conv1d(4, 6, 3), nn.InstanceNorm1d(6, affine=True)),
        R(7, 4, 8),
    ),
    "a product of weights": lambda: (
        Fn(lambda s, x: x @ (s.W @ s.U), W=P(5, 6), U=P(6, 2)),
        R(7, 5),
    ),
    "weight normalisation": lambda: (
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
        R(7, 4),
    ),
    "PReLU": lambda: (nn.Sequential(nn.Linear(4, 3), nn.PReLU(3)), R(7, 4)),
    "Bilinear": lambda: (Fn(lambda s, x: s.l(x, x), l=nn.Bilinear(4, 4, 3)), R(7, 4)),
    "attention, bias_kv": lambda: (Attention(bias_kv=True), R(7, 3, 6)),
    "einsum": lambda: (
        Fn(lambda s, x: torch.einsum("ij,njk->nik", s.W, x), W=P(6, 5)),
        R(7, 5, 4),
    ),
    "a sparse table": lambda: (
        nn.Embedding(5, 3, scale_grad_by_freq=True),
        torch.randint(5, (7, 2)),
    ),
}


def drawn(case: Case) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    model, x = case()
    model = model.double()
    with torch.no_grad():
        out = model(x)
    return model, x, torch.randn_like(out)


@pytest.mark.parametrize("batch_size", [None, 3, 1])
@pytest.mark.parametrize("name", GHOST)
def test_layers_agree_with_a_loop_without_per_sample_gradients(
    name: str, batch_size: int | None
) -> None:
    model, x, y = drawn(GHOST[name])
    generators = varied(model)

    found = noise_trace(model, squares, (x, y), generators, batch_size=batch_size)

    assert worst(found, per_sample(model, squares, x, y), generators) <= EXACT
    if batch_size != 1:
        assert {noise.method for noise in found} == {"ghost"}


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("name", SLOW)
def test_other_uses_fall_back_to_samples_and_say_so(
    name: str, batch_size: int | None
) -> None:
    model, x, y = drawn(SLOW[name])
    generators = varied(model)

    found = noise_trace(model, squares, (x, y), generators, batch_size=batch_size)

    assert worst(found, per_sample(model, squares, x, y), generators) <= EXACT
    assert all("vmap" in noise.method or "loop" in noise.method for noise in found)
    assert all("(" in noise.method for noise in found)  # the parameters, and why


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers(kind: type[nn.LSTM] | type[nn.GRU]) -> None:
    torch.manual_seed(2)
    model = Fn(lambda s, x: s.core(x)[0], core=kind(3, 4, batch_first=True)).double()
    x, y = R(6, 3, 3), R(6, 3, 4)
    generators = varied(model)

    found = noise_trace(model, squares, (x, y), generators)

    assert worst(found, per_sample(model, squares, x, y), generators) <= EXACT

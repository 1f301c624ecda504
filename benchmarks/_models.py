"""Torch models, data and generators whose noise is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


Reduced = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_CLASSES = 10


class Block(nn.Module):
    """A pre-norm transformer block; its norms have no parameters.

    The projections are modules of their own, which every library here can handle.
    """

    def __init__(self, width: int, heads: int) -> None:
        """Make the projections of `heads` heads and a hidden layer of 2 × width."""
        super().__init__()
        self.heads, self.width = heads, width
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, T, width] to the same shape."""
        h = nn.functional.layer_norm(x, (self.width,))
        parts = (p(h).unflatten(-1, (self.heads, -1)) for p in (self.q, self.k, self.v))
        q, k, v = (part.transpose(1, 2) for part in parts)
        mixed = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1) @ v
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        h = nn.functional.layer_norm(x, (self.width,))
        out: torch.Tensor = x + self.down(self.act(self.up(h)))
        return out


class Transformer(nn.Module):
    """Two blocks, the mean over the sequence, and a linear head."""

    def __init__(self, width: int = 128, heads: int = 4, depth: int = 2) -> None:
        """Make the blocks."""
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.head = nn.Linear(width, _CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, T, width] to logits."""
        out: torch.Tensor = self.head(self.blocks(x).mean(1))
        return out


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers of these widths with ReLU between them."""
    layers: list[nn.Module] = []
    for rows, cols in zip(widths[1:], widths[:-1], strict=True):
        layers += [nn.Linear(cols, rows), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linear(width: int) -> nn.Sequential:
    """Return x ↦ UWx."""
    return nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(2)))


def convolutional() -> nn.Sequential:
    """Return two convolutions and a linear layer on 3 × 16 × 16 images."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 64, _CLASSES),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A model with its data; the generator scales layers by +1 and −1 in turn.

    Attributes:
        name: as the page names it.
        make: makes the model; the weights are those of seed 0.
        shape: of one input.
        N: samples.
        regression: whether the loss is ‖out − y‖², else the cross-entropy.
        spread: the noise of the inputs around a common one; 0 for standard normal ones.
        sequences: whether inputs are sequences.
        dense: widths, where the model is an MLP or linear.
    """

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    N: int
    regression: bool = False
    spread: float = 0.0
    sequences: bool = False
    dense: bool = True
    seed: int = field(default=0)

    def model(self) -> nn.Module:
        """Return the model, always the same."""
        torch.manual_seed(self.seed)
        return self.make()

    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets, always the same."""
        stream = torch.Generator().manual_seed(1 + self.seed)
        x = torch.randn(self.N, *self.shape, generator=stream)
        if self.spread:
            x = x[:1] + self.spread * x
            y = torch.randn(1, *self.shape, generator=stream).expand(self.N, -1)
            return x, y.contiguous()
        if self.regression:
            return x, torch.randn(self.N, *self.shape, generator=stream)
        return x, torch.randint(_CLASSES, (self.N,), generator=stream)

    def loss(self) -> Reduced:
        """Return the loss, a sum over the samples."""
        if self.regression:
            return lambda out, y: (out - y).square().sum()
        return nn.CrossEntropyLoss(reduction="sum")

    def scales(self, model: nn.Module) -> dict[str, float]:
        """Return parameter → +1 or −1, the same in a layer, changing between layers."""
        layers = list(
            dict.fromkeys(n.rpartition(".")[0] for n, _ in model.named_parameters())
        )
        return {
            name: 1.0 - 2.0 * (layers.index(name.rpartition(".")[0]) % 2)
            for name, _ in model.named_parameters()
        }


def _dense(name: str, N: int, *widths: int) -> Case:
    return Case(name, lambda: mlp(*widths), (widths[0],), N)


def _sequence(T: int, N: int = 32) -> Case:
    return Case(
        f"transformer T={T}", Transformer, (T, 128), N, sequences=True, dense=False
    )


MLP = "MLP N=256 P=670k"
WIDE = "wide N=64 P=2.1M"
CASES = (
    _dense(MLP, 256, 784, 512, 512, _CLASSES),
    _dense(WIDE, 64, 1024, 1024, 1024, _CLASSES),
    Case("UW N=512", lambda: linear(512), (512,), 512, regression=True),
    _sequence(64),
    _sequence(8),
    _dense("MLP N=1024 P=235k", 1024, 784, 256, 128, _CLASSES),
    _dense("deep N=256, 8 × 64", 256, 64, *([64] * 7), _CLASSES),
    Case("convolutions N=128", convolutional, (3, 16, 16), 128, dense=False),
)
# Gradients that are the same up to 0.1 %: E‖g‖² − ‖ḡ‖² cancels.
NEAR = Case(
    "UW N=512, noise 0.1 %",
    lambda: linear(512),
    (512,),
    512,
    regression=True,
    spread=1e-3,
)
CURVES: dict[str, dict[str, Case]] = {
    "N": {
        str(N): _dense(f"N={N}", N, 512, 512, 512, _CLASSES)
        for N in (16, 64, 256, 1024)
    },
    "P": {
        f"{P / 1e3:.0f}k": _dense(f"P={P}", 128, w, w, w, _CLASSES)
        for w in (128, 256, 512, 1024)
        for P in (2 * w * (w + 1) + 10 * (w + 1),)
    },
    "T": {str(T): _sequence(T, 16) for T in (4, 16, 64, 256)},
}


def exact(case: Case) -> tuple[float, float, float]:
    """Return Tr[ΣA], Σ_p |scale_p| Tr Σ_pp and E‖g‖², sample by sample in float64.

    Plain autograd on one sample after the other; Σ from differences to the mean
    gradient, so that nothing cancels.
    """
    model = case.model().double()
    scales = case.scales(model)
    x, y = case.data()
    parameters = dict(model.named_parameters())
    loss = case.loss()
    y = y.double() if case.regression else y

    def gradients() -> Any:
        for a, b in zip(x.double(), y, strict=True):
            value = loss(model(a[None]), b[None])
            yield torch.autograd.grad(value, list(parameters.values()))

    mean = [torch.zeros_like(p) for p in parameters.values()]
    for sample in gradients():
        for total, g in zip(mean, sample, strict=True):
            total += g / case.N
    spread = dict.fromkeys(parameters, 0.0)
    size = 0.0
    for sample in gradients():
        for name, g, average in zip(parameters, sample, mean, strict=True):
            spread[name] += float((g - average).square().sum()) / case.N
            size += float(g.square().sum()) / case.N
    signed = sum(scales[name] * spread[name] for name in parameters)
    return signed, sum(spread.values()), size

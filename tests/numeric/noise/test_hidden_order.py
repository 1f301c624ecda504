"""Models and losses whose faults show in some samples or batches only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from numeric._noise._generator import Action, Generator
from numeric._noise._order import Watch, another_order
from numeric._noise._trace import NoiseTrace, noise_trace


D = torch.float64


def _linear(rows: int, cols: int) -> nn.Linear:
    return nn.Linear(rows, cols, dtype=D)


class Packed(nn.Module):
    """Leaves out what is padding, so that rows move with the lengths."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = _linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        there = x[..., 0] != 0
        out = x.new_zeros(*x.shape[:2], 4)
        out[there] = torch.tanh(self.a(x[there]))
        return out.sum(1)


class Sorted(nn.Module):
    """Uses a layer twice, with the samples in the order of their values between."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = _linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        order = x[:, 0].argsort()
        out: Tensor = self.a(torch.tanh(self.a(x))[order])[order.argsort()]
        return out


class Experts(nn.Module):
    """Sends every sample to one of two layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = _linear(3, 4), _linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        first = x[:, 0] > 0
        out = x.new_zeros(len(x), 4)
        out[first], out[~first] = self.a(x[first]), self.b(x[~first])
        return out


class Descending(nn.Module):
    """Wants the longest sequence first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = _linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        lengths = (x[..., 0] != 0).sum(1)
        if bool((lengths[1:] > lengths[:-1]).any()):
            raise RuntimeError("lengths must decrease")
        there = x[..., 0] != 0
        out = x.new_zeros(*x.shape[:2], 4)
        out[there] = self.a(x[there])
        return out.sum(1)


class Picked(nn.Module):
    """Takes columns by an index: rows stay where they are."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = _linear(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.a(x[:, torch.tensor([0, 2])])
        return out


def _squares(out: Tensor, y: Tensor) -> Tensor:
    return (out - y).square().sum()


def _sequences(lengths: list[int], seed: int = 1) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    x = torch.randn(len(lengths), 6, 3, dtype=D, generator=stream)
    for row, length in zip(x, lengths, strict=True):
        row[length:] = 0.0
    return x, torch.randn(len(lengths), 4, dtype=D, generator=stream)


def _rows(
    N: int, width: int, first: list[float] | None = None
) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(2)
    x = torch.randn(N, 3, dtype=D, generator=stream)
    if first is not None:
        x[:, 0] = torch.tensor(first)
    return x, torch.randn(N, width, dtype=D, generator=stream)


def _by_hand(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> float:
    """Return Tr Σ of the layer a, sample by sample."""
    weights = [p for name, p in model.named_parameters() if name.startswith("a.")]
    rows = []
    for k in range(len(x)):
        value = loss(model(x[k : k + 1]), y[k : k + 1])
        parts = torch.autograd.grad(
            value, weights, allow_unused=True, materialize_grads=True
        )
        rows.append(torch.cat([g.reshape(-1) for g in parts]))
    G = torch.stack(rows)
    return float((G - G.mean(0)).square().sum() / len(x))


def _measured(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    data: tuple[Tensor, Tensor],
    batch_size: int | None = None,
) -> NoiseTrace:
    names = [name for name, _ in model.named_parameters() if name.startswith("a.")]
    generator = Generator(dict.fromkeys(names, Action()))
    return noise_trace(model, loss, data, [generator], batch_size=batch_size)[0]


@pytest.mark.parametrize(
    ("model", "data", "batch_size"),
    [
        (Packed(), _sequences([4, 4, 3, 5]), None),
        (Packed(), _sequences([4, 4, 4, 4, 5, 3, 2, 6]), 4),
        (Packed(), _sequences([4, 4, 4, 4, 5, 3, 2, 5]), 4),
        (Descending(), _sequences([5, 4, 4, 3]), None),
        (Sorted(), _rows(7, 3, [2.0, 1.0, 3.0, 5.0, 4.0, 7.0, 6.0]), None),
        (Experts(), _rows(6, 4), None),
        (Experts(), _rows(6, 4), 1),
        (Experts(), _rows(6, 4, [1.0, 2.0, 3.0, -1.0, 1.0, -2.0]), 3),
    ],
    ids=[
        "uneven",
        "even first",
        "indivisible",
        "descending",
        "sorted",
        "experts",
        "one",
        "one sort",
    ],
)
def test_rows_that_follow_values_are_told(
    model: nn.Module, data: tuple[Tensor, Tensor], batch_size: int | None
) -> None:
    found = _measured(model, _squares, data, batch_size)

    assert found.trace == pytest.approx(_by_hand(model, _squares, *data), rel=1e-9)
    assert found.method != "ghost"


@pytest.mark.parametrize(
    ("model", "data"),
    [(Picked(), _rows(9, 4)), (Packed(), _sequences([4, 4, 4, 4]))],
    ids=["columns", "even"],
)
def test_rows_that_stay_are_left_to_the_fast_way(
    model: nn.Module, data: tuple[Tensor, Tensor]
) -> None:
    found = _measured(model, _squares, data)

    assert found.trace == pytest.approx(_by_hand(model, _squares, *data), rel=1e-9)
    assert found.method == "ghost"


def test_a_second_call_looks_at_the_order_again() -> None:
    model, uneven = Packed(), _sequences([4, 4, 3, 5])
    assert _measured(model, _squares, _sequences([4, 4, 4, 4])).method == "ghost"

    found = _measured(model, _squares, uneven)

    assert found.trace == pytest.approx(_by_hand(model, _squares, *uneven), rel=1e-9)


def test_what_may_move_rows() -> None:
    def moves(operation: Callable[[Tensor], object]) -> bool:
        with Watch() as seen:
            operation(torch.randn(4, 3))
        return bool(seen.sorts)

    assert moves(lambda x: x[x > 0])
    assert moves(lambda x: x.sort(dim=0))
    assert moves(lambda x: x[: int(x.abs().sum())])
    assert moves(lambda x: torch.cat([x[:2], x[2:]]))
    assert not moves(lambda x: torch.cat([x, x], 1))
    assert not moves(lambda x: (x @ x.T).softmax(1).sum())
    assert sorted(another_order(6).tolist()) == list(range(6))


# A mean is told from a sum by a sample that has a gradient, however few have.


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_mean_is_refused_where_few_samples_have_a_gradient(
    batch_size: int | None,
) -> None:
    model = nn.Sequential()
    model.add_module("a", nn.Linear(3, 1, bias=False, dtype=D))
    x, _ = _rows(64, 1)
    with torch.no_grad():
        next(model.parameters()).copy_(torch.tensor([[50.0, 0.0, 0.0]]))
    x[:, 0] = torch.sign(x[:, 0]) * (0.5 + x[:, 0].abs())
    y = torch.sign(x[:, 0])
    y[[5, 40]] *= -1

    def hinge(out: Tensor, target: Tensor) -> Tensor:
        return torch.relu(1 - out[:, 0] * target)

    def total(out: Tensor, target: Tensor) -> Tensor:
        return hinge(out, target).sum()

    with pytest.raises(ValueError, match="reduction='sum'"):
        _measured(model, lambda out, t: hinge(out, t).mean(), (x, y), batch_size)
    found = _measured(model, total, (x, y), batch_size)
    assert found.trace == pytest.approx(_by_hand(model, total, x, y), rel=1e-9)


def test_a_mean_over_what_is_not_ignored_is_refused() -> None:
    model = nn.Sequential()
    model.add_module("a", _linear(3, 3))
    x, _ = _rows(12, 1)
    y = torch.full((12,), -100)
    y[[1, 7]] = 1

    with pytest.raises(ValueError, match="reduction='sum'"):
        _measured(model, nn.CrossEntropyLoss(), (x, y))


def test_a_loss_without_a_graph_is_refused() -> None:
    model = nn.Sequential()
    model.add_module("a", _linear(3, 4))
    data = _rows(5, 4)

    with pytest.raises(ValueError, match="without a gradient"):
        _measured(model, lambda out, y: _squares(out.detach(), y), data)
    with torch.inference_mode(), pytest.raises(ValueError, match="inference_mode"):
        _measured(model, _squares, data)


class Checkpointed(nn.Module):
    """Keeps no activations of its middle."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first = _linear(3, 4)
        self.a = nn.Sequential(_linear(4, 4), nn.Tanh(), _linear(4, 4))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        held = torch.tanh(self.first(x))
        out: Tensor = checkpoint(self.a, held, use_reentrant=self.reentrant)
        return out


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_is_refused(*, reentrant: bool) -> None:
    with pytest.raises(ValueError, match="activation checkpointing"):
        _measured(Checkpointed(reentrant=reentrant), _squares, _rows(5, 4))


# Other forms than the identity keep their digits, too.


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-3), (D, 1e-9)])
def test_a_quiet_unit_among_noisy_ones(dtype: torch.dtype, within: float) -> None:
    torch.manual_seed(1)
    model = nn.Sequential()
    model.add_module("a", nn.Linear(5, 4, bias=False, dtype=dtype))
    x, y = torch.ones(200, 8, 5, dtype=dtype), torch.randn(200, 8, 4, dtype=dtype)
    y[..., 3] = 1 + 1e-4 * torch.randn(200, 8, dtype=dtype)
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=dtype)
    generators = [Generator({"a.weight": Action(left=last)})]

    found = noise_trace(model, lambda out, t: (out * t).sum(), (x, y), generators)[0]

    slopes = y[..., 3].double().sum(1)  # each of the five entries of ∂ℓ/∂W₄
    assert found.trace == pytest.approx(5 * float(slopes.var(correction=0)), rel=within)

"""What `noise_trace` keeps of earlier calls, and what makes it look again."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from numeric._noise import _trust
from numeric._noise._generator import Action, Generator
from numeric._noise._trace import NoiseTrace, noise_trace
from tests.numeric.noise.reference import Fn, squares


class Counted(nn.Module):
    """A net that counts its forward passes, where no setting shows it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        self.mixes = False

    def forward(self, x: Tensor) -> Tensor:
        _PASSES.append(len(x))
        out: Tensor = self.inner(x)
        return out.roll(1, 0) if self.mixes else out


_PASSES: list[int] = []


def call(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], N: int = 7
) -> NoiseTrace:
    _PASSES.clear()
    stream = torch.Generator().manual_seed(N)
    x, y = torch.randn(N, 3, generator=stream), torch.randn(N, 2, generator=stream)
    names = [name for name, _ in model.named_parameters()]
    return noise_trace(
        model, loss, (x, y), [Generator(dict.fromkeys(names, Action()))]
    )[0]


def test_a_second_call_looks_at_no_sample_alone_and_gives_the_same() -> None:
    model = Counted()

    first = call(model, squares)
    assert _PASSES == [7, 2]
    second = call(model, squares)
    assert _PASSES == [7]
    assert first == second
    call(model, squares, N=9)
    assert _PASSES == [9]


def test_another_model_or_loss_is_looked_at() -> None:
    model = Counted()
    call(model, squares)

    call(Counted(), squares)
    assert _PASSES == [7, 2]
    call(model, lambda out, y: (out - y).pow(4).sum())
    assert _PASSES == [7, 2]


def test_a_loss_whose_settings_change_is_looked_at() -> None:
    model, loss = Counted(), nn.MSELoss(reduction="sum")
    call(model, loss)

    loss.reduction = "mean"
    with pytest.raises(ValueError, match="reduction='sum'"):
        call(model, loss)
    with pytest.raises(ValueError, match="reduction='sum'"):  # a failure is not kept
        call(model, loss)
    loss.reduction = "sum"
    call(model, loss)
    assert _PASSES == [7, 2]


def test_a_closure_and_a_default_whose_values_change_are_looked_at() -> None:
    model, mean = Counted(), False

    def closed(out: Tensor, y: Tensor) -> Tensor:
        sizes = (out - y).square()
        return sizes.mean() if mean else sizes.sum()

    call(model, closed)
    mean = True
    with pytest.raises(ValueError, match="reduction='sum'"):
        call(model, closed)

    def given(out: Tensor, y: Tensor, power: int = 2) -> Tensor:
        return (out - y).pow(power).sum()

    call(model, given)
    given.__defaults__ = (4,)
    call(model, given)
    assert _PASSES == [7, 2]


def test_a_model_that_begins_to_mix_samples_is_refused() -> None:
    model = Counted()
    call(model, squares)

    model.mixes = True
    with pytest.raises(ValueError, match="independent"):
        call(model, squares)


def test_a_model_with_another_graph_is_looked_at() -> None:
    model = Counted()
    call(model, squares)

    model.inner[1] = nn.Sigmoid()
    call(model, squares)
    assert _PASSES == [7, 2]


def test_nothing_is_kept_of_a_batch_without_gradients() -> None:
    """All gradients vanish: whether the loss is a sum cannot be seen there."""
    model = Counted()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return (out * 0.0 * y).sum()

    call(model, loss)
    assert _PASSES == [7, 2, 2, 2]
    call(model, loss)
    assert _PASSES == [7, 2, 2, 2]


def test_losses_made_anew_are_always_looked_at() -> None:
    class Owner:
        def loss(self, out: Tensor, y: Tensor) -> Tensor:
            return squares(out, y)

    model, owner = Counted(), Owner()
    for _ in range(2):
        call(model, owner.loss)
        assert _PASSES == [7, 2]
    for _ in range(2):
        call(model, partial(squares))
        assert _PASSES == [7, 2]


def test_parameters_done_by_samples_stay_so() -> None:
    model = Fn(
        lambda s, x: s.one(x) + s.two(x) - s.two(x.flip(0)).flip(0),
        one=nn.Linear(3, 2),
        two=nn.Linear(3, 2),
    )

    first, second = call(model, squares), call(model, squares)

    assert "two.weight" in first.method
    assert first == second


def test_models_and_losses_are_let_go() -> None:
    model = Counted()
    loss = nn.MSELoss(reduction="sum")
    call(model, loss)
    assert model in _trust._FOUND

    seen = weakref.ref(model), weakref.ref(loss)
    del model, loss
    gc.collect()

    assert [each() for each in seen] == [None, None]


def test_the_number_of_graphs_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trust, "_MOST", 3)

    class Repeated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(_TIMES[0]):
                x = torch.tanh(self.layer(x))
            out: Tensor = self.head(x)
            return out

    model = Repeated()
    for times in range(1, 9):
        _TIMES[0] = times
        call(model, squares)

    assert 1 <= len(_trust.found_before(model, squares)) <= 3


_TIMES = [1]

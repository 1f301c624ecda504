"""What is refused, how gradients are taken, and how much memory they are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from numeric._torch_ensembles.gradient import ModelGradient
from numeric._torch_ensembles.model_loss import ModelLoss
from numeric._torch_ensembles.run import portions, simulate_model
from numeric._torch_ensembles.survey import Size, survey
from tests.numeric.torch_ensembles.cases import (
    CE,
    MSE,
    case,
    linear_net,
    regression,
)


def start(
    model: nn.Module, loss: Any, data: tuple[Tensor, Tensor], **options: Any
) -> Any:
    """Run two steps of an ensemble."""
    task = ModelLoss(model, loss)
    common: dict[str, Any] = {"lr": 0.1, "batch_size": 2, "steps": 2, "seed": 0}
    return simulate_model(task, data, task.start(2), **{**common, **options})


@pytest.mark.parametrize(
    ("name", "mode", "weighing"),
    [
        ("convolution", "vmap", "output"),
        ("attention", "vmap", "output"),
        ("several", "vmap", "output"),
        ("tied", "vmap", "samples"),
        ("transposed", "vmap", "samples"),
        ("branching", "loop", "output"),
    ],
)
def test_how_gradients_are_taken(name: str, mode: str, weighing: str) -> None:
    """By vmap with weights on the output, but where that would be wrong."""
    model, loss, (x, y) = case(name)
    task = ModelLoss(model, loss)

    found, reason, _ = survey(
        ModelGradient(task, {}), x, y, task.start(1), weights=True
    )

    assert (found.mode, found.weighing) == (mode, weighing)
    assert bool(reason) == (mode == "loop")


def test_vmap_by_force_gives_torchs_reason() -> None:
    """backend="vmap" refuses what it cannot batch, "auto" loops and says so."""
    model, loss, data = case("branching")
    with pytest.raises(ValueError, match=r"torch.func.vmap can batch.*\.item\(\)"):
        start(model, loss, data, backend="vmap")
    assert start(model, loss, data).backend == "loop"


def test_the_model_is_left_alone() -> None:
    """Parameters, gradients, flags, mode and the random numbers stay."""
    model, loss, data = case("frozen")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    state = torch.get_rng_state()

    start(model, loss, data, method="sde")

    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


class _Counting(nn.Linear):
    """Changes a buffer in its forward pass."""

    seen: Tensor

    def __init__(self, rebind: bool) -> None:
        super().__init__(2, 1)
        self.rebind = rebind
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.rebind:
            self.seen = self.seen + 1
        else:
            self.seen += 1
        return super().forward(x)


class _Centring(nn.Linear):
    """Mixes the samples."""

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        return out - out.mean(0)


class _Noisy(nn.Linear):
    """Draws random numbers in any mode."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(len(x), 1)


@pytest.mark.parametrize(
    ("model", "loss", "message"),
    [
        (nn.Linear(2, 1), nn.MSELoss(), "it is their mean: use reduction='sum'"),
        (nn.Linear(2, 1), nn.MSELoss(reduction="none"), "a scalar, the sum"),
        (nn.Linear(2, 1), lambda o, t: 1.0, "a scalar, the sum"),
        (nn.Linear(2, 1), lambda o, t: (o - t).norm(), "each sample's own loss"),
        (nn.Linear(2, 1), lambda o, t: MSE(o, t) + 1, "each sample's own loss"),
        (nn.Linear(2, 1), lambda o, t: MSE(o, t) * torch.nan, "finite grad"),
        (nn.Linear(2, 1), lambda o, t: MSE(o, t) + torch.nan, "got nan for three"),
        (_Centring(2, 1), MSE, "treats each sample by itself"),
        (_Noisy(2, 1), MSE, "draws random numbers"),
        (_Counting(False), MSE, "changes seen"),
        (nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5)), MSE, r"1 \(Dropout\) draws"),
        (
            nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)),
            MSE,
            r"1 \(BatchNorm1d\) norm",
        ),
    ],
)
def test_what_is_refused(model: nn.Module, loss: Any, message: str) -> None:
    """Each with the reason."""
    x, y = (tensor.float() for tensor in regression(6, 2, 1))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        start(model, loss, (x, y))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_buffers_stay_what_they_are() -> None:
    """One that is bound anew in the forward pass begins anew at each gradient."""
    model, data = _Counting(True).double(), regression(6, 2, 1)
    plain = nn.Linear(2, 1).double()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if k != "seen"})

    assert (start(model, MSE, data).theta == start(plain, MSE, data).theta).all()
    assert not model.seen


def test_a_start_without_gradients_is_no_excuse() -> None:
    """At θ = 0 a deep linear net has none, yet a mean is not taken for a sum."""
    net, data = linear_net(2, 2, 1), regression(6, 2, 1)
    task = ModelLoss(net, lambda o, t: ((o - t) ** 2 - t**2).mean())
    with pytest.raises(ValueError, match="it is their mean"):
        simulate_model(
            task, data, 0 * task.start(2), lr=0.1, batch_size=2, steps=1, seed=0
        )
    good = ModelLoss(net, MSE)
    found = simulate_model(
        good, data, 0 * good.start(2), lr=0.1, batch_size=2, steps=3, seed=0
    )
    assert not found.theta.any()


def test_one_sample_and_one_replica_are_enough() -> None:
    """N = R = S = 1."""
    task = ModelLoss(nn.Linear(1, 1, bias=False).double(), MSE)
    data = torch.tensor([[2.0]]), torch.tensor([[3.0]])
    found = simulate_model(
        task, data, [[1.0]], lr=0.1, batch_size=1, steps=1, method="sde", seed=0
    )
    assert abs(found.theta.item() - 1.4) < 1e-15  # 1 − 0.1·2·(2 − 3)·2


def test_a_start_that_overflows_diverges() -> None:
    """It is reported, and the check takes another point."""
    task, data = ModelLoss(linear_net(2, 2, 1), MSE), regression(6, 2, 1)
    theta0 = task.start(3)
    theta0[0] = 1e200
    found = simulate_model(task, data, theta0, lr=0.1, batch_size=2, steps=2, seed=0)
    assert found.diverged.tolist() == [True, False, False]
    assert (found.theta[0] == 1e200).all()


@pytest.mark.parametrize("method", ["sgd", "gd", "svag", "sde"])
def test_memory_goes_by_the_samples_of_a_step(method: Any) -> None:
    """Activations of a sample, and what a replica has once, as autograd saves them."""
    task = ModelLoss(nn.Sequential(nn.Linear(50, 40), nn.Tanh()), MSE)
    x, y = torch.randn(9, 50), torch.randn(9, 40)
    _, _, size = survey(
        ModelGradient(task, {}), x, y, task.start(1), weights=method == "sde"
    )
    # At least input, activation, output and the data once more; few times that at most.
    assert 50 + 40 + 90 <= size.sample <= 3 * (50 + 40 + 90)
    assert 4 * task.size <= size.fixed <= 6 * task.size


def test_portions_stay_within_the_budget() -> None:
    """As many replicas as fit, and samples in blocks where one replica does not."""
    for fixed, sample, samples, budget in [
        (10, 3, 4, 1000),
        (10, 3, 4, 22),
        (10, 3, 1000, 100),
        (10, 3, 1000, 5),
    ]:
        size = Size(fixed, sample)
        replicas, block = portions(size, samples, budget)
        used = fixed + block * sample
        assert 1 <= block <= samples
        assert replicas == 1 or replicas * used <= budget < (replicas + 1) * used
        assert block == 1 or used <= budget
        assert block == samples or used + sample > budget


def test_outside_gradients_and_modes_do_not_matter() -> None:
    """Under no_grad, and with a θ that requires gradients."""
    model, loss, data = case("branching")
    task = ModelLoss(model, loss)
    common: dict[str, Any] = {"lr": 0.1, "batch_size": 2, "steps": 2, "seed": 0}
    plain = simulate_model(task, data, task.start(2), **common)
    with torch.no_grad():
        other = simulate_model(task, data, task.start(2).requires_grad_(), **common)
    assert (plain.theta == other.theta).all()
    assert CE is loss


def test_a_vmap_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gradients are compared with those of plain autograd."""
    right = ModelGradient._vmapped
    monkeypatch.setattr(ModelGradient, "_vmapped", lambda *given: 1.01 * right(*given))
    task, data = ModelLoss(linear_net(2, 1), MSE), regression(6, 2, 1)
    assert start(task.model, MSE, data).backend == "loop"
    with pytest.raises(ValueError, match="differ from those of plain autograd"):
        start(task.model, MSE, data, backend="vmap")

"""Every method against plain torch and against the symbolic loss, step by step."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

from numeric import simulate
from numeric._streams import SECOND, Stream
from numeric._torch_ensembles import run
from numeric._torch_ensembles.gradient import Batch, ModelGradient
from numeric._torch_ensembles.graphs import Graphs
from numeric._torch_ensembles.model_loss import ModelLoss
from numeric._torch_ensembles.run import simulate_model
from symbolic import Loss, ParameterSpace
from tests.numeric.torch_ensembles.cases import (
    MSE,
    NAMES,
    case,
    linear_net,
    regression,
)


EPS = np.finfo(np.float64).eps


def by_optimizer(
    task: ModelLoss, data: tuple[Tensor, Tensor], row: Tensor, rows: Any, **options: Any
) -> np.ndarray:
    """Return θ after torch's own SGD on the given minibatches."""
    model = copy.deepcopy(task.model)
    model.load_state_dict(task.unpack(row), strict=False)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], **options
    )
    for batch in rows:
        optimizer.zero_grad()
        value = task.loss(model(data[0][batch]), data[1][batch]) / len(batch)
        torch.autograd.backward(value)
        optimizer.step()
    return task.pack([model])[0].numpy()


def each_gradient(
    task: ModelLoss, data: tuple[Tensor, Tensor], row: Tensor
) -> np.ndarray:
    """Return the per-sample gradients at θ by plain autograd, (N, n)."""
    model = copy.deepcopy(task.model)
    model.load_state_dict(task.unpack(row), strict=False)
    held = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for x, y in zip(*data, strict=True):
        found = torch.autograd.grad(task.loss(model(x[None]), y[None]), held)
        rows.append(torch.cat([g.reshape(-1) for g in found]))
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_sgd_equals_torchs_own(name: str) -> None:
    """SGD with weight_decay 2γ, on the documented minibatches, replica by replica."""
    momentum = 0.7
    model, loss, data = case(name)
    task = ModelLoss(model, loss)
    theta0 = task.start(3, spread=0.1, seed=4)

    found = simulate_model(
        task,
        data,
        theta0,
        lr=0.05,
        batch_size=3,
        steps=8,
        weight_decay=0.02,
        momentum=momentum,
        seed=(9, "a"),
    )

    drawn = Stream((9, "a"), "simulate").indices(range(3), range(8), 3, len(data[0]))
    for r in range(3):
        wanted = by_optimizer(
            task,
            data,
            theta0[r],
            drawn[r],
            lr=0.05,
            momentum=momentum,
            weight_decay=0.04,
        )
        np.testing.assert_allclose(found.theta[r], wanted, rtol=1e-11, atol=1e-13)
        assert np.abs(wanted - theta0[r].numpy()).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_the_sde_is_one_weighted_gradient(name: str) -> None:
    """θ' = θ − h(ḡ + 2γθ) − √(2σ²h/N) Σ_k ξ_k(g_k − ḡ), whatever the output is like."""
    model, loss, data = case(name)
    task = ModelLoss(model, loss)
    theta0 = task.start(2, spread=0.1, seed=4)
    eta, gamma, S, N = 0.1, 0.03, 4, len(data[0])

    found = simulate_model(
        task,
        data,
        theta0,
        lr=eta,
        batch_size=S,
        steps=1,
        method="sde",
        weight_decay=gamma,
        seed=2,
        first_replica=5,
    )

    xi = Stream(2, "simulate").normals([5, 6], 0, N)
    for r in range(2):
        g = each_gradient(task, data, theta0[r])
        drift = g.mean(0) + 2 * gamma * theta0[r].numpy()
        noise = math.sqrt(eta / S * eta / N) * xi[r] @ (g - g.mean(0))
        wanted = theta0[r].numpy() - eta * drift - noise
        np.testing.assert_allclose(found.theta[r], wanted, rtol=1e-12, atol=1e-14)
        assert np.abs(noise).max() > 1e-4


def test_the_covariance_of_an_sde_step() -> None:
    """The map from ξ to the step, found by least squares, has MMᵀ = 2σ²hΣ."""
    task, data = ModelLoss(linear_net(2, 2, 1), MSE), regression(6, 2, 1)
    N, R, eta, S, substeps = 6, 11, 0.2, 3, 4
    theta0 = task.start(R)

    found = simulate_model(
        task,
        data,
        theta0,
        lr=eta,
        batch_size=S,
        steps=1,
        method="sde",
        substeps=substeps,
        seed=8,
        samples=1,
    )
    whole = simulate_model(
        task,
        data,
        theta0,
        lr=eta / substeps,
        batch_size=S,
        steps=1,
        method="sde",
        seed=8,
    )

    h = eta / substeps
    g = each_gradient(task, data, theta0[0])
    xi = Stream(8, "simulate").normals(range(R), 0, N)
    # A run with η/4 instead of 4 substeps has the noise of a smaller σ²: times ½.
    moved = 2.0 * (whole.theta - theta0.numpy() + h * g.mean(0))
    M = np.linalg.lstsq(xi, moved, rcond=None)[0].T
    np.testing.assert_allclose(
        M @ M.T, eta / S * h * np.cov(g.T, bias=True), atol=1e-13
    )
    assert np.abs(xi @ M.T - moved).max() < 1e-12
    # And four substeps are four such steps.
    now = theta0[0].numpy()
    for step in range(substeps):
        g = each_gradient(task, data, torch.tensor(now))
        z = Stream(8, "simulate").normals([0], step, N)[0]
        now = now - h * g.mean(0) - math.sqrt(eta / S * h / N) * z @ (g - g.mean(0))
    np.testing.assert_allclose(found.theta[0], now, rtol=1e-12)


@pytest.mark.parametrize("level", [1, 3])
def test_svag_is_a_difference_of_two_minibatches(level: int) -> None:
    """ℓ steps of η/ℓ along ½(1 + √(2ℓ − 1))g₁ + ½(1 − √(2ℓ − 1))g₂."""
    task, data = ModelLoss(linear_net(2, 3, 1), MSE), regression(9, 2, 1)
    theta0 = task.start(2, spread=0.3)

    found = simulate_model(
        task,
        data,
        theta0,
        lr=0.1,
        batch_size=4,
        steps=3,
        method="svag",
        svag_level=level,
        weight_decay=0.05,
        seed=1,
    )

    stream, spread = Stream(1, "simulate"), math.sqrt(2 * level - 1)
    first = stream.indices(range(2), range(3 * level), 4, 9)
    second = stream.indices(range(2), range(3 * level), 4, 9, purpose=SECOND)
    for r in range(2):
        now = theta0[r].numpy()
        for one, two in zip(first[r], second[r], strict=True):
            g = each_gradient(task, data, torch.tensor(now))
            along = (1 + spread) / 2 * g[one].mean(0) + (1 - spread) / 2 * g[two].mean(
                0
            )
            now = now - 0.1 / level * (along + 0.1 * now)
        np.testing.assert_allclose(found.theta[r], now, rtol=1e-12)
    assert not (first == second).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.8, "weight_decay": 0.03},
        {"replace": False},
        {"method": "gd", "momentum": 0.5, "weight_decay": 0.03},
        {"method": "svag", "svag_level": 3},
        {"first_replica": 100},
    ],
)
def test_the_model_of_a_symbolic_loss_takes_its_steps(options: dict[str, Any]) -> None:
    """‖UWx − y‖² as a model and as an expression: one trajectory, to rounding."""
    task, (x, y) = ModelLoss(linear_net(2, 3, 1), MSE), regression(20, 2, 1)
    space = ParameterSpace(W=(3, 2), U=(1, 3))
    loss = Loss("norm2(U*W*x - y)", space, {"x": (2,), "y": (1,)})
    theta0 = task.start(5, spread=0.3)
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 4, "steps": 60, "seed": 7}

    model = simulate_model(
        task, (x, y), theta0, record=["norm2(0.weight)"], **common, **options
    )
    symbolic = simulate(
        loss,
        {"x": x.numpy(), "y": y.numpy()},
        theta0.numpy(),
        record=["norm2(W)"],
        backend="arrays",
        **common,
        **options,
    )

    # 60 steps of some 40 operations each on numbers of order one.
    bound = 60 * 40 * EPS * np.abs(symbolic.theta).max()
    assert np.abs(model.theta - symbolic.theta).max() <= bound
    assert model.backend == "vmap"
    np.testing.assert_array_equal(model.time, symbolic.time)
    np.testing.assert_allclose(
        model.records["norm2(0.weight)"], symbolic.records["norm2(W)"], rtol=1e-12
    )
    assert np.abs(model.theta - theta0.numpy()).max() > 0.1


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    batch=st.integers(1, 6),
    momentum=st.sampled_from([0.0, 0.9]),
    decay=st.sampled_from([0.0, 0.1, -0.1]),
    replace=st.booleans(),
)
def test_any_net_equals_torchs_own(
    widths: list[int], batch: int, momentum: float, decay: float, replace: bool
) -> None:
    """Any widths, minibatches and decay of either sign."""
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    model = nn.Sequential(*layers, nn.Tanh()).double()
    for k, p in enumerate(model.parameters()):
        nn.init.constant_(p, 0.1 * (k + 1))
    task, data = ModelLoss(model, MSE), regression(6, widths[0], widths[-1])
    theta0 = task.start(2, spread=0.5)

    found = simulate_model(
        task,
        data,
        theta0,
        lr=0.1,
        batch_size=batch,
        steps=5,
        momentum=momentum,
        weight_decay=decay,
        replace=replace,
        seed=3,
    )

    drawn = Stream(3, "simulate").indices(range(2), range(5), batch, 6, replace)
    for r in range(2):
        now, m = theta0[r].numpy(), 0.0
        for rows in drawn[r]:
            g = each_gradient(task, data, torch.tensor(now))[rows].mean(0)
            m = momentum * m + g + 2 * decay * now
            now = now - 0.1 * m
        np.testing.assert_allclose(found.theta[r], now, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("method", ["sgd", "gd", "sde", "svag"])
def test_neither_chunks_nor_blocks_nor_parts_change_results(
    method: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas and samples a few at a time, or parts of an ensemble: to rounding."""
    net = nn.Sequential(*linear_net(2, 3, 2), nn.Tanh())
    task, data = ModelLoss(net, MSE), regression(7, 2, 2)
    theta0 = task.start(5, spread=0.1)
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 5, "steps": 4, "seed": 3}
    common |= {"method": method, "svag_level": 2, "record": ["norm2(0.weight)"]}

    whole = simulate_model(task, data, theta0, **common)
    part = simulate_model(task, data, theta0[3:], first_replica=3, **common)
    sizes: list[int] = []
    at = ModelGradient.at

    def noted(self: ModelGradient, theta: Tensor, batch: Batch) -> Tensor:
        sizes.append(len(theta))
        return at(self, theta, batch)

    with monkeypatch.context() as patch:
        patch.setattr(ModelGradient, "at", noted)
        chunks = simulate_model(task, data, theta0, chunk=2, **common)
    assert set(sizes[-3:]) <= {1, 2}
    loop = simulate_model(task, data, theta0, backend="loop", **common)
    monkeypatch.setitem(run._BUDGET, "cpu", 1)  # one sample of one replica at a time
    blocks = simulate_model(task, data, theta0, **common)

    assert (whole.backend, loop.backend) == ("vmap", "loop")
    for other in (chunks, loop, blocks):
        np.testing.assert_allclose(other.theta, whole.theta, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(part.theta, whole.theta[3:], rtol=1e-11, atol=1e-14)
    assert whole.records["norm2(0.weight)"].shape == (5, 5)


def test_graphs_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the number of calls after which graphs are made, and without any."""
    model, loss, data = case("attention")
    task = ModelLoss(model, loss)
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 3, "steps": 12, "seed": 3}
    theta0 = task.start(2)
    plain = simulate_model(task, data, theta0, **common)
    monkeypatch.setattr("numeric._torch_ensembles.graphs._AFTER", 3)
    made: list[Graphs] = []

    def make() -> Graphs:
        made.append(Graphs())
        return made[-1]

    monkeypatch.setattr(run, "Graphs", make)

    traced = simulate_model(task, data, theta0, **common)

    graphs = list(made[0]._graphs.values())
    assert [isinstance(graph, torch.fx.GraphModule) for graph in graphs] == [True]
    np.testing.assert_array_equal(traced.theta, plain.theta)


def test_graphs_that_differ_or_fail_are_not_used() -> None:
    """A function of a hidden counter, and one that reads a number."""
    calls = [0.0]

    def counting(x: Tensor) -> Tensor:
        calls[0] += 1
        return x * calls[0]

    def reading(x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) > 0 else x

    graphs = Graphs()
    one = torch.ones(2)
    found = [float(graphs.call("counting", counting, one)[0]) for _ in range(300)]
    assert found == sorted(set(found))
    signs = [one if k % 2 else -one for k in range(600)]
    assert all(
        torch.equal(graphs.call("reading", reading, x), reading(x)) for x in signs
    )


def test_graphs_belong_to_shapes_and_strides() -> None:
    """Another shape, or a transposed argument, has a graph of its own."""

    def rows(x: Tensor) -> Tensor:
        return x.contiguous().view(-1) * len(x)

    graphs = Graphs()
    for x in (torch.ones(2, 3), torch.arange(6.0).view(3, 2), torch.rand(2, 3).T):
        for _ in range(260):
            assert torch.equal(graphs.call("rows", rows, x), rows(x))
    assert len(graphs._graphs) == 3


def test_divergence_is_reported_and_leaves_the_others_alone() -> None:
    """Replicas far out overflow; their last finite state is that of a plain loop."""
    task, data = ModelLoss(linear_net(1, 1, 1, 1), MSE), regression(5, 1, 1)
    theta0 = torch.tensor([[0.5, 0.4, 0.3], [9.0, 8.0, 7.0], [0.1, 0.2, 0.6]])
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 2, "steps": 40, "seed": 5}

    found = simulate_model(
        task,
        data,
        theta0,
        record={"first": lambda theta: theta[:, 0]},
        momentum=0.5,
        **common,
    )
    calm = simulate_model(task, data, theta0[[0]], momentum=0.5, **common)

    assert found.diverged.tolist() == [False, True, False]
    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.records["first"]).all()
    np.testing.assert_allclose(found.theta[0], calm.theta[0], rtol=1e-12)
    drawn = Stream(5, "simulate").indices([1], range(40), 2, 5)[0]
    last = theta0[1].double().numpy()
    for k in range(40):
        now = by_optimizer(
            task, data, theta0[1].double(), drawn[: k + 1], lr=0.05, momentum=0.5
        )
        if not np.isfinite(now).all():
            break
        last = now
    assert 0 < k < 39
    np.testing.assert_allclose(found.theta[1], last, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_of_the_run(dtype: Any) -> None:
    """That of the model, or another: frozen parameters, buffers and data follow."""
    model, loss, data = case("frozen", torch.float32)
    task = ModelLoss(model, loss)
    wide, _, wide_data = case("frozen", torch.float64)
    wide.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 3, "steps": 5, "seed": 3}

    found = simulate_model(task, data, task.start(2), dtype=dtype, **common)
    own = simulate_model(task, data, task.start(2), **common)
    reference = simulate_model(
        ModelLoss(wide, loss),
        (data[0].double(), wide_data[1]),
        task.start(2).double(),
        **common,
    )

    assert found.theta.dtype == dtype
    assert own.theta.dtype == np.float32
    assert reference.theta.dtype == np.float64
    bound = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(found.theta, reference.theta, atol=bound)
    assert np.abs(own.theta - reference.theta).max() > 1e-9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", ["sgd", "sde"])
def test_on_a_gpu(method: Any) -> None:
    """The same trajectory, with the model left where it was."""
    model, loss, data = case("attention")
    common: dict[str, Any] = {"lr": 0.05, "batch_size": 3, "steps": 5, "seed": 3}
    on_cpu = ModelLoss(copy.deepcopy(model), loss)
    task = ModelLoss(model.cuda(), loss)

    found = simulate_model(task, data, task.start(3), method=method, **common)
    wanted = simulate_model(on_cpu, data, on_cpu.start(3), method=method, **common)

    np.testing.assert_allclose(found.theta, wanted.theta, rtol=1e-10, atol=1e-13)
    assert task.device.type == "cuda"

"""The references of the benchmarks, and methods that need no further library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import _net_ours, _net_peers, _noise_ours, _noise_peers, _sde_peers
from benchmarks._ensembles import PEERS
from benchmarks._equilibrium import METHODS
from benchmarks._models import Block, Case, Transformer, exact, linear, mlp
from benchmarks._names import BRENT, GIVEN, JAX_RUN, NUMBA_RUN, ROOT, SEARCH
from benchmarks._net import Net, reference, rounding
from benchmarks._noise import rounding as noise_rounding
from benchmarks._orbits import Orbits, certified, tolerance
from benchmarks._sde import disagreement, drawn, moments
from benchmarks._sde_peers import Paths


STEPS = 12
SHAPES = [(2, 1, False), (3, 4, True)]
NETS = [Net.random(*shape, 7, seed=1) for shape in SHAPES]


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_the_reference_of_ensembles_is_plain_training(net: Net) -> None:
    batches = torch.from_numpy(_net_ours.indices(net, STEPS))
    x, y = torch.from_numpy(net.x).double(), torch.from_numpy(net.y).double()
    ends = []
    for r in range(net.replicas):
        U, W = (torch.tensor(p[r], dtype=torch.float64) for p in (net.U, net.W))
        for batch in batches[:, r]:
            U, W = U.requires_grad_(), W.requires_grad_()
            hidden = x[batch] @ W.T
            value = torch.tanh(hidden) if net.tanh else hidden
            loss = (value @ U.T - y[batch]).square().sum(1).mean()
            g = torch.autograd.grad(loss, (U, W))
            U, W = U.detach() - net.lr * g[0], W.detach() - net.lr * g[1]
        ends.append(torch.cat([U.flatten(), W.flatten()]).numpy())

    found = reference(net, batches.numpy())

    np.testing.assert_allclose(found, ends, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [n for n in PEERS if n not in (JAX_RUN, NUMBA_RUN)])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_peers_of_ensembles_agree(name: str, net: Net) -> None:
    batches = _net_ours.indices(net, STEPS)

    end = PEERS[name].start(net, batches)()

    assert np.abs(end - reference(net, batches)).max() <= rounding(net, STEPS)


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_our_ensembles_agree_on_the_same_minibatches(net: Net) -> None:
    batches = _net_ours.indices(net, STEPS)
    expected = reference(net, batches)

    end = _net_ours.sgd(net, STEPS)()

    assert np.abs(end - expected).max() <= rounding(net, STEPS)
    other = reference(net, np.roll(batches, 1, axis=0))
    assert np.abs(other - expected).max() > 10 * rounding(net, STEPS)  # order matters


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_the_loop_for_numba_agrees_uncompiled(net: Net) -> None:
    batches = _net_ours.indices(net, STEPS)
    U, W = net.U.copy(), net.W.copy()

    _net_peers._train(U, W, net.x, net.y, batches, np.float32(net.slope), net.tanh)

    end = np.concatenate([U.reshape(7, -1), W.reshape(7, -1)], axis=1)
    assert np.abs(end - reference(net, batches)).max() <= rounding(net, STEPS)


def stacked(start: Callable[[Paths], Callable[[], Any]]) -> tuple[Any, Any]:
    return moments(start(Paths(1 << 13, 60))())


@pytest.mark.parametrize("start", [_sde_peers.with_numpy, _sde_peers.with_torch])
def test_paths_have_the_moments_of_the_reference(start: Any) -> None:
    expected = moments(drawn(Paths(1 << 15, 60)))

    assert disagreement(stacked(start), expected) <= 1


def test_our_paths_have_the_moments_of_the_reference() -> None:
    def ours(p: Paths) -> Any:
        return _net_ours.scalar_sde(p.count, p.steps, p.h, p.tau, p.start)

    assert disagreement(stacked(ours), moments(drawn(Paths(1 << 15, 60)))) <= 1


def test_paths_of_a_wrong_size_of_the_noise_are_seen() -> None:
    expected = moments(drawn(Paths(1 << 15, 60)))

    wrong = moments(_sde_peers.with_numpy(Paths(1 << 13, 60, tau=0.33))())

    assert disagreement(wrong, expected) > 1


@pytest.mark.parametrize("difficulty", ["easy", "hard"])
@pytest.mark.parametrize("name", [ROOT, GIVEN, SEARCH, BRENT])
def test_roots_are_those_of_the_certificates(name: str, difficulty: str) -> None:
    orbits = Orbits.random(difficulty, 5, 20, seed=3)
    exact = certified(orbits)

    error = np.abs(METHODS[name].find(orbits) - exact)

    assert (error <= tolerance(orbits, exact)).all()
    assert (1e-9 * np.abs(exact) > tolerance(orbits, exact)).all()  # it can fail


CASES = [
    Case("mlp", lambda: mlp(6, 8, 7, 10), (6,), 9),
    Case("linear", lambda: linear(5), (5,), 9, regression=True),
    Case("transformer", lambda: Transformer(8, 2, 1), (3, 8), 5, sequences=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("make", [_noise_peers.torch_vmap, _noise_ours.trace])
def test_noise_agrees_with_the_loop_over_samples(make: Any, case: Case) -> None:
    truth = exact(case)

    deviation = abs(make(case)() - truth[0]) / truth[1]

    assert deviation <= noise_rounding(case, truth)
    assert noise_rounding(case, truth) < 1e-3  # a missing layer is seen


def test_the_reference_of_noise_is_the_covariance() -> None:
    case = CASES[1]
    model = case.model().double()
    x, y = (part.double() for part in case.data())
    rows = []
    for a, b in zip(x, y, strict=True):
        g = torch.autograd.grad((model(a) - b).square().sum(), list(model.parameters()))
        rows.append(torch.cat([part.flatten() for part in g]))
    sigma = torch.cov(torch.stack(rows).T, correction=0)
    signs = torch.cat([torch.ones(25), -torch.ones(25)]).double()

    signed, spread, size = exact(case)

    assert signed == pytest.approx(float((sigma.diagonal() * signs).sum()), rel=1e-12)
    assert spread == pytest.approx(float(sigma.trace()), rel=1e-12)
    assert size == pytest.approx(float(torch.stack(rows).square().sum() / 9), rel=1e-12)


def test_a_block_is_that_of_torch() -> None:
    torch.manual_seed(0)
    block = Block(8, 2).eval()
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, batch_first=True, norm_first=True
    ).eval()
    weights = [getattr(block, name) for name in "qkv"]
    attention = theirs.self_attn
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([p.weight for p in weights]))
        attention.in_proj_bias.copy_(torch.cat([p.bias for p in weights]))
        pairs = (
            (attention.out_proj, block.o),
            (theirs.linear1, block.up),
            (theirs.linear2, block.down),
        )
        for their, our in pairs:
            their.load_state_dict(our.state_dict())
    x = torch.randn(2, 3, 8)

    torch.testing.assert_close(block(x), theirs(x))

"""The SDE's step: its mean and covariance, solved from the known normals.

A step is linear in the normals, θ' = θ + a + Lξ. From more replicas than unknowns, all
at one θ, a and L follow by least squares: exactly, to rounding, with nothing sampled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numeric import simulate
from numeric._ensembles import engines, features
from numeric._lanes.compiler import AVAILABLE
from numeric._streams import Stream
from tests.programs import Problem


BACKENDS = ["arrays", *(["lanes"] if AVAILABLE else [])]
NET = {"U": (1, 2), "W": (2, 2)}
PROBLEMS = {
    "product": Problem("(u*w*x - y)**2", {"u": (), "w": ()}, {"x": (), "y": ()}),
    "linear net": Problem("norm2(U*W*x - y)", NET, {"x": (2,), "y": (1,)}),
    "tanh": Problem("(U*tanh(W*x) - y)**2", NET, {"x": (2,), "y": ()}),
}
ETA, S, GAMMA = 0.03, 3, 0.4
REPLICAS = 50


def linear_map(
    problem: Problem, data: Any, normals: int, count: int, backend: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a (n,), L (n, normals) of one step, and what the map leaves over."""
    start = np.repeat(problem.start(1, 4), REPLICAS, axis=0)
    found = simulate(
        problem.loss,
        data,
        start,
        lr=ETA,
        batch_size=S,
        steps=1,
        method="sde",
        weight_decay=GAMMA,
        seed=5,
        backend=backend,
    )
    moved = found.theta - start
    xi = Stream(5, "simulate").normals(np.arange(REPLICAS), 0, count)
    unknowns = np.concatenate([np.ones((REPLICAS, 1)), xi[:, :normals]], axis=1)
    solved, *_ = np.linalg.lstsq(unknowns, moved, rcond=None)
    left = float(np.abs(moved - unknowns @ solved).max() / np.abs(moved).max())
    return solved[0], solved[1:].T, left


def moments(problem: Problem, data: Any, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Return −h(∇L + 2γθ) and 2σ²hΣ, σ² = η/(2S), by autograd."""
    theta = problem.start(1, 4)
    each = problem.gradient(theta[0], data)
    centred = each - each.mean(axis=0)
    Sigma = centred.T @ centred / len(each)
    return (
        -h * (each.mean(axis=0) + 2 * GAMMA * theta[0]),
        2 * ETA / (2 * S) * h * Sigma,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("by", ["samples", "features"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_one_step_is_that_of_the_sde(
    name: str, by: str, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mean −h(∇L + 2γθ), covariance 2σ²hΣ, for N = 1, 2, 3 and 5 samples.

    From the samples and from moments of monomials of them: the same law, though
    other normals. A step has some hundred operations, and 50 normals for at most 6
    unknowns are conditioned well: 4000 roundings are far more than it needs.
    """
    problem = PROBLEMS[name]
    if by == "features":
        if name == "tanh":
            pytest.skip("no polynomial of the data")
        monkeypatch.setattr(features, "_NORMAL", 10**9)  # so that they are cheaper
    else:
        monkeypatch.setattr(engines, "features_of", lambda task, program: None)
    eps = float(np.finfo(np.float64).eps)
    for N in (1, 2, 3, 5):
        data = problem.samples(N, 7)
        normals, count = N, max(N, 3)
        if by == "features":
            normals = _rank(problem, data)
            count = max(1, normals)
        a, L, left = linear_map(problem, data, normals, count, backend)
        mean, covariance = moments(problem, data, ETA)
        scale = np.abs(mean).max()

        assert left <= 4000 * eps, N
        assert np.abs(a - mean).max() <= 4000 * eps * scale, N
        assert np.abs(L @ L.T - covariance).max() <= 4000 * eps * scale**2, N
        assert (N == 1) == (np.abs(covariance).max() <= eps * scale**2), N


def _rank(problem: Problem, data: Any) -> int:
    """Return the rank of the covariance of the loss's monomials (xx, xy)."""
    x, y = (data[name].reshape(len(data[name]), -1) for name in ("x", "y"))
    both = np.concatenate([x, y], axis=1)
    columns = [
        both[:, i] * both[:, j]
        for i in range(both.shape[1])
        for j in range(i + 1)
        if j < x.shape[1]
    ]
    phi = np.stack(columns, axis=1)
    return int(np.linalg.matrix_rank(phi - phi.mean(axis=0), tol=1e-9))


@pytest.mark.parametrize("backend", BACKENDS)
def test_substeps_are_smaller_steps_of_the_same_noise(backend: Any) -> None:
    """k substeps are k steps of h = η/k: the first of them has covariance 2σ²hΣ.

    With x = 1 and a loss (u − y)²/2 the gradient is u − y: the end is linear in all
    normals, of variance 2σ²h Var(y) Σ_j (1 − h)^{2j}, exactly.
    """
    problem = Problem("(u*x - y)**2/2", {"u": ()}, {"x": (), "y": ()})
    data = {"x": np.ones(2), "y": np.array([-1.0, 1.0])}
    k, steps, R = 4, 2, 40
    found = simulate(
        problem.loss,
        data,
        np.full((R, 1), 0.7),
        lr=0.3,
        batch_size=2,
        steps=steps,
        method="sde",
        substeps=k,
        seed=1,
        backend=backend,
    )
    h = 0.3 / k
    xi = Stream(1, "simulate").normals(np.arange(R), np.arange(k * steps), 1)[:, :, 0]
    signs = []
    for sign in (1, -1):  # the sign of a direction is free
        theta = np.full(R, 0.7)
        for j in range(k * steps):
            theta = theta - h * theta + sign * np.sqrt(2 * 0.3 / 4 * h) * xi[:, j]
        signs.append(np.abs(found.theta[:, 0] - theta).max())
    assert min(signs) <= 1e-14

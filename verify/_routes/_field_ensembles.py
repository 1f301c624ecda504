"""Routes by simulation for any charge: SGD and SDE ensembles, at stated α.

On a finite training set one step has finitely many outcomes. All of them are computed,
so the range of the next change of C is known before it is drawn, whatever C is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, product
from math import factorial, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric import LossEvaluator, compile as compile_law, compile_loss
from symbolic import Declaration, Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._instances import Instance, law_of
from verify._routes._common import Factors
from verify._routes._ensembles import ORBIT, flow_ensemble
from verify._statistics import FactorTest
from verify._strategies import field_instances


Array = NDArray[np.float64]
MAX_BATCH = 2  # larger minibatches have too many outcomes
_NODES = 8  # of the line integral: exact for integrands of degree 7
_CLEAR = 256  # times the rounding of C: a smaller noise term is not observed
_UNIT_ROUNDOFF = 2.0**-53
_RUNGS = 16  # Runge–Kutta steps along the orbit; the start need not lie on it exactly


@dataclass(frozen=True, slots=True, eq=False)
class FieldProblem:
    """An instance in floats, with its law and its loss compiled.

    Attributes:
        law: the compiled J, C and drift.
        theta: starting points, (replicas, n).
        orbit: λ of the starting points.
        eta: learning rate, or time step of the SDE.
        sigma2: σ².
        gamma: γ.
        weights: (K, N): outcome k of a step is θ − η(weights[k] @ G + 2γθ).
        odds: probability of each outcome, (K,).
        quadratic: whether C is quadratic, so that a step has no third order.
    """

    evaluator: LossEvaluator
    data: dict[str, Array]
    law: Any
    theta: Array
    orbit: tuple[float, ...]
    eta: float
    sigma2: float
    gamma: float
    weights: Array
    odds: Array
    quadratic: bool

    def gradients(self, theta: Array) -> Array:
        """Return per-sample gradients, shape (replicas, N, n)."""
        return np.asarray(self.evaluator.gradient(theta[:, None, :], self.data))

    def trace(self, theta: Array, samples: Array) -> Array:
        """Return the mean of cᵀ∇²C c over samples c about their mean, (replicas,)."""
        options = {"sigma2": 1.0, "gamma": 0.0}
        return np.asarray(self.law.drift(theta, gradients=samples, **options))


def field_problem(instance: Instance, replicas: int, method: str) -> FieldProblem:
    """Return the instance in floats, with replicas spread over points of one orbit.

    The step is as in `problem_of`; minibatches hold `MAX_BATCH` samples at most.

    Args:
        instance: what to simulate.
        replicas: how many trajectories.
        method: "sgd" or "sde".
    """
    declaration, loss = instance.declaration, instance.declaration.loss
    assert loss is not None
    law = compile_law(law_of(declaration))
    base = np.array([float(v) for v in instance.theta])
    starts, orbit = _orbit(law, base)
    evaluator, data = compile_loss(loss), instance.data_arrays()
    with np.errstate(all="ignore"):  # at a pole no step will be taken
        G = np.asarray(evaluator.gradient(starts[:, None, :], data))
    largest = float(np.sqrt((G**2).sum(axis=-1)).max())
    limit = float(np.linalg.norm(base)) / (20.0 * max(largest, 1e-12))
    eta = min(float(instance.eta), limit)
    batch = _small_batch(instance).batch_size
    weights, odds = _outcomes(G.shape[1], batch, method)
    return FieldProblem(
        evaluator,
        data,
        law,
        np.repeat(starts, -(-replicas // len(starts)), axis=0),
        orbit,
        eta,
        eta / (2 * batch),
        float(instance.gamma),
        weights,
        odds,
        declaration.symmetry.matrix is not None,
    )


def _orbit(law: Any, base: Array) -> tuple[Array, tuple[float, ...]]:
    """Return points e^{λJ}θ for a few λ, closer ones where J is large."""
    size = float(np.linalg.norm(law.generator(base)))
    scale = min(1.0, float(np.linalg.norm(base)) / max(size, 1e-12))
    reached = tuple(lam * scale for lam in ORBIT)
    with np.errstate(all="ignore"):  # an orbit may end; then all start at θ
        starts = np.array([_flow(law, base, lam) for lam in reached])
    if not np.isfinite(starts).all():
        return np.array([base] * len(ORBIT)), (0.0,) * len(ORBIT)
    return starts, reached


def _flow(law: Any, theta: Array, lam: float) -> Array:
    h = lam / _RUNGS
    for _ in range(_RUNGS):
        a = law.generator(theta)
        b = law.generator(theta + h / 2 * a)
        c = law.generator(theta + h / 2 * b)
        d = law.generator(theta + h * c)
        theta = theta + h / 6 * (a + 2 * b + 2 * c + d)
    return theta


def _outcomes(N: int, batch: int, method: str) -> tuple[Array, Array]:
    """Return the weights of the samples in each outcome of a step, and their odds.

    SGD: every minibatch. The SDE's weak Euler step with time step η, so that
    σ² = η/(2S): noise √(2σ²η/N) Σ_k ξ_k c_k = −η Σ_k w_k g_k, ξ_k = ±1.
    """
    if method == "sgd":
        rows, odds = [], []
        for chosen in combinations_with_replacement(range(N), batch):
            counts = Counter(chosen)
            rows.append([counts[k] / batch for k in range(N)])
            ways = factorial(batch) // prod(map(factorial, counts.values()))
            odds.append(ways / N**batch)
        return np.array(rows), np.array(odds)
    signs = np.array(list(product((1.0, -1.0), repeat=N)))
    centred: Array = signs - signs.mean(axis=1, keepdims=True)
    size = 1.0 / sqrt(batch * N)  # √(2σ²η/N)/η
    even = np.full(len(signs), 1.0 / len(signs))
    return 1.0 / N + size * centred, even


@lru_cache(maxsize=1)
def _third_order() -> tuple[Array, Array]:
    """Return nodes s and weights with Σw·p(s) = ∫₀¹p ds − p(0) − ½p'(0)."""
    nodes = (1 - np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)) / 2
    powers = np.arange(_NODES)
    wanted = np.where(powers < 2, 0.0, 1.0 / (powers + 1))
    weights = np.linalg.solve(nodes[None, :] ** powers[:, None], wanted)
    return nodes, np.asarray(weights, dtype=np.float64)


def run_field(
    problem: FieldProblem, rng: np.random.Generator, steps: int, method: str
) -> tuple[FactorTest, Array, Array]:
    """Simulate, and observe at every step the change of C against its exact mean.

    Beyond the second order the mean change is that of ∫J·dθ over the outcomes: it
    holds J alone, not the C observed, nor the ∇²C whose factor is in question. Where
    the noise term drowns in the rounding of C, which is known before the draw, nothing
    is observed.

    Args:
        problem: what to simulate.
        rng: the random stream.
        steps: number of steps.
        method: not used here; the outcomes are the problem's.

    Returns:
        The test of the factor f in E[ΔC | θ] = known + f·ησ²Tr[Σ∇²C], the charges
        (steps + 1, replicas), and the accumulated conditional means likewise.
    """
    del method
    test, theta = FactorTest(), problem.theta
    charges = [np.asarray(problem.law.charge(theta))]
    means = [charges[0]]
    replicas = np.arange(len(theta))
    for _ in range(steps):
        with np.errstate(all="ignore"):  # what is not finite ends the run
            after, values, known, predicted = _ahead(problem, theta)
        if not all(np.isfinite(a).all() for a in (after, values, known, predicted)):
            break  # a stopping time: decided before the outcome is drawn
        changes = values - charges[-1][:, None]
        drawn = rng.choice(len(problem.odds), len(theta), p=problem.odds)
        seen = np.abs(predicted) >= _CLEAR * _rounding(problem, theta, charges[-1])
        if seen.any():
            test.add(
                changes[replicas, drawn][seen],
                known=known[seen],
                predicted=predicted[seen],
                lower=changes.min(axis=1)[seen],
                upper=changes.max(axis=1)[seen],
            )
        theta = after[replicas, drawn]
        charges.append(values[replicas, drawn])
        means.append(means[-1] + known + predicted)
    return test, np.array(charges), np.array(means)


def _rounding(problem: FieldProblem, theta: Array, C: Array) -> Array:
    """Return what rounding may do to a difference of charges, (replicas,)."""
    terms = np.abs(theta * problem.law.generator(theta)).sum(axis=1)
    return np.asarray(64 * _UNIT_ROUNDOFF * (np.abs(C) + terms))


def _ahead(problem: FieldProblem, theta: Array) -> tuple[Array, Array, Array, Array]:
    """Return all θ' (replicas, K, n), their C, and both parts of the mean change."""
    G, eta = problem.gradients(theta), problem.eta
    push = np.einsum("kN,rNn->rkn", problem.weights, G)
    after = theta[:, None] - eta * (push + 2 * problem.gamma * theta[:, None])
    values = np.asarray(problem.law.charge(after))
    known = _known(problem, theta, G, after)
    return after, values, known, eta * problem.sigma2 * problem.trace(theta, G)


def _known(problem: FieldProblem, theta: Array, G: Array, after: Array) -> Array:
    """Return E[ΔC | θ] without the noise term: decay, mean gradient, third order."""
    eta, gamma = problem.eta, problem.gamma
    J = np.asarray(problem.law.generator(theta))
    v = G.mean(axis=1) + 2 * gamma * theta
    bend = problem.trace(theta, np.stack([v, -v], axis=1))
    known = -2 * eta * gamma * (theta * J).sum(axis=1) + eta**2 / 2 * bend
    if problem.quadratic:
        return np.asarray(known)
    nodes, weights = _third_order()
    moved = after - theta[:, None]  # (replicas, K, n)
    points = theta[:, None, None] + nodes[:, None] * moved[:, :, None]
    slopes = (problem.law.generator(points) * moved[:, :, None]).sum(axis=-1)
    return np.asarray(known + (slopes @ weights) @ problem.odds)


def field_ensemble(subject: Factors, context: Context, *, method: str) -> Evidence:
    """Measure the factor in front of σ²Tr[Σ∇²C] on ensembles over several orbits.

    Args:
        subject: the factors claimed.
        context: profile and streams.
        method: "sgd" or "sde".

    Returns:
        The evidence, by `flow_ensemble`.
    """
    if context.subject is not None and all(map(_flat, context.subject)):
        return Evidence(
            f"{method.upper()} ensembles",
            Verdict.NOT_APPLICABLE,
            "C is linear in θ, so that no noise term is there to be measured.",
        )
    return flow_ensemble(
        subject,
        context,
        method=method,
        strategy=field_instances(context.subject, min_samples=3).map(_small_batch),
        problem=lambda instance, replicas: field_problem(instance, replicas, method),
        simulate=run_field,
    )


def _small_batch(instance: Instance) -> Instance:
    return instance.with_(batch_size=min(instance.batch_size, MAX_BATCH))


def _flat(declaration: Declaration) -> bool:
    return declaration.symmetry.jacobian.is_zero_matrix is True

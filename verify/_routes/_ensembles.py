"""Routes by simulation: SGD and SDE ensembles on any declaration, at stated α."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from numeric import LossEvaluator, compile_loss
from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._instances import Instance
from verify._routes._common import Factors
from verify._statistics import FactorInterval, FactorTest
from verify._strategies import instances


Array = NDArray[np.float64]
ORBIT = (-0.4, 0.0, 0.4)  # λ of the starting points θ_λ
WRONG = (0.0, 0.5, 2.0)  # factors a useful interval excludes


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """An instance in floats, with its loss compiled.

    Attributes:
        A: symmetric matrix, (n, n); `plus` and `minus` its positive and negative parts.
        theta: starting points, (replicas, n).
        eta: learning rate, or time step of the SDE.
        sigma2: σ².
        gamma: γ.
        batch: S.
        orbit: λ of the starting points.
    """

    evaluator: LossEvaluator
    data: dict[str, Array]
    A: Array
    plus: Array
    minus: Array
    theta: Array
    eta: float
    sigma2: float
    gamma: float
    batch: int
    orbit: tuple[float, ...] = ORBIT

    def gradients(self, theta: Array) -> Array:
        """Return per-sample gradients, shape (replicas, N, n)."""
        return np.asarray(self.evaluator.gradient(theta[:, None, :], self.data))


def problem_of(
    instance: Instance, replicas: int, orbit: tuple[float, ...] = ORBIT
) -> Problem:
    """Return the instance in floats, with replicas spread over points of one orbit.

    The step is η = ‖θ‖/(20 max‖g‖), at most the instance's own: a step changes θ by
    at most a twentieth, which keeps every declaration's SGD stable for a while.
    """
    loss = instance.declaration.loss
    assert loss is not None
    A = np.array([[float(v) for v in row] for row in instance.A])
    values, vectors = np.linalg.eigh(A)
    base = np.array([float(v) for v in instance.theta])
    starts = [vectors @ (np.exp(lam * values) * (vectors.T @ base)) for lam in orbit]
    theta = np.repeat(np.array(starts), -(-replicas // len(orbit)), axis=0)
    evaluator, data = compile_loss(loss), instance.data_arrays()
    G = np.asarray(evaluator.gradient(np.array(starts)[:, None, :], data))
    largest = float(np.sqrt((G**2).sum(axis=-1)).max())
    eta = min(
        float(instance.eta), float(np.linalg.norm(base)) / (20.0 * max(largest, 1e-12))
    )
    return Problem(
        evaluator,
        data,
        A,
        (vectors * np.maximum(values, 0.0)) @ vectors.T,
        (vectors * np.maximum(-values, 0.0)) @ vectors.T,
        theta,
        eta,
        eta / (2 * instance.batch_size),
        float(instance.gamma),
        instance.batch_size,
        orbit,
    )


def _terms(A: Array, theta: Array) -> Array:
    """Return Σ|θ_i A_ij θ_j|, the size of the terms of 2C."""
    size = np.abs(theta)
    return np.asarray((size @ np.abs(A) * size).sum(axis=1))


def quadratic(A: Array, v: Array) -> Array:
    """Return vᵀAv over the last axis."""
    return np.asarray(np.einsum("...i,ij,...j->...", v, A, v))


def run(
    problem: Problem, rng: np.random.Generator, steps: int, method: str
) -> tuple[FactorTest, Array, Array]:
    """Simulate, and observe at every step the change of C against its exact mean.

    Args:
        problem: what to simulate.
        rng: the random stream.
        steps: number of steps.
        method: "sgd" (minibatches with replacement) or "sde" (weak Euler scheme with
            two-point noise, time step η).

    Returns:
        The test of the factor f in E[ΔC | θ] = known + f·ησ²Tr[ΣA], the charges
        (steps + 1, replicas), and the accumulated conditional means likewise.
    """
    test, theta = FactorTest(), problem.theta
    eta, gamma = problem.eta, problem.gamma
    charges = [quadratic(problem.A, theta) / 2]
    means = [charges[0]]
    for _ in range(steps):
        G = problem.gradients(theta)
        if not np.isfinite(G).all() or not np.abs(theta).max() <= 1e6:
            break  # a stopping time: decided before the next noise is drawn
        mean = G.mean(axis=1)
        centred = G - mean[:, None, :]
        trace = quadratic(problem.A, centred).mean(axis=1)
        C = charges[-1]
        kappa = 1.0 - 2.0 * eta * gamma
        known = (kappa**2 - 1.0) * C + eta**2 / 2 * quadratic(problem.A, mean)
        predicted = eta * problem.sigma2 * trace
        noise, low, high = _noise(problem, G, centred, mean, rng, method)
        terms = _terms(problem.A, theta)  # strong decay leaves little of them
        # Zero by the symmetry, but for the rounding of the gradients.
        across = np.abs(np.einsum("rNn,rn->rN", G, theta @ problem.A)).max(axis=1)
        across *= eta * abs(kappa) * (1.0 + G.shape[1] ** 0.5)
        theta = kappa * theta - eta * mean + noise
        after = quadratic(problem.A, theta) / 2
        base = (kappa**2 - 1.0) * C
        rounding = 64 * 2.0**-52 * np.maximum(terms, _terms(problem.A, theta))
        test.add(
            after - C,
            known=known,
            predicted=predicted,
            lower=base + low - rounding - across,
            upper=base + high + rounding + across,
        )
        charges.append(after)
        means.append(means[-1] + known + predicted)
    return test, np.array(charges), np.array(means)


def _noise(
    problem: Problem,
    G: Array,
    centred: Array,
    mean: Array,
    rng: np.random.Generator,
    method: str,
) -> tuple[Array, Array, Array]:
    """Return the step's noise (replicas, n), and surely valid bounds of ½η²ĝᵀAĝ."""
    replicas, N, _ = G.shape
    eta = problem.eta
    if method == "sgd":
        index = rng.integers(0, N, (replicas, problem.batch))
        batch = G[np.arange(replicas)[:, None], index].mean(axis=1)
        up = quadratic(problem.plus, G).max(axis=1)
        down = quadratic(problem.minus, G).max(axis=1)
        return -eta * (batch - mean), -(eta**2) / 2 * down, eta**2 / 2 * up
    scale = np.sqrt(2 * problem.sigma2 * eta / N)
    signs = rng.integers(0, 2, (replicas, N)) * 2.0 - 1.0
    noise = scale * np.einsum("rk,rkn->rn", signs, centred)
    ends = [
        (
            eta * np.sqrt(quadratic(M, mean))
            + scale * np.sqrt(quadratic(M, centred)).sum(axis=1)
        )
        ** 2
        / 2
        for M in (problem.plus, problem.minus)
    ]
    return noise, -ends[1], ends[0]


def flow_ensemble(
    subject: Factors,
    context: Context,
    *,
    method: str,
    strategy: SearchStrategy[Instance] | None = None,
    problem: Callable[[Instance, int], Any] = problem_of,
    simulate: Callable[..., tuple[FactorTest, Array, Array]] = run,
) -> Evidence:
    """Measure the factor in front of σ²Tr[ΣA] on ensembles over several orbits.

    Each instance gets an interval at level α, valid at any sample size; the claimed
    factor must lie in every interval. A failure is repeated on a fresh stream.

    Args:
        subject: the factors claimed.
        context: profile and streams.
        method: "sgd" or "sde".
        strategy: what to draw from.
        problem: an instance in floats, with so many replicas.
        simulate: as `run`.

    Returns:
        The evidence.
    """
    route = "SGD ensembles" if method == "sgd" else "SDE ensembles"
    profile = context.profile
    if strategy is None:
        strategy = instances(context.subject, rational=False, min_samples=3)
    drawn = context.draw(strategy, 3 * profile.ensembles, route)
    claimed, done, sharpest, vacuous, observed = float(subject.noise), 0, np.inf, 0, 0
    figures: list[Figure] = []
    for number, instance in enumerate(drawn):
        if done - vacuous >= profile.ensembles:
            break
        case = problem(instance, profile.replicas)
        interval, charges, means = _measure(simulate, case, context, number, method)
        if interval is None:
            continue
        done += 1
        observed += interval.observations
        if not all(interval.excludes(f) for f in WRONG):
            vacuous += 1
        else:
            sharpest = min(sharpest, interval.resolution)
            if not figures:
                figures.append(_figure(instance, case, charges, means, method))
        if interval.excludes(claimed):
            key = f"{number} again"
            again, _, _ = _measure(simulate, case, context, key, method)
            if again is not None and again.excludes(claimed):
                witness = Witness(
                    instance.describe(),
                    left=f"factor in [{again.lower:.4g}, {again.upper:.4g}] at alpha = "
                    f"{again.alpha:.1e}",
                    right=f"factor {claimed:g}",
                    exact=False,
                )
                return Evidence(
                    route,
                    Verdict.REFUTED,
                    "The claimed factor lies outside the measured interval, twice on "
                    "independent streams.",
                    instances=done,
                    alpha=2 * context.alpha * done,
                    counterexample=witness,
                )
    if done <= vacuous:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"No interval of {done} excludes the wrong factors {WRONG}.",
            instances=done,
            degenerate=vacuous,
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"The factor {claimed:g} lies in all {done} intervals ({observed} observed "
        f"steps, starts at three points of each orbit); {done - vacuous} of them "
        "exclude 0, 1/2 and 2.",
        instances=done,
        degenerate=vacuous,
        alpha=context.alpha * done,
        detectable=float(sharpest),
        figures=tuple(figures),
    )


def _measure(
    simulate: Callable[..., tuple[FactorTest, Array, Array]],
    problem: Any,
    context: Context,
    number: object,
    method: str,
) -> tuple[FactorInterval | None, Array, Array]:
    test, charges, means = simulate(
        problem, context.rng(method, number), context.profile.steps, method
    )
    if not test.observations:
        return None, charges, means
    return test.interval(context.alpha), charges, means


def _figure(
    instance: Instance, problem: Any, charges: Array, means: Array, method: str
) -> Figure:
    groups = np.array_split(np.arange(charges.shape[1]), len(problem.orbit))
    keep = np.unique(np.linspace(0, len(charges) - 1, 60).astype(int))
    time = tuple(float(problem.eta * k) for k in keep)
    series: list[Series] = []
    for group, (lam, members) in enumerate(zip(problem.orbit, groups, strict=True)):
        part = charges[keep][:, members]
        low, high = np.quantile(part, [0.1, 0.9], axis=1)
        series.append(
            Series("", time, _floats(low), _floats(high), kind="band", group=group)
        )
        series.append(
            Series(f"λ = {lam:.2g}", time, _floats(part.mean(axis=1)), group=group)
        )
        series.append(
            Series(
                "",
                time,
                _floats(means[keep][:, members].mean(axis=1)),
                kind="dashed",
                group=group,
            )
        )
    return Figure(
        f"Charge under {method.upper()}: {instance.declaration.name}",
        "time (learning rate × steps)",
        "charge C",
        tuple(series),
        caption="Mean and 10–90 % band over replicas from three points of one orbit; "
        "dashed: the accumulated conditional means that the law predicts.",
    )


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in values)

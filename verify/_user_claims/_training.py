"""Claims about where training arrives: two simulations, decided by exact bounds."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import ndtri
from scipy.stats import binom

from numeric import compile_loss, simulate
from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import NotRational
from verify._instances import Instance
from verify._jets import ball
from verify._user_claims._derived_quantities import (
    ETA,
    GAMMA,
    Derived,
    S,
    Unavailable,
    sampled_moments,
)
from verify._user_claims._derived_route import exact_rows
from verify._user_claims._drawing import NO_INSTANCE, claim_instances, has_instances
from verify._user_claims._exact_quantities import Exact, place_of, side
from verify._user_claims._floats import value_at, values_and_gradients
from verify._user_claims._reading import Reading
from verify._user_claims._witness import described


Array = NDArray[np.float64]
Ends = Callable[[Reading, Instance, Context], Array]  # θ at the end, (runs, n)
Distances = Callable[[Reading, Instance, Array], Array]  # |left − right|, (runs,)

_LARGEST = 1e6  # a parameter beyond it has diverged
_EDGE = 1e-6  # of `within`: nearer to its edge, rounding decides
_LIFTS = (Fraction, ball)
_HALVINGS = 7  # of the steps
_MOST_LOOKS = 100_000  # at the gradient, along one flow
_FLOW_STEPS = 200
_FLOW_ERROR = 1e-3  # of `within`: what the steps of the flow may be off by


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How many runs of an instance arrived.

    Attributes:
        runs: how many there were.
        near: how many ended within reach.
        verdict: whether the claim holds there; None where there are too few runs.
        furthest: the median distance at the end.
        still: whether nothing moved at all.
    """

    runs: int
    near: int
    verdict: bool | None
    furthest: float
    still: bool = False


def compiled_training(reading: Reading, context: Context) -> Evidence:
    """Train by the compiled simulator, and look at the end through the derivation."""
    return _evidence("compiled simulation", reading, context, _compiled, _by_formulas)


def walked_training(reading: Reading, context: Context) -> Evidence:
    """Train by a plain loop over walked trees, and look at the end exactly."""
    return _evidence("plain simulation", reading, context, _walked, _exactly)


def _evidence(
    route: str, reading: Reading, context: Context, ends: Ends, look: Distances
) -> Evidence:
    if not has_instances(reading):
        return Evidence(route, Verdict.INCONCLUSIVE, NO_INSTANCE)
    plan = _planned(reading, context, route)
    seen: list[Arrivals] = []
    flows: dict[object, Array] = {}  # they depend on neither η nor S
    for instance in plan:
        where = (instance.samples, instance.theta, instance.gamma)
        try:
            end = flows.get(where)
            if end is None:
                end = ends(reading, instance, context)
            if reading.claim.along == "flow":
                flows[where] = end
            distances = look(reading, instance, end)
        except (NotRational, Unavailable):
            continue
        still = bool((end == _start(instance, len(end))).all())
        found = replace(_decided(reading, distances, context.alpha), still=still)
        if found.verdict is False:
            return _refutation(route, reading, instance, found, context.alpha)
        seen.append(found)
    if not seen:
        why = "No instance has a value at the end." if plan else NO_INSTANCE
        return Evidence(route, Verdict.INCONCLUSIVE, why)
    open_ones = [found for found in seen if found.verdict is None]
    if open_ones:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            _untold(open_ones[0], float(reading.share), context.alpha),
            instances=len(seen),
        )
    at_rest = sum(found.still for found in seen)
    if at_rest == len(seen):
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            "All instances are degenerate: training moves nothing there.",
            instances=len(seen),
            degenerate=at_rest,
        )
    random = reading.claim.along == "sgd"
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"From {len(seen)} instances, {min(f.near for f in seen)} of {seen[0].runs} "
        f"runs or more arrive.",
        instances=len(seen),
        degenerate=at_rest,
        alpha=context.alpha * len(seen) if random else 0.0,
        tolerance=_EDGE,
        detectable=_detectable(seen[0].runs, reading, context.alpha),
    )


def _refutation(
    route: str, reading: Reading, instance: Instance, found: Arrivals, alpha: float
) -> Evidence:
    claim = reading.claim
    witness = Witness(
        described(instance),
        f"{found.near} of {found.runs} runs arrive (median distance "
        f"{found.furthest:.4g})",
        f"a share of {reading.share} or more within {claim.within}",
        exact=False,
    )
    return Evidence(
        route,
        Verdict.REFUTED,
        "Too few runs arrive, beyond chance."
        if claim.along == "sgd"
        else "Training does not arrive.",
        instances=1,
        alpha=alpha if claim.along == "sgd" else 0.0,
        counterexample=witness,
    )


def _untold(found: Arrivals, share: float, alpha: float) -> str:
    """Return why the runs do not tell, and how many would."""
    if found.runs == 1:
        return "Training ends so near the claimed distance that rounding decides."
    seen = found.near / found.runs
    text = (
        f"{found.near} of {found.runs} runs arrive, where a share of {share:g} is "
        f"claimed: too few runs to tell"
    )
    if seen == share:
        return f"{text}, and if the share is as claimed, no number tells."
    spread = math.sqrt(share * (1 - share)) + math.sqrt(seen * (1 - seen))
    needed = (float(ndtri(alpha)) * spread / (seen - share)) ** 2
    return f"{text}; if the share is as seen, about {math.ceil(needed):,} would."


def _detectable(runs: int, reading: Reading, alpha: float) -> float:
    """Return the smallest amount by which a share too small is seen for sure.

    Args:
        runs: how many.
        reading: says which share is claimed.
        alpha: of each of two errors.
    """
    if runs == 1:
        return _EDGE
    p = float(reading.share)
    allowed = int(binom.isf(alpha, runs, p)) + 1  # this many must arrive
    shares = np.linspace(0.0, p, 201)
    caught = binom.sf(allowed - 1, runs, shares) <= alpha
    return p - float(shares[caught].max(initial=0.0))


def _planned(reading: Reading, context: Context, route: str) -> tuple[Instance, ...]:
    """Return instances with a step size that training survives, unless η is held."""
    drawn = replace(context, shrink=False).draw(
        claim_instances(reading), context.profile.ensembles, f"training {route}"
    )
    return tuple(dict.fromkeys(_steady(reading, instance) for instance in drawn))


def _steady(reading: Reading, instance: Instance) -> Instance:
    """Return the instance with η at most ‖θ‖/(20 max‖g‖), unless it is held."""
    if "eta" in reading.held:
        return instance
    theta = np.array([[float(t) for t in instance.theta]])
    g = _sample_gradients(instance, theta)
    largest = float(np.sqrt((g**2).sum(-1)).max())
    cap = float(np.linalg.norm(theta)) / (20.0 * max(largest, 1e-9))
    if not 0.0 < cap < float(instance.eta):
        return instance
    return instance.with_(eta=Fraction(cap).limit_denominator(10**4) or instance.eta)


def _decided(reading: Reading, distances: Array, alpha: float) -> Arrivals:
    """Return whether the claimed share arrives, by binomial bounds at α."""
    within = float(reading.within)
    near = int(np.count_nonzero(distances <= within))  # nan is not near
    runs, p = len(distances), float(reading.share)
    finite = np.where(np.isfinite(distances), distances, np.inf)
    median = float(np.median(finite))
    if runs == 1:
        edge = bool(abs(distances[0] - within) <= _EDGE * within)
        return Arrivals(1, near, None if edge else near == 1, median)
    too_few = binom.cdf(near, runs, p) <= alpha
    enough = binom.sf(near - 1, runs, p) <= alpha
    verdict = False if too_few else (True if enough else None)
    return Arrivals(runs, near, verdict, median)


def _runs(reading: Reading, context: Context) -> int:
    return context.profile.replicas if reading.claim.along == "sgd" else 1


def _start(instance: Instance, runs: int) -> Array:
    return np.tile(np.array([float(t) for t in instance.theta]), (runs, 1))


def _compiled(reading: Reading, instance: Instance, context: Context) -> Array:
    """Return where training ends, by the compiled code."""
    claim = reading.claim
    loss = instance.declaration.loss
    assert loss is not None
    data = instance.data_arrays()
    start = _start(instance, _runs(reading, context))
    if claim.along == "flow":
        evaluator, gamma = compile_loss(loss), float(instance.gamma)

        looks = itertools.count()

        def rate(_: float, theta: Any) -> Any:
            if next(looks) > _MOST_LOOKS:
                raise NotRational("the flow is too fast to be followed")
            g = np.asarray(evaluator.gradient(theta[None, :], data)).mean(0)
            return -g - 2.0 * gamma * theta

        span = 0.0, float(reading.time)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says so by `success`
            done = solve_ivp(rate, span, start[0], "LSODA", rtol=1e-10, atol=1e-12)
        if not (done.success and np.isfinite(done.y).all()):
            raise NotRational("the flow could not be followed to the end")
        end: Array = done.y[:, -1:].T
        return end
    found = simulate(
        loss,
        data,
        start,
        lr=float(instance.eta),
        batch_size=instance.batch_size,
        steps=claim.steps,
        method="sgd" if claim.along == "sgd" else "gd",
        weight_decay=float(instance.gamma),
        seed=(context.seed, context.claim),
        samples=2,
    )
    theta = np.array(found.theta, dtype=np.float64)
    theta[found.diverged] = np.nan
    return theta


def _sample_gradients(instance: Instance, theta: Array) -> Array:
    """Return per-sample gradients by walking the tree, (runs, N, n)."""
    loss = instance.declaration.loss
    assert loss is not None
    columns = np.array([[float(v) for v in row] for row in instance.samples]).T
    others = {s: columns[j] for j, s in enumerate(loss.data.symbols)}
    spread = np.repeat(theta[:, None, :], len(instance.samples), axis=1)
    return values_and_gradients(loss.expression, spread, loss.space.symbols, others)[1]


def _walked(reading: Reading, instance: Instance, context: Context) -> Array:
    """Return where training ends, by a loop of its own."""
    claim = reading.claim
    if claim.along == "flow":
        return _flowed(reading, instance)
    theta = _start(instance, _runs(reading, context))
    eta, gamma = float(instance.eta), float(instance.gamma)
    N, batch = len(instance.samples), instance.batch_size
    rng = context.rng("walked")
    share = np.full((len(theta), N), 1.0 / N)
    with np.errstate(all="ignore"):
        for _ in range(claim.steps):
            if claim.along == "sgd":
                share = rng.multinomial(batch, [1.0 / N] * N, len(theta)) / batch
            g = (share[:, :, None] * _sample_gradients(instance, theta)).sum(1)
            theta = (1.0 - 2.0 * eta * gamma) * theta - eta * g
            theta[~(np.abs(theta).max(1) <= _LARGEST)] = np.nan
            if np.isnan(theta).all():
                break
    return theta


def _flowed(reading: Reading, instance: Instance) -> Array:
    """Return where gradient flow ends, by Runge and Kutta's steps, and by half ones.

    Raises:
        NotRational: where the two differ by what matters, however short the steps.
    """
    before = None
    for halvings in range(_HALVINGS):
        end = _runge_kutta(reading, instance, _FLOW_STEPS << halvings)
        found = _exactly(reading, instance, end) if np.isfinite(end).all() else None
        if before is not None and found is not None:
            gap = np.abs(found - before)
            if (gap <= _FLOW_ERROR * float(reading.within)).all():
                return end
        before = found
    raise NotRational("the flow is too fast for the steps taken")


def _runge_kutta(reading: Reading, instance: Instance, steps: int) -> Array:
    theta, gamma = _start(instance, 1), float(instance.gamma)
    h = float(reading.time) / steps

    def rate(at: Array) -> Array:
        down: Array = -_sample_gradients(instance, at).mean(1) - 2.0 * gamma * at
        return down

    with np.errstate(all="ignore"):
        for _ in range(steps):
            a = rate(theta)
            b = rate(theta + h / 2 * a)
            c = rate(theta + h / 2 * b)
            d = rate(theta + h * c)
            moved: Array = theta + h / 6 * (a + 2 * b + 2 * c + d)
            theta = moved
    return theta


def _by_formulas(reading: Reading, instance: Instance, theta: Array) -> Array:
    """Return |left − right| at the ends, by the derived formulas in floats."""
    moments = sampled_moments(instance.declaration, exact_rows(instance.samples))
    of = Derived(instance.declaration, moments, instance.batch_size)
    values: dict[Any, Any] = {
        GAMMA: float(instance.gamma),
        ETA: float(instance.eta),
        S: float(instance.batch_size),
    }
    symbols = instance.declaration.space.symbols
    values |= {symbol: theta[:, i] for i, symbol in enumerate(symbols)}
    gap = of.side(reading.left) - of.side(reading.right)
    distances: Array = np.broadcast_to(np.abs(value_at(gap, values)), (len(theta),))
    return distances


def _exactly(reading: Reading, instance: Instance, theta: Array) -> Array:
    """Return |left − right| at the ends, in exact arithmetic at each float."""
    found = []
    for row in theta:
        if not np.isfinite(row).all():
            found.append(np.nan)
            continue
        there = instance.with_(theta=tuple(Fraction(float(t)) for t in row))
        found.append(_distance(reading, there))
    return np.array(found)


def _distance(reading: Reading, instance: Instance) -> float:
    """Return |left − right| at an instance.

    Raises:
        NotRational: where a side has no value.
    """
    reason = NotRational("a side has no value")
    for lift in _LIFTS:
        try:
            place = place_of(instance, lift)
            quantities = Exact(place)
            pair = [
                side(each, quantities, place) for each in (reading.left, reading.right)
            ]
            return abs(float(pair[0] - pair[1]))
        except NotRational as error:
            reason = error
    raise reason

"""Routes that simulate the SDE of a whole diagonal network against its density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric import StationaryDensity
from symbolic import Verdict, Witness
from verify._assert_rates import dkw_distance
from verify._context import Context
from verify._diagonal._figures import densities, phases, tail
from verify._diagonal._kept import kept
from verify._diagonal._settings import Ends, experiment
from verify._evidence import Evidence, Figure
from verify._radii import binomial_upper, dkw_radius
from verify._scope import NETWORKS, only_about


Array = NDArray[np.float64]
SHARED = "the SDE of diagonal networks"
_MATTERS = 0.03  # in the distribution function; the step's own error is below it
_BY_SUMS, _BY_WEIGHTS = ((2,), "sums"), ((3, 2, 4), "weights")


@dataclass(frozen=True, slots=True)
class Law:
    """The law claimed at the end: z at the density, 1 − z at 0.

    Attributes:
        factor: of the temperature in the density.
        present: z, None for the share of replicas that did not start at 0.
    """

    factor: Fraction = Fraction(1)
    present: Fraction | None = None


Check = Callable[[Law, Context], Evidence]


def runs_of(context: Context, which: tuple[tuple[int, ...], str]) -> tuple[Ends, ...]:
    """Return the runs that all claims share."""
    return experiment(replace(context, claim=SHARED, shrink=False), *which)


@only_about(NETWORKS)
def density_by_sums(subject: Law, context: Context) -> Evidence:
    """Hold the ends of ln P, ln N (two factors, any width) against the density."""
    found = runs_of(context, _BY_SUMS)
    first = found[0]
    sign = float(np.sign(first.setting.moments.beta2))
    figures = (densities(), phases(), tail(first.v, first.setting.law(), sign))
    return _judged(subject, context, found, "SDE of ln P and ln N", figures)


@only_about(NETWORKS)
def density_by_weights(subject: Law, context: Context) -> Evidence:
    """Hold the ends of all weights (two, three, four factors) against the density."""
    found = runs_of(context, _BY_WEIGHTS)
    return _judged(subject, context, found, "SDE of all weights", ())


def _judged(
    subject: Law,
    context: Context,
    found: tuple[Ends, ...],
    route: str,
    figures: tuple[Figure, ...],
) -> Evidence:
    """Compare distribution functions, each at its share of α."""
    alpha = context.alpha / (3 * len(found))
    rows, worst, unsettled, n = [], 0.0, 0.0, 0
    for ends in found:
        law, n = ends.setting.law(float(subject.factor)), len(ends.v)
        radius = dkw_radius(n, alpha)
        distance = dkw_distance(ends.v, law.cdf)[0]
        rows.append((distance - radius - _MATTERS, distance, ends))
        worst = max(worst, distance)
        unsettled = max(unsettled, *_unsettled(ends, alpha))
    excess, distance, ends = max(rows, key=lambda row: row[0])
    what = (
        f"{len(found)} drawn settings, {n} replicas each, D = "
        f"{', '.join(str(e.setting.factors - 1) for e in found)}: sup|F_n − F| at "
        f"most {worst:.3f}; the DKW band is ±{dkw_radius(n, alpha):.3f}, and "
        f"{_MATTERS:g} what matters. Between the starts at half and at 3/2 of the "
        f"minimum, and half of the time and the end, no more than noise explains."
    )
    if not excess <= 0:
        witness = Witness(
            ends.setting.describe() | {"replicas": str(n)},
            f"sup|F_n - F| = {distance:.4f}",
            f"at most {dkw_radius(n, alpha) + _MATTERS:.4f}",
            exact=False,
        )
        return Evidence(
            route,
            Verdict.REFUTED,
            f"{n} replicas are not from the law claimed.",
            instances=len(found),
            alpha=context.alpha,
            counterexample=witness,
            figures=figures,
        )
    if not unsettled <= 0:
        why = f"{what} Not so here: the replicas still remember their start."
        return Evidence(route, Verdict.INCONCLUSIVE, why, instances=len(found))
    return Evidence(
        route,
        Verdict.SUPPORTED,
        what,
        instances=len(found),
        alpha=context.alpha,
        detectable=2 * dkw_radius(n, alpha) + _MATTERS,
        figures=figures,
    )


def _unsettled(ends: Ends, alpha: float) -> tuple[float, float]:
    """Return by how much starts, and times, differ beyond their bands."""
    n = len(ends.v)
    low, high = ends.v[: n // 2], ends.v[n // 2 :]
    starts = _two_sample(low, high) - 2 * dkw_radius(n // 2, alpha) - _MATTERS
    # Ends and halves are dependent: a union bound over the two bands needs no more.
    times = _two_sample(ends.half, ends.v) - 2 * dkw_radius(n, alpha) - _MATTERS
    return starts, times


def _two_sample(a: Array, b: Array) -> float:
    """Return the distance of two empirical distribution functions."""
    points = np.concatenate([a, b])
    left = np.searchsorted(np.sort(a), points, side="right") / len(a)
    right = np.searchsorted(np.sort(b), points, side="right") / len(b)
    return float(np.abs(left - right).max())


@only_about(NETWORKS)
def density_kept(subject: Law, context: Context) -> Evidence:
    """Start at the density, at any temperature below T_c: is it kept?

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where the ranks F(v) stay uniform for every setting, and for all
        settings of one number of factors together.
    """
    route = "SDE from the density"
    plain = replace(context, claim=SHARED, shrink=False)
    found = kept(plain, float(subject.factor))
    groups = [(f"{e.setting.factors} factors", [e]) for e in found]
    for N in sorted({e.setting.factors for e in found}):
        groups.append((f"{N} factors", [e for e in found if e.setting.factors == N]))
    alpha = context.alpha / len(groups)
    rows = []
    for name, members in groups:
        ranks = np.concatenate([e.ranks for e in members])
        distance = dkw_distance(ranks, _uniform)[0]
        radius = dkw_radius(len(ranks), alpha)
        rows.append((distance - radius - _MATTERS, distance, radius, name, members))
    excess, distance, radius, _, members = max(rows, key=_first)
    together = "; ".join(
        f"{name} {d:.3f} (band ±{r:.3f})" for _, d, r, name, _ in rows[len(found) :]
    )
    if not excess <= 0:
        witness = Witness(
            members[0].setting.describe(),
            f"sup|F_n - F| = {distance:.4f}",
            f"at most {radius + _MATTERS:.4f}",
            exact=False,
        )
        return Evidence(
            route,
            Verdict.REFUTED,
            f"Replicas from the law claimed leave it: {together}.",
            instances=len(found),
            alpha=context.alpha,
            counterexample=witness,
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{len(found)} drawn settings, T from .05 to .9 of T_c (of β₂/α₃ for more "
        f"factors), {len(found[0].ranks)} replicas each that start at the density: "
        f"sup|F_n − F| at most {max(row[1] for row in rows):.3f} for one setting; "
        f"together: {together}; {_MATTERS:g} is what matters.",
        instances=len(found),
        alpha=context.alpha,
        detectable=2 * max(row[2] for row in rows[len(found) :]) + _MATTERS,
    )


def _uniform(x: Array) -> Array:
    return np.asarray(np.clip(x, 0.0, 1.0))


@only_about(NETWORKS)
def signs_kept(subject: Law, context: Context) -> Evidence:
    """Count the replicas that keep the sign of v; put some of them at 0.

    A replica at u = w = 0 has the gradient 0 and stays. With 7 in 10 put there, the law
    at the end is to be (1 − z)δ + z p with z = 3/10.

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where signs are kept and the law is the mixture.
    """
    route, z = "SDE, part of it at 0", Fraction(3, 10)
    found = runs_of(context, _BY_SUMS)
    alpha = context.alpha / (2 * len(found))
    claimed = z if subject.present is None else subject.present
    n, crossed, worst = 0, 0, (-np.inf, 0.0, found[0])
    for ends in found:
        n = len(ends.v)
        sign = np.sign(ends.setting.moments.beta2)
        crossed += int(np.count_nonzero(~(sign * ends.v > 0)))
        v = np.where(np.arange(n) % 10 < 10 * float(z), ends.v, 0.0)
        distance = _to_mixture(v, ends.setting.law(float(subject.factor)), claimed)
        # The share at 0 is fixed, so only the rest is random: a band of its own size.
        moving = int(np.count_nonzero(v))
        radius = float(z) * dkw_radius(moving, alpha) + 1 / n
        worst = max(worst, (distance - radius - _MATTERS, distance, ends), key=_first)
    lost = binomial_upper(crossed, n * len(found), alpha)
    if not worst[0] <= 0:
        return Evidence(
            route,
            Verdict.REFUTED,
            f"With z = {z} the law at the end is not that with z = {claimed}.",
            instances=len(found),
            alpha=context.alpha,
            counterexample=Witness(
                worst[2].setting.describe() | {"z": str(z)},
                f"sup|F_n - F| = {worst[1]:.3f}",
                f"z = {claimed}",
                exact=False,
            ),
        )
    what = (
        f"{len(found)} settings with two factors: of {n * len(found)} replicas "
        f"{crossed} end without the sign they started with (a share of at most "
        f"{lost:.2g}); with 7 in 10 at 0 for ever, sup|F_n − F| is at most "
        f"{max(worst[1], 0.0):.3f}."
    )
    if not lost <= _MATTERS:
        return Evidence(route, Verdict.INCONCLUSIVE, what, instances=len(found))
    return Evidence(
        route,
        Verdict.SUPPORTED,
        what,
        instances=len(found),
        alpha=context.alpha,
        detectable=2 * _MATTERS,
    )


def _to_mixture(v: Array, law: StationaryDensity, z: Fraction) -> float:
    """Return sup|F_n − (1 − z)1[v ≥ 0] − z F|."""
    share = float(z)

    def upto(x: Array) -> Array:
        return np.asarray((1 - share) * (x >= 0) + share * law.cdf(x))

    def below(x: Array) -> Array:
        return np.asarray((1 - share) * (x > 0) + share * law.cdf(x))

    return dkw_distance(v, upto, below)[0]


def _first(row: tuple[Any, ...]) -> Any:
    return row[0]

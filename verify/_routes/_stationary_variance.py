"""Fluctuation inversion: Var v as a function of T, at D = 1.

The subject is "decreasing" (in T, as printed) or "inverted": it rises from 0 and falls
back to 0 at T_c.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._stationary_cases import general
from verify._routes._stationary_moments import LAW, QUADRATURE
from verify._routes._stationary_quadrature import Point, drawn_points, grid


try:
    from flint import acb, arb, ctx
except ImportError:  # the extra noetherflow[fast]
    _INSTALLED = False
else:
    _INSTALLED = True

BALLS = "Arb"
_TEMPERATURES = ((1, 20), (1, 5), (3, 10))
_BITS = 64
_LEFT, _RIGHT = 40, 80  # where the tails begin, in units of their own length


@lru_cache(maxsize=8)
def enclosed_variance(p: int, q: int) -> Any:
    """Enclose Var v for α = (2, 2, 3), β = (1, 1), D = 1, at T = p/q < 1/3.

    In s = ln v the density is e^{κs} Q^{−1−1/12T} exp(−K arctan √2(v − 1)), κ =
    1/6T − ½, K = 1/(6√2T). Q ≥ 1, and Q ≥ v² for v ≥ 3, bound the tails.

    Args:
        p: numerator of T.
        q: denominator.

    Returns:
        A ball that holds the variance.
    """
    before = ctx.prec
    ctx.prec = _BITS
    try:
        return _enclose(arb(p) / q)
    finally:
        ctx.prec = before


def _enclose(T: Any) -> Any:
    kappa, root = 1 / (6 * T) - arb(1) / 2, arb(2).sqrt()
    turn = 1 / (6 * root * T)
    top = (turn * arb.pi() / 2).exp()
    start = -_LEFT / kappa

    def moment(k: int) -> Any:
        def density(s: Any, _: bool) -> Any:
            v = s.exp()
            noise = 2 * v * v - 4 * v + 3
            arc = (root * (v - 1)).atan()
            power = (kappa + k) * s - (1 + 1 / (12 * T)) * noise.log()
            return (power - turn * arc).exp()

        pieces = [(start, arb(0)), (arb(0), arb(3)), (arb(3), arb(_RIGHT))]
        tolerance = arb(2) ** -30
        inside = sum(
            (acb.integral(density, a, b, rel_tol=tolerance).real for a, b in pieces),
            arb(0),
        )
        left = top * ((kappa + k) * start).exp() / (kappa + k)
        rate = arb(5) / 2 - k
        right = top * (-rate * _RIGHT).exp() / rate
        return inside + (left + right) * arb(0.5, 0.5)

    total, first, second = (moment(k) for k in range(3))
    return second / total - (first / total) ** 2


@general
def inversion_certified(subject: str, context: Context) -> Evidence:
    """Enclose Var v at T = 1/20, 1/5 and 3/10, T_c = 1/3."""
    del context
    if not _INSTALLED:
        return Evidence(BALLS, Verdict.NOT_APPLICABLE, "python-flint is not installed.")
    cold, warm, hot = (enclosed_variance(*t) for t in _TEMPERATURES)
    shown = {
        "alpha": "(2, 2, 3)",
        "beta": "(1, 1)",
        "Var at T = 1/20": cold.str(8),
        "Var at T = 1/5": warm.str(8),
        "Var at T = 3/10": hot.str(8),
    }
    if subject == "inverted":
        holds = bool(cold < warm and warm > hot)
    else:
        holds = bool(cold > warm and warm > hot)
    if holds:
        text = (
            f"Enclosures of the variance: {cold.str(8)}, {warm.str(8)}, {hot.str(8)}."
        )
        return Evidence(BALLS, Verdict.CERTIFIED, text, instances=1)
    rises = bool(cold < warm)
    if subject == "inverted" or not rises:
        return Evidence(BALLS, Verdict.INCONCLUSIVE, "The enclosures overlap.")
    return Evidence(
        BALLS,
        Verdict.REFUTED,
        "The variance rises from T = 1/20 to T = 1/5: disjoint enclosures.",
        instances=1,
        counterexample=Witness(shown, cold.str(8), f"at least {warm.str(8)}", True),
    )


_EXAMPLE = Point(2, 1, (2.0, 2.0, 3.0), (1.0, 1.0), 0.1)


def _shape(subject: str, variances: Any, *, ends: float) -> bool:
    """Return whether the variances at rising T have the shape claimed.

    Args:
        subject: the shape.
        variances: in order of T.
        ends: "inverted": the most that the ends may be of the greatest variance.
    """
    if subject == "decreasing":
        return bool((np.diff(variances) < 0).all())
    top = variances.max()
    return bool(variances[0] <= ends * top and variances[-1] <= ends * top)


@general
def inversion_quadrature(subject: str, context: Context) -> Evidence:
    """Integrate Var v from T ≪ T_c to 9T_c/10, on drawn data."""

    def variances(point: Point) -> Any:
        found = []
        for T in _rising(point):
            tabulated = grid(replace(point, T=T))
            found.append(tabulated.moment(2) - tabulated.moment(1) ** 2)
        return np.array(found)

    drawn = drawn_points(context, "inversion", deepest=2)[:3]
    return _compared(QUADRATURE, subject, (_EXAMPLE, *drawn), variances, 0.999)


def _rising(point: Point) -> list[float]:
    """Return temperatures, the first with Var v of about 0.02 (β₂/β₁)² at most.

    The maximum may be anywhere: there are two in every decade.
    """
    found = [share * critical(point) for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)]
    small = _cold(point, 0.02)
    if not small < found[0]:
        return found
    decades = math.log10(found[0] / small)
    return [*np.geomspace(small, found[0], 2 + math.ceil(2 * decades))[:-1], *found]


def _cold(point: Point, share: float) -> float:
    """Return T at which Var v ≈ 2v₀TQ(v₀)/β₁ is a share of v₀²."""
    (a1, a2, a3), (b1, b2) = point.alpha, point.beta
    at = (b2 - point.gamma) / b1
    return share * at * b1 / (2 * (a1 * at * at - 2 * a2 * at + a3))


def critical(point: Point) -> float:
    """Return T_c of D = 1."""
    return (point.beta[1] - point.gamma) / point.alpha[2]


@general
def inversion_numeric(subject: str, context: Context) -> Evidence:
    """Evaluate `StationaryDensity.var` from T ≪ T_c to T_c(1 − 10⁻⁵), on drawn data."""

    def variances(point: Point) -> Any:
        top = critical(point)
        cold = min(_cold(point, 1e-3), 1e-5 * top)
        warm = [np.geomspace(cold, 0.02 * top, 9), np.linspace(0.04, 0.98, 14) * top]
        T = np.concatenate([*warm, [(1 - 1e-5) * top]])
        return replace(point, T=T).law().var()

    drawn = drawn_points(context, "inversion", deepest=2)
    return _compared(LAW, subject, (_EXAMPLE, *drawn), variances, 0.05)


def _compared(
    route: str, subject: str, points: tuple[Point, ...], variances: Any, ends: float
) -> Evidence:
    for count, point in enumerate(points, 1):
        found = variances(point)
        if not _shape(subject, found, ends=ends):
            values = {**point.describe(), "T": "rising to T_c"}
            shown = ", ".join(f"{x:.4g}" for x in found)
            right = "falling" if subject == "decreasing" else "0 at both ends"
            return Evidence(
                route,
                Verdict.REFUTED,
                "The variance has another shape.",
                instances=count,
                counterexample=Witness(values, f"Var v = {shown}", right, exact=False),
            )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"The variance has the shape claimed for {len(points)} networks.",
        instances=len(points),
        detectable=ends,
    )

"""Moments and tails of the stationary density, and the identity that ties them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import sympy as sp

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import (
    EXACT,
    ONE,
    Balanced,
    balanced_nets,
    general,
)
from verify._routes._stationary_density import (
    TWO_LABELS,
    Closed,
    Law,
    M,
    N,
    Q,
    T,
    b1,
    b2,
    gamma,
    reduced,
    total,
    v,
    zero_flux,
)
from verify._routes._stationary_quadrature import Point, drawn_points, grid


QUADRATURE = "quadrature"
LAW = "numeric.StationaryDensity"
_FAR = Fraction(2) ** 60
_CLOSE = 1e-9  # relative; both quadratures reach 1e-12


class Described(Protocol):
    """What a witness can show."""

    def describe(self) -> dict[str, str]:
        """Return names → values."""


Row = tuple[Described, float, float, float]


def close_evidence(route: str, rows: Iterable[Row], what: str) -> Evidence:
    """Compare floats, each within its own tolerance.

    Args:
        route: the route's name.
        rows: (case, left, right, tolerance).
        what: what was compared.

    Returns:
        SUPPORTED with the largest relative tolerance, or REFUTED.
    """
    count, coarsest, cases = 0, 0.0, set()
    for case, left, right, tolerance in rows:
        count += 1
        cases.add(id(case))
        if left != right and not abs(left - right) <= tolerance:
            witness = Witness(case.describe(), repr(left), repr(right), exact=False)
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{what}: differ by more than rounding.",
                instances=count,
                counterexample=witness,
            )
        if right and math.isfinite(right):
            coarsest = max(coarsest, tolerance / abs(right))
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what}: {count} equalities to rounding, on {len(cases)} drawn networks.",
        instances=count,
        tolerance=coarsest,
        detectable=coarsest,
    )


@general
def density_numeric(law: Law, context: Context) -> Evidence:
    """Compare moments and probabilities of `StationaryDensity` with quadrature."""
    low, high = law.depths

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "density", deepest=max(high, 2)):
            tabulated = grid(
                point,
                power=float(law.power),
                noise=float(law.noise),
                pull=float(law.pull),
            )
            found = point.law()
            for order in (0.5, 1.0, 2.0):
                expected = tabulated.moment(order)
                yield point, float(found.moment(order)), expected, _CLOSE * expected
            middle = int(abs(tabulated.log).argmin())
            at = math.exp(tabulated.s[middle])
            yield point, float(found.cdf(at)), tabulated.below(middle), 1e-5

    if low > 2:
        return Evidence(LAW, Verdict.NOT_APPLICABLE, "This route draws $N = 2$ too.")
    return close_evidence(LAW, rows(), "moments and probabilities against quadrature")


# The identity β₁E v − β₂ + (γ/c) E v^{1−2D/N} + κ c T E[v^{1−2/N}Q] = 0. The subject is
# κ/D, which is 1.


@general
def identity_symbolic(factor: Fraction, context: Context) -> Evidence:
    """Apply the generator to f with f' = 1/M, N and d free."""
    del context
    drift, variance = reduced()
    slope = 1 / M
    generator = drift * slope + variance * total(slope) / 2
    factor_D = sp.Rational(factor) * (N - 1)
    claimed = b1 * v - b2 + gamma * v / M + factor_D * T * M / v * Q
    return symbolic_evidence(
        "generator, symbolically",
        [("any $N$ and $d$", generator, -2 * N * claimed)],
        r"the generator on $f$, $f' = 1/M$",
        steps=(
            r"$\mathcal Lf = -2N[\beta_1v - \beta_2 + \gamma v/M + DTMQ/v]$, with "
            r"$M/v = cv^{1-2/N}$, and $E\,\mathcal Lf = 0$ at zero flux: the boundary "
            r"term $f'B^2p = 4N^2MTQp$ is $O(v^{-1+1/N})$ at $\infty$; at 0 it is "
            r"$O(v^{1+e})$ with $p \sim v^e$, $e > -1$, for $N = 2$, and less than "
            r"every power for $N > 2$.",
        ),
    )


def _residual(point: Point, factor: Fraction, moment: object) -> tuple[float, float]:
    """Return the left side of the identity, and the sum of its terms' sizes."""
    assert callable(moment)
    n, (a1, a2, a3), (slope, level) = point.depth, point.alpha, point.beta
    low = 1 - 2 / n
    scale = float(factor) * (n - 1) * point.c * point.T
    terms = [
        slope * moment(1.0),
        -level,
        scale * a1 * moment(low + 2),
        -2 * scale * a2 * moment(low + 1),
        scale * a3 * moment(low),
    ]
    if point.gamma:
        terms.append(point.gamma / point.c * moment(1 - 2 * (n - 1) / n))
    return math.fsum(terms), sum(map(abs, terms))


@general
def identity_quadrature(factor: Fraction, context: Context) -> Evidence:
    """Evaluate the identity by the trapezoidal rule on drawn networks."""

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "identity"):
            tabulated = grid(point, 3 - 2 / point.depth)
            left, size = _residual(point, factor, tabulated.moment)
            yield point, left, 0.0, _CLOSE * size

    return close_evidence(QUADRATURE, rows(), "the identity")


@general
def identity_numeric(factor: Fraction, context: Context) -> Evidence:
    """Evaluate the identity with the moments of `StationaryDensity`."""

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "identity of the density"):
            left, size = _residual(point, factor, point.law().moment)
            yield point, left, 0.0, _CLOSE * size

    return close_evidence(LAW, rows(), "the identity")


# The tail. The subject is (a, b): p ~ v^{a + b/N}.

Power = tuple[Fraction, Fraction]


def tail_power() -> sp.Expr:
    """Return lim v p'/p for v → ∞, N ≥ 2: 1/v and 1/M → 0."""
    x, y = sp.symbols("x y", positive=True)
    inverted = sp.cancel((v * zero_flux()).subs({v: 1 / x, M: 1 / y}))
    return sp.cancel(sp.cancel(inverted.subs(x, 0)).subs(y, 0))


@general
def tail_symbolic(power: Power, context: Context) -> Evidence:
    """Compare the limit of v p'/p at infinity with the power, N free."""
    del context
    claimed = sp.Rational(power[0]) + sp.Rational(power[1]) / N
    return symbolic_evidence(
        "tail, symbolically",
        [("any $N \\ge 2$ and $d$", tail_power(), claimed)],
        r"$\lim v\,p'/p$ at $\infty$",
        steps=(
            r"$v\,p'/p$ is rational in $1/v$ and $1/M$, both of which vanish at "
            r"$\infty$ since $M = cv^{2D/N}$ with $D \ge 1$: put 0 for both.",
        ),
    )


@general
def tail_exact(power: Power, context: Context) -> Evidence:
    """Follow v p'/p of the SDE of all weights out to r = 2⁶⁰, exactly."""

    def sides(case: Balanced) -> Sides:
        target = power[0] + power[1] / case.depth
        near, far = (
            abs(at.v * at.log_slope() - target)
            for at in (replace(case, r=_FAR), replace(case, r=2 * _FAR))
        )
        return Sides(far, near / 2)

    return drawn_evidence(
        EXACT,
        sides,
        balanced_nets(least=2),
        context,
        r"the distance of $v\,p'/p$ from the power halves when $r$ doubles",
        examples=(_FIRST,),
        relation=Fraction.__le__,
        shown=("a distance {} at twice the r", "half of that before, {}"),
    )


_FIRST = Balanced(TWO_LABELS, 2, 1, ONE, ONE)


@general
def tail_numeric(power: Power, context: Context) -> Evidence:
    """Read the power off P(V > v) of `StationaryDensity` at v = 10⁹ and 2·10⁹."""

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "tail"):
            law, far = point.law(), 1e9
            seen = math.log2(float(law.sf(2 * far)) / float(law.sf(far)))
            yield point, seen, float(power[0] + power[1] / point.depth + 1), 1e-4

    return close_evidence(LAW, rows(), "the power of the tail")


# The second moment. The subject is the order k: E vᵏ is finite for every D ≥ 1 and T.


@general
def finite_symbolic(order: Fraction, context: Context) -> Evidence:
    """Compare k plus the tail's power with −1, for every N ≥ 2."""
    del context
    n = sp.Symbol("n", nonnegative=True)  # N − 2
    room = sp.together((-1 - tail_power() - sp.Rational(order)).subs(N, n + 2))
    top, bottom = (sp.Poly(part, n) for part in sp.fraction(room))
    if all(c > 0 for poly in (top, bottom) for c in poly.coeffs()) and top.eval(0) > 0:
        return Evidence(
            "tail, symbolically",
            Verdict.PROVED,
            r"$v^kp$ falls faster than $1/v$: $4 - 3/N - k > 0$ for all $N \ge 2$.",
            instances=1,
            steps=(
                r"$\lim v\,p'/p = -5 + 3/N$ at $\infty$: $\int v^kp$ converges there "
                r"iff $k < 4 - 3/N$ (at $k = 4 - 3/N$ it is $\int dv/v$).",
                r"At 0 it converges with $\int p$, since $k \ge 0$.",
            ),
        )
    worst = next((m for m in range(50) if room.subs(n, m) <= 0), None)
    if worst is None:
        return Evidence(
            "tail, symbolically", Verdict.INCONCLUSIVE, "The sign is not decided."
        )
    power = str(tail_power().subs(N, worst + 2) + sp.Rational(order))
    return Evidence(
        "tail, symbolically",
        Verdict.REFUTED,
        r"$v^kp$ does not fall faster than $1/v$.",
        instances=1,
        counterexample=Witness(
            {"N": str(worst + 2), "k": str(order)},
            f"v^k p ~ v^({power})",
            "less than -1, for the integral to converge",
            exact=True,
        ),
    )


@general
def finite_exact(order: Fraction, context: Context) -> Evidence:
    """Check that v^k p falls faster than 1/v at r = 2⁶⁰, from the weights' SDE."""

    def sides(case: Balanced) -> Sides:
        far = replace(case, r=_FAR)
        return Sides(order + far.v * far.log_slope(), -ONE)

    return drawn_evidence(
        EXACT,
        sides,
        balanced_nets(least=2),
        context,
        r"the power of $v^kp$ against $-1$",
        examples=(_FIRST,),
        relation=Fraction.__lt__,
        shown=("v^k p falls with the power {}", "less than {}"),
    )


@general
def finite_numeric(order: Fraction, context: Context) -> Evidence:
    """Compare E vᵏ of `StationaryDensity` with quadrature where that converges."""
    k = float(order)

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "second moment"):
            found = float(point.law().moment(k))
            if k >= 4 - 3 / point.depth:
                yield point, found, 0.0, 0.0  # a finite number, were it true
            else:
                expected = grid(point, k).moment(k)
                yield point, found, expected, _CLOSE * expected

    return close_evidence(LAW, rows(), "the moment against quadrature")


# D → ∞ with d/D fixed.


@general
def deep_numeric(form: Closed, context: Context) -> Evidence:
    """Compare `StationaryDensity` of depth 10⁶ with the printed limit."""
    n = 10**6  # corrections are O(ln(dN)/N) of the terms

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "deep", decay=False):
            law = replace(point, depth=n, width=point.width * n).law()
            level = point.beta[1] / point.beta[0]
            ends = (0.5 * level, 2 * level)
            seen = float(law.logpdf(ends[0]) - law.logpdf(ends[1]))
            low, high = (_deep(form, point, at) for at in ends)
            yield point, seen, low - high, 1e-3 * (1 + abs(low) + abs(high))

    return close_evidence(LAW, rows(), r"a ratio of densities against the limit")


def _deep(form: Closed, point: Point, at: float) -> float:
    """Return the printed log p at d/D = width, in floats."""
    (A1, A2, A3), (B1, B2) = point.alpha, point.beta
    ratio, root = point.width / point.T, math.sqrt(A1 * A3 - A2 * A2)
    k1 = ratio * (A3 * B1 - 2 * A2 * B2) / A3**2
    along = (A2 * A3 * B1 - 2 * A2**2 * B2 + A1 * A3 * B2) / (A3**2 * root)
    arc = float(form.turn) * math.atan((A1 * at - A2) / root)
    noise = math.log(A1 * at * at - 2 * A2 * at + A3)
    powers = (float(form.power) + k1) * math.log(at)
    powers += (float(form.noise) - k1 / 2) * noise
    return float(-powers - ratio * (B2 / (A3 * at) + along * arc))

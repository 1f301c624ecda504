"""What happens at v = 0: where the density is normalisable, and where not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import sympy as sp
from hypothesis import strategies as st

from symbolic import Verdict, Witness, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import (
    EXACT,
    ONE,
    ZERO,
    Balanced,
    Data,
    balanced_nets,
    general,
)
from verify._routes._stationary_density import (
    TWO_LABELS,
    M,
    N,
    Q,
    T,
    a1,
    a2,
    a3,
    b1,
    b2,
    gamma,
    s,
    v,
    zero_flux,
)
from verify._routes._stationary_moments import LAW, Row, close_evidence
from verify._routes._stationary_quadrature import Point, points


AT_ZERO = "power at 0, symbolically"
_NEAR = Fraction(1, 2**80)


def power_at_zero() -> sp.Expr:
    """Return v p'/p for v → 0 up to what vanishes, in y = M/v = c v^{1−2/N}."""
    y = sp.Symbol("y", positive=True)
    return sp.cancel(sp.cancel((v * zero_flux()).subs(M, y * v)).subs(v, 0))


# Collapse. The subject is "printed": for every D ≥ 1 a density exists iff T < β₂/α₃
# (γ = 0) or T < (β₂ − γ)/α₃; or "derived": that for D = 1; for D > 1 always if γ = 0
# and never if γ > 0.


@general
def collapse_symbolic(subject: str, context: Context) -> Evidence:
    """Compare the power of v at 0 with the one that has the claimed T_c."""
    del context
    y = sp.Symbol("y", positive=True)
    found = power_at_zero()
    marginal = (b2 - gamma) / (2 * a3 * T) - sp.Rational(3, 2)
    if subject == "printed":
        rows = [
            ("any $N$, $\\gamma = 0$", found.subs(gamma, 0), marginal.subs(gamma, 0))
        ]
    else:
        rows = [
            ("$N = 2$", found.subs({N: 2, y: 1}), marginal),
            (
                "any $N$",
                found,
                -3 * (N - 1) / N + b2 / (N * T * a3 * y) - gamma / (N * T * a3 * y**2),
            ),
        ]
    return symbolic_evidence(
        AT_ZERO,
        rows,
        r"$v\,p'/p$ at 0, which must be above $-1$",
        steps=(
            r"$D = 1$: $y = M/v = 1$ and $p \sim v^{(\beta_2 - \gamma)/2\alpha_3T - "
            r"3/2}$, integrable iff $T < (\beta_2 - \gamma)/\alpha_3$.",
            r"$D > 1$: $y = cv^{1-2/N} \to 0$. For $\gamma = 0$, $v\,p'/p \to "
            r"+\infty$: "
            r"$p$ vanishes faster than every power, at every $T$. For $\gamma > 0$ "
            r"it tends to $-\infty$: no normalisation at any $T$.",
        ),
    )


def exists(subject: str, case: Balanced) -> bool:
    """Return whether a density exists, as claimed."""
    _, _, A3, _, B2 = case.data.moments()
    if subject == "derived" and case.depth > 2:
        return not case.gamma
    return B2 - case.gamma > case.T * A3


@general
def collapse_exact(subject: str, context: Context) -> Evidence:
    """Read the power at r = 2⁻⁸⁰ off the SDE of all weights, exactly."""

    def sides(case: Balanced) -> Sides | None:
        case = upward(case)
        _, _, A3, _, B2 = case.data.moments()
        if B2 - case.gamma == case.T * A3:
            return None  # the power is −1, from either side
        power = [
            at.v * at.log_slope()
            for at in (replace(case, r=_NEAR), replace(case, r=_NEAR / 2))
        ]
        settled = all(p > -1 for p in power) or all(p < -1 for p in power)
        if not settled:
            return None
        seen = Fraction(int(power[0] > -1))
        return Sides(seen, Fraction(int(exists(subject, case))), case=case)

    return drawn_evidence(
        EXACT,
        sides,
        balanced_nets(least=2),
        context,
        r"whether $v\,p'/p > -1$ at $r = 2^{-80}$",
        examples=(_HOT,) if subject == "printed" else (),
        shown=("density (1) or collapse (0): {}", "{} as claimed"),
    )


def upward(case: Balanced) -> Balanced:
    """Return the case with y → −y if β₂ < 0, the mirror image of the other branch."""
    if case.data.moments()[4] > 0:
        return case
    flipped = Data(tuple((x, -y) for x, y in case.data.samples))
    return replace(case, data=flipped)


_HOT = Balanced(TWO_LABELS, 3, 1, ONE, Fraction(10), ZERO)


@general
def collapse_numeric(subject: str, context: Context) -> Evidence:
    """Compare `mass_at_zero` of `StationaryDensity` with the claim."""

    def rows() -> Iterator[Row]:
        count = max(4, context.profile.exact * 2 // 5)
        for point in (_HOT_POINT, *context.draw(_any_point(), count, "collapse")):
            a, (_, level) = point.alpha, point.beta
            free = (level - point.gamma) / a[2] > point.T
            if subject == "derived" and point.depth > 2:
                free = not point.gamma
            yield point, float(point.law().mass_at_zero), float(not free), 0.0

    return close_evidence(LAW, rows(), "the mass at 0")


_HOT_POINT = Point(3, 1, (2.0, 2.0, 3.0), (1.0, 1.0), 1.0)


@st.composite
def _any_point(draw: st.DrawFn) -> Point:
    point = draw(points())
    share = draw(st.sampled_from((0.5, 0.9, 1.1, 3.0)))
    gamma_share = draw(st.sampled_from((0.0, 0.1, 2.0)))
    level = point.beta[1]
    return replace(point, T=share * level / point.alpha[2], gamma=gamma_share * level)


# The exponent. The subject is the lower limit of its integral: "0" or "inside".


@general
def exponent_symbolic(subject: str, context: Context) -> Evidence:
    """Find whether ∫ (β₁v − β₂)/(NMQ) dv converges from the lower limit on."""
    del context
    if subject == "inside":
        rows = [("$Q > 0$", a1 * Q, (a1 * v - a2) ** 2 + s**2)]
        return symbolic_evidence(
            AT_ZERO,
            rows,
            r"$\alpha_1Q = (\alpha_1v - \alpha_2)^2 + \Delta > 0$: the integrand is "
            "continuous for $v > 0$",
        )
    y = sp.Symbol("y", positive=True)
    scaled = sp.cancel(y * v * (b1 * v - b2) / (N * v * y * Q)).subs(v, 0)
    finding = compare(scaled, 0)
    if finding.witness is None:
        return Evidence(AT_ZERO, Verdict.INCONCLUSIVE, "The limit is not decided.")
    return Evidence(
        AT_ZERO,
        Verdict.REFUTED,
        r"$v$ times the integrand is $-\beta_2/(N\alpha_3y)$ at 0, with "
        r"$y = cv^{1-2/N}$ bounded: it is not integrable from 0.",
        instances=1,
        counterexample=Witness(
            {"y v I(v) at 0": str(scaled), **finding.witness.values},
            finding.witness.left,
            "0, for the integral from 0 to converge",
            exact=finding.witness.exact,
        ),
    )


@general
def exponent_exact(subject: str, context: Context) -> Evidence:
    """Bound the integral from 0 below by C ln(v₀/ε), with an exact C > 0."""

    def sides(case: Balanced) -> Sides:
        case = upward(case)
        A1, A2, A3, B1, B2 = case.data.moments()
        if subject == "inside":
            return Sides(A3 - A2 * A2 / A1, ZERO, case=case)
        small = replace(case, r=_small(case))
        at = small.v
        top = max(A3, A1 * at * at - 2 * A2 * at + A3)  # Q is convex
        # M/v decreases to 0 or is constant: |integrand| ≥ C/v on (0, v₀].
        bound = (B2 - B1 * at) * at / (case.depth * small.speed() * top)
        return Sides(bound, ZERO, case=small)

    relation = Fraction.__gt__ if subject == "inside" else Fraction.__le__
    return drawn_evidence(
        EXACT,
        sides,
        balanced_nets(least=2, decay=False),
        context,
        "whether the integral is finite",
        examples=(_FIRST,),
        relation=relation,
        shown=("|integral from e to v| >= {} ln(v/e)", "at most {}, to be bounded"),
    )


_FIRST = Balanced(TWO_LABELS, 2, 1, Fraction(1, 2), ONE, ZERO)


def _small(case: Balanced) -> Fraction:
    """Return r with β₁v ≤ β₂/2 at v = d rᴺ."""
    _, _, _, B1, B2 = case.data.moments()
    r = case.r
    while 2 * B1 * case.width * r**case.depth > B2:
        r /= 2
    return r


@general
def exponent_numeric(subject: str, context: Context) -> Evidence:
    """Differ log p of `StationaryDensity` from the claim's constant of integration."""

    def rows() -> Iterator[Row]:
        for point in context.draw(points(decay=False), 6, "exponent"):
            law = point.law()
            finite = math.isfinite(float(law.logpdf(point.beta[1] / point.beta[0])))
            yield point, float(finite), 1.0, 0.0

    if subject == "0":
        return Evidence(LAW, Verdict.NOT_APPLICABLE, "No density has that exponent.")
    return close_evidence(LAW, rows(), "whether $\\log p$ is finite inside")

"""D = 1: where the density has its mode, Eq. (16), and where it loses it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import sympy as sp

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import (
    EXACT,
    Balanced,
    general,
)
from verify._routes._stationary_density import (
    TWO_LABELS,
    M,
    N,
    T,
    a1,
    a2,
    a3,
    at_depth,
    b1,
    b2,
    gamma,
    v,
    zero_flux,
)
from verify._routes._stationary_moments import LAW, Row, close_evidence
from verify._routes._stationary_quadrature import Point, drawn_points
from verify._routes._stationary_zero import upward


MODE = "stationary points, symbolically"


@dataclass(frozen=True, slots=True)
class Mode:
    """Numbers in Eq. (16): v* = [√((β₁ − aα₂T)² + 4bα₁T(β₂ − 3α₃T)) − …]/(2bα₁T).

    Attributes:
        a: 10.
        b: 7.
    """

    a: Fraction = Fraction(10)
    b: Fraction = Fraction(7)


@general
def mode_symbolic(mode: Mode, context: Context) -> Evidence:
    """Put (16) into the numerator of p'/p, and expand it for small T."""
    del context
    a, b = sp.Rational(mode.a), sp.Rational(mode.b)
    R = sp.Symbol("R", positive=True)  # the root in (16)
    top = sp.numer(sp.together(zero_flux().subs({N: 2, gamma: 0}).subs(M, v)))
    third = sp.Symbol("alpha3", positive=True)
    linear = b1 - a * a2 * T
    claimed = (R - linear) / (2 * b * a1 * T)
    # β₂ is eliminated by R² = …, so that the identity is one of polynomials.
    level = (R**2 - linear**2) / (4 * b * a1 * T) + 3 * a3 * T
    value = sp.cancel(top.subs(b2, level).subs(v, claimed))
    speed = sp.Symbol("beta1", positive=True)
    printed = 10 * a2 * b2 / speed**2 - 7 * a1 * b2**2 / speed**3 - 3 * third / speed
    start = b2 / speed
    # (16) solves bα₁Tv² + (β₁ − aα₂T)v = β₂ − 3α₃T; the order T of it at v₀ + v₁T:
    first = -(b * a1 * start**2 - a * a2 * start + 3 * third) / speed
    return symbolic_evidence(
        MODE,
        [("$p' = 0$ at $v^*$", value, sp.S.Zero), ("small $T$", first, printed)],
        r"(16) against the zeros of $p'$",
        steps=(
            r"$-2TvQ\,p'/p = 7\alpha_1Tv^2 + (\beta_1 - 10\alpha_2T)v - (\beta_2 - "
            r"3\alpha_3T)$; the greater root is where $p'$ turns from $+$ to $-$.",
        ),
    )


@general
def mode_exact(mode: Mode, context: Context) -> Evidence:
    """Check (16) at rational v*, at the temperature that puts the maximum there."""

    def sides(drawn: Balanced) -> Sides | None:
        case = solved(_below_minimum(drawn))
        if case is None:
            return None
        A1, A2, A3, B1, B2 = case.data.moments()
        t, at = case.T, case.v
        slope = 2 * mode.b * A1 * t * at + B1 - mode.a * A2 * t  # the root in (16)
        inside = (B1 - mode.a * A2 * t) ** 2
        inside += 4 * mode.b * A1 * t * (B2 - 3 * A3 * t)
        # (16) names the greater root: its square root is ≥ 0.
        square = slope * slope if slope >= 0 else Fraction(-1)
        return Sides(inside, square, case=case)

    return drawn_evidence(
        EXACT,
        sides,
        at_depth(2),
        context,
        "(16) at a local maximum of p of the SDE of all weights",
        examples=(Balanced(TWO_LABELS, 2, 1, Fraction(1), Fraction(1)),),
        shown=("under the root of (16): {}", "{} for that maximum"),
    )


def _below_minimum(drawn: Balanced) -> Balanced:
    """Return the case at v < β₂/β₁, γ = 0, with a rational weight."""
    case = upward(replace(drawn, gamma=Fraction(0)))
    _, _, _, B1, B2 = case.data.moments()
    target = float(B2 / B1 / (1 + case.T)) / case.width
    r = Fraction(math.sqrt(target)).limit_denominator(16)
    return replace(case, r=r or Fraction(1, 16))


def solved(case: Balanced) -> Balanced | None:
    """Return the case with T chosen so that p'(v) = 0 > p'', if there is such a T > 0.

    At fixed v, p'/p from the weights is affine in 1/T.
    """
    cold, hot = (replace(case, T=t).log_slope() for t in (Fraction(1), Fraction(1, 2)))
    rise = hot - cold  # the coefficient of 1/T
    rest = cold - rise
    if not rise or not rest or -rise / rest <= 0:
        return None
    found = replace(case, T=-rise / rest)
    step = Fraction(1, 2**40)
    sides = [replace(found, r=found.r * q).log_slope() for q in (1 - step, 1 + step)]
    return found if sides[0] > 0 > sides[1] else None


@general
def mode_numeric(mode: Mode, context: Context) -> Evidence:
    """Compare (16) with `StationaryDensity.peak` below T_c/3."""
    a, b = float(mode.a), float(mode.b)

    def rows() -> Iterator[Row]:
        for drawn in drawn_points(context, "mode", deepest=2, decay=False):
            point = replace(drawn, T=drawn.T / 3)
            (A1, A2, A3), (B1, B2), t = point.alpha, point.beta, point.T
            linear = B1 - a * A2 * t
            root = math.sqrt(linear**2 + 4 * b * A1 * t * (B2 - 3 * A3 * t))
            # The root that does not cancel.
            at = (root - linear) / (2 * b * A1 * t)
            if linear > 0:
                at = 2 * (B2 - 3 * A3 * t) / (root + linear)
            yield point, float(point.law().peak()), at, 1e-6 * at

    return close_evidence(LAW, rows(), "the highest point against (16)")


# y = kx + ε, x ~ N(0, 1), Var ε = σ². The subject of `peak_*` is (a, b) in
# T* = (4k + √42 σ)/(4(aσ² − bk²)), that of `order_*` "strict" or "weak".


@general
def peak_symbolic(subject: tuple[int, int], context: Context) -> Evidence:
    """Check that the discriminant of (16) vanishes at T*."""
    del context
    k, z = sp.symbols("k z", positive=True)  # z = √42 σ
    sigma2 = z**2 / 42
    at = (4 * k + z) / (4 * (subject[0] * sigma2 - subject[1] * k**2))
    inside = (b1 - 10 * a2 * T) ** 2 + 28 * a1 * T * (b2 - 3 * sp.Symbol("alpha3") * T)
    data = {a1: 2, a2: 2 * k, sp.Symbol("alpha3"): 2 * k**2 + sigma2, b1: 1, b2: k}
    other = (4 * k - z) / (4 * (subject[0] * sigma2 - subject[1] * k**2))
    whole = sp.expand(inside.subs(data))
    product = (1 - T / at) * (1 - T / other)
    return symbolic_evidence(
        MODE,
        [("$y = kx + \\varepsilon$", whole, product)],
        r"the discriminant of (16) against $(1 - T/T^*)(1 - T/T')$",
        steps=(
            r"$1 + 16kT + (64k^2 - 168\sigma^2)T^2$ has the zeros $T^*$ and $T' = "
            r"(4k - "
            r"\sqrt{42}\sigma)/(4(21\sigma^2 - 8k^2)) < 0$ where $21\sigma^2 > 8k^2$.",
        ),
    )


@general
def peak_exact(subject: tuple[int, int], context: Context) -> Evidence:
    """Evaluate the discriminant at T* for rational k and √42σ, exactly."""

    def sides(case: Line) -> Sides:
        k, z = case.k, case.z
        bottom = subject[0] * z * z / 42 - subject[1] * k * k
        if bottom <= 0:
            return Sides(Fraction(0), Fraction(0), degenerate=True)
        t = (4 * k + z) / (4 * bottom)
        return Sides(case.inside(t), Fraction(0))

    return drawn_evidence(
        EXACT,
        sides,
        lines(),
        context,
        r"the discriminant of (16) at $T^*$",
        examples=(Line(Fraction(1), Fraction(14)),),
        shown=("a discriminant of {}", "{}"),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """y = kx + ε with Gaussian x: α = (2, 2k, 2k² + σ²), β = (1, k).

    Attributes:
        k: the slope, > 0.
        z: √42 σ > 0, rational.
    """

    k: Fraction
    z: Fraction

    @property
    def level(self) -> Fraction:
        """Return α₃."""
        return 2 * self.k**2 + self.z**2 / 42

    def inside(self, t: Fraction) -> Fraction:
        """Return what stands under the root of (16)."""
        slope = 1 - 20 * self.k * t
        return slope**2 + 56 * t * (self.k - 3 * self.level * t)

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {"k": str(self.k), "sqrt(42) sigma": str(self.z)}


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Draw k and √42σ with σ² > 8k²/21, so √42σ > 4k."""
    k = Fraction(draw(st.integers(1, 6)), draw(st.sampled_from((1, 2, 3))))
    factor = Fraction(draw(st.integers(17, 120)), 4)
    return Line(k, k * factor)


@general
def order_exact(subject: str, context: Context) -> Evidence:
    """Compare T_c/3 with T* for rational k and √42σ, exactly."""

    def sides(case: Line) -> Sides:
        k, z = case.k, case.z
        crossing = k / (3 * case.level)
        star = (4 * k + z) / (4 * (z * z / 2 - 8 * k * k))
        return Sides(crossing, star)

    return drawn_evidence(
        EXACT,
        sides,
        lines(),
        context,
        r"$T_c/3$ against $T^*$",
        examples=(Line(Fraction(1), Fraction(14)),),
        relation=Fraction.__lt__ if subject == "strict" else Fraction.__le__,
        shown=("T_c/3 = {}", "T* = {}"),
    )


@general
def order_symbolic(subject: str, context: Context) -> Evidence:
    """Write T* − T_c/3 as a square over positive numbers."""
    del context
    k, h = sp.symbols("k h", positive=True)  # √42σ = 4k + h
    z = 4 * k + h
    gap = (4 * k + z) / (4 * (z**2 / 2 - 8 * k**2)) - k / (3 * (2 * k**2 + z**2 / 42))
    square = (z - 14 * k) ** 2 / (2 * h * (z**2 + 84 * k**2))
    found = symbolic_evidence(
        MODE,
        [("$y = kx + \\varepsilon$", gap, square)],
        r"$T^* - T_c/3$ against $(z - 14k)^2/(2(z - 4k)(z^2 + 84k^2))$, "
        r"$z = \sqrt{42}\sigma$",
        steps=(
            r"It is a square over what is positive for $z > 4k$: never negative, and 0 "
            r"iff $z = 14k$, that is $3\sigma^2 = 14k^2$.",
        ),
    )
    if subject == "weak" or found.verdict is not Verdict.PROVED:
        return found
    at = {"k": "1", "sigma^2": "14/3", "T_c/3": "1/20"}
    witness = Witness(at, "T* - T_c/3 = 0", "greater than 0", exact=True)
    return Evidence(
        MODE,
        Verdict.REFUTED,
        r"$T^* - T_c/3$ is a square that vanishes at $3\sigma^2 = 14k^2$.",
        instances=1,
        counterexample=witness,
    )


# Whether there is a maximum at v > 0. The subject is "T*" (iff T < T*) or "both": for
# 3σ² ≥ 14k² iff T < T_c/3, else iff T < T*.


def _top(case: Line, subject: str) -> Fraction:
    """Return the temperature below which there is a maximum, as claimed."""
    if subject == "both" and 3 * case.z**2 >= 14 * 42 * case.k**2:
        return case.k / (3 * case.level)
    return (4 * case.k + case.z) / (4 * (case.z**2 / 2 - 8 * case.k**2))


_SHARES = tuple(Fraction(share, 20) for share in (3, 6, 8, 11, 15, 19))


@general
def range_exact(subject: str, context: Context) -> Evidence:
    """Count the sign changes of p' on v > 0, below T_c, exactly."""

    def sides(case: Line) -> Sides:
        seen = claimed = 0
        for t in _temperatures(case, subject):
            seen = 2 * seen + int(_has_maximum(case, t))
            claimed = 2 * claimed + int(t < _top(case, subject))
        return Sides(Fraction(seen), Fraction(claimed))

    return drawn_evidence(
        EXACT,
        sides,
        lines(),
        context,
        "whether there is a maximum, a bit for each of several temperatures",
        examples=(Line(Fraction(1), Fraction(42)),),
        shown=("maxima {}, in binary", "{}"),
    )


def _temperatures(case: Line, subject: str) -> list[Fraction]:
    """Return temperatures below T_c, some close to where the maximum should vanish."""
    critical, top = case.k / case.level, _top(case, subject)
    near = [top * Fraction(share, 1000) for share in (999, 1001)]
    found = [critical * share for share in _SHARES] + near
    return [t for t in found if t < critical]


def _has_maximum(case: Line, t: Fraction) -> bool:
    """Return whether p'/p turns from + to − at some v > 0.

    −2TvQ p'/p is the parabola 14T v² + (1 − 20kT)v + 3α₃T − k: p' > 0 just below its
    greater root iff that root is > 0 and single.
    """
    level, turn = 3 * case.level * t - case.k, 1 - 20 * case.k * t
    if level < 0:
        return True
    return case.inside(t) > 0 and turn < 0


@general
def range_numeric(subject: str, context: Context) -> Evidence:
    """Ask `StationaryDensity.peak` for a maximum at v > 0."""

    def rows() -> Iterator[Row]:
        count = max(4, context.profile.exact * 2 // 5)
        drawn = context.draw(lines(), count, "range of the peak")
        for case in (Line(Fraction(1), Fraction(42)), *drawn):
            k, level = float(case.k), float(case.level)
            temperatures = _temperatures(case, subject)
            point = Point(2, 1, (2.0, 2 * k, level), (1.0, k), 1.0)
            at_all = replace(point, T=np.array([float(t) for t in temperatures]))
            for t, top in zip(temperatures, at_all.law().peak(), strict=True):
                seen, claimed = math.isfinite(top), t < _top(case, subject)
                yield replace(point, T=float(t)), float(seen), float(claimed), 0.0

    return close_evidence(LAW, rows(), "whether there is a maximum")

"""Zero probability flux: the stationary density of the reduced equation of v.

The equation itself is derived twice: by counting derivatives, for every N and d, and
from the weights of a network on samples, in rationals.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

import hypothesis.strategies as st
import sympy as sp

from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import (
    DECAYS,
    EXACT,
    ONE,
    POSITIVE,
    TEMPERATURES,
    Balanced,
    Data,
    balanced_nets,
    data_sets,
    general,
)


ROUTE = "zero flux, symbolically"
v, M, T, N, d = sp.symbols("v M T N d", positive=True)
a1, a2, b1, b2, gamma = sp.symbols("alpha1 alpha2 beta1 beta2 gamma", real=True)
s = sp.Symbol("s", positive=True)  # √Δ
a3 = (s**2 + a2**2) / a1
Q = a1 * v**2 - 2 * a2 * v + a3


def total(f: sp.Expr) -> sp.Expr:
    """Return df/dv, where M = c v^{2D/N}."""
    return f.diff(v) + f.diff(M) * 2 * (N - 1) * M / (N * v)


@lru_cache(maxsize=1)
def reduced() -> tuple[sp.Expr, sp.Expr]:
    """Return drift and variance of v where all weights are r > 0, by counting.

    ∂v/∂u = r^{N−1} for each of the dN weights, ∂²v = r^{N−2} for each of the dN(N−1)
    ordered pairs in one product; every weight moves by −r^{N−1}(2(β₁v − β₂)dt −
    2√(TQ)dW) − 2γr dt with the same dW. Then v = d rᴺ, M = d r^{2D} = v²/(d r²).
    """
    r = sp.Symbol("r", positive=True)
    per_product = v / d  # r^N
    slope, bend = per_product / r, per_product / r**2
    weights, pairs = d * N, d * N * (N - 1)
    noise = 4 * T * Q * slope**2
    drift = weights * slope * (-2 * (b1 * v - b2) * slope - 2 * gamma * r)
    drift += pairs * bend * noise / 2
    variance = (weights * slope) ** 2 * 4 * T * Q * slope**2
    in_M = {r: v / sp.sqrt(d * M)}
    return sp.cancel(drift.subs(in_M)), sp.cancel(variance.subs(in_M))


@lru_cache(maxsize=1)
def zero_flux() -> sp.Expr:
    """Return p'/p = (2a − dB²/dv)/B²."""
    drift, variance = reduced()
    return sp.cancel((2 * drift - total(variance)) / variance)


@dataclass(frozen=True, slots=True)
class Law:
    """A claimed density, p ∝ v^{−κD/N} Q^{−q} exp[−(π/T) ∫ (β₁v − β₂ + γw)/(NMQ)].

    Attributes:
        power: κ.
        noise: q.
        pull: π.
        decay: "derived", w = v/M, or "shifted", w = 1: β₂ − γ in place of β₂.
        depths: the least and the greatest N.
    """

    power: Fraction = Fraction(3)
    noise: Fraction = ONE
    pull: Fraction = ONE
    decay: str = "derived"
    depths: tuple[int, int] = (1, 4)

    @staticmethod
    def says() -> tuple[str, ...]:
        """Return what the formula holds; the depths are where it is looked at."""
        return "power", "noise", "pull", "decay"


@general
def flux_symbolic(law: Law, context: Context) -> Evidence:
    """Compare p'/p with zero flux, N and d free, or at the one N meant."""
    del context
    low, high = law.depths
    at = {N: low, M: v} if low == high == 2 else {N: low} if low == high else {}
    weight = v / M if law.decay == "derived" else sp.S.One
    claimed = (
        -sp.Rational(law.power) * (N - 1) / (N * v)
        - sp.Rational(law.noise) * Q.diff(v) / Q
        - sp.Rational(law.pull) * (b1 * v - b2 + gamma * weight) / (N * M * T * Q)
    )
    rows = [("any $N$ and $d$", claimed.subs(at), zero_flux().subs(at))]
    return symbolic_evidence(
        ROUTE,
        rows,
        r"$p'/p$ against zero flux of the equation of $v$",
        steps=(
            r"On $|u_i^{(k)}| = r$, $v = dr^N$ and $M = cv^{2D/N} = dr^{2D}$: "
            r"$dv = [-2NM(\beta_1v - \beta_2) - 2N\gamma v + 2NDTQM^2/v]dt + "
            r"2NM\sqrt{TQ}\,dW$, by counting derivatives.",
            r"Zero flux: $(\log p)' = (2a - (B^2)')/B^2$, with $M' = 2DM/(Nv)$.",
        ),
    )


def _slope(law: Law, case: Balanced) -> Fraction:
    """Return the p'/p claimed, from the moments of the samples."""
    A1, A2, A3, B1, B2 = case.data.moments()
    at, speed, n = case.v, case.speed(), case.depth
    noise = A1 * at * at - 2 * A2 * at + A3
    weight = at / speed if law.decay == "derived" else ONE
    pull = (B1 * at - B2 + case.gamma * weight) / (n * speed * case.T * noise)
    turn = (2 * A1 * at - 2 * A2) / noise
    return -law.power * (n - 1) / (n * at) - law.noise * turn - law.pull * pull


@general
def flux_exact(law: Law, context: Context) -> Evidence:
    """Compare p'/p with zero flux of the SDE of all weights, on drawn samples."""

    def sides(case: Balanced) -> Sides:
        return Sides(case.log_slope(), _slope(law, case))

    low, high = law.depths
    strategy = balanced_nets().filter(lambda case: low <= case.depth <= high)
    if low == high:
        strategy = at_depth(low)
    return drawn_evidence(
        EXACT,
        sides,
        strategy,
        context,
        r"$p'/p$ against zero flux of the SDE of all weights",
        examples=tuple(e for e in _EXAMPLES if low <= e.depth <= high),
        shown=("p'/p = {} from zero flux", "{} as claimed"),
    )


TWO_LABELS = Data(((ONE, Fraction(4)), (ONE, Fraction(0)), (Fraction(0), ONE)))
_EXAMPLES = (
    Balanced(TWO_LABELS, 3, 1, Fraction(2), ONE, ONE),
    Balanced(TWO_LABELS, 2, 1, Fraction(3), ONE, ONE),
    Balanced(TWO_LABELS, 1, 1, Fraction(3), ONE, ONE),
)


def at_depth(depth: int) -> st.SearchStrategy[Balanced]:
    """Draw balanced networks of one depth."""
    widths = st.integers(1, 3)
    return st.builds(
        partial(_built, depth), data_sets(), widths, POSITIVE, TEMPERATURES, DECAYS
    )


def _built(
    depth: int, data: Data, width: int, r: Fraction, at: Fraction, decay: Fraction
) -> Balanced:
    return Balanced(data, depth, width, r, at, decay)


# Closed forms.


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed form, with numbers in it that may be altered.

    Attributes:
        kind: "D = 1", "D = 0" or "deep" (D → ∞ with d/D fixed).
        power: of 1/v, apart from what depends on T: 3/2, and 3 for "deep".
        noise: of 1/Q, likewise.
        turn: factor of the arctan.
    """

    kind: str
    power: Fraction = Fraction(3, 2)
    noise: Fraction = ONE
    turn: Fraction = ONE

    def says(self) -> tuple[str, ...]:
        """Return what the formula holds; with D = 0 no power of v."""
        return ("noise", "turn") if self.kind == "D = 0" else ("power", "noise", "turn")


def logarithm(form: Closed) -> sp.Expr:
    """Return log p as printed, with √Δ = s; "deep": d stands for d/D."""
    arc = sp.Rational(form.turn) * sp.atan((a1 * v - a2) / s)
    power, noise = sp.Rational(form.power), sp.Rational(form.noise)
    shifted = b2 - gamma
    if form.kind == "D = 1":
        along = (a3 * b1 - a2 * shifted) / (a3 * s)
        return (
            (shifted / (2 * a3 * T) - power) * sp.log(v)
            - (noise + shifted / (4 * T * a3)) * sp.log(Q)
            - along * arc / (2 * T)
        )
    if form.kind == "D = 0":
        stiff = b1 + gamma / d
        along = (a2 * stiff - a1 * b2) / (a1 * s)
        return -(noise + stiff / (2 * T * d * a1)) * sp.log(Q) - along * arc / (d * T)
    k1 = d * (a3 * b1 - 2 * a2 * b2) / (T * a3**2)
    along = (a2 * a3 * b1 - 2 * a2**2 * b2 + a1 * a3 * b2) / (a3**2 * s)
    return (
        -(power + k1) * sp.log(v)
        - (noise - k1 / 2) * sp.log(Q)
        - d / T * (b2 / (a3 * v) + along * arc)
    )


@general
def closed_symbolic(form: Closed, context: Context) -> Evidence:
    """Differentiate the printed logarithm and compare with zero flux."""
    del context
    if form.kind == "D = 1":
        flux = zero_flux().subs({N: 2}).subs(M, v)
    elif form.kind == "D = 0":
        flux = zero_flux().subs({N: 1}).subs(M, d)
    else:
        flux = deep_flux()
    rows = [(form.kind, logarithm(form).diff(v), flux)]
    return symbolic_evidence(
        ROUTE,
        rows,
        r"the derivative of the printed $\log p$ against zero flux",
        steps=(
            r"$\frac{d}{dv}\arctan\frac{\alpha_1v - \alpha_2}{\sqrt\Delta} = "
            r"\sqrt\Delta/Q$, since $\Delta + (\alpha_1v - \alpha_2)^2 = "
            r"\alpha_1Q$.",
        ),
    )


def deep_flux() -> sp.Expr:
    """Return lim p'/p for N → ∞ with d = κD, γ = 0, written with d for κ.

    M = v^{2−2/N}d^{2/N−1}, so that NM → v²/κ.
    """
    x = sp.Symbol("x", positive=True)  # 1/N
    scaled = zero_flux().subs(gamma, 0).subs(M, v**2 * x / d).subs(N, 1 / x)
    return sp.cancel(sp.limit(sp.cancel(scaled), x, 0))


@general
def closed_exact(form: Closed, context: Context) -> Evidence:
    """Compare the slope of the printed logarithm with the SDE of all weights."""
    depth = {"D = 1": 2, "D = 0": 1}[form.kind]

    def sides(case: Balanced) -> Sides:
        return Sides(case.log_slope(), _closed_slope(form, case))

    return drawn_evidence(
        EXACT,
        sides,
        at_depth(depth),
        context,
        r"the slope of the printed $\log p$ against the SDE of all weights",
        examples=tuple(e for e in _EXAMPLES if e.depth == depth),
        shown=("p'/p = {} from zero flux", "{} as printed"),
    )


def _closed_slope(form: Closed, case: Balanced) -> Fraction:
    A1, A2, A3, B1, B2 = case.data.moments()
    x, t = case.v, case.T
    noise = A1 * x * x - 2 * A2 * x + A3
    turn = (2 * A1 * x - 2 * A2) / noise
    if form.kind == "D = 1":
        rest = B2 - case.gamma
        power = rest / (2 * A3 * t) - form.power
        along = (A3 * B1 - A2 * rest) / (2 * t * A3 * noise)
        return power / x - (form.noise + rest / (4 * t * A3)) * turn - form.turn * along
    stiff, t = B1 + case.gamma / case.width, t * case.width
    along = (A2 * stiff - A1 * B2) / (t * A1 * noise)
    return -(form.noise + stiff / (2 * t * A1)) * turn - form.turn * along


@general
def interpolated_symbolic(power: Fraction, context: Context) -> Evidence:
    """Differentiate the printed density for y = kx and compare with zero flux.

    Args:
        power: that of |v − k|, apart from what depends on T; −2.
        context: unused.

    Returns:
        PROVED, or REFUTED.
    """
    del context
    k = sp.Symbol("k", positive=True)
    flat = {s: 0, b2: k * b1, gamma: 0}
    flux = zero_flux().subs({N: 2}).subs(M, v).subs(flat).subs(a2, k * a1)
    extra = b1 / (2 * T * a1 * k)
    printed = (extra - sp.Rational(3, 2)) / v + (sp.Rational(power) - extra) / (v - k)
    return symbolic_evidence(
        ROUTE,
        [("$y = kx$", printed, sp.cancel(flux))],
        r"the slope of the printed $\log p$ against zero flux",
        steps=(
            r"$\alpha_2 = k\alpha_1$, $\alpha_3 = k^2\alpha_1$, $\beta_2 = k\beta_1"
            r"$: $Q = \alpha_1(v - k)^2$.",
        ),
    )


@general
def interpolated_exact(power: Fraction, context: Context) -> Evidence:
    """Compare the printed slope with the SDE of all weights, on drawn y = kx."""

    def sides(case: Balanced) -> Sides | None:
        k = case.data.samples[0][1] / case.data.samples[0][0]
        A1, _, _, B1, _ = case.data.moments()
        if case.v == k:
            return None
        extra = B1 / (2 * case.T * A1 * k)
        printed = (extra - Fraction(3, 2)) / case.v + (power - extra) / (case.v - k)
        return Sides(case.log_slope(), printed)

    return drawn_evidence(
        EXACT,
        sides,
        fitted(),
        context,
        r"the slope of the printed $\log p$ against the SDE of all weights",
        shown=("p'/p = {} from zero flux", "{} as printed"),
    )


@st.composite
def fitted(draw: st.DrawFn) -> Balanced:
    """Draw y = kx with two different x² at least, D = 1, γ = 0."""
    k = draw(POSITIVE)
    inputs = draw(st.lists(POSITIVE, min_size=2, max_size=4, unique=True))
    data = Data(tuple((x, k * x) for x in inputs))
    rest = draw(st.integers(1, 3)), draw(POSITIVE), draw(TEMPERATURES)
    return Balanced(data, 2, *rest)


@general
def divergence_at_fit(power: Fraction, context: Context) -> Evidence:
    """Show that |v − k|^{power − β₁/(2Tα₁k)} is not integrable at k: its power ≤ −1."""
    del context
    extra = sp.Symbol("e", positive=True)  # β₁/(2Tα₁k)
    room = -1 - (sp.Rational(power) - extra)
    if room.is_positive:
        return Evidence(
            "power at the fit",
            Verdict.PROVED,
            r"The power of $|v - k|$ is below $-1$ at every $T$: no normalisation.",
            instances=1,
        )
    return Evidence(
        "power at the fit",
        Verdict.INCONCLUSIVE,
        r"The power of $|v - k|$ is not seen to be below $-1$ at every $T$.",
    )

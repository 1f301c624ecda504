"""Pairs of weights and of products: rates, the least noise, and what is stationary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import sympy as sp

from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import (
    EXACT,
    ONE,
    POSITIVE,
    SMALL,
    TEMPERATURES,
    ZERO,
    Data,
    Net,
    covariance,
    general,
    mean,
    nets,
    without,
)


PAIR = "Itô's formula, symbolically"


@dataclass(frozen=True, slots=True)
class Rate:
    """d(u² − w²)/dt = −(noise·T C₀ + decay·γ)(u² − w²)."""

    noise: Fraction = ONE
    decay: Fraction = Fraction(4)


@general
def rate_symbolic(rate: Rate, context: Context) -> Evidence:
    """Apply the generator to u² − w² for any loss of the product uw."""
    del context
    u, w, mean_slope = sp.symbols("u w m", real=True)
    T, C0, gamma = sp.symbols("T C0 gamma", nonnegative=True)
    drift = (-mean_slope * w - 2 * gamma * u, -mean_slope * u - 2 * gamma * w)
    noise = T * C0  # of ∂ℓ/∂(uw); ∇ℓ = ∂ℓ/∂(uw)·(w, u)
    found = 2 * u * drift[0] - 2 * w * drift[1] + noise * (w**2 - u**2)
    claimed = -(sp.Rational(rate.noise) * T * C0 + sp.Rational(rate.decay) * gamma)
    return symbolic_evidence(
        PAIR,
        [("any $\\ell(uw)$", found, claimed * (u**2 - w**2))],
        r"the drift of $u^2 - w^2$",
        steps=(
            r"$\nabla\ell = \ell'(uw)\,(w, u)$: the drift of $u^2$ is $-2uw\,E\ell' - "
            r"4\gamma u^2 + TC_0w^2$, that of $w^2$ $-2uw\,E\ell' - 4\gamma w^2 + "
            r"TC_0u^2$.",
            r"The noise of $u^2 - w^2$ is $2u\cdot w - 2w\cdot u = 0$.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Single:
    """ℓ = (uw x − y)² + (uw x)³ on samples, with T and γ."""

    data: Data
    u: Fraction
    w: Fraction
    T: Fraction
    gamma: Fraction

    def slopes(self) -> list[Fraction]:
        """Return dℓ/d(uw), sample by sample."""
        p = self.u * self.w
        return [2 * x * (p * x - y) + 3 * x**3 * p**2 for x, y in self.data.samples]

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        values = {"u": self.u, "w": self.w, "T": self.T, "gamma": self.gamma}
        return {**self.data.describe(), **{k: str(a) for k, a in values.items()}}


_ROWS = st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=4)
_SINGLES = st.builds(
    Single,
    st.builds(lambda rows: Data(tuple(rows)), _ROWS),
    SMALL,
    SMALL,
    TEMPERATURES,
    st.sampled_from((ZERO, ONE, Fraction(1, 3))),
)
_STILL = Single(Data(((ZERO, ZERO),)), Fraction(2), ONE, ONE, ONE)


@general
def rate_exact(rate: Rate, context: Context) -> Evidence:
    """Move u² and w² by Itô's formula with the gradients of drawn samples."""

    def square(case: Single, own: Fraction, other: Fraction) -> Fraction:
        gradients = [g * other for g in case.slopes()]
        pull = mean(gradients) + 2 * case.gamma * own
        return -2 * own * pull + case.T * covariance(gradients, gradients)

    def sides(case: Single) -> Sides:
        moved = square(case, case.u, case.w) - square(case, case.w, case.u)
        C0 = covariance(case.slopes(), case.slopes())
        gap = case.u**2 - case.w**2
        factor = rate.noise * case.T * C0 + rate.decay * case.gamma
        return Sides(moved, -factor * gap, degenerate=not gap)

    return drawn_evidence(
        EXACT,
        sides,
        _SINGLES,
        context,
        r"the drift of $u^2 - w^2$",
        examples=(_STILL,),
        shown=("u^2 - w^2 moves at {}", "{}"),
    )


# min C = number·Δ/α₁ᵏ, C(v) = Var dℓ/dv. The subject is (number, k).


@general
def least_symbolic(subject: tuple[int, int], context: Context) -> Evidence:
    """Complete the square of C(v) = 4Q(v)."""
    del context
    a1 = sp.Symbol("alpha1", positive=True)
    a2, a3, v = sp.symbols("alpha2 alpha3 v", real=True)
    C = 4 * (a1 * v**2 - 2 * a2 * v + a3)
    least = subject[0] * (a1 * a3 - a2**2) / a1 ** subject[1]
    return symbolic_evidence(
        "completing the square",
        [("any moments", C, 4 * a1 * (v - a2 / a1) ** 2 + least)],
        r"$C(v)$ against $4\alpha_1(v - \alpha_2/\alpha_1)^2 + \min C$",
    )


@general
def least_exact(subject: tuple[int, int], context: Context) -> Evidence:
    """Compare with the least variance of the slopes of drawn samples."""

    def sides(case: Data) -> Sides | None:
        x2 = [x * x for x, _ in case.samples]
        xy = [x * y for x, y in case.samples]
        A1, A2, A3 = covariance(x2, x2), covariance(x2, xy), covariance(xy, xy)
        if not A1:
            return None
        seen = [
            covariance(case.slopes(v), case.slopes(v))
            for v in (A2 / A1, A2 / A1 + Fraction(1, 8), A2 / A1 - Fraction(1, 8))
        ]
        if min(seen) != seen[0]:
            return Sides(min(seen), seen[0])
        claimed = subject[0] * (A1 * A3 - A2 * A2) / A1 ** subject[1]
        return Sides(seen[0], claimed, degenerate=not claimed)

    rows = st.lists(st.tuples(SMALL, SMALL), min_size=3, max_size=5)
    return drawn_evidence(
        EXACT,
        sides,
        st.builds(lambda drawn: Data(tuple(drawn)), rows),
        context,
        r"$\min_vC(v)$",
        examples=(_FOUR,),
        shown=("least variance {}", "{}"),
    )


_FOUR = Data(((ONE, ONE), (ONE, -ONE), (ZERO, ZERO), (ZERO, ZERO)))


# |u² − w²| falls at least at the rate number·TΔ/α₁ + decay·γ. The subject is both.


@general
def bound_symbolic(subject: tuple[int, int], context: Context) -> Evidence:
    """Write the rate less the bound as a square."""
    del context
    a1 = sp.Symbol("alpha1", positive=True)
    T, gamma = sp.symbols("T gamma", positive=True)
    a2, a3, v, x, w = sp.symbols("alpha2 alpha3 v x w", real=True)
    slope = sp.Symbol("m", real=True)
    noise = 4 * (a1 * v**2 - 2 * a2 * v + a3)
    moved = 2 * x * (-slope * w - 2 * gamma * x) + T * noise * w**2
    moved -= 2 * w * (-slope * x - 2 * gamma * w) + T * noise * x**2
    bound = subject[0] * T * (a1 * a3 - a2**2) / a1 + subject[1] * gamma
    room = 4 * T * a1 * (v - a2 / a1) ** 2
    return symbolic_evidence(
        PAIR,
        [("any pair", moved, -(bound + room) * (x**2 - w**2))],
        r"the drift of $u_i^2 - w_i^2$ against the bound and a square",
        steps=(
            r"$\frac{d}{dt}(u_i^2 - w_i^2) = -4[TQ(v) + \gamma](u_i^2 - w_i^2)$, "
            r"without noise, and $Q \ge \Delta/\alpha_1$: Grönwall.",
        ),
    )


@general
def bound_exact(subject: tuple[int, int], context: Context) -> Evidence:
    """Compare the rate on drawn networks with the bound, at v = α₂/α₁ and elsewhere."""

    def sides(drawn: Net) -> Sides | None:
        A1, A2, A3, _, _ = drawn.data.moments()
        case = _at_least_noise(drawn, A2 / A1)
        gap = case.u[0][0] ** 2 - case.u[0][1] ** 2
        if not gap:
            return None
        moved = case.square_rate(0, 0) - case.square_rate(0, 1)
        bound = subject[0] * case.T * (A3 - A2 * A2 / A1) + subject[1] * case.gamma
        return Sides(-moved / gap, bound, case=case)

    return drawn_evidence(
        EXACT,
        sides,
        nets(depth=2),
        context,
        r"the rate of $|u_i^2 - w_i^2|$ against the bound",
        examples=(_NOISY,),
        relation=Fraction.__ge__,
        shown=("a rate of {}", "at least {}"),
    )


_NOISY = Net(_FOUR, ((Fraction(2), ONE),), ONE, ZERO)


def _at_least_noise(drawn: Net, v: Fraction) -> Net:
    """Return the network with a further product, so that its output is v."""
    return replace(drawn, u=(*drawn.u, (ONE, v - drawn.v())))


# Theorem 4.1. The subject is the third alternative, "L = 0" or "Q = 0".


@dataclass(frozen=True, slots=True)
class Rest:
    """A network at which every per-sample gradient vanishes.

    Attributes:
        net: the network.
    """

    net: Net

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return self.net.describe()


@st.composite
def at_rest(draw: st.DrawFn) -> Rest:
    """Draw a network with y = vx on the samples with x ≠ 0, and any y where x = 0."""
    depth = draw(st.integers(2, 4))
    row = st.tuples(*[SMALL.filter(bool)] * depth)
    rows = tuple(draw(st.lists(row, min_size=2, max_size=3)))
    v = sum(map(without, rows), ZERO)
    inputs = draw(st.lists(POSITIVE, min_size=1, max_size=3))
    idle = draw(st.lists(SMALL, min_size=0, max_size=2))
    samples = [(x, v * x) for x in inputs] + [(ZERO, y) for y in idle]
    return Rest(Net(Data(tuple(samples)), rows, draw(POSITIVE)))


@general
def rest_exact(subject: str, context: Context) -> Evidence:
    """Look for networks at rest, with opposite signs, that escape the alternatives."""

    def sides(case: Rest) -> Sides | None:
        net = case.net
        drifts, joint = net.rates()
        if any(drifts) or any(map(any, joint)):
            return None  # not at rest
        products = net.products()
        if all(p * q > 0 for p in products for q in products):
            return None
        slopes = net.data.slopes(net.v())
        third = net.loss() if subject == "L = 0" else covariance(slopes, slopes) / 4
        return Sides(third, ZERO)

    return drawn_evidence(
        EXACT,
        sides,
        at_rest(),
        context,
        "the third alternative, at rest with opposite signs",
        examples=(_IDLE,),
        shown=("the third alternative needs {}", "{}"),
    )


_IDLE = Rest(Net(Data(((ONE, ZERO), (ZERO, ONE))), ((ONE, ONE), (ONE, -ONE)), ONE))


@general
def rest_symbolic(subject: str, context: Context) -> Evidence:
    """Follow h(vᵢ), h' = |v|^{−2D/N}, for a pair of products, N free.

    Args:
        subject: "L = 0" is put to the family x = 1, y = k or x = 0, y = b, at v = k.
        context: unused.

    Returns:
        PROVED, or REFUTED.
    """
    del context
    if subject == "L = 0":
        k, b, v = sp.symbols("k b v", real=True)
        loss = ((v - k) ** 2 + b**2) / 2
        spread = v**2 / 4 - 2 * v * k / 4 + k**2 / 4  # Q, from the four moments
        at_rest_loss = loss.subs(v, k)
        rows = [("$Q(k)$", spread.subs(v, k), sp.S.Zero)]
        rows.append(("$L$ where $Q = 0$", at_rest_loss, sp.S.Zero))
        return symbolic_evidence(PAIR, rows, r"$L$ at rest")
    return symbolic_evidence(
        PAIR,
        _pair_rows(),
        r"the drift of $h(v_i) \mp h(v_j)$",
        steps=(
            r"$dv_i = N|v_i|^{2D/N}dX + 2ND\,TQ\,\mathrm{sgn}(v_i)|v_i|^{3-4/N}dt$ "
            r"with "
            r"the same $dX$ for all $i$; $h'(v) = |v|^{-2D/N}$, $g = |v|^{1-2/N}$.",
            r"Then $dh(v_i) = N\,dX - 2ND\,TQ\,\mathrm{sgn}(v_i)\,g_i\,dt$. $N = 2$: "
            r"$h = \mathrm{sgn}\log|v|$, $g = 1$: equal signs conserve $\log|v_i| - "
            r"\log|v_j|$; opposite signs have $d(\log|v_i| + \log|v_j|) = -8TQ\,dt$, "
            r"so that one of them tends to 0 unless $\int Q\,dt < \infty$.",
            r"$N > 2$: $z = 1/g_j - 1/g_i$ has $\dot z = -2D(N - 2)TQg_ig_jz$ for "
            r"equal signs; for opposite signs $1/g_i + 1/g_j$ grows at "
            r"$2D(N - 2)TQ(g_i + g_j)$. At stationarity $|v_i| = |v_j|$, or one is 0, "
            r"or $Q = 0$.",
        ),
    )


def _pair_rows() -> list[tuple[str, sp.Expr, sp.Expr]]:
    N, TQ, v = sp.symbols("N TQ v", positive=True)
    g = sp.Symbol("g", positive=True)  # v^{1 − 2/N}; |v|^{2D/N} = v g
    D, speed = N - 1, v * g
    slope = 1 / speed
    # d/dv of 1/(vg), with g' = (1 − 2/N) g/v.
    bend = sp.diff(slope, v) + sp.diff(slope, g) * (1 - 2 / N) * g / v
    ito = slope * 2 * N * D * TQ * speed**2 / v + bend * (N * speed) ** 2 * 4 * TQ / 2
    # h = −N/((N − 2)g) for N > 2, since (1/g)' = −(1 − 2/N)/(vg).
    inverse = sp.diff(1 / g, g) * (1 - 2 / N) * g / v
    gi, gj = sp.symbols("g_i g_j", positive=True)
    drift = ito.subs(g, gi) - ito.subs(g, gj)
    z = 1 / gj - 1 / gi
    rows: list[tuple[str, Any, Any]] = [
        ("drift of $h$", ito, -2 * N * D * TQ * g),
        ("$h$ itself", -N / (N - 2) * inverse, slope),
        ("equal signs", (N - 2) / N * drift, -2 * D * (N - 2) * TQ * gi * gj * z),
        ("$D = 1$", drift.subs(N, 2).subs({gi: 1, gj: 1}), sp.S.Zero),
    ]
    return rows


@general
def pair_exact(subject: str, context: Context) -> Evidence:
    """Check the drifts of products on networks with balanced factors, exactly.

    Args:
        subject: only "Q = 0" is about it.
        context: profile and streams.

    Returns:
        SUPPORTED, or REFUTED: for N = 2, |uᵢ| = |wᵢ|, by Itô's formula with the rates
        of the weights' SDE.
    """
    if subject == "L = 0":
        return Evidence(EXACT, Verdict.NOT_APPLICABLE, "This route is about $Q = 0$.")

    def sides(net: Net) -> Sides:
        drifts, joint = net.rates()
        first, second = net.products()
        logs = [
            drifts[i] / p - joint[i][i] / (2 * p * p)
            for i, p in enumerate((first, second))
        ]
        slopes = net.data.slopes(net.v())
        if first * second > 0:
            return Sides(logs[0] - logs[1], ZERO)
        return Sides(logs[0] + logs[1], -2 * net.T * covariance(slopes, slopes))

    return drawn_evidence(
        EXACT,
        sides,
        balanced_pairs(),
        context,
        r"the drift of $\log|v_i| \mp \log|v_j|$, $N = 2$",
    )


@st.composite
def balanced_pairs(draw: st.DrawFn) -> Net:
    """Draw two products with |uᵢ| = |wᵢ|, on any samples, γ = 0."""
    rows = []
    for _ in range(2):
        u = draw(POSITIVE)
        rows.append((u, u * draw(st.sampled_from((-1, 1)))))
    samples = draw(st.lists(st.tuples(SMALL, SMALL), min_size=2, max_size=4))
    return Net(Data(tuple(samples)), tuple(rows), draw(TEMPERATURES))

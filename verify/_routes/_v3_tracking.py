"""Routes for P1 v3, Lemma B.5 and Theorem 4.5: how C follows a target C* that moves.

dC* = μ dt + s dW and Ċ = −κ(C − C*) with a rate κ(t) ≥ k = σ²c₀ > 0. X = C − C* has
dX = −(κX + μ)dt − s dW.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import Verdict, Witness, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._scope import THEORY, only_about
from verify._statistics import hoeffding_radius


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pursuit:
    """A target and a piecewise constant rate; moments are exact rationals.

    Attributes:
        drift: μ.
        spread: s² ≥ 0.
        floor: k, the least rate.
        pieces: (κ, ρ) with κ ≥ k and ρ = e^{−κτ} in (0, 1), τ the length of the piece.
        start: X at time 0.
        reversion: ν in dC* = (μ − νC*)dt + s dW; 0 in the statement.
    """

    drift: Fraction
    spread: Fraction
    floor: Fraction
    pieces: tuple[tuple[Fraction, Fraction], ...]
    start: Fraction = Fraction(0)
    reversion: Fraction = Fraction(0)

    def second_moments(self) -> tuple[Fraction, ...]:
        """Return E X² at the end of each piece, from the exact Gaussian transition."""
        mean, variance, found = self.start, Fraction(0), []
        for kappa, rho in self.pieces:
            mean = rho * mean - self.drift / kappa * (1 - rho)
            variance = rho**2 * variance + self.spread / (2 * kappa) * (1 - rho**2)
            found.append(mean**2 + variance)
        return tuple(found)

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        rates = ", ".join(
            f"rate {kappa} until exp(-rate*tau) = {rho}" for kappa, rho in self.pieces
        )
        return {
            "mu": str(self.drift),
            "s^2": str(self.spread),
            "k = sigma2*c_0": str(self.floor),
            "X(0)": str(self.start),
            "rates": rates,
        }


_SIZES = sorted({Fraction(n, d) for n in range(7) for d in (1, 2, 3)})


@st.composite
def pursuits(draw: st.DrawFn) -> Pursuit:
    """Draw μ, s, k and up to five pieces with rates k or more."""
    size = st.sampled_from(_SIZES)
    k = draw(st.sampled_from(_SIZES[1:]))
    shrink = st.sampled_from([Fraction(n, 8) for n in range(1, 8)])
    piece = st.tuples(size.map(lambda extra: k + extra), shrink)
    return Pursuit(
        draw(size) * draw(st.sampled_from((1, -1))),
        draw(size),
        k,
        tuple(draw(st.lists(piece, min_size=1, max_size=5))),
    )


# B.5. The subject is (a, b, c) in a·μ²/k² + b·s²/k^c.


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What E X² is claimed to stay below from X(0) = 0 on: a·μ²/k² + b·s²/k^c."""

    of_drift: Fraction
    of_spread: Fraction
    power: int

    @staticmethod
    def implies(other: Ceiling) -> bool:
        """Return whether the other holds, too.

        With constant coefficients E X² rises to μ²/k² + s²/2k: what is above is true.
        """
        half = Fraction(1, 2)
        return other.power == 1 and other.of_drift >= 1 and other.of_spread >= half

    def at(self, drift: sp.Expr, spread: sp.Expr, k: sp.Expr) -> sp.Expr:
        """Return the ceiling in sympy."""
        a, b = (
            sp.Rational(v.numerator, v.denominator)
            for v in (self.of_drift, self.of_spread)
        )
        return a * drift**2 / k**2 + b * spread / k**self.power


PRINTED = Ceiling(Fraction(1), Fraction(1, 2), 2)
CORRECTED = Ceiling(Fraction(1), Fraction(1), 1)


@only_about(THEORY)
def ceiling_exact(subject: Ceiling, context: Context) -> Evidence:
    """Follow E X² piece by piece, from X(0) = 0, and compare with the ceiling."""
    route = "exact moments"

    def sides(case: Pursuit) -> Sides:
        k = case.floor
        bound = subject.of_drift * case.drift**2 / k**2
        bound += subject.of_spread * case.spread / k**subject.power
        top = max(case.second_moments())
        return Sides(top, bound, degenerate=not top)

    one, eight = Fraction(1), Fraction(8)
    long = Fraction(1, 10**3)
    return drawn_evidence(
        route,
        sides,
        pursuits(),
        context,
        r"$E(C - C^*)^2$ against its bound",
        examples=tuple(
            Pursuit(mu, spread, k, ((k, long),))
            for mu, spread, k in (
                (0 * one, one, eight),
                (0 * one, one, one / 8),
                (one, 0 * one, one),
                (one, one, one),
            )
        ),
        relation=Fraction.__le__,
        shown=("E(C - C*)^2 = {}", "at most {}"),
    )


@only_about(THEORY)
def ceiling_symbolic(subject: Ceiling, context: Context) -> Evidence:
    """Apply Itô's lemma to X² and look at the drift of E X² on the ceiling.

    With m = E X², ṁ ≤ −2km + 2|μ|√m + s². The ceiling holds if this is ≤ 0 at it. Where
    κ = k throughout, m tends to μ²/k² + s²/2k, which refutes a ceiling below it.

    Returns:
        The evidence.
    """
    route = "Itô's lemma"
    X, kappa = sp.symbols("X kappa", real=True)
    k, mu = sp.symbols("k mu", positive=True)
    s2 = sp.Symbol("s2", nonnegative=True)
    square = X**2
    drift = square.diff(X) * -(kappa * X + mu) + s2 * square.diff(X, 2) / 2
    claimed = -2 * kappa * square - 2 * mu * X + s2
    if compare(drift, claimed).verdict is not Verdict.PROVED:
        return Evidence(route, Verdict.INCONCLUSIVE, "another drift than expected")
    settled = mu**2 / k**2 + s2 / (2 * k)  # the zero of the moments' flow at κ = k
    ceiling = subject.at(mu, s2, k)
    for point in _POINTS:
        values = dict(zip((mu, s2, k), point, strict=True))
        left, right = settled.subs(values), ceiling.subs(values)
        if left > right:
            shown = {"mu": str(point[0]), "s^2": str(point[1]), "k": str(point[2])}
            return Evidence(
                route,
                Verdict.REFUTED,
                "With κ = k the moments settle above the bound.",
                instances=1,
                counterexample=Witness(
                    shown, f"E X^2 -> {left}", f"at most {right}", exact=True
                ),
            )
    return _on_the_ceiling(route, ceiling, mu, s2, k)


_POINTS = tuple(
    (sp.S(a), sp.S(b), sp.S(c))
    for a, b, c in ((0, 1, 8), (0, 1, sp.Rational(1, 8)), (1, 0, 1), (1, 1, 1))
)


def _on_the_ceiling(
    route: str, ceiling: sp.Expr, mu: sp.Symbol, s2: sp.Symbol, k: sp.Symbol
) -> Evidence:
    # 2kB − s² ≥ 2μ√B, both sides squared: the left side is ≥ 0.
    left = sp.expand(2 * k * ceiling - s2)
    margin = sp.expand(left**2 - 4 * mu**2 * ceiling)
    if not (left.is_nonnegative and margin.is_nonnegative):
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"2kB − s² = {left} and the margin {margin} have no sign.",
            instances=1,
        )
    return Evidence(
        route,
        Verdict.PROVED,
        "On the bound the drift of E X² is not positive, whatever the rate ≥ k.",
        instances=1,
        steps=(
            r"$dX^2 = (-2\kappa X^2 - 2\mu X + s^2)dt - 2sX\,dW$, so $m = E X^2$ has "
            r"$\dot m \le -2km + 2|\mu|\sqrt m + s^2$ by Jensen's inequality.",
            r"On $B$ this is $\le 0$: $(2kB - s^2)^2 - 4\mu^2B = "
            + sp.latex(margin)
            + r" \ge 0$; above $B$ it is negative, and so $\limsup m \le B$ from any "
            r"start.",
        ),
    )


# B.6. The subject is the reversion ν of the target itself, 0 as printed.


@only_about(THEORY)
def tracking_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Bound P(X² > εC*²) by Chebyshev and the spread of C*, and let t grow."""
    route = "Chebyshev"
    t, k, s, eps, B = sp.symbols("t k s epsilon B", positive=True)
    mu = sp.Symbol("mu", positive=True)
    nu = sp.Rational(subject.numerator, subject.denominator)
    spread = s**2 * t if nu == 0 else s**2 * (1 - sp.exp(-2 * nu * t)) / (2 * nu)
    level = t ** sp.Rational(1, 4)
    near = 2 * level / sp.sqrt(2 * sp.pi * spread)  # density of C* at most 1/√(2π·var)
    far = B / (eps * level**2)
    if nu == 0:
        moved = level / (mu * t)  # |C*| = |c + μt| exceeds the level in the end
        limits = [sp.limit(f, t, sp.oo) for f in (near + far, moved)]
        fixed = sp.limit(sp.exp(-2 * k * t), t, sp.oo)
        if any(limits) or fixed:
            return Evidence(route, Verdict.INCONCLUSIVE, f"limits {limits}, {fixed}")
        return Evidence(
            route,
            Verdict.PROVED,
            "Both probabilities tend to 0 for every ε; for s = μ = 0, X² decays.",
            instances=3,
            steps=_TRACKING,
        )
    return _mean_reverting(route, nu)


def _mean_reverting(route: str, nu: sp.Rational) -> Evidence:
    """Solve for the stationary covariance of (X, C*) and show that X stays comparable.

    dC* = −νC*dt + s dW and dX = (−kX + νC*)dt − s dW: a Gaussian pair.

    Returns:
        REFUTED where Var X/Var C* has a positive limit.
    """
    k = sp.Integer(1)
    V_x, V_xc, V_c = unknowns = sp.symbols("V_x V_xc V_c")
    moments = (
        -2 * k * V_x + 2 * nu * V_xc + 1,
        -(k + nu) * V_xc + nu * V_c - 1,
        -2 * nu * V_c + 1,
    )
    settled = sp.solve(moments, unknowns)
    ratio = settled[V_x] / settled[V_c]
    if not ratio.is_positive:
        reason = f"Var X/Var C* tends to {ratio}"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        route,
        Verdict.REFUTED,
        "Where C* reverts to its mean, X and C* are jointly Gaussian with variances "
        "that settle: X²/C*² has a limit law, and it is not 0.",
        instances=1,
        counterexample=Witness(
            {"dC*": f"-{nu}*C* dt + dW", "dC/dt": "-(C - C*)"},
            f"Var(C - C*)/Var C* -> {ratio}",
            "0",
            exact=True,
        ),
    )


_TRACKING = (
    r"$s = \mu = 0$: $C^*$ stands still and $X^2 \le X_0^2e^{-2kt}$.",
    r"$s \ne 0$: $E X^2 \le B$ for all $t$ by the corrected Lemma B.5, and the density "
    r"of $C^*_t$ is at most $(2\pi s^2t)^{-1/2}$, so with $K = t^{1/4}$, $P(X^2 > "
    r"\varepsilon C^{*2}) \le P(|C^*| \le K) + P(X^2 > \varepsilon K^2) \le "
    r"2K/\sqrt{2\pi s^2t} + B/(\varepsilon K^2) \to 0$.",
    r"$s = 0 \ne \mu$: $|C^*_t| = |C^*_0 + \mu t| \to \infty$ and $X$ is bounded.",
)


_TIME, _PIECES, _EPSILON = 1.0e6, 60, 0.01


@only_about(THEORY)
def tracking_sampled(subject: Fraction, context: Context) -> Evidence:
    """Sample (X, C*) with rates that depend on the sign of X; count X² > εC*².

    Between changes of the rate the pair is Gaussian and is drawn from its exact law, so
    there is no step error. The Chebyshev bound at t = 10⁶ is to hold for the count.

    Returns:
        SUPPORTED, or REFUTED where the count exceeds the bound by its radius.
    """
    route = "sampled pairs"
    n = 64 * context.profile.replicas
    radius = hoeffding_radius(n, context.alpha)
    # The level K that makes 2K/√(2πt) + B/(εK²) least, with s = 1 and B = s²/k = 1.
    level = (np.sqrt(2 * np.pi * _TIME) / _EPSILON) ** (1 / 3)
    bound = 2 * level / np.sqrt(2 * np.pi * _TIME) + 1 / (_EPSILON * level**2)
    X, target = _pursued(float(subject), n, context)
    apart = np.greater(X**2, _EPSILON * target**2)
    share = float(np.mean(apart))
    what = f"P(X² > {_EPSILON}C*²) at t = 10⁶"
    if share - radius > bound:
        return Evidence(
            route,
            Verdict.REFUTED,
            f"{what} exceeds the bound that tends to 0.",
            instances=n,
            alpha=context.alpha,
            counterexample=Witness(
                {
                    "dC*": f"-{subject}*C* dt + dW",
                    "dC/dt": "-kappa(C - C*), kappa 1..2",
                },
                f"share {share:.3f}, +- {radius:.3f}",
                f"at most {bound:.3f}",
                exact=False,
            ),
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what} is {share:.3f} ± {radius:.3f}, at most {bound:.3f}.",
        instances=n,
        alpha=context.alpha,
        detectable=float(bound + 2 * radius),
    )


def _pursued(nu: float, n: int, context: Context) -> tuple[Array, Array]:
    """Return X and C* at the end, from (0, 0), in pieces that grow from 0.01 on.

    dX = −(κX − νC*)dt − dW and dC* = −νC*dt + dW with κ = 2 where X > 0, else 1, held
    over each piece. The pair (X, C*) is linear; its transition is written in closed
    form for C and C*: C' = −κ(C − C*).
    """
    rng = context.rng("pursuit", nu)
    ends = np.concatenate(([0.0], np.geomspace(0.01, _TIME, _PIECES)))
    X, target = np.zeros(n), np.zeros(n)
    for tau in np.diff(ends):
        kappa = np.where(X > 0, 2.0, 1.0)
        mean, cov = _transition(kappa, nu, float(tau))
        noise = rng.standard_normal((2, n))
        a = np.sqrt(cov[0])
        b = cov[1] / a
        c = np.sqrt(np.maximum(cov[2] - b * b, 0.0))
        kept, pulled, left = mean
        X, target = (
            kept * X + pulled * target + b * noise[0] + c * noise[1],
            left * target + a * noise[0],
        )
    return X, target


def _transition(
    kappa: Array, nu: float, tau: float
) -> tuple[tuple[Array, Array, float], tuple[float, Array, Array]]:
    """Return the mean's coefficients and Var C*, Cov, Var X over a piece.

    X(τ) = e^{−κτ}X + p(τ)C* − ∫h(τ − u)dW with h(v) = e^{−κv} − p(v), p' = νe^{−νv} −
    κp, p(0) = 0. For ν = κ the limit is taken by a small shift of κ.
    """
    if nu == 0:
        fade = np.exp(-kappa * tau)
        spread = (1 - fade**2) / (2 * kappa)
        return (fade, 0 * fade, 1.0), (tau, -(1 - fade) / kappa, spread)
    kappa = np.where(kappa == nu, kappa * (1 + 1e-6), kappa)
    fade, left = np.exp(-kappa * tau), float(np.exp(-nu * tau))
    share = nu / (kappa - nu)
    pulled = share * (left - fade)
    # h(v) = (1 + share)e^{−κv} − share·e^{−νv}
    one, two = 1 + share, share
    spread = one**2 * (1 - fade**2) / (2 * kappa) + two**2 * (1 - left**2) / (2 * nu)
    spread -= 2 * one * two * (1 - fade * left) / (kappa + nu)
    joint = -one * (1 - fade * left) / (kappa + nu) + two * (1 - left**2) / (2 * nu)
    return (fade, pulled, left), ((1 - left**2) / (2 * nu), joint, spread)

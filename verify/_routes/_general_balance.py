"""Routes for the balance on one orbit: where C goes, how far, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    norm2,
    scalar,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import apply, dot
from verify._routes._common import Sides, in_general
from verify._routes._general_cases import Case, product_pair, scale_pair
from verify._routes._general_orbits import (
    CHARGE,
    FREE,
    NOISE,
    PRODUCT,
    SQUARED,
    TRANSPORT,
    A,
    along,
    theta,
)
from verify._routes._general_quantities import (
    balance_at,
    balance_of,
    charge,
    noise_trace,
    on_cases,
    sign,
    spectrum_of,
)
from verify._routes._theorem1 import generic_equilibrium, named, strict
from verify._routes._words import Row, words_evidence


_POSITIONS = tuple(
    Fraction(a, b) for a, b in ((1, 3), (1, 2), (4, 5), (1, 1), (5, 4), (2, 1), (3, 1))
)


# sgn G = sgn(f(θ*) − f(θ)). The subject is "charge" or "norm", the f.


def restores_words(subject: str, context: Context) -> Evidence:
    """Differentiate f and G along the orbit: a square and minus squares, n free."""
    del context
    sigma2, gamma = scalar("sigma2"), scalar("gamma")
    G = -4 * gamma * CHARGE + sigma2 * NOISE
    f = CHARGE if subject == "charge" else norm2(theta) / 2
    fall = -4 * gamma * norm2(A @ theta) - 2 * sigma2 * SQUARED

    def rows() -> Iterator[Row]:
        yield "f grows", along(f), norm2(A @ theta)
        yield "G falls", along(G), fall

    return words_evidence(
        rows(),
        r"the slopes of $f(\theta_\lambda)$ and $G(\theta_\lambda)$",
        FREE,
        (
            TRANSPORT,
            r"$f$ increases along the orbit and $G$ decreases: where $G > 0$ the zero "
            r"$\theta^*$ lies at $\lambda > 0$ and $f(\theta^*) > f(\theta)$; where "
            r"$G < 0$ the reverse.",
        ),
        PRODUCT,
    )


def restores_exact(subject: str, context: Context) -> Evidence:
    """Bracket λ* by bisection in rationals and look at f on either side."""

    def sides(case: Case) -> Sides | None:
        bracket = fixed_point_bracket(case)
        if bracket is None:
            return None
        rises = {sign(_rise(subject, case, q)) for q in bracket}
        if len(rises) > 1:  # θ lies inside the bracket, or f turns there
            return None
        return Sides(sign(balance_at(case, Fraction(1))), rises.pop())

    return on_cases(
        "exact bisection",
        sides,
        context,
        r"$\mathrm{sgn}\,\dot C$ against $\mathrm{sgn}(C(\theta^*) - C(\theta))$",
        examples=(product_pair().with_(theta=(Fraction(1), Fraction(4))),),
    )


def _rise(subject: str, case: Case, q: Fraction) -> Fraction:
    there = case.moved(q)
    assert there is not None
    if subject == "charge":
        return charge(case, there) - charge(case)
    return dot(there, there) - dot(case.theta, case.theta)


def fixed_point_bracket(case: Case) -> tuple[Fraction, Fraction] | None:
    """Return rationals around e^{λ*}, by bisection; the far end where it is ±∞.

    Args:
        case: what to look at; None is returned where G is 0 throughout, or nothing
            moves.
    """
    spectrum = spectrum_of(case)
    if spectrum is None or not any(apply(case.A, case.theta)):
        return None
    low, high = Fraction(1, 2**12), Fraction(2**12)
    ends = [balance_of(case, spectrum, q) for q in (low, high)]
    if not ends[0] and not ends[1]:
        return None
    if ends[1] >= 0:
        return high, high
    if ends[0] <= 0:
        return low, low
    for _ in range(40):
        middle = (low + high) / 2
        if balance_of(case, spectrum, middle) > 0:
            low = middle
        else:
            high = middle
    return low, high


# |C(θ*)| against γ/σ² on one orbit. The subject is "monotone" or "proportional".


def decay_words(subject: str, context: Context) -> Evidence:
    """Differentiate κ = Tr[ΣA]/4C, the γ/σ² of which θ is the fixed point, n free."""
    del context
    dC, dN = along(CHARGE), along(NOISE)
    wronskian = dN * CHARGE - NOISE * dC  # 4C² dκ/dλ
    grown = norm2(A @ theta)
    squares = 2 * SQUARED * CHARGE * CHARGE + NOISE * CHARGE * grown

    def rows() -> Iterator[Row]:
        if subject == "proportional":  # κC = Tr[ΣA]/4 the same at every fixed point
            yield "slope of κC", dN / 4, zero_slope()
            return
        yield "slope of C", dC, grown
        yield "slopes of κ and C²", CHARGE * dC * wronskian, -1 * (grown * squares)
        yield "γ = 0", along(scalar("sigma2") * NOISE), scalar("sigma2") * dN

    return words_evidence(
        rows(),
        r"$C\,\frac{dC}{d\lambda}\cdot4C^2\frac{d\kappa}{d\lambda}$, the sign of "
        r"$\frac{d|C|}{d\kappa}$, against minus a sum of squares",
        FREE,
        (
            TRANSPORT,
            r"$\theta_\lambda$ is the fixed point for $\gamma/\sigma^2 = \kappa = "
            r"\mathrm{Tr}[\Sigma A]/4C$, and $\kappa \ge 0$ is "
            r"$\mathrm{Tr}[\Sigma A]\,C \ge 0$.",
            r"There $C\frac{dC}{d\lambda}$ and $\frac{d\kappa}{d\lambda}$ have "
            r"opposite signs: $|C(\theta^*)|$ falls as $\kappa$ grows.",
            r"For $\gamma = 0$ the equation is $\sigma^2\mathrm{Tr}[\Sigma A] = 0$, "
            r"with the same zeros for every $\sigma^2 > 0$.",
        ),
        PRODUCT,
    )


def zero_slope() -> MatrixPolynomial:
    """Return 0, as a scalar."""
    return NOISE - NOISE


def decay_exact(subject: str, context: Context) -> Evidence:
    """Read off the γ/σ² of which each of seven points is the fixed point."""

    def sides(case: Case) -> Sides | None:
        known: list[tuple[Fraction, Fraction]] = []
        for q in _POSITIONS:
            there = case.moved(q)
            if there is None:
                return None
            C = charge(case, there)
            noise = noise_trace(case, case.gradients(there))
            if C and noise * C >= 0:
                known.append((noise / (4 * C), abs(C)))
        if len(known) < 2 or len({kappa for kappa, _ in known}) < 2:
            return None
        known.sort()
        (lower, before), (upper, after) = known[0], known[-1]
        if subject == "proportional":
            return Sides(lower * before, upper * after)
        falls = [a[1] - b[1] for a, b in pairwise(known) if b[0] > a[0]]
        return Sides(min(falls), Fraction(0))

    relation = Fraction.__eq__ if subject == "proportional" else Fraction.__gt__
    return on_cases(
        "exact orbit",
        sides,
        context,
        r"how far $|C(\theta^*)|$ falls as $\gamma/\sigma^2$ grows"
        if subject == "monotone"
        else r"$|C(\theta^*)|\gamma/\sigma^2$ at two fixed points",
        examples=(scale_pair(),),
        relation=relation,
    )


# Exactly one finite fixed point. The subject is "every" or "balanced".


def _pushes(case: Case) -> tuple[bool, bool] | None:
    """Return whether something pushes C up, and whether something pushes it down."""
    spectrum = spectrum_of(case)
    if spectrum is None:
        return None
    up = any(s if m > 0 else case.gamma * t for m, t, s in spectrum if m)
    down = any(s if m < 0 else case.gamma * t for m, t, s in spectrum if m)
    return up, down


def unique_symbolic(subject: str, context: Context) -> Evidence:
    """Read the limits of G at both ends off its terms, and add that G falls."""
    route = "limits at both ends"
    names = ("t_0", "t_1", "s_0", "s_1", "sigma2", "gamma")
    positive = {name: sp.Symbol(name, positive=True) for name in names}
    up, down = sp.Symbol("mu_p", positive=True), sp.Symbol("mu_m", negative=True)
    eq = generic_equilibrium()
    lam = next(s for s in eq.balance.free_symbols if s.name == "lam")
    G = named(eq.balance, **positive, mu_0=up, mu_1=down)
    growing = [G.coeff(sp.exp(2 * lam * m)) for m in (up, -down)]
    fading = [G.coeff(sp.exp(-2 * lam * m)) for m in (up, -down)]
    expected = all(c.is_negative for c in growing) and all(
        c.is_positive for c in fading
    )
    if not expected or not strict():
        reason = "the terms of the derived G do not have the signs the argument needs"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=4)
    if subject == "balanced":
        return Evidence(
            route,
            Verdict.PROVED,
            "Terms that push C up fade with λ and terms that push it down grow, each "
            "strictly monotone and unbounded at one end, for every μ, t, s, γ.",
            instances=4,
            steps=(
                r"$G = I_1 - I_2$ with $I_1 = \sigma^2\sum_{\mu>0}\mu s "
                r"e^{-2\lambda\mu} + 2\gamma\sum_{\mu<0}|\mu|te^{2\lambda\mu}$ "
                r"decreasing to 0 and $I_2 = \sigma^2\sum_{\mu<0}|\mu|s"
                r"e^{-2\lambda\mu} + 2\gamma\sum_{\mu>0}\mu te^{2\lambda\mu}$ "
                r"increasing from 0.",
                r"Both present: $G$ falls strictly from $+\infty$ to $-\infty$ and "
                r"has one zero. One only: $G$ has one sign. None: $G \equiv 0$.",
            ),
        )
    ones = dict.fromkeys(("mu_0", "mu_1", "t_0", "t_1", "s_0", "s_1", "sigma2"), 1)
    line = named(eq.balance, **ones, gamma=0)
    if not line.is_positive:
        reason = f"G = {line} has no sign"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        route,
        Verdict.REFUTED,
        "A definite A with γ = 0 has only terms of one sign." + in_general(context),
        instances=1,
        counterexample=Witness(
            {"A": "[[1, 0], [0, 1]]", "gamma": "0", "s": "(1, 1)", "sigma2": "1"},
            f"G = {line} > 0 for every lam",
            "G = 0 at one lam",
            exact=True,
        ),
    )


def unique_exact(subject: str, context: Context) -> Evidence:
    """Look at the sign of G, from the loss itself, at e^λ = 2^{±20}."""
    far = Fraction(2**20)

    def sides(case: Case) -> Sides | None:
        pushes = _pushes(case)
        if pushes is None:
            return None
        left, right = (balance_at(case, q) for q in (1 / far, far))
        crosses = Fraction(int(left > 0 > right))
        expected = all(pushes) or subject == "every"
        return Sides(crosses, Fraction(int(expected)))

    return on_cases(
        "exact orbit",
        sides,
        context,
        r"whether $G$ falls from positive to negative along the orbit (1 for yes)",
        examples=(scale_pair(),),
        shown=("finite fixed points: {}", "{}"),
    )

"""Routes for the rate of convergence on an orbit, Ċ/(C* − C), and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import Verdict, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._v3_bounds import rises_from_zero, terms_at
from verify._routes._v3_orbit_cases import (
    OrbitCase,
    on_rescaling,
    on_square,
    orbit_cases,
)
from verify._scope import THEORY, only_about


@dataclass(frozen=True, slots=True)
class Rate:
    """Ċ/(C* − C) ≥ σ²·factor·min(r₊, r₋) with r± = Tr[Σ*A±²]/θ*ᵀA±²θ*.

    Attributes:
        scope: "unit" for |μ| = 1 (or 0), "any" for every spectrum, "damped" for every
            spectrum with e^{−4β|λ*|} in front, β the largest |μ| of the sign that λ*
            does not have.
        factor: the constant.
    """

    scope: str
    factor: Fraction = Fraction(2)

    def implies(self, other: Rate) -> bool:
        """Return whether the other follows: a smaller factor."""
        return self.scope == other.scope and other.factor <= self.factor


@only_about(THEORY)
def rate_exact(subject: Rate, context: Context) -> Evidence:
    """Check the bound on drawn equilibria, at points near θ* and far from it."""
    route = "exact orbit"
    unit = subject.scope == "unit"

    def sides(case: OrbitCase) -> Sides | None:
        if unit and any(abs(m) > 1 for m in case.mu):
            return None
        sign = 1 if case.q > 1 else -1
        ratios = [
            case.weighted(case.s(), 2, side) / b
            for side in (1, -1)
            if (b := case.weighted(case.t(), 2, side))
        ]
        bound = subject.factor * min(ratios) * sign * case.distance
        if subject.scope == "damped":
            beta = max(-m * sign for m in case.mu)
            bound *= case.q ** (-4 * beta * sign)
        return Sides(sign * case.rate, bound, degenerate=not bound)

    far = Fraction(32)
    return drawn_evidence(
        route,
        sides,
        orbit_cases(unit=unit),
        context,
        r"$\dot C$ against the bound times $C^* - C$",
        examples=(
            on_square(),
            on_rescaling(Fraction(2), q=far),
            on_rescaling(Fraction(2), 1, 1 / far),
            on_square(Fraction(99, 100)),
            on_rescaling(q=1 + Fraction(1, 10**4)),
            on_rescaling(q=1 - Fraction(1, 10**4)),
        ),
        relation=Fraction.__ge__,
        shown=("|dC/dt| = {}", "at least {}"),
    )


@only_about(THEORY)
def rate_symbolic(subject: Rate, context: Context) -> Evidence:
    """Prove the bound as a sum of non-negative terms, or leave it open."""
    route = "sum of non-negative terms"
    if subject.scope == "any" or subject.factor > 2:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            "The argument gives the factor 2 and |μ| = 1, or the factor e^{−4β|λ*|}.",
            instances=1,
        )
    return _unit_proof(route) if subject.scope == "unit" else _damped_proof(route)


_E = sp.symbols("e_1 e_2 b_1 b_2 kappa", nonnegative=True)


def _unit_proof(route: str) -> Evidence:
    """With p = e^{2l} − 1, m = 1 − e^{−2l}: (p + m)s ≥ κ(b₁m + b₂p) if s ≥ κb₁, κb₂."""
    length, a = sp.symbols("l a", positive=True)
    p, m = sp.symbols("p m", nonnegative=True)
    place = {sp.exp(2 * length): 1 + p, sp.exp(-2 * length): 1 - m}
    for sign in (1, -1):
        (n_same, c_same), (n_other, c_other) = (
            tuple(sp.expand(f.subs(a, 1).xreplace(place)) for f in terms_at(sign, same))
            for same in (True, False)
        )
        if (n_same, n_other, 2 * c_same, 2 * c_other) != (p, m, m, p):
            return Evidence(route, Verdict.INCONCLUSIVE, "other terms than expected")
    if not all(
        rises_from_zero(f, length)
        for f in (sp.exp(2 * length) - 1, 1 - sp.exp(-2 * length))
    ):
        return Evidence(route, Verdict.INCONCLUSIVE, "p or m has no sign")
    e1, e2, b1, b2, kappa = _E
    # The balance reads Tr[Σ*A₊²] = Tr[Σ*A₋²] = s, written s = κb₁ + e₁ = κb₂ + e₂.
    gap = p * (kappa * b2 + e2) + m * (kappa * b1 + e1) - kappa * (b1 * m + b2 * p)
    if not sp.expand(gap).is_nonnegative:
        return Evidence(route, Verdict.INCONCLUSIVE, "the gap has no sign")
    return Evidence(
        route,
        Verdict.PROVED,
        "For |μ| = 1 the difference of both sides is a sum of non-negative terms.",
        instances=2,
        steps=(
            r"$p = e^{2|\lambda^*|} - 1$, $m = 1 - e^{-2|\lambda^*|}$ and $s = "
            r"\mathrm{Tr}[\Sigma^*A_+^2] = \mathrm{Tr}[\Sigma^*A_-^2]$, which is the "
            r"balance: $|\dot C| = \sigma^2s(p + m)$ and $|C^* - C| = \frac12(b_1m + "
            r"b_2p)$, $b_1$ and $b_2$ being $\theta^{*\top}A_\pm^2\theta^*$, that of "
            r"the sign of $\lambda^*$ first.",
            r"With $\kappa = \min(r_+, r_-)$, $s - \kappa b_1 = e_1 \ge 0$ and $s - "
            r"\kappa b_2 = e_2 \ge 0$: $s(p + m) - \kappa(b_1m + b_2p) = e_1m + e_2p "
            r"\ge 0$.",
            r"As $\lambda^* \to +\infty$, $m/p \to 0$ and the ratio tends to "
            r"$2\sigma^2r_-$, as $\lambda^* \to -\infty$ to $2\sigma^2r_+$: the "
            r"constant is the largest.",
        ),
    )


def _damped_proof(route: str) -> Evidence:
    """From B.4's bound: a₁ + xa₂ ≥ κx²(b₁ + b₂/x) if a ≥ κb and x ≤ 1."""
    e1, e2, b1, b2, kappa = _E
    d = sp.Symbol("d", nonnegative=True)  # 1 − x² = d
    x = sp.Symbol("x", positive=True)
    gap = (kappa * b1 + e1) + x * (kappa * b2 + e2) - kappa * x**2 * (b1 + b2 / x)
    split = kappa * b1 * d + e1 + x * e2
    finding = compare(gap, split.subs(d, 1 - x**2))
    if finding.verdict is not Verdict.PROVED or not split.is_nonnegative:
        return Evidence(route, Verdict.INCONCLUSIVE, finding.reason, instances=1)
    return Evidence(
        route,
        Verdict.PROVED,
        "The corrected Lemma B.4, with what is at θ bounded by what is at θ*.",
        instances=1,
        steps=(
            r"$\dot C/(C^* - C) \ge 2\sigma^2N/D$ with $N = \mathrm{Tr}[\Sigma^*"
            r"A_1^2] + \mathrm{Tr}[\Sigma A_2^2]$, $D = \theta^{*\top}A_1^2\theta^* + "
            r"\theta^\top A_2^2\theta$, 1 for the sign of $\lambda^*$.",
            r"$\mathrm{Tr}[\Sigma A_2^2] \ge x\,\mathrm{Tr}[\Sigma^*A_2^2]$ and "
            r"$\theta^\top A_2^2\theta \le x^{-1}\theta^{*\top}A_2^2\theta^*$ with $x "
            r"= e^{-2\beta|\lambda^*|}$.",
            r"With $a_i = \kappa b_i + e_i$: $a_1 + xa_2 - \kappa x^2(b_1 + b_2/x) = "
            r"\kappa b_1(1 - x^2) + e_1 + xe_2 \ge 0$.",
        ),
    )

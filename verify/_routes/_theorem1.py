"""Routes for Theorem 1, parts 1 to 3: G is monotone, has a zero, and one only."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import (
    Equilibrium,
    Verdict,
    Witness,
    generic_equilibrium as equilibrium_of,
    monotone,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import apply, covariance, form, product
from verify._instances import Instance
from verify._routes._common import Sides, by_hand, exact_evidence, in_general
from verify._routes._orbit import gradients_at, orbit_terms
from verify._strategies import MAX_DIMENSION


Array = NDArray[np.float64]
u, w, x, y = sp.symbols("u w x y")
_POSITIONS = tuple(
    Fraction(n, d) for n, d in ((1, 3), (1, 2), (4, 5), (1, 1), (5, 4), (2, 1), (3, 1))
)
_SCALE_LOSS = (w / u - y) ** 2  # scale invariant in (u, w)


# Theorem 1. The subject of parts 1 and 2 says which γ are meant: "any" or
# "non-negative".


def _decayed(subject: str, instance: Instance) -> Instance:
    return (
        instance
        if subject == "non-negative"
        else instance.with_(gamma=-instance.gamma - 1)
    )


def _balances(instance: Instance) -> list[Fraction] | None:
    values = []
    for q in _POSITIONS:
        gradients = gradients_at(instance, q)
        if gradients is None:
            return None
        values.append(instance.balance(q, gradients))
    return values


@lru_cache(maxsize=1)
def generic_equilibrium() -> Equilibrium:
    """Return the derived G and ∂_λG in two dimensions, every μᵢ, tᵢ, sᵢ a symbol."""
    return equilibrium_of(2)


def named(expression: sp.Expr, **values: sp.Expr | int) -> sp.Expr:
    """Return a derived expression with symbols replaced by name, exactly."""
    named = {symbol: symbol.name for symbol in expression.free_symbols}
    return expression.xreplace(
        {
            symbol: sp.sympify(values[name])
            for symbol, name in named.items()
            if name in values
        }
    )


LINE: dict[str, sp.Expr | int] = {
    "mu_0": 1,
    "mu_1": 0,
    "t_1": 0,
    "s_1": 0,
    "sigma2": 1,
}  # A = [1], σ² = 1


def monotone_symbolic(subject: str, context: Context) -> Evidence:
    """Prove the sign of every term of ∂_λG for n = 1…6, or exhibit a positive slope."""
    route = "sign of each term"
    if subject == "any":
        slope = named(
            generic_equilibrium().slope, **LINE, gamma=-1, t_0=1, s_0=0, lam=0
        )
        if not slope.is_positive:
            reason = f"the slope at γ = −1 is {slope}"
            return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=1)
        return Evidence(
            route,
            Verdict.REFUTED,
            "With γ < 0 the decay terms of the slope are positive."
            + in_general(context),
            instances=1,
            counterexample=Witness(
                {
                    "A": "[[1]]",
                    "gamma": "-1",
                    "t": "1",
                    "s": "0",
                    "sigma2": "1",
                    "lam": "0",
                },
                left=f"slope of G = {slope}",
                right="slope of G at most 0",
                exact=True,
            ),
        )
    findings = [monotone(n) for n in range(1, MAX_DIMENSION + 1)]
    if any(finding.verdict is not Verdict.PROVED for finding in findings):
        return Evidence(
            "sign of each term",
            Verdict.INCONCLUSIVE,
            findings[-1].reason,
            instances=len(findings),
        )
    return Evidence(
        "sign of each term",
        Verdict.PROVED,
        f"For n = 1…{MAX_DIMENSION} with free eigenvalues and free $t_i, s_i \\ge 0$: "
        f"{findings[-1].reason}; the argument is the same term by term at every n.",
        instances=len(findings),
        steps=(
            r"$\partial_\lambda G = -4\gamma\sum_i\mu_i^2t_ie^{2\lambda\mu_i} - "
            r"2\sigma^2\sum_i\mu_i^2s_ie^{-2\lambda\mu_i}$, differentiated from "
            r"$G(\theta_\lambda)$, not typed in.",
            r"It equals $-4\gamma\|A\theta_\lambda\|^2 - "
            r"2\sigma^2\mathrm{Tr}[\Sigma(\theta_\lambda)A^2] \le 0$ for $\gamma \ge "
            r"0$.",
        ),
    )


def monotone_exact(subject: str, context: Context) -> Evidence:
    """Evaluate G at seven points of the orbit, moving θ and Σ; look at the order."""

    def sides(instance: Instance) -> Sides | None:
        case = _decayed(subject, instance)
        values = _balances(case)
        if values is None:
            return None
        rises = [b - a for a, b in pairwise(values)]
        return Sides(max(rises), Fraction(0), not any(rises), case)

    first = by_hand(_SCALE_LOSS, [[1, 0], [0, 1]], ((0, 1),), (1, 1))
    return exact_evidence(
        "exact orbit",
        sides,
        context,
        r"the largest rise of $G$ between neighbouring points (left) against 0",
        examples=(first,),
        min_samples=2,
        relation=Fraction.__le__,
        shown=("largest rise of G: {}", "at most {}"),
    )


def coefficients(instance: Instance) -> dict[int, Fraction] | None:
    """Return k → coefficient of e^{kλ} in G(θ_λ), exactly."""
    if instance.projectors() is None:
        return None
    result: dict[int, Fraction] = {}
    for mu, t, s in zip(*orbit_terms(instance), strict=True):
        result[2 * mu] = result.get(2 * mu, Fraction(0)) - 2 * instance.gamma * mu * t
        result[-2 * mu] = result.get(-2 * mu, Fraction(0)) + instance.sigma2 * mu * s
    return {k: c for k, c in result.items() if c}


def existence_symbolic(subject: str, context: Context) -> Evidence:
    """Read the limits of G at ±∞ off the signs of its coefficients."""
    route = "limits at both ends"
    t, s, sigma2 = (sp.Symbol(n, nonnegative=True) for n in ("t", "s", "sigma2"))
    up, down = sp.Symbol("mu_p", positive=True), sp.Symbol("mu_m", negative=True)
    gamma = sp.Symbol("gamma", nonnegative=True)
    values = {"t_0": t, "t_1": t, "s_0": s, "s_1": s, "sigma2": sigma2}
    if subject == "any":
        gamma = sp.Integer(-1)
    G = named(generic_equilibrium().balance, **values, mu_0=up, mu_1=down, gamma=gamma)
    lam = next(symbol for symbol in G.free_symbols if symbol.name == "lam")
    growing = [G.coeff(sp.exp(2 * lam * m)) for m in (up, -down)]
    fading = [G.coeff(sp.exp(-2 * lam * m)) for m in (up, -down)]
    if not all((*growing, *fading)):
        reason = "the derived G does not have four terms"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=4)
    if all(c.is_nonpositive for c in growing) and all(c.is_nonnegative for c in fading):
        return Evidence(
            route,
            Verdict.PROVED,
            "The terms that grow with λ have coefficients ≤ 0, those that fade have "
            "coefficients ≥ 0, for every μ, t, s and γ ≥ 0.",
            instances=4,
            steps=(
                r"As $\lambda\to+\infty$, $G\to0$ or a negative limit; as "
                r"$\lambda\to-\infty$, $G\to0$ or a positive one.",
                r"$G$ is continuous: it vanishes at some "
                r"$\lambda^*\in\mathbb{R}\cup\{\pm\infty\}$.",
            ),
        )
    line = named(generic_equilibrium().balance, **LINE, gamma=-1, t_0=1, s_0=2)
    terms = sp.Add.make_args(line)
    if not all(term.is_positive for term in terms):
        reason = f"G = {line} has a term that is not positive"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=4)
    return Evidence(
        route,
        Verdict.REFUTED,
        "For γ < 0 and A = [1] both terms of G = −2γt e^{2λ} + σ²s e^{−2λ} are "
        f"positive, and one of them grows at either end.{in_general(context)}",
        instances=1,
        counterexample=Witness(
            {"A": "[[1]]", "gamma": "-1", "t": "1", "s": "2", "sigma2": "1"},
            left=f"G = {line} > 0 for every lam",
            right="G = 0 at some lam",
            exact=True,
        ),
    )


def existence_exact(subject: str, context: Context) -> Evidence:
    """Decide from exact coefficients whether G has a zero, ±∞ included.

    The left side is 1 where it has one. Where coefficients have both signs on the same
    side the question is left to the other routes (it cannot happen for γ ≥ 0).

    Returns:
        The evidence.
    """

    def sides(instance: Instance) -> Sides | None:
        case = _decayed(subject, instance)
        terms = coefficients(case)
        if terms is None:
            return None
        growing = [c for k, c in terms.items() if k > 0]
        fading = [c for k, c in terms.items() if k < 0]
        if not growing or not fading:  # G → 0 at one end
            return Sides(Fraction(1), Fraction(1), degenerate=not terms)
        signs = {c > 0 for c in (*growing, *fading)}
        if len(signs) == 1:
            return Sides(Fraction(0), Fraction(1), case=case)
        ordered = len({c > 0 for c in growing}) == 1 == len({c > 0 for c in fading})
        return Sides(Fraction(1), Fraction(1)) if ordered else None

    # ∇ℓ = (0, ∓2) at (1, 0): Σ = diag(0, 4), σ² = 1/4, and with γ = −1:
    # G = 2e^{2λ} + e^{−2λ}.
    first = by_hand(_SCALE_LOSS, [[1, 0], [0, 1]], ((0, 1), (0, -1)), (1, 0))
    return exact_evidence(
        "exact coefficients",
        sides,
        context,
        "whether $G(\\theta_\\lambda)$ has a zero (left, 1 for yes)",
        examples=(first,),
        min_samples=2,
        shown=("zeros of G: {}", "at least {}"),
    )


# Theorem 1.3. The subject is the hypothesis, "published" or "corrected".


def hypothesis(subject: str, instance: Instance) -> bool:
    """Return whether part 3's hypothesis holds, as printed or as corrected."""
    gradients = instance.gradients()
    Sigma = covariance(gradients)
    A = instance.A
    trace = sum((product(A, Sigma)[i][i] for i in range(len(A))), Fraction(0))
    if subject == "published":
        return bool(trace) or bool(form(A, instance.theta))
    square = product(product(A, Sigma), A)
    noise = sum((square[i][i] for i in range(len(A))), Fraction(0))
    return noise > 0 or (instance.gamma > 0 and any(apply(A, instance.theta)))


def strict() -> bool:
    """Return whether each term of ∂_λG with μ ≠ 0 and s or t > 0 is negative."""
    names = ("gamma", "t_0", "t_1", "s_0", "s_1", "sigma2")
    positive = {name: sp.Symbol(name, positive=True) for name in names}
    mu = {n: sp.Symbol(n, nonzero=True, real=True) for n in ("mu_0", "mu_1")}
    terms = sp.Add.make_args(named(generic_equilibrium().slope, **positive, **mu))
    negative = len(terms) == 4 and all(term.is_negative for term in terms)
    return negative and all(
        monotone(n).verdict is Verdict.PROVED for n in range(1, MAX_DIMENSION + 1)
    )


def uniqueness_symbolic(subject: str, context: Context) -> Evidence:
    """Show a strictly negative ∂_λG term under the hypothesis, or that all vanish."""
    route = "a strict term"
    if subject == "published":
        slope = named(generic_equilibrium().slope, **LINE, gamma=0, t_0=1, s_0=0)
        if not slope.is_zero:
            reason = f"the slope at Σ = 0, γ = 0 is {slope}"
            return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=1)
        return Evidence(
            route,
            Verdict.REFUTED,
            "Σ = 0 and γ = 0 with θᵀAθ ≠ 0 satisfies the printed hypothesis, and then "
            f"every term of G(θ_λ) is 0: every λ is a zero.{in_general(context)}",
            instances=1,
            counterexample=Witness(
                {"A": "[[1]]", "theta": "(1)", "Sigma": "[[0]]", "gamma": "0"},
                left=f"slope of G = {slope} at every lam",
                right="slope of G < 0",
                exact=True,
            ),
        )
    if not strict():
        return Evidence(route, Verdict.INCONCLUSIVE, "a term has no sign", instances=2)
    return Evidence(
        route,
        Verdict.PROVED,
        "Tr[ΣA²] > 0 gives a term with μ ≠ 0 and s > 0, γ > 0 with Aθ ≠ 0 one with μ ≠ "
        "0 and t > 0; it is negative for every λ and no other term is positive.",
        instances=2,
        steps=(
            r"$G$ is strictly decreasing, so it has at most one zero in "
            r"$\mathbb{R}\cup\{\pm\infty\}$.",
        ),
    )


def uniqueness_exact(subject: str, context: Context) -> Evidence:
    """Check that G falls strictly on the orbit where it should, else is 0 there."""

    def sides(instance: Instance) -> Sides | None:
        holds = hypothesis(subject, instance)
        if not holds and subject != "corrected":
            return None
        values = _balances(instance)
        if values is None:
            return None
        if not holds:
            vanishes = not any(values)
            return Sides(Fraction(int(vanishes)), Fraction(0), degenerate=True)
        smallest = min(a - b for a, b in pairwise(values))
        return Sides(smallest, Fraction(0))

    # (uw − 1)² at u = 2, w = 1/2: interpolated, ∇ℓ = 0, Σ = 0, θᵀAθ = 15/4.
    first = by_hand(
        (u * w * x - y) ** 2, [[1, 0], [0, -1]], ((1, 1),), (2, Fraction(1, 2))
    )
    return exact_evidence(
        "exact orbit",
        sides,
        context,
        r"the smallest fall of $G$ between neighbouring points (left) must exceed 0; "
        r"where the hypothesis fails, left is 1 if $G$ vanishes at all of them",
        examples=(first,),
        min_samples=2,
        relation=Fraction.__gt__,
        shown=("smallest fall of G: {}", "more than {}"),
    )

"""Routes for Theorem 1, part 4: λ* is differentiable in θ."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from symbolic import (
    Declaration,
    ParameterSpace,
    Symmetry,
    Verdict,
    Witness,
    compare,
    derive,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._instances import Instance
from verify._routes._common import by_hand
from verify._routes._fixed_point import Exponentials, certificate, enclosed, without_arb
from verify._routes._orbit import gradients_at, orbit_terms
from verify._routes._theorem1 import coefficients, generic_equilibrium, named, strict
from verify._strategies import instances


_ONE = Fraction(1)
_PAIR = ParameterSpace(u=(), w=())
_SQUARES = tuple(s**2 for s in _PAIR.symbols)


# Theorem 1, part 4. The subject is c in ∇λ* = c·(∂_λG)⁻¹∇_θG.


def implicit_symbolic(subject: int, context: Context) -> Evidence:
    """Apply the implicit function theorem, and check it on the closed form of λ*.

    For μ = ±1, e^{4λ*} = (σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊), and s, t depend on θ in any way:
    their derivatives along a direction are symbols.

    Returns:
        The evidence.
    """
    del context
    route = "implicit function theorem"
    if not strict():
        return Evidence(
            route, Verdict.INCONCLUSIVE, "the slope has no strict sign", instances=1
        )
    left, right, example = _closed_derivative(subject)
    finding = compare(left, right)
    if finding.verdict is Verdict.PROVED:
        return Evidence(
            route,
            Verdict.PROVED,
            r"$G$ is as differentiable as $\Sigma$, its slope is strictly negative "
            r"under Theorem 1's hypothesis, and for $\mu = \pm1$ the formula agrees "
            r"with the derivative of the closed form.",
            instances=2,
            steps=(
                r"$G(\theta_\lambda)$ is smooth in $\lambda$ and, through $t_i$ and "
                r"$s_i$, as smooth in $\theta$ as $\Sigma$.",
                r"$\partial_\lambda G < 0$ at $\lambda^*$: the implicit function "
                r"theorem gives $\nabla\lambda^* = -(\partial_\lambda "
                r"G)^{-1}\nabla_\theta G$.",
            ),
        )
    values = [expression.subs(example) for expression in (left, right)]
    if values[0] == values[1]:
        return Evidence(route, Verdict.INCONCLUSIVE, finding.reason, instances=1)
    shown = {"mu": "(1, -1)", "s": "(16, 1)", "gamma": "0", "sigma2": "1"}
    return Evidence(
        route,
        Verdict.REFUTED,
        "λ* = ¼ ln(s₊/s₋) = ln 2, and a change of s₊ moves it the other way.",
        instances=1,
        counterexample=Witness(
            shown | {"ds": "(16, 0)"},
            f"formula {values[0]}",
            f"derivative {values[1]}",
            exact=True,
        ),
    )


def _closed_form() -> sp.Expr:
    """Return the derived λ* of A = diag(1, −1) in u² and w², Σ_uu and Σ_ww."""
    symmetry = Symmetry.exponential(_PAIR, sp.diag(1, -1))
    found = derive(Declaration("", _PAIR, symmetry)).equilibrium.closed_form
    assert found is not None
    return found


def _closed_derivative(sign: int) -> tuple[sp.Expr, sp.Expr, dict[sp.Symbol, int]]:
    """Return c·G_p/G_λ at λ*, the closed form's derivative, and an example."""
    eq = generic_equilibrium()
    names = ("t_0", "t_1", "s_0", "s_1", "sigma2", "gamma")
    t0, t1, s0, s1, sigma2, gamma = (sp.Symbol(n, positive=True) for n in names)
    values = {n: sp.Symbol(n, positive=True) for n in names}
    q = sp.Symbol("q", positive=True)
    rates = {
        symbol: sp.Symbol(f"d{symbol.name}", real=True) for symbol in (t0, t1, s0, s1)
    }
    G, slope = (
        named(f, **values, mu_0=1, mu_1=-1, lam=sp.log(q))
        for f in (eq.balance, eq.slope)
    )
    along = sum((G.diff(s) * d for s, d in rates.items()), sp.S.Zero)
    down = sigma2 * s1 + 2 * gamma * t0
    at_zero = {s0: (q**4 * down - 2 * gamma * t1) / sigma2}
    lam = _closed_form().xreplace(dict(zip(_SQUARES, (t0, t1), strict=True)))
    lam = named(lam, Sigma_u_u=s0, Sigma_w_w=s1, sigma2=sigma2, gamma=gamma)
    closed = sum((lam.diff(s) * d for s, d in rates.items()), sp.S.Zero)
    left, right = (sp.together(f.subs(at_zero)) for f in (sign * along / slope, closed))
    example = {t0: 1, t1: 1, s1: 1, sigma2: 1, gamma: 0, q: 2}
    example |= {d: 16 if s is s0 else 0 for s, d in rates.items()}
    return left, right, example


def implicit_numeric(subject: int, context: Context) -> Evidence:
    """Take difference quotients of certified λ* and watch them converge to the formula.

    With 256 certified bits the quotients at h and h/16 miss the derivative by O(h²),
    so their distances to the formula must fall by 1/256; 1/64 is asked for. A distance
    that stays put refutes the formula.

    Returns:
        The evidence.
    """
    route, count, trivial = "certified differences", 0, 0
    if (refusal := without_arb(route)) is not None:
        return refusal
    strategy = instances(subject=context.subject, min_samples=2)
    drawn = context.draw(strategy, context.profile.exact // 2, route)
    if context.subject is None:
        drawn = (_first(), *drawn)
    for number, instance in enumerate(drawn):
        n = len(instance.theta)
        rng = context.rng(route, number)
        v = tuple(Fraction(int(k)) for k in rng.integers(-3, 4, n))
        errors = _quotient_errors(subject, instance, v)
        if errors is None:
            continue
        count += 1
        first, second, size = errors
        trivial += int(size == 0 and first == 0)
        floor = (1 + size) / 2**140
        if second <= first / 64 + floor:
            continue
        if second <= size / 2**10:
            return Evidence(
                route,
                Verdict.INCONCLUSIVE,
                "The difference quotients do not converge.",
                instances=count,
            )
        witness = Witness(
            instance.describe() | {"direction": str([str(k) for k in v])},
            f"distance {float(first):.6g}, then {float(second):.6g} at h/16",
            "distance falling with h",
            exact=False,
        )
        return Evidence(
            route,
            Verdict.REFUTED,
            "The difference quotients of λ* do not tend to the formula.",
            instances=count,
            counterexample=witness,
        )
    if count <= trivial:
        return Evidence(route, Verdict.NOT_APPLICABLE, "No instance has a finite λ*.")
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{count} instances: the distance between difference quotients of certified λ* "
        "and the formula falls as h².",
        instances=count,
        degenerate=trivial,
        detectable=2.0**-10,
    )


def _first() -> Instance:
    x, y, u, w = sp.symbols("x y u w")
    samples = ((1, 1), (1, 3))
    return by_hand((u * w * x - y) ** 2, [[1, 0], [0, -1]], samples, (1, 2))


def _quotient_errors(
    sign: int, instance: Instance, v: tuple[Fraction, ...]
) -> tuple[Fraction, Fraction, Fraction] | None:
    """Return |quotient − formula| at h and h/16, and |formula|."""
    centre = _lam_at(instance)
    tiny = Fraction(1, 2**80)
    around = [_shifted_terms(instance, v, e * tiny) for e in (1, -1)]
    if centre is None or None in around:
        return None
    here = coefficients(instance) or {}
    ahead, behind = around
    assert ahead is not None
    assert behind is not None
    slope = _sum_at({k: k * c for k, c in here.items()}, centre)
    rate = {
        k: (ahead.get(k, Fraction(0)) - behind.get(k, Fraction(0))) / (2 * tiny)
        for k in {*ahead, *behind}
    }
    formula = sign * _sum_at(rate, centre) / slope
    errors = []
    for h in (Fraction(1, 2**20), Fraction(1, 2**24)):
        ends = [_lam_at(_along(instance, v, e * h)) for e in (1, -1)]
        if ends[0] is None or ends[1] is None:
            return None
        errors.append(abs((ends[0] - ends[1]) / (2 * h) - formula))
    return errors[0], errors[1], abs(formula)


def _along(instance: Instance, v: tuple[Fraction, ...], h: Fraction) -> Instance:
    theta = tuple(a + h * b for a, b in zip(instance.theta, v, strict=True))
    return instance.with_(theta=theta)


def _shifted_terms(
    instance: Instance, v: tuple[Fraction, ...], h: Fraction
) -> Exponentials | None:
    moved = _along(instance, v, h)
    return None if gradients_at(moved, _ONE) is None else coefficients(moved)


def _lam_at(instance: Instance) -> Fraction | None:
    """Return λ* to 256 bits, or None where it is not finite or not rational."""
    if instance.projectors() is None or gradients_at(instance, _ONE) is None:
        return None
    mu, t, s = orbit_terms(instance)
    found = certificate(mu, s, t, instance, bits=256)
    if isinstance(found.lower, Fraction) and isinstance(found.upper, Fraction):
        return (found.lower + found.upper) / 2
    return None


def _sum_at(terms: Exponentials, lam: Fraction) -> Fraction:
    low, high = enclosed(terms, (lam, lam))
    return (low + high) / 2

"""Potentials of closed 1-forms in closed form, by routes that end.

Powers term by term, rational functions by partial fractions, homogeneous forms by
Euler's identity or in the ratios of coordinates. The caller proves the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy.integrals.rationaltools import ratint

from symbolic._exact.dependence import uniform
from symbolic._exact.functions import relu, step


LARGEST_INTEGRAND = 300  # operations; beyond, no antiderivative is attempted
LARGEST_DEGREE = 6  # of a denominator without rational factors
LARGEST_BY_HAND = 30  # operations, where functions of the variable divide
LARGEST_FACTORED = 100  # operations of a potential that is factored
_ELEMENTARY = (
    *(sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.atan, sp.sinh, sp.cosh, sp.tanh),
    *(step, relu, sp.Abs, sp.sign),
)
_UNFINISHED = (sp.Integral, sp.RootSum, sp.I, sp.oo, sp.zoo, sp.nan)


def potential(form: Sequence[sp.Expr], theta: Sequence[sp.Symbol]) -> sp.Expr | None:
    """Return C with ∇C = ψ for a closed ψ, or None; the result is a candidate.

    Args:
        form: the components of ψ.
        theta: the symbols, one for each.

    Returns:
        C, in which log p is written ½ log p² where p takes both signs.

    >>> u, w = sp.symbols("u w", real=True)
    >>> potential((-w / (u**2 + w**2), u / (u**2 + w**2)), (u, w))
    atan(w/u)
    """
    if sum(entry.count_ops() for entry in form) > LARGEST_INTEGRAND:
        return None
    found = _homogeneous(form, theta)
    if found is None:
        found = _along_axes(form, theta)
    if found is None or found.atoms(sp.Function, sp.Integral) - _elementary(found):
        return None
    return _presentable(found, sp.Tuple(*form))


def antiderivative(integrand: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """Return an antiderivative in s, up to a term free of s, or None.

    Args:
        integrand: an expression.
        s: the variable.

    Returns:
        A candidate; None where the routes end without one.

    >>> t = sp.Symbol("t", real=True)
    >>> antiderivative(2 / (t**2 - 1), t)
    log(t - 1) - log(t + 1)
    """
    if integrand.count_ops() > LARGEST_INTEGRAND:
        return None
    if integrand.is_rational_function(s) and integrand.is_rational_function():
        terms = sp.Add.make_args(sp.apart(sp.together(integrand), s))
    else:
        terms = sp.Add.make_args(sp.expand(integrand))
    parts = [_term(term, s) for term in terms]
    if any(part is None or part.has(*_UNFINISHED) for part in parts):
        return None
    return sp.Add(*parts)


def even_log(argument: sp.Expr) -> sp.Expr:
    """Return log|argument| up to a constant, as a sum of ½ log p² or of log p, p ≥ 0.

    >>> u, w = sp.symbols("u w", real=True)
    >>> even_log(3 * u / (u**2 + w**2))
    log(u**2)/2 - log(u**2 + w**2)
    """
    numerator, denominator = sp.fraction(sp.together(argument))
    total = sp.S.Zero
    for polynomial, sign in ((numerator, 1), (denominator, -1)):
        for factor, power in factors(polynomial):
            own = sp.log(factor) if factor.is_nonnegative else sp.log(factor**2) / 2
            total += sign * power * own
    return total


def factors(expression: sp.Expr) -> list[tuple[sp.Expr, sp.Expr]]:
    """Return the factors that are no numbers, with their powers."""
    if expression.is_number:
        return []
    if not expression.is_polynomial():
        powers = [f.as_base_exp() for f in sp.Mul.make_args(expression)]
        return [(base, e) for base, e in powers if not base.is_number]
    return [(f, sp.Integer(e)) for f, e in sp.factor_list(expression)[1]]


def _elementary(found: sp.Expr) -> set[sp.Expr]:
    return set(found.atoms(*_ELEMENTARY))


def _presentable(found: sp.Expr, form: sp.Tuple) -> sp.Expr:
    """Write new logarithms evenly, collect each, and cancel the rational rest."""
    own = form.atoms(sp.log)
    even = found.replace(
        lambda e: isinstance(e, sp.log) and e not in own,
        lambda e: even_log(e.args[0]),
    )
    rational: list[sp.Expr] = []
    collected: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand_mul(even)):
        logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log)]
        if len(logs) == 1:
            c = collected.get(logs[0], sp.S.Zero) + term / logs[0]
            collected[logs[0]] = c
        else:
            rational.append(term)
    rest = sp.Add(*rational)
    if rest.count_ops() <= LARGEST_FACTORED:
        rest = min(rest, sp.factor(rest), key=sp.count_ops)
    return rest + sp.Add(
        *(sp.factor_terms(sp.expand(c)) * log for log, c in collected.items())
    )


def _homogeneous(form: Sequence[sp.Expr], theta: Sequence[sp.Symbol]) -> sp.Expr | None:
    """Integrate a closed rational form of one degree d.

    Returns:
        θ·ψ/(d + 1) by Euler; for d = −1, θ·ψ·log θ₀ + a potential in the θᵢ/θ₀.
    """
    if not all(entry.is_rational_function(*theta) for entry in form):
        return None
    degree = _degree(form, theta)
    if degree is None:
        return None
    radial = sp.cancel(sum((s * e for s, e in zip(theta, form, strict=True)), sp.S(0)))
    if degree != -1:
        return radial / (degree + 1)
    base = next(s for s, e in zip(theta, form, strict=True) if e != 0)
    rest = [s for s in theta if s != base]
    ratios = {s: sp.Dummy("t", real=True) for s in rest}
    inner = [
        sp.cancel(entry.xreplace({base: sp.S.One, **ratios}))
        for s, entry in zip(theta, form, strict=True)
        if s != base
    ]
    angular = _along_axes(inner, list(ratios.values()))
    if angular is None or radial.free_symbols & set(theta):
        return None
    back = {dummy: s / base for s, dummy in ratios.items()}
    return radial * sp.log(base) + angular.xreplace(back)


def _degree(form: Sequence[sp.Expr], theta: Sequence[sp.Symbol]) -> sp.Rational | None:
    """Return the common degree of homogeneity, or None."""
    degrees = set()
    scale = sp.Dummy("a", positive=True)
    for entry in form:
        if entry == 0:
            continue
        scaled = entry.xreplace({s: scale * s for s in theta})
        power = sp.cancel(sp.together(scaled / entry))
        _, exponent = power.as_base_exp()
        if sp.cancel(power - scale**exponent) != 0:
            return None
        degrees.add(exponent if power != 1 else sp.S.Zero)
    return degrees.pop() if len(degrees) == 1 else None


def _along_axes(form: Sequence[sp.Expr], theta: Sequence[sp.Symbol]) -> sp.Expr | None:
    """Integrate one component after the other, the last coordinate first."""
    total = sp.S.Zero
    for symbol, entry in reversed(list(zip(theta, form, strict=True))):
        rest = sp.together(entry - total.diff(symbol))
        if rest.count_ops() > LARGEST_INTEGRAND:
            return None
        part = antiderivative(
            sp.cancel(rest) if rest.is_rational_function() else sp.expand(rest), symbol
        )
        if part is None:
            return None
        total += part
    return total


def _term(term: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    constant, own = term.as_independent(s, as_Add=False)
    base, power = own.as_base_exp()
    if own == 1:
        return constant * s
    if base == s and not power.has(s):
        return constant * (sp.log(s) if power == -1 else s ** (power + 1) / (power + 1))
    found = _rational(own, s) if own.is_rational_function(s) else _manual(own, s)
    return None if found is None else constant * found


def _rational(own: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """Integrate one partial fraction."""
    numerator, denominator = (sp.Poly(p, s) for p in sp.fraction(own))
    if denominator.degree() == 2 and numerator.degree() < 2:
        return _over_quadratic(numerator, denominator, s)
    return ratint(own, s) if denominator.degree() <= LARGEST_DEGREE else None


def _over_quadratic(top: sp.Poly, bottom: sp.Poly, s: sp.Symbol) -> sp.Expr:
    """Return ∫(es + g)/(as² + bs + c) ds by the sign of the discriminant."""
    e, g = top.coeff_monomial(s), top.coeff_monomial(1)
    a, b, c = (bottom.coeff_monomial(s**k) for k in (2, 1, 0))
    discriminant = sp.factor(b**2 - 4 * a * c)
    slope = 2 * a * s + b
    if discriminant == 0:
        inner = -2 / slope
    elif discriminant.is_nonnegative:
        root = sp.sqrt(discriminant)
        inner = (sp.log(slope - root) - sp.log(slope + root)) / root
    else:
        root = sp.sqrt(-discriminant)
        inner = 2 * sp.atan(sp.cancel(slope / root)) / root
    return e * sp.log(bottom.as_expr()) / (2 * a) + (g - e * b / (2 * a)) * inner


def _manual(own: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """Integrate by sympy's rules for hand computation, which end, or in a t(s)."""
    over = [p.base for p in own.atoms(sp.Pow) if p.exp.is_negative and p.base.has(s)]
    if any(base.atoms(sp.Function) for base in over):
        found = _substituted(own, s)
        if found is not None or own.count_ops() > LARGEST_BY_HAND:
            return found
    found = sp.integrate(own, s, manual=True)
    return found.replace(sp.Piecewise, lambda *branches: branches[0][0])


def _substituted(own: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """Integrate a rational function of t = e^(as + b), or of t = tan((as + b)/2)."""
    [rational], halves = uniform([own])
    if halves:
        [(t, angle), *more] = halves.items()
        rate, image = (1 + t**2) / 2, sp.sin(angle) / (1 + sp.cos(angle))
    else:
        t = sp.Dummy("t", positive=True)
        exponents = sorted((e.exp for e in rational.atoms(sp.exp)), key=sp.count_ops)
        if not exponents:
            return None
        angle, more = exponents[0], []
        multiples = {sp.exp(e): sp.cancel(e / angle) for e in exponents}
        more = [m for m in multiples.values() if not m.is_Integer]
        rational = rational.xreplace({e: t**m for e, m in multiples.items()})
        rate, image = t, sp.exp(angle)
    slope = angle.diff(s)
    if more or slope.has(s) or rational.has(s):
        return None
    integrand = sp.cancel(sp.together(rational / (slope * rate)))
    if not integrand.is_rational_function(t):
        return None
    found = antiderivative(integrand, t)
    return None if found is None else found.xreplace({t: image})

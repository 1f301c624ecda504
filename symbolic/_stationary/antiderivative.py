"""∫ of a rational function by partial fractions over the field of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from symbolic._exact.antiderivative import antiderivative
from symbolic._exact.equality import compare
from symbolic._stationary.asymptotics import sign_of
from symbolic._verdict import Verdict


LARGEST_INTEGRAND = 400  # operations; beyond, an integral stays an integral


@dataclass(frozen=True, slots=True)
class Primitive:
    """An antiderivative, in part closed.

    Attributes:
        closed: the closed part.
        rest: what is left of the integrand.
        assumes: relations that the closed part rests on.
    """

    closed: sp.Expr
    rest: sp.Expr
    assumes: tuple[sp.Basic, ...] = ()


@dataclass(slots=True)
class _Work:
    """The variable, its interval, and what was assumed on the way."""

    v: sp.Symbol
    interval: tuple[sp.Expr, sp.Expr]
    assumes: list[sp.Basic] = field(default_factory=list)


def primitive(
    integrand: sp.Expr, v: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]
) -> Primitive:
    """Integrate what has an antiderivative by routes that end; leave the rest.

    The rational terms are added up and split into partial fractions with denominators
    of degree one and two in v. A quadratic whose discriminant has no known sign is
    taken to have no real root, and that is stated.

    Args:
        integrand: an expression.
        v: the variable.
        interval: the ends between which no denominator vanishes.

    Returns:
        The closed part up to a constant, and the integrand of the rest.

    >>> v, a = sp.symbols("v a", positive=True)
    >>> primitive((a + v) / (v * (v**2 + 1)), v, (sp.S.Zero, sp.oo)).closed
    a*log(v) - a*log(v**2 + 1)/2 + atan(v)
    """
    work = _Work(v, interval)
    terms = sp.Add.make_args(integrand)
    rational = sp.Add(*(term for term in terms if term.is_rational_function(v)))
    others = [term for term in terms if not term.is_rational_function(v)]
    closed, rest = sp.S.Zero, sp.S.Zero
    for whole in (rational, *others):
        found = _one(whole, work)
        if found is None:
            rest += whole
        else:
            closed += found
    return Primitive(closed, rest, tuple(dict.fromkeys(work.assumes)))


def _one(term: sp.Expr, work: _Work) -> sp.Expr | None:
    if term.is_zero:
        return sp.S.Zero
    if term.count_ops() > LARGEST_INTEGRAND:
        return None
    constant, own = term.as_independent(work.v, as_Add=False)
    base, exponent = own.as_base_exp()
    if base == work.v and not exponent.has(work.v):
        if sign_of(exponent + 1) == 0:
            return constant * _log(work.v, work)
        if sign_of(exponent + 1) is not None:
            return constant * work.v ** (exponent + 1) / (exponent + 1)
        return None
    if term.is_rational_function(work.v):
        return _rational(term, work)
    if own.has(sp.Pow) and any(
        p.exp.is_Integer is False or p.exp.free_symbols for p in own.atoms(sp.Pow)
    ):
        return None  # radicals and symbolic powers: no route that ends
    found = antiderivative(term, work.v)
    if found is None or compare(found.diff(work.v), term).verdict is not Verdict.PROVED:
        return None
    return found


def _rational(e: sp.Expr, work: _Work) -> sp.Expr | None:
    top, bottom = sp.fraction(sp.cancel(sp.together(e)))
    N, B = (sp.Poly(p, work.v, field=True) for p in (top, bottom))
    whole, N = sp.div(N, B)
    total = whole.integrate().as_expr()
    _, factors = sp.factor_list(bottom)
    for f, k in factors:
        F = sp.Poly(f, work.v, field=True)
        if F.degree() == 0:
            continue
        if F.degree() > 2:
            return None
        power = F**k
        cofactor = sp.div(B, power)[0]
        share = sp.rem(N * sp.invert(cofactor, power), power) if cofactor else N
        for j in range(k, 0, -1):  # share = Σ digit·F^(k−j)
            share, digit = sp.div(share, F)
            total += _fraction(digit, F, j, work)
    return total


def _fraction(top: sp.Poly, f: sp.Poly, j: int, work: _Work) -> sp.Expr:
    """Return ∫ top/f^j dv for deg top < deg f ≤ 2."""
    if top.is_zero:
        return sp.S.Zero
    e, g = top.coeff_monomial(work.v), top.coeff_monomial(1)
    F = f.as_expr()
    if f.degree() == 1:
        a = f.coeff_monomial(work.v)
        if j == 1:
            return sp.factor(g / a) * _log(F, work)
        return -sp.factor(g / (a * (j - 1))) / F ** (j - 1)
    a, b = f.coeff_monomial(work.v**2), f.coeff_monomial(work.v)
    along, across = sp.factor(e / (2 * a)), sp.factor(g - e * b / (2 * a))
    first = along * _log(F, work) if j == 1 else -along / ((j - 1) * F ** (j - 1))
    return first + across * _inverse(f, j, work)


def _inverse(f: sp.Poly, j: int, work: _Work) -> sp.Expr:
    """Return ∫ dv/fʲ for a quadratic f, by the sign of 4ac − b²."""
    v = work.v
    a, b, c = (f.coeff_monomial(m) for m in (v**2, v, 1))
    gap = sp.factor(4 * a * c - b**2)
    slope = 2 * a * v + b
    if j > 1:
        own = slope / ((j - 1) * gap * f.as_expr() ** (j - 1))
        return own + 2 * a * (2 * j - 3) / ((j - 1) * gap) * _inverse(f, j - 1, work)
    sign = sign_of(gap)
    if sign == -1:
        root = sp.sqrt(-gap)
        return (_log(slope - root, work) - _log(slope + root, work)) / root
    number, own = gap.as_coeff_Mul()
    if sign is None:
        work.assumes.append(sp.Gt(sp.expand(own if number > 0 else gap), 0))
    half = sp.sqrt(own)
    if number == 4:  # 4Δ: the angle is (av + b/2)/√Δ
        return sp.atan(sp.expand(slope / 2) / half) / half
    root = sp.sqrt(gap)
    return 2 * sp.atan(slope / root) / root


def _log(f: sp.Expr, work: _Work) -> sp.Expr:
    return log_inside(f, work.v, work.interval)


def log_inside(f: sp.Expr, v: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """Return log|f| for an f that does not vanish inside an interval.

    >>> v, k = sp.symbols("v k", positive=True)
    >>> log_inside(v - k, v, (sp.S.Zero, k))
    log(k - v)
    """
    sign = _sign_inside(f, v, interval)
    if sign is not None:
        return sp.log(sp.expand(sign * f))
    return sp.log(f) if _is_form(f, v) else sp.log(f**2) / 2


def _is_form(f: sp.Expr, v: sp.Symbol) -> bool:
    """Decide whether f is a quadratic with a leading coefficient that is not < 0."""
    if not f.is_polynomial(v) or sp.degree(f, v) != 2:
        return False
    return sign_of(sp.Poly(f, v).LC()) != -1


def _sign_inside(
    f: sp.Expr, v: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]
) -> int | None:
    """Return the sign of f between the ends: that at an end, or next to it."""
    own, slope = sign_of(f), f.diff(v)
    if own is not None or slope.has(v):
        return own
    steep = sign_of(slope)
    for end, inward in zip(interval, (1, -1), strict=True):
        infinite = end in {sp.oo, -sp.oo}
        at = None if infinite else sign_of(sp.expand(f.subs(v, end)))
        if at in {1, -1}:
            return at
        if steep is not None and (infinite or at == 0):
            return -inward * steep if infinite else inward * steep
    return None

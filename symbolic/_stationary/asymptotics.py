"""The leading term c·xᵉ of an expression as x falls to 0, the exponent symbolic too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp


LARGEST = 3_000  # operations; beyond, no leading term is looked for


@dataclass(frozen=True, slots=True)
class Leading:
    """The term c·xᵉ that an expression tends to as x → 0⁺; c = 0, e = ∞ for zero.

    Attributes:
        coefficient: c, free of x; it may vanish for some values of its symbols.
        exponent: e, free of x.
    """

    coefficient: sp.Expr
    exponent: sp.Expr


_ZERO = Leading(sp.S.Zero, sp.oo)


@lru_cache(maxsize=4096)
def sign_of(expression: sp.Expr) -> int | None:
    """Return −1, 0 or 1 where the assumptions decide the sign, else None.

    >>> m = sp.Symbol("m", integer=True, nonnegative=True)
    >>> sign_of(m - 1)
    >>> sign_of(2 * (m + 2) / (m + 3) - 1)
    1
    """
    seen = _known_sign(expression)
    return _known_sign(sp.factor(expression)) if seen is None else seen


def _known_sign(e: sp.Expr) -> int | None:
    if e.is_zero:
        return 0
    if e.is_positive:
        return 1
    return -1 if e.is_negative else None


def leading(expression: sp.Expr, x: sp.Symbol) -> Leading | None:
    """Return the leading term as x → 0⁺, or None where it is not found.

    Sums are put over one denominator and multiplied out, so that terms which cancel
    are seen to; functions are expanded about the limit of their argument.

    Args:
        expression: an expression of powers of x, whose exponents are free of x, and
            of functions that are smooth at the limit of their argument.
        x: the variable, positive.

    Returns:
        The term; None as well where the order of two exponents is undecided.

    >>> x, a = sp.symbols("x a", positive=True)
    >>> leading((1 + x**a) ** 2 - 1, x)
    Leading(coefficient=2, exponent=a)
    >>> leading(sp.sin(x) / (x**2 + 3 * x**3), x)
    Leading(coefficient=1, exponent=-1)
    """
    if expression.count_ops() > LARGEST:
        return None
    return _leading(expression, x)


def _leading(e: sp.Expr, x: sp.Symbol) -> Leading | None:
    if not e.has(x):
        return _ZERO if e.is_zero else Leading(e, sp.S.Zero)
    if e == x:
        return Leading(sp.S.One, sp.S.One)
    if e.is_Mul:
        return _product(e.args, x)
    if isinstance(e, sp.Pow) and not e.exp.has(x):
        return _power(_leading(e.base, x), e.exp)
    if e.is_Add:
        return _of_sum(e, x)
    if isinstance(e, (sp.Function, sp.exp)) and len(e.args) == 1:
        return _function(e, x)
    return None


def _product(factors: Iterable[sp.Expr], x: sp.Symbol) -> Leading | None:
    coefficient, exponent = sp.S.One, sp.S.Zero
    for factor in factors:
        found = _leading(factor, x)
        if found is None or found == _ZERO:
            return found
        coefficient, exponent = (
            coefficient * found.coefficient,
            exponent + found.exponent,
        )
    return Leading(coefficient, exponent)


def _power(base: Leading | None, exponent: sp.Expr) -> Leading | None:
    if base is None or base == _ZERO:
        return None
    return Leading(base.coefficient**exponent, sp.expand(base.exponent * exponent))


def _of_sum(e: sp.Expr, x: sp.Symbol) -> Leading | None:
    top, bottom = e, sp.S.One
    if any(p.base.is_Add and p.base.has(x) for p in _divisors(e)):
        top, bottom = sp.fraction(sp.together(e))
    if bottom.has(x):
        above, below = _leading(top, x), _leading(bottom, x)
        if below is None or below == _ZERO:
            return None
        if above is None or above == _ZERO:
            return above
        return Leading(
            above.coefficient / below.coefficient, above.exponent - below.exponent
        )
    return _over(_lowest(sp.Add.make_args(sp.expand(top)), x), bottom)


def _divisors(e: sp.Expr) -> list[sp.Pow]:
    return [p for p in e.atoms(sp.Pow) if p.exp.could_extract_minus_sign()]


def _over(found: Leading | None, bottom: sp.Expr) -> Leading | None:
    if found is None or found == _ZERO:
        return found
    return Leading(found.coefficient / bottom, found.exponent)


def _lowest(terms: Iterable[sp.Expr], x: sp.Symbol) -> Leading | None:
    """Return the leading term of a sum of terms that are each no sum."""
    groups: list[tuple[sp.Expr, sp.Expr, bool]] = []  # exponent, coefficient, exact
    for term in terms:
        found = _leading(term, x)
        if found is None:
            return None
        if found == _ZERO:
            continue
        exact = term.as_independent(x, as_Add=False)[1].as_base_exp()[0] in {x, 1}
        for i, (exponent, coefficient, known) in enumerate(groups):
            if sign_of(exponent - found.exponent) == 0:
                total = coefficient + found.coefficient
                groups[i] = exponent, total, known and exact
                break
        else:
            groups.append((found.exponent, found.coefficient, exact))
    while groups:
        first = _least(groups)
        if first is None:
            return None
        exponent, coefficient, exact = first
        if sign_of(coefficient) != 0:
            return Leading(sp.factor_terms(coefficient), exponent)
        if not exact:
            return None  # what is left of terms that cancel is not known
        groups.remove(first)
    return _ZERO


def _least(
    groups: list[tuple[sp.Expr, sp.Expr, bool]],
) -> tuple[sp.Expr, sp.Expr, bool] | None:
    for group in groups:
        others = (other for other in groups if other is not group)
        if all(sign_of(other[0] - group[0]) == 1 for other in others):
            return group
    return None


def _function(e: sp.Expr, x: sp.Symbol) -> Leading | None:
    """Expand f about the limit c of its argument, f(c) + f'(c)(g − c) + …."""
    argument = e.args[0]
    limit = limit_at_zero(argument, x)
    if limit is None:
        return None
    y = sp.Dummy("y", real=True)
    f = e.func(y)
    if limit.has(sp.oo, -sp.oo):
        at = f.subs(y, limit)
        return Leading(at, sp.S.Zero) if at.is_finite and at.is_nonzero else None
    at, slope = f.subs(y, limit), f.diff(y).subs(y, limit)
    if not at.is_finite:
        return None
    if sign_of(at) != 0:
        return Leading(at, sp.S.Zero)
    moved = _leading(argument - limit, x)
    if not slope.is_finite or sign_of(slope) in {0, None} or moved in {None, _ZERO}:
        return None
    return Leading(slope * moved.coefficient, moved.exponent)


def limit_at_zero(expression: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """Return the limit as x → 0⁺, ±∞ included, or None where it is not found.

    >>> x = sp.Symbol("x", positive=True)
    >>> limit_at_zero(-2 / x + 1, x)
    -oo
    """
    found = leading(expression, x)
    if found is None:
        return None
    sign = sign_of(found.exponent)
    if found == _ZERO or sign == 1:
        return sp.S.Zero
    if sign == 0:
        return found.coefficient
    size = sign_of(found.coefficient)
    if sign is None or size in {0, None}:
        return None
    return sp.oo * size

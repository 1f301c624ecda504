"""The value of an expression in rationals, or in balls where it leaves them.

Unlike a jet it needs no derivative, so that |0| and √0 have values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from math import isqrt
from operator import add, mul
from typing import Any

import sympy as sp

from symbolic import relu, step
from verify._exact import NotRational
from verify._jets import Number, resolved


_AT_ZERO = {sp.exp: 1, sp.sin: 0, sp.cos: 1, sp.tan: 0, sp.sinh: 0, sp.cosh: 1}
_EXACT = {**_AT_ZERO, sp.tanh: 0}  # where the argument is 0
_BALLS = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
}


def value_of(
    expression: sp.Expr,
    at: Callable[[sp.Symbol], Number],
    lift: Callable[[Fraction], Number] = Fraction,
) -> Number:
    """Return the value of an expression.

    Args:
        expression: of the language.
        at: the value of each symbol.
        lift: makes a rational a number: `Fraction`, or `ball`.

    Returns:
        A rational, or a ball that holds the value.

    Raises:
        NotRational: where it leaves the numbers of `lift`, or is undefined.

    >>> x = sp.Symbol("x", real=True)
    >>> value_of(sp.sqrt(abs(x)), lambda _: Fraction(-4, 9))
    Fraction(2, 3)
    """
    known: dict[sp.Basic, Number] = {}

    def value(node: Any) -> Number:
        if node not in known:
            known[node] = at(node) if node.is_Symbol else _value(node, value, lift)
        return known[node]

    return value(expression)


def _value(
    node: Any, value: Callable[[Any], Number], lift: Callable[[Fraction], Number]
) -> Number:
    if node.is_Rational:
        return lift(Fraction(int(node.p), int(node.q)))
    if node is sp.E:
        return _function(sp.exp, lift(Fraction(1)), lift)
    if node.is_Add:
        return reduce(add, map(value, node.args))
    if node.is_Mul:
        return reduce(mul, map(value, node.args))
    if node.is_Pow and node.base is sp.E:
        return _function(sp.exp, value(node.exp), lift)
    if node.is_Pow and node.exp.is_Rational:
        return _power(value(node.base), Fraction(int(node.exp.p), int(node.exp.q)))
    if len(node.args) != 1:
        raise NotRational(f"no value of {node.func}")
    return _function(node.func, value(node.args[0]), lift)


def sign_of(value: Number) -> int | None:
    """Return −1, 0 or 1; None for a ball that holds 0: it may be 0, or next to it."""
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if isinstance(value, Fraction) else None


def _power(base: Number, exponent: Fraction) -> Number:
    n, root = exponent.numerator, exponent.denominator
    if n <= 0 and not _apart(base):
        raise NotRational("division by zero")
    if root == 1:
        return base**n
    if isinstance(base, Fraction):
        return _rational_root(base, root) ** n
    if not base > 0:
        raise NotRational("a root of a number not known to be positive")
    return (base.log() * n / root).exp()


def _rational_root(base: Fraction, root: int) -> Fraction:
    """Return the root of a rational where it is one.

    Raises:
        NotRational: where it is not.
    """
    if base < 0:
        raise NotRational("a root of a negative number")
    parts = [_integer_root(part, root) for part in (base.numerator, base.denominator)]
    if parts[0] is None or parts[1] is None:
        raise NotRational("a root of a rational is not rational")
    return Fraction(parts[0], parts[1])


def _integer_root(n: int, root: int) -> int | None:
    if root == 2:
        found = isqrt(n)
        return found if found * found == n else None
    exact, is_exact = sp.integer_nthroot(n, root)
    return int(exact) if is_exact else None


def _function(function: Any, z: Number, lift: Callable[[Fraction], Number]) -> Number:
    if function is sp.Abs:
        return abs(z)
    if function is relu:
        return (z + abs(z)) / 2
    if function in {step, sp.sign}:
        return _sign(function, z, lift)
    if isinstance(z, Fraction):
        if z == 0 and function in _EXACT:
            return Fraction(_EXACT[function])
        if z == 1 and function is sp.log:
            return Fraction(0)
        raise NotRational(f"{function} of a rational is not rational")
    if function not in _BALLS or (function is sp.log and not z > 0):
        raise NotRational(f"no value of {function} here")
    found = getattr(z, _BALLS[function])()
    if not found.is_finite():
        raise NotRational(f"no value of {function} here")
    return found


def _sign(function: Any, z: Number, lift: Callable[[Fraction], Number]) -> Number:
    side = sign_of(z)
    if side is None:
        raise NotRational(f"no value of {function} at 0")
    if function is step:
        return lift(Fraction(int(side > 0)))
    return lift(Fraction(side))


def _apart(value: Number) -> bool:
    return bool(value > 0 or value < 0)


def usable(*values: Number) -> bool:
    """Return whether each is a rational, or a ball fine enough to tell something."""
    return all(map(resolved, values))


def table(values: Mapping[sp.Symbol, Number]) -> Callable[[sp.Symbol], Number]:
    """Return a look-up of symbols.

    Args:
        values: symbol → number.
    """
    return values.__getitem__

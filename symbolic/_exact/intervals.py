"""Rigorous enclosures of sympy expressions at rational points (mpmath intervals)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from mpmath import iv

from symbolic._exact.functions import relu, step


MAX_EXPONENT = 100_000  # of 2, in an end of an enclosure


class NotEnclosed(ValueError):  # noqa: N818 - a finding, and public so named
    """No enclosure here: undefined, or a function not in the table."""


def _tanh(x: Any) -> Any:
    return 1 - 2 / (iv.exp(2 * x) + 1)


def _step(x: Any) -> Any:
    if x.a > 0:
        return iv.mpf(1)
    if x.b <= 0:
        return iv.mpf(0)
    return iv.mpf([0, 1])


_TABLE: dict[Any, Callable[[Any], Any]] = {
    sp.exp: lambda x: iv.exp(x),
    sp.log: lambda x: iv.log(x),
    sp.sin: lambda x: iv.sin(x),
    sp.cos: lambda x: iv.cos(x),
    sp.tan: lambda x: iv.sin(x) / iv.cos(x),
    sp.sinh: lambda x: (iv.exp(x) - iv.exp(-x)) / 2,
    sp.cosh: lambda x: (iv.exp(x) + iv.exp(-x)) / 2,
    sp.tanh: _tanh,
    sp.Abs: lambda x: abs(x),
    sp.sign: lambda x: _step(x) - _step(-x),
    relu: lambda x: x * _step(x),
    step: _step,
}


def enclose(
    expression: sp.Expr, values: Mapping[sp.Symbol, sp.Rational], *, bits: int = 200
) -> tuple[sp.Rational, sp.Rational]:
    """Return rational bounds a ≤ expression ≤ b at a rational point.

    Args:
        expression: a real expression of arithmetic and the tabled functions.
        values: a rational for every free symbol.
        bits: working precision of the interval arithmetic.

    Returns:
        The two ends, exactly converted from binary.

    Raises:
        NotEnclosed: where the expression is undefined or not in the table.

    >>> x = sp.Symbol("x")
    >>> low, high = enclose(sp.exp(x), {x: sp.Integer(1)})
    >>> bool(low < sp.E < high), bool(high - low < sp.Rational(1, 2**150))
    (True, True)
    """
    saved = iv.prec
    iv.prec = bits
    try:
        result = _enclose(expression, values, {})
        low, high = result._mpi_  # exact ends: mp.mpf(result.a) rounds to 53 bits
        return _rational(low), _rational(high)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise NotEnclosed(str(error)) from error
    finally:
        iv.prec = saved


def _enclose(
    expression: sp.Expr,
    values: Mapping[sp.Symbol, sp.Rational],
    known: dict[sp.Expr, Any],
) -> Any:
    """Return an interval; `known` are those of subexpressions, which recur often."""
    if expression not in known:
        known[expression] = _of_arguments(expression, values, known)
    return known[expression]


def _of_arguments(
    expression: sp.Expr,
    values: Mapping[sp.Symbol, sp.Rational],
    known: dict[sp.Expr, Any],
) -> Any:
    if expression.is_Symbol:
        return _enclose(values[expression], values, known)
    if expression.is_Rational:
        return iv.mpf(int(expression.p)) / iv.mpf(int(expression.q))
    if expression is sp.pi:
        return +iv.pi
    if expression is sp.E:
        return iv.exp(iv.mpf(1))
    arguments = [_enclose(argument, values, known) for argument in expression.args]
    if expression.is_Add:
        return sum(arguments[1:], arguments[0])
    if expression.is_Mul:
        result = arguments[0]
        for argument in arguments[1:]:
            result = result * argument
        return result
    if expression.is_Pow:
        return _power(expression, arguments)
    function = _TABLE.get(expression.func)
    if function is None:
        raise NotEnclosed(f"no enclosure for {expression.func}")
    return function(arguments[0])


def _power(expression: sp.Pow, arguments: list[Any]) -> Any:
    base, exponent = arguments
    if expression.exp.is_Integer:
        power = int(expression.exp)
        if power >= 0:
            return base**power
        if base.a <= 0 <= base.b:
            raise NotEnclosed("division by an interval containing 0")
        return 1 / base ** (-power)
    if base.a <= 0:
        raise NotEnclosed("a fractional power of a number not known to be positive")
    return iv.exp(exponent * iv.log(base))


def _rational(end: tuple[int, int, int, int]) -> sp.Rational:
    sign, mantissa, exponent, _ = end
    if not mantissa and exponent:  # how mpmath stores infinities and NaN
        raise NotEnclosed("the enclosure is unbounded")
    if abs(int(exponent)) > MAX_EXPONENT:
        raise NotEnclosed("the enclosure has too many digits")
    value = sp.Integer(int(mantissa)) * sp.Integer(2) ** int(exponent)
    return -value if sign else value

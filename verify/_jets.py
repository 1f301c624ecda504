"""Second-order jets along a curve, in rationals or in balls: derivatives without sympy.

A jet is a + bε + cε² with ε³ = 0: a function's value, its slope and half its curvature
along a curve. Where a function leaves the rationals, Arb's balls enclose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import Any

import sympy as sp

from symbolic import relu, step
from verify._exact import NotRational


try:
    from flint import arb, ctx, fmpq
except ImportError:
    _FLINT = False
else:
    _FLINT = True

Number = Any  # Fraction, or arb
BITS = 320  # working precision of the balls
RESOLVED = 160  # bits: a coarser enclosure decides nothing


@dataclass(frozen=True, slots=True)
class Jet:
    """f(θ(ε)) = value + slope·ε + bend·ε² + …."""

    value: Number
    slope: Number
    bend: Number

    def __add__(self, other: Jet) -> Jet:
        return Jet(
            self.value + other.value, self.slope + other.slope, self.bend + other.bend
        )

    def __mul__(self, other: Jet) -> Jet:
        return Jet(
            self.value * other.value,
            self.value * other.slope + self.slope * other.value,
            self.value * other.bend
            + self.slope * other.slope
            + self.bend * other.value,
        )

    def under(self, f: Number, first: Number, second: Number) -> Jet:
        """Return the image under a function with this value and these derivatives."""
        return Jet(
            f,
            first * self.slope,
            first * self.bend + second * self.slope * self.slope / 2,
        )


@contextmanager
def precise() -> Iterator[None]:
    """Compute with balls of `BITS` bits inside."""
    if not _FLINT:
        yield
        return
    before, ctx.prec = ctx.prec, BITS
    try:
        yield
    finally:
        ctx.prec = before


def ball(value: Fraction) -> Number:
    """Return a rational number as a ball.

    Raises:
        NotRational: where python-flint is not installed.
    """
    if not _FLINT:
        raise NotRational("balls need python-flint; pip install noetherflow[fast]")
    return arb(fmpq(value.numerator, value.denominator))


def same(left: Number, right: Number) -> bool:
    """Return whether two rationals are equal, or two balls overlap."""
    return vanishes(left - right)


def vanishes(value: Number) -> bool:
    """Return whether a number is 0, or a ball that holds 0."""
    return value == 0 if isinstance(value, Fraction) else bool(value.contains(0))


def resolved(value: Number) -> bool:
    """Return whether a number is rational or a ball finer than 2^-`RESOLVED`."""
    if isinstance(value, Fraction):
        return True
    return bool(value.is_finite() and value.rad() < arb(2) ** -RESOLVED)


def along(
    expression: sp.Expr,
    curve: Mapping[sp.Symbol, tuple[Number, Number, Number]],
    lift: Callable[[Fraction], Number] = Fraction,
) -> Jet:
    """Return the jet of an expression along a curve.

    Args:
        expression: in the symbols of `curve`.
        curve: value, slope and bend of each symbol.
        lift: makes a rational a number: `Fraction`, or `ball`.

    Returns:
        Its value, slope and half its curvature.

    Raises:
        NotRational: where it leaves the numbers of `lift`, or is undefined or on a
            kink.

    >>> x, y = sp.symbols("x y")
    >>> one, zero = Fraction(1), Fraction(0)
    >>> jet = along(x**3 * y, {x: (2 * one, one, zero), y: (one, zero, zero)})
    >>> jet.value, jet.slope, jet.bend
    (Fraction(8, 1), Fraction(12, 1), Fraction(6, 1))
    """
    known: dict[sp.Basic, Jet] = {s: Jet(*numbers) for s, numbers in curve.items()}
    zero = lift(Fraction(0))

    def jet(node: Any) -> Jet:
        if node not in known:
            known[node] = _jet(node, jet, lift, zero)
        return known[node]

    return jet(expression)


def _jet(
    node: Any,
    jet: Callable[[Any], Jet],
    lift: Callable[[Fraction], Number],
    zero: Number,
) -> Jet:
    if node.is_Rational:
        return Jet(lift(Fraction(int(node.p), int(node.q))), zero, zero)
    if node.is_Add:
        return reduce(add, map(jet, node.args))
    if node.is_Mul:
        return reduce(mul, map(jet, node.args))
    if node.is_Pow and node.base is sp.E:
        return _transcendental(sp.exp, jet(node.exp))
    if node.is_Pow and node.exp.is_Rational:
        return _power(jet(node.base), Fraction(int(node.exp.p), int(node.exp.q)))
    if node.func in {relu, step, sp.Abs, sp.sign}:
        return _branch(node.func, jet(node.args[0]), zero)
    if node is sp.E:
        return _transcendental(sp.exp, Jet(zero + 1, zero, zero))
    if len(node.args) != 1:
        raise NotRational(f"no jet of {node.func}")
    return _transcendental(node.func, jet(node.args[0]))


def _power(base: Jet, exponent: Fraction) -> Jet:
    """Return baseᵖ; an exponent that is no integer needs a positive ball."""
    a, p = base.value, exponent
    if p.denominator == 1:
        n = int(p)
        if n < 0 and not _apart(a):
            raise NotRational("division by zero")
        second = n * (n - 1) * a ** (n - 2) if n not in (0, 1) else 0 * a
        first = n * a ** (n - 1) if n else 0 * a
        return base.under(a**n, first, second)
    if isinstance(a, Fraction) or not a > 0:
        raise NotRational("a root of a rational is not rational")
    f = a ** ball(p)
    return base.under(f, ball(p) * f / a, ball(p * (p - 1)) * f / (a * a))


def _branch(function: Any, z: Jet, zero: Number) -> Jet:
    if not _apart(z.value):
        raise NotRational(f"{function} has no derivative at 0")
    one, on = zero + 1, bool(z.value > 0)
    if function is step:
        return Jet(one if on else zero, zero, zero)
    if function is sp.sign:
        return Jet(one if on else -one, zero, zero)
    below = zero if function is relu else -one
    factor = Jet(one if on else below, zero, zero)
    return factor * z


def _apart(value: Number) -> bool:
    return bool(value > 0 or value < 0)


def _transcendental(function: Any, z: Jet) -> Jet:
    """Return the jet of a function of one variable, in balls.

    Raises:
        NotRational: for a rational argument, outside the domain, or another function.
    """
    a = z.value
    if isinstance(a, Fraction):
        raise NotRational(f"{function} of a rational is not rational")
    if function is sp.exp:
        return z.under(a.exp(), a.exp(), a.exp())
    if function is sp.log and a > 0:
        return z.under(a.log(), 1 / a, -1 / (a * a))
    if function is sp.tanh:
        t = a.tanh()
        return z.under(t, 1 - t * t, -2 * t * (1 - t * t))
    waves = {sp.sin: 1, sp.cos: 1, sp.sinh: -1, sp.cosh: -1}
    if function in waves:
        values = {
            sp.sin: (arb.sin, arb.cos),
            sp.cos: (arb.cos, lambda v: -arb.sin(v)),
            sp.sinh: (arb.sinh, arb.cosh),
            sp.cosh: (arb.cosh, arb.sinh),
        }
        f, slope = (g(a) for g in values[function])
        return z.under(f, slope, -waves[function] * f)
    if function is sp.tan and _apart(a.cos()):
        t = a.tan()
        return z.under(t, 1 + t * t, 2 * t * (1 + t * t))
    raise NotRational(f"no jet of {function} at this point")


def line(
    point: Mapping[sp.Symbol, Number], direction: Sequence[Number], bend: Any = None
) -> dict[sp.Symbol, tuple[Number, Number, Number]]:
    """Return the curve point + ε·direction + ε²·bend, bend 0 unless given."""
    ends = [0 * d for d in direction] if bend is None else list(bend)
    return {
        s: (value, d, c)
        for (s, value), d, c in zip(point.items(), direction, ends, strict=True)
    }

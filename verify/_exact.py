"""Exact rational evaluation by dual numbers: gradients without sympy's derivative."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add, mul

import sympy as sp

from symbolic import relu, step


Rational = int | Fraction
Vector = tuple[Fraction, ...]
Matrix = tuple[Vector, ...]


class NotRational(ValueError):  # noqa: N818 - a finding, not a failure
    """The expression leaves the rationals, or is undefined at this point."""


@dataclass(frozen=True, slots=True)
class Dual:
    """a + Σ bᵢεᵢ with εᵢεⱼ = 0: a rational value and its n partial derivatives."""

    value: Fraction
    partials: Vector

    def __add__(self, other: Dual) -> Dual:
        # Most partials are 0; fractions are slow at finding out.
        pairs = zip(self.partials, other.partials, strict=True)
        partials = tuple(a + b if a and b else a or b for a, b in pairs)
        return Dual(self.value + other.value, partials)

    def __mul__(self, other: Dual) -> Dual:
        pairs = zip(self.partials, other.partials, strict=True)
        v, w = self.value, other.value
        return Dual(v * w, tuple(_mixed(a, w, v, b) for a, b in pairs))

    def scaled(self, value: Fraction, slope: Fraction) -> Dual:
        """Return the image under a function with this value and slope here."""
        return Dual(value, tuple(b and slope * b for b in self.partials))


def _mixed(a: Fraction, w: Fraction, v: Fraction, b: Fraction) -> Fraction:
    """Return aw + vb."""
    if not a:
        return b and v * b
    return a * w + v * b if b else a * w


def gradient(
    expression: sp.Expr,
    theta: Mapping[sp.Symbol, Fraction],
    sample: Mapping[sp.Symbol, Fraction],
) -> Vector:
    """Return ∇_θ of an expression at a rational point, exactly.

    Args:
        expression: made of + · integer powers, relu and step.
        theta: value of each of the n parameters, in order.
        sample: value of each data symbol.

    Returns:
        The n partial derivatives.

    Raises:
        NotRational: where a function leaves the rationals or a pole is met.

    >>> x, y = sp.symbols("x y", real=True)
    >>> gradient(x**2 * y, {x: Fraction(3)}, {y: Fraction(1, 2)})
    (Fraction(3, 1),)
    """
    n = len(theta)
    environment = {symbol: Dual(v, (Fraction(0),) * n) for symbol, v in sample.items()}
    for i, (symbol, v) in enumerate(theta.items()):
        unit = tuple(Fraction(int(i == j)) for j in range(n))
        environment[symbol] = Dual(v, unit)
    return _evaluate(expression, environment, n).partials


def _evaluate(expression: sp.Expr, at: Mapping[sp.Symbol, Dual], n: int) -> Dual:
    if expression.is_Symbol:
        return at[expression]
    if expression.is_Rational:
        return Dual(Fraction(int(expression.p), int(expression.q)), (Fraction(0),) * n)
    arguments = [_evaluate(argument, at, n) for argument in expression.args]
    if expression.is_Add:
        return reduce(add, arguments)
    if expression.is_Mul:
        return reduce(mul, arguments)
    if expression.is_Pow and expression.exp.is_Integer:
        return _power(arguments[0], int(expression.exp))
    if expression.func in {relu, step}:
        return _branch(expression, arguments[0])
    raise NotRational(f"{expression.func.__name__} of a rational is not rational")


def _power(base: Dual, exponent: int) -> Dual:
    if exponent <= 0 and base.value == 0:
        raise NotRational("division by zero")
    return base.scaled(base.value**exponent, exponent * base.value ** (exponent - 1))


def _branch(expression: sp.Expr, z: Dual) -> Dual:
    if z.value == 0:
        raise NotRational(f"{expression.func} has no derivative at 0")
    on = Fraction(int(z.value > 0))
    if expression.func is step:
        return z.scaled(on, Fraction(0))
    return z.scaled(on * z.value, on)


def whole(values: Iterable[Rational]) -> tuple[list[int], int]:
    """Return integers n and a positive integer d with values n/d.

    Sums of products of integers, with one division at their end, are several times
    faster than those of fractions, each of which is put into lowest terms.

    >>> whole([Fraction(1, 2), Fraction(2, 3)])
    ([3, 4], 6)
    """
    pairs = [value.as_integer_ratio() for value in values]
    d = math.lcm(*(q for _, q in pairs))
    return [p * (d // q) for p, q in pairs], d


def _inner(m: Sequence[int], n: Sequence[int]) -> int:
    """Return Σ mᵢnᵢ."""
    return sum(x * y for x, y in zip(m, n, strict=True))


def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    """Return Σ aᵢbᵢ."""
    m, c = whole(a)
    n, d = whole(b)
    return Fraction(_inner(m, n), c * d)


def apply(A: Matrix, v: Vector) -> Vector:
    """Return Av."""
    return tuple(dot(row, v) for row in A)


def form(A: Matrix, v: Vector) -> Fraction:
    """Return vᵀAv."""
    return dot(v, apply(A, v))


def mean(vectors: Sequence[Vector]) -> Vector:
    """Return the average of N vectors."""
    found = []
    for column in zip(*vectors, strict=True):
        n, d = whole(column)
        found.append(Fraction(sum(n), d * len(vectors)))
    return tuple(found)


def covariance(vectors: Sequence[Vector]) -> Matrix:
    """Return the centred covariance of N vectors, shape (n, n)."""
    centre = mean(vectors)
    columns = [
        whole([a - b for a in column])
        for column, b in zip(zip(*vectors, strict=True), centre, strict=True)
    ]
    N = len(vectors)
    return tuple(
        tuple(Fraction(_inner(m, n), c * d * N) for n, d in columns) for m, c in columns
    )


def trace_product(A: Matrix, B: Matrix) -> Fraction:
    """Return Tr[AB] of two symmetric matrices."""
    return sum((dot(a, b) for a, b in zip(A, B, strict=True)), Fraction(0))


def product(A: Sequence[Sequence[Rational]], B: Sequence[Sequence[Rational]]) -> Matrix:
    """Return AB."""
    rows = [whole(row) for row in A]
    columns = [whole(column) for column in zip(*B, strict=True)]
    return tuple(
        tuple(Fraction(_inner(m, n), c * d) for n, d in columns) for m, c in rows
    )

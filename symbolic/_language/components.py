"""What an expression means at integer sizes: sympy scalars and matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp

from symbolic._exact.functions import relu
from symbolic._language.interpreter import MAX_GROWTH, LimitError, interpret_in


MAX_CONSTANT = 1000  # argument of a function, where it is a number
MAX_OPERATIONS = 20_000  # on scalars, in a product of matrices
MAX_BITS = 2_000  # numerator and denominator of a number in the result

Value = Any  # a sympy scalar, or an ImmutableDenseMatrix that is not 1 × 1

_FUNCTIONS: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "sigmoid": lambda z: 1 / (1 + sp.exp(-z)),
    "softplus": lambda z: sp.log(1 + sp.exp(z)),
    "relu": relu,
    "abs": sp.Abs,
}


def interpret(text: str, names: Mapping[str, Value], where: str = "") -> Value:
    """Return the meaning of an expression at integer sizes.

    `*` multiplies matrices and scales otherwise, a 1 × 1 product is a scalar, and
    functions of a matrix act on its entries.

    Args:
        text: the expression.
        names: name → scalar or matrix.
        where: what the text is, for errors.

    Returns:
        A sympy scalar or immutable matrix.

    Raises:
        DeclarationError: with the place in the text, for what is no expression, for
            unknown names and functions, and for shapes that do not fit.

    >>> u, x = sp.symbols("u x", real=True)
    >>> interpret("(u*x - 1/2)**2", {"u": u, "x": x})
    (u*x - 1/2)**2
    >>> interpret("u*v", {"u": u, "x": x})
    Traceback (most recent call last):
    symbolic._errors.DeclarationError: column 3: unknown name v; did you mean x?
        u*v
          ^
    """
    return interpret_in(_Scalars(names), text, where)


def function(name: str) -> Callable[[sp.Expr], sp.Expr]:
    """Return the sympy form of a function of the language."""
    return _FUNCTIONS[name]


class _Scalars:
    """Sympy scalars and matrices, as an algebra."""

    more: dict[str, int] = {}  # noqa: RUF012 - the protocol has it mutable

    def __init__(self, names: Mapping[str, Value]) -> None:
        self._names = names

    def names(self) -> Sequence[str]:
        return list(self._names)

    def name(self, name: str) -> Value:
        return _plain(self._names[name])

    def number(self, value: Fraction) -> Value:
        return sp.Rational(value.numerator, value.denominator)

    def shape(self, value: Value) -> tuple[str, ...]:
        return tuple(map(str, value.shape)) if _is_matrix(value) else ()

    def is_zero(self, value: Value) -> bool:
        return bool(value == 0)

    def add(self, terms: Sequence[tuple[int, Value]]) -> Value:
        first, *rest = (sign * value for sign, value in terms)
        return _plain(reduce(lambda a, b: a + b, rest, first))

    def multiply(self, left: Value, right: Value) -> Value:
        product = _plain(left * right)
        if _is_matrix(product) and _operations(product) > MAX_OPERATIONS:
            raise LimitError(
                f"expected a product of at most {MAX_OPERATIONS} operations on numbers"
            )
        return product

    def power(self, base: Value, exponent: Fraction) -> Value:
        if exponent == -1:
            return 1 / base
        power = base ** sp.Rational(exponent.numerator, exponent.denominator)
        if power.has(sp.I) or (exponent.denominator > 1 and base.is_negative):
            raise LimitError("expected a base that is not negative under a root")
        return power

    def transpose(self, value: Value) -> Value:
        return value.T

    def entrywise(self, function: str, value: Value) -> Value:
        for entry in value if _is_matrix(value) else [value]:
            if not (entry.free_symbols or _is_moderate(entry)):
                raise LimitError(
                    f"expected a number up to {MAX_CONSTANT} without functions, or "
                    f"something with a name in it, inside {function}"
                )
        apply = _FUNCTIONS[function]
        found = value.applyfunc(apply) if _is_matrix(value) else apply(value)
        if found.has(sp.zoo, sp.oo, sp.nan, sp.I):
            raise LimitError(f"expected a real, finite value of {function}")
        return found

    def of_matrices(self, function: str, values: Sequence[Value]) -> Value:
        matrices = [
            v if _is_matrix(v) else sp.ImmutableDenseMatrix([[v]]) for v in values
        ]
        first = matrices[0]
        if function == "tr":
            return first.trace()
        if function == "inv":
            return _inverted(first)
        second = matrices[-1]  # norm2 is dot with itself
        return sum((a * b for a, b in zip(first, second, strict=True)), sp.S.Zero)

    def check(self, value: Value) -> None:
        """Check that every number in a result can be computed with, and printed.

        Raises:
            LimitError: where one cannot.
        """
        if any(max(abs(n.p), n.q).bit_length() > MAX_BITS for n in _numbers(value)):
            raise LimitError(f"expected numbers below 2**{MAX_BITS}")
        for power in value.atoms(sp.Pow):
            if power.exp.is_Rational and abs(power.exp) > MAX_GROWTH:
                raise LimitError(f"expected powers up to {MAX_GROWTH} in all")


def _inverted(matrix: Value) -> Value:
    if matrix.rows > 3:
        raise LimitError(
            f"expected at most 3 rows for inv at integer sizes, got {matrix.rows}"
        )
    if matrix.det().is_zero:
        raise LimitError("expected a matrix that can be inverted")
    return _plain(matrix.inv())


def _numbers(value: Value) -> set[sp.Rational]:
    found: set[sp.Rational] = value.atoms(sp.Rational)
    return found


def _is_moderate(number: sp.Expr) -> bool:
    """Decide whether sympy can evaluate functions of a number quickly."""
    if any(max(abs(n.p), n.q).bit_length() > MAX_BITS for n in _numbers(number)):
        return False
    return not number.has(sp.Function) and abs(float(number)) <= MAX_CONSTANT


def _operations(matrix: Value) -> int:
    return sum(int(entry.count_ops()) for entry in matrix)


def _is_matrix(value: Value) -> bool:
    return isinstance(value, sp.MatrixBase)


def _plain(value: Value) -> Value:
    """Return a 1 × 1 matrix as the scalar it is."""
    if _is_matrix(value) and value.shape == (1, 1):
        return value[0, 0]
    return value

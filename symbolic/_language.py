"""What an expression of the language means, as sympy scalars and matrices."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._functions import relu
from symbolic._grammar import (
    Call,
    ExpressionError,
    Name,
    Node,
    Number,
    Power,
    Product,
    Span,
    Sum,
    Transpose,
    parse,
)


MAX_GROWTH = 1024  # product of the exponents of nested powers
MAX_CALLS = 8  # functions of functions
MAX_TOWER = 2  # exponentials of exponentials
MAX_CONSTANT = 1000  # argument of a function, where it is a number
MAX_OPERATIONS = 20_000  # on scalars, in a product of matrices
MAX_BITS = 2_000  # numerator and denominator of a number in the result

Value = Any  # a sympy scalar, or an ImmutableDenseMatrix that is not 1 × 1

_ENTRYWISE: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
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
_GROWING = {"exp", "sinh", "cosh"}
_EXPONENTIAL = {*_GROWING, "sigmoid", "softplus", "tanh"}
_MATRIX_ARGUMENTS = {"tr": 1, "norm2": 1, "inv": 1, "dot": 2}


def interpret(text: str, names: Mapping[str, Value], where: str = "") -> Value:
    """Return the meaning of an expression.

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
    try:
        tree = parse(text)
        _limit_nesting(tree)
        value = _Interpreter(text, names).value(tree)
        _limit_numbers(value, tree.span)
        return value
    except ExpressionError as error:
        raise DeclarationError(pointed(text, error, where)) from None


def pointed(text: str, error: ExpressionError, where: str = "") -> str:
    """Return an error with the line of the text it means, underlined."""
    start, end = error.span
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)]
    column = start - begin
    low, high = max(0, column - 40), column + 60
    shown = "".join(c if c.isprintable() else "?" for c in line[low:high])
    marks = "^" * max(1, min(end - start, len(shown) - (column - low)))
    place = f"{where}, column" if where else "column"
    return (
        f"{place} {column + 1}: {error.reason}\n    {shown}\n"
        f"    {' ' * (column - low)}{marks}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the nearest known name, "" without any."""
    names = list(known)
    same = [each for each in names if each.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    return f"; did you mean {near[0]}?" if near else ""


def _limit_nesting(node: Node) -> tuple[int, int]:
    """Return how deeply functions, and exponentials, are nested.

    Sympy evaluates towers of them without end.

    Raises:
        ExpressionError: beyond the limits.
    """
    below = [_limit_nesting(child) for child in _children(node)]
    calls = max((deep for deep, _ in below), default=0)
    tower = max((high for _, high in below), default=0)
    if not isinstance(node, Call):
        return calls, tower
    entrywise = node.function in _ENTRYWISE or node.function == "inv"
    calls += entrywise
    reached = tower + (node.function in _EXPONENTIAL)
    if calls > MAX_CALLS or (
        reached > MAX_TOWER and node.function in _GROWING | {"softplus"}
    ):
        raise ExpressionError(
            f"expected at most {MAX_CALLS} functions and {MAX_TOWER} exponentials "
            f"inside one another",
            node.span,
        )
    if node.function in _GROWING:
        return calls, reached
    bounded = node.function in _EXPONENTIAL - {"softplus"}
    return calls, 0 if bounded else tower


def _limit_numbers(value: Value, span: Span) -> None:
    """Check that every number in a result can be computed with, and printed.

    Raises:
        ExpressionError: where one cannot.
    """
    if any(max(abs(n.p), n.q).bit_length() > MAX_BITS for n in _numbers(value)):
        raise ExpressionError(f"expected numbers below 2**{MAX_BITS}", span)
    for power in value.atoms(sp.Pow):
        if power.exp.is_Rational and abs(power.exp) > MAX_GROWTH:
            raise ExpressionError(f"expected powers up to {MAX_GROWTH} in all", span)


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Sum):
        return tuple(term for _, term in node.terms)
    if isinstance(node, Product):
        return tuple(factor for _, factor in node.factors)
    if isinstance(node, Power):
        return (node.base,)
    if isinstance(node, Transpose):
        return (node.argument,)
    return node.arguments if isinstance(node, Call) else ()


def _numbers(value: Value) -> set[sp.Rational]:
    found: set[sp.Rational] = value.atoms(sp.Rational)
    return found


class _Interpreter:
    """Evaluates a tree; its depth is that of the text's nesting, which is limited."""

    def __init__(self, text: str, names: Mapping[str, Value]) -> None:
        self._text, self._names = text, names
        self._growth = 1  # product of the exponents around the node at hand

    def value(self, node: Node) -> Value:
        if isinstance(node, Number):
            return sp.Rational(node.value.numerator, node.value.denominator)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Sum):
            return self._sum(node)
        if isinstance(node, Product):
            return self._product(node)
        if isinstance(node, Power):
            return self._power(node)
        if isinstance(node, Transpose):
            value = self.value(node.argument)
            return value.T if _is_matrix(value) else value
        return self._call(node)

    def _name(self, node: Name) -> Value:
        if node.name in self._names:
            return self._names[node.name]
        if node.name in {*_ENTRYWISE, *_MATRIX_ARGUMENTS}:
            raise ExpressionError(
                f"expected an argument in parentheses after {node.name}", node.span
            )
        hint = nearest(node.name, self._names)
        raise ExpressionError(f"unknown name {node.name}{hint}", node.span)

    def _sum(self, node: Sum) -> Value:
        values = [(sign, self.value(term)) for sign, term in node.terms]
        shapes = {_shape(value) for _, value in values}
        if len(shapes) > 1:
            listed = ", ".join(
                f"{self._source(term.span)} is {_named(value)}"
                for (_, term), (_, value) in zip(node.terms, values, strict=True)
            )
            raise ExpressionError(f"expected terms of one shape: {listed}", node.span)
        first, *rest = (sign * value for sign, value in values)
        return _plain(reduce(lambda a, b: a + b, rest, first))

    def _product(self, node: Product) -> Value:
        total: Value = sp.S.One
        seen = node.factors[0][1].span[0]
        for power, factor in node.factors:
            value = self.value(factor)
            if power < 0:
                value = self._inverse(value, factor)
            if _is_matrix(total) and _is_matrix(value) and (total.cols != value.rows):
                left = self._source((seen, factor.span[0]))
                raise ExpressionError(
                    f"expected {total.cols} rows to the right of *: "
                    f"{left.rstrip(' *(')} is {_named(total)}, "
                    f"{self._source(factor.span)} is {_named(value)}",
                    factor.span,
                )
            total = _plain(total * value)
            if _is_matrix(total) and _operations(total) > MAX_OPERATIONS:
                raise ExpressionError(
                    f"expected a product of at most {MAX_OPERATIONS} operations on "
                    f"numbers",
                    node.span,
                )
        return total

    def _inverse(self, value: Value, node: Node) -> Value:
        if _is_matrix(value):
            raise ExpressionError(
                f"expected a scalar to divide by, {self._source(node.span)} is "
                f"{_named(value)}; the inverse is inv(…)",
                node.span,
            )
        if value == 0:
            raise ExpressionError("expected a divisor that is not 0", node.span)
        return 1 / value

    def _power(self, node: Power) -> Value:
        exponent, outside = node.exponent, self._growth
        self._growth *= max(1, abs(exponent.numerator))
        if self._growth > MAX_GROWTH:
            raise ExpressionError(
                f"expected powers of powers up to {MAX_GROWTH} in all", node.span
            )
        base = self.value(node.base)
        self._growth = outside
        if _is_matrix(base):
            raise ExpressionError(
                f"expected a scalar to raise to a power, "
                f"{self._source(node.base.span)} is {_named(base)}",
                node.span,
            )
        if base == 0 and exponent <= 0:
            raise ExpressionError("expected a base that is not 0", node.span)
        power = base ** sp.Rational(exponent.numerator, exponent.denominator)
        if power.has(sp.I) or (exponent.denominator > 1 and base.is_negative):
            raise ExpressionError(
                "expected a base that is not negative under a root", node.base.span
            )
        return power

    def _call(self, node: Call) -> Value:
        name, count = node.function, len(node.arguments)
        expected = 1 if name in _ENTRYWISE else _MATRIX_ARGUMENTS.get(name)
        if expected is None:
            hint = nearest(name, [*_ENTRYWISE, *_MATRIX_ARGUMENTS])
            raise ExpressionError(f"unknown function {name}{hint}", node.span)
        if count != expected:
            raise ExpressionError(
                f"expected {expected} argument{'s' * (expected > 1)} for {name}, got "
                f"{count}",
                node.span,
            )
        values = [self.value(argument) for argument in node.arguments]
        if name in _ENTRYWISE:
            return self._entrywise(_ENTRYWISE[name], values[0], node)
        return self._of_matrices(name, values, node)

    def _entrywise(
        self, function: Callable[[sp.Expr], sp.Expr], value: Value, node: Call
    ) -> Value:
        for entry in value if _is_matrix(value) else [value]:
            if not (entry.free_symbols or _is_moderate(entry)):
                raise ExpressionError(
                    f"expected a number up to {MAX_CONSTANT} without functions, or "
                    f"something with a name in it, inside {node.function}",
                    node.span,
                )
        found = value.applyfunc(function) if _is_matrix(value) else function(value)
        if found.has(sp.zoo, sp.oo, sp.nan, sp.I):
            raise ExpressionError(
                f"expected a real, finite value of {node.function}", node.span
            )
        return found

    def _of_matrices(self, name: str, values: list[Value], node: Call) -> Value:
        matrices = [
            sp.ImmutableDenseMatrix([[v]]) if not _is_matrix(v) else v for v in values
        ]
        first = matrices[0]
        if name == "norm2":
            return sum((entry**2 for entry in first), sp.S.Zero)
        if name == "dot":
            if first.shape != matrices[1].shape:
                raise ExpressionError(
                    f"expected two arguments of one shape for dot, got "
                    f"{_named(values[0])} and {_named(values[1])}",
                    node.span,
                )
            pairs = zip(first, matrices[1], strict=True)
            return sum((a * b for a, b in pairs), sp.S.Zero)
        if first.rows != first.cols:
            raise ExpressionError(
                f"expected a square matrix for {name}, got {_named(values[0])}",
                node.span,
            )
        return first.trace() if name == "tr" else self._inverted(first, node)

    def _inverted(self, matrix: Value, node: Call) -> Value:
        if matrix.rows > 3:
            raise ExpressionError(
                f"expected at most 3 rows for inv at integer sizes, got {matrix.rows}",
                node.span,
            )
        if matrix.det().is_zero:
            raise ExpressionError("expected a matrix that can be inverted", node.span)
        return _plain(matrix.inv())

    def _source(self, span: Span) -> str:
        text = " ".join(self._text[span[0] : span[1]].split())
        return text if len(text) <= 40 else f"{text[:37]}…"


def _is_moderate(number: sp.Expr) -> bool:
    """Decide whether sympy can evaluate functions of a number quickly."""
    if any(max(abs(n.p), n.q).bit_length() > MAX_BITS for n in _numbers(number)):
        return False
    return not number.has(sp.Function) and abs(float(number)) <= MAX_CONSTANT


def _operations(matrix: Value) -> int:
    return sum(int(entry.count_ops()) for entry in matrix)


def _is_matrix(value: Value) -> bool:
    return isinstance(value, sp.MatrixBase)


def _shape(value: Value) -> tuple[int, ...]:
    return tuple(value.shape) if _is_matrix(value) else ()


def _named(value: Value) -> str:
    if not _is_matrix(value):
        return "a scalar"
    return f"{value.rows} x {value.cols}"


def _plain(value: Value) -> Value:
    """Return a 1 × 1 matrix as the scalar it is."""
    if _is_matrix(value) and value.shape == (1, 1):
        return value[0, 0]
    return value

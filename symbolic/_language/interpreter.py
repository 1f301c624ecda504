"""Walking the tree of an expression: names, shapes and limits, whatever it computes in.

What the values are is an `Algebra`'s: sympy scalars and matrices at integer sizes, or
polynomials in words of matrices at any size.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Protocol

from symbolic._errors import DeclarationError
from symbolic._language.grammar import (
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

ENTRYWISE = frozenset(
    (
        *("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
        *("sigmoid", "softplus", "relu", "abs"),
    )
)
OF_MATRICES = {"tr": 1, "norm2": 1, "inv": 1, "dot": 2}  # name → arguments
_GROWING = {"exp", "sinh", "cosh"}
_EXPONENTIAL = {*_GROWING, "sigmoid", "softplus", "tanh"}

Value = Any


class LimitError(ValueError):
    """What an algebra cannot, or will not, compute; the place is added later."""


class Algebra(Protocol):
    """What an expression is computed in; each method may raise `LimitError`."""

    more: dict[str, int]  # further functions of matrices: name → arguments

    def names(self) -> Sequence[str]:
        """Return the known names."""

    def name(self, name: str) -> Value:
        """Return what a known name stands for."""

    def number(self, value: Fraction) -> Value:
        """Return an exact number."""

    def shape(self, value: Value) -> tuple[str, ...]:
        """Return (rows, cols), or () for a scalar."""

    def is_zero(self, value: Value) -> bool:
        """Return whether a scalar is 0."""

    def add(self, terms: Sequence[tuple[int, Value]]) -> Value:
        """Return the sum of terms of one shape, with their signs."""

    def multiply(self, left: Value, right: Value) -> Value:
        """Return the product of what fits, or has a scalar in it."""

    def power(self, base: Value, exponent: Fraction) -> Value:
        """Return a scalar to the power of a number."""

    def transpose(self, value: Value) -> Value:
        """Return the transpose of a matrix."""

    def entrywise(self, function: str, value: Value) -> Value:
        """Return a function of each entry."""

    def of_matrices(self, function: str, values: Sequence[Value]) -> Value:
        """Return a function of matrices, whose shapes fit."""

    def check(self, value: Value) -> None:
        """Check a result as a whole."""


def interpret_in(algebra: Algebra, text: str, where: str = "") -> Value:
    """Return the meaning of an expression in an algebra.

    Args:
        algebra: what the values are.
        text: the expression.
        where: what the text is, for errors.

    Returns:
        A value of the algebra.

    Raises:
        DeclarationError: with the place in the text, for what is no expression, for
            unknown names and functions, and for shapes that do not fit.
    """
    try:
        tree = parse(text)
        _limit_nesting(tree)
        return _Interpreter(text, algebra).result(tree)
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
    calls += node.function in ENTRYWISE or node.function == "inv"
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


class _Interpreter:
    """Evaluates a tree; its depth is that of the text's nesting, which is limited."""

    def __init__(self, text: str, algebra: Algebra) -> None:
        self._text, self._algebra = text, algebra
        self._growth = 1  # product of the exponents around the node at hand

    def result(self, node: Node) -> Value:
        value = self.value(node)
        try:
            self._algebra.check(value)
        except LimitError as error:
            raise ExpressionError(str(error), node.span) from None
        return value

    def value(self, node: Node) -> Value:
        try:
            return self._value(node)
        except LimitError as error:
            raise ExpressionError(str(error), node.span) from None

    def _value(self, node: Node) -> Value:
        if isinstance(node, Number):
            return self._algebra.number(node.value)
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
            return self._algebra.transpose(value) if self._is_matrix(value) else value
        return self._call(node)

    def _name(self, node: Name) -> Value:
        known = self._algebra.names()
        if node.name in known:
            return self._algebra.name(node.name)
        if node.name in ENTRYWISE or node.name in self._functions:
            raise ExpressionError(
                f"expected an argument in parentheses after {node.name}", node.span
            )
        raise ExpressionError(
            f"unknown name {node.name}{nearest(node.name, known)}", node.span
        )

    def _sum(self, node: Sum) -> Value:
        values = [(sign, self.value(term)) for sign, term in node.terms]
        if len({self._algebra.shape(value) for _, value in values}) > 1:
            listed = ", ".join(
                f"{self._source(term.span)} is {self._named(value)}"
                for (_, term), (_, value) in zip(node.terms, values, strict=True)
            )
            raise ExpressionError(f"expected terms of one shape: {listed}", node.span)
        return self._algebra.add(values)

    def _product(self, node: Product) -> Value:
        total = self._algebra.number(Fraction(1))
        seen = node.factors[0][1].span[0]
        for power, factor in node.factors:
            value = self.value(factor)
            if power < 0:
                value = self._inverse(value, factor)
            left, right = self._algebra.shape(total), self._algebra.shape(value)
            if left and right and left[1] != right[0]:
                source = self._source((seen, factor.span[0]))
                raise ExpressionError(
                    f"expected {left[1]} rows to the right of *: "
                    f"{source.rstrip(' *(')} is {self._named(total)}, "
                    f"{self._source(factor.span)} is {self._named(value)}",
                    factor.span,
                )
            total = self._algebra.multiply(total, value)
        return total

    def _inverse(self, value: Value, node: Node) -> Value:
        if self._is_matrix(value):
            raise ExpressionError(
                f"expected a scalar to divide by, {self._source(node.span)} is "
                f"{self._named(value)}; the inverse is inv(…)",
                node.span,
            )
        if self._algebra.is_zero(value):
            raise ExpressionError("expected a divisor that is not 0", node.span)
        return self._algebra.power(value, Fraction(-1))

    def _power(self, node: Power) -> Value:
        exponent, outside = node.exponent, self._growth
        self._growth *= max(1, abs(exponent.numerator))
        if self._growth > MAX_GROWTH:
            raise ExpressionError(
                f"expected powers of powers up to {MAX_GROWTH} in all", node.span
            )
        base = self.value(node.base)
        self._growth = outside
        if self._is_matrix(base):
            raise ExpressionError(
                f"expected a scalar to raise to a power, "
                f"{self._source(node.base.span)} is {self._named(base)}",
                node.span,
            )
        if self._algebra.is_zero(base) and exponent <= 0:
            raise ExpressionError("expected a base that is not 0", node.span)
        try:
            return self._algebra.power(base, exponent)
        except LimitError as error:
            raise ExpressionError(str(error), node.base.span) from None

    def _call(self, node: Call) -> Value:
        name, count = node.function, len(node.arguments)
        expected = 1 if name in ENTRYWISE else self._functions.get(name)
        if expected is None:
            hint = nearest(name, [*sorted(ENTRYWISE), *self._functions])
            raise ExpressionError(f"unknown function {name}{hint}", node.span)
        if count != expected:
            raise ExpressionError(
                f"expected {expected} argument{'s' * (expected > 1)} for {name}, got "
                f"{count}",
                node.span,
            )
        values = [self.value(argument) for argument in node.arguments]
        if name in ENTRYWISE:
            return self._algebra.entrywise(name, values[0])
        self._check_shapes(name, values, node)
        return self._algebra.of_matrices(name, values)

    def _check_shapes(self, name: str, values: list[Value], node: Call) -> None:
        shapes = [self._algebra.shape(value) for value in values]
        if name == "dot" and shapes[0] != shapes[1]:
            raise ExpressionError(
                f"expected two arguments of one shape for dot, got "
                f"{self._named(values[0])} and {self._named(values[1])}",
                node.span,
            )
        if name in ("tr", "inv", "expm") and shapes[0] and shapes[0][0] != shapes[0][1]:
            raise ExpressionError(
                f"expected a square matrix for {name}, got {self._named(values[0])}",
                node.span,
            )

    @property
    def _functions(self) -> dict[str, int]:
        return OF_MATRICES | self._algebra.more

    def _is_matrix(self, value: Value) -> bool:
        return bool(self._algebra.shape(value))

    def _named(self, value: Value) -> str:
        return " x ".join(self._algebra.shape(value)) or "a scalar"

    def _source(self, span: Span) -> str:
        text = " ".join(self._text[span[0] : span[1]].split())
        return text if len(text) <= 40 else f"{text[:37]}…"

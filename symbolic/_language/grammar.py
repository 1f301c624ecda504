"""The expression language: text to a tree, by a grammar and nothing else.

No string reaches sympy or Python. Numbers are exact, names are looked up later, and
every node knows where it stands in the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken


MAX_LENGTH = 4_000  # characters of one expression
MAX_NESTING = 60  # operations inside one another
MAX_DIGITS = 60  # characters of one number, and its power of ten
MAX_POWER = 64  # largest numerator and denominator of an exponent

Span = tuple[int, int]  # first character, and the one after the last


class ExpressionError(ValueError):
    """A text that is no expression, or one that means nothing.

    Attributes:
        reason: what was expected and what came.
        span: the characters meant.
    """

    def __init__(self, reason: str, span: Span) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number."""

    value: Fraction
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    """A name, to be looked up."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms with signs ±1."""

    terms: tuple[tuple[int, Node], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Product:
    """Factors from left to right with exponents ±1: −1 divides."""

    factors: tuple[tuple[int, Node], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Power:
    """A base to the power of a number."""

    base: Node
    exponent: Fraction
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Transpose:
    """The transpose of a matrix, written `.T`."""

    argument: Node
    span: Span


Node = Number | Name | Sum | Product | Power | Call | Transpose

_GRAMMAR = r"""
start: sum
?sum: product
    | sum "+" product -> add
    | sum "-" product -> subtract
?product: signed
    | product "*" signed -> multiply
    | product "/" signed -> divide
?signed: power
    | "-" signed -> negative
    | "+" signed -> positive
?power: postfix
    | postfix "**" signed -> raised
?postfix: atom
    | postfix TRANSPOSED -> transposed
?atom: NUMBER -> number
    | NAME -> name
    | NAME "(" sum ("," sum)* ")" -> call
    | "(" sum ")" -> group
TRANSPOSED: /\.T(?![A-Za-z0-9_])/
NUMBER: /([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
NAME: /[A-Za-z][A-Za-z0-9_]*/
%ignore /[ \t\r\n]+/
"""
_WORDS = {
    "NUMBER": "a number",
    "NAME": "a name",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "PLUS": "+",
    "MINUS": "-",
    "STAR": "*",
    "SLASH": "/",
    "__ANON_0": "**",
    "TRANSPOSED": ".T",
    "$END": "the end",
}
_HINTS = {
    "^": "powers are written **",
    "@": "the matrix product is written *",
    "_": "a name starts with a letter",
    "'": "there is no text in an expression; the transpose is written .T",
    '"': "there is no text in an expression",
    "[": "entries are not taken from matrices",
    "=": "an expression compares nothing",
}
_Built = tuple[Node, int]  # the node, and how deeply it is nested


class _Builder(Transformer[Token, Any]):
    """Builds the tree as the parser reduces, without recursion; it holds no state.

    Sums and products stay flat, so that a tree is as deep as its text is nested.
    """

    def start(self, children: list[Any]) -> Node:
        node: Node = children[0][0]
        return node

    def group(self, children: list[Any]) -> _Built:
        node, depth = children[1]
        return _nested(node, depth)

    def number(self, children: list[Any]) -> _Built:
        return Number(_exact(children[0]), _span(children)), 0

    def name(self, children: list[Any]) -> _Built:
        return Name(str(children[0]), _span(children)), 0

    def add(self, children: list[Any]) -> _Built:
        return _sum(children, 1)

    def subtract(self, children: list[Any]) -> _Built:
        return _sum(children, -1)

    def negative(self, children: list[Any]) -> _Built:
        node, depth = children[1]
        return _nested(Sum(((-1, node),), _span(children)), depth)

    def positive(self, children: list[Any]) -> _Built:
        node, depth = children[1]
        return _nested(node, depth)

    def multiply(self, children: list[Any]) -> _Built:
        return _product(children, 1)

    def divide(self, children: list[Any]) -> _Built:
        return _product(children, -1)

    def raised(self, children: list[Any]) -> _Built:
        (base, deep), _, (exponent, depth) = children
        node = Power(base, _exponent(exponent), _span(children))
        return _nested(node, max(deep, depth))

    def transposed(self, children: list[Any]) -> _Built:
        node, depth = children[0]
        return _nested(Transpose(node, _span(children)), depth)

    def call(self, children: list[Any]) -> _Built:
        arguments = [child for child in children if isinstance(child, tuple)]
        nodes = tuple(node for node, _ in arguments)
        depth = max(depth for _, depth in arguments)
        return _nested(Call(str(children[0]), nodes, _span(children)), depth)


def _sum(children: list[Any], sign: int) -> _Built:
    (left, deep), _, (right, depth) = children
    flat = isinstance(left, Sum) and len(left.terms) > 1
    terms = left.terms if flat else ((1, left),)
    node = Sum((*terms, (sign, right)), _span(children))
    return _nested(node, max(deep - flat, depth))


def _product(children: list[Any], power: int) -> _Built:
    (left, deep), _, (right, depth) = children
    flat = isinstance(left, Product)
    factors = left.factors if flat else ((1, left),)
    node = Product((*factors, (power, right)), _span(children))
    return _nested(node, max(deep - flat, depth))


def _nested(node: Node, depth: int) -> _Built:
    if depth >= MAX_NESTING:
        raise ExpressionError(
            f"expected at most {MAX_NESTING} operations inside one another", node.span
        )
    return node, depth + 1


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Args:
        text: an expression of the language (`+ - * / **`, parentheses, exact numbers,
            names, functions, `.T`).

    Returns:
        The tree.

    Raises:
        ExpressionError: with the place, for anything else, and beyond the limits on
            length, nesting, digits and exponents.

    >>> parse("2*x").factors[1][1].name
    'x'
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"expected at most {MAX_LENGTH} characters, got {len(text)}",
            (MAX_LENGTH, len(text)),
        )
    if not text.strip():
        raise ExpressionError("expected an expression, got none", (0, len(text)))
    try:
        node: Any = _parser().parse(text)
    except UnexpectedInput as error:
        reason, span = _unexpected(text, error)
        raise ExpressionError(reason, span) from None
    result: Node = node
    return result


@lru_cache(maxsize=1)
def _parser() -> Lark:
    options: dict[str, Any] = {"parser": "lalr", "keep_all_tokens": True}
    return Lark(_GRAMMAR, transformer=_Builder(), **options)


def _span(children: list[Any]) -> Span:
    return _ends(children[0])[0], _ends(children[-1])[1]


def _ends(child: Any) -> Span:
    if isinstance(child, Token):
        return child.start_pos or 0, child.end_pos or 0
    span: Span = child[0].span
    return span


def _exact(token: Token) -> Fraction:
    span = (token.start_pos or 0, token.end_pos or 0)
    _, _, power = token.lower().partition("e")
    if len(token) > MAX_DIGITS or abs(int(power or 0)) > MAX_DIGITS:
        raise ExpressionError(
            f"expected a number of at most {MAX_DIGITS} digits and a power of ten up "
            f"to {MAX_DIGITS}, got {token[:20]}…",
            span,
        )
    return Fraction(str(token))


def _exponent(node: Node) -> Fraction:
    """Return the number an exponent is.

    Raises:
        ExpressionError: for anything but a small number.
    """
    value = _constant(node)
    if value is None:
        raise ExpressionError(
            "expected a number as the exponent; exp(y*log(x)) raises x to the power y",
            node.span,
        )
    if max(abs(value.numerator), value.denominator) > MAX_POWER:
        raise ExpressionError(
            f"expected an exponent up to {MAX_POWER} (numerator and denominator)",
            node.span,
        )
    return value


def _constant(node: Node) -> Fraction | None:
    """Return the value of a tree of numbers, or None where there is another thing."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Sum):
        values = [(sign, _constant(term)) for sign, term in node.terms]
        if any(v is None for _, v in values):
            return None
        return sum((s * v for s, v in values if v is not None), Fraction(0))
    if isinstance(node, Product):
        result = Fraction(1)
        for power, factor in node.factors:
            value = _constant(factor)
            if value is None or (power < 0 and value == 0):
                return None
            result *= value**power
        return result
    return None


def _unexpected(text: str, error: UnexpectedInput) -> tuple[str, Span]:
    """Return what was expected where the text leaves the grammar, and where."""
    end = (len(text), len(text))
    if isinstance(error, UnexpectedToken):
        names = sorted({_WORDS[w] for w in error.accepts or () if w in _WORDS})
        if error.token.type == "$END":
            return f"expected {_listed(names)}, got the end", end
        at = error.token.start_pos or 0
        return f"expected {_listed(names)}, got {error.token!s:.40}", (
            at,
            at + len(error.token),
        )
    at = int(getattr(error, "pos_in_stream", 0))
    character = text[at : at + 1]
    shown = repr(character)
    if not (character.isascii() and character.isprintable()):
        shown = f"the character U+{ord(character):04X}"
    hint = _HINTS.get(character, "")
    reason = f"expected an operator, a name or a number, got {shown}"
    return reason + (f"; {hint}" if hint else ""), (at, at + 1)


def _listed(names: list[str]) -> str:
    if not names:
        return "something else"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

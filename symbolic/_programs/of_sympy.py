"""From a sympy scalar in components to nodes."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.functions import relu, step
from symbolic._programs.program import Builder


_FUNCTIONS: Mapping[type, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.Abs: "abs",
    sp.sign: "sign",
    relu: "relu",
    step: "step",
}


def read_expression(
    expression: sp.Expr, symbols: Mapping[str, int], build: Builder
) -> int:
    """Return the node of a sympy scalar.

    Args:
        expression: the scalar.
        symbols: name of a symbol → node.
        build: where the nodes go.

    Returns:
        The place of its value.

    Raises:
        DeclarationError: for a function that programs do not have.
    """
    replaced, reduced = sp.cse(
        expression, symbols=sp.numbered_symbols("\N{SECTION SIGN}")
    )
    known = dict(symbols)
    for symbol, value in replaced:
        known[symbol.name] = _node(value, known, build)
    return _node(reduced[0], known, build)


def _node(expression: sp.Expr, known: Mapping[str, int], build: Builder) -> int:
    if expression.is_Symbol:
        return known[expression.name]
    if expression.is_Rational:
        return build.number(Fraction(int(expression.p), int(expression.q)))
    if expression.is_NumberSymbol:
        return build.number(Fraction(float(expression)))
    if expression.is_Pow:
        return _power(expression, known, build)
    arguments = [_node(each, known, build) for each in expression.args]
    if expression.is_Add:
        return reduce(build.add, arguments)
    if expression.is_Mul:
        return reduce(build.times, arguments)
    name = _FUNCTIONS.get(expression.func)
    if name is None:
        raise DeclarationError(
            f"expected functions among {', '.join(sorted(_FUNCTIONS.values()))}, got "
            f"{expression.func} in {expression}"
        )
    return build.function(name, arguments[0])


def _power(expression: sp.Expr, known: Mapping[str, int], build: Builder) -> int:
    base = _node(expression.base, known, build)
    if expression.exp.is_Rational:
        exponent = Fraction(int(expression.exp.p), int(expression.exp.q))
        return build.power(base, exponent)
    logarithm = build.function("log", base)
    exponent_node = _node(expression.exp, known, build)
    return build.function("exp", build.times(exponent_node, logarithm))

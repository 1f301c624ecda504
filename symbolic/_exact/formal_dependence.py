"""Linear dependence as exact values suggest it: fast, and unproved."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import sympy as sp

from symbolic._exact.dependence import (
    ATTEMPTS,
    Dependence,
    Vector,
    dependence,
    eliminate,
    uniform,
)


def formal_dependence(
    vectors: Sequence[Vector], variables: Sequence[sp.Symbol]
) -> Dependence:
    """Return what linear dependence values of the vectors suggest, unproved.

    Functions of θ count as variables of their own, so that the values are rational; a
    relation that rests on an identity between them is missed.

    Args:
        vectors: tuples of expressions, all of one length.
        variables: the symbols that the functions are functions of.

    Returns:
        The dependence; with constants in the vectors, that of `dependence`.
    """
    free = set().union(*(e.free_symbols for v in vectors for e in v))
    if free - set(variables):
        return dependence(vectors, variables)
    flat, _ = uniform([entry for vector in vectors for entry in vector])
    width = len(flat) // len(vectors)
    generator, rows = random.Random(0), [dict[Any, Any]() for _ in vectors]
    needed = len(vectors) // max(width, 1) + 3
    for key in range(ATTEMPTS + needed):
        values: dict[sp.Expr, Fraction] = {}
        try:
            point = [_formal(entry, values, generator) for entry in flat]
        except ZeroDivisionError:
            continue
        for i, value in enumerate(point):
            rows[i // width][key, i % width] = sp.QQ(value.numerator, value.denominator)
        needed -= 1
        if not needed:
            break
    return replace(eliminate(rows, sp.QQ), proved=False)


def _formal(
    expression: sp.Expr, values: dict[sp.Expr, Fraction], generator: random.Random
) -> Fraction:
    """Evaluate arithmetic exactly, with random values for all that is none."""
    if expression in values:
        return values[expression]
    if expression.is_Rational:
        value = Fraction(int(expression.p), int(expression.q))
    elif expression.is_Add or expression.is_Mul:
        parts = [_formal(part, values, generator) for part in expression.args]
        value = Fraction(sum(parts) if expression.is_Add else prod(parts))
    elif expression.is_Pow and expression.exp.is_Integer:
        value = _formal(expression.base, values, generator) ** int(expression.exp)
    elif isinstance(expression, sp.exp) and expression.exp.as_coeff_Mul()[0] != 1:
        number, rest = expression.exp.as_coeff_Mul()
        inner = sp.exp(rest if number.is_Integer else rest / number.q)
        value = _formal(inner, values, generator) ** int(number.p)
    else:
        value = Fraction(generator.randint(2, 997), generator.choice((1, 2, 3, 5)))
    values[expression] = value
    return value

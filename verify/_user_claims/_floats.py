"""Values and gradients of an expression for many points at once, in floats.

A tree is walked with arrays in place of numbers, derivatives beside the values: no
formula is differentiated and no code is generated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import relu, step
from verify._exact import NotRational


Array = NDArray[np.float64]
Pair = tuple[Array, Array | None]  # value (...), derivatives (..., n) or None for 0

_FUNCTIONS: Mapping[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    sp.exp: (np.exp, np.exp),
    sp.log: (np.log, lambda z: 1.0 / z),
    sp.sin: (np.sin, np.cos),
    sp.cos: (np.cos, lambda z: -np.sin(z)),
    sp.tan: (np.tan, lambda z: 1.0 / np.cos(z) ** 2),
    sp.sinh: (np.sinh, np.cosh),
    sp.cosh: (np.cosh, np.sinh),
    sp.tanh: (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    sp.Abs: (np.abs, np.sign),
    sp.sign: (np.sign, np.zeros_like),
    relu: (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0) * 1.0),
    step: (lambda z: (z > 0.0) * 1.0, np.zeros_like),
}


def values_and_gradients(
    expression: sp.Expr,
    theta: Array,
    symbols: Sequence[sp.Symbol],
    others: Mapping[sp.Symbol, Any],
) -> tuple[Array, Array]:
    """Return an expression and its derivatives at many points.

    Args:
        expression: in θ and the others.
        theta: points, (..., n).
        symbols: the n symbols of θ.
        others: values of the other symbols, which broadcast with θ's leading axes.

    Returns:
        Values (...) and derivatives (..., n).
    """
    n = len(symbols)
    known: dict[Any, Pair] = {s: (np.asarray(v), None) for s, v in others.items()}
    for i, symbol in enumerate(symbols):
        known[symbol] = theta[..., i], np.eye(n)[i]

    def walk(node: Any) -> Pair:
        if node not in known:
            known[node] = _walked(node, walk)
        return known[node]

    with np.errstate(all="ignore"):  # what overflows is inf or nan, and diverged
        value, slope = walk(expression)
    lead = np.broadcast_shapes(
        theta.shape[:-1], *(np.shape(each) for each in others.values())
    )
    full = np.zeros((*lead, n)) if slope is None else slope
    return np.broadcast_to(value, lead), np.broadcast_to(full, (*lead, n))


def value_at(expression: sp.Expr, values: Mapping[sp.Symbol, Any]) -> Array:
    """Return an expression at many points.

    Args:
        expression: in the symbols of `values`.
        values: arrays that broadcast.
    """
    return values_and_gradients(expression, np.zeros((1, 0)), (), values)[0]


def _walked(node: Any, walk: Callable[[Any], Pair]) -> Pair:
    if node.is_Number or node is sp.E:
        return np.float64(float(node)), None  # type: ignore[return-value]
    parts = [walk(argument) for argument in node.args]
    if node.is_Add:
        total = parts[0]
        for part in parts[1:]:
            total = total[0] + part[0], _sum(total[1], part[1])
        return total
    if node.is_Mul:
        total = parts[0]
        for part in parts[1:]:
            slope = _sum(_scaled(total[1], part[0]), _scaled(part[1], total[0]))
            total = total[0] * part[0], slope
        return total
    if node.is_Pow and node.base is sp.E:
        return _applied(sp.exp, parts[1])
    if node.is_Pow and node.exp.is_Rational:
        z, p = parts[0][0], float(node.exp)
        power = int(p) if node.exp.is_Integer else p
        return np.power(z, float(power)), _scaled(
            parts[0][1], power * np.power(z, float(power) - 1.0)
        )
    if len(parts) != 1 or node.func not in _FUNCTIONS:
        raise NotRational(f"no value of {node.func} in floats")
    return _applied(node.func, parts[0])


def _applied(function: Any, part: Pair) -> Pair:
    f, slope = _FUNCTIONS[function]
    return f(part[0]), _scaled(part[1], slope(part[0]))


def _sum(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _scaled(slope: Array | None, factor: Array) -> Array | None:
    return None if slope is None else slope * np.asarray(factor)[..., None]

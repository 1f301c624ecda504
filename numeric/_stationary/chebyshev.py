"""Polynomials on [−1, 1] from values at Chebyshev–Lobatto points, as matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev as basis
from numpy.typing import NDArray

from numeric._stationary.coordinates import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Linear maps from n values at the points −1 = x₁ < … < x_n = 1.

    Attributes:
        points: the points, ``(n,)``.
        weights: of the integral over [−1, 1], ``(n,)`` (Clenshaw–Curtis).
        series: to Chebyshev coefficients, ``(n, n)``.
        powers: to coefficients of 1, x, x², …, ``(n, n)``.
        primitive: to those of ∫ from −1 to x, ``(n + 1, n)``.
    """

    points: Floats
    weights: Floats
    series: Floats
    powers: Floats
    primitive: Floats


@lru_cache(maxsize=8)
def rule(n: int) -> Rule:
    """Return the maps for n points."""
    points = -np.cos(np.pi * np.arange(n) / (n - 1))
    points = (points - points[::-1]) / 2
    series = np.asarray(np.linalg.inv(basis.chebvander(points, n - 1)), np.float64)
    powers, primitive = np.zeros((n, n)), np.zeros((n + 1, n))
    for k in range(n):
        unit = np.eye(n)[k]
        coefficients = basis.cheb2poly(unit)
        powers[: len(coefficients), k] = coefficients
        coefficients = basis.cheb2poly(basis.chebint(unit, lbnd=-1))
        primitive[: len(coefficients), k] = coefficients
    weights = primitive.sum(axis=0) @ series
    return Rule(points, weights, series, powers @ series, primitive @ series)


def horner(coefficients: Floats, x: Floats) -> Floats:
    """Evaluate one polynomial for each row of x.

    Args:
        coefficients: of 1, x, x², …, ``(P, n)``.
        x: ``(P, k)``.

    Returns:
        The values, ``(P, k)``.
    """
    result = np.repeat(coefficients[:, -1:], x.shape[1], axis=1)
    for k in range(coefficients.shape[1] - 2, -1, -1):
        result *= x
        result += coefficients[:, k, None]
    return result


def horner_at(columns: Floats, row: NDArray[np.intp], x: Floats) -> Floats:
    """Evaluate, at each x, the polynomial of the row given.

    Args:
        columns: coefficients, the power first, ``(n, P)``.
        row: which of the P polynomials, ``(k,)``.
        x: ``(k,)``.

    Returns:
        The values, ``(k,)``.
    """
    result: Floats = columns[-1].take(row)
    for column in columns[-2::-1]:
        result *= x
        result += column.take(row)
    return result

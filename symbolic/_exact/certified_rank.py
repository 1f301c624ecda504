"""Proved lower bounds of the rank of a matrix whose entries are known to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy as sp
from sympy.polys.matrices import DomainMatrix
from sympy.polys.matrices.exceptions import DMNonInvertibleMatrixError

from symbolic._exact.intervals import NotEnclosed, enclose


Interval = tuple[sp.Rational, sp.Rational]

# Values are enclosed to 200 bits: pivots far below are noise, not numbers.
_NEGLIGIBLE = Fraction(1, 2**100)


def value_at(expression: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> Interval:
    """Return an enclosure of a value; both ends agree where it is rational.

    Args:
        expression: a real expression.
        point: a rational for each symbol.

    Returns:
        The lower and the upper end.

    Raises:
        NotEnclosed: where the expression is undefined or not in the table.
    """
    if expression.is_rational_function(*expression.free_symbols):
        value = expression.xreplace(point)
        if value.is_Rational:
            return value, value
        if not value.is_finite:
            raise NotEnclosed(f"{expression} is undefined at {point}")
    return enclose(expression, point)


def certified_rank(rows: Sequence[Sequence[Interval]]) -> tuple[int, tuple[int, ...]]:
    """Return a proved lower bound of the rank of a matrix of enclosures.

    Args:
        rows: the matrix, entries as (lower, upper).

    Returns:
        The rank, and the columns of a minor that is not zero. Where the minor found
        could not be certified, the rank is 0 and the columns are those of the minor.
    """
    middle = [[(low + high) / 2 for low, high in row] for row in rows]
    chosen, columns = largest_minor(middle)
    minor = [[middle[i][j] for j in columns] for i in chosen]
    radius = max(
        ((rows[i][j][1] - rows[i][j][0]) / 2 for i in chosen for j in columns),
        default=sp.S.Zero,
    )
    regular = bool(columns) and _stays_regular(minor, radius)
    return (len(columns) if regular else 0), columns


def largest_minor(
    matrix: list[list[sp.Rational]],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return rows and columns of a largest minor that is not negligible."""
    work = [[Fraction(int(v.p), int(v.q)) for v in row] for row in matrix]
    scale = max((abs(v) for row in work for v in row), default=Fraction(0))
    least = scale * _NEGLIGIBLE
    rows, columns = list(range(len(work))), list[int]()
    for j in range(len(work[0]) if work else 0):
        k = len(columns)
        best = max(range(k, len(work)), key=lambda i: abs(work[i][j]), default=None)
        if best is None or abs(work[best][j]) <= least:
            continue
        work[k], work[best] = work[best], work[k]
        rows[k], rows[best] = rows[best], rows[k]
        for i in range(k + 1, len(work)):
            ratio = work[i][j] / work[k][j]
            work[i] = [a - ratio * b for a, b in zip(work[i], work[k], strict=True)]
        columns.append(j)
    return tuple(rows[: len(columns)]), tuple(columns)


def _stays_regular(minor: list[list[sp.Rational]], radius: sp.Rational) -> bool:
    """Return whether every matrix within `radius` of `minor` is regular.

    M + E is regular where ‖M⁻¹‖·‖E‖ < 1, in the norm of row sums; ‖E‖ ≤ r·radius.
    """
    try:
        inverse = DomainMatrix.from_Matrix(sp.Matrix(minor)).to_field().inv()
    except DMNonInvertibleMatrixError:
        return False
    norm = max(sum(map(abs, row)) for row in inverse.to_Matrix().tolist())
    return bool(norm * radius * len(minor) < 1)

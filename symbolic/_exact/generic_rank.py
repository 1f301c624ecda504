"""The rank of fields at a generic point, with what proves it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import sympy as sp

from symbolic._exact.certified_rank import Interval, certified_rank, value_at
from symbolic._exact.dependence import Vector
from symbolic._exact.equality import MAX_OPERATIONS, PROBES, compare, random_point
from symbolic._exact.intervals import NotEnclosed
from symbolic._verdict import Verdict


LARGEST_MINOR = 4  # rows of a minor that is expanded
MOST_MINORS = 64  # that are expanded in all


@dataclass(frozen=True, slots=True)
class GenericRank:
    """The largest rank that the matrix (J₁(θ), …, J_d(θ)) has anywhere.

    Attributes:
        value: the rank at a random point: always a lower bound, proved.
        proved: whether no point has a larger rank, proved too.
        reason: the argument for the upper bound, or that there is none.
    """

    value: int
    proved: bool
    reason: str


def generic_rank(fields: Sequence[Vector], theta: Sequence[sp.Symbol]) -> GenericRank:
    """Return the rank of fields at a generic point.

    A minor that is not 0 at a rational point bounds it below. Its number of fields and
    of moving coordinates bound it above; else all minors that border that minor, which
    must vanish identically.

    Args:
        fields: tuples of n expressions.
        theta: the n symbols.

    Returns:
        The rank and its proof.

    >>> u, v, w = sp.symbols("u v w", real=True)
    >>> so3 = [(0 * u, -w, v), (w, 0 * u, -u), (-v, u, 0 * u)]
    >>> generic_rank(so3, (u, v, w)).value, generic_rank(so3, (u, v, w)).proved
    (2, True)
    """
    fields = [tuple(map(sp.sympify, J)) for J in fields]
    moving = [i for i in range(len(theta)) if any(not J[i].is_zero for J in fields)]
    rank, rows, columns, points = _at_points(fields, len(theta))
    if rank == len(fields):
        return GenericRank(rank, True, "the fields are independent at a point")
    if rank == len(moving):
        return GenericRank(rank, True, "every moving coordinate is a direction")
    if points and _borders_vanish(fields, rows, columns):
        return GenericRank(
            rank, True, f"all minors of {rank + 1} rows around one of {rank} vanish"
        )
    return GenericRank(rank, False, f"at {points} random points")


def _at_points(
    fields: Sequence[Vector], n: int
) -> tuple[int, tuple[int, ...], tuple[int, ...], int]:
    """Return the largest rank found, the rows and columns of a minor, and the points.

    Every rank is certified: the minor is not 0 at its point.
    """
    symbols = set().union(*(e.free_symbols for J in fields for e in J))
    generator = random.Random(0)
    best: tuple[int, tuple[int, ...], tuple[int, ...]] = (0, (), ())
    points = 0
    for _ in range(PROBES * 4):
        point = random_point(symbols, generator)
        try:
            values = [[value_at(J[i], point) for J in fields] for i in range(n)]
        except NotEnclosed:
            continue
        points += 1
        best = max(best, _minor_of(values), key=lambda found: found[0])
        if points == PROBES or best[0] == min(n, len(fields)):
            break
    return *best, points


def _minor_of(
    values: Sequence[Sequence[Interval]],
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return a certified rank with the rows and columns of its minor."""
    rank, columns = certified_rank(values)
    if not rank:
        return 0, (), ()
    transposed = [[row[j] for row in values] for j in columns]
    again, rows = certified_rank(transposed)
    return min(rank, again), rows, columns


def _borders_vanish(
    fields: Sequence[Vector], rows: tuple[int, ...], columns: tuple[int, ...]
) -> bool:
    """Decide whether every minor with one row and one column more is 0."""
    n, size = len(fields[0]), len(rows) + 1
    more = list(
        product(
            sorted(set(range(n)) - set(rows)),
            sorted(set(range(len(fields))) - set(columns)),
        )
    )
    if size > LARGEST_MINOR or len(more) > MOST_MINORS:
        return False
    for i, j in more:
        minor = sp.Matrix(
            size, size, lambda a, b, i=i, j=j: fields[[*columns, j][b]][[*rows, i][a]]
        )
        operations = sum(entry.count_ops() for entry in minor)
        if operations**2 > MAX_OPERATIONS:
            return False
        determinant = minor.det(method="berkowitz")
        if compare(determinant, sp.S.Zero).verdict is not Verdict.PROVED:
            return False
    return True

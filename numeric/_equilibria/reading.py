"""Rows of arrays in memory, read into the lanes of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.transpose import WIDEST, read_columns


class Reader:
    """Reads as many rows of float64 as there are lanes; lane l has row `first` + l.

    The kernel has the arguments "count" and "n" (rows, and numbers of each), and for an
    array "a" its pointer "a" and "step_a", from one row to the next, in numbers.

    Attributes:
        k: the kernel.
    """

    def __init__(self, k: Kernel) -> None:
        self.k, self._given = k, k.arguments

    def rows(self, first: Any) -> list[Any]:
        """Return the numbers of the rows; the last one stands in for those beyond."""
        k = self.k
        last = k.ir.sub(self._given["count"], k.index(1))
        rows = []
        for lane in range(k.width):
            row = k.ir.add(first, k.index(lane))
            rows.append(k.ir.select(k.ir.icmp_signed("<", row, last), row, last))
        return rows

    def number(self, name: str, rows: list[Any]) -> Any:
        """Return the first number of each row."""
        (vector,) = self._read(name, self._starts(name, rows), 0, 1)
        return vector

    def columns(
        self, names: Sequence[str], rows: list[Any], put: Callable[..., None]
    ) -> None:
        """Read all numbers of the rows of some arrays.

        Args:
            names: of the arrays.
            rows: the rows.
            put: takes the column, the place of the array among them, and the vector.
        """
        k, n = self.k, self._given["n"]
        starts = {name: self._starts(name, rows) for name in names}

        def some(first: Any, count: int) -> None:
            for place, name in enumerate(names):
                vectors = self._read(name, starts[name], first, count)
                for c, vector in enumerate(vectors):
                    put(k.ir.add(first, k.index(c)), place, vector)

        whole = k.ir.and_(n, k.index(-WIDEST))
        with k.loop(0, whole, WIDEST) as first:
            some(first, WIDEST)
        count = WIDEST // 2
        while count:  # the rest, by the bits of its number
            bit = k.ir.and_(n, k.index(count))
            with k.ir.if_then(k.ir.icmp_signed("!=", bit, k.index(0))):
                some(k.ir.and_(n, k.index(-2 * count)), count)
            count //= 2

    def _starts(self, name: str, rows: list[Any]) -> list[Any]:
        """Return the places where the rows begin."""
        step = self._given[f"step_{name}"]
        return [self.k.ir.mul(row, step) for row in rows]

    def _read(self, name: str, starts: list[Any], first: Any, count: int) -> list[Any]:
        return read_columns(self.k, self._given[name], starts, first, count)

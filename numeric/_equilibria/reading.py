"""Rows of arrays in memory, read into the lanes of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numeric._equilibria.terms import WIDTH
from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE


if AVAILABLE:
    from llvmlite import ir


class Reader:
    """Reads eight rows of float64 at a time; lane l has row `first` + l.

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
        for lane in range(WIDTH):
            row = k.ir.add(first, k.index(lane))
            rows.append(k.ir.select(k.ir.icmp_signed("<", row, last), row, last))
        return rows

    def number(self, name: str, rows: list[Any]) -> Any:
        """Return the first number of each row."""
        return self._gathered(self._starts(name, rows), self.k.index(0))

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
        starts = [self._starts(name, rows) for name in names]
        whole = k.ir.and_(n, k.index(-WIDTH))
        with k.loop(0, whole, WIDTH) as i:
            for place, start in enumerate(starts):
                for c, column in enumerate(self._tile(start, i)):
                    put(k.ir.add(i, k.index(c)), place, column)
        with k.loop(whole, n) as i:
            for place, start in enumerate(starts):
                put(i, place, self._gathered(start, i))

    def _starts(self, name: str, rows: list[Any]) -> list[Any]:
        k, step = self.k, self._given[f"step_{name}"]
        return [
            k.ir.gep(self._given[name], [k.ir.mul(row, step)], source_etype=k.real)
            for row in rows
        ]

    def _gathered(self, starts: list[Any], place: Any) -> Any:
        k = self.k
        vector = ir.Constant(k.vector, ir.Undefined)
        for lane, start in enumerate(starts):
            address = k.ir.gep(start, [place], source_etype=k.real)
            value = k.ir.load(address, align=8, typ=k.real)
            vector = k.ir.insert_element(vector, value, ir.Constant(k.word, lane))
        return vector

    def _tile(self, starts: list[Any], place: Any) -> list[Any]:
        """Return eight columns from `place` on, of eight rows each."""
        k = self.k
        rows = [k.load_at(start, place) for start in starts]
        for distance in (4, 2, 1):
            low, high = _exchange(distance)
            out = list(rows)
            for i in range(WIDTH):
                if not i & distance:
                    x, y = rows[i], rows[i + distance]
                    out[i] = k.ir.shuffle_vector(x, y, low)
                    out[i + distance] = k.ir.shuffle_vector(x, y, high)
            rows = out
        return rows


def _exchange(distance: int) -> tuple[Any, Any]:
    """Return shuffles of two rows whose blocks of that size change places."""
    low = [i if not i & distance else i - distance + WIDTH for i in range(WIDTH)]
    high = [i + distance if not i & distance else i + WIDTH for i in range(WIDTH)]
    kind = ir.VectorType(ir.IntType(32), WIDTH)
    return tuple(
        ir.Constant(kind, [ir.Constant(kind.element, i) for i in order])
        for order in (low, high)
    )

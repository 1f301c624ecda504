"""The data in a kernel: rows of a table, read into the lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from numeric._ensembles.lane_state import Shapes
from numeric._lanes.builder import Kernel
from numeric._lanes.matrices import (
    Index,
    View,
    added,
    each_entry,
    flat,
    repeat,
    scaled,
    shifted,
    store,
)
from numeric._lanes.transpose import chunk, read_columns


class Table:
    """Rows of data in memory, one for each sample: entries row by row, by name."""

    def __init__(self, kernel: Kernel, shapes: Shapes) -> None:
        self._kernel, self._shapes = kernel, shapes
        self._pointer = kernel.arguments["table"]
        self._memory: Any = None
        self._size = 1
        self.columns = sum(map(prod, shapes.values()))

    def allocated(self, size: int) -> dict[str, View]:
        """Return name → room for a block of samples, one column after the other."""
        self._size, self._memory = size, self._kernel.local(self.columns * size)
        views, place, many = {}, 0, int(size > 1)
        for name, (rows, cols) in self._shapes.items():
            views[name] = View(self._memory, place * size, (cols * size, size, many))
            place += rows * cols
        return views

    def gather(
        self, first: Index, rows: Callable[[Index], Any], *, unrolled: bool
    ) -> None:
        """Write samples into the lanes: rows(first + s) has the row of each lane."""
        kernel, build = self._kernel, self._kernel.ir
        if not self.columns:
            return

        def sample(s: Index) -> None:
            chosen = rows(added(kernel, first, s))
            starts = [
                build.mul(
                    build.zext(kernel.lane(chosen, lane), kernel.size),
                    kernel.index(self.columns),
                )
                for lane in range(kernel.width)
            ]
            self._read(starts, s, unrolled)

        repeat(kernel, self._size, sample, unrolled=unrolled)

    def _read(self, starts: list[Any], s: Index, unrolled: bool) -> None:
        """Write the rows that begin at some places as sample s of the block."""
        kernel, size = self._kernel, self._size
        at_once = chunk(self.columns)

        def part(column: Index) -> None:
            vectors = read_columns(kernel, self._pointer, starts, column, at_once)
            for c, vector in enumerate(vectors):
                place = scaled(kernel, shifted(kernel, column, c), size)
                kernel.store(self._memory, added(kernel, place, s), vector)

        def whole(number: Index) -> None:
            part(scaled(kernel, number, at_once))

        repeat(kernel, self.columns // at_once, whole, unrolled=unrolled)
        if self.columns % at_once:  # the last ones, with some before them once more
            part(self.columns - at_once)

    def broadcast(
        self, views: Mapping[str, View], first: Index, size: int, *, unrolled: bool
    ) -> None:
        """Write rows first, …, first + size − 1 into all lanes."""
        kernel = self._kernel

        def sample(s: Index) -> None:
            start = scaled(kernel, added(kernel, first, s), self.columns)
            for name, view in views.items():
                self._spread(view, self._shapes[name], start, s, unrolled)
                start = shifted(kernel, start, prod(self._shapes[name]))

        repeat(kernel, size, sample, unrolled=unrolled)

    def _spread(
        self,
        view: View,
        shape: tuple[int, int],
        start: Index,
        s: Index,
        unrolled: bool,
    ) -> None:
        kernel = self._kernel
        rows, cols = shape

        def entry(i: Index, j: Index, _: Index) -> None:
            place = added(kernel, start, flat(kernel, i, j, cols))
            store(kernel, view, i, j, s, kernel.splat(self.number(place)))

        each_entry(kernel, (rows, cols, 1), entry, unrolled=unrolled)

    def number(self, place: Index) -> Any:
        """Return one number of the table, a scalar."""
        return self._kernel.read(self._pointer, place)

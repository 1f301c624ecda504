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


class Table:
    """Rows of data in memory, one for each sample: entries row by row, by name."""

    def __init__(self, kernel: Kernel, shapes: Shapes) -> None:
        self._kernel, self._shapes = kernel, shapes
        self._pointer = kernel.arguments["table"]
        self.columns = sum(map(prod, shapes.values()))

    def gather(
        self,
        views: Mapping[str, View],
        first: Index,
        rows: Callable[[Index], Any],
        size: int,
        *,
        unrolled: bool,
    ) -> None:
        """Write samples into the lanes: rows(first + s) has the row of each lane."""
        kernel, build = self._kernel, self._kernel.ir

        def sample(s: Index) -> None:
            chosen = rows(added(kernel, first, s))
            starts = [
                build.mul(
                    build.zext(kernel.lane(chosen, lane), kernel.size),
                    kernel.index(self.columns),
                )
                for lane in range(kernel.width)
            ]
            column = 0
            for name, view in views.items():
                self._scatter(view, self._shapes[name], starts, s, column, unrolled)
                column += prod(self._shapes[name])

        repeat(kernel, size, sample, unrolled=unrolled)

    def _scatter(
        self,
        view: View,
        shape: tuple[int, int],
        starts: list[Any],
        s: Index,
        column: int,
        unrolled: bool,
    ) -> None:
        kernel, build = self._kernel, self._kernel.ir
        rows, cols = shape

        def entry(i: Index, j: Index, _: Index) -> None:
            place = shifted(kernel, flat(kernel, i, j, cols), column)
            numbers = [
                kernel.read(self._pointer, build.add(start, place)) for start in starts
            ]
            store(kernel, view, i, j, s, kernel.gathered(numbers))

        each_entry(kernel, (rows, cols, 1), entry, unrolled=unrolled)

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

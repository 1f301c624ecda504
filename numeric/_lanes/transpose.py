"""Reading rows of memory into lanes: small transposes instead of single numbers."""

from __future__ import annotations

from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.matrices import Index, added


WIDEST = 8  # numbers of a row that are read at once


def chunk(columns: int) -> int:
    """Return how many columns are read at once: the largest of 1, 2, 4, 8 there is."""
    return max(k for k in (1, 2, 4, WIDEST) if k <= max(columns, 1))


def read_columns(
    kernel: Kernel, pointer: Any, starts: list[Any], column: Index, count: int
) -> list[Any]:
    """Return `count` columns, one vector each, of rows that differ from lane to lane.

    Lane l holds number starts[l] + column + c of the array in vector c.

    Args:
        kernel: the kernel.
        pointer: the array.
        starts: place of the row of each lane.
        column: the first column.
        count: 1, 2, 4 or 8; at most 8 numbers of float32, 8 of float64.

    Returns:
        The vectors.
    """
    places = [added(kernel, start, column) for start in starts]
    if count == 1:
        return [kernel.gathered([kernel.read(pointer, place) for place in places])]
    blocks = [
        _transposed(
            kernel,
            [kernel.read_row(pointer, p, count) for p in places[lane : lane + count]],
        )
        for lane in range(0, kernel.width, count)
    ]
    return [_joined(kernel, [block[c] for block in blocks]) for c in range(count)]


def _transposed(kernel: Kernel, rows: list[Any]) -> list[Any]:
    """Transpose k rows of k numbers: bit by bit of the places, log₂ k exchanges."""
    rows, size, bit = list(rows), len(rows), 1
    while bit < size:
        for i in range(size):
            if not i & bit:
                a, b = rows[i], rows[i | bit]
                low = [p if not p & bit else size + p - bit for p in range(size)]
                high = [p + bit if not p & bit else size + p for p in range(size)]
                rows[i] = kernel.shuffled(a, b, low)
                rows[i | bit] = kernel.shuffled(a, b, high)
        bit *= 2
    return rows


def _joined(kernel: Kernel, parts: list[Any]) -> Any:
    """Return the vectors one after the other as one."""
    while len(parts) > 1:
        places = list(range(2 * parts[0].type.count))
        parts = [
            kernel.shuffled(a, b, places)
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]

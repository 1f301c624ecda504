"""Matrices whose entries are vectors of lanes, and loops over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numeric._lanes.builder import Kernel


Index = Any  # an int known when the kernel is written, or a value of the kernel
TILE = 4  # accumulators of a product at a time: with operands they fill 16 registers
SHORT = 2  # loops up to that long are written out


@dataclass(frozen=True, slots=True)
class View:
    """A matrix for each of some samples, in memory: entry (i, j) of sample s.

    Attributes:
        pointer: where it is, None for a constant.
        offset: place of the first entry, in vectors.
        strides: vectors from one i, j, s to the next; 0 where all are the same.
        constant: the number in every entry, for a constant.
    """

    pointer: Any
    offset: int
    strides: tuple[int, int, int]
    constant: float | None = None

    @property
    def transposed(self) -> View:
        """The transpose, in the same memory."""
        i, j, s = self.strides
        return View(self.pointer, self.offset, (j, i, s), self.constant)

    def entry(self, i: int, j: int) -> View:
        """Return one entry as a 1 × 1 matrix, in the same memory."""
        first, second, sample = self.strides
        place = self.offset + i * first + j * second
        return View(self.pointer, place, (0, 0, sample), self.constant)


def allocated(kernel: Kernel, shape: tuple[int, int], samples: int) -> View:
    """Return room for a matrix of each sample; one for all of them is `samples` = 1."""
    rows, cols = shape
    pointer = kernel.local(rows * cols * samples)
    many = samples > 1
    return View(pointer, 0, (cols * samples, samples, int(many)))


def load(kernel: Kernel, view: View, i: Index, j: Index, s: Index) -> Any:
    """Return an entry."""
    if view.constant is not None:
        return kernel.number(view.constant)
    return kernel.load(view.pointer, _place(kernel, view, i, j, s))


def store(kernel: Kernel, view: View, i: Index, j: Index, s: Index, value: Any) -> None:
    """Write an entry."""
    kernel.store(view.pointer, _place(kernel, view, i, j, s), value)


def _place(kernel: Kernel, view: View, *index: Index) -> Index:
    """Return offset + Σ stride·index; known parts are added up now."""
    known, place = view.offset, None
    for stride, i in zip(view.strides, index, strict=True):
        if isinstance(i, int):
            known += stride * i
        elif stride:
            term = i if stride == 1 else kernel.ir.mul(i, kernel.index(stride))
            place = term if place is None else kernel.ir.add(place, term)
    if place is None:
        return known
    return kernel.ir.add(place, kernel.index(known)) if known else place


def shifted(kernel: Kernel, i: Index, by: int) -> Index:
    """Return i + by."""
    if isinstance(i, int):
        return i + by
    return kernel.ir.add(i, kernel.index(by)) if by else i


def repeat(
    kernel: Kernel, count: int, body: Callable[[Index], None], *, unrolled: bool
) -> None:
    """Write a body for 0, …, count − 1: each time anew, or once in a loop."""
    if unrolled or count <= SHORT:
        for i in range(count):
            body(i)
    else:
        with kernel.loop(0, count) as i:
            body(i)


def each_entry(
    kernel: Kernel,
    sizes: tuple[int, int, int],
    body: Callable[[Index, Index, Index], None],
    *,
    unrolled: bool,
) -> None:
    """Write a body for every (i, j, s) of (rows, cols, samples)."""
    rows, cols, samples = sizes

    def over_columns(i: Index) -> None:
        def over_samples(j: Index) -> None:
            repeat(kernel, samples, lambda s: body(i, j, s), unrolled=unrolled)

        repeat(kernel, cols, over_samples, unrolled=unrolled)

    repeat(kernel, rows, over_columns, unrolled=unrolled)


def contract(
    kernel: Kernel,
    sizes: tuple[int, int, int],
    a: Callable[[Index, Index], Any],
    b: Callable[[Index, Index], Any],
    write: Callable[[Index, Index, Any], None],
    *,
    unrolled: bool,
    start: Callable[[Index, Index], Any] | None = None,
) -> None:
    """Write Σ_k a(i, k) b(k, j) for every i, j: tiles of them stay in registers.

    Args:
        kernel: the kernel.
        sizes: numbers of i, j and k.
        a: reads the left factor.
        b: reads the right factor.
        write: takes (i, j, value).
        unrolled: whether loops are written out.
        start: what the sum is added to; None for 0.
    """
    rows, cols, inner = sizes
    high, wide = _tile(rows, cols)

    def tile(i: Index, j: Index, height: int, width: int) -> None:
        places = [
            (shifted(kernel, i, p), shifted(kernel, j, q))
            for p in range(height)
            for q in range(width)
        ]
        sums = [
            kernel.variable(kernel.number(0.0) if start is None else start(*place))
            for place in places
        ]

        def term(k: Index) -> None:
            left = [a(places[p * width][0], k) for p in range(height)]
            right = [b(k, places[q][1]) for q in range(width)]
            for place, total in enumerate(sums):
                p, q = divmod(place, width)
                total.set(kernel.fma(left[p], right[q], total.get()))

        repeat(kernel, inner, term, unrolled=unrolled)
        for place, total in zip(places, sums, strict=True):
            write(*place, total.get())

    def row(i: Index, height: int) -> None:
        _tiles(kernel, cols, wide, lambda j, n: tile(i, j, height, n), unrolled)

    _tiles(kernel, rows, high, row, unrolled)


def _tile(rows: int, cols: int) -> tuple[int, int]:
    """Return a tile of at most TILE sums, as square as may be: it loads the least."""
    side = math.isqrt(TILE)
    high = min(rows, max(side, TILE // cols))
    return high, min(cols, TILE // high)


def _tiles(
    kernel: Kernel,
    count: int,
    size: int,
    body: Callable[[Index, int], None],
    unrolled: bool,
) -> None:
    """Write a body for stretches of `size` out of `count`, and for what is left."""
    whole = count // size
    if unrolled or whole <= SHORT:
        for tile in range(whole):
            body(tile * size, size)
    else:
        with kernel.loop(0, whole * size, size) as i:
            body(i, size)
    if count % size:
        body(whole * size, count % size)


def scaled(kernel: Kernel, i: Index, by: int) -> Index:
    """Return i times a number."""
    return i * by if isinstance(i, int) else kernel.ir.mul(i, kernel.index(by))


def added(kernel: Kernel, i: Index, j: Index) -> Index:
    """Return i + j."""
    if isinstance(j, int):
        return shifted(kernel, i, j)
    return shifted(kernel, j, i) if isinstance(i, int) else kernel.ir.add(i, j)


def flat(kernel: Kernel, i: Index, j: Index, cols: int) -> Any:
    """Return i·cols + j, as a value."""
    place = added(kernel, scaled(kernel, i, cols), j)
    return kernel.index(place) if isinstance(place, int) else place

"""Matrices of one replica in a kernel: their rows are vectors, filled up with zeros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.matrices import Index, added, repeat, scaled, shifted


GROUP = 4  # vectors of a row that are summed at once, in two chains


@dataclass(frozen=True, slots=True)
class Block:
    """A matrix for each of some samples; its rows are contiguous, of V vectors.

    A scalar is a vector of equal numbers. A column is held as a row.

    Attributes:
        pointer: where it is, None for a constant.
        rows, cols: as it is held.
        flipped: whether the matrix meant is the transpose of the one held.
        stride: vectors from one sample to the next; 0 where all are the same.
        constant: the number in every entry, for a constant.
    """

    pointer: Any
    rows: int
    cols: int
    flipped: bool = False
    stride: int = 0
    constant: float | None = None

    @property
    def transposed(self) -> Block:
        """The transpose, in the same memory."""
        return self if self.scalar else replace(self, flipped=not self.flipped)

    @property
    def scalar(self) -> bool:
        """Whether it is one number."""
        return self.rows == self.cols == 1


def held(shape: tuple[int, int]) -> tuple[int, int, bool]:
    """Return rows and columns as a new matrix is held, and whether that is flipped."""
    rows, cols = shape
    column = cols == 1 and rows > 1
    return (cols, rows, True) if column else (rows, cols, False)


class Rows:
    """Reads, writes and sums rows of blocks.

    Args:
        kernel: the kernel, whose lanes are entries of one row.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def vectors(self, cols: int) -> int:
        """Return how many vectors hold a row."""
        return -(-cols // self.kernel.width)

    def allocated(
        self, shape: tuple[int, int], samples: int = 1, *, flipped: bool | None = None
    ) -> Block:
        """Return room for a matrix of each sample.

        Args:
            shape: of the matrix meant.
            samples: how many; one for all of them is 1.
            flipped: how a matrix is held; as `held` says if None.

        Returns:
            The room.
        """
        rows, cols, turned = held(shape)
        if flipped is not None and min(shape) > 1 and flipped:
            rows, cols, turned = cols, rows, True
        size = rows * self.vectors(cols)
        pointer = self.kernel.local(size * samples)
        return Block(pointer, rows, cols, turned, size if samples > 1 else 0)

    def vector(self, block: Block, p: Index, v: Index, s: Index) -> Any:
        """Return vector v of row p as it is held; of a scalar all numbers."""
        kernel = self.kernel
        if block.constant is not None:
            return kernel.number(block.constant)
        if block.scalar:
            p = v = 0
        return kernel.load(block.pointer, self._place(block, p, v, s))

    def put(self, block: Block, p: Index, v: Index, s: Index, value: Any) -> None:
        """Write vector v of row p as it is held."""
        self.kernel.store(block.pointer, self._place(block, p, v, s), value)

    def number(self, block: Block, i: Index, j: Index, s: Index) -> Any:
        """Return entry (i, j) of the matrix meant, in every lane."""
        kernel = self.kernel
        if block.scalar or block.constant is not None:
            return self.vector(block, 0, 0, s)
        return kernel.splat(kernel.read(block.pointer, self._entry(block, i, j, s)))

    def put_number(self, block: Block, i: int, j: int, s: Index, value: Any) -> None:
        """Write entry (i, j) of the matrix meant, given in every lane."""
        if block.scalar:
            self.put(block, 0, 0, s, value)
            return
        place = self._entry(block, i, j, s)
        self.kernel.write(block.pointer, place, self.kernel.lane(value, 0))

    def turned(self, block: Block, p: Index, v: int, s: Index, *, flipped: bool) -> Any:
        """Return vector v of row p of the matrix as if it were held that way."""
        if block.scalar or block.constant is not None or block.flipped == flipped:
            return self.vector(block, p, v, s)
        kernel, width = self.kernel, self.kernel.width
        numbers = []
        for q in range(v * width, min((v + 1) * width, block.rows)):
            place = scaled(kernel, self._place(block, q, 0, s), width)
            numbers.append(kernel.read(block.pointer, added(kernel, place, p)))
        zero = kernel.lane(kernel.number(0.0), 0)
        return kernel.gathered(numbers + [zero] * (width - len(numbers)))

    def _place(self, block: Block, p: Index, v: Index, s: Index) -> Index:
        kernel = self.kernel
        row = added(kernel, scaled(kernel, p, self.vectors(block.cols)), v)
        if not block.stride:
            return row
        return added(kernel, scaled(kernel, s, block.stride), row)

    def _entry(self, block: Block, i: Index, j: Index, s: Index) -> Index:
        if block.flipped:
            i, j = j, i
        kernel = self.kernel
        row = scaled(kernel, self._place(block, i, 0, s), kernel.width)
        return added(kernel, row, j)

    # ----------------------------------------------------------------------- sums

    def masked(self, cols: int, v: int, value: Any) -> Any:
        """Return a vector of a row with zeros behind its last entry."""
        kernel = self.kernel
        left = cols - v * kernel.width
        if left >= kernel.width:
            return value
        zero = kernel.number(0.0)
        order = [k if k < left else kernel.width + k for k in range(kernel.width)]
        return kernel.shuffled(value, zero, order)

    def across(self, vectors: list[Any]) -> Any:
        """Return the sums of as many vectors as there are lanes, one in each.

        Pairs are merged: half the lanes of the result are of the one, half of the
        other. After log₂ L turns a lane holds the sum of one vector.
        """
        kernel, width = self.kernel, self.kernel.width
        zero = kernel.number(0.0)
        vectors = vectors + [zero] * (width - len(vectors))
        distance = 1
        while len(vectors) > 1:
            low = [
                k if not k & distance else width + k - distance for k in range(width)
            ]
            high = [
                k + distance if not k & distance else width + k for k in range(width)
            ]
            vectors = [
                kernel.add(kernel.shuffled(x, y, low), kernel.shuffled(x, y, high))
                for x, y in zip(vectors[::2], vectors[1::2], strict=True)
            ]
            distance *= 2
        return vectors[0]

    def sum_of(self, vector: Any) -> Any:
        """Return the sum of a vector's lanes, in every lane."""
        kernel, width = self.kernel, self.kernel.width
        distance = 1
        while distance < width:
            order = [k ^ distance for k in range(width)]
            vector = kernel.add(vector, kernel.shuffled(vector, vector, order))
            distance *= 2
        return vector

    def combined(
        self,
        terms: int,
        vectors: range,
        factor: Callable[[Index], Any],
        row: Callable[[Index, int], Any],
        write: Callable[[int, Any], None],
    ) -> None:
        """Write Σ_k factor(k)·row(k, v) for each of some vectors v.

        Args:
            terms: how many k there are.
            vectors: which v; they stay in registers.
            factor: reads a number, in every lane.
            row: reads a vector.
            write: takes v and the sum.
        """
        kernel = self.kernel
        if terms == 1:
            for v in vectors:
                write(v, kernel.mul(factor(0), row(0, v)))
            return
        chains = [
            [kernel.variable(kernel.number(0.0)) for _ in vectors] for _ in range(2)
        ]

        def add(k: Index, chain: list[Any]) -> None:
            number = factor(k)
            for total, v in zip(chain, vectors, strict=True):
                total.set(kernel.fma(number, row(k, v), total.get()))

        def both(half: Index) -> None:
            k = scaled(kernel, half, 2)
            add(k, chains[0])
            add(shifted(kernel, k, 1), chains[1])

        repeat(kernel, terms // 2, both, unrolled=False)
        if terms % 2:
            add(terms - 1, chains[0])
        for v, x, y in zip(vectors, *chains, strict=True):
            write(v, kernel.add(x.get(), y.get()))

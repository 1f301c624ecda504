"""‖pᵀq‖² by a kernel of its own, where the machine's library leaves half of it unused.

Intel's library, which torch brings, takes registers of 32 bytes on AMD's processors
that have 64: there this kernel takes half the time. The matrix is not kept.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import INTEGER, POINTER, Compiled, host, wide_registers
from numeric._lanes.matrices import added
from numeric._noise._kernels import Results, Writer, fits


HEIGHT, WIDTH = 6, 4  # of a tile: 24 sums of 32 registers
STRETCH = 256  # rows that are summed before they are added to what was there
SHORT = 1 << 24  # products that one thread has done before several are under way


def product_square(p: Tensor, q: Tensor) -> float | None:
    """Return ‖pᵀq‖², or None where torch is expected to be as fast.

    Args:
        p: shape (K, d1), float32.
        q: shape (K, d2).

    Returns:
        The sum of the squares in float64; pᵀq is summed as float32, 256 rows at a time.
    """
    if not pays(p, q):
        return None
    (K, d1), d2 = p.shape, q.shape[1]
    found, work = Results(), np.empty(d1 * WIDTH * 16, dtype=np.float32)
    _kernel().raw(
        *(x.data_ptr() for x in (p, q)),
        *(work.ctypes.data, ctypes.addressof(found)),
        *(K, d1, d2, p.stride(0), q.stride(0)),
    )
    return float(found[0])


def pays(p: Tensor, q: Tensor) -> bool:
    """Return whether `product_square` is expected to take less time than torch."""
    if not (_leaves_half() and p.dtype == torch.float32 and fits(p, q)):
        return False
    short = p.numel() * q.shape[1] <= SHORT
    return short or torch.get_num_threads() == 1


@functools.cache
def _leaves_half() -> bool:
    return wide_registers() and host().startswith("znver")


@functools.cache
def _kernel() -> Compiled:
    pointers, sizes = ("p", "q", "work", "out"), ("K", "d1", "d2", "pn", "qn")
    kinds = dict.fromkeys(pointers, POINTER) | dict.fromkeys(sizes, INTEGER)
    k = Kernel("product_square", "float32", kinds)
    _Tiles(k).write()
    return k.compile()


class _Tiles:
    """Writes the kernel."""

    def __init__(self, k: Kernel) -> None:
        self._k, self._a, self._writer = k, k.arguments, Writer(k)
        self._total = k.variable(self._writer.zero64)

    def write(self) -> None:
        """Write panels of columns, of WIDTH vectors, then of one, then the rest."""
        k, d2 = self._k, self._a["d2"]
        step = WIDTH * k.width
        wide = self._multiple(d2, step)
        whole = self._multiple(d2, k.width)
        with k.loop(0, wide, step) as j:
            self._panel(j, WIDTH, None)
        with k.loop(wide, whole, k.width) as j:
            self._panel(j, 1, None)
        self._writer.rest("d2", lambda j, mask: self._panel(j, 1, mask))
        self._writer.give(0, self._total.get())

    def _multiple(self, size: Any, of: int) -> Any:
        k = self._k
        return k.ir.mul(k.ir.sdiv(size, k.index(of)), k.index(of))

    def _panel(self, j: Any, vectors: int, mask: Any) -> None:
        """Add the squares of some columns of pᵀq."""
        k, d1 = self._k, self._a["d1"]
        high = self._multiple(d1, HEIGHT)
        stretch = k.index(STRETCH)
        with k.loop(0, self._a["K"], STRETCH) as first:
            after = k.ir.add(first, stretch)
            less = k.ir.icmp_signed("<", after, self._a["K"])
            last = k.ir.select(less, after, self._a["K"])
            with k.loop(0, high, HEIGHT) as i:
                self._tile((i, j), (first, last), (HEIGHT, vectors), mask)
            with k.loop(high, d1) as i:
                self._tile((i, j), (first, last), (1, vectors), mask)

    def _tile(self, corner: Any, rows: Any, size: Any, mask: Any) -> None:
        """Add what some rows give to a tile; with the last ones, its squares."""
        k, a, (i, j), (first, last) = self._k, self._a, corner, rows
        height, vectors = size
        sums = [k.variable(k.number(0.0)) for _ in range(height * vectors)]
        with k.loop(first, last) as row:
            right_start = k.ir.add(k.ir.mul(row, a["qn"]), j)
            left_start = k.ir.add(k.ir.mul(row, a["pn"]), i)
            right = [
                k.load_at(a["q"], added(k, right_start, v * k.width))
                for v in range(vectors)
            ]
            for h in range(height):
                left = k.splat(k.read(a["p"], added(k, left_start, h)))
                for v in range(vectors):
                    total = sums[h * vectors + v]
                    total.set(k.fma(left, right[v], total.get()))
        place = k.ir.mul(i, k.index(WIDTH * k.width))
        places = [
            added(k, place, (h * WIDTH + v) * k.width)
            for h in range(height)
            for v in range(vectors)
        ]
        begun = k.ir.icmp_signed(">", first, k.index(0))
        with k.ir.if_then(begun):
            for at, total in zip(places, sums, strict=True):
                total.set(k.ir.fadd(total.get(), k.load_at(a["work"], at)))
        ends = k.ir.icmp_signed("==", last, a["K"])
        with k.ir.if_else(ends) as (then, otherwise):
            with then:
                for total in sums:
                    parts = self._writer.halves(self._writer.kept(total.get(), mask))
                    square = self._writer.square(parts)
                    self._total.set(k.ir.fadd(self._total.get(), square))
            with otherwise:
                for at, total in zip(places, sums, strict=True):
                    k.store_at(a["work"], at, total.get())

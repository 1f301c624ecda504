r"""Noise equilibria of many orbits by one SIMD kernel, eight or sixteen at a time.

With U(λ) = Σ uᵢ e^{−2λmᵢ} and D(λ) = Σ dᵢ e^{2λmᵢ}, m = |μ|, u and d what pushes the
charge up and down, λ* is the zero of H = log(U/D). Its derivatives are cumulants of m
under the weights of the terms.

Step 1: u and d as products, no logarithms; the sides are swapped where H(0) < 0: then
    λ* > 0.
Step 2: in float32 and base 2, where a = log₂ u and b = log₂ d are known to 2^-19, the
    first steps, of third order (Halley), inside a bracket and with bisection where they
    stall. They start near its upper end, beyond which a single term of D exceeds U(0).
Step 3: in float64 a step of fourth order, with the exponentials e^{2λm} and their
    reciprocals only: mostly one suffices. The next term of the series is bounded, from
    the third moments, and the step repeated until it is below the rounding.

What leaves the range where all this is safe is left to the caller: see `Status`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from enum import IntEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._equilibria.first_steps import FirstSteps
from numeric._equilibria.last_steps import LastSteps
from numeric._equilibria.reading import Reader
from numeric._equilibria.terms import WIDE, Terms, at_once, swapped
from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE, INTEGER, POINTER, Compiled


if AVAILABLE:
    from llvmlite import ir


_Floats = NDArray[np.float64]

_BIG = 2.0**200  # factors beyond, or below its inverse, are left to the caller
_RATIO = 200.0  # of log2 U(0)/D(0) at most, for all in float32 to stay in range


class Status(IntEnum):
    """What the kernel says of a row.

    Attributes:
        SOLVED: to rounding: a few eps |λ*| + (n + 4) eps/|H'|.
        LEFT: an argument is not valid, out of range, or steps did not suffice.
    """

    SOLVED = 0
    LEFT = 1


def solve(
    mu: _Floats,
    s: _Floats,
    t: _Floats,
    sigma2: _Floats,
    gamma: _Floats,
    *,
    width: int | None = None,
) -> tuple[_Floats, _Floats, NDArray[np.uint8]]:
    """Solve rows; arguments as `rows` makes them.

    Args:
        mu: (B, n), the last axis contiguous, rows at any distance, also 0.
        s: likewise.
        t: likewise.
        sigma2: (B,), at any distance.
        gamma: likewise.
        width: how many rows at a time; what suits the machine if None. No root
            depends on it but for rounding.

    Returns:
        λ*, -H'(λ*) and the status, each (B,).
    """
    count, n = mu.shape
    width = width or at_once()
    room = -(-count // width) * width
    result, slope = np.empty(room), np.empty(room)
    status = np.empty(room, dtype=np.uint8)
    wide, narrow = np.empty(3 * n * width), np.empty(3 * n * width, np.float32)
    work = (result, slope, status, wide, narrow)
    _kernel(width)(*addressed((mu, s, t, sigma2, gamma), work, count, n))
    return result[:count], slope[:count], status[:count]


def addressed(
    arrays: Sequence[_Floats], work: Sequence[NDArray[Any]], count: int, n: int
) -> list[Any]:
    """Return the arguments of a kernel that reads rows: see `Reader`.

    Args:
        arrays: what it reads, rows at any distance.
        work: what it writes.
        count: rows.
        n: numbers of each.

    Returns:
        Arrays, both sizes, and the distances of rows.
    """
    steps = [a.strides[0] // 8 if count > 1 else 0 for a in arrays]
    return [*map(_start, arrays), *work, count, n, *steps]


def _start(array: _Floats) -> _Floats:
    """Return a contiguous array that begins where this one does."""
    return np.lib.stride_tricks.as_strided(array, shape=(1,), strides=(8,))


@functools.cache
def _kernel(width: int) -> Compiled:
    names = ("mu", "s", "t", "sigma2", "gamma")
    outputs = ("result", "slope", "status", "wide", "narrow")
    sizes = ("count", "n", *(f"step_{name}" for name in names))
    kinds = dict.fromkeys((*names, *outputs), POINTER) | dict.fromkeys(sizes, INTEGER)
    k = Kernel("noise_equilibria", "float64", kinds, width)
    _Writer(k).write()
    return k.compile()


class _Writer:
    """Writes the kernel; vectors are of float64 unless said otherwise."""

    def __init__(self, k: Kernel) -> None:
        self.k, self.a = k, k.arguments
        self.terms, self.reader = Terms(k), Reader(k)
        self.one, self.zero = k.number(1.0), k.number(0.0)

    def write(self) -> None:
        k = self.k
        with k.loop(0, self.a["count"], k.width) as first:
            self._group(first)

    def _group(self, first: Any) -> None:
        k = self.k
        rows = self.reader.rows(first)
        rise, fall, large, small, bad = self._fill(rows)
        both = k.ir.and_(
            k.compare(">", rise, self.zero), k.compare(">", fall, self.zero)
        )
        idle = k.ir.or_(bad, k.ir.not_(both))
        back = k.compare("<", rise, fall)
        rise, fall = swapped(k, back, rise, fall)
        first_steps = FirstSteps(k, self.terms, idle)
        y, ratio = first_steps.write(back, rise, fall, large, small)
        scale = k.div(k.number(math.log(2) / 2), large)
        start = k.select(k.compare("==", rise, fall), self.zero, k.mul(y, scale))
        root, slope, done = LastSteps(k, self.terms, idle).write(start, large)
        fine = k.ir.and_(done, k.compare("<", ratio, k.number(_RATIO)))
        none = k.ir.and_(
            k.compare("==", rise, self.zero), k.compare("==", fall, self.zero)
        )
        end = k.select(none, k.number(math.nan), k.number(math.inf))
        root = k.select(both, root, end)
        root = k.select(back, k.neg(root), root)
        good = k.ir.or_(fine, k.ir.and_(k.ir.not_(both), self._ordered(rise, fall)))
        good = k.ir.and_(good, k.ir.not_(bad))
        k.store_at(self.a["result"], first, root)
        k.store_at(self.a["slope"], first, k.select(both, slope, k.number(math.inf)))
        byte = ir.IntType(8)
        left = k.ir.zext(k.ir.not_(good), ir.VectorType(byte, k.width))
        address = k.ir.gep(self.a["status"], [first], source_etype=byte)
        k.ir.store(left, address, align=1)

    def _ordered(self, x: Any, y: Any) -> Any:
        k = self.k
        total = k.add(x, y)
        return k.compare("==", total, total)

    def _fill(self, rows: list[Any]) -> tuple[Any, ...]:
        """Write m, u and d to `wide`.

        Returns:
            U(0), D(0), the largest and the smallest m that is not 0, and flags of what
            may not be solved here.
        """
        k = self.k
        sigma2, gamma = (self.reader.number(name, rows) for name in ("sigma2", "gamma"))
        self.factors = sigma2, k.add(gamma, gamma)
        sums = [k.variable(k.number(v)) for v in (0.0, 0.0, 0.0, math.inf, 0.0, 1.0)]
        self._watch(sums, sigma2, gamma)
        put = partial(self.terms.put, WIDE)
        self.reader.columns(("mu", "s", "t"), rows, put)
        with k.loop(0, self.terms.n) as i:
            self._terms(i, sums)
        rise, fall, large, small, most, least = (v.get() for v in sums)
        fits = k.ir.and_(
            k.compare("<=", most, k.number(_BIG)),
            k.compare(">=", least, k.number(1 / _BIG)),
        )
        fits = k.ir.and_(fits, self._ordered(rise, fall))
        return rise, fall, large, small, k.ir.not_(fits)

    def _watch(self, sums: list[Any], *values: Any) -> None:
        """Keep the largest number, and the smallest but 0; they must not be < 0."""
        k = self.k
        most, least = sums[4:]
        for v in values:
            most.set(k.larger(v, most.get()))
            other = k.select(k.compare("==", v, self.zero), self.one, v)
            least.set(k.smaller(other, least.get()))

    def _terms(self, i: Any, sums: list[Any]) -> None:
        k = self.k
        mu, s, t = self.terms.got(WIDE, i)
        m = k.absolute(mu)
        self._watch(sums, m, s, t)
        noise = k.ir.fmul(k.ir.fmul(self.factors[0], m), s)
        decay = k.ir.fmul(k.ir.fmul(self.factors[1], m), t)
        rises = k.compare(">", mu, self.zero)
        u, d = swapped(k, k.ir.not_(rises), noise, decay)
        for place, value in enumerate((m, u, d)):
            self.terms.put(WIDE, i, place, value)
        rise, fall, large, small = sums[:4]
        rise.set(k.ir.fadd(rise.get(), u))
        fall.set(k.ir.fadd(fall.get(), d))
        large.set(k.larger(m, large.get()))
        some = k.select(k.compare(">", m, self.zero), m, small.get())
        small.set(k.smaller(some, small.get()))

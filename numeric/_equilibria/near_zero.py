r"""The last digits of many equilibria near 0, by a SIMD kernel: see `refine`.

There G(0) = Σu − Σd almost vanishes, and is all that needs more than double precision:
G(0) = Σ d(e^{2λm} − 1) − Σ u(e^{−2λm} − 1). Terms are pairs of doubles; a product is
split by a fused multiplication, a sum as Knuth does, both without contraction.
"""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._equilibria.lanes import addressed
from numeric._equilibria.reading import Reader
from numeric._equilibria.refine import LARGEST_MOVE, MILD, REACH, STEPS
from numeric._equilibria.terms import WIDE, Terms, at_once, swapped
from numeric._lanes.builder import Kernel
from numeric._lanes.compiler import AVAILABLE, INTEGER, POINTER, Compiled
from numeric._lanes.exponential import expm1


if AVAILABLE:
    from llvmlite import ir


_Floats = NDArray[np.float64]
_Pair = tuple[Any, Any]


def solve_near_zero(
    lam: _Floats,
    mu: _Floats,
    s: _Floats,
    t: _Floats,
    sigma2: _Floats,
    gamma: _Floats,
) -> tuple[_Floats, NDArray[np.bool_]]:
    """Mend the last digits of roots that `lanes` has solved.

    Args:
        lam: finite λ* of every row, as good as doubles make it, (B,).
        mu: (B, n), the last axis contiguous; factors within the range of `lanes`.
        s: likewise.
        t: likewise.
        sigma2: (B,).
        gamma: (B,).

    Returns:
        λ* with small relative error, and where that is sure; elsewhere `refine` must
        be asked.
    """
    count, n = mu.shape
    width = at_once()
    room = -(-count // width) * width
    result, sure = np.empty(room), np.empty(room, dtype=np.uint8)
    arrays = (lam, mu, s, t, sigma2, gamma)
    _kernel(width)(
        *addressed(arrays, (result, sure, np.empty(3 * n * width)), count, n)
    )
    return result[:count], sure[:count].astype(bool)


@functools.cache
def _kernel(width: int) -> Compiled:
    names = ("lam", "mu", "s", "t", "sigma2", "gamma")
    outputs = ("result", "sure", WIDE)
    sizes = ("count", "n", *(f"step_{name}" for name in names))
    kinds = dict.fromkeys((*names, *outputs), POINTER) | dict.fromkeys(sizes, INTEGER)
    k = Kernel("equilibria_near_zero", "float64", kinds, width)
    writer = _Writer(k)
    with k.loop(0, k.arguments["count"], width) as first:
        writer.group(first)
    return k.compile()


class _Writer:
    """Writes the kernel."""

    def __init__(self, k: Kernel) -> None:
        self._k, self._terms, self._reader = k, Terms(k), Reader(k)

    def group(self, first: Any) -> None:
        """Write what is done for a row in each lane."""
        k, given = self._k, self._k.arguments
        rows = self._reader.rows(first)
        before = self._reader.number("lam", rows)
        start, large = self._fill(rows)
        lam = k.variable(before)
        sure = k.variable(k.compare("==", before, before))
        with k.loop(0, STEPS):
            change, slope, size = self._change(lam.get())
            allowed = k.mul(k.mul(slope, k.absolute(lam.get())), k.number(MILD))
            mild = k.compare("<=", size, allowed)
            sure.set(k.ir.and_(sure.get(), mild))
            lam.set(k.ir.fadd(lam.get(), k.div(k.ir.fadd(start, change), slope)))
        double = k.add(large, large)
        far = k.compare(">", k.mul(k.absolute(before), double), k.number(REACH))
        moved = k.mul(k.absolute(k.ir.fsub(lam.get(), before)), double)
        mended = k.compare("<=", moved, k.number(LARGEST_MOVE))
        mended = k.ir.and_(mended, k.ir.not_(far))
        k.store_at(given["result"], first, k.select(mended, lam.get(), before))
        byte = ir.IntType(8)
        flags = k.ir.zext(k.ir.or_(sure.get(), far), ir.VectorType(byte, k.width))
        address = k.ir.gep(given["sure"], [first], source_etype=byte)
        k.ir.store(flags, address, align=1)

    def _fill(self, rows: list[Any]) -> tuple[Any, Any]:
        """Write m, u and d to `wide`; return G(0) and the largest m."""
        k = self._k
        sigma2, gamma = (
            self._reader.number(name, rows) for name in ("sigma2", "gamma")
        )
        factors = sigma2, k.ir.fadd(gamma, gamma)
        self._reader.columns(("mu", "s", "t"), rows, partial(self._terms.put, WIDE))
        zero = k.number(0.0)
        high, low, large = (k.variable(zero) for _ in range(3))
        with k.loop(0, self._terms.n) as i:
            mu, s, t = self._terms.got(WIDE, i)
            m = k.absolute(mu)
            large.set(k.larger(m, large.get()))
            noise, decay = (
                self._times(self._product(factor, m), x)
                for factor, x in zip(factors, (s, t), strict=True)
            )
            falls = k.ir.not_(k.compare(">", mu, zero))
            tops = swapped(k, falls, noise[0], decay[0])
            rests = swapped(k, falls, noise[1], decay[1])
            for place, value in enumerate((m, *tops)):
                self._terms.put(WIDE, i, place, value)
            for top, rest in (
                (tops[0], rests[0]),
                (k.neg(tops[1]), k.neg(rests[1])),
            ):
                total, lost = self._sum(high.get(), top)
                high.set(total)
                low.set(k.ir.fadd(low.get(), k.ir.fadd(lost, rest)))
        return k.ir.fadd(high.get(), low.get()), large.get()

    def _change(self, lam: Any) -> tuple[Any, Any, Any]:
        """Return G(λ) − G(0), −G'(λ) and the sum of the sizes of all its terms."""
        k = self._k
        double = k.ir.fadd(lam, lam)
        change, slope, size = (k.variable(k.number(0.0)) for _ in range(3))
        with k.loop(0, self._terms.n) as i:
            m, u, d = self._terms.got(WIDE, i)
            x = k.mul(double, m)
            rise = k.mul(u, expm1(k, k.neg(x)))
            fall = k.mul(d, expm1(k, x))
            change.set(k.add(change.get(), k.sub(rise, fall)))
            both = k.add(k.add(u, rise), k.add(d, fall))
            slope.set(k.fma(m, both, slope.get()))
            sizes = k.add(k.absolute(rise), k.absolute(fall))
            size.set(k.add(size.get(), sizes))
        return change.get(), k.add(slope.get(), slope.get()), size.get()

    # ------------------------------------------------------------------------- pairs

    def _sum(self, x: Any, y: Any) -> _Pair:
        """Return x + y rounded, and what was lost."""
        build = self._k.ir
        total = build.fadd(x, y)
        back = build.fsub(total, x)
        rest = build.fadd(build.fsub(x, build.fsub(total, back)), build.fsub(y, back))
        return total, rest

    def _product(self, x: Any, y: Any) -> _Pair:
        """Return xy rounded, and what was lost."""
        k = self._k
        total = k.ir.fmul(x, y)
        return total, k.intrinsic("fma", x, y, k.neg(total))

    def _times(self, x: _Pair, y: Any) -> _Pair:
        """Return a pair times a number."""
        build = self._k.ir
        high, low = self._product(x[0], y)
        low = build.fadd(low, build.fmul(x[1], y))
        total = build.fadd(high, low)
        return total, build.fsub(low, build.fsub(total, high))

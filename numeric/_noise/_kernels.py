"""Sums over the rows of samples in one call, where torch would take many small ones.

A layer of a short sequence costs torch tens of microseconds in calls, and its sums a
few. These kernels are for float32 and float64 on the CPU; `fits` says for what.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from numeric._lanes.builder import Kernel, lanes
from numeric._lanes.compiler import AVAILABLE, INTEGER, POINTER, Compiled


if AVAILABLE:
    from llvmlite import ir


WORK = 1 << 24  # products of numbers beyond which torch, with its threads, may win
CHAINS = 4  # sums that do not wait for each other
AT_ONCE = 4  # rows that a row is multiplied by
Results = ctypes.c_double * 2
_NAMES = {torch.float32: "float32", torch.float64: "float64"}


def fits(*rows: Tensor) -> bool:
    """Return whether the kernels take rows (N, T, d) of such tensors."""
    return AVAILABLE and all(
        x.device.type == "cpu"
        and x.dtype in _NAMES
        and x.dtype == rows[0].dtype
        and x.stride(-1) == 1
        and x.data_ptr() != 0  # torch has zeros without memory
        and x.shape[-1] >= lanes(_NAMES[x.dtype])
        for x in rows
    )


def gram_sums(p: Tensor, q: Tensor) -> tuple[float, float]:
    """Return Σ_x Σ_st (p_xs·p_xt)(q_xs·q_xt), and the part of it where s = t.

    Args:
        p: shape (N, T, d1).
        q: shape (N, T, d2), of the same type.

    Returns:
        Both, summed in float64 over products in the rows' precision.
    """
    found = Results()
    _gram_kernel(_NAMES[p.dtype]).raw(
        *(x.data_ptr() for x in (p, q)),
        ctypes.addressof(found),
        *p.shape,
        q.shape[2],
        *p.stride()[:2],
        *q.stride()[:2],
    )
    return found[0], found[1]


def gram_pays(p: Tensor, q: Tensor) -> bool:
    """Return whether `gram_sums` takes these, and less time than torch."""
    N, T, d1 = p.shape
    return N * T * T * (d1 + q.shape[2]) <= 2 * WORK and fits(p, q)


def row_sums(p: Tensor) -> tuple[float, float]:
    """Return Σ_x |Σ_t p_xt|² and |Σ_xt p_xt|².

    Args:
        p: shape (N, T, d).

    Returns:
        Both; sums over t in the rows' precision, the others in float64.
    """
    found = Results()
    _row_kernel(_NAMES[p.dtype]).raw(
        p.data_ptr(), ctypes.addressof(found), *p.shape, *p.stride()[:2]
    )
    return found[0], found[1]


def square_sum(x: Tensor) -> float | None:
    """Return Σx², summed in float64; None for a tensor that no kernel takes."""
    if not (
        AVAILABLE
        and x.device.type == "cpu"
        and x.dtype in _NAMES
        and x.is_contiguous()
        and x.numel() <= WORK
        and (x.data_ptr() != 0 or not x.numel())
    ):
        return None
    found = Results()
    kernel = _square_kernel(_NAMES[x.dtype])
    kernel.raw(x.data_ptr(), ctypes.addressof(found), x.numel())
    return float(found[0])


def _kinds(pointers: str, sizes: str) -> dict[str, str]:
    return dict.fromkeys(pointers.split(), POINTER) | dict.fromkeys(
        sizes.split(), INTEGER
    )


@functools.cache
def _gram_kernel(dtype: str) -> Compiled:
    arguments = _kinds("p q out", "N T d1 d2 pn pt qn qt")
    k = Kernel("gram_sums", dtype, arguments)
    writer, a = Writer(k), k.arguments
    other, same = (k.variable(writer.zero64) for _ in range(2))
    with k.loop(0, a["N"]) as x, k.loop(0, a["T"]) as s:

        def products(t: Any, count: int) -> list[Any]:
            """Return (p_s·p_t)(q_s·q_t) for some t, float64."""
            left = writer.dots("p", "d1", (x, s), (x, t), count)
            right = writer.dots("q", "d2", (x, s), (x, t), count)
            return [k.ir.fmul(*pair) for pair in zip(left, right, strict=True)]

        def add(variable: Any, terms: list[Any]) -> None:
            for term in terms:
                variable.set(k.ir.fadd(variable.get(), term))

        add(same, products(s, 1))
        first = k.ir.add(s, k.index(1))
        left = k.ir.and_(k.ir.sub(a["T"], first), k.index(-AT_ONCE))
        whole = k.ir.add(first, left)
        with k.loop(first, whole, AT_ONCE) as t:
            add(other, products(t, AT_ONCE))
        with k.loop(whole, a["T"]) as t:
            add(other, products(t, 1))
    twice = k.ir.fadd(other.get(), other.get())
    writer.give(0, k.ir.fadd(same.get(), twice))
    writer.give(1, same.get())
    return k.compile()


@functools.cache
def _row_kernel(dtype: str) -> Compiled:
    k = Kernel("row_sums", dtype, _kinds("p out", "N T d1 pn pt"))
    writer, a = Writer(k), k.arguments
    sizes, size = (k.variable(writer.zero64) for _ in range(2))

    def column(place: Any, mask: Any) -> None:
        """Add what one vector of all rows gives."""
        low, high = (k.variable(zero) for zero in writer.wide_zeros)
        with k.loop(0, a["N"]) as x:
            total = k.variable(k.number(0.0))
            with k.loop(0, a["T"]) as t:
                vector = writer.vector("p", (x, t), place)
                total.set(k.ir.fadd(total.get(), vector))
            parts = writer.halves(writer.kept(total.get(), mask))
            sizes.set(k.ir.fadd(sizes.get(), writer.square(parts)))
            for part, variable in zip(parts, (low, high), strict=True):
                variable.set(k.ir.fadd(variable.get(), part))
        size.set(k.ir.fadd(size.get(), writer.square([low.get(), high.get()])))

    writer.over_columns("d1", column)
    for place, variable in enumerate((sizes, size)):
        writer.give(place, variable.get())
    return k.compile()


@functools.cache
def _square_kernel(dtype: str) -> Compiled:
    k = Kernel("square_sum", dtype, _kinds("x out", "n"))
    writer, a = Writer(k), k.arguments
    sums = [k.variable(zero) for _ in range(CHAINS) for zero in writer.wide_zeros]
    total = k.variable(writer.zero64)
    stretch = CHAINS * k.width
    whole = k.ir.mul(k.ir.sdiv(a["n"], k.index(stretch)), k.index(stretch))
    with k.loop(0, whole, stretch) as first:
        parts = [
            part
            for c in range(CHAINS)
            for part in writer.halves(
                k.load_at(a["x"], k.ir.add(first, k.index(c * k.width)))
            )
        ]
        for part, variable in zip(parts, sums, strict=True):
            squared = k.ir.fmul(part, part, flags=("contract",))
            added = k.ir.fadd(variable.get(), squared, flags=("contract",))
            variable.set(added)
    with k.loop(whole, a["n"]) as place:
        number = writer.wide(k.read(a["x"], place))
        total.set(k.ir.fadd(total.get(), k.ir.fmul(number, number)))
    for variable in sums:
        total.set(k.ir.fadd(total.get(), writer.folded(variable.get())))
    writer.give(0, total.get())
    return k.compile()


class Writer:
    """What both kernels are written with."""

    def __init__(self, k: Kernel) -> None:
        self._k = k
        self.zero64 = ir.Constant(ir.DoubleType(), 0.0)
        half = ir.VectorType(ir.DoubleType(), k.width // 2)
        self.wide_zeros = (ir.Constant(half, None),) * 2

    def vector(self, name: str, row: tuple[Any, Any], place: Any) -> Any:
        """Return the vector of row (x, t) whose first number is number `place`."""
        k, a = self._k, self._k.arguments
        x, t = row
        start = k.ir.add(k.ir.mul(x, a[f"{name}n"]), k.ir.mul(t, a[f"{name}t"]))
        return k.load_at(a[name], k.ir.add(start, place))

    def over_columns(self, size: str, body: Callable[[Any, Any], None]) -> None:
        """Write a body for vectors of a row: it takes the place, and a mask or None.

        The last vector ends with the row; its mask leaves out what was there before.
        """
        k, d = self._k, self._k.arguments[size]
        whole = k.ir.and_(d, k.index(-k.width))
        with k.loop(0, whole, k.width) as place:
            body(place, None)
        self.rest(size, body)

    def rest(self, size: str, body: Callable[[Any, Any], None]) -> None:
        """Write the body for the last vector alone, if vectors do not fill a row."""
        k, d = self._k, self._k.arguments[size]
        left = k.ir.and_(d, k.index(k.width - 1))
        with k.ir.if_then(k.ir.icmp_signed("!=", left, k.index(0))):
            first = k.splat(k.ir.trunc(k.ir.sub(k.index(k.width), left), k.word))
            kind = ir.VectorType(k.word, k.width)
            number = ir.Constant(kind, [ir.Constant(k.word, n) for n in range(k.width)])
            mask = k.ir.icmp_signed(">=", number, first)
            body(k.ir.sub(d, k.index(k.width)), mask)

    def kept(self, vector: Any, mask: Any) -> Any:
        """Return the vector with zeros where the mask is not set."""
        if mask is None:
            return vector
        return self._k.select(mask, vector, self._k.number(0.0))

    def dots(
        self, name: str, size: str, one: Any, others: Any, count: int
    ) -> list[Any]:
        """Return the inner products of a row and some that follow each other, float64.

        Args:
            name: of the array.
            size: of its rows.
            one: (x, s).
            others: (x, t) of the first.
            count: how many.
        """
        k = self._k
        x, t = others
        totals = [k.variable(k.number(0.0)) for _ in range(count)]

        def column(place: Any, mask: Any) -> None:
            left = self.kept(self.vector(name, one, place), mask)
            for c, total in enumerate(totals):
                other = (x, k.ir.add(t, k.index(c)))
                right = self.vector(name, other, place)
                total.set(k.fma(left, right, total.get()))

        self.over_columns(size, column)
        return [self.wide(self.folded(total.get())) for total in totals]

    def halves(self, vector: Any) -> list[Any]:
        """Return both halves of a vector in float64."""
        places = list(range(self._k.width))
        middle = self._k.width // 2
        parts = (places[:middle], places[middle:])
        return [self.wide(self._k.shuffled(vector, vector, part)) for part in parts]

    def square(self, parts: list[Any]) -> Any:
        """Return the sum of the squares of all numbers of some vectors, float64."""
        build = self._k.ir
        squares = [build.fmul(part, part) for part in parts]
        return self.folded(build.fadd(*squares))

    def give(self, place: int, value: Any) -> None:
        """Write a result."""
        k, double = self._k, ir.DoubleType()
        out = k.arguments["out"]
        k.ir.store(value, k.ir.gep(out, [k.index(place)], source_etype=double), align=8)

    def folded(self, vector: Any) -> Any:
        """Return the sum of a vector's numbers, in its own precision."""
        build = self._k.ir
        count = vector.type.count
        while count > 1:
            count //= 2
            low, high = (
                self._k.shuffled(vector, vector, list(range(first, first + count)))
                for first in (0, count)
            )
            vector = build.fadd(low, high)
        return build.extract_element(vector, ir.Constant(self._k.word, 0))

    def wide(self, value: Any) -> Any:
        kind = value.type
        one = kind.element if isinstance(kind, ir.VectorType) else kind
        if one == ir.DoubleType():
            return value
        wide: Any = ir.DoubleType()
        if isinstance(kind, ir.VectorType):
            wide = ir.VectorType(wide, kind.count)
        return self._k.ir.fpext(value, wide)

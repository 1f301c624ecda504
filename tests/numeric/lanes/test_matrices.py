"""Loops and matrix products of kernels against numpy, at every small size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from numeric._lanes.builder import Kernel, lanes
from numeric._lanes.compiler import AVAILABLE, INTEGER, POINTER, REAL
from numeric._lanes.matrices import View, contract, each_entry, flat, scaled


pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")

DTYPES = ["float32", "float64"]
MOST = 7  # rows, columns and terms
SIZES = [
    *((1, 1, 3), (1, 3, 2), (1, 5, 1), (1, 7, 4), (3, 1, 1), (7, 1, 2), (2, 2, 1)),
    *((2, 5, 4), (5, 2, 1), (3, 3, 2), (7, 5, 1), (5, 7, 3)),
]


def numbers(shape: tuple[int, ...], dtype: str, *, aside: int = 0) -> np.ndarray:
    """Return small integers, which sums are exact of, `aside` bytes off alignment."""
    raw = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 128, dtype=np.uint8)
    begin = -raw.ctypes.data % 64 + aside
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array: np.ndarray = raw[begin : begin + size].view(dtype).reshape(shape)
    array[...] = np.random.default_rng(len(shape)).integers(-9, 10, shape)
    return array


def reader(kernel: Kernel, name: str, cols: int) -> Callable[[Any, Any], Any]:
    """Return what reads entry (i, j) of an argument (…, cols, L), at any address."""

    def entry(i: Any, j: Any) -> Any:
        place = scaled(kernel, flat(kernel, i, j, cols), kernel.width)
        return kernel.load_at(kernel.arguments[name], place)

    return entry


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_contract_equals_numpy(dtype: str, unrolled: bool, started: bool) -> None:
    """Σ_k a(i, k) b(k, j), in tiles and what is left of them; each entry once."""
    kernel = Kernel("products", dtype, {"a": POINTER, "b": POINTER, "out": POINTER})
    L = lanes(dtype)
    a, b = (reader(kernel, name, MOST) for name in "ab")
    for number, sizes in enumerate(SIZES):

        def write(i: Any, j: Any, value: Any, number: int = number) -> None:
            place = flat(kernel, i, j, MOST)
            place = kernel.ir.add(place, kernel.index(number * MOST * MOST))
            place = kernel.ir.mul(place, kernel.index(L))
            old = kernel.load_at(kernel.arguments["out"], place)
            kernel.store_at(kernel.arguments["out"], place, kernel.add(old, value))

        contract(
            kernel,
            sizes,
            a,
            b,
            write,
            unrolled=unrolled,
            start=a if started else None,
        )
    compiled = kernel.compile()
    itemsize = np.dtype(dtype).itemsize
    x, y = (numbers((MOST, MOST, L), dtype, aside=itemsize) for _ in range(2))
    y[...] = y[::-1].copy()
    out = numbers((len(SIZES), MOST, MOST, L), dtype, aside=4)
    out[...] = 0
    compiled(x, y, out)

    expected = np.zeros_like(out)
    for found, (rows, cols, inner) in zip(expected, SIZES, strict=True):
        part = np.einsum("ikl,kjl->ijl", x[:rows, :inner], y[:inner, :cols])
        found[:rows, :cols] = part + (x[:rows, :cols] if started else 0)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("unrolled", [False, True])
def test_each_entry_is_met_once(unrolled: bool) -> None:
    """Sizes from 1 to 4 of rows, columns and samples, row by row."""
    sizes = [size for size in product((1, 2, 4), (1, 3), (1, 2, 3))]
    kernel = Kernel("entries", "float64", {"out": POINTER})
    L = kernel.width
    for number, (rows, cols, samples) in enumerate(sizes):

        def body(i: Any, j: Any, s: Any, at: Any = (number, cols, samples)) -> None:
            number, cols, samples = at
            row = flat(kernel, i, j, cols)
            place = flat(kernel, row, s, samples)
            place = kernel.ir.add(place, kernel.index(64 * number))
            place = kernel.ir.mul(place, kernel.index(L))
            pointer = kernel.arguments["out"]
            old = kernel.load_at(pointer, place)
            kernel.store_at(pointer, place, kernel.add(old, kernel.number(1.0)))

        each_entry(kernel, (rows, cols, samples), body, unrolled=unrolled)
    out = numbers((len(sizes), 64, L), "float64")
    out[...] = 0
    kernel.compile()(out)

    for found, size in zip(out, sizes, strict=True):
        count = int(np.prod(size))
        assert (found[:count] == 1).all()
        assert (found[count:] == 0).all()


def test_loops() -> None:
    """Σ of an index from start to stop in steps, and the least power of 2 ≥ a bound."""
    arguments = {"out": POINTER, "start": INTEGER, "stop": INTEGER, "bound": REAL}
    kernel = Kernel("loops", "float64", arguments)
    total = kernel.variable(kernel.index(0))
    with kernel.loop(kernel.arguments["start"], kernel.arguments["stop"], 3) as i:
        total.set(kernel.ir.add(total.get(), i))
    power = kernel.variable(kernel.number(1.0))
    count = kernel.variable(kernel.number(0.0))
    with kernel.loop_while() as unless:
        low = kernel.compare("<", power.get(), kernel.splat(kernel.arguments["bound"]))
        unless(kernel.any(low))
        power.set(kernel.mul(power.get(), kernel.number(2.0)))
        count.set(kernel.add(count.get(), kernel.number(1.0)))
    out = kernel.arguments["out"]
    kernel.store_at(out, 0, power.get())
    kernel.store_at(out, kernel.width, count.get())
    sum_of = kernel.ir.sitofp(total.get(), kernel.real)
    kernel.write(out, 2 * kernel.width, sum_of)
    compiled = kernel.compile()
    for start, stop, bound in ((0, 10, 37.0), (5, 5, 1.0), (7, 3, 0.5), (-4, 1, 64.0)):
        found = np.zeros(2 * 8 + 1)
        compiled(found, start, stop, bound)
        exponent = max(0, int(np.ceil(np.log2(bound))))

        assert found[16] == sum(range(start, stop, 3))
        assert (found[:8] == 2.0**exponent).all()
        assert (found[8:16] == exponent).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_address(dtype: str) -> None:
    """Vectors, words and numbers at every offset of 4 bytes (8 for float64)."""
    arguments = {"x": POINTER, "w": POINTER, "out": POINTER}
    kernel = Kernel("moved", dtype, arguments)
    L, given = kernel.width, kernel.arguments
    words = kernel.ir.uitofp(kernel.load_words(given["w"], 1), kernel.vector)
    number = kernel.splat(kernel.read(given["x"], 2))
    value = kernel.fma(kernel.load_at(given["x"], 3), number, words)
    kernel.store_at(given["out"], 1, value)
    kernel.write(given["out"], 0, kernel.read(given["x"], 0))
    compiled = kernel.compile()
    step = np.dtype(dtype).itemsize
    for aside in range(0, 64, 4):
        x = numbers((L + 3,), dtype, aside=aside // step * step)
        w = numbers((L + 1,), "int32", aside=aside)
        w[...] = np.arange(L + 1)
        out = numbers((L + 1,), dtype, aside=aside // step * step)
        compiled(x, w.view(np.uint32), out)

        np.testing.assert_array_equal(out[1:], x[3:] * x[2] + np.arange(1, L + 1))
        assert out[0] == x[0]


def test_views() -> None:
    """A transpose and an entry are other views of the same memory."""
    view = View("memory", 5, (6, 2, 1))

    assert view.transposed == View("memory", 5, (2, 6, 1))
    assert view.entry(3, 1) == View("memory", 5 + 18 + 2, (0, 0, 1))
    assert view.transposed.entry(1, 3) == view.entry(3, 1)


def test_calls_are_checked() -> None:
    """Numbers of arguments, and arrays that are none or not contiguous."""
    kernel = Kernel("nothing", "float64", {"x": POINTER, "n": INTEGER, "c": REAL})
    compiled = kernel.compile()
    array = np.zeros((4, 4))

    compiled(array, 3, 0.5)
    with pytest.raises(TypeError, match="nothing: expected 3 arguments, got 2"):
        compiled(array, 3)
    with pytest.raises(TypeError, match="expected a C-contiguous array"):
        compiled(array.T[1:], 3, 0.5)
    with pytest.raises(TypeError, match=r"expected a C-contiguous array, got .*list"):
        compiled([0.0], 3, 0.5)
    with pytest.raises(Exception, match=r"wrong type|expected"):
        compiled(array, 3.5, 0.5)
    with pytest.raises(TypeError, match="got 4"):
        compiled(array, 3, 0.5, 1)

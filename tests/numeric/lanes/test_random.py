"""The lanes' random numbers against numpy's, bit for bit, and against mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest

from numeric._lanes import random
from numeric._lanes.builder import Kernel, lanes
from numeric._lanes.compiler import AVAILABLE
from numeric._streams import Stream, philox


pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")

DTYPES = ["float32", "float64"]
STREAM = Stream(("lanes", 1))
EDGES = np.array(
    [0, 1, 2, 2**24 - 1, 2**24, 2**24 + 1, 2**29 - 1, 2**29, 2**30 - 1, 2**30]
    + [3 * 2**29, 2**31 - 65, 2**31 - 64, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2]
    + [int(math.sqrt(0.5) * 2**32) + k for k in (-1, 0, 1)]
    + [3 * 2**30, 5 * 2**29, 7 * 2**29, 2**32 - 257, 2**32 - 1],
    dtype=np.uint32,
)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return zeros that begin at a multiple of 64 bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    result: np.ndarray = raw[start : start + size].view(dtype).reshape(shape)
    return result


def word_at(kernel: Kernel, pointer: Any, place: Any) -> Any:
    """Return vector of words number `place`."""
    build = kernel.ir
    address = build.gep(pointer, [place], source_etype=kernel.words)
    return build.load(address, align=4, typ=kernel.words)


def put_at(kernel: Kernel, pointer: Any, place: Any, value: Any) -> None:
    build = kernel.ir
    address = build.gep(pointer, [place], source_etype=value.type)
    build.store(value, address, align=4)


def run(
    dtype: str,
    inputs: np.ndarray,
    scalars: Sequence[int],
    write: Callable[[Kernel, list[Any], list[Any]], Iterable[Any]],
    out: Any = np.uint32,
) -> np.ndarray:
    """Return what `write` makes of words (n, inputs), lane by lane, (n, outputs).

    The rows fill whole vectors: the last one is padded.
    """
    width = lanes(dtype)
    n, count = inputs.shape
    groups = -(-n // width)
    padded = aligned((groups, count, width), np.uint32)
    rows = np.concatenate([inputs, np.zeros((groups * width - n, count), np.uint32)])
    padded[:] = rows.reshape(groups, width, count).swapaxes(1, 2)
    names = {f"s{i}": "integer" for i in range(len(scalars))}
    kernel = Kernel(
        "test", dtype, {"x": "pointer", "y": "pointer", "n": "integer", **names}
    )
    given = kernel.arguments
    outputs = 0
    with kernel.loop(0, given["n"]) as i:
        first = kernel.ir.mul(i, kernel.index(count))
        words = [
            word_at(kernel, given["x"], kernel.ir.add(first, kernel.index(j)))
            for j in range(count)
        ]
        results = list(write(kernel, words, [given[name] for name in names]))
        outputs = len(results)
        first = kernel.ir.mul(i, kernel.index(outputs))
        for j, value in enumerate(results):
            put_at(kernel, given["y"], kernel.ir.add(first, kernel.index(j)), value)
    result = aligned((groups, outputs, width), out)
    kernel.compile()(padded, result, groups, *scalars)
    return result.swapaxes(1, 2).reshape(-1, outputs)[:n]


def random_words(rows: int, columns: int) -> np.ndarray:
    """Return words, edges among them in every column."""
    rng = np.random.default_rng(rows + columns)
    words = rng.integers(0, 2**32, (rows, columns), dtype=np.uint32)
    for column in range(columns):
        places = rng.permutation(rows)[: len(EDGES)]
        words[places, column] = EDGES[: len(places)]
    return words


# ---------------------------------------------------------------------------- words


@pytest.mark.parametrize("dtype", DTYPES)
def test_known_answers(dtype: str) -> None:
    """Random123's lines, whose keys differ from lane to lane here."""
    lines = """
        00000000 00000000 00000000 00000000 00000000 00000000
        6627e8d5 e169c58d bc57ac4c 9b00dbd8
        ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff
        408f276d 41c83b0e a20bc7c6 6d5451fd
        243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0
        d16cfe09 94fdcceb 5001e420 24126ea1
    """
    numbers = np.array([int(w, 16) for w in lines.split()], np.uint32).reshape(3, 10)
    found = run(dtype, numbers[:, :6], (), lambda k, w, _: random.philox(k, *w))
    assert np.array_equal(found, numbers[:, 6:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_philox_of_vectors_and_scalars(dtype: str) -> None:
    """Every mixture of vectors, scalars of 64 and 32 bits and constants."""
    words = random_words(200, 6)
    scalars = (2**40 + 12345, 2**32 - 3)  # of which the lower 32 bits count

    def mixtures(k: Kernel, w: list[Any], s: list[Any]) -> Iterable[Any]:
        narrow = k.ir.trunc(s[1], k.word)
        yield from random.philox(k, w[0], w[1], w[2], w[3], s[0], s[1])
        yield from random.philox(k, s[0], 7, w[2], narrow, 2**32 - 1, narrow)
        yield from random.philox(k, w[0], s[1], narrow, w[3], w[4], w[5])
        yield from random.philox(k, s[0], s[1], 5, 0, s[1], s[0])

    found = run(dtype, words, scalars, mixtures)
    a, b = (s % 2**32 for s in scalars)
    w = words.T
    expected = [
        philox(w[0], w[1], w[2], w[3], (a, b)),
        philox(a, 7, w[2], b, (2**32 - 1, b)),
        np.stack(
            [
                philox(r[0], b, b, r[3], (int(r[4]), int(r[5])))
                for r in words.astype(np.uint64)
            ]
        ),
        np.broadcast_to(philox(a, b, 5, 0, (b, a)), (200, 4)),
    ]
    assert np.array_equal(found, np.concatenate(expected, axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [0, 9, 2**32 - 1, 2**32, 2**61 + 5])
def test_blocks_are_those_of_the_stream(dtype: str, number: int) -> None:
    """Lane l is replica l, in its own place; blocks beyond 2³² included."""
    replicas = random_words(40, 1)
    keys = STREAM.key

    def write(k: Kernel, w: list[Any], s: list[Any]) -> Iterable[Any]:
        yield from random.block(k, s[0], w[0], 2, s[1], s[2])
        yield from random.block(k, number, w[0], s[3], *keys)

    found = run(dtype, replicas, (number, *keys, 1), write)
    for purpose, columns in ((2, slice(0, 4)), (1, slice(4, 8))):
        expected = STREAM.words(replicas[:, 0], number, 4, purpose)
        assert np.array_equal(found[:, columns], expected)
        swapped = expected.reshape(-1, 2, 4)[:, ::-1].reshape(-1, 4)
        assert not (found[:, columns] == swapped).any(axis=1).any()


# -------------------------------------------------------------------------- indices


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [1, 2, 3, 100, 4096, 99991, 2**24])
def test_indices_are_those_of_the_stream(dtype: str, N: int) -> None:
    """For N as a constant, a scalar of 64 bits and one of 32."""
    words = random_words(200, 1)

    def write(k: Kernel, w: list[Any], s: list[Any]) -> Iterable[Any]:
        narrow = k.ir.trunc(s[0], k.word)
        return [random.indices(k, w[0], n) for n in (N, s[0], narrow)]

    found = run(dtype, words, (N,), write)
    expected = [int(w) * N // 2**32 for w in words[:, 0]]
    assert found.T.tolist() == [expected] * 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("count", "N"), [(1, 1), (1, 9), (2, 2), (3, 4), (7, 7), (8, 50), (4, 2**24)]
)
def test_sets_are_those_of_the_stream(dtype: str, count: int, N: int) -> None:
    """For N as a constant and as scalars of both widths, on the stream's own words."""
    words = STREAM.words(range(300), 5, count)

    def write(k: Kernel, w: list[Any], s: list[Any]) -> Iterable[Any]:
        for n in (N, s[0], k.ir.trunc(s[0], k.word)):
            yield from random.distinct_indices(k, w, n)

    found = run(dtype, words, (N,), write)
    expected = STREAM.indices(range(300), 5, count, N, replace=False)
    assert np.array_equal(found, np.tile(expected, 3))


# -------------------------------------------------------------------------- normals


def normals(dtype: str, words: np.ndarray) -> np.ndarray:
    return run(
        dtype, words, (), lambda k, w, _: random.normals(k, w[0], w[1]), np.dtype(dtype)
    )


@pytest.mark.parametrize(("dtype", "roundings"), [("float32", 9), ("float64", 10)])
def test_normals_are_exact_to_the_stated_roundings(dtype: str, roundings: int) -> None:
    """Against 40 digits, each edge with each edge, and random words.

    Roundings relative to r: half those of −2 ln u (float32: its constant, the
    polynomial's last steps and its approximation, product and sum, ≤ 5; float64: s, 3,
    and the sums, ≤ 7), √, the angle (3 and 2), its sine or cosine (2), the product.
    """
    edges = np.stack(np.meshgrid(EDGES, EDGES), axis=-1).reshape(-1, 2)
    words = np.concatenate([edges, random_words(400, 2)])
    found = normals(dtype, words)
    unit = float(np.finfo(dtype).eps) / 2
    with mpmath.workdps(40):
        for (a, b), pair in zip(words.tolist(), found.tolist(), strict=True):
            r = mpmath.sqrt(-2 * mpmath.log((a + mpmath.mpf(0.5)) / 2**32))
            turn = mpmath.mpf(b - 2**32 * (b >= 2**31)) / 2**31
            for z, part in zip(pair, (mpmath.cospi, mpmath.sinpi), strict=True):
                assert abs(z - r * part(turn)) <= roundings * unit * r


@pytest.mark.parametrize(("dtype", "roundings"), [("float32", 10), ("float64", 20)])
def test_normals_are_those_of_the_stream(dtype: str, roundings: int) -> None:
    """On 200,000 normals: numpy's own 10 roundings are added (float32: its one)."""
    words = STREAM.words(range(1000), range(100), 2, 1)
    found = normals(dtype, words.reshape(-1, 2)).reshape(1000, 100, 2)
    expected = STREAM.normals(range(1000), range(100), 2, dtype)
    r = np.hypot(*np.moveaxis(expected.astype(float), -1, 0))[..., None]
    unit = float(np.finfo(dtype).eps) / 2
    difference = np.abs(found.astype(float) - expected)
    assert (difference <= roundings * unit * r).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_angles_are_exact_on_the_axes(dtype: str) -> None:
    """Multiples of a quarter turn give zeros and ±r, with their signs."""
    words = np.array([[5, q << 30] for q in range(4)], dtype=np.uint32)
    cosine, sine = normals(dtype, words).T
    r = cosine[0]
    assert cosine.tolist() == [r, 0, -r, 0]
    assert sine.tolist() == [0, r, 0, -r]


def test_polynomials_are_as_good_as_stated() -> None:
    """Each against 40 digits on a grid, with its coefficients as they are rounded."""
    with mpmath.workdps(40):
        quarter = (mpmath.pi / 4) ** 2
        worst = {
            "log": most(random._LOG_SINGLE, -0.5, 0, log_ratio),
            "atanh": most(
                [1.0, *random._ATANH], 0, (mpmath.sqrt(2) - 1) ** 4, atanh_ratio
            ),
            "sin32": most([1.0, *random._SIN_SINGLE], 0, quarter, sin_ratio),
            "cos32": most(random._COS_SINGLE, 0, quarter, cosine_of),
            "sin64": most([1.0, *random._SIN_DOUBLE], 0, quarter, sin_ratio),
            "cos64": most(random._COS_DOUBLE, 0, quarter, cosine_of),
        }
    bounds = {
        "log": 5e-8,
        "atanh": 5e-18,
        "sin32": 7e-9,
        "cos32": 5e-9,
        "sin64": 7e-18,
        "cos64": 8e-18,
    }
    assert {
        name: error for name, error in worst.items() if not error <= bounds[name]
    } == {}


def most(coefficients: list[float], low: Any, high: Any, exact: Any) -> float:
    """Return the largest relative error on 400 points."""
    points = [low + (high - low) * mpmath.mpf(2 * k + 1) / 800 for k in range(400)]
    return max(
        float(abs(mpmath.polyval(coefficients[::-1], x) / exact(x) - 1)) for x in points
    )


def log_ratio(f: Any) -> Any:
    return -2 * mpmath.log1p(f) / f


def atanh_ratio(z: Any) -> Any:
    return mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z)


def sin_ratio(z: Any) -> Any:
    return mpmath.sin(mpmath.sqrt(z)) / mpmath.sqrt(z)


def cosine_of(z: Any) -> Any:
    return mpmath.cos(mpmath.sqrt(z))

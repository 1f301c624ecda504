r"""Random numbers by place: any replica and step without the ones before it.

The generator is Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
as easy as 1, 2, 3", SC 2011, section 3.3. It maps a counter of four 32-bit words and a
key of two to four words; nothing is kept between calls.

Word w of a replica r is word w mod 4 of the block with the counter (b mod 2³², ⌊b/2³²⌋,
r, purpose), b = ⌊w/4⌋. A use that takes `count` words in each step has p =
`words_per_step(count)` of them set apart for it: slot j of step t is word tp + j.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from numeric._errors import ShapeError


ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)  # Salmon et al. 2011, table 2
WEYL = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and √3 − 1, as 32-bit fractions
INDICES, NORMALS, SECOND = 0, 1, 2  # purposes: minibatches, noise, SVAG's second batch
MOST = 2**24  # samples to choose from: see `Stream.indices`

_Words = NDArray[np.uint32]
_Counts = NDArray[np.uint64]
_Indices = NDArray[np.int64]
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_CHUNK = 2**13  # blocks at once: what they need stays in the cache


def words_per_step(count: int) -> int:
    """Return how many words are set apart in each step for a use of `count`.

    Args:
        count: words (or normals) that a step takes, ≥ 1.

    Returns:
        1, 2 or the next multiple of 4: then no step of up to 4 words straddles two
        blocks, and every longer one begins with a block.

    Raises:
        ValueError: for count < 1.

    Examples:
        >>> [words_per_step(count) for count in (1, 2, 3, 4, 5)]
        [1, 2, 4, 4, 8]
    """
    count = _count("count", count)
    return count if count < 3 else 4 * -(-count // 4)


def philox(
    c0: ArrayLike,
    c1: ArrayLike,
    c2: ArrayLike,
    c3: ArrayLike,
    key: tuple[int, int],
    *,
    rounds: int = ROUNDS,
) -> _Words:
    """Return Philox4x32 of counters.

    Args:
        c0: first words of the counters, integers in [0, 2³²).
        c1: second words.
        c2: third words.
        c3: fourth words; the four are broadcast against each other.
        key: two words.
        rounds: fewer than 10 are for tests of tests: 2 are not random at all.

    Returns:
        The words, uint32 (..., 4).

    Examples:
        >>> [f"{word:08x}" for word in philox(0, 0, 0, 0, (0, 0))]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    m0, m1 = (np.uint64(m) for m in MULTIPLIERS)
    w0, w1, w2, w3 = (np.asarray(c, dtype=np.uint64) for c in (c0, c1, c2, c3))
    for turn in range(rounds):
        k0, k1 = (
            np.uint64((k + turn * weyl) & 0xFFFFFFFF)
            for k, weyl in zip(key, WEYL, strict=True)
        )
        p0, p1 = m0 * w0, m1 * w2  # products of two 32-bit words: exact
        w0, w1 = (p1 >> _HALF) ^ (w1 ^ k0), p1 & _LOW
        w2, w3 = (p0 >> _HALF) ^ (w3 ^ k1), p0 & _LOW
    shape = np.broadcast_shapes(w0.shape, w1.shape, w2.shape, w3.shape)
    result = np.empty((*shape, 4), dtype=np.uint32)
    for place, words in enumerate((w0, w1, w2, w3)):
        result[..., place] = words
    return result


@dataclass(frozen=True, slots=True)
class Stream:
    """A family of independent streams: one for each replica and purpose.

    Two streams share their numbers only if their keys agree: 64 bits of SHA-256, so
    that seeds 0, 1, 2, … are as far apart as any others.

    Attributes:
        seed: an integer ≥ 0 of any size, or a tuple of such integers and strings.
        name: tells apart streams of one seed.
        key: the two words of Philox's key.

    Raises:
        ValueError: for seeds of another kind.

    Examples:
        >>> stream = Stream((7, "claim", 3), "minibatches")
        >>> stream.indices([0, 1], step=10, count=3, N=100).shape
        (2, 3)
    """

    seed: int | tuple[int | str, ...]
    name: str = ""
    key: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        seed, name = self.seed, self.name
        parts = tuple(map(_part, seed)) if isinstance(seed, tuple) else _number(seed)
        if not isinstance(name, str):
            raise ValueError(f"name: expected a string, got {name!r}")
        object.__setattr__(self, "seed", parts)
        digest = hashlib.sha256(_encoded((parts, name))).digest()
        words = (int.from_bytes(digest[i : i + 4], "little") for i in (0, 4))
        object.__setattr__(self, "key", tuple(words))

    def words(
        self,
        replicas: ArrayLike,
        step: int | ArrayLike,
        count: int,
        purpose: int = INDICES,
    ) -> _Words:
        """Return the words of a step.

        Args:
            replicas: numbers of the replicas in [0, 2³²), (R,).
            step: number t ≥ 0 of the step, or several, (T,).
            count: words that each step takes.
            purpose: separates uses of one stream, in [0, 2³²).

        Returns:
            Random words, uint32 (R, count), or (R, T, count) for several steps.

        Raises:
            ValueError: for numbers out of range: tp + count must stay within 2⁶⁴.
        """
        return self._taken(replicas, step, count, purpose, np.dtype(np.uint32), _same)

    def indices(
        self,
        replicas: ArrayLike,
        step: int | ArrayLike,
        count: int,
        N: int,
        replace: bool = True,
        *,
        purpose: int = INDICES,
    ) -> _Indices:
        """Return the minibatches of a step: ⌊word·N/2³²⌋.

        The probability of an index differs from 1/N by less than 2⁻³², and the sum of
        all differences, halved, is at most N·2⁻³⁴ (total variation). N is limited
        to 2²⁴, where that is 0.001: beyond it words of 32 bits are too coarse.

        Without replacement the i-th of S words chooses one of the first N − S + i
        samples, and where it is taken already, the last of these (Floyd: Bentley,
        Communications of the ACM 30 (1987) 754, Algorithm F2). Each set of S is
        equally likely, but not each order.

        Args:
            replicas: numbers of the replicas in [0, 2³²), (R,).
            step: number t ≥ 0 of the step, or several, (T,).
            count: S, the size of a minibatch; one word for each index.
            N: number of samples, 1 ≤ N ≤ 2²⁴.
            replace: whether a minibatch may hold a sample twice.
            purpose: separates uses of one stream, in [0, 2³²).

        Returns:
            Indices in [0, N), int64 (R, count), or (R, T, count) for several steps.

        Raises:
            ValueError: for numbers out of range, or count > N without replacement.
        """
        count, N = _count("count", count), _count("N", N)
        if N > MOST:
            raise ValueError(
                f"N: expected <= 2**24, got {N}; beyond it words of 32 bits do not "
                f"choose evenly enough"
            )
        if not replace and count > N:
            raise ValueError(
                f"count: expected <= N = {N} without replacement, got {count}; pass "
                f"replace=True"
            )
        words = self.words(replicas, step, count, purpose)
        if replace:
            return _scaled(words, N)
        return _floyd(words.reshape(-1, count), N).reshape(words.shape)

    def normals(
        self,
        replicas: ArrayLike,
        step: int | ArrayLike,
        count: int,
        dtype: DTypeLike = np.float64,
        *,
        purpose: int = NORMALS,
    ) -> NDArray[Any]:
        """Return standard normals of a step.

        Words 2i and 2i + 1 of a replica make the normals 2i and 2i + 1 of it (Box and
        Muller, Annals of Mathematical Statistics 29 (1958) 610): slot j of step t is
        normal tp + j. The radius has u = (word + ½)2⁻³², so |z| ≤ √(66 ln 2) < 6.764,
        which a normal exceeds with probability 1.4e-11; the mean is 0, the variance
        1 − 8.1e-11, and the distribution function is off by less than 1e-9.

        Args:
            replicas: numbers of the replicas in [0, 2³²), (R,).
            step: number t ≥ 0 of the step, or several, (T,).
            count: normals that each step takes.
            dtype: float32 or float64; float32 are the float64 ones, rounded.
            purpose: separates uses of one stream, in [0, 2³²).

        Returns:
            Normals, (R, count), or (R, T, count) for several steps.

        Raises:
            ValueError: for numbers out of range or another dtype.
        """
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype: expected float32 or float64, got {kind}")
        return self._taken(replicas, step, count, purpose, kind, box_muller)

    def _taken(
        self,
        replicas: ArrayLike,
        step: int | ArrayLike,
        count: int,
        purpose: int,
        kind: np.dtype[Any],
        change: Callable[[_Words], NDArray[Any]],
    ) -> NDArray[Any]:
        """Return the first `count` slots of each step, of blocks changed in place."""
        p, count = words_per_step(count), int(count)
        rows = _whole("replicas", replicas, 2**32)
        if rows.ndim != 1:
            raise ShapeError(f"replicas: expected shape (R,), got {rows.shape}")
        steps = _whole("step", step, 2**64 // p)
        if steps.ndim > 1:
            raise ShapeError(f"step: expected a number or (T,), got {steps.shape}")
        use = int(_whole("purpose", purpose, 2**32))
        first = steps.reshape(-1) * np.uint64(p)
        if p < 4:  # several steps share a block
            blocks, place = np.unique(first // np.uint64(4), return_inverse=True)
            slots = 4 * place + (first % np.uint64(4)).astype(np.intp)
        else:
            inner = np.arange(p // 4, dtype=np.uint64)
            blocks = (first[:, None] // np.uint64(4) + inner).reshape(-1)
            slots = p * np.arange(first.size)
        flat = self._blocks(rows, blocks, use, kind, change)
        taken = flat[:, slots[:, None] + np.arange(count)]
        return taken if steps.ndim else taken[:, 0]

    def _blocks(
        self,
        rows: _Counts,
        blocks: _Counts,
        use: int,
        kind: np.dtype[Any],
        change: Callable[[_Words], NDArray[Any]],
    ) -> NDArray[Any]:
        """Return blocks of replicas, (R, 4B), a cacheful at a time."""
        flat = np.empty((rows.size, blocks.size, 4), dtype=kind)
        wide = max(1, min(blocks.size, _CHUNK))
        tall = _CHUNK // wide
        for i in range(0, rows.size, tall):
            for k in range(0, blocks.size, wide):
                b, r = blocks[k : k + wide], rows[i : i + tall, None]
                words = philox(b & _LOW, b >> _HALF, r, use, self.key)
                flat[i : i + tall, k : k + wide] = change(words)
        return flat.reshape(rows.size, 4 * blocks.size)


def box_muller(words: _Words) -> NDArray[np.float64]:
    """Return the normals that blocks of words make, (..., 4) or (..., 2)."""
    u = (words[..., 0::2].astype(np.float64) + 0.5) * 2.0**-32
    r = np.sqrt(-2 * np.log(u))
    angle = words[..., 1::2].astype(np.int32) * (math.pi * 2.0**-31)
    result = np.empty(words.shape)
    result[..., 0::2] = r * np.cos(angle)
    result[..., 1::2] = r * np.sin(angle)
    return result


def _same(words: _Words) -> _Words:
    return words


def _scaled(words: _Words, N: int) -> _Indices:
    return ((words * np.uint64(N)) >> _HALF).astype(np.int64)


def _floyd(words: _Words, N: int) -> _Indices:
    """Return a set of indices for each row of words."""
    count = words.shape[1]
    last = np.arange(N - count, N)
    drawn = ((words * (last + 1).astype(np.uint64)) >> _HALF).astype(np.int64)
    if count <= 64:
        for i in range(1, count):
            taken = (drawn[:, :i] == drawn[:, i, None]).any(axis=1)
            drawn[taken, i] = last[i]
        return drawn
    tall = max(1, 2**22 // N)
    for top in range(0, len(drawn), tall):
        _mark(drawn[top : top + tall], last, N)
    return drawn


def _mark(drawn: _Indices, last: _Indices, N: int) -> None:
    """Replace what a row holds already, noting for each sample whether it does."""
    rows = np.arange(len(drawn))
    held = np.zeros((len(drawn), N), dtype=bool)
    for i, highest in enumerate(last):
        column = drawn[:, i]
        column[held[rows, column]] = highest
        held[rows, column] = True


def _part(value: Any) -> int | str:
    return value if isinstance(value, str) else _number(value)


def _number(value: Any) -> int:
    """Return a number of a seed.

    Raises:
        ValueError: for what is no integer ≥ 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(
            f"seed: expected an integer >= 0, or a tuple of these and strings, got "
            f"{value!r}"
        )
    return int(value)


def _encoded(value: Any) -> bytes:
    """Return bytes that no other nest of tuples, integers and strings has."""
    if isinstance(value, tuple):
        inside = b"".join(_encoded(part) for part in value)
        return b"t%d:" % len(value) + inside
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:" % len(text) + text
    return b"i%x;" % value


def _count(name: str, value: Any) -> int:
    """Return a count as an integer.

    Raises:
        ValueError: for what is no integer ≥ 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name}: expected an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: expected >= 1, got {value}")
    return int(value)


def _whole(name: str, values: ArrayLike, stop: int) -> _Counts:
    """Return integers in [0, stop).

    Raises:
        ValueError: for others.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected integers in [0, {stop}), got {values!r}")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= stop):
        raise ValueError(
            f"{name}: expected integers in [0, {stop}), got {array.min()} to "
            f"{array.max()}"
        )
    return array.astype(np.uint64)

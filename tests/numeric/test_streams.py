"""Counter-based streams: known answers, the layout in plain Python, and their laws.

Statistical checks bound the false-alarm rate without a normal approximation (binomial
and χ² laws, Bernstein's and Massart's inequalities): each is below ALPHA for a perfect
generator. Seeds are fixed, so what passes once passes always; the last tests show that
bad generators are refused.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from numeric import ShapeError
from numeric._streams import MOST, SECOND, Stream, box_muller, philox, words_per_step


ALPHA = 1e-6
MASK = 0xFFFFFFFF
STREAM = Stream(2026, "tests")
LAYOUT = settings(derandomize=True, deadline=None, max_examples=60)


def reference(
    counter: tuple[int, ...],
    key: tuple[int, ...],
    bits: int,
    multipliers: tuple[int, int],
    weyl: tuple[int, int],
) -> list[int]:
    """Return Philox4x`bits`-10 by the paper's formulas, in Python's integers."""
    c, k, mask = list(counter), list(key), 2**bits - 1
    for turn in range(10):
        a, b = multipliers[0] * c[0], multipliers[1] * c[2]
        k0, k1 = ((k[i] + turn * weyl[i]) & mask for i in (0, 1))
        c = [(b >> bits) ^ c[1] ^ k0, b & mask, (a >> bits) ^ c[3] ^ k1, a & mask]
    return c


def reference32(counter: tuple[int, ...], key: tuple[int, ...]) -> list[int]:
    return reference(
        counter, key, 32, (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
    )


def word(stream: Stream, replica: int, number: int, purpose: int) -> int:
    """Return one word by the documented layout."""
    b = number // 4
    return reference32((b & MASK, b >> 32, replica, purpose), stream.key)[number % 4]


# ------------------------------------------------------------------- known answers


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    """The lines "philox4x32 10" of Random123's file kat_vectors."""
    c, k, words = ([int(w, 16) for w in t.split()] for t in (counter, key, expected))
    assert philox(c[0], c[1], c[2], c[3], (k[0], k[1])).tolist() == words
    assert reference32(tuple(c), tuple(k)) == words


def test_reference_is_the_one_of_numpy() -> None:
    """The same formulas with 64-bit words and constants are numpy's Philox."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        counter, key = (
            [int(v) for v in rng.integers(0, 2**64, n, dtype=np.uint64)] for n in (4, 2)
        )
        theirs = np.random.Philox(
            counter=sum(v << 64 * i for i, v in enumerate(counter)),
            key=key[0] | key[1] << 64,
        )
        counter[0] = (counter[0] + 1) & (2**64 - 1)  # numpy counts before it draws
        ours = reference(
            tuple(counter),
            tuple(key),
            64,
            (0xD2E7470EE14C6C93, 0xCA5A826395121157),
            (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B),
        )
        assert theirs.random_raw(4).tolist() == ours


@LAYOUT
@given(st.tuples(*[st.integers(0, MASK)] * 4), st.tuples(*[st.integers(0, MASK)] * 2))
def test_philox_is_the_reference(
    counter: tuple[int, ...], key: tuple[int, int]
) -> None:
    c0, c1, c2, c3 = counter
    assert philox(c0, c1, c2, c3, key).tolist() == reference32(counter, key)


def test_philox_broadcasts() -> None:
    """Every place of a grid of counters is its own."""
    grid = philox(np.arange(3), 7, np.arange(2)[:, None], 9, (1, 2))
    assert grid.shape == (2, 3, 4)
    assert grid.dtype == np.uint32
    for i, j in np.ndindex(2, 3):
        assert grid[i, j].tolist() == reference32((j, 7, i, 9), (1, 2))


# ----------------------------------------------------------------------------- keys


def test_key_is_sha256_of_seed_and_name() -> None:
    """Kept for ever: else old runs could not be repeated."""
    cases: list[tuple[Any, str, bytes]] = [
        (0, "", b"t2:i0;s0:"),
        (255, "é", b"t2:iff;s2:\xc3\xa9"),
        ((7, "claim", 30), "x", b"t2:t3:i7;s5:claimi1e;s1:x"),
    ]
    for seed, name, text in cases:
        digest = hashlib.sha256(text).digest()
        low, high = np.frombuffer(digest[:8], dtype="<u4").tolist()
        assert Stream(seed, name).key == (low, high)


def test_no_two_seeds_share_a_key() -> None:
    """Neighbours, and pairs that a careless encoding would join."""
    seeds: list[Any] = [
        *range(300),
        2**64,
        2**64 + 1,
        10**5000,
        (),
        *[(k,) for k in range(20)],
        *itertools.product(range(12), range(12)),
        ("1",),
        (1, "2"),
        ("1", 2),
        ("12",),
        ("1", "2"),
        ("", "12"),
        ("i1;",),
        ("s1:a",),
        ("a", "b"),
        ("as1:b",),
    ]
    names = ["", "1", "a", "i1;", "s0:"]
    keys = {Stream(seed, name).key for seed in seeds for name in names}
    assert len(keys) == len(seeds) * len(names)


def test_seeds_of_numpy_are_seeds() -> None:
    assert Stream(np.int64(5)) == Stream(5)  # type: ignore[arg-type]
    assert Stream(np.uint8(5)).key == Stream(5).key  # type: ignore[arg-type]
    assert Stream((np.int32(1), "a")).seed == (1, "a")  # type: ignore[arg-type]
    assert Stream(("\ud800",)).key != Stream(("\udfff",)).key  # text that is no UTF-8


@pytest.mark.parametrize("seed", [-1, 1.0, True, None, "5", [1], (1, -1), ((1,),)])
def test_other_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed: expected an integer >= 0"):
        Stream(seed)


def test_name_must_be_text() -> None:
    with pytest.raises(ValueError, match="name: expected a string"):
        Stream(1, 2)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- layout


@LAYOUT
@given(
    st.integers(1, 13),
    st.lists(st.integers(0, MASK), min_size=1, max_size=3),
    st.lists(
        st.one_of(st.integers(0, 40), st.integers(0, 2**64 // 16 - 1)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([0, 1, 2, MASK]),
)
def test_words_lie_where_documented(
    count: int, replicas: list[int], steps: list[int], purpose: int
) -> None:
    """Word tp + j of the replica, also far beyond 2³² blocks."""
    p = count if count < 3 else 4 * math.ceil(count / 4)
    assert words_per_step(count) == p
    words = STREAM.words(replicas, np.array(steps, np.uint64), count, purpose)
    assert words.shape == (len(replicas), len(steps), count)
    assert words.dtype == np.uint32
    for (i, r), (k, t) in itertools.product(enumerate(replicas), enumerate(steps)):
        expected = [word(STREAM, r, t * p + j, purpose) for j in range(count)]
        assert words[i, k].tolist() == expected
    alone = STREAM.words(replicas, steps[-1], count, purpose)
    assert np.array_equal(alone, words[:, -1])


@pytest.mark.parametrize(("replicas", "steps"), [(3, 9000), (9000, 3), (100, 100)])
def test_chunks_do_not_show(replicas: int, steps: int) -> None:
    """Many blocks are done in parts, across replicas and across steps."""
    words = STREAM.words(np.arange(replicas), np.arange(steps), 4)
    rng = np.random.default_rng(1)
    for r, t in zip(
        rng.integers(0, replicas, 40), rng.integers(0, steps, 40), strict=True
    ):
        assert np.array_equal(words[r, t], STREAM.words([r], t, 4)[0])


def test_last_words_and_empty_lists() -> None:
    last = 2**64 // 4 - 1
    assert STREAM.words([0], last, 4)[0, 3] == word(STREAM, 0, 2**64 - 1, 0)
    assert STREAM.words(np.array([], int), 0, 3).shape == (0, 3)
    assert STREAM.words([1], np.array([], int), 3).shape == (1, 0, 3)
    assert STREAM.words([1], np.array([], int), 1).shape == (1, 0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], 0, 0), "count: expected >= 1"),
        (([0], 0, 2.0), "count: expected an integer"),
        (([0], 0, True), "count: expected an integer"),
        (([2**32], 0, 1), "replicas: expected integers in"),
        (([-1], 0, 1), "replicas: expected integers in"),
        (([0.0], 0, 1), "replicas: expected integers in"),
        (([0], -1, 1), "step: expected integers in"),
        (([0], 2**62, 4), "step: expected integers in"),
        (([0], 1.5, 1), "step: expected integers in"),
        (([0], 0, 1, 2**32), "purpose: expected integers in"),
        (([0], 0, 1, -1), "purpose: expected integers in"),
        ((0, 0, 1), r"replicas: expected shape \(R,\)"),
        (([0], [[0]], 1), r"step: expected a number or \(T,\)"),
    ],
)
def test_words_out_of_range(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises((ValueError, ShapeError), match=message):
        STREAM.words(*arguments)


# -------------------------------------------------------------------------- indices


@pytest.mark.parametrize("N", [1, 2, 3, 1000, 4097, MOST])
def test_indices_are_scaled_words(N: int) -> None:
    words = STREAM.words(range(50), 3, 7)
    expected = [[int(w) * N // 2**32 for w in row] for row in words]
    indices = STREAM.indices(range(50), 3, 7, N)
    assert indices.dtype == np.int64
    assert indices.tolist() == expected


@pytest.mark.parametrize(
    ("count", "N"), [(1, 1), (1, 9), (3, 3), (5, 8), (64, 64), (64, 70), (65, 65)]
)
def test_sets_are_those_of_floyd(count: int, N: int) -> None:
    """Floyd's algorithm with Python's sets, on the same words."""
    words = STREAM.words(range(40), np.arange(3), count, SECOND)
    sets = STREAM.indices(range(40), np.arange(3), count, N, False, purpose=SECOND)
    for place in np.ndindex(40, 3):
        chosen: list[int] = []
        for j, w in zip(range(N - count, N), words[place], strict=True):
            t = int(w) * (j + 1) // 2**32
            chosen.append(j if t in chosen else t)
        assert sets[place].tolist() == chosen
        assert len(set(chosen)) == count


def test_large_sets_are_those_of_floyd() -> None:
    """More than a chunk of rows, with more than 64 indices."""
    N, count = 2**21, 66
    words = STREAM.words(range(5), 0, count)
    for row, found in zip(
        words, STREAM.indices(range(5), 0, count, N, False), strict=True
    ):
        chosen: list[int] = []
        for j, w in zip(range(N - count, N), row, strict=True):
            t = int(w) * (j + 1) // 2**32
            chosen.append(j if t in chosen else t)
        assert found.tolist() == chosen


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, MOST + 1), r"N: expected <= 2\*\*24"),
        ((1, 0), "N: expected >= 1"),
        ((1, 3.0), "N: expected an integer"),
        ((4, 3, False), "count: expected <= N = 3 without replacement"),
        ((0, 3), "count: expected >= 1"),
    ],
)
def test_indices_out_of_range(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        STREAM.indices([0], 0, *arguments)


@pytest.mark.parametrize("N", [3, 7, 100])
def test_indices_are_even(N: int) -> None:
    """χ² with N − 1 degrees of freedom, at ≥ 20,000 expected in each of N cells.

    It would see probabilities off by about 1 % for N = 100.
    """
    found = STREAM.indices(range(500), np.arange(1000), 4, N)
    assert evenness(np.bincount(found.ravel(), minlength=N)) > ALPHA


@pytest.mark.parametrize(("count", "N"), [(2, 5), (3, 6), (5, 6)])
def test_sets_are_even(count: int, N: int) -> None:
    """Each of the C(N, S) sets as often: χ² over the sets."""
    found = STREAM.indices(range(300), np.arange(500), count, N, False)
    codes = (1 << found.reshape(-1, count)).sum(axis=1)
    tally = np.bincount(codes, minlength=2**N)
    cells = [sum(1 << k for k in s) for s in itertools.combinations(range(N), count)]
    assert tally[cells].sum() == tally.sum()
    assert evenness(tally[cells]) > ALPHA


def evenness(tally: np.ndarray) -> float:
    """Return the chance of a χ² as large as that of the tally of an even choice."""
    expected = tally.sum() / len(tally)
    return float(
        stats.chi2.sf(((tally - expected) ** 2).sum() / expected, len(tally) - 1)
    )


# -------------------------------------------------------------------------- normals


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_normals_are_box_muller_of_the_words(count: int) -> None:
    """Normal n is made of words n and n xor 1, cosine first."""
    steps, p = np.arange(6), words_per_step(count)
    found = STREAM.normals([3, 2**32 - 1], steps, count)
    for (i, r), t, j in itertools.product(
        enumerate([3, 2**32 - 1]), range(6), range(count)
    ):
        n = t * p + j
        a, b = (word(STREAM, r, n - n % 2 + k, 1) for k in (0, 1))
        radius = math.sqrt(-2 * math.log((a + 0.5) / 2**32))
        angle = math.pi * (b - 2**32 * (b >= 2**31)) / 2**31
        expected = radius * (math.sin if n % 2 else math.cos)(angle)
        assert abs(found[i, t, j] - expected) <= 20 * 2.0**-53 * radius


def test_normals_by_dtype() -> None:
    double = STREAM.normals(range(50), np.arange(50), 3)
    single = STREAM.normals(range(50), np.arange(50), 3, "float32")
    assert double.dtype == np.float64
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))
    with pytest.raises(ValueError, match="dtype: expected float32 or float64"):
        STREAM.normals([0], 0, 1, np.int32)


def test_normals_reach_the_stated_tail() -> None:
    """The largest radius, and the smallest."""
    words = np.array([0, 0, MASK, 0], dtype=np.uint32)
    z = box_muller(words)
    assert z[0] == pytest.approx(math.sqrt(66 * math.log(2)), rel=1e-14)
    assert 6.76 < z[0] < 6.764
    assert z[1] == 0
    assert z[2] == pytest.approx(math.sqrt(2 * 2.0**-33), rel=1e-6)


def test_radius_has_the_stated_variance() -> None:
    """Σ −ln u over a grid of n midpoints is n − ½ ln 2 + O(1/n), here at n = 2¹⁶."""
    n = 2**16
    exact = math.lgamma(n + 0.5) - math.lgamma(0.5) - n * math.log(n)
    assert exact == pytest.approx(-n + math.log(2) / 2, abs=1e-4)
    assert 1 - 8.1e-11 < 1 - math.log(2) / 2 / 2**32 < 1 - 8.0e-11


Z = STREAM.normals(range(500), np.arange(500), 8).ravel()
N_Z = Z.size  # two million


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_moments_of_normals(k: int) -> None:
    """Bernstein: P(|mean − E| > t) ≤ 2 exp(−nt²/(2(v + Mt/3))), |zᵏ − E| ≤ M.

    The tolerances are 0.004 to 0.04: for k = 2 a variance off by 0.6 % is seen.
    """
    expected = {1: 0.0, 2: 1.0, 3: 0.0, 4: 3.0}[k]
    variance = {1: 1.0, 2: 2.0, 3: 15.0, 4: 96.0}[k]
    deviation = abs((Z**k).mean() - expected)
    assert bernstein(deviation, N_Z, variance, 6.764**k + expected) > ALPHA


def bernstein(deviation: float, n: int, variance: float, bound: float) -> float:
    """Return Bernstein's bound on the chance of such a deviation of a mean."""
    spread = variance + bound * deviation / 3
    return 2 * math.exp(-n * deviation**2 / 2 / spread)


def test_squares_of_normals_follow_chi2() -> None:
    """Σz² has the law χ² with n degrees of freedom, exactly; so has each part of it."""
    parts = (Z.reshape(100, -1) ** 2).sum(axis=1)
    p = stats.chi2.cdf(parts, N_Z // 100)
    assert 2 * 100 * min(p.min(), 1 - p.max()) > ALPHA
    total = stats.chi2.cdf((Z**2).sum(), N_Z)
    assert 2 * min(total, 1 - total) > ALPHA


def test_distribution_of_normals() -> None:
    """Massart's bound of the Kolmogorov distance: 2 exp(−2nε²), ε = 0.0019 here."""
    assert massart(Z) > ALPHA
    assert massart(np.abs(Z), lambda z: 2 * stats.norm.cdf(z) - 1) > ALPHA


def massart(
    sample: np.ndarray, law: Callable[[Any], np.ndarray] = stats.norm.cdf
) -> float:
    """Return Massart's bound on the chance of such a distance from a law."""
    below = law(np.sort(sample))
    n = len(sample)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - below).max(), (below - steps[:-1]).max())
    return float(2 * math.exp(-2 * n * distance**2))


@pytest.mark.parametrize("edge", [2.0, 3.0, 4.0, 4.5])
@pytest.mark.parametrize("side", [-1, 1])
def test_tails_of_normals(edge: float, side: int) -> None:
    """Binomial law of the number beyond: at 4 it sees 63 become less than 30."""
    beyond = int((side * Z > edge).sum())
    assert binomial(beyond, N_Z, float(stats.norm.sf(edge))) > ALPHA


def binomial(counts: Any, n: Any, p: float) -> float:
    """Return a bound on the chance that one of the counts is as far from np."""
    sides = np.minimum(
        stats.binom.cdf(counts, n, p), stats.binom.sf(np.asarray(counts) - 1, n, p)
    )
    return float(2 * sides.min() * sides.size)


# --------------------------------------------------------------------- independence

PAIRS_N = 2**14


def tables(stream: Stream = STREAM) -> np.ndarray:
    """Return words (16 replicas, steps), one for each step."""
    return stream.words(range(16), np.arange(PAIRS_N), 1)[:, :, 0]


def agreement(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the chance that any pair has so many or so few equal bits.

    Of words that know nothing of each other half of the bits agree: binomial.
    """
    counts, sizes = zip(
        *((np.bitwise_count(x ^ y).sum(dtype=np.int64), 32 * x.size) for x, y in pairs),
        strict=True,
    )
    return binomial(np.array(counts), np.array(sizes), 0.5)


def refusals(words: np.ndarray) -> set[str]:
    """Return which checks refuse words (replicas, steps): each alarm is below ALPHA.

    - bits: each bit of each word is set half of the time, within 3 % (binomial);
    - lanes: two replicas agree in half of their bits, within 0.5 %, in the same step
      and up to 4 apart;
    - steps: likewise words 1 to 5 steps apart in one replica;
    - pairs: the upper 4 bits of neighbouring words are even on 256 cells (χ²);
    - low: so are the lower 4 bits.
    """
    replicas, steps = words.shape
    bits = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    chances = {
        "bits": binomial(bits.sum(axis=1).ravel(), steps, 0.5),
        "lanes": agreement(
            (words[i, : steps - lag], words[j, lag:])
            for i, j in itertools.permutations(range(replicas), 2)
            for lag in range(5)
        ),
        "steps": agreement(
            (row[:-lag], row[lag:]) for row in words for lag in range(1, 6)
        ),
        "pairs": evenness(cells(words >> 28)),
        "low": evenness(cells(words & 15)),
    }
    return {name for name, chance in chances.items() if not chance > ALPHA}


def cells(fours: np.ndarray) -> np.ndarray:
    joined = 16 * fours[:, 0::2].astype(int) + fours[:, 1::2]
    return np.bincount(joined.ravel(), minlength=256)


def test_replicas_and_steps_are_independent() -> None:
    assert refusals(tables()) == set()


@pytest.mark.parametrize("purpose", [1, 2])
def test_uses_are_independent(purpose: int) -> None:
    """Indices against normals, and SVAG's two batches."""
    first = STREAM.words(range(16), np.arange(PAIRS_N), 1)
    other = STREAM.words(range(16), np.arange(PAIRS_N), 1, purpose)
    assert agreement(zip(first, other, strict=True)) > ALPHA


def test_neighbouring_seeds_are_independent() -> None:
    streams = [tables(Stream(seed)) for seed in range(10)]
    pairs = list(itertools.pairwise(streams))
    assert agreement(pairs) > ALPHA
    assert agreement((x[:, 1:], y[:, :-1]) for x, y in pairs) > ALPHA
    assert agreement((x[1:], y[:-1]) for x, y in pairs) > ALPHA


def test_slots_of_a_step_are_independent() -> None:
    words = STREAM.words(range(4), np.arange(PAIRS_N), 8)
    slots = [words[..., i] for i in range(8)]
    assert agreement(itertools.combinations(slots, 2)) > ALPHA


def test_normals_are_uncorrelated() -> None:
    """Bernstein for products, |zz'| ≤ 45.8, and for (z² − 1)z', at most 303.

    A correlation of 10 % is seen.
    """
    z = STREAM.normals(range(8), np.arange(4000), 4).reshape(8, -1)
    pairs = [(z[i], z[j]) for i, j in itertools.combinations(range(8), 2)]
    pairs += [(row[lag:], row[:-lag]) for row in z for lag in range(1, 9)]
    for x, y in pairs:
        plain, squared = abs((x * y).mean()), abs(((x**2 - 1) * y).mean())
        assert bernstein(plain, x.size, 1.0, 45.8) > ALPHA / len(pairs)
        assert bernstein(squared, x.size, 2.0, 303.0) > ALPHA / len(pairs)
    x, y = z[0], 0.1 * z[0] + math.sqrt(1 - 0.1**2) * z[1]
    assert bernstein(abs((x * y).mean()), x.size, 1.0, 45.8) < ALPHA / len(pairs)


# ---------------------------------------------------------- bad generators are seen


def few_rounds(rounds: int) -> np.ndarray:
    b = np.arange(PAIRS_N // 4, dtype=np.uint64)
    replicas = np.arange(16, dtype=np.uint64)[:, None]
    return philox(b, 0, replicas, 0, STREAM.key, rounds=rounds).reshape(16, -1)


def congruential() -> np.ndarray:
    """Return Numerical Recipes' x → 1664525x + 1013904223, a seed for each replica."""
    words = np.empty((16, PAIRS_N), dtype=np.uint32)
    state = np.arange(16, dtype=np.uint32)
    for step in range(PAIRS_N):
        state = state * np.uint32(1664525) + np.uint32(1013904223)
        words[:, step] = state
    return words


def reused(kind: str) -> np.ndarray:
    """Return good words with a fault of counters."""
    words = tables()
    if kind == "replica":
        words[5] = words[9]
    elif kind == "step":
        words[:, 1::2] = words[:, 0::2]
    elif kind == "shifted":  # a replica runs through another's counters, later
        words[3, 3:] = words[11, :-3]
    elif kind == "bit":
        words[7] |= 1 << 19
    return words


@pytest.mark.parametrize(
    ("words", "check"),
    [
        (lambda: few_rounds(2), "lanes"),
        (lambda: few_rounds(3), "steps"),
        (congruential, "low"),
        (congruential, "lanes"),
        (lambda: reused("replica"), "lanes"),
        (lambda: reused("step"), "steps"),
        (lambda: reused("shifted"), "lanes"),
        (lambda: reused("bit"), "bits"),
    ],
)
def test_bad_words_are_refused(words: Callable[[], np.ndarray], check: str) -> None:
    assert check in refusals(words())


def test_good_words_are_what_faults_started_from() -> None:
    assert refusals(few_rounds(10)) == set()


def test_bad_normals_are_refused() -> None:
    """Faults of 1 to 3 % in the law of normals."""
    assert massart(1.01 * Z) < ALPHA
    assert massart(Z + 0.01) < ALPHA
    clipped = Z[np.abs(Z) < 4]
    assert binomial(0, clipped.size, float(2 * stats.norm.sf(4))) < ALPHA


def test_bad_indices_are_refused() -> None:
    """The remainder of a byte, and choices that forget to be distinct."""
    words = STREAM.words(range(500), np.arange(1000), 4)
    assert evenness(np.bincount((words >> 24).ravel() % 100, minlength=100)) < ALPHA
    found = STREAM.indices(range(300), np.arange(500), 3, 6)
    codes = np.bitwise_or.reduce(1 << found, axis=-1).ravel()
    tally = np.bincount(codes, minlength=64)
    cells = [sum(1 << k for k in s) for s in itertools.combinations(range(6), 3)]
    assert tally[cells].sum() < tally.sum()

"""The bounds hold at their stated rates; the betting test has its power."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binom

from verify import _statistics as stats


CAP = 30.0


def skewed(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return squared normal variables cut at 30, like squared gradients."""
    return np.minimum(rng.standard_normal(shape) ** 2, CAP)


def capped_mean() -> float:
    """Return E min(Z², c) = P(χ²₃ ≤ c) + c·P(χ²₁ > c) in closed form."""
    root = math.sqrt(CAP)
    tail = math.erfc(root / math.sqrt(2.0))
    density = math.exp(-CAP / 2.0) / math.sqrt(2.0 * math.pi)
    return 1.0 - tail - 2.0 * root * density + CAP * tail


MEAN = capped_mean()


def factor_test(values: np.ndarray, predicted: float = MEAN) -> stats.FactorTest:
    test = stats.FactorTest()
    test.add(values, predicted=predicted, lower=0.0, upper=CAP)
    return test


def test_the_mean_used_below_is_the_mean() -> None:
    grid = np.linspace(-12.0, 12.0, 240_001)
    density = np.exp(-(grid**2) / 2.0) / math.sqrt(2.0 * math.pi)
    integral = np.trapezoid(np.minimum(grid**2, CAP) * density, grid)

    assert pytest.approx(integral, rel=1e-9) == MEAN


def test_ville_the_capital_rarely_reaches_one_over_alpha() -> None:
    """At α = 0.05 the number of alarms in 2000 repeats is one that rate α explains.

    A sound test fails here with probability 1e-9 over the choice of the seed.
    """
    alpha, repeats = 0.05, 2000
    draws = skewed(np.random.default_rng(7), repeats, 400)
    alarms = sum(
        bool(factor_test(row).log_capital_path(1.0).max() >= -math.log(alpha))
        for row in draws
    )

    assert binom.sf(alarms - 1, repeats, alpha) >= 1e-9
    assert alarms > 0  # a test that never fires at α = 0.05 would prove nothing


def test_the_interval_covers_the_factor_at_its_level() -> None:
    alpha, repeats = 0.05, 300
    draws = skewed(np.random.default_rng(8), repeats, 300)
    misses = sum(not factor_test(row).interval(alpha).contains(1.0) for row in draws)

    assert binom.sf(misses - 1, repeats, alpha) >= 1e-9


def test_the_false_alarm_test_can_fail() -> None:
    """With a mean that is 20 % off, most repeats raise the alarm."""
    draws = skewed(np.random.default_rng(9), 100, 3000)
    alarms = sum(
        bool(factor_test(row, 1.2).log_capital_path(1.0).max() >= -math.log(0.05))
        for row in draws
    )

    assert alarms > 90


@pytest.mark.parametrize("wrong", [2.0, 0.5, 0.0, -1.0])
def test_power_wrong_factors_are_excluded_at_1e_8(wrong: float) -> None:
    values = skewed(np.random.default_rng(10), 4000)
    interval = factor_test(values).interval(1e-8)

    assert interval.contains(1.0)
    assert interval.excludes(wrong)
    assert interval.resolution < 0.5


def test_ends_of_the_interval_are_rejected_and_the_inside_is_not() -> None:
    """Rounding goes outward: each end has capital at least 2/α on its side."""
    test = factor_test(skewed(np.random.default_rng(15), 800))
    interval = test.interval(1e-4)
    inside = 1e-5 * (interval.upper - interval.lower)

    assert test.log_capital(interval.lower)[0] >= math.log(2e4)
    assert test.log_capital(interval.upper)[1] >= math.log(2e4)
    assert test.log_capital(interval.lower + inside)[0] < math.log(2e4)
    assert test.log_capital(interval.upper - inside)[1] < math.log(2e4)


def test_small_drift_in_a_large_range_is_found_when_it_is_there() -> None:
    """Drift 1e-2 of the range, deviations 1e-1 of it, a known part, both signs."""
    rng = np.random.default_rng(11)
    sign = rng.choice([-1.0, 1.0], 50_000)
    drift = sign * rng.uniform(0.005, 0.015, sign.shape)
    noise = np.clip(rng.normal(0.0, 0.1, sign.shape), -0.5, 0.5)
    test = stats.FactorTest()
    test.add(7.0 + drift + noise, known=7.0, predicted=drift, lower=6.0, upper=8.0)

    interval = test.interval(1e-8)

    assert interval.contains(1.0)
    assert interval.excludes(2.0)
    assert interval.excludes(0.0)


def test_reflection_of_the_observations_changes_nothing() -> None:
    values = skewed(np.random.default_rng(12), 500)
    mirrored = stats.FactorTest()
    mirrored.add(-values, predicted=-MEAN, lower=-CAP, upper=0.0)

    assert mirrored.interval(1e-3) == factor_test(values).interval(1e-3)


def test_chunks_and_one_array_give_the_same() -> None:
    values = skewed(np.random.default_rng(13), 40_000)
    chunked = stats.FactorTest()
    for part in np.array_split(values, 7):
        chunked.add(part, predicted=MEAN, lower=0.0, upper=CAP)

    assert chunked.observations == 40_000
    assert chunked.interval(1e-6) == factor_test(values).interval(1e-6)
    assert chunked.log_capital_path(1.0)[-1] == pytest.approx(
        np.logaddexp(*chunked.log_capital(1.0)) - math.log(2.0), abs=1e-9
    )


def test_a_deterministic_law_is_accepted_to_rounding_only() -> None:
    """No spread at all: the exact factor stays, and one 1 % off is impossible."""
    values = np.full(100, 0.1 + 0.2)
    test = stats.FactorTest()
    test.add(values, predicted=0.3, lower=0.3, upper=0.3)

    interval = test.interval(1e-6)

    assert interval.contains(1.0)
    assert interval.excludes(1.01)
    assert interval.excludes(0.99)


def test_observations_without_prediction_say_nothing() -> None:
    test = stats.FactorTest()
    test.add(np.zeros(50), predicted=0.0, lower=0.0, upper=0.0)

    interval = test.interval(1e-6)

    assert (interval.lower, interval.upper) == (-math.inf, math.inf)
    assert interval.resolution == math.inf


def test_contradictory_observations_leave_no_factor() -> None:
    test = stats.FactorTest()
    test.add(np.full(500, 1.0), predicted=1.0, lower=0.9, upper=1.1)
    test.add(np.full(500, 3.0), predicted=1.0, lower=2.9, upper=3.1)

    interval = test.interval(1e-6)

    assert interval.lower > interval.upper
    assert interval.excludes(1.0)
    assert interval.excludes(3.0)


def test_nan_is_neither_contained_nor_excluded() -> None:
    interval = stats.FactorInterval(0.5, 2.0, 1.0, 1e-6, 10)

    assert not interval.contains(math.nan)
    assert not interval.excludes(math.nan)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60))
def test_capital_of_upward_bets_falls_with_the_factor(seed: int, n: int) -> None:
    """The monotone behaviour on which the bisection rests, any predictable bounds."""
    rng = np.random.default_rng(seed)
    low, width = rng.normal(size=n), rng.exponential(size=n)
    test = stats.FactorTest()
    test.add(
        low + width * rng.random(n),
        known=rng.normal(size=n),
        predicted=rng.normal(size=n),
        lower=low,
        upper=low + width,
    )
    capitals = [test.log_capital(float(f)) for f in np.linspace(-5, 5, 21)]

    for (up, down), (next_up, next_down) in itertools.pairwise(capitals):
        assert next_up <= up + 1e-9
        assert next_down >= down - 1e-9


@given(
    probabilities=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_expected_capital_is_at_most_one(probabilities: list[float], seed: int) -> None:
    """Exact expectation over all outcomes of two draws: E K = 1 under the null."""
    p = np.array(probabilities) / sum(probabilities)
    support = np.random.default_rng(seed).normal(size=len(p))
    mean = float(p @ support)
    low, high = float(support.min()), float(support.max())
    expected = np.zeros(2)
    for i, j in itertools.product(range(len(p)), repeat=2):
        test = stats.FactorTest()
        test.add(support[[i, j]], predicted=mean, lower=low, upper=high)
        expected += p[i] * p[j] * np.exp(test.log_capital(1.0))

    # At most 60 operations of condition ≤ 2^20 (the floor of the stake scale).
    assert np.abs(expected - 1.0).max() <= 1e-9


@given(n=st.integers(2, 10**6), alpha=st.floats(1e-12, 0.5), ratio=st.floats(1.01, 10))
def test_radii_shrink_with_n_and_grow_with_confidence(
    n: int, alpha: float, ratio: float
) -> None:
    more = math.ceil(n * ratio)
    for radius in (
        stats.hoeffding_radius,
        stats.dkw_radius,
        lambda n, a: stats.empirical_bernstein_radius(0.1, n, a),
    ):
        assert radius(more, alpha) <= radius(n, alpha) <= radius(n, alpha / ratio)


@given(radius=st.floats(1e-3, 0.9), alpha=st.floats(1e-12, 0.5), v=st.floats(0, 0.25))
def test_samples_are_least(radius: float, alpha: float, v: float) -> None:
    n = stats.hoeffding_samples(radius, alpha)
    m = stats.empirical_bernstein_samples(v, radius, alpha)
    k = stats.dkw_samples(radius, alpha)

    slack = 1 + 1e-12
    assert stats.hoeffding_radius(n, alpha) <= radius * slack
    assert n == 1 or stats.hoeffding_radius(n - 1, alpha) >= radius / slack
    assert stats.dkw_radius(k, alpha) <= radius * slack
    assert stats.empirical_bernstein_radius(v, m, alpha) <= radius
    assert m == 2 or stats.empirical_bernstein_radius(v, m - 1, alpha) > radius


@given(n=st.integers(2, 10**5), alpha=st.floats(1e-12, 0.5), v=st.floats(0, 0.25))
def test_levels_invert_radii(n: int, alpha: float, v: float) -> None:
    level = stats.hoeffding_level(n, stats.hoeffding_radius(n, alpha))
    radius = stats.empirical_bernstein_radius(v, n, alpha)

    assert level == pytest.approx(alpha, rel=1e-9)
    assert stats.empirical_bernstein_level(v, n, radius) == pytest.approx(alpha)
    assert stats.dkw_level(n, stats.dkw_radius(n, alpha)) == pytest.approx(alpha)


def test_radii_hold_for_skewed_bounded_means() -> None:
    """At α = 0.05 the misses in 2000 repeats are as many as that rate explains."""
    draws = np.random.default_rng(14).random((2000, 50)) ** 8
    mean, truth = draws.mean(axis=1), 1.0 / 9.0
    variance = draws.var(axis=1, ddof=1)
    bernstein = [stats.empirical_bernstein_radius(v, 50, 0.05) for v in variance]

    for radius in (np.array(bernstein), np.array(stats.hoeffding_radius(50, 0.05))):
        misses = int((truth > mean + radius).sum())
        assert binom.sf(misses - 1, 2000, 0.05) >= 1e-9


@given(n=st.integers(1, 60), data=st.data(), alpha=st.floats(1e-6, 0.5))
def test_binomial_upper_is_the_root_of_the_tail(
    n: int, data: st.DataObject, alpha: float
) -> None:
    k = data.draw(st.integers(0, n - 1))
    p = stats.binomial_upper(k, n, alpha)
    tail = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))

    assert tail == pytest.approx(alpha, rel=1e-6)


def test_binomial_samples_are_least() -> None:
    n = stats.binomial_samples(0.003, 1e-6)

    assert stats.binomial_upper(0, n, 1e-6) <= 0.003
    assert stats.binomial_upper(0, n - 1, 1e-6) > 0.003


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [math.nan]}, "finite values, got nan"),
        ({"values": []}, "values with at least one entry"),
        ({"predicted": math.inf}, "finite predicted, got inf"),
        ({"known": math.nan}, "finite known"),
        ({"values": [2.0]}, r"got 0.0, 2.0, 1.0 at position 0"),
        ({"lower": 1.0, "upper": 0.0}, "lower ≤ value ≤ upper"),
    ],
)
def test_bad_observations_are_refused(change: dict[str, Any], message: str) -> None:
    arguments = {
        "values": [0.5],
        "predicted": 0.5,
        "lower": 0.0,
        "upper": 1.0,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        stats.FactorTest().add(arguments.pop("values"), **arguments)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        stats.FactorTest().interval(0.05)
    with pytest.raises(ValueError, match="finite factor, got nan"):
        factor_test(np.ones(3)).log_capital(math.nan)
    for alpha in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="probability"):
            factor_test(np.ones(3)).interval(alpha)
    with pytest.raises(ValueError, match="at least 2"):
        stats.empirical_bernstein_radius(0.1, 1, 0.05)
    with pytest.raises(ValueError, match="variance"):
        stats.empirical_bernstein_radius(math.nan, 10, 0.05)
    with pytest.raises(ValueError, match="radius"):
        stats.hoeffding_samples(0.0, 0.05)
    with pytest.raises(ValueError, match="successes"):
        stats.binomial_upper(4, 3, 0.05)

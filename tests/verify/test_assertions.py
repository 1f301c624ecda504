"""Assertions hold their error rates: by enumeration of the binomial law where it is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import binom

from verify._assert_martingale import (
    assert_martingale,
    detectable_martingale,
    samples_needed_martingale,
)
from verify._assert_rates import (
    assert_binomial,
    assert_dkw,
    detectable_binomial,
    detectable_dkw,
    dkw_distance,
    samples_needed_binomial,
    samples_needed_dkw,
)
from verify._assertions import (
    assert_empirical_bernstein,
    assert_hoeffding,
    detectable_empirical_bernstein,
    detectable_hoeffding,
    samples_needed_empirical_bernstein,
    samples_needed_hoeffding,
)
from verify._holm import holm


_ASSERTIONS = {
    "hoeffding": lambda x, m, a: assert_hoeffding(x, m, alpha=a),
    "empirical Bernstein": lambda x, m, a: assert_empirical_bernstein(x, m, alpha=a),
    "martingale": lambda x, m, a: assert_martingale(x, m, alpha=a),
    "binomial": lambda x, m, a: assert_binomial(int(x.sum()), len(x), m, alpha=a),
}


def fails(name: str, tosses: np.ndarray, mean: float, alpha: float) -> bool:
    try:
        _ASSERTIONS[name](tosses, mean, alpha)
    except AssertionError:
        return True
    return False


def exact_failure(
    name: str, n: int, true: float, claimed: float, alpha: float
) -> float:
    """Return P(the assertion fails) exactly, over all numbers of successes.

    For coin tosses every assertion but the martingale's looks at their sum alone.
    """
    tosses = [np.repeat([1.0, 0.0], [k, n - k]) for k in range(n + 1)]
    failing = [fails(name, x, claimed, alpha) for x in tosses]
    return float(binom.pmf(np.arange(n + 1), n, true)[failing].sum())


@pytest.mark.parametrize("name", ["hoeffding", "empirical Bernstein", "binomial"])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.01, 0.2])
def test_an_assertion_fails_at_its_level_at_most(
    name: str, p: float, alpha: float
) -> None:
    """By enumeration of the binomial law: no simulation, no slack but rounding."""
    assert exact_failure(name, 60, p, p, alpha) <= alpha * (1 + 1e-12)


def test_a_martingale_assertion_fails_at_its_level_at_most() -> None:
    """By enumeration of all sequences of 10 tosses, looked at after each."""
    alpha, p = 0.3, 0.4
    total = 0.0
    for bits in itertools.product((0.0, 1.0), repeat=10):
        k = int(sum(bits))
        if fails("martingale", np.array(bits), p, alpha):
            total += p**k * (1 - p) ** (10 - k)

    assert 0.0 < total <= alpha


@pytest.mark.parametrize("name", ["hoeffding", "empirical Bernstein", "binomial"])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.7])
def test_what_is_detectable_is_detected(name: str, p: float) -> None:
    """By enumeration: at the discrepancy stated and beyond it on either side."""
    n, alpha, beta = 300, 0.05, 0.1
    delta = {
        "hoeffding": detectable_hoeffding(n, alpha=alpha, beta=beta),
        "empirical Bernstein": detectable_empirical_bernstein(
            0.25, n, alpha=alpha, beta=beta
        ),
        "binomial": detectable_binomial(n, p, alpha=alpha, beta=beta),
    }[name]
    reached = [q for s in (1.0001, 1.5) for q in (p + s * delta, p - s * delta)]
    inside = [q for q in reached if 0.0 <= q <= 1.0]

    assert inside
    for q in inside:
        assert exact_failure(name, n, q, p, alpha) >= 1 - beta


def test_the_binomial_resolution_is_sharp() -> None:
    """A hundredth less on the worse side and the power falls below 1 − β."""
    n, p, alpha, beta = 200, 0.3, 0.05, 0.1
    delta = 0.99 * detectable_binomial(n, p, alpha=alpha, beta=beta)
    powers = [exact_failure("binomial", n, q, p, alpha) for q in (p + delta, p - delta)]

    assert min(powers) < 1 - beta


@pytest.mark.parametrize("mean", [0.1, 0.5])
def test_a_detectable_martingale_discrepancy_is_detected(mean: float) -> None:
    """In 100 repeats as often as 1 − β = 0.9 explains (fails with probability 1e-9)."""
    n, alpha, beta = 600, 0.01, 0.1
    delta = detectable_martingale(mean, 0.25, n, alpha=alpha, beta=beta)
    rng = np.random.default_rng(21)
    for true in (mean + delta, mean - delta):
        if not 0.0 <= true <= 1.0:
            continue
        draws = (rng.random((100, n)) < true).astype(float)
        caught = sum(fails("martingale", row, mean, alpha) for row in draws)
        assert binom.cdf(caught, 100, 1 - beta) >= 1e-9


def test_the_variance_sharpens_what_is_detectable() -> None:
    options = {"alpha": 1e-6, "beta": 1e-3}
    few, many = (
        detectable_empirical_bernstein(v, 10_000, **options) for v in (1e-4, 0.25)
    )
    calm, wild = (
        detectable_martingale(0.5, v, 10_000, **options) for v in (1e-4, 0.25)
    )

    assert few < detectable_hoeffding(10_000, **options) / 5
    assert few < many
    assert calm < wild


@settings(derandomize=True, deadline=None, max_examples=6)
@given(
    discrepancy=st.floats(0.02, 0.3),
    alpha=st.floats(1e-9, 0.2),
    beta=st.floats(1e-6, 0.3),
)
def test_samples_needed_reach_the_discrepancy_and_fewer_do_not(
    discrepancy: float, alpha: float, beta: float
) -> None:
    levels = {"alpha": alpha, "beta": beta}
    n = samples_needed_hoeffding(discrepancy, **levels)
    k = samples_needed_dkw(discrepancy, **levels)
    m = samples_needed_empirical_bernstein(0.1, discrepancy, **levels)
    b = samples_needed_binomial(0.4, discrepancy, **levels)

    assert detectable_hoeffding(n, **levels) <= discrepancy
    assert n == 1 or detectable_hoeffding(n - 1, **levels) > discrepancy
    assert detectable_dkw(k, **levels) <= discrepancy
    assert k == 1 or detectable_dkw(k - 1, **levels) > discrepancy
    assert detectable_empirical_bernstein(0.1, m, **levels) <= discrepancy
    assert detectable_binomial(b, 0.4, **levels) <= discrepancy


def test_samples_needed_of_the_martingale_reach_the_discrepancy() -> None:
    levels = {"alpha": 1e-6, "beta": 1e-3}
    n = samples_needed_martingale(0.5, 0.25, 0.1, **levels)

    assert detectable_martingale(0.5, 0.25, n, **levels) <= 0.1
    assert detectable_martingale(0.5, 0.25, n // 2, **levels) > 0.1


def test_units_scale_the_resolution() -> None:
    levels = {"alpha": 1e-6, "beta": 1e-3}
    unit = detectable_hoeffding(500, **levels)
    wide = detectable_empirical_bernstein(0.04, 500, width=2.0, **levels)

    assert detectable_hoeffding(500, width=7.0, **levels) == pytest.approx(7 * unit)
    assert wide == pytest.approx(
        2 * detectable_empirical_bernstein(0.01, 500, **levels)
    )


def test_the_distance_to_a_distribution_function_is_the_supremum() -> None:
    x = np.random.default_rng(3).random(40).round(1)  # ties
    grid = np.concatenate([x, x - 1e-9, np.linspace(-0.1, 1.1, 5001)])
    empirical = (x[:, None] <= grid).mean(axis=0)
    claimed = np.clip(grid, 0, 1) ** 2
    distance, n = dkw_distance(x, lambda t: np.clip(t, 0, 1) ** 2)

    assert n == 40
    assert distance == pytest.approx(np.abs(empirical - claimed).max(), abs=1e-6)


def test_jumps_of_a_distribution_function_raise_no_alarm() -> None:
    """A coin: F jumps at 0 and 1, and without its left limits the distance is wrong."""
    x = np.repeat([0.0, 1.0], 500)
    at = {0.0: 0.5, 1.0: 1.0}
    before = {0.0: 0.0, 1.0: 0.5}

    def cdf(points: np.ndarray) -> list[float]:
        return [at[t] for t in points]

    def left(points: np.ndarray) -> list[float]:
        return [before[t] for t in points]

    assert_dkw(x, cdf, alpha=0.05, left=left)
    with pytest.raises(AssertionError, match="distance within"):
        assert_dkw(x, cdf, alpha=0.05)


def test_a_detectable_distance_is_detected() -> None:
    """A share δ of uniform numbers moved to 0 puts F at a distance δ."""
    n, alpha, beta = 400, 0.05, 0.1
    delta = detectable_dkw(n, alpha=alpha, beta=beta)
    rng, caught = np.random.default_rng(4), 0
    for _ in range(200):
        x = np.where(rng.random(n) < delta, 0.0, rng.random(n))
        try:
            assert_dkw(x, lambda t: t, alpha=alpha)
        except AssertionError:
            caught += 1

    assert binom.cdf(caught, 200, 1 - beta) >= 1e-9


@settings(derandomize=True, deadline=None, max_examples=80)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8), alpha=st.floats(0.001, 0.5))
def test_holm_is_the_step_down_test(p: list[float], alpha: float) -> None:
    """Against its definition: go up the sorted levels while p₍ₖ₎ ≤ α/(m − k + 1)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [False] * len(p)
    for k, i in enumerate(order):
        if not (len(p) - k) * p[i] <= alpha:
            break
        expected[i] = True
    found = holm(p, alpha=alpha)

    assert found.rejected == tuple(expected)
    assert all(a >= b for a, b in zip(found.adjusted, p, strict=True))


def test_holm_keeps_the_family_rate_for_dependent_tests_exactly() -> None:
    """Three p-values that are shifts of one uniform number: exact on a fine grid."""
    alpha, grid = 0.1, (np.arange(3000) + 0.5) / 3000
    alarms = [
        any(holm([u, (u + 1 / 3) % 1, (u + 2 / 3) % 1], alpha=alpha).rejected)
        for u in grid
    ]

    assert float(np.mean(alarms)) <= alpha + 1e-9
    assert any(alarms)


def test_tests_that_were_planned_and_not_made_count() -> None:
    assert holm([0.01], alpha=0.05).rejected == (True,)
    assert holm([0.01], alpha=0.05, planned=6).rejected == (False,)
    assert holm([], alpha=0.05).rejected == ()


@pytest.mark.parametrize("name", list(_ASSERTIONS))
def test_a_failure_says_what_was_expected_and_at_which_level(name: str) -> None:
    with pytest.raises(AssertionError, match=r"expected .* alpha = 1e-06"):
        _ASSERTIONS[name](np.ones(200), 0.3, 1e-6)


def test_bad_assertions_are_refused() -> None:
    with pytest.raises(ValueError, match="bounds must hold surely"):
        assert_hoeffding([1.5], 0.5, alpha=0.1)
    with pytest.raises(ValueError, match="bounds must hold surely"):
        assert_hoeffding([math.nan], 0.5, alpha=0.1)
    with pytest.raises(ValueError, match="one observation"):
        assert_empirical_bernstein([], 0.5, alpha=0.1)
    with pytest.raises(ValueError, match="at least 2"):
        assert_empirical_bernstein([0.5], 0.5, alpha=0.1)
    with pytest.raises(ValueError, match="a mean in"):
        assert_martingale([0.5], 2.0, alpha=0.1)
    with pytest.raises(ValueError, match="successes"):
        assert_binomial(5, 4, 0.5, alpha=0.1)
    with pytest.raises(ValueError, match="p-values"):
        holm([math.nan], alpha=0.1)
    with pytest.raises(ValueError, match="as planned"):
        holm([0.1, 0.2], alpha=0.1, planned=1)
    with pytest.raises(ValueError, match="discrepancy that is positive"):
        samples_needed_hoeffding(0.0, alpha=0.1, beta=0.1)
    with pytest.raises(AssertionError):
        assert_hoeffding([0.5], math.nan, alpha=0.1)

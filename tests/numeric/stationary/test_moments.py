"""The data constants: exact values, samples, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from numeric._stationary.moments import DataMoments


def test_by_position_and_by_name() -> None:
    named = DataMoments(alpha1=2, alpha2=1, alpha3=3, beta1=1, beta2=-1)

    assert named == DataMoments(2, 1, 3, 1, -1)
    assert isinstance(named.alpha1, float)
    assert named.delta == 5.0


@given(st.floats(-3, 3), st.floats(0, 3))
@settings(max_examples=50, deadline=None)
def test_gaussian_moments_by_quadrature(slope: float, noise: float) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    x, e = np.meshgrid(nodes, nodes)
    p = np.outer(weights, weights)
    y = slope * x + noise * e

    def mean(f: np.ndarray) -> float:
        return float((p * f).sum())

    expected = (
        mean(x**4) - mean(x**2) ** 2,
        mean(x**3 * y) - mean(x**2) * mean(x * y),
        mean((x * y) ** 2) - mean(x * y) ** 2,
        mean(x**2),
        mean(x * y),
    )
    m = DataMoments.gaussian(slope, noise)
    got = (m.alpha1, m.alpha2, m.alpha3, m.beta1, m.beta2)

    assert np.allclose(got, expected, rtol=1e-11, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=8
    ).filter(lambda pairs: any(x for x, _ in pairs))
)
def test_samples_are_the_population(pairs: list[tuple[int, int]]) -> None:
    n = len(pairs)
    square = [Fraction(x * x) for x, _ in pairs]
    product = [Fraction(x * y) for x, y in pairs]
    beta1, beta2 = sum(square) / n, sum(product) / n
    expected = (
        sum((a - beta1) ** 2 for a in square) / n,
        sum((a - beta1) * (b - beta2) for a, b in zip(square, product, strict=True))
        / n,
        sum((b - beta2) ** 2 for b in product) / n,
        beta1,
        beta2,
    )
    m = DataMoments.from_samples(*zip(*pairs, strict=True))
    got = (m.alpha1, m.alpha2, m.alpha3, m.beta1, m.beta2)

    assert np.allclose(got, [float(e) for e in expected], rtol=1e-13, atol=1e-13)


@given(st.floats(-2, 2), st.integers(0, 1000))
@example(1.4079042907178675e-158, 0)  # α₃ below the normal numbers
@settings(max_examples=50, deadline=None)
def test_interpolated_samples_have_no_delta(slope: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=50)
    m = DataMoments.from_samples(x, slope * x)

    assert 0 <= m.delta <= 1e-14 * m.alpha1 * m.alpha3 + 1e-300


@given(st.floats(-5, 5))
@settings(max_examples=50, deadline=None)
def test_noise_is_the_variance_of_the_residual_times_x(v: float) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 40))
    m = DataMoments.from_samples(x, y)

    assert np.isclose(m.noise(v), np.var(x * (v * x - y)), rtol=1e-11)
    assert DataMoments(0, 0, 2, 1, 1).noise(v) == 2.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1, 0, 1, 1, 1), "alpha1 >= 0"),
        ((1, 0, -1, 1, 1), "alpha3 >= 0"),
        ((1, 2, 1, 1, 1), "Cauchy-Schwarz"),
        ((0, 1, 1, 1, 1), "Cauchy-Schwarz"),
        ((1, 0, 1, 0, 1), "beta1"),
        ((1, 0, 1, -1, 1), "beta1"),
        ((1, 0, 1, 1, float("nan")), "beta2 a finite number"),
        ((float("inf"), 0, 1, 1, 1), "alpha1 a finite number"),
        ((True, 0, 1, 1, 1), "alpha1 a finite number"),
        (("one", 0, 1, 1, 1), "alpha1 a finite number"),
    ],
)
def test_moments_of_no_data_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DataMoments(*arguments)


@pytest.mark.parametrize(
    ("x", "y"),
    [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]]), ([1.0, np.nan], [1.0, 1.0])],
)
def test_samples_that_are_none(x: list[Any], y: list[Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        DataMoments.from_samples(x, y)


def test_noise_is_a_standard_deviation() -> None:
    assert DataMoments.gaussian(0, 3).alpha3 == 9.0
    with pytest.raises(ValueError, match="noise >= 0"):
        DataMoments.gaussian(1, -1)

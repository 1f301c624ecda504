"""The density against brute force, closed forms and exact identities."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from numeric._stationary.density import StationaryDensity
from numeric._stationary.moments import DataMoments
from tests.numeric.stationary.reference import coefficients, identity, tabulate


PAPER = DataMoments.gaussian(1, 1)


def unit(factors: int, width: int, m: DataMoments) -> float:
    """Return the temperature at which noise and drift are of one size at β₂/β₁."""
    v, c = abs(m.beta2) / m.beta1, width ** (2 / factors - 1)
    power = 2 * (factors - 1) / factors
    noise = m.noise(m.beta2 / m.beta1)
    return float(m.beta1 * v ** (2 - power) / (factors * c * noise))


@st.composite
def moments(draw: st.DrawFn) -> DataMoments:
    """Draw moments with β₂ > 0 and Δ over eight decades."""
    exponent = st.floats(-1, 1)
    alpha1, beta1 = 100 ** draw(exponent), 10 ** draw(exponent)
    v = 10 ** draw(exponent)
    root = v * draw(st.floats(-1.5, 2))
    spread = 10 ** draw(st.floats(-6, 2))
    alpha3 = alpha1 * (root**2 + spread * v**2)
    return DataMoments(alpha1, alpha1 * root, alpha3, beta1, beta1 * v)


@st.composite
def laws(draw: st.DrawFn, factors: int) -> StationaryDensity:
    """Draw a density: any moments, any width, T over six decades."""
    m, width = draw(moments()), round(10 ** draw(st.floats(0, 4)))
    gamma = draw(st.sampled_from([0.0, 0.4])) * m.beta2 if factors == 2 else 0.0
    share = 10 ** draw(st.floats(-6, 0))
    T = share * 30 * unit(factors, width, m)
    if factors == 2:
        T = min(share, 0.6) * (m.beta2 - gamma) / m.alpha3
    return StationaryDensity(factors, width, moments=m, T=T, gamma=gamma)


def assert_agrees(law: StationaryDensity) -> None:
    """Assert that brute force finds the same cdf, pdf, quantiles and mean."""
    table = tabulate(law)
    inner = (table.pdf > 0) & (law.cdf(table.v) > 1e-9) & (law.sf(table.v) > 1e-9)

    assert np.abs(law.cdf(table.edges) - table.cdf).max() <= 2e-11
    assert np.abs(law.sf(table.edges) - (1 - table.cdf)).max() <= 2e-11
    assert np.abs(law.pdf(table.v[inner]) / table.pdf[inner] - 1).max() <= 1e-8


@pytest.mark.parametrize("factors", [2, 3, 4, 8, 21, 51])
def test_against_brute_force(factors: int) -> None:
    @settings(max_examples=10, deadline=None)
    @given(laws(factors))
    def agrees(law: StationaryDensity) -> None:
        assert_agrees(law)

    agrees()


@settings(max_examples=10, deadline=None)
@given(moments(), st.floats(-6, 2), st.integers(1, 10**4), st.floats(0, 2))
def test_whole_line_against_brute_force(
    m: DataMoments, log_T: float, width: int, gamma: float
) -> None:
    T = 10**log_T * m.beta1 / m.alpha1 / width
    assert_agrees(StationaryDensity(1, width, moments=m, T=T, gamma=gamma))


SPECIAL = [
    # depth, width, moments, T, gamma, support
    (2, 5, (1, 1, 1, 1, 2), 1e-3, 0.0, (1, math.inf)),
    (2, 5, (1, 1, 1, 1, 2), 10.0, 0.0, (1, math.inf)),
    (2, 5, (1, 1, 1, 1, 2), 0.1, 0.5, (1, math.inf)),
    (3, 5, (1, 1, 1, 1, 2), 0.1, 0.0, (1, math.inf)),
    (3, 5, (1, 1, 1, 1, 3), 0.1, 0.2, (1, math.inf)),
    (4, 50, (1, 0.5, 0.25, 1, 3), 0.03, 0.01, (0.5, math.inf)),
    (2, 5, (1, 2, 4, 1, 1), 0.1, 0.0, (0, 2)),
    (2, 5, (1, 2, 4, 1, 1), 1e-4, 0.0, (0, 2)),
    (3, 5, (1, 2, 4, 1, 1), 0.1, 0.0, (0, 2)),
    (2, 5, (2, 2, 2, 1, 1), 0.1, 0.3, (0, 1)),
    (2, 5, (1, 0, 0, 1, 1), 0.1, 0.0, (0, math.inf)),
    (4, 5, (1, 0, 0, 1, 1), 0.1, 0.0, (0, math.inf)),
    (2, 5, (0, 0, 1, 1, 1), 0.1, 0.0, (0, math.inf)),
    (3, 5, (0, 0, 1, 1, 1), 0.1, 0.0, (0, math.inf)),
    (1, 5, (0, 0, 1, 1, 1), 0.1, 0.5, (-math.inf, math.inf)),
    (1, 5, (1, 1, 1, 1, 2), 0.1, 0.0, (1, math.inf)),
    (1, 5, (1, 1, 1, 1, -2), 0.1, 0.0, (-math.inf, 1)),
    (1, 5, (2, 2, 2, 1, 1), 0.1, 0.3, (-math.inf, 1)),
    (2, 5, (1, -1, 1, 1, 1), 0.1, 0.0, (0, math.inf)),
    (3, 5, (1, -1, 1, 1, 1), 0.1, 0.0, (0, math.inf)),
    (2, 1, (2, 2, 2 + 1e-9, 1, 1.3), 0.01, 0.0, (0, math.inf)),
    (2, 7, (2, -2, 3, 1, -1), 0.1, 0.2, (-math.inf, 0)),
    (5, 7, (2, -2, 3, 1, -1), 0.1, 0.0, (-math.inf, 0)),
]


@pytest.mark.parametrize("case", SPECIAL, ids=str)
def test_roots_of_the_noise_and_other_supports(case: tuple[Any, ...]) -> None:
    depth, width, five, T, gamma, support = case
    law = StationaryDensity(depth, width, moments=DataMoments(*five), T=T, gamma=gamma)

    assert law.support() == support
    assert_agrees(law)
    assert_highest(law)


def assert_highest(law: StationaryDensity) -> None:
    """Assert that the slope of the density turns negative at its peak."""
    peak = law.peak()
    if np.isnan(peak):
        assert law.mode() == 0
        return
    low, high = law.interval(0.5)
    step = 1e-4 * (high - low)
    around = law.logpdf(peak + step * np.array([-2, -1, 0, 1, 2]))
    assert np.argmax(around) == 2
    assert law.pdf(peak) >= law.pdf(np.linspace(low, high, 999)).max() * (1 - 1e-12)


@settings(max_examples=25, deadline=None)
@given(moments(), st.floats(-4, 2), st.integers(1, 1000), st.floats(0, 2))
def test_mode_of_regression(
    m: DataMoments, log_T: float, width: int, gamma: float
) -> None:
    """D = 0: the root of Q' + (β₁'v − β₂)/(dT), a straight line."""
    T = 10**log_T * m.beta1 / m.alpha1 / width
    law = StationaryDensity(1, width, moments=m, T=T, gamma=gamma)
    heat = width * T
    slope = 2 * m.alpha1 + (m.beta1 + gamma / width) / heat
    expected = (2 * m.alpha2 + m.beta2 / heat) / slope

    assert abs(law.mode() - expected) <= 1e-9 * (abs(expected) + law.interval(0.5)[1])


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.floats(0.1, 3),
    st.floats(0, 2),
    st.floats(0.01, 1),
)
def test_reduced_sde_is_that_of_the_network(
    factors: int, width: int, v: float, gamma: float, T: float
) -> None:
    """Itô's rule on all u_i^{(k)} at a balanced point, product by product."""
    law = StationaryDensity(factors, width, moments=PAPER, T=T, gamma=gamma)
    r = (v / width) ** (1 / factors)
    u = np.full((width, factors), r)
    mean = 2 * (PAPER.beta1 * v - PAPER.beta2)
    deviation = 2 * math.sqrt(PAPER.noise(v))

    def product(i: int, left_out: tuple[int, ...]) -> float:
        return math.prod(float(u[i, k]) for k in range(factors) if k not in left_out)

    drift = square = 0.0
    for i in range(width):
        for k in range(factors):
            slope = product(i, (k,))
            drift -= slope * (mean * slope + 2 * gamma * u[i, k])
            square += deviation * slope**2
        for k, l in itertools.permutations(range(factors), 2):  # noqa: E741
            pair = deviation**2 * product(i, (k,)) * product(i, (l,))
            drift += T / 2 * product(i, (k, l)) * pair
    expected = coefficients(law, np.array([v], dtype=np.longdouble))

    assert np.isclose(drift, float(expected[0][0]), rtol=1e-10, atol=1e-12)
    assert np.isclose(T * square**2, float(expected[1][0]), rtol=1e-10)


def closed_form(m: DataMoments, T: float, gamma: float, v: mpmath.mpf) -> mpmath.mpf:
    """Return log p for D = 1 up to a constant: THEORY's closed form."""
    a1, a2, a3, b1, b2 = (
        mpmath.mpf(a) for a in (m.alpha1, m.alpha2, m.alpha3, m.beta1, m.beta2)
    )
    b2, root, T = b2 - gamma, mpmath.sqrt(a1 * a3 - a2**2), mpmath.mpf(T)
    Q = a1 * v * v - 2 * a2 * v + a3
    angle = mpmath.atan((a1 * v - a2) / root)
    return (
        (b2 / (2 * a3 * T) - mpmath.mpf(3) / 2) * mpmath.log(v)
        - (1 + b2 / (4 * T * a3)) * mpmath.log(Q)
        - (a3 * b1 - a2 * b2) / (2 * T * a3 * root) * angle
    )


@settings(max_examples=60, deadline=None)
@given(laws(2))
def test_closed_form_of_two_factors(law: StationaryDensity) -> None:
    """The density's ratios are those of the closed form, over all that is probable."""
    v = law.ppf([1e-9, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9])
    with mpmath.workdps(40):
        logs = [closed_form(law.moments, law.T, law.gamma, mpmath.mpf(x)) for x in v]
        expected = np.array([float(each - logs[3]) for each in logs])

    got = law.logpdf(v)
    assert np.abs(got - got[3] - expected).max() <= 1e-8


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999, 0.99999])
@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_closed_form_up_to_the_critical_temperature(share: float, gamma: float) -> None:
    """With y = v^κ nothing is singular: half of the mass may be below 10^{−1000}."""
    T = share * (1 - gamma) / 3
    law = StationaryDensity(2, 9, moments=PAPER, T=T, gamma=gamma)
    with mpmath.workdps(30):
        kappa = (mpmath.mpf(1) - gamma) / (2 * 3 * mpmath.mpf(T)) - mpmath.mpf(1) / 2

        def weight(y: mpmath.mpf) -> mpmath.mpf:
            v = y ** (1 / kappa)
            if not v:
                return weight(mpmath.mpf(10) ** (-30 * kappa))
            return mpmath.exp(closed_form(PAPER, T, gamma, v) + mpmath.log(v / y))

        marks = [0, *(mpmath.mpf(v) ** kappa for v in (0.01, 0.1, 0.5, 1, 2, 4))]
        parts = [mpmath.quad(weight, pair) for pair in itertools.pairwise(marks)]

        def tail(s: mpmath.mpf) -> mpmath.mpf:
            return mpmath.exp(closed_form(PAPER, T, gamma, mpmath.exp(s)) + s) * kappa

        parts.append(mpmath.quad(tail, [mpmath.log(4), 3, 5, 10, 20, 40]))
        total = mpmath.fsum(parts)
        expected = [float(mpmath.fsum(parts[:k]) / total) for k in range(1, 7)]

    got = law.cdf([0.01, 0.1, 0.5, 1, 2, 4])
    assert np.abs(got - expected).max() <= 1e-10
    assert np.abs(law.sf([1, 4]) / [1 - expected[3], 1 - expected[5]] - 1).max() <= 1e-6


def test_table_of_theory() -> None:
    law = StationaryDensity(2, 1, moments=PAPER, T=[0.05, 0.1, 0.2, 0.3])

    assert np.round(law.mean(), 3).tolist() == [0.938, 0.845, 0.581, 0.182]
    assert np.round(law.var(), 3).tolist() == [0.120, 0.251, 0.372, 0.194]
    assert law.critical_temperature == 1 / 3


@pytest.mark.parametrize("factors", [2, 3, 4, 8, 21, 51])
def test_exact_identity(factors: int) -> None:
    @settings(max_examples=8, deadline=None)
    @given(laws(factors))
    def holds(law: StationaryDensity) -> None:
        assert identity(law) <= 1e-11

    holds()


@pytest.mark.parametrize("share", [0.9, 0.999, 1 - 1e-6, 1 - 1e-10])
def test_exact_identity_near_the_transition(share: float) -> None:
    law = StationaryDensity(2, 1, moments=PAPER, T=share / 3)

    assert identity(law) <= 1e-11
    # Near T_c the mean and the variance vanish in proportion to T_c − T.
    if share > 0.9999:
        assert abs(law.mean() / (1 - share) - 2) <= 0.01
        assert abs(law.var() / (1 - share) - 2.5) <= 0.01


@pytest.mark.parametrize("factors", [2, 3, 11, 51])
def test_power_law_tail(factors: int) -> None:
    law = StationaryDensity(factors, 3, moments=PAPER, T=0.2)
    far = np.array([1e100, 1e101])
    slope = np.diff(law.logpdf(far)) / np.diff(np.log(far))

    assert abs(slope[0] - (-5 + 3 / factors)) <= 1e-11
    order = 4 - 3 / factors
    assert law.moment(order) == math.inf
    assert math.isfinite(law.moment(order - 1e-3))


@pytest.mark.parametrize("T", [0.02, 0.1, 1.0])
def test_power_law_tail_of_regression(T: float) -> None:
    """D = 0, width d: −2 − (β₁ + γ/d)/(dα₁T), and E v² finite iff T is small."""
    d, gamma = 3, 0.6
    law = StationaryDensity(1, d, moments=PAPER, T=T, gamma=gamma)
    far = np.array([1e100, 1e101])
    slope = np.diff(law.logpdf(far)) / np.diff(np.log(far))
    ratio = (1 + gamma / d) / (d * 2 * T)

    assert abs(slope[0] + 2 + ratio) <= 1e-10 * (2 + ratio)
    assert math.isfinite(law.var()) is (ratio > 1)
    assert math.isfinite(law.moment(2)) is (ratio > 1)


@given(moments(), st.floats(-5, -0.01))
@settings(max_examples=25, deadline=None)
def test_mode_formula(m: DataMoments, log_share: float) -> None:
    """Equation (16), below T_c/3."""
    T = 10**log_share * m.beta2 / m.alpha3 / 3
    linear = m.beta1 - 10 * m.alpha2 * T
    rest = m.beta2 - 3 * m.alpha3 * T
    root = math.sqrt(linear**2 + 28 * m.alpha1 * T * rest)
    expected = (
        2 * rest / (linear + root)
        if linear > 0
        else ((root - linear) / (14 * m.alpha1 * T))
    )
    law = StationaryDensity(2, 4, moments=m, T=T)

    assert math.isclose(law.mode(), expected, rel_tol=1e-9)
    assert law.peak() == law.mode()


def test_peak_vanishes_at_its_temperature() -> None:
    k, sigma = 1.0, 1.0
    last = (4 * k + math.sqrt(42) * sigma) / (4 * (21 * sigma**2 - 8 * k**2))
    T = np.array([0.05, 0.12, last - 1e-9, last + 1e-9, 0.3, 0.4])
    law = StationaryDensity(2, 1, moments=PAPER, T=T)

    assert np.isfinite(law.peak()).tolist() == [True] * 3 + [False] * 3
    assert (law.mode() > 0).tolist() == [True] + [False] * 5
    assert law.pdf(0.0).tolist() == [0, *[math.inf] * 5]


@pytest.mark.parametrize("ratio", [0.05, 0.3])
def test_scaling_of_infinite_depth(ratio: float) -> None:
    """PUBLISHED's limit D → ∞ with d/D fixed, approached as 1/D."""
    m, T = DataMoments(2, 1, 3, 1.3, 0.8), 0.7
    v = np.linspace(0.3, 3, 40)
    errors = []
    for D in (200, 400, 800):
        law = StationaryDensity(D + 1, round(ratio * D), moments=m, T=T)
        kappa = ratio / T
        k1 = kappa * (m.alpha3 * m.beta1 - 2 * m.alpha2 * m.beta2) / m.alpha3**2
        Q = m.alpha1 * v**2 - 2 * m.alpha2 * v + m.alpha3
        root = math.sqrt(m.delta)
        angle = np.arctan((m.alpha1 * v - m.alpha2) / root)
        factor = (
            m.alpha2 * m.alpha3 * m.beta1
            - 2 * m.alpha2**2 * m.beta2
            + m.alpha1 * m.alpha3 * m.beta2
        ) / (m.alpha3**2 * root)
        limit = (-3 - k1) * np.log(v) + (k1 / 2 - 1) * np.log(Q)
        limit -= kappa * (m.beta2 / (m.alpha3 * v) + factor * angle)
        gap = law.logpdf(v) - limit
        errors.append(np.ptp(gap))

    assert errors[0] <= 0.2
    assert 1.8 <= errors[0] / errors[1] <= 2.2
    assert 1.8 <= errors[1] / errors[2] <= 2.2

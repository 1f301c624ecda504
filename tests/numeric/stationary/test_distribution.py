"""The conventions of scipy.stats, atoms, refusals, arrays of T, and the cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from numeric._stationary.density import StationaryDensity
from numeric._stationary.moments import DataMoments
from numeric._stationary.reduction import NoDensityError


PAPER = DataMoments.gaussian(1, 1)
WRONG_SIGN = DataMoments(2, -2, 3, 1, -1)


def law(
    depth: int = 2, width: int = 1, T: object = 0.1, gamma: float = 0.0
) -> StationaryDensity:
    """Return the density for x ~ N(0, 1), y = x + ε."""
    return StationaryDensity(depth, width, moments=PAPER, T=T, gamma=gamma)


def test_inverse_gamma_is_the_density_of_interpolation_with_decay() -> None:
    """D = 0, y = x, decay: k − v has an inverse gamma law, which scipy knows."""
    m, gamma, T = DataMoments(2, 2, 2, 1, 1), 0.5, 0.3
    ours = StationaryDensity(1, 1, moments=m, T=T, gamma=gamma)
    a = (1 + gamma) / (2 * T)
    gap = 1 - 1 / (1 + gamma)
    theirs = stats.invgamma(a + 1, scale=a * gap)
    v = np.linspace(-3, 0.99, 50)

    assert np.allclose(ours.pdf(v), theirs.pdf(1 - v), rtol=1e-10)
    assert np.allclose(ours.cdf(v), theirs.sf(1 - v), rtol=1e-10)
    assert math.isclose(ours.mean(), 1 - theirs.mean(), rel_tol=1e-11)
    assert math.isclose(ours.var(), theirs.var(), rel_tol=1e-11)
    assert math.isclose(ours.entropy(), theirs.entropy(), rel_tol=1e-9)
    assert math.isclose(ours.median(), 1 - theirs.median(), rel_tol=1e-10)


def test_gamma_and_normal_where_inputs_have_one_size() -> None:
    """x² constant: a gamma law for D = 1, a normal one for D = 0."""
    m = DataMoments(0, 0, 1.5, 2, 0.7)
    two = StationaryDensity(2, 3, moments=m, T=0.2)
    one = StationaryDensity(1, 3, moments=m, T=0.2, gamma=0.3)
    power = 0.7 / (2 * 1.5 * 0.2)
    gamma = stats.gamma(power - 0.5, scale=2 * 1.5 * 0.2 / 2)
    normal = stats.norm(0.7 / 2.1, math.sqrt(3 * 0.2 * 1.5 / 2.1))

    for ours, theirs in ((two, gamma), (one, normal)):
        v = theirs.ppf([1e-12, 0.01, 0.3, 0.8, 0.999, 1 - 1e-9])
        assert np.allclose(ours.pdf(v), theirs.pdf(v), rtol=1e-9)
        assert np.allclose(ours.cdf(v), theirs.cdf(v), rtol=1e-9)
        assert np.allclose(ours.logsf(v), theirs.logsf(v), rtol=1e-9)
        for name in ("mean", "var", "std", "entropy", "median"):
            assert math.isclose(
                getattr(ours, name)(), getattr(theirs, name)(), rel_tol=1e-10
            )
        assert np.allclose(ours.interval(0.9), theirs.interval(0.9), rtol=1e-10)
        assert math.isclose(ours.moment(3), theirs.moment(3), rel_tol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3, 51])
@pytest.mark.parametrize("T", [1e-6, 0.01, 0.3])
def test_quantiles_invert(depth: int, T: float) -> None:
    ours = law(depth, 100, T)
    q = np.array([1e-12, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.999])
    v, w = ours.ppf(q), ours.isf(q)
    # v itself is rounded: the slope times half of its last digit is what can be had.
    room = 4 * np.abs(ours.pdf(v) * v) * 2.0**-53 / q
    other = 4 * np.abs(ours.pdf(w) * w) * 2.0**-53 / q

    assert (np.abs(ours.cdf(v) / q - 1) <= 2e-12 + room).all()
    assert (np.abs(ours.sf(w) / q - 1) <= 2e-12 + other).all()
    assert np.allclose(ours.cdf(v) + ours.sf(v), 1, rtol=0, atol=1e-14)
    assert ours.ppf([0.0, 1.0]).tolist() == list(ours.support())
    assert np.isnan(ours.ppf([-0.1, 1.1, np.nan])).all()


@given(st.floats(-300, 300), st.sampled_from([1, 2, 3, 51]))
@settings(deadline=None, max_examples=30)
def test_the_density_is_the_slope_of_the_distribution(
    exponent: float, depth: int
) -> None:
    ours = law(depth)
    v = 10.0**exponent
    step = 1e-4
    points = v * np.exp(np.array([-step, step]))
    log = ours.logcdf(points) if v < 0.9 else -ours.logsf(points)
    tail = ours.logcdf(v) if v < 0.9 else ours.logsf(v)
    hazard = np.exp(ours.logpdf(v) + math.log(v) - tail)

    if abs(tail) < 1e5 and 1e-6 < hazard < 1e3:  # else differences have no digits
        assert math.isclose((log[1] - log[0]) / (2 * step), hazard, rel_tol=1e-4)


def test_deep_tails_do_not_underflow_in_logarithms() -> None:
    """Laplace: log P → log p − log|slope| where log p falls like −1/(3T ∛v)."""
    ours = law(3)
    low = np.array([1e-12, 1e-30])
    slope = low ** (-4 / 3) / (9 * 0.1)
    expected = ours.logpdf(low) - np.log(slope)

    assert (ours.cdf(low) == 0).all()
    assert np.allclose(ours.logcdf(low), expected, rtol=0, atol=2e-2)
    assert math.isclose(ours.logsf(1e250) - ours.logsf(1e251), 3 * math.log(10))
    assert ours.logcdf(-1.0) == -math.inf
    assert ours.logcdf(math.inf) == 0


def test_scalars_arrays_and_nan() -> None:
    ours = law()

    assert np.shape(ours.pdf(1.0)) == ()
    assert ours.pdf([[1.0, 2.0]]).shape == (1, 2)
    assert ours.pdf([]).shape == (0,)
    assert np.isnan(ours.cdf(math.nan))
    assert np.isnan(ours.pdf([math.nan, 1.0])).tolist() == [True, False]
    assert ours.pdf([-1.0, -math.inf, math.inf]).tolist() == [0, 0, 0]
    assert ours.cdf([-1.0, 0.0, -math.inf, math.inf]).tolist() == [0, 0, 0, 1]
    assert isinstance(ours.T, float)


def test_temperatures_broadcast() -> None:
    T = np.array([0.05, 0.5, 0.2, 1 / 3])
    many = law(T=T)
    single = [law(T=float(t)) for t in T]
    v = np.linspace(0.1, 2, 7)

    for name in ("mean", "var", "std", "mode", "entropy", "median"):
        got, expected = getattr(many, name)(), [getattr(s, name)() for s in single]
        assert got.shape == (4,)
        assert np.allclose(got, expected, rtol=1e-11), name
    assert many.mass_at_zero.tolist() == [0, 1, 0, 1]
    for name in ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf"):
        got = getattr(many, name)(v[:, None])
        stacked = np.stack([getattr(s, name)(v) for s in single], axis=1)
        assert got.shape == (7, 4)
        assert np.allclose(got, stacked, rtol=1e-10), name
    assert many.ppf(0.3).shape == (4,)
    assert law(T=T.reshape(2, 2)).moment(2).shape == (2, 2)
    assert many.interval(0.5)[0].shape == (4,)
    assert [end.tolist() for end in many.support()] == [
        [0.0] * 4,
        [math.inf, 0, math.inf, 0],
    ]


def test_phase_diagram_over_many_temperatures() -> None:
    T = np.geomspace(1e-6, 0.5, 150)
    for depth in (1, 2, 3):
        ours = law(depth, T=T)
        mean, var = ours.mean(), ours.var()
        live = ours.mass_at_zero == 0
        assert np.isfinite(mean).all()
        assert not np.isnan(var).any()
        assert live.all() if depth != 2 else (live == (T < 1 / 3)).all()


def test_the_other_sign_is_the_mirror_image() -> None:
    for depth in (1, 2, 4):
        ours = StationaryDensity(depth, 3, moments=WRONG_SIGN, T=0.1)
        theirs = law(depth, 3)
        v, q = np.array([0.2, 1.0, 1.7]), np.array([0.1, 0.5, 0.8])

        assert np.allclose(ours.pdf(-v), theirs.pdf(v), rtol=1e-12)
        assert np.allclose(ours.cdf(-v), theirs.sf(v), rtol=1e-12)
        assert np.allclose(ours.logsf(-v), theirs.logcdf(v), rtol=1e-12)
        assert np.allclose(ours.ppf(q), -theirs.isf(q), rtol=1e-12)
        assert math.isclose(ours.mean(), -theirs.mean(), rel_tol=1e-12)
        assert math.isclose(ours.mode(), -theirs.mode(), rel_tol=1e-12)
        assert math.isclose(ours.moment(2), theirs.moment(2), rel_tol=1e-12)
        assert math.isclose(ours.entropy(), theirs.entropy(), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("ours", "critical"),
    [
        (law(T=1 / 3), 1 / 3),
        (law(T=0.3, gamma=0.2), 0.8 / 3),
        (law(T=1e-9, gamma=1.5), 0.0),
        (law(3, T=1e-9, gamma=1e-9), 0.0),
        (StationaryDensity(2, 1, moments=DataMoments.gaussian(0, 1), T=0.1), 0.0),
        (StationaryDensity(5, 1, moments=DataMoments.gaussian(0, 1), T=0.1), 0.0),
        (StationaryDensity(1, 1, moments=DataMoments.gaussian(0, 0), T=0.1), 0.0),
        (StationaryDensity(2, 1, moments=DataMoments(1, 2, 4, 1, 1), T=0.25), 0.25),
    ],
    ids=str,
)
def test_atom_at_zero(ours: StationaryDensity, critical: float) -> None:
    assert ours.mass_at_zero == 1
    assert math.isclose(ours.critical_temperature, critical, rel_tol=1e-15)
    assert (ours.mean(), ours.var(), ours.std(), ours.mode(), ours.median()) == (0,) * 5
    assert ours.pdf([-1, 0, 1]).tolist() == [0, math.inf, 0]
    assert ours.cdf([-1, 0, 1]).tolist() == [0, 1, 1]
    assert ours.sf([-1, 0, 1]).tolist() == [1, 0, 0]
    assert ours.logcdf([-1, 0]).tolist() == [-math.inf, 0]
    assert ours.ppf([0.1, 0.9]).tolist() == [0, 0]
    assert ours.entropy() == -math.inf
    assert ours.support() == (0, 0)
    assert ours.moment(0) == 1
    assert ours.rvs(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("depth", [1, 3, 4, 51])
def test_no_transition_but_for_two_factors(depth: int) -> None:
    hot = law(depth, T=1e6)

    assert hot.critical_temperature == math.inf
    assert hot.mass_at_zero == 0
    assert hot.cdf(1.0) > 0
    assert hot.sf(1.0) > 0


def test_density_at_zero_changes_at_a_third_of_the_critical_temperature() -> None:
    m = DataMoments(1, 0.5, 1, 1, 0.75)
    at_zero = StationaryDensity(2, 1, moments=m, T=[0.2, 0.25, 0.3]).pdf(0.0)
    edge = StationaryDensity(2, 1, moments=m, T=0.25)

    assert at_zero[0] == 0
    assert at_zero[2] == math.inf
    assert math.isclose(at_zero[1], edge.pdf(1e-12), rel_tol=1e-9)
    assert law(3).pdf(0.0) == 0


INTERPOLATED = [
    DataMoments(2, 2, 2, 1, 1),
    DataMoments.gaussian(0.3, 0),
    DataMoments.gaussian(-0.7, 0),
    DataMoments.gaussian(1, 1e-9),
    DataMoments.from_samples(np.linspace(0.1, 3, 40), 0.37 * np.linspace(0.1, 3, 40)),
]


@pytest.mark.parametrize("m", INTERPOLATED, ids=str)
@pytest.mark.parametrize("depth", [1, 2, 3, 51])
def test_interpolation_without_noise_is_refused(m: DataMoments, depth: int) -> None:
    """Published p ∝ …|v − k|^{−2−β₁/(2Tα₁k)} is not integrable at k."""
    with pytest.raises(NoDensityError, match="Q\\(v\\) = 0") as error:
        StationaryDensity(depth, 3, moments=m, T=0.1)
    assert "atom" in str(error.value)


def test_noise_to_zero_ends_at_the_interpolation() -> None:
    """Var v → 0 with the noise, at any T below T_c: the atom at k, in the limit."""
    for sigma in (1e-2, 1e-4, 1e-6):
        m = DataMoments.gaussian(1, sigma)
        ours = StationaryDensity(2, 1, moments=m, T=0.2)
        assert abs(ours.mean() - 1) <= 10 * sigma**2
        assert ours.var() <= 10 * sigma**2
        assert abs(ours.cdf(1.0) - 0.5) <= 10 * sigma


def test_no_noise_at_all_is_refused() -> None:
    with pytest.raises(NoDensityError, match="without noise"):
        StationaryDensity(2, 1, moments=DataMoments.from_samples([1.0], [2.0]), T=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": 0}, "depth a whole number >= 1"),
        ({"depth": 2.0}, "depth a whole number"),
        ({"depth": True}, "depth a whole number"),
        ({"width": 0}, "width a whole number >= 1"),
        ({"T": 0.0}, "T = eta/S > 0"),
        ({"T": -1.0}, "T = eta/S > 0"),
        ({"T": math.nan}, "T = eta/S > 0"),
        ({"T": [0.1, math.inf]}, "T = eta/S > 0"),
        ({"T": []}, "T = eta/S > 0"),
        ({"gamma": -0.1}, "gamma >= 0"),
        ({"gamma": math.nan}, "gamma >= 0"),
    ],
)
def test_arguments_that_mean_nothing(change: dict[str, Any], words: str) -> None:
    arguments = {"depth": 2, "width": 1, "T": 0.1, "gamma": 0.0, **change}
    with pytest.raises(ValueError, match=words):
        law(**arguments)


def test_moments_must_be_moments() -> None:
    with pytest.raises(TypeError, match="DataMoments"):
        StationaryDensity(2, 1, moments=(2, 2, 3, 1, 1), T=0.1)  # type: ignore[arg-type]


def test_moments_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="diverges on both sides"):
        law(1, T=1.0).moment(3)
    with pytest.raises(ValueError, match="whole order"):
        law(1).moment(0.5)
    with pytest.raises(ValueError, match="finite order"):
        law().moment(math.nan)
    with pytest.raises(ValueError, match="confidence"):
        law().interval(1.5)
    assert law(2, T=0.2).moment(-0.34) == math.inf
    assert math.isfinite(law(2, T=0.2).moment(-0.33))
    assert math.isclose(law(4).moment(0), 1)


def test_samples_follow_the_law() -> None:
    """A Kolmogorov–Smirnov distance that DKWM exceeds once in 10⁶."""
    n = 20_000
    bound = math.sqrt(math.log(2 / 1e-6) / (2 * n))
    for depth, T in ((1, 0.3), (2, 0.1), (2, 0.32), (51, 0.1)):
        ours = law(depth, T=T)
        sample = np.sort(ours.rvs(n, random_state=depth))
        ranks = np.arange(n + 1) / n
        cdf = ours.cdf(sample)
        assert max(np.max(ranks[1:] - cdf), np.max(cdf - ranks[:-1])) <= bound


def test_sample_shapes_and_seeds() -> None:
    ours = law(T=[0.1, 0.4])

    assert ours.rvs(random_state=0).shape == (2,)
    assert ours.rvs((5, 2), random_state=0).shape == (5, 2)
    assert (ours.rvs((5, 2), random_state=0)[:, 1] == 0).all()
    assert np.shape(law().rvs()) == ()
    assert (law().rvs(9, random_state=1) == law().rvs(9, random_state=1)).all()
    generator = np.random.default_rng(1)
    assert (law().rvs(9, random_state=1) == law().rvs(9, random_state=generator)).all()
    with pytest.raises(ValueError, match="broadcast"):
        ours.rvs(3)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 2, 3, 4, 8, 21, 51]),
    st.integers(1, 10**4),
    st.floats(-6, 6),
    st.floats(-6, 6),
    st.floats(-12, 4),
    st.floats(-2, 3),
    st.floats(-7, 4),
    st.sampled_from([0.0, 0.1, 3.0]),
)
def test_extreme_parameters_give_numbers_or_a_refusal(
    depth: int,
    width: int,
    log_alpha: float,
    log_v: float,
    log_spread: float,
    root: float,
    log_T: float,
    gamma: float,
) -> None:
    """Warnings are errors here: no overflow, no invalid value."""
    alpha, v = 10**log_alpha, 10**log_v
    m = DataMoments(
        alpha, alpha * root * v, alpha * v**2 * (root**2 + 10**log_spread), 1.0, v
    )
    power = 2 * (depth - 1) / depth
    T = 10**log_T * v**-power * width ** (1 - 2 / depth) / (depth * alpha)
    try:
        ours = StationaryDensity(depth, width, moments=m, T=T, gamma=gamma)
    except NoDensityError:
        return
    q = np.array([1e-9, 0.1, 0.5, 0.9, 1 - 1e-9])
    points = ours.ppf(q)
    numbers = [ours.mean(), ours.mode(), *points, *ours.cdf(points), *ours.pdf(points)]

    assert not np.isnan([*numbers, ours.var(), ours.entropy()]).any()
    assert np.isfinite([ours.mean(), ours.mode(), *points]).all()
    assert (np.diff(points) >= 0).all()


def processor_time(work: Callable[[], object]) -> float:
    """Return the least of three times on the processor, in seconds."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("depth", [1, 2, 3, 51])
def test_cost(depth: int) -> None:
    """Set-up within 50 ms, 10⁶ values of the density within 0.2 s."""
    v = np.random.default_rng(0).uniform(-1, 3, 10**6)
    ours = law(depth, 10)
    ours.pdf(v)

    assert processor_time(lambda: law(depth, 10).cdf(1.0)) <= 0.05
    assert processor_time(lambda: ours.pdf(v)) <= 0.2


def test_many_values_are_those_of_few() -> None:
    for depth, width, T in ((1, 1, 0.1), (2, 1, 1e-6), (2, 1, 0.333), (51, 10**4, 0.1)):
        ours = law(depth, width, T)
        v = np.concatenate([np.linspace(-1, 3, 60_000), [0.0, 1e-300, 1e300]])
        few = np.concatenate(
            [ours.pdf(v[k : k + 5000]) for k in range(0, len(v), 5000)]
        )
        assert np.allclose(ours.pdf(v), few, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("sigma", [0.3, 0.03, 1e-3, 1e-6])
def test_many_values_where_the_noise_dips(sigma: float) -> None:
    """A table of equal cells misses the dip: it must be seen, and not used."""
    m = DataMoments.gaussian(1, sigma)
    ours = StationaryDensity(2, 1, moments=m, T=0.3 / m.alpha3)
    v = 1 + sigma * np.linspace(-1, 1, 60_000)
    few = [ours.pdf(v[k : k + 5000]) for k in range(0, len(v), 5000)]

    assert np.allclose(ours.pdf(v), np.concatenate(few), rtol=1e-9)


# --- stats and expect ---


def test_stats_of_laws_that_scipy_knows() -> None:
    """Skewness and kurtosis of gamma, normal, inverse gamma and Student's laws."""
    m = DataMoments(0, 0, 1.5, 2, 0.7)
    power = 0.7 / (2 * 1.5 * 0.2)
    pairs: list[tuple[StationaryDensity, Any, float]] = [
        (StationaryDensity(2, 3, moments=m, T=0.2), stats.gamma(power - 0.5), 1.0),
        (StationaryDensity(1, 3, moments=m, T=0.2), stats.norm(), 1.0),
        (
            StationaryDensity(1, 1, moments=DataMoments(2, 2, 2, 1, 1), T=0.1, gamma=1),
            stats.invgamma(1 / 0.1 + 1),
            -1.0,
        ),
        # y = x + ε: (v − 1)·√2 has Student's law: Q = 2(v − 1)² + 1.
        (
            StationaryDensity(1, 1, moments=PAPER, T=0.1),
            stats.t(2 * (1 + 1 / (2 * 2 * 0.1)) - 1),
            1.0,
        ),
    ]
    for ours, theirs, side in pairs:
        skew, kurtosis = ours.stats("sk")
        assert math.isclose(skew, side * theirs.stats("s"), rel_tol=1e-9, abs_tol=1e-11)
        assert math.isclose(kurtosis, theirs.stats("k"), rel_tol=1e-8, abs_tol=1e-11)


def test_stats_near_no_temperature() -> None:
    """From deviations: digits are kept where the law is narrow."""
    found = law(3, 2, 1e-9).stats("mvsk")

    assert found[:2] == (law(3, 2, 1e-9).mean(), law(3, 2, 1e-9).var())
    assert 0 < found[1] < 1e-8
    assert found[2] == math.inf  # E v³ is infinite at every T for three factors
    deep = law(5, 2, 1e-9).stats("s")
    assert abs(deep) < 1e-3


def test_stats_of_an_atom_and_of_nothing() -> None:
    assert law(2, 1, 0.5).stats() == (0.0, 0.0)
    assert math.isnan(law(2, 1, 0.5).stats("s"))
    many = law(5, 2, [0.1, 0.2]).stats("vs")
    assert [part.shape for part in many] == [(2,), (2,)]
    mirrored = StationaryDensity(5, 2, moments=DataMoments.gaussian(-1, 1), T=0.2)
    assert mirrored.stats("s") == pytest.approx(-many[1][1], rel=1e-12)
    wide = law(1, 1, 0.9).stats("mvsk")
    assert wide[1] == math.inf
    assert math.isnan(wide[2])
    for letters in ("", "x", "mean"):
        with pytest.raises(ValueError, match="letters among m, v, s and k"):
            law().stats(letters)


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 8),
    st.sampled_from([0.02, 0.1, 0.3]),
    st.floats(0.05, 1.5),
    st.floats(0.05, 1.5),
)
def test_expectations(depth: int, T: float, a: float, b: float) -> None:
    ours, low, high = law(depth, min(depth, 2), T), min(a, b), max(a, b)
    share = ours.cdf(high) - ours.cdf(low)

    assert ours.expect() == pytest.approx(ours.mean(), rel=1e-10)
    assert ours.expect(lambda v: (v - 0.3) ** 2) == pytest.approx(
        ours.moment(2) - 0.6 * ours.mean() + 0.09, rel=1e-9
    )
    assert ours.expect(lambda v: 1.0, low, high) == pytest.approx(share, abs=1e-13)
    assert ours.expect(lambda v: float(v > low)) == pytest.approx(
        ours.sf(low), abs=2e-3
    )
    parts = [
        ours.expect(None, *ends) for ends in ((None, low), (low, high), (high, None))
    ]
    assert sum(parts) == pytest.approx(ours.mean(), rel=1e-9)
    if share > 1e-3:
        mean = ours.expect(lb=low, ub=high, conditional=True)
        assert mean == pytest.approx(parts[1] / share, rel=1e-9)
        assert low <= mean <= high


def test_an_expectation_against_samples() -> None:
    ours = law(3, 2, 0.2)
    cosines = np.cos(3 * ours.rvs(100_000, random_state=0))
    # Hoeffding at 1e-6, of numbers in [−1, 1].
    assert abs(ours.expect(lambda v: math.cos(3 * v)) - cosines.mean()) < 0.018


def test_expectations_of_atoms_and_over_temperatures() -> None:
    ours = law(2, 1, [[0.1], [0.5]])

    assert ours.expect(math.cos).shape == (2, 1)
    assert ours.expect(math.cos)[1, 0] == 1.0
    assert law(2, 1, 0.5).expect(math.cos, 0.1) == 0.0
    assert law(2, 1, 0.5).expect(math.cos, -1, 1, conditional=True) == 1.0
    assert law().expect(None, 2.0, 1.0) == 0.0


def test_expectations_that_do_not_exist() -> None:
    for ours, function in (
        (law(1, 1, 0.9), lambda v: v * v),
        (law(2, 1, 0.1), lambda v: v**3),
        (law(2, 1, 0.1), lambda v: math.nan),
    ):
        with pytest.raises(ValueError, match="whose expectation converges"):
            ours.expect(function)
    with pytest.raises(ValueError, match="some probability between them"):
        law().expect(None, -2.0, -1.0, conditional=True)
    with pytest.raises(ValueError, match=r"converges, got f.0. that is not finite"):
        law(2, 1, 0.5).expect(lambda v: 1 / v)
    with pytest.raises(ValueError, match=r"converges, got f.v. that is not finite"):
        law().expect(lambda v: 1 / (v - v))


@pytest.mark.parametrize("end", [math.nan, "a", [1.0, 2.0], 1j])
def test_an_expectation_up_to_what_is_no_number(end: Any) -> None:
    with pytest.raises(ValueError, match=r"expected numbers lb and ub, got .* and"):
        law().expect(None, end)
    with pytest.raises(ValueError, match="expected numbers lb and ub, got None and"):
        law().expect(None, None, end)


@pytest.mark.parametrize("value", [None, "a", 1j, np.ones(2)])
@pytest.mark.parametrize("T", [0.1, 0.5])
def test_an_expectation_of_what_is_no_function_to_numbers(value: Any, T: float) -> None:
    with pytest.raises(TypeError, match=r"to a real number, got one with f\(.*\) ="):
        law(2, 1, T).expect(lambda v: value)
    if not callable(value) and value is not None:
        with pytest.raises(TypeError, match="expected a function of a number, got"):
            law(2, 1, T).expect(value)

"""The claims of P2 by simulation, and of discrete SGD; each seeded fault is caught."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from numeric import DataMoments, NoDensityError, StationaryDensity
from symbolic import Verdict
from verify._assert_rates import dkw_distance
from verify._campaign import _check
from verify._claim import Claim
from verify._claims import _p2_only_t, _p2_reduced, _p2_simulation, _p2_wrong_sign
from verify._context import PROFILE_SIZES, Context
from verify._diagonal import _kept, _sde
from verify._diagonal._gaussian import exponent, log_moment
from verify._diagonal._kept import kept
from verify._diagonal._sde import lanes, many_factors, run, two_factors
from verify._diagonal._settings import Setting, experiment, follow
from verify._routes import _diagonal_signs
from verify._routes._diagonal_balance import balance_exact
from verify._routes._diagonal_cases import Net, net
from verify._routes._diagonal_discrete import (
    collapse_window,
    log_sign,
    moments_of,
    threshold,
    zero_exact,
)
from verify._routes._diagonal_simulation import Law, density_by_sums, density_kept


QUICK = PROFILE_SIZES["quick"]
ALL = (
    *_p2_only_t.CLAIMS,
    *_p2_wrong_sign.CLAIMS,
    *_p2_simulation.CLAIMS,
    *_p2_reduced.CLAIMS,
)


def half(n: int, d: int = 2) -> Fraction:
    return Fraction(n, d)


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
@pytest.mark.slow  # the report of every change runs seed 0
@pytest.mark.parametrize("seed", [1])
def test_claims_come_out_as_expected(claim: Claim, seed: int) -> None:
    result = _check(claim, QUICK, seed, None)

    assert result.as_expected, [
        (e.route, e.verdict, e.summary) for e in result.evidence
    ]
    assert len(claim.routes) >= 2


# --- p2.only-T ---


def test_the_example_by_hand() -> None:
    """x = 1, y = 3 or −1, η = S = 1: T = 1 > T_c = 1/4, and two steps grow 7-fold."""
    y = np.array([3.0, -1.0])

    assert y.mean() / y.var() == 0.25

    u = 1e-8
    factors = [(u - 2 * (u * u - z) * u) / u for z in y]

    assert factors == pytest.approx([7, -1])

    u = 4.0
    for z in (-1.0, 3.0, -1.0):
        after = u - 0.25 * 2 * (u * u - z) * u
        assert abs(after) >= 5.5 * abs(u)
        u = after


def test_the_breakages_of_only_t() -> None:
    # x = 0 moves nothing
    still = net(((0, 1), (1, 1)), ((9, 9),), half(1))
    assert still.step(still.samples[:1]).weights == still.weights
    # the other line has the other factor
    near = Fraction(1, 10**9)
    line = net(((1, 1),), ((near, -near),), Fraction(1, 4))
    (u, w), *_ = line.step(line.samples).weights
    assert abs(float(u / near) - 0.5) < 1e-6
    assert w == -u
    # collapse below T_c where a factor is 0
    one = net(((1, 3), (1, 3), (1, 3), (1, -1)), ((half(1), half(1)),), half(1))
    beta2, alpha3 = moments_of(one)
    assert one.temperature < beta2 / alpha3 == Fraction(2, 3)
    assert one.step(one.samples[3:]).weights == ((-half(1, 8), -half(1, 8)),)


def test_exponents_against_sampling() -> None:
    rng = np.random.default_rng(3)
    for eta, S, k, sigma in ((0.35, 1, 1.0, 1.0), (0.1, 3, -0.5, 2.0)):
        x = rng.standard_normal((400_000, S))
        y = k * x + sigma * rng.standard_normal(x.shape)
        logs = np.log(np.abs(1 + 2 * eta * (x * y).mean(axis=1)))
        error = logs.std() / math.sqrt(len(logs))
        assert abs(logs.mean() - exponent(eta, S, k, sigma)) < 6 * error
    logs = np.log(np.abs(np.array([[0.3], [7.0], [60.0]]) + rng.standard_normal(10**6)))
    found = log_moment(np.array([0.3, 7.0, 60.0]))
    assert (np.abs(logs.mean(axis=1) - found) < 6 * logs.std(axis=1) / 1e3).all()


def test_windows_of_collapse() -> None:
    assert collapse_window(2.0) is None
    window = collapse_window(5.0)
    assert window is not None
    assert 0.03 < window[0] < 0.05 < 0.08 < window[1] < 0.1


def test_faults_in_the_rule_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(QUICK, 0, "test", None, shrink=False)
    assert zero_exact("discrete", context).verdict is Verdict.SUPPORTED

    def doubled(subject: str, case: Net) -> int:
        return log_sign(subject, replace(case, eta=2 * case.eta))

    monkeypatch.setattr("verify._routes._diagonal_discrete.log_sign", doubled)
    assert zero_exact("discrete", context).verdict is Verdict.REFUTED


def test_the_threshold_of_divergence() -> None:
    case = net(((1, 3), (half(1), -2)), ((1, 1),), Fraction(1, 10))
    u = float(threshold(case))
    for x, y in ((1.0, 3.0), (0.5, -2.0)):
        assert abs(1 + 0.2 * (x * y - x * x * u * u)) >= 2


# --- p2.wrong-sign ---


def test_the_wrong_sign_by_hand() -> None:
    """Exact steps from u = −w: v stays in [−27/25, 0), and two steps at 0 grow it."""
    case = replace(_diagonal_signs.BY_HAND, weights=((half(1), -half(1)),))
    assert sum(case.products()) > 0
    for k in range(5):
        case = case.step((case.samples[(k * k) % 2],))
        assert Fraction(-27, 25) <= case.value < 0
    assert abs(1 - half(4, 5) * 2) * abs(1 + half(4, 5)) == Fraction(27, 25)


def test_the_breakages_of_the_wrong_sign() -> None:
    three = net(((1, 1),), ((-1, 1, 1),), 1)
    assert three.step(three.samples).value == 27
    onto = net(((1, half(5)),), ((3, 1),), 1)
    assert onto.step(onto.samples).weights == ((Fraction(2), Fraction(-2)),)


def test_another_example_keeps_no_wrong_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = net(((1, 1),), ((1, -1),), Fraction(1, 8))
    monkeypatch.setattr(_diagonal_signs, "BY_HAND", calm)
    context = Context(QUICK, 0, "test", None)
    for route in (_diagonal_signs.sign_algebra, _diagonal_signs.sign_runs):
        assert route("never", context).verdict is Verdict.INCONCLUSIVE


# --- the SDE ---


DATA = DataMoments.gaussian(1, 1)


def test_both_coordinates_are_one_sde() -> None:
    """From one start far off the balance, ln P and ln N have the law of the weights."""
    rng = np.random.default_rng(0)
    u, w = np.tile(np.array([[1.2, 0.4]]), (4000, 1)), np.full((4000, 2), 0.3)
    path = np.full(4000, 0.3)
    for T, fineness, bound in ((1e-14, 20.0, 3e-3), (0.15, 1.0, 0.08)):
        here, ends = lanes(DATA, T, 0.05, 4000), []
        for state in (two_factors(u, w), many_factors(np.stack([u, w], axis=2))):
            ends.append(np.sort(run(state, here, path, rng, fineness).value()))
        if T < 1e-9:
            assert np.abs(ends[0] - ends[1]).max() < bound
            assert np.abs(ends[0] - (u * w).sum(axis=1)).max() > 0.02
        else:
            rank = np.searchsorted(ends[1], ends[0]) / 4000
            assert np.abs(rank - np.arange(4000) / 4000).max() < bound
            assert ends[0].std() > 0.1


@pytest.mark.parametrize("factors", [2, 3])
def test_one_step_has_the_moments_of_the_sde(factors: int) -> None:
    """Mean and variance of dv over a short time, from the sum over all weights."""
    rng = np.random.default_rng(5)
    weights = np.array([[1.0, 0.7, 1.2][:factors], [0.6, 0.9, 0.8][:factors]])
    n, dt, T = 400_000, 1e-4, 0.2
    state = many_factors(np.repeat(weights[None], n, axis=0))
    found = run(state, lanes(DATA, T, 0.0, n), np.full(n, dt), rng).value()
    v = weights.prod(axis=1).sum()
    g = (weights.prod(axis=1)[:, None] / weights).ravel()
    Q = DATA.noise(v)
    hessian = 0.0
    for row in weights:
        slopes = row.prod() / row
        for i in range(factors):
            for j in range(factors):
                if i != j:
                    hessian += row.prod() / (row[i] * row[j]) * slopes[i] * slopes[j]
    drift = -g @ g * 2 * (DATA.beta1 * v - DATA.beta2) + 2 * T * Q * hessian
    variance = (g @ g) ** 2 * 4 * T * Q
    error = math.sqrt(variance * dt / n)

    assert abs((found - v).mean() - drift * dt) < 6 * error
    assert abs((found - v).var() / (variance * dt) - 1) < 0.02


def test_the_law_is_missed_with_another_ito_term(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half the noise in the simulation, and the density is not met."""
    honest = _sde.Lanes.variance
    context = Context(QUICK, 7, "fault", None)
    experiment.cache_clear()
    monkeypatch.setattr(_sde.Lanes, "variance", lambda s, v: 0.5 * honest(s, v))
    try:
        found = density_by_sums(Law(), context)
    finally:
        experiment.cache_clear()

    assert found.verdict is Verdict.REFUTED


@pytest.mark.parametrize(("method", "factor"), [("variance", 0.7), ("pull", 0.7)])
def test_a_density_of_another_sde_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, method: str, factor: float
) -> None:
    honest = getattr(_sde.Lanes, method)
    context = Context(QUICK, 7, "fault", None)
    monkeypatch.setattr(_sde.Lanes, method, lambda s, v: factor * honest(s, v))

    assert density_kept(Law(), context).verdict is Verdict.REFUTED


@pytest.mark.slow
def test_the_density_of_another_temperature_is_not_kept() -> None:
    context = Context(QUICK, 7, "fault", None)

    assert density_kept(Law(Fraction(1, 2)), context).verdict is Verdict.REFUTED


def test_at_least_fifty_settings_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard profile draws 54 and the deep one, too: three numbers of factors."""
    monkeypatch.setattr(_kept, "_TIME", 0.05)
    plain = Context(replace(PROFILE_SIZES["standard"], replicas=1), 0, "kept", None)
    found = kept(plain, 1.0)

    assert len(found) == 54
    assert len({each.setting for each in found}) >= 50
    assert {each.setting.factors for each in found} == {2, 3, 4}
    assert max(each.setting.share for each in found) == Fraction(9, 10)
    assert all(np.isfinite(each.ranks).all() for each in found)


def test_a_short_run_is_not_called_stationary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Setting, "duration", property(lambda self: 0.02))
    context = Context(QUICK, 8, "fault", None)
    experiment.cache_clear()
    try:
        found = density_by_sums(Law(), context)
    finally:
        experiment.cache_clear()

    assert found.verdict is not Verdict.SUPPORTED


def test_finer_steps_change_little() -> None:
    """The bias of the steps is below what is allowed for it."""
    rows = ((half(1), half(3)), (half(1), -half(1)), (2, 3), (2, 0), (1, 1), (1, 0))
    samples = tuple((Fraction(x), Fraction(y)) for x, y in rows)
    setting = Setting(samples, 2, 2, Fraction(3, 10), Fraction(0))
    ends = follow(setting, 4_000, np.random.default_rng(2), "sums")

    assert dkw_distance(ends.v, setting.law().cdf)[0] < 0.04


def test_no_replica_is_dropped() -> None:
    state = many_factors(np.full((50, 1, 3), 4.0))
    here = lanes(DATA, 2.0, 0.0, 50)
    ends = run(state, here, np.full(50, 0.5), np.random.default_rng(0))

    assert np.isfinite(ends.value()).all()
    assert (ends.steps > 0).all()
    assert ends.value().shape == (50,)


def test_the_breakages_of_the_simulation() -> None:
    # u = -w keeps v < 0
    weights = np.tile(np.array([0.7, -0.7]), (60, 1, 1))
    state = many_factors(weights)
    here = lanes(DATA, 0.1, 0.0, 60)
    ends = run(state, here, np.full(60, 2.0), np.random.default_rng(1))
    assert (ends.value() < 0).all()
    # above T_c all mass goes to 0
    hot = lanes(DATA, 1.0, 0.0, 60)
    ends = run(many_factors(np.abs(weights)), hot, np.full(60, 6.0), _rng())
    assert np.median(ends.value()) < 1e-6
    # y = x: nothing moves at the fit, off the balance
    fit = DataMoments(2, 2, 2, 1, 1)
    state = many_factors(np.tile(np.array([2.0, 0.5]), (5, 1, 1)))
    ends = run(state, lanes(fit, 0.1, 0.0, 5), np.full(5, 1.0), _rng())
    assert (ends.place == state.place).all()


def _rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_faults_in_the_balance() -> None:
    context = Context(QUICK, 0, "test", None, shrink=False)
    for factor in (Fraction(0), Fraction(1, 2), Fraction(-1), Fraction(4)):
        assert balance_exact(factor, context).verdict is Verdict.REFUTED
    # two other factors at 0 keep the gap
    case = net(((1, 2),), ((2, 1, 0),), Fraction(1, 4))
    (u, w, _), *_ = case.step(case.samples).weights
    assert u * u - w * w == 3


def test_the_breakages_of_the_inversion() -> None:
    with pytest.raises(NoDensityError):
        StationaryDensity(2, 1, moments=DataMoments.gaussian(1, 0), T=0.1)
    law = StationaryDensity(3, 1, moments=DATA, T=np.array([0.1, 1.0, 50.0]))
    assert law.critical_temperature == math.inf
    assert (law.mass_at_zero == 0).all()


def test_the_variance_inverts() -> None:
    """The published numbers, by an independent sum over a grid."""
    for T, mean, var in ((0.05, 0.938, 0.120), (0.2, 0.581, 0.372)):
        law = StationaryDensity(2, 1, moments=DATA, T=T)
        v = np.exp(np.linspace(-60, 12, 400_001))
        p = law.pdf(v) * v * 72 / 400_000
        assert (p * v).sum() == pytest.approx(mean, abs=6e-4)
        assert (p * v * v).sum() - (p * v).sum() ** 2 == pytest.approx(var, abs=2e-3)

"""The digits experiment at a tiny setting: it measures, and it can say no."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numeric import Backprop, NeuronForms, ReluMlp
from verify import _digits, _digits_training as training
from verify._digits_records import BalancePoint, ExactLaw


pytest.importorskip("sklearn")

TINY = replace(
    _digits.PRESETS["quick"],
    steps=700,
    decay_steps=60,
    gd_steps=40,
    measured=60,
    minibatches=192,
    batch_size=4,
    stride=60,
    hidden=(12, 10),
)


def run_tiny(
    seed: int = 3, settings: _digits.DigitsSettings = TINY
) -> _digits.DigitsRun:
    rng = np.random.default_rng(seed)
    return _digits.run_digits(rng=rng, alpha=1e-6, settings=settings)


@pytest.fixture(scope="module")
def run() -> _digits.DigitsRun:
    return run_tiny()


def test_the_digits_are_what_the_claims_say() -> None:
    inputs, labels = _digits.digits()

    assert inputs.shape == (1797, 64)
    assert (inputs.min(), inputs.max()) == (0.0, 1.0)
    assert sorted(set(labels.tolist())) == list(range(10))


@pytest.mark.parametrize("arm", ["sgd", "gd", "decay"])
def test_exact_law_holds_at_every_step(run: _digits.DigitsRun, arm: str) -> None:
    trajectory = getattr(run, arm)
    law = trajectory.law

    assert law.holds
    assert law.checks == trajectory.steps[-1] * 22
    assert law.worst_without_noise > 1e6
    assert law.worst_doubled > 1e6
    assert law.resolution < 1e-5


def test_flow_has_the_noise_factor_one(run: _digits.DigitsRun) -> None:
    """The factor is 1 within the interval, and not 2, ½, 0 or -1."""
    for factor in (run.factor, run.decay_factor):
        assert factor.contains(1.0)
        assert all(factor.excludes(wrong) for wrong in (2.0, 0.5, 0.0, -1.0))


def test_closed_form_and_optimiser_find_the_same_equilibrium(
    run: _digits.DigitsRun,
) -> None:
    assert run.balances_agree
    assert {point.gamma for point in run.balances} == {0.0, TINY.gamma}
    assert len(run.balances) + run.dead == 3 * 22
    assert run.unresolved < len(run.balances) / 4


def test_gd_moves_charges_far_less_than_sgd(run: _digits.DigitsRun) -> None:
    """GD moves them by the discrete step only, and exactly so."""
    assert run.gd_motion < 0.2 * run.sgd_motion
    np.testing.assert_allclose(run.gd.time, TINY.lr * run.gd.steps)


def test_prediction_is_the_motion_where_nothing_is_random() -> None:
    """Full batch, every step measured: the summed drift is the charge to rounding."""
    item, theta = problem(batch_size=0, gamma=1e-2)
    run = train(item, theta, tuple(range(31))).trajectory
    summed = run.charges[0] + np.cumsum(run.drift[:-1], axis=0)

    np.testing.assert_allclose(summed, run.charges[1:], rtol=1e-12, atol=1e-13)
    assert np.abs(run.drift).max() > 1e-4


def test_run_is_reproducible_and_seeds_differ(run: _digits.DigitsRun) -> None:
    settings = replace(TINY, steps=20, decay_steps=2, gd_steps=2, measured=3)
    one, same, other = (run_tiny(seed, settings) for seed in (5, 5, 6))

    np.testing.assert_array_equal(one.sgd.charges, same.sgd.charges)
    assert one.factor == same.factor
    assert not np.allclose(one.sgd.charges, other.sgd.charges)


def test_figures_are_complete_and_small(run: _digits.DigitsRun) -> None:
    figures = _digits.digits_figures(run)

    assert len(figures) == 4
    for figure in figures:
        assert figure.title
        assert figure.xlabel
        assert figure.ylabel
        for series in figure.series:
            assert 2 <= len(series.x) <= 200
            assert np.isfinite([*series.x, *series.y, *series.upper]).all()


def problem(**changes: Any) -> tuple[training.Problem, np.ndarray]:
    inputs, labels = _digits.digits()
    net = ReluMlp((64, 6, 5, 10))
    base = training.Problem(net, inputs[:200], labels[:200], 0.1, 4, 0.0)
    return replace(base, **changes), net.initial(np.random.default_rng(1))


def train(
    item: training.Problem, theta: np.ndarray, schedule: tuple[int, ...], draws: int = 0
) -> training.Training:
    rng = np.random.default_rng(2)
    return training.Training(item, theta, schedule, minibatches=draws, rng=rng)


def test_a_step_descends_the_loss_with_gamma_norm_squared() -> None:
    """θ' = θ - η∇(L + γ‖θ‖²), the gradient of the decay by central differences."""
    item, theta = problem(batch_size=0, gamma=1e-2)
    run = training.Training(
        item,
        theta,
        (0, 1),
        checkpoints=(1.0,),
        minibatches=0,
        rng=np.random.default_rng(0),
    )
    h, step = 1e-3, theta - run.kept[1]
    for entry in (0, 100, item.net.size - 20):
        shift = np.zeros_like(theta)
        shift[entry] = h
        values = []
        for moved in (theta + shift, theta - shift):
            loss = item.net.losses(moved, item.inputs, item.labels).mean()
            values.append(loss + item.gamma * moved @ moved)
        slope = (values[0] - values[1]) / (2 * h)

        assert step[entry] == pytest.approx(item.lr * slope, rel=1e-3, abs=1e-6)


def test_a_wrong_gradient_breaks_the_exact_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bias gradient 1e-9 off breaks the symmetry, and the law notices."""
    item, theta = problem()
    original = Backprop.mean_gradient

    def wrong(self: Backprop) -> np.ndarray:
        gradient = original(self)
        self.net.layers(gradient)[1][1][...] *= 1.0 + 1e-9
        return gradient

    theta = theta + 0.1
    assert train(item, theta, (0, 9)).trajectory.law.holds
    monkeypatch.setattr(Backprop, "mean_gradient", wrong)

    assert not train(item, theta, (0, 9)).trajectory.law.holds


def test_a_wrong_noise_trace_is_excluded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With half the noise predicted, the interval for the factor leaves 1 out."""
    item, theta = problem()
    original = training.Problem.halves

    def halved(self: training.Problem, run: Backprop) -> NeuronForms:
        noise = original(self, run)
        return NeuronForms(0.4 * noise.incoming, 0.4 * noise.outgoing)

    monkeypatch.setattr(training.Problem, "halves", halved)
    test = train(item, theta, tuple(range(40)), draws=2000).test

    assert test.interval(1e-6).excludes(1.0)
    assert test.interval(1e-6).contains(2.5)


@pytest.mark.parametrize("gamma", [0.0, 1e-2])
def test_balance_zeroes_the_flow(gamma: float) -> None:
    """At θ_λ* a neuron's drift vanishes: -4γC + σ²Tr[ΣA] = 0."""
    item, theta = problem(gamma=gamma)
    lam = item.balance(item.halves(item.whole(theta)), theta)
    neuron = int(np.nanargmax(np.abs(lam)))
    moved = item.net.rescaled(theta, neuron, float(lam[neuron]))
    noise = item.halves(item.whole(moved))
    terms = (
        -4.0 * gamma * item.net.charges(moved)[neuron],
        0.5 * item.lr / item.batch_size * noise.difference[neuron],
    )
    size = 0.5 * item.lr / item.batch_size * noise.total[neuron]

    assert abs(sum(terms)) <= 1e-10 * size


def test_dead_neurons_have_no_equilibrium_and_are_counted() -> None:
    item, theta = problem()
    item.net.layers(theta)[0][1][2] = -1e3
    lam = item.balance(item.halves(item.whole(theta)), theta)
    points = list(training.balance_points(item, {0: theta}, 1))

    assert np.isnan(lam[2])
    assert 2 not in {point.neuron for point in points}
    assert len(points) == np.isfinite(lam).sum() > 0


def test_bounds_of_the_bets_hold_for_every_batch_of_one() -> None:
    """S = 1 attains the range: each sample alone is a possible minibatch."""
    item, theta = problem(batch_size=1)
    run = item.whole(theta)
    noise = item.halves(run)
    mean = item.net.forms(run.mean_gradient()).difference
    alone = run.minibatch_gradients(np.arange(200)[:, None])
    forms = item.net.forms(alone).difference
    for bet in training._bets(item, run, noise.difference, mean):
        increments = 0.5 * item.lr**2 * (forms @ bet.weights)

        assert bet.lower <= increments.min()
        assert increments.max() <= bet.upper
        assert increments.mean() == pytest.approx(bet.known + bet.predicted, rel=1e-9)


def test_nan_and_nothing_never_hold() -> None:
    assert not ExactLaw(10, 0, math.nan, 0.0, 1.0, 1.0, 1.0).holds
    assert not ExactLaw(10, 10, 0.0, 0.0, 1.0, 1.0, 1.0).holds
    assert math.isnan(BalancePoint(0, 0.0, 0, math.nan, 1.0, 1.0).error)


def test_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_digits, "_DIGITS", "no_such_package")

    with pytest.raises(_digits.MissingDigitsError, match=r"noetherflow\[report\]"):
        _digits.digits()


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="positive sizes"):
        replace(TINY, steps=0)
    with pytest.raises(ValueError, match="lr > 0"):
        replace(TINY, lr=math.nan)

"""Theorem 2 on ensembles: verdicts, twins, and faults that the routes must see."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from numeric import LinearNet, NoiseMatrices
from symbolic import Verdict, rescaling
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._routes import _balance_ensembles as routes, _balance_law as law
from verify._routes._balance_runs import (
    SAMPLES,
    SETTINGS,
    Setting,
    Sides,
    _compressed,
    claimed_noise,
    mean_interval,
    sides_along,
    trajectory,
)
from verify._routes._common import Factors


SMALL = dataclasses.replace(PROFILE_SIZES["quick"], steps=30)
IDS = [setting.name for setting in SETTINGS]


def context(seed: int = 0) -> Context:
    return Context(PROFILE_SIZES["quick"], seed, "p1.thm2")


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Verdicts.


def test_the_factor_of_the_law_is_one() -> None:
    evidence = routes.balance_law(Factors(), context())

    assert evidence.verdict is Verdict.SUPPORTED
    assert evidence.instances == len(SETTINGS) + 1 >= 5
    assert evidence.degenerate == 0
    assert evidence.detectable is not None
    assert evidence.detectable < 0.5
    assert evidence.alpha == pytest.approx(evidence.instances * context().alpha)


@pytest.mark.parametrize(
    "twin",
    [
        Factors(noise=Fraction(1, 2)),
        Factors(noise=Fraction(2)),
        Factors(noise=Fraction(-1)),
        Factors(decay=Fraction(-2)),
        Factors(decay=Fraction(0)),
    ],
    ids=str,
)
def test_the_law_with_another_factor_is_refuted(twin: Factors) -> None:
    evidence = routes.balance_law(twin, context())

    assert evidence.verdict is Verdict.REFUTED
    assert evidence.counterexample is not None
    assert "eta" in evidence.counterexample.values


def test_too_few_steps_are_inconclusive() -> None:
    tiny = dataclasses.replace(PROFILE_SIZES["quick"], steps=2, replicas=1)
    evidence = routes.balance_law(Factors(), Context(tiny, 0, "p1.thm2"))

    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.detectable is None


def test_sgd_reaches_the_corrected_balance_and_gd_does_not() -> None:
    evidence = routes.balance_reached("corrected", context())

    assert evidence.verdict is Verdict.SUPPORTED
    assert evidence.instances == len(SETTINGS)
    assert evidence.detectable is not None
    assert evidence.detectable <= routes.RESOLUTION
    assert [figure.series[-1].kind for figure in evidence.figures] == [
        "line",
        "line",
        "dashed",
    ]
    for figure in evidence.figures[:2]:
        sgd, gd = (line for line in figure.series if line.kind == "line")
        assert (sgd.label, gd.label) == ("SGD", "GD")
        assert sgd.y[-1] < 0.5 * gd.y[-1]


def test_the_published_noise_matrices_are_refuted() -> None:
    evidence = routes.balance_reached("published", context())

    assert evidence.verdict is Verdict.REFUTED
    assert evidence.counterexample is not None
    assert "γ = 0.02" in evidence.counterexample.values["sizes"]


@pytest.mark.parametrize(
    ("subject", "verdict"),
    [("not always", Verdict.SUPPORTED), ("always", Verdict.REFUTED)],
)
def test_singular_noise_has_no_finite_balance(subject: str, verdict: Verdict) -> None:
    assert routes.no_balance(subject, context()).verdict is verdict


@pytest.mark.parametrize(
    "evidence",
    [
        routes.balance_law(Factors(), Context(SMALL, 0, "p", (rescaling(2, 1),))),
        routes.balance_reached("any", Context(SMALL, 0, "p", (rescaling(2, 1),))),
        routes.no_balance("any", Context(SMALL, 0, "p", (rescaling(2, 1),))),
    ],
    ids=["law", "reached", "no balance"],
)
def test_other_declarations_are_not_its_subject(evidence: Evidence) -> None:
    assert evidence.verdict is Verdict.NOT_APPLICABLE


# Faults put in: each must take the verdict away.


def full_batch(net: LinearNet, x: Any, y: Any, batch: int, rng: Any) -> Any:
    return net.gradient(x, y)


def without_replacement(net: LinearNet, x: Any, y: Any, batch: int, rng: Any) -> Any:
    index = rng.permuted(np.tile(np.arange(len(x)), (len(net.U), 1)), axis=1)
    return net.gradient(x[index[:, : 4 * batch]], y[index[:, : 4 * batch]])


def swapped(patch: pytest.MonkeyPatch) -> None:
    right = LinearNet.sides
    patch.setattr(LinearNet, "sides", lambda net, noise: right(net, noise)[::-1])


def uncentred(patch: pytest.MonkeyPatch) -> None:
    right = LinearNet.noise
    patch.setattr(LinearNet, "noise", lambda net, x, y: right(net, x, y, centred=False))


def doubled(patch: pytest.MonkeyPatch) -> None:
    right = LinearNet.noise

    def noise(net: LinearNet, x: Any, y: Any) -> NoiseMatrices:
        found = right(net, x, y)
        return NoiseMatrices(2 * found.U, 2 * found.W)

    patch.setattr(LinearNet, "noise", noise)


def one_doubled(patch: pytest.MonkeyPatch) -> None:
    right = LinearNet.sides
    patch.setattr(
        LinearNet,
        "sides",
        lambda net, noise: (4 * right(net, noise)[0], right(net, noise)[1]),
    )


def gd_for_sgd(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(law, "minibatch_gradient", full_batch)
    patch.setattr("verify._routes._balance_runs.minibatch_gradient", full_batch)


def larger_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(law, "minibatch_gradient", without_replacement)


@pytest.mark.parametrize(
    "fault", [swapped, uncentred, doubled, gd_for_sgd, larger_batch, one_doubled]
)
def test_the_law_sees_a_fault(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)

    assert routes.balance_law(Factors(), context()).verdict is Verdict.REFUTED


@pytest.mark.parametrize("fault", [gd_for_sgd, one_doubled])
def test_the_balance_sees_a_fault(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    routes._trained.cache_clear()
    try:
        found = routes.balance_reached("corrected", context())
    finally:
        routes._trained.cache_clear()

    assert found.verdict is Verdict.REFUTED


def test_where_gd_is_balanced_too_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With decay alone (no label noise) both methods end at UᵀU = WWᵀ."""
    alike = Setting(1, (1.0, 1.0), (1e-3, 1e-3), (1.0,), gamma=0.05)
    monkeypatch.setattr(routes, "SETTINGS", (alike,))
    evidence = routes.balance_reached("corrected", context())

    assert evidence.verdict is Verdict.INCONCLUSIVE


def test_full_rank_noise_is_not_a_runaway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "UNBALANCED", routes.BALANCED)

    assert routes.no_balance("not always", context()).verdict is Verdict.INCONCLUSIVE


def test_bounds_that_are_too_tight_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = law._extremes

    def tight(*args: Any) -> Any:
        low, high = right(*args)
        return 0.1 * low, 0.1 * high

    monkeypatch.setattr(law, "_extremes", tight)
    with pytest.raises(ValueError, match="bounds must hold surely"):
        routes.balance_law(Factors(), context())


# The parts.


@pytest.mark.parametrize("setting", SETTINGS, ids=IDS)
def test_the_label_noise_has_full_rank_and_no_correlation(setting: Setting) -> None:
    x, y = setting.samples(stream())
    noise = y - x @ setting.V.T

    assert len(x) == SAMPLES
    np.testing.assert_allclose(x.T @ noise / len(x), 0.0, atol=1e-14)
    np.testing.assert_allclose(
        noise.T @ noise / len(x), np.diag(np.square(setting.noise_scale)), atol=1e-14
    )
    np.testing.assert_allclose(
        x.T @ x / len(x), np.diag(np.square(setting.x_scale)), atol=1e-14
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=IDS)
def test_compressed_samples_have_the_same_mean_gradient(setting: Setting) -> None:
    x, y = setting.samples(stream())
    net = setting.starts(stream(1), 5)
    few = _compressed(x, y)

    assert len(few[0]) == x.shape[1] + y.shape[1]
    for left, right in zip(net.gradient(*few), net.gradient(x, y), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-13)


@pytest.mark.parametrize("setting", SETTINGS, ids=IDS)
def test_every_pair_of_samples_lies_within_the_extremes(setting: Setting) -> None:
    x, y = setting.samples(stream())
    net = setting.starts(stream(1), 3)
    B = stream(2).standard_normal((3, setting.width, setting.width))
    B = B + np.swapaxes(B, -1, -2)
    low, high = law._extremes(net, x, y, B)
    seen = []
    for i in range(SAMPLES):
        for j in range(i + 1):
            g_U, g_W = net.gradient(x[[i, j]], y[[i, j]])
            Q = np.swapaxes(g_U, -1, -2) @ g_U - g_W @ np.swapaxes(g_W, -1, -2)
            seen.append(np.trace(Q @ B, axis1=-2, axis2=-1))

    assert (np.max(seen, axis=0) <= high * (1 + 1e-12)).all()
    assert (np.min(seen, axis=0) >= -low * (1 + 1e-12)).all()
    assert (np.max(seen, axis=0) >= 0.3 * high).any()  # not needlessly wide


def test_imbalance_lies_between_zero_and_one_and_is_one_for_nan() -> None:
    left = stream().standard_normal((6, 4, 2, 2))
    right = stream(1).standard_normal((6, 4, 2, 2))
    left[:, 2], left[3, 3], right[:, 2] = 0.0, np.nan, 0.0
    delta = Sides(left, right).imbalance(slice(None))

    assert ((delta >= 0) & (delta <= 1)).all()
    assert delta[2:].tolist() == [1.0, 1.0]
    assert Sides(left, left).imbalance(slice(None))[:2].tolist() == [0.0, 0.0]
    assert Sides(left, -left).imbalance(slice(0, 1))[0] == 1.0


def test_the_two_forms_of_gamma_differ_by_the_mean_and_the_shift() -> None:
    setting = SETTINGS[0]
    data = setting.samples(stream())
    net = setting.starts(stream(1), 2)
    corrected = claimed_noise(net, data, setting, "corrected")
    published = claimed_noise(net, data, setting, "published")
    M = np.swapaxes(net.residuals(*data), -1, -2) @ data[0] / SAMPLES
    shift = 2 * setting.gamma - setting.gamma * setting.batch / setting.lr

    np.testing.assert_allclose(
        published.W - corrected.W,
        np.swapaxes(M, -1, -2) @ M + shift * np.eye(2),
        atol=1e-13,
    )


def test_divergence_is_unbalanced_and_stops_the_law() -> None:
    wild = dataclasses.replace(SETTINGS[1], lr=0.8)
    data = wild.samples(stream())
    nets = list(trajectory(wild, wild.starts(stream(1), 3), data, 200, stream(2)))
    sides = sides_along(nets, data, wild, "corrected")

    assert sides.imbalance(slice(None)).tolist() == [1.0] * 3
    interval = law._factor(wild, -4.0, context(), stream(3))
    assert 0 < interval.observations < 60 * 256
    assert interval.contains(1.0)


def test_gd_descends_and_looks_come_every_few_steps() -> None:
    setting = SETTINGS[1]
    data = setting.samples(stream())
    start = setting.starts(stream(1), 3)
    nets = list(trajectory(setting, start, data, 400, None))
    losses = [(net.residuals(*data) ** 2).sum(axis=(-1, -2)) for net in nets]

    assert len(nets) == 20
    assert (np.diff(losses, axis=0) <= 1e-9).all()


def test_the_interval_of_a_mean_covers_it_and_is_sharp() -> None:
    interval = mean_interval(stream().beta(2.0, 18.0, 300), 1e-6)

    assert interval.contains(0.1)
    assert interval.upper < 0.25
    assert interval.lower > 0.05

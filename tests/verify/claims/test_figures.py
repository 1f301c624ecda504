"""The figures of the first paper and the three arms: verdicts, faults, assumptions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numeric import compile_loss
from symbolic import Verdict
from tests.faults import alter
from verify._campaign import _check
from verify._claim import Claim
from verify._claims import (
    _own_momentum,
    _p1_arms,
    _p1_fig1,
    _p1_fig2,
    _p1_fig3,
    _p1_fig4,
    _p1_fig5,
    _p1_v3_figures,
)
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._figures import _arms, _chains, _nets, _planes
from verify._figures._engine import Model, declared
from verify._figures._median import Row, judged, median_interval
from verify._routes import (
    _fig_alignment as alignment,
    _fig_arms as arms,
    _fig_equilibrium as equilibrium,
    _fig_layers as layers,
    _fig_nets as nets,
    _fig_planes as planes,
    _fig_rates as rates,
    _fig_sde as sde,
    _momentum as momentum,
)


QUICK = PROFILE_SIZES["quick"]
R = Verdict.REFUTED
Route = Callable[[Any, Context], Evidence]
CLAIMS: tuple[Claim, ...] = (
    *_p1_fig1.CLAIMS,
    *_p1_fig2.CLAIMS,
    *_p1_fig3.CLAIMS,
    *_p1_fig4.CLAIMS,
    *_p1_fig5.CLAIMS,
    *_p1_v3_figures.CLAIMS,
    *_p1_arms.CLAIMS,
    *_own_momentum.CLAIMS,
)


def context(seed: int = 0) -> Context:
    return Context(QUICK, seed, "figures", None, shrink=False)


@pytest.mark.slow  # the report of every change runs this seed
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_comes_out_as_expected(claim: Claim) -> None:
    result = _check(claim, QUICK, 0, None)

    assert result.as_expected
    assert not result.disagreement
    assert all(e.verdict.holds for e in result.evidence)
    assert sum(e.verdict is R for e in result.twin.evidence) >= 2
    assert claim.assumptions


SECOND_SEED = (
    "p1.fig1.circles",
    "p1.fig1.hyperbolas",
    "p1.fig4",
    "p1.v3.fig5",
    "p1.arms.gap",
    "p1.rates",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "claim", [c for c in CLAIMS if c.id in SECOND_SEED], ids=lambda claim: claim.id
)
def test_comes_out_as_expected_with_another_seed(claim: Claim) -> None:
    assert _check(claim, QUICK, 1, None).as_expected


@pytest.mark.slow  # the report of every change draws them
def test_every_figure_has_data() -> None:
    with_figures = [claim for claim in CLAIMS if ".fig" in claim.id]

    for claim in with_figures:
        found = claim.routes[0](claim.subject, context()).figures
        assert found, claim.id
        for figure in found:
            values = [v for series in figure.series for v in (*series.x, *series.y)]
            assert np.isfinite(values).all(), claim.id


def test_says_nothing_of_a_users_declaration() -> None:
    asked = replace(context(), subject=())  # and answers at once, without training
    for claim in CLAIMS:
        for route in claim.routes:
            if route.__module__ == momentum.__name__:  # on declarations, too
                continue
            assert route(claim.subject, asked).verdict is Verdict.NOT_APPLICABLE


# --- altered statements --------------------------------------------------------------

ALTERED: tuple[tuple[Route, Any], ...] = (
    (planes.orbits_loop, planes.Orbits(factor=2.0)),
    (planes.orbits_loop, planes.Orbits(circles=False, factor=1.01)),
    (planes.orbits_ensemble, planes.Orbits(circles=False, method="gd")),
    (alignment.alignment_ensemble, alignment.Alignment(power=0.0)),
    (alignment.alignment_loop, alignment.Alignment(power=0.0)),
    (alignment.alignment_loop, alignment.Alignment(power=-1.0)),
    (alignment.warmup_ensemble, alignment.WarmUp(same_end=False)),
    (alignment.warmup_loop, alignment.WarmUp(same_end=False)),
    (nets.norms_ensemble, nets.Norms(method="gd")),
    (nets.norms_loop, nets.Norms(method="gd")),
    (layers.scales_ensemble, layers.TwoScales(method="gd")),
    (layers.scales_loop, layers.TwoScales(power=0.0)),
    (layers.deep_ensemble, layers.Deep(method="gd")),
    (layers.deep_loop, layers.Deep(method="gd")),
    *(
        (route, arms.Law(**change))
        for route in (
            arms.law_every_step,
            arms.law_by_engine,
            momentum.momentum_symbolic,
            momentum.momentum_exact,
        )
        for change in (
            {"half": 0.501, "beta": 0.9},
            {"decay": 4.01, "beta": 0.9},
            {"b": 0.999, "beta": 0.9},
            {"b": -1.0, "beta": 0.9},
        )
    ),
    (sde.sde_shrinks, sde.Flow(noise=0.5)),
    (sde.sde_by_engine, sde.Flow(noise=0.5)),
    (sde.sde_shrinks, sde.Flow(decay=-4.0)),
    (sde.sde_extrapolated, sde.Flow(noise=2.0)),
    (sde.sde_extrapolated, sde.Flow(noise=0.0)),
    (equilibrium.balance_by_engine, "gd"),
    (equilibrium.balance_by_steps, "gd"),
    (sde.gap_along_sgd, sde.SdeGap(0.5)),
    (sde.gap_along_sgd, sde.SdeGap(2.0)),
    (sde.gap_halves, sde.SdeGap(0.5)),
    (rates.rates_ensemble, rates.Powers(charge=0.5)),
    (rates.rates_loop, rates.Powers(charge=-1.0)),
)


def _trains(route: Route) -> bool:
    """Return whether a route trains for seconds; its twins see to it in each report."""
    return route.__name__.endswith("_ensemble") or route.__module__ in {
        layers.__name__,
        nets.__name__,
        equilibrium.__name__,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("route", "subject"), [pair for pair in ALTERED if _trains(pair[0])]
)
def test_altered_statements_about_training_are_refuted(
    route: Route, subject: Any
) -> None:
    assert route(subject, context()).verdict is R


@pytest.mark.parametrize(
    ("route", "subject"), [pair for pair in ALTERED if not _trains(pair[0])]
)
def test_altered_statements_are_refuted(route: Route, subject: Any) -> None:
    assert route(subject, context()).verdict is R


# --- what judges ---------------------------------------------------------------------


@pytest.mark.parametrize(("n", "alpha"), [(30, 0.05), (48, 0.05), (48, 1e-3), (7, 0.2)])
def test_median_interval_covers_at_its_level(n: int, alpha: float) -> None:
    rng = np.random.default_rng(n)
    draws = rng.exponential(size=(4000, n))

    found = [median_interval(row, alpha) for row in draws]
    missed = sum(not each.lower <= math.log(2) <= each.upper for each in found)

    # P(Bin(4000, alpha) > that) < 1e-6, by Hoeffding's bound.
    assert missed / 4000 <= alpha + math.sqrt(math.log(1e6) / 8000)


@pytest.mark.parametrize("n", [30, 48, 96])
def test_median_interval_is_as_short_as_the_level_allows(n: int) -> None:
    alpha, found = 2e-9, median_interval(range(n), 2e-9)
    k = int(found.lower) + 1
    below = sum(math.comb(n, j) for j in range(k)) / 2**n

    assert below <= alpha / 2 < below + math.comb(n, k) / 2**n
    assert found.upper == n - k


def test_runs_that_diverged_never_help() -> None:
    values = np.append(np.full(40, 1.0), np.full(8, math.nan))
    found = median_interval(values, 0.05)
    worse = median_interval(np.full(48, math.nan), 0.05)

    assert found.lower == found.upper == 1.0
    assert (worse.lower, worse.upper) == (-math.inf, math.inf)
    assert median_interval([1.0] * 20, 2e-9).upper == math.inf


def test_judged_has_three_verdicts() -> None:
    ones = np.ones(48)

    assert judged("r", [Row("q", ones, 0.5, 2.0)], context(), "w").verdict.holds
    assert judged("r", [Row("q", ones, 2.0, 3.0)], context(), "w").verdict is R
    mixed = np.append(np.zeros(24), ones[:24])
    found = judged("r", [Row("q", mixed, 0.5, 2.0)], context(), "w")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert judged("r", [], context(), "w").verdict is Verdict.INCONCLUSIVE
    lost = Row("q", np.full(48, math.nan), -9.0, 9.0)
    assert not judged("r", [lost], context(), "w").verdict.holds


# --- gradients and predictions, recomputed -------------------------------------------


@pytest.mark.parametrize("kind", ["tanh", "relu", "Net-A", "Net-B"])
def test_gradients_by_hand_are_the_engines(kind: str) -> None:
    rng = np.random.default_rng(5)
    U, W = rng.standard_normal((2, 1, 3)), rng.standard_normal((2, 3, 2))
    x, y = rng.standard_normal((2, 7, 2)), rng.standard_normal((2, 7, 1))
    model = Model(
        _nets._EXPRESSIONS[kind],
        (("U", (1, 3)), ("W", (3, 2))),
        (("x", (2,)), ("y", (1,))),
    )
    theta = np.concatenate([U.reshape(2, -1), W.reshape(2, -1)], axis=1)
    each = compile_loss(declared(model)).gradient(theta[:, None], {"x": x, "y": y})

    g_U, g_W = _nets._GRADIENTS[kind](U, W, x, y)

    expected = model.split(np.asarray(each.mean(axis=1)))
    np.testing.assert_allclose(g_U, expected["U"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(g_W, expected["W"], rtol=1e-12, atol=1e-12)


def test_swish_by_differences() -> None:
    h = np.linspace(-4.0, 4.0, 33)
    value, slope = _nets._swish(h)
    ahead, behind = _nets._swish(h + 1e-5)[0], _nets._swish(h - 1e-5)[0]

    np.testing.assert_allclose(value, h / (1 + np.exp(-h)), rtol=1e-12)
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("phi", [0.1, 0.25, 0.5, 0.75, 1.0])
def test_ratio_and_sharpness_of_two_scales(phi: float) -> None:
    spread = np.array([phi, phi, 2.0 - phi, 2.0 - phi])
    U, W = np.diag(spread**0.25), np.diag(spread**-0.25)  # UW = I

    np.testing.assert_allclose(W * spread @ W.T, U.T @ U)  # (16), traces both 4
    ratio, trace = (U**2).sum() / (W**2).sum(), 2 * (4 * (W**2 @ spread).sum())
    trace += 2 * (U**2).sum() * spread.sum()
    assert layers.TwoScales().predicted(phi) == pytest.approx(ratio)
    assert layers.TwoScales("sharpness").predicted(phi) == pytest.approx(trace / 64)
    printed = {0.1: 0.436, 0.25: 0.661, 0.5: 0.866, 0.75: 0.968, 1.0: 1.0}
    assert ratio == pytest.approx(printed[phi], abs=5e-4)


def test_predicted_sizes_of_a_deep_net_balance_every_pair() -> None:
    noise, target = np.array(layers._NOISE), np.array(layers._TARGET)
    S, depth, spread = noise * target, 4, float((noise**2).sum())
    c = (S.sum() / math.sqrt(len(S) * spread)) ** (1 / depth)
    first = c * np.sqrt(len(S) / S.sum() * S)
    last = c * np.sqrt(spread / S.sum() * S) / noise
    middle = np.full(len(S), c)
    W = [first, middle, middle, last]  # diagonals

    np.testing.assert_allclose(np.prod(W, axis=0), target)
    for i in range(depth - 1):  # E.1 at a minimum, r = −ε independent of x
        above = np.prod([np.ones(len(S)), *W[i + 2 :]], axis=0)
        below = np.prod([np.ones(len(S)), *W[:i]], axis=0)
        left = (below**2).sum() * (W[i + 1] * above * noise) ** 2
        right = ((above * noise) ** 2).sum() * (W[i] * below) ** 2
        np.testing.assert_allclose(left, right)
    sizes = [float((w**2).sum()) for w in W]
    assert layers.deep_predicted() == pytest.approx(sizes)


# --- assumptions ---------------------------------------------------------------------


def test_few_samples_do_not_align() -> None:
    """p1.fig5 without fresh samples."""
    assert median_interval(nets.overfitted(context()), 1e-6).upper < 0.6


def test_warm_up_alone_is_stable() -> None:
    """p1.fig3.warmup at η = .001."""
    slow = replace(alignment.rank_one("kaiming"), lr=0.001, steps=400, groups=1)

    assert not _chains.by_loop(slow, context()).diverged.any()


def test_without_label_noise_the_residual_net_keeps_apart() -> None:
    """p1.fig4 without noise."""
    quiet = replace(layers.RESIDUAL, noise_scale=(0.0,) * 6, lr=0.004, steps=1500)
    found = layers._kept(_chains.by_loop(quiet, context()))

    assert median_interval(found, 1e-6).lower > 0.5


def test_residual_net_with_other_noise_is_not_orthogonal() -> None:
    """p1.fig4 without isotropic noise: the balance given is one."""
    a, b = 5**0.25, (5 / 9) ** 0.25
    U, W = np.diag([a, b]), np.diag([1 / a, 1 / b])

    noise = np.array([1.0, 9.0])
    np.testing.assert_allclose(W @ W.T / 2, (U.T * noise) @ U / 10)


def test_noise_of_the_inputs_shape_gives_ratio_one() -> None:
    """p1.v3.fig3 with Σ_ε ∝ Σₓ."""
    chain = layers.scales_chain(0.5, 2200)
    found = _chains.by_loop(replace(chain, noise_scale=chain.x_scale), context())
    ratio = median_interval(layers._ratio(found.end), 1e-6)

    assert ratio.lower >= 0.94
    assert ratio.upper <= 1.06


def test_interpolated_points_do_not_move() -> None:
    """p1.fig1 without noise: y = x at uw = 1, and a sample that fits."""
    for expression, theta in (("(u*w*x - x)**2", [2.0, 0.5]), ("(w/u - 1)**2", [1, 1])):
        model = Model(expression, (("u", ()), ("w", ())), (("x", ()),))
        G = compile_loss(declared(model)).gradient(
            np.array([theta], dtype=float), {"x": np.array([1.0, -2.0])}
        )
        assert not np.any(G)


# --- faults of the toolkit -----------------------------------------------------------


def _fresh() -> None:
    for cached in (
        _chains._by_engine,
        _chains._by_loop,
        _nets._by_loop,
        _planes._by_loop,
        sde._sde,
        sde._gap,
        sde._limit,
        equilibrium._imbalance,
        equilibrium._position,
    ):
        cached.cache_clear()


@pytest.mark.parametrize("level", [1, 2, 5])
def test_svag_keeps_the_mean_and_scales_the_noise(level: int) -> None:
    """One step from one point: mean −(η/ℓ)(ḡ + 2γθ), covariance (η²/ℓ)Σ."""
    system = _arms.SYSTEMS[0]
    rng = np.random.default_rng(level)
    data, theta = system.data(rng), np.tile([1.2, -0.7], (60_000, 1))
    walk = _arms.Walk(0.1, 1, gamma=0.3)
    at, after = (
        point
        for k, point in enumerate(
            _arms.svag_path(system, theta, data, walk, level, rng)
        )
        if k < 2
    )
    step = after.theta - at.theta
    mean = -0.1 / level * (at.mean[0] + 0.6 * theta[0])
    covariance = 0.01 / level * np.cov(at.gradients[0].T, bias=True)
    error = step.std(axis=0) / math.sqrt(len(step))

    assert (np.abs(step.mean(axis=0) - mean) < 6 * error).all()
    assert np.cov(step.T) == pytest.approx(covariance, rel=0.06)


FAULTS: tuple[tuple[Any, str, str, Route, Any], ...] = (
    (
        _chains._forward,
        "- x @ chain.V.T - epsilon",
        "- x @ chain.V.T",
        alignment.alignment_loop,
        alignment.Alignment(),
    ),
    (
        _chains._forward,
        "weight = 2.0 / S",
        "weight = -2.0 / S",
        layers.residual_loop,
        layers.Residual(),
    ),
    (
        _planes._by_loop,
        "(each / radius)",
        "(each * radius)",
        planes.orbits_loop,
        planes.Orbits(),
    ),
    (
        _arms.sde_path,
        "walk.lr / walk.batch * h",
        "2 * walk.lr / walk.batch * h",
        sde.sde_shrinks,
        sde.Flow(),
    ),
    (
        _arms.sde_path,
        "walk.lr / walk.batch * h",
        "2 * walk.lr / walk.batch * h",
        sde.sde_extrapolated,
        sde.Flow(),
    ),
    (
        _arms.svag_path,
        "(1 - root) / 2 * two",
        "(1 + root) / 2 * two",
        sde.sde_extrapolated,
        sde.Flow(),
    ),
    (
        equilibrium._position,
        "walk.lr / 2 * down",
        "walk.lr * 4 * down",
        equilibrium.balance_by_steps,
        "sgd",
    ),
    (
        equilibrium._imbalance,
        "lr / 2 * at.noise - 4 *",
        "lr / 2 * at.noise - 1 *",
        equilibrium.balance_by_engine,
        "sgd",
    ),
    (
        _arms.sgd_path,
        "theta - walk.lr * new",
        "theta - 1.01 * walk.lr * new",
        arms.law_every_step,
        arms.Law(),
    ),
    (
        sde._gap,
        "0.5 * eta**2 * at.pull",
        "eta**2 * at.pull",
        sde.gap_along_sgd,
        sde.SdeGap(),
    ),
)


@pytest.mark.parametrize(("function", "old", "new", "route", "subject"), FAULTS)
def test_faults_are_seen(
    function: Any, old: str, new: str, route: Route, subject: Any
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        alter(patch, function, old, new)
        _fresh()
        verdict = route(subject, context()).verdict
    _fresh()

    assert not verdict.holds

"""The autoencoder experiment at a tiny setting: it measures, and it can say no."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from numeric import LinearNet
from symbolic import Verdict, catalogue
from verify import _autoencoder as auto, _autoencoder_training as training, _digits
from verify._autoencoder_figures import balance_figures, flow_figures
from verify._autoencoder_records import Descent, MatrixLaw, Sides
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._routes import _autoencoder_routes as routes
from verify._routes._common import Factors


pytest.importorskip("sklearn")

TINY = replace(
    auto.PRESETS["quick"],
    steps=3_000,
    stages=2,
    decay_steps=60,
    every=40,
    draws=192,
    sweeps=24,
    lr=0.008,
    width=4,
    stride=3,
)


def run_tiny(
    seed: int = 3, settings: auto.AutoencoderSettings = TINY
) -> auto.AutoencoderRun:
    rng = np.random.default_rng(seed)
    return auto.run_autoencoder(rng=rng, alpha=1e-6, settings=settings)


@pytest.fixture(scope="module")
def run() -> auto.AutoencoderRun:
    return run_tiny()


@pytest.fixture
def ask(run: auto.AutoencoderRun) -> Ask:
    return Ask(run)


class Ask:
    """Asks the routes about a run, without training the presets."""

    def __init__(self, run: auto.AutoencoderRun) -> None:
        self.run = run

    def __call__(self, route: str, subject: object, **changes: object) -> Evidence:
        run = replace(self.run, **changes)  # type: ignore[arg-type]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(routes, "_run", lambda seed, profile: run)
            answer: Evidence = getattr(routes, route)(subject, context())
        return answer


def context(**changes: object) -> Context:
    base = Context(PROFILE_SIZES["quick"], 0, "test")
    return replace(base, **changes)  # type: ignore[arg-type]


def data(clean: bool = False) -> tuple[training.Problem, LinearNet]:
    x = _digits.digits()[0][::9]
    net, y = auto.initial(np.random.default_rng(1), TINY, x)
    return training.Problem(x, x if clean else y), net


def train(
    problem: training.Problem, net: LinearNet, steps: int, **options: int
) -> training.Training:
    chosen = {"every": 10, "draws": 0, **options}
    rng = np.random.default_rng(2)
    return training.Training(problem, net, np.full(steps, 0.008), rng=rng, **chosen)


# The exact law


def test_exact_law_holds_entry_by_entry_at_every_step(run: auto.AutoencoderRun) -> None:
    steps = (3_000, 3_000, 4_000, 60)

    for law, count in zip(run.laws, steps, strict=True):
        assert law.holds
        assert law.exact.checks == count * 10  # of 4 × 4, on or above the diagonal
        assert law.exact.trivial == 0
        assert law.exact.worst_without_noise > 1e6
        assert law.exact.worst_doubled > 1e6
        assert law.exact.resolution < 1e-5


def test_a_wrong_gradient_breaks_law_and_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One entry of g_U off by a part in 10⁹ breaks the symmetry."""
    problem, net = data()
    original = LinearNet.gradient

    def wrong(
        self: LinearNet, x: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        g_U, g_W = original(self, x, y)
        g_U[20, 1] *= 1.0 + 1e-9
        return g_U, g_W

    assert train(problem, net, 20).trajectory.law.holds
    monkeypatch.setattr(LinearNet, "gradient", wrong)
    law = train(problem, net, 20).trajectory.law

    assert law.exact.worst > 1.0
    assert law.identity > 1.0


def test_a_missing_decay_factor_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, net = data()
    monkeypatch.setattr(
        LinearNet, "stepped", lambda self, g_U, g_W, lr, gamma: step(self, g_U, g_W, lr)
    )

    def step(self: LinearNet, g_U: np.ndarray, g_W: np.ndarray, lr: float) -> LinearNet:
        return LinearNet(self.U - lr * g_U, self.W - lr * g_W)

    assert train(problem, net, 10).trajectory.law.holds
    assert not train(replace(problem, gamma=1e-3), net, 10).trajectory.law.holds


def test_full_gradient_needs_the_second_moments_only() -> None:
    problem, net = data()
    g = training.full_gradient(net, problem)
    g_U, g_W = net.gradient(problem.x, problem.y)

    np.testing.assert_allclose(g.U, g_U, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(g.W, g_W, rtol=1e-10, atol=1e-12)


def test_every_factor_but_one_is_refuted(ask: Ask) -> None:
    for factor in (Fraction(1, 2), Fraction(2), Fraction(0), Fraction(999, 1000)):
        evidence = ask("autoencoder_law", factor)
        assert evidence.verdict is Verdict.REFUTED
    held = ask("autoencoder_law", Fraction(1))

    assert held.verdict is Verdict.SUPPORTED
    assert held.instances == (3_000 + 3_000 + 4_000 + 60) * 10


def test_nan_never_holds(run: auto.AutoencoderRun, ask: Ask) -> None:
    law = run.decay
    broken = MatrixLaw(replace(law.exact, worst=math.nan), 0.1, law.signal)

    assert not broken.holds
    assert not replace(law, identity=math.nan).holds
    evidence = ask("autoencoder_law", Fraction(1), decay=broken)
    assert evidence.verdict is Verdict.REFUTED


# The flow


def test_per_sample_quantities_are_those_of_the_network() -> None:
    """The cheap sums agree with Γ from `LinearNet.noise`, and with its gradients."""
    problem, net = data()
    each, B = problem.samples(net), np.diag([1.0, -2.0, 0.5, 0.0]) + 0.3
    second = net.sides(net.noise(problem.x, problem.y, centred=False))
    centred = net.sides(net.noise(problem.x, problem.y))
    i = slice(7, 8)
    g_U, g_W = net.gradient(problem.x[i], problem.y[i])
    form = np.trace(B @ (g_U.T @ g_U - g_W @ g_W.T))

    np.testing.assert_allclose(each.second(), second, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        each.second() - each.means(), centred, rtol=1e-9, atol=1e-10
    )
    assert each.forms(B)[7] == pytest.approx(form, rel=1e-10)


def test_bets_have_exact_means() -> None:
    """known + predicted is the mean over the data, whatever B was chosen."""
    problem, net = data()
    each = problem.samples(net)
    bets = list(training._bets(each, each.second(), each.means()))

    assert len(bets) == 3
    for bet in bets:
        assert bet.forms.mean() == pytest.approx(bet.known + bet.predicted, rel=1e-9)
        assert bet.predicted > 0.0
        np.testing.assert_allclose(bet.B, bet.B.T, atol=1e-12)


def test_flow_has_the_noise_factor_one(run: auto.AutoencoderRun, ask: Ask) -> None:
    assert run.factor.contains(1.0)
    assert all(run.factor.excludes(wrong) for wrong in (2.0, 0.5, 0.0, -1.0))
    assert ask("autoencoder_flow", Factors()).verdict is Verdict.SUPPORTED
    for wrong in (Fraction(-1), Fraction(0), Fraction(1, 2), Fraction(2)):
        evidence = ask("autoencoder_flow", Factors(noise=wrong))
        assert evidence.verdict is Verdict.REFUTED


@pytest.mark.parametrize("case", ["halved", "swapped"])
def test_wrong_sides_are_excluded(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the noise predicted, or both sides exchanged: 1 leaves the interval."""
    problem, net = data()
    original = training._bets

    def wrong(
        each: training.Samples, second: np.ndarray, means: np.ndarray
    ) -> Iterator[training._Bet]:
        for bet in original(each, second, means):
            factor = 0.5 if case == "halved" else -1.0
            yield replace(bet, predicted=factor * bet.predicted)

    monkeypatch.setattr(training, "_bets", wrong)
    interval = train(problem, net, 400, draws=1000).test.interval(1e-6)

    assert interval.excludes(1.0)
    assert interval.contains(2.0 if case == "halved" else -1.0)


def test_wide_intervals_are_inconclusive(run: auto.AutoencoderRun, ask: Ask) -> None:
    wide = replace(run.factor, lower=-0.5, upper=3.0)
    evidence = ask("autoencoder_flow", Factors(), factor=wide)

    assert evidence.verdict is Verdict.INCONCLUSIVE


# The balance


def test_sgd_aligns_and_gd_does_not(run: auto.AutoencoderRun) -> None:
    sgd, gd = run.sgd.tail(), run.gd.tail()

    assert run.aligned
    assert not run.opposed
    assert sgd.imbalance < 0.25 * gd.imbalance
    assert sgd.cosine > 0.9
    assert sgd.imbalance < run.sgd.tail(centred=True).imbalance


def test_without_label_noise_all_noise_is_on_one_side(
    run: auto.AutoencoderRun,
) -> None:
    clean, noisy = run.clean_descent, run.noisy_descent

    assert run.one_sided
    assert run.runs_off
    assert clean.lam_there == math.inf
    assert clean.slope == pytest.approx(clean.predicted_slope, rel=0.1)
    assert math.isfinite(noisy.lam_there)
    assert noisy.largest > 1e6 * noisy.rounding


def test_balance_route_and_its_twin(ask: Ask) -> None:
    held, twin = (
        ask("autoencoder_balance", "balance"),
        ask("autoencoder_balance", "reverse"),
    )

    assert held.verdict is Verdict.SUPPORTED
    assert len(held.figures) == 5
    assert any("for every sample" in step for step in held.steps)
    assert "no balance exists at a minimum" in held.summary
    assert twin.verdict is Verdict.REFUTED
    assert twin.counterexample is not None


def test_gd_in_the_place_of_sgd_is_not_called_balanced(
    run: auto.AutoencoderRun, ask: Ask
) -> None:
    same = ask("autoencoder_balance", "balance", sgd=run.gd)
    swapped = ask("autoencoder_balance", "balance", sgd=run.gd, gd=run.sgd)

    assert {same.verdict, swapped.verdict} == {Verdict.REFUTED}
    twin = ask("autoencoder_balance", "reverse", sgd=run.gd, gd=run.sgd)
    assert twin.verdict is Verdict.SUPPORTED


def test_the_run_without_label_noise_is_never_called_balanced(
    run: auto.AutoencoderRun, ask: Ask
) -> None:
    """Exchanging the arms with and without label noise must not go unnoticed."""
    problem, net = data()
    rng = np.random.default_rng(0)
    noisy = training.Training(
        problem, net, TINY.falling_rates, every=40, draws=0, rng=rng
    )

    assert not replace(run, sgd=run.clean).aligned
    assert not replace(run, clean=noisy.trajectory).one_sided
    exchanged = {
        "noisy_descent": run.clean_descent,
        "clean_descent": run.noisy_descent,
    }
    evidence = ask("autoencoder_balance", "balance", **exchanged)
    assert evidence.verdict is Verdict.REFUTED


def test_a_run_that_decides_nothing_is_inconclusive(
    run: auto.AutoencoderRun, ask: Ask
) -> None:
    """λ* without label noise fails to grow with the halvings: no verdict."""
    reversed_ = replace(run.clean, second=run.clean.second[::-1])
    evidence = ask("autoencoder_balance", "balance", clean=reversed_)

    assert evidence.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("clean", [True, False])
def test_one_side_vanishes_at_the_best_lower_layer_only_for_clean_targets(
    clean: bool,
) -> None:
    """W = U⁺ leaves r = (P − 1)x, orthogonal to the range of U, from any U at all."""
    problem, net = data(clean)
    best = training._best_lower(problem, net)
    largest = np.abs(problem.samples(best).v).max()

    assert (largest <= training._least_squares_rounding(problem, best)) is np.bool(
        clean
    )
    g_W = best.gradient(problem.x, problem.y)[1]  # W is stationary in both cases
    assert (
        np.abs(g_W).max() < 1e-9 * np.abs(net.gradient(problem.x, problem.y)[1]).max()
    )


def test_descent_reaches_a_minimum() -> None:
    problem, net = data()
    descent = training.descend(problem, net, 64)

    assert (np.diff(descent.excess) <= 1e-12).all()
    assert descent.excess[0] > 1e-3


def test_descent_never_passes_on_nan(run: auto.AutoencoderRun) -> None:
    clean = run.clean_descent
    broken: list[Descent] = [
        replace(clean, largest=math.nan),
        replace(clean, lam=np.full_like(clean.lam, math.nan)),
        replace(clean, predicted_slope=math.nan),
    ]

    for descent in broken:
        assert not replace(run, clean_descent=descent).runs_off


def test_measures_of_the_sides() -> None:
    one, two = np.diag([1.0, 2.0]), np.array([[1.0, 0.5], [0.5, 3.0]])
    sides = Sides(one, two)
    scaled = Sides(one, 7.0 * one)

    assert Sides(two, two).imbalance == 0.0
    assert Sides(one, np.zeros((2, 2))).imbalance == 1.0
    assert sides.cosine == pytest.approx(7.0 / math.sqrt(5.0 * 10.5))
    assert scaled.cosine == pytest.approx(1.0)  # a cosine alone is blind to size
    assert scaled.imbalance == pytest.approx(0.75)
    assert scaled.lam == pytest.approx(-math.log(7.0) / 4)


# Odds and ends


def test_run_is_reproducible_and_seeds_differ() -> None:
    settings = replace(TINY, steps=80, every=10, decay_steps=2, sweeps=2)
    one, same, other = (run_tiny(seed, settings) for seed in (5, 5, 6))

    np.testing.assert_array_equal(one.sgd.second, same.sgd.second)
    assert one.factor == same.factor
    assert not np.allclose(one.sgd.charge, other.sgd.charge)
    np.testing.assert_array_equal(one.sgd.second[0], one.gd.second[0])  # same start


def test_prediction_is_the_motion_where_the_past_determines_it() -> None:
    """The mean over all first steps from the start is 4η² times the difference."""
    problem, net = data()
    lr, steps = 0.008, []
    for i in range(len(problem.x)):
        g = net.gradient(problem.x[i : i + 1], problem.y[i : i + 1])
        steps.append(net.stepped(*g, lr=lr).charge - net.charge)
    up, down = problem.samples(net).second()

    mean = np.mean(np.array(steps), axis=0)
    np.testing.assert_allclose(mean, 4 * lr**2 * (up - down), rtol=1e-6, atol=1e-10)


def test_figures_are_complete_and_small(run: auto.AutoencoderRun) -> None:
    for figure in (*flow_figures(run), *balance_figures(run)):
        assert figure.title
        assert figure.caption
        for series in figure.series:
            assert 2 <= len(series.x) <= 200
            assert np.isfinite([*series.x, *series.y]).all()


@pytest.mark.parametrize(
    "route", ["autoencoder_law", "autoencoder_flow", "autoencoder_balance"]
)
def test_routes_stand_aside(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a subject of the user's, and without the digits."""
    ask, subject = getattr(routes, route), Fraction(1)
    declared = context(subject=tuple(catalogue())[:1])
    assert ask(subject, declared).verdict is Verdict.NOT_APPLICABLE

    monkeypatch.setattr(_digits, "_DIGITS", "no_such_package")
    monkeypatch.setattr(routes, "_run", routes._run.__wrapped__)
    missing = ask(subject, context())
    assert missing.verdict is Verdict.NOT_APPLICABLE
    assert "scikit-learn" in missing.summary


def test_an_empty_stretch_is_refused(run: auto.AutoencoderRun) -> None:
    with pytest.raises(ValueError, match="measure more often"):
        run.sgd.mean(1e6, 2e6, centred=False)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="measured steps"):
        replace(TINY, steps=100)
    with pytest.raises(ValueError, match="positive rates"):
        replace(TINY, lr=math.nan)

"""The calibration can fail: broken tools are called unsound, sound ones are not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from verify import _calibration as calibration_of
from verify._calibration import Calibration, calibration, exact_interval, largest_excess
from verify._calibration_ensembles import ENSEMBLES, Inflated, _factorisation
from verify._calibration_tools import TOOLS, factor_level
from verify._context import PROFILE_SIZES, Context
from verify._mutants._edits import in_force
from verify._mutants._mutant import Edit
from verify._routes._ensembles import problem_of, run
from verify._statistics import FactorTest


def only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one ensemble, and fewer repetitions, which suffice for gross faults."""
    monkeypatch.setattr(calibration_of, "ENSEMBLES", ENSEMBLES[:1])
    monkeypatch.setattr(calibration_of, "_REPEATS", {"quick": (70, 24)})


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibration(seed=0)


def test_every_promise_stands_and_every_tool_and_ensemble_is_there(
    found: Calibration,
) -> None:
    assert found.sound
    assert {r.tool for r in found.alarms} == {e.name for e in (*TOOLS, *ENSEMBLES)}
    assert {r.tool for r in found.powers} == {tool.name for tool in TOOLS}
    assert {r.tool for r in found.controls} == {each.name for each in ENSEMBLES}
    assert {r.alpha for r in found.alarms} == {0.05, 0.1, 0.2}
    assert all(r.lower <= r.share <= r.upper for r in found.rates)


def test_some_alarms_were_raised(found: Calibration) -> None:
    """Tools that never fire even at 20 % would make the page worthless."""
    assert sum(r.count for r in found.alarms) > 20
    assert 0.3 < largest_excess(found) < 2.0


def test_same_seed_same_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    only_one(monkeypatch)
    again = [calibration(seed=3).rates for _ in range(2)]

    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (Edit("verify._radii:hoeffding_level", "-2 * n", "-8 * n"), "false alarms"),
        (
            Edit("verify._radii:dkw_level", "2.0 * hoeff", "0.02 * hoeff"),
            "false alarms",
        ),
        (
            Edit(
                "verify._assert_rates:binomial_level",
                "2.0 * min(below, above)",
                "min(below, above)**2",
            ),
            "false alarms",
        ),
        (Edit("verify._radii:hoeffding_level", "-2 * n", "-n / 2"), "power"),
        (
            Edit(
                "verify._assert_rates:detectable_binomial",
                "return max(",
                "return 0.3 * max(",
            ),
            "power",
        ),
        (
            Edit(
                "verify._statistics:FactorTest.log_capital_path",
                "np.log1p(FRACTIONS[:, None, None] * odds)",
                "np.log1p(np.abs(FRACTIONS[:, None, None] * odds))",
            ),
            "false alarms",
        ),
    ],
)
def test_a_broken_tool_is_found_out(
    edit: Edit, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_one(monkeypatch)
    with in_force((edit,)):
        broken = calibration()

    assert not broken.sound
    assert {r.what for r in broken.rates if not r.sound} >= {what}


def test_an_ensemble_with_a_wrong_law_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Σ not centred in the prediction: the true factor is rejected too often."""
    only_one(monkeypatch)
    old, new = "predicted = eta * problem", "predicted = 3 * eta * problem"
    with in_force((Edit("verify._routes._ensembles:run", old, new),)):
        broken = calibration()

    unsound = [r for r in broken.rates if not r.sound]
    assert {r.tool for r in unsound} == {ENSEMBLES[0].name}


def test_a_test_that_never_fires_fails_its_control(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaf = replace(ENSEMBLES[0], p_values=lambda rng, n: (np.ones(n), np.ones(n)))
    monkeypatch.setattr(calibration_of, "ENSEMBLES", (deaf,))
    found = calibration()

    assert [r.what for r in found.rates if not r.sound] == ["control"]


def test_nothing_run_is_not_sound() -> None:
    assert not Calibration(0, "quick", (), (), 0.0).sound


@pytest.mark.parametrize("n", [1, 7, 20])
def test_the_exact_interval_covers_for_every_probability(n: int) -> None:
    """By enumeration: P(interval holds p) ≥ 99 % for p on a grid, ends included."""
    intervals = [exact_interval(k, n) for k in range(n + 1)]
    for p in np.linspace(0.0, 1.0, 101):
        held = [low <= p <= high for low, high in intervals]
        cover = float(stats.binom.pmf(np.arange(n + 1), n, p)[held].sum())
        assert cover >= 0.99 - 1e-12


def test_the_level_of_a_factor_agrees_with_the_interval() -> None:
    test = FactorTest()
    x = (np.random.default_rng(5).random(300) < 0.55).astype(float)
    test.add(x, predicted=0.4, lower=0.0, upper=1.0)
    level = factor_level(test, 1.0)

    assert 0.0 < level < 0.5
    assert test.interval(1.01 * level).excludes(1.0)
    assert not test.interval(level / 1.01).excludes(1.0)


def test_an_inflated_context_changes_the_level_only() -> None:
    plain = Context(PROFILE_SIZES["quick"], 7, "x")
    inflated = Inflated(plain.profile, 7, "x", level=0.2)

    assert inflated.alpha == 0.2
    assert plain.alpha < 1e-8
    assert inflated.key("a", 1) == plain.key("a", 1)


def test_the_simulated_instance_is_not_small_and_is_noisy() -> None:
    case = problem_of(_factorisation(), 6)
    tested, _, _ = run(case, np.random.default_rng(0), 5, "sgd")

    assert case.theta.shape == (6, 6)
    assert tested.observations == 30
    assert len(set(itertools.chain(*case.A.tolist()))) > 2


def test_figures_show_a_distribution_function_for_each(found: Calibration) -> None:
    names = [tool.name for tool in TOOLS], [each.name for each in ENSEMBLES]
    for figure, expected in zip(found.figures, names, strict=True):
        labels = [s.label for s in figure.series[1:]]
        assert labels == expected
        for series in figure.series[1:]:
            assert list(series.y) == sorted(series.y)
            assert series.y[-1] == 1.0


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile"):
        calibration(profile="slow")

"""The mutants' table and the calibration's page say what was found."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from reports._mutants_text import mutants_outcome, mutants_table
from reports._page import _ENVIRONMENT
from symbolic import Verdict
from verify._calibration import Calibration, Rate
from verify._evidence import Figure, Series
from verify._mutants._mutant import Mutant, Restated
from verify._mutants._result import MutantResult, MutantRun
from verify._vacuity import Vacuity


def result(name: str, how: str = "", **more: object) -> MutantResult:
    mutant = Mutant(name, "sign", ("c",), Restated(1))
    verdict = Verdict.REFUTED if how else None
    route = "words [red]" if how else ""
    return MutantResult(mutant, how, "c", route, verdict, "", 1, **more)  # type: ignore[arg-type]


RUN = MutantRun(
    3,
    "quick",
    (
        result("a", "refuted"),
        result("b", "lost"),
        result("same", explanation="P² = P."),
        result("small", smallest=34.0),
        result("hidden"),
    ),
    75.0,
)


def text(run: MutantRun, *, every: bool = False) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(mutants_table(run, every=every))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_table_lists_kinds_routes_and_what_is_known_of_survivors() -> None:
    shown = text(RUN)

    assert "words [red]" in shown  # markup in names is text
    assert "P² = P." in shown
    assert "relative discrepancy of 34" in shown
    assert "NOT EXPLAINED" in shown
    assert "refuted" not in shown
    assert "refuted" in text(RUN, every=True)


def test_the_outcome_counts_and_names_what_is_not_explained() -> None:
    assert mutants_outcome(RUN) == (
        "2 of 5 altered formulas noticed (40.0 %), 2 of the other 3 explained "
        "(seed 3, quick, 1 min 15 s). Not explained: hidden."
    )
    assert mutants_outcome(MutantRun(0, "quick", (), 0.0)) == "No formula was altered."


@pytest.mark.parametrize("smallest", [0.0, float("inf")])
def test_a_size_that_does_not_explain_is_not_called_an_explanation(
    smallest: float,
) -> None:
    run = MutantRun(0, "quick", (result("x", smallest=smallest),), 0.0)

    assert "NOT EXPLAINED" in text(run)
    assert run.exit_code == 1


def rate(what: str, *, sound: bool) -> Rate:
    return Rate("<tool>", what, 0.05, 0.05, 3, 100, 0.01, 0.09, 0.5, sound, "a note")


@pytest.mark.parametrize("sound", [True, False])
def test_the_page_of_the_calibration(sound: bool) -> None:
    figure = Figure("f", "x", "y", (Series("s", (0.0, 1.0), (0.0, 1.0)),))
    rates = tuple(rate(w, sound=sound) for w in ("false alarms", "power", "control"))
    page = _ENVIRONMENT.get_template("_calibration.html").render(
        campaign=SimpleNamespace(alpha=1e-6),
        calibration=Calibration(0, "quick", rates, (figure,), 0.0),
        vacuity=(Vacuity("st", 25, {"says nothing": 5, "A = 0": 2, "Σ = 0": 0}),),
        known=set(),
        corrections={},
    )

    assert ("A promise is broken" in page) is not sound
    assert page.count("&lt;tool&gt;") == 3
    assert "<tool>" not in page
    assert "3 of 100" in page
    assert "A = 0: 2</td>" in page
    assert "<svg" in page or "matplotlib" in page
    assert page.count("<section") == page.count("</section>") == 1

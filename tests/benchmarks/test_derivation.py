"""The benchmarks compare before they time, and the comparison can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks._derivation import STAGES, MismatchError, check, methods
from benchmarks._matrices import proposition_2, theorem_2
from benchmarks._measure import Stages, run
from benchmarks._page import page
from benchmarks._reference import Point, Values, reference


POINT = Point.random((2, 2, 2), seed=0)
DOCS = Path(__file__).parents[2] / "docs"


def values_of(name: str) -> tuple[Values, bool]:
    method = methods()[0][name]
    done = run(method.stages(2), STAGES, limit=60.0)
    return method.values(done.results, POINT), done.results["identity"]


@pytest.mark.parametrize("name", methods()[0])
def test_every_method_agrees_with_the_reference(name: str) -> None:
    found, identity = values_of(name)

    assert identity
    check(name, found, reference(POINT), identity=identity)


def test_a_wrong_value_stops_the_run() -> None:
    exact = reference(POINT)
    wrong = replace(exact, trace=Fraction(1, 10**9))
    with pytest.raises(MismatchError, match="expected trace"):
        check("wrong", wrong, exact, identity=True)
    with pytest.raises(MismatchError, match="Noether identity"):
        check("wrong", exact, exact, identity=False)


@pytest.mark.parametrize("theorem", [theorem_2, proposition_2])
def test_the_timed_theorems_are_proved(theorem: Callable[[], Stages]) -> None:
    assert run(theorem, ("all",), limit=60.0).results == {"all": "PROVED"}


def test_the_page_is_that_of_the_saved_results() -> None:
    saved = json.loads((DOCS / "benchmarks" / "results.json").read_text("utf-8"))

    assert page(saved) == (DOCS / "benchmarks.md").read_text("utf-8")

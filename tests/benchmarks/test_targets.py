"""Targets are read from the results of the cases they mean, and missing ones fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from benchmarks._ensembles import PEERS, SHAPES
from benchmarks._equilibrium import DIFFICULTIES, METHODS, SIZES
from benchmarks._models import CASES
from benchmarks._names import (
    BMM,
    JAX_ROOT,
    JAX_RUN,
    L2,
    ON_G,
    ON_H,
    PLAIN,
    ROOT,
    RUN,
    TRACE,
)
from benchmarks._noise import METHODS as NOISE_METHODS
from benchmarks._page import page
from benchmarks._parts import PARTS, merge
from benchmarks._sde import WAYS
from benchmarks._targets import PRINTED, TARGETS, rows, summary


def entry(seconds: float | None, **facts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"error": 0.1, "wrong": False, "failed": "", "note": ""}
    if seconds is not None:
        timing = {"median": seconds, "low": seconds, "high": seconds, "repeats": 5}
        found |= {"seconds": timing, "ratio": timing}
    return found | facts


def reached(part: str, text: str, cases: dict[str, Any]) -> list[str]:
    found = {row[0]: row[1:] for row in rows({part: {"cases": cases, "near": {}}})}
    return found[text]


def noise(ours: float, l2: float | None = 3.0) -> dict[str, Any]:
    return {PLAIN: entry(1.0), TRACE: entry(ours), L2: entry(l2)}


def test_the_worst_case_decides() -> None:
    cases = {
        "MLP N=256 P=670k": noise(1.05),
        "UW N=512": noise(1.2),
        "deep": noise(0.9),
    }

    found = reached("noise", "noise_trace / plain, linear layers", cases)

    assert found == ["≤ 1.1", "1.20 ✗ (UW N=512)", "0.90 ✓ (deep)"]


def test_lower_limits_and_what_is_missing() -> None:
    text = "BackPACK BatchL2Grad / noise_trace"
    good = {"UW N=512": noise(1.0, 1.31), "transformer T=8": noise(2.0, 2.7)}
    missing = {"UW N=512": noise(1.0, None), "transformer T=8": noise(1.0)}

    assert reached("noise", text, good)[1] == "1.31 ✓ (UW N=512)"
    assert reached("noise", text, missing)[1] == "not measured ✗ (UW N=512)"


def test_the_better_of_two_peers_counts_above_the_crossover() -> None:
    text = "simulate / the better of JAX and bmm, S·d > 100"
    cases = {
        "d=50 S=32 tanh": {RUN: entry(1.0), JAX_RUN: entry(0.8), BMM: entry(2.0)},
        "d=50 S=1": {RUN: entry(9.0), JAX_RUN: entry(1.0), BMM: entry(1.0)},
    }

    assert reached("ensembles", text, cases)[1] == "1.25 ✗ (d=50 S=32 tanh)"


def test_the_fastest_compiled_root_finder_counts() -> None:
    text = "JAX or optimistix / noise_equilibrium"
    wrong = entry(None, wrong=True, lost=3, of=9)
    found = {ROOT: entry(1.0, lost=0, of=9), JAX_ROOT: entry(6.0), ON_G: wrong}
    found[ON_H] = entry(9.0)

    assert reached("equilibrium", text, {"n=8 hard": found})[1] == "6.00 ✓ (n=8 hard)"


def test_memory_is_over_that_of_the_plain_pass() -> None:
    found = {PLAIN: entry(1.0, bytes=100), TRACE: entry(1.0, bytes=80)}
    cases = {"UW N=512": found, "deep": {PLAIN: entry(1.0), TRACE: entry(1.0)}}

    cells = reached("noise", "peak memory of noise_trace / plain", cases)

    assert cells == ["≤ 1", "0.80 ✓ (UW N=512)", "not measured ✗ (deep)"]


def test_near_gradients() -> None:
    results = {"noise": {"cases": {}, "near": {TRACE: 2e-5, L2: 0.3}}}

    assert rows(results)[-1][1:3] == ["≤ 1e-05", "2.0e-05 ✗"]
    assert "2.0e-05" in summary(results)


def test_every_part_has_the_printed_cases_and_others() -> None:
    names = {
        "noise": {case.name for case in CASES},
        "ensembles": {shape.net().name for shape in SHAPES},
        "equilibrium": {f"n={n} {d}" for n in SIZES for d in DIFFICULTIES},
    }
    for part, own in names.items():
        assert set(PRINTED[part]) < own
        assert len(own - set(PRINTED[part])) >= 2


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.text)
def test_every_target_reads_what_its_part_measures(target: Any) -> None:
    every_part: dict[str, Iterable[str]] = {
        "noise": NOISE_METHODS,
        "ensembles": {RUN: None, **PEERS},
        "sde": WAYS,
        "equilibrium": METHODS,
    }
    methods = every_part[target.part]
    every = {name: entry(1.0, lost=0, of=1, bytes=1) for name in methods}
    printed = [c for c in PRINTED[target.part] if target.holds_for(c)]

    assert printed
    assert target.read(every) is not None


def test_a_partial_run_keeps_the_other_parts() -> None:
    old = {
        "measured": {"sde": {"machine": {"cpu": "a"}}, "noise": {"machine": {}}},
        "sde": 1,
        "noise": 2,
    }
    new = {"measured": {"sde": {"machine": {"cpu": "b"}}}, "sde": 3}

    found = merge(old, new)

    assert (found["sde"], found["noise"]) == (3, 2)
    assert found["measured"]["sde"]["machine"] == {"cpu": "b"}
    assert list(found["measured"]) == [p for p in PARTS if p in ("sde", "noise")]


def test_the_page_names_what_is_wrong_and_every_machine() -> None:
    facts = {"cpu": "one", "cores": "2"}
    wrong = entry(None, wrong=True, lost=3, of=9)
    absent = entry(None, failed="jax is not installed")
    results = {
        "measured": {
            "equilibrium": {"machine": facts | {"scipy": "1"}, "cpu_seconds": 1.0},
            "sde": {"machine": facts | {"cpu": "other"}, "cpu_seconds": 1.0},
        },
        "equilibrium": {
            "cases": {
                "n=8 hard": {
                    ROOT: entry(1e-7, lost=0, of=9),
                    ON_G: wrong,
                    JAX_ROOT: absent,
                }
            }
        },
    }

    text = page(results)

    assert "| noise_equilibrium | 1 = 100 ns |" in text
    assert f"| {ON_G} | wrong |" in text
    assert f"| {ON_G} | 3 of 9 |" in text
    assert f"Left out (–): {JAX_ROOT}: jax is not installed." in text
    assert "| machine for equilibrium |" in text
    assert "| cpu | other |" in text
    assert "## Paths" not in text

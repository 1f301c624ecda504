"""Methods are checked before they are timed, and what is wrong gets no time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from benchmarks._peers import NotInstalledError, peer
from benchmarks._turns import FEWEST, Builder, Job, compare, fastest


CLOCK = [0.0]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: CLOCK[0])


def burn(seconds: float) -> None:
    CLOCK[0] += seconds


def compared(**builders: Builder) -> dict[str, Any]:
    return compare(builders, base="base", budget=0.0, say=lambda _: None)


def job(seconds: float, error: float | None = 0.5, units: float = 1) -> Builder:
    check = None if error is None else lambda: error
    return lambda: Job(lambda: burn(seconds), units, check, facts={"lost": 3})


def test_a_ratio_is_that_of_the_cpu_time() -> None:
    found = compared(base=job(0.002), double=job(0.004), per_unit=job(0.004, units=2))

    assert found["base"]["ratio"].median == 1
    assert found["double"]["ratio"].median == pytest.approx(2)
    assert found["per_unit"]["ratio"].median == pytest.approx(1)
    assert found["double"]["seconds"].repeats >= FEWEST


@pytest.mark.parametrize("error", [1.001, float("nan"), float("inf")])
def test_what_is_wrong_gets_no_time(error: float) -> None:
    found = compared(base=job(0.001), other=job(0.001, error=error))["other"]

    assert found["wrong"]
    assert "seconds" not in found
    assert "ratio" not in found
    assert found["lost"] == 3


def test_without_the_base_there_are_no_ratios() -> None:
    found = compared(base=job(0.001, error=2.0), other=job(0.001))["other"]

    assert "seconds" in found
    assert "ratio" not in found


def test_what_fails_or_is_missing_is_left_out_and_said() -> None:
    def fails() -> Job:
        raise RuntimeError("no such  layer")

    def missing() -> Job:
        return Job(peer("no_such_package.at_all"), 1)

    said: list[str] = []
    builders: dict[str, Builder] = {"base": job(0.001), "a": fails, "b": missing}
    found = compare(builders, base="base", budget=0.0, say=said.append)

    assert found["a"]["failed"] == "RuntimeError: no such layer"
    assert found["b"]["failed"] == "no_such_package is not installed"
    assert "seconds" in found["base"]
    assert len(said) == 2


def test_a_missing_library_is_named() -> None:
    with pytest.raises(NotInstalledError, match="no_such_package is not installed"):
        peer("no_such_package.at_all")
    assert peer("json.decoder").__name__ == "json.decoder"


def test_the_fastest_way_is_picked() -> None:
    ways = {"slow": lambda: burn(0.02), "fast": lambda: burn(0.001)}

    assert fastest(ways)[0] == "fast"

"""The command `phase`, and the diagram it draws."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st

from noetherflow._phase import phase
from numeric import DataMoments, StationaryDensity
from numeric._stationary.phases import (
    COLLAPSE,
    FINITE_VARIANCE,
    FITTED,
    INFINITE,
    INFINITE_PEAK,
    INFINITE_VARIANCE,
    ZERO,
    last_peak,
    phase_diagram,
)


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(phase, [*args])
    return result.exit_code, result.output


def test_regions_follow_the_density_itself() -> None:
    """The names agree with p near 0 and with a search for maxima on a grid."""
    T = np.array([0.03, 0.08, 0.14, 0.18, 0.22, 0.3, 0.4])
    data = DataMoments.gaussian(1, 1)
    (row,) = phase_diagram(2, 1, [data], T).regions
    for name, t in zip(row, T, strict=True):
        law = StationaryDensity(2, 1, moments=data, T=float(t))
        if name == COLLAPSE:
            assert law.mass_at_zero == 1
            continue
        v = np.geomspace(1e-9, 5, 4001)
        p = law.pdf(v)
        assert (p[0] < p[40]) == (name == ZERO)
        maxima = (p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])
        assert maxima.any() == (name in {ZERO, INFINITE_PEAK})


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    k=st.floats(0.2, 3).map(lambda x: round(x, 2)),
    sigma=st.floats(0.1, 4).map(lambda x: round(x, 2)),
    sign=st.sampled_from((1, -1)),
    share=st.floats(0, 0.9).map(lambda x: round(x, 2)),
)
def test_the_last_peak_is_where_the_density_loses_it(
    k: float, sigma: float, sign: int, share: float
) -> None:
    data, gamma = DataMoments.gaussian(sign * k, sigma), share * k
    law = StationaryDensity(2, 1, moments=data, T=1.0, gamma=gamma)
    critical = law.critical_temperature
    end = last_peak(data, gamma, critical)

    assert end >= critical / 3
    assert end <= critical

    for T, there in ((end * 0.999, True), (end * 1.001, False)):
        if critical > T and abs(3 * T / critical - 1) > 1e-6:
            at = StationaryDensity(2, 1, moments=data, T=T, gamma=gamma)
            assert math.isfinite(at.peak()) == there


def test_the_printed_peak_temperature() -> None:
    """T* of P2; above σ² = 14k²/3 the root it describes is at v < 0, and no peak."""
    k, sigma = 1.0, 1.0
    printed = (4 * k + math.sqrt(42) * sigma) / (4 * (21 * sigma**2 - 8 * k**2))
    critical = k / (2 * k * k + sigma**2)

    assert last_peak(DataMoments.gaussian(k, sigma), 0, critical) == pytest.approx(
        printed, rel=1e-12
    )

    sigma = 3.0
    critical = k / (2 * k * k + sigma**2)
    printed = (4 * k + math.sqrt(42) * sigma) / (4 * (21 * sigma**2 - 8 * k**2))

    assert printed > critical / 3
    assert last_peak(DataMoments.gaussian(k, sigma), 0, critical) == critical / 3


def test_other_depths_have_their_own_regions() -> None:
    data = [DataMoments.gaussian(1, 1)]

    assert phase_diagram(1, 1, data, [0.4, 0.6]).regions == (
        (FINITE_VARIANCE, INFINITE_VARIANCE),
    )
    assert phase_diagram(3, 2, data, [0.1, 10]).regions == ((ZERO, ZERO),)
    assert phase_diagram(3, 2, data, [0.1, 10], 0.1).regions == ((COLLAPSE, COLLAPSE),)
    assert phase_diagram(2, 1, [DataMoments.gaussian(1, 0)], [0.1]).regions == (
        (FITTED,),
    )
    with pytest.raises(ValueError, match="at least one data set"):
        phase_diagram(2, 1, [], [0.1])
    with pytest.raises(ValueError, match="T = eta/S > 0"):
        phase_diagram(2, 1, data, [0.0, 0.1])


def test_the_command_writes_what_the_density_says(tmp_path: Path) -> None:
    code, text = run(
        *("--depth", "2", "--noise", "0:2:5", "--temperature", "0.05:0.45:9"),
        *("--gamma", "0.1", "-o", str(tmp_path)),
    )

    assert code == 0, text
    found = json.loads((tmp_path / "phase.json").read_text())
    assert found["schema"] == 1
    assert len(found["noise"]) == 5
    assert len(found["temperature"]) == 9
    assert found["noise"][-1] == 2
    for sigma, row, modes, critical in zip(
        found["noise"][1:],
        found["regions"][1:],
        found["mode"][1:],
        found["boundaries"]["critical_temperature"][1:],
        strict=True,
    ):
        assert critical == pytest.approx(0.9 / (2 + sigma**2))
        for T, name, mode in zip(found["temperature"], row, modes, strict=True):
            assert (name == COLLAPSE) == (critical <= T)
            assert (name in {INFINITE, INFINITE_PEAK}) == (critical / 3 <= T < critical)
            data = DataMoments.gaussian(1, sigma)
            law = StationaryDensity(2, 1, moments=data, T=T, gamma=0.1)
            assert mode == law.mode()
    pytest.importorskip("matplotlib")
    root = ElementTree.parse(tmp_path / "phase.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "collapse" in text


def test_the_same_bytes_again(tmp_path: Path) -> None:
    args = ("--depth", "3", "--width", "4", "--noise", "0.5:2:3")
    for name in ("a", "b"):
        run(*args, "--temperature", "0.1:1:3", "-o", str(tmp_path / name))
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--depth", "2", "--noise", "3:1"), "0 <= LO < HI"),
        (("--depth", "2", "--noise", "1"), "LO:HI"),
        (("--depth", "2", "--noise", "nan:1"), "0 <= LO < HI"),
        (("--depth", "2", "--noise", "0:1:1"), "2 <= n <= 400"),
        (("--depth", "2", "--noise", "0:1", "--temperature", "0:1"), "0 < LO < HI"),
        (("--depth", "0", "--noise", "0:1"), "x>=1"),
        (("--depth", "2", "--noise", "0:1", "--slope", "inf"), "finite numbers"),
        (("--depth", "2", "--noise", "0:1", "--slope", "1e200"), "finite number"),
        (("--depth", "2", "--noise", "0:1", "--gamma", "-1"), "x>=0"),
    ],
)
def test_it_says_what_it_expected(args: tuple[str, ...], words: str) -> None:
    code, text = run(*args)

    assert code == 2
    assert words in " ".join(text.split())


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    code, text = run("--depth", "2", "--noise", "1:2:2", "-o", str(file))

    assert code == 2
    assert "expected a folder" in text
    assert file.read_text() == ""

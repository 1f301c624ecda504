"""Figures: deterministic, self-contained, independent of the user's settings."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from reports._drawing import _svg, draw
from tests.reports import fake
from verify import Figure, Series


FIGURES = [figure for claim in fake.campaign().claims for figure in claim.figures]


def identifiers(svg: str) -> set[str]:
    return {node.get("id", "") for node in ET.fromstring(svg).iter()} - {""}


@pytest.mark.parametrize("figure", FIGURES, ids=range(len(FIGURES)))
def test_a_figure_is_one_xml_element_and_the_same_twice(figure: Figure) -> None:
    svg = str(draw(figure, "key"))

    assert ET.fromstring(svg.partition("<p ")[0]).tag.endswith("svg")
    _svg.cache_clear()
    assert svg == draw(figure, "key")
    assert "#010203" not in svg
    assert "metadata" not in svg


def test_settings_of_the_user_do_not_show() -> None:
    plain = draw(FIGURES[0], "key")
    _svg.cache_clear()
    with mpl.rc_context({"font.size": 40.0, "xtick.major.size": 20.0}):
        assert draw(FIGURES[0], "key") == plain
        assert mpl.rcParams["font.size"] == 40.0


def test_two_figures_share_no_id() -> None:
    first, second = (identifiers(draw(FIGURES[0], key)) for key in ("f-1", "f-2"))

    assert first
    assert not first & second


def test_every_kind_and_group_is_drawn() -> None:
    x = (1.0, 2.0, 3.0)
    line = Series("line", x, x)
    for other in (
        Series("dashed", x, x, kind="dashed"),
        Series("points", x, x, kind="points"),
        Series("band", x, x, (2.0, 3.0, 4.0), kind="band"),
        Series("line", x, x, group=1),
        Series("line", x, x, group=-1),
    ):
        pictures = [
            draw(Figure("t", "x", "y", (series,)), "k").split("</desc>")[1]
            for series in (line, other)
        ]
        assert pictures[0] != pictures[1]


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
@pytest.mark.parametrize("y", [(), (math.nan,), (math.inf, -math.inf), (-1.0, 0.0)])
def test_data_that_cannot_be_drawn_still_give_a_figure(
    y: tuple[float, ...], scale: str
) -> None:
    series = Series("y", tuple(map(float, range(len(y)))), y)
    figure = Figure("t", "x", "y", (series,), yscale=scale)

    lost = [v for v in y if not math.isfinite(v) or (scale == "log" and v <= 0)]
    svg, _, note = draw(figure, "k").partition("<p ")

    assert ET.fromstring(svg).tag.endswith("svg")
    assert (f": {len(lost)} points" in note) == bool(lost)


def test_points_without_a_place_are_counted() -> None:
    x, y = (0.0, 1.0, 2.0, math.nan), (1.0, -1.0, 1.0, 1.0)
    band = Series("", x, y, (2.0, 2.0, math.inf, 2.0), kind="band")

    for scale, count in (("linear", 2), ("log", 3)):
        figure = Figure("t", "x", "y", (band,), yscale=scale)
        assert f": {count} points" in draw(figure, "k")
    assert " points;" not in draw(FIGURES[0], "k")


@pytest.mark.parametrize("label", ["_hidden", "$", "$\\frac{$", "漢字", "a<b&c", "--"])
def test_any_label_can_be_set(label: str) -> None:
    figure = Figure(label, label, label, (Series(label, (0.0, 1.0), (0.0, 1.0)),))

    root = ET.fromstring(draw(figure, "k"))

    (legend,) = (node for node in root.iter() if node.get("id") == "k-legend_1")
    assert root[0].text == label
    assert any(node.get("id", "").startswith("k-text") for node in legend.iter())

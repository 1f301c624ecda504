"""The HTML page: whole, self-contained, and deaf to hostile strings."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import reports._drawing
import reports._notation
from reports import render_html, to_json
from symbolic import Verdict
from tests.reports import fake
from verify import TwinResult


VOID = {"meta", "br", "hr", "img", "input", "link", "col"}


class Page(HTMLParser):
    """A page taken apart; a tag closed out of order is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data

    def values(self, name: str) -> list[str]:
        """Return the values of all attributes of this name."""
        return [value for _, found, value in self.attributes if found == name]


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(fake.campaign())


@pytest.fixture(scope="module")
def parts(page: str) -> Page:
    return Page(page)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out where a test does not look at them: they take a second."""
    monkeypatch.setattr(reports._drawing, "HAS_MATPLOTLIB", False)


def test_two_renders_are_the_same_bytes(page: str) -> None:
    assert render_html(fake.campaign()) == page


def test_nothing_runs_and_nothing_is_loaded(page: str, parts: Page) -> None:
    assert "<script" not in page
    banned = {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not banned & parts.tags.keys()
    assert not [name for _, name, _ in parts.attributes if name.startswith("on")]
    assert not parts.values("src")
    assert all(href.startswith("#") for href in parts.values("href"))
    without_namespaces = re.sub(r' xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?:|@import|javascript:", without_namespaces)
    assert set(re.findall(r"url\((.)", page)) <= {"#"}


def test_links_lead_somewhere_and_ids_are_unique(page: str, parts: Page) -> None:
    ids = parts.values("id")
    targets = {href.removeprefix("#") for href in parts.values("href")}
    targets |= set(re.findall(r"url\(#([^)]*)\)", page))
    labels = {
        word for value in parts.values("aria-labelledby") for word in value.split()
    }

    assert len(ids) == len(set(ids))
    assert targets | labels <= set(ids)


def test_hostile_strings_are_shown_and_do_nothing(page: str, parts: Page) -> None:
    assert fake.HOSTILE in parts.text
    assert page.count("</style>") == parts.tags["style"] == 1


def test_formulas_are_mathml_and_not_dollars(page: str, parts: Page) -> None:
    assert parts.tags["math"] > 40
    assert r"\operatorname" not in parts.text
    assert '<mover class="accent"><mi>C</mi><mo>˙</mo></mover>' in page


def test_every_figure_is_drawn_with_a_name(parts: Page) -> None:
    wanted = sum(len(claim.figures) for claim in fake.campaign().claims)

    assert wanted > 4
    assert parts.tags["figure"] == parts.tags["svg"] == wanted
    assert parts.values("role").count("img") == wanted


def test_published_and_corrected_point_at_each_other(page: str) -> None:
    link = '<a class="id" href="#claim-{0}">{0}</a>'

    assert f"Corrects the published {link.format('p1.eq11.published')}." in page
    assert f"Corrected by {link.format('p1.eq11.corrected')}." in page
    assert 'Corrects the published <span class="id">p1.thm2.published</span>.' in page


def test_all_that_a_claim_says_is_there(parts: Page) -> None:
    words = " ".join(parts.text.split())

    for text in (
        "A rotation,",
        "240, of which 7 trivial",
        "≤ 2.5 × 10⁻⁸",
        "1.4 × 10⁻¹³",
        "a relative discrepancy of 0.012",
        "left-hand side-3/8",
        "Both sides are exact",
        "Both sides are rounded",
        "noetherflow verify p1.eq7 --seed 0 --profile standard",
        "The routes disagree:",
        "its false twin, which must be refuted, came out PROVED",
        "a relative discrepancy of ∞",
        "3 min 04 s",
        *(verdict.value for verdict in Verdict),
    ):
        assert text in words.replace("left-hand side -", "left-hand side-")


@pytest.mark.usefixtures("no_figures")
def test_as_expected_is_said_only_when_it_is_so() -> None:
    assert "All 9 claims as expected." in render_html(fake.calm())
    assert "not as expected:" in render_html(fake.campaign())


@pytest.mark.usefixtures("no_figures")
def test_an_overspent_budget_is_said() -> None:
    campaign = fake.calm()

    assert "which they exceed" not in render_html(campaign)
    assert "which they exceed" in render_html(replace(campaign, alpha=1e-9))


def test_an_empty_campaign_is_no_success() -> None:
    page = render_html(replace(fake.campaign(), claims=()))

    assert "Nothing was checked." in page
    assert 'class="outcome bad"' in page


def test_figures_of_a_twin_are_left_to_the_document() -> None:
    claim = fake.flow()
    twin = TwinResult("false", "Twin.", Verdict.PROVED, claim.evidence)
    campaign = replace(fake.campaign(), claims=(replace(claim, twin=twin),))
    parts = Page(render_html(campaign))

    assert parts.tags["svg"] == 1
    assert "Figures: as for the claim" in parts.text
    assert to_json(campaign).count('"series"') == 2
    assert len(parts.values("id")) == len(set(parts.values("id")))


def test_without_the_extra_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports._drawing, "HAS_MATPLOTLIB", False)
    monkeypatch.setattr(reports._notation, "HAS_MATH_CORE", False)
    page = render_html(fake.campaign())
    parts = Page(page)

    assert parts.tags["svg"] == parts.tags["math"] == 0
    assert 'pip install "noetherflow[report]"' in parts.text
    assert r"\text{<script>alert(1)</script>}" in parts.text
    assert "<script" not in page

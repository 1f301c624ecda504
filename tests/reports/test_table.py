"""The terminal table, at 80 columns and without colour."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from reports import terminal_table
from tests.reports import fake
from verify import Campaign


def printed(campaign: Campaign, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(terminal_table(campaign))
    return stream.getvalue()


def test_eighty_columns_hold_everything() -> None:
    text = printed(fake.campaign())
    rows = [line.split() for line in text.splitlines()]

    assert all(len(line) <= 80 for line in text.splitlines())
    for claim in fake.campaign().claims:
        (row,) = (row for row in rows if row[:1] == [claim.id])
        assert claim.verdict.name.split("_")[0] in row
    assert "…" not in text


def test_surprises_are_said_in_words() -> None:
    text = printed(fake.campaign())

    assert "INCONCLUSIVE" in text
    assert text.count("unexpected") == 2
    assert text.count("disagreement") == 1
    assert "2 of 11 claims not as expected" in text
    assert "unexpected" not in printed(fake.calm())
    assert "All 9 claims as expected." in printed(fake.calm())


def test_the_summary_counts() -> None:
    text = " ".join(printed(fake.campaign()).split())

    assert "5 proved, 1 certified, 1 supported, 1 inconclusive" in text
    assert "(seed 0, standard, 184.2 s)" in text


def test_markup_in_a_title_is_not_read_as_style() -> None:
    campaign = replace(fake.campaign(), claims=(fake.claim("a", "[red]Tr[ΣA][/red]"),))

    assert "[red]Tr[ΣA][/red]" in printed(campaign)


def test_nothing_checked() -> None:
    text = printed(replace(fake.campaign(), claims=()))

    assert "Nothing was checked." in text

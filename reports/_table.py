"""The campaign as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports._words import outcome, verdict_name
from symbolic import Verdict
from verify import Campaign, ClaimResult


_STYLES = {
    Verdict.PROVED: "green",
    Verdict.CERTIFIED: "cyan",
    Verdict.SUPPORTED: "blue",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.REFUTED: "magenta",
}


def terminal_table(campaign: Campaign) -> RenderableType:
    """Return the campaign as a table with the outcome below it.

    Whether colour is used is the console's decision; nothing is said by colour alone.
    What does not apply to a user's declaration is counted, not listed.

    Args:
        campaign: the finished run.

    Returns:
        Anything `rich.console.Console.print` takes; made for 80 columns or more.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0), expand=True)
    table.add_column("claim", overflow="fold", max_width=20)
    table.add_column("title", ratio=1, min_width=14, overflow="fold")
    for name in ("verdict", "expected", "twin"):
        table.add_column(name, max_width=12)
    table.add_column("s", justify="right", no_wrap=True)
    listed = [claim for claim in campaign.claims if not claim.excused]
    for claim in listed:
        table.add_row(*_row(claim))
    parts = [Text(_totals(campaign)), Text(outcome(campaign), style="bold")]
    if left_out := len(campaign.claims) - len(listed):
        parts.insert(0, Text(f"Not listed: {left_out} about something else.", "dim"))
    return Group(table, *parts)


def _row(claim: ClaimResult) -> tuple[Text, ...]:
    """Return the cells of one claim."""
    reached = claim.excused or claim.verdict.at_least(claim.expected)
    reached = reached and not claim.disagreement
    return (
        Text(claim.id),
        Text(claim.title.replace("$", "")),
        _cell(claim.verdict, expected=reached, disagreement=claim.disagreement),
        Text(verdict_name(claim.expected)),
        _cell(claim.twin.verdict, expected=claim.excused or claim.twin.as_expected),
        Text(f"{claim.seconds:.1f}"),
    )


def _cell(verdict: Verdict, *, expected: bool, disagreement: bool = False) -> Text:
    """Return a verdict, with a word below it where it is a surprise."""
    cell = Text(verdict_name(verdict), style=_STYLES[verdict])
    if disagreement:
        cell.append("\ndisagreement", style="bold red")
    elif not expected:
        cell.append("\nunexpected", style="bold red")
    return cell


def _totals(campaign: Campaign) -> str:
    """Return the counts and what the run can be repeated with, on one line."""
    counts = ", ".join(
        f"{count} {name.replace('_', ' ').lower()}"
        for name, count in campaign.summary.items()
    )
    run = f"seed {campaign.seed}, {campaign.profile}, {campaign.seconds:.1f} s"
    return f"{counts or 'no claims'} ({run})"

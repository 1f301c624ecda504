"""The mutants as a table for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports._words import duration, number


if TYPE_CHECKING:
    from verify import MutantResult, MutantRun

_FAMILIES = {
    "statement": "statements altered, given to the claims' own routes",
    "toolkit": "the toolkit's own formulas altered",
}


def mutants_table(run: MutantRun, *, every: bool = False) -> RenderableType:
    """Return who noticed which altered formula, made for 80 columns or more.

    Args:
        run: the finished run.
        every: whether the mutants killed are listed one by one too.

    Returns:
        Anything `rich.console.Console.print` takes: counts by kind, survivors with
        what is known of them, routes by kills, and one line in all.
    """
    parts: list[RenderableType] = [_kinds(run), _killers(run)]
    if every:
        parts.append(_listed(run))
    if run.survivors:
        parts.append(_survivors(run.survivors))
    parts.append(Text(mutants_outcome(run), style="bold"))
    return Group(*parts)


def mutants_outcome(run: MutantRun) -> str:
    """Return the outcome in one sentence or two.

    Args:
        run: the finished run.
    """
    total = len(run.results)
    if not total:
        return "No formula was altered."
    unknown = [r.mutant.name for r in run.survivors if not r.explained]
    rest = len(run.survivors)
    text = (
        f"{run.killed} of {total} altered formulas noticed ({100 * run.share:.1f} %), "
        f"{rest - len(unknown)} of the other {rest} explained "
        f"(seed {run.seed}, {run.profile}, {duration(run.seconds)})."
    )
    if unknown:
        text += f" Not explained: {'; '.join(unknown)}."
    return text


def _kinds(run: MutantRun) -> Table:
    table = _table("kind of alteration", "killed", "of")
    for family, words in _FAMILIES.items():
        killed, total = run.counts("family").get(family, (0, 0))
        table.add_row(Text(words, style="bold"), str(killed), str(total))
    table.add_section()
    for kind, (killed, total) in sorted(run.counts("kind").items()):
        table.add_row(Text(kind), str(killed), str(total))
    return table


def _killers(run: MutantRun) -> Table:
    table = _table("first route to notice", "kills")
    for route, kills in run.killers.items():
        table.add_row(Text(route), str(kills))
    return table


def _listed(run: MutantRun) -> Table:
    table = _table("mutant", "claim", "noticed by", "how")
    for result in run.results:
        if result.killed:
            cells = (result.mutant.name, result.claim, result.route, result.how)
            table.add_row(*map(Text, cells))
    return table


def _survivors(survivors: tuple[MutantResult, ...]) -> Table:
    table = _table("survivor", "what is known of it")
    for result in survivors:
        table.add_row(Text(result.mutant.name), Text(_known(result)))
    return table


def _known(result: MutantResult) -> str:
    """Return why a survivor survives, or how large it must be to be noticed."""
    size = result.smallest
    if result.explanation:
        return str(result.explanation)
    if size is None:
        return "NOT EXPLAINED"
    if size == 0:
        return "NOT EXPLAINED: the smallest change of the same number is noticed"
    if math.isinf(size):
        return "NOT EXPLAINED: no size of it is noticed"
    return f"too small here: noticed from a relative discrepancy of {number(size)} on"


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for name in others:
        number_like = name in {"killed", "of", "kills"}
        table.add_column(
            name, overflow="fold", justify="right" if number_like else "left"
        )
    return table

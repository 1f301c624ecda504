"""The lines of a derivation, and how a notebook or a paper shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation: the rule used, and the LaTeX of what it gave."""

    rule: str
    latex: str


def aligned(steps: Sequence[Step]) -> str:
    """Return the steps as an aligned LaTeX environment."""
    lines = [rf"&\text{{{step.rule}}} && {step.latex}" for step in steps]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def table(title: str, steps: Sequence[Step]) -> str:
    """Return the steps as an HTML table, formulas between dollar signs.

    Args:
        title: any text.
        steps: the steps.

    Returns:
        HTML in which no text of the user is markup.

    >>> table("a <b>", [Step("rule", "x")]).count("<b>")
    0
    """
    rows = [
        f'<tr><td style="text-align:left">{escape(step.rule)}</td>'
        f'<td style="text-align:left">${escape(step.latex)}$</td></tr>'
        for step in steps
    ]
    body = "\n".join(rows)
    return f"<table>\n<caption>{escape(title)}</caption>\n{body}\n</table>"

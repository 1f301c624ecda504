"""A statement with the routes that check it: `Claim`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._result import Breakage


Route = Callable[[Any, Context], Evidence]


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of the theory.

    Attributes:
        id: the id, such as "p1.eq7".
        title: a few words.
        statement: the statement; LaTeX between dollar signs.
        formula: the central formula, as LaTeX.
        source: paper and equation.
        form: "published", "corrected" or "own".
        expected: the verdict expected.
        discrepancy: the discrepancy that would matter.
        subject: the statement as the routes take it: factors, a formula, a hypothesis.
        twin_statement: the altered statement.
        twin_subject: the altered statement as the routes take it.
        routes: at least two, sharing no code that computes the quantity.
        assumptions: each with what breaks without it.
        derivation: the argument in lines.
        amends: id of the published claim it corrects.
        note: a remark for the reader.
    """

    id: str
    title: str
    statement: str
    formula: str
    source: str
    form: str
    expected: Verdict
    discrepancy: str
    subject: Any
    twin_statement: str
    twin_subject: Any
    routes: tuple[Route, ...]
    assumptions: tuple[Breakage, ...] = ()
    derivation: tuple[str, ...] = ()
    amends: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.form not in {"published", "corrected", "own"}:
            raise ValueError(
                f"expected form published, corrected or own, got {self.form!r}"
            )
        if len(self.routes) < 2:
            raise ValueError(
                f"{self.id}: expected at least two routes, got {len(self.routes)}"
            )

    @property
    def twin_kind(self) -> str:
        """Return "true" for a claim that should be REFUTED, else "false"."""
        return "true" if self.expected is Verdict.REFUTED else "false"

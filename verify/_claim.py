"""A statement with the routes that check it: `Claim`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symbolic import Declaration, NoCharge, Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._instances import derived_charge
from verify._result import Breakage


Route = Callable[[Any, Context], Evidence]
_KINDS = {
    "linear": "linear, with A ≠ Aᵀ",
    "affine": "affine, J = Aθ + b with b ≠ 0",
    "nonlinear": "nonlinear",
}


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
        about: "exponential", "charge" (any symmetry with one) or "symmetry" (any).
        needs_loss: whether there is nothing to check without a loss.
        shares: the experiment whose run several claims share ("" for none); they are
            checked in one process.
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
    about: str = "exponential"
    needs_loss: bool = True
    shares: str = ""

    def __post_init__(self) -> None:
        if self.form not in {"published", "corrected", "own"}:
            raise ValueError(
                f"expected form published, corrected or own, got {self.form!r}"
            )
        if self.about not in {"exponential", "charge", "symmetry"}:
            raise ValueError(
                f"expected about exponential, charge or symmetry, got {self.about!r}"
            )
        if len(self.routes) < 2:
            raise ValueError(
                f"{self.id}: expected at least two routes, got {len(self.routes)}"
            )

    def why_not(self, declaration: Declaration) -> str | None:
        """Return which assumption a declaration fails, or None.

        Args:
            declaration: what a user brings.
        """
        symmetry = declaration.symmetry
        if self.about == "exponential" and symmetry.kind != "exponential":
            return (
                "The statement is about exponential symmetries, J = Aθ with A = Aᵀ; "
                f"the one declared is {_KINDS[symmetry.kind]}."
            )
        if self.about == "charge":
            try:
                derived_charge(declaration)
            except NoCharge as missing:
                return f"The statement is about a charge: {missing}."
        if self.needs_loss and declaration.loss is None:
            return "The statement is about the gradients of a loss; none is declared."
        return None

    @property
    def twin_kind(self) -> str:
        """Return "true" for a claim that should be REFUTED, else "false"."""
        return "true" if self.expected is Verdict.REFUTED else "false"

"""What a mutant is: one formula altered in one place, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


KINDS = (
    "sign",
    "factor",
    "dropped term",
    "added term",
    "power",
    "absolute value",
    "transposition",
    "centring",
    "swap",
    "normalisation",
    "hypothesis",
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One place in the source of one function, and what stands there instead.

    Attributes:
        where: "module:function" or "module:Class.method".
        old: text that occurs exactly once in its source.
        new: what it becomes.
        grade: the same with a number `{k}` in it that makes the fault as small as one
            likes: at k = 1 the formula is the unaltered one. "" for none.
    """

    where: str
    old: str
    new: str
    grade: str = ""

    def graded(self, k: str) -> Edit:
        """Return the edit with the number k in its place."""
        return Edit(self.where, self.old, self.grade.replace("{k}", k))


@dataclass(frozen=True, slots=True)
class Restated:
    """An altered statement: what the routes are given instead of the claim's subject.

    Attributes:
        subject: the altered statement as the routes take it.
        graded: δ → the statement with this number times 1 + δ; None where the
            alteration is no number.
    """

    subject: Any
    graded: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """Altered code of the toolkit; every edit is in force at once.

    Attributes:
        edits: one or more.
    """

    edits: tuple[Edit, ...]

    def __post_init__(self) -> None:
        if not self.edits:
            raise ValueError("expected one edit or more, got none: nothing is altered")


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Why a mutant says the same as the original.

    Attributes:
        reason: the argument, in words.
        holds: computes the argument anew; None where it cannot be computed.
    """

    reason: str
    holds: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Mutant:
    """One altered formula, and the claims whose routes must notice.

    Attributes:
        name: unique, a few words.
        kind: one of `KINDS`.
        claims: ids of claims that should hold, in the order in which they are tried.
        apply: the alteration.
        equivalent: where nobody can notice, why; else None.
    """

    name: str
    kind: str
    claims: tuple[str, ...]
    apply: Restated | Edited
    equivalent: Equivalence | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"{self.name}: expected a kind among {', '.join(KINDS)}, got "
                f"{self.kind!r}"
            )
        if not self.claims:
            raise ValueError(f"{self.name}: expected the id of a claim, got none")

    @property
    def family(self) -> str:
        """Return "statement" or "toolkit": what was altered."""
        return "statement" if isinstance(self.apply, Restated) else "toolkit"

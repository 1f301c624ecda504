"""Claims of the user's own, as a declaration file holds them: `ClaimTable`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr


MAX_CONDITIONS = 50
MAX_DIGITS = 60

Relation = Literal[
    "==",
    "!=",
    "<=",
    ">=",
    "<",
    ">",
    "increasing",
    "decreasing",
    "nondecreasing",
    "nonincreasing",
    "converges",
]


@dataclass(frozen=True, slots=True)
class ClaimTable:
    """A `[claim]` table: texts and numbers, nothing interpreted.

    Attributes:
        id: the claim's name.
        left: the quantity the claim is about.
        relation: what is said of it.
        right: what it is compared with, or converges to; "" for none.
        given: conditions, such as "gamma > 0".
        along: what moves: "orbit", a name, or how it is trained.
        within: how near is near enough, for convergence.
        steps: steps of training.
        time: time of gradient flow.
        share: the share of runs that must arrive.
        at: names with the values they are held at; data with one for each sample.
        title: a few words.
        statement: the claim in words.
    """

    id: str
    left: str
    relation: Relation
    right: str = ""
    given: tuple[str, ...] = ()
    along: str = ""
    within: str = ""
    steps: int = 0
    time: str = ""
    share: str = ""
    at: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    title: str = ""
    statement: str = ""


_Number = StrictStr | StrictInt | StrictFloat


class ClaimSchema(BaseModel):
    """The keys of a `[claim]` table and their types."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: StrictStr = Field(max_length=64)
    left: _Number
    relation: Relation
    right: _Number = ""
    given: list[StrictStr] = Field(default=[], max_length=MAX_CONDITIONS)
    along: StrictStr = ""
    within: _Number = ""
    steps: StrictInt = 0
    time: _Number = ""
    share: _Number = ""
    at: dict[str, _Number | list[_Number]] = {}
    title: StrictStr = Field(default="", max_length=200)
    statement: StrictStr = Field(default="", max_length=2000)

    def plain(self) -> ClaimTable:
        """Return the table with its numbers as texts."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        texts = ("left", "right", "within", "time", "share")
        fields |= {name: _text(fields[name]) for name in texts}
        held = {name: _text(value) for name, value in self.at.items()}
        return ClaimTable(
            **(fields | {"given": tuple(self.given), "at": tuple(held.items())})
        )


def _text(value: float | str | Sequence[float | str]) -> Any:
    """Return numbers as texts, floats as the shortest decimals, lists as tuples."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        small = value.bit_length() <= 3 * MAX_DIGITS
        return str(value) if small else "9" * (MAX_DIGITS + 1)  # refused when read
    return tuple(_text(each) for each in value)

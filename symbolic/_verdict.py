"""The types every later stage speaks: `Verdict`, `Witness` and `Finding`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Self


class Verdict(Enum):
    """What is known about a statement; the value is the help text.

    >>> Verdict.PROVED.name
    'PROVED'
    >>> Verdict.SUPPORTED.at_least(Verdict.CERTIFIED)
    False
    """

    PROVED = "an exact symbolic or rational argument, no floating point"
    CERTIFIED = "interval arithmetic: true for the stated instances, rounding included"
    SUPPORTED = "randomised or to rounding, with its error rates stated"
    INCONCLUSIVE = "the resolution reached is coarser than what matters"
    NOT_APPLICABLE = "an assumption of the statement fails here"
    REFUTED = "false, with a counterexample"

    @property
    def strength(self) -> int:
        """Return 3, 2, 1 for PROVED, CERTIFIED, SUPPORTED and 0 for the others."""
        return _STRENGTH.get(self.name, 0)

    @property
    def holds(self) -> bool:
        """Return whether the statement may be relied on."""
        return self.strength > 0

    def at_least(self, expected: Verdict) -> bool:
        """Return whether this verdict is `expected`, or a stronger one of its kind."""
        return self is expected or self.strength > expected.strength > 0


_STRENGTH = {"PROVED": 3, "CERTIFIED": 2, "SUPPORTED": 1}


@dataclass(frozen=True, slots=True)
class Witness:
    """A point where two sides of a statement differ.

    Attributes:
        values: name → value, as printed; everything needed to check by hand.
        left: the value of the left-hand side there.
        right: the value of the right-hand side there.
        exact: whether both values are exact (no rounding anywhere).

    >>> Witness({"u": "1"}, left="2", right="1", exact=True).describe()
    'at u = 1: left 2, right 1 (exact)'
    """

    values: Mapping[str, str]
    left: str
    right: str
    exact: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __hash__(self) -> int:
        return hash((tuple(self.values.items()), self.left, self.right, self.exact))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str], str, str, bool]]:
        # A mapping proxy does not pickle, and campaigns cross process borders.
        return type(self), (dict(self.values), self.left, self.right, self.exact)

    def describe(self) -> str:
        """Return the witness as one line of text."""
        at = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        how = "exact" if self.exact else "to rounding"
        return f"at {at or 'every point'}: left {self.left}, right {self.right} ({how})"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, what it rests on, and the witness where it is REFUTED.

    Attributes:
        verdict: the verdict.
        reason: one sentence: the argument, or what was missing.
        witness: the counterexample; never None when the verdict is REFUTED.
        condition: a restriction under which the finding holds ("" for none).
    """

    verdict: Verdict
    reason: str
    witness: Witness | None = None
    condition: str = ""

    def __post_init__(self) -> None:
        if self.verdict is Verdict.REFUTED and self.witness is None:
            raise ValueError("a REFUTED finding needs a witness, got witness=None")

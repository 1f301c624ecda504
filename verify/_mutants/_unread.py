"""Numbers of a statement that none of a claim's routes looks at."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from verify._claim import Claim
from verify._context import Context, Profile


def unread(claim: Claim, subject: Any, profile: Profile, seed: int) -> str:
    """Return that what was altered is no part of the statement, or "".

    All routes are run once more on a subject that writes down which of its attributes
    are read; to compare or print the whole counts as reading all of it.

    Args:
        claim: the claim.
        subject: its altered statement.
        profile: the sample sizes.
        seed: the seed.

    Returns:
        A sentence that names the attributes altered, if no route reads them.
    """
    if not is_dataclass(subject) or type(subject) is not type(claim.subject):
        return ""
    names = [field.name for field in fields(subject)]
    altered = {n for n in names if getattr(subject, n) != getattr(claim.subject, n)}
    read = set[str]()
    watched = _watched(subject, names, read)
    for route in claim.routes:
        route(watched, Context(profile, seed, claim.id, None, shrink=False))
        if altered & read:
            return ""
    listed = ", ".join(sorted(altered))
    return (
        f"{claim.id} says nothing of {listed}: none of its {len(claim.routes)} routes "
        "reads it."
    )


def _watched(subject: Any, names: list[str], read: set[str]) -> Any:
    """Return a copy of a dataclass that adds to `read` what is looked up."""
    base: Any = type(subject)

    def look_up(self: Any, name: str) -> Any:
        if name in names:
            read.add(name)
        return base.__getattribute__(self, name)

    def equal(self: Any, other: object) -> bool:
        read.update(names)
        return bool(base.__eq__(subject, other))

    def text(self: Any) -> str:
        read.update(names)
        return repr(subject)

    def digest(self: Any) -> int:
        read.update(names)
        return hash(subject)

    space = {
        "__slots__": (),
        "__getattribute__": look_up,
        "__eq__": equal,
        "__repr__": text,
        "__hash__": digest,
    }
    copy: Any = object.__new__(type(base.__name__, (base,), space))
    for name in names:
        object.__setattr__(copy, name, getattr(subject, name))
    return copy

"""Rows of a table of mutants, and the mutants they are."""

from __future__ import annotations

from collections.abc import Iterable

from verify._mutants._mutant import Edit, Edited, Equivalence, Mutant


Row = tuple[str, str, str, str, str, tuple[str, ...]]


def of_rows(
    rows: Iterable[Row],
    equivalent: dict[str, Equivalence] | None = None,
    grades: dict[str, str] | None = None,
) -> tuple[Mutant, ...]:
    """Return a mutant for each row.

    Args:
        rows: name, kind, "module:function", old text, new text, ids of claims.
        equivalent: name → why nobody can notice.
        grades: name → the new text with a number `{k}` in it.
    """
    reasons, sizes = equivalent or {}, grades or {}
    return tuple(
        Mutant(
            name,
            kind,
            claims,
            Edited((Edit(where, old, new, sizes.get(name, "")),)),
            reasons.get(name),
        )
        for name, kind, where, old, new, claims in rows
    )

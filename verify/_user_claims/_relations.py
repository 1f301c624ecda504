"""Whether a relation holds, from the sign of a difference that may be undecided."""

from __future__ import annotations


REVERSED = {
    "==": "!=",
    "!=": "==",
    "<=": ">",
    ">=": "<",
    "<": ">=",
    ">": "<=",
    "increasing": "nonincreasing",
    "decreasing": "nondecreasing",
    "nondecreasing": "decreasing",
    "nonincreasing": "increasing",
}
_ORDER = {
    "nondecreasing": "<=",
    "increasing": "<",
    "nonincreasing": ">=",
    "decreasing": ">",
}


def as_order(relation: str) -> str:
    """Return what a monotone quantity at an earlier point is to that at a later one.

    >>> as_order("increasing"), as_order("==")
    ('<', '==')
    """
    return _ORDER.get(relation, relation)


def holds(sign: int | None, relation: str) -> bool | None:
    """Return whether left relation right, from the sign of left − right.

    Args:
        sign: −1, 0 or 1; None for a difference that may be 0, or as near to it as the
            arithmetic resolves.
        relation: what is claimed.

    Returns:
        Whether it holds; None where only more digits would tell. A difference that no
        digit distinguishes from 0 counts as 0 where equality is allowed.

    >>> holds(0, "<="), holds(0, "<"), holds(None, "=="), holds(None, "<")
    (True, False, True, None)
    """
    relation = as_order(relation)
    if sign is None:
        return True if relation in {"==", "<=", ">="} else None
    return {
        "==": sign == 0,
        "!=": sign != 0,
        "<=": sign <= 0,
        ">=": sign >= 0,
        "<": sign < 0,
        ">": sign > 0,
    }[relation]

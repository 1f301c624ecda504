"""The smallest discrepancy of an altered number that some route still notices."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from verify._mutants._mutant import Edited, Mutant, Restated


Change = Restated | Edited
_LARGEST = 64  # times the number itself: beyond it nothing is looked for
_FINEST = Fraction(1, 2**20)
_ONE = Fraction(1)
_HALVINGS = 3  # of a bracket whose ends differ by a factor of four


def smallest_noticed(mutant: Mutant, noticed: Callable[[Change], bool]) -> float | None:
    """Return the least δ so that the number times 1 + δ is noticed.

    Args:
        mutant: one whose altered number has a size.
        noticed: whether some route notices a change.

    Returns:
        The upper end of a bracket of 1.1 in ratio or so, 0 where the finest discrepancy
        tried, 2⁻²⁰, is noticed, inf where none of those tried up to 64 is, and None
        where the mutant alters no number.
    """

    def seen(delta: Fraction) -> bool:
        change = scaled(mutant, delta)
        return change is not None and noticed(change)

    if scaled(mutant, _ONE) is None:
        return None
    if seen(_FINEST):
        return 0.0
    high = _ONE
    if seen(high):
        while seen(high / 4):
            high /= 4
    else:
        while not seen(high := 4 * high):
            if high >= _LARGEST:
                return float("inf")
    low = high / 4
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return float(high)


def scaled(mutant: Mutant, delta: Fraction) -> Change | None:
    """Return the mutant's change with the number times 1 + δ, None where it has none.

    Args:
        mutant: the mutant.
        delta: δ.
    """
    apply = mutant.apply
    if isinstance(apply, Restated):
        return None if apply.graded is None else Restated(apply.graded(delta))
    if not all("{k}" in edit.grade for edit in apply.edits):
        return None
    k = f"({1 + delta})".replace("/", " / ")
    return Edited(tuple(edit.graded(k) for edit in apply.edits))

"""Many tests in one run: Holm's step-down test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify._radii import check_level


@dataclass(frozen=True, slots=True)
class Holm:
    """Holm's step-down test of several hypotheses.

    Attributes:
        adjusted: p-values to be compared with the family's α, in the order given.
        alpha: bound on the probability that any true hypothesis is rejected.
    """

    adjusted: tuple[float, ...]
    alpha: float

    @property
    def rejected(self) -> tuple[bool, ...]:
        """Return which hypotheses are rejected."""
        return tuple(p <= self.alpha for p in self.adjusted)


def holm(levels: Sequence[float], *, alpha: float, planned: int | None = None) -> Holm:
    """Test hypotheses together (Holm 1979): never weaker than α/n for each.

    Valid however the p-values depend on each other.

    Args:
        levels: a p-value for each hypothesis tested.
        alpha: bound on the probability of any false rejection in the run.
        planned: how many tests were planned; those not made count as p = 1. As many
            as were made where None.

    Returns:
        Adjusted p-values and what is rejected.

    Raises:
        ValueError: for a p-value outside [0, 1], or more tests than planned.

    >>> holm([0.01, 0.04, 0.03], alpha=0.05).rejected
    (True, False, False)
    """
    check_level(alpha)
    total = len(levels) if planned is None else planned
    if not all(0.0 <= p <= 1.0 for p in levels):
        raise ValueError(f"expected p-values in [0, 1], got {tuple(levels)}")
    if total < len(levels):
        raise ValueError(f"expected at most {total} tests, as planned, got more")
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    adjusted, largest = [0.0] * len(levels), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (total - rank) * levels[i]))
        adjusted[i] = largest
    return Holm(tuple(adjusted), alpha)

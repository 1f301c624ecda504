"""What a figure's experiment is judged by: medians over runs, at a stated level.

The k-th smallest of n independent runs is above the median of their law only if at most
k − 1 of n fair coins show heads. So two order statistics enclose the median at a level
that is a sum of binomial coefficients: no moments, no range, no normal law. A run that
left the finite numbers counts against the claim at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._radii import check_level


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for a median.

    Attributes:
        lower: lower end.
        upper: upper end.
        estimate: the sample median, for display.
    """

    lower: float
    upper: float
    estimate: float

    def __str__(self) -> str:
        return f"{self.estimate:.3g} in [{self.lower:.3g}, {self.upper:.3g}]"


def median_interval(values: ArrayLike, alpha: float) -> Interval:
    """Return an interval for the median of a law from independent draws of it.

    Args:
        values: the draws; NaN counts as −∞ for the lower end, as +∞ for the upper.
        alpha: bound on the probability that the interval misses the median.

    Returns:
        The interval, ±∞ where there are too few draws for the level.

    Raises:
        ValueError: where there is no draw.

    >>> print(median_interval(range(101), 0.05))
    50 in [40, 60]
    >>> print(median_interval([1.0, 2.0], 0.05))
    1.5 in [-inf, inf]
    """
    check_level(alpha)
    draws = np.asarray(values, dtype=np.float64).ravel()
    if not draws.size:
        raise ValueError("expected runs, got none")
    n = draws.size
    # P(Bin(n, ½) ≤ k − 1) ≤ alpha/2 allows the k-th order statistic at either end.
    below = special.bdtr(np.arange(n), n, 0.5)
    k = int(np.count_nonzero(below <= alpha / 2.0))
    missing = np.isnan(draws)
    low = np.sort(np.where(missing, -math.inf, draws))
    high = np.sort(np.where(missing, math.inf, draws))
    if k == 0:
        return Interval(-math.inf, math.inf, float(np.median(high)))
    return Interval(float(low[k - 1]), float(high[n - k]), _middle(high))


def _middle(draws: Array) -> float:
    """Return the sample median of sorted draws, without ∞ − ∞."""
    left, right = draws[(len(draws) - 1) // 2], draws[len(draws) // 2]
    return float(left if left == right else 0.5 * (left + right))


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """The claim that the median over runs of a quantity lies in an interval.

    Attributes:
        name: the quantity, in words.
        values: the quantity of each run, shape (runs,).
        lower: lower end claimed.
        upper: upper end claimed.
    """

    name: str
    values: Array
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def claimed(self) -> str:
        """The interval claimed, in words."""
        if self.lower == -math.inf:
            return f"at most {self.upper:.3g}"
        if self.upper == math.inf:
            return f"at least {self.lower:.3g}"
        return f"in [{self.lower:.3g}, {self.upper:.3g}]"


def judged(
    route: str,
    rows: Iterable[Row],
    context: Context,
    what: str,
    figures: tuple[Figure, ...] = (),
) -> Evidence:
    """Hold measured medians against the intervals claimed.

    Args:
        route: the route's name.
        rows: what is claimed, each with its measurements.
        context: its α is shared by all rows.
        what: the experiment, for the summary.
        figures: what was seen.

    Returns:
        REFUTED where the interval of one median is disjoint from the one claimed,
        SUPPORTED where every one lies within, else INCONCLUSIVE.
    """
    listed = tuple(rows)
    alpha = context.alpha / max(1, len(listed))
    found = [(row, median_interval(row.values, alpha)) for row in listed]
    shown = "; ".join(f"{row.name} {seen}" for row, seen in found)
    summary = f"{what} Medians over runs: {shown}."
    for row, seen in found:
        if seen.lower > row.upper or seen.upper < row.lower:
            return Evidence(
                route,
                Verdict.REFUTED,
                summary,
                instances=len(listed),
                alpha=context.alpha,
                counterexample=Witness(
                    {"experiment": what, "runs": str(row.values.size)},
                    f"median of {row.name}: {seen}",
                    row.claimed,
                    exact=False,
                ),
                figures=figures,
            )
    inside = [
        row.lower <= seen.lower and seen.upper <= row.upper for row, seen in found
    ]
    if not (inside and all(inside)):
        doubtful = [
            f"{row.name} ({row.claimed} is claimed)"
            for (row, _), good in zip(found, inside, strict=True)
            if not good
        ]
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"{summary} Not decided by so few runs: {'; '.join(doubtful)}.",
            instances=len(listed),
            alpha=context.alpha,
            figures=figures,
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        summary,
        instances=len(listed),
        alpha=context.alpha,
        detectable=max(_resolution(row, seen) for row, seen in found),
        figures=figures,
    )


def cloud(
    label: str, x: Iterable[float], columns: Iterable[Array], group: int
) -> Series:
    """Return one point a run, without the runs that diverged.

    Args:
        label: legend entry.
        x: abscissa of each column.
        columns: values of the runs there.
        group: its colour.

    Returns:
        The points.
    """
    pairs = [
        (at, float(v))
        for at, column in zip(x, columns, strict=True)
        for v in column
        if np.isfinite(v)
    ]
    xs, ys = tuple(at for at, _ in pairs), tuple(v for _, v in pairs)
    return Series(label, xs, ys, kind="points", group=group)


def _resolution(row: Row, seen: Interval) -> float:
    """Return how far the true median may be off the estimate, relative to its size.

    Of a quantity claimed to be near 0, itself relative to something, return what would
    have been refuted: half of the interval claimed, and half of the one found.
    """
    width = seen.upper - seen.lower
    if -math.inf < row.lower < 0.0 < row.upper < math.inf:
        return 0.5 * (row.upper - row.lower + width)
    size = max(abs(seen.lower), abs(seen.upper), abs(seen.estimate))
    return width / size if size else 0.0

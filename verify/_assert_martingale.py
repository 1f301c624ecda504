"""A conditional mean, tested by betting: valid whenever one stops to look.

`assert_…`, `detectable_…` and `samples_needed_…` as in `_assertions`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from verify._assert_common import least_samples
from verify._radii import check_level
from verify._statistics import FRACTIONS, FactorTest


_GRID = 600  # discrepancies looked at, over six powers of ten
_BETS = 2 * len(FRACTIONS)  # of the two-sided mixture


def assert_martingale(
    values: ArrayLike,
    mean: float,
    *,
    alpha: float,
    lower: float = 0.0,
    upper: float = 1.0,
) -> None:
    """Assert E[X_i | past] = `mean` by betting; valid whenever one stops to look.

    Args:
        values: the observations in time order, each in [lower, upper]; they need not
            be independent.
        mean: the conditional mean that is claimed.
        alpha: bound on the probability of a false alarm at any time.
        lower: sure lower bound.
        upper: sure upper bound.

    Raises:
        AssertionError: where a gambler against the mean multiplied the stake by 1/α.

    >>> assert_martingale([0.2, 0.9, 0.4], 0.5, alpha=1e-6)
    """
    level = martingale_level(values, mean, lower=lower, upper=upper)
    check_level(alpha)
    if not level > alpha:
        raise AssertionError(
            f"expected the conditional mean {mean:g}, got observations that a gambler "
            f"against it turns into {1 / max(level, 1e-300):.3g} times the stake: "
            f"level {level:.2g}, at most alpha = {alpha:.2g}"
        )


def martingale_level(
    values: ArrayLike, mean: float, *, lower: float = 0.0, upper: float = 1.0
) -> float:
    """Return one over the largest capital ever held: an anytime-valid p-value.

    Args:
        values: the observations in time order.
        mean: the conditional mean that is claimed, within [lower, upper].
        lower: sure lower bound.
        upper: sure upper bound.

    Returns:
        At most 1; where the mean is right, at most p with probability at most p.

    Raises:
        ValueError: for a mean outside the bounds.

    >>> martingale_level([0.2, 0.9, 0.4], 0.5) > 0.5
    True
    """
    if not lower <= mean <= upper:
        raise ValueError(f"expected a mean in [{lower}, {upper}], got {mean}")
    test = FactorTest()
    test.add(values, known=mean, predicted=0.0, lower=lower, upper=upper)
    return min(1.0, math.exp(-max(0.0, float(test.log_capital_path(0.0).max()))))


def detectable_martingale(
    mean: float,
    variance: float,
    n: int,
    *,
    alpha: float,
    beta: float,
    lower: float = 0.0,
    upper: float = 1.0,
) -> float:
    """Return a discrepancy beyond which `assert_martingale` fails, but for `beta`.

    For i.i.d. observations. With stakes b ≤ ½ on Z = (X − mean)/s the logarithm of the
    capital grows by at least bE Z − b²E Z² a time, and strays from its mean as
    Bernstein's inequality allows, |ln(1 + bZ)| being at most 2 ln 2 |bZ|. The mixture
    over stakes costs the logarithm of their number.

    Args:
        mean: the mean that is claimed.
        variance: a bound on the variance of an observation.
        n: number of observations.
        alpha: level of the assertion.
        beta: bound on the probability of missing such a discrepancy.
        lower: sure lower bound.
        upper: sure upper bound.

    Returns:
        The discrepancy, the larger of both directions; where one is never sure to be
        detected, the room there is in it.

    >>> round(detectable_martingale(0.5, 0.25, 10_000, alpha=1e-6, beta=1e-3), 3)
    0.07
    """
    check_level(alpha)
    check_level(beta)
    rooms = (upper - mean, mean - lower)
    needed = math.log(1.0 / alpha) + math.log(_BETS)
    return max(
        _detected(room, spread, variance, n, needed, math.log(1.0 / beta))
        for room, spread in (rooms, rooms[::-1])
    )


def _detected(
    room: float, spread: float, variance: float, n: int, needed: float, log: float
) -> float:
    """Return the least Δ so that it and all larger ones are detected in a direction."""
    if not (room > 0.0 and spread > 0.0):
        return max(room, 0.0)
    delta = room * np.geomspace(1e-6, 1.0, _GRID)
    b = FRACTIONS[FRACTIONS <= 0.5][:, None]
    square = b**2 * (variance + delta**2) / spread**2
    reach = np.log1p(b * room / spread) - np.log1p(-b)
    growth = n * (b * delta / spread - square) - reach * log / 3.0
    growth -= 2.0 * math.log(2.0) * np.sqrt(2.0 * n * square * log)
    seen = growth.max(axis=0) >= needed
    unseen = np.flatnonzero(~seen)
    first = int(unseen[-1]) + 1 if unseen.size else 0
    return float(delta[min(first, _GRID - 1)])


def samples_needed_martingale(
    mean: float,
    variance: float,
    discrepancy: float,
    *,
    alpha: float,
    beta: float,
    lower: float = 0.0,
    upper: float = 1.0,
) -> int:
    """Return an n with `detectable_martingale` at most `discrepancy`.

    Args:
        mean: the mean that is claimed.
        variance: a bound on the variance of an observation.
        discrepancy: the discrepancy that matters.
        alpha: level of the assertion.
        beta: bound on the probability of missing it.
        lower: sure lower bound.
        upper: sure upper bound.

    >>> samples_needed_martingale(0.5, 0.25, 0.07, alpha=1e-6, beta=1e-3) < 10_500
    True
    """
    return least_samples(
        lambda n: detectable_martingale(
            mean, variance, n, alpha=alpha, beta=beta, lower=lower, upper=upper
        ),
        discrepancy,
    )

"""Distribution functions and probabilities, with both error rates stated.

`assert_…`, `detectable_…` and `samples_needed_…` as in `_assertions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from verify._assert_common import Array, bounded, compare, least_samples
from verify._radii import check_level, dkw_radius, hoeffding_radius


def assert_dkw(
    values: ArrayLike,
    cdf: Callable[[Array], ArrayLike],
    *,
    alpha: float,
    left: Callable[[Array], ArrayLike] | None = None,
) -> None:
    """Assert that i.i.d. observations have the distribution function `cdf`.

    Args:
        values: the observations.
        cdf: F at an array of points.
        alpha: bound on the probability of a false alarm.
        left: F(x−) at an array of points, where F has jumps; F itself where None.

    >>> assert_dkw([0.2, 0.9, 0.4], lambda x: x, alpha=1e-6)
    """
    distance, n = dkw_distance(values, cdf, left)
    compare("distance", distance, 0.0, dkw_radius(n, alpha), alpha, n)


def dkw_distance(
    values: ArrayLike,
    cdf: Callable[[Array], ArrayLike],
    left: Callable[[Array], ArrayLike] | None = None,
) -> tuple[float, int]:
    """Return sup |F_n − F| and n.

    Args:
        values: the observations.
        cdf: F at an array of points.
        left: F(x−), where F has jumps.

    >>> dkw_distance([0.5], lambda x: x)
    (0.5, 1)
    """
    x = bounded(values, -math.inf, math.inf)
    points, counts = np.unique(x, return_counts=True)
    after = np.cumsum(counts) / x.size
    before = after - counts / x.size
    gaps = np.abs(after - np.asarray(cdf(points), np.float64))
    below = np.abs(before - np.asarray((left or cdf)(points), np.float64))
    return float(np.maximum(gaps, below).max()), x.size


def detectable_dkw(n: int, *, alpha: float, beta: float) -> float:
    """Return the distance sup |F − claimed| beyond which `assert_dkw` fails.

    Args:
        n: number of observations.
        alpha: level of the assertion.
        beta: bound on the probability of missing such a distance.

    >>> round(detectable_dkw(10_000, alpha=1e-6, beta=1e-3), 4)
    0.0455
    """
    return dkw_radius(n, alpha) + hoeffding_radius(n, beta)


def samples_needed_dkw(discrepancy: float, *, alpha: float, beta: float) -> int:
    """Return the least n with `detectable_dkw` at most `discrepancy`.

    Args:
        discrepancy: the distance that matters.
        alpha: level of the assertion.
        beta: bound on the probability of missing it.

    >>> samples_needed_dkw(0.0455, alpha=1e-6, beta=1e-3)
    10009
    """
    return least_samples(
        lambda n: detectable_dkw(n, alpha=alpha, beta=beta), discrepancy
    )


def assert_binomial(
    successes: int, n: int, probability: float, *, alpha: float
) -> None:
    """Assert that n independent trials have the success probability claimed.

    Args:
        successes: successes seen.
        n: trials.
        probability: the probability claimed.
        alpha: bound on the probability of a false alarm, half of it on either side.

    Raises:
        AssertionError: where either tail has probability α/2 at most.

    >>> assert_binomial(48, 100, 0.5, alpha=0.05)
    """
    check_level(alpha)
    level = binomial_level(successes, n, probability)
    if not level > alpha:
        raise AssertionError(
            f"expected success probability {probability:g}, got {successes} successes "
            f"in {n} trials: level {level:.2g}, at most alpha = {alpha:.2g}"
        )


def binomial_level(successes: int, n: int, probability: float) -> float:
    """Return the exact two-sided p-value: twice the smaller tail, at most 1.

    Args:
        successes: successes seen.
        n: trials.
        probability: the probability claimed.

    Raises:
        ValueError: where not 0 ≤ successes ≤ n, n ≥ 1 and 0 ≤ probability ≤ 1.

    >>> binomial_level(0, 10, 0.5)
    0.001953125
    """
    if not (0 <= successes <= n and n >= 1 and 0.0 <= probability <= 1.0):
        raise ValueError(
            f"expected 0 ≤ successes ≤ n, n ≥ 1 and a probability, got {successes}, "
            f"{n} and {probability}"
        )
    below = float(stats.binom.cdf(successes, n, probability))
    above = float(stats.binom.sf(successes - 1, n, probability))
    return min(1.0, 2.0 * min(below, above))


def detectable_binomial(
    n: int, probability: float, *, alpha: float, beta: float
) -> float:
    """Return the discrepancy beyond which `assert_binomial` fails, but for `beta`.

    Exact, by the binomial law itself.

    Args:
        n: trials.
        probability: the probability claimed.
        alpha: level of the assertion.
        beta: bound on the probability of missing a larger discrepancy.

    Returns:
        The larger of both directions; where one is never sure to be detected, the
        room there is in it.

    >>> round(detectable_binomial(10_000, 0.5, alpha=1e-6, beta=1e-3), 4)
    0.04
    """
    check_level(alpha)
    check_level(beta)
    below, above = _critical(n, probability, alpha)
    up = down = math.nan
    if above <= n:  # the p with P(Bin(n, p) ≥ above) = 1 − β
        up = float(stats.beta.ppf(1.0 - beta, above, n - above + 1))
    if below >= 0:
        down = float(stats.beta.ppf(beta, below + 1, n - below))
    return max(
        1.0 - probability if math.isnan(up) else up - probability,
        probability if math.isnan(down) else probability - down,
    )


def _critical(n: int, probability: float, alpha: float) -> tuple[int, int]:
    """Return k, K so that the assertion fails for successes ≤ k or ≥ K."""
    law = stats.binom(n, probability)
    below = int(law.ppf(alpha / 2)) + 2
    while below >= 0 and not law.cdf(below) <= alpha / 2:
        below -= 1
    above = int(law.isf(alpha / 2)) - 2
    while above <= n and not law.sf(above - 1) <= alpha / 2:
        above += 1
    return below, above


def samples_needed_binomial(
    probability: float, discrepancy: float, *, alpha: float, beta: float
) -> int:
    """Return an n with `detectable_binomial` at most `discrepancy`.

    The power of a discrete test rises in a sawtooth: a few smaller n may do as well.

    Args:
        probability: the probability claimed.
        discrepancy: the discrepancy that matters.
        alpha: level of the assertion.
        beta: bound on the probability of missing it.

    >>> samples_needed_binomial(0.5, 0.04, alpha=1e-6, beta=1e-3) < 10_000
    True
    """
    return least_samples(
        lambda n: detectable_binomial(n, probability, alpha=alpha, beta=beta),
        discrepancy,
    )

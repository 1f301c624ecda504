"""Means of bounded observations, with both error rates stated.

For each bound three forms. `assert_…` fails with probability alpha at most where the
statement is true. `detectable_…` is the discrepancy beyond which it fails with
probability 1 − beta at least. `samples_needed_…` is a sample size with that
discrepancy: choose n by what matters, not by what passes. Nothing approximates by a
normal law; observations are independent, in [lower, upper].
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from verify._assert_common import bounded, compare, least_samples
from verify._radii import check_level, empirical_bernstein_radius, hoeffding_radius


def assert_hoeffding(
    values: ArrayLike,
    mean: float,
    *,
    alpha: float,
    lower: float = 0.0,
    upper: float = 1.0,
) -> None:
    """Assert that independent observations in [lower, upper] average to `mean`.

    Args:
        values: the observations; their own means may differ.
        mean: the average of their means that is claimed.
        alpha: bound on the probability of a false alarm.
        lower: sure lower bound.
        upper: sure upper bound.

    >>> assert_hoeffding([0.2, 0.9, 0.4], 0.5, alpha=1e-6)
    """
    x = bounded(values, lower, upper)
    radius = (upper - lower) * hoeffding_radius(x.size, alpha / 2)
    compare("mean", float(x.mean()), mean, radius, alpha, x.size)


def detectable_hoeffding(
    n: int, *, alpha: float, beta: float, width: float = 1.0
) -> float:
    """Return the discrepancy beyond which `assert_hoeffding` fails, but for `beta`.

    Args:
        n: number of observations.
        alpha: level of the assertion.
        beta: bound on the probability of missing such a discrepancy.
        width: upper − lower.

    >>> round(detectable_hoeffding(10_000, alpha=1e-6, beta=1e-3), 4)
    0.0455
    """
    return width * (hoeffding_radius(n, alpha / 2) + hoeffding_radius(n, beta))


def samples_needed_hoeffding(
    discrepancy: float, *, alpha: float, beta: float, width: float = 1.0
) -> int:
    """Return the least n with `detectable_hoeffding` at most `discrepancy`.

    Args:
        discrepancy: the discrepancy that matters.
        alpha: level of the assertion.
        beta: bound on the probability of missing it.
        width: upper − lower.

    >>> samples_needed_hoeffding(0.0455, alpha=1e-6, beta=1e-3)
    10009
    """
    return least_samples(
        lambda n: detectable_hoeffding(n, alpha=alpha, beta=beta, width=width),
        discrepancy,
    )


def assert_empirical_bernstein(
    values: ArrayLike,
    mean: float,
    *,
    alpha: float,
    lower: float = 0.0,
    upper: float = 1.0,
) -> None:
    """Assert that i.i.d. observations in [lower, upper] have the mean `mean`.

    Sharper than `assert_hoeffding` where the variance is small.

    Args:
        values: the observations, at least 2.
        mean: the mean that is claimed.
        alpha: bound on the probability of a false alarm.
        lower: sure lower bound.
        upper: sure upper bound.

    >>> assert_empirical_bernstein([0.2, 0.9, 0.4], 0.5, alpha=1e-6)
    """
    x = bounded(values, lower, upper)
    width = upper - lower
    variance = float((x / width).var(ddof=1)) if x.size > 1 else math.nan
    radius = width * empirical_bernstein_radius(variance, x.size, alpha / 2)
    compare("mean", float(x.mean()), mean, radius, alpha, x.size)


def detectable_empirical_bernstein(
    variance: float, n: int, *, alpha: float, beta: float, width: float = 1.0
) -> float:
    """Return what `assert_empirical_bernstein` detects, but for `beta`.

    Half of `beta` goes to a sample variance above the true one (Maurer and Pontil
    2009, Theorem 10), half to Bernstein's inequality for the mean.

    Args:
        variance: a bound on the variance of an observation.
        n: number of observations, at least 2.
        alpha: level of the assertion.
        beta: bound on the probability of missing such a discrepancy.
        width: upper − lower.

    >>> round(detectable_empirical_bernstein(0.001, 10_000, alpha=1e-6, beta=1e-3), 4)
    0.0089
    """
    check_level(beta)
    log, unit = math.log(2.0 / beta), variance / width**2
    spread = math.sqrt(unit) + math.sqrt(2.0 * log / (n - 1))
    radius = empirical_bernstein_radius(min(spread**2, n / (4 * n - 4)), n, alpha / 2)
    return width * (radius + math.sqrt(2.0 * unit * log / n) + log / (3.0 * n))


def samples_needed_empirical_bernstein(
    variance: float,
    discrepancy: float,
    *,
    alpha: float,
    beta: float,
    width: float = 1.0,
) -> int:
    """Return an n with `detectable_empirical_bernstein` at most `discrepancy`.

    Args:
        variance: a bound on the variance of an observation.
        discrepancy: the discrepancy that matters.
        alpha: level of the assertion.
        beta: bound on the probability of missing it.
        width: upper − lower.

    >>> samples_needed_empirical_bernstein(0.001, 0.0089, alpha=1e-6, beta=1e-3)
    10037
    """
    return least_samples(
        lambda n: detectable_empirical_bernstein(
            variance, n, alpha=alpha, beta=beta, width=width
        ),
        discrepancy,
        least=2,
    )

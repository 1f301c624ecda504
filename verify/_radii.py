"""Radii valid at every sample size: Hoeffding, empirical Bernstein, DKW, binomial.

Each as a radius, as the samples a radius needs and as the level of a radius seen.
"""

from __future__ import annotations

import math

from scipy import special


def hoeffding_radius(n: int, alpha: float) -> float:
    """Return r with P(E X > mean + r) ≤ alpha for n independent X in [0, 1].

    One-sided (Hoeffding 1963, Theorem 1); independent X with differing means count too.

    Args:
        n: number of observations.
        alpha: level.

    Returns:
        √(ln(1/alpha)/2n).

    >>> round(hoeffding_radius(1000, 0.05), 4)
    0.0387
    """
    _check_count(n)
    check_level(alpha)
    return math.sqrt(-math.log(alpha) / (2 * n))


def hoeffding_samples(radius: float, alpha: float) -> int:
    """Return the least n with `hoeffding_radius` at most `radius`.

    Args:
        radius: radius wanted.
        alpha: level.

    Returns:
        The sample size.

    >>> hoeffding_samples(0.0387, 0.05)
    1001
    """
    _check_radius(radius)
    check_level(alpha)
    return max(1, math.ceil(-math.log(alpha) / (2 * radius**2)))


def hoeffding_level(n: int, radius: float) -> float:
    """Return the bound exp(-2n·radius²) on P(E X ≥ mean + radius).

    Args:
        n: number of observations in [0, 1].
        radius: deviation seen.

    Returns:
        The level at which such a deviation is significant.

    >>> round(hoeffding_level(1000, 0.0387), 3)
    0.05
    """
    _check_count(n)
    _check_radius(radius)
    return math.exp(-2 * n * radius**2)


def empirical_bernstein_radius(variance: float, n: int, alpha: float) -> float:
    """Return r with P(E X > mean + r) ≤ alpha for n i.i.d. X in [0, 1].

    Maurer and Pontil, "Empirical Bernstein bounds", 2009, Theorem 4: one-sided, and
    narrower than Hoeffding's where the variance is small.

    Args:
        variance: the sample variance, with n - 1 in the denominator.
        n: number of observations, at least 2.
        alpha: level.

    Returns:
        √(2·variance·ln(2/alpha)/n) + 7 ln(2/alpha)/(3(n - 1)).

    Raises:
        ValueError: for a variance that is negative or not finite, or n < 2.

    >>> round(empirical_bernstein_radius(0.01, 1000, 0.05), 4)
    0.0172
    """
    check_level(alpha)
    _check_count(n, least=2)
    if not 0.0 <= variance < math.inf:
        raise ValueError(f"expected a finite variance ≥ 0, got {variance}")
    log = math.log(2.0 / alpha)
    return math.sqrt(2.0 * variance * log / n) + 7.0 * log / (3.0 * (n - 1))


def empirical_bernstein_samples(variance: float, radius: float, alpha: float) -> int:
    """Return the least n with `empirical_bernstein_radius` at most `radius`.

    Args:
        variance: the sample variance expected.
        radius: radius wanted.
        alpha: level.

    Returns:
        The sample size.

    >>> empirical_bernstein_samples(0.01, 0.0172, 0.05)
    1001
    """
    _check_radius(radius)
    few, enough = 1, 2
    while not empirical_bernstein_radius(variance, enough, alpha) <= radius:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if empirical_bernstein_radius(variance, middle, alpha) <= radius:
            enough = middle
        else:
            few = middle
    return enough


def empirical_bernstein_level(variance: float, n: int, radius: float) -> float:
    """Return the least alpha with `empirical_bernstein_radius` at most `radius`.

    Args:
        variance: the sample variance.
        n: number of observations, at least 2.
        radius: deviation seen.

    Returns:
        The level, 1 where the bound says nothing.

    >>> round(empirical_bernstein_level(0.01, 1000, 0.0172), 3)
    0.05
    """
    _check_count(n, least=2)
    _check_radius(radius)
    # With z = √ln(2/alpha): a z² + b z = radius.
    a, b = 7.0 / (3.0 * (n - 1)), math.sqrt(2.0 * variance / n)
    root = 2.0 * radius / (b + math.sqrt(b * b + 4.0 * a * radius))
    return min(1.0, 2.0 * math.exp(-root * root))


def dkw_radius(n: int, alpha: float) -> float:
    """Return the half-width of a band around the empirical distribution function.

    P(sup |F_n - F| > r) ≤ alpha for i.i.d. real observations (Dvoretzky, Kiefer and
    Wolfowitz 1956 with Massart's constant, 1990); two-sided.

    Args:
        n: number of observations.
        alpha: level.

    Returns:
        √(ln(2/alpha)/2n).

    >>> round(dkw_radius(1000, 0.05), 4)
    0.0429
    """
    check_level(alpha)
    return hoeffding_radius(n, alpha / 2.0)


def dkw_samples(radius: float, alpha: float) -> int:
    """Return the least n with `dkw_radius` at most `radius`.

    Args:
        radius: half-width wanted.
        alpha: level.

    Returns:
        The sample size.

    >>> dkw_samples(0.043, 0.05)
    998
    """
    check_level(alpha)
    return hoeffding_samples(radius, alpha / 2.0)


def dkw_level(n: int, radius: float) -> float:
    """Return the bound min(1, 2 exp(-2n·radius²)) on P(sup |F_n - F| > radius).

    Args:
        n: number of observations.
        radius: distance seen.

    Returns:
        The level.

    >>> round(dkw_level(1000, 0.0429), 3)
    0.05
    """
    return min(1.0, 2.0 * hoeffding_level(n, radius))


def binomial_upper(successes: int, n: int, alpha: float) -> float:
    """Return an upper bound for a success probability (Clopper and Pearson 1934).

    Args:
        successes: successes seen.
        n: independent trials.
        alpha: one-sided level.

    Returns:
        The largest p with P(Bin(n, p) ≤ successes) ≥ alpha.

    Raises:
        ValueError: where not 0 ≤ successes ≤ n.

    >>> round(binomial_upper(0, 1000, 0.05), 5)
    0.00299
    """
    _check_count(n)
    check_level(alpha)
    if not 0 <= successes <= n:
        raise ValueError(f"expected 0 ≤ successes ≤ n = {n}, got {successes}")
    if successes == n:
        return 1.0
    return float(special.betaincinv(successes + 1, n - successes, 1.0 - alpha))


def binomial_samples(probability: float, alpha: float) -> int:
    """Return the least n so that n trials without success give `binomial_upper` ≤ p.

    Args:
        probability: the probability p to be excluded.
        alpha: one-sided level.

    Returns:
        The sample size.

    >>> binomial_samples(0.003, 0.05)
    998
    """
    check_level(probability)
    check_level(alpha)
    return math.ceil(math.log(alpha) / math.log1p(-probability))


def check_level(alpha: float) -> None:
    """Refuse what is not a probability strictly between 0 and 1.

    Args:
        alpha: the level.

    Raises:
        ValueError: for any other number, NaN included.

    >>> check_level(0.05)
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(
            f"expected a probability strictly between 0 and 1, got {alpha}"
        )


def _check_count(n: int, least: int = 1) -> None:
    if not n >= least:
        raise ValueError(f"expected at least {least} observations, got {n}")


def _check_radius(radius: float) -> None:
    if not 0.0 < radius < math.inf:
        raise ValueError(f"expected a radius that is positive and finite, got {radius}")

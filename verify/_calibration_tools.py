"""Each statistical tool on data of which the claim is true, and on data off by δ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from verify._assert_martingale import detectable_martingale, martingale_level
from verify._assert_rates import (
    binomial_level,
    detectable_binomial,
    detectable_dkw,
    dkw_distance,
)
from verify._assertions import detectable_empirical_bernstein, detectable_hoeffding
from verify._radii import dkw_level, empirical_bernstein_level, hoeffding_level
from verify._statistics import FactorTest


Array = NDArray[np.float64]
_TINY = 1e-12  # a deviation of 0 has level 1


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as a p-value on fresh data.

    Attributes:
        name: what it is.
        note: what the data are.
        null: p-value on data of which the claim is true.
        false: p-value on data with a discrepancy.
        detectable: (α, β) → the discrepancy caught with probability 1 − β.
    """

    name: str
    note: str
    null: Callable[[np.random.Generator], float]
    false: Callable[[np.random.Generator, float], float]
    detectable: Callable[[float, float], float]


_N = 400  # observations, but where it is said otherwise
_MEAN = 0.3  # of coin tosses: their variance is the largest that the mean allows
_RARE = 0.02  # where the empirical Bernstein bound is the better one


def _tosses(rng: np.random.Generator, probability: float, n: int = _N) -> Array:
    return (rng.random(n) < probability).astype(np.float64)


def _hoeffding(rng: np.random.Generator, off: float = 0.0) -> float:
    gap = abs(float(_tosses(rng, _MEAN + off).mean()) - _MEAN)
    return min(1.0, 2.0 * hoeffding_level(_N, max(gap, _TINY)))


def _bernstein(rng: np.random.Generator, off: float = 0.0) -> float:
    x = _tosses(rng, _RARE + off, 2 * _N)
    gap, variance = abs(float(x.mean()) - _RARE), float(x.var(ddof=1))
    level = empirical_bernstein_level(variance, len(x), max(gap, _TINY))
    return min(1.0, 2.0 * level)


def _dkw(rng: np.random.Generator, off: float = 0.0) -> float:
    """Uniform numbers; with a discrepancy, a share of them is moved to 0."""
    x = rng.random(_N)
    x[rng.random(_N) < off] = 0.0
    distance, n = dkw_distance(x, lambda points: points)
    return dkw_level(n, max(distance, _TINY))


def _binomial(rng: np.random.Generator, off: float = 0.0) -> float:
    return binomial_level(int(rng.binomial(_N, _MEAN + off)), _N, _MEAN)


def _martingale(rng: np.random.Generator, off: float = 0.0) -> float:
    return martingale_level(_tosses(rng, _MEAN + off), _MEAN)


def _factor(rng: np.random.Generator, off: float = 0.0) -> float:
    """The level at which the interval of a `FactorTest` leaves out the factor 1."""
    test = FactorTest()
    test.add(_tosses(rng, _MEAN * (1 + off)), predicted=_MEAN, lower=0.0, upper=1.0)
    return factor_level(test, 1.0)


def factor_level(test: FactorTest, factor: float) -> float:
    """Return the least α at which `FactorTest.interval` leaves out a factor.

    Args:
        test: the test, with its observations.
        factor: the factor.
    """
    return float(min(1.0, 2.0 * np.exp(-max(test.log_capital(factor)))))


def _of_factor(alpha: float, beta: float) -> float:
    """Return the detectable share of the factor: as for a mean, by the same bets."""
    found = detectable_martingale(_MEAN, 0.25, _N, alpha=alpha, beta=beta)
    return found / _MEAN


TOOLS = (
    Tool(
        "Hoeffding",
        f"{_N} tosses of a coin of {_MEAN}",
        _hoeffding,
        _hoeffding,
        lambda alpha, beta: detectable_hoeffding(_N, alpha=alpha, beta=beta),
    ),
    Tool(
        "empirical Bernstein",
        f"{2 * _N} tosses of a coin of {_RARE}",
        _bernstein,
        _bernstein,
        lambda alpha, beta: detectable_empirical_bernstein(
            0.15, 2 * _N, alpha=alpha, beta=beta
        ),
    ),
    Tool(
        "DKW",
        f"{_N} uniform numbers",
        _dkw,
        _dkw,
        partial(lambda alpha, beta: detectable_dkw(_N, alpha=alpha, beta=beta)),
    ),
    Tool(
        "binomial",
        f"{_N} tosses of a coin of {_MEAN}",
        _binomial,
        _binomial,
        lambda alpha, beta: detectable_binomial(_N, _MEAN, alpha=alpha, beta=beta),
    ),
    Tool(
        "betting, at any time",
        f"{_N} tosses of a coin of {_MEAN}",
        _martingale,
        _martingale,
        lambda alpha, beta: detectable_martingale(
            _MEAN, 0.25, _N, alpha=alpha, beta=beta
        ),
    ),
    Tool(
        "betting, interval of a factor",
        f"{_N} tosses of a coin of {_MEAN}",
        _factor,
        _factor,
        _of_factor,
    ),
)

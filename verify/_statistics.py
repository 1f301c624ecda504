"""Bounds valid at every sample size: the betting test for a factor in a mean.

Nothing here approximates by a normal law. A bound holds for every distribution with
the range stated, so a false alarm has at most the probability stated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify._radii import (
    binomial_samples,
    binomial_upper,
    check_level,
    dkw_level,
    dkw_radius,
    dkw_samples,
    empirical_bernstein_level,
    empirical_bernstein_radius,
    empirical_bernstein_samples,
    hoeffding_level,
    hoeffding_radius,
    hoeffding_samples,
)


__all__ = [
    "FRACTIONS",
    "FactorInterval",
    "FactorTest",
    "binomial_samples",
    "binomial_upper",
    "dkw_level",
    "dkw_radius",
    "dkw_samples",
    "empirical_bernstein_level",
    "empirical_bernstein_radius",
    "empirical_bernstein_samples",
    "hoeffding_level",
    "hoeffding_radius",
    "hoeffding_samples",
]

Array = NDArray[np.float64]

# Shares of the largest admissible stake. A factor of two between neighbours costs at
# most a tenth of the growth rate; below 2^-12 nothing is decided by 1e6 observations.
FRACTIONS: Array = np.append(2.0 ** np.arange(-12.0, 0.0), 0.9)
_GROUP = 16  # factors multiplied before a logarithm is taken: 0.1^16 does not underflow
_BLOCK = 2048 * _GROUP  # observations held in cache at a time
_SPREAD_FLOOR = 2.0**-20  # least stake scale, relative to the range of an observation
# Least stake scale relative to the magnitudes: errors of k·eps then move the logarithm
# of the capital by k·√eps per observation at most.
_MAGNITUDE_FLOOR = 2.0**-26
_SLACK = 2.0**-40  # rounding allowed before a bound counts as broken: 4096 eps
_LARGEST_FACTOR = 2.0**20  # an end beyond this is reported as infinite
_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class FactorInterval:
    """The factors f that a test at level `alpha` does not reject.

    Attributes:
        lower: lower end, rounded outward; -inf where no factor was rejected below.
        upper: upper end, rounded outward; less than `lower` where all are rejected.
        estimate: ratio estimate of the factor, for display.
        alpha: bound on the probability that the interval misses the true factor.
        observations: how many observations it rests on.

    >>> FactorInterval(0.9, 1.2, 1.0, alpha=1e-6, observations=1000).excludes(2.0)
    True
    """

    lower: float
    upper: float
    estimate: float
    alpha: float
    observations: int

    @property
    def resolution(self) -> float:
        """The distance from 1 to the farther end.

        It is the smallest relative discrepancy that these data exclude on both sides.
        """
        return max(abs(self.upper - 1.0), abs(1.0 - self.lower))

    def contains(self, factor: float) -> bool:
        """Return whether `factor` is not rejected."""
        return self.lower <= factor <= self.upper

    def excludes(self, factor: float) -> bool:
        """Return whether `factor` is rejected (never for NaN)."""
        return factor < self.lower or factor > self.upper


class FactorTest:
    """A test of f in E[X_i | past] = known_i + f·predicted_i.

    Surely lower_i ≤ X_i ≤ upper_i. All of known, predicted, lower and upper must be
    *predictable*: computed before X_i is drawn. Under the true f a gambler who stakes
    the share b on X_i - mean_i holds K = prod(1 + b (X_i - mean_i)/s_i), where s_i is
    mean_i - lower_i for bets upwards and upper_i - mean_i for bets downwards. That is
    a non-negative martingale started at 1, and so is any mixture over b: the supremum
    of K reaches 1/α with probability α at most (Ville 1939; Waudby-Smith and Ramdas,
    "Estimating means of bounded random variables by betting", 2024).
    The mixture here puts mass on `FRACTIONS`, half of it on each direction.

    Observations are turned so that predicted_i ≥ 0. The capital of the upward bets then
    falls in f and that of the downward bets rises, so the accepted f form an interval
    whose ends bisection finds. Replicas simulated side by side may be added together:
    given the past they are independent, so that any order of theirs is a valid past.

    >>> test = FactorTest()
    >>> rng = np.random.default_rng(0)
    >>> test.add(rng.random(4000), predicted=0.5, lower=0.0, upper=1.0)
    >>> interval = test.interval(alpha=1e-6)
    >>> interval.contains(1.0), interval.excludes(2.0), interval.excludes(0.5)
    (True, True, True)
    """

    def __init__(self) -> None:
        self._chunks: list[Array] = []

    @property
    def observations(self) -> int:
        """How many observations were added."""
        return sum(chunk.shape[1] for chunk in self._chunks)

    def add(
        self,
        values: ArrayLike,
        *,
        predicted: ArrayLike,
        lower: ArrayLike,
        upper: ArrayLike,
        known: ArrayLike = 0.0,
    ) -> None:
        """Add observations, in time order; the arguments broadcast together.

        Args:
            values: the observations X_i.
            predicted: the part of the conditional mean that the factor multiplies.
            lower: predictable bounds with X_i ≥ lower_i surely.
            upper: predictable bounds with X_i ≤ upper_i surely.
            known: the part of the conditional mean that is not in question.
        """
        named = {
            "values": values,
            "known": known,
            "predicted": predicted,
            "lower": lower,
            "upper": upper,
        }
        x, offset, p, low, high = np.broadcast_arrays(
            *(_finite(name, value) for name, value in named.items())
        )
        size = np.abs(offset) + np.abs(p) + np.abs(low) + np.abs(high)
        _check_bounds(x, low, high, _SLACK * size)
        floor = _SPREAD_FLOOR * (high - low) + _MAGNITUDE_FLOOR * size
        sign = np.where(p < 0.0, -1.0, 1.0)
        ends = np.stack([sign * (low - offset), sign * (high - offset)])
        rows = [
            sign * (np.clip(x, low, high) - offset),
            np.abs(p),
            *np.sort(ends, axis=0),
        ]
        self._chunks.append(np.stack([row.ravel() for row in [*rows, floor]]))

    def log_capital(self, factor: float) -> tuple[float, float]:
        """Return ln K of the upward and of the downward bets against `factor`.

        Args:
            factor: the factor f under test.

        Returns:
            The logarithms of two test martingales; E K ≤ 1 for each if f is true. A
            large first entry says that the true factor is larger than `factor`.
        """
        data = self._data(factor)
        return _log_mixture(_stakes(data, factor, 1)), _log_mixture(
            _stakes(data, factor, -1)
        )

    def log_capital_path(self, factor: float) -> Array:
        """Return ln K of the two-sided mixture after each observation.

        Stopping when it first reaches ln(1/α) is a test of level α at any time.

        Args:
            factor: the factor f under test.

        Returns:
            As many entries as observations, in the order they were added.
        """
        data = self._data(factor)
        total = np.zeros(2 * len(FRACTIONS))
        paths: list[Array] = []
        for start in range(0, data.shape[1], _BLOCK):
            block = data[:, start : start + _BLOCK]
            odds: Array = np.stack(
                [_stakes(block, factor, 1), _stakes(block, factor, -1)]
            )
            logs = np.log1p(FRACTIONS[:, None, None] * odds).reshape(len(total), -1)
            path = total[:, None] + np.cumsum(logs, axis=1)
            total = path[:, -1]
            paths.append(np.logaddexp.reduce(path, axis=0) - math.log(len(total)))
        return np.concatenate(paths)

    def interval(self, alpha: float) -> FactorInterval:
        """Return the factors not rejected at level `alpha`.

        Args:
            alpha: bound on the probability that the true factor is left out.

        Returns:
            The interval; each end is a rejected factor next to the accepted ones.
        """
        check_level(alpha)
        data = self._data(0.0)
        threshold = math.log(2.0 / alpha)
        estimate = _ratio(data)

        def rejects_upward(f: float) -> bool:
            return _log_mixture(_stakes(data, f, 1)) >= threshold

        def rejects_downward(f: float) -> bool:
            return _log_mixture(_stakes(data, f, -1)) >= threshold

        return FactorInterval(
            lower=_boundary(rejects_upward, estimate, -1),
            upper=_boundary(rejects_downward, estimate, 1),
            estimate=estimate,
            alpha=alpha,
            observations=data.shape[1],
        )

    def _data(self, factor: float) -> Array:
        """Return all observations as rows x, predicted, lower, upper, floor.

        Raises:
            ValueError: where `factor` is not finite or nothing was added.
        """
        if not self._chunks:
            raise ValueError("expected observations, got none: call add() first")
        if not math.isfinite(factor):
            raise ValueError(f"expected a finite factor, got {factor}")
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks, axis=1)]
        return self._chunks[0]


def _stakes(data: Array, factor: float, direction: int) -> Array:
    """Return (X - mean)/s per observation: at least -1, mean 0 if `factor` is true."""
    x, predicted, lower, upper, floor = data
    mean = factor * predicted
    room = mean - lower if direction > 0 else upper - mean
    # Where the floor vanishes, so do X, its bounds and its prediction: no bet.
    scale = np.where(floor > 0.0, np.maximum(room, floor), 1.0)
    odds: Array = np.maximum(direction * (x - mean) / scale, -1.0)
    return odds


def _log_mixture(odds: Array) -> float:
    """Return ln of the mean over b in `FRACTIONS` of prod(1 + b·odds)."""
    total = np.zeros(len(FRACTIONS))
    with np.errstate(over="ignore"):  # an infinite capital rejects, as it should
        for start in range(0, len(odds), _BLOCK):
            block = odds[start : start + _BLOCK]
            block = np.pad(block, (0, -len(block) % _GROUP)).reshape(1, _GROUP, -1)
            products = np.prod(1.0 + FRACTIONS[:, None, None] * block, axis=1)
            total += np.log(products).sum(axis=1)
    return float(np.logaddexp.reduce(total) - math.log(len(FRACTIONS)))


def _ratio(data: Array) -> float:
    """Return the ratio estimate of f, each observation in units of its range."""
    x, predicted, lower, upper, floor = data
    weight = np.divide(
        1.0, upper - lower + floor, where=floor > 0, out=np.zeros_like(x)
    )
    weighted = float(weight @ predicted)
    return float(weight @ x) / weighted if weighted > 0.0 else 0.0


def _boundary(rejects: Callable[[float], bool], start: float, outward: int) -> float:
    """Return the rejected factor next to the accepted ones, or ±inf.

    `rejects` is monotone: it rejects everything outward of some point. Steps double
    from `start` towards that point until it is bracketed; then the bracket is halved.
    """
    inside, known = start, rejects(start)
    direction = -outward if known else outward
    step = 2.0**-8 * max(1.0, abs(start))
    while rejects(trial := inside + direction * step) is known:
        inside, step = trial, 2.0 * step
        if abs(inside) > _LARGEST_FACTOR:
            return direction * math.inf
    accepted, rejected = (trial, inside) if known else (inside, trial)
    for _ in range(_BISECTIONS):
        if abs(rejected - accepted) <= 1e-7 * max(1.0, abs(rejected)):
            break
        middle = 0.5 * (accepted + rejected)
        accepted, rejected = (
            (accepted, middle) if rejects(middle) else (middle, rejected)
        )
    return rejected


def _finite(name: str, value: ArrayLike) -> Array:
    """Return `value` as a float64 array, or say what is wrong with it.

    Raises:
        ValueError: where it is empty or an entry is NaN or infinite.
    """
    array = np.asarray(value, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"expected {name} with at least one entry, got none")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)]
        raise ValueError(f"expected finite {name}, got {bad[0]} among {array.size}")
    return array


def _check_bounds(x: Array, lower: Array, upper: Array, slack: Array) -> None:
    """Refuse observations outside their bounds: they would void the guarantee.

    Raises:
        ValueError: where one is outside by more than rounding.
    """
    good = (x >= lower - slack) & (x <= upper + slack) & (lower <= upper)
    if not good.all():
        worst = int(np.argmin(good))
        raise ValueError(
            f"expected lower ≤ value ≤ upper, got {lower.flat[worst]}, "
            f"{x.flat[worst]}, {upper.flat[worst]} at position {worst}: "
            "the bounds must hold surely"
        )

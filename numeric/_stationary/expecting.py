"""Expectations of any function under a law, by quadrature in the probability.

From the median outwards v = F⁻¹(e⁻ᵗ) on the lower side and S⁻¹(e⁻ᵗ) on the upper,
t ≥ ln 2: what is integrated, f(v)e⁻ᵗ, is smooth however singular or heavy the ends are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cubature


Floats = NDArray[np.float64]
_END = 700.0  # e⁻⁷⁰⁰ is nearly the least float
_STOPS = (0.0, 1.0, 3.0, 8.0, 20.0, 50.0, 120.0, 300.0, _END)  # t − ln 2
_ACCURATE, _WANTED = 1e-6, 1e-11  # of the integral of |f|


class Invertible(Protocol):
    """A law of one temperature with quantiles from either end."""

    @property
    def mass_at_zero(self) -> Any: ...
    def cdf(self, v: Any) -> Any: ...
    def sf(self, v: Any) -> Any: ...
    def ppf(self, q: Any) -> Any: ...
    def isf(self, q: Any) -> Any: ...


def expect(
    law: Invertible,
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    conditional: bool,
) -> float:
    """Return E f(v) over low ≤ v ≤ high.

    Args:
        law: of one temperature.
        function: f.
        low: lower end, −inf for all.
        high: upper end.
        conditional: whether to divide by the probability.

    Returns:
        The expectation.

    Raises:
        TypeError: a value of f is not a real number.
        ValueError: there is nothing to divide by, or no convergence.
    """
    inside = low <= high
    if law.mass_at_zero:
        share = float(inside and low <= 0 <= high)
        value = _value(function, 0.0) if share else 0.0
        if not math.isfinite(value):
            what = "f(0) that is not finite, where the law has its atom"
            raise ValueError(_diverging(what))
    else:
        share = float(min(law.cdf(high) - law.cdf(low), law.sf(low) - law.sf(high)))
        share = max(share, 0.0) if inside else 0.0
        lower = _side(law.cdf, law.ppf, function, low, high) if share else 0.0
        upper = _side(law.sf, law.isf, function, high, low) if share else 0.0
        value = lower + upper
    if not conditional:
        return value
    if not share > 0:
        raise ValueError(
            f"expected lb and ub with some probability between them to divide by, got "
            f"{low!r} and {high!r}"
        )
    return value / share


def _side(
    probability: Callable[[float], Any],
    quantile: Callable[[Floats], Any],
    function: Callable[[float], float],
    outer: float,
    inner: float,
) -> float:
    """Return the integral over one half: from `outer` inwards to `inner`, if before."""
    last = _depth(probability(outer))
    first = max(_depth(probability(inner)), math.log(2))
    if not first < last:
        return 0.0

    def integrand(t: Floats) -> Floats:
        weight = np.exp(-t[:, 0])
        values = np.array([_value(function, v) for v in quantile(weight).tolist()])
        if not np.isfinite(values).all():
            raise ValueError(_diverging("f(v) that is not finite"))
        return values * weight

    stops = [first, *(first + stop for stop in _STOPS if 0 < stop < last - first), last]
    total, error, size = 0.0, 0.0, 0.0
    for a, b in pairwise(stops):
        found = cubature(
            integrand, [a], [b], rtol=_WANTED, atol=_WANTED * size, max_subdivisions=200
        )
        total, error = total + float(found.estimate), error + float(found.error)
        size += abs(float(found.estimate))
    beyond = abs(float(integrand(np.array([[last]]))[0])) if last >= _END else 0.0
    if not error + beyond * _END <= _ACCURATE * size:
        what = f"{total:.6g} with an error of {error:.2g}, and {beyond:.2g} at the end"
        raise ValueError(_diverging(what))
    return total


def _value(function: Callable[[float], float], v: float) -> float:
    """Return f(v), nan where Python says that there is none or that it is too large."""
    try:
        found = function(v)
    except ArithmeticError:
        return math.nan
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"expected a function from a number to a real number, got one with "
            f"f({v:.6g}) = {found!r}"
        ) from error


def _diverging(what: str) -> str:
    return (
        f"expected a function whose expectation converges, got {what}: it may be "
        f"infinite (see moment), or too rough"
    )


def _depth(probability: Any) -> float:
    """Return −ln p, at most that of the least float."""
    p = float(np.clip(probability, 0.0, 1.0))
    return min(-math.log(p), _END) if p > 0 else _END

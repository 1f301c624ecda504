"""What the assertions share: comparing, checking bounds, searching for n."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


Array = NDArray[np.float64]
_MOST = 2**60  # observations: a larger number is refused


def compare(
    what: str, found: float, claimed: float, radius: float, alpha: float, n: int
) -> None:
    """Fail where two numbers are further apart than chance allows.

    Raises:
        AssertionError: where they are, NaN included.
    """
    if not abs(found - claimed) <= radius:
        raise AssertionError(
            f"expected a {what} within {radius:.4g} of {claimed:.6g}, got {found:.6g} "
            f"from {n} observations, at alpha = {alpha:.2g}"
        )


def bounded(values: ArrayLike, lower: float, upper: float) -> Array:
    """Return the observations as a flat array.

    Raises:
        ValueError: for none, NaN, or one outside the bounds: they would void the rate.
    """
    x = np.asarray(values, np.float64).ravel()
    if not (x.size and lower < upper and bool(((lower <= x) & (x <= upper)).all())):
        raise ValueError(
            f"expected one observation or more, all within [{lower}, {upper}], got "
            f"{x.size} of them from {x.min() if x.size else '-'} to "
            f"{x.max() if x.size else '-'}: the bounds must hold surely"
        )
    return x


def least_samples(
    detectable: Callable[[int], float], discrepancy: float, least: int = 1
) -> int:
    """Return an n from which on, so far as bisection looks, the discrepancy is seen.

    Raises:
        ValueError: for a discrepancy that is not positive, or that no n detects.
    """
    if not 0.0 < discrepancy < math.inf:
        raise ValueError(
            f"expected a discrepancy that is positive and finite, got {discrepancy}"
        )
    few, enough = least - 1, least
    while not detectable(enough) <= discrepancy:
        few, enough = enough, 2 * enough
        if enough > _MOST:
            raise ValueError(f"no number of observations detects {discrepancy}")
    while enough - few > 1:
        middle = (few + enough) // 2
        if detectable(middle) <= discrepancy:
            enough = middle
        else:
            few = middle
    return enough

"""What `StationaryDensity` takes: its checks, and points broadcast against T."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._stationary.coordinates import Floats


Each = Callable[[int, Floats, bool], Floats]

_BLOCK = 16384  # numbers per work array: a handful of them fit in the L2 cache
_MANY = 50_000  # points from which on a fast table is worth its making


def count(name: str, value: object) -> int:
    """Return a whole number ≥ 1."""
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"expected {name} a whole number >= 1, got {value!r}")
    return number


def decay(value: float) -> float:
    """Return γ ≥ 0."""
    number = float(value)
    if not (0 <= number < math.inf):
        raise ValueError(f"expected gamma >= 0 and finite, got {value!r}")
    return number


def temperatures(value: ArrayLike) -> Any:
    """Return T > 0, a float or an array that cannot be written to."""
    T = np.array(value, dtype=np.float64)
    if not T.size or not ((T > 0) & (math.inf > T)).all():
        raise ValueError(
            f"expected T = eta/S > 0 and finite, got {value!r}; at T = 0 there is no "
            f"noise, and SGD is gradient descent"
        )
    T.setflags(write=False)
    return T if T.ndim else float(T)


def over_points(v: ArrayLike, owners: NDArray[np.intp], each: Each) -> Any:
    """Apply a function to points broadcast against temperatures, block by block.

    Args:
        v: the points; nan gives nan, as in scipy.stats.
        owners: index of each temperature, in the shape of T.
        each: of that index, points of one block, and whether there are many in all.

    Returns:
        The values.
    """
    points, which = np.broadcast_arrays(np.asarray(v, dtype=np.float64), owners)
    flat, owner = points.ravel(), which.ravel()
    order = np.argsort(owner, kind="stable") if owners.ndim else None
    if order is not None:
        flat, owner = flat[order], owner[order]
    values = np.empty(flat.shape)
    for start, stop in _bounds(owner):
        k, many = int(owner[start]), stop - start > _MANY
        for low in range(start, stop, _BLOCK):
            part = slice(low, min(low + _BLOCK, stop))
            values[part] = _without_nan(flat[part], k, many, each)
    if order is not None:
        result = np.empty_like(values)
        result[order] = values
        values = result
    return values.reshape(points.shape)[()]


def _without_nan(v: Floats, k: int, many: bool, each: Each) -> Floats:
    """Apply a function where v is a number; nan gives nan."""
    missing = np.isnan(v)
    if not missing.any():
        return each(k, v, many)
    result = np.full_like(v, math.nan)
    result[~missing] = each(k, v[~missing], many)
    return result


def _bounds(owner: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return the runs of equal entries of a sorted array."""
    if not owner.size:
        return []
    if owner[0] == owner[-1]:  # they are sorted
        return [(0, owner.size)]
    cuts = (np.flatnonzero(np.diff(owner)) + 1).tolist()
    return list(zip([0, *cuts], [*cuts, owner.size], strict=True))

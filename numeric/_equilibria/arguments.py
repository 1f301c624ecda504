"""What `noise_equilibrium` accepts: arrays (..., n) that broadcast, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The arguments of many equilibria, as rows; views of what was given if possible.

    Attributes:
        mu: eigenvalues, (count, n).
        s: noise, (count, n).
        t: squared coordinates, (count, n).
        sigma2: (count,).
        gamma: (count,).
        lead: the shape of the result, of `count` numbers.
        given: the five arguments as they came, as arrays of float64.
        dtype: of the result.
    """

    mu: _Floats
    s: _Floats
    t: _Floats
    sigma2: _Floats
    gamma: _Floats
    lead: tuple[int, ...]
    given: Mapping[str, _Floats]
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        """The number of equilibria."""
        return len(self.mu)

    @property
    def n(self) -> int:
        """The number of eigenvectors."""
        return int(self.mu.shape[1])

    def check(self) -> None:
        """Raise ValueError for what is not finite, or negative and must not be."""
        for name, array in self.given.items():
            _refuse_infinite(array, name)
            if name != "mu":
                _refuse_negative(array, name)

    def part(self, where: Any) -> tuple[_Floats, _Floats, _Floats, _Floats, _Floats]:
        """Return mu, s, t, sigma2 and gamma of some rows."""
        every = (self.mu, self.s, self.t, self.sigma2, self.gamma)
        mu, s, t, sigma2, gamma = (a[where] for a in every)
        return mu, s, t, sigma2, gamma


def rows(given: Mapping[str, ArrayLike]) -> Rows:
    """Return the arguments as rows; the numbers are not looked at.

    Args:
        given: mu, s, t, sigma2 and gamma, in this order.

    Returns:
        The rows.

    Raises:
        ValueError: where kinds or shapes do not fit.
    """
    arrays = {name: real(value, name) for name, value in given.items()}
    lead, n = _leading_shape(arrays)
    count = math.prod(lead)
    wide = [
        _row_major(np.broadcast_to(arrays[name], (*lead, n)).reshape(count, n))
        for name in ("mu", "s", "t")
    ]
    flat = [
        np.broadcast_to(arrays[name], lead).reshape(count)
        for name in ("sigma2", "gamma")
    ]
    mu, s, t = wide
    sigma2, gamma = flat
    return Rows(mu, s, t, sigma2, gamma, lead, arrays, _result_type(given))


def _row_major(array: _Floats) -> _Floats:
    """Return an array whose rows are contiguous, at any distance."""
    size = array.itemsize
    near = array.shape[1] <= 1 or array.strides[1] == size
    even = array.shape[0] <= 1 or array.strides[0] % size == 0
    return array if near and even else np.ascontiguousarray(array)


def _result_type(given: Mapping[str, ArrayLike]) -> np.dtype[Any]:
    """Return float32 where numpy's promotion of all arguments does, else float64."""
    kinds = [
        value if type(value) in (int, float) else np.asarray(value)
        for value in given.values()
    ]
    single = np.result_type(*kinds) == np.float32
    return np.dtype(np.float32 if single else np.float64)


def real(value: ArrayLike, name: str) -> _Floats:
    """Return an array of float64, or raise ValueError for what is not real."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}: expected real numbers, got dtype {array.dtype}; exact numbers "
            f"are for certify_equilibrium"
        )
    array = np.asarray(array, dtype=np.float64)
    aligned = all(stride % array.itemsize == 0 for stride in array.strides)
    return array if aligned and array.flags.aligned else array.copy()


def _refuse_infinite(array: _Floats, name: str) -> None:
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(
            f"{name}: expected finite numbers, got {array[tuple(where)]} at {where}; "
            f"remove or repair such rows first"
        )


def _refuse_negative(array: _Floats, name: str) -> None:
    if not (array < 0).any():
        return
    if name == "gamma":
        raise ValueError(
            f"gamma: expected numbers >= 0, got {array.min()}; for negative weight "
            f"decay G need not be monotone, and an equilibrium need not exist"
        )
    where = np.argwhere(array < 0)[0].tolist()
    raise ValueError(
        f"{name}: expected numbers >= 0, got {array[tuple(where)]} at {where}"
    )


def _leading_shape(arrays: Mapping[str, _Floats]) -> tuple[tuple[int, ...], int]:
    vectors = [arrays[name] for name in ("mu", "s", "t")]
    shapes = {name: a.shape for name, a in arrays.items()}
    lengths = {v.shape[-1] if v.ndim else None for v in vectors}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"mu, s, t: expected shapes (..., n) with one n, got {shapes}; "
            f"the last axis runs over the eigenvectors"
        )
    try:
        lead = np.broadcast_shapes(
            *(v.shape[:-1] for v in vectors),
            *(arrays[name].shape for name in ("sigma2", "gamma")),
        )
    except ValueError as error:
        raise ValueError(
            f"expected leading axes of mu, s, t and shapes of sigma2, gamma that "
            f"broadcast together, got {shapes}"
        ) from error
    return lead, vectors[0].shape[-1]

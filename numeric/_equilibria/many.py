"""Certified equilibria of many orbits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._certify import enclosed
from numeric._equilibria import arguments
from numeric._equilibria.certificate import Certificate
from numeric._equilibrium import arrays_equilibrium


_WHOLE = 2**53  # integers up to here are floats


@dataclass(frozen=True, slots=True, eq=False)
class Certificates:
    """Intervals that hold λ*, proved, of many orbits.

    Attributes:
        lower: floats ≤ λ*, the exact ends rounded down, of the leading axes' shape.
        upper: floats ≥ λ*, likewise.
        unique: whether G is strictly decreasing, so that λ* is the only zero.
        degeneracy: None where λ* is finite, else the `Degeneracy`; an array of objects.
        certificates: the exact ones, in the order of the flattened arrays.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    unique: NDArray[np.bool_]
    degeneracy: NDArray[np.object_]
    certificates: tuple[Certificate, ...]


def certify_equilibria(
    mu: ArrayLike,
    s: ArrayLike,
    t: ArrayLike,
    *,
    sigma2: ArrayLike,
    gamma: ArrayLike,
    bits: int = 128,
) -> Certificates:
    r"""Enclose λ* of many orbits: `certify_equilibrium` for arrays that broadcast.

    Every interval is proved in exact and interval arithmetic, as there; the roots of
    `noise_equilibrium`, found all at once, are only where the search begins. Arrays are
    taken exactly: floats are the dyadic numbers they are, integers must be below 2^53
    in size. For Fractions call `certify_equilibrium`, one orbit at a time.

    Args:
        mu: Eigenvalues μᵢ of the generator A, ``(..., n)``, n ≥ 1.
        s: Noise sᵢ = nᵢᵀΣ(θ)nᵢ ≥ 0 along each eigenvector, ``(..., n)``.
        t: Squared coordinates tᵢ = (nᵢᵀθ)² ≥ 0, ``(..., n)``.
        sigma2: σ² = η/(2S) ≥ 0, a number or an array of the leading axes.
        gamma: Weight decay γ ≥ 0 of γ‖θ‖², a number or an array of the leading axes.
        bits: Each exact enclosure is narrower than 2^-bits·|λ*|.

    Returns:
        The certificates, with the leading axes of all arguments broadcast.

    Raises:
        ImportError: when python-flint is not installed.
        ValueError: as `noise_equilibrium`; and for n = 0, integers or extended floats
            that are no doubles, and bits that are no count.
        ArithmeticError: as `certify_equilibrium`.

    >>> s = np.array([[3.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    >>> found = certify_equilibria([1, -1], s, [0, 0], sigma2=0.1, gamma=0.0)
    >>> found.lower[0] <= np.log(3) / 4 <= found.upper[0], found.upper[1:]
    (np.True_, array([ 0., inf]))
    >>> found.degeneracy[2].value, bool(found.unique.all())
    ('one-sided-noise', True)
    """
    given = {"mu": mu, "s": s, "t": t, "sigma2": sigma2, "gamma": gamma}
    rows = arguments.rows(given)
    rows.check()
    for name, value in given.items():
        _refuse_rounded(np.asarray(value), name)
    if not rows.n:
        raise ValueError("mu: expected at least one number in each row, got none")
    starts = arrays_equilibrium(rows.given).ravel().tolist()
    columns = [column.tolist() for column in rows.part(slice(None))]
    found = tuple(
        enclosed(mu_, s_, t_, sigma2_, gamma_, bits, start)
        for mu_, s_, t_, sigma2_, gamma_, start in zip(*columns, starts, strict=True)
    )
    return _gathered(found, rows.lead)


def _refuse_rounded(array: NDArray[Any], name: str) -> None:
    exact = array.dtype.itemsize <= 8
    if array.dtype.kind in "iu":
        exact = not ((array > _WHOLE) | (array < -_WHOLE)).any()
    elif not exact:
        exact = bool((array == array.astype(np.float64)).all())
    if not exact:
        raise ValueError(
            f"{name}: expected numbers that are doubles, got {array.dtype} of more "
            f"digits; give exact numbers to certify_equilibrium, one orbit at a time"
        )


def _gathered(found: tuple[Certificate, ...], lead: tuple[int, ...]) -> Certificates:
    causes = np.empty(len(found), dtype=object)
    causes[:] = [each.degeneracy for each in found]
    lower = np.array([round_down(each.lower) for each in found], dtype=np.float64)
    upper = np.array([-round_down(-each.upper) for each in found], dtype=np.float64)
    upper += 0.0  # no -0.0
    unique = np.array([each.unique for each in found], dtype=np.bool_)
    return Certificates(
        lower.reshape(lead),
        upper.reshape(lead),
        unique.reshape(lead),
        causes.reshape(lead),
        found,
    )


def round_down(x: Fraction | float) -> float:
    """Return the largest float <= x."""
    if isinstance(x, float):
        return x
    try:
        nearest = float(x)
    except OverflowError:
        return math.nextafter(math.inf, 0.0) if x > 0 else -math.inf
    return nearest if nearest <= x else math.nextafter(nearest, -math.inf)

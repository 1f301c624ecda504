"""The noise equilibrium: where weight decay and gradient noise balance on an orbit."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._equilibria import arguments, lanes
from numeric._equilibria.near_zero import solve_near_zero
from numeric._equilibria.refine import refine
from numeric._lanes.compiler import AVAILABLE


if TYPE_CHECKING:
    from torch import Tensor

_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_FURTHEST = 1e300  # scaled lambda beyond which 2*lambda*m could overflow
_BLOCK = 16384  # numbers per work array: a handful of them fit in the L2 cache
_MAX_STEPS = 200  # geometric bisection alone needs 63: 10 for the exponent, 53 bits
_MANY = 64  # rows from which on a kernel is worth its compilation
_ALMOST = 2.0**-41  # relative error from which on the last digits are computed anew


@overload
def noise_equilibrium(
    mu: Tensor, s: Any, t: Any, *, sigma2: Any, gamma: Any
) -> Tensor: ...
@overload
def noise_equilibrium(
    mu: ArrayLike, s: ArrayLike, t: ArrayLike, *, sigma2: ArrayLike, gamma: ArrayLike
) -> NDArray[Any]: ...
def noise_equilibrium(mu: Any, s: Any, t: Any, *, sigma2: Any, gamma: Any) -> Any:
    r"""Return λ*, the shift along the orbit e^{λA}θ at which the charge stands still.

    It is the root of the non-increasing function (Ziyin et al., arXiv 2402.07193,
    Theorem 1)

    .. math::
        G(\lambda) = -2\gamma \sum_i \mu_i t_i e^{2\lambda\mu_i}
                     + \sigma^2 \sum_i \mu_i s_i e^{-2\lambda\mu_i}.

    The equation is solved as equality of two log-sums of exponentials, so products
    that leave the range of a float do no harm. The error is at most a few eps times
    ``|λ| + L/m``, L the largest |log| among the factors and m the mean |μ| of the terms
    that count at the root. Where this is not small beside ``|λ|``, the root is found
    anew from sums of 2^-78 relative error (but for factors beyond 2^±200).

    Many rows are solved by a SIMD kernel (where llvmlite is installed: ``pip install
    noetherflow[fast]``), a few by numpy; the two agree to the error above. Arrays of
    float32 give float32, rounded from float64. Tensors of torch give a tensor of their
    device, promoted dtype and graph: the gradient is that of the implicit function,
    differentiable again, and 0 where λ* is infinite or nan.

    Shapes that do not fit, and entries that are not finite, or negative where they
    must not be, are a ValueError that names the argument. So are booleans and exact
    numbers (Fraction, sympy), which `certify_equilibrium` takes. Unlike there, n = 0 is
    allowed: the empty sum is G ≡ 0.

    Args:
        mu: Eigenvalues μᵢ of the generator A, ``(..., n)``.
        s: Noise sᵢ = nᵢᵀΣ(θ)nᵢ ≥ 0 along each eigenvector, ``(..., n)``.
        t: Squared coordinates tᵢ = (nᵢᵀθ)² ≥ 0, ``(..., n)``.
        sigma2: σ² = η/(2S) ≥ 0, a number or an array of the leading axes.
        gamma: Weight decay γ ≥ 0 of γ‖θ‖², a number or an array of the leading axes.

    Returns:
        λ*, with the leading axes of all arguments broadcast; +inf where nothing
        pushes the charge down, -inf where nothing pushes it up, nan where G ≡ 0.

    >>> lam = noise_equilibrium([1, -1], [3.0, 1.0], [0, 0], sigma2=0.1, gamma=0.0)
    >>> bool(abs(lam - np.log(3) / 4) < 1e-15)
    True
    """
    given = {"mu": mu, "s": s, "t": t, "sigma2": sigma2, "gamma": gamma}
    # Only who has torch can have a tensor: nobody else waits for the import.
    if any(type(value).__module__.split(".")[0] == "torch" for value in given.values()):
        module = importlib.import_module("numeric._equilibria.tensors")
        return module.noise_equilibrium(**given)
    return arrays_equilibrium(given)


def arrays_equilibrium(given: Mapping[str, ArrayLike]) -> NDArray[Any]:
    """Return λ* of arrays of numpy: see `noise_equilibrium`."""
    rows = arguments.rows(given)
    if AVAILABLE and rows.count >= _MANY and rows.n:
        result = _by_kernel(rows)
    else:
        rows.check()
        result = _by_blocks(rows)
    # Beyond the largest float32 a root is infinite.
    with np.errstate(over="ignore", under="ignore"):
        return result.astype(rows.dtype, copy=False).reshape(rows.lead)


def _by_kernel(rows: arguments.Rows) -> _Floats:
    """Solve by SIMD; what the kernel leaves, after a look at the numbers, by numpy."""
    result, slope, status = lanes.solve(*rows.part(slice(None)))
    left = np.flatnonzero(status)
    if left.size:
        rows.check()
        result[left] = _by_blocks(rows, left)
    again = np.flatnonzero(
        _doubtful(result, slope, rows.n / 4 + 4) & (status == lanes.Status.SOLVED)
    )
    if again.size:
        result[again], sure = solve_near_zero(result[again], *rows.part(again))
        again = again[~sure]
    result[again] = refine(result[again], *rows.part(again))
    return result


def _doubtful(lam: _Floats, slope: _Floats, roundings: Any) -> Any:
    """Return whether the error eps roundings/|H'| is much of a finite λ*."""
    with np.errstate(invalid="ignore"):
        sure = slope * np.abs(lam) * _ALMOST > roundings * _EPS
    return ~sure & np.isfinite(lam)


def _by_blocks(rows: arguments.Rows, where: Any = None) -> _Floats:
    """Solve rows, all or some, by numpy, a block at a time."""
    places = np.arange(rows.count) if where is None else where
    result = np.empty(len(places))
    size = max(1, _BLOCK // max(rows.n, 1))
    for start in range(0, len(places), size):
        part = slice(start, start + size)
        mu, s, t, sigma2, gamma = rows.part(places[part])
        mu_, s_, t_ = (np.ascontiguousarray(row.T) for row in (mu, s, t))
        lam = _solve(mu_, s_, t_, sigma2, gamma)
        again = np.flatnonzero(
            _doubtful(lam, *_conditions(lam, mu_, s_, t_, sigma2, gamma))
        )
        lam[again] = refine(lam[again], *(a[again] for a in (mu, s, t, sigma2, gamma)))
        result[part] = lam
    return result


def _solve(
    mu: _Floats, s: _Floats, t: _Floats, sigma2: _Floats, gamma: _Floats
) -> _Floats:
    """Solve one block; mu, s, t are (n, B), eigenvectors first, sigma2, gamma (B,)."""
    result = np.full(sigma2.shape, np.nan)
    if not mu.size:
        return result
    with np.errstate(divide="ignore"):  # log 0 = -inf is what a missing term weighs
        m, doubled = np.abs(mu), np.log(gamma) + math.log(2.0)
        noise = np.log(s) + np.log(m) + np.log(sigma2)
        decay = np.log(t) + np.log(m) + doubled
    up = np.where(mu > 0, noise, decay)  # pushes C up, times e^{-2 lambda m}
    down = np.where(mu > 0, decay, noise)  # pushes C down, times e^{+2 lambda m}
    rises, falls = np.isfinite(up).any(axis=0), np.isfinite(down).any(axis=0)
    result[rises & ~falls] = np.inf
    result[falls & ~rises] = -np.inf
    both = rises & falls
    if both.any():
        result[both] = _roots(m[:, both], up[:, both], down[:, both])
    return result


def _roots(m: _Floats, up: _Floats, down: _Floats) -> _Floats:
    """Return the roots of H = LSE(up - 2 lambda m) - LSE(down + 2 lambda m), (B,)."""
    live = np.isfinite(up) | np.isfinite(down)
    unit = np.where(live, m, 0.0).max(axis=0)
    m = np.where(live, m / unit, 1.0)
    # Reflected where H(0) < 0, so that every root is >= 0: H(lambda; up, down) =
    # -H(-lambda; down, up).
    height = _log_sum(up) - _log_sum(down)
    back = height < 0
    up, down = np.where(back, down, up), np.where(back, up, down)
    low, high = _bracket(m, up, down, np.abs(height))
    root = _newton(m, up, down, low, high)
    with np.errstate(over="ignore"):  # a root beyond the largest float is +-inf
        return np.asarray(np.where(back, -root, root) / unit)


def _log_sum(terms: _Floats) -> _Floats:
    top = terms.max(axis=0)
    return np.asarray(top + np.log(np.exp(terms - top).sum(axis=0)))


def _bracket(
    m: _Floats, up: _Floats, down: _Floats, height: _Floats
) -> tuple[_Floats, _Floats]:
    """Divide H(0) by the extreme slopes of H over the terms that are there."""
    rises, falls = np.isfinite(up), np.isfinite(down)
    steep = np.where(rises, m, 0.0).max(axis=0) + np.where(falls, m, 0.0).max(axis=0)
    flat = np.where(rises, m, 1.0).min(axis=0) + np.where(falls, m, 1.0).min(axis=0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        low, high = height / (2 * steep), height / (2 * flat)
    low, high = low * (1 - 4 * _EPS), high * (1 + 4 * _EPS)
    # A flat slope of 0 (m/unit underflowed) leaves the end open; 0/0 only at height 0.
    return low, np.where(height == 0, 0.0, np.minimum(high, _FURTHEST))


def _newton(
    m: _Floats, up: _Floats, down: _Floats, low: _Floats, high: _Floats
) -> _Floats:
    """Run Newton on H, with bisection where a step leaves [low, high] or stalls.

    Returns:
        The roots, one for each row.

    Raises:
        ArithmeticError: when roots are left after all steps, which is a defect.
    """
    result = np.empty_like(low)
    where = np.arange(len(low))
    x, last = low.copy(), np.full_like(low, np.inf)
    for _ in range(_MAX_STEPS):
        h, slope, noise = _height_and_slope(m, up, down, x)
        low, high = np.where(h > 0, x, low), np.where(h > 0, high, x)
        step = x + h / slope
        done = (np.abs(h) <= noise) | (high <= low * (1 + 2 * _EPS))
        inside = (step >= low) & (step <= high) & (np.abs(h) <= 0.5 * last)
        result[where[done]] = np.clip(step, low, high)[done]
        # Both ends are >= 0 and may be orders of magnitude apart: halve the exponent.
        x = np.where(inside, step, np.sqrt(low) * np.sqrt(high))
        last = np.abs(h)
        if done.any():
            keep = ~done
            where, x, last = where[keep], x[keep], last[keep]
            low, high = low[keep], high[keep]
            m, up, down = m[:, keep], up[:, keep], down[:, keep]
        if not len(where):
            return result
    raise ArithmeticError(
        f"noise_equilibrium: {len(where)} roots not found in {_MAX_STEPS} steps; "
        f"please report the arguments"
    )


def _height_and_slope(
    m: _Floats, up: _Floats, down: _Floats, x: _Floats
) -> tuple[_Floats, _Floats, _Floats]:
    """Return H(x), -H'(x) and the rounding error of H(x), each (B,)."""
    shift = 2 * x * m
    up_sum, up_mean = _tilted(up - shift, m)
    down_sum, down_mean = _tilted(down + shift, m)
    slope = 2 * (up_mean + down_mean)
    # The leading terms have |log weight| <= |sum| + 2 x m: two roundings of each.
    noise = 2 * _EPS * (np.abs(up_sum) + np.abs(down_sum) + x * slope + 1)
    return up_sum - down_sum, slope, noise


def _tilted(terms: _Floats, m: _Floats) -> tuple[_Floats, _Floats]:
    """Return log sum exp(terms) and the mean of m under these weights."""
    top = terms.max(axis=0)
    weight = np.exp(terms - top)
    total = weight.sum(axis=0)
    return top + np.log(total), np.einsum("ib,ib->b", weight, m) / total


def _conditions(
    lam: _Floats, mu: _Floats, s: _Floats, t: _Floats, sigma2: _Floats, gamma: _Floats
) -> tuple[_Floats, _Floats]:
    """Return -H' at λ*, and the roundings of its logarithms in units of eps."""
    if not mu.size:
        return np.ones_like(lam), np.zeros_like(lam)
    m, x = np.abs(mu), np.where(np.isfinite(lam), lam, 0.0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        logs = [np.log(v) for v in (m, s, t, sigma2[None], 2 * gamma[None])]
        noise, decay = logs[1] + logs[0] + logs[3], logs[2] + logs[0] + logs[4]
        up, down = (np.where((mu > 0) == side, noise, decay) for side in (True, False))
        slope = 2 * sum(
            _tilted(np.where(np.isfinite(w), w + 2 * sign * x * m, -np.inf), m)[1]
            for sign, w in ((-1, up), (1, down))
        )
    largest = [np.where(np.isfinite(v), np.abs(v), 0.0).max(axis=0) for v in logs]
    return np.asarray(slope), 3 * np.max(np.stack(largest), axis=0) + len(mu) / 4 + 4

"""The noise equilibrium: where weight decay and gradient noise balance on an orbit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


_Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_FURTHEST = 1e300  # scaled lambda beyond which 2*lambda*m could overflow
_BLOCK = 16384  # numbers per work array: a handful of them fit in the L2 cache
_MAX_STEPS = 200  # geometric bisection alone needs 63: 10 for the exponent, 53 bits


def noise_equilibrium(
    mu: ArrayLike,
    s: ArrayLike,
    t: ArrayLike,
    *,
    sigma2: ArrayLike,
    gamma: ArrayLike,
) -> _Floats:
    r"""Return λ*, the shift along the orbit e^{λA}θ at which the charge stands still.

    It is the root of the non-increasing function (Ziyin et al., arXiv 2402.07193,
    Theorem 1)

    .. math::
        G(\lambda) = -2\gamma \sum_i \mu_i t_i e^{2\lambda\mu_i}
                     + \sigma^2 \sum_i \mu_i s_i e^{-2\lambda\mu_i}.

    The equation is solved as equality of two log-sums of exponentials, so products
    that leave the range of a float do no harm. The error is that of rounding the
    logarithms: a few eps times ``|λ| + L/m``, L the largest |log| among the factors
    and m the mean |μ| of the terms that count at the root. Shapes that do not fit,
    and entries that are not finite, or negative where they must not be, are a
    ValueError that names the argument.

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
    vectors = {"mu": _finite(mu, "mu"), "s": _weight(s, "s"), "t": _weight(t, "t")}
    scalars = {"sigma2": _weight(sigma2, "sigma2"), "gamma": _gamma(gamma)}
    lead, n = _leading_shape(vectors, scalars)
    count = math.prod(lead)
    rows = [np.broadcast_to(v, (*lead, n)).reshape(count, n) for v in vectors.values()]
    cols = [np.broadcast_to(c, lead).reshape(count) for c in scalars.values()]
    result = np.empty(count)
    size = max(1, _BLOCK // max(n, 1))
    for start in range(0, count, size):
        part = slice(start, start + size)
        mu_, s_, t_ = (np.ascontiguousarray(row[part].T) for row in rows)
        result[part] = _solve(mu_, s_, t_, *(col[part] for col in cols))
    return result.reshape(lead)


def _finite(value: ArrayLike, name: str) -> _Floats:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    array = np.asarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(
            f"{name}: expected finite numbers, got {array[tuple(where)]} at {where}; "
            f"remove or repair such rows first"
        )
    return array


def _weight(value: ArrayLike, name: str) -> _Floats:
    array = _finite(value, name)
    if (array < 0).any():
        where = np.argwhere(array < 0)[0].tolist()
        raise ValueError(
            f"{name}: expected numbers >= 0, got {array[tuple(where)]} at {where}"
        )
    return array


def _gamma(value: ArrayLike) -> _Floats:
    array = _finite(value, "gamma")
    if (array < 0).any():
        raise ValueError(
            f"gamma: expected numbers >= 0, got {array.min()}; for negative weight "
            f"decay G need not be monotone, and an equilibrium need not exist"
        )
    return array


def _leading_shape(
    vectors: dict[str, _Floats], scalars: dict[str, _Floats]
) -> tuple[tuple[int, ...], int]:
    lengths = {name: v.shape[-1] if v.ndim else None for name, v in vectors.items()}
    shapes = {name: v.shape for name, v in (vectors | scalars).items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise ValueError(
            f"mu, s, t: expected shapes (..., n) with one n, got {shapes}; "
            f"the last axis runs over the eigenvectors"
        )
    try:
        lead = np.broadcast_shapes(
            *(v.shape[:-1] for v in vectors.values()),
            *(c.shape for c in scalars.values()),
        )
    except ValueError as error:
        raise ValueError(
            f"expected leading axes of mu, s, t and shapes of sigma2, gamma that "
            f"broadcast together, got {shapes}"
        ) from error
    return lead, next(iter(vectors.values())).shape[-1]


def _solve(
    mu: _Floats, s: _Floats, t: _Floats, sigma2: _Floats, gamma: _Floats
) -> _Floats:
    """Solve one block; mu, s, t are (n, B), eigenvectors first, sigma2, gamma (B,)."""
    result = np.full(sigma2.shape, np.nan)
    if not mu.size:
        return result
    m = np.abs(mu)
    with np.errstate(divide="ignore"):  # log 0 = -inf is what a missing term weighs
        noise = np.log(s) + np.log(m) + np.log(sigma2)
        decay = np.log(t) + np.log(m) + (np.log(gamma) + math.log(2.0))
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

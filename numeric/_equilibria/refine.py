r"""The last digits of equilibria near 0: one evaluation of G in twice the precision.

Rounding moves λ* by a few eps/|H'|, which is much where |H'| |λ*| is small: the two
sides almost balance at the start already. There Newton's step is taken with G(λ) in
pairs of doubles (Dekker 1971; Hida, Li, Bailey 2001), good to 2^-78 of its larger side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


_Floats = NDArray[np.float64]
_Pair = tuple[_Floats, _Floats]

_BIG = 2.0**200  # factors of terms, and their inverses, beyond which nothing is done
REACH = 600.0  # of 2|λ|m, for no exponential to leave the range
LARGEST_MOVE = 2.0**-10  # of 2λ max m
STEPS = 2
MILD = 64.0  # the error of a sum that may be magnified so much is let pass
_HALVINGS = 6
_SPLITTER = 2.0**27 + 1
# ln 2: two parts of 32 bits, which whole numbers multiply exactly, and the rest.
_LN2 = (
    0.6931471803691238,
    1.9082149288430703e-10,
    4.275175589747649e-20,
)
_SIXTH = (0.16666666666666666, 9.25185853854297e-18)


def refine(
    lam: _Floats,
    mu: _Floats,
    s: _Floats,
    t: _Floats,
    sigma2: _Floats,
    gamma: _Floats,
) -> _Floats:
    """Return λ* with small relative error.

    Args:
        lam: finite λ* of every row, as good as doubles make it, (B,).
        mu: (B, n).
        s: (B, n).
        t: (B, n).
        sigma2: (B,).
        gamma: (B,).

    Returns:
        λ*, (B,); rows of extreme factors or exponents as they were.
    """
    if not mu.size:
        return lam
    m = np.abs(mu)
    factors = np.concatenate([m, s, t, sigma2[:, None], gamma[:, None]], axis=1)
    extreme = (factors != 0) & ~((factors >= 1 / _BIG) & (factors <= _BIG))
    fits = ~extreme.any(axis=1) & (2 * np.abs(lam) * m.max(axis=1) <= REACH)
    result = np.array(lam)
    if fits.any():
        m, mu, s, t = (a[fits].T for a in (m, mu, s, t))
        with np.errstate(over="ignore", invalid="ignore"):
            better = _refined(lam[fits], m, mu, s, t, sigma2[fits], gamma[fits])
        # Digits are mended, not roots found: a large move would be somebody's defect.
        moved = 2 * np.abs(better - lam[fits]) * m.max(axis=0)
        result[fits] = np.where(moved <= LARGEST_MOVE, better, lam[fits])
    return result


def _refined(
    lam: _Floats,
    m: _Floats,
    mu: _Floats,
    s: _Floats,
    t: _Floats,
    sigma2: _Floats,
    gamma: _Floats,
) -> _Floats:
    noise = _times(_product(sigma2, m), s)
    decay = _times(_product(2 * gamma, m), t)
    rises = mu > 0
    up = tuple(np.where(rises, x, y) for x, y in zip(noise, decay, strict=True))
    down = tuple(np.where(rises, y, x) for x, y in zip(noise, decay, strict=True))
    root, sure = _near_zero(lam, m, up, down)
    rest = np.flatnonzero(~sure)
    if rest.size:
        sides = [tuple(part[:, rest] for part in side) for side in (up, down)]
        root[rest] = _anywhere(lam[rest], m[:, rest], *sides)
    return root


def _near_zero(lam: _Floats, m: _Floats, up: Any, down: Any) -> tuple[_Floats, Any]:
    """Solve G(0) = Σ d(e^{2λm} - 1) - Σ u(e^{-2λm} - 1), only G(0) in pairs.

    Returns:
        λ*, and whether the sums on the right were no larger than some 2|λG'| all the
        way, so that their rounding is that of λ.
    """
    start, sure = _total(up, down), np.ones(lam.shape, dtype=bool)
    for _ in range(STEPS):
        x = 2 * lam * m
        rise, fall = up[0] * np.expm1(-x), down[0] * np.expm1(x)
        slope = 2 * _plain(m * ((up[0] + rise) + (down[0] + fall)))
        size = _plain(np.abs(rise) + np.abs(fall))
        sure &= size <= MILD * slope * np.abs(lam)
        lam = lam + (start + _plain(rise - fall)) / slope
    return lam, sure


def _anywhere(lam: _Floats, m: _Floats, up: Any, down: Any) -> _Floats:
    """Solve G(λ) = 0 in pairs."""
    for _ in range(STEPS):
        high, low = _product(2 * lam, m)
        rise = _multiply(up, _exp((-high, -low)))
        fall = _multiply(down, _exp((high, low)))
        slope = 2 * _plain(m * (rise[0] + fall[0]))
        lam = lam + _total(rise, fall) / slope
    return lam


def _plain(terms: _Floats) -> _Floats:
    """Return the sum over the first axis, in an order that no shape changes."""
    total = np.zeros(terms.shape[1])
    for row in terms:
        total = total + row
    return total


def _total(rise: Any, fall: Any) -> _Floats:
    """Return Σ rise - Σ fall, over the first axis."""
    high, low = np.zeros(rise[0].shape[1]), np.zeros(rise[0].shape[1])
    for side, sign in ((rise, 1.0), (fall, -1.0)):
        for big, small in zip(*side, strict=True):
            high, lost = _sum(high, sign * big)
            low = low + (lost + sign * small)
    return high + low


# ------------------------------------------------------------------ double-double


def _sum(x: Any, y: Any) -> Any:
    """Return x + y rounded, and what was lost (Knuth)."""
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)


def _product(x: Any, y: Any) -> Any:
    """Return xy rounded, and what was lost (Dekker)."""
    total = x * y
    (x1, x2), (y1, y2) = _halves(x), _halves(y)
    return total, ((x1 * y1 - total) + x1 * y2 + x2 * y1) + x2 * y2


def _halves(x: Any) -> Any:
    scaled = _SPLITTER * x
    high = scaled - (scaled - x)
    return high, x - high


def _times(x: Any, y: Any) -> Any:
    """Return a pair times a number."""
    high, low = _product(x[0], y)
    return _tidy(high, low + x[1] * y)


def _multiply(x: Any, y: Any) -> Any:
    high, low = _product(x[0], y[0])
    return _tidy(high, low + (x[0] * y[1] + x[1] * y[0]))


def _add(x: Any, y: Any) -> Any:
    high, low = _sum(x[0], y[0])
    return _tidy(high, low + (x[1] + y[1]))


def _tidy(high: Any, low: Any) -> Any:
    """Return the pair with the sum rounded first."""
    total = high + low
    return total, low - (total - high)


def _exp(x: Any) -> Any:
    """Return e^x to 2^-78, for |x| <= 700.

    r = (x - n ln 2)/64 is below 0.0055; e^r - 1 is a Taylor series, whose terms from r⁴
    on need no pairs, and six times 2y + y² is that of 2r.
    """
    n = np.round(x[0] / (_LN2[0] + _LN2[1]))
    rest = _sum(x[0] - n * _LN2[0], -n * _LN2[1])
    rest = _tidy(rest[0], rest[1] + (x[1] - n * _LN2[2]))
    scale = 2.0**-_HALVINGS
    r = rest[0] * scale, rest[1] * scale
    h = r[0]
    tail = h**4 * (1 / 24 + h * (1 / 120 + h * (1 / 720 + h * (1 / 5040 + h / 40320))))
    square = _multiply(r, r)
    cube = _multiply(_multiply(square, r), _SIXTH)
    y = _add(_add((0.5 * square[0], 0.5 * square[1]), _add(cube, (tail, 0.0))), r)
    for _ in range(_HALVINGS):
        y = _add((2 * y[0], 2 * y[1]), _multiply(y, y))
    y = _add((np.ones_like(h), 0.0), y)
    power = n.astype(np.int64)
    return np.ldexp(y[0], power), np.ldexp(y[1], power)

"""λ* by scipy: elementwise over all orbits, or brentq one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.optimize.elementwise import bracket_root, find_root

from benchmarks._orbits import EPS, Floats, Orbits, log_sum


_OPEN = 1 + 1e-9  # widens the brackets given to scipy beyond what rounding moves


def scipy_search(orbits: Orbits) -> Floats:
    """Return λ* by scipy's elementwise bracket_root and find_root."""
    terms = orbits.terms()
    rows = np.arange(len(orbits))
    start = np.ones(len(rows))
    found = bracket_root(_height(terms), -start, start, args=(rows,))
    return _roots(find_root(_height(terms), found.bracket, args=(rows,)))


def scipy_bracket(orbits: Orbits) -> Floats:
    """Return λ* by scipy's elementwise find_root, with the bracket of the slopes."""
    m, up, down = orbits.terms()
    n = orbits.n
    end = _OPEN * (log_sum(up) - log_sum(down)) / (4 * m.min(axis=0))
    bracket = np.minimum(end, 0.0), np.maximum(end, 0.0)
    flat = (*m, *up, *down)  # numbers of one orbit for each element

    def height(x: Floats, *terms: Floats) -> Floats:
        every = np.stack(terms)
        shift = 2 * x * every[:n]
        up, down = every[n : 2 * n], every[2 * n :]
        return log_sum(up - shift) - log_sum(down + shift)

    return _roots(find_root(height, bracket, args=flat))


def brentq_loop(orbits: Orbits) -> Floats:
    """Return λ* by one call of scipy's brentq for each, with the same bracket."""
    columns = [part.T.tolist() for part in orbits.terms()]
    return np.array([_brent(*row) for row in zip(*columns, strict=True)])


def _brent(m: list[float], up: list[float], down: list[float]) -> float:
    def height(x: float) -> float:
        rise = [w - 2 * x * r for w, r in zip(up, m, strict=True)]
        fall = [w + 2 * x * r for w, r in zip(down, m, strict=True)]
        tops = max(rise), max(fall)
        sums = (
            sum([math.exp(w - top) for w in side])
            for side, top in zip((rise, fall), tops, strict=True)
        )
        return tops[0] - tops[1] + math.log(next(sums) / next(sums))

    end = _OPEN * height(0.0) / (4 * min(m))
    low, high = min(end, 0.0), max(end, 0.0)
    return float(brentq(height, low, high, xtol=1e-300, rtol=4 * EPS))


def _height(terms: tuple[Floats, Floats, Floats]) -> Callable[[Floats, Any], Floats]:
    m, up, down = terms

    def height(x: Floats, rows: Any) -> Floats:
        shift = 2 * x * m[:, rows]
        return log_sum(up[:, rows] - shift) - log_sum(down[:, rows] + shift)

    return height


def _roots(found: Any) -> Floats:
    return np.where(found.success, found.x, np.nan)

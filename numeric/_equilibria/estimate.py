"""One equilibrium in floats: where a search in higher precision begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


_STEPS = 60
_GOOD = 2.0**-40  # relative: Newton's next step would be lost in the rounding


def float_root(up: Sequence[tuple[Any, Any]], down: Sequence[tuple[Any, Any]]) -> float:
    """Return about the zero of G = Σ w e^{-rλ} (up) - Σ w e^{rλ} (down), G(0) > 0.

    Newton on the difference H of the logarithms, from the point beyond which a term of
    `down` exceeds all of `up`, with bisection of the exponents where it stalls.

    Args:
        up: rates r > 0 and weights w > 0, rational numbers with p and q.
        down: likewise.

    Returns:
        λ > 0, or nan where floats cannot tell; a guess, of no guaranteed accuracy.
    """
    try:
        rise, fall = ([(_float(r), _log(w)) for r, w in side] for side in (up, down))
    except (OverflowError, ZeroDivisionError, ValueError):
        return math.nan
    top, bottom = _height(rise, 0.0)[0], _height(fall, 0.0)[0]
    rates = [[r for r, _ in side] for side in (rise, fall)]
    low = (top - bottom) / (max(rates[0]) + max(rates[1]))
    high = (top - bottom) / (min(rates[0]) + min(rates[1]))
    x = high = min(high, *((top - a) / r for r, a in fall))
    last = math.inf
    for _ in range(_STEPS):
        if not 0 < low <= high < math.inf:
            return x if x > 0 else math.nan
        (log_up, mean_up), (log_down, mean_down) = _height(rise, -x), _height(fall, x)
        height = log_up - log_down
        low, high = (x, high) if height > 0 else (low, x)
        step = x + height / (mean_up + mean_down)
        if abs(step - x) <= _GOOD * x:
            return step
        fine = low <= step <= high and abs(height) <= 0.5 * last
        x, last = step if fine else math.sqrt(low) * math.sqrt(high), abs(height)
    return x


def _float(x: Any) -> float:
    value = int(x.p) / int(x.q)
    if not 1e-200 < value < 1e200:
        raise OverflowError
    return value


def _log(x: Any) -> float:
    return math.log(int(x.p)) - math.log(int(x.q))


def _height(side: list[tuple[float, float]], x: float) -> tuple[float, float]:
    """Return log Σ w e^{rx} and the mean of r under these weights."""
    logs = [a + r * x for r, a in side]
    top = max(logs)
    weights = [math.exp(a - top) for a in logs]
    total = sum(weights)
    mean = sum([w * r for w, (r, _) in zip(weights, side, strict=True)]) / total
    return top + math.log(total), mean

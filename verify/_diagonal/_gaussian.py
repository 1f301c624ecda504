"""Discrete SGD on x ~ N(0, 1), y = kx + σε: its Lyapunov exponent at 0, and its runs.

At u = w → 0 a step multiplies u by 1 + 2ηm, m the minibatch mean of xy. Given
r² = Σx² of the minibatch, m ~ N(kr²/S, σ²r²/S²), so that E ln|1 + 2ηm| is one integral
over r of ln s + g(μ/s), with g(m) = E ln|m + Z| and g'(m) = √2·F(m/√2), F Dawson's
function.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special


Array = NDArray[np.float64]
_LAST = 40.0  # beyond it, g(m) = ln m − 1/(2m²) − 3/(4m⁴) − 5/(2m⁶) to 1e-11
_CELLS, _ORDER = 400, 8
_REACH, _PANELS, _NODES = 10.0, 40, 10


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array, Array]:
    """Return edges, g at them, and the nodes of the rule on [0, 1] with weights."""
    nodes, weights = np.polynomial.legendre.leggauss(_ORDER)
    edges = np.linspace(0.0, _LAST, _CELLS + 1)
    t = edges[:-1, None] + (edges[1] - edges[0]) * (nodes + 1) / 2
    slopes = math.sqrt(2) * special.dawsn(t / math.sqrt(2))
    rises = (slopes * weights).sum(axis=1) * (edges[1] - edges[0]) / 2
    at_zero = -(np.euler_gamma + math.log(2)) / 2
    g = at_zero + np.concatenate([[0.0], np.cumsum(rises)])
    return edges, g, np.stack([(nodes + 1) / 2, weights / 2])


def log_moment(m: Array) -> Array:
    """Return E ln|m + Z| for Z ~ N(0, 1).

    Args:
        m: the shifts.

    Returns:
        As many numbers.

    >>> float(log_moment(np.array([0.0]))[0].round(6))
    -0.635181
    """
    size = np.abs(np.asarray(m, dtype=np.float64))
    edges, g, rule = _table()
    inside = np.minimum(size, _LAST)
    cell = np.minimum((inside / edges[1]).astype(np.intp), _CELLS - 1)
    gap = inside - edges[cell]
    t = edges[cell][..., None] + gap[..., None] * rule[0]
    slopes = math.sqrt(2) * special.dawsn(t / math.sqrt(2))
    near = g[cell] + gap * (slopes * rule[1]).sum(axis=-1)
    far = np.maximum(size, _LAST)
    beyond = np.log(far) - 0.5 / far**2 - 0.75 / far**4 - 2.5 / far**6
    return np.asarray(np.where(size < _LAST, near, beyond))


def exponent(eta: float, batch: int, slope: float, noise: float) -> float:
    """Return λ = E ln|1 + 2η·mean(xy)|, the discrete Lyapunov exponent at 0, a step.

    Args:
        eta: η > 0.
        batch: S.
        slope: k.
        noise: σ > 0.

    Returns:
        The exponent.

    >>> round(exponent(0.35, 1, 1.0, 1.0), 3)
    0.351
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    width = (_REACH + math.sqrt(batch)) / _PANELS
    r = ((np.arange(_PANELS)[:, None] + (nodes + 1) / 2) * width).ravel()
    w = np.tile(weights * width / 2, _PANELS)
    log_p = (batch - 1) * np.log(r) - r * r / 2
    log_p -= (batch / 2 - 1) * math.log(2) + special.gammaln(batch / 2)
    spread = 2 * eta * noise * r / batch
    centre = 1 + 2 * eta * slope * r * r / batch
    values = np.log(spread) + log_moment(centre / spread)
    return float(np.sum(w * np.exp(log_p) * values))


def sde_exponent(eta: float, batch: int, slope: float, noise: float) -> float:
    """Return 2η(β₂ − Tα₃), the same of the SDE, in a time η.

    >>> round(sde_exponent(0.35, 1, 1.0, 1.0), 6)
    -0.035
    """
    alpha3 = 2 * slope * slope + noise * noise
    return 2 * eta * (slope - eta / batch * alpha3)


def runs(
    eta: float, steps: int, replicas: int, rng: np.random.Generator, noise: float = 1.0
) -> Array:
    """Return |v| after SGD with S = 1 from u, w near 1, inf where it left the floats.

    Args:
        eta: η.
        steps: how many.
        replicas: independent runs.
        rng: their randomness.
        noise: σ of y = x + σε.

    Returns:
        |uw| of each run, ``(replicas,)``.
    """
    u, w = 1 + 0.1 * rng.standard_normal((2, replicas))
    for _ in range(steps):
        x = rng.standard_normal(replicas)
        y = x + noise * rng.standard_normal(replicas)
        with np.errstate(over="ignore", invalid="ignore"):
            q = 2 * x * (u * w * x - y)
            u, w = u - eta * q * w, w - eta * q * u
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(u * w)
    return np.where(np.isfinite(size), size, np.inf)

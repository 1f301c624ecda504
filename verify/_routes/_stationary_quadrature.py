"""Stationary densities of v by the trapezoidal rule in ln v: no other code shared.

In s = ln v the integrand is analytic near the real axis and decays exponentially at
both ends, so that the rule converges faster than any power of its step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np

from numeric import DataMoments, StationaryDensity
from verify._context import Context


STEP = 0.02
_LOSS = 75.0  # e^{-75} of the greatest weight is left out at either end
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, slots=True)
class Point:
    """A network and data constants, in floats.

    Attributes:
        depth: N ≥ 2.
        width: d.
        alpha: α₁, α₂, α₃ with Δ > 0.
        beta: β₁, β₂ > 0.
        T: temperature, or an array of them for `law`.
        gamma: weight decay.
    """

    depth: int
    width: int
    alpha: tuple[float, float, float]
    beta: tuple[float, float]
    T: Any
    gamma: float = 0.0

    @property
    def c(self) -> float:
        """Return d^{2/N − 1}."""
        return float(self.width ** (2 / self.depth - 1))

    def law(self) -> StationaryDensity:
        """Return the density under test."""
        return StationaryDensity(
            self.depth,
            self.width,
            moments=DataMoments(*self.alpha, *self.beta),
            T=self.T,
            gamma=self.gamma,
        )

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {
            "N": str(self.depth),
            "d": str(self.width),
            "alpha": str(self.alpha),
            "beta": str(self.beta),
            "T": repr(self.T),
            "gamma": repr(self.gamma),
        }


@dataclass(frozen=True, slots=True)
class Grid:
    """The density on a grid of s = ln v, up to a factor.

    Attributes:
        s: equidistant points.
        log: ln(p v), its greatest value 0.
    """

    s: Any
    log: Any

    def moment(self, order: float) -> float:
        """Return E vᵏ by the trapezoidal rule."""
        top = float((self.log + order * self.s).max())
        part = np.exp(self.log + order * self.s - top).sum() / np.exp(self.log).sum()
        return float(part * math.exp(top))

    def below(self, j: int) -> float:
        """Return P(v ≤ e^{s_j}), to the fourth order of the step."""
        weight = np.exp(self.log)
        part = weight[: j + 1].sum() - weight[j] / 2
        slope = (weight[j + 1] - weight[j - 1]) / 2
        return float((part - slope / 12) / weight.sum())


def grid(
    point: Point,
    order: float = 2.0,
    *,
    power: float = 3.0,
    noise: float = 1.0,
    pull: float = 1.0,
) -> Grid:
    """Tabulate the density, wide enough for moments up to an order.

    Args:
        point: the network; its density must be normalisable.
        order: of the highest moment, below 4 − 3/N.
        power: κ of v^{−κD/N}.
        noise: q of Q^{−q}.
        pull: factor of the exponent.

    Returns:
        The grid.
    """
    n, (a1, a2, a3), (b1, b2) = point.depth, point.alpha, point.beta
    left = 40.0 * n
    if n == 2:
        left = _LOSS / ((b2 - point.gamma) / (2 * a3 * point.T) - 0.5)
    right = _LOSS / (4 - 3 / n - order)
    start = math.log(b2 / b1)
    cells = np.arange(math.ceil(start - left / STEP), math.ceil(start + right / STEP))
    s = start + STEP * (cells - cells[0]) - left
    inner = s[:-1, None] + STEP / 2 * (1 + _NODES)
    pieces = _force(point, inner) @ _WEIGHTS * (STEP / 2)
    middle = int(np.searchsorted(s, start))
    below = -np.cumsum(pieces[:middle][::-1])[::-1]  # outwards: no cancellation
    potential = np.concatenate([below, [0.0], np.cumsum(pieces[middle:])])
    x = np.exp(s)
    spread = noise * np.log(a1 * x * x - 2 * a2 * x + a3)
    log = s * (1 - power * (n - 1) / n) - spread - pull * potential / point.T
    return Grid(s, log - log.max())


def _force(point: Point, s: Any) -> Any:
    """Return v(β₁v − β₂ + (γ/c)v^{1−2D/N})/(N c v^{2D/N} Q), at v = e^s."""
    n, (a1, a2, a3), (b1, b2) = point.depth, point.alpha, point.beta
    x, ratio = np.exp(s), np.exp(s * (2 / n - 1)) / point.c  # v/M, M = c v^{2D/N}
    pull = b1 * x - b2 + point.gamma * ratio
    return ratio * pull / (n * (a1 * x * x - 2 * a2 * x + a3))


_RATIOS = st.builds(Fraction, st.integers(1, 12), st.sampled_from((2, 5)))


@st.composite
def points(draw: st.DrawFn, deepest: int = 6, decay: bool = True) -> Point:
    """Draw a network with a normalisable density, T/T_c in [0.05, 0.7] for N = 2.

    Args:
        draw: Hypothesis' draw.
        deepest: the greatest N.
        decay: whether γ may differ from 0 (N = 2 only: no density beyond it).

    Returns:
        The network.
    """
    n, width = draw(st.integers(2, deepest)), draw(st.sampled_from((1, 2, 10)))
    a1, a3, b1, b2 = (float(draw(_RATIOS)) for _ in range(4))
    rho = draw(st.sampled_from((-0.8, -0.3, 0.0, 0.3, 0.6, 0.8)))
    gamma = draw(st.sampled_from((0.0, 0.1, 0.5))) * b2 if decay and n == 2 else 0.0
    share = draw(st.sampled_from((0.05, 0.15, 0.3, 0.5, 0.7)))
    critical = (b2 - gamma) / a3
    alpha = (a1, rho * math.sqrt(a1 * a3), a3)
    return Point(n, width, alpha, (b1, b2), share * critical, gamma)


def drawn_points(
    context: Context, name: str, *, deepest: int = 6, decay: bool = True
) -> tuple[Point, ...]:
    """Return drawn points, two for every five exact instances of the profile."""
    count = max(4, context.profile.exact * 2 // 5)
    return context.draw(points(deepest=deepest, decay=decay), count, name)

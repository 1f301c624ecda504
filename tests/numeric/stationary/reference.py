"""Stationary densities by brute force: p ∝ b⁻² exp ∫2a/b² of the reduced SDE itself.

No exponent is derived here and nothing is adaptive: drift and noise in extended
precision, Gauss–Legendre on many pieces between points that are given.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from numeric._stationary.density import StationaryDensity


Long = np.longdouble
POINTS, WEIGHTS = legendre.leggauss(16)
PRIMITIVE = np.stack(
    [
        legendre.legval(
            POINTS,
            legendre.legint(
                np.linalg.solve(legendre.legvander(POINTS, 15), np.eye(16)[j]), lbnd=-1
            ),
        )
        for j in range(16)
    ],
    axis=1,
)
LOWEST, HIGHEST = 1e-14, 1e-12  # probabilities left out at the two ends


def noise(law: StationaryDensity, v: NDArray[Long]) -> NDArray[Long]:
    """Return Q(v)."""
    m = law.moments
    return Long(m.alpha1) * v * v - 2 * Long(m.alpha2) * v + Long(m.alpha3)


def coefficients(
    law: StationaryDensity, v: NDArray[Long]
) -> tuple[NDArray[Long], NDArray[Long]]:
    """Return drift and squared noise of dv on the balanced manifold, v ≠ 0."""
    N, d, T, gamma = law.depth, Long(law.width), Long(law.T), Long(law.gamma)
    D, sign, size = N - 1, np.sign(v), np.abs(v)
    c = d ** (Long(2) / N - 1)
    speed = 2 * N * c * size ** (Long(2 * D) / N)
    Q = noise(law, v)
    drift = -speed * (Long(law.moments.beta1) * v - Long(law.moments.beta2))
    drift -= 2 * N * gamma * v
    drift += sign * 2 * N * D * c**2 * size ** (3 - Long(4) / N) * T * Q
    return drift, speed**2 * T * Q


@dataclass(frozen=True, slots=True)
class Table:
    """v, P(V ≤ v) at edges; and v, p(v), P(V ≤ v) at inner points."""

    edges: NDArray[np.float64]
    cdf: NDArray[np.float64]
    v: NDArray[np.float64]
    pdf: NDArray[np.float64]
    mean: float


def tabulate(law: StationaryDensity, pieces: int = 150) -> Table:
    """Integrate between quantiles: the law only says where its mass is."""
    inner = [1e-9, 1e-6, 1e-3, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95]
    low = law.ppf([LOWEST, *inner])
    marks = np.concatenate([low, law.isf([1e-3, 1e-6, 1e-9, HIGHEST])])
    edges = np.concatenate(
        [
            (
                np.geomspace(a, b, pieces, endpoint=False)
                if a > 0 or b < 0
                else np.linspace(a, b, pieces, endpoint=False)
            )
            for a, b in itertools.pairwise(marks)
        ]
        + [marks[-1:], _beside_dip(law)]
    )
    edges = np.unique(edges[(edges >= marks[0]) & (edges <= marks[-1])]).astype(Long)
    half = np.diff(edges)[:, None] / 2
    v = (edges[:-1] + edges[1:])[:, None] / 2 + half * POINTS
    drift, square = coefficients(law, v)
    force = 2 * drift / square * half
    rise = np.cumsum(force @ WEIGHTS) - force @ WEIGHTS
    exponent = rise[:, None] + force @ PRIMITIVE.T.astype(Long) - np.log(square)
    weight = np.exp(exponent - exponent.max())
    mass = (weight * half) @ WEIGHTS
    share = (1 - Long(LOWEST) - Long(HIGHEST)) / mass.sum()
    cdf = LOWEST + np.cumsum(mass) * share
    return Table(
        edges[1:].astype(float),
        cdf.astype(float),
        v.ravel().astype(float),
        (weight * share).ravel().astype(float),
        float(((weight * half * v) @ WEIGHTS).sum() * share),
    )


def _beside_dip(law: StationaryDensity) -> NDArray[np.float64]:
    """Return points around the least noise, on the scale of its width."""
    m = law.moments
    if not m.alpha1 or not m.delta:
        return np.empty(0)
    width = math.sqrt(m.delta) / m.alpha1
    return m.alpha2 / m.alpha1 + width * np.sinh(np.linspace(-9, 9, 300))


def identity(law: StationaryDensity) -> float:
    """Return β₁E v − β₂ + DcT E[v^{1−2/N} Q], which is 0, over its largest term.

    It is the generator applied to the function with derivative v^{−2D/N}. For γ = 0,
    or γ > 0 and D = 1, where β₂ → β₂ − γ; on the branch v > 0.
    """
    m, N = law.moments, law.depth
    power, D = 1 - 2 / N, N - 1
    strength = D * law.width ** (2 / N - 1) * law.T
    terms = [
        m.beta1 * law.mean(),
        (law.gamma if N == 2 else 0.0) - m.beta2,
        strength * m.alpha1 * law.moment(2 + power),
        -2 * strength * m.alpha2 * law.moment(1 + power),
        strength * m.alpha3 * law.moment(power),
    ]
    return float(abs(math.fsum(terms)) / max(abs(term) for term in terms))

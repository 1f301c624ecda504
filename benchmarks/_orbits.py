"""Orbits whose noise equilibria are to be found, and what rounding may do to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric import certify_equilibrium


Floats = NDArray[np.float64]
SIGMA2, GAMMA = 0.05, 0.01
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Orbits:
    """Many equilibria to find.

    Attributes:
        mu: eigenvalues, with both signs in each row, [count, n].
        s: noise along each eigenvector, [count, n].
        t: squared coordinates, [count, n].
    """

    mu: Floats
    s: Floats
    t: Floats

    @classmethod
    def random(cls, difficulty: str, n: int, count: int, seed: int) -> Orbits:
        """Draw orbits.

        Args:
            difficulty: "easy", |μ| in [.5, 2], s and t in [.1, 10], uniform; or "hard",
                |μ| in [1e-3, 1e2], s and t in [1e-12, 1e12], log-uniform.
            n: eigenvalues of each.
            count: how many.
            seed: of the generator.

        Returns:
            The orbits.
        """
        stream = np.random.default_rng(seed)
        shape = (count, n)
        if difficulty == "easy":
            m = stream.uniform(0.5, 2.0, shape)
            s, t = stream.uniform(0.1, 10.0, (2, *shape))
        else:
            m = 10 ** stream.uniform(-3, 2, shape)
            s, t = 10 ** stream.uniform(-12, 12, (2, *shape))
        return cls(np.where(np.arange(n) % 2, -m, m), s, t)

    @property
    def n(self) -> int:
        """Eigenvalues of each orbit."""
        return int(self.mu.shape[1])

    def __len__(self) -> int:
        return len(self.mu)

    def first(self, count: int) -> Orbits:
        """Return the first few."""
        return Orbits(self.mu[:count], self.s[:count], self.t[:count])

    def terms(self) -> tuple[Floats, Floats, Floats]:
        """Return |μ| and the log-weights that push up and down, each [n, count]."""
        m = np.ascontiguousarray(np.abs(self.mu).T)
        noise, decay = np.log(SIGMA2 * self.s.T * m), np.log(2 * GAMMA * self.t.T * m)
        rises = self.mu.T > 0
        return m, np.where(rises, noise, decay), np.where(rises, decay, noise)


def certified(orbits: Orbits) -> Floats:
    """Return the middles of the enclosures by `certify_equilibrium`, one by one."""
    rows = zip(orbits.mu, orbits.s, orbits.t, strict=True)
    return np.array(
        [certify_equilibrium(*row, sigma2=SIGMA2, gamma=GAMMA).midpoint for row in rows]
    )


def log_sum(terms: Floats) -> Floats:
    """Return log Σ exp over the first axis."""
    top = terms.max(axis=0)
    return np.asarray(top + np.log(np.exp(terms - top).sum(axis=0)))


def tolerance(orbits: Orbits, root: Floats) -> Floats:
    """Return what rounding may do to λ* in double precision.

    The log-weights have errors ≤ 3 eps L, L the largest |log| of a factor, the log-sums
    add (n + 2) eps and the products 2λm 2 eps |λ| m, all over −H' = 2(mean m up + mean
    m down) under the weights at the root; the stopping rules of scipy add 4 eps |λ|.
    Twice the sum.
    """
    m, up, down = orbits.terms()
    numbers = (orbits.mu, orbits.s, orbits.t)
    logs = np.max([np.abs(np.log(np.abs(x))).max(axis=1) for x in numbers], axis=0)
    logs = np.maximum(logs, -math.log(2 * GAMMA))
    slope = np.zeros_like(root)
    for terms in (up - 2 * root * m, down + 2 * root * m):
        weights = np.exp(terms - terms.max(axis=0))
        slope += 2 * (weights * m).sum(axis=0) / weights.sum(axis=0)
    sums = 2 * (3 * logs + orbits.n + 2)
    return np.asarray(2 * EPS * (sums / slope + 8 * np.abs(root)))

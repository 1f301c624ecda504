"""Noise equilibria of many orbits: ours against scipy, checked against certificates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.optimize.elementwise import bracket_root, find_root

from benchmarks._measure import Run, Timing, alternate, run
from numeric import certify_equilibrium, noise_equilibrium


Floats = NDArray[np.float64]
N = 8  # eigenvalues of each orbit
SIGMA2, GAMMA = 0.05, 0.01
DIFFICULTIES = ("easy", "hard")
_EPS = float(np.finfo(np.float64).eps)
_OPEN = 1 + 1e-9  # widens the brackets given to scipy beyond what rounding moves


@dataclass(frozen=True, slots=True)
class Orbits:
    """Many equilibria to find.

    Attributes:
        mu: eigenvalues, with both signs in each row, [count, N].
        s: noise along each eigenvector, [count, N].
        t: squared coordinates, [count, N].
    """

    mu: Floats
    s: Floats
    t: Floats

    @classmethod
    def random(cls, difficulty: str, count: int, seed: int) -> Orbits:
        """Draw orbits.

        Args:
            difficulty: "easy", |μ| in [.5, 2], s and t in [.1, 10], uniform; or "hard",
                |μ| in [1e-3, 1e2], s and t in [1e-12, 1e12], log-uniform.
            count: how many.
            seed: of the generator.

        Returns:
            The orbits.
        """
        stream = np.random.default_rng(seed)
        shape = (count, N)
        if difficulty == "easy":
            m = stream.uniform(0.5, 2.0, shape)
            s, t = stream.uniform(0.1, 10.0, (2, *shape))
        else:
            m = 10 ** stream.uniform(-3, 2, shape)
            s, t = 10 ** stream.uniform(-12, 12, (2, *shape))
        return cls(np.where(np.arange(N) % 2, -m, m), s, t)

    def first(self, count: int) -> Orbits:
        """Return the first few."""
        return Orbits(self.mu[:count], self.s[:count], self.t[:count])

    def terms(self) -> tuple[Floats, Floats, Floats]:
        """Return |μ| and the log-weights that push up and down, each [N, count]."""
        m = np.ascontiguousarray(np.abs(self.mu).T)
        noise, decay = np.log(SIGMA2 * self.s.T * m), np.log(2 * GAMMA * self.t.T * m)
        rises = self.mu.T > 0
        return m, np.where(rises, noise, decay), np.where(rises, decay, noise)


def ours(orbits: Orbits) -> Floats:
    """Return λ* by `noise_equilibrium`, one call for all."""
    return noise_equilibrium(orbits.mu, orbits.s, orbits.t, sigma2=SIGMA2, gamma=GAMMA)


def certified(orbits: Orbits) -> Floats:
    """Return the middles of the enclosures by `certify_equilibrium`, one by one."""
    rows = zip(orbits.mu, orbits.s, orbits.t, strict=True)
    return np.array(
        [certify_equilibrium(*row, sigma2=SIGMA2, gamma=GAMMA).midpoint for row in rows]
    )


def scipy_search(orbits: Orbits) -> Floats:
    """Return λ* by scipy's elementwise bracket_root and find_root."""
    terms = orbits.terms()
    rows = np.arange(len(orbits.mu))
    start = np.ones(len(rows))
    found = bracket_root(_height(terms), -start, start, args=(rows,))
    return _roots(find_root(_height(terms), found.bracket, args=(rows,)))


def scipy_bracket(orbits: Orbits) -> Floats:
    """Return λ* by scipy's elementwise find_root, with the bracket of the slopes."""
    m, up, down = orbits.terms()
    end = _OPEN * (_log_sum(up) - _log_sum(down)) / (4 * m.min(axis=0))
    bracket = np.minimum(end, 0.0), np.maximum(end, 0.0)
    flat = (*m, *up, *down)  # numbers of one orbit for each element

    def height(x: Floats, *terms: Floats) -> Floats:
        every = np.stack(terms)
        shift = 2 * x * every[:N]
        up, down = every[N : 2 * N], every[2 * N :]
        return _log_sum(up - shift) - _log_sum(down + shift)

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
    return float(brentq(height, low, high, xtol=1e-300, rtol=4 * _EPS))


def _height(terms: tuple[Floats, Floats, Floats]) -> Callable[[Floats, Any], Floats]:
    m, up, down = terms

    def height(x: Floats, rows: Any) -> Floats:
        shift = 2 * x * m[:, rows]
        return _log_sum(up[:, rows] - shift) - _log_sum(down[:, rows] + shift)

    return height


def _log_sum(terms: Floats) -> Floats:
    top = terms.max(axis=0)
    return np.asarray(top + np.log(np.exp(terms - top).sum(axis=0)))


def _roots(found: Any) -> Floats:
    return np.where(found.success, found.x, np.nan)


def tolerance(orbits: Orbits, root: Floats) -> Floats:
    """Return what rounding may do to λ* in double precision.

    The log-weights have errors ≤ 3 eps L, L the largest |log| of a factor, the log-sums
    add (N + 2) eps and the products 2λm 2 eps |λ| m, all over −H' = 2(mean m up + mean
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
    sums = 2 * (3 * logs + N + 2)
    return np.asarray(2 * _EPS * (sums / slope + 8 * np.abs(root)))


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find λ*.

    Attributes:
        find: gives the roots of all orbits.
        count: of how many orbits it is timed.
    """

    find: Callable[[Orbits], Floats]
    count: int


METHODS = {
    "noise_equilibrium": Method(ours, 4000),
    "scipy find_root, bracket given": Method(scipy_bracket, 4000),
    "scipy bracket_root + find_root": Method(scipy_search, 4000),
    "scipy brentq, one by one": Method(brentq_loop, 400),
    "certify_equilibrium, one by one": Method(certified, 200),
}
CHECKED = 1000  # orbits with a certificate, of each difficulty


def measure(rounds: int, budget: float) -> dict[str, Any]:
    """Check every method against the certificates, then time it.

    Args:
        rounds: repeats for each method at most.
        budget: CPU seconds for the repeats of one method.

    Returns:
        Difficulty → method → wrong roots of CHECKED, largest error over tolerance, and
        CPU seconds for one root.

    Raises:
        AssertionError: where one of our roots is wrong.
    """
    results: dict[str, Any] = {}
    for seed, difficulty in enumerate(DIFFICULTIES):
        orbits = Orbits.random(difficulty, 4000, seed)
        some = orbits.first(CHECKED)
        exact = certified(some)
        checks = {name: _check(m, some, exact) for name, m in METHODS.items()}
        if checks["noise_equilibrium"]["wrong"]:
            raise AssertionError(f"{difficulty}: {checks['noise_equilibrium']}")
        runs = alternate(
            {name: _task(m, orbits) for name, m in METHODS.items()},
            rounds=rounds,
            budget=budget,
        )
        results[difficulty] = {
            name: checks[name]
            | {"seconds": Timing.of(_seconds(runs[name]), per=METHODS[name].count)}
            for name in METHODS
        }
    return results


def _check(method: Method, orbits: Orbits, exact: Floats) -> dict[str, Any]:
    if method.find is certified:
        return {"wrong": 0, "error": 0.0}
    error = np.abs(method.find(orbits) - exact) / tolerance(orbits, exact)
    return {"wrong": int((~(error <= 1)).sum()), "error": float(error.max())}


def _task(method: Method, orbits: Orbits) -> Callable[[], Run]:
    part = orbits.first(method.count)

    def stages() -> Any:
        yield "all", method.find(part)

    return lambda: run(stages, ("all",), 60.0)


def _seconds(runs: list[Run]) -> list[float]:
    return [each.seconds["all"] for each in runs]

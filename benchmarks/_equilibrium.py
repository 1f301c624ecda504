"""W3: noise equilibria of many orbits, checked against certificates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import _roots_compiled, _roots_scipy
from benchmarks._names import (
    BRENT,
    CERTIFIED,
    GIVEN,
    JAX_ROOT,
    NUMBA_ROOT,
    ON_G,
    ON_H,
    ROOT,
    SEARCH,
)
from benchmarks._orbits import (
    GAMMA,
    SIGMA2,
    Floats,
    Orbits,
    certified,
    tolerance,
)
from benchmarks._turns import Builder, Job, compare
from numeric import noise_equilibrium


DIFFICULTIES = ("easy", "hard")
SIZES = (3, 8, 20, 64)
COUNT = {3: 50_000, 8: 50_000, 20: 30_000, 64: 10_000}  # orbits of a batch, by n
CHECKED = {3: 1000, 8: 1000, 20: 500, 64: 250}  # orbits with a certificate, by n


def ours(orbits: Orbits) -> Floats:
    """Return λ* by `noise_equilibrium`, one call for all."""
    found = noise_equilibrium(orbits.mu, orbits.s, orbits.t, sigma2=SIGMA2, gamma=GAMMA)
    return np.asarray(found)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find λ*.

    Attributes:
        find: gives the roots of all orbits.
        count: of how many orbits it is timed at most.
    """

    find: Callable[[Orbits], Floats]
    count: int = 1 << 30


METHODS = {
    ROOT: Method(ours),
    NUMBA_ROOT: Method(_roots_compiled.numba_newton),
    JAX_ROOT: Method(_roots_compiled.jax_newton),
    ON_H: Method(_roots_compiled.optimistix_on_h),
    ON_G: Method(_roots_compiled.optimistix_on_g),
    GIVEN: Method(_roots_scipy.scipy_bracket),
    SEARCH: Method(_roots_scipy.scipy_search),
    BRENT: Method(_roots_scipy.brentq_loop, 200),
    CERTIFIED: Method(certified, 60),
}
CURVE_METHODS = (
    ROOT,
    NUMBA_ROOT,
    JAX_ROOT,
    SEARCH,
)
CURVES = {
    "n": tuple((n, 2000) for n in (2, 4, 8, 16, 32, 64, 128)),
    "batch": tuple((8, count) for count in (1, 10, 100, 1000, 10_000, 100_000)),
}


def measure(
    budget: float, curve_budget: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Check every method against the certificates, then time it.

    Args:
        budget: CPU seconds for one method and case beyond the fewest turns.
        curve_budget: the same for one point of a curve.
        say: takes a line on the progress.

    Returns:
        "cases" and "curves": name → method → wrong roots of "of", and what `compare`
        gives, times for one root.
    """
    cases = {}
    for n in SIZES:
        for seed, difficulty in enumerate(DIFFICULTIES):
            name = f"n={n} {difficulty}"
            say(f"equilibrium: {name}")
            orbits = Orbits.random(difficulty, n, COUNT[n], seed)
            cases[name] = _case(orbits, METHODS, CHECKED[n], budget, say)
    curves: dict[str, Any] = {}
    for what, points in CURVES.items():
        say(f"equilibrium: along {what}")
        curves[what] = {}
        for point in points:
            orbits = Orbits.random("easy", *point, seed=2)
            found = _case(orbits, CURVE_METHODS, 50, curve_budget, say)
            curves[what][str(point[what == "batch"])] = found
    return {"cases": cases, "curves": curves}


def _case(
    orbits: Orbits,
    names: Iterable[str],
    checked: int,
    budget: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    some = orbits.first(checked)
    exact = certified(some)
    builders: dict[str, Builder] = {
        name: lambda m=METHODS[name]: _job(m, orbits, some, exact)  # type: ignore[misc]
        for name in names
    }
    return compare(builders, base=ROOT, budget=budget, say=say)


def _job(method: Method, orbits: Orbits, some: Orbits, exact: Floats) -> Job:
    part = orbits.first(method.count)
    if method.find is certified:
        return Job(lambda: certified(part), len(part))
    error = np.abs(method.find(some) - exact) / tolerance(some, exact)
    lost = int((~(error <= 1)).sum())
    facts = {"lost": lost, "of": len(some)}
    largest = float(np.nan_to_num(error, nan=math.inf).max())
    return Job(lambda: method.find(part), len(part), lambda: largest, facts=facts)

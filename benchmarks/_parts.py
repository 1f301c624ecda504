"""The parts of the benchmarks, and how each is measured."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks._measure import machine


ROUNDS = 15  # repeats at most, of derivations
BUDGET = 1.0  # CPU seconds for the repeats of one derivation at one width
LIMIT = 12.0  # CPU seconds for one derivation
TURNS = 201  # of each way to compute a drift
CASE = 0.5  # CPU seconds for one method and case, beyond the fewest turns
POINT = 0.1  # the same for one point of a curve
PACKAGES = {
    "derivation": ("sympy", "symengine", "python-flint"),
    "generated": ("numpy", "torch"),
    "equilibrium": ("numpy", "scipy", "numba", "jax", "optimistix", "python-flint"),
    "noise": ("torch", "backpack-for-pytorch", "opacus", "jax"),
    "ensembles": ("numpy", "torch", "numba", "jax"),
    "sde": ("numpy", "torch", "jax", "diffrax", "torchsde", "numba"),
}
PARTS = tuple(PACKAGES)

Say = Callable[[str], None]


def measure(parts: Iterable[str], say: Say) -> dict[str, Any]:
    """Measure some parts.

    Args:
        parts: their names.
        say: takes a line on the progress.

    Returns:
        Part → its results, and "measured": part → machine and CPU seconds.
    """
    found: dict[str, Any] = {"measured": {}}
    for part in parts:
        start = time.process_time()
        found[part] = _measured(part, say)
        found["measured"][part] = {
            "machine": machine(PACKAGES[part]),
            "cpu_seconds": round(time.process_time() - start, 1),
        }
        say(f"{part}: done, {found['measured'][part]['cpu_seconds']} CPU seconds")
    return found


def _measured(part: str, say: Say) -> Any:
    """Return the results of a part; its libraries are imported only now."""
    module = importlib.import_module(f"benchmarks._{part}")
    if part == "derivation":
        return {
            "own": module.measure_ours(ROUNDS, 2 * BUDGET),
            "table": module.measure(ROUNDS, BUDGET, LIMIT, say),
            "limit": LIMIT,
            "rounds": ROUNDS,
        }
    if part == "generated":
        return module.measure_all(TURNS)
    return module.measure(CASE, POINT, say)


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return old results with the parts of the new ones in their place."""
    measured = old.get("measured", {}) | new["measured"]
    found = {"measured": {part: measured[part] for part in PARTS if part in measured}}
    every = old | new
    return found | {part: every[part] for part in PARTS if part in every}

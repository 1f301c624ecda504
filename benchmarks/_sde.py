"""W2: paths of an SDE, in nanoseconds for one step of one path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import _net_ours, _sde_peers
from benchmarks._names import (
    DIFFRAX,
    JAX_SDE,
    NUMPY_SDE,
    SDE,
    TORCH_SDE,
    TORCHSDE,
    TREE,
)
from benchmarks._sde_peers import Call, Floats, Paths
from benchmarks._turns import Builder, Job, compare


DEVIATIONS = 5.0  # standard errors that agreement allows
CHECKED = Paths(1 << 14, 100)
CURVE = (1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to draw paths.

    Attributes:
        start: makes the call.
        steps: of a timed call.
        paths: of a timed call, at most.
    """

    start: Callable[[Paths], Call]
    steps: int = 256
    paths: int = 1 << 20


def _ours(paths: Paths) -> Call:
    return _net_ours.scalar_sde(
        paths.count, paths.steps, paths.h, paths.tau, paths.start
    )


WAYS = {
    SDE: Way(_ours, 512),
    TORCH_SDE: Way(_sde_peers.with_torch),
    JAX_SDE: Way(_sde_peers.with_jax),
    NUMPY_SDE: Way(_sde_peers.with_numpy),
    DIFFRAX: Way(_sde_peers.with_diffrax(tree=False), 128),
    TORCHSDE: Way(_sde_peers.with_torchsde, 128),
    TREE: Way(_sde_peers.with_diffrax(tree=True), 128, paths=1 << 10),
}
CURVE_WAYS = (SDE, TORCH_SDE, JAX_SDE, NUMPY_SDE)


def measure(
    budget: float, curve_budget: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Check and time every way to draw paths, and along their number.

    Args:
        budget: CPU seconds for one way beyond the fewest turns.
        curve_budget: the same for one point of the curve.
        say: takes a line on the progress.

    Returns:
        "cases" and "curves": name → what `compare` gives, times for one path-step.
    """
    say("sde: scalar net")
    reference = moments(drawn(replace(CHECKED, count=1 << 17)))
    found = compare(_jobs(1 << 14, WAYS, reference), base=SDE, budget=budget, say=say)
    curve = {}
    for count in CURVE:
        say(f"sde: {count} paths")
        jobs = _jobs(count, CURVE_WAYS, reference)
        curve[str(count)] = compare(jobs, base=SDE, budget=curve_budget, say=say)
    return {"cases": {"scalar net": found}, "curves": {"paths": curve}}


def _jobs(
    count: int, names: Any, reference: tuple[Floats, Floats]
) -> dict[str, Builder]:
    return {
        name: lambda way=WAYS[name]: _job(way, count, reference)  # type: ignore[misc]
        for name in names
    }


def _job(way: Way, count: int, reference: tuple[Floats, Floats]) -> Job:
    paths = Paths(min(count, way.paths), way.steps)
    checked = replace(CHECKED, count=min(CHECKED.count, 4 * way.paths))

    def check() -> float:
        return disagreement(moments(way.start(checked)()), reference)

    return Job(way.start(paths), paths.count * paths.steps, check)


def drawn(paths: Paths) -> Floats:
    """Return the ends of paths in double precision, by a stream of its own."""
    rng = np.random.Generator(np.random.PCG64(20240207))
    z = paths.full().astype(np.float64)
    for _ in range(paths.steps):
        noise = paths.tau * paths.h**0.5 * rng.standard_normal(paths.count)
        z = z - z[::-1] * ((z.prod(axis=0) - 1) * paths.h + noise)
    return z.T


def moments(end: Floats) -> tuple[Floats, Floats]:
    """Return the means of p, p², p³, p⁴ and C, and their squared standard errors.

    p = uw and C = u² − w²; every way has its own stream, so only laws can agree.
    """
    u, w = end.T.astype(np.float64)
    p = u * w
    table = np.stack([p, p**2, p**3, p**4, u**2 - w**2])
    return table.mean(axis=1), table.var(axis=1) / len(u)


def disagreement(
    found: tuple[Floats, Floats], expected: tuple[Floats, Floats]
) -> float:
    """Return the largest gap of means over DEVIATIONS standard errors of the gap.

    A right method goes beyond 1 with a chance of about 3e-6 (five means, normal law);
    all streams are seeded, so a run that passed passes again.
    """
    gap = np.abs(found[0] - expected[0]) / np.sqrt(found[1] + expected[1])
    return float(gap.max() / DEVIATIONS)

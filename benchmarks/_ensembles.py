"""W2: ensembles of small SGD runs, in nanoseconds for one step of one replica."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import _net_ours, _net_peers
from benchmarks._names import BMM, JAX_RUN, LOOP, MATMUL, NUMBA_RUN, RUN, VMAP_RUN
from benchmarks._net import Floats, Indices, Net, reference, rounding
from benchmarks._turns import Builder, Job, compare


CHECKED_STEPS = 30  # compared with the reference


@dataclass(frozen=True, slots=True)
class Shape:
    """A case: widths, minibatch, tanh, and how many replicas are trained."""

    d: int
    S: int
    tanh: bool
    replicas: int

    def net(self) -> Net:
        """Return the net, always the same."""
        return Net.random(self.d, self.S, self.tanh, self.replicas, seed=self.d)


SHAPES = (
    Shape(2, 1, False, 4096),
    Shape(5, 4, False, 2048),
    Shape(5, 2, True, 2048),
    Shape(10, 8, False, 1024),
    Shape(10, 8, True, 1024),
    Shape(20, 4, False, 512),
    Shape(50, 1, False, 256),
    Shape(50, 32, True, 256),
)
# What varies, and the shapes along it.
CURVES = {
    "d": tuple(Shape(d, 1, False, 1024) for d in (2, 4, 8, 16, 32)),
    "S": tuple(Shape(8, S, False, 1024) for S in (1, 4, 16, 64)),
    "replicas": tuple(Shape(4, 2, False, r) for r in (16, 64, 256, 1024, 4096, 16384)),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to train on given minibatches.

    Attributes:
        start: makes the call.
        share: its steps in a turn, as a share of the common number.
        replicas: how many it is timed with at most.
    """

    start: Callable[[Net, Indices], Callable[[], Floats]]
    share: float = 1.0
    replicas: int = 1 << 20


PEERS = {
    JAX_RUN: Peer(_net_peers.jax_scan),
    NUMBA_RUN: Peer(_net_peers.numba_loop),
    BMM: Peer(_net_peers.torch_bmm, 0.5),
    MATMUL: Peer(_net_peers.numpy_matmul, 0.5),
    VMAP_RUN: Peer(_net_peers.torch_vmap, 0.125),
    LOOP: Peer(_net_peers.torch_modules, 0.5, replicas=1),
}
CURVE_PEERS = (JAX_RUN, BMM, MATMUL)


def steps(net: Net) -> int:
    """Return the steps of one timed call: about 30 ms at 20 Gflop/s, 16 to 512."""
    flops = 12 * net.S * net.d**2 * net.replicas
    return int(min(512, max(16, 6e8 // flops)))


def measure(
    budget: float, curve_budget: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Check and time every method on every shape, and along the curves.

    Args:
        budget: CPU seconds for one method on one shape beyond the fewest turns.
        curve_budget: the same for one point of a curve.
        say: takes a line on the progress.

    Returns:
        "cases" and "curves": name → what `compare` gives, times for one replica-step.
    """
    cases = {}
    for shape in SHAPES:
        net = shape.net()
        say(f"ensembles: {net.name}")
        cases[net.name] = compare(
            builders(net, PEERS), base=RUN, budget=budget, say=say
        )
    curves: dict[str, Any] = {}
    for what, shapes in CURVES.items():
        say(f"ensembles: along {what}")
        curves[what] = {}
        for shape in shapes:
            jobs = builders(shape.net(), CURVE_PEERS)
            found = compare(jobs, base=RUN, budget=curve_budget, say=say)
            curves[what][str(getattr(shape, what))] = found
    return {"cases": cases, "curves": curves}


def builders(net: Net, peers: Iterable[str]) -> dict[str, Builder]:
    """Return name → what makes its job, ours first."""
    return {RUN: lambda: _our_job(net)} | {
        name: lambda name=name: _peer_job(net, PEERS[name]) for name in peers
    }


def _our_job(net: Net) -> Job:
    """Return our job; it draws its minibatches within the clock."""
    count = 2 * steps(net)

    def check() -> float:
        some = net.first(64)
        drawn = _net_ours.indices(some, CHECKED_STEPS)
        return _error(some, drawn, _net_ours.sgd(some, CHECKED_STEPS)())

    return Job(_net_ours.sgd(net, count), net.replicas * count, check)


def _peer_job(net: Net, peer: Peer) -> Job:
    part = net.first(peer.replicas)
    count = max(8, int(peer.share * steps(net)))

    def check() -> float:
        some = net.first(min(peer.replicas, 64))
        indices = _net_ours.indices(some, CHECKED_STEPS)
        return _error(some, indices, peer.start(some, indices)())

    call = peer.start(part, _net_ours.indices(part, count))
    return Job(call, part.replicas * count, check)


def _error(net: Net, indices: Indices, end: Any) -> float:
    """Return the largest error over what float32 explains."""
    gap = np.abs(end - reference(net, indices)).max()
    return float(gap / rounding(net, len(indices)))

"""The adapter to `numeric.simulate`: all that the benchmarks know of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks._net import SAMPLES, Indices, Net
from numeric import Stream, simulate
from symbolic import Loss, ParameterSpace


_SEED = 0


def indices(net: Net, steps: int) -> Indices:
    """Return the minibatches that `simulate` draws, [steps, replicas, S]."""
    stream = Stream(_SEED, "simulate")
    drawn = stream.indices(np.arange(net.replicas), np.arange(steps), net.S, SAMPLES)
    return np.ascontiguousarray(drawn.swapaxes(0, 1))


def sgd(net: Net, steps: int) -> Callable[[], NDArray[np.floating]]:
    """Return a call that trains every replica and gives its flat parameters."""
    d = net.d
    text = "norm2(U*tanh(W*x) - y)" if net.tanh else "norm2(U*W*x - y)"
    space = ParameterSpace(U=(d, d), W=(d, d))
    loss = Loss(text, space, data={"x": (d,), "y": (d,)})
    data, start = {"x": net.x, "y": net.y}, net.theta()

    def call() -> NDArray[np.floating]:
        found = simulate(
            loss,
            data,
            start,
            lr=net.lr,
            batch_size=net.S,
            steps=steps,
            seed=_SEED,
            samples=1,
            dtype="float32",
        )
        return np.asarray(found.theta)

    return call


def scalar_sde(
    paths: int, steps: int, h: float, tau: float, start: tuple[float, float]
) -> Callable[[], NDArray[np.floating]]:
    """Return a call for du = −w dg, dw = −u dg, dg = (uw − 1) dt + τ dB.

    It is the SDE of ½(uwx − y)² with x = 1 and y = 1 ± τ/√h, at step η = h with S = 1:
    Σ is (τ²/h)(w, u)(w, u)ᵀ and 2σ² = h.
    """
    loss = Loss("(u*w*x - y)**2/2", ParameterSpace(u=(), w=()), data={"x": (), "y": ()})
    data = {"x": [1.0, 1.0], "y": [1.0 - tau * h**-0.5, 1.0 + tau * h**-0.5]}
    theta = np.tile(start, (paths, 1))

    def call() -> NDArray[np.floating]:
        found = simulate(
            loss,
            data,
            theta,
            lr=h,
            batch_size=1,
            steps=steps,
            method="sde",
            seed=_SEED,
            samples=1,
            dtype="float32",
        )
        return np.asarray(found.theta)

    return call

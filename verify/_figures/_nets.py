"""Two-layer nets with an activation, and Net-A and Net-B, by the engine and a loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._figures._engine import (
    Model,
    Schedule,
    design,
    experiment,
    runs_of,
    train,
)


Array = NDArray[np.float64]
Pair = tuple[Array, Array]
_EXPRESSIONS = {
    "tanh": "norm2(U*tanh(W*x) - y)",
    "relu": "norm2(U*relu(W*x) - y)",
    "Net-A": "norm2(U*tanh(W*x/sqrt(norm2(U)))/sqrt(norm2(W)) - y)",
    "Net-B": "norm2(U*tanh(W*x/sqrt(norm2(W)))/sqrt(norm2(U)) - y)",
}


@dataclass(frozen=True, slots=True)
class Net:
    """A net U φ(Wx), its data y = Vx + ε and its training.

    Attributes:
        kind: "tanh", "relu", "swish" (loop only), "Net-A" or "Net-B".
        sizes: d_y, d and d_x.
        noise_scale: standard deviations of ε.
        samples: N; 0 for fresh samples at every step (loop only).
        lr: η.
        steps: number of steps.
        batch: S.
        method: "sgd" or "gd".
    """

    kind: str
    sizes: tuple[int, int, int]
    noise_scale: tuple[float, ...]
    samples: int = 40
    lr: float = 0.02
    steps: int = 1000
    batch: int = 1
    method: str = "sgd"

    def draw(self, rng: np.random.Generator, runs: int) -> Pair:
        """Return U and W with variance 1/fan_in at the start."""
        d_y, d, d_x = self.sizes
        U = rng.standard_normal((runs, d_y, d)) / np.sqrt(d)
        return U, rng.standard_normal((runs, d, d_x)) / np.sqrt(d_x)

    @property
    def V(self) -> Array:  # noqa: N802 - the theorem's V
        """V: the identity, or the first rows of it, shape (d_y, d_x)."""
        return np.eye(self.sizes[0], self.sizes[2])

    @property
    def task(self) -> Net:
        """The same, whatever the method: what data and starts depend on."""
        return replace(self, lr=0.0, steps=0, batch=1, method="", samples=0)


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNet:
    """What a net became; NaN where a run diverged.

    Attributes:
        start: U and W at the start.
        end: U and W at the end.
        time: times of `sizes`.
        sizes: ‖U‖² and ‖W‖² along the way, (runs, 2, times).
    """

    start: Pair
    end: Pair
    time: Array
    sizes: Array


def net_by_engine(net: Net, context: Context) -> TrainedNet:
    """Train a net on one training set by the engine, once for each seed and profile."""
    return _by_engine(net, experiment(context, "nets by the engine"))


def net_by_loop(net: Net, context: Context) -> TrainedNet:
    """Train a net by a plain loop, each run on samples of its own."""
    return _by_loop(net, experiment(context, "nets by the loop"))


@lru_cache(maxsize=32)
def _by_engine(net: Net, context: Context) -> TrainedNet:
    rng = context.rng(net.task)
    d_y, d, d_x = net.sizes
    joint = design(rng, net.samples, d_x + d_y)
    x = joint[:, :d_x]
    y = x @ net.V.T + joint[:, d_x:] * np.array(net.noise_scale)
    U, W = net.draw(rng, runs_of(context))
    model = Model(
        _EXPRESSIONS[net.kind],
        (("U", (d_y, d)), ("W", (d, d_x))),
        (("x", (d_x,)), ("y", (d_y,))),
    )
    theta = np.concatenate([U.reshape(len(U), -1), W.reshape(len(W), -1)], axis=1)
    names = ("norm2(U)", "norm2(W)")
    schedule = Schedule(net.lr, net.steps, net.batch, net.method, names)
    found = train(model, {"x": x, "y": y}, theta, schedule, context)
    end = model.split(np.where(found.diverged[:, None], np.nan, found.theta))
    sizes = np.stack([found.records[name] for name in names], axis=1)
    return TrainedNet((U, W), (end["U"], end["W"]), found.time, sizes)


@lru_cache(maxsize=32)
def _by_loop(net: Net, context: Context) -> TrainedNet:
    rng = context.rng(net.task)
    d_y, _, d_x = net.sizes
    runs = runs_of(context)
    start = net.draw(rng, runs)
    V, gradient = net.V, _GRADIENTS[net.kind]

    def draw(count: int) -> Pair:
        x = rng.standard_normal((runs, count, d_x))
        noise = np.array(net.noise_scale) * rng.standard_normal((runs, count, d_y))
        return x, x @ V.T + noise

    x, y = draw(net.samples)
    (U, W), rows = start, np.arange(runs)[:, None]
    every = max(1, net.steps // 40)
    sizes, times = [_sizes(U, W)], [0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, net.steps + 1):
            at = x, y
            if net.method == "sgd" and not net.samples:
                at = draw(net.batch)
            elif net.method == "sgd":
                index = rng.integers(0, net.samples, (runs, net.batch))
                at = x[rows, index], y[rows, index]
            g_U, g_W = gradient(U, W, *at)
            U, W = U - net.lr * g_U, W - net.lr * g_W
            if step % every == 0:
                sizes.append(_sizes(U, W))
                times.append(step * net.lr)
    return TrainedNet(start, (U, W), np.array(times), np.stack(sizes, axis=-1))


def _sizes(U: Array, W: Array) -> Array:
    return np.stack([(m**2).sum(axis=(1, 2)) for m in (U, W)], axis=1)


Activation = Callable[[Array], tuple[Array, Array]]
Gradient = Callable[[Array, Array, Array, Array], Pair]


def _tanh(h: Array) -> tuple[Array, Array]:
    value = np.tanh(h)
    return value, 1.0 - value**2


def _relu(h: Array) -> tuple[Array, Array]:
    return np.maximum(h, 0.0), (h > 0.0).astype(float)


def _swish(h: Array) -> tuple[Array, Array]:
    gate = 0.5 * (1.0 + np.tanh(0.5 * h))
    return h * gate, gate * (1.0 + h * (1.0 - gate))


def _plain(activation: Activation) -> Gradient:
    """Return the mean gradient of ‖Uφ(Wx) − y‖² by hand."""

    def gradient(U: Array, W: Array, x: Array, y: Array) -> Pair:
        value, slope = activation(x @ _T(W))
        s = (2.0 / x.shape[1]) * (value @ _T(U) - y)
        return _T(s) @ value, _T((s @ U) * slope) @ x

    return gradient


def _normalised(crossed: bool) -> Gradient:
    """Return the mean gradient of Net-A (crossed: Wx/‖U‖, output/‖W‖) or of Net-B."""

    def gradient(U: Array, W: Array, x: Array, y: Array) -> Pair:
        a, b = (np.sqrt((m**2).sum(axis=(1, 2), keepdims=True)) for m in (U, W))
        inner, outer = (a, b) if crossed else (b, a)
        h = x @ _T(W) / inner
        value = np.tanh(h)
        f = value @ _T(U) / outer
        s = (2.0 / x.shape[1]) * (f - y)
        delta = (s @ U / outer) * (1.0 - value**2)
        by_inner = -(delta * h).sum(axis=(1, 2), keepdims=True) / inner**2
        by_outer = -(s * f).sum(axis=(1, 2), keepdims=True) / outer**2
        for_U, for_W = (by_inner, by_outer) if crossed else (by_outer, by_inner)
        g_U = _T(s) @ value / outer + for_U * U
        return g_U, _T(delta) @ x / inner + for_W * W

    return gradient


def _T(matrix: Array) -> Array:  # noqa: N802 - transposition
    return np.swapaxes(matrix, -1, -2)


_GRADIENTS: dict[str, Gradient] = {
    "tanh": _plain(_tanh),
    "relu": _plain(_relu),
    "swish": _plain(_swish),
    "Net-A": _normalised(crossed=True),
    "Net-B": _normalised(crossed=False),
}

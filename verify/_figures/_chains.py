"""Linear chains W_D…W_1x trained on y = Vx + ε: by the engine, and by a plain loop.

The engine trains on a fixed training set whose second moments are those stated exactly.
The loop draws fresh Gaussian samples at every step for every run, with gradients
written out by hand; its gradient descent uses the moments themselves.
"""

from __future__ import annotations

import math
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
SAMPLES = 1024
_NAMES = "ABCDFGHK"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of layers, its data and its training.

    Attributes:
        x_scale: standard deviations of the inputs.
        noise_scale: those of the label noise.
        hidden: widths of the hidden layers.
        starts: root mean squares of the layers' entries at the start, first to last.
        kind: "normal" entries, "orthogonal" matrices, or "residual": I + normal.
        target: diagonal of V; ones where empty.
        lr: η.
        batch: S.
        steps: number of steps.
        method: "sgd" or "gd".
        warm: steps at `warm_lr` that come first.
        warm_lr: their learning rate.
        groups: how many times the usual number of runs.
    """

    x_scale: tuple[float, ...]
    noise_scale: tuple[float, ...]
    hidden: tuple[int, ...]
    starts: tuple[float, ...]
    kind: str = "normal"
    target: tuple[float, ...] = ()
    lr: float = 0.01
    batch: int = 1
    steps: int = 1000
    method: str = "sgd"
    warm: int = 0
    warm_lr: float = 0.001
    groups: int = 1

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shapes of the layers, first to last."""
        widths = (len(self.x_scale), *self.hidden, len(self.noise_scale))
        return tuple(zip(widths[1:], widths[:-1], strict=True))

    @property
    def V(self) -> Array:  # noqa: N802 - the theorem's V
        """V, shape (d_y, d_x)."""
        V = np.zeros((len(self.noise_scale), len(self.x_scale)))
        np.fill_diagonal(V, self.target or 1.0)
        return V

    def by(self, method: str, lr: float | None = None, steps: int = 0) -> Chain:
        """Return the same from the same starts by another method."""
        return replace(self, method=method, lr=lr or self.lr, steps=steps or self.steps)

    def draw(self, rng: np.random.Generator, runs: int) -> list[Array]:
        """Return the layers at the start, shapes (runs, *shape)."""
        layers = []
        for shape, scale in zip(self.shapes, self.starts, strict=True):
            entries = rng.standard_normal((runs, *shape))
            if self.kind == "orthogonal":
                entries = math.sqrt(max(shape)) * np.linalg.qr(entries)[0]
            offset = np.eye(*shape) if self.kind == "residual" else 0.0
            layers.append(np.asarray(offset + scale * entries))
        return layers


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a chain became.

    Attributes:
        start: the layers at the start, first to last, (runs, *shape).
        end: the layers at the end, NaN throughout where a run diverged.
        diverged: which runs diverged.
        time: times of `sizes`.
        sizes: ‖W_i‖² along the way, (runs, layers, times); none for the loop.
        data: x and y of the engine's training set; none for the loop.
    """

    start: tuple[Array, ...]
    end: tuple[Array, ...]
    diverged: NDArray[np.bool_]
    time: Array
    sizes: Array
    data: tuple[Array, ...] = ()


def by_engine(chain: Chain, context: Context) -> Trained:
    """Train a chain with the compiled engine, once for each seed and profile."""
    plain = experiment(context, "chains by the engine")
    return _by_engine(chain, plain)


def by_loop(chain: Chain, context: Context) -> Trained:
    """Train a chain with the plain loop, once for each seed and profile."""
    return _by_loop(chain, experiment(context, "chains by the loop"))


@lru_cache(maxsize=32)
def _by_engine(chain: Chain, context: Context) -> Trained:
    common = replace(chain, method="", lr=0.0, steps=0, warm=0)
    rng = context.rng(common)
    joint = design(rng, SAMPLES, len(chain.x_scale) + len(chain.noise_scale))
    x = joint[:, : len(chain.x_scale)] * np.array(chain.x_scale)
    y = x @ chain.V.T + joint[:, len(chain.x_scale) :] * np.array(chain.noise_scale)
    start = chain.draw(rng, chain.groups * runs_of(context))
    names = _NAMES[: len(chain.shapes)]
    model = Model(
        f"norm2({'*'.join(reversed(names))}*x - y)",
        tuple(zip(names, chain.shapes, strict=True)),
        (("x", x.shape[1:]), ("y", y.shape[1:])),
    )
    theta = np.concatenate([layer.reshape(len(layer), -1) for layer in start], axis=1)
    given = (x, y) if chain.method == "sgd" else _compressed(x, y)
    data = dict(zip("xy", given, strict=True))
    records = tuple(f"norm2({name})" for name in names)
    schedule = Schedule(chain.lr, chain.steps, chain.batch, chain.method, records)
    gone = np.zeros(len(theta), dtype=bool)
    if chain.warm:
        first = replace(schedule, lr=chain.warm_lr, steps=chain.warm)
        found = train(model, data, theta, first, context)
        theta, gone = found.theta, found.diverged
    found = train(model, data, theta, schedule, context)
    gone = gone | found.diverged
    end = np.where(gone[:, None], np.nan, found.theta)
    return Trained(
        tuple(start),
        tuple(model.split(end).values()),
        gone,
        found.time,
        np.stack([found.records[name] for name in records], axis=1),
        (x, y),
    )


def _compressed(x: Array, y: Array) -> tuple[Array, Array]:
    """Return d_x + d_y samples with the same second moments, hence the same ∇L."""
    R = np.linalg.qr(np.concatenate([x, y], axis=1), mode="r")
    R = np.sqrt(len(R) / len(x)) * R
    return R[:, : x.shape[1]], R[:, x.shape[1] :]


@lru_cache(maxsize=32)
def _by_loop(chain: Chain, context: Context) -> Trained:
    common = replace(chain, method="", lr=0.0, steps=0, warm=0)
    rng = context.rng(common)
    start = chain.draw(rng, chain.groups * runs_of(context))
    layers = list(start)
    rates = np.full(chain.warm + chain.steps, chain.lr)
    rates[: chain.warm] = chain.warm_lr
    with np.errstate(over="ignore", invalid="ignore"):
        for lr in rates.tolist():
            signals, slope = _forward(chain, layers, rng)
            for i in range(len(layers) - 1, -1, -1):
                old = layers[i]
                layers[i] = old - lr * (_T(slope) @ signals[i])
                slope = slope @ old
    gone = ~np.all([np.isfinite(layer).all(axis=(1, 2)) for layer in layers], axis=0)
    end = [np.where(gone[:, None, None], np.nan, layer) for layer in layers]
    empty = np.zeros(0)
    return Trained(tuple(start), tuple(end), gone, empty, empty)


def _forward(
    chain: Chain, layers: list[Array], rng: np.random.Generator
) -> tuple[list[Array], Array]:
    """Return the inputs of all layers and the slope of the loss at the output.

    Gradient descent on the population is a batch of the d_x inputs whose squares sum
    to Σₓ, without noise: its mean gradient is 2(W_D…W_1 − V)Σₓ from both sides.
    """
    scale, noise = np.array(chain.x_scale), np.array(chain.noise_scale)
    runs, S = len(layers[0]), chain.batch
    if chain.method == "gd":
        x, epsilon, weight = np.diag(scale)[None], np.zeros(len(noise)), 2.0
    else:
        x = scale * rng.standard_normal((runs, S, len(scale)))
        epsilon = noise * rng.standard_normal((runs, S, len(noise)))
        weight = 2.0 / S
    signals = [x]
    for layer in layers:
        signals.append(signals[-1] @ _T(layer))
    return signals, np.asarray(weight * (signals.pop() - x @ chain.V.T - epsilon))


def _T(matrix: Array) -> Array:  # noqa: N802 - transposition
    return np.swapaxes(matrix, -1, -2)


def size(layer: Array) -> Array:
    """Return ‖·‖² of matrices over the last two axes."""
    return np.asarray((layer**2).sum(axis=(-1, -2)))

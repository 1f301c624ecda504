"""Two parameters in the plane: a scale-invariant loss and a rescaling-invariant one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._figures._engine import Model, Schedule, experiment, runs_of, train


Array = NDArray[np.float64]
SAMPLES = 32
_SCALAR: tuple[int, ...] = ()
CIRCLES = Model(
    "((u*x + w*z)/sqrt(u**2 + w**2) - y)**2",
    (("u", _SCALAR), ("w", _SCALAR)),
    (("x", _SCALAR), ("z", _SCALAR), ("y", _SCALAR)),
)
HYPERBOLAS = Model(
    "(u*w*x - y)**2",
    (("u", _SCALAR), ("w", _SCALAR)),
    (("x", _SCALAR), ("y", _SCALAR)),
)


@dataclass(frozen=True, slots=True)
class Plane:
    """A loss of (u, w) and its training.

    Attributes:
        circles: whether the loss is the scale-invariant one.
        lr: η.
        steps: number of steps.
        method: "sgd" (one sample a step) or "gd".
    """

    circles: bool
    lr: float
    steps: int
    method: str = "sgd"

    @property
    def shape(self) -> Plane:
        """What data and starts depend on."""
        return replace(self, lr=0.0, steps=0, method="")

    def start(self, rng: np.random.Generator, runs: int) -> Array:
        """Return points on the unit circle, or points with u² − w² from 1 to 3."""
        if self.circles:
            angle = rng.uniform(0.0, 2.0 * np.pi, runs)
            return np.stack([np.cos(angle), np.sin(angle)], axis=1)
        w = rng.uniform(-0.8, 0.8, runs)
        u = np.sqrt(w**2 + rng.uniform(1.0, 3.0, runs))
        return np.stack([u, w], axis=1)

    def samples(self, rng: np.random.Generator) -> dict[str, Array]:
        """Return the training set: inputs of mean square 1, labels with noise."""
        x, z, e = rng.standard_normal((3, SAMPLES))
        if self.circles:
            return {"x": x, "z": z, "y": x + 0.5 * z + e}
        x = x / np.sqrt((x**2).mean())
        return {"x": x, "y": x + e}


@dataclass(frozen=True, slots=True, eq=False)
class PlaneRun:
    """Points along the way.

    Attributes:
        u: first parameter, (runs, times).
        w: second parameter, likewise.
        time: the times.
        predicted: the loop's own integral of the law, (runs, times); else empty.
    """

    u: Array
    w: Array
    time: Array
    predicted: Array


def plane_by_engine(plane: Plane, context: Context) -> PlaneRun:
    """Train by the engine, once for each seed and profile."""
    return _by_engine(plane, experiment(context, "planes by the engine"))


def plane_by_loop(plane: Plane, context: Context) -> PlaneRun:
    """Train by a plain loop in coordinates of its own, a training set for each run."""
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is NaN
        return _by_loop(plane, experiment(context, "planes by the loop"))


@lru_cache(maxsize=16)
def _by_engine(plane: Plane, context: Context) -> PlaneRun:
    rng = context.rng(plane.shape)
    data, start = plane.samples(rng), plane.start(rng, runs_of(context))
    model = CIRCLES if plane.circles else HYPERBOLAS
    schedule = Schedule(plane.lr, plane.steps, 1, plane.method, ("u", "w"), 120)
    found = train(model, data, start, schedule, context)
    gone = found.diverged[:, None]
    u, w = (np.where(gone, np.nan, found.records[name]) for name in "uw")
    return PlaneRun(u, w, found.time, np.zeros(0))


@lru_cache(maxsize=16)
def _by_loop(plane: Plane, context: Context) -> PlaneRun:
    rng = context.rng(plane.shape)
    runs = runs_of(context)
    theta = plane.start(rng, runs)
    sets = [plane.samples(rng) for _ in range(runs)]
    data = {name: np.stack([each[name] for each in sets]) for name in sets[0]}
    rows, path = np.arange(runs), [theta]
    laws = [np.zeros(runs) if plane.circles else np.ones(runs)]
    for _ in range(plane.steps):
        if plane.circles:
            angle = np.arctan2(theta[:, 1], theta[:, 0])
            slopes = _polar_slopes(angle, data)
            each = _picked(slopes, rows, rng, plane.method)
            # The gradient has length |slope|/ρ and is tangential.
            across = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
            radius = np.sqrt((theta**2).sum(axis=1))
            laws.append(laws[-1] + 2.0 * plane.lr**2 * slopes.var(axis=1))
            theta = theta - plane.lr * (each / radius)[:, None] * across
        else:
            product = theta.prod(axis=1)[:, None]
            slopes = 2.0 * data["x"] * (product * data["x"] - data["y"])
            each = _picked(slopes, rows, rng, plane.method)
            laws.append(laws[-1] * (1.0 - (plane.lr * each) ** 2))
            theta = theta - plane.lr * each[:, None] * theta[:, ::-1]
        path.append(theta)
    points = np.stack(path, axis=-1)
    time = np.asarray(plane.lr * np.arange(plane.steps + 1.0))
    return PlaneRun(points[:, 0], points[:, 1], time, np.stack(laws, axis=1))


def _polar_slopes(angle: Array, data: dict[str, Array]) -> Array:
    """Return dℓ/d(angle) of every sample, (runs, samples)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    r = c * data["x"] + s * data["z"] - data["y"]
    return np.asarray(2.0 * r * (c * data["z"] - s * data["x"]))


def _picked(
    slopes: Array, rows: NDArray[np.intp], rng: np.random.Generator, method: str
) -> Array:
    if method == "gd":
        return np.asarray(slopes.mean(axis=1))
    return np.asarray(slopes[rows, rng.integers(0, slopes.shape[1], len(rows))])

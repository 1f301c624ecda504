"""Ensembles of a declared loss for the figures, by the compiled engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from numeric import Simulation, simulate
from symbolic import Loss, ParameterSpace
from verify._context import Context


Array = NDArray[np.float64]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]
_RUNS = {"quick": 48, "standard": 96, "deep": 384}


def runs_of(context: Context) -> int:
    """Return how many runs an experiment takes: 48 decide a median at α/10."""
    return _RUNS.get(context.profile.name, 48)


def experiment(context: Context, name: str) -> Context:
    """Return the context of an experiment: its streams do not depend on the claim."""
    return replace(context, claim=f"figure: {name}", shrink=True)


@dataclass(frozen=True, slots=True)
class Model:
    """A declared loss: an expression with the shapes of its parameters and data."""

    expression: str
    parameters: Shapes
    data: Shapes

    def split(self, theta: Array) -> dict[str, Array]:
        """Return name → entries of flat parameters, shape (..., *shape)."""
        sizes = [int(np.prod(shape)) for _, shape in self.parameters]
        parts = np.split(theta, np.cumsum(sizes)[:-1], axis=-1)
        return {
            name: part.reshape(*theta.shape[:-1], *shape)
            for (name, shape), part in zip(self.parameters, parts, strict=True)
        }


@lru_cache(maxsize=32)
def declared(model: Model) -> Loss:
    """Return the loss of a model."""
    space = ParameterSpace(**dict(model.parameters))
    return Loss(model.expression, space, dict(model.data))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train.

    Attributes:
        lr: η.
        steps: number of steps.
        batch: S.
        method: "sgd" or "gd".
        records: expressions recorded along the way.
        points: about how many times.
        gamma: γ.
        beta: β of the heavy ball.
    """

    lr: float
    steps: int
    batch: int = 1
    method: str = "sgd"
    records: tuple[str, ...] = ()
    points: int = 40
    gamma: float = 0.0
    beta: float = 0.0


def train(
    model: Model,
    data: Mapping[str, Array],
    start: Array,
    schedule: Schedule,
    context: Context,
) -> Simulation:
    """Train an ensemble.

    Args:
        model: the loss.
        data: name → samples.
        start: parameters, (runs, n).
        schedule: how.
        context: the experiment's; its key seeds the minibatches.

    Returns:
        The runs. Gradient descent needs no kernel of its own: it takes the path of
        array operations.
    """
    descent = schedule.method == "gd"
    with np.errstate(over="ignore", invalid="ignore"):  # runs that diverge are counted
        return simulate(
            declared(model),
            data,
            start,
            lr=schedule.lr,
            batch_size=schedule.batch,
            steps=schedule.steps,
            method="gd" if descent else "sgd",
            seed=context.key("minibatches", schedule.lr),
            record={name: name for name in schedule.records},
            weight_decay=schedule.gamma,
            momentum=schedule.beta,
            samples=schedule.points,
            backend="arrays" if descent else "auto",
        )


def finite(found: Simulation, values: Array) -> Array:
    """Return the values of the runs, NaN for those that diverged."""
    return np.asarray(np.where(found.diverged, np.nan, values))


def design(rng: np.random.Generator, samples: int, columns: int) -> Array:
    """Return samples with mean square 1 and no correlation, exactly, (N, columns)."""
    q, _ = np.linalg.qr(rng.standard_normal((samples, columns)))
    return np.asarray(np.sqrt(samples) * q)

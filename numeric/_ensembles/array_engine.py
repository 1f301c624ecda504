"""Ensembles as array operations: for large problems, and where llvmlite is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.batched import BatchedProgram
from numeric._ensembles.features import Features
from numeric._ensembles.plan import plan_of
from numeric._ensembles.task import Array, Task
from numeric._loss import LossEvaluator
from numeric._streams import SECOND
from symbolic import Program


CHUNK = 2**19  # numbers of all values of a gradient at once
_AHEAD = 2**16  # random indices drawn at once


class Gradient(Protocol):
    """Σ_k w_k ∇ℓ(θ, z_k) for many replicas."""

    numbers: int  # that a replica needs for a sample

    def take(self, rows: NDArray[np.int64] | None) -> Any:
        """Return the samples of some rows, (R, S), or all for every replica."""

    def at(self, theta: Array, samples: Any, weight: Array) -> Array:
        """Return the gradient, (R, n), of weights that broadcast to (R, S)."""


class ProgramGradient:
    """The gradient of a program of matrix operations."""

    def __init__(self, program: Program, task: Task) -> None:
        self._task = task
        self._evaluate = BatchedProgram(program, task.dtype)
        self.numbers = max(1, plan_of(program).numbers(1))
        self._constants = {
            name: value[None].astype(task.dtype)
            for name, value in task.constants.items()
        }
        space = task.loss.space
        self._shapes = {n: (*space.int_shape(n), 1, 1)[:2] for n in space.names}

    def take(self, rows: NDArray[np.int64] | None) -> dict[str, Array]:
        """Return name → (R, rows, S), or (R, S, rows, cols) for matrices."""
        found = {}
        for name, array in self._task.data.items():
            chosen = array[None] if rows is None else array[rows]
            if chosen.shape[-1] == 1:
                chosen = np.swapaxes(chosen[..., 0], 1, 2)
            found[name] = chosen
        return found

    def at(self, theta: Array, samples: dict[str, Array], weight: Array) -> Array:
        """Return the gradient, (R, n)."""
        inputs, place = dict(samples), 0
        for name, (rows, cols) in self._shapes.items():
            part = theta[:, place : place + rows * cols]
            inputs[name] = part.reshape(len(theta), rows, cols)
            place += rows * cols
        found = self._evaluate.gradient(inputs | self._constants, weight[:, None])
        parts = [
            np.broadcast_to(found[name], (len(theta), *shape)).reshape(len(theta), -1)
            for name, shape in self._shapes.items()
        ]
        return np.concatenate(parts, axis=1)


class ExpressionGradient:
    """The gradient that sympy derived, for losses that no program is known of."""

    def __init__(self, evaluator: LossEvaluator, task: Task) -> None:
        self._evaluator, self._task = evaluator, task
        self.numbers = 8 * task.size
        self._data = {
            name: array.reshape((len(array), *task.loss.data.int_shape(name)))
            for name, array in task.data.items()
        }

    def take(self, rows: NDArray[np.int64] | None) -> dict[str, Array]:
        """Return name → (R, S, *shape)."""
        if rows is None:
            return {name: array[None] for name, array in self._data.items()}
        return {name: array[rows] for name, array in self._data.items()}

    def at(self, theta: Array, samples: dict[str, Array], weight: Array) -> Array:
        """Return the gradient, (R, n)."""
        each = self._evaluator.gradient(theta[:, None, :], samples)  # (R, S, n)
        wide = np.broadcast_to(weight, each.shape[:2])
        return np.asarray(np.einsum("rs,rsn->rn", wide, each, optimize=True))


class ArrayEngine:
    """Runs a task step by step, a chunk of the replicas at a time.

    Args:
        task: what to run.
        gradient: of its loss, or at its features.
        features: where these stand for the samples.
    """

    def __init__(
        self, task: Task, gradient: Gradient, features: Features | None = None
    ) -> None:
        self._task, self._gradient, self._features = task, gradient, features
        full = task.method in ("gd", "sde")
        samples = task.count if full and not features else len(task.weights)
        self._chunk = max(1, CHUNK // (gradient.numbers * samples + task.size))

    def advance(
        self,
        theta: Array,
        momentum: Array,
        replicas: NDArray[np.uint32],
        first: int,
        last: int,
    ) -> tuple[Array, Array]:
        """Take the steps first, …, last − 1: see `driver.Engine`."""
        theta, momentum = theta.copy(), momentum.copy()
        with np.errstate(all="ignore"):  # overflow is divergence, found by the driver
            for start in range(0, len(theta), self._chunk):
                part = slice(start, start + self._chunk)
                theta[part], momentum[part] = self._run(
                    theta[part], momentum[part], replicas[part], range(first, last)
                )
        return theta, momentum

    def _run(
        self, theta: Array, m: Array, replicas: NDArray[np.uint32], steps: range
    ) -> tuple[Array, Array]:
        task = self._task
        eta, decay, beta = (
            theta.dtype.type(v) for v in (task.step, 2 * task.decay, task.momentum)
        )
        for samples, weight in self._draws(replicas, steps, theta.dtype):
            g = self._gradient.at(theta, samples, weight)
            if decay:
                g = g + decay * theta
            if beta:
                g = m = beta * m + g
            theta = theta - eta * g
        return theta, m

    def _draws(
        self, replicas: NDArray[np.uint32], steps: range, dtype: np.dtype[Any]
    ) -> Iterator[tuple[Any, Array]]:
        """Yield the samples and their weights (R or 1, S), step by step."""
        task = self._task
        if self._features is not None:
            yield from self._feature_draws(self._features, replicas, steps, dtype)
            return
        if task.method in ("sgd", "svag"):
            weight = np.array(task.weights, dtype=dtype)[None]
            for rows in self._minibatches(replicas, steps):
                yield self._gradient.take(rows), weight
            return
        every = self._gradient.take(None)
        share = dtype.type(1 / task.count)
        weight = np.full((1, task.count), share)
        for step in steps:
            if task.method == "sde":
                drawn = task.stream.normals(replicas, step, task.normals, dtype)
                xi = drawn[:, : task.count]
                centred = xi - xi.mean(axis=1, keepdims=True)
                weight = share + dtype.type(task.noise) * centred
            yield every, weight

    def _feature_draws(
        self,
        features: Features,
        replicas: NDArray[np.uint32],
        steps: range,
        dtype: np.dtype[Any],
    ) -> Iterator[tuple[Any, Array]]:
        task, rank = self._task, features.loadings.shape[1]
        one = np.ones((1, 1), dtype=dtype)
        mean = features.mean.astype(dtype)[:, None]
        loadings = dtype.type(features.noise(task)) * features.loadings.astype(dtype)
        for step in steps:
            phi = mean[None]
            if rank:  # one by one: a product for all rounds as their number has it
                xi = task.stream.normals(replicas, step, rank, dtype)
                phi = phi + loadings @ xi[:, :, None]
            yield {features.name: phi}, one

    def _minibatches(
        self, replicas: NDArray[np.uint32], steps: range
    ) -> Iterator[NDArray[np.int64]]:
        task = self._task
        purposes = (0, SECOND) if task.method == "svag" else (0,)
        ahead = max(1, _AHEAD // (len(replicas) * task.batch_size))
        for start in range(steps.start, steps.stop, ahead):
            some = np.arange(start, min(start + ahead, steps.stop))
            drawn = [
                task.stream.indices(
                    replicas,
                    some,
                    task.batch_size,
                    task.count,
                    task.replace,
                    purpose=purpose,
                )
                for purpose in purposes
            ]
            rows = np.concatenate(drawn, axis=2)
            yield from (rows[:, t] for t in range(len(some)))

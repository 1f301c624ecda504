"""Steps of an ensemble of torch models: draws, gradients and updates, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numeric._ensembles.task import Array, Task
from numeric._streams import INDICES, SECOND
from numeric._torch_ensembles.gradient import Batch, ModelGradient


_AHEAD = 2**16  # random indices drawn at once


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What a step draws.

    Attributes:
        rows: the samples of each replica, (R, S), or None: all for every replica.
        weight: one for all samples, or one for each, (R, N).
    """

    rows: Tensor | None
    weight: Tensor | float


@dataclass(frozen=True, slots=True, eq=False)
class ModelEngine:
    """Runs a task step by step, a chunk of the replicas at a time.

    Attributes:
        task: the method and its numbers.
        gradient: of the model.
        x: inputs, (N, …), on the device of the run.
        y: targets, (N, …).
        chunk: replicas at a time.
        block: samples at a time, of a replica.
    """

    task: Task
    gradient: ModelGradient
    x: Tensor
    y: Tensor
    chunk: int
    block: int

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
        for start in range(0, len(theta), self.chunk):
            part = slice(start, start + self.chunk)
            state = [
                torch.from_numpy(a[part]).to(self.x.device) for a in (theta, momentum)
            ]
            with torch.no_grad():
                self._run(state[0], state[1], replicas[part], range(first, last))
            theta[part], momentum[part] = (s.cpu().numpy() for s in state)
        return theta, momentum

    def _run(
        self, theta: Tensor, m: Tensor, replicas: NDArray[np.uint32], steps: range
    ) -> None:
        """Take steps in place."""
        task = self.task
        for draws in self._draws(replicas, steps):
            g = self._gradient(theta, draws)
            if task.decay:
                g.add_(theta, alpha=2 * task.decay)
            if task.momentum:
                g = m.mul_(task.momentum).add_(g)
            theta.add_(g, alpha=-task.step)

    def _gradient(self, theta: Tensor, draws: tuple[Draw, ...]) -> Tensor:
        batches = (batch for draw in draws for batch in self._batches(draw))
        return sum_of(self.gradient.at(theta, batch) for batch in batches)

    def _batches(self, draw: Draw) -> Iterator[Batch]:
        """Yield the samples of a draw, a block at a time."""
        count = len(self.x) if draw.rows is None else draw.rows.shape[1]
        for low in range(0, count, self.block):
            part = slice(low, low + self.block)
            weight = draw.weight
            if isinstance(weight, Tensor):
                weight = weight[:, part]
            rows = part if draw.rows is None else draw.rows[:, part]
            yield Batch(self.x[rows], self.y[rows], draw.rows is None, weight)

    def _draws(
        self, replicas: NDArray[np.uint32], steps: range
    ) -> Iterator[tuple[Draw, ...]]:
        """Yield what each step draws."""
        task = self.task
        if task.method in ("sgd", "svag"):
            yield from self._minibatches(replicas, steps)
            return
        for step in steps:
            weight: Tensor | float = 1 / task.count
            if task.method == "sde":
                weight = self._moved(self._noise(replicas, step))
            yield (Draw(None, weight),)

    def _noise(self, replicas: NDArray[np.uint32], step: int) -> NDArray[Any]:
        """Return the weights 1/N + c(ξ_k − ξ̄) of a step of the SDE, (R, N)."""
        task, dtype = self.task, np.dtype(self.task.dtype)
        drawn = task.stream.normals(replicas, step, task.normals, dtype)
        xi = drawn[:, : task.count]
        centred = xi - xi.mean(axis=1, keepdims=True)
        weights: NDArray[Any] = 1 / task.count + dtype.type(task.noise) * centred
        return weights.astype(dtype, copy=False)

    def _minibatches(
        self, replicas: NDArray[np.uint32], steps: range
    ) -> Iterator[tuple[Draw, ...]]:
        task = self.task
        # SVAG's two minibatches; SGD, and SVAG of level 1, have one.
        weights = dict.fromkeys((INDICES, SECOND), task.weights[0])
        weights[SECOND] = task.weights[-1] if task.method == "svag" else 0.0
        uses = [(purpose, weight) for purpose, weight in weights.items() if weight]
        ahead = max(1, _AHEAD // (len(replicas) * task.batch_size))
        for start in range(steps.start, steps.stop, ahead):
            some = np.arange(start, min(start + ahead, steps.stop))
            drawn = [self._rows(replicas, some, purpose) for purpose, _ in uses]
            for t in range(len(some)):
                yield tuple(
                    Draw(rows[:, t], weight)
                    for rows, (_, weight) in zip(drawn, uses, strict=True)
                )

    def _rows(
        self, replicas: NDArray[np.uint32], steps: NDArray[np.intp], purpose: int
    ) -> Tensor:
        task = self.task
        rows = task.stream.indices(
            replicas, steps, task.batch_size, task.count, task.replace, purpose=purpose
        )
        return self._moved(rows)

    def _moved(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.x.device)


def sum_of(parts: Iterator[Tensor]) -> Tensor:
    """Return the sum of tensors, one at least, adding to the first in place."""
    total = next(parts)
    for part in parts:
        total.add_(part)
    return total

"""Ensembles as SIMD kernels: a replica for each lane, all steps in one call."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.features import Features
from numeric._ensembles.kernels import (
    FULL_BLOCK,
    KernelSpec,
    constants_of,
    feature_kernel,
    full_kernel,
    minibatch_kernel,
)
from numeric._ensembles.plan import Plan, plan_of
from numeric._ensembles.task import Array, Task
from numeric._lanes.builder import aligned, lanes
from numeric._lanes.compiler import AVAILABLE, Compiled
from symbolic import Program


MEMORY = 2**26  # bytes that a kernel may need for L replicas
DISTINCT = 32  # samples of a minibatch without replacement: the code grows as S²
CALL = 2**30  # operations of one call, a second or less: between them Python can stop


class LaneEngine:
    """Runs a task by a kernel that was generated from its gradient.

    Args:
        task: what to run.
        kernel: the compiled steps.
        table: what the kernel calls so.
        rows: its `count`.
        noise: its `noise`.
        operations: of a step, about.
        jobs: threads; the numbers do not depend on them.
    """

    def __init__(
        self,
        task: Task,
        kernel: Compiled,
        table: Array,
        *,
        rows: int,
        noise: float,
        operations: int,
        jobs: int,
    ) -> None:
        self._task, self._kernel, self._table = task, kernel, table
        self._rows, self._noise, self._jobs = rows, noise, jobs
        self._operations = max(1, operations)

    def advance(
        self,
        theta: Array,
        momentum: Array,
        replicas: NDArray[np.uint32],
        first: int,
        last: int,
    ) -> tuple[Array, Array]:
        """Take the steps first, …, last − 1: see `driver.Engine`."""
        width = lanes(self._task.dtype)
        states = [_packed(array, width) for array in (theta, momentum)]
        ids = np.resize(replicas, (len(states[0]), width))
        ids.ravel()[len(replicas) :] = replicas[-1]
        steps = max(1, CALL // (self._operations * len(theta)))
        parts = np.array_split(np.arange(len(ids)), min(self._jobs, len(ids)))
        for start in range(first, last, steps):
            stop = min(start + steps, last)

            def run(part: Array, start: int = start, stop: int = stop) -> None:
                some = slice(int(part[0]), int(part[-1]) + 1)
                self._call([state[some] for state in states], ids[some], start, stop)

            if len(parts) == 1:
                run(parts[0])
            else:
                with ThreadPoolExecutor(len(parts)) as pool:
                    list(pool.map(run, parts))
        return (
            _unpacked(states[0], theta.shape),
            _unpacked(states[1], momentum.shape),
        )

    def _call(
        self, states: list[Array], ids: NDArray[np.uint32], first: int, last: int
    ) -> None:
        task = self._task
        self._kernel(
            *states,
            self._table,
            ids,
            len(ids),
            first,
            last,
            self._rows,
            *task.stream.key,
            task.step,
            2 * task.decay,
            task.momentum,
            1 / task.count,
            self._noise,
            aligned(self._kernel.scratch),
        )


def _packed(array: Array, width: int) -> Array:
    """Return (R, n) as (groups, n, L); the last replica fills the last group up."""
    count, n = array.shape
    groups = -(-count // width)
    padded = np.concatenate(
        [array, np.repeat(array[-1:], groups * width - count, axis=0)]
    )
    return np.ascontiguousarray(padded.reshape(groups, width, n).swapaxes(1, 2))


def _unpacked(packed: Array, shape: tuple[int, ...]) -> Array:
    flat = packed.swapaxes(1, 2).reshape(packed.shape[0] * packed.shape[2], shape[1])
    return np.ascontiguousarray(flat[: shape[0]])


def lane_engine(task: Task, program: Program, *, jobs: int) -> LaneEngine | None:
    """Return the engine of a task, or None where no kernel can be written.

    Args:
        task: what to run.
        program: its gradient over a minibatch.
        jobs: threads.

    Returns:
        The engine.
    """
    plan = plan_of(program)
    if not AVAILABLE or not plan.fits:
        return None
    makers: dict[str, Callable[..., LaneEngine | None]] = {
        "sgd": _of_minibatches,
        "svag": _of_minibatches,
        "gd": _of_all,
        "sde": _of_all,
    }
    return makers[task.method](task, program, plan, jobs)


def minibatch_spec(task: Task) -> KernelSpec:
    """Return what is fixed in a kernel of SGD or SVAG."""
    return _spec(
        task,
        weights=task.weights,
        batches=2 if task.method == "svag" else 1,
        replace=task.replace,
    )


def _spec(task: Task, **fixed: Any) -> KernelSpec:
    space = task.loss.space
    return KernelSpec(
        dtype=task.dtype,
        parameters=tuple((n, _shape(space.int_shape(n))) for n in space.names),
        data=tuple((name, a.shape[1:]) for name, a in task.data.items()),
        constants=constants_of(task.constants),
        momentum=task.momentum > 0,
        decay=task.decay != 0,
        **fixed,
    )


def _shape(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, cols = (*shape, 1, 1)[:2]
    return rows, cols


def _bytes(task: Task, numbers: int) -> int:
    """Return the memory of L replicas that each keep some numbers."""
    state = task.size * (2 if task.momentum else 1)
    return 64 * (numbers + state)


def _of_minibatches(
    task: Task, program: Program, plan: Plan, jobs: int
) -> LaneEngine | None:
    samples = len(task.weights)
    if not task.replace and task.batch_size > DISTINCT:
        return None
    if _bytes(task, plan.numbers(samples) + 2 * samples) > MEMORY:
        return None
    spec = minibatch_spec(task)
    columns = [array.reshape(task.count, -1) for array in task.data.values()]
    return LaneEngine(
        task,
        minibatch_kernel(program, spec),
        _table(columns, task),
        rows=task.count,
        noise=0.0,
        operations=plan.operations(samples) + 20 * samples,
        jobs=jobs,
    )


def _table(columns: list[Array], task: Task) -> Array:
    if not columns:
        return np.zeros((task.count, 0), dtype=task.dtype)
    return np.ascontiguousarray(np.concatenate(columns, axis=1), dtype=task.dtype)


def _of_all(task: Task, program: Program, plan: Plan, jobs: int) -> LaneEngine | None:
    normals = task.normals if task.method == "sde" else 0
    rows = -(-task.count // FULL_BLOCK) * FULL_BLOCK
    if _bytes(task, plan.numbers(FULL_BLOCK) + (rows if normals else 0)) > MEMORY:
        return None
    columns = [array.reshape(task.count, -1) for array in task.data.values()]
    table = _table([*columns, np.ones((task.count, 1), dtype=task.dtype)], task)
    extra = np.repeat(table[:1], rows - task.count, axis=0)
    extra[:, -1] = 0
    return LaneEngine(
        task,
        full_kernel(program, _spec(task, normals=normals)),
        np.concatenate([table, extra]),
        rows=rows,
        noise=task.noise,
        operations=plan.operations(rows) + 20 * normals,
        jobs=jobs,
    )


def feature_engine(task: Task, features: Features, *, jobs: int) -> LaneEngine | None:
    """Return the engine of a task on monomials of the data, None without llvmlite.

    Args:
        task: gradient descent or an SDE.
        features: the gradient at given monomials, and their moments.
        jobs: threads.

    Returns:
        The engine; what a step costs does not depend on N.
    """
    plan = plan_of(features.program)
    if not AVAILABLE or not plan.fits:
        return None
    count, rank = features.loadings.shape
    spec = replace(_spec(task, normals=rank), data=((features.name, (count, 1)),))
    table = np.column_stack([features.mean, features.loadings]).astype(task.dtype)
    return LaneEngine(
        task,
        feature_kernel(features.program, spec),
        np.ascontiguousarray(table),
        rows=task.count,
        noise=features.noise(task),
        operations=plan.operations(1) + table.size + 20 * rank,
        jobs=jobs,
    )

"""Ensembles of larger matrices: one replica at a time, its rows in SIMD vectors.

A replica's matrices stay in the first cache for many steps, where those of as many
replicas as a vector has lanes would not.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.kernels import KernelSpec
from numeric._ensembles.lane_engine import MEMORY, minibatch_spec
from numeric._ensembles.plan import plan_of
from numeric._ensembles.row_program import RowProgram
from numeric._ensembles.row_views import Block, Rows, held
from numeric._ensembles.task import Array, Task
from numeric._lanes.builder import SCRATCH, Kernel, aligned, lanes
from numeric._lanes.compiler import (
    AVAILABLE,
    INTEGER,
    POINTER,
    REAL,
    Compiled,
    wide_registers,
)
from numeric._lanes.matrices import Index, added, repeat, scaled
from numeric._streams import INDICES, SECOND
from symbolic import Program


ARGUMENTS = {
    "theta": POINTER,  # (R, n + L), in and out
    "momentum": POINTER,  # the same; not touched without momentum
    "table": POINTER,  # (N, columns), and L numbers more
    "chosen": POINTER,  # samples of each step, 64-bit (R, steps, S)
    "replicas": INTEGER,
    "steps": INTEGER,
    "lr": REAL,
    "decay": REAL,  # 2γ
    "beta": REAL,
    SCRATCH: POINTER,
}
CALL = 2**30  # operations of one call, a second or less: between them Python can stop
LONGEST = 64  # vectors of a row: the code grows with them
DRAWN = 2**22  # indices drawn for one call


def padding(task: Task) -> float:
    """Return how many numbers rows of a task's parameters take, for each they have."""
    width, space = entries(task.dtype), task.loss.space
    held_as = [held(_matrix(space.int_shape(name))) for name in space.names]
    taken = sum(rows * -(-cols // width) * width for rows, cols, _ in held_as)
    return float(taken / task.size)


class RowEngine:
    """Runs SGD or SVAG by a kernel that was generated from the gradient.

    Args:
        task: what to run.
        kernel: the compiled steps.
        operations: of a step, about.
        jobs: threads; the numbers do not depend on them.
    """

    def __init__(
        self, task: Task, kernel: Compiled, *, operations: int, jobs: int
    ) -> None:
        self._task, self._kernel, self._jobs = task, kernel, jobs
        self._operations = max(1, operations)
        columns = [array.reshape(task.count, -1) for array in task.data.values()]
        end = np.zeros(entries(task.dtype))
        table = np.concatenate([np.zeros((task.count, 0)), *columns], axis=1)
        self._table = np.concatenate([table.ravel(), end]).astype(task.dtype)

    def advance(
        self,
        theta: Array,
        momentum: Array,
        replicas: NDArray[np.uint32],
        first: int,
        last: int,
    ) -> tuple[Array, Array]:
        """Take the steps first, …, last − 1: see `driver.Engine`."""
        states = [self._roomy(array) for array in (theta, momentum)]
        count = len(theta)
        each = count * max(self._operations, CALL // DRAWN * len(self._task.weights))
        steps = max(1, CALL // each)
        jobs = min(self._jobs, count)
        parts = [slice(k * count // jobs, (k + 1) * count // jobs) for k in range(jobs)]
        for start in range(first, last, steps):
            stop = min(start + steps, last)

            def run(some: slice, start: int = start, stop: int = stop) -> None:
                self._call(
                    [state[some] for state in states], replicas[some], start, stop
                )

            if jobs == 1:
                run(parts[0])
            else:
                with ThreadPoolExecutor(jobs) as pool:
                    list(pool.map(run, parts))
        n, m = theta.shape[1], momentum.shape[1]
        return states[0][:, :n], states[1][:, :m]

    def _roomy(self, array: Array) -> Array:
        """Return a copy with room behind every row, for the end of a vector."""
        count, n = array.shape
        room = np.empty((count, n + entries(self._task.dtype)), dtype=array.dtype)
        room[:, :n] = array
        return room

    def _call(
        self, states: list[Array], replicas: NDArray[np.uint32], first: int, last: int
    ) -> None:
        task = self._task
        purposes = (INDICES, SECOND) if task.method == "svag" else (INDICES,)
        steps = np.arange(first, last)
        draw = partial(task.stream.indices, replicas, steps, task.batch_size)
        drawn = [draw(task.count, task.replace, purpose=p) for p in purposes]
        chosen = np.concatenate(drawn, axis=2) if len(drawn) > 1 else drawn[0]
        self._kernel(
            *states,
            self._table,
            np.ascontiguousarray(chosen, dtype=np.int64),
            len(replicas),
            len(steps),
            task.step,
            2 * task.decay,
            task.momentum,
            aligned(self._kernel.scratch),
        )


def row_engine(task: Task, program: Program, *, jobs: int) -> RowEngine | None:
    """Return the engine of a task, or None where no kernel can be written.

    Args:
        task: what to run.
        program: its gradient over a minibatch.
        jobs: threads.

    Returns:
        The engine; None also where a step takes all samples.
    """
    plan, samples = plan_of(program), len(task.weights)
    if not AVAILABLE or not plan.fits or task.method not in ("sgd", "svag"):
        return None
    longest = max((max(node.shape) for node in plan.nodes), default=0)
    if longest > LONGEST * entries(task.dtype):
        return None
    if 64 * plan.numbers(samples) > MEMORY:  # if every row has a single entry
        return None
    kernel = row_kernel(program, minibatch_spec(task))
    operations = plan.operations(samples) + task.size
    return RowEngine(task, kernel, operations=operations, jobs=jobs)


@functools.lru_cache(maxsize=64)
def row_kernel(program: Program, spec: KernelSpec) -> Compiled:
    """Compile SGD or SVAG of one replica after the other.

    Args:
        program: the gradient over a minibatch.
        spec: what else is fixed.

    Returns:
        The kernel, with the arguments `ARGUMENTS`.
    """
    kernel = Kernel("rows", spec.dtype, ARGUMENTS, entries(spec.dtype))
    return _Writer(kernel, program, spec).written()


def entries(dtype: str) -> int:
    """Return how many entries of a row are in a vector: as a register has."""
    return lanes(dtype) if wide_registers() else lanes(dtype) // 2


class _Writer:
    """Writes the kernel."""

    def __init__(self, kernel: Kernel, program: Program, spec: KernelSpec) -> None:
        self._kernel, self._spec = kernel, spec
        self._rows, self._samples = Rows(kernel), len(spec.weights)
        rows, given = self._rows, kernel.arguments
        shapes = dict(spec.parameters)
        self._theta = {name: rows.allocated(shape) for name, shape in shapes.items()}
        self._momentum = {
            name: rows.allocated(shape)
            for name, shape in shapes.items()
            if spec.momentum
        }
        self._data = {
            name: rows.allocated(_matrix(shape), self._samples)
            for name, shape in spec.data
        }
        self._program = RowProgram(
            rows,
            plan_of(program),
            self._samples,
            self._theta | self._data,
            spec.numbers,
            self._weights(),
        )
        self._lr = kernel.splat(kernel.neg(given["lr"]))
        self._decay, self._beta = (kernel.splat(given[n]) for n in ("decay", "beta"))
        self._size = sum(prod(shape) for shape in shapes.values())
        self._columns = sum(prod(shape) for _, shape in spec.data)

    def written(self) -> Compiled:
        """Write all of it."""
        kernel, given = self._kernel, self._kernel.arguments
        with kernel.loop(0, given["replicas"]) as replica:
            start = scaled(kernel, replica, self._size + kernel.width)
            self._copied(start, back=False)
            first = kernel.ir.mul(replica, given["steps"])
            with kernel.loop(0, given["steps"]) as step:
                number = kernel.ir.add(first, step)
                self._gather(scaled(kernel, number, self._samples))
                self._program.write()
                for name in self._theta:
                    self._program.for_each_gradient(name, partial(self._update, name))
            self._copied(start, back=True)
        return kernel.compile()

    def _weights(self) -> Block:
        weights, rows = self._spec.weights, self._rows
        if len(set(weights)) == 1:
            return Block(None, 1, 1, constant=weights[0])
        block = rows.allocated((1, 1), len(weights))
        for s, weight in enumerate(weights):
            rows.put(block, 0, 0, s, self._kernel.number(weight))
        return block

    def _copied(self, start: Index, *, back: bool) -> None:
        """Copy a replica's state from the arguments, or back."""
        given = self._kernel.arguments
        for blocks, argument in ((self._theta, "theta"), (self._momentum, "momentum")):
            place = start
            for block in blocks.values():
                self._copy(block, given[argument], place, 0, back=back)
                place = added(self._kernel, place, block.rows * block.cols)

    def _gather(self, first: Index) -> None:
        """Copy the samples of a step."""
        kernel, given = self._kernel, self._kernel.arguments

        def sample(s: Index) -> None:
            place = added(kernel, first, s)
            number = kernel.load_number(given["chosen"], place)
            start = scaled(kernel, number, self._columns)
            for block in self._data.values():
                self._copy(block, given["table"], start, s, back=False)
                start = added(kernel, start, block.rows * block.cols)

        repeat(kernel, self._samples, sample, unrolled=False)

    def _copy(
        self, block: Block, pointer: Any, start: Index, s: Index, *, back: bool
    ) -> None:
        """Copy a block from contiguous numbers, or back.

        Backwards a vector's end goes over what comes next, which is written later.
        """
        kernel, rows, width = self._kernel, self._rows, self._kernel.width

        def row(p: Index) -> None:
            begin = added(kernel, start, scaled(kernel, p, block.cols))
            for v in range(rows.vectors(block.cols)):
                place = added(kernel, begin, v * width)
                if back:
                    kernel.store_at(pointer, place, rows.vector(block, p, v, s))
                elif block.scalar:
                    number = kernel.splat(kernel.read(pointer, place))
                    rows.put(block, p, v, s, number)
                else:
                    value = rows.masked(block.cols, v, kernel.load_at(pointer, place))
                    rows.put(block, p, v, s, value)

        repeat(kernel, block.rows, row, unrolled=False)

    def _update(self, name: str, p: Index, v: Index, g: Any) -> None:
        """Write m' = βm + g + 2γθ, θ' = θ − ηm' for one vector."""
        kernel, rows, block = self._kernel, self._rows, self._theta[name]
        theta = rows.vector(block, p, v, 0)
        if self._spec.decay:
            g = kernel.fma(self._decay, theta, g)
        if self._spec.momentum:
            m = self._momentum[name]
            g = kernel.fma(self._beta, rows.vector(m, p, v, 0), g)
            rows.put(m, p, v, 0, g)
        rows.put(block, p, v, 0, kernel.fma(self._lr, g, theta))


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, cols = (*shape, 1, 1)[:2]
    return rows, cols

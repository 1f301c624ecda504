"""The kernels of an ensemble: all steps of many replicas in one call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.lane_draw import Draw, Minibatch, Noise
from numeric._ensembles.lane_program import LaneProgram
from numeric._ensembles.lane_state import State
from numeric._ensembles.lane_table import Table
from numeric._ensembles.plan import plan_of
from numeric._lanes.builder import SCRATCH, Kernel
from numeric._lanes.compiler import INTEGER, POINTER, REAL, Compiled
from numeric._lanes.matrices import Index, View, allocated, repeat, scaled, store
from symbolic import Program


MOST_SAMPLES = 16  # of a block, beyond which a loop goes over blocks
FULL_BLOCK = 4  # samples, where each step takes all of them
SHORT = 60  # operations of a step that is written out several times
SMALL = 200  # operations of a block of four samples that stays in registers

ARGUMENTS = {
    "theta": POINTER,  # (groups, n, L), in and out
    "momentum": POINTER,  # the same; not touched without momentum
    "table": POINTER,  # numbers of the data, see each kernel
    "ids": POINTER,  # numbers of the replicas, 32-bit (groups, L)
    "groups": INTEGER,
    "first": INTEGER,  # step
    "last": INTEGER,  # step, exclusive
    "count": INTEGER,  # N
    "key0": INTEGER,
    "key1": INTEGER,
    "lr": REAL,
    "decay": REAL,  # 2γ
    "beta": REAL,
    "share": REAL,  # weight of a sample
    "noise": REAL,  # standard deviation of the weights of an SDE
    SCRATCH: POINTER,  # bytes, `Compiled.scratch` of them, 64-byte aligned
}

Sizes = tuple[tuple[str, tuple[int, int]], ...]  # (name, (rows, cols)), in order


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """What is fixed when a kernel is written.

    Attributes:
        dtype: "float32" or "float64".
        parameters: names and shapes, in the order of theta.
        data: names and shapes, in the order of the table's columns.
        constants: names, shapes and numbers.
        weights: of the samples of a minibatch; for SVAG of both of them.
        batches: minibatches of a step: 1, or 2 for SVAG.
        replace: whether a minibatch may hold a sample twice.
        momentum: whether there is momentum.
        decay: whether there is weight decay.
        normals: how many each step of an SDE takes; 0 for gradient descent.
    """

    dtype: str
    parameters: Sizes
    data: Sizes
    constants: tuple[tuple[str, tuple[int, int], tuple[float, ...]], ...] = ()
    weights: tuple[float, ...] = (1.0,)
    batches: int = 1
    replace: bool = True
    momentum: bool = False
    decay: bool = False
    normals: int = 0

    @property
    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Return name → array of the constants."""
        return {
            name: np.array(values).reshape(shape)
            for name, shape, values in self.constants
        }


def block_size(samples: int, operations: int) -> int:
    """Return how many samples are treated at once: a divisor of their number."""
    most = MOST_SAMPLES if operations * min(samples, 4) > SMALL else 4
    return max(b for b in range(1, most + 1) if samples % b == 0)


@functools.lru_cache(maxsize=64)
def minibatch_kernel(program: Program, spec: KernelSpec) -> Compiled:
    """Compile SGD or SVAG: each step draws its minibatch and goes down its gradient.

    The table has one row of data for each sample.

    Args:
        program: the gradient over a minibatch.
        spec: what else is fixed.

    Returns:
        The kernel, with the arguments `ARGUMENTS`.
    """
    samples = len(spec.weights)
    size = block_size(samples, plan_of(program).operations(1))
    if len(set(spec.weights)) > 1:
        size = samples
    parts = _Parts(program, spec, size, blocks=samples // size)
    kernel, written = parts.kernel, parts.program
    draw = Minibatch(kernel, samples // spec.batches, spec.batches, spec.replace)

    def one(b: Index) -> None:
        first = scaled(kernel, b, size)
        parts.table.gather(first, draw.rows, unrolled=written.unrolled)
        written.sampled()

    with parts.state.replicas() as ids:
        parts.steps(ids, draw, lambda: parts.step(samples // size, one))
    return kernel.compile()


@functools.lru_cache(maxsize=64)
def full_kernel(program: Program, spec: KernelSpec) -> Compiled:
    """Compile gradient descent, or an SDE, on all samples.

    With weights w_k = 1/N + c(ξ_k − ξ̄), ξ standard normal, Σ_k w_k g_k is the mean
    gradient and noise of covariance Nc²Σ. The table has for each sample its data
    and a mask, 1; rows beyond N, up to a multiple of the block, repeat a sample with
    mask 0, and `count` is their number with them.

    Args:
        program: the gradient over a minibatch.
        spec: what else is fixed; `normals` is that of the rows.

    Returns:
        The kernel, with the arguments `ARGUMENTS`.
    """
    size = FULL_BLOCK
    parts = _Parts(program, spec, size, blocks=2, masked=True)
    kernel, written = parts.kernel, parts.program
    share = kernel.splat(kernel.arguments["share"])
    size_of_noise = kernel.splat(kernel.arguments["noise"])
    noise = Noise(kernel, spec.normals) if spec.normals else None
    blocks = kernel.ir.sdiv(kernel.arguments["count"], kernel.index(size))

    def one(b: Index) -> None:
        first = scaled(kernel, b, size)
        parts.table.broadcast(
            parts.data | {"mask": parts.weight}, first, size, unrolled=written.unrolled
        )
        for s in range(size):
            weight = share
            if noise is not None:
                place = kernel.ir.add(first, kernel.index(s))
                centred = kernel.sub(noise.value(place), mean.get())
                weight = kernel.fma(size_of_noise, centred, share)
            parts.scale_weight(s, weight)
        written.sampled()

    mean = kernel.variable(kernel.number(0.0))

    def step() -> None:
        if noise is not None:
            mean.set(_mean(kernel, parts.table, noise, share))
        parts.step(blocks, one)

    with parts.state.replicas() as ids:
        parts.steps(ids, noise, step)
    return kernel.compile()


def _mean(kernel: Kernel, table: Table, noise: Noise, share: Any) -> Any:
    """Return the mean of the normals of the real samples."""
    total = kernel.variable(kernel.number(0.0))
    with kernel.loop(0, kernel.arguments["count"]) as k:
        last = kernel.ir.add(
            scaled(kernel, k, table.columns), kernel.index(table.columns - 1)
        )
        mask = kernel.splat(table.number(last))
        total.set(kernel.fma(mask, noise.value(k), total.get()))
    return kernel.mul(total.get(), share)


@functools.lru_cache(maxsize=64)
def feature_kernel(program: Program, spec: KernelSpec) -> Compiled:
    """Compile gradient descent, or an SDE, where the gradient is linear in features.

    The table has a row for each feature: its mean, then its loadings on the normals.
    A step goes down the gradient at the features φ + cFξ.

    Args:
        program: the gradient at one column of features.
        spec: what else is fixed; `normals` is the number of loadings.

    Returns:
        The kernel, with the arguments `ARGUMENTS`; `noise` is c.
    """
    parts = _Parts(program, spec, 1, blocks=1)
    kernel = parts.kernel
    ((name, (count, _)),) = spec.data
    columns = 1 + spec.normals
    size_of_noise = kernel.splat(kernel.arguments["noise"])
    noise = Noise(kernel, spec.normals) if spec.normals else None
    numbers = [
        kernel.splat(kernel.read(kernel.arguments["table"], place))
        for place in range(count * columns)
    ]
    for k in range(count):  # loadings times c
        for r in range(1, columns):
            place = k * columns + r
            numbers[place] = kernel.mul(size_of_noise, numbers[place])

    def step() -> None:
        for k in range(count):
            value, *loadings = numbers[k * columns : (k + 1) * columns]
            for r, loading in enumerate(loadings):
                assert noise is not None
                value = kernel.fma(loading, noise.value(r), value)
            store(kernel, parts.data[name], k, 0, 0, value)
        parts.step(1, lambda _: parts.program.sampled())

    with parts.state.replicas() as ids:
        parts.steps(ids, noise, step)
    return kernel.compile()


class _Parts:
    """What the kernels have in common: state, data, weights and the gradient.

    Args:
        program: the gradient.
        spec: what is fixed.
        size: samples treated at once.
        blocks: how often, in a step; more than one adds up sums over blocks.
        masked: whether weights are written at run time.
    """

    def __init__(
        self,
        program: Program,
        spec: KernelSpec,
        size: int,
        *,
        blocks: int,
        masked: bool = False,
    ) -> None:
        kernel = Kernel("descent", spec.dtype, ARGUMENTS)
        self.kernel, shapes = kernel, dict(spec.data)
        self.state = State(
            kernel, dict(spec.parameters), momentum=spec.momentum, decay=spec.decay
        )
        self.weight = _weights(kernel, spec.weights, size, masked)
        self.table = Table(kernel, shapes | ({"mask": (1, 1)} if masked else {}))
        self.data = self.table.allocated(size)
        self.program = LaneProgram(
            kernel,
            plan_of(program, blocks=blocks),
            size,
            self.state.parameters | self.data,
            spec.numbers,
            self.weight,
        )
        self._operations = plan_of(program).operations(size)

    def steps(self, ids: Any, draw: Draw | None, step: Callable[[], None]) -> None:
        """Repeat a step from the first to the last, each with its random numbers.

        Where steps are short, those that share a block of random words are written
        out together: their numbers then stay in registers, and the machine works on
        the next ones while a step waits for the one before.
        """
        kernel, (first, last) = self.kernel, self.state.steps
        if draw is None:
            with kernel.loop(first, last):
                step()
            return

        def singly(start: Any, stop: Any) -> None:
            with kernel.loop(start, stop) as number:
                draw.draw(ids, number)
                step()

        ahead = draw.ahead if self.short else 1
        if ahead == 1:
            singly(first, last)
            return
        build, per = kernel.ir, kernel.index(ahead)
        upper = build.sdiv(build.add(first, kernel.index(ahead - 1)), per)
        lower = build.sdiv(last, per)
        if_any = build.icmp_signed("<", upper, lower)
        begin = build.select(if_any, build.mul(upper, per), last)
        end = build.select(if_any, build.mul(lower, per), last)
        singly(first, begin)
        start, stop = build.sdiv(begin, per), build.sdiv(end, per)
        draw.begin(ids, start)
        with kernel.loop(start, stop) as block:
            draw.draw_ahead(ids, block)
            for place in range(ahead):
                draw.turn(place)
                step()
        singly(end, last)

    @property
    def short(self) -> bool:
        """Whether a step is so short that several are written out."""
        return self.program.unrolled and self._operations <= SHORT

    def step(self, blocks: Index, block: Callable[[Index], None]) -> None:
        """Write one step: a body for each block, then the update."""
        self.program.before()
        if blocks != 1:
            self.program.clear()
        if isinstance(blocks, int):
            repeat(self.kernel, blocks, block, unrolled=False)
        else:
            with self.kernel.loop(0, blocks) as b:
                block(b)
        self.program.after()
        self.state.descend(self.program)

    def scale_weight(self, s: int, factor: Any) -> None:
        """Multiply the weight of a sample of the block, which is its mask so far."""
        place = s * self.weight.strides[2]
        mask = self.kernel.load(self.weight.pointer, place)
        self.kernel.store(self.weight.pointer, place, self.kernel.mul(mask, factor))


def _weights(
    kernel: Kernel, weights: tuple[float, ...], size: int, masked: bool
) -> View:
    """Return the weights of a block: one number, or in memory where they differ."""
    if not masked and len(set(weights)) == 1:
        return View(None, 0, (0, 0, 0), weights[0])
    view = allocated(kernel, (1, 1), size)
    if not masked:
        for s, weight in enumerate(weights):
            store(kernel, view, 0, 0, s, kernel.number(weight))
    return View(view.pointer, 0, (0, 0, int(size > 1)))


def constants_of(
    values: Mapping[str, NDArray[np.float64]],
) -> tuple[tuple[str, tuple[int, int], tuple[float, ...]], ...]:
    """Return constants as `KernelSpec` has them."""
    return tuple(
        (name, (array.shape[0], array.shape[1]), tuple(array.ravel().tolist()))
        for name, array in values.items()
    )

"""Which engine runs a task: SIMD kernels for small problems, array operations else."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from numeric._ensembles.array_engine import (
    ArrayEngine,
    ExpressionGradient,
    ProgramGradient,
)
from numeric._ensembles.driver import Engine
from numeric._ensembles.features import Features, features_of
from numeric._ensembles.lane_engine import LaneEngine, feature_engine, lane_engine
from numeric._ensembles.plan import plan_of
from numeric._ensembles.row_engine import padding, row_engine
from numeric._ensembles.task import Task
from numeric._lanes.builder import lanes
from numeric._loss import compile_loss
from symbolic import DeclarationError, Loss, Program, gradient_program


Backend = Literal["auto", "lanes", "rows", "arrays"]


def engine_of(
    task: Task, replicas: int, *, backend: Backend, jobs: int
) -> tuple[str, Engine]:
    """Return the engine of a task, by name.

    Args:
        task: what to run.
        replicas: R.
        backend: one of them, or "auto".
        jobs: threads of the lanes.

    Returns:
        "lanes", "rows" or "arrays", and the engine.

    Raises:
        ValueError: for "lanes" and "rows" where no kernel can be made.
    """
    program = _program(task)
    features = None if program is None else features_of(task, program)
    if program is not None and backend != "arrays":
        kinds: list[Backend] = [backend]
        if backend == "auto":
            kinds = ["lanes"] if features else preferred(task, program, replicas)
        for kind in kinds:
            engine: Engine | None = None
            if kind == "lanes":
                engine = _lanes(task, program, features, jobs)
            elif kind == "rows":
                engine = row_engine(task, program, jobs=jobs)
            else:
                break
            if engine is not None:
                return kind, engine
    if backend in ("lanes", "rows"):
        raise ValueError(
            f"backend: expected a loss, sizes and a method that a kernel of "
            f"{backend!r} can be made of, with llvmlite installed (pip install "
            f"noetherflow[fast]), got one without; use backend='arrays'"
        )
    return "arrays", _arrays(task, program, features)


def _program(task: Task) -> Program | None:
    """Return the gradient's program, None for functions that programs do not have."""
    samples = task.count if task.method in ("gd", "sde") else len(task.weights)
    try:
        return _gradient_program(task.loss, samples)
    except DeclarationError:
        if task.loss.is_matrix or task.constants:
            raise
        return None


@functools.lru_cache(maxsize=64)
def _gradient_program(loss: Loss, batch: int) -> Program:
    return gradient_program(loss, batch=batch)


def _lanes(
    task: Task, program: Program, features: Features | None, jobs: int
) -> LaneEngine | None:
    if features is not None:
        return feature_engine(task, features, jobs=jobs)
    return lane_engine(task, program, jobs=jobs)


def _arrays(
    task: Task, program: Program | None, features: Features | None
) -> ArrayEngine:
    if features is not None:
        return ArrayEngine(task, ProgramGradient(features.program, task), features)
    if program is not None:
        return ArrayEngine(task, ProgramGradient(program, task))
    return ArrayEngine(task, ExpressionGradient(compile_loss(task.loss), task))


def preferred(task: Task, program: Program, replicas: int) -> list[Backend]:
    """Return the backends in the order of the time that they are expected to take.

    Lanes pay for full vectors, and for memory where the matrices of all lanes leave
    the first cache; rows for ends of rows that do not fill a vector, and for every
    operation that is started; arrays for calls from Python, and for products with few
    columns. The unit is an operation of a lane; the figures are from machines with
    registers of 256 and of 512 bits, and right to a third.

    Args:
        task: what to run.
        program: its gradient.
        replicas: R.

    Returns:
        Those that know the method, the fastest first.
    """
    plan = plan_of(program)
    full = task.method in ("gd", "sde")
    samples = task.count if full else len(task.weights)
    operations = plan.operations(samples) + task.size
    number = np.dtype(task.dtype).itemsize
    width = lanes(task.dtype)
    state = number * task.size
    memory = 3 * task.size if width * state > FIRST_CACHE else 0
    far = 2 if width * state > SECOND_CACHE else 1
    call = CALL / number * len(plan.nodes) * -(-replicas // FULL_CHUNK)
    times: dict[Backend, float] = {
        "lanes": -(-replicas // width) * width * (far * operations + memory),
        "arrays": replicas * operations * (1.5 + 25 / samples) + call,
    }
    if not full:
        padded = state * padding(task)
        each = 1.9 if padded > FIRST_CACHE else 0.9
        started = 300 * len(plan.sampled) * samples
        times["rows"] = replicas * (each * operations * padding(task) + started)
    return sorted(times, key=times.__getitem__)


FIRST_CACHE, SECOND_CACHE = 3 << 14, 1 << 20  # bytes
CALL = 5e5  # operations of float32 in the time of a call of numpy, times 4 bytes
FULL_CHUNK = 4096  # replicas, about, that share the calls of a step

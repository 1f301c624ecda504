"""Which engine runs a task: SIMD lanes for small problems, array operations else."""

from __future__ import annotations

import functools
from typing import Literal

from numeric._ensembles.array_engine import (
    ArrayEngine,
    ExpressionGradient,
    ProgramGradient,
)
from numeric._ensembles.driver import Engine
from numeric._ensembles.features import Features, features_of
from numeric._ensembles.lane_engine import LaneEngine, feature_engine, lane_engine
from numeric._ensembles.plan import plan_of
from numeric._ensembles.task import Task
from numeric._lanes.builder import lanes
from numeric._loss import compile_loss
from symbolic import DeclarationError, Loss, Program, gradient_program


Backend = Literal["auto", "lanes", "arrays"]


def engine_of(
    task: Task, replicas: int, *, backend: Backend, jobs: int
) -> tuple[str, Engine]:
    """Return the engine of a task, by name.

    Args:
        task: what to run.
        replicas: R.
        backend: "lanes", "arrays" or "auto".
        jobs: threads of the lanes.

    Returns:
        "lanes" or "arrays", and the engine.

    Raises:
        ValueError: for "lanes" where no kernel can be made.
    """
    program = _program(task)
    features = None if program is None else features_of(task, program)
    if program is not None and backend != "arrays":
        wanted = (
            backend == "lanes"
            or features is not None
            or prefers_lanes(task, program, replicas)
        )
        engine = _lanes(task, program, features, jobs) if wanted else None
        if engine is not None:
            return "lanes", engine
    if backend == "lanes":
        raise ValueError(
            "backend: expected a loss and sizes that a kernel can be made of, with "
            "llvmlite installed (pip install noetherflow[fast]), got one without; use "
            "backend='arrays'"
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


def prefers_lanes(task: Task, program: Program, replicas: int) -> bool:
    """Decide whether lanes are expected to take less time than array operations.

    Lanes pay for full vectors, arrays for calls from Python. The figures are from one
    machine with registers of 256 bits, docs/benchmarks.md.

    Args:
        task: what to run.
        program: its gradient.
        replicas: R.

    Returns:
        The decision.
    """
    plan = plan_of(program)
    samples = task.count if task.method in ("gd", "sde") else len(task.weights)
    operations = plan.operations(samples) + task.size
    width = lanes(task.dtype)
    filled = -(-replicas // width) * width
    by_lanes = filled * operations * LANE_SECONDS[task.dtype]
    by_arrays = replicas * operations * ARRAY_SECONDS[task.dtype]
    calls = len(plan.nodes) * CALL_SECONDS * -(-replicas // FULL_CHUNK)
    return by_lanes <= by_arrays + calls


LANE_SECONDS = {"float32": 6e-11, "float64": 1.2e-10}  # an operation of one replica
ARRAY_SECONDS = {"float32": 1e-10, "float64": 2e-10}
CALL_SECONDS = 2e-6  # a call of numpy
FULL_CHUNK = 4096  # replicas, about, that share the calls of a step

"""Expressions of the parameters as functions of θ, for what a run records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.batched import BatchedProgram
from numeric._ensembles.task import Task
from symbolic import value_program


_Floats = NDArray[np.float64]


def recorded_expression(task: Task, text: str) -> Callable[[_Floats], _Floats]:
    """Return a scalar expression, or a component such as W_0_1, as a function.

    Args:
        task: whose parameters and constants may occur.
        text: the expression.

    Returns:
        A function (R, n) → (R,).
    """
    space = task.loss.space
    components = [str(symbol) for symbol in space.symbols]
    if text in components:
        place = components.index(text)
        return lambda theta: theta[:, place].copy()
    program = value_program(text, space, task.loss.constants)
    evaluate = BatchedProgram(program, "float64", value=True)
    fixed = {name: value[None] for name, value in task.constants.items()}

    def value(theta: _Floats) -> _Floats:
        inputs, place = dict(fixed), 0
        for name in space.names:
            rows, cols = (*space.int_shape(name), 1, 1)[:2]
            part = theta[:, place : place + rows * cols]
            inputs[name] = part.reshape(len(theta), rows, cols)
            place += rows * cols
        return np.broadcast_to(evaluate.value(inputs), (len(theta),)).copy()

    return value

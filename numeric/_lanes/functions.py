"""The functions of the language of losses, on lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numeric._lanes.builder import Kernel
from numeric._lanes.exponential import (
    cosh,
    exp,
    expm1,
    log,
    log1p,
    sigmoid,
    sinh,
    softplus,
    tanh,
)
from numeric._lanes.trigonometric import cos, sin, tan


def relu(k: Kernel, x: Any) -> Any:
    """Return max(x, 0); NaN stays NaN."""
    zero = k.number(0.0)
    return k.select(k.compare("<=", x, zero), zero, x)


def absolute(k: Kernel, x: Any) -> Any:
    """Return |x|."""
    return k.absolute(x)


def sqrt(k: Kernel, x: Any) -> Any:
    """Return √x, NaN for x < 0."""
    return k.sqrt(x)


FUNCTIONS: dict[str, Callable[[Kernel, Any], Any]] = {
    "abs": absolute,
    "cos": cos,
    "cosh": cosh,
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "relu": relu,
    "sigmoid": sigmoid,
    "sin": sin,
    "sinh": sinh,
    "softplus": softplus,
    "sqrt": sqrt,
    "tan": tan,
    "tanh": tanh,
}

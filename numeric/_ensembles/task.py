"""What an ensemble runs: the checked data, and the numbers of the method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._errors import ShapeError
from numeric._streams import Stream


Array = NDArray[Any]
Method = Literal["sgd", "gd", "sde", "svag"]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One training problem and how it is run; a step is one of the method's own.

    Attributes:
        loss: the `symbolic.Loss`.
        data: name → (N, rows, cols) in `dtype`.
        constants: name → (rows, cols), float64.
        method: "sgd", "gd", "sde" or "svag".
        lr: η.
        batch_size: S.
        decay: γ.
        momentum: β.
        replace: whether a minibatch may hold a sample twice.
        level: steps of the method for each η: substeps of an SDE, ℓ of SVAG, else 1.
        stream: the random numbers.
        dtype: "float32" or "float64".
    """

    loss: Any
    data: Mapping[str, Array]
    constants: Mapping[str, NDArray[np.float64]]
    method: Method
    lr: float
    batch_size: int
    decay: float
    momentum: float
    replace: bool
    level: int
    stream: Stream
    dtype: str
    count: int = field(init=False)

    def __post_init__(self) -> None:
        count = len(next(iter(self.data.values()))) if self.data else 1
        object.__setattr__(self, "count", count)

    @property
    def size(self) -> int:
        """The number n of parameters' entries."""
        return int(self.loss.space.size)

    @property
    def step(self) -> float:
        """How far a step goes along the negative gradient: η/level."""
        return self.lr / self.level

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the samples that a step of SGD or SVAG draws; their sum is 1.

        SVAG goes along ½(1 + √(2ℓ − 1))g₁ + ½(1 − √(2ℓ − 1))g₂.
        """
        each = 1 / self.batch_size
        if self.method != "svag":
            return (each,) * self.batch_size
        spread = math.sqrt(2 * self.level - 1)
        first, second = 0.5 * (1 + spread) * each, 0.5 * (1 - spread) * each
        return (first,) * self.batch_size + (second,) * self.batch_size

    @property
    def noise(self) -> float:
        """The c of an SDE's weights 1/N + c(ξ_k − ξ̄): √(η/(S h N)).

        A step then moves by noise of covariance h²Nc²Σ = (η/S)hΣ = 2σ²hΣ.
        """
        return math.sqrt(self.lr / (self.batch_size * self.step * self.count))

    @property
    def normals(self) -> int:
        """How many normals a step of an SDE has: one for each sample, three at least.

        So that steps begin with a block of random words; further ones are not used.
        """
        return max(self.count, 3)


def checked_data(
    loss: Any, data: Mapping[str, ArrayLike], dtype: str
) -> dict[str, Array]:
    """Return the data as arrays (N, rows, cols) with one N.

    Raises:
        ShapeError: when names or shapes do not fit.
        ValueError: for numbers that are not finite.
    """
    names = tuple(loss.data.names)
    _same_names("data", data, names)
    arrays = {}
    for name in names:
        shape = tuple(loss.data.int_shape(name))
        array = _real(f"data[{name!r}]", data[name], dtype)
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or not len(array):
            inner = "".join(f", {size}" for size in shape)
            raise ShapeError(
                f"data[{name!r}]: expected shape (N{inner}), got {array.shape}; N "
                f"samples are one at least"
            )
        _finite(f"data[{name!r}]", array)
        arrays[name] = array.reshape((len(array), *(*shape, 1, 1)[:2]))
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = {name: len(array) for name, array in arrays.items()}
        raise ShapeError(f"data: expected one number N of samples, got {lengths}")
    return arrays


def checked_constants(
    loss: Any, constants: Mapping[str, ArrayLike]
) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of a loss's constants, (rows, cols).

    Raises:
        ShapeError: when names or shapes do not fit.
        ValueError: for numbers that are not finite.
    """
    declared = {each.name: each.shape for each in loss.constants}
    _same_names("constants", constants, tuple(declared))
    arrays = {}
    for name, shape in declared.items():
        array = _real(f"constants[{name!r}]", constants[name], "float64")
        if array.shape != tuple(shape):
            raise ShapeError(
                f"constants[{name!r}]: expected shape {tuple(shape)}, got {array.shape}"
            )
        _finite(f"constants[{name!r}]", array)
        arrays[name] = array.reshape((*shape, 1, 1)[:2])
    return arrays


def _same_names(what: str, given: Mapping[str, Any], names: tuple[str, ...]) -> None:
    if set(given) != set(names):
        raise ShapeError(
            f"{what}: expected the names {', '.join(names) or '(none)'}, got "
            f"{', '.join(map(str, given)) or 'none'}"
        )


def _real(what: str, value: ArrayLike, dtype: str) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: expected real numbers, got dtype {array.dtype}")
    return np.asarray(array, dtype=dtype)


def _finite(what: str, array: Array) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: expected finite numbers, got NaN or infinity")

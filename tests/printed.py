"""The value of a printed formula in torch, with a bound on its rounding errors.

A second reader of what `derive` prints: Python's own parser, and plain products of
arrays. It shares no code with the toolkit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


Tensor = torch.Tensor
EPS = 2.0**-53
OPERATIONS = 1000  # roundings on the way to a value: 150 terms of 12 factors, and g


@dataclass(frozen=True, slots=True)
class Printed:
    """A matrix, (rows, cols), or one for each sample behind leading axes.

    1 × 1 is a scalar. The samples x and x__1 have leading axes of their own, so that
    `mean` runs over all pairs of them.

    Attributes:
        value: the value.
        size: the same formula with absolute values and no minus sign. Rounding moves
            the value by at most `EPS` times this, for each operation.
    """

    value: Tensor
    size: Tensor

    @property
    def T(self) -> Printed:  # noqa: N802
        return Printed(self.value.mT, self.size.mT)

    @property
    def error(self) -> float:
        """Return a bound on the rounding error of the largest entry."""
        return OPERATIONS * EPS * float(self.size.max())

    def __add__(self, other: Any) -> Printed:
        right = as_printed(other)
        assert right.value.shape[-2:] == self.value.shape[-2:]
        return Printed(self.value + right.value, self.size + right.size)

    def __neg__(self) -> Printed:
        return Printed(-self.value, self.size)

    def __sub__(self, other: Any) -> Printed:
        return self + -as_printed(other)

    def __rsub__(self, other: Any) -> Printed:
        return as_printed(other) - self

    def __mul__(self, other: Any) -> Printed:
        right = as_printed(other)
        if (1, 1) in (self.value.shape[-2:], right.value.shape[-2:]):
            return Printed(self.value * right.value, self.size * right.size)
        return Printed(self.value @ right.value, self.size @ right.size)

    def __rmul__(self, other: Any) -> Printed:
        return as_printed(other) * self

    def __truediv__(self, other: Any) -> Printed:
        return self * as_printed(other) ** -1

    def __rtruediv__(self, other: Any) -> Printed:
        return as_printed(other) / self

    def __pow__(self, exponent: float) -> Printed:
        assert self.value.shape[-2:] == (1, 1)
        if exponent > 0 and exponent == int(exponent):
            return Printed(self.value**exponent, self.size**exponent)
        relative = 1 + abs(exponent) * self.size / self.value.abs()
        power = self.value**exponent
        return Printed(power, power.abs() * relative)

    __radd__ = __add__


def as_printed(value: Any) -> Printed:
    """Return a number or a tensor as what formulas have."""
    if isinstance(value, Printed):
        return value
    array = torch.as_tensor(value, dtype=torch.float64)
    array = array.reshape(1, 1) if array.ndim == 0 else array
    return Printed(array, array.abs())


def read(text: str, names: Mapping[str, Any]) -> Printed:
    """Return the value of a printed formula.

    Args:
        text: a formula of `derive --json`.
        names: name → number, or tensor with its two axes, those of samples before.

    Returns:
        Its value.
    """
    known = {name: as_printed(value) for name, value in names.items()}
    code = compile(text, "<formula>", "eval")
    return as_printed(eval(code, {"__builtins__": {}}, {**_FUNCTIONS, **known}))


def _trace(a: Printed) -> Printed:
    def tr(x: Tensor) -> Tensor:
        return x.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]

    return Printed(tr(a.value), tr(a.size))


def _norm2(a: Printed) -> Printed:
    return _trace(a.T * a) if a.value.shape[-1] > 1 else a.T * a


def _mean(a: Printed) -> Printed:
    lead = tuple(range(a.value.ndim - 2))
    assert lead  # a mean of what no sample is in would be printed without it
    return Printed(a.value.mean(lead), a.size.mean(lead))


def _entrywise(
    function: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]
) -> Callable[[Printed], Printed]:
    def apply(a: Printed) -> Printed:
        found = function(a.value)
        return Printed(found, found.abs() + slope(a.value).abs() * a.size)

    return apply


def expm(A: Tensor) -> Tensor:
    """Return e^A of a symmetric A; torch.matrix_exp errs by 1e-10 for small A."""
    values, vectors = torch.linalg.eigh(A)
    found: Tensor = vectors @ torch.diag(values.exp()) @ vectors.T
    return found


_FUNCTIONS: dict[str, Any] = {
    "tr": _trace,
    "norm2": _norm2,
    "dot": lambda a, b: _trace(a.T * b) if a.value.shape[-1] > 1 else a.T * b,
    "mean": _mean,
    "exp": _entrywise(torch.exp, torch.exp),
    "log": _entrywise(torch.log, torch.reciprocal),
    "sqrt": lambda a: a**0.5,
    "sin": _entrywise(torch.sin, torch.cos),
    "cos": _entrywise(torch.cos, torch.sin),
    "atan": _entrywise(torch.atan, lambda x: 1 / (1 + x * x)),
    "sinh": _entrywise(torch.sinh, torch.cosh),
    "cosh": _entrywise(torch.cosh, torch.sinh),
    "tanh": _entrywise(torch.tanh, torch.ones_like),
    "relu": _entrywise(torch.relu, torch.ones_like),
    "softplus": _entrywise(torch.nn.functional.softplus, torch.sigmoid),
    "expm": lambda a: Printed(expm(a.value), expm(a.size)),
}

"""What the evaluators need of an array library, once for numpy and once for torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from numeric._errors import CompilationError, ShapeError


@dataclass(frozen=True, slots=True)
class Backend:
    """An array library.

    Attributes:
        name: "numpy" or "torch".
        xp: the module.
    """

    name: str
    xp: Any

    def floating(self, value: Any, what: str) -> Any:
        """Return a real floating array; floats keep their dtype and device.

        Raises:
            ShapeError: for numbers that are not real.
        """
        if self.name == "torch":
            array = self.xp.as_tensor(value)
            real, kept = not array.is_complex(), array.is_floating_point()
            default = self.xp.get_default_dtype()
        else:
            array = self.xp.asarray(value)
            real, kept = array.dtype.kind in "biuf", array.dtype.kind == "f"
            default = self.xp.float64
        if not real:
            raise ShapeError(f"{what}: expected real numbers, got {array.dtype}")
        return array if kept else self.like(array, self.xp.empty((), dtype=default))

    def like(self, value: Any, reference: Any) -> Any:
        """Return the value as an array of the reference's dtype and device."""
        if self.name == "torch":
            return self.xp.as_tensor(
                value, dtype=reference.dtype, device=reference.device
            )
        return self.xp.asarray(value, dtype=reference.dtype)

    def scalar(self, value: Any, reference: Any) -> Any:
        """Return a Python number as it is, anything else like the reference."""
        if isinstance(value, (int, float)):
            return float(value)
        return self.like(value, reference)

    def stack(self, values: Sequence[Any], lead: Any, reference: Any) -> Any:
        """Return values, arrays or numbers, broadcast to `lead`, on a new last axis."""
        arrays = [self.like(value, reference) for value in values]
        return self.xp.stack([self.xp.broadcast_to(a, lead) for a in arrays], -1)

    def flat(self, space: Any, value: Any, what: str) -> Any:
        """Return (..., n) of a flat array, or of a mapping name → (..., *shape).

        Raises:
            ShapeError: when names or shapes do not fit.
        """
        if not isinstance(value, Mapping):
            array = self.floating(value, what)
            if array.ndim < 1 or array.shape[-1] != space.size:
                raise ShapeError(
                    f"{what}: expected shape (..., {space.size}), one entry for "
                    f"each of {', '.join(space.names)}, got {tuple(array.shape)}"
                )
            return array
        if set(value) != set(space.names):
            raise ShapeError(
                f"{what}: expected the names {', '.join(space.names)}, got "
                f"{', '.join(map(str, value)) or 'none'}"
            )
        parts = [self.part(space, name, value[name], what) for name in space.names]
        lead = self.xp.broadcast_shapes(*(tuple(part.shape[:-1]) for part in parts))
        wide = [self.xp.broadcast_to(p, (*lead, p.shape[-1])) for p in parts]
        return self.xp.concatenate(wide, -1)

    def part(self, space: Any, name: str, value: Any, what: str) -> Any:
        """Return one named array (..., *shape) as (..., size).

        Raises:
            ShapeError: when the last axes are not the declared shape.
        """
        shape = tuple(space.int_shape(name))
        array = self.floating(value, f"{what}[{name!r}]")
        cut = array.ndim - len(shape)
        if cut < 0 or tuple(array.shape[cut:]) != shape:
            raise ShapeError(
                f"{what}[{name!r}]: expected shape "
                f"(..., {', '.join(map(str, shape))}), got {tuple(array.shape)}"
            )
        return array.reshape((*array.shape[:cut], prod(shape)))


def backend(name: str) -> Backend:
    """Return the backend of that name.

    Args:
        name: "numpy" or "torch".

    Returns:
        The backend; torch is imported here, so that numpy users never wait for it.

    Raises:
        CompilationError: for another name.
    """
    if name not in ("numpy", "torch"):
        raise CompilationError(f"expected backend 'numpy' or 'torch', got {name!r}")
    return Backend(name, importlib.import_module(name))


def in_form(space: Any, flat: Any, like: Any) -> Any:
    """Return a flat array as a mapping where `like` is one."""
    return space.unpack(flat) if isinstance(like, Mapping) else flat

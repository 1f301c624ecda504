"""Named parameters: `ParameterSpace`."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod
from typing import Any

import sympy as sp

from symbolic._errors import DeclarationError


MAX_NAMED = 500  # components whose names are compared
Shape = tuple[int | str, ...]

RESERVED = frozenset({"rho", "lam", "sigma2", "gamma", "eta", "S"})
_ELEMENTARY = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
_OTHER = ("sigmoid", "softplus", "relu", "abs", "step", "sign")
_OF_MATRICES = ("tr", "norm2", "dot", "inv")
FUNCTIONS = frozenset({*_ELEMENTARY, *_OTHER, *_OF_MATRICES})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}\Z")


@dataclass(frozen=True, slots=True, init=False)
class ParameterSpace:
    """Named parameters, scalar, vector or matrix, and their flat vector θ.

    The flat vector has the parameters in declaration order, each row-major.
    Component (i, j) of `W` is the real symbol `W_i_j`, counted from 0.

    Args:
        shapes: name → shape; `()` is a scalar, `("d",)` a column.
        **more: the same, as keywords.

    Raises:
        DeclarationError: for a bad name, a bad shape or colliding components.

    >>> space = ParameterSpace(u=(), W=(2, 2))
    >>> space.symbols
    (u, W_0_0, W_0_1, W_1_0, W_1_1)
    >>> space["W"].shape
    (2, 2)
    >>> space.unpack(space.pack({"u": 1, "W": [[2, 3], [4, 5]]}))
    {'u': 1, 'W': ((2, 3), (4, 5))}
    """

    items: tuple[tuple[str, Shape], ...]

    def __init__(
        self, shapes: Mapping[str, Sequence[int | str]] | None = None, /, **more: Any
    ) -> None:
        declared = {**(shapes or {}), **more}
        items = tuple(
            (name, check_shape(name, shape)) for name, shape in declared.items()
        )
        object.__setattr__(self, "items", items)
        if self.has_symbolic_sizes or self.size > MAX_NAMED:
            return  # too many to be written out: only words of matrices go so far
        names = [symbol.name for symbol in self.symbols]
        names += [f"{prefix}{name}" for name in names for prefix in ("g_", "gbar_")]
        names += _covariance_names(self.names, [symbol.name for symbol in self.symbols])
        doubled = sorted(name for name, count in Counter(names).items() if count > 1)
        if doubled:
            raise DeclarationError(
                f"expected components with distinct names, got {doubled[0]!r} twice "
                f"(from {', '.join(self.names)}); rename one parameter"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Return the parameter names in declaration order."""
        return tuple(name for name, _ in self.items)

    @property
    def has_symbolic_sizes(self) -> bool:
        """Return whether a size is a symbol rather than an integer."""
        return any(isinstance(size, str) for _, shape in self.items for size in shape)

    @property
    def size(self) -> int:
        """Return n, the length of the flat vector.

        Raises:
            DeclarationError: when a size is a symbol.
        """
        return sum(prod(self.int_shape(name)) for name in self.names)

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Return the n real symbols of the flat vector."""
        return tuple(symbol for name in self.names for symbol in self._components(name))

    def int_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one parameter, all sizes integers.

        Raises:
            DeclarationError: for an unknown name or a symbolic size.
        """
        shape = dict(self.items).get(name)
        if shape is None:
            raise DeclarationError(
                f"expected one of {', '.join(self.names)}, got {name!r}"
            )
        sizes = [size for size in shape if isinstance(size, str)]
        if sizes:
            raise DeclarationError(
                f"expected integer sizes at the scalar level, got {sizes[0]!r} in the "
                f"shape of {name!r}; give a number, such as {name}={_example(shape)}"
            )
        return tuple(int(size) for size in shape)

    def __getitem__(self, name: str) -> Any:
        """Return a parameter as a symbol, a column or a matrix of symbols.

        Raises:
            DeclarationError: for an unknown name or a symbolic size.
        """
        shape = self.int_shape(name)
        components = self._components(name)
        if not shape:
            return components[0]
        rows, columns = (*shape, 1)[:2]
        return sp.ImmutableDenseMatrix(rows, columns, components)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def pack(self, values: Mapping[str, Any]) -> Any:
        """Return the flat vector of `values`: a tuple, or an array (…, n) of arrays.

        Args:
            values: name → scalar, nested sequence, sympy matrix, or numpy/torch
                array (…, *shape) with the same leading axes for every parameter.

        Raises:
            DeclarationError: for missing or unknown names and for wrong shapes.
        """
        if set(values) != set(self.names):
            raise DeclarationError(
                f"expected values for {', '.join(self.names)}, "
                f"got {', '.join(values) or 'none'}"
            )
        if any(
            hasattr(value, "reshape") and hasattr(value, "dtype")
            for value in values.values()
        ):
            return self._pack_arrays(values)
        flat: list[Any] = []
        for name in self.names:
            entries = _flatten(values[name])
            if len(entries) != prod(self.int_shape(name)):
                raise DeclarationError(
                    f"expected {name!r} of shape {self.int_shape(name)}, "
                    f"got {len(entries)} entries"
                )
            flat += entries
        return tuple(flat)

    def unpack(self, vector: Any) -> dict[str, Any]:
        """Return name → value of a flat vector (n,), or of an array (…, n).

        Raises:
            DeclarationError: when the last axis is not n long.
        """
        is_array = hasattr(vector, "reshape") and hasattr(vector, "dtype")
        length = vector.shape[-1] if is_array else len(vector)
        if length != self.size:
            raise DeclarationError(
                f"expected a flat vector of length {self.size}, got {length}"
            )
        result, start = {}, 0
        for name in self.names:
            shape = self.int_shape(name)
            stop = start + prod(shape)
            part: Any = (
                vector[..., start:stop] if is_array else tuple(vector[start:stop])
            )
            result[name] = (
                part.reshape((*part.shape[:-1], *shape))
                if is_array
                else _nest(part, shape)
            )
            start = stop
        return result

    def _components(self, name: str) -> tuple[sp.Symbol, ...]:
        indices: list[str] = [name]
        for size in self.int_shape(name):
            indices = [f"{prefix}_{i}" for prefix in indices for i in range(size)]
        return tuple(sp.Symbol(index, real=True) for index in indices)

    def _pack_arrays(self, values: Mapping[str, Any]) -> Any:
        parts = []
        for name in self.names:
            value, shape = values[name], self.int_shape(name)
            lead = value.shape[: len(value.shape) - len(shape)]
            if tuple(value.shape[len(lead) :]) != shape:
                raise DeclarationError(
                    f"expected {name!r} of shape (..., {', '.join(map(str, shape))}), "
                    f"got {tuple(value.shape)}"
                )
            parts.append(value.reshape((*lead, prod(shape))))
        if hasattr(parts[0], "new_empty"):  # torch
            flat = parts[0].new_empty((*parts[0].shape[:-1], self.size))
            start = 0
            for part in parts:
                flat[..., start : start + part.shape[-1]] = part
                start += part.shape[-1]
            return flat
        return parts[0].__array_namespace__().concat(parts, axis=-1)


def _covariance_names(declared: Sequence[str], components: list[str]) -> list[str]:
    """Return the names `Sigma_<a>_<b>`, where two of them could coincide.

    That needs a declared name with a letter after an underscore, as in a, b_c, a_b, c.
    """
    if not any(re.search("_[A-Za-z]", name) for name in declared):
        return []
    pairs = combinations_with_replacement(components, 2)
    return [f"Sigma_{a}_{b}" for a, b in pairs]


def check_derived_names(parameters: Sequence[str], others: Sequence[str]) -> None:
    """Check that no name is that of a gradient in a parameter.

    Args:
        parameters: the names of the parameters.
        others: names of anything.

    Raises:
        DeclarationError: where one is.
    """
    made = {f"{p}_{name}": name for name in parameters for p in ("g", "h", "gbar")}
    for name in others:
        if name in made:
            raise DeclarationError(
                f"expected names that differ from those of gradients, got {name!r} "
                f"twice (it is that of the gradient in {made[name]!r}); rename it"
            )


def check_name(name: object) -> None:
    """Check a declared name.

    Raises:
        DeclarationError: when it is no name, a keyword, or reserved.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise DeclarationError(
            f"expected a name of at most 32 letters, digits and _, starting with a "
            f"letter, got {name!r}"
        )
    if keyword.iskeyword(name) or name in RESERVED or name in FUNCTIONS:
        raise DeclarationError(
            f"{name!r} is reserved ({', '.join(sorted(RESERVED))}, Python keywords "
            f"and function names are); choose another name"
        )


def check_shape(name: str, shape: object) -> Shape:
    """Return the shape of a declared name as a tuple.

    Raises:
        DeclarationError: for a bad name or a bad shape.
    """
    check_name(name)
    if isinstance(shape, (str, int)) or not isinstance(shape, Sequence):
        raise DeclarationError(
            f"expected the shape of {name!r} as a tuple, such as () or (2, 3), "
            f"got {shape!r}"
        )
    if len(shape) > 2:
        raise DeclarationError(
            f"expected {name!r} to be a scalar, a vector or a matrix, "
            f"got {len(shape)} axes"
        )
    for size in shape:
        if isinstance(size, str):
            check_name(size)
        elif not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise DeclarationError(
                f"expected positive integers or names in the shape of {name!r}, "
                f"got {size!r}"
            )
    return tuple(shape)


def _example(shape: Shape) -> str:
    return str(tuple(2 if isinstance(size, str) else size for size in shape))


def _flatten(value: Any) -> list[Any]:
    if isinstance(value, sp.MatrixBase):
        return list(value)
    if isinstance(value, (list, tuple)):
        return [entry for item in value for entry in _flatten(item)]
    return [value]


def _nest(flat: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    width = len(flat) // shape[0]
    return tuple(
        _nest(flat[i * width : (i + 1) * width], shape[1:]) for i in range(shape[0])
    )

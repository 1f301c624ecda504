"""Constants of a declaration: names without a value, with what is assumed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._space import ParameterSpace, Shape, check_shape
from symbolic._words.polynomial import MatrixPolynomial, matrix, scalar


Assumption = Literal["real", "positive", "negative", "nonnegative", "nonzero"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A named constant, a scalar or a matrix.

    Attributes:
        name: its name, by the rules for parameters.
        shape: () for a scalar, ("d",) for a column, ("d", "d") for a matrix.
        assume: what is assumed of it, of each entry for a matrix.
        symmetric: whether it is a symmetric matrix.

    >>> Constant("B", ("d", "d"), symmetric=True).words.rows
    'd'
    """

    name: str
    shape: Shape = ()
    assume: Assumption = "real"
    symmetric: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", check_shape(self.name, self.shape))
        if self.assume not in get_args(Assumption):
            raise DeclarationError(
                f"expected {self.name!r} to be assumed one of "
                f"{', '.join(get_args(Assumption))}, got {self.assume!r}"
            )
        rows, cols = (*self.shape, 1, 1)[:2]
        if self.symmetric and rows != cols:
            raise DeclarationError(
                f"expected the symmetric constant {self.name} to be square, got {rows} "
                f"x {cols}"
            )

    @property
    def words(self) -> MatrixPolynomial:
        """Return it at any size."""
        if not self.shape:
            return scalar(self.name)
        rows, cols = (*self.shape, 1)[:2]
        return matrix(self.name, rows, cols, symmetric=self.symmetric)

    @property
    def components(self) -> Any:
        """Return it at integer sizes: a symbol, or a matrix of symbols `B_0_1`.

        Raises:
            DeclarationError: where a size is a symbol.
        """
        assumed = {"real": True, self.assume: True}
        if not self.shape:
            return sp.Symbol(self.name, **assumed)
        rows, cols = (*self.shape, 1)[:2]
        if isinstance(rows, str) or isinstance(cols, str):
            raise DeclarationError(
                f"expected integer sizes for the entries of {self.name}, got {rows} x "
                f"{cols}"
            )

        def entry(i: int, j: int) -> sp.Symbol:
            first, second = sorted((i, j)) if self.symmetric else (i, j)
            index = f"{first}_{second}" if len(self.shape) == 2 else str(first)
            return sp.Symbol(f"{self.name}_{index}", **assumed)

        return sp.ImmutableDenseMatrix(
            [[entry(i, j) for j in range(cols)] for i in range(rows)]
        )


def checked_constants(constants: Sequence[Constant]) -> tuple[Constant, ...]:
    """Return the constants as a tuple.

    Raises:
        DeclarationError: for anything else among them.
    """
    for constant in constants:
        given: object = constant
        if not isinstance(given, Constant):
            raise DeclarationError(
                f"expected constants as Constant(name, shape), got {given!r:.60} "
                f"(type {type(given).__name__})"
            )
    return tuple(constants)


def check_sizes(
    space: ParameterSpace,
    constants: Sequence[Constant],
    data: ParameterSpace | None = None,
) -> None:
    """Check that no constant has the name of a size.

    Args:
        space: the parameters.
        constants: the constants.
        data: the data.

    Raises:
        DeclarationError: where one has.
    """
    shapes = [shape for _, shape in (*space.items, *(data.items if data else ()))]
    shapes += [constant.shape for constant in constants]
    sizes = {size for shape in shapes for size in shape}
    for constant in constants:
        if constant.name in sizes:
            raise DeclarationError(
                f"expected a name of its own for the constant {constant.name}, it is a "
                f"size too; rename it"
            )

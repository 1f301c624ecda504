"""The per-sample loss ℓ(θ, z): `Loss`."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import sympy as sp

from symbolic._constants import Constant, check_sizes, checked_constants
from symbolic._errors import DeclarationError
from symbolic._language.components import interpret
from symbolic._language.words import read_words, space_words
from symbolic._matrices.at_sizes import components_at, constants_at, space_at
from symbolic._space import ParameterSpace, check_derived_names
from symbolic._words.applied import Applied, Table
from symbolic._words.polynomial import MatrixPolynomial


MAX_COMPONENTS = 200  # of parameters and data, beyond which text is read as words


@dataclass(frozen=True, slots=True, init=False)
class Loss:
    """A per-sample loss, a scalar expression in parameters and data.

    Symbols are matched by name, whatever their assumptions; all are taken real. Where
    a size is a symbol, the loss is a polynomial in words of matrices, and functions in
    it are letters.

    Args:
        expression: a string of the language, a sympy expression or a 1 × 1 matrix; a
            string or a `MatrixPolynomial` where a size is a symbol.
        space: the parameters.
        data: name → shape of the data, such as {"x": (2,), "y": ()}.
        constants: the constants that may occur.
        matrices: whether to work in words of matrices; None for where a size is a
            symbol, and for a string about more than 200 components.

    Attributes:
        applied: the functions in a loss with symbolic sizes.
        source: the text it was declared by, None for anything but a string.

    Raises:
        DeclarationError: for unknown names and for what is no scalar.

    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y = sp.symbols("u w x y")
    >>> Loss((u * w * x - y) ** 2, space, data={"x": (), "y": ()}).gradient
    (2*w*x*(u*w*x - y), 2*u*x*(u*w*x - y))
    >>> space = ParameterSpace(U=("m", "d"), W=("d", "n"))
    >>> Loss("norm2(U*W*x - y)", space, {"x": ("n",), "y": ("m",)}).is_matrix
    True
    """

    expression: Any
    space: ParameterSpace
    data: ParameterSpace
    constants: tuple[Constant, ...] = ()
    applied: tuple[Applied, ...] = ()
    source: str | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        expression: Any,
        space: ParameterSpace,
        data: Mapping[str, Sequence[int | str]] | None = None,
        constants: Sequence[Constant] = (),
        *,
        matrices: bool | None = None,
    ) -> None:
        sample = ParameterSpace(data or {})
        source = expression if isinstance(expression, str) else None
        declared = checked_constants(constants)
        _check_distinct(space, sample, declared)
        applied: tuple[Applied, ...] = ()
        if matrices is None:
            matrices = (
                space.has_symbolic_sizes
                or sample.has_symbolic_sizes
                or isinstance(expression, MatrixPolynomial)
                or (source is not None and space.size + sample.size > MAX_COMPONENTS)
            )
        if matrices:
            expression, applied = _of_words(expression, space, sample, declared)
        else:
            expression = _of_components(expression, space, sample, declared)
        object.__setattr__(self, "expression", expression)
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "data", sample)
        object.__setattr__(self, "constants", declared)
        object.__setattr__(self, "applied", applied)
        object.__setattr__(self, "source", source)

    @property
    def is_matrix(self) -> bool:
        """Return whether it is a polynomial in words of matrices."""
        return isinstance(self.expression, MatrixPolynomial)

    def at(self, sizes: Mapping[str, int]) -> Self:
        """Return the loss at integer sizes, in words where there are many components.

        Args:
            sizes: a number for each size that is a symbol.

        Returns:
            The loss.
        """
        if not self.is_matrix:
            return self
        space, data = space_at(self.space, sizes), space_at(self.data, sizes)
        constants = constants_at(self.constants, sizes)
        shapes = dict(data.items)
        if self.source is not None and space.size + data.size > MAX_COMPONENTS:
            return type(self)(self.source, space, shapes, constants)
        (found,) = components_at(
            [self.expression],
            self.applied,
            self.space,
            sizes,
            data=self.data,
            constants=self.constants,
        )
        loss = type(self)(found[0, 0], space, shapes, constants)
        object.__setattr__(loss, "source", self.source)
        return loss

    @property
    def gradient(self) -> tuple[Any, ...]:
        """Return ∇ℓ, one expression for each of the n components of θ.

        Raises:
            DeclarationError: at symbolic sizes; `symbolic.gradient` takes one matrix.
        """
        if self.is_matrix:
            raise DeclarationError(
                "expected integer sizes for the components of a gradient, got a loss "
                "in words of matrices"
            )
        return tuple(self.expression.diff(symbol) for symbol in self.space.symbols)


def _check_distinct(
    space: ParameterSpace, sample: ParameterSpace, constants: tuple[Constant, ...]
) -> None:
    names = [*space.names, *sample.names, *(each.name for each in constants)]
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise DeclarationError(
            f"expected data names that differ from the parameters "
            f"{', '.join(space.names)} and from constants, got {doubled[0]} twice"
        )


def _of_words(
    expression: object,
    space: ParameterSpace,
    data: ParameterSpace,
    constants: tuple[Constant, ...],
) -> tuple[MatrixPolynomial, tuple[Applied, ...]]:
    names = space_words(space) | space_words(data, data=True)
    names |= {each.name: each.words for each in constants}
    check_derived_names(space.names, list(names))
    check_sizes(space, constants, data)
    table = Table()
    found = read_words(expression, names, table, "loss")
    if not found.is_scalar:
        raise DeclarationError(
            f"expected a scalar loss, got a matrix of shape {found.rows} x {found.cols}"
        )
    return found, table.within(found)


def _of_components(
    expression: object,
    space: ParameterSpace,
    data: ParameterSpace,
    constants: tuple[Constant, ...],
) -> sp.Expr:
    values = {name: space[name] for name in space.names}
    values |= {name: data[name] for name in data.names}
    values |= {each.name: each.components for each in constants}
    if isinstance(expression, str):
        expression = interpret(expression, values, "loss")
    symbols = set().union(*(value.free_symbols for value in values.values()))
    known = {symbol.name: symbol for symbol in symbols}
    if len(known) < len(symbols) or len(known) < space.size + data.size:
        raise DeclarationError(
            f"expected components with distinct names, got {', '.join(values)} with "
            f"some in common; rename one"
        )
    ordered = {s.name: s for s in (*space.symbols, *data.symbols)} | known
    scalar = as_real(as_scalar(expression), ordered)
    if scalar.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise DeclarationError(f"expected a finite loss, got {scalar}")
    if scalar.has(sp.I):
        raise DeclarationError(f"expected a real loss, got {scalar}")
    return scalar


def as_scalar(expression: object) -> sp.Expr:
    """Return a sympy scalar: 1 × 1 matrices unwrapped, floats read as decimals.

    Raises:
        DeclarationError: for strings, matrices and what sympy does not know.
    """
    if isinstance(expression, str):
        raise DeclarationError(
            f"expected a sympy expression, got the string {expression!r}; "
            f"write it with sympy symbols"
        )
    if isinstance(expression, sp.MatrixBase):
        if expression.shape != (1, 1):
            raise DeclarationError(
                f"expected a scalar, got a matrix of shape {expression.shape}"
            )
        return as_scalar(expression[0, 0])
    if isinstance(expression, float):
        return exact(expression)
    if not isinstance(expression, (sp.Expr, int)):
        raise DeclarationError(
            f"expected a sympy expression, got {expression!r} "
            f"(type {type(expression).__name__})"
        )
    scalar = sp.sympify(expression)
    return scalar.xreplace({f: exact(float(f)) for f in scalar.atoms(sp.Float)})


def exact(number: float) -> sp.Rational:
    """Return the shortest decimal of a float as a rational (0.1 is 1/10).

    Raises:
        DeclarationError: for NaN and infinities.

    >>> exact(0.1)
    1/10
    """
    if number - number != 0:
        raise DeclarationError(f"expected a finite number, got {number!r}")
    return sp.Rational(repr(float(number)))


def as_real(expression: sp.Expr, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    """Return the expression with its symbols replaced by the known ones of that name.

    Raises:
        DeclarationError: naming an unknown symbol and the nearest known one.
    """
    for symbol in expression.free_symbols:
        if symbol.name not in known:
            near = difflib.get_close_matches(symbol.name, known, n=1, cutoff=0.0)
            raise DeclarationError(
                f"unknown name {symbol.name!r} in {expression}; expected one of "
                f"{', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    return expression.xreplace(
        {symbol: known[symbol.name] for symbol in expression.free_symbols}
    )

"""The per-sample loss ℓ(θ, z): `Loss`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._space import ParameterSpace


@dataclass(frozen=True, slots=True, init=False)
class Loss:
    """A per-sample loss, a scalar expression in parameters and data.

    Symbols are matched by name, whatever their assumptions; all are taken real.

    Args:
        expression: a sympy expression, or a 1 × 1 matrix.
        space: the parameters.
        data: name → shape of the data, such as {"x": (2,), "y": ()}.

    Raises:
        DeclarationError: for strings, unknown symbols and non-scalar expressions.

    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y = sp.symbols("u w x y")
    >>> Loss((u * w * x - y) ** 2, space, data={"x": (), "y": ()}).gradient
    (2*w*x*(u*w*x - y), 2*u*x*(u*w*x - y))
    """

    expression: sp.Expr
    space: ParameterSpace
    data: ParameterSpace

    def __init__(
        self,
        expression: sp.Expr,
        space: ParameterSpace,
        data: Mapping[str, Sequence[int | str]] | None = None,
    ) -> None:
        sample = ParameterSpace(data or {})
        known = {symbol.name: symbol for symbol in (*space.symbols, *sample.symbols)}
        if len(known) < space.size + sample.size:
            raise DeclarationError(
                f"expected data names that differ from the parameters "
                f"{', '.join(space.names)}, got {', '.join(sample.names)}"
            )
        scalar = as_real(as_scalar(expression), known)
        if scalar.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            raise DeclarationError(f"expected a finite loss, got {scalar}")
        if scalar.has(sp.I):
            raise DeclarationError(f"expected a real loss, got {scalar}")
        object.__setattr__(self, "expression", scalar)
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "data", sample)

    @property
    def gradient(self) -> tuple[sp.Expr, ...]:
        """Return ∇ℓ, one expression for each of the n components of θ."""
        return tuple(self.expression.diff(symbol) for symbol in self.space.symbols)


def as_scalar(expression: object) -> sp.Expr:
    """Return a sympy scalar: 1 × 1 matrices unwrapped, floats read as decimals.

    Raises:
        DeclarationError: for strings, matrices and what sympy does not know.
    """
    if isinstance(expression, str):
        raise DeclarationError(
            f"expected a sympy expression, got the string {expression!r}; "
            f"write it with sympy symbols (strings come with declaration files)"
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

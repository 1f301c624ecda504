"""What a user declares: `Declaration`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symbolic._claim_table import ClaimTable
from symbolic._constants import Constant
from symbolic._errors import DeclarationError
from symbolic._language.components import interpret
from symbolic._loss import Loss, as_scalar
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry


@dataclass(frozen=True, slots=True)
class Declaration:
    """A named symmetry on a parameter space, with or without a loss.

    Attributes:
        name: a title, any text.
        space: the parameters.
        symmetry: the symmetry.
        loss: the per-sample loss, or None.
        claims: what a file says of it, as texts; `verify` reads and checks them.
    """

    name: str
    space: ParameterSpace
    symmetry: Symmetry
    loss: Loss | None = None
    claims: tuple[ClaimTable, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_matrix(self) -> bool:
        """Return whether it is in words of matrices, at symbolic sizes."""
        return self.symmetry.is_matrix

    def at(
        self,
        sizes: Mapping[str, int],
        constants: Mapping[str, Any] | None = None,
    ) -> Declaration:
        """Return the declaration at integer sizes, with numbers for its constants.

        Args:
            sizes: a number for each size that is a symbol.
            constants: name → number, or matrix of numbers; others stay symbols.

        Returns:
            The declaration in components.

        Raises:
            DeclarationError: for the name of no constant, values of another shape, and
                sizes without a number.
        """
        symmetry = self.symmetry.at(sizes)
        loss = None if self.loss is None else self.loss.at(sizes)
        values = _values(symmetry.declared, constants or {})
        if values:
            symmetry = Symmetry(
                symmetry.space,
                tuple(each.xreplace(values) for each in symmetry.generator),
                symmetry.transformation
                and tuple(each.xreplace(values) for each in symmetry.transformation),
                symmetry.rho,
            )
        if values and loss is not None:
            data = dict(loss.data.items)
            loss = Loss(loss.expression.xreplace(values), loss.space, data)
        return Declaration(self.name, symmetry.space, symmetry, loss, self.claims)

    def read(
        self, text: str, names: Mapping[str, Any] | None = None, where: str = ""
    ) -> sp.Expr:
        """Return what a text of the language means in the parameters.

        Args:
            text: the expression; parameters go by name, and their components too.
            names: what more names stand for.
            where: what the text is, for errors.

        Returns:
            A sympy scalar.

        Raises:
            DeclarationError: with the place in the text, for what means nothing, for
                a matrix, and at symbolic sizes.

        >>> space = ParameterSpace(W=(2, 2))
        >>> still = Symmetry.from_generator(space, {})
        >>> Declaration("still", space, still).read("tr(W) - W_0_0")
        W_1_1
        """
        known = {name: self.space[name] for name in self.space.names}
        known |= {symbol.name: symbol for symbol in self.space.symbols}
        value = interpret(text, known | dict(names or {}), where)
        if isinstance(value, sp.MatrixBase):
            rows, cols = value.shape
            raise DeclarationError(
                f"{where or 'expression'}: expected a scalar, {text.strip()!r} is "
                f"{rows} x {cols}; norm2, tr and dot make scalars, and entries go by "
                f"names such as {self.space.symbols[0]}"
            )
        return value

    def __post_init__(self) -> None:
        kinds: dict[str, tuple[type, ...]] = {
            "name": (str,),
            "space": (ParameterSpace,),
            "symmetry": (Symmetry,),
            "loss": (Loss, type(None)),
        }
        for role, types in kinds.items():
            given = getattr(self, role)
            if not isinstance(given, types):
                raise DeclarationError(
                    f"expected a {types[0].__name__} as the {role} of a Declaration, "
                    f"got {given!r:.60} (type {type(given).__name__})"
                )
        if self.symmetry.space != self.space or (
            self.loss is not None and self.loss.space != self.space
        ):
            raise DeclarationError(
                f"expected symmetry and loss of {self.name!r} on the same parameter "
                f"space ({', '.join(self.space.names)})"
            )
        self._check_constants()
        if self.loss is not None and self.loss.is_matrix != self.symmetry.is_matrix:
            raise DeclarationError(
                f"expected symmetry and loss of {self.name!r} both in words of "
                f"matrices, or both in components"
            )

    def _check_constants(self) -> None:
        """Check that a name means the same in symmetry and loss."""
        if self.loss is None:
            return
        of_loss = {each.name: each for each in self.loss.constants}
        for constant in self.symmetry.declared:
            if of_loss.get(constant.name, constant) != constant:
                raise DeclarationError(
                    f"expected one declaration of the constant {constant.name}, got "
                    f"another in the loss of {self.name!r}"
                )
            if constant.name in self.loss.data.names:
                raise DeclarationError(
                    f"expected a name of its own for the constant {constant.name} of "
                    f"{self.name!r}, the loss has data of that name"
                )


def _values(
    declared: Sequence[Constant], constants: Mapping[str, Any]
) -> dict[sp.Symbol, sp.Expr]:
    """Return symbol → number for the constants given."""
    known = {constant.name: constant for constant in declared}
    found: dict[sp.Symbol, sp.Expr] = {}
    for name, value in constants.items():
        if name not in known:
            raise DeclarationError(
                f"expected one of the constants {', '.join(known) or '(none)'}, got "
                f"{name!r}"
            )
        symbols = known[name].components
        if isinstance(symbols, sp.MatrixBase):
            rows = value.tolist() if hasattr(value, "tolist") else value
            given = _entries(rows, known[name])
        else:
            given, symbols = [as_scalar(value)], [symbols]
        for symbol, entry in zip(symbols, given, strict=True):
            if found.setdefault(symbol, entry) != entry:
                raise DeclarationError(
                    f"expected a symmetric matrix for {name}, got {found[symbol]} and "
                    f"{entry} for {symbol}"
                )
    return found


def _entries(rows: Any, constant: Constant) -> list[sp.Expr]:
    """Return the entries of a matrix of the shape of a constant, row by row."""
    cells = [row if isinstance(row, (list, tuple)) else [row] for row in rows]
    shape = constant.components.shape
    if [len(row) for row in cells] != [shape[1]] * shape[0]:
        raise DeclarationError(
            f"expected {shape[0]} rows of {shape[1]} for {constant.name}, got rows of "
            f"{[len(row) for row in cells]}"
        )
    return [as_scalar(entry) for row in cells for entry in row]

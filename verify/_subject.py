"""What the theorems are checked on when a user brings a declaration."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp

from symbolic import Constant, Declaration


_FACTORS = (*map(sp.Rational, ("1", "3/2", "1/4", "1/2")),)  # of the constants
MAX_SUBJECT = 12  # parameters, where sizes may be chosen
_ASSUMED = {"negative": -2}  # 2 suits the other assumptions


def concrete(declaration: Declaration) -> Declaration:
    """Return a declaration at integer sizes, with numbers for its constants.

    Sizes that are symbols become 2, or 1 where that makes too many parameters; a
    symmetric constant gets the eigenvalues 1, −2, 3, … in a rational frame. The name
    says what was put in.

    Args:
        declaration: what the user declares.

    Returns:
        The declaration the claims are checked on; the same where nothing is free.
    """
    return _at(declaration, _sizes(declaration), 0)


def _at(declaration: Declaration, sizes: dict[str, int], k: int) -> Declaration:
    """Return a declaration at some sizes, with the k-th numbers for its constants."""
    symmetry = declaration.symmetry.at(sizes)
    loss = None if declaration.loss is None else declaration.loss.at(sizes)
    declared = {each.name: each for each in symmetry.declared}
    declared |= {each.name: each for each in (loss.constants if loss else ())}
    values = {name: _value(constant, k) for name, constant in declared.items()}
    if not sizes and not values:
        return declaration
    put = [f"{name} = {size}" for name, size in sizes.items()]
    put += [f"{name} = {_shown(value)}" for name, value in values.items()]
    found = declaration.at(sizes, values)
    name = f"{declaration.name}, at {', '.join(put)}"
    return Declaration(name, found.space, found.symmetry, found.loss)


def variants(declaration: Declaration) -> tuple[Declaration, ...]:
    """Return a declaration at several sizes and constants, `concrete` first.

    What holds at one size, or for one constant, need not hold at others.

    Args:
        declaration: what the user declares.

    Returns:
        One where nothing is free; else four: large first sizes, large last sizes, and
        ones, each with other numbers for the constants.
    """
    first = concrete(declaration)
    if first is declaration:
        return (declaration,)
    names = list(_sizes(declaration))
    chosen = [
        _shrunk(declaration, dict.fromkeys(names, 3), names[::-1]),
        _shrunk(declaration, dict.fromkeys(names, 3), names),
        dict.fromkeys(names, 1),
    ]
    others = [_at(declaration, sizes, k) for k, sizes in enumerate(chosen, start=1)]
    return (first, *others)


def _shrunk(
    declaration: Declaration, sizes: dict[str, int], order: list[str]
) -> dict[str, int]:
    """Return the sizes with the first in the order made smaller until all fits."""
    for name in order:
        while sizes[name] > 1 and _count(declaration, sizes) > MAX_SUBJECT:
            sizes[name] -= 1
    return sizes


def _sizes(declaration: Declaration) -> dict[str, int]:
    spaces = [declaration.space, *([declaration.loss.data] if declaration.loss else [])]
    shapes = [shape for space in spaces for _, shape in space.items]
    shapes += [constant.shape for constant in declaration.symmetry.declared]
    names = dict.fromkeys(s for shape in shapes for s in shape if isinstance(s, str))
    sizes = dict.fromkeys(names, 2)
    for name in sizes:  # the first ones shrink first
        if _count(declaration, sizes) > MAX_SUBJECT:
            sizes[name] = 1
    return sizes


def _count(declaration: Declaration, sizes: dict[str, int]) -> int:
    total = 0
    for _, shape in declaration.space.items:
        product = 1
        for size in shape:
            product *= size if isinstance(size, int) else sizes[size]
        total += product
    return total


def _value(constant: Constant, k: int) -> Any:
    first = _ASSUMED.get(constant.assume, 2)
    free = constant.assume in ("real", "nonzero")
    factor = _FACTORS[k] * ((-1) ** k if free else 1)
    return _first_value(constant, first) * factor


def _first_value(constant: Constant, first: int) -> Any:
    if not constant.shape:
        return sp.Integer(first)
    rows, cols = (*constant.shape, 1)[:2]
    if constant.symmetric:
        d = int(rows)
        sign = 1 if constant.assume in ("real", "nonzero") else 0
        D = sp.diag(*[(k + 1) * (-1) ** (k * sign) for k in range(d)])
        v = sp.Matrix(range(1, d + 1))  # a reflection, so that B is not diagonal
        frame = sp.eye(d) - v * v.T * 2 / v.dot(v)
        return (frame * D * frame) * (1 if first > 0 else -1)
    step = 1 if first > 0 else -1
    return sp.Matrix(int(rows), int(cols), lambda i, j: step * (1 + i + 2 * j))


def _shown(value: Any) -> str:
    if not isinstance(value, sp.MatrixBase):
        return str(value)
    rows = [[str(Fraction(int(e.p), int(e.q))) for e in row] for row in value.tolist()]
    return str(rows).replace("'", "")

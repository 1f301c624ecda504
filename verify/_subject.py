"""What the theorems are checked on when a user brings a declaration."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp

from symbolic import Constant, Declaration


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
    sizes = _sizes(declaration)
    symmetry = declaration.symmetry.at(sizes)
    loss = None if declaration.loss is None else declaration.loss.at(sizes)
    declared = {each.name: each for each in symmetry.declared}
    declared |= {each.name: each for each in (loss.constants if loss else ())}
    values = {name: _value(constant) for name, constant in declared.items()}
    if not sizes and not values:
        return declaration
    put = [f"{name} = {size}" for name, size in sizes.items()]
    put += [f"{name} = {_shown(value)}" for name, value in values.items()]
    found = declaration.at(sizes, values)
    name = f"{declaration.name}, at {', '.join(put)}"
    return Declaration(name, found.space, found.symmetry, found.loss)


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


def _value(constant: Constant) -> Any:
    first = _ASSUMED.get(constant.assume, 2)
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

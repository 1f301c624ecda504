"""Linear generators that act on each parameter as a matrix: J_X = LX + XR."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp

from numeric._codegen import number
from numeric._matrix_problem import MatrixProblem
from symbolic import MatrixPolynomial, dot, matrix, zero


_Values = dict[str, list[list[float]]]


def blocks(declaration: Any, *, has_charge: bool) -> MatrixProblem | None:
    """Return a linear J in whole matrices, where that needs smaller ones than A.

    Args:
        declaration: of integer sizes.
        has_charge: whether J is a gradient field.

    Returns:
        The problem, with the numbers of L and R; None where A is diagonal or has
        constants, J is not linear, mixes parameters, or has no L and R.
    """
    symmetry, shapes = declaration.symmetry, dict(declaration.space.items)
    A = symmetry.matrix
    if A is None or A.free_symbols or any(e != 0 for e in symmetry.offset):
        return None
    if A.is_diagonal() or max(len(shape) for shape in shapes.values()) < 2:
        return None
    values: _Values = {}
    generator, start = [], 0
    for name, shape in shapes.items():
        rows, cols = (*shape, 1, 1)[:2]
        stop = start + rows * cols
        outside = [*range(start), *range(stop, A.rows)]
        inside = list(range(start, stop))
        sides = _split(A.extract(inside, inside), rows, cols)
        if sides is None or not A.extract(inside, outside).is_zero_matrix:
            return None
        generator.append(_action(name, sides, values))
        start = stop
    problem = MatrixProblem(
        shapes, tuple(generator), None, symmetry.kind, values=values
    )
    if not has_charge:
        return problem
    pairs = zip(problem.variables.values(), generator, strict=True)
    twice = reduce(lambda a, b: a + b, (dot(X, J) for X, J in pairs))
    return replace(problem, charge=twice * Fraction(1, 2))


def _split(
    block: sp.MatrixBase, rows: int, cols: int
) -> tuple[sp.Matrix, sp.Matrix] | None:
    """Return L and R of a block that is L⊗1 + 1⊗Rᵀ, R alone where L is a multiple."""

    def entry(i: int, j: int, k: int, m: int) -> sp.Expr:
        return block[i * cols + j, k * cols + m]

    L = sp.Matrix(rows, rows, lambda i, k: entry(i, 0, k, 0))
    R = sp.Matrix(cols, cols, lambda m, j: entry(0, j, 0, m))
    shared = entry(0, 0, 0, 0)  # in both diagonals
    scaled = shared * sp.eye(rows)
    if scaled == L:
        L = sp.zeros(rows)
    else:
        R -= shared * sp.eye(cols)
    whole = sp.kronecker_product(L, sp.eye(cols))
    whole += sp.kronecker_product(sp.eye(rows), R.T)
    return (L, R) if sp.Matrix(block) == whole else None


def _action(
    name: str, sides: tuple[sp.Matrix, sp.Matrix], values: _Values
) -> MatrixPolynomial:
    """Return LX + XR; a multiple of X as a number, the rest with letters of values."""
    L, R = sides
    X = matrix(name, L.rows, R.rows)
    J = zero(L.rows, R.rows)
    for letter, side in (("L", L), ("R", R)):
        scale = side[0, 0]
        if side == scale * sp.eye(side.rows) and scale.is_Rational:
            J += X * Fraction(int(scale.p), int(scale.q))
            continue
        key = f"{letter} {name}"  # no declared name has a space
        values[key] = [[number(e) for e in side.row(i)] for i in range(side.rows)]
        M = matrix(key, side.rows, side.rows, symmetric=side == side.T)
        J += M @ X if letter == "L" else X @ M
    return J

"""A point where a polynomial in words is not 0, at sizes too large for components."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from math import prod

import sympy as sp

from symbolic._constants import Constant
from symbolic._exact.equality import shown
from symbolic._exact.intervals import NotEnclosed, enclose
from symbolic._matrices.at_sizes import shape_at, value_at
from symbolic._space import ParameterSpace, Shape
from symbolic._verdict import Witness
from symbolic._words.applied import Applied
from symbolic._words.polynomial import MatrixPolynomial


MAX_ENTRIES = 4_000  # of parameters, data and constants together
DRAWN = 2  # points
_SIZE = 2  # in place of a symbol


def nonzero_point(
    f: MatrixPolynomial,
    applied: Iterable[Applied],
    spaces: Sequence[ParameterSpace],
    constants: Sequence[Constant],
) -> Witness | None:
    """Return rational matrices at which a scalar polynomial is not 0.

    Args:
        f: the polynomial, in parameters, the sample at hand and constants.
        applied: the functions in it, innermost first.
        spaces: parameters and data; a size that is a symbol is 2 here.
        constants: the constants.

    Returns:
        A witness; None where there are too many entries, or none was found.
    """
    shapes = {name: shape for space in spaces for name, shape in space.items}
    shapes |= {constant.name: constant.shape for constant in constants}
    symbolic = {s for shape in shapes.values() for s in shape if isinstance(s, str)}
    sizes = dict.fromkeys(symbolic, _SIZE)
    if sum(prod(shape_at(shape, sizes)) for shape in shapes.values()) > MAX_ENTRIES:
        return None
    for seed in range(DRAWN):
        stream = random.Random(f"refutation {seed}")
        drawn = _drawn(shapes, sizes, constants, stream)
        value = value_at(f, applied, drawn, spaces[1].names, constants, sizes)
        if _is_apart(value):
            drawn_text = {name: _text(matrix) for name, matrix in drawn.items()}
            return Witness(drawn_text, shown(value), "0", exact=True)
    return None


def _is_apart(value: sp.Expr) -> bool:
    """Decide whether a number is proved to be other than 0."""
    try:
        low, high = enclose(value, {})
    except NotEnclosed:
        return False
    return bool(low > 0 or high < 0)


def _drawn(
    shapes: Mapping[str, Shape],
    sizes: Mapping[str, int],
    constants: Sequence[Constant],
    stream: random.Random,
) -> dict[str, sp.Matrix]:
    """Draw a matrix for each name, as it is declared."""
    declared = {constant.name: constant for constant in constants}
    found = {}
    for name, shape in shapes.items():
        rows, cols = (*shape_at(shape, sizes), 1, 1)[:2]
        assume = declared[name].assume if name in declared else "real"
        symmetric = name in declared and declared[name].symmetric
        full = sp.Matrix(
            rows, cols, [_entry(assume, stream) for _ in range(rows * cols)]
        )
        found[name] = full + full.T if symmetric else full
    return found


def _entry(assume: str, stream: random.Random) -> sp.Rational:
    number = sp.Rational(stream.randint(1, 4), stream.randint(1, 3))
    signs = {"positive": 1, "nonnegative": 1, "negative": -1}
    return number * signs.get(assume, stream.choice((-1, 1)))


def _text(matrix: sp.Matrix) -> str:
    if matrix.shape == (1, 1):
        return str(matrix[0, 0])
    return str([[str(e) for e in row] for row in matrix.tolist()]).replace("'", "")

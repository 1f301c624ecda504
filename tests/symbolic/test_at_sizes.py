"""From symbolic sizes to numbers."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from symbolic import (
    Constant,
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
)
from symbolic._matrices.at_sizes import MAX_OTHERS, MAX_TRIED, shape_at, small_sizes


SPACE = ParameterSpace(U=("m", "d"), W=("d", 3))
B = Constant("B", ("d", "d"), symmetric=True)


def _declared() -> Declaration:
    symmetry = Symmetry.from_generator(SPACE, {"U": "U*B", "W": "-B*W"}, [B])
    loss = Loss("norm2(U*W*x)", SPACE, {"x": (3,)}, [B])
    return Declaration("net", SPACE, symmetry, loss)


def test_it_is_what_the_same_text_means_there() -> None:
    found = _declared().at({"m": 1, "d": 2})
    space = ParameterSpace(U=(1, 2), W=(2, 3))
    small = Constant("B", (2, 2), symmetric=True)
    symmetry = Symmetry.from_generator(space, {"U": "U*B", "W": "-B*W"}, [small])
    assert found.symmetry.generator == symmetry.generator
    assert found.loss is not None
    again = Loss("norm2(U*W*x)", space, {"x": (3,)}, [small])
    assert sp.expand(found.loss.expression - again.expression) == 0


def test_constants_get_numbers() -> None:
    found = _declared().at({"m": 1, "d": 2}, {"B": [[1, 0], [0, 2]]})
    U = found.space["U"]
    assert found.symmetry.generator[:2] == (U[0, 0], 2 * U[0, 1])


@pytest.mark.parametrize(
    ("sizes", "constants", "said"),
    [
        ({}, {}, "a number for the size m, got none"),
        ({"m": 2}, {}, "a number for the size d, got m = 2"),
        ({"m": 0, "d": 1}, {}, "expected positive integers"),
        ({"m": 1, "d": 2}, {"B": [[1, 2]]}, "expected 2 rows of 2 for B"),
        ({"m": 1, "d": 2}, {"B": [[1, 2], [3, 4]]}, "a symmetric matrix for B"),
        ({"m": 1, "d": 2}, {"B": [[1, "x"], [3, 4]]}, "got the string"),
        ({"m": 1, "d": 2}, {"Q": 1}, "one of the constants B"),
    ],
)
def test_what_is_no_number(sizes: Any, constants: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        _declared().at(sizes, constants)


def test_small_sizes_are_small() -> None:
    data = ParameterSpace(x=("n",))
    for sizes in small_sizes([SPACE, data], [B]):
        shapes = [shape_at(s, sizes) for _, s in SPACE.items]
        assert sum(a * b for a, b in shapes) <= MAX_TRIED
    assert next(small_sizes([SPACE])) == {"m": 2, "d": 2}
    assert list(small_sizes([ParameterSpace(u=())])) == [{}]


@pytest.mark.parametrize("where", ["data", "constants", "parameters"])
def test_none_is_small_where_one_is_huge(where: str) -> None:
    huge = {"data": (1, MAX_OTHERS + 1, 1), "constants": (1, 1, 10**9)}
    p, x, c = huge.get(where, (MAX_TRIED + 1, 1, 1))
    spaces = [ParameterSpace(u=(p,)), ParameterSpace(x=(x,))]
    assert list(small_sizes(spaces, [Constant("c", (c,))])) == []


def test_components_of_one_name_are_left_out() -> None:
    space = ParameterSpace(W=("d",), W_1=())
    assert all(sizes["d"] == 1 for sizes in small_sizes([space]))

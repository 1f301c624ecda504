"""Constants: what they are at both levels, and what they may not be called."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

from symbolic import (
    Constant,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    matrix,
    scalar,
)


def test_in_words() -> None:
    assert Constant("k").words == scalar("k")
    assert Constant("a", ("d",)).words == matrix("a", "d", 1)
    B = Constant("B", ("d", "d"), symmetric=True).words
    assert B == B.T
    Q = Constant("Q", ("d", "d")).words
    assert Q != Q.T


@pytest.mark.parametrize("assume", ["positive", "negative", "nonnegative", "nonzero"])
def test_in_components(assume: Any) -> None:
    B = Constant("B", (2, 2), assume, symmetric=True).components
    assert B == B.T
    assert all(getattr(entry, f"is_{assume}") for entry in B)
    assert [str(e) for e in Constant("a", (2,)).components] == ["a_0", "a_1"]
    assert Constant("k", (), assume).components == sp.Symbol(
        "k", real=True, **{assume: True}
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("B", ("d", "m"), "real", True), "constant B to be square, got d x m"),
        (("v", ("d",), "real", True), "to be square, got d x 1"),
        (("k", (), "odd"), "assumed one of real, positive"),
        (("eta",), "'eta' is reserved"),
        (("1k",), "starting with a letter"),
        (("B", (0, 1)), "expected positive integers"),
        (("B", ("eta",)), "'eta' is reserved"),
    ],
)
def test_wrong_ones(arguments: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Constant(*arguments)


def test_no_entries_without_numbers() -> None:
    with pytest.raises(DeclarationError, match="entries of B, got d x 2"):
        _ = Constant("B", ("d", 2)).components


SPACE = ParameterSpace(U=("m", "d"))


@pytest.mark.parametrize("name", ["g_U", "h_U", "gbar_U", "m"])
def test_names_that_are_taken(name: str) -> None:
    constant = Constant(name)
    with pytest.raises(DeclarationError, match=f"constant {name}|got '{name}'"):
        Symmetry.from_generator(SPACE, {"U": "U"}, [constant])
    with pytest.raises(DeclarationError, match=f"constant {name}|got '{name}'"):
        Loss("norm2(U)", SPACE, {}, [constant])


def test_only_constants_are_constants() -> None:
    wrong: Any = ["B"]
    with pytest.raises(DeclarationError, match=r"as Constant\(name, shape\)"):
        Symmetry.from_generator(SPACE, {"U": "U"}, wrong)

"""Source of matrix polynomials against plain products, and how it associates."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from numeric import CompilationError
from numeric._matrix_source import Writer, expression_source, terms
from symbolic import (
    MatrixPolynomial,
    differential,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
    zero,
)
from tests.numeric.words import LETTERS, SHAPES, SIZES, charges, plain


EPS = float(np.finfo(float).eps)
HELPERS = """
def _like(value, reference):
    return xp.asarray(value, dtype=reference.dtype)
def _stacked(a):
    return a.reshape((*a.shape[:-3], -1, a.shape[-1]))
def _beside(a):
    turned = a.swapaxes(-3, -2)
    return turned.reshape((*turned.shape[:-2], -1))
def _dot_samples(a, b):
    return xp.einsum("...nij,...nij->...", a, b)
"""
NAMES = {name: f"p{i}" for i, name in enumerate(SHAPES)} | {
    name: f"s{i}" for i, name in enumerate(SIZES)
}


def run(lines: list[str], text: str, values: Mapping[str, Any], xp: Any = np) -> Any:
    """Run lines and return the value of the expression."""
    scope: dict[str, Any] = {"xp": xp}
    exec(HELPERS, scope)
    scope |= {NAMES[name]: value for name, value in values.items() if name in NAMES}
    exec("\n".join([*lines, f"result = {text}"]), scope)
    return scope["result"]


def point(seed: int, lead: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return arrays for the letters, numbers for the sizes."""
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = dict(SIZES)
    for name, shape in SHAPES.items():
        full = tuple(SIZES.get(size, 1) for size in shape)
        array = rng.normal(size=(*lead, *full))
        values[name] = array + array.swapaxes(-1, -2) if name == "B" else array
        if full == (1, 1):
            values[name] = values[name][..., 0, 0]
    return values


@given(charges(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_drawn_polynomials_equal_plain_products(f: MatrixPolynomial, seed: int) -> None:
    """Scalars and their gradients, with leading axes, and none."""
    letters = [a.letter.name for a in LETTERS.values()]
    lines, text = expression_source(f, NAMES, frozenset(SIZES))
    values = point(seed, (3,))
    result = run(lines, text or "0.0", values)
    for i in range(3):
        here = {n: v[i] if n in letters else v for n, v in values.items()}
        expected, scale = plain(f, here)
        found = result[i] if np.ndim(result) else result
        assert abs(found - expected) <= 1e-13 * scale


@given(charges(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_mean_is_that_of_the_samples(f: MatrixPolynomial, seed: int) -> None:
    """D²C[h, h] over 4 samples at once equals the mean of four."""
    along = {LETTERS[n]: matrix(f"d {n}", *SHAPES[n]) for n in ("U", "W", "v", "u")}
    second = differential(differential(f, along), along)
    names = NAMES | {f"d {n}": f"h{i}" for i, n in enumerate("UWvu")}
    writer = Writer(names, frozenset(SIZES), frozenset(f"d {n}" for n in "UWvu"))
    text = writer.mean(second) or "0.0"
    values, moved = point(seed), point(seed + 1, (4,))
    scope: dict[str, Any] = {"xp": np}
    exec(HELPERS, scope)
    scope |= {NAMES[n]: v for n, v in values.items()}
    scope |= {f"h{i}": moved[n] for i, n in enumerate("UWvu")} | {"m0": 4}
    exec("\n".join([*writer.lines, f"result = {text}"]), scope)
    per_sample = [
        plain(second, values | {f"d {n}": moved[n][i] for n in "UWvu"})
        for i in range(4)
    ]

    expected = sum(value for value, _ in per_sample) / 4
    assert abs(scope["result"] - expected) <= 1e-13 * max(s for _, s in per_sample)


def test_the_same_word_is_computed_once() -> None:
    U, W = LETTERS["U"], LETTERS["W"]
    product = U @ W
    lines, text = expression_source(norm2(product) * norm2(product), NAMES)

    assert lines == ["t0 = p0 @ p1", "t1 = (t0 * t0).sum((-2, -1))"]
    assert text == "t1*t1"


def test_columns_are_contracted_first() -> None:
    """A product with a column costs a matrix and a vector, never two matrices."""
    U, B, v = LETTERS["U"], LETTERS["B"], LETTERS["v"]
    lines, _ = expression_source(U.T @ U @ B @ v, NAMES)

    assert lines == ["t0 = p2 @ p3", "t1 = p0 @ t0", "t2 = p0.mT @ t1"]


def test_functions_of_sizes_and_constants() -> None:
    """Powers of sizes are numbers, those of constants arrays; identities have sizes."""
    f = scalar("d", 2) * scalar("k", -1) * identity("d") * Fraction(1, 3)
    names = {"U": "p0", "d": "s0", "k": "c0"}
    lines, text = expression_source(f, names, frozenset({"d"}))
    scope = {
        "xp": np,
        "p0": np.ones((3, 2)),
        "s0": 2,
        "c0": np.array([4.0, 8.0]),
        "_like": lambda value, like: np.asarray(value, dtype=like.dtype),
    }
    exec("\n".join([*lines, f"result = {text}"]), scope)
    result: Any = scope["result"]

    assert result.shape == (2, 2, 2)
    np.testing.assert_allclose(result[1], np.eye(2) / 6, rtol=4 * EPS)


def test_the_same_text_runs_on_torch() -> None:
    """A traced letter, and products, on both libraries."""
    f = LETTERS["B"].tr() * norm2(LETTERS["U"]) - scalar("d") * LETTERS["u"]
    lines, text = expression_source(f, NAMES, frozenset(SIZES))
    values = point(3)
    as_torch = {n: torch.as_tensor(v) if n in SHAPES else v for n, v in values.items()}
    one, two = run(lines, text, values), run(lines, text, as_torch, torch)

    assert abs(one - float(two)) <= 64 * EPS * (1 + abs(one))


def test_zero_and_refusals() -> None:
    """Zero has no text; data, unknown names and huge numbers are refused."""
    assert expression_source(zero("m", "d"), NAMES) == ([], "")
    with pytest.raises(CompilationError, match="got the data x"):
        terms(norm2(sample("x", "d")))
    with pytest.raises(CompilationError, match="expected names among U, got 'B'"):
        expression_source(LETTERS["B"].tr(), {"U": "p0"})
    with pytest.raises(CompilationError, match="within the range of a float"):
        expression_source(LETTERS["B"].tr() * 10**400, NAMES)

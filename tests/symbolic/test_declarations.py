"""Losses and symmetries: three ways that agree, and messages that help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    catalogue,
    compare,
    matrix_factorisation,
    symbolic_catalogue,
)


PAIR = ParameterSpace(u=(), w=())
u, w, rho, x, y = sp.symbols("u w rho x y")
entries = st.fractions(-3, 3, max_denominator=5).map(
    lambda q: sp.Rational(q.numerator, q.denominator)
)


@st.composite
def symmetric_matrices(draw: st.DrawFn, n: int = 2) -> sp.Matrix:
    drawn = [[draw(entries) for _ in range(n)] for _ in range(n)]
    return sp.Matrix(n, n, lambda i, j: drawn[min(i, j)][max(i, j)])


def test_unknown_symbol_suggests_the_nearest() -> None:
    space = ParameterSpace(weight=(), bias=())
    with pytest.raises(DeclarationError) as caught:
        Loss(sp.Symbol("wieght") ** 2, space)
    assert "unknown name 'wieght'" in str(caught.value)
    assert "did you mean 'weight'?" in str(caught.value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), sp.nan, sp.oo, u * sp.zoo])
def test_losses_are_finite(bad: Any) -> None:
    with pytest.raises(DeclarationError, match=r"expected a finite"):
        Loss(bad, PAIR)


@pytest.mark.parametrize("bad", [sp.Matrix([u, w]), None, [u], sp.true])
def test_losses_are_scalar_expressions(bad: Any) -> None:
    with pytest.raises(DeclarationError, match=r"expected a (sympy expression|scalar)"):
        Loss(bad, PAIR)


def test_loss_matches_symbols_by_name_and_reads_floats_as_decimals() -> None:
    complex_u = sp.Symbol("u", complex=True)
    loss = Loss(sp.Matrix([[0.1 * complex_u * w]]), PAIR)
    assert loss.expression == PAIR["u"] * PAIR["w"] / 10
    assert not loss.expression.has(sp.Float)


def test_data_may_not_shadow_a_parameter() -> None:
    with pytest.raises(DeclarationError, match="data names that differ"):
        Loss(u * w, PAIR, data={"u": ()})


@given(symmetric_matrices())
@settings(max_examples=25, deadline=None)
def test_three_ways_agree(A: sp.Matrix) -> None:
    """Diagonal A have a transformation too: θ → e^{ρA}θ."""
    by_matrix = Symmetry.exponential(PAIR, A)
    J = A * sp.Matrix([u, w])
    by_generator = Symmetry.from_generator(PAIR, {"u": J[0], "w": J[1]})
    assert by_matrix == by_generator
    assert by_matrix.matrix == A.as_immutable()
    assert by_matrix.kind == "exponential"
    diagonal = Symmetry.exponential(PAIR, sp.diag(A[0, 0], A[1, 1]))
    images = {"u": sp.exp(A[0, 0] * rho) * u, "w": sp.exp(A[1, 1] * rho) * w}
    assert Symmetry.from_transformation(PAIR, images).generator == diagonal.generator


def test_matrices_may_be_nested_lists_or_arrays() -> None:
    expected = Symmetry.exponential(PAIR, sp.diag(sp.Rational(1, 10), -1))
    assert Symmetry.exponential(PAIR, [[0.1, 0], [0, -1]]) == expected
    assert Symmetry.exponential(PAIR, np.array([[0.1, 0], [0, -1]])) == expected


def test_a_parameter_left_out_is_fixed() -> None:
    assert Symmetry.from_generator(PAIR, {"u": u}).generator[1] == 0
    moved = Symmetry.from_transformation(PAIR, {"w": w + rho})
    assert moved.generator == (0, 1)


@pytest.mark.parametrize(
    ("images", "kind"),
    [
        ({"u": u, "w": -w}, "exponential"),
        ({"u": -w, "w": u}, "linear"),
        ({"u": u + 1, "w": -w}, "affine"),
        ({"u": sp.Integer(1)}, "affine"),
        ({"u": u**2}, "nonlinear"),
        ({"u": (u + 1) ** 2 - u**2 - 2 * u - 1 + w, "w": u}, "exponential"),
    ],
)
def test_kinds(images: dict[str, sp.Expr], kind: str) -> None:
    assert Symmetry.from_generator(PAIR, images).kind == kind


@pytest.mark.parametrize(
    ("A", "message"),
    [
        ([[1, 2], [3, 4]], r"symmetric A, got A\[1,0\] = 3 and A\[0,1\] = 2"),
        ([[float("nan"), 0], [0, 1]], "finite number, got nan"),
        ([[0, float("inf")], [float("inf"), 0]], "finite number, got inf"),
        (sp.diag(sp.oo, 1), "finite J"),
        ([[1]], r"A as a 2 x 2 matrix on the flat vector \(u, w\)"),
        ([[1, 0], [0]], "2 x 2 matrix"),
        (sp.eye(3), "2 x 2 matrix"),
        (np.ones(4), "2 x 2 matrix"),
        (3, "2 x 2 matrix"),
        ([["a", 0], [0, 1]], "string 'a'"),
        ([[1 + sp.I, 0], [0, 1]], "real"),
    ],
)
def test_bad_matrices_are_refused(A: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Symmetry.exponential(PAIR, A)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"u": 2 * u}, "identity at rho = 0, got u -> 2"),
        ({"u": u + sp.exp(rho)}, r"got u -> u \+ 1"),
        ({"v": u}, "expected one of u, w, got 'v'"),
        ({"u": sp.Matrix([u, w])}, r"'u' of shape \(\), got 2 entries"),
    ],
)
def test_bad_transformations_are_refused(images: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Symmetry.from_transformation(PAIR, images)


def test_constants_are_the_symbols_that_are_no_parameters() -> None:
    a, b = sp.symbols("a b")
    symmetry = Symmetry.from_generator(PAIR, {"u": b * u, "w": -a * w})
    assert [symbol.name for symbol in symmetry.constants] == ["a", "b"]


def test_declaration_needs_one_space() -> None:
    other = ParameterSpace(w=(), u=())
    symmetry = Symmetry.exponential(PAIR, sp.eye(2))
    with pytest.raises(DeclarationError, match="same parameter space"):
        Declaration("mixed", PAIR, symmetry, Loss(u * w, other))
    with pytest.raises(DeclarationError, match="same parameter space"):
        Declaration("mixed", other, symmetry)
    with pytest.raises(DeclarationError, match="loss on u, w, got one on w, u"):
        symmetry.preserves(Loss(u * w, other))


@pytest.mark.parametrize("B", [[[1, 2], [3, 4]], [[1]], [[1, 2, 3]]])
def test_factorisation_needs_a_symmetric_matrix(B: Any) -> None:
    with pytest.raises(DeclarationError, match="symmetric 2 x 2 matrix B"):
        matrix_factorisation(2, B=B)


@pytest.mark.parametrize("declaration", catalogue(), ids=lambda d: str(d.name))
def test_catalogue_is_exponential_with_numbers(declaration: Declaration) -> None:
    symmetry = declaration.symmetry
    assert symmetry.kind == "exponential"
    assert symmetry.matrix is not None
    assert not symmetry.matrix.free_symbols
    assert declaration.loss is not None


def test_symbolic_catalogue_has_all_matrices_at_once() -> None:
    for d, declaration in enumerate(symbolic_catalogue(), start=1):
        assert declaration.symmetry.kind == "exponential"
        assert len(declaration.symmetry.constants) == d * (d + 1) // 2


def test_offset_and_matrix_rebuild_the_generator() -> None:
    symmetry = Symmetry.from_generator(PAIR, {"u": 2 * u + 3, "w": u - w / 2})
    A, theta = symmetry.matrix, sp.Matrix(PAIR.symbols)
    assert A is not None
    rebuilt = A * theta + sp.Matrix(symmetry.offset)
    for left, right in zip(rebuilt, symmetry.generator, strict=True):
        assert compare(left, right).verdict.name == "PROVED"

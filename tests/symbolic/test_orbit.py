"""G on the orbit against matrix exponentials; its slope, zero and signs (Theorem 1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from symbolic import (
    Declaration,
    DeclarationError,
    ParameterSpace,
    Symmetry,
    Verdict,
    derive_components,
    monotone,
    rescaling,
    scaling,
)
from symbolic._laws.ito import covariance_symbols, gamma, lam, sigma2
from symbolic._orbits import balance


SPACE = ParameterSpace(v=(3,))
EPS = float(np.finfo(float).eps)
integers = st.integers(-2, 2)
Array = NDArray[np.float64]


@st.composite
def conjugated(draw: st.DrawFn) -> sp.Matrix:
    """A symmetric A with drawn integer eigenvalues: I − 2vvᵀ/‖v‖² is orthogonal."""
    v = sp.Matrix(draw(st.lists(integers, min_size=3, max_size=3).filter(any)))
    reflection = sp.eye(3) - 2 * v * v.T / v.dot(v)
    return reflection * sp.diag(*[draw(integers) for _ in range(3)]) * reflection


def _direct(A: Array, theta: Array, Sigma: Array, at: float) -> tuple[Array, Array]:
    """Return the summands of G(θ_λ) and ∂_λG(θ_λ) for σ² = 1/2, γ = 1/4."""
    moved = expm(at * A) @ theta
    Sigma = expm(-at * A) @ Sigma @ expm(-at * A)
    decay = -2 * 0.25 * (moved @ A @ moved), -4 * 0.25 * (moved @ A @ A @ moved)
    noise = 0.5 * np.trace(Sigma @ A), -2 * 0.5 * np.trace(Sigma @ A @ A)
    return np.array([decay[0], noise[0]]), np.array([decay[1], noise[1]])


@given(conjugated(), st.lists(integers, min_size=9, max_size=9), st.integers(-4, 4))
@settings(max_examples=10, deadline=None)
def test_balance_is_that_of_the_moved_point(
    A: sp.Matrix, drawn: list[int], quarter: int
) -> None:
    theta = np.array([1.0, -2.0, 0.5])
    factor = np.array(drawn, float).reshape(3, 3)
    Sigma = factor @ factor.T
    symbols = covariance_symbols(SPACE)
    values = dict(zip(SPACE.symbols, map(sp.Rational, theta), strict=True))
    values |= {
        symbols[i, j]: sp.Rational(Sigma[i, j]) for i in range(3) for j in range(3)
    }
    values |= {
        lam: sp.Rational(quarter, 4),
        sigma2: sp.S.Half,
        gamma: sp.Rational(1, 4),
    }
    law = derive_components(Declaration("drawn", SPACE, Symmetry.exponential(SPACE, A)))
    dense = np.array(A.tolist(), float)
    both = _direct(dense, theta, Sigma, quarter / 4)
    # 3 × 3 products and exponentials of norm at most e²: 200 roundings, condition e⁴,
    # of entries at most ‖A‖²·max(‖θ‖², ‖Σ‖) before they cancel.
    size = 4 * max(6.0, float(np.linalg.norm(Sigma, 2)))
    tolerance = 200 * EPS * size * math.exp(4)
    pair = (law.equilibrium.balance, law.equilibrium.slope)
    for expression, summands in zip(pair, both, strict=True):
        exact = float(expression.subs(values).evalf(30))
        assert abs(exact - summands.sum()) <= tolerance
    assert both[1].sum() <= 0


@given(conjugated())
@settings(max_examples=20, deadline=None)
def test_projectors_rebuild_the_matrix(A: sp.Matrix) -> None:
    spectrum = balance.spectral_projectors(A.as_immutable())
    assert spectrum is not None
    total, rebuilt = sp.zeros(3), sp.zeros(3)
    for value, P in spectrum:
        assert P * P == P
        total, rebuilt = total + P, rebuilt + value * P
    assert total == sp.eye(3)
    assert rebuilt == A


def test_irrational_eigenvalues_stay_symbols() -> None:
    pair = ParameterSpace(u=(), w=())
    symmetry = Symmetry.exponential(pair, [[1, 1], [1, -1]])  # eigenvalues ±√2
    equilibrium = derive_components(
        Declaration("irrational", pair, symmetry)
    ).equilibrium
    assert [str(value) for value in equilibrium.eigenvalues] == ["mu_0", "mu_1"]
    assert equilibrium.closed_form is None


def test_closed_form_of_rescaling() -> None:
    closed = derive_components(rescaling()).equilibrium.closed_form
    u, w = rescaling().space.symbols
    Sigma = covariance_symbols(rescaling().space)
    up = sigma2 * Sigma[0, 0] + 2 * gamma * w**2
    down = sigma2 * Sigma[1, 1] + 2 * gamma * u**2
    assert closed == sp.log(up / down) / 4


@pytest.mark.parametrize("declaration", [rescaling(), rescaling(3, 3), scaling(2)])
def test_closed_form_is_a_zero(declaration: Declaration) -> None:
    equilibrium = derive_components(declaration).equilibrium
    assert equilibrium.closed_form is not None
    symbols = (equilibrium.balance.free_symbols | {sigma2, gamma}) - {lam}
    values = {
        symbol: sp.Rational(k, 3)
        for k, symbol in enumerate(sorted(symbols, key=lambda s: str(s.name)), start=1)
    }
    zero = equilibrium.closed_form.subs(values)
    assert sp.simplify(equilibrium.balance.subs(values).subs(lam, zero)) == 0
    assert sp.simplify(equilibrium.balance.subs(values).subs(lam, zero + 1)) != 0


def test_no_closed_form_for_unequal_eigenvalues() -> None:
    assert derive_components(rescaling(2, 1)).equilibrium.closed_form is None


def test_other_kinds_have_no_equilibrium() -> None:
    pair = ParameterSpace(u=(), w=())
    u, w = pair.symbols
    law = derive_components(
        Declaration("affine", pair, Symmetry.from_generator(pair, {"u": u + 1}))
    )
    with pytest.raises(DeclarationError, match="got kind 'affine'"):
        _ = law.equilibrium
    rotation = Symmetry.from_generator(pair, {"u": -w, "w": u})
    with pytest.raises(DeclarationError, match="got kind 'linear'"):
        balance.noise_equilibrium_equation(rotation)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_slope_is_never_positive(n: int) -> None:
    assert monotone(n).verdict is Verdict.PROVED


def test_monotone_is_not_proved_for_a_wrong_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = balance.orbit_balance

    def flipped(
        mu: tuple[sp.Expr, ...], t: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...]
    ) -> tuple[sp.Expr, sp.Expr]:
        balance, slope = right(mu, t, s)
        return -balance, -slope

    monkeypatch.setattr(balance, "orbit_balance", flipped)
    assert monotone(2).verdict is Verdict.INCONCLUSIVE

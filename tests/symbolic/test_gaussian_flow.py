"""Theorem 2 in closed form: against the scalar level, and deep chains."""

from __future__ import annotations

import pytest
import sympy as sp

from symbolic import (
    DeclarationError,
    Loss,
    evaluate,
    gaussian_mean,
    gradient,
    linear_chain,
    matrix,
    matrix_factorisation,
    matrix_flow,
    norm2,
    sample,
    scalar,
    substitute,
)
from symbolic._laws.explicit_noise import explicit_flow, gaussian_covariance
from symbolic._laws.ito import sigma2
from symbolic._matrices.deep_balance import deep_balance
from symbolic._matrices.gaussian_flow import gaussian_flow, theorem2_gaussian


LAW = theorem2_gaussian()
S2 = scalar("sigma2")


def test_noise_matrices_in_closed_form() -> None:
    K = LAW.net.U @ LAW.net.W - LAW.V
    Sx, Se = LAW.Sigma_x, LAW.Sigma_e
    of_U = Sx.tr() * (K @ Sx @ K.T + Se) + K @ Sx @ Sx @ K.T
    of_W = ((K @ Sx @ K.T).tr() + Se.tr()) * Sx + Sx @ K.T @ K @ Sx
    assert (LAW.of_U, LAW.of_W) == (of_U, of_W)
    assert LAW.flow.noise == 8 * S2 * LAW.net.imbalance((of_U, of_W))
    uncentred = of_W + Sx @ K.T @ K @ Sx
    assert LAW.of_W != uncentred
    assert LAW.flow.loss == LAW.flow.diffusion == 0 * LAW.net.charge


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)])
def test_closed_form_is_that_of_the_scalar_level(sizes: tuple[int, int, int]) -> None:
    """½Tr[B·flow] with all matrices against σ²Tr[ΣA], Wick entry by entry."""
    d, d_x, d_y = sizes
    B = sp.Matrix(d, d, lambda i, j: 2 * (i == j) + i + j - 1)
    declaration = matrix_factorisation(d, d_x, d_y, B=B.tolist())
    loss = declaration.loss
    assert isinstance(loss, Loss)

    def square(n: int, seed: int) -> sp.Matrix:
        M = sp.Matrix(n, n, lambda i, j: (3 * i + 2 * j + seed) % 5 - 1)
        return M * M.T + sp.eye(n)

    V = sp.Matrix(d_y, d_x, lambda i, j: 2 * i - j + 1)
    Sx, Se = square(d_x, 1), square(d_y, 2)
    joint = sp.Matrix(
        sp.BlockMatrix([[Sx, Sx * V.T], [V * Sx, V * Sx * V.T + Se]]).as_explicit()
    )
    U = sp.Matrix(d_y, d, lambda i, j: i + 2 * j - 1)
    W = sp.Matrix(d, d_x, lambda i, j: 3 * i - j + 2)
    at = dict(zip(declaration.space.symbols, [*U, *W], strict=True))
    flow = explicit_flow(declaration.symmetry, gaussian_covariance(loss, joint))
    scalar_level = flow.noise.subs(at)
    given = {"U": U, "W": W, "V": V, "Sigma_x": Sx, "Sigma_e": Se}
    matrix_level = evaluate(LAW.flow.noise, given, numbers={"sigma2": sigma2})
    assert sp.expand((B * matrix_level).trace() / 2 - scalar_level) == 0
    assert scalar_level != 0


@pytest.mark.parametrize("depth", [2, 3])
def test_deep_chains_over_gaussian_data(depth: int) -> None:
    """At V = W_D⋯W_1 the averaged flow is 8σ² times the balance at the minimum."""
    layers, loss = linear_chain(depth)
    x, noise = sample("x", "d_0"), sample("e", f"d_{depth}")
    V = matrix("V", f"d_{depth}", "d_0")
    law = {
        x: matrix("Sigma_x", "d_0", "d_0", symmetric=True),
        noise: matrix("Sigma_e", noise.rows, noise.rows, symmetric=True),
    }
    target = {sample("y", f"d_{depth}"): V @ x + noise}
    output = layers[0]
    for X in layers[1:]:
        output = X @ output
    for pair in deep_balance(depth).pairs:
        own = {X: gradient(loss, X) for X in (pair.lower, pair.upper)}
        flow = gaussian_flow(matrix_flow(pair.charge, own), law, target)
        there = substitute(flow.noise, {V: output})
        assert there == 8 * S2 * pair.at_minimum()
        assert flow.noise != there


def test_data_without_a_law_are_refused() -> None:
    net = LAW.net
    flow = matrix_flow(net.charge, net.gradients)
    with pytest.raises(DeclarationError, match="every data variable, got none for y"):
        gaussian_flow(flow, {net.x: LAW.Sigma_x})


def test_fourth_moments_are_wicks() -> None:
    x = LAW.net.x
    f = (norm2(x) * (x @ x.T)).mean()
    expected = LAW.Sigma_x.tr() * LAW.Sigma_x + 2 * LAW.Sigma_x @ LAW.Sigma_x
    assert gaussian_mean(f, x, LAW.Sigma_x) == expected

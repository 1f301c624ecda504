"""Declarations a theorist would start from; every general theorem runs on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sympy as sp

from symbolic._declaration import Declaration
from symbolic._errors import DeclarationError
from symbolic._exact.functions import relu
from symbolic._loss import Loss
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry


def rescaling(p: int = 1, q: int = 1) -> Declaration:
    """Return (u, w) → (e^{qρ}u, e^{−pρ}w) of ℓ = (u^p w^q x − y)².

    >>> rescaling().symmetry.matrix
    Matrix([
    [1,  0],
    [0, -1]])
    """
    space = ParameterSpace(u=(), w=())
    u, w = space.symbols
    x, y = sp.symbols("x y")
    rho = sp.Symbol("rho", real=True)
    images = {"u": sp.exp(q * rho) * u, "w": sp.exp(-p * rho) * w}
    return Declaration(
        "rescaling" if p == q == 1 else f"rescaling u^{p} w^{q}",
        space,
        Symmetry.from_transformation(space, images),
        Loss((u**p * w**q * x - y) ** 2, space, data={"x": (), "y": ()}),
    )


def scaling(d: int = 2) -> Declaration:
    """Return θ → e^ρθ of the scale-invariant ℓ = (θ₀ Σxᵢθᵢ/‖θ‖² − y)², A = I."""
    space = ParameterSpace(theta=(d,))
    theta, x = space["theta"], ParameterSpace(x=(d,))["x"]
    norm = theta.dot(theta)
    loss = (theta[0] * theta.dot(x) / norm - sp.Symbol("y")) ** 2
    return Declaration(
        f"scaling, d = {d}",
        space,
        Symmetry.exponential(space, sp.eye(d)),
        Loss(loss, space, data={"x": (d,), "y": ()}),
    )


def matrix_factorisation(
    d: int, d_x: int = 1, d_y: int = 1, B: Sequence[Sequence[Any]] | None = None
) -> Declaration:
    """Return J = (UB, −BW) of ℓ = ‖UWx − y‖², U (d_y, d), W (d, d_x).

    Args:
        d: the inner dimension.
        d_x: the input dimension.
        d_y: the output dimension.
        B: a symmetric d × d matrix; None for symbols `B_i_j`, all B at once.

    Returns:
        The declaration.

    Raises:
        DeclarationError: when B is not a symmetric d × d matrix.
    """
    space = ParameterSpace(U=(d_y, d), W=(d, d_x))
    U, W = space["U"], space["W"]
    matrix = sp.Matrix(B) if B is not None else _symmetric_symbols(d)
    if matrix.shape != (d, d) or not matrix.is_symmetric():
        raise DeclarationError(f"expected a symmetric {d} x {d} matrix B, got {B!r}")
    sample = ParameterSpace(x=(d_x,), y=(d_y,))
    residual = U * W * sample["x"] - sample["y"]
    label = "every symmetric B" if B is None else f"B = {matrix.tolist()}"
    return Declaration(
        f"matrix factorisation {d_y}–{d}–{d_x}, {label}",
        space,
        Symmetry.from_generator(space, {"U": U * matrix, "W": -matrix * W}),
        Loss(residual.dot(residual), space, data={"x": (d_x,), "y": (d_y,)}),
    )


def low_rank() -> Declaration:
    """Return a rank-2 A in five dimensions: one hidden unit of two, and a bias."""
    space = ParameterSpace(u=(2,), w=(2,), b=())
    u, w, b = space["u"], space["w"], space["b"]
    x, y = sp.symbols("x y")
    return Declaration(
        "low-rank A: one hidden unit of two, and a bias",
        space,
        Symmetry.exponential(space, sp.diag(1, 0, -1, 0, 0)),
        Loss((u.dot(w) * x + b - y) ** 2, space, data={"x": (), "y": ()}),
    )


def relu_neuron(d_x: int = 2, width: int = 2) -> Declaration:
    """Return (w₀, b₀, u₀) → (e^ρw₀, e^ρb₀, e^{−ρ}u₀) of a ReLU layer."""
    space = ParameterSpace(W=(width, d_x), b=(width,), u=(width,))
    W, b, u = space["W"], space["b"], space["u"]
    x = ParameterSpace(x=(d_x,))["x"]
    output = sum(u[j] * relu((W[j, :] * x)[0, 0] + b[j]) for j in range(width))
    rho = sp.Symbol("rho", real=True)
    scale = sp.diag(sp.exp(rho), *[1] * (width - 1))
    inverse = sp.diag(sp.exp(-rho), *[1] * (width - 1))
    return Declaration(
        f"one neuron of a ReLU layer {d_x}–{width}–1",
        space,
        Symmetry.from_transformation(
            space, {"W": scale * W, "b": scale * b, "u": inverse * u}
        ),
        Loss((output - sp.Symbol("y")) ** 2, space, data={"x": (d_x,), "y": ()}),
    )


def tanh_net(d: int = 2) -> Declaration:
    """Return the rescaling of all of U against W in ℓ = (v tanh(U·Wx) − y)²."""
    space = ParameterSpace(v=(), U=(d,), W=(d,))
    v, U, W = space["v"], space["U"], space["W"]
    x, y = sp.symbols("x y")
    A = sp.diag(0, *[1] * d, *[-1] * d)
    return Declaration(
        f"tanh net with a factorised first layer, d = {d}",
        space,
        Symmetry.exponential(space, A),
        Loss((v * sp.tanh(U.dot(W) * x) - y) ** 2, space, data={"x": (), "y": ()}),
    )


@lru_cache(maxsize=1)
def catalogue() -> tuple[Declaration, ...]:
    """Return the built-in declarations, all exponential, with numeric A.

    >>> len({declaration.name for declaration in catalogue()})
    12
    """
    return (
        rescaling(),
        rescaling(2, 1),
        scaling(2),
        scaling(3),
        matrix_factorisation(1, B=[[1]]),
        matrix_factorisation(2, 2, 1, B=[[1, 2], [2, -1]]),
        matrix_factorisation(2, 1, 2, B=[[0, 1], [1, 0]]),
        matrix_factorisation(3, 1, 1, B=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        matrix_factorisation(3, 2, 2, B=[[2, 0, 1], [0, -1, 0], [1, 0, 2]]),
        low_rank(),
        relu_neuron(),
        tanh_net(),
    )


@lru_cache(maxsize=32)
def any_symmetric(n: int) -> Declaration:
    """Return J = Aθ with every entry of the symmetric A a symbol, without a loss.

    What is derived from it holds for every symmetric A of that size at once.

    >>> len(any_symmetric(3).symmetry.constants)
    6
    """
    space = ParameterSpace(theta=(n,))
    A = _symmetric_symbols(n, "A")
    symmetry = Symmetry.exponential(space, A)
    return Declaration(f"every symmetric {n} x {n} matrix A", space, symmetry)


@lru_cache(maxsize=1)
def symbolic_catalogue() -> tuple[Declaration, ...]:
    """Return matrix factorisation at d = 1, 2, 3 with every symmetric B at once."""
    return tuple(matrix_factorisation(d, 2, 2) for d in (1, 2, 3))


def _symmetric_symbols(d: int, name: str = "B") -> sp.Matrix:
    return sp.Matrix(
        d, d, lambda i, j: sp.Symbol(f"{name}_{min(i, j)}_{max(i, j)}", real=True)
    )

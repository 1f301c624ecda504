"""Deep linear networks at the matrix level: balance, laws and autograd."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
import sympy as sp
import torch

from symbolic import (
    evaluate,
    factorisation,
    gradient,
    hessian_trace,
    identity,
    linear_chain,
    matrix,
    matrix_flow,
    matrix_step,
    norm2,
    sample,
    scalar,
    zero,
)


NET = factorisation()
U, W = NET.U, NET.W
S2, GAMMA = scalar("sigma2"), scalar("gamma")


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_a_chain_balances_every_pair_of_layers(depth: int) -> None:
    layers, loss = linear_chain(depth)
    assert [X.letter.name for X in layers] == [f"W_{i + 1}" for i in range(depth)]
    gradients = {X: gradient(loss, X) for X in layers}
    for lower, upper in pairwise(layers):
        charge = upper.T @ upper - lower @ lower.T
        flow = matrix_flow(charge, gradients)
        assert flow.diffusion == flow.loss == zero(charge.rows, charge.cols)
        assert flow.weight_decay == -4 * GAMMA * charge
        g, h = gradients[upper], gradients[lower]
        second = (g.T @ g).mean() - (h @ h.T).mean()
        of_mean = g.mean().T @ g.mean() - h.mean() @ h.mean().T
        assert flow.noise == 2 * S2 * (second - of_mean)
        G, H = (matrix(f"G_{X.letter.name}", X.rows, X.cols) for X in (upper, lower))
        kappa = identity(1) - 2 * scalar("eta") * GAMMA
        law = kappa * kappa * charge + scalar("eta", 2) * (G.T @ G - H @ H.T)
        assert matrix_step(charge, gradients).law == law


def test_a_chain_of_two_is_the_factorisation() -> None:
    (first, second), loss = linear_chain(2)
    place = {"d_0": "d_x", "d_1": "d", "d_2": "d_y"}
    assert (place[first.rows], place[first.cols]) == (W.rows, W.cols)
    assert (place[second.rows], place[second.cols]) == (U.rows, U.cols)
    output = second @ first @ sample("x", "d_0")
    assert loss == norm2(output - sample("y", "d_2"))


SHAPES = [(2, 3), (1, 2, 2), (2, 3, 1, 2), (2, 1, 2, 2, 1)]  # d_0, …, d_D


@pytest.mark.parametrize("sizes", SHAPES)
def test_chains_agree_with_autograd(sizes: tuple[int, ...]) -> None:
    """All values are integers below 2⁵³, so that float64 has no rounding at all."""
    stream = random.Random(str(sizes))
    layers, loss = linear_chain(len(sizes) - 1)

    def drawn(rows: int, cols: int) -> list[list[int]]:
        return [[stream.randint(-2, 2) for _ in range(cols)] for _ in range(rows)]

    made = {X.letter.name: drawn(sizes[i + 1], sizes[i]) for i, X in enumerate(layers)}
    data = [(drawn(sizes[0], 1), drawn(sizes[-1], 1)) for _ in range(2)]

    def torch_loss(
        weights: tuple[torch.Tensor, ...], x: list[list[int]], y: list[list[int]]
    ) -> torch.Tensor:
        output = torch.tensor(x, dtype=torch.float64)
        for weight in weights:
            output = weight @ output
        return ((output - torch.tensor(y, dtype=torch.float64)) ** 2).sum()

    weights = tuple(
        torch.tensor(made[X.letter.name], dtype=torch.float64, requires_grad=True)
        for X in layers
    )
    values = {name: sp.Matrix(entries) for name, entries in made.items()}
    trace = 0.0
    for x, y in data:
        found = torch.autograd.grad(torch_loss(weights, x, y), weights)
        at = {"x": sp.Matrix(x), "y": sp.Matrix(y)}
        for X, expected in zip(layers, found, strict=True):
            exact = evaluate(gradient(loss, X), values, at=at)
            assert exact.tolist() == expected.to(torch.int64).tolist()
        for i, weight in enumerate(weights):
            trace += _hessian_trace(torch_loss, weights, i, x, y)
            assert weight.grad is None
    samples = [{"x": sp.Matrix(x), "y": sp.Matrix(y)} for x, y in data]
    exact = evaluate(
        hessian_trace(loss, layers),
        values,
        samples=samples,
        numbers={"gamma": sp.S.Zero}
        | {f"d_{i}": sp.Integer(size) for i, size in enumerate(sizes)},
    )
    assert exact[0, 0] * len(data) == int(trace)
    assert abs(trace) < 2**53


def _hessian_trace(
    loss: Callable[..., torch.Tensor],
    weights: tuple[torch.Tensor, ...],
    i: int,
    x: list[list[int]],
    y: list[list[int]],
) -> float:
    (slope,) = torch.autograd.grad(loss(weights, x, y), weights[i], create_graph=True)
    total = 0.0
    for k, entry in enumerate(slope.flatten()):
        (row,) = torch.autograd.grad(entry, weights[i], retain_graph=True)
        total += float(row.flatten()[k])
    return total


def test_decay_adds_twice_gamma_for_each_parameter() -> None:
    layers, _ = linear_chain(3)
    sizes = [scalar(f"d_{i}") for i in range(4)]
    count = sizes[0] * sizes[1] + sizes[1] * sizes[2] + sizes[2] * sizes[3]
    assert hessian_trace(zero(1, 1), layers) == 2 * GAMMA * count

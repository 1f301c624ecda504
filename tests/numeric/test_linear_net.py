"""The linear network against torch's autograd, explicit sums, and its symmetry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from numeric import LinearNet, NoiseMatrices, ShapeError


WIDTHS = st.tuples(*[st.integers(1, 5)] * 3)  # d_y, d, d_x
SEEDS = st.integers(0, 2**32 - 1)


def instance(
    widths: tuple[int, int, int],
    seed: int,
    samples: int = 7,
    lead: tuple[int, ...] = (),
) -> tuple[LinearNet, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    d_y, d, d_x = widths
    net = LinearNet(rng.normal(size=(*lead, d_y, d)), rng.normal(size=(*lead, d, d_x)))
    x, y = rng.normal(size=(samples, d_x)), rng.normal(size=(samples, d_y))
    return net, x, y


def per_sample(
    net: LinearNet, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every sample's gradients by torch's autograd."""
    rows = []
    for x_i, y_i in zip(x, y, strict=True):
        U = torch.tensor(net.U, requires_grad=True)
        W = torch.tensor(net.W, requires_grad=True)
        loss = ((U @ (W @ torch.tensor(x_i)) - torch.tensor(y_i)) ** 2).sum()
        torch.autograd.backward(loss)
        assert U.grad is not None
        assert W.grad is not None
        rows.append((U.grad.numpy(), W.grad.numpy()))
    g_U, g_W = zip(*rows, strict=True)
    return np.array(g_U), np.array(g_W)


@settings(max_examples=25)
@given(widths=WIDTHS, seed=SEEDS)
def test_gradient_is_the_mean_of_autograd_over_samples(
    widths: tuple[int, int, int], seed: int
) -> None:
    net, x, y = instance(widths, seed)
    g_U, g_W = per_sample(net, x, y)
    mine = net.gradient(x, y)

    np.testing.assert_allclose(mine[0], g_U.mean(axis=0), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(mine[1], g_W.mean(axis=0), rtol=1e-11, atol=1e-11)


@settings(max_examples=25)
@given(widths=WIDTHS, seed=SEEDS)
def test_sides_are_a_quarter_of_the_noise_of_the_explicit_gradients(
    widths: tuple[int, int, int], seed: int
) -> None:
    """4WΓ_WWᵀ = E[g_Uᵀg_U] − ḡ_Uᵀḡ_U and 4UᵀΓ_UU = E[g_Wg_Wᵀ] − ḡ_Wḡ_Wᵀ."""
    net, x, y = instance(widths, seed)
    g_U, g_W = per_sample(net, x, y)
    up = np.einsum("nij,nik->jk", g_U, g_U) / len(x)
    down = np.einsum("nij,nkj->ik", g_W, g_W) / len(x)
    mean_U, mean_W = g_U.mean(axis=0), g_W.mean(axis=0)
    size = 1e-11 * (1.0 + np.abs(up).max() + np.abs(down).max())

    second = net.sides(net.noise(x, y, centred=False))
    np.testing.assert_allclose(4 * second[0], up, atol=size)
    np.testing.assert_allclose(4 * second[1], down, atol=size)
    centred = net.sides(net.noise(x, y))
    np.testing.assert_allclose(4 * centred[0], up - mean_U.T @ mean_U, atol=size)
    np.testing.assert_allclose(4 * centred[1], down - mean_W @ mean_W.T, atol=size)


def test_noise_matrices_are_the_explicit_moments() -> None:
    """Γ itself, not only what the layers show of it."""
    net, x, y = instance((3, 2, 4), 5)
    r = net.residuals(x, y)
    pairs = list(zip(r, x, strict=True))
    M = np.array([np.outer(a, b) for a, b in pairs]).mean(axis=0)
    upper = np.array([b @ b * np.outer(a, a) for a, b in pairs]).mean(axis=0)
    lower = np.array([a @ a * np.outer(b, b) for a, b in pairs]).mean(axis=0)
    noise = net.noise(x, y)

    np.testing.assert_allclose(noise.U, upper - M @ M.T, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(noise.W, lower - M.T @ M, rtol=1e-11, atol=1e-12)
    for matrix in (noise.U, noise.W):
        assert np.linalg.eigvalsh(matrix).min() > -1e-12 * np.trace(matrix)


@settings(max_examples=50)
@given(widths=WIDTHS, seed=SEEDS, gamma=st.floats(0.0, 1.0))
def test_one_step_obeys_the_exact_law(
    widths: tuple[int, int, int], seed: int, gamma: float
) -> None:
    """Q' = (1 − 2ηγ)²Q + η²(g_Uᵀg_U − g_Wg_Wᵀ), whatever the minibatch and η."""
    net, x, y = instance(widths, seed)
    lr = 0.05
    g_U, g_W = net.gradient(x, y)
    new = net.stepped(g_U, g_W, lr=lr, gamma=gamma).charge
    term = lr**2 * (g_U.T @ g_U - g_W @ g_W.T)
    size = np.linalg.norm(net.U) + np.linalg.norm(net.W)
    size += lr * (np.linalg.norm(g_U) + np.linalg.norm(g_W))
    expected = (1 - 2 * lr * gamma) ** 2 * net.charge + term

    np.testing.assert_allclose(new, expected, rtol=0, atol=float(1e-13 * size**2))
    np.testing.assert_allclose(
        net.U.T @ g_U, g_W @ net.W.T, rtol=0, atol=float(1e-13 * size**2) / lr
    )


@settings(max_examples=30)
@given(widths=WIDTHS, seed=SEEDS)
def test_network_is_invariant_and_its_noise_too(
    widths: tuple[int, int, int], seed: int
) -> None:
    """(UR, R⁻¹W) has the same outputs and Γ; ∂U moves by R⁻ᵀ, ∂W by Rᵀ."""
    net, x, y = instance(widths, seed)
    d = widths[1]
    R = np.eye(d) + 0.3 * np.random.default_rng(seed + 1).normal(size=(d, d)) / d
    moved = LinearNet(net.U @ R, np.asarray(np.linalg.inv(R) @ net.W))
    before, after = net.noise(x, y), moved.noise(x, y)
    g_U, g_W = net.gradient(x, y)
    h_U, h_W = moved.gradient(x, y)
    atol = 1e-8 * float(1 + np.abs(before.U).max())

    np.testing.assert_allclose(
        moved.residuals(x, y), net.residuals(x, y), rtol=1e-8, atol=atol
    )
    np.testing.assert_allclose(after.U, before.U, rtol=1e-8, atol=atol)
    np.testing.assert_allclose(after.W, before.W, rtol=1e-8, atol=atol)
    np.testing.assert_allclose(h_U, g_U @ np.linalg.inv(R).T, rtol=1e-8, atol=atol)
    np.testing.assert_allclose(h_W, R.T @ g_W, rtol=1e-8, atol=atol)


def test_replicas_are_independent_networks() -> None:
    nets, x, y = instance((3, 2, 4), 8, lead=(2, 5))
    g_U, g_W = nets.gradient(x, y)
    new = nets.stepped(g_U, g_W, lr=0.1, gamma=0.2)
    sides, second = nets.sides(nets.noise(x, y)), nets.noise(x, y, centred=False)

    assert nets.charge.shape == (2, 5, 2, 2)
    for at in np.ndindex(2, 5):
        one = LinearNet(nets.U[at], nets.W[at])
        h_U, h_W = one.gradient(x, y)
        np.testing.assert_allclose(g_U[at], h_U, rtol=1e-12)
        np.testing.assert_allclose(g_W[at], h_W, rtol=1e-12)
        moved = one.stepped(h_U, h_W, lr=0.1, gamma=0.2)
        np.testing.assert_allclose(new.charge[at], moved.charge, rtol=1e-11)
        np.testing.assert_allclose(second.W[at], one.noise(x, y, centred=False).W)
        for all_, alone in zip(sides, one.sides(one.noise(x, y)), strict=True):
            np.testing.assert_allclose(all_[at], alone, rtol=1e-10, atol=1e-12)


def test_replicas_may_have_data_of_their_own() -> None:
    nets, _, _ = instance((3, 2, 4), 8, lead=(2,))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 6, 3))
    one = LinearNet(nets.U[1], nets.W[1])

    np.testing.assert_allclose(nets.gradient(x, y)[1][1], one.gradient(x[1], y[1])[1])
    np.testing.assert_allclose(nets.noise(x, y).U[1], one.noise(x[1], y[1]).U)


def test_shift_is_that_of_weight_decay() -> None:
    noise = NoiseMatrices(np.ones((2, 3, 3)), np.zeros((2, 4, 4))).shifted(0.5)

    np.testing.assert_array_equal(noise.U[1], np.ones((3, 3)) + 0.5 * np.eye(3))
    np.testing.assert_array_equal(noise.W[0], 0.5 * np.eye(4))


@pytest.mark.parametrize(("U", "W"), [((3, 2), (3, 4)), ((2,), (2, 4)), ((3, 2), (2,))])
def test_layers_that_do_not_fit_are_refused(
    U: tuple[int, ...], W: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match="with the same d, got"):
        LinearNet(np.zeros(U), np.zeros(W))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((5, 3), (5, 3)),  # d_x
        ((5, 4), (5, 4)),  # d_y
        ((5, 4), (1, 3)),  # numbers of samples: 1 would broadcast
        ((0, 4), (0, 3)),  # a mean over nothing
        ((4,), (3,)),
    ],
)
@pytest.mark.parametrize("method", ["residuals", "gradient", "noise"])
def test_samples_that_do_not_fit_are_refused(
    x: tuple[int, ...], y: tuple[int, ...], method: str
) -> None:
    net: Any = LinearNet(np.zeros((3, 2)), np.zeros((2, 4)))

    with pytest.raises(ShapeError, match=r"N, 4\) and y \(\.\.\., N, 3\)"):
        getattr(net, method)(np.zeros(x), np.zeros(y))

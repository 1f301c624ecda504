"""The hand-written network against torch's per-sample autograd, and its symmetry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from numeric import _relu_mlp as mlp


EPS = np.finfo(np.float64).eps
WIDTHS = st.lists(st.integers(1, 7), min_size=3, max_size=5).map(tuple)


def instance(
    widths: tuple[int, ...], seed: int, samples: int = 9
) -> tuple[mlp.ReluMlp, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    net = mlp.ReluMlp(widths)
    theta = net.initial(rng) + rng.normal(0.0, 0.1, net.size)
    return (
        net,
        theta,
        rng.normal(size=(samples, widths[0])),
        rng.integers(0, widths[-1], samples),
    )


def torch_loss(
    net: mlp.ReluMlp, theta: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """The same network, written with torch only."""
    start = 0
    for n, m in zip(net.widths[:-1], net.widths[1:], strict=True):
        weight = theta[start : start + n * m].reshape(m, n)
        bias = theta[start + n * m : start + n * m + m]
        start += n * m + m
        x = weight @ (x if start == n * m + m else torch.relu(x)) + bias
    return torch.nn.functional.cross_entropy(x[None], y[None])


def autograd(
    net: mlp.ReluMlp, theta: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per-sample losses (N,) and gradients (N, size) by torch."""
    transform = torch.func.vmap(
        torch.func.grad_and_value(lambda t, a, b: torch_loss(net, t, a, b)),
        in_dims=(None, 0, 0),
    )
    gradients, losses = transform(
        torch.from_numpy(theta), torch.from_numpy(x), torch.from_numpy(y)
    )
    return losses.numpy(), gradients.numpy()


def signs(net: mlp.ReluMlp, neuron: int) -> np.ndarray:
    """The diagonal of A_j, entry by entry from its definition."""
    owners = [
        (depth, i) for depth, width in enumerate(net.widths[1:-1]) for i in range(width)
    ]
    layer, own = owners[neuron]
    result = []
    for depth, (n, m) in enumerate(zip(net.widths[:-1], net.widths[1:], strict=True)):
        weight, bias = np.zeros((m, n)), np.zeros(m)
        if depth == layer:
            weight[own], bias[own] = 1.0, 1.0
        if depth == layer + 1:
            weight[:, own] = -1.0
        result += [weight.ravel(), bias]
    return np.concatenate(result)


@settings(max_examples=25, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**32 - 1))
def test_losses_and_gradients_are_autograd_s(
    widths: tuple[int, ...], seed: int
) -> None:
    net, theta, x, y = instance(widths, seed)
    losses, gradients = autograd(net, theta, x, y)
    run = net.backprop(theta, x, y)
    alone = run.minibatch_gradients(np.arange(len(y))[:, None])
    # Two computations, each of at most 2·sum(widths) roundings per entry in forward and
    # backward direction, condition bounded by the logits' size.
    tolerance = 64 * sum(widths) * EPS * (1 + np.abs(run.logits).max())

    assert np.abs(run.losses - losses).max() <= tolerance * (1 + losses.max())
    assert np.abs(alone - gradients).max() <= tolerance * (1 + np.abs(gradients).max())
    assert np.abs(run.mean_gradient() - gradients.mean(axis=0)).max() <= tolerance * (
        1 + np.abs(gradients).max()
    )


@settings(max_examples=25, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**32 - 1))
def test_forms_are_those_of_the_autograd_gradients(
    widths: tuple[int, ...], seed: int
) -> None:
    net, theta, x, y = instance(widths, seed)
    _, gradients = autograd(net, theta, x, y)
    diagonals = np.stack([signs(net, j) for j in range(net.hidden)])
    expected = gradients**2 @ diagonals.T
    size = (gradients**2).sum(axis=1).max()
    tolerance = 128 * sum(widths) * EPS * (1 + np.abs(x).max() + size) ** 2
    weights = np.random.default_rng(seed).normal(size=net.hidden)

    forms = mlp.neuron_forms(net, theta, x, y)
    combined = net.backprop(theta, x, y).diagonal_form(net.diagonal(weights))

    assert np.abs(forms - expected).max() <= tolerance
    assert np.abs(net.forms(gradients).difference - expected).max() <= tolerance
    assert np.abs(combined - expected @ weights).max() <= tolerance * (
        1 + np.abs(weights).sum()
    )
    assert np.abs(net.charges(theta) - 0.5 * diagonals @ theta**2).max() <= tolerance


@settings(max_examples=25, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**32 - 1))
def test_noether_gradient_is_orthogonal_to_the_generator(
    widths: tuple[int, ...], seed: int
) -> None:
    """g·J_j = 0 for every sample and every neuron, to rounding."""
    net, theta, x, y = instance(widths, seed)
    run = net.backprop(theta, x, y)
    gradients = run.minibatch_gradients(np.arange(len(y))[:, None])
    products = net.noether(theta[None], gradients)
    size = np.abs(theta * gradients).sum(axis=1, keepdims=True)
    # Pre-activations are sums that may cancel: their terms count, not their value.
    terms = size + np.abs(theta).sum() ** 2 * np.abs(x).max() * sum(widths)

    assert np.all(np.abs(products) <= 4 * sum(widths) * EPS * (1 + terms))


def test_noether_check_can_fail() -> None:
    """Without the bias in the generator the product does not vanish."""
    net, theta, x, y = instance((3, 4, 2), 0)
    gradient = net.backprop(theta, x, y).mean_gradient()
    net.layers(theta)[0][1][...] = 0.0

    assert np.abs(net.noether(theta, gradient)).max() > 1e-3


@settings(max_examples=25, deadline=None)
@given(widths=WIDTHS, seed=st.integers(0, 2**32 - 1), lam=st.floats(-2.0, 2.0))
def test_rescaling_keeps_the_function_and_moves_the_forms(
    widths: tuple[int, ...], seed: int, lam: float
) -> None:
    """The key lemma: ∇ℓ(θ_λ) = e^{-λA}∇ℓ(θ), read off the two halves."""
    net, theta, x, y = instance(widths, seed)
    neuron = seed % net.hidden
    before = net.backprop(theta, x, y)
    after = net.backprop(net.rescaled(theta, neuron, lam), x, y)
    old, new = before.neuron_forms(), after.neuron_forms()
    scale = 1.0 + old.total.max()

    np.testing.assert_allclose(after.losses, before.losses, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(
        new.incoming[:, neuron],
        np.exp(-2 * lam) * old.incoming[:, neuron],
        rtol=1e-10,
        atol=1e-11 * scale,
    )
    np.testing.assert_allclose(
        new.outgoing[:, neuron],
        np.exp(2 * lam) * old.outgoing[:, neuron],
        rtol=1e-10,
        atol=1e-11 * scale,
    )


def test_noise_trace_is_the_trace_of_the_covariance() -> None:
    net, theta, x, y = instance((4, 6, 5, 3), 3, samples=40)
    _, gradients = autograd(net, theta, x, y)
    expected = np.trace(np.cov(gradients.T, bias=True))

    assert net.backprop(theta, x, y).noise_trace() == pytest.approx(expected, rel=1e-12)


def test_minibatch_gradients_average_repeated_samples() -> None:
    net, theta, x, y = instance((4, 6, 3), 4)
    index = np.array([[0, 0, 3], [5, 2, 1]])
    batched = net.backprop(theta, x, y).minibatch_gradients(index)

    for row, chosen in zip(batched, index, strict=True):
        direct = net.backprop(theta, x[chosen], y[chosen]).mean_gradient()
        np.testing.assert_allclose(row, direct, rtol=1e-12, atol=1e-15)


def test_confident_predictions_keep_their_digits() -> None:
    """At loss 1e-30 the derivative p_y - 1 is still right to rounding."""
    net = mlp.ReluMlp((1, 1, 2))
    theta = np.array([1.0, 0.0, 70.0, 0.0, 0.0, 0.0])
    run = net.backprop(theta, np.ones((1, 1)), np.array([0]))

    np.testing.assert_allclose(
        run.deltas[-1], [[-np.exp(-70.0), np.exp(-70.0)]], rtol=1e-12
    )


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden layers"):
        mlp.ReluMlp((3, 2))
    with pytest.raises(ValueError, match="expected 17 parameters"):
        mlp.ReluMlp((2, 3, 2)).charges(np.zeros(5))
    with pytest.raises(IndexError, match="neuron < 3, got 3"):
        mlp.ReluMlp((2, 3, 2)).rescaled(np.zeros(17), 3, 0.1)

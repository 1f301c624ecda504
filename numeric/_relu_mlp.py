"""A small ReLU network in float64, its gradients, and the charges of its neurons.

Every hidden neuron j has the rescaling symmetry (w_j, b_j, u_j) → (ρw_j, ρb_j, u_j/ρ)
with ρ > 0: incoming weights and bias against the outgoing column. Its generator is
J_j = A_jθ with A_j = +1 on (w_j, b_j), -1 on u_j and 0 elsewhere; its charge is
C_j = ½(‖w_j‖² + b_j² - ‖u_j‖²).

Per-sample gradients of a layer are outer products δ ⊗ (a, 1), so the forms gᵀA_jg cost
one pass and no tensor of samples × parameters is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray


Array = NDArray[np.float64]
Labels = NDArray[np.intp]
Layer = tuple[Array, Array]


@dataclass(frozen=True, slots=True, eq=False)
class NeuronForms:
    """Squared norms of gradients over the two halves of every hidden neuron's block.

    Attributes:
        incoming: ‖g over (w_j, b_j)‖², shape (..., n_hidden).
        outgoing: ‖g over u_j‖², shape (..., n_hidden).
    """

    incoming: Array
    outgoing: Array

    @property
    def difference(self) -> Array:
        """The quadratic forms gᵀA_jg, shape (..., n_hidden)."""
        return self.incoming - self.outgoing

    @property
    def total(self) -> Array:
        """The squared norms gᵀA_j²g, shape (..., n_hidden)."""
        return self.incoming + self.outgoing


@dataclass(frozen=True, slots=True)
class ReluMlp:
    """A fully connected ReLU classifier with biases; parameters are a flat vector θ.

    The layout of θ is W_1 (row-major, outputs × inputs), b_1, W_2, b_2, ...; hidden
    neurons are numbered layer by layer. The loss is the cross-entropy of the logits.

    Attributes:
        widths: inputs, hidden widths, classes; at least one hidden layer.

    >>> net = ReluMlp((2, 3, 2))
    >>> net.size, net.hidden
    (17, 3)
    >>> theta = net.initial(np.random.default_rng(0))
    >>> run = net.backprop(theta, np.ones((1, 2)), np.array([1]))
    >>> bool(np.allclose(net.noether(theta, run.mean_gradient()), 0.0, atol=1e-14))
    True
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.widths) < 3 or min(self.widths) < 1:
            raise ValueError(
                "expected widths of inputs, one or more hidden layers and classes, all "
                f"positive, got {self.widths}"
            )

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum((n + 1) * m for n, m in pairwise(self.widths))

    @property
    def hidden(self) -> int:
        """The number of hidden neurons."""
        return sum(self.widths[1:-1])

    def layers(self, theta: Array) -> tuple[Layer, ...]:
        """Return views (W, b) into flat vectors, layer by layer.

        Args:
            theta: parameters or a gradient, shape (..., size).

        Returns:
            W of shape (..., outputs, inputs) and b of shape (..., outputs) per layer.

        Raises:
            ValueError: where the last axis is not `size` long.
        """
        if theta.shape[-1] != self.size:
            raise ValueError(
                f"expected {self.size} parameters for widths {self.widths}, "
                f"got shape {theta.shape}"
            )
        views = []
        start = 0
        for n, m in pairwise(self.widths):
            weight = theta[..., start : start + n * m]
            bias = theta[..., start + n * m : start + (n + 1) * m]
            views.append((weight.reshape(*theta.shape[:-1], m, n), bias))
            start += (n + 1) * m
        return tuple(views)

    def initial(self, rng: np.random.Generator) -> Array:
        """Return parameters drawn N(0, 2/fan_in), biases zero (He et al. 2015).

        Args:
            rng: the stream to draw from.

        Returns:
            A flat vector of shape (size,).
        """
        theta = np.zeros(self.size)
        for weight, _ in self.layers(theta):
            weight[...] = rng.normal(0.0, np.sqrt(2.0 / weight.shape[1]), weight.shape)
        return theta

    def backprop(self, theta: Array, inputs: Array, labels: Labels) -> Backprop:
        """Return losses and the two factors of every per-sample gradient.

        Args:
            theta: parameters, shape (size,).
            inputs: samples, shape (N, widths[0]).
            labels: classes, shape (N,).

        Returns:
            The forward and backward pass, kept.
        """
        layers = self.layers(theta)
        activations = [inputs]
        for weight, bias in layers[:-1]:
            activations.append(np.maximum(activations[-1] @ weight.T + bias, 0.0))
        logits = activations[-1] @ layers[-1][0].T + layers[-1][1]
        losses, delta = _cross_entropy(logits, labels)
        deltas = [delta]
        for (weight, _), active in zip(layers[:0:-1], activations[:0:-1], strict=True):
            deltas.append((deltas[-1] @ weight) * (active > 0.0))
        return Backprop(self, logits, losses, tuple(activations), tuple(deltas[::-1]))

    def losses(self, theta: Array, inputs: Array, labels: Labels) -> Array:
        """Return the per-sample losses.

        Args:
            theta: parameters, shape (size,).
            inputs: samples, shape (N, widths[0]).
            labels: classes, shape (N,).

        Returns:
            Cross-entropies, shape (N,).
        """
        return self.backprop(theta, inputs, labels).losses

    def forms(self, vectors: Array) -> NeuronForms:
        """Return the squared norms of flat vectors over the halves of each neuron.

        Args:
            vectors: gradients or parameters, shape (..., size).

        Returns:
            The norms, shapes (..., n_hidden).
        """
        layers = self.layers(vectors)
        rows = [
            np.einsum("...ij,...ij->...i", weight, weight) + bias**2
            for weight, bias in layers[:-1]
        ]
        columns = [
            np.einsum("...ij,...ij->...j", weight, weight) for weight, _ in layers[1:]
        ]
        return NeuronForms(np.concatenate(rows, -1), np.concatenate(columns, -1))

    def charges(self, theta: Array) -> Array:
        """Return C_j = ½(‖w_j‖² + b_j² - ‖u_j‖²) of every hidden neuron.

        Args:
            theta: parameters, shape (..., size).

        Returns:
            The charges, shape (..., n_hidden).
        """
        return 0.5 * self.forms(theta).difference

    def noether(self, theta: Array, gradient: Array) -> Array:
        """Return g·J_j, which vanishes sample by sample (equation (3) of P1).

        Args:
            theta: parameters, shape (..., size).
            gradient: gradients, shape (..., size).

        Returns:
            The products, shape (..., n_hidden).
        """
        # Polarisation: gᵀA_jθ = ¼((g + θ)ᵀA_j(g + θ) - (g - θ)ᵀA_j(g - θ)) loses
        # digits where θ is much larger than g, so multiply layer by layer instead.
        pairs = list(zip(self.layers(theta), self.layers(gradient), strict=True))
        rows = [(w * g).sum(-1) + b * c for (w, b), (g, c) in pairs[:-1]]
        columns = [(w * g).sum(-2) for (w, _), (g, _) in pairs[1:]]
        products: Array = np.concatenate(rows, -1) - np.concatenate(columns, -1)
        return products

    def diagonal(self, weights: Array) -> Array:
        """Return the diagonal of Σ_j weights_j A_j as a flat vector.

        Args:
            weights: one weight per hidden neuron, shape (n_hidden,).

        Returns:
            The diagonal, shape (size,).
        """
        result = np.zeros(self.size)
        layers = self.layers(result)
        for layer, (start, stop) in enumerate(self.spans()):
            part = weights[start:stop]
            layers[layer][0][...] += part[:, None]
            layers[layer][1][...] += part
            layers[layer + 1][0][...] -= part
        return result

    def rescaled(self, theta: Array, neuron: int, lam: float) -> Array:
        """Return e^{λA_j}θ for one neuron; the network computes the same function.

        Args:
            theta: parameters, shape (size,).
            neuron: the hidden neuron j.
            lam: the group parameter λ = ln ρ.

        Returns:
            The transformed parameters, shape (size,).

        Raises:
            IndexError: where there is no such neuron.
        """
        result = theta.copy()
        layers = self.layers(result)
        for layer, (start, stop) in enumerate(self.spans()):
            if start <= neuron < stop:
                layers[layer][0][neuron - start] *= np.exp(lam)
                layers[layer][1][neuron - start] *= np.exp(lam)
                layers[layer + 1][0][:, neuron - start] *= np.exp(-lam)
                return result
        raise IndexError(f"expected 0 ≤ neuron < {self.hidden}, got {neuron}")

    def spans(self) -> Iterator[tuple[int, int]]:
        """Return (start, stop) of the neurons of each hidden layer.

        Returns:
            The ranges, in layer order.
        """
        return pairwise(accumulate(self.widths[1:-1], initial=0))


@dataclass(frozen=True, slots=True, eq=False)
class Backprop:
    """A forward and backward pass; sample i has gradient δ_i ⊗ (a_i, 1) in each layer.

    Attributes:
        net: the network.
        logits: shape (N, classes).
        losses: per-sample losses, shape (N,).
        activations: a, inputs of each layer, shapes (N, inputs).
        deltas: δ, derivatives in each layer's pre-activation, shapes (N, outputs).
    """

    net: ReluMlp
    logits: Array
    losses: Array
    activations: tuple[Array, ...]
    deltas: tuple[Array, ...]

    def mean_gradient(self) -> Array:
        """Return the mean of the per-sample gradients.

        Returns:
            A flat vector, shape (size,).
        """
        result = np.empty(self.net.size)
        scale = 1.0 / len(self.losses)
        for (weight, bias), a, delta in self._factors(result):
            np.matmul(delta.T * scale, a, out=weight)
            bias[...] = delta.mean(axis=0)
        return result

    def minibatch_gradients(self, index: NDArray[np.intp]) -> Array:
        """Return the mean gradients of minibatches of these samples.

        Args:
            index: sample numbers, shape (m, S); repetitions count each time.

        Returns:
            Flat vectors, shape (m, size).
        """
        result = np.empty((len(index), self.net.size))
        scale = 1.0 / index.shape[1]
        for (weight, bias), a, delta in self._factors(result):
            chosen = delta[index]
            weight[...] = np.matmul(chosen.transpose(0, 2, 1) * scale, a[index])
            bias[...] = chosen.mean(axis=1)
        return result

    def neuron_forms(self) -> NeuronForms:
        """Return the per-sample forms of every hidden neuron.

        ‖g_in‖² = δ_j²(‖a‖² + 1) and ‖g_out‖² = h_j²‖δ_next‖².

        Returns:
            The squared norms, shapes (N, n_hidden).
        """
        inputs = [_square_norms(a)[:, None] + 1.0 for a in self.activations[:-1]]
        outputs = [_square_norms(delta)[:, None] for delta in self.deltas[1:]]
        incoming = [d**2 * n for d, n in zip(self.deltas[:-1], inputs, strict=True)]
        outgoing = [
            a**2 * n for a, n in zip(self.activations[1:], outputs, strict=True)
        ]
        return NeuronForms(np.hstack(incoming), np.hstack(outgoing))

    def diagonal_form(self, diagonal: Array) -> Array:
        """Return gᵀDg per sample for a diagonal matrix D.

        Args:
            diagonal: the diagonal of D, shape (size,).

        Returns:
            The forms, shape (N,).
        """
        result = np.zeros(len(self.losses))
        for (weight, bias), a, delta in self._factors(diagonal):
            squares = (a**2) @ weight.T + bias
            result += np.einsum("ij,ij->i", delta**2, squares)
        return result

    def noise_trace(self) -> float:
        """Return Tr Σ, the trace of the centred covariance of the gradients.

        Returns:
            E‖g‖² - ‖E g‖² over these samples.
        """
        # ‖δ ⊗ (a, 1)‖² = ‖δ‖²(‖a‖² + 1)
        square = sum(
            float(_square_norms(delta) @ (_square_norms(a) + 1.0))
            for a, delta in zip(self.activations, self.deltas, strict=True)
        ) / len(self.losses)
        return float(square - np.square(self.mean_gradient()).sum())

    def _factors(self, vectors: Array) -> Iterator[tuple[Layer, Array, Array]]:
        layers = self.net.layers(vectors)
        return zip(layers, self.activations, self.deltas, strict=True)


def neuron_forms(net: ReluMlp, theta: Array, inputs: Array, labels: Labels) -> Array:
    """Return gᵀA_jg of every sample and every hidden neuron.

    Args:
        net: the network.
        theta: parameters, shape (size,).
        inputs: samples, shape (N, widths[0]).
        labels: classes, shape (N,).

    Returns:
        The forms, shape (N, n_hidden).

    >>> net = ReluMlp((1, 1, 2))
    >>> theta = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    >>> forms = neuron_forms(net, theta, np.array([[0.0], [-1.0]]), np.array([0, 1]))
    >>> forms.shape, forms[1].tolist()  # the neuron is off on the second sample
    ((2, 1), [0.0])
    """
    return net.backprop(theta, inputs, labels).neuron_forms().difference


def _cross_entropy(logits: Array, labels: Labels) -> tuple[Array, Array]:
    """Return losses (N,) and their derivatives in the logits (N, classes)."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(shifted)
    totals = shares.sum(axis=1)
    shares /= totals[:, None]
    losses = np.log(totals) - shifted[rows, labels]
    # p_y - 1 as minus the other shares: keeps its digits where p_y is close to 1.
    shares[rows, labels] = 0.0
    shares[rows, labels] = -shares.sum(axis=1)
    return losses, shares


def _square_norms(rows: Array) -> Array:
    norms: Array = np.einsum("ij,ij->i", rows, rows)
    return norms

"""Deep linear nets of any depth: what SGD noise balances between neighbouring layers.

The pair (W_i, W_{i+1}) sees the input h = W_{i−1}⋯W_1 x and the error
e = (W_D⋯W_{i+2})ᵀ r pulled back to it: it is the two-layer net of Theorem 2 on (h, e).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._matrices.flow import (
    Gradients,
    MatrixFlow,
    linear_chain,
    matrix_flow,
)
from symbolic._words.calculus import gradient, substitute
from symbolic._words.evaluation import letters
from symbolic._words.moments import second_moment
from symbolic._words.polynomial import (
    MatrixPolynomial,
    dot,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
)


@dataclass(frozen=True, slots=True)
class NeighbourBalance:
    """The balance of two neighbouring layers W_i and W_{i+1}, at any size.

    The symmetry is W_{i+1} → W_{i+1}e^{λB}, W_i → e^{−λB}W_i for every symmetric B;
    its charge is ½Tr[BQ].

    Attributes:
        lower: W_i, d_i × d_{i−1}.
        upper: W_{i+1}, d_{i+1} × d_i.
        below: h = W_{i−1}⋯W_1 x, what the pair is fed, d_{i−1} × 1.
        above: e = (W_D⋯W_{i+2})ᵀ r with a letter r for the residual, d_{i+1} × 1.
        flow: the flow of Q, with the letter r for the residual.
    """

    lower: MatrixPolynomial
    upper: MatrixPolynomial
    below: MatrixPolynomial
    above: MatrixPolynomial
    flow: MatrixFlow

    @property
    def charge(self) -> MatrixPolynomial:
        """Return Q = W_{i+1}ᵀW_{i+1} − W_iW_iᵀ, which holds the charges of all B."""
        return self.upper.T @ self.upper - self.lower @ self.lower.T

    def noise_matrices(self) -> tuple[MatrixPolynomial, MatrixPolynomial]:
        """Return E[‖h‖²eeᵀ] − MMᵀ and E[‖e‖²hhᵀ] − MᵀM with M = E[ehᵀ]."""
        h, e = self.below, self.above
        M = (e @ h.T).mean()
        of_upper = (norm2(h) * (e @ e.T)).mean() - M @ M.T
        return of_upper, (norm2(e) * (h @ h.T)).mean() - M.T @ M

    def imbalance(self, *, decay: bool = False) -> MatrixPolynomial:
        """Return W_iΓ_lowerW_iᵀ − W_{i+1}ᵀΓ_upperW_{i+1}, with a letter r in it.

        Args:
            decay: whether γ/(2σ²) = γS/η, a symbol `tau`, is added to each Γ.

        Returns:
            What vanishes at the noise equilibrium of the pair, d_i × d_i. The flow of
            Q is 8σ² times it.
        """
        of_upper, of_lower = self.noise_matrices()
        if decay:
            of_upper += scalar("tau") * identity(of_upper.rows)
            of_lower += scalar("tau") * identity(of_lower.rows)
        lower = self.lower @ of_lower @ self.lower.T
        return lower - self.upper.T @ of_upper @ self.upper

    def at_minimum(self) -> MatrixPolynomial:
        """Return the imbalance where r = −ε, independent of x and of mean zero.

        Returns:
            A polynomial in the layers, E[xxᵀ] = `Sigma_x` and E[εεᵀ] = `Sigma_e`.
        """
        size = letters(self.above)["r"].rows
        noise = sample("e", size)
        f = substitute(self.imbalance(), {sample("r", size): -noise})
        f = second_moment(f, sample("x", "d_0"), _covariance("Sigma_x", "d_0"))
        return second_moment(f, noise, _covariance("Sigma_e", size))


def _covariance(name: str, size: str) -> MatrixPolynomial:
    return matrix(name, size, size, symmetric=True)


@dataclass(frozen=True, slots=True)
class DeepBalance:
    """The balance of a deep linear net with ℓ = ‖W_D⋯W_1x − y‖², every size free.

    Attributes:
        layers: W_1, …, W_D with sizes d_i × d_{i−1}.
        residual: W_D⋯W_1x − y, which the letter r stands for.
        gradients: W_i ↦ ∂ℓ/∂W_i in the letter r.
        pairs: the D − 1 neighbouring pairs, from the input on.
    """

    layers: tuple[MatrixPolynomial, ...]
    residual: MatrixPolynomial
    gradients: Gradients
    pairs: tuple[NeighbourBalance, ...]

    @property
    def depth(self) -> int:
        """Return D."""
        return len(self.layers)

    def unfold(self, f: MatrixPolynomial) -> MatrixPolynomial:
        """Return f with W_D⋯W_1x − y for the letter r, sample by sample."""
        return substitute(f, {sample("r", self.residual.rows): self.residual})


@lru_cache(maxsize=16)
def deep_balance(depth: int) -> DeepBalance:
    """Derive the balance of every neighbouring pair of layers (P1 v3, Theorem 5.4).

    Args:
        depth: number D ≥ 2 of layers.

    Returns:
        The pairs with their flows, differentiated from the loss.

    Raises:
        DeclarationError: for a depth below 2, where no two layers are neighbours.

    >>> net = deep_balance(3)
    >>> pair = net.pairs[0]
    >>> len(pair.flow.diffusion.terms)  # no sample moves the charge: no dW term
    0
    >>> pair.flow.noise == 8 * scalar("sigma2") * pair.imbalance()
    True
    """
    if depth < 2:
        raise DeclarationError(
            f"expected a depth of at least 2, got {depth}: one layer has no neighbour"
        )
    layers, _ = linear_chain(depth)
    fed, pulled = _inputs(layers), _errors(layers)
    output = layers[-1] @ fed[-1]
    r = pulled[-1]
    aligned = 2 * dot(r, output)  # dℓ = 2⟨r, dr⟩: ℓ and this have one differential
    gradients = {X: gradient(aligned, X) for X in layers}
    pairs = []
    for i, (lower, upper) in enumerate(pairwise(layers)):
        Q = upper.T @ upper - lower @ lower.T
        own = {X: gradients[X] for X in (lower, upper)}
        pair = NeighbourBalance(lower, upper, fed[i], pulled[i], matrix_flow(Q, own))
        pairs.append(pair)
    residual = output - sample("y", r.rows)
    return DeepBalance(layers, residual, gradients, tuple(pairs))


def _inputs(layers: tuple[MatrixPolynomial, ...]) -> list[MatrixPolynomial]:
    """Return what each layer is fed, from x and W_1x on."""
    fed = [sample("x", layers[0].cols)]
    for X in layers[:-1]:
        fed.append(X @ fed[-1])
    return fed


def _errors(layers: tuple[MatrixPolynomial, ...]) -> list[MatrixPolynomial]:
    """Return the residual r pulled back to the output of W_2, …, W_D."""
    pulled = [sample("r", layers[-1].rows)]
    for X in reversed(layers[2:]):
        pulled.append(X.T @ pulled[-1])
    return pulled[::-1]


@dataclass(frozen=True, slots=True)
class BalancedDeepNet:
    """The singular values of a deep linear net at its noise balance.

    Attributes:
        first: those of W_1√Σ_x.
        middle: the one of every W_i with 1 < i < D, on the rank of V.
        last: those of √Σ_εW_D.
        depth: D.
    """

    first: tuple[sp.Expr, ...]
    middle: sp.Expr
    last: tuple[sp.Expr, ...]
    depth: int

    def layers(
        self,
        L: sp.Matrix,
        R: sp.Matrix,
        root_x: sp.Matrix,
        root_eps: sp.Matrix,
        frames: Sequence[sp.Matrix],
    ) -> tuple[sp.ImmutableDenseMatrix, ...]:
        """Return W_1 = Q_1Σ_1RΣ_x^{−½}, W_i = cQ_iQ_{i−1}ᵀ, W_D = Σ_ε^{−½}LΣ_DQ_{D−1}ᵀ.

        Args:
            L: left singular vectors of √Σ_εV√Σ_x, d_y × k with LᵀL = I.
            R: right ones as rows, k × d_x with RRᵀ = I.
            root_x: √Σ_x, invertible, d_x × d_x.
            root_eps: √Σ_ε, invertible, d_y × d_y.
            frames: Q_1, …, Q_{D−1}, Q_i of shape d_i × k with Q_iᵀQ_i = I.

        Returns:
            W_1, …, W_D, whose product is V.

        Raises:
            DeclarationError: when the frames are not D − 1 in number, or not
                orthonormal.
        """
        k = len(self.first)
        if len(frames) != self.depth - 1:
            raise DeclarationError(
                f"expected {self.depth - 1} frames, got {len(frames)}"
            )
        for Q in (*frames, L, R.T):
            if sp.eye(k) != Q.T * Q:
                raise DeclarationError(
                    f"expected {k} orthonormal columns, got {Q.tolist()}"
                )
        inner = [self.middle * b * a.T for a, b in pairwise(frames)]
        start = frames[0] * sp.diag(*self.first) * R * root_x.inv()
        end = root_eps.inv() * L * sp.diag(*self.last) * frames[-1].T
        return tuple(sp.ImmutableDenseMatrix(W) for W in (start, *inner, end))


def balanced_deep_net(
    singular_values: Sequence[sp.Expr | int],
    trace_x: sp.Expr | int,
    trace_eps: sp.Expr | int,
    depth: int,
) -> BalancedDeepNet:
    """Return the noise balance of a deep linear net at a global minimum, γ = 0.

    With S' the singular values of √Σ_εV√Σ_x and c = (Tr S'/√(Tr Σ_xTr Σ_ε))^{1/D}:
    Σ_1 = c√(Tr Σ_x/Tr S')√S', Σ_D = c√(Tr Σ_ε/Tr S')√S', and c in the middle. This
    mends P1 v3, Theorem 5.4, which is this where Tr Σ_x = Tr Σ_ε and, from D = 3 on,
    both are the rank of V.

    Args:
        singular_values: the diagonal of S', positive.
        trace_x: Tr Σ_x > 0, Σ_x the second moment of x.
        trace_eps: Tr Σ_ε > 0.
        depth: number D ≥ 2 of layers.

    Returns:
        The singular values of each layer.

    Raises:
        DeclarationError: for a depth below 2 or for values that are not positive.

    >>> net = balanced_deep_net([1, 4], 5, 5, depth=3)
    >>> net.first, net.middle, net.last
    ((1, 2), 1, (1, 2))
    """
    S = [sp.sympify(value, strict=True) for value in singular_values]
    traces = [sp.sympify(value) for value in (trace_x, trace_eps)]
    if depth < 2:
        raise DeclarationError(f"expected a depth of at least 2, got {depth}")
    wrong = [value for value in (*S, *traces) if not value.is_positive]
    if wrong or not S:
        raise DeclarationError(
            f"expected positive singular values and traces, got "
            f"{wrong[0] if wrong else 'none'}; give symbols as positive=True"
        )
    total = sp.Add(*S)
    c = (total / sp.sqrt(traces[0] * traces[1])) ** sp.Rational(1, depth)
    first, last = (
        tuple(c * sp.sqrt(trace / total * value) for value in S) for trace in traces
    )
    return BalancedDeepNet(first, c, last, depth)

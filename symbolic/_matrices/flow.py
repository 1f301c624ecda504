"""Noether flow, exact law and Hessian trace of matrix parameters, at any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from symbolic._errors import DeclarationError
from symbolic._words.calculus import (
    differential,
    gradient,
    second_differential,
    substitute,
)
from symbolic._words.letters import Word, closed, copies, recopied
from symbolic._words.moments import laplacian
from symbolic._words.polynomial import (
    MatrixPolynomial,
    identity,
    matrix,
    norm2,
    sample,
    scalar,
    zero,
)


Gradients = Mapping[MatrixPolynomial, MatrixPolynomial]


@dataclass(frozen=True, slots=True)
class MatrixFlow:
    """What Itô's lemma gives for a charge, under dθ = −(∇L + 2γθ)dt + √(2σ²Σ)dW.

    Attributes:
        noise: σ²Tr[Σ∇²C], entry by entry where C is a matrix.
        weight_decay: −2γ DC[θ].
        loss: −DC[∇L]; 0 where every sample has the symmetry.
        diffusion: DC[∇ℓ] for the sample at hand; where it is 0 there is no dW term.
    """

    noise: MatrixPolynomial
    weight_decay: MatrixPolynomial
    loss: MatrixPolynomial
    diffusion: MatrixPolynomial

    @property
    def expression(self) -> MatrixPolynomial:
        """Return the whole drift."""
        return self.noise + self.weight_decay + self.loss


def matrix_flow(charge: MatrixPolynomial, gradients: Gradients) -> MatrixFlow:
    """Return the flow of a charge (P1, Eqs. (5), (7)), for all sizes at once.

    Args:
        charge: C, of any shape, free of data.
        gradients: parameter → its per-sample gradient, a polynomial in the sample at
            hand.

    Returns:
        The flow, per unit of time η·steps, in σ² = `sigma2` and γ = `gamma`.

    >>> net = factorisation()
    >>> flow = matrix_flow(net.charge, net.gradients)
    >>> flow.diffusion == zero("d", "d")
    True
    """
    per_sample, of_mean = second_differential(charge, gradients)
    decay = {X: -2 * scalar("gamma") * X for X in gradients}
    return MatrixFlow(
        noise=scalar("sigma2") * (per_sample - of_mean),
        weight_decay=differential(charge, decay),
        loss=-differential(charge, {X: g.mean() for X, g in gradients.items()}),
        diffusion=differential(charge, dict(gradients)),
    )


@dataclass(frozen=True, slots=True)
class MatrixStep:
    """One step θ' = (1 − 2ηγ)θ − ηg of SGD, g any minibatch gradient.

    Attributes:
        next_charge: C(θ'), with letters G_X for the gradient in each parameter X.
        first_order: its part of first order in g. It is linear in g, so it vanishes
            for every minibatch where it does for every sample.
        per_sample: that part with the gradient of the sample at hand put in.
    """

    next_charge: MatrixPolynomial
    first_order: MatrixPolynomial
    per_sample: MatrixPolynomial

    @property
    def law(self) -> MatrixPolynomial:
        """Return C(θ') without the part that vanishes by symmetry.

        Raises:
            DeclarationError: where that part does not vanish.
        """
        if self.per_sample.terms:
            raise DeclarationError(
                "expected a charge that no sample moves at first order: DC[grad l] = 0"
            )
        return self.next_charge - self.first_order


def matrix_step(charge: MatrixPolynomial, gradients: Gradients) -> MatrixStep:
    """Return the exact law of a charge for one step of SGD, at any size.

    Args:
        charge: C, of any shape, free of data.
        gradients: parameter → its per-sample gradient.

    Returns:
        The step, in η = `eta` and γ = `gamma`.

    >>> net = factorisation()
    >>> law = matrix_step(net.charge, net.gradients).law
    >>> G_U, G_W = matrix("G_U", "d_y", "d"), matrix("G_W", "d", "d_x")
    >>> kappa = identity(1) - 2 * scalar("eta") * scalar("gamma")
    >>> expected = kappa * kappa * net.charge
    >>> expected += scalar("eta", 2) * (G_U.T @ G_U - G_W @ G_W.T)
    >>> law == expected
    True
    """
    eta = scalar("eta")
    kappa = identity(1) - 2 * eta * scalar("gamma")
    G = {X: matrix(f"G_{X.letter.name}", X.rows, X.cols) for X in gradients}
    moved = {X: kappa * X - eta * G[X] for X in gradients}
    first = -eta * substitute(  # DC at κθ, where the step in g starts
        differential(charge, G), {X: kappa * X for X in gradients}
    )
    own = {G[X]: g for X, g in gradients.items()}
    return MatrixStep(substitute(charge, moved), first, substitute(first, own))


def hessian_trace(
    loss: MatrixPolynomial, parameters: tuple[MatrixPolynomial, ...]
) -> MatrixPolynomial:
    """Return Tr ∇²E[ℓ] + the decay's part, Σ_X Δ_X(E[ℓ] + γ‖X‖²).

    Args:
        loss: per-sample loss, a scalar.
        parameters: the parameters.

    Returns:
        The trace, averaged over the sample at hand.
    """
    gamma = scalar("gamma")
    total = zero(1, 1)
    for X in parameters:
        total += laplacian(loss.mean() + gamma * norm2(X), X)
    return total


@dataclass(frozen=True, slots=True)
class Factorisation:
    """The network UWx with ℓ = ‖UWx − y‖² (P1, Eqs. (12)–(14)), every size free.

    Attributes:
        U: second layer, d_y × d.
        W: first layer, d × d_x.
        B: a symmetric d × d matrix: the generator is (UB, −BW).
        x: input, d_x × 1.
        y: target, d_y × 1.
    """

    U: MatrixPolynomial
    W: MatrixPolynomial
    B: MatrixPolynomial
    x: MatrixPolynomial
    y: MatrixPolynomial

    @property
    def residual(self) -> MatrixPolynomial:
        """Return r = UWx − y."""
        return self.U @ self.W @ self.x - self.y

    @property
    def loss(self) -> MatrixPolynomial:
        """Return ℓ = ‖r‖²."""
        return norm2(self.residual)

    @property
    def gradients(self) -> dict[MatrixPolynomial, MatrixPolynomial]:
        """Return U ↦ ∂ℓ/∂U, W ↦ ∂ℓ/∂W, differentiated from the loss."""
        return {X: gradient(self.loss, X) for X in (self.U, self.W)}

    @property
    def charge(self) -> MatrixPolynomial:
        """Return Q = UᵀU − WWᵀ; C_B = ½Tr[QB], so Q holds the charges of all B."""
        return self.U.T @ self.U - self.W @ self.W.T

    @property
    def r(self) -> MatrixPolynomial:
        """Return the letter r, for what is to be read; `unfold` says what it is."""
        return sample("r", "d_y")

    def unfold(self, f: MatrixPolynomial) -> MatrixPolynomial:
        """Return f with UWx − y for r, sample by sample."""
        return substitute(f, {self.r: self.residual})

    def noise_matrices(
        self,
        *,
        centred: bool = True,
        shift: MatrixPolynomial | None = None,
        unfolded: bool = True,
    ) -> tuple[MatrixPolynomial, MatrixPolynomial]:
        r"""Return Γ_U and Γ_W.

        Args:
            centred: whether MMᵀ and MᵀM, M = E[rxᵀ], are subtracted.
            shift: multiple of the identity added; none where None.
            unfolded: whether UWx − y stands for r, or the letter r itself.

        Returns:
            E[‖x‖²rrᵀ] and E[‖r‖²xxᵀ], centred and shifted.

        >>> from symbolic import latex
        >>> of_U, _ = factorisation().noise_matrices(centred=False, unfolded=False)
        >>> print(latex(of_U))
        \mathbb{E}\left[\|x\|^2\,r r^\top\right]
        """
        r, x = self.residual if unfolded else self.r, self.x
        M = (r @ x.T).mean()
        of_U, of_W = (norm2(x) * (r @ r.T)).mean(), (norm2(r) * (x @ x.T)).mean()
        if centred:
            of_U, of_W = of_U - M @ M.T, of_W - M.T @ M
        if shift is not None:
            of_U, of_W = of_U + shift * identity("d_y"), of_W + shift * identity("d_x")
        return of_U, of_W

    def imbalance(
        self, noise: tuple[MatrixPolynomial, MatrixPolynomial]
    ) -> MatrixPolynomial:
        """Return WΓ_WWᵀ − UᵀΓ_UU, which vanishes at the balance of Theorem 2."""
        of_U, of_W = noise
        return self.W @ of_W @ self.W.T - self.U.T @ of_U @ self.U


@lru_cache(maxsize=1)
def factorisation() -> Factorisation:
    """Return the matrix factorisation with d, d_x and d_y free.

    >>> net = factorisation()
    >>> g_U, g_W = net.gradients.values()
    >>> net.U.T @ g_U == g_W @ net.W.T  # the Noether identity, for every B at once
    True
    """
    return Factorisation(
        matrix("U", "d_y", "d"),
        matrix("W", "d", "d_x"),
        matrix("B", "d", "d", symmetric=True),
        sample("x", "d_x"),
        sample("y", "d_y"),
    )


def linear_chain(
    depth: int,
) -> tuple[tuple[MatrixPolynomial, ...], MatrixPolynomial]:
    """Return the layers and the loss ‖W_D ⋯ W_1 x − y‖² of a deep linear network.

    Args:
        depth: number D ≥ 1 of layers.

    Returns:
        W_1, …, W_D with sizes d_i × d_{i−1}, and the per-sample loss.

    Raises:
        DeclarationError: for a depth below 1.

    >>> layers, loss = linear_chain(3)
    >>> G = [gradient(loss, X) for X in layers]
    >>> all(
    ...     layers[i + 1].T @ G[i + 1] == G[i] @ layers[i].T for i in range(2)
    ... )
    True
    """
    if depth < 1:
        raise DeclarationError(f"expected a depth of at least 1, got {depth}")
    layers = tuple(
        matrix(f"W_{i}", f"d_{i}", f"d_{i - 1}") for i in range(1, depth + 1)
    )
    output = sample("x", "d_0")
    for X in layers:
        output = X @ output
    return layers, norm2(output - sample("y", f"d_{depth}"))


@dataclass(frozen=True, slots=True)
class QuadraticCharge:
    """An exponential symmetry of an unknown loss: J = Aθ, n free (P1, Definition 1).

    Attributes:
        theta: parameters, n × 1.
        A: symmetric n × n.
        g: the gradient of the sample at hand, n × 1; g·Aθ = 0.
    """

    theta: MatrixPolynomial
    A: MatrixPolynomial
    g: MatrixPolynomial

    @property
    def charge(self) -> MatrixPolynomial:
        """Return C = ½θᵀAθ."""
        return Fraction(1, 2) * (self.theta.T @ self.A @ self.theta)

    @property
    def noise_trace(self) -> MatrixPolynomial:
        """Return Tr[ΣA] = E[gᵀAg] − (Eg)ᵀA(Eg)."""
        mean = self.g.mean()
        return (self.g.T @ self.A @ self.g).mean() - mean.T @ self.A @ mean

    def on_shell(self, f: MatrixPolynomial) -> MatrixPolynomial:
        """Return f with g·Aθ = 0 used for every sample (P1, Eq. (3))."""
        ((_, (pairing,), _),) = (self.g.T @ self.A @ self.theta).terms
        kept = {
            key: c
            for key, c in f.terms.items()
            if not any(_of_sample_at_hand(w) == (pairing,) for w in key[1])
        }
        return MatrixPolynomial(f.rows, f.cols, kept)


def _of_sample_at_hand(word: Word) -> tuple[Word, ...]:
    """Return a traced word with the data of the sample at hand in every place."""
    return closed(recopied(word, dict.fromkeys(copies([word]), 0)))


def quadratic_charge(A: MatrixPolynomial | None = None) -> QuadraticCharge:
    """Return an exponential symmetry with n free.

    Args:
        A: symmetric n × n: the identity or a product of variables, times a number or
            powers of scalar symbols; a letter A where None.

    Returns:
        The charge and what belongs to it.

    Raises:
        DeclarationError: for any other A. A sum would hide g·Aθ = 0 among its terms.

    >>> law = quadratic_charge()
    >>> flow = matrix_flow(law.charge, {law.theta: law.g})
    >>> law.on_shell(flow.diffusion) == zero(1, 1)
    True
    """
    generator = matrix("A", "n", "n", symmetric=True) if A is None else A
    shape = generator.rows, generator.cols
    traces = [traced for _, traced, _ in generator.terms]
    if shape != ("n", "n") or generator != generator.T or traces != [()]:
        raise DeclarationError(
            f"expected a symmetric n x n product of variables for A, got a "
            f"{shape[0]} x {shape[1]} polynomial of {len(traces)} terms; name a sum by "
            f"a letter"
        )
    return QuadraticCharge(matrix("theta", "n", 1), generator, sample("g", "n"))

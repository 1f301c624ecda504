"""Noether flows averaged over Gaussian data, at any size: Theorem 2 in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from symbolic._errors import DeclarationError
from symbolic._matrices.flow import (
    Factorisation,
    MatrixFlow,
    factorisation,
    matrix_flow,
)
from symbolic._words.calculus import Assignment, substitute
from symbolic._words.evaluation import letters
from symbolic._words.moments import gaussian_mean
from symbolic._words.polynomial import MatrixPolynomial, matrix, sample


def gaussian_flow(
    flow: MatrixFlow, law: Assignment, targets: Assignment | None = None
) -> MatrixFlow:
    """Return a flow averaged over centred Gaussian data, at any size.

    Args:
        flow: a flow with explicit gradients.
        law: data variable → its covariance, a symmetric variable. The variables are
            independent of each other.
        targets: data variable → what it is in terms of the others, y ↦ Vx + ε.

    Returns:
        The flow, free of data but for its per-sample `diffusion`.

    Raises:
        DeclarationError: where a data variable has neither a law nor a target.
    """
    told = {} if targets is None else targets
    return MatrixFlow(
        noise=_gaussian(flow.noise, law, told),
        weight_decay=_gaussian(flow.weight_decay, law, told),
        loss=_gaussian(flow.loss, law, told),
        diffusion=substitute(flow.diffusion, told),
    )


def _gaussian(
    f: MatrixPolynomial, law: Assignment, targets: Assignment
) -> MatrixPolynomial:
    f = substitute(f, targets)
    for x, Sigma in law.items():
        f = gaussian_mean(f, x, Sigma)
    left = sorted(name for name, letter in letters(f).items() if letter.data)
    if left:
        raise DeclarationError(
            f"expected a law or a target for every data variable, got none for "
            f"{left[0]}"
        )
    return f


@dataclass(frozen=True, slots=True)
class GaussianTheorem2:
    """Theorem 2 for x ~ N(0, Σ_x), y = Vx + ε, ε ~ N(0, Σ_ε) independent of x.

    Attributes:
        net: the two-layer net, sizes free.
        V: the teacher, d_y × d_x.
        Sigma_x: covariance of x.
        Sigma_e: covariance of ε.
        of_U: Γ⁰_U, d_y × d_y.
        of_W: Γ⁰_W, d_x × d_x.
        flow: the flow of UᵀU − WWᵀ.
    """

    net: Factorisation
    V: MatrixPolynomial
    Sigma_x: MatrixPolynomial
    Sigma_e: MatrixPolynomial
    of_U: MatrixPolynomial  # noqa: N815 - as in Factorisation
    of_W: MatrixPolynomial  # noqa: N815
    flow: MatrixFlow


@lru_cache(maxsize=1)
def theorem2_gaussian() -> GaussianTheorem2:
    r"""Return P1's Theorem 2 with its noise in closed form, for all sizes at once.

    With K = UW − V: Γ⁰_U = Tr[Σ_x](KΣ_xKᵀ + Σ_ε) + KΣ_x²Kᵀ and
    Γ⁰_W = (Tr[KΣ_xKᵀ] + Tr[Σ_ε])Σ_x + Σ_xKᵀKΣ_x, here multiplied out.

    >>> from symbolic._words.polynomial import norm2, scalar
    >>> law = theorem2_gaussian()
    >>> at_minimum = substitute(law.of_W, {law.V: law.net.U @ law.net.W})
    >>> at_minimum == law.Sigma_e.tr() * law.Sigma_x
    True
    >>> balance = law.net.imbalance((law.of_U, law.of_W))
    >>> law.flow.noise == 8 * scalar("sigma2") * balance
    True
    """
    net = factorisation()
    V, noise = matrix("V", "d_y", "d_x"), sample("e", "d_y")
    Sigma_x = matrix("Sigma_x", "d_x", "d_x", symmetric=True)
    Sigma_e = matrix("Sigma_e", "d_y", "d_y", symmetric=True)
    law = {net.x: Sigma_x, noise: Sigma_e}
    target = {net.y: V @ net.x + noise}
    of_U, of_W = (_gaussian(f, law, target) for f in net.noise_matrices())
    flow = gaussian_flow(matrix_flow(net.charge, net.gradients), law, target)
    return GaussianTheorem2(net, V, Sigma_x, Sigma_e, of_U, of_W, flow)

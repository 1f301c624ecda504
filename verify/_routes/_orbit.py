"""The orbit θ_λ = e^{λA}θ of an instance, and the routes for Σ(θ_λ)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from verify._context import Context
from verify._evidence import Evidence
from verify._exact import NotRational, covariance, form, product
from verify._instances import Instance
from verify._routes._common import (
    Sides,
    by_hand,
    declarations_of,
    exact_evidence,
    symbolic_evidence,
)


u, w, x, y = sp.symbols("u w x y")


def scale_invariant_pair() -> Instance:
    """Return ℓ = (w/u − y)² at (1, 0) with y = ±1: g = ∓(0, 2), Tr Σ = 4, A = I."""
    return by_hand((w / u - y) ** 2, [[1, 0], [0, 1]], ((0, 1), (0, -1)), (1, 0))


def gradients_at(
    instance: Instance, q: Fraction
) -> tuple[tuple[Fraction, ...], ...] | None:
    """Return the per-sample gradients at θ_λ, e^λ = q; None where not rational."""
    moved = instance.moved(q)
    if moved is None:
        return None
    try:
        return instance.gradients(moved)
    except NotRational:
        return None


def orbit_terms(
    instance: Instance,
) -> tuple[tuple[int, ...], tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return μ_k, t_k = θᵀP_kθ and s_k = Tr[P_kΣ] for the distinct eigenvalues."""
    projectors = instance.projectors()
    assert projectors is not None
    Sigma = covariance(instance.gradients())
    mu = tuple(value for value, _ in projectors)
    t = tuple(form(P, instance.theta) for _, P in projectors)
    s = tuple(
        sum((product(P, Sigma)[i][i] for i in range(len(P))), Fraction(0))
        for _, P in projectors
    )
    return mu, t, s


# Σ(θ_λ) = e^{aλA} Σ e^{aλA}. The subject is a.


_HESSIANS = 6  # parameters up to which the Hessian is worked out


def transport_symbolic(subject: int, context: Context) -> Evidence:
    """Decide ∇ℓ·Aθ = 0, and compare d∇ℓ(θ_λ)/dλ = ∇²ℓ Aθ with aA∇ℓ."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            A, loss = declaration.symmetry.matrix, declaration.loss
            if loss is None or A is None:
                continue
            gradient = sp.Matrix(loss.gradient)
            theta = sp.Matrix(declaration.space.symbols)
            yield declaration.name, gradient.dot(A * theta), sp.S.Zero
            if len(theta) > _HESSIANS:  # the other row implies the rate
                continue
            rate = gradient.jacobian(theta) * A * theta
            for left, entry in zip(rate, A * gradient, strict=True):
                yield declaration.name, left, subject * entry

    return symbolic_evidence(
        "transport",
        rows(),
        r"$\nabla\ell\cdot A\theta$ against 0, and the rate that follows from it",
        (
            r"The gradient of $\nabla\ell\cdot A\theta = 0$ is $\nabla^2\ell\,A\theta "
            r"+ A\nabla\ell = 0$.",
            r"$\frac{d}{d\lambda}\nabla\ell(\theta_\lambda) = "
            r"\nabla^2\ell\,A\theta_\lambda = -A\nabla\ell(\theta_\lambda)$, so "
            r"$\nabla\ell(\theta_\lambda) = e^{-\lambda A}\nabla\ell(\theta)$.",
            r"$\Sigma(\theta_\lambda) = E[\nabla\ell\nabla\ell^\top] - \nabla L\nabla "
            r"L^\top$ inherits one factor $e^{-\lambda A}$ on each side.",
        ),
    )


def transport_exact(subject: int, context: Context) -> Evidence:
    """Recompute Σ at θ_λ from the loss and compare with the transported Σ."""

    def sides(instance: Instance) -> Sides | None:
        q = Fraction(3, 2)
        gradients = gradients_at(instance, q)
        projectors = instance.projectors()
        if gradients is None or projectors is None:
            return None
        n = len(instance.theta)
        power = tuple(
            tuple(
                sum((q ** (subject * m) * P[i][j] for m, P in projectors), Fraction(0))
                for j in range(n)
            )
            for i in range(n)
        )
        left = covariance(gradients)
        before = covariance(instance.gradients())
        right = product(product(power, before), power)
        trivial = not any(any(row) for row in before) or not any(
            any(row) for row in instance.A
        )
        for a, b in zip(left, right, strict=True):
            for p, r in zip(a, b, strict=True):
                if p != r:
                    return Sides(p, r)
        return Sides(left[0][0], right[0][0], degenerate=trivial)

    first = by_hand((u * w * x - y) ** 2, [[1, 0], [0, -1]], ((1, 1), (1, -1)), (1, 1))
    return exact_evidence(
        "exact sums",
        sides,
        context,
        r"$\Sigma(\theta_\lambda)$, any signature and rank",
        examples=(first,),
        min_samples=2,
    )

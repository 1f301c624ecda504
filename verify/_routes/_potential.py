"""Routes for Φ = γ‖θ‖² + (η/4S)Tr Σ, whose minimiser on an orbit is λ*."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from numeric import compile_loss, noise_equilibrium
from symbolic import Declaration, Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import covariance, dot
from verify._instances import Instance, derived
from verify._routes._common import (
    Sides,
    declarations_of,
    exact_evidence,
    numeric_evidence,
    symbolic_evidence,
)
from verify._routes._flow import GAMMA, SIGMA2
from verify._routes._orbit import gradients_at, orbit_terms, scale_invariant_pair
from verify._routes._theorem1 import hypothesis
from verify._strategies import instances


Array = NDArray[np.float64]
Exponentials = dict[int, Fraction]  # k → coefficient of e^{2kλ}
u, w, x, y = sp.symbols("u w x y")
_ONE = Fraction(1)


# The potential. The subject is κ in Φ = γ‖θ‖² + κσ²Tr Σ; (η/4S) = σ²/2.


def potential_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Differentiate Φ(θ_λ), written in the eigenbasis, and compare with derived G."""
    kappa = sp.Rational(subject.numerator, subject.denominator)
    lam = sp.Symbol("lam", real=True)

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in _with_spectrum(context):
            eq = derived(declaration).equilibrium
            terms = zip(eq.eigenvalues, eq.t, eq.s, strict=True)
            potential = sum(
                (
                    GAMMA * t * sp.exp(2 * lam * m)
                    + kappa * SIGMA2 * s * sp.exp(-2 * lam * m)
                    for m, t, s in terms
                ),
                sp.S.Zero,
            )
            yield declaration.name, -potential.diff(lam), eq.balance

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$-\partial_\lambda\Phi(\theta_\lambda)$ against the derived "
        r"$G(\theta_\lambda)$",
    )


def _with_spectrum(context: Context) -> Iterator[Declaration]:
    for declaration in declarations_of(context):
        if all(m.is_Rational for m in derived(declaration).equilibrium.eigenvalues):
            yield declaration


def potential_exact(subject: Fraction, context: Context) -> Evidence:
    """Interpolate Φ along the orbit exactly, differentiate it, and compare with G.

    In z = e^{2λ} Φ is a Laurent polynomial; its values at enough points, with Σ
    recomputed from the loss at each, fix it. Its coefficients must not be negative,
    which makes Φ convex in λ.

    Returns:
        The evidence.
    """

    def sides(instance: Instance) -> Sides | None:
        terms = _interpolated(subject, instance)
        if terms is None:
            return None
        lowest = min((c for k, c in terms.items() if k), default=Fraction(0))
        if lowest < 0:
            return Sides(lowest, Fraction(0))
        q = Fraction(5, 4)
        moved = gradients_at(instance, q)
        if moved is None:
            return None
        right = instance.balance(q, moved)
        left = -sum((2 * k * c * q ** (2 * k) for k, c in terms.items()), Fraction(0))
        return Sides(left, right, degenerate=not right)

    return exact_evidence(
        "exact interpolation",
        sides,
        context,
        r"$-\partial_\lambda\Phi$ against $G$ at $e^\lambda = 5/4$",
        examples=(scale_invariant_pair().with_(gamma=Fraction(1)),),
        min_samples=2,
    )


def _interpolated(kappa: Fraction, instance: Instance) -> Exponentials | None:
    """Return k → coefficient of e^{2kλ} in Φ(θ_λ)."""
    projectors = instance.projectors()
    if projectors is None:
        return None
    reach = max(abs(m) for m, _ in projectors)
    powers = range(-reach, reach + 1)
    points = [Fraction(n + 2, n + 3) for n in range(2 * reach + 1)]
    values = []
    for q in points:
        moved, gradients = instance.moved(q), gradients_at(instance, q)
        if moved is None or gradients is None:
            return None
        Sigma = covariance(gradients)
        noise = sum((Sigma[i][i] for i in range(len(Sigma))), Fraction(0))
        values.append(
            instance.gamma * dot(moved, moved) + kappa * instance.sigma2 * noise
        )
    system = [[q ** (2 * k) for k in powers] for q in points]
    return dict(zip(powers, _solved(system, values), strict=True))


def _solved(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Solve a regular linear system by elimination, exactly."""
    table = [[*row, b] for row, b in zip(rows, right, strict=True)]
    n = len(table)
    for i in range(n):
        pivot = next(k for k in range(i, n) if table[k][i])
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [v / table[i][i] for v in table[i]]
        for k in range(n):
            if k != i and table[k][i]:
                scale = table[k][i]
                table[k] = [
                    a - scale * b for a, b in zip(table[k], table[i], strict=True)
                ]
    return [row[n] for row in table]


def potential_numeric(subject: Fraction, context: Context) -> Evidence:
    """Compare the zero of G with the minimiser of Φ, found by Brent's method."""
    return minimiser_evidence(context, float(subject))


def equilibrium_numeric(subject: str, context: Context) -> Evidence:
    """Compare λ* with the minimiser of Φ, where it is unique."""
    if subject != "corrected":
        return Evidence(
            "independent optimiser",
            Verdict.NOT_APPLICABLE,
            "λ* is not unique under this hypothesis.",
        )
    return minimiser_evidence(context, 0.5)


def minimiser_evidence(context: Context, kappa: float) -> Evidence:
    """Compare the root λ* of G with the minimiser of Φ = γ‖θ‖² + κσ²Tr Σ.

    Φ is recomputed at each λ from the loss's own gradients; Brent locates its minimiser
    to √(eps·Φ/Φ''), from which the tolerance is derived.

    Args:
        context: profile and streams.
        kappa: κ; σ²/2 = η/(4S).

    Returns:
        The evidence.
    """

    def rows() -> Iterator[tuple[Instance, float, float, float]]:
        drawn = context.draw(
            instances(subject=context.subject, min_samples=3),
            context.profile.exact // 2,
            "optimiser",
        )
        if context.subject is None:
            drawn = (scale_invariant_pair().with_(gamma=Fraction(1)), *drawn)
        for instance in drawn:
            if instance.projectors() is None or not hypothesis("corrected", instance):
                continue
            mu, t, s = (np.array(v, np.float64) for v in orbit_terms(instance))
            root = float(
                noise_equilibrium(
                    mu, s, t, sigma2=float(instance.sigma2), gamma=float(instance.gamma)
                )
            )
            if not np.isfinite(root) or abs(root) > 8.0:
                continue
            phi, curvature = _potential(instance, root, kappa)
            found = minimize_scalar(
                phi, bracket=(root - 0.7, root + 0.9), options={"xtol": 1e-10}
            )
            tolerance = 8.0 * np.sqrt(1e-13 * abs(phi(root)) / curvature) + 1e-9
            if tolerance > 0.01:
                continue
            yield instance, root, float(found.x), float(tolerance)

    return numeric_evidence(
        "independent optimiser",
        rows(),
        r"$\lambda^*$ against the minimiser of $\Phi$ on the orbit",
    )


def _potential(
    instance: Instance, root: float, kappa: float
) -> tuple[Callable[[float], float], float]:
    """Return Φ(θ_λ), with Σ from the compiled gradients at θ_λ, and Φ'' at the root."""
    from_loss = _compiled_noise(instance)
    gamma, sigma2 = float(instance.gamma), float(instance.sigma2)

    def phi(lam: float) -> float:
        theta, noise = from_loss(lam)
        return float(gamma * theta @ theta + kappa * sigma2 * noise)

    h = 1e-3
    curvature = (phi(root + h) - 2 * phi(root) + phi(root - h)) / h**2
    return phi, max(curvature, 1e-300)


def _compiled_noise(instance: Instance) -> Callable[[float], tuple[Array, float]]:
    loss = instance.declaration.loss
    assert loss is not None
    evaluator, data = compile_loss(loss), instance.data_arrays()
    values, vectors = np.linalg.eigh(
        np.array([[float(v) for v in row] for row in instance.A])
    )
    theta0 = np.array([float(v) for v in instance.theta])

    def at(lam: float) -> tuple[Array, float]:
        theta = vectors @ (np.exp(lam * values) * (vectors.T @ theta0))
        G = evaluator.gradient(theta[None, :], data)
        return theta, float(((G - G.mean(axis=0)) ** 2).sum() / len(G))

    return at

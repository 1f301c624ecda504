"""Routes for statements about one orbit θ_λ = e^{λA}θ: reach and transport."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    differential,
    matrix,
    norm2,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import apply, dot
from verify._routes._common import Sides, in_general
from verify._routes._general_cases import Case, plain_net, product_pair
from verify._routes._general_quantities import (
    noise_trace,
    on_cases,
    spectrum_of,
    squared_noise,
)
from verify._routes._words import ROUTE, Example, Row, words_evidence


FREE = "n, A and Σ"
TRANSPORT = (
    r"$\frac{d}{d\lambda}\theta_\lambda = A\theta_\lambda$ and "
    r"$\frac{d}{d\lambda}\Sigma(\theta_\lambda) = -(A\Sigma + \Sigma A)$, at every "
    r"point of the orbit."
)
theta = matrix("theta", "n", 1)
A = matrix("A", "n", "n", symmetric=True)
Sigma = matrix("Sigma", "n", "n", symmetric=True)
ORBIT = {theta: A @ theta, Sigma: -(A @ Sigma + Sigma @ A)}
CHARGE = (theta.T @ A @ theta) / 2
NOISE = (Sigma @ A).tr()
SQUARED = (Sigma @ A @ A).tr()
# ℓ = (uw − y)² at (1, 2) with y = 0, 2: g = (8, 4), (0, 0) and Σ = [[16, 8], [8, 4]].
PRODUCT = Example(
    {
        "theta": sp.Matrix([1, 2]),
        "A": sp.diag(1, -1),
        "Sigma": sp.Matrix([[16, 8], [8, 4]]),
    },
    (),
    {
        "loss": "(u*w - y)**2",
        "u": "1",
        "w": "2",
        "data": "y=0; y=2",
        "A": "diag(1, -1)",
        "sigma2": "2",
        "gamma": "1",
    },
    {"sigma2": sp.Integer(2), "gamma": sp.S.One},
)


def along(f: MatrixPolynomial) -> MatrixPolynomial:
    """Return df(θ_λ)/dλ."""
    return differential(f, ORBIT)


# Unbounded orbits. The subject is "always", or "moving" for Aθ ≠ 0.


def unbounded_words(subject: str, context: Context) -> Evidence:
    """Differentiate ‖θ_λ‖² twice: 4‖Aθ_λ‖², with n free."""
    bend = along(along(norm2(theta)))
    if subject == "always":
        at_rest = Example(
            PRODUCT.values | {"theta": sp.zeros(2, 1)},
            (),
            {"loss": "(u*w - y)**2", "u": "0", "w": "0", "A": "diag(1, -1)"},
            {},
        )
        value = at_rest.value(bend)[0, 0]
        if value > 0:
            reason = f"the bend of the example is {value}"
            return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
        return Evidence(
            ROUTE,
            Verdict.REFUTED,
            f"Where Aθ = 0 nothing moves.{in_general(context)}",
            instances=1,
            counterexample=Witness(
                at_rest.shown, f"bend of the norm = {value}", "more than 0", exact=True
            ),
        )
    return words_evidence(
        [("bend of the squared norm", bend, 4 * norm2(A @ theta))],
        r"$\frac{d^2}{d\lambda^2}\|\theta_\lambda\|^2$ against $4\|A\theta\|^2$",
        "n and A",
        (
            r"$A\theta_\lambda = e^{\lambda A}A\theta \neq 0$ where $A\theta \neq 0$: "
            r"$\|\theta_\lambda\|^2$ is strictly convex on $\mathbb{R}$.",
            r"A strictly convex function on $\mathbb{R}$ is unbounded. Where "
            r"$A\theta = 0$, $\theta_\lambda = \theta$.",
        ),
    )


def unbounded_exact(subject: str, context: Context) -> Evidence:
    """Move far along the orbit, both ways, and ask for a thousand times the norm."""
    far = Fraction(2**10)

    def sides(case: Case) -> Sides | None:
        ends = [case.moved(q) for q in (far, 1 / far)]
        if ends[0] is None or ends[1] is None:
            return None
        moves = any(apply(case.A, case.theta))
        here = dot(case.theta, case.theta)
        reached = max(dot(end, end) for end in ends if end)
        grows = reached > here + 1000 * _moving_part(case)
        expected = moves or subject == "always"
        return Sides(Fraction(int(grows)), Fraction(int(expected)))

    return on_cases(
        "exact orbit",
        sides,
        context,
        r"whether $\|\theta_\lambda\|^2$ is a thousand times as large at $e^{\lambda} "
        r"= 2^{\pm10}$ (1 for yes)",
        examples=(plain_net((1, -1), [(1, 1)], [(1, 1)], (0, 0)),),
        shown=("the norm grows beyond bounds: {}", "{}"),
    )


def _moving_part(case: Case) -> Fraction:
    """Return ‖θ‖² without the part in the kernel of A."""
    found = case.projectors()
    assert found is not None
    moving = [apply(P, case.theta) for value, P in found if value]
    return sum((dot(part, part) for part in moving), Fraction(0))


# ∇ℓ(θ_λ) = e^{aλA}∇ℓ(θ). The subject is a.


def gradient_words(subject: int, context: Context) -> Evidence:
    """Differentiate ∇ℓ·Aθ = 0 in θ: ∇²ℓ Aθ = −A∇ℓ; then its powers, n free."""
    del context
    g, e = matrix("g", "n", 1), matrix("epsilon", "n", 1)
    H = matrix("H", "n", "n", symmetric=True)
    constraint = differential(g.T @ A @ theta, {theta: e, g: H @ e})

    def rows() -> Iterator[Row]:
        yield "the derivative of (3)", constraint, e.T @ (H @ A @ theta + A @ g)
        left = right = g
        for order in range(1, 5):
            left = differential(left, {g: -(A @ g)})
            right = subject * (A @ right)
            yield f"derivative {order}", left, right

    return words_evidence(
        rows(),
        r"$\frac{d^k}{d\lambda^k}\nabla\ell(\theta_\lambda)$ against those of "
        r"$e^{a\lambda A}\nabla\ell(\theta)$",
        "n, A, the loss and the sample",
        (
            r"(3) holds at every $\theta$, so its derivative along any $\epsilon$ is "
            r"0: $\nabla^2\ell\,A\theta = -A\nabla\ell$.",
            r"$\frac{d}{d\lambda}\nabla\ell(\theta_\lambda) = "
            r"\nabla^2\ell\,A\theta_\lambda = -A\nabla\ell(\theta_\lambda)$, a linear "
            r"equation with the one solution $e^{-\lambda A}\nabla\ell(\theta)$.",
        ),
    )


def gradient_exact(subject: int, context: Context) -> Evidence:
    """Recompute each sample's gradient at θ_λ and compare with the transported one."""
    q = Fraction(3, 2)

    def sides(case: Case) -> Sides | None:
        there, projectors = case.moved(q), case.projectors()
        if there is None or projectors is None:
            return None
        gradients = case.gradients()
        moves = any(any(apply(case.A, g)) for g in gradients)
        pairs = []
        for before, after in zip(gradients, case.gradients(there), strict=True):
            parts = [
                tuple(q ** (subject * value) * entry for entry in apply(P, before))
                for value, P in projectors
            ]
            carried = [sum(column) for column in zip(*parts, strict=True)]
            pairs += [(a, Fraction(b)) for a, b in zip(after, carried, strict=True)]
        left, right = next(((a, b) for a, b in pairs if a != b), pairs[0])
        return Sides(left, right, degenerate=not moves)

    return on_cases(
        "exact orbit",
        sides,
        context,
        r"$\nabla\ell(\theta_\lambda, z)$ at $e^\lambda = 3/2$",
        examples=(product_pair(),),
    )


# Tr[Σ(θ_λ)A] = Tr[e^{aλA}ΣA]. The subject is a.


def trace_words(subject: int, context: Context) -> Evidence:
    """Compare the derivatives of both sides at every order up to six, n free."""
    del context

    def rows() -> Iterator[Row]:
        left, power = NOISE, A
        for order in range(1, 7):
            left, power = along(left), power @ A
            yield f"derivative {order}", left, subject**order * (Sigma @ power).tr()

    return words_evidence(
        rows(),
        r"$\frac{d^k}{d\lambda^k}\mathrm{Tr}[\Sigma(\theta_\lambda)A]$ against those "
        r"of $\mathrm{Tr}[e^{a\lambda A}\Sigma A]$",
        FREE,
        (
            TRANSPORT,
            r"$\frac{d}{d\lambda}\mathrm{Tr}[\Sigma A^k] = "
            r"-2\mathrm{Tr}[\Sigma A^{k+1}]$, and both sides are entire in $\lambda$.",
        ),
        PRODUCT,
    )


def trace_exact(subject: int, context: Context) -> Evidence:
    """Recompute Σ at θ_λ and compare its trace with Σμs e^{aλμ}."""

    def sides(case: Case) -> Sides | None:
        spectrum = spectrum_of(case)
        there = case.moved(Fraction(3, 2))
        if spectrum is None or there is None:
            return None
        left = noise_trace(case, case.gradients(there))
        right = sum(
            (m * s * Fraction(3, 2) ** (subject * m) for m, _, s in spectrum),
            Fraction(0),
        )
        return Sides(left, right, degenerate=not squared_noise(case))

    return on_cases(
        "exact orbit",
        sides,
        context,
        r"$\mathrm{Tr}[\Sigma(\theta_\lambda)A]$ at $e^\lambda = 3/2$",
        examples=(product_pair(),),
    )

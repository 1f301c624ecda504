"""Routes for C on the orbit, Tr[Σ(θ_λ)A], and one step of SGD against the SDE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product as cartesian

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    differential,
    identity,
    matrix,
    matrix_step,
    norm2,
    quadratic_charge,
    rewrite,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, Vector, covariance, form, mean, product
from verify._instances import Instance, flow_parts
from verify._routes._common import Sides, by_hand, exact_evidence
from verify._routes._orbit import gradients_at
from verify._routes._words import ROUTE, Example, Row, words_evidence


u, w, x, y = sp.symbols("u w x y")
_POSITIONS = tuple(Fraction(n, d) for n, d in ((1, 3), (1, 1), (4, 3)))


def _rescaling(
    samples: tuple[tuple[int, int], ...], theta: tuple[Fraction | int, ...]
) -> Instance:
    return by_hand(
        (u * w * x - y) ** 2, [[1, 0], [0, -1]], samples, theta, eta=Fraction(1, 4)
    )


# Theorem 4.3 (1). The subject is 1 for "increasing", −1 for "decreasing".


def charge_rises_words(subject: int, context: Context) -> Evidence:
    """Differentiate C along the orbit with n free: ‖Aθ‖²."""
    del context
    law = quadratic_charge()
    slope = differential(law.charge, {law.theta: law.A @ law.theta})
    return words_evidence(
        [("slope", slope, subject * norm2(law.A @ law.theta))],
        r"$\frac{d}{d\lambda}C(\theta_\lambda)$ against a square",
        "n, A and θ",
        (
            r"$\frac{d}{d\lambda}\theta_\lambda = A\theta_\lambda$; the square is "
            r"positive unless $A\theta = 0$, and then $C$ is constant.",
        ),
        Example(
            {"theta": sp.Matrix([1, 2]), "A": sp.diag(1, -1)},
            (),
            {"A": "diag(1, -1)", "theta": "(1, 2)"},
            {},
        ),
    )


def charge_rises_exact(subject: int, context: Context) -> Evidence:
    """Compare C at neighbouring points of the orbit."""

    def sides(instance: Instance) -> Sides | None:
        moved = [instance.moved(q) for q in _POSITIONS]
        if any(point is None for point in moved):
            return None
        values = [subject * instance.charge(point) for point in moved]
        rises = [b - a for a, b in pairwise(values)]
        return Sides(min(rises), Fraction(0), degenerate=not any(rises))

    return exact_evidence(
        "exact orbit",
        sides,
        context,
        "the least rise of $C$ between neighbouring points",
        examples=(_rescaling(((1, 1),), (1, 2)),),
        relation=Fraction.__ge__,
        shown=("least rise {}", "at least {}"),
    )


# Lemma B.1. The subject is a in Tr[Σ(θ_λ)A] = Tr[e^{aλA}ΣA].


def trace_words(subject: int, context: Context) -> Evidence:
    """Rewrite Tr[EΣEA] with E = e^{−λA}, which commutes with A, n free."""
    del context
    A, E, K, N = (matrix(name, "n", "n", symmetric=True) for name in "AEKN")
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    rules = {E @ A: K, E @ K: N}  # EA = AE = K and EK = KE = N
    power = identity("n")
    for _ in range(-subject):
        power = power @ E
    inverse = matrix("F", "n", "n", symmetric=True)
    for _ in range(subject):
        power = power @ inverse
    left = rewrite((E @ Sigma @ E @ A).tr(), rules)
    right = rewrite((power @ Sigma @ A).tr(), rules)
    return words_evidence(
        [("trace", left, right)],
        r"$\mathrm{Tr}[\Sigma(\theta_\lambda)A]$ against the formula",
        "n, A and Σ",
        (
            r"$\Sigma(\theta_\lambda) = E\Sigma E$ with $E = e^{-\lambda A}$; $K = EA "
            r"= AE$ and $N = EK = KE$.",
        ),
        _TRANSPORTED,
    )


# e^λ = 2, ℓ = (uw − y)² at (1, 2) with y = 0, 2: Σ = [[16, 8], [8, 4]].
_E2, _A2 = sp.diag(sp.Rational(1, 2), 2), sp.diag(1, -1)
_TRANSPORTED = Example(
    {
        "A": _A2,
        "E": _E2,
        "F": _E2.inv(),
        "K": _E2 * _A2,
        "N": _E2**2 * _A2,
        "Sigma": sp.Matrix([[16, 8], [8, 4]]),
    },
    (),
    {
        "loss": "(u*w - y)**2",
        "u": "1",
        "w": "2",
        "data": "y=0; y=2",
        "exp(lambda)": "2",
    },
    {},
)


def trace_exact(subject: int, context: Context) -> Evidence:
    """Recompute Tr[ΣA] from the loss at θ_λ and compare with the formula."""
    q = Fraction(3, 2)

    def sides(instance: Instance) -> Sides | None:
        gradients = gradients_at(instance, q)
        projectors = instance.projectors()
        if gradients is None or projectors is None:
            return None
        left = _trace(product(covariance(gradients), instance.A))
        before = covariance(instance.gradients())
        right = sum(
            (
                q ** (subject * m) * m * _trace(product(P, before))
                for m, P in projectors
            ),
            Fraction(0),
        )
        return Sides(left, right, degenerate=not left and not right)

    return exact_evidence(
        "exact sums",
        sides,
        context,
        r"$\mathrm{Tr}[\Sigma(\theta_\lambda)A]$",
        examples=(_rescaling(((1, 0), (1, 2)), (1, 2)),),
        min_samples=2,
    )


def _trace(M: Matrix) -> Fraction:
    return sum((M[i][i] for i in range(len(M))), Fraction(0))


# Theorem D.1: one step without decay, C = θᵀAθ as printed. The subject of the law is c
# in ΔC = c·η²Tr[Σ_dA]; that of uniqueness "moving" or "always".


def minibatches(instance: Instance, gradients: tuple[Vector, ...]) -> list[Vector]:
    """Return the gradient of every minibatch of the instance's size, at most 2."""
    size = min(instance.batch_size, 2)
    return [mean(batch) for batch in cartesian(gradients, repeat=size)]


def step_law_exact(subject: Fraction, context: Context) -> Evidence:
    """Take every minibatch as a step without decay and compare with ggᵀ."""

    def sides(instance: Instance) -> Sides:
        A, eta, theta = instance.A, instance.eta, instance.theta
        found = Sides(Fraction(0), Fraction(0), degenerate=True)
        for g in minibatches(instance, instance.gradients()):
            moved = tuple(t - eta * d for t, d in zip(theta, g, strict=True))
            outer = tuple(tuple(a * b for b in g) for a in g)
            left = form(A, moved) - form(A, theta)
            right = subject * eta**2 * _trace(product(outer, A))
            if left != right:
                return Sides(left, right)
            if left:
                found = Sides(left, right)
        return found

    return exact_evidence(
        "exact steps",
        sides,
        context,
        r"$C(\theta') - C(\theta)$ after one step",
        examples=(_rescaling(((1, 0),), (1, 2)),),
    )


def step_slope_words(subject: str, context: Context) -> Evidence:
    """Differentiate G_d = η²Tr[MA] along the orbit, M = E[ggᵀ] over minibatches."""
    del context
    A, M = (matrix(name, "n", "n", symmetric=True) for name in "AM")
    eta2 = scalar("eta", 2)
    slope = differential(eta2 * (M @ A).tr(), {M: -(A @ M + M @ A)})
    square = 2 * eta2 * (M @ A @ A).tr()
    steps = (
        r"$g(\theta_\lambda) = e^{-\lambda A}g(\theta)$ for every minibatch, so "
        r"$\frac{d}{d\lambda}M = -(AM + MA)$.",
        r"$\mathrm{Tr}[MA^2] = E\|Ag\|^2 \ge 0$, and it vanishes at one point of the "
        r"orbit iff it does at all; else $G_d$ falls strictly: one zero at most.",
    )
    if subject == "always":
        return _resting(slope)
    return words_evidence(
        [("slope", slope, -square)],
        r"$\partial_\lambda G_d$ against $-2\eta^2\mathrm{Tr}[MA^2]$",
        "n, A and the data",
        steps,
    )


# ℓ = (uw − y)² at (1, 2) with y = 2: every gradient is 0.
_INTERPOLATED = Example(
    {"A": sp.diag(1, -1), "M": sp.zeros(2, 2)},
    (),
    {"loss": "(u*w - y)**2", "u": "1", "w": "2", "data": "y=2", "eta": "1"},
    {"eta": sp.S.One},
)


def _resting(slope: MatrixPolynomial) -> Evidence:
    """Evaluate the slope where all samples are fitted."""
    found = _INTERPOLATED.value(slope)[0, 0]
    if found < 0:
        reason = f"the slope of the example is {found}"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "Where every sample is fitted, G_d is 0 on the whole orbit.",
        instances=1,
        counterexample=Witness(
            _INTERPOLATED.shown, f"slope of G_d = {found}", "less than 0", exact=True
        ),
    )


def step_falls_exact(subject: str, context: Context) -> Evidence:
    """Average ΔC over all minibatches at points of the orbit; it must fall strictly."""

    def sides(instance: Instance) -> Sides | None:
        values: list[Fraction] = []
        for q in _POSITIONS:
            point, gradients = instance.moved(q), gradients_at(instance, q)
            if point is None or gradients is None:
                return None
            values.append(_mean_change(instance, point, gradients))
        here = minibatches(instance, instance.gradients())
        moving = any(any(_applied(instance.A, g)) for g in here)
        if subject == "moving" and not moving:
            return None
        return Sides(min(a - b for a, b in pairwise(values)), Fraction(0))

    return exact_evidence(
        "exact orbit",
        sides,
        context,
        "the least fall of $G_d$ between neighbouring points (left) must exceed 0",
        examples=(_rescaling(((1, 2),), (1, 2)),),
        relation=Fraction.__gt__,
        shown=("least fall of G_d: {}", "more than {}"),
    )


def _applied(A: Matrix, g: Vector) -> Vector:
    return tuple(
        sum((a * b for a, b in zip(row, g, strict=True)), g[0] * 0) for row in A
    )


def _mean_change(
    instance: Instance, point: Vector, gradients: tuple[Vector, ...]
) -> Fraction:
    """Return E[C(θ') − C(θ)] over the minibatches, no decay, C = θᵀAθ."""
    A, eta = instance.A, instance.eta
    changes = [
        form(A, tuple(t - eta * d for t, d in zip(point, g, strict=True)))
        - form(A, point)
        for g in minibatches(instance, gradients)
    ]
    return sum(changes, Fraction(0)) / len(changes)


# D19: (E[C'] − C)/η less the SDE's Ċ. The subject are the factors of the gap.


@dataclass(frozen=True, slots=True)
class Gap:
    """signal·ηḡᵀAḡ + decay·ηγ²C, C = ½θᵀAθ; both 0 where SGD is taken for its SDE."""

    signal: Fraction = Fraction(0)
    decay: Fraction = Fraction(0)


def gap_exact(subject: Gap, context: Context) -> Evidence:
    """Average C' over all N^S minibatches and subtract −4γC + σ²Tr[ΣA]."""

    def sides(instance: Instance) -> Sides:
        size = min(instance.batch_size, 2)
        case = instance.with_(batch_size=size)
        parts, eta = flow_parts(case), case.eta
        kappa = 1 - 2 * eta * case.gamma
        after = [
            form(
                case.A,
                tuple(kappa * t - eta * d for t, d in zip(case.theta, g, strict=True)),
            )
            / 2
            for g in minibatches(case, parts["gradients"])
        ]
        C = parts["charge"]
        change = (sum(after, Fraction(0)) / len(after) - C) / eta
        flow = -4 * case.gamma * C + case.sigma2 * parts["trace"]
        claimed = subject.signal * eta * parts["signal"]
        claimed += subject.decay * eta * case.gamma**2 * C
        trivial = not parts["signal"] and not case.gamma * C
        return Sides(change - flow, claimed, degenerate=trivial, case=case)

    still = _rescaling(((1, 0),), (1, 2))
    return exact_evidence(
        "exact expectation",
        sides,
        context,
        r"$(E[C'] - C)/\eta - \dot C$",
        examples=(
            still,
            _rescaling(((1, 2),), (1, 2)).with_(gamma=Fraction(1)),
        ),
        shown=("the gap is {}", "claimed {}"),
    )


def gap_words(subject: Gap, context: Context) -> Evidence:
    """Derive one step and its mean over minibatches of S = 1…4, n and the data free."""
    del context
    law = quadratic_charge()
    step = matrix_step(law.charge, {law.theta: law.g})
    eta, gamma, A, g = scalar("eta"), scalar("gamma"), law.A, law.g
    G = matrix("G_theta", "n", 1)
    kappa = identity(1) - 2 * eta * gamma
    half = Fraction(1, 2)
    centre = g.mean()
    one, two = (g.T @ A @ g).mean(), centre.T @ A @ centre

    def rows() -> Iterator[Row]:
        first = law.on_shell(step.per_sample)
        yield "first order in g, each sample", first, zero(1, 1)
        after = step.next_charge - step.first_order
        squares = half * eta * eta * (G.T @ A @ G)
        yield "one step", after, kappa * kappa * law.charge + squares
        for S in range(1, 5):
            # gᵀAg of a minibatch: S pairs of a sample with itself, S(S − 1) of two.
            mean_square = zero(1, 1)
            for i, j in cartesian(range(S), repeat=2):
                mean_square += Fraction(1, S * S) * (one if i == j else two)
            moved = (after - squares) + half * eta * eta * mean_square - law.charge
            flow = -4 * gamma * law.charge + Fraction(1, 2 * S) * eta * (one - two)
            gap = subject.signal * eta * two
            gap += subject.decay * eta * gamma * gamma * law.charge
            yield f"gap times η, S = {S}", moved - eta * flow, eta * gap

    return words_evidence(
        rows(),
        r"$E[C'] - C$ less $\eta\dot C$",
        "n, A and the data",
        (r"Samples of a minibatch are drawn independently of each other.",),
        _GAP,
    )


# ℓ = (uw − y)² at (1, 2) with y = 0, as in the exact route: g = (8, 4).
_GAP = Example(
    {
        "theta": sp.Matrix([1, 2]),
        "A": sp.diag(1, -1),
        "G_theta": sp.Matrix([8, 4]),
    },
    ({"g": sp.Matrix([8, 4])},),
    {"loss": "(u*w - y)**2", "u": "1", "w": "2", "data": "y=0", "gamma": "1"},
    {"gamma": sp.S.One, "eta": sp.S.One},
)

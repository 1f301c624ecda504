"""Routes for the charge and its flow: (4), (5), (6), (7) and the exact discrete law."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product as cartesian
from operator import mul

import numpy as np
import sympy as sp

from numeric import compile as compile_derivation
from symbolic import Declaration
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import NotRational, apply, dot, form, mean, whole
from verify._instances import Instance, derived, flow_parts
from verify._routes._common import (
    Factors,
    Sides,
    by_hand,
    declarations_of,
    exact_evidence,
    numeric_evidence,
    symbolic_evidence,
)
from verify._strategies import instances


u, w, x, y = sp.symbols("u w x y")
SIGMA2, GAMMA, ETA = (
    sp.Symbol("sigma2", positive=True),
    sp.Symbol("gamma", real=True),
    sp.Symbol("eta", positive=True),
)
_UNIT_ROUNDOFF = 2.0**-53


def half_form(declaration: Declaration) -> sp.Expr:
    """Return ½θᵀAθ, typed in from A, not derived."""
    return _quadratic(declaration) / 2


def _quadratic(declaration: Declaration) -> sp.Expr:
    theta = sp.Matrix(declaration.space.symbols)
    return sp.expand((theta.T * declaration.symmetry.matrix * theta)[0, 0])


# (4): conservation under gradient flow. The subject is "charge" or "perturbed".


def conservation_symbolic(subject: str, context: Context) -> Evidence:
    """Decide ∇ℓ·∇Q = 0 for the derived charge, sample by sample."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            theta, loss = declaration.space.symbols, declaration.loss
            if loss is None:
                continue
            Q = derived(declaration).charge
            if subject == "perturbed":
                Q += theta[0] ** 2 / 2
            rate = sum(
                -g * Q.diff(s) for g, s in zip(loss.gradient, theta, strict=True)
            )
            yield declaration.name, rate, sp.S.Zero

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$-\nabla\ell\cdot\nabla C$ against 0",
        (
            r"$\dot C = \nabla C\cdot\dot\theta = -\nabla L\cdot J = "
            r"-E[\nabla\ell\cdot J] = 0$.",
        ),
    )


# (6): the antiderivative. The subject is m in C = m·θᵀAθ.


def antiderivative_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Compare the gradient of m·θᵀAθ with the declared J, entry by entry."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            C = sp.Rational(subject.numerator, subject.denominator) * _quadratic(
                declaration
            )
            for s, j in zip(
                declaration.space.symbols, declaration.symmetry.generator, strict=True
            ):
                yield declaration.name, C.diff(s), j

    return symbolic_evidence("derivation", rows(), r"$\nabla C$ against $J = A\theta$")


def antiderivative_derived(subject: Fraction, context: Context) -> Evidence:
    """Compare m·θᵀAθ with the charge the Poincaré lemma gives."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            m = sp.Rational(subject.numerator, subject.denominator)
            yield (
                declaration.name,
                m * _quadratic(declaration),
                derived(declaration).charge,
            )

    return symbolic_evidence(
        "Poincaré lemma", rows(), r"$C$ against $\int_0^1\theta\cdot J(t\theta)dt$"
    )


def antiderivative_exact(subject: Fraction, context: Context) -> Evidence:
    """Take central differences of m·θᵀAθ, which are exact for a quadratic form."""

    def sides(instance: Instance) -> Sides:
        J = apply(instance.A, instance.theta)
        i = max(range(len(J)), key=lambda k: abs(J[k]))
        h = Fraction(1, 3)
        ends = [
            subject
            * form(
                instance.A,
                tuple(t + e * h * (k == i) for k, t in enumerate(instance.theta)),
            )
            for e in (1, -1)
        ]
        return Sides((ends[0] - ends[1]) / (2 * h), J[i], degenerate=not any(J))

    first = by_hand((u * w * x - y) ** 2, [[1, 0], [0, -1]], ((1, 0),), (1, 0))
    return exact_evidence(
        "exact differences",
        sides,
        context,
        r"$\partial C/\partial\theta_i$ against $J_i$",
        examples=(first,),
    )


# (5), (7): the flow. The subject is `Factors`.


def flow_symbolic(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Compare each part of the flow that Itô's lemma gives with the formula."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            flow, claimed = (
                derived(declaration).flow,
                _claimed_flow(subject, declaration),
            )
            at_zero = {GAMMA: sp.S.Zero}
            yield declaration.name, flow.noise, claimed.xreplace(at_zero)
            yield declaration.name, flow.loss, sp.S.Zero
            if decay:
                yield declaration.name, flow.expression, claimed

    return symbolic_evidence(
        "Itô's lemma",
        rows(),
        "the drift derived from the SDE against the formula",
        (
            r"$d\theta = -(\nabla L + 2\gamma\theta)dt + \sqrt{2\sigma^2\Sigma}\,dW$ "
            r"and $dC = (\nabla C\cdot\mu + "
            r"\frac12\mathrm{Tr}[2\sigma^2\Sigma\nabla^2C])dt + \nabla "
            r"C^\top\sqrt{2\sigma^2\Sigma}\,dW$.",
            r"$\nabla C = J$ and $\nabla\ell\cdot J = 0$ for every sample: $\nabla "
            r"L\cdot J = 0$ and $J^\top\Sigma J = 0$, so the $dW$ term vanishes.",
        ),
    )


def _claimed_flow(subject: Factors, declaration: Declaration) -> sp.Expr:
    noise, decay = (
        sp.Rational(f.numerator, f.denominator) for f in (subject.noise, subject.decay)
    )
    trace = noise_trace(declaration)
    return decay * GAMMA * half_form(declaration) + noise * SIGMA2 * trace


def noise_trace(declaration: Declaration) -> sp.Expr:
    """Return Tr[ΣA], typed in from A, not derived."""
    names = [s.name for s in declaration.space.symbols]
    A = declaration.symmetry.matrix
    assert A is not None
    return sum(
        A[i, j] * sp.Symbol(f"Sigma_{names[min(i, j)]}_{names[max(i, j)]}", real=True)
        for i in range(len(names))
        for j in range(len(names))
    )


def flow_generator(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Average C over all sign patterns of a two-point noise, and let h → 0 exactly.

    One weak Euler step θ' = θ − h(∇L + 2γθ) + r Σ_k ξ_k c_k, with ξ_k = ±1, c_k the
    centred per-sample gradients and r² = 2σ²h/N, has E[C'] − C = ah + bh²; two steps
    give a, the drift, without Itô's lemma. The dW term is J·c_k, zero or not.

    Returns:
        The evidence.
    """

    def sides(instance: Instance) -> Sides:
        case = instance if decay else instance.with_(gamma=Fraction(0))
        parts = flow_parts(case)
        left = drift_of(case)
        right = (
            subject.decay * case.gamma * parts["charge"]
            + subject.noise * case.sigma2 * parts["trace"]
        )
        martingale = [dot(g, apply(case.A, case.theta)) for g in parts["gradients"]]
        if any(martingale):
            return Sides(max(martingale, key=abs), Fraction(0))
        return Sides(
            left, right, degenerate=not (parts["trace"] or case.gamma * parts["charge"])
        )

    first = by_hand(
        (u * w * x - y) ** 2,
        [[1, 0], [0, -1]],
        ((1, 1), (1, -1)),
        (1, 2),
        gamma=Fraction(1),
    )
    return exact_evidence(
        "exact generator",
        sides,
        context,
        r"$\lim_h E[C_h - C_0]/h$",
        examples=(first,),
        min_samples=2,
    )


def drift_of(instance: Instance) -> Fraction:
    """Return the drift of ½θᵀAθ under the SDE, from weak Euler steps, without Itô."""
    parts = flow_parts(instance)
    r, N = Fraction(1, 8), len(instance.samples)
    steps = [_euler_mean(instance, parts, scale) for scale in (r, 2 * r)]
    h = r**2 * N / (2 * instance.sigma2)
    return (16 * steps[0] - steps[1]) / (12 * h)


def _euler_mean(instance: Instance, parts: dict[str, object], r: Fraction) -> Fraction:
    gradients: tuple[tuple[Fraction, ...], ...] = parts["gradients"]  # type: ignore[assignment]
    centre: tuple[Fraction, ...] = parts["mean"]  # type: ignore[assignment]
    N = len(gradients)
    h = r**2 * N / (2 * instance.sigma2)
    base = tuple(
        t - h * (m + 2 * instance.gamma * t)
        for t, m in zip(instance.theta, centre, strict=True)
    )
    # In integers, over one denominator: there are 2ᴺ patterns.
    kicks = [r * (a - b) for g in gradients for a, b in zip(g, centre, strict=True)]
    numbers, d = whole([*base, *kicks])
    n = len(base)
    start, *rows = (numbers[k : k + n] for k in range(0, len(numbers), n))
    entries, c = whole([entry for row in instance.A for entry in row])
    A = [entries[k : k + n] for k in range(0, n * n, n)]
    total = 0
    for signs in cartesian((1, -1), repeat=N):
        moved = list(start)
        for e, row in zip(signs, rows, strict=True):
            moved = [a + e * b for a, b in zip(moved, row, strict=True)]
        image = [sum(map(mul, row, moved)) for row in A]
        total += sum(map(mul, moved, image))
    return Fraction(total, 2 * 2**N * c * d * d) - instance.charge()


def flow_compiled(subject: Factors, context: Context) -> Evidence:
    """Compare the compiled numpy and torch drifts with exact rationals."""

    def rows() -> Iterator[tuple[Instance, float, float, float]]:
        drawn = context.draw(
            instances(subject=context.subject, min_samples=2),
            context.profile.ensembles,
            "compiled",
        )
        for instance in drawn:
            try:
                parts = flow_parts(instance)
            except NotRational:
                continue
            right = float(
                subject.decay * instance.gamma * parts["charge"]
                + subject.noise * instance.sigma2 * parts["trace"]
            )
            G = np.array([[float(v) for v in g] for g in parts["gradients"]])
            theta = np.array([float(v) for v in instance.theta])
            A = np.array([[float(v) for v in row] for row in instance.A])
            n, N = len(theta), len(G)
            size = (
                float(instance.gamma) * 2 * abs(theta) @ abs(A) @ abs(theta)
                + float(instance.sigma2) * 4 * (abs(G) @ abs(A) * abs(G)).sum()
            )
            bound = 4 * (n * n + N + 8) * _UNIT_ROUNDOFF * size
            drawn_from = instance.declaration  # its loss is not needed for the drift
            law = derived(Declaration("", drawn_from.space, drawn_from.symmetry))
            options = {"sigma2": float(instance.sigma2), "gamma": float(instance.gamma)}
            left = compile_derivation(law, "numpy").drift(theta, gradients=G, **options)
            yield instance, float(left), right, bound

    return numeric_evidence(
        "compiled code", rows(), "the compiled drift against exact rationals"
    )


# The exact discrete law. The subject is c in C' = κ²C + c·η²gᵀAg.


def discrete_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Compare the derived law with the claimed one, as polynomials in θ, g, η, γ."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            g = sp.Matrix(
                [sp.Symbol(f"g_{s.name}", real=True) for s in declaration.space.symbols]
            )
            c = sp.Rational(subject.numerator, subject.denominator)
            noise = (g.T * declaration.symmetry.matrix * g)[0, 0]
            claimed = (1 - 2 * ETA * GAMMA) ** 2 * half_form(
                declaration
            ) + c * ETA**2 * noise
            yield declaration.name, derived(declaration).exact_law.next_charge, claimed

    return symbolic_evidence(
        "derivation",
        rows(),
        "the derived one-step law against the formula",
        (
            r"$C(\theta') = \frac12\theta'^\top A\theta'$ with $\theta' = "
            r"(1-2\eta\gamma)\theta - \eta g$; the cross term is "
            r"$-\eta(1-2\eta\gamma)\,g\cdot A\theta = 0$.",
        ),
    )


def discrete_exact(subject: Fraction, context: Context) -> Evidence:
    """Take every minibatch of size ≤ 2 as a real SGD step, in exact rationals."""

    def sides(instance: Instance) -> Sides:
        gradients, A = instance.gradients(), instance.A
        kappa = 1 - 2 * instance.eta * instance.gamma
        worst = Sides(Fraction(0), Fraction(0), degenerate=True)
        for size in (1, 2):
            for batch in cartesian(gradients, repeat=size):
                g = mean(batch)
                moved = tuple(
                    kappa * t - instance.eta * d
                    for t, d in zip(instance.theta, g, strict=True)
                )
                left = form(A, moved) / 2
                right = kappa**2 * instance.charge() + subject * instance.eta**2 * form(
                    A, g
                )
                if left != right:
                    return Sides(left, right)
                worst = Sides(
                    left, right, degenerate=worst.degenerate and not form(A, g)
                )
        return worst

    first = by_hand(
        (u * w * x - y) ** 2, [[1, 0], [0, -1]], ((1, 0),), (1, 2), eta=Fraction(1, 4)
    )
    return exact_evidence(
        "exact steps", sides, context, r"$C(\theta')$ after one step", examples=(first,)
    )


def discrete_expectation(subject: Fraction, context: Context) -> Evidence:
    """Average C' over all N² minibatches of two: κ²C + c·η²(ḡᵀAḡ + Tr[ΣA]/2)."""

    def sides(instance: Instance) -> Sides:
        parts = flow_parts(instance)
        kappa = 1 - 2 * instance.eta * instance.gamma
        batches = [mean(pair) for pair in cartesian(parts["gradients"], repeat=2)]
        total = sum(
            (
                form(
                    instance.A,
                    tuple(
                        kappa * t - instance.eta * d
                        for t, d in zip(instance.theta, g, strict=True)
                    ),
                )
                / 2
                for g in batches
            ),
            Fraction(0),
        )
        right = kappa**2 * parts["charge"] + subject * instance.eta**2 * (
            parts["signal"] + parts["trace"] / 2
        )
        return Sides(total / len(batches), right, degenerate=not parts["trace"])

    return exact_evidence(
        "exact expectation",
        sides,
        context,
        r"$E[C']$ over all minibatches",
        min_samples=2,
    )

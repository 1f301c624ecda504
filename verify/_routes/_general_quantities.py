"""What the general routes compute of a case: noise, balance and mean steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import product as cartesian
from typing import Any

import hypothesis.strategies as st

from verify._context import Context
from verify._evidence import Evidence
from verify._exact import (
    Matrix,
    NotRational,
    Vector,
    apply,
    covariance,
    dot,
    form,
    mean,
)
from verify._routes._common import Sides, drawn_evidence
from verify._routes._general_cases import Case, Gradients, MonomialNet, nets
from verify._strategies import instances


Spectrum = tuple[tuple[int, Fraction, Fraction], ...]  # (μ_k, t_k, s_k)
_MOST_BATCHES = 64


def on_cases(
    route: str,
    sides: Callable[[Any], Sides | None],
    context: Context,
    what: str,
    *,
    examples: tuple[Case, ...],
    strategy: st.SearchStrategy[MonomialNet] | None = None,
    **options: Any,
) -> Evidence:
    """Check a relation on drawn nets, or on instances of the user's declaration.

    Args:
        route: the route's name.
        sides: both sides on a case; None where it does not apply.
        context: profile and streams.
        what: what was compared.
        examples: cases tried first.
        strategy: what to draw where there is no subject; `nets` where None.
        options: as `drawn_evidence` takes them.

    Returns:
        SUPPORTED, REFUTED or NOT_APPLICABLE.
    """

    def guarded(case: Any) -> Sides | None:
        try:
            return sides(case)
        except NotRational:
            return None

    source: st.SearchStrategy[Any] = (
        (nets() if strategy is None else strategy)
        if context.subject is None
        else instances(context.subject, min_samples=2)
    )
    first: tuple[Any, ...] = examples if context.subject is None else ()
    # A drawn net does not shrink, and on a declaration of the user's own what fails is
    # a statement that is false in general.
    unshrunk = replace(context, shrink=False)
    return drawn_evidence(
        route, guarded, source, unshrunk, what, examples=first, **options
    )


def spectrum_of(case: Case) -> Spectrum | None:
    """Return μ_k, t_k = θᵀP_kθ and s_k = Tr[P_kΣ], or None without a spectrum."""
    projectors = case.projectors()
    if projectors is None:
        return None
    centred = deviations(case.gradients())
    return tuple(
        (
            value,
            form(P, case.theta),
            sum((form(P, c) for c in centred), Fraction(0)) / len(centred),
        )
        for value, P in projectors
    )


def deviations(gradients: Gradients) -> Gradients:
    """Return the centred gradients."""
    centre = mean(gradients)
    return tuple(
        tuple(a - b for a, b in zip(g, centre, strict=True)) for g in gradients
    )


def charge(case: Case, theta: Vector | None = None) -> Fraction:
    """Return ½θᵀAθ."""
    return form(case.A, case.theta if theta is None else theta) / 2


def noise_trace(case: Case, gradients: Gradients | None = None) -> Fraction:
    """Return Tr[ΣA] as the mean of (g − ḡ)ᵀA(g − ḡ)."""
    centred = deviations(case.gradients() if gradients is None else gradients)
    return sum((form(case.A, c) for c in centred), Fraction(0)) / len(centred)


def squared_noise(case: Case) -> Fraction:
    """Return Tr[ΣA²] as the mean of ‖A(g − ḡ)‖²."""
    moved = [apply(case.A, c) for c in deviations(case.gradients())]
    return sum((dot(m, m) for m in moved), Fraction(0)) / len(moved)


def balance_at(case: Case, q: Fraction) -> Fraction:
    """Return G(θ_λ) at e^λ = q, with Σ recomputed from the loss there.

    Raises:
        NotRational: where θ_λ or a gradient is not rational.
    """
    there = case.moved(q)
    if there is None:
        raise NotRational("an eigenvalue is no integer")
    noise = noise_trace(case, case.gradients(there))
    return -4 * case.gamma * charge(case, there) + case.sigma2 * noise


def batch_means(gradients: Gradients, size: int) -> Gradients:
    """Return the mean gradient of every minibatch drawn with replacement."""
    return tuple(mean(batch) for batch in cartesian(gradients, repeat=size))


def steps(case: Case, *, eta: Fraction | None = None) -> Gradients | None:
    """Return θ' = θ − η(g_B + 2γθ) for every minibatch, or None for too many."""
    gradients = case.gradients()
    if len(gradients) ** case.batch_size > _MOST_BATCHES:
        return None
    rate = case.eta if eta is None else eta
    kappa = 1 - 2 * rate * case.gamma
    return tuple(
        tuple(kappa * t - rate * g for t, g in zip(case.theta, batch, strict=True))
        for batch in batch_means(gradients, case.batch_size)
    )


def mean_step(case: Case, f: Callable[[Vector], Fraction], eta: Fraction) -> Fraction:
    """Return (E f(θ') − f(E θ'))/η over all minibatches: what the noise adds.

    Raises:
        NotRational: where there are too many minibatches to go through.
    """
    after = steps(case, eta=eta)
    if after is None:
        raise NotRational("too many minibatches")
    average = sum((f(theta) for theta in after), Fraction(0)) / len(after)
    return (average - f(mean(after))) / eta


def covariance_of(case: Case) -> Matrix:
    """Return Σ(θ)."""
    return covariance(case.gradients())


def sign(value: Fraction) -> Fraction:
    """Return −1, 0 or 1."""
    return Fraction((value > 0) - (value < 0))


def balance_of(case: Case, spectrum: Spectrum, q: Fraction) -> Fraction:
    """Return G(θ_λ) at e^λ = q from μ_k, t_k and s_k."""
    return sum(
        (
            m * (case.sigma2 * s * q ** (-2 * m) - 2 * case.gamma * t * q ** (2 * m))
            for m, t, s in spectrum
        ),
        Fraction(0),
    )

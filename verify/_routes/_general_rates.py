"""Routes for rates: the norm under scale invariance, times and phases, silence."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product as cartesian

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    differential,
    identity,
    matrix,
    matrix_flow,
    norm2,
    quadratic_charge,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Vector, dot, mean
from verify._routes._common import Sides, in_general
from verify._routes._general_cases import (
    Case,
    nets,
    plain_net,
    product_pair,
)
from verify._routes._general_product import PRODUCT
from verify._routes._general_quantities import (
    charge,
    covariance_of,
    mean_step,
    on_cases,
    steps,
)
from verify._routes._words import (
    ROUTE,
    Example,
    Row,
    scale_invariant_subject,
    words_evidence,
)


_ZERO = Fraction(0)


# The norm under scale invariance. The subject of `step_*` is c in
# ‖θ'‖² = ‖θ‖² + cη²‖∇L‖², that of `diverges_*` "always" or "integral".


def _scale_nets() -> st.SearchStrategy[object]:
    return nets(spectrum=(1,), least=2)


def _scale_invariant(case: Case) -> bool:
    return all(
        entry == int(i == j)
        for i, row in enumerate(case.A)
        for j, entry in enumerate(row)
    )


_SCALE = Example(
    {"theta": sp.Matrix([1, 0]), "G_theta": sp.Matrix([0, -2])},
    ({"g": sp.Matrix([0, -2])},),
    {"loss": "(w/u - y)**2", "u": "1", "w": "0", "data": "y=1", "eta": "1/2"},
    {"eta": sp.Rational(1, 2), "sigma2": sp.S.One},
)


def step_norm_words(subject: Fraction, context: Context) -> Evidence:
    """Expand ‖θ − ηG‖² with n free; G·θ = 0 for the full gradient too."""
    if context.subject is not None and not scale_invariant_subject(context):
        return _refusal()
    law = quadratic_charge(identity("n"))
    theta, eta = law.theta, scalar("eta")
    G = law.g.mean()
    after = law.on_shell(norm2(theta - eta * G))
    claimed = norm2(theta) + subject * (eta * eta * norm2(G))
    return words_evidence(
        [("one step", after, claimed)],
        r"$\|\theta - \eta\nabla L\|^2$ against the formula",
        "n and the data",
        (r"$\theta\cdot\nabla\ell = 0$ for every sample, hence for $\nabla L$.",),
        _SCALE,
    )


def step_norm_exact(subject: Fraction, context: Context) -> Evidence:
    """Take one step of full gradient descent in exact rationals."""

    def sides(case: Case) -> Sides | None:
        if not _scale_invariant(case):
            return None
        centre = mean(case.gradients())
        after = tuple(t - case.eta * g for t, g in zip(case.theta, centre, strict=True))
        square = dot(centre, centre)
        claimed = dot(case.theta, case.theta) + subject * case.eta**2 * square
        return Sides(dot(after, after), claimed, degenerate=not square)

    return on_cases(
        "exact step",
        sides,
        context,
        r"$\|\theta'\|^2$ after a step of GD",
        examples=(plain_net((1, 1), [(-1, 1)], [(1, 1)], (1, 0)),),
        strategy=nets(spectrum=(1,), least=2),
    )


def diverges_words(subject: str, context: Context) -> Evidence:
    """Derive d‖θ‖⁴ by Itô's lemma and move Σ to the unit sphere, n free."""
    if context.subject is not None and not scale_invariant_subject(context):
        return _refusal()
    if subject == "always":
        return _interpolated(context)
    law = quadratic_charge(identity("n"))
    theta, g = law.theta, law.g
    quartic = norm2(theta) * norm2(theta)
    flow = matrix_flow(quartic, {theta: g})
    spread = (g.T @ g).mean() - g.mean().T @ g.mean()

    def rows() -> Iterator[Row]:
        claimed = 4 * (scalar("sigma2") * norm2(theta) * spread)
        yield "noise", law.on_shell(flow.noise), claimed
        yield "loss", law.on_shell(flow.loss), zero(1, 1)
        yield "diffusion", law.on_shell(flow.diffusion), zero(1, 1)
        yield "homogeneity", _scaled_noise(), zero(1, 1)

    return words_evidence(
        rows(),
        r"the drift of $\|\theta\|^4$ against $4\sigma^2\|\theta\|^2\mathrm{Tr}\,"
        r"\Sigma(\theta) = \frac{2\eta}{S}\mathrm{Tr}\,\Sigma(\hat\theta)$",
        "n and the data",
        (
            r"$\Sigma(e^\lambda\theta) = e^{-2\lambda}\Sigma(\theta)$: "
            r"$\|\theta\|^2\mathrm{Tr}\,\Sigma(\theta)$ is the same along the ray, "
            r"$\mathrm{Tr}\,\Sigma(\hat\theta)$.",
            r"No $dW$ term: $\|\theta_t\|^4 = \|\theta_0\|^4 + \frac{2\eta}{S}"
            r"\int_0^t\mathrm{Tr}\,\Sigma(\hat\theta)\,dt'$ on every path, unbounded "
            r"iff the integral is.",
        ),
        _SCALE,
    )


def _refusal() -> Evidence:
    return Evidence(
        ROUTE, Verdict.NOT_APPLICABLE, "Scale invariance of all parameters is A = I."
    )


def _interpolated(context: Context) -> Evidence:
    """Return a point where ‖θ‖⁴ does not grow: gradients 0, so it never will."""
    law = quadratic_charge(identity("n"))
    quartic = norm2(law.theta) * norm2(law.theta)
    flow = matrix_flow(quartic, {law.theta: law.g})
    shown = {"loss": "(w/u - y)**2", "u": "1", "w": "1", "data": "y=1"}
    values = {"theta": sp.Matrix([1, 1])}
    example = Example(
        values,
        ({"g": sp.zeros(2, 1)},),
        shown,
        {"sigma2": sp.S.One, "gamma": sp.S.Zero},
    )
    rate = example.value(flow.expression)[0, 0]
    if rate != 0:
        reason = f"the rate of the example is {rate}"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "Interpolated data leave θ where it is." + in_general(context),
        instances=1,
        counterexample=Witness(
            shown, f"d|theta|^4/dt = {rate}", "more than 0", exact=True
        ),
    )


def _scaled_noise() -> MatrixPolynomial:
    """Return d(‖θ‖²Tr Σ)/dλ along the ray."""
    theta = matrix("theta", "n", 1)
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    f = norm2(theta) * Sigma.tr()
    return differential(f, {theta: theta, Sigma: -2 * Sigma})


def diverges_exact(subject: str, context: Context) -> Evidence:
    """Average ‖θ‖⁴ over all signs of a two-point noise; Σ is taken at θ̂ and at 2θ̂."""

    def sides(case: Case) -> Sides | None:
        if not _scale_invariant(case):
            return None
        bare = case.with_(gamma=_ZERO)
        rate = _quartic_rate(bare)
        if subject == "always":
            return Sides(rate, _ZERO)
        unit = _unit(bare.theta)
        claims = []
        for radius in (Fraction(1), Fraction(2)):
            there = bare.with_(theta=tuple(radius * t for t in unit))
            claims.append((_quartic_rate(there), _on_sphere(bare, unit)))
        left, right = next(((p, q) for p, q in claims if p != q), claims[0])
        return Sides(left, right, degenerate=not right)

    return on_cases(
        "exact generator",
        sides,
        context,
        r"$d\|\theta\|^4/dt$",
        # ℓ = (w/u − 1)² at (1, 1): interpolated, ∇ℓ = 0, nothing moves.
        examples=(plain_net((1, 1), [(-1, 1)], [(1, 1), (1, 1)], (1, 1)),),
        strategy=nets(spectrum=(1,), least=2),
        relation=Fraction.__gt__ if subject == "always" else Fraction.__eq__,
    )


def _on_sphere(case: Case, unit: Vector) -> Fraction:
    """Return (2η/S)Tr Σ(θ̂)."""
    Sigma = covariance_of(case.with_(theta=unit))
    trace = sum((Sigma[i][i] for i in range(len(unit))), _ZERO)
    return 2 * case.eta / case.batch_size * trace


def _unit(theta: Vector) -> Vector:
    """Return a rational unit vector, by stereographic projection of θ."""
    *rest, last = theta
    v = tuple(t / (last or 1) for t in rest)
    norm = dot(v, v)
    return (*(2 * t / (norm + 1) for t in v), (norm - 1) / (norm + 1))


def _quartic_rate(case: Case) -> Fraction:
    """Return the drift of ‖θ‖⁴ under (1), from weak Euler steps, without Itô."""
    gradients = case.gradients()
    centre, N = mean(gradients), len(gradients)
    centred = [tuple(a - b for a, b in zip(g, centre, strict=True)) for g in gradients]
    norm = dot(case.theta, case.theta)

    def average(r: Fraction) -> Fraction:
        total = _ZERO
        for signs in cartesian((1, -1), repeat=N):
            kick = [
                sum((e * c[i] for e, c in zip(signs, centred, strict=True)), _ZERO)
                for i in range(len(centre))
            ]
            moved = [t + r * k for t, k in zip(case.theta, kick, strict=True)]
            total += dot(moved, moved) ** 2
        return total / Fraction(2**N)

    one, two = average(Fraction(1)), average(Fraction(2))
    bend = (16 * one - two - 15 * norm**2) / 12  # of the term in r²
    pull = -4 * norm * dot(case.theta, centre)
    return bend * 2 * case.sigma2 / N + pull


# Rates against σ². The subject of `time_*` is e in time ∝ (σ²)^e; that of `phases_*`
# the exponents of η/S in the rates of the loss direction and of C.


def time_words(subject: int, context: Context) -> Evidence:
    """Compare Ċ for γ = 0 with (σ²)^{−e}Tr[ΣA], n free."""
    del context
    law = quadratic_charge()
    flow = matrix_flow(law.charge, {law.theta: law.g})
    claimed = scalar("sigma2", -subject) * law.noise_trace
    return words_evidence(
        [("rate", flow.noise, claimed)],
        r"$\dot C$ for $\gamma = 0$ against a power of $\sigma^2$",
        "n, A and the data",
        (
            r"On an orbit $\dot\lambda = \dot C/\|A\theta_\lambda\|^2 = "
            r"\sigma^2\mathrm{Tr}[\Sigma(\theta_\lambda)A]/\|A\theta_\lambda\|^2$, so "
            r"the time from one point to another is $\frac1{\sigma^2}\int"
            r"\|A\theta_\lambda\|^2/\mathrm{Tr}[\Sigma(\theta_\lambda)A]\,d\lambda$.",
        ),
        PRODUCT,
    )


def time_exact(subject: int, context: Context) -> Evidence:
    """Double η, which doubles σ², and compare the times that C takes, exactly."""

    def sides(case: Case) -> Sides | None:
        bare = case.with_(gamma=_ZERO)
        rates = [
            mean_step(bare, lambda point: charge(bare, point), eta)
            for eta in (bare.eta, 2 * bare.eta)
        ]
        if not rates[0]:
            return None
        return Sides(rates[0] / rates[1], Fraction(2) ** subject)

    return on_cases(
        "all minibatches",
        sides,
        context,
        r"the ratio of the times at $2\sigma^2$ and $\sigma^2$",
        examples=(product_pair(),),
    )


def phases_words(subject: tuple[int, int], context: Context) -> Evidence:
    """Compare the drifts of a·θ and of C with powers of σ², n free."""
    del context
    law = quadratic_charge()
    a = matrix("a", "n", 1)
    linear = matrix_flow(a.T @ law.theta, {law.theta: law.g})
    flow = matrix_flow(law.charge, {law.theta: law.g})
    loss, noise = (scalar("sigma2", k) for k in subject)

    def rows() -> Iterator[Row]:
        drift = linear.noise + linear.loss
        yield "along a", drift, -1 * (loss * (a.T @ law.g.mean()))
        yield "charge", flow.noise, noise * law.noise_trace

    return words_evidence(
        rows(),
        r"the drifts of $a\cdot\theta$ and of $C$ against powers of $\sigma^2$",
        "n, A, a and the data",
        (
            r"Across the orbits $\theta$ falls at $-\nabla L$, linearised "
            r"$-\nabla^2L\,\delta$; along them $C$ moves at "
            r"$\sigma^2\mathrm{Tr}[\Sigma A]$.",
        ),
        PRODUCT,
    )


def phases_exact(subject: tuple[int, int], context: Context) -> Evidence:
    """Double η: mean displacement and mean change of C over the time η, exactly."""

    def sides(case: Case) -> Sides | None:
        bare = case.with_(gamma=_ZERO)
        etas = (bare.eta, 2 * bare.eta)
        falls = []
        for eta in etas:
            after = steps(bare, eta=eta)
            if after is None:
                return None
            there = mean(after)
            gap = [(b - a) / eta for a, b in zip(bare.theta, there, strict=True)]
            falls.append(max(gap, key=abs))
        rates = [mean_step(bare, lambda p: charge(bare, p), eta) for eta in etas]
        if not falls[0] or not rates[0]:
            return None
        pairs = [
            (slow / quick, Fraction(2) ** power)
            for (quick, slow), power in zip((falls, rates), subject, strict=True)
        ]
        left, right = next(((p, q) for p, q in pairs if p != q), pairs[-1])
        return Sides(left, right)

    return on_cases(
        "all minibatches",
        sides,
        context,
        r"by how much the rates across and along the orbits grow with $2\sigma^2$",
        examples=(product_pair(),),
    )

"""Routes for a broken symmetry, ℓ = ℓ₁ + ζℓ₂ (P1, §4.4), C = θᵀAθ as printed there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import (
    differential,
    generic_equilibrium,
    matrix,
    matrix_flow,
    quadratic_charge,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Vector, apply, dot, form, mean
from verify._routes._common import Factors, Sides, symbolic_evidence
from verify._routes._general_cases import Case, drawn_number, product_pair, scale_pair
from verify._routes._general_quantities import (
    balance_of,
    charge,
    noise_trace,
    on_cases,
    sign,
    spectrum_of,
    steps,
)
from verify._routes._words import Example, Row, words_evidence


_ZERO = Fraction(0)
_TINY = Fraction(1, 2**80)  # ζ
_NEAR = Fraction(1, 2**20)  # how near the shift must be, relative to itself
_LAW = quadratic_charge()
_PULL = matrix("h", "n", 1)  # ∇ℓ₂
# ℓ₁ = (uw − y)² at (1, 2) with y = 0, 2, and ℓ₂ = u: g = (8, 4), (0, 0), ∇ℓ₂ = (1, 0).
_PRODUCT = Example(
    {"theta": sp.Matrix([1, 2]), "A": sp.diag(1, -1), "h": sp.Matrix([1, 0])},
    ({"g": sp.Matrix([8, 4])}, {"g": sp.Matrix([0, 0])}),
    {
        "loss": "(u*w - y)**2 + zeta*u",
        "u": "1",
        "w": "2",
        "data": "y=0; y=2",
        "A": "diag(1, -1)",
        "sigma2": "1",
        "zeta": "1",
    },
    {"sigma2": sp.S.One, "zeta": sp.S.One},
)


@dataclass(frozen=True, slots=True)
class Breaking:
    """ℓ₂ = Σ_i ½h_i(θ_i − c_i)² + ⅓k_iθ_i³.

    Attributes:
        h: curvatures.
        c: centres.
        k: cubic terms.
    """

    h: Vector
    c: Vector
    k: Vector

    def gradient(self, theta: Vector) -> Vector:
        """Return ∇ℓ₂."""
        rows = zip(self.h, self.c, self.k, theta, strict=True)
        return tuple(h * (t - c) + k * t * t for h, c, k, t in rows)

    def along(self, case: Case, theta: Vector) -> Fraction:
        """Return ∇ℓ₂·Aθ."""
        return dot(self.gradient(theta), apply(case.A, theta))


def breaking(case: Case) -> Breaking:
    """Return an ℓ₂ that goes with a case, the same one whenever it is asked for."""
    stream = random.Random(f"breaking {sorted(case.describe().items())}")
    h, c, k = (tuple(drawn_number(stream) for _ in case.theta) for _ in range(3))
    return Breaking(h, c, k)


def _drift(case: Case, pull: Vector) -> Fraction | None:
    """Return the drift of θᵀAθ for gradients g + pull: all minibatches, then η → 0.

    C is quadratic, so the noise's part of one step is exact at any η, and two steps
    along the mean give the slope of the rest.
    """
    after = steps(case)
    if after is None:
        return None
    A, eta = case.A, case.eta
    moved = [
        tuple(a - eta * p for a, p in zip(point, pull, strict=True)) for point in after
    ]
    average = sum((form(A, point) for point in moved), _ZERO) / len(moved)
    noise = (average - form(A, mean(moved))) / eta
    down = [g + p for g, p in zip(mean(case.gradients()), pull, strict=True)]
    values = [
        form(A, tuple(t - r * d for t, d in zip(case.theta, down, strict=True)))
        for r in (0, 1, 2)
    ]
    return noise + (4 * values[1] - values[2] - 3 * values[0]) / 2


# (18): the subject is Factors in Ċ = decay·ζ∇ℓ₂·Aθ + noise·σ²Tr[ΣA].


def broken_words(subject: Factors, context: Context) -> Evidence:
    """Derive the flow of θᵀAθ for gradients g + ζh, n free."""
    del context
    flow = matrix_flow(2 * _LAW.charge, {_LAW.theta: _LAW.g + scalar("zeta") * _PULL})
    pull = scalar("zeta") * (_PULL.T @ _LAW.A @ _LAW.theta)
    diffusion = _LAW.on_shell(flow.diffusion)

    def rows() -> Iterator[Row]:
        yield "loss", _LAW.on_shell(flow.loss), subject.decay * pull
        noise = subject.noise * scalar("sigma2") * _LAW.noise_trace
        yield "noise", flow.noise, noise
        yield "diffusion, centred", diffusion - diffusion.mean(), zero(1, 1)

    return words_evidence(
        rows(),
        r"the drift of $C = \theta^\top A\theta$ against the formula",
        "n, A, ℓ₂ and the data",
        (r"ℓ₂ has no data: Σ is that of ℓ₁, and there is no $dW$ term.",),
        _PRODUCT,
    )


def broken_exact(subject: Factors, context: Context) -> Evidence:
    """Compare the drift over all minibatches with the formula, ζ = 2/3."""
    zeta = Fraction(2, 3)

    def sides(case: Case) -> Sides | None:
        bare = case.with_(gamma=_ZERO)
        extra = breaking(case)
        pull = tuple(zeta * h for h in extra.gradient(bare.theta))
        left, trace = _drift(bare, pull), noise_trace(bare)
        if left is None:
            return None
        along = extra.along(bare, bare.theta)
        right = subject.decay * zeta * along + subject.noise * bare.sigma2 * trace
        return Sides(left, right, degenerate=not trace or not along)

    return on_cases(
        "all minibatches",
        sides,
        context,
        r"the drift of $C = \theta^\top A\theta$ for $\zeta = \frac23$",
        examples=(product_pair(),),
    )


# (19): the subject is m in ζ∇ℓ₂·Aθ* = mσ²Tr[ΣA].


def balance_words(subject: Fraction, context: Context) -> Evidence:
    """Compare twice (19)'s difference of sides with the drift that is to vanish."""
    del context
    flow = matrix_flow(2 * _LAW.charge, {_LAW.theta: _LAW.g + scalar("zeta") * _PULL})
    pull = scalar("zeta") * (_PULL.T @ _LAW.A @ _LAW.theta)
    gap = pull - subject * scalar("sigma2") * _LAW.noise_trace
    drift = _LAW.on_shell(flow.loss) + flow.noise
    return words_evidence(
        [("balance", -2 * gap, drift)],
        r"the difference of the sides of (19) against $-\frac12\dot C$",
        "n, A, ℓ₂ and the data",
        example=_PRODUCT,
    )


def balance_exact(subject: Fraction, context: Context) -> Evidence:
    """Choose ζ so that (19) holds at a drawn point, and take the drift there."""

    def sides(case: Case) -> Sides | None:
        bare = case.with_(gamma=_ZERO)
        extra, trace = breaking(case), noise_trace(bare)
        along = extra.along(bare, bare.theta)
        if not along or not trace:
            return None
        zeta = subject * bare.sigma2 * trace / along
        drift = _drift(bare, tuple(zeta * h for h in extra.gradient(bare.theta)))
        return None if drift is None else Sides(drift, _ZERO)

    return on_cases(
        "all minibatches",
        sides,
        context,
        r"the drift of $C$ where (19) holds",
        examples=(product_pair(),),
    )


# Small ζ: the subject is m in δλ = m·ζ∇ℓ₂·Aθ*/∂_λG and in Φ + mζℓ₂; C = ½θᵀAθ.


def shift_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Differentiate G(λ) − ζK(λ) = 0 implicitly, for the derived G in 1 to 4 terms."""
    del context
    zeta, slope = sp.symbols("zeta dlam", real=True)
    K = sp.Function("K")
    k = sp.Symbol("k", real=True)  # ∇ℓ₂·Aθ*
    m = sp.Rational(subject.numerator, subject.denominator)

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for n in range(1, 5):
            eq = generic_equilibrium(n)
            lam = next(s for s in eq.balance.free_symbols if s.name == "lam")
            moved = (eq.balance - zeta * K(lam)).subs(lam, lam + zeta * slope)
            order = moved.diff(zeta).doit().subs(zeta, 0).doit()
            order = order.subs(K(lam), k).subs(lam, 0)  # λ is counted from θ*
            claimed = m * k / eq.slope.subs(lam, 0)
            yield f"{n} eigenvalues", order.subs(slope, claimed), sp.S.Zero

    return symbolic_evidence(
        "implicit function",
        rows(),
        r"the first order in $\zeta$ of $G(\lambda^* + \delta\lambda) - "
        r"\zeta K(\lambda^* + \delta\lambda)$ against 0",
        (
            r"$K(\lambda) = \nabla\ell_2(\theta_\lambda)\cdot A\theta_\lambda$ and "
            r"$G(\lambda^*) = 0$, so $\partial_\lambda G\,\delta\lambda = \zeta "
            r"K(\lambda^*)$ to first order.",
        ),
    )


def shift_words(subject: Fraction, context: Context) -> Evidence:
    """Compare the drift with minus the slope of Φ + mζℓ₂ along the orbit, n free."""
    del context
    theta, A, l2 = _LAW.theta, _LAW.A, matrix("l", 1, 1)
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    gamma, sigma2, zeta = scalar("gamma"), scalar("sigma2"), scalar("zeta")
    chain = {
        theta: A @ theta,
        Sigma: -(A @ Sigma + Sigma @ A),
        l2: _PULL.T @ A @ theta,
    }
    potential = (
        gamma * (theta.T @ theta) + sigma2 * Sigma.tr() / 2 + l2 * (subject * zeta)
    )
    flow = matrix_flow(_LAW.charge, {theta: _LAW.g + zeta * _PULL})
    drift = flow.weight_decay + _LAW.on_shell(flow.loss) + sigma2 * (Sigma @ A).tr()

    def rows() -> Iterator[Row]:
        yield "noise", flow.noise, sigma2 * _LAW.noise_trace
        yield "slope", -1 * differential(potential, chain), drift

    return words_evidence(
        rows(),
        r"$\dot C$ against $-\frac{d}{d\lambda}(\Phi + \zeta\ell_2)(\theta_\lambda)$",
        "n, A, Σ and ℓ₂",
        (r"$\frac{d}{d\lambda}\ell_2(\theta_\lambda) = \nabla\ell_2\cdot A\theta$.",),
    )


def shift_exact(subject: Fraction, context: Context) -> Evidence:
    """Look for a change of sign within 2⁻²⁰ of the shift claimed, at ζ = 2⁻⁸⁰.

    γ is chosen so that the drawn point is the fixed point for ζ = 0.

    Returns:
        The evidence.
    """

    def sides(case: Case) -> Sides | None:
        at_rest = _at_equilibrium(case)
        spectrum = None if at_rest is None else spectrum_of(at_rest)
        if at_rest is None or spectrum is None:
            return None
        extra = breaking(case)
        slope = sum(
            (
                -2 * m * m * (2 * at_rest.gamma * t + at_rest.sigma2 * s)
                for m, t, s in spectrum
            ),
            _ZERO,
        )
        along = extra.along(at_rest, at_rest.theta)
        if not slope or not along:
            return None
        shift = subject * _TINY * along / slope
        values = []
        for factor in (1 - _NEAR, 1 + _NEAR):
            q = 1 + shift * factor
            there = at_rest.moved(q)
            if there is None:
                return None
            G = balance_of(at_rest, spectrum, q)
            values.append(G - _TINY * extra.along(at_rest, there))
        return Sides(sign(values[0]) * sign(values[1]), Fraction(-1))

    return on_cases(
        "exact signs",
        sides,
        context,
        r"the sign of $G_\zeta$ before times that behind the fixed point claimed",
        examples=(scale_pair(),),
        shown=("product of the signs: {}", "{}"),
    )


def _at_equilibrium(case: Case) -> Case | None:
    """Return the case with the γ ≥ 0 for which G(θ) = 0, or None."""
    C, trace = charge(case), noise_trace(case)
    if not C:
        return None
    gamma = case.sigma2 * trace / (4 * C)
    found: Case = case.with_(gamma=gamma)
    return found if gamma >= 0 else None

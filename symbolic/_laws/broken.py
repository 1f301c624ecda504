"""Approximate symmetry: the defect of a loss, its flow and its equilibrium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._exact.functions import relu, step
from symbolic._exact.intervals import NotEnclosed, enclose
from symbolic._laws.charge import noether_charge
from symbolic._laws.ito import NoetherFlow, dot, lam, noether_flow
from symbolic._laws.splitting import check_space
from symbolic._loss import Loss, as_scalar
from symbolic._orbits.balance import noise_equilibrium_equation, spectral_projectors
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


_KINKED = (relu, step, sp.Abs, sp.sign)

Bounds = tuple[sp.Rational, sp.Rational]


@dataclass(frozen=True, slots=True)
class Defect:
    """How far ℓ is from the symmetry: ε = |∇ℓ·J|/(‖∇ℓ‖‖J‖), 0 ≤ ε ≤ 1.

    Attributes:
        along: ∇ℓ·J.
        gradient2: ‖∇ℓ‖².
        generator2: ‖J‖².
    """

    along: sp.Expr
    gradient2: sp.Expr
    generator2: sp.Expr

    @property
    def square(self) -> sp.Expr:
        """Return ε², not defined where ∇ℓ or J is 0."""
        return self.along**2 / (self.gradient2 * self.generator2)

    @property
    def relative(self) -> sp.Expr:
        """Return ε."""
        return sp.Abs(self.along) / sp.sqrt(self.gradient2 * self.generator2)


@dataclass(frozen=True, slots=True)
class DefectRange:
    """ε² over a set of points; each pair of bounds is one number twice where exact.

    Attributes:
        largest: bounds on the largest ε², None where no point counts.
        mean: bounds on the mean ε² over the points that count.
        counted: how many points count.
        degenerate: (number of the point, why it does not count).
    """

    largest: Bounds | None
    mean: Bounds | None
    counted: int
    degenerate: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class BrokenFlow:
    """The drift of C for ℓ = ℓ₁ + ζℓ₂, where ℓ₁ has the symmetry.

    Attributes:
        flow: its parts; `loss` is −ζ∇ℓ₂·J, to be averaged where ℓ₂ has data.
        invariance: the proof that ℓ₁ has the symmetry.
        noiseless: whether ∇ℓ₂·J is the same for all samples: then dC has no dW term.
    """

    flow: NoetherFlow
    invariance: Finding
    noiseless: bool

    @property
    def expression(self) -> sp.Expr:
        """Return the whole drift."""
        return self.flow.expression


@dataclass(frozen=True, slots=True)
class OrbitShift:
    """How ζℓ₂ moves the noise equilibrium λ* on the orbit θ_λ = e^{λA}θ.

    Attributes:
        balance: G(θ_λ) − ζ∇ℓ₂(θ_λ)·Aθ_λ, whose zeros are the equilibria.
        slope: ∂_λG(θ_λ) at ζ = 0.
        pull: ∇ℓ₂(θ_λ)·Aθ_λ.
        shift: δλ = ζ·pull/slope, to be taken at λ*.
        at_equilibrium: δλ at λ* where λ* has a closed form, else None.
    """

    balance: sp.Expr
    slope: sp.Expr
    pull: sp.Expr
    shift: sp.Expr
    at_equilibrium: sp.Expr | None


def defect(loss: Loss, symmetry: Symmetry) -> Defect:
    """Return the relative defect of a loss, sample by sample.

    Args:
        loss: the per-sample loss.
        symmetry: a symmetry on the same parameters.

    Returns:
        ∇ℓ·J and the squared norms, as expressions in θ and the data.

    Raises:
        DeclarationError: when the loss lives on other parameters.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> loss = Loss(sp.Symbol("u") ** 2, space)
    >>> defect(loss, Symmetry.exponential(space, [[1, 0], [0, -1]])).square
    u**2/(u**2 + w**2)
    """
    check_space(symmetry, loss)
    g, J = loss.gradient, symmetry.generator
    return Defect(dot(g, J), dot(g, g), dot(J, J))


def bounded_defect(n: int) -> Finding:
    """Prove ε ≤ 1 in n components: ‖g‖²‖J‖² − (g·J)² is a sum of squares.

    Args:
        n: the number of components.

    Returns:
        PROVED, by Lagrange's identity in 2n free symbols.

    >>> bounded_defect(3).verdict.name
    'PROVED'
    """
    g, J = sp.symbols(f"g:{n}", real=True), sp.symbols(f"J:{n}", real=True)
    minors = (g[i] * J[j] - g[j] * J[i] for i, j in combinations(range(n), 2))
    return compare(
        dot(g, g) * dot(J, J) - dot(g, J) ** 2,
        sum((minor**2 for minor in minors), sp.S.Zero),
    )


def defect_over(
    loss: Loss, symmetry: Symmetry, points: Sequence[Mapping[str, Any]]
) -> DefectRange:
    """Return the largest and the mean ε² over points, exactly where it is rational.

    A point where ∇ℓ or J is 0, where a side is undefined or where an argument of relu
    or abs is 0 does not count, and is named.

    Args:
        loss: the per-sample loss.
        symmetry: a symmetry on the same parameters.
        points: name → int, Fraction or sympy rational, for each parameter component,
            data component and constant that occurs.

    Returns:
        The two numbers with their bounds, and the points left out.

    Raises:
        DeclarationError: for no points, a missing name, or a value that is not exact.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> loss = Loss(sp.Symbol("u") ** 2, space)
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> found = defect_over(loss, rescaling, [{"u": 1, "w": 2}, {"u": 0, "w": 1}])
    >>> found.largest, found.degenerate
    ((1/5, 1/5), ((1, 'the gradient is 0'),))
    """
    if not points:
        raise DeclarationError("expected at least one point, got none")
    parts = defect(loss, symmetry)
    kinks = [a.args[0] for a in loss.expression.atoms(*_KINKED)]
    bounds: list[Bounds] = []
    degenerate: list[tuple[int, str]] = []
    for number, point in enumerate(points):
        values = _exact_point(parts, kinks, point, number)
        found = _square_at(parts, kinks, values)
        if isinstance(found, str):
            degenerate.append((number, found))
        else:
            bounds.append(found)
    if not bounds:
        return DefectRange(None, None, 0, tuple(degenerate))
    lows, highs = zip(*bounds, strict=True)
    mean = sp.Add(*lows) / len(bounds), sp.Add(*highs) / len(bounds)
    largest = max(lows), max(highs)
    return DefectRange(largest, mean, len(bounds), tuple(degenerate))


def broken_flow(
    loss1: Loss,
    loss2: Loss,
    zeta: Any,
    symmetry: Symmetry,
    charge: sp.Expr | None = None,
) -> BrokenFlow:
    """Return Ċ = −ζ∇ℓ₂·J + σ²Tr[Σ∇²C] − 2γθ·J for ℓ = ℓ₁ + ζℓ₂ (P1, Eq. (18)).

    Σ is the covariance of ∇ℓ₁ + ζ∇ℓ₂. For J = Aθ the decay is −4γC.

    Args:
        loss1: a loss that has the symmetry.
        loss2: any loss on the same parameters.
        zeta: ζ, a number or an expression.
        symmetry: the symmetry.
        charge: C with ∇C = J; None to derive it.

    Returns:
        The drift, split by its cause.

    Raises:
        DeclarationError: when ℓ₁ is not proved to have the symmetry, or ∇C is not J.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y, zeta = sp.symbols("u w x y zeta", real=True)
    >>> first = Loss((u * w * x - y) ** 2, space, {"x": (), "y": ()})
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> broken_flow(first, Loss(u**2, space), zeta, rescaling).flow.loss
    -2*u**2*zeta
    """
    check_space(symmetry, loss1)
    check_space(symmetry, loss2)
    invariance = compare(dot(loss1.gradient, symmetry.generator), sp.S.Zero)
    if invariance.verdict is not Verdict.PROVED:
        seen = invariance.witness
        raise DeclarationError(
            f"expected a first loss that has the symmetry, got {loss1.expression}, "
            f"{invariance.verdict.name.lower()}"
            + (f" {seen.describe()}" if seen else "")
            + "; symmetric_part splits a loss"
        )
    if charge is None:
        charge = noether_charge(symmetry)
    for symbol, entry in zip(symmetry.space.symbols, symmetry.generator, strict=True):
        slope = charge.diff(symbol)
        if compare(slope, entry).verdict is not Verdict.PROVED:
            raise DeclarationError(
                f"expected a charge with dC/d{symbol} = {entry}, got {slope}"
            )
    along = dot(loss2.gradient, symmetry.generator)
    flow = noether_flow(symmetry.space, charge, as_scalar(zeta) * along)
    noiseless = not along.free_symbols & set(loss2.data.symbols)
    return BrokenFlow(flow, invariance, noiseless)


def orbit_shift(loss2: Loss, zeta: Any, symmetry: Symmetry) -> OrbitShift:
    """Return how ζℓ₂(θ) moves λ*, to first order (P1, Eq. (19)).

    G_ζ(λ) = G(θ_λ) − ζ∇ℓ₂(θ_λ)·Aθ_λ = 0 gives dλ*/dζ = ∇ℓ₂·Aθ*/∂_λG at ζ = 0, and
    ∂_λG ≤ 0: the equilibrium moves to where ℓ₂ is less.

    Args:
        loss2: the second loss, without data: else Σ on the orbit depends on it.
        zeta: ζ, a number or an expression.
        symmetry: an exponential symmetry with rational eigenvalues.

    Returns:
        The balance on the orbit and the shift, in `lam`.

    Raises:
        DeclarationError: for data in ℓ₂, and for other symmetries.

    >>> from symbolic._space import ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> second = Loss(sp.Symbol("u"), space)
    >>> orbit_shift(second, sp.Symbol("zeta"), rescaling).pull
    u*exp(lam)
    """
    check_space(symmetry, loss2)
    equilibrium = noise_equilibrium_equation(symmetry)
    A = symmetry.matrix
    spectrum = None if A is None else spectral_projectors(A)
    if spectrum is None:
        raise DeclarationError(
            f"expected rational eigenvalues for the orbit, got those of {A}"
        )
    held = sorted(
        s.name for s in loss2.expression.free_symbols & set(loss2.data.symbols)
    )
    if held:
        raise DeclarationError(
            f"expected a second loss without data, got {', '.join(held)} in it"
        )
    theta = sp.Matrix(symmetry.space.symbols)
    moved = sum(
        (sp.exp(lam * value) * P * theta for value, P in spectrum),
        sp.zeros(len(theta), 1),
    )
    on_orbit = dict(zip(symmetry.space.symbols, moved, strict=True))
    gradient = [entry.xreplace(on_orbit) for entry in loss2.gradient]
    pull = dot(gradient, [entry.xreplace(on_orbit) for entry in symmetry.generator])
    shift = as_scalar(zeta) * pull / equilibrium.slope
    star = equilibrium.closed_form
    return OrbitShift(
        equilibrium.balance - as_scalar(zeta) * pull,
        equilibrium.slope,
        pull,
        shift,
        None if star is None else shift.xreplace({lam: star}),
    )


# --- the defect at a point -----------------------------------------------------------


def _exact_point(
    parts: Defect, kinks: Sequence[sp.Expr], point: Mapping[str, Any], number: int
) -> dict[sp.Symbol, sp.Rational]:
    """Return symbol → rational for what occurs.

    Raises:
        DeclarationError: for a missing name or a value that is not exact.
    """
    values = {}
    every = sp.Tuple(parts.along, parts.gradient2, parts.generator2, *kinks)
    for symbol in sorted(every.free_symbols, key=lambda s: s.name):
        if symbol.name not in point:
            raise DeclarationError(
                f"expected a value of {symbol.name} at point {number}, got "
                f"{', '.join(point) or 'none'}"
            )
        value = point[symbol.name]
        if not isinstance(value, (int, Fraction, sp.Rational)):
            raise DeclarationError(
                f"expected {symbol.name} at point {number} as an int, a Fraction or a "
                f"sympy rational, got {value!r} (type {type(value).__name__})"
            )
        values[symbol] = sp.Rational(value)
    return values


def _square_at(
    parts: Defect, kinks: Sequence[sp.Expr], values: Mapping[sp.Symbol, sp.Rational]
) -> Bounds | str:
    """Return bounds on ε² at a point, or why it does not count."""
    if any(kink.xreplace(dict(values)).is_zero for kink in kinks):
        return "an argument of relu or abs is 0"
    try:
        along = _bounds(parts.along, values)
        gradient2 = _bounds(parts.gradient2, values)
        generator2 = _bounds(parts.generator2, values)
    except NotEnclosed:
        return "undefined"
    for name, (low, high) in (("gradient", gradient2), ("generator", generator2)):
        if high == 0:
            return f"the {name} is 0"
        if low <= 0:
            return f"the {name} is not separated from 0"
    top = max(abs(along[0]), abs(along[1])) ** 2
    bottom = min(abs(along[0]), abs(along[1])) ** 2 if along[0] * along[1] > 0 else 0
    upper = min(sp.S.One, top / (gradient2[0] * generator2[0]))  # Cauchy–Schwarz
    return sp.Rational(bottom) / (gradient2[1] * generator2[1]), upper


def _bounds(
    expression: sp.Expr, values: Mapping[sp.Symbol, sp.Rational]
) -> tuple[sp.Rational, sp.Rational]:
    """Return bounds on an expression at a point, equal where it is rational.

    Raises:
        NotEnclosed: where it is undefined.
    """
    value = expression.xreplace(dict(values))
    if value.is_Rational:
        return value, value
    if value.has(sp.zoo, sp.nan, sp.oo):
        raise NotEnclosed("undefined")
    return enclose(expression, values)

"""Modes and phases of a two-layer network, and the limit of infinite depth (P2, §5)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._loss import as_scalar
from symbolic._stationary.boundary import above
from symbolic._stationary.data import DataConstants
from symbolic._stationary.network import DiagonalNetwork
from symbolic._stationary.reduction import T, v
from symbolic._stationary.scalar import ScalarSDE


RATIO = sp.Symbol("rho", positive=True)  # d/D


def modes(network: DiagonalNetwork) -> tuple[sp.Expr, ...]:
    """Return where p' = 0, in closed form for depths 1 and 2 (P2, Eq. (16)).

    Args:
        network: of depth 1 or 2.

    Returns:
        One point for depth 1; for depth 2 the peak, then the dip between it and 0.
        They count where they are real and positive.

    Raises:
        DeclarationError: for another depth, whose equation is no quadratic.
    """
    A, B, C = _quadratic(network)
    if A == 0:
        return (sp.factor(-C / B),)
    root = sp.sqrt(sp.expand(B**2 - 4 * A * C))
    return (-B - root) / (2 * A), (-B + root) / (2 * A)


def _quadratic(network: DiagonalNetwork) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    if network.depth not in {1, 2}:
        raise DeclarationError(
            f"expected depth 1 or 2 for modes in closed form, got {network.depth}; "
            f"solve mode_equation numerically"
        )
    equation = sp.Poly(network.mode_equation, network.variable)
    A, B, C = (sp.expand(equation.nth(k)) for k in (2, 1, 0))
    return A, B, C


def cold_mode(network: DiagonalNetwork) -> sp.Expr:
    """Return the mode to first order in T: the fit, and what noise does to it.

    By the implicit function theorem on the mode equation, whose zero at T = 0 is the
    minimum of the loss.

    Args:
        network: of depth 1 or 2, or without decay.

    Returns:
        v₀ + v₁T.

    Raises:
        DeclarationError: with decay at a greater depth, where v₀ has no closed form.

    >>> from symbolic._stationary.network import diagonal_network
    >>> cold_mode(diagonal_network(2)).coeff(T, 0)
    beta2/beta1
    """
    if network.decay != 0 and network.depth not in {1, 2}:
        raise DeclarationError(
            f"expected depth 1 or 2 with decay, got {network.depth}; set decay to 0"
        )
    x, heat = network.variable, network.temperature
    if not heat.is_Symbol:
        raise DeclarationError(f"expected a symbol as temperature, got {heat}")
    F = network.mode_equation
    start = sp.Poly(sp.expand(F.subs(heat, 0)), x)
    fit = sp.factor(-start.nth(0) / start.nth(1))
    slope = F.diff(heat).subs({heat: 0, x: fit}) / start.nth(1)
    return fit - sp.powsimp(sp.expand(slope)) * heat


@dataclass(frozen=True, slots=True)
class PhaseBoundaries:
    """The temperatures at which the density of a two-layer network changes.

    Attributes:
        divergence: T_c/3: p(0) is 0 below and ∞ above.
        collapse: T_c: all mass at 0 from there on.
        merging: T*: peak and dip of p merge there; None where the numbers
            show that they do at no T.
        discriminant: of the mode equation, > 0 while its zeros are real.
        peak: when p has a peak at some v > 0, at a given T.
    """

    divergence: sp.Expr
    collapse: sp.Expr
    merging: sp.Expr | None
    discriminant: sp.Expr
    peak: sp.Basic


def phase_boundaries(network: DiagonalNetwork) -> PhaseBoundaries:
    """Derive the phase diagram of a two-layer network (P2, Figure 4).

    Args:
        network: of depth 2, its temperature a symbol.

    Returns:
        The boundaries. T* is the first positive zero of the discriminant
        c₀ + c₁T + c₂T², c₀ > 0; there is one iff c₂ < 0, or c₁ < 0 and it is real.

    Raises:
        DeclarationError: for another depth, or a temperature that is no symbol.

    >>> from symbolic._stationary.network import diagonal_network
    >>> data = DataConstants.gaussian(1, 1)
    >>> found = phase_boundaries(diagonal_network(2, constants=data))
    >>> found.divergence, found.collapse, found.merging
    (1/9, 1/3, 1/13 + sqrt(42)/52)
    """
    heat = network.temperature
    if network.depth != 2 or not heat.is_Symbol:
        raise DeclarationError(
            f"expected depth 2 and a symbol as temperature, got {network.depth} and "
            f"{heat}"
        )
    A, B, C = _quadratic(network)
    origin = network.origin_exponent
    (divergence,) = sp.solve(sp.numer(sp.together(origin)), heat)
    under = sp.Poly(sp.expand(B**2 - 4 * A * C), heat)
    c0, c1, c2 = (under.nth(k) for k in (0, 1, 2))
    both = sp.And(above(-C, 0), above(B, 0), sp.Ge(under.as_expr(), 0))
    return PhaseBoundaries(
        sp.factor(divergence),
        network.critical_temperature,
        _first_zero(c0, c1, c2),
        under.as_expr(),
        sp.Or(above(C, 0), both),
    )


def _first_zero(c0: sp.Expr, c1: sp.Expr, c2: sp.Expr) -> sp.Expr | None:
    """Return the first positive zero of c₀ + c₁T + c₂T², c₀ > 0, where there is one.

    >>> _first_zero(sp.S(1), sp.S(-3), sp.S(2)), _first_zero(sp.S(1), sp.S(1), sp.S(1))
    (1/2, None)
    """
    if c2 == 0:
        found = -c0 / c1 if c1 != 0 else sp.S.Zero
    else:
        root = sp.sqrt(sp.factor(c1**2 - 4 * c0 * c2))
        found = sp.radsimp(-(c1 + root) / (2 * c2))
    return None if found.is_positive is False else found


def deep_limit(
    constants: DataConstants,
    *,
    ratio: sp.Expr = RATIO,
    temperature: sp.Expr = T,
) -> ScalarSDE:
    """Return the SDE of v as the depth grows, with width d = ratio·D and no decay.

    Time is measured in units in which the diffusion stays finite: the coefficients of
    the reduced SDE are divided by (2nc)², c = d^(2/n−1), which leaves the stationary
    density as it is, and then taken to their limits.

    Args:
        constants: the data.
        ratio: d/D, 0 for widths that grow more slowly than the depth.
        temperature: T.

    Returns:
        dv = [−½ratio·v²(β₁v − β₂) + ½v³TQ]dt + v²√(TQ)dW; 0 is never reached.

    Raises:
        DeclarationError: for a negative ratio.

    >>> deep_limit(DataConstants.symbols()).diffusion
    sqrt(T)*v**2*sqrt(alpha1*v**2 - 2*alpha2*v + alpha3)
    """
    if as_scalar(ratio).is_nonnegative is not True:
        raise DeclarationError(f"expected ratio >= 0, got {ratio}")
    n = sp.Symbol("n", positive=True, integer=True)
    width = sp.Symbol("d", positive=True)
    network = DiagonalNetwork(n, width, constants, sp.S.Zero, temperature)
    unit = 2 * n * width ** (2 / n - 1)
    terms = sp.Add.make_args(network.sde.drift)
    drift = sp.Add(*(_deep(sp.powsimp(e / unit**2), n, width) for e in terms))
    noise = _deep(sp.powsimp(network.sde.diffusion / unit), n, width)
    drift = drift.xreplace({RATIO: as_scalar(ratio)})
    return ScalarSDE(drift, noise, v, (sp.S.Zero, sp.oo))


def _deep(term: sp.Expr, n: sp.Symbol, width: sp.Symbol) -> sp.Expr:
    """Return the limit of C(n)v^e(n)f(v) as n → ∞ with width = RATIO·(n − 1)."""
    coefficient, own = term.as_independent(v, as_Add=False)
    limit = sp.S.One
    for factor in sp.Mul.make_args(own):
        base, exponent = factor.as_base_exp()
        limit *= base ** sp.limit(exponent, n, sp.oo)
    constant, varying = coefficient.as_independent(n, width, as_Add=False)
    x = sp.Symbol("x", positive=True)  # 1/n
    logarithm = sp.expand_log(
        sp.log(varying.xreplace({width: RATIO * (n - 1)}).subs(n, 1 / x)), force=True
    )
    return constant * sp.exp(sp.limit(sp.expand(logarithm), x, 0, "+")) * limit

"""The density of P2 for every integer depth, without an integral.

For Q = α₁v² − 2α₂v + α₃ with Δ > 0 the roots are re^(±iφ), r = √(α₃/α₁) and
cos φ = α₂/√(α₁α₃). With v = t^q the integrand of ∫ v^(p/q)/Q dv has its poles at the
q-th roots R e^(±iφ_j), R = r^(1/q), φ_j = (φ + 2πj)/q, and perhaps at 0. The residue at
R e^(iφ_j) is R^p e^(ipφ_j)/(2i√Δ), whose real part with log(t − R e^(iφ_j)) gives

    (r^(p/q)/√Δ) Σ_j [½ sin(pφ_j) log(t² − 2R cos φ_j t + R²)
                      + cos(pφ_j) arctan((t − R cos φ_j)/(R sin φ_j))].
"""

from __future__ import annotations

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._stationary.data import DataConstants
from symbolic._stationary.network import DiagonalNetwork


LARGEST = 60  # depth, beyond which the sum over roots is not written out


def elementary_logarithm(network: DiagonalNetwork) -> sp.Expr:
    """Return log p up to a constant in elementary functions.

    Args:
        network: with an integer depth and Δ > 0.

    Returns:
        The logarithm of the zero-flux density; 2·depth terms from the roots of Q(tⁿ).

    Raises:
        DeclarationError: for a symbolic depth, one above 60, and Δ = 0.

    >>> from symbolic._stationary.network import diagonal_network
    >>> data = DataConstants.gaussian(1, 1)
    >>> found = elementary_logarithm(diagonal_network(3, 1, constants=data))
    >>> found.has(sp.Integral)
    False
    """
    if not network.depth.is_Integer or network.depth > LARGEST:
        raise DeclarationError(
            f"expected an integer depth of at most {LARGEST}, got {network.depth}"
        )
    x, n = network.variable, int(network.depth)
    root = sp.Symbol("t", positive=True)  # v^(1/n)
    total = sp.S.Zero
    for term in sp.Add.make_args(network.density.logarithm):
        constant, own = term.as_independent(x, as_Add=False)
        if not isinstance(own, sp.Integral):
            total += term
            continue
        y = own.limits[0][0]
        over = (own.function * network.constants.Q(y)).xreplace({y: root**n})
        for part in sp.Add.make_args(sp.expand(sp.cancel(sp.together(over)))):
            c, power = part.as_independent(root, as_Add=False)
            e = sp.Rational(_order(power, root), n)
            total += constant * c * power_over_quadratic(e, network.constants, x)
    return total


def _order(power: sp.Expr, t: sp.Symbol) -> int:
    """Return e of t^e; fails on anything else."""
    (monomial,) = sp.Poly(power, t, 1 / t).monoms()
    return int(monomial[0] - monomial[1])


def power_over_quadratic(
    e: sp.Rational, constants: DataConstants, v: sp.Symbol
) -> sp.Expr:
    """Return ∫ v^e/Q(v) dv for a rational e and Δ > 0, up to a constant.

    Args:
        e: the exponent.
        constants: α₁, α₂, α₃ of Q.
        v: a positive symbol.

    Returns:
        A sum over the roots of Q(t^q), q the denominator of e.

    >>> v = sp.Symbol("v", positive=True)
    >>> data = DataConstants(1, 0, 1, 1, 1)
    >>> power_over_quadratic(sp.S.Zero, data, v), power_over_quadratic(sp.S(1), data, v)
    (atan(v), log(v**2 + 1)/2)
    """
    a1, a2, a3 = constants.alpha1, constants.alpha2, constants.alpha3
    if e > 1:  # one step of the division by Q
        one, two = (power_over_quadratic(e - k, constants, v) for k in (1, 2))
        return (v ** (e - 1) / (e - 1) + 2 * a2 * one - a3 * two) / a1
    p, q = sp.Rational(e).p, sp.Rational(e).q
    t, r, S = v ** sp.Rational(1, q), sp.sqrt(a3 / a1), sp.sqrt(constants.Delta)
    R, phi = r ** sp.Rational(1, q), sp.acos(a2 / sp.sqrt(a1 * a3))
    total = sp.S.Zero
    for j in range(q):
        angle = (phi + 2 * sp.pi * j) / q
        across = R * sp.cos(angle)
        size = t**2 - 2 * across * t + R**2
        total += sp.sin(p * angle) * sp.log(size) / 2
        total += sp.cos(p * angle) * sp.atan((t - across) / (R * sp.sin(angle)))
    return r**e / S * total + _polar(e, constants, v)


def _polar(e: sp.Rational, constants: DataConstants, v: sp.Symbol) -> sp.Expr:
    """Return ∫ of the poles at 0: v^e Σ_k c_k v^k over e + k < 0, 1/Q = Σ c_k v^k."""
    a1, a2, a3 = constants.alpha1, constants.alpha2, constants.alpha3
    total, previous, c = sp.S.Zero, sp.S.Zero, 1 / a3
    k = 0
    while e + k <= -1:  # t^(p + q − 1 + kq) has a pole
        power = e + k + 1
        total += c * (sp.log(v) if power == 0 else v**power / power)
        previous, c = c, sp.expand((2 * a2 * c - a1 * previous) / a3)
        k += 1
    return total

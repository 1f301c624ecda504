"""P2's diagonal network: its reduced SDE, stationary density and phases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._loss import as_scalar
from symbolic._stationary.asymptotics import sign_of
from symbolic._stationary.data import DataConstants
from symbolic._stationary.reduction import T, balance_rate, reduced_sde
from symbolic._stationary.scalar import Identity, ScalarSDE, ZeroFluxDensity


@dataclass(frozen=True, slots=True)
class DiagonalNetwork:
    """SGD on ℓ = (Σᵢ ∏_k u_i^(k) x − y)² + γ‖u‖², balanced, all products equal.

    Attributes:
        depth: n = D + 1, the number of factors: an integer, or an expression in symbols
            such as m + 3 with an integer m ≥ 0, from which its order is seen.
        width: d, the number of products that are not 0.
        constants: the moments of the data.
        decay: γ ≥ 0; a symbol for it should be declared positive.
        temperature: T = η/S.

    >>> network = diagonal_network(2)
    >>> network.critical_temperature
    beta2/alpha3
    >>> network.sde.identity(sp.log(network.variable)).condition
    -T*alpha3 + beta2 > 0
    """

    depth: sp.Expr
    width: sp.Expr
    constants: DataConstants
    decay: sp.Expr
    temperature: sp.Expr

    @property
    def variable(self) -> sp.Symbol:
        """Return v, positive but for depth 1."""
        return self.sde.variable

    @property
    def sde(self) -> ScalarSDE:
        """Return the reduced SDE, on (0, ∞), or on the line for depth 1.

        Raises:
            DeclarationError: at interpolation, where Q has a zero; take `pieces`.
        """
        if self.constants.Delta.is_zero:
            raise DeclarationError(
                "expected Delta > 0, got interpolating data, on which Q(v) has a zero "
                "that no path crosses; take the SDEs in .pieces"
            )
        low = -sp.oo if self.depth == 1 else sp.S.Zero
        return self._on((low, sp.oo))

    @property
    def pieces(self) -> tuple[ScalarSDE, ...]:
        """Return the SDE on each interval between the zeros of s.

        At interpolation Q = α₁(v − k)² vanishes at k = α₂/α₁, the exact fit.
        """
        if not self.constants.Delta.is_zero:
            return (self.sde,)
        low = -sp.oo if self.depth == 1 else sp.S.Zero
        k = sp.factor(self.constants.alpha2 / self.constants.alpha1)
        if self.depth == 1 or sign_of(k) == 1:
            return self._on((low, k)), self._on((k, sp.oo))
        return (self._on((low, sp.oo)),)

    @property
    def density(self) -> ZeroFluxDensity:
        """Return the zero-flux density of v (P2, Theorem 4.2), not normalised.

        For depth > 2 the exponent keeps an integral; it starts at β₂/β₁, never at 0,
        where it diverges (P2-6). `elementary_logarithm` writes it out.
        """
        fit = self.constants.beta2 / self.constants.beta1
        return self.sde.stationary_density(anchor=fit)

    @property
    def balance(self) -> sp.Expr:
        """Return the rate at which u² − w² of two factors falls: −4(T Q P² + γ).

        Raises:
            DeclarationError: for depth 1, which has no two factors.
        """
        if self.depth == 1:
            raise DeclarationError("expected depth >= 2 for a balance, got 1")
        return balance_rate(
            self.depth,
            self.width,
            self.constants,
            decay=self.decay,
            temperature=self.temperature,
        )

    @property
    def normalisable(self) -> sp.Basic | None:
        """Return when the density is one: a condition, None where undecided."""
        return self.sde.normalisable()

    @property
    def mean_identity(self) -> Identity:
        """Return E[β₁v − β₂ + γz + (n−1)TQ(v)/z] = 0, z = (v/d)^(2/n − 1).

        It is E[𝓛f] = 0 for f = v^(2/n − 1), or log v at depth 2, where it reads
        β₁E v − β₂ + γ + T E Q(v) = 0; f is scaled so that β₁ stands alone.
        """
        n, x = self.depth, self.variable
        if n == 2:
            f = -sp.log(x) / 4
        else:
            f = x ** (2 / n - 1) * self.width ** (1 - 2 / n) / (2 * (n - 2))
        return self.sde.identity(f)

    @property
    def critical_temperature(self) -> sp.Expr:
        """Return T_c: v collapses to 0 for T ≥ T_c. ∞ for never, 0 for always.

        It is read off the condition under which the density is normalisable.

        Raises:
            DeclarationError: where the order of the depth against 1 and 2 is open.
        """
        named, meaning = self._of_known_signs()
        condition = named.normalisable
        if condition is None:
            raise DeclarationError(
                f"expected a depth whose order against 2 is known, got {self.depth}; "
                f"give a number, or m + 3 with m a nonnegative integer symbol"
            )
        if condition in {sp.true, sp.false}:
            return sp.oo if condition == sp.true else sp.S.Zero
        if isinstance(condition, sp.Gt) and condition.lhs.has(self.temperature):
            side = sp.Poly(condition.lhs, self.temperature)
            slope, start = side.coeff_monomial(self.temperature), side.nth(0)
            if side.degree() == 1 and sign_of(slope) == -1:
                return sp.cancel((-start / slope).xreplace(meaning))
        return sp.Piecewise((sp.oo, condition.xreplace(meaning)), (sp.S.Zero, True))

    @property
    def tail_exponent(self) -> sp.Expr | None:
        """Return e in p ~ v^e as v → ∞; None where undecided."""
        ends = self.sde.boundary(sp.oo).behaviour
        if ends is None or not ends.is_power:
            return None
        return _short(-ends.density - 2)

    @property
    def origin_exponent(self) -> sp.Expr | None:
        """Return e in p ~ v^e as v → 0; None where p has no power law there.

        For depth > 2 it is exp(−cv^(−2D/(D+1)+1)) instead; at depth 1 p is smooth.
        """
        if self.depth == 1:
            return sp.S.Zero
        ends = self.sde.boundary(sp.S.Zero).behaviour
        if ends is None or not ends.is_power:
            return None
        return _short(ends.density)

    @property
    def mode_equation(self) -> sp.Expr:
        """Return the expression whose zeros in the interval are where p' = 0.

        It is the score times n c T v^(2−2/n) Q(v), which is positive, c = d^(2/n−1);
        a polynomial for depths 1 and 2 (P2, Eq. (16)).
        """
        n, x = self.depth, self.variable
        scale = n * self.width ** (2 / n - 1) * self.temperature * x ** (2 - 2 / n)
        Q = self.constants.Q(x)
        single, others = sp.S.Zero, sp.S.Zero
        for term in sp.Add.make_args(self.sde.score):
            if (term * x).has(x):
                others += sp.powsimp(term * scale * Q)
            else:
                single += term * x
        total = others + sp.powsimp(sp.factor(single) * scale / x) * Q
        return sp.collect(sp.expand(total), x) if n.is_Integer else total

    def mirrored(self) -> Self:
        """Return the network of the branch v < 0, in |v|: (α₂, β₂) → −(α₂, β₂)."""
        return replace(self, constants=self.constants.mirrored())

    def _of_known_signs(self) -> tuple[Self, dict[sp.Symbol, sp.Expr]]:
        """Return the network with positive symbols for α₁, α₃ and β₁ of unknown sign.

        They are variances and a second moment, 0 only for data without spread.
        """
        meaning = {
            sp.Dummy(name, positive=True): getattr(self.constants, name)
            for name in ("alpha1", "alpha3", "beta1")
            if sign_of(getattr(self.constants, name)) is None
        }
        named = {symbol.name: symbol for symbol in meaning}
        return replace(self, constants=replace(self.constants, **named)), meaning

    def _on(self, interval: tuple[sp.Expr, sp.Expr]) -> ScalarSDE:
        return reduced_sde(
            self.depth,
            self.width,
            self.constants,
            decay=self.decay,
            temperature=self.temperature,
            interval=interval,
        )


def diagonal_network(
    depth: Any,
    width: Any = None,
    *,
    constants: DataConstants | None = None,
    decay: Any = 0,
    temperature: Any = T,
) -> DiagonalNetwork:
    """Return P2's network of any depth and width, in symbols where none are given.

    Args:
        depth: the number of factors, D + 1.
        width: the number of products; the symbol d where None.
        constants: the data; symbols where None.
        decay: γ of γ‖θ‖².
        temperature: η/S; the symbol T by default.

    Returns:
        The network.

    Raises:
        DeclarationError: for a depth or width that is no positive integer, or a
            negative decay or temperature.

    >>> diagonal_network(3).tail_exponent
    -4
    >>> m = sp.Symbol("m", integer=True, nonnegative=True)
    >>> diagonal_network(m + 3).critical_temperature
    oo
    >>> g = sp.Symbol("gamma", positive=True)
    >>> diagonal_network(m + 3, decay=g).critical_temperature
    0
    """
    n = as_scalar(depth)
    d = (
        sp.Symbol("d", positive=True, integer=True)
        if width is None
        else as_scalar(width)
    )
    for name, value in (("depth", n), ("width", d)):
        if not (value.is_integer and value.is_positive):
            raise DeclarationError(
                f"expected a positive integer as {name}, got {value}; a symbol needs "
                f"Symbol(..., positive=True, integer=True)"
            )
    gamma, heat = as_scalar(decay), as_scalar(temperature)
    if gamma.is_nonnegative is not True or heat.is_positive is not True:
        raise DeclarationError(
            f"expected decay >= 0 and temperature > 0, got {gamma} and {heat}; declare "
            f"symbols positive"
        )
    data = DataConstants.symbols() if constants is None else constants
    return DiagonalNetwork(n, d, data, gamma, heat)


def _short(e: sp.Expr) -> sp.Expr:
    forms = [sp.expand(e), sp.factor(e)]
    if len(e.free_symbols) == 1:
        forms.insert(0, sp.apart(forms[1], *e.free_symbols))
    return min(forms, key=sp.count_ops)

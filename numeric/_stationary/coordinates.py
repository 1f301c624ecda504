"""Coordinates s ∈ ℝ in which stationary densities have neither ends nor narrow spots.

Each maps s to x, a dimensionless product of weights; s = 0 is the point where the
drift of the mean loss (and decay) vanishes. In each of them the density is

    p(x) dx  ∝  exp(log_prefactor(s) + log_jacobian(s) − g(s)/t) ds,   g(0) = 0,

with t a dimensionless temperature and ``slope(s) = g'(s)``, of the sign of s. What is
small near a special point (x − 1, or the distance to a root of Q) is never formed by
subtracting rounded numbers. m = D/(D+1) throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


Floats = NDArray[np.float64]

_FAR = 40.0  # e^{-40} is below rounding beside 1
_NEAR = 0.5  # |s| below which x - 1 is formed by expm1
_HUGE = 700.0  # exponents beyond it leave the range of a float


@dataclass(frozen=True, slots=True)
class End:
    """What happens for s → ±∞, to rounding beyond ``start``.

    Attributes:
        start: where the asymptotic form begins.
        rate: slope of the log weight, prefactor and Jacobian together.
        force: a of g'(s) = a e^{bs}.
        power: b of the same; 0 makes a power law of x with an exponent that depends
            on the temperature.
        growth: d ln|x|/ds.
    """

    start: float
    rate: float
    force: float
    power: float
    growth: float


class Coordinate(Protocol):
    """A change of variables from s to x."""

    @property
    def left(self) -> End: ...

    @property
    def right(self) -> End: ...

    @property
    def poles(self) -> tuple[complex, ...]: ...

    def value(self, s: Floats) -> Floats: ...

    def offset(self, s: Floats) -> Floats: ...

    def inverse(self, x: Floats) -> Floats: ...

    def slope(self, s: Floats) -> Floats: ...

    def log_prefactor(self, s: Floats) -> Floats: ...

    def prefactor_slope(self, s: Floats) -> Floats: ...

    def log_jacobian(self, s: Floats) -> Floats: ...

    def jacobian_slope(self, s: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class HalfLine:
    """x = e^s ∈ (0, ∞): density x^{−3m} Q(x)⁻¹ exp(−(1/t)∫x^{−2m}(x − 1)/Q).

    Here Q(x) = (wx − C)² + S² up to a factor, with either w = 1 (roots of modulus
    ρ < 1) or C² + S² = 1 (ρ ≥ 1, w = 1/ρ): it neither overflows nor vanishes.

    Attributes:
        m: D/(D + 1) ≥ ½.
        w: see above.
        C: see above.
        S: see above; ≥ 0.
        gap: w − C, computed without cancellation.
    """

    m: float
    w: float
    C: float
    S: float
    gap: float

    @property
    def modulus(self) -> float:
        """Return C² + S² = Q(0)."""
        return self.C * self.C + self.S * self.S

    @property
    def left(self) -> End:
        """Return the end x → 0; where α₃ = 0 the noise vanishes there."""
        if not self.modulus:
            return End(-_FAR, -1 - 3 * self.m, -1.0, -1 - 2 * self.m, 1.0)
        start = min(0.0, self._log_rho()) - _FAR
        return End(start, 1 - 3 * self.m, -1 / self.modulus, 1 - 2 * self.m, 1.0)

    @property
    def right(self) -> End:
        """Return the end x → ∞; where α₁ = 0 the noise does not grow."""
        if not self.w:
            return End(_FAR, 1 - 3 * self.m, 1 / self.modulus, 2 - 2 * self.m, 1.0)
        start = max(0.0, self._log_rho()) + _FAR
        return End(start, -1 - 3 * self.m, self.w**-2, -2 * self.m, 1.0)

    def _log_rho(self) -> float:
        """Return ln|root of Q|, or 0 where there is no root but 0 or ∞."""
        if not self.w or not self.modulus:
            return 0.0
        return math.log(math.hypot(self.C, self.S)) - math.log(self.w)

    @property
    def poles(self) -> tuple[complex, ...]:
        """Return the roots of Q nearest to the real axis."""
        if not self.w or not self.modulus:
            return ()
        return (complex(self._log_rho(), math.atan2(self.S, self.C)),)

    def value(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(np.exp(s))

    def offset(self, s: Floats) -> Floats:
        """Return x − 1."""
        return np.asarray(np.expm1(s))

    def inverse(self, x: Floats) -> Floats:
        """Return s."""
        return np.asarray(np.log(x))

    def _noise(self, s: Floats) -> tuple[Floats, Floats]:
        """Return (wx − C, S), times e^{-s} where s > 0."""
        u = np.exp(-np.abs(s))
        e = -np.expm1(-np.abs(s))
        low = np.where(s > -_NEAR, self.gap - self.w * e, self.w * u - self.C)
        high = np.where(s < _NEAR, self.gap + self.C * e, self.w - self.C * u)
        return np.where(s > 0, high, low), np.where(s > 0, self.S * u, self.S)

    def slope(self, s: Floats) -> Floats:
        """Return x^{1−2m}(x − 1)/Q."""
        root = np.hypot(*self._noise(s))
        power = np.where(s > 0, self.m * s, (self.m - 0.5) * s)
        top = np.where(s > 0, -np.expm1(-np.abs(s)), np.expm1(-np.abs(s)))
        with np.errstate(over="ignore"):
            return np.asarray(top * (np.exp(-power) / root) ** 2)

    def log_prefactor(self, s: Floats) -> Floats:
        """Return log x^{−3m}/Q."""
        root = np.log(np.hypot(*self._noise(s)))
        return np.asarray(-3 * self.m * s - 2 * root - 2 * np.maximum(s, 0.0))

    def prefactor_slope(self, s: Floats) -> Floats:
        """Return −3m − xQ'/Q."""
        near, imaginary = self._noise(s)
        x = np.where(s > 0, 1.0, np.exp(np.minimum(s, 0.0)))
        root = np.hypot(near, imaginary)
        return np.asarray(-3 * self.m - 2 * (self.w * x / root) * (near / root))

    def log_jacobian(self, s: Floats) -> Floats:
        """Return s."""
        return s

    def jacobian_slope(self, s: Floats) -> Floats:
        """Return 1."""
        return np.ones_like(s)


@dataclass(frozen=True, slots=True)
class Above:
    """x = κ + (1 − κ)e^s ∈ (κ, ∞), where Q = (x − κ)² and 0 ≤ κ < 1.

    The drift at κ leads upwards and there is no noise: what is above stays above. It
    is F(x) = (x − 1) + decay·(x^{1−2m} − 1), up to a factor.

    Attributes:
        m: D/(D + 1); 0 for D = 0.
        kappa: κ; any number, 0 by convention, for m = 0.
        gap: 1 − κ.
        decay: ≥ 0.
    """

    m: float
    kappa: float
    gap: float
    decay: float

    @property
    def left(self) -> End:
        """Return the end x → κ, where the density vanishes like exp(−1/(x − κ))."""
        force = float(self._drift(np.array([-math.inf]))[0])
        if self.m:
            force *= self.kappa ** (-2 * self.m)
        growth = 0.0 if self.kappa else 1.0
        start = min(0.0, self._far()) - _FAR
        return End(start, -1.0, force / self.gap, -1.0, growth)

    @property
    def right(self) -> End:
        """Return the end x → ∞."""
        m2 = 2 * self.m
        start = max(0.0, self._far()) + _FAR
        return End(start, -1 - 1.5 * m2, self.gap**-m2, -m2, 1.0)

    def _far(self) -> float:
        """Return the real part of the singularity at x = 0, where there is one."""
        if not (self.m and self.kappa):
            return 0.0
        return math.log(self.kappa / self.gap)

    @property
    def poles(self) -> tuple[complex, ...]:
        """Return where x = 0."""
        return (complex(self._far(), math.pi),) if self.m else ()

    def value(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(self.kappa + self.gap * np.exp(s))

    def offset(self, s: Floats) -> Floats:
        """Return x − 1."""
        return np.asarray(self.gap * np.expm1(s))

    def inverse(self, x: Floats) -> Floats:
        """Return s."""
        return np.asarray(np.log((x - self.kappa) / self.gap))

    def _drift(self, s: Floats) -> Floats:
        """Return F."""
        offset = self.offset(s)
        if not self.decay:
            return offset
        change = np.expm1((1 - 2 * self.m) * np.log1p(offset))
        return np.asarray(offset + self.decay * change)

    def slope(self, s: Floats) -> Floats:
        """Return x^{−2m} F/(x − κ)."""
        drift = self._drift(s) / (self.gap * np.exp(s))
        if not self.m:
            return np.asarray(drift)
        return np.asarray(drift * np.exp(-2 * self.m * np.log(self.value(s))))

    def log_prefactor(self, s: Floats) -> Floats:
        """Return log x^{−3m}(x − κ)^{−2}."""
        result = -2 * (s + math.log(self.gap))
        if self.m:
            result = result - 3 * self.m * np.log(self.value(s))
        return np.asarray(result)

    def prefactor_slope(self, s: Floats) -> Floats:
        """Return −3m(x − κ)/x − 2."""
        if not self.m:
            return np.full_like(s, -2.0)
        part = 1 / (1 + self.kappa / self.gap * np.exp(-s))
        return np.asarray(-3 * self.m * part - 2.0)

    def log_jacobian(self, s: Floats) -> Floats:
        """Return log(x − κ)."""
        return np.asarray(s + math.log(self.gap))

    def jacobian_slope(self, s: Floats) -> Floats:
        """Return 1."""
        return np.ones_like(s)


@dataclass(frozen=True, slots=True)
class Below:
    """x = κ/(1 + (κ − 1)e^{−s}) ∈ (0, κ), where Q = (x − κ)² and κ > 1.

    The drift at κ leads downwards and there is no noise: what is below stays below.

    Attributes:
        m: D/(D + 1) ≥ ½.
        kappa: κ.
        excess: κ − 1.
    """

    m: float
    kappa: float
    excess: float

    @property
    def left(self) -> End:
        """Return the end x → 0."""
        start = min(0.0, math.log(self.excess)) - _FAR
        slope = 1 - 2 * self.m
        force = -((self.kappa / self.excess) ** slope) / self.kappa**2
        return End(start, 1 - 3 * self.m, force, slope, 1.0)

    @property
    def right(self) -> End:
        """Return the end x → κ, where the density vanishes like exp(−1/(κ − x))."""
        start = max(0.0, math.log(self.excess)) + _FAR
        return End(start, 1.0, self.kappa ** (-1 - 2 * self.m), 1.0, 0.0)

    @property
    def poles(self) -> tuple[complex, ...]:
        """Return where x = ∞."""
        return (complex(math.log(self.excess), math.pi),)

    def _share(self, s: Floats) -> Floats:
        """Return log(x/κ)."""
        return np.asarray(-np.logaddexp(0.0, math.log(self.excess) - s))

    def value(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(self.kappa * np.exp(self._share(s)))

    def offset(self, s: Floats) -> Floats:
        """Return x − 1."""
        # x - 1 = (kappa - x) expm1(s)/kappa.
        part = -np.expm1(-np.abs(s))
        high = part * self.excess * np.exp(self._share(s))
        return np.asarray(np.where(s > 0, high, -part * np.exp(self._rest(s))))

    def _rest(self, s: Floats) -> Floats:
        """Return log(1 − x/κ)."""
        return np.asarray(-np.logaddexp(0.0, s - math.log(self.excess)))

    def inverse(self, x: Floats) -> Floats:
        """Return s."""
        return np.asarray(np.log(x) + np.log(self.excess / (self.kappa - x)))

    def slope(self, s: Floats) -> Floats:
        """Return x^{1−2m}(e^s − 1)/κ²."""
        power = np.exp((1 - 2 * self.m) * (math.log(self.kappa) + self._share(s)))
        return np.asarray(power * np.expm1(np.minimum(s, _HUGE)) / self.kappa**2)

    def log_prefactor(self, s: Floats) -> Floats:
        """Return log x^{−3m}(κ − x)^{−2}."""
        ends = 3 * self.m * self._share(s) + 2 * self._rest(s)
        return np.asarray(-ends - (3 * self.m + 2) * math.log(self.kappa))

    def prefactor_slope(self, s: Floats) -> Floats:
        """Return −3m(1 − x/κ) + 2x/κ."""
        up, down = np.exp(self._share(s)), np.exp(self._rest(s))
        return np.asarray(2 * up - 3 * self.m * down)

    def log_jacobian(self, s: Floats) -> Floats:
        """Return log x(κ − x)/κ."""
        ends = self._share(s) + self._rest(s)
        return np.asarray(ends + math.log(self.kappa))

    def jacobian_slope(self, s: Floats) -> Floats:
        """Return 1 − 2x/κ."""
        return np.asarray(np.exp(self._rest(s)) - np.exp(self._share(s)))

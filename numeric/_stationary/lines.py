"""Coordinates of the whole line, for D = 0: a linear regression, one factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from numeric._stationary.coordinates import End, Floats


_FAR = 40.0  # e^{-40} is below rounding beside 1


@dataclass(frozen=True, slots=True)
class Line:
    """x = sinh(s + s₀) ∈ ℝ: density Q⁻¹ exp(−(1/t)∫(x − x₀)/Q), Q = 1 + x².

    Attributes:
        shift: s₀ = asinh x₀ ≥ 0.
    """

    shift: float

    @property
    def left(self) -> End:
        """Return the end x → −∞."""
        return End(-2 * self.shift - _FAR, 1.0, -1.0, 0.0, -1.0)

    @property
    def right(self) -> End:
        """Return the end x → ∞."""
        return End(_FAR, -1.0, 1.0, 0.0, 1.0)

    @property
    def poles(self) -> tuple[complex, ...]:
        """Return the roots of Q."""
        return (complex(-self.shift, math.pi / 2),)

    def value(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(np.sinh(s + self.shift))

    def offset(self, s: Floats) -> Floats:
        """Return x − x₀."""
        return np.asarray(2 * np.cosh(s / 2 + self.shift) * np.sinh(s / 2))

    def inverse(self, x: Floats) -> Floats:
        """Return s."""
        return np.asarray(np.arcsinh(x) - self.shift)

    def slope(self, s: Floats) -> Floats:
        """Return (x − x₀)/√(1 + x²), the ratio of hyperbolic functions unscaled."""
        a, b, half = np.abs(s / 2 + self.shift), np.abs(s + self.shift), np.abs(s / 2)
        top = (1 + np.exp(-2 * a)) * -np.expm1(-2 * half) * np.sign(s)
        return np.asarray(top * np.exp(a + half - b) / (1 + np.exp(-2 * b)))

    def log_prefactor(self, s: Floats) -> Floats:
        """Return −log(1 + x²)."""
        return np.asarray(-2 * self.log_jacobian(s))

    def prefactor_slope(self, s: Floats) -> Floats:
        """Return −2x/√(1 + x²)."""
        return np.asarray(-2 * np.tanh(s + self.shift))

    def log_jacobian(self, s: Floats) -> Floats:
        """Return log cosh(s + s₀)."""
        y = np.abs(s + self.shift)
        return np.asarray(y + np.log1p(np.exp(-2 * y)) - math.log(2))

    def jacobian_slope(self, s: Floats) -> Floats:
        """Return tanh(s + s₀)."""
        return np.asarray(np.tanh(s + self.shift))


@dataclass(frozen=True, slots=True)
class Gauss:
    """x = sinh s ∈ ℝ, where Q = 1 (x² has no variance): a normal law, x²/(2t)."""

    @property
    def left(self) -> End:
        """Return the end x → −∞."""
        return End(-_FAR / 2, -1.0, -0.25, -2.0, -1.0)

    @property
    def right(self) -> End:
        """Return the end x → ∞."""
        return End(_FAR / 2, 1.0, 0.25, 2.0, 1.0)

    @property
    def poles(self) -> tuple[complex, ...]:
        """Return none."""
        return ()

    def value(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(np.sinh(s))

    def offset(self, s: Floats) -> Floats:
        """Return x."""
        return np.asarray(np.sinh(s))

    def inverse(self, x: Floats) -> Floats:
        """Return s."""
        return np.asarray(np.arcsinh(x))

    def slope(self, s: Floats) -> Floats:
        """Return sinh s cosh s."""
        return np.asarray(np.sinh(2 * s) / 2)

    def log_prefactor(self, s: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(s)

    def prefactor_slope(self, s: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(s)

    def log_jacobian(self, s: Floats) -> Floats:
        """Return log cosh s."""
        return np.asarray(np.logaddexp(s, -s) - math.log(2))

    def jacobian_slope(self, s: Floats) -> Floats:
        """Return tanh s."""
        return np.asarray(np.tanh(s))

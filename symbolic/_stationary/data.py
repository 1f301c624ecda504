"""What P2's networks see of their data: five moments, derived from the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._laws.explicit_noise import (
    CovarianceFromMoments,
    finite_covariance,
    gaussian_covariance,
    moments_covariance,
)
from symbolic._loss import Loss, as_scalar
from symbolic._space import ParameterSpace


@dataclass(frozen=True, slots=True)
class DataConstants:
    """The moments of (x, y) in E[∂ℓ/∂v] and Var[∂ℓ/∂v] of ℓ = (vx − y)².

    E[∂ℓ/∂v] = 2(β₁v − β₂) and Var[∂ℓ/∂v] = 4Q(v), Q = α₁v² − 2α₂v + α₃.

    Attributes:
        alpha1: α₁ = Var[x²].
        alpha2: α₂ = E[x³y] − E[x²]E[xy].
        alpha3: α₃ = Var[xy].
        beta1: β₁ = E[x²].
        beta2: β₂ = E[xy].

    >>> k, s = sp.symbols("k sigma", positive=True)
    >>> DataConstants.gaussian(k, s)
    DataConstants(alpha1=2, alpha2=2*k, alpha3=2*k**2 + sigma**2, beta1=1, beta2=k)
    """

    alpha1: sp.Expr
    alpha2: sp.Expr
    alpha3: sp.Expr
    beta1: sp.Expr
    beta2: sp.Expr

    def __post_init__(self) -> None:
        for each in fields(self):
            value = as_scalar(getattr(self, each.name))
            object.__setattr__(self, each.name, value)
            if each.name not in {"alpha2", "beta2"} and value.is_negative:
                raise DeclarationError(
                    f"expected {each.name} >= 0, a variance or a second moment, "
                    f"got {value}"
                )

    @classmethod
    def symbols(cls) -> Self:
        """Return five symbols, all but α₂ positive: Δ > 0 is not assumed by them."""
        names = ("alpha1", "alpha2", "alpha3", "beta1", "beta2")
        return cls(
            *(
                sp.Symbol(n, real=True)
                if n == "alpha2"
                else sp.Symbol(n, positive=True)
                for n in names
            )
        )

    @classmethod
    def from_moments(cls) -> Self:
        """Return the constants in raw moments such as `E_x3_y` = E[x³y]."""
        return cls.of_noise(moments_covariance(_loss()))

    @classmethod
    def from_samples(cls, samples: Sequence[tuple[Any, Any]]) -> Self:
        """Return the constants of a finite training set, exactly.

        Args:
            samples: pairs (x, y) of rational numbers.

        Returns:
            Five rationals.

        >>> DataConstants.from_samples([(1, 1), (2, 3)]).alpha3
        25/4
        """
        named: list[Mapping[str, Any]] = [{"x": x, "y": y} for x, y in samples]
        return cls.of_noise(finite_covariance(_loss(), named))

    @classmethod
    def gaussian(cls, slope: Any, noise: Any, variance: Any = 1) -> Self:
        """Return the constants for y = slope·x + ε, x and ε Gaussian, centred.

        Args:
            slope: k.
            noise: the standard deviation of ε, independent of x.
            variance: Var x.

        Returns:
            The constants by Wick's theorem.
        """
        k, s, q = (as_scalar(value) for value in (slope, noise, variance))
        spread = [[q, k * q], [k * q, k**2 * q + s**2]]
        return cls.of_noise(gaussian_covariance(_loss(), spread))

    @classmethod
    def of_noise(cls, noise: CovarianceFromMoments) -> Self:
        """Read the constants off ∇L and Σ of the loss (vx − y)², polynomials in v.

        Args:
            noise: of that loss, on one parameter.

        Returns:
            The constants, from the coefficients of powers of v.
        """
        (v,) = noise.space.symbols
        mean = sp.Poly(noise.mean[0] / 2, v)
        quadratic = sp.Poly(noise.covariance[0, 0] / 4, v)
        return cls(
            quadratic.coeff_monomial(v**2),
            -quadratic.coeff_monomial(v) / 2,
            quadratic.coeff_monomial(1),
            mean.coeff_monomial(v),
            -mean.coeff_monomial(1),
        )

    def Q(self, v: sp.Expr) -> sp.Expr:  # noqa: N802 - the paper's letter
        """Return α₁v² − 2α₂v + α₃ = ¼Var[∂ℓ/∂v] ≥ 0."""
        return self.alpha1 * v**2 - 2 * self.alpha2 * v + self.alpha3

    @property
    def Delta(self) -> sp.Expr:  # noqa: N802 - the paper's letter
        """Return Δ = α₁α₃ − α₂² ≥ 0; min Q = Δ/α₁, and 0 at interpolation."""
        return sp.expand(self.alpha1 * self.alpha3 - self.alpha2**2)

    @property
    def minimal_noise(self) -> sp.Expr:
        """Return min_v Var[∂ℓ/∂v] = 4Δ/α₁, at v = α₂/α₁ (P2, Eq. (11), corrected)."""
        v = sp.Dummy("v", real=True)
        (least,) = sp.solve(self.Q(v).diff(v), v)
        return sp.factor(4 * self.Q(least))

    def mirrored(self) -> Self:
        """Return the constants of (x, −y): those of −v."""
        return type(self)(
            self.alpha1, -self.alpha2, self.alpha3, self.beta1, -self.beta2
        )

    def interpolating(self, slope: sp.Expr) -> Self:
        """Return the constants where y = slope·x on every sample: Δ = 0.

        Args:
            slope: k.

        Returns:
            α₂ = kα₁, α₃ = k²α₁, β₂ = kβ₁: covariances of x² with multiples of x².
        """
        k = as_scalar(slope)
        a, b = self.alpha1, self.beta1
        return type(self)(a, k * a, k**2 * a, b, k * b)


def _loss() -> Loss:
    v, x, y = sp.symbols("v x y")
    return Loss((v * x - y) ** 2, ParameterSpace(v=()), {"x": (), "y": ()})

"""The five data constants on which the stationary law of a diagonal network depends."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike


ROUNDING = 32 * float(np.finfo(np.float64).eps)  # of Δ/(α₁α₃), as moments come rounded
_NORMAL = float(np.finfo(np.float64).tiny)
_UNDERFLOW = 1e-150  # of a covariance with a variance that has underflowed


@dataclass(frozen=True, slots=True)
class DataMoments:
    """Moments of the data (x, y), scalars, that enter the noise Q(v) and the drift.

    ``Q(v) = α₁v² − 2α₂v + α₃`` is the variance of ``x(vx − y)``, a quarter of that of
    the gradient of ``(vx − y)²``; ``2(β₁v − β₂)`` is the gradient of the mean loss.
    Moments are taken as given, exactly, but for Cauchy–Schwarz: an
    ``α₁α₃ − α₂²`` that is negative within rounding is read as 0.

    Attributes:
        alpha1: α₁ = Var[x²] ≥ 0.
        alpha2: α₂ = Cov[x², xy].
        alpha3: α₃ = Var[xy] ≥ 0.
        beta1: β₁ = E[x²] > 0.
        beta2: β₂ = E[xy].

    >>> DataMoments(2, 2, 3, 1, 1).delta
    2.0
    """

    alpha1: float
    alpha2: float
    alpha3: float
    beta1: float
    beta2: float

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(
                self, field.name, _number(field.name, getattr(self, field.name))
            )
        for name in ("alpha1", "alpha3"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"expected {name} >= 0, a variance, got {getattr(self, name)!r}"
                )
        if self.beta1 <= 0:
            raise ValueError(
                f"expected beta1 = E[x^2] > 0, got {self.beta1!r}; where every x is 0 "
                f"there is nothing to learn"
            )
        scale = Fraction(self.alpha1) * Fraction(self.alpha3)
        if not scale and abs(self.alpha2) < _UNDERFLOW:
            object.__setattr__(self, "alpha2", 0.0)  # α₂² is below the least float
        # Below the normal numbers a variance has lost digits.
        lost = Fraction(ROUNDING)
        for variance in (self.alpha1, self.alpha3):
            lost *= Fraction(max(variance, _NORMAL))
        if self.exact_delta() < -lost:
            raise ValueError(
                f"expected alpha1*alpha3 >= alpha2^2 (Cauchy-Schwarz), got "
                f"alpha1={self.alpha1!r}, alpha2={self.alpha2!r}, "
                f"alpha3={self.alpha3!r}; are they Var[x^2], Cov[x^2, xy], Var[xy]?"
            )

    def exact_delta(self) -> Fraction:
        """Return α₁α₃ − α₂² of the moments as they are, without rounding."""
        product = Fraction(self.alpha1) * Fraction(self.alpha3)
        return product - Fraction(self.alpha2) ** 2

    @property
    def delta(self) -> float:
        """Δ = α₁α₃ − α₂² ≥ 0: Q has a real root, where all noise ends, iff Δ = 0."""
        return float(max(self.exact_delta(), Fraction(0)))

    def noise(self, v: float) -> float:
        """Return Q(v) = α₁v² − 2α₂v + α₃."""
        if not self.alpha1:
            return self.alpha3
        root = self.alpha2 / self.alpha1
        return self.alpha1 * (v - root) ** 2 + self.delta / self.alpha1

    @classmethod
    def from_samples(cls, x: ArrayLike, y: ArrayLike) -> DataMoments:
        """Return the moments of a finite data set, each pair (x, y) equally likely.

        Variances divide by N: the training set is the population SGD draws from.

        Args:
            x: inputs, ``(N,)``.
            y: targets, ``(N,)``.

        Returns:
            The five moments.

        Raises:
            ValueError: the shapes differ, there are no samples, or some not finite.

        >>> DataMoments.from_samples([1.0, 2.0], [1.0, 1.0])
        DataMoments(alpha1=2.25, alpha2=0.75, alpha3=0.25, beta1=2.5, beta2=1.5)
        """
        inputs, targets = (np.asarray(a, dtype=np.float64) for a in (x, y))
        if inputs.ndim != 1 or inputs.shape != targets.shape or not inputs.size:
            raise ValueError(
                f"expected x and y of one shape (N,), N >= 1, got {inputs.shape} and "
                f"{targets.shape}; pass one number per sample"
            )
        if not (np.isfinite(inputs).all() and np.isfinite(targets).all()):
            raise ValueError("expected finite samples, got nan or inf; drop them")
        square, product = inputs * inputs, inputs * targets
        beta1, beta2 = square.mean(), product.mean()
        square, product = square - beta1, product - beta2
        return cls(
            (square * square).mean(),
            (square * product).mean(),
            (product * product).mean(),
            beta1,
            beta2,
        )

    @classmethod
    def gaussian(cls, slope: float, noise: float) -> DataMoments:
        """Return the exact moments of x ~ N(0, 1), y = slope·x + noise·ε, ε ~ N(0, 1).

        Args:
            slope: the slope k.
            noise: σ ≥ 0, the standard deviation of the label noise (not its variance).

        Returns:
            α₁ = 2, α₂ = 2k, α₃ = 2k² + σ², β₁ = 1, β₂ = k.

        Raises:
            ValueError: an argument is not finite, or the noise is negative.

        >>> DataMoments.gaussian(1, 1)
        DataMoments(alpha1=2.0, alpha2=2.0, alpha3=3.0, beta1=1.0, beta2=1.0)
        """
        k, sigma = _number("slope", slope), _number("noise", noise)
        if sigma < 0:
            raise ValueError(
                f"expected noise >= 0, a standard deviation, got {noise!r}"
            )
        return cls(2.0, 2 * k, 2 * k * k + sigma * sigma, 1.0, k)


def _number(name: str, value: float) -> float:
    """Return a finite float, or say that it is none."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected {name} a finite number, got {value!r}")
    return number

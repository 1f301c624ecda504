"""What a certified equilibrium is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np

from numeric._equilibria.exact import decimal, ratio


class Degeneracy(StrEnum):
    """Why λ* is not a finite number; members are strings and compare as such.

    "Acts" means σ²sᵢ > 0 for noise, γtᵢ > 0 for decay, at an i with μᵢ ≠ 0.

    Attributes:
        ZERO_GENERATOR: every μᵢ is 0, so A = 0 and G ≡ 0: every λ is a zero.
        NO_NOISE_NO_DECAY: A ≠ 0, but neither noise nor decay acts (interpolation
            without decay, say): G ≡ 0, every λ is a zero.
        SEMIDEFINITE_WITHOUT_DECAY: noise acts, decay does not, and the μᵢ that are
            not 0 have one sign: λ* = ±∞, with that sign.
        ONE_SIDED_NOISE: the same with μᵢ of both signs, where noise acts at one
            sign only: λ* = ±∞, with that sign.
        DECAY_ALONE: decay acts, at one sign of μᵢ only, and noise does not: λ* = ±∞,
            with the opposite sign. (At both signs decay alone has a finite λ*.)
        NOISE_WITH_DECAY: noise acts at one sign of μᵢ, decay at the other, and both
            push the charge the same way: λ* = ±∞, with the sign of the noise.
    """

    ZERO_GENERATOR = "zero-generator"
    NO_NOISE_NO_DECAY = "no-noise-no-decay"
    SEMIDEFINITE_WITHOUT_DECAY = "semidefinite-without-decay"
    ONE_SIDED_NOISE = "one-sided-noise"
    DECAY_ALONE = "decay-alone"
    NOISE_WITH_DECAY = "noise-with-decay"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An interval that holds λ*, proved.

    Attributes:
        lower: an exact number ≤ λ*, or a float ±inf.
        upper: an exact number ≥ λ*, or a float ±inf.
        unique: whether G is strictly decreasing, so that λ* is the only zero.
        degeneracy: None where λ* is finite, else why it is not.
    """

    lower: Fraction | float
    upper: Fraction | float
    unique: bool
    degeneracy: Degeneracy | None

    def contains(self, x: Any) -> bool:
        """Decide lower ≤ x ≤ upper exactly; NaN lies in no interval."""
        if isinstance(x, (float, np.floating)) and not math.isfinite(x):
            return bool(self.lower <= float(x) <= self.upper)
        exact = Fraction(*ratio(x, "x"))
        return bool(self.lower <= exact <= self.upper)

    @property
    def midpoint(self) -> float:
        """The float nearest the middle; ±inf beyond the floats, NaN where G ≡ 0."""
        if isinstance(self.lower, float) or isinstance(self.upper, float):
            return float(self.lower) if self.lower == self.upper else math.nan
        middle = (self.lower + self.upper) / 2
        try:
            return float(middle)
        except OverflowError:
            return math.inf if middle > 0 else -math.inf

    def __str__(self) -> str:
        """Return one line: the value and the width, or the degeneracy."""
        if isinstance(self.lower, float) or isinstance(self.upper, float):
            what = "every λ is a zero"
            if self.lower == self.upper:
                what = f"λ* = {float(self.lower):+}"
            return f"{what} ({self.degeneracy})"
        if self.lower == self.upper:
            return f"λ* = {decimal(self.lower, 17)} exactly"
        middle, width = (self.lower + self.upper) / 2, self.upper - self.lower
        return f"λ* ≈ {decimal(middle, 17)}, enclosed to {decimal(width, 2)}"

"""From data, depth and width to one dimensionless density, or the reason for none.

On the balanced manifold, where all |u_i^{(k)}| = (|v|/d)^{1/N}, N = D + 1 factors,
Itô's rule for v = Σᵢ∏ₖ u_i^{(k)} gives, with c = d^{2/N−1} and m = D/N,

    dv = [−2Nc v^{2m}(β₁v − β₂) − 2Nγv + 2NDc² v^{3−4/N} T Q] dt + 2Nc v^{2m}√(TQ) dW.

Zero probability flux, p ∝ b⁻² exp ∫2a/b² for drift a and noise b, is then

    p ∝ v^{−3m} Q⁻¹ exp{−(1/T) ∫ [β₁v − β₂ + (γ/c) v^{1−2m}] / (Nc v^{2m} Q) dv}.

Hence D = 1: β₂ → β₂ − γ, for any width. D = 0: β₁ → β₁ + γ/d and T → dT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from numeric._stationary.coordinates import (
    Above,
    Below,
    Coordinate,
    Floats,
    HalfLine,
)
from numeric._stationary.lines import Gauss, Line
from numeric._stationary.moments import ROUNDING, DataMoments


_AT_ROOT = 1e-6  # relative drift at a root of Q that was rounded: it may be none
_AT_EXACT_ROOT = 1e-9  # the same where Δ is 0 to the last digit
_LEAST, _MOST = 1e-290, 1e290  # of x, beyond which v/v₀ may have lost digits
_NO_WIDTH = Fraction(1, 10**24)  # of Δ/(α₁α₃): a dip of Q too narrow for floats


class NoDensityError(ValueError):
    """There is a stationary law, but it has no density and is not at v = 0."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """v = sign·(origin + scale·x), x of the coordinate, at t = T/unit.

    Attributes:
        coordinate: of x; None where the law is an atom at 0 at every temperature.
        unit: the temperature at which t = 1.
        sign: ±1.
        origin: see above.
        scale: > 0.
        critical: the temperature from which on the law is an atom at 0.
        low: lower end of the support of sign·v.
        high: upper end.
    """

    coordinate: Coordinate | None
    unit: float
    sign: float
    origin: float
    scale: float
    critical: float
    low: float
    high: float

    def position(self, v: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return s of each v in the interior of the support, and which these are."""
        u = self.sign * v
        inside = (u > self.low) & (u < self.high)
        if not inside.all():
            u = u[inside]
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            x = (u - self.origin) / self.scale
            s = self.form.inverse(x)
        if u.size and not (x.min() > _LEAST and x.max() < _MOST) and self.on_half_line:
            s = np.where(
                (x > _LEAST) & (x < _MOST), s, np.log(u) - math.log(self.scale)
            )
        return s, inside

    @property
    def on_half_line(self) -> bool:
        """Decide whether x = e^s with no origin."""
        return isinstance(self.coordinate, HalfLine)

    def point(self, s: Floats) -> Floats:
        """Return v at s, ±inf included."""
        with np.errstate(over="ignore", under="ignore"):
            v = self.sign * (self.origin + self.scale * self.form.value(s))
        return np.asarray(v + 0.0)  # no -0.0

    @property
    def form(self) -> Coordinate:
        """Return the coordinate where there is one."""
        if self.coordinate is None:
            raise NoDensityError("expected a density, got an atom at v = 0")
        return self.coordinate


COLLAPSED = Reduced(None, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Data:
    """Exact moments, reflected so that β₂ ≥ 0, and the shape of the network."""

    alpha1: Fraction
    alpha2: Fraction
    alpha3: Fraction
    beta1: Fraction
    beta2: Fraction
    gamma: Fraction
    delta: Fraction
    sign: float
    factors: int
    width: int
    blur: Fraction

    @property
    def m(self) -> float:
        """Return D/(D + 1)."""
        return (self.factors - 1) / self.factors

    @property
    def c(self) -> float:
        """Return d^{2/N − 1}."""
        return float(math.exp((2 / self.factors - 1) * math.log(self.width)))

    @property
    def root(self) -> Fraction | None:
        """Return α₂/α₁ where Q = 0, None where Q > 0 everywhere."""
        if self.alpha1 and self.delta <= _NO_WIDTH * self.alpha1 * self.alpha3:
            return self.alpha2 / self.alpha1
        return None

    @property
    def width_of_dip(self) -> float:
        """Return √(Δ/(α₁α₃)), the sine of the argument of the roots of Q."""
        return math.sqrt(self.delta / (self.alpha1 * self.alpha3))

    @property
    def nearly_null(self) -> bool:
        """Decide whether Δ is 0 to the rounding of moments."""
        scale = self.alpha1 * self.alpha3
        return self.alpha1 > 0 and self.delta <= Fraction(ROUNDING) * scale


def reduce_density(
    factors: int, width: int, moments: DataMoments, gamma: float
) -> Reduced:
    """Return the dimensionless form of the stationary density.

    Args:
        factors: D + 1.
        width: d.
        moments: of the data.
        gamma: weight decay γ ≥ 0 of γ‖θ‖².

    Returns:
        The form.

    Raises:
        NoDensityError: there is no noise at all, or none at a minimum of the loss.
    """
    if not moments.alpha1 and not moments.alpha3:
        raise NoDensityError(
            "expected alpha1 > 0 or alpha3 > 0, got 0 and 0: without noise SGD is "
            "gradient descent, and its end no density"
        )
    exact = [
        Fraction(a)
        for a in (moments.alpha1, moments.alpha2, moments.alpha3, moments.beta1)
    ]
    beta2, delta = Fraction(moments.beta2), moments.exact_delta()
    sign = -1 if beta2 < 0 else 1
    data = _Data(
        exact[0],
        sign * exact[1],
        exact[2],
        exact[3],
        abs(beta2),
        Fraction(gamma),
        max(delta, Fraction(0)),
        float(sign),
        factors,
        width,
        Fraction(_AT_ROOT if delta else _AT_EXACT_ROOT),
    )
    if factors == 1:
        return _one_factor(data)
    if not data.beta2:
        return COLLAPSED
    if data.nearly_null and data.alpha2 > 0:
        one_sided = _beside_root(data)
        if one_sided is not None:
            return one_sided
    return _half_line(data)


def _refuse(root: float) -> NoDensityError:
    """Return the error for data that are fitted without noise."""
    return NoDensityError(
        f"expected noise at the minimum of the loss, got Q(v) = 0 at v = {root!r}, "
        f"where the drift is 0 too, to rounding: SGD stops there, "
        f"the stationary law is an atom and its density integrable on neither side; "
        f"add label noise to the data, however little"
    )


def _one_factor(data: _Data) -> Reduced:
    """D = 0: the whole line, or one side of the root of Q."""
    beta1 = data.beta1 + data.gamma / data.width
    centre = data.beta2 / beta1
    if not data.alpha1:
        width = math.sqrt(data.width * data.alpha3 / beta1)
        whole = (-math.inf, math.inf)
        return Reduced(Gauss(), 1.0, data.sign, float(centre), width, math.inf, *whole)
    root = data.alpha2 / data.alpha1
    away = centre - root
    if data.nearly_null and abs(away) <= data.blur * (centre + abs(root)):
        if not root:
            return COLLAPSED
        raise _refuse(data.sign * float(root))
    unit = float(beta1 / data.width / data.alpha1)
    sign = data.sign if away >= 0 else -data.sign
    origin = float(root) if away >= 0 else -float(root)
    if data.root is not None:
        scale = float(abs(away))
        beside = Above(0.0, 0.0, 1.0, 0.0)
        return Reduced(beside, unit, sign, origin, scale, math.inf, origin, math.inf)
    scale = math.sqrt(data.delta / data.alpha1**2)
    line = Line(math.asinh(float(abs(away)) / scale))
    return Reduced(line, unit, sign, origin, scale, math.inf, -math.inf, math.inf)


def _beside_root(data: _Data) -> Reduced | None:
    """Q = 0 at k > 0: what is left of the half line; None where Q is only nearly 0."""
    root = data.alpha2 / data.alpha1
    m2, k = 2 * data.m, float(root)
    pull = data.gamma if m2 == 1 else Fraction(float(data.gamma) * k ** (1 - m2))
    if m2 != 1:
        pull /= Fraction(data.c)
    drift = data.beta2 - data.beta1 * root - pull
    if abs(drift) <= data.blur * (data.beta2 + data.beta1 * root + pull):
        raise _refuse(data.sign * k)
    if data.root is None:
        return None
    if drift < 0:
        return _below(data, root)
    centre = _zero_of_drift(data, k)
    gap = (centre - k) / centre
    decay = 0.0
    if m2 == 1:
        gap = float((data.beta2 - data.gamma) / data.beta1 - root) / centre
    else:
        strength = float(data.gamma / data.beta1) / data.c
        decay = strength * centre**-m2
    return Reduced(
        Above(data.m, k / centre, gap, decay),
        _unit(data, centre, float(data.alpha1)),
        data.sign,
        0.0,
        centre,
        math.inf,
        k,
        math.inf,
    )


def _zero_of_drift(data: _Data, k: float) -> float:
    """Return where β₁v − β₂ + (γ/c)v^{1−2m} = 0, above k where it is negative."""
    if data.factors == 2 or not data.gamma:
        extra = data.gamma if data.factors == 2 else 0
        return float((data.beta2 - extra) / data.beta1)
    strength = float(data.gamma / data.beta1) / data.c
    target = float(data.beta2 / data.beta1)

    def drift(v: float) -> float:
        return float(v - target + strength * v ** (1 - 2 * data.m))

    return float(brentq(drift, k, target, xtol=1e-300, rtol=1e-15))


def _unit(data: _Data, centre: float, noise: float) -> float:
    """Return β₁v₀^{−2m}/(Nc·noise), noise in units of v₀⁻²·variance."""
    power = math.exp(-2 * data.m * math.log(centre))
    return float(data.beta1) * power / (data.factors * data.c * noise)


def _below(data: _Data, root: Fraction) -> Reduced:
    """Return the density on (0, k), where the drift at k leads downwards."""
    if data.factors > 2 and data.gamma:
        return COLLAPSED
    beta2 = data.beta2 - data.gamma if data.factors == 2 else data.beta2
    if beta2 <= 0:
        return COLLAPSED
    centre = beta2 / data.beta1
    kappa = root / centre
    critical = float(beta2 / data.alpha3) if data.factors == 2 else math.inf
    return Reduced(
        Below(data.m, float(kappa), float(kappa - 1)),
        _unit(data, float(centre), float(data.alpha1)),
        data.sign,
        0.0,
        float(centre),
        critical,
        0.0,
        float(root),
    )


def _half_line(data: _Data) -> Reduced:
    """Return the density on (0, ∞), where Q > 0."""
    if data.factors > 2 and data.gamma:
        return COLLAPSED
    beta2 = data.beta2 - data.gamma if data.factors == 2 else data.beta2
    if beta2 <= 0:
        return COLLAPSED
    centre = beta2 / data.beta1
    v = float(centre)
    critical = math.inf
    if data.factors == 2 and data.alpha3:
        critical = float(beta2 / data.alpha3)
    shape, noise = _noise_shape(data, centre)
    return Reduced(
        shape,
        _unit(data, v, noise),
        data.sign,
        0.0,
        v,
        critical,
        0.0,
        math.inf,
    )


def _noise_shape(data: _Data, centre: Fraction) -> tuple[HalfLine, float]:
    """Return Q(v₀x)/(noise·v₀²) = (wx − C)² + S² as a coordinate, and the noise."""
    if not data.alpha1:
        noise = float(data.alpha3 / centre**2)
        return HalfLine(data.m, 0.0, 0.0, 1.0, 0.0), noise
    gap = float(1 - data.alpha2 / (data.alpha1 * centre))
    if data.alpha3 < data.alpha1 * centre**2:  # roots of Q nearer to 0 than v₀
        C = float(data.alpha2 / (data.alpha1 * centre))
        S = math.sqrt(data.delta / (data.alpha1 * centre) ** 2)
        return HalfLine(data.m, 1.0, C, S, gap), float(data.alpha1)
    w = math.sqrt(data.alpha1 * centre**2 / data.alpha3)
    S = data.width_of_dip
    C = math.sqrt(data.alpha2**2 / (data.alpha1 * data.alpha3))
    C = math.copysign(C, data.alpha2)
    return HalfLine(data.m, w, C, S, w * gap), float(data.alpha3 / centre**2)

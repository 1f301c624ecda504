"""Where the stationary law collapses, is infinite at 0, has a peak: phase diagrams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from numeric._stationary.arguments import count, decay, temperatures
from numeric._stationary.density import StationaryDensity
from numeric._stationary.moments import DataMoments
from numeric._stationary.reduction import NoDensityError


COLLAPSE = "collapse"
INFINITE = "infinite at 0"
INFINITE_PEAK = "infinite at 0, with a peak"
ZERO = "zero at 0"
FINITE_VARIANCE = "finite variance"
INFINITE_VARIANCE = "infinite variance"
FITTED = "fitted"
PHASES = {
    COLLAPSE: "all mass at v = 0",
    INFINITE: "a density, infinite at v = 0 and falling",
    INFINITE_PEAK: "a density, infinite at v = 0, with a local maximum elsewhere",
    ZERO: "a density that vanishes at v = 0; its mode is elsewhere",
    FINITE_VARIANCE: "one factor: a density on the line, of finite variance",
    INFINITE_VARIANCE: "one factor: a density on the line, of infinite variance",
    FITTED: "no noise at the fit, and no density: SGD stops there",
}


@dataclass(frozen=True, slots=True)
class PhaseDiagram:
    """The stationary law for several data sets at several temperatures.

    Rows are data sets, columns temperatures.

    Attributes:
        depth: N, the number of factors.
        width: d.
        gamma: weight decay.
        moments: the data sets.
        temperatures: T.
        regions: the name of the region, one of `PHASES`.
        modes: where the density is highest, 0 where it is infinite there; nan where
            there is no density but an atom elsewhere.
        peaks: the highest local maximum with v ≠ 0, nan where there is none.
        critical: T_c of each data set: inf where none, 0 where every T collapses.
        third: T_c/3, from which on the density is infinite at 0; N = 2, else nan.
        peak_end: below T_c, the T at which the last peak vanishes; N = 2, else nan.
    """

    depth: int
    width: int
    gamma: float
    moments: tuple[DataMoments, ...]
    temperatures: tuple[float, ...]
    regions: tuple[tuple[str, ...], ...]
    modes: tuple[tuple[float, ...], ...]
    peaks: tuple[tuple[float, ...], ...]
    critical: tuple[float, ...]
    third: tuple[float, ...]
    peak_end: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One data set at all temperatures."""

    regions: tuple[str, ...]
    modes: tuple[float, ...]
    peaks: tuple[float, ...]
    critical: float
    third: float
    peak_end: float


def phase_diagram(
    depth: int,
    width: int,
    moments: Sequence[DataMoments],
    T: ArrayLike,
    gamma: float = 0.0,
) -> PhaseDiagram:
    """Return the phases of data sets at temperatures.

    Args:
        depth: N = D + 1, the number of factors.
        width: d, the number of non-zero products.
        moments: the data sets, at least one.
        T: the temperatures η/S > 0, in one row.
        gamma: weight decay γ ≥ 0.

    Returns:
        The diagram.

    Raises:
        ValueError: no data set, or temperatures that are no row of numbers > 0.

    >>> data = [DataMoments.gaussian(1, s) for s in (1, 2)]
    >>> diagram = phase_diagram(2, 1, data, [0.05, 0.14, 0.25, 0.4])
    >>> diagram.regions[0]  # T_c = 1/3
    ('zero at 0', 'infinite at 0, with a peak', 'infinite at 0', 'collapse')
    >>> [round(T, 6) for T in diagram.critical]
    [0.333333, 0.166667]
    """
    row = np.atleast_1d(np.asarray(temperatures(T)))
    data = tuple(moments)
    if row.ndim != 1 or not data:
        raise ValueError(
            f"expected one row of temperatures and at least one data set, got shape "
            f"{row.shape} and {len(data)}"
        )
    factors, products, loss = count("depth", depth), count("width", width), decay(gamma)
    rows = [_row(factors, products, each, row, loss) for each in data]
    return PhaseDiagram(
        factors,
        products,
        loss,
        data,
        tuple(map(float, row)),
        tuple(r.regions for r in rows),
        tuple(r.modes for r in rows),
        tuple(r.peaks for r in rows),
        tuple(r.critical for r in rows),
        tuple(r.third for r in rows),
        tuple(r.peak_end for r in rows),
    )


def _row(
    depth: int,
    width: int,
    data: DataMoments,
    T: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    gamma: float,
) -> _Row:
    """Return one data set at all temperatures."""
    missing = (math.nan,) * len(T)
    try:
        law = StationaryDensity(depth, width, moments=data, T=T, gamma=gamma)
    except NoDensityError:
        name = (FITTED,) * len(T)
        return _Row(name, missing, missing, math.inf, math.nan, math.nan)
    critical = law.critical_temperature
    modes, peaks, atom = law.mode(), law.peak(), law.mass_at_zero == 1.0
    if depth == 1:
        names = np.where(np.isfinite(law.var()), FINITE_VARIANCE, INFINITE_VARIANCE)
    else:
        names = np.where(np.isfinite(peaks), INFINITE_PEAK, INFINITE)
        names = np.where(critical > 3 * T, ZERO, names)
    names = np.where(atom, COLLAPSE, names)
    two = depth == 2 and math.isfinite(critical)
    return _Row(
        tuple(map(str, names)),
        tuple(map(float, modes)),
        tuple(map(float, peaks)),
        critical,
        critical / 3 if two else math.nan,
        last_peak(data, gamma, critical) if two else math.nan,
    )


def last_peak(data: DataMoments, gamma: float, critical: float) -> float:
    """Return the highest T ≤ T_c at which the density of two factors has a peak v ≠ 0.

    A peak is the larger root v > 0 of 7α₁Tv² + (β₁ − 10α₂T)v − (β₂ − γ − 3α₃T) = 0.
    Below T_c/3 there is one; above, while its discriminant is positive and
    10α₂T > β₁. For Gaussian data that is the T* of P2, if it is above T_c/3.

    Args:
        data: the moments, β₂ of any sign.
        gamma: γ.
        critical: T_c.

    Returns:
        The temperature, at least T_c/3.
    """
    if not critical > 0:
        return math.nan
    a2, b2 = math.copysign(1.0, data.beta2) * data.alpha2, abs(data.beta2) - gamma
    a1, a3, b1 = data.alpha1, data.alpha3, data.beta1
    # discriminant = A T² + B T + b1²
    A = 100 * a2 * a2 - 84 * a1 * a3
    B = 28 * a1 * b2 - 20 * a2 * b1
    third = critical / 3

    def has_peak(T: float) -> bool:
        return 10 * a2 * T > b1 and (A * T + B) * T + b1 * b1 > 0

    if has_peak(critical * (1 - 1e-12)):
        return critical
    ends = [third]
    root = B * B - 4 * A * b1 * b1
    if A and root >= 0:
        for sign in (1, -1):
            T = (-B + sign * math.sqrt(root)) / (2 * A)
            if third < T < critical and has_peak(T * (1 - 1e-9)):
                ends.append(T)
    return max(ends)

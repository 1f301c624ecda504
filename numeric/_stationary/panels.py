"""Densities resolved by adaptive panels, many temperatures at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._stationary.chebyshev import Rule, horner, rule
from numeric._stationary.coordinates import Floats
from numeric._stationary.potential import Potential


Indices = NDArray[np.intp]

NODES = 20
_RESOLVED = 1e-14  # of the last coefficients, relative to the panel's largest value
_NOISE = 64 * float(np.finfo(np.float64).eps)  # of an exponent, in units of its size
_ULPS = 8 * float(np.finfo(np.float64).eps)
_ROUNDS = 60
_TOLERANCE = 1e-10  # of the whole mass, for what could not be resolved


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Pieces of s, sorted by temperature and then from left to right.

    On each the density is ``exp(top)·f``, f a polynomial, in units of exp(peak).

    Attributes:
        owner: index of the temperature, ``(P,)``.
        parent: piece of the potential, ``(P,)``.
        left: left end in the local variable of the parent, ``(P,)``.
        right: right end, likewise.
        half: half the width in s, ``(P,)``.
        s: nodes, ``(P, n)``.
        top: largest exponent over the nodes, less the peak of its owner, ``(P,)``.
        f: exp(exponent − top) at the nodes, ``(P, n)``.
        peak: the largest exponent, for each temperature, ``(T,)``.
        left_rate: slope of the exponent at s → −∞, 0 where no power law is there.
        right_rate: minus the slope at s → ∞, likewise.
        left_edge: density at the left end of the left power law's absence, ``(T,)``.
        right_edge: at the right end, likewise; both 0 where there is no power law.
    """

    owner: Indices
    parent: Indices
    left: Floats
    right: Floats
    half: Floats
    s: Floats
    top: Floats
    f: Floats
    peak: Floats
    left_rate: Floats
    right_rate: Floats
    left_edge: Floats
    right_edge: Floats

    def masses(self) -> Floats:
        """Return the integral of the density over each panel, ``(P,)``."""
        return np.asarray(self.half * np.exp(self.top) * (self.f @ rule(NODES).weights))

    def total(self) -> Floats:
        """Return the integral over the line, for each temperature."""
        inside = self.sums(self.masses())
        return inside + self.left_tail(0.0) + self.right_tail(0.0)

    def sums(self, values: Floats) -> Floats:
        """Return the sums over the panels of each temperature."""
        return np.bincount(self.owner, values, len(self.peak)).astype(np.float64)

    def left_tail(self, growth: float) -> Floats:
        """Return ∫ of density·e^{growth(s − end)} beyond the left end, inf included."""
        return _tail(self.left_edge, self.left_rate, growth)

    def right_tail(self, growth: float) -> Floats:
        """Return ∫ of density·e^{growth(s − end)} beyond the right end."""
        return _tail(self.right_edge, self.right_rate, -growth)

    def integral(self, values: Floats) -> Floats:
        """Return ∫ density·values over all panels, given values at the nodes."""
        parts = (self.f * values) @ rule(NODES).weights
        return self.sums(self.half * np.exp(self.top) * parts)


def _tail(edge: Floats, rate: Floats, growth: float) -> Floats:
    """Return edge/(rate + growth), inf where that is not positive, however small edge.

    A sum of two numbers is 0 up to their rounding; a rate of 0 says: no power law.
    """
    total = rate + growth
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(total > _ULPS * abs(growth), edge / total, np.inf)
    return np.where(rate == 0, 0.0, value)


def resolve(
    table: Potential, t: Floats, depth: float, left_rate: Floats | None = None
) -> Panels:
    """Resolve the densities at temperatures t down to e^{−depth} of their peaks.

    Args:
        table: the potential, tabulated on the reach of all t.
        t: dimensionless temperatures, ``(T,)``, at which a density exists.
        depth: what lies deeper than this is left out, power laws at the ends aside.
        left_rate: the slope of the exponent at s → −∞ where it is known better than
            as a difference, ``(T,)``.

    Returns:
        The panels.

    Raises:
        ArithmeticError: a density could not be resolved, which is a defect.
    """
    exponent = table.weight - table.g / t[:, None, None]
    top = exponent.max(axis=2)
    peak = top.max(axis=1)
    owner, parent = np.nonzero(top > peak[:, None] - depth)
    found = _refine(table, t, peak, depth, owner, parent)
    order = np.lexsort((found[2], found[1], found[0]))
    owner, parent = found[0][order], found[1][order]
    left, right, top_, f, rest = (a[order] for a in found[2:])
    half_parent = np.diff(table.edges)[parent] / 2
    sides = table.coordinate.left, table.coordinate.right
    rates = [
        _rate(sides[0].rate, sides[0].force, sides[0].power, t),
        -_rate(sides[1].rate, sides[1].force, -sides[1].power, t),
    ]
    if left_rate is not None and sides[0].power == 0:
        rates[0] = left_rate
    edges = exponent[:, 0, 0] - peak, exponent[:, -1, -1] - peak
    at_end = [
        np.where((rate != 0) & (edge > -depth), np.exp(np.minimum(edge, 0.0)), 0.0)
        for rate, edge in zip(rates, edges, strict=True)
    ]
    result = Panels(
        owner,
        parent,
        left,
        right,
        half_parent * (right - left) / 2,
        _positions(table, parent, left, right),
        top_ - peak[owner],
        f,
        peak,
        rates[0],
        rates[1],
        at_end[0],
        at_end[1],
    )
    _require_resolved(result, rest)
    return result


def _require_resolved(panels: Panels, rest: Floats) -> None:
    """Raise an error where coefficients left out could matter."""
    lost = panels.sums(panels.half * np.exp(panels.top) * rest)
    if not (lost <= _TOLERANCE * panels.total()).all():
        raise ArithmeticError(
            f"StationaryDensity: expected a relative error below {_TOLERANCE}, got an "
            f"estimate of {np.max(lost / panels.total()):.1e}: the arguments are too "
            f"ill-conditioned for float64"
        )


def _rate(rate: float, force: float, power: float, t: Floats) -> Floats:
    """Return the slope of the exponent of a power law, 0 where there is none.

    The power is that of the force inwards: where it is negative the density falls
    faster than any power, where positive the force does not matter far out.
    """
    if power < 0:
        return np.zeros_like(t)
    return np.full_like(t, rate) if power > 0 else rate - force / t


def _refine(
    table: Potential,
    t: Floats,
    peak: Floats,
    depth: float,
    owner: Indices,
    parent: Indices,
) -> list[NDArray[Any]]:
    """Halve panels until the density on each is a polynomial of degree NODES − 1."""
    maps = rule(NODES)
    left, right = np.full(len(owner), -1.0), np.ones(len(owner))
    done: list[list[NDArray[Any]]] = []
    for _ in range(_ROUNDS):
        powers = table.weight_powers[parent] - table.g_powers[parent] / t[owner, None]
        size = np.abs(powers).max(axis=1)
        exponent = horner(powers, _between(left, right, maps))
        top = exponent.max(axis=1)
        f = np.exp(exponent - top[:, None])
        rest = np.abs(f @ maps.series[-3:].T).max(axis=1)
        live = top > peak[owner] - depth
        good = live & (rest <= _RESOLVED + _NOISE * size * 2.0**-4)
        done.append([a[good] for a in (owner, parent, left, right, top, f, rest)])
        again = live & ~good
        if not again.any():
            break
        owner, parent = (np.repeat(a[again], 2) for a in (owner, parent))
        middle = (left[again] + right[again]) / 2
        left = np.column_stack([left[again], middle]).ravel()
        right = np.column_stack([middle, right[again]]).ravel()
    else:
        raise ArithmeticError(
            f"StationaryDensity: {len(owner)} pieces not resolved in {_ROUNDS} "
            f"halvings; please report the arguments"
        )
    return [np.concatenate(parts) for parts in zip(*done, strict=True)]


def _between(left: Floats, right: Floats, maps: Rule) -> Floats:
    """Return the nodes between the ends given, ``(P, n)``."""
    middle, half = (left + right)[:, None] / 2, (right - left)[:, None] / 2
    return np.asarray(middle + half * maps.points)


def _positions(
    table: Potential, parent: Indices, left: Floats, right: Floats
) -> Floats:
    """Return s at the nodes, measured from the end of the parent nearer to 0."""
    x = _between(left, right, rule(NODES))
    low, high = table.edges[parent, None], table.edges[parent + 1, None]
    half = (high - low) / 2
    return np.where(low >= 0, low + half * (1 + x), high - half * (1 - x))


Function = Callable[[Floats], Floats]


def expectation(
    panels: Panels,
    table: Potential,
    function: Function,
    growths: tuple[float, float],
) -> Floats:
    """Return E f, of a function that grows as e^{growth·s} at the two ends.

    Args:
        panels: the densities.
        table: the potential they come from.
        function: of s.
        growths: the exponents at s → −∞ and s → ∞.

    Returns:
        The expectation for each temperature, ±inf where it diverges.
    """
    ends = function(table.edges[[0, -1]])
    result = panels.integral(function(panels.s))
    left = panels.left_tail(growths[0])
    right = panels.right_tail(growths[1])
    parts = [
        np.where(side == 0, 0.0, side * end) if end else 0.0
        for side, end in zip((left, right), ends, strict=True)
    ]
    return np.asarray((result + parts[0] + parts[1]) / panels.total())

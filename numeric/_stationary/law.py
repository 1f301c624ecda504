"""The law of s at one temperature: distribution function and its inverse, tabulated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric._stationary.chebyshev import horner_at, rule
from numeric._stationary.coordinates import Floats
from numeric._stationary.panels import NODES, Indices, resolve
from numeric._stationary.potential import Potential, tail


_DEPTH = 745.0  # the density's range in floats
_CELLS = 8192  # of the fast table of the log density
_FAST_NODES = 8
_FAST_DEPTHS = (700.0, 50.0)  # below its peak: what is deeper is left to the general
_UNDERFLOW = -746.0  # its exponential is 0
_FAST_ERROR = 1e-11  # of the log density, for the last coefficient
_STEPS = 60  # of bisection, far more than Newton needs
_ROUNDING = 2 * float(np.finfo(np.float64).eps)
_SURE = 1e-280  # probabilities above it have all their digits
_LAGUERRE = np.polynomial.laguerre.laggauss(24)


@dataclass(frozen=True, slots=True, eq=False)
class FastTable:
    """The log density of x on equal cells in s.

    Attributes:
        low: start of the first cell.
        per_unit: cells per unit of s.
        powers: coefficients in the local variable, the power first.
        none_below: the density of x is 0 to the left of it, in floats.
        none_above: and to the right of this.
    """

    low: float
    per_unit: float
    powers: Floats
    none_below: float
    none_above: float

    def evaluate(self, s: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the log density, and where s is outside and it is not to be used."""
        place = (s - self.low) * self.per_unit
        out = ~((place >= 0) & (place < _CELLS))
        if out.any():
            place[out] = 0.0
        cell = place.astype(np.intp)
        place -= cell
        place *= 2
        place -= 1
        return horner_at(self.powers, cell, place), out


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """The density exp(−g(s)/t + …)/Z of s, on panels and with power laws outside.

    Attributes:
        table: the potential.
        t: dimensionless temperature.
        log_total: log Z, Z the integral of exp(exponent).
        powers: of the log density of x in each piece of the table, the power first.
        edges: left ends of the panels, ``(P,)``.
        ends: right ends, ``(P,)``.
        below: probability to the left of each panel, ``(P,)``.
        above: to the right of each panel, ``(P,)``.
        mass: of each panel, ``(P,)``.
        primitive: of the density on each panel, from its left end, the power first.
        derivative: the density times the half width, likewise.
        left_rate: slope of the log density beyond the first panel; 0 if it is 0 there.
        right_rate: minus that beyond the last panel.
    """

    table: Potential
    t: float
    log_total: float
    powers: Floats
    edges: Floats
    ends: Floats
    below: Floats
    above: Floats
    mass: Floats
    primitive: Floats
    derivative: Floats
    left_rate: float
    right_rate: float

    def density(self, s: Floats, log_scale: float, fast: FastTable | None) -> Floats:
        """Return the density of e^{log_scale}·x at finite s."""
        if fast is None:
            return np.asarray(np.exp(self.log_density(s) - log_scale))
        result, out = fast.evaluate(s)
        if out.any():
            none = (s < fast.none_below) | (s > fast.none_above)
            result[none] = -np.inf
            out &= ~none
            result[out] = self.log_density(s[out])
        result -= log_scale
        return np.asarray(np.exp(result))

    def fast_table(self, log_scale: float) -> FastTable | None:
        """Tabulate the log density for many points, None where it is too narrow."""
        tiny = np.finfo(np.float64).tiny
        height = np.log(np.abs(self.derivative[0]) + tiny)
        height -= np.log(self.ends - self.edges)
        for depth in _FAST_DEPTHS:
            kept = np.flatnonzero(height > height.max() - depth)
            low, high = self.edges[kept[0]], self.ends[kept[-1]]
            powers = self._cells(low, high)
            if powers is not None:
                none = self._nothing(log_scale)
                return FastTable(float(low), _CELLS / (high - low), powers, *none)
        return None

    def _cells(self, low: float, high: float) -> Floats | None:
        """Return polynomials of the log density on cells, None if of too low degree."""
        width, maps = (high - low) / _CELLS, rule(_FAST_NODES)
        starts = low + width * np.arange(_CELLS)
        nodes = starts[:, None] + width / 2 * (1 + maps.points)
        values = self.log_density(nodes.ravel()).reshape(nodes.shape)
        size = np.finfo(np.float64).eps * np.abs(values).max()
        if not (np.abs(values @ maps.series[-1]) <= _FAST_ERROR + size).all():
            return None
        return np.ascontiguousarray((values @ maps.powers.T).T)

    def _nothing(self, log_scale: float) -> tuple[float, float]:
        """Return the ends of where the density is more than 0."""
        edges = self.table.edges
        some = np.flatnonzero(self.log_density(edges) - log_scale > _UNDERFLOW)
        first, last = some[0] - 1, some[-1] + 1
        return (
            float(edges[first]) if first >= 0 else -math.inf,
            float(edges[last]) if last < len(edges) else math.inf,
        )

    def log_density(self, s: Floats) -> Floats:
        """Return the log density of x (not of s) at finite s."""
        edges = self.table.edges
        inside = (s >= edges[0]) & (s <= edges[-1])
        piece, x = self.table.local(s)
        result = horner_at(self.powers, piece, x)
        if not inside.all():
            out = ~inside
            result[out] = self._outside(s[out])
        return result

    def _outside(self, s: Floats) -> Floats:
        """Return the log density of x beyond the table."""
        coordinate, edges = self.table.coordinate, self.table.edges
        low, high = self.powers[:, 0], self.powers[:, -1]
        signs = (-1.0) ** np.arange(len(low))
        result = np.empty_like(s)
        for end, edge, value, part in (
            (coordinate.left, edges[0], low @ signs, s < edges[0]),
            (coordinate.right, edges[-1], high.sum(), s > edges[-1]),
        ):
            there = s[part]
            rate = end.rate - float(coordinate.jacobian_slope(np.array([edge]))[0])
            change = rate * (there - edge) - tail(end, float(edge), there) / self.t
            result[part] = value + change
        return result

    def cdf(self, s: Floats) -> Floats:
        """Return P(S ≤ s)."""
        return self._probability(s, upper=False)

    def sf(self, s: Floats) -> Floats:
        """Return P(S > s)."""
        return self._probability(s, upper=True)

    def _probability(self, s: Floats, *, upper: bool) -> Floats:
        panel = np.maximum(np.searchsorted(self.edges, s, side="right") - 1, 0)
        low, high = self.edges[panel], self.ends[panel]
        x = np.clip(((s - low) - (high - s)) / (high - low), -1.0, 1.0)
        part = np.clip(horner_at(self.primitive, panel, x), 0.0, self.mass[panel])
        if upper:
            result = self.above[panel] + (self.mass[panel] - part)
        else:
            result = self.below[panel] + part
        return self._tails(s, result, upper=upper)

    def _tails(self, s: Floats, result: Floats, *, upper: bool) -> Floats:
        """Overwrite what lies beyond the panels."""
        left, right = s < self.edges[0], s > self.ends[-1]
        for out, edge, mass, rate, mine in (
            (left, self.edges[0], self.below[0], -self.left_rate, not upper),
            (right, self.ends[-1], self.above[-1], self.right_rate, upper),
        ):
            if out.any():
                far = mass * np.exp(-rate * (s[out] - edge)) if rate else 0.0
                result[out] = far if mine else 1 - far
        return result

    def log_probability(self, s: Floats, *, upper: bool) -> Floats:
        """Return log P(S ≤ s), or log P(S > s), where these underflow too."""
        mine, other = (self.sf, self.cdf) if upper else (self.cdf, self.sf)
        p = mine(s)
        with np.errstate(divide="ignore"):
            result = np.log(p)
        large = p > 0.5
        result[large] = np.log1p(-other(s[large]))
        deep = p < _SURE
        if deep.any():
            result[deep] = self._deep(s[deep], sign=1.0 if upper else -1.0)
        return result

    def _deep(self, s: Floats, *, sign: float) -> Floats:
        """Integrate outwards on the scale of the local slope (Gauss–Laguerre)."""
        coordinate = self.table.coordinate
        slope = coordinate.prefactor_slope(s) + coordinate.jacobian_slope(s)
        slope = np.abs(slope - coordinate.slope(s) / self.t)
        nodes, weights = _LAGUERRE
        start = self._log_of_s(s)
        slope = np.where(start > -np.inf, slope, 1.0)
        there = s[:, None] + sign * nodes / slope[:, None]
        base = np.where(start > -np.inf, start, 0.0)
        rise = self._log_of_s(there.ravel()).reshape(there.shape) - base[:, None]
        return start - np.log(slope) + np.log(np.exp(rise + nodes) @ weights)

    def _log_of_s(self, s: Floats) -> Floats:
        return self.log_density(s) + self.table.coordinate.log_jacobian(s)

    def quantile(self, p: Floats, *, upper: bool) -> Floats:
        """Return s with P(S ≤ s) = p, or P(S > s) = p; ±inf at the ends."""
        if upper:
            # First panel, from the right, to have at least p to the right of its left.
            panel = np.searchsorted(-self.above, -p, side="left")
        else:
            panel = np.searchsorted(self.below, p, side="right") - 1
        inside = np.clip(panel, 0, len(self.edges) - 1)
        x = self._solve(inside, p, upper=upper)
        low, high = self.edges[inside], self.ends[inside]
        s = (low + high) / 2 + (high - low) / 2 * x
        return self._quantile_tails(p, s, upper=upper)

    def _quantile_tails(self, p: Floats, s: Floats, *, upper: bool) -> Floats:
        """Overwrite what lies beyond the panels."""
        near, far = (self.above[-1], self.below[0])
        own, rate, edge = near, -self.right_rate, self.ends[-1]
        other, other_rate, other_edge = far, self.left_rate, self.edges[0]
        if not upper:
            own, rate, edge = far, self.left_rate, self.edges[0]
            other, other_rate, other_edge = near, -self.right_rate, self.ends[-1]
        with np.errstate(divide="ignore", over="ignore"):
            out = p < own
            if own > 0:
                s[out] = edge + (np.log(p[out]) - math.log(own)) / rate
            out = 1 - p < other
            if other > 0:
                shift = np.log1p(-p[out]) - math.log(other)
                s[out] = other_edge + shift / other_rate
        s[p == 0] = math.inf if upper else -math.inf
        s[p == 1] = -math.inf if upper else math.inf
        return s

    def _solve(self, panel: Indices, p: Floats, *, upper: bool) -> Floats:
        """Return x in its panel where the probability to one side is p: safe Newton."""
        whole = np.maximum(self.mass[panel], np.finfo(np.float64).tiny)
        mass = p - (self.above if upper else self.below)[panel]
        low, high = -np.ones_like(mass), np.ones_like(mass)
        with np.errstate(over="ignore"):
            part = (whole - mass if upper else mass) / whole
        x = np.clip(2 * part - 1, -1.0, 1.0)
        noise = _ROUNDING * (p + whole / 8)
        for _ in range(_STEPS):
            value = horner_at(self.primitive, panel, x)
            # The side that is small is compared, for the sake of its digits.
            miss = (mass - (whole - value)) if upper else value - mass
            found = np.abs(miss) <= noise
            if found.all():
                break
            low, high = np.where(miss < 0, x, low), np.where(miss > 0, x, high)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = x - miss / horner_at(self.derivative, panel, x)
            new = np.where((step >= low) & (step <= high), step, (low + high) / 2)
            new = np.where(found, x, new)
            done = (np.abs(new - x) <= _ROUNDING).all()
            x = new
            if done:
                break
        return x


def tabulate_law(table: Potential, t: float, left_rate: float | None) -> Law:
    """Return the law at temperature t, its distribution function tabulated."""
    rates = None if left_rate is None else np.array([left_rate])
    panels = resolve(table, np.array([t]), _DEPTH, rates)
    maps, total = rule(NODES), float(panels.total()[0])
    scale = panels.half * np.exp(panels.top) / total
    mass = panels.masses() / total
    left = float(panels.left_tail(0.0)[0]) / total
    right = float(panels.right_tail(0.0)[0]) / total
    log_total = math.log(total) + float(panels.peak[0])
    powers = (table.prefactor_powers - table.g_powers / t).T.copy()
    powers[0] -= log_total
    return Law(
        table,
        t,
        log_total,
        powers,
        panels.s[:, 0].copy(),
        panels.s[:, -1].copy(),
        left + np.cumsum(mass) - mass,
        right + (np.cumsum(mass[::-1]) - mass[::-1])[::-1],
        mass,
        np.ascontiguousarray((scale[:, None] * (panels.f @ maps.primitive.T)).T),
        np.ascontiguousarray((scale[:, None] * (panels.f @ maps.powers.T)).T),
        float(panels.left_rate[0]) if panels.left_edge[0] else 0.0,
        float(panels.right_rate[0]) if panels.right_edge[0] else 0.0,
    )

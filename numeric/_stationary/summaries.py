"""Means, variances, entropies and modes, at all temperatures at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from numeric._stationary.coordinates import Floats
from numeric._stationary.panels import Indices, Panels, expectation, resolve
from numeric._stationary.potential import Potential, tabulate
from numeric._stationary.reduction import Reduced


_DEPTH = 745.0  # the density's range in floats: moments nearly infinite see all of it
_AT_ONCE = 32  # temperatures: the work arrays are a few megabytes
_BISECTIONS = 80
_TERNARY = 50


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """Densities at temperatures where there are any, resolved.

    Attributes:
        reduced: the dimensionless form.
        T: temperatures, ``(k,)``.
        t: the same without dimension.
        table: the potential, on the reach of all of them.
    """

    reduced: Reduced
    T: Floats
    t: Floats
    table: Potential

    def left_rate(self) -> Floats | None:
        """Return (T_c − T)/(2T), the exponent of s at −∞ where there is one (D = 1)."""
        if not np.isfinite(self.reduced.critical):
            return None
        rate = (self.reduced.critical - self.T) / (2 * self.T)
        return np.asarray(np.maximum(rate, np.finfo(np.float64).tiny))

    def chunks(self) -> list[Panels]:
        """Return the panels, so many temperatures at a time."""
        rate = self.left_rate()
        parts = [slice(k, k + _AT_ONCE) for k in range(0, len(self.t), _AT_ONCE)]
        return [
            resolve(
                self.table, self.t[part], _DEPTH, None if rate is None else rate[part]
            )
            for part in parts
        ]

    def moment(self, panels: Panels, order: float) -> Floats:
        """Return E v^order, inf where it diverges."""
        form, reduced = self.reduced.form, self.reduced
        growths = order * form.left.growth, order * form.right.growth
        if not reduced.origin:
            values = expectation(
                panels, self.table, lambda s: _power(form.value(s), order), growths
            )
            return np.asarray(values * _power(reduced.sign * reduced.scale, order))
        return expectation(
            panels,
            self.table,
            lambda s: _power(reduced.point(s), order),
            growths,
        )

    def central(self, panels: Panels, order: int) -> Floats:
        """Return E (v − E v)^order, order ≥ 2, inf where it diverges.

        From deviations of the mean, which are small near T = 0.

        Args:
            panels: of some temperatures.
            order: k.

        Returns:
            The moment at each temperature.
        """
        form = self.reduced.form
        deviation = form.offset(panels.s)
        ends = form.value(self.table.edges[[0, -1]])
        centre = float(form.value(np.zeros(1))[0])
        mean = self._with_tails(panels, panels.integral(deviation), ends, centre)
        around = (deviation - mean[panels.owner, None]) ** order
        result = panels.integral(around) / panels.total()
        for tail, end, growth in (
            (panels.left_tail, ends[0], form.left.growth),
            (panels.right_tail, ends[1], form.right.growth),
        ):
            about = -(centre + mean)
            # The highest power first: where it diverges, the rest is of no matter.
            power = _times(end**order, tail(order * growth))
            for k in range(order):
                part = math.comb(order, k) * about ** (order - k)
                power = power + np.where(
                    np.isinf(power), 0.0, part * _times(end**k, tail(k * growth))
                )
            result = result + power / panels.total()
        return np.asarray(result * (self.reduced.sign * self.reduced.scale) ** order)

    def _with_tails(
        self, panels: Panels, inside: Floats, ends: Floats, centre: float
    ) -> Floats:
        """Return the mean of x − x(0), given its integral over the panels."""
        form = self.reduced.form
        left = _times(ends[0], panels.left_tail(form.left.growth))
        right = _times(ends[1], panels.right_tail(form.right.growth))
        left = left - centre * panels.left_tail(0.0)
        right = right - centre * panels.right_tail(0.0)
        return np.asarray((inside + left + right) / panels.total())

    def entropy(self, panels: Panels) -> Floats:
        """Return −E log p(v)."""
        form, total = self.reduced.form, panels.total()
        log_total = np.log(total)
        exponent = np.log(panels.f) + panels.top[:, None]
        log_p = exponent - form.log_jacobian(panels.s) - log_total[panels.owner, None]
        result = panels.integral(log_p)
        for edge, rate, s, side in (
            (panels.left_edge, panels.left_rate, self.table.edges[:1], 1.0),
            (panels.right_edge, panels.right_rate, self.table.edges[-1:], -1.0),
        ):
            with np.errstate(divide="ignore", invalid="ignore"):
                start = np.log(edge) - log_total - form.log_jacobian(s)
                slope = rate - side * form.jacobian_slope(s)
                part = edge / rate * (start - slope / rate)
            result = result + np.where(edge > 0, part, 0.0)
        return np.asarray(np.log(self.reduced.scale) - result / total)

    def mode(self) -> Floats:
        """Return s of the highest point of the density of v, −inf at an open left end.

        The slope of log p changes sign there; all sign changes are bracketed on the
        nodes of the potential, halved, and compared.
        """
        form, nodes = self.reduced.form, self.table.nodes
        keep = np.concatenate([[True], np.diff(nodes.ravel()) > 0])
        s = nodes.ravel()[keep]
        with np.errstate(over="ignore"):
            prefactor, force = form.prefactor_slope(s), form.slope(s)
        owner, low, high = self._falls(s, prefactor, force)
        result = np.full(len(self.t), -np.inf)
        if not owner.size:
            return result
        found = self._halve(self.t[owner], low, high)
        height = form.log_prefactor(found)
        height = height - self.table.potential(found) / self.t[owner]
        best = np.full(len(self.t), -np.inf)
        np.maximum.at(best, owner, height)
        highest = height == best[owner]
        result[owner[highest]] = found[highest]
        return result

    def _falls(
        self, s: Floats, prefactor: Floats, force: Floats
    ) -> tuple[Indices, Floats, Floats]:
        """Return (temperature, low, high) where the slope of log p turns negative."""
        owners, lows, highs = [], [], []
        for start in range(0, len(self.t), _AT_ONCE):
            slope = prefactor - force / self.t[start : start + _AT_ONCE, None]
            owner, place = np.nonzero((slope[:, :-1] > 0) & (slope[:, 1:] <= 0))
            owners.append(owner + start)
            lows.append(s[place])
            highs.append(s[place + 1])
            # The slope may also turn positive and negative between two nodes.
            middle = slope[:, 1:-1]
            hump = (middle <= 0) & (middle > slope[:, :-2]) & (middle > slope[:, 2:])
            owner, place = np.nonzero(hump)
            top = self._steepest(self.t[owner + start], s[place], s[place + 2])
            rises = self._slope(top, self.t[owner + start]) > 0
            owners.append(owner[rises] + start)
            lows.append(top[rises])
            highs.append(s[place + 2][rises])
        return np.concatenate(owners), np.concatenate(lows), np.concatenate(highs)

    def _slope(self, s: Floats, t: Floats) -> Floats:
        """Return d log p/ds."""
        form = self.reduced.form
        return form.prefactor_slope(s) - form.slope(s) / t

    def _steepest(self, t: Floats, low: Floats, high: Floats) -> Floats:
        """Return where the slope of log p is largest, by ternary search."""
        for _ in range(_TERNARY):
            third = (high - low) / 3
            left = self._slope(low + third, t) > self._slope(high - third, t)
            low, high = (
                np.where(left, low, low + third),
                np.where(left, high - third, high),
            )
        return (low + high) / 2

    def _halve(self, t: Floats, low: Floats, high: Floats) -> Floats:
        """Return where the slope of log p falls through 0."""
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            rising = self._slope(middle, t) > 0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return (low + high) / 2


def _power(x: Floats | float, order: float) -> Floats:
    """Return x^order, exactly so for whole orders of negative numbers."""
    whole = int(order) if float(order).is_integer() else None
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return np.asarray(np.power(x, order if whole is None else float(whole)))


def _times(end: float, tail: Floats) -> Floats:
    """Return end·tail, 0 where the tail is none."""
    return np.where(tail == 0, 0.0, end * tail)


def summarise(reduced: Reduced, T: Floats) -> Summaries:
    """Tabulate the potential for temperatures at each of which there is a density."""
    t = T / reduced.unit
    return Summaries(
        reduced, T, t, tabulate(reduced.form, float(t.min()), float(t.max()))
    )

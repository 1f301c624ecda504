"""g(s) and the log prefactor as piecewise polynomials, once for all temperatures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric._stationary.chebyshev import horner_at, rule
from numeric._stationary.coordinates import Coordinate, End, Floats


NODES = 14
_SHARE = 0.24  # of the distance to a pole: truncation below 1e-15 with 14 nodes
_SMALLEST = 2.0**-24  # of the pieces beside s = 0, where cold densities are narrow
_DEEP = 3000.0  # exponents from which on a density is 0, with room to spare
_FLAT = 1e17  # the inverse of what no longer matters in an exponent


@dataclass(frozen=True, slots=True, eq=False)
class Potential:
    """The density's exponent on pieces between edges, one of which is s = 0.

    Attributes:
        coordinate: s itself.
        edges: ``(P + 1,)``.
        nodes: Chebyshev–Lobatto points of each piece, ``(P, n)``.
        g: values of g there, ``(P, n)``.
        weight: values of the log prefactor plus log Jacobian there, ``(P, n)``.
        g_powers: coefficients of g in the local variable, ``(P, n + 1)``.
        weight_powers: of the log weight, ``(P, n + 1)``; the last is 0.
        prefactor_powers: of the log prefactor, ``(P, n + 1)``; the last is 0.
    """

    coordinate: Coordinate
    edges: Floats
    nodes: Floats
    g: Floats
    weight: Floats
    g_powers: Floats
    weight_powers: Floats
    prefactor_powers: Floats

    def local(self, s: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Return the piece of each s and where in [−1, 1] it lies, ends included."""
        edges = self.edges
        piece = np.searchsorted(edges[1:-1], s, side="right")
        low, high = edges[:-1].take(piece), edges[1:].take(piece)
        x = ((s - low) - (high - s)) / (high - low)
        return piece, np.clip(x, -1.0, 1.0)

    def potential(self, s: Floats) -> Floats:
        """Return g at any finite s."""
        piece, x = self.local(s)
        result = horner_at(np.ascontiguousarray(self.g_powers.T), piece, x)
        ends = (
            (self.coordinate.left, self.edges[0]),
            (
                self.coordinate.right,
                self.edges[-1],
            ),
        )
        for (end, edge), beyond in zip(
            ends, (s < self.edges[0], s > self.edges[-1]), strict=True
        ):
            if beyond.any():
                result[beyond] += tail(end, float(edge), s[beyond])
        return result


def tail(end: End, edge: float, s: Floats) -> Floats:
    """Return ∫ a e^{bs} from the edge to s, inf where it leaves the floats."""
    if not end.power:
        return np.asarray(end.force * (s - edge))
    with np.errstate(over="ignore"):
        rise = np.expm1(end.power * (s - edge)) / end.power
        return np.asarray(end.force * math.exp(end.power * edge) * rise)


def reach(end: End, coldest: float, hottest: float) -> float:
    """Return |s| from which on, at every temperature, only the end form is left."""
    start = abs(end.start)
    inward = end.power < 0 if end.start > 0 else end.power > 0
    if inward:
        far = math.log(_FLAT * abs(end.force) / coldest) / abs(end.power)
        return max(start, far)
    if not end.power:
        return start
    far = start
    for _ in range(5):
        height = (_DEEP + abs(end.rate) * far) * abs(end.power) * hottest
        far = max(1.0, math.log(height / abs(end.force)) / abs(end.power))
    return max(start, far)


def tabulate(coordinate: Coordinate, coldest: float, hottest: float) -> Potential:
    """Tabulate g on the reach of all temperatures between two."""
    smallest = min(_SMALLEST, math.sqrt(coldest) / 16)
    left = reach(coordinate.left, coldest, hottest)
    right = reach(coordinate.right, coldest, hottest)
    low = _march(coordinate.poles, -left, smallest)
    high = _march(coordinate.poles, right, smallest)
    edges = np.array([*low[:0:-1], *high])
    maps = rule(NODES)
    half = np.diff(edges)[:, None] / 2
    nodes = _nodes(edges, maps.points)
    slopes = coordinate.slope(nodes) * half
    powers = slopes @ maps.primitive.T
    rise = slopes @ maps.weights
    zero = len(low) - 1
    start = np.empty(len(rise))
    start[zero:] = np.cumsum(rise[zero:]) - rise[zero:]
    start[:zero] = -np.cumsum(rise[:zero][::-1])[::-1]
    powers[:, 0] += start
    g = np.hstack([powers @ np.vander(maps.points, NODES + 1, increasing=True).T])
    prefactor = coordinate.log_prefactor(nodes)
    weight = prefactor + coordinate.log_jacobian(nodes)
    return Potential(
        coordinate,
        edges,
        nodes,
        g,
        weight,
        powers,
        np.pad(weight @ maps.powers.T, ((0, 0), (0, 1))),
        np.pad(prefactor @ maps.powers.T, ((0, 0), (0, 1))),
    )


def _nodes(edges: Floats, points: Floats) -> Floats:
    """Return the points of each piece, measured from its end nearer to 0."""
    low, high = edges[:-1, None], edges[1:, None]
    half = (high - low) / 2
    return np.where(low >= 0, low + half * (1 + points), high - half * (1 - points))


def _march(poles: tuple[complex, ...], to: float, smallest: float) -> list[float]:
    """Return edges from 0 to the end given or beyond, fine beside 0 and the poles."""
    sign = math.copysign(1.0, to)
    edges = [0.0]
    while abs(edges[-1]) < abs(to):
        s = edges[-1]
        near = min((abs(s - pole) for pole in poles), default=math.inf)
        edges.append(s + sign * min(1.0, _SHARE * near, max(abs(s), smallest)))
    return edges

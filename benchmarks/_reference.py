"""Exact values at a rational point, from differences of the loss alone.

The loss ‖UWx − y‖² is quadratic in each single entry, so that central differences with
step 1 are its derivatives, exactly: a reference that shares no code with any method.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise


Grid = list[list[Fraction]]
Vector = list[Fraction]
ITO_ENTRIES = ((0, 0), (0, 1))  # of the d × d matrix of Itô terms: those compared


@dataclass(frozen=True, slots=True)
class Point:
    """Where the methods are compared.

    Attributes:
        layers: the matrices, first layer first.
        data: (x, y) of each sample.
    """

    layers: tuple[Grid, ...]
    data: tuple[tuple[Vector, Vector], ...]

    @classmethod
    def random(cls, sizes: Sequence[int], seed: int, samples: int = 2) -> Point:
        """Draw layers of sizes[i + 1] × sizes[i], and data."""
        stream = random.Random(f"benchmark point {seed}")

        def drawn(rows: int, cols: int) -> Grid:
            return [[_entry(stream) for _ in range(cols)] for _ in range(rows)]

        layers = tuple(drawn(rows, cols) for cols, rows in pairwise(sizes))
        data = tuple(
            (drawn(1, sizes[0])[0], drawn(1, sizes[-1])[0]) for _ in range(samples)
        )
        return cls(layers, data)

    def loss(self, n: int) -> Fraction:
        """Return ‖W_D ⋯ W_1 x − y‖² of sample n."""
        value, y = self.data[n]
        for layer in self.layers:
            value = [
                sum((a * b for a, b in zip(row, value, strict=True)), Fraction(0))
                for row in layer
            ]
        return sum(((a - b) ** 2 for a, b in zip(value, y, strict=True)), Fraction(0))

    def derivatives(self, n: int) -> tuple[list[Grid], Fraction]:
        """Return the gradient of sample n in each layer, and its Hessian's trace."""
        gradients: list[Grid] = []
        trace, here = Fraction(0), self.loss(n)
        for layer in self.layers:
            gradient: Grid = []
            for row in layer:
                sides = [self._beside(n, row, j) for j in range(len(row))]
                gradient.append([(up - down) / 2 for up, down in sides])
                trace += sum(up - 2 * here + down for up, down in sides)
            gradients.append(gradient)
        return gradients, trace

    def _beside(self, n: int, row: Vector, j: int) -> tuple[Fraction, Fraction]:
        """Return the loss with one entry raised by 1, and lowered by 1."""
        kept = row[j]
        found = []
        for shift in (1, -1):
            row[j] = kept + shift
            found.append(self.loss(n))
        row[j] = kept
        return found[0], found[1]


def _entry(stream: random.Random) -> Fraction:
    return Fraction(stream.choice((-3, -2, -1, 1, 2, 3)), stream.choice((1, 2)))


@dataclass(frozen=True, slots=True)
class Values:
    """What every method must give at a point, averaged over its data.

    Attributes:
        gradients: of the first sample, entry by entry, W then U.
        trace: of the mean Hessian.
        ito: Tr[Σ∇²Q_ab] for Q = UᵀU − WWᵀ at ITO_ENTRIES, Σ centred; None where the
            method did not get so far.
    """

    gradients: tuple[Fraction, ...]
    trace: Fraction | None
    ito: tuple[Fraction, ...] | None


def reference(point: Point) -> Values:
    """Return the values for the two layers W, U of a point."""
    found = [point.derivatives(n) for n in range(len(point.data))]
    gradients = [g for g, _ in found]
    noise = [[_second_moment(g, a, b) for a, b in ITO_ENTRIES] for g in gradients]
    return Values(
        flat(gradients[0]),
        mean([trace for _, trace in found]),
        centred(noise, gradients),
    )


def centred(
    noise: Sequence[Sequence[Fraction]], gradients: Sequence[Sequence[Grid]]
) -> tuple[Fraction, ...]:
    """Return E D²Q[g, g] − D²Q[Eg, Eg] from the first, and g, of each sample."""
    of_mean = [
        [
            [mean(entries) for entries in zip(*rows, strict=True)]
            for rows in zip(*layer, strict=True)
        ]
        for layer in zip(*gradients, strict=True)
    ]
    return tuple(
        mean([each[k] for each in noise]) - _second_moment(of_mean, a, b)
        for k, (a, b) in enumerate(ITO_ENTRIES)
    )


def _second_moment(gradients: Sequence[Grid], a: int, b: int) -> Fraction:
    """Return entry a, b of D²Q[g, g] = 2(g_Uᵀg_U − g_Wg_Wᵀ)."""
    g_W, g_U = gradients
    of_U = sum((row[a] * row[b] for row in g_U), Fraction(0))
    of_W = sum((p * q for p, q in zip(g_W[a], g_W[b], strict=True)), Fraction(0))
    return 2 * (of_U - of_W)


def mean(values: Sequence[Fraction]) -> Fraction:
    """Return the mean."""
    return sum(values, Fraction(0)) / len(values)


def flat(grids: Sequence[Grid]) -> tuple[Fraction, ...]:
    """Return all entries in a row."""
    return tuple(entry for grid in grids for row in grid for entry in row)

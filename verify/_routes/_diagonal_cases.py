"""Diagonal networks with finite data, in exact rationals: what the routes run on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product as cartesian
from math import prod

import hypothesis.strategies as st


Row = tuple[Fraction, Fraction]
Weights = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, slots=True)
class Net:
    """ℓ = (Σᵢ∏ₖ uᵢ⁽ᵏ⁾ x − y)² on finite data, a point, and a step of SGD.

    Attributes:
        samples: pairs (x, y), equally likely.
        weights: uᵢ⁽ᵏ⁾, a row for each product i.
        eta: learning rate η.
        batch: S, drawn with replacement.
    """

    samples: tuple[Row, ...]
    weights: Weights
    eta: Fraction
    batch: int = 1

    @property
    def value(self) -> Fraction:
        """Return v = Σᵢ∏ₖ uᵢ⁽ᵏ⁾."""
        return sum((prod(row, start=Fraction(1)) for row in self.weights), Fraction(0))

    @property
    def temperature(self) -> Fraction:
        """Return T = η/S."""
        return self.eta / self.batch

    def products(self) -> tuple[Fraction, ...]:
        """Return xy of each sample."""
        return tuple(x * y for x, y in self.samples)

    def minibatches(self) -> Iterator[tuple[Row, ...]]:
        """Yield all minibatches, equally likely."""
        yield from cartesian(self.samples, repeat=self.batch)

    def loss(self, batch: tuple[Row, ...]) -> Fraction:
        """Return the mean loss of a minibatch."""
        v = self.value
        return sum(((v * x - y) ** 2 for x, y in batch), Fraction(0)) / len(batch)

    def step(self, batch: tuple[Row, ...]) -> Net:
        """Return the net after a step of SGD.

        ℓ is of degree 2 in each weight, so central differences are its derivatives.
        """
        moved = []
        for i, row in enumerate(self.weights):
            slopes = [
                (
                    self._shifted(i, k, Fraction(1)).loss(batch)
                    - self._shifted(i, k, Fraction(-1)).loss(batch)
                )
                / 2
                for k in range(len(row))
            ]
            moved.append(
                tuple(u - self.eta * g for u, g in zip(row, slopes, strict=True))
            )
        return replace(self, weights=tuple(moved))

    def _shifted(self, i: int, k: int, by: Fraction) -> Net:
        rows = [list(row) for row in self.weights]
        rows[i][k] += by
        return replace(self, weights=tuple(map(tuple, rows)))

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        rows = "; ".join(", ".join(map(str, row)) for row in self.weights)
        return {
            "(x, y)": ", ".join(f"({x}, {y})" for x, y in self.samples),
            "u": rows,
            "eta": str(self.eta),
            "S": str(self.batch),
        }


def net(
    samples: tuple[tuple[int | Fraction, int | Fraction], ...],
    weights: tuple[tuple[int | Fraction, ...], ...],
    eta: Fraction | int,
    batch: int = 1,
) -> Net:
    """Return a net of whole numbers and fractions.

    Args:
        samples: pairs (x, y).
        weights: a row for each product.
        eta: η.
        batch: S.

    Returns:
        The net.

    >>> one = net(((1, 2),), ((1, 1),), Fraction(1, 4))
    >>> one.step(one.samples).weights
    ((Fraction(3, 2), Fraction(3, 2)),)
    """
    return Net(
        tuple((Fraction(x), Fraction(y)) for x, y in samples),
        tuple(tuple(map(Fraction, row)) for row in weights),
        Fraction(eta),
        batch,
    )


_tenths = st.integers(-30, 30).map(lambda n: Fraction(n, 10))
_sizes = st.integers(1, 20).map(lambda n: Fraction(n, 10))
_rates = st.sampled_from([Fraction(1, n) for n in (1, 2, 3, 5, 10, 20)])


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[Row, ...]:
    """Draw two or three samples, every x ≠ 0."""
    count = draw(st.integers(2, 3))
    signs = st.sampled_from((1, -1))
    return tuple((draw(_sizes) * draw(signs), draw(_tenths)) for _ in range(count))


@st.composite
def small_nets(draw: st.DrawFn) -> Net:
    """Draw data and a step for one product u·w at (1, 1)."""
    samples = draw(data_sets())
    one = Fraction(1)
    return Net(samples, ((one, one),), draw(_rates), draw(st.integers(1, 3)))


@st.composite
def balanced_nets(draw: st.DrawFn) -> Net:
    """Draw a net with all |uᵢ⁽ᵏ⁾| of a product equal and all products negative."""
    factors, width = draw(st.sampled_from((2, 2, 4))), draw(st.integers(1, 3))
    rows = []
    for _ in range(width):
        size = draw(_sizes)
        signs = draw(st.lists(st.sampled_from((1, -1)), min_size=factors - 1))
        signs = (signs + [1] * factors)[: factors - 1]
        last = -prod(signs)
        rows.append(tuple(size * sign for sign in (*signs, last)))
    batch = draw(st.integers(1, 2))
    return Net(draw(data_sets()), tuple(rows), draw(_rates), batch)


@st.composite
def any_nets(draw: st.DrawFn) -> Net:
    """Draw a net of one to three products uᵢwᵢ, anywhere."""
    width = draw(st.integers(1, 3))
    rows = tuple((draw(_tenths), draw(_tenths)) for _ in range(width))
    return Net(draw(data_sets()), rows, draw(_rates), draw(st.integers(1, 2)))

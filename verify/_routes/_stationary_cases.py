"""Diagonal networks in rationals: the SDE of all weights, from samples alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st

from verify._exact import dot
from verify._scope import NETWORKS, only_about


general = only_about(NETWORKS)
EXACT = "exact networks"
ZERO, ONE = Fraction(0), Fraction(1)


def mean(values: list[Fraction]) -> Fraction:
    """Return the average."""
    return sum(values, ZERO) / len(values)


def covariance(a: list[Fraction], b: list[Fraction]) -> Fraction:
    """Return the centred covariance of two lists of one length."""
    products = [x * y for x, y in zip(a, b, strict=True)]
    return mean(products) - mean(a) * mean(b)


@dataclass(frozen=True, slots=True)
class Data:
    """Samples (x, y), each equally likely."""

    samples: tuple[tuple[Fraction, Fraction], ...]

    def moments(self) -> tuple[Fraction, Fraction, Fraction, Fraction, Fraction]:
        """Return α₁, α₂, α₃, β₁, β₂."""
        square = [x * x for x, _ in self.samples]
        product = [x * y for x, y in self.samples]
        return (
            covariance(square, square),
            covariance(square, product),
            covariance(product, product),
            mean(square),
            mean(product),
        )

    def slopes(self, v: Fraction) -> list[Fraction]:
        """Return dℓ/dv = 2x(vx − y), sample by sample."""
        return [2 * x * (v * x - y) for x, y in self.samples]

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {"(x, y)": "; ".join(f"({x}, {y})" for x, y in self.samples)}


@dataclass(frozen=True, slots=True)
class Net:
    """A network v = Σᵢ∏ₖ uᵢₖ on data.

    Attributes:
        data: the samples.
        u: d rows of N weights.
        T: η/S.
        gamma: weight decay of γ‖θ‖².
    """

    data: Data
    u: tuple[tuple[Fraction, ...], ...]
    T: Fraction
    gamma: Fraction = ZERO

    @property
    def depth(self) -> int:
        """Return N."""
        return len(self.u[0])

    def products(self) -> list[Fraction]:
        """Return vᵢ = ∏ₖ uᵢₖ."""
        return [without(row) for row in self.u]

    def v(self) -> Fraction:
        """Return the sum of the products."""
        return sum(self.products(), ZERO)

    def loss(self) -> Fraction:
        """Return L, without the decay."""
        v = self.v()
        return mean([(v * x - y) ** 2 for x, y in self.data.samples])

    def gradients(self) -> list[list[list[Fraction]]]:
        """Return ∂ℓ/∂uᵢₖ: sample, row, column."""
        slopes = self.data.slopes(self.v())
        return [
            [[s * without(row, k) for k in range(self.depth)] for row in self.u]
            for s in slopes
        ]

    def rates(self) -> tuple[list[Fraction], list[list[Fraction]]]:
        """Return the drifts of all vᵢ by Itô's formula, and their covariance rates."""
        drawn, n = self.gradients(), range(self.depth)
        drifts, along = [], []
        for i, row in enumerate(self.u):
            columns = [[g[i][k] for g in drawn] for k in n]
            slope = [without(row, k) for k in n]
            drift = ZERO
            for k in n:
                drift -= slope[k] * (mean(columns[k]) + 2 * self.gamma * row[k])
                for m in range(k):
                    noise = self.T * covariance(columns[k], columns[m])
                    drift += without(row, k, m) * noise
            drifts.append(drift)
            along.append(
                [dot(slope, [c[j] for c in columns]) for j in range(len(drawn))]
            )
        return drifts, [[self.T * covariance(a, b) for b in along] for a in along]

    def output_rates(self) -> tuple[Fraction, Fraction]:
        """Return drift and variance rate of v."""
        drifts, joint = self.rates()
        return sum(drifts, ZERO), sum((sum(row, ZERO) for row in joint), ZERO)

    def square_rate(self, i: int, k: int) -> Fraction:
        """Return the drift of uᵢₖ² by Itô's formula."""
        column = [g[i][k] for g in self.gradients()]
        u = self.u[i][k]
        pull = mean(column) + 2 * self.gamma * u
        return -2 * u * pull + self.T * covariance(column, column)

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        rows = "; ".join(f"({', '.join(map(str, row))})" for row in self.u)
        scale = {"T": str(self.T), "gamma": str(self.gamma)}
        return {**self.data.describe(), "u": rows, **scale}


def without(row: tuple[Fraction, ...], *skipped: int) -> Fraction:
    """Return the product of the entries but those at the places named."""
    result = ONE
    for k, value in enumerate(row):
        if k not in skipped:
            result *= value
    return result


@dataclass(frozen=True, slots=True)
class Balanced:
    """A network all of whose weights are r > 0: v = d rᴺ.

    Attributes:
        data: the samples.
        depth: N = D + 1.
        width: d.
        r: the common weight.
        T: η/S.
        gamma: weight decay.
    """

    data: Data
    depth: int
    width: int
    r: Fraction
    T: Fraction
    gamma: Fraction = ZERO

    def net(self) -> Net:
        """Return the network."""
        row = (self.r,) * self.depth
        return Net(self.data, (row,) * self.width, self.T, self.gamma)

    @property
    def v(self) -> Fraction:
        """Return d rᴺ."""
        return self.width * self.r**self.depth

    def speed(self) -> Fraction:
        """Return M = c v^{2D/N} = d r^{2D}."""
        return self.width * self.r ** (2 * self.depth - 2)

    def log_slope(self) -> Fraction:
        """Return p'/p at zero flux: (2a − dB²/dv)/B²."""
        drift, variance = self.net().output_rates()
        in_v = self.variance_slope() / (self.depth * self.v / self.r)
        return (2 * drift - in_v) / variance

    def variance_slope(self) -> Fraction:
        """Return dB²/dr, from B² = T·(variance of slopes)·(Σ(∂v)²)², part by part."""
        N, v, data = self.depth, self.v, self.data
        spread = covariance(data.slopes(v), data.slopes(v))
        # slopes are affine in v: the derivative of their variance is 2 Cov.
        rise = [a - b for a, b in zip(data.slopes(v + 1), data.slopes(v), strict=True)]
        turn = 2 * covariance(data.slopes(v), rise) * N * v / self.r
        total = self.width * N * self.r ** (2 * N - 2)
        steep = (2 * N - 2) * total / self.r
        return self.T * (turn * total**2 + spread * 2 * total * steep)

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        shape = {"N": str(self.depth), "d": str(self.width), "v": str(self.v)}
        scale = {"T": str(self.T), "gamma": str(self.gamma)}
        return {**self.data.describe(), **shape, **scale}


SMALL = st.builds(Fraction, st.integers(-4, 4), st.sampled_from((1, 2)))
POSITIVE = st.builds(Fraction, st.integers(1, 5), st.sampled_from((1, 2, 3)))
TEMPERATURES = st.builds(Fraction, st.integers(1, 6), st.sampled_from((1, 4, 20)))
DECAYS = st.sampled_from((ZERO, Fraction(1, 20), Fraction(1, 3), ONE))


@st.composite
def data_sets(draw: st.DrawFn) -> Data:
    """Draw data with Δ > 0: noise at every v."""
    rows = st.lists(st.tuples(SMALL, SMALL), min_size=3, max_size=5, unique=True)
    return Data(tuple(draw(rows.filter(_noisy))))


def _noisy(rows: list[tuple[Fraction, Fraction]]) -> bool:
    a1, a2, a3, _, b2 = Data(tuple(rows)).moments()
    return a1 * a3 > a2 * a2 and b2 != 0


@st.composite
def balanced_nets(draw: st.DrawFn, least: int = 1, decay: bool = True) -> Balanced:
    """Draw a balanced network of up to 4 factors and width 3, at any v > 0.

    Args:
        draw: Hypothesis' draw.
        least: the least N.
        decay: whether γ may differ from 0.

    Returns:
        The network, with Δ > 0 and β₂ ≠ 0.
    """
    return Balanced(
        draw(data_sets()),
        draw(st.integers(least, 4)),
        draw(st.integers(1, 3)),
        draw(POSITIVE),
        draw(TEMPERATURES),
        draw(DECAYS) if decay else ZERO,
    )


@st.composite
def nets(draw: st.DrawFn, depth: int | None = None, least: int = 1) -> Net:
    """Draw a network with any weights but 0.

    Args:
        draw: Hypothesis' draw.
        depth: N, or None for any of 2 to 4.
        least: the least width.

    Returns:
        The network.
    """
    N = depth or draw(st.integers(2, 4))
    row = st.tuples(*[SMALL.filter(bool)] * N)
    rows = draw(st.lists(row, min_size=least, max_size=3))
    return Net(draw(data_sets()), tuple(rows), draw(TEMPERATURES), draw(DECAYS))

"""Drawn noise equilibria θ* with points of their orbit, γ = 0, in exact rationals."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import assume

from verify._exact import Vector, dot


_ENTRIES = st.sampled_from(
    sorted({Fraction(n, d) for n in range(-4, 5) for d in (1, 2)}, key=abs)
)
_POSITIONS = tuple(
    Fraction(n, d)
    for n, d in ((1, 8), (1, 3), (2, 3), (99, 100), (101, 100), (3, 2), (3, 1), (8, 1))
)


@dataclass(frozen=True, slots=True)
class OrbitCase:
    """θ* in balance and θ = e^{−λ*A}θ*, in the eigenbasis of A, with σ² = 1.

    Every such case comes from a loss: where Aθ* ≠ 0 there are invariants f_k with
    ∇f_k(θ*) = g_k, and ℓ = Σ z_k f_k with independent z_k of variance w_k has this Σ.

    Attributes:
        mu: the n eigenvalues, integers so that e^{λμ} is rational.
        star: θ*, n components.
        noise: vectors g_k with g_k·Aθ* = 0.
        weights: w_k > 0; Σ(θ*) = Σ w_k g_k g_kᵀ and Tr[Σ(θ*)A] = 0.
        q: e^{λ*}, not 1.
    """

    mu: tuple[int, ...]
    star: Vector
    noise: tuple[Vector, ...]
    weights: Vector
    q: Fraction

    def t(self, power: Fraction = Fraction(1)) -> Vector:
        """Return (θ_i)² at e^{λA}θ*, e^λ = power."""
        pairs = zip(self.mu, self.star, strict=True)
        return tuple(power ** (2 * m) * c * c for m, c in pairs)

    def s(self, power: Fraction = Fraction(1)) -> Vector:
        """Return Σ_ii at e^{λA}θ*, e^λ = power."""
        pairs = list(zip(self.weights, self.noise, strict=True))
        return tuple(
            sum((w * g[i] ** 2 for w, g in pairs), Fraction(0)) * power ** (-2 * m)
            for i, m in enumerate(self.mu)
        )

    @property
    def valid(self) -> bool:
        """Return whether θ* is in balance and the symmetry holds there."""
        moved = tuple(m * c for m, c in zip(self.mu, self.star, strict=True))
        tangent = all(dot(g, moved) == 0 for g in self.noise)
        return tangent and self.weighted(self.s(), 1) == 0 and self.q not in {0, 1}

    @property
    def rate(self) -> Fraction:
        """Return Ċ at θ, that is Tr[Σ(θ)A]."""
        return self.weighted(self.s(1 / self.q), 1)

    @property
    def distance(self) -> Fraction:
        """Return C(θ*) − C(θ) with C = ½θᵀAθ."""
        here, star = self.t(1 / self.q), self.t()
        return (self.weighted(star, 1) - self.weighted(here, 1)) / 2

    def weighted(self, values: Vector, power: int, sign: int = 0) -> Fraction:
        """Return Σ μ_i^power·values_i, over the μ_i of one sign unless it is 0."""
        pairs = zip(self.mu, values, strict=True)
        return sum(
            (m**power * v for m, v in pairs if sign == 0 or m * sign > 0), Fraction(0)
        )

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        terms = zip(self.weights, self.noise, strict=True)
        noise = " + ".join(f"{w}*gg^T, g = {_text(g)}" for w, g in terms)
        here = tuple(self.q**-m * c for m, c in zip(self.mu, self.star, strict=True))
        return {
            "A": f"diag{_text(self.mu)}",
            "theta*": _text(self.star),
            "Sigma(theta*)": noise,
            "exp(lambda*)": str(self.q),
            "theta": _text(here),
            "sigma2": "1",
        }


def _text(values: tuple[object, ...]) -> str:
    return f"({', '.join(map(str, values))})"


@st.composite
def orbit_cases(draw: st.DrawFn, *, unit: bool = False) -> OrbitCase:
    """Draw a balanced θ* with any spectrum, and a point of its orbit.

    Args:
        draw: Hypothesis' draw.
        unit: whether every |μ| is 0 or 1.

    Returns:
        A valid case in 2 to 5 dimensions with eigenvalues of both signs.
    """
    top = 1 if unit else 3
    up = draw(st.lists(st.integers(1, top), min_size=1, max_size=2))
    down = draw(st.lists(st.integers(-top, -1), min_size=1, max_size=2))
    mu = (*up, *down, *draw(st.lists(st.just(0), max_size=1)))
    star = draw(st.tuples(*[_ENTRIES] * len(mu)))
    moved = tuple(m * c for m, c in zip(mu, star, strict=True))
    size = dot(moved, moved)
    assume(size)
    units = [
        tuple(Fraction(int(i == j)) for j in range(len(mu))) for i in range(len(mu))
    ]
    share = st.sampled_from((Fraction(1), Fraction(3), Fraction(0)))
    sizes = draw(st.tuples(*[share] * len(mu)))
    found: list[tuple[Vector, Fraction, Fraction]] = []
    for h, w in zip((star, *units), (Fraction(1), *sizes), strict=True):
        along = dot(h, moved) / size
        g = tuple(a - along * b for a, b in zip(h, moved, strict=True))
        push = sum((m * c * c for m, c in zip(mu, g, strict=True)), Fraction(0))
        if w and any(g):
            found.append((g, push, w))
    upward = sum((w * push for _, push, w in found if push > 0), Fraction(0))
    downward = sum((-w * push for _, push, w in found if push < 0), Fraction(0))
    assume(upward and downward)
    weights = tuple(w * (upward / downward if p < 0 else 1) for _, p, w in found)
    q = draw(st.sampled_from(_POSITIONS))
    case = OrbitCase(mu, star, tuple(g for g, _, _ in found), weights, q)
    assert case.valid
    return case


def on_rescaling(
    spectator: Fraction = Fraction(0), side: int = -1, q: Fraction = Fraction(3)
) -> OrbitCase:
    """Return ℓ = (uw − y)² with y = 0, 2 at θ* = (1, 1, v): g = ±2(1, 1, 0).

    Args:
        spectator: v, which the loss does not see.
        side: its eigenvalue, 1 or −1.
        q: e^{λ*}.

    Returns:
        The case, Σ(θ*) = 4(1, 1, 0)(1, 1, 0)ᵀ.
    """
    one, nought = Fraction(1), Fraction(0)
    return OrbitCase(
        (1, -1, side),
        (one, one, spectator),
        ((2 * one, 2 * one, nought),),
        (one,),
        q,
    )


def on_square(q: Fraction = Fraction(2)) -> OrbitCase:
    """Return ℓ = ((u² + v²)w/8 − y)² with y = 1, 3 at θ* = (2, 2, 2): g = ±2(1, 1, 1).

    Args:
        q: e^{λ*}.

    Returns:
        The case, A = diag(1, 1, −2).
    """
    two = Fraction(2)
    return OrbitCase((1, 1, -2), (two, two, two), ((two, two, two),), (Fraction(1),), q)


def log_bounds(q: Fraction, terms: int = 16) -> tuple[Fraction, Fraction]:
    """Return rationals with low < ln q < high, from ln q = 2 artanh((q − 1)/(q + 1)).

    Args:
        q: a positive rational, not 1.
        terms: how many terms of the series.

    Returns:
        The partial sum and the bound on the rest by a geometric series.

    >>> low, high = log_bounds(Fraction(2), 3)
    >>> low < Fraction(6931472, 10**7) < high, float(high - low) < 2e-4
    (True, True)
    """
    z = (q - 1) / (q + 1)
    partial = sum((2 * z ** (2 * k + 1) / (2 * k + 1) for k in range(terms)), z * 0)
    rest = 2 * abs(z) ** (2 * terms + 1) / ((2 * terms + 1) * (1 - z * z))
    return (partial, partial + rest) if z > 0 else (partial - rest, partial)

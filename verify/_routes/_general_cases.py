"""Exponential symmetries drawn in exact rationals, cheaply: no expression is built.

What the routes need of a case is the `Case` protocol; `Instance`, which a user's
declaration gives, has it too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import gcd
from typing import Any, Protocol

import hypothesis.strategies as st

from verify._exact import (
    Matrix,
    NotRational,
    Vector,
    apply,
    dot,
    product,
)


Gradients = tuple[Vector, ...]
_ETAS = (Fraction(1, 50), Fraction(1, 8), Fraction(1, 2))
_DECAYS = (Fraction(0), Fraction(1, 20), Fraction(1))


class Case(Protocol):
    """A loss with the symmetry J = Aθ, finite data and a point, all rational."""

    @property
    def theta(self) -> Vector:
        """Return θ."""

    @property
    def eta(self) -> Fraction:
        """Return η."""

    @property
    def gamma(self) -> Fraction:
        """Return γ."""

    @property
    def batch_size(self) -> int:
        """Return S."""

    @property
    def A(self) -> Matrix:  # noqa: N802 - the matrix of the symmetry
        """Return A."""

    @property
    def sigma2(self) -> Fraction:
        """Return σ² = η/(2S)."""

    def gradients(self, theta: Vector | None = None) -> Gradients:
        """Return the gradient of each sample at θ."""

    def moved(self, q: Fraction) -> Vector | None:
        """Return θ_λ at e^λ = q, or None where it is not rational."""

    def projectors(self) -> tuple[tuple[int, Matrix], ...] | None:
        """Return (μ_k, P_k), or None where an eigenvalue is no integer."""

    def describe(self) -> dict[str, str]:
        """Return names → values, to be checked by hand."""

    def with_(self, **changes: Any) -> Any:
        """Return a copy with some attributes changed."""


@dataclass(frozen=True, slots=True)
class MonomialNet:
    """ℓ = (Σ_j x_j m_j(φ) − y)², φ = Qθ, with monomials that e^{λA} leaves alone.

    Attributes:
        mu: integer eigenvalues of A = Qᵀ diag(μ) Q.
        Q: rational, orthogonal and symmetric.
        exponents: of each m_j = Π φ_i^{k_i}, with k·μ = 0.
        samples: (x_1, …, x_m, y) each.
        theta: the point; no φ_i with an exponent is 0.
        eta: η.
        gamma: γ.
        batch_size: S.
    """

    mu: tuple[int, ...]
    Q: Matrix
    exponents: tuple[tuple[int, ...], ...]
    samples: tuple[Vector, ...]
    theta: Vector
    eta: Fraction = Fraction(1, 2)
    gamma: Fraction = Fraction(0)
    batch_size: int = 1

    @property
    def A(self) -> Matrix:  # noqa: N802 - the matrix of the symmetry
        """Return A = Qᵀ diag(μ) Q."""
        scaled = tuple(
            tuple(m * entry for entry in row)
            for m, row in zip(self.mu, self.Q, strict=True)
        )
        return product(tuple(zip(*self.Q, strict=True)), scaled)

    @property
    def sigma2(self) -> Fraction:
        """Return σ² = η/(2S)."""
        return self.eta / (2 * self.batch_size)

    def values(self, theta: Vector | None = None) -> Vector:
        """Return ℓ(θ, z) for each sample."""
        phi = apply(self.Q, theta or self.theta)
        m = tuple(_monomial(exponents, phi) for exponents in self.exponents)
        return tuple(r * r for r in self._residuals(m))

    def gradients(self, theta: Vector | None = None) -> Gradients:
        """Return the gradient of each sample at θ.

        Raises:
            NotRational: at a pole.
        """
        phi = apply(self.Q, theta or self.theta)
        m = tuple(_monomial(exponents, phi) for exponents in self.exponents)
        slopes = [
            tuple(
                k * _monomial(_lowered(exponents, i), phi) if k else Fraction(0)
                for i, k in enumerate(exponents)
            )
            for exponents in self.exponents
        ]
        turned = tuple(zip(*self.Q, strict=True))
        result = []
        for row, residual in zip(self.samples, self._residuals(m), strict=True):
            inner = tuple(
                2 * residual * sum(x * s[i] for x, s in zip(row, slopes, strict=False))
                for i in range(len(phi))
            )
            result.append(apply(turned, inner))
        return tuple(result)

    def _residuals(self, m: Vector) -> Vector:
        return tuple(dot(row[:-1], m) - row[-1] for row in self.samples)

    def moved(self, q: Fraction) -> Vector:
        """Return θ_λ at e^λ = q."""
        phi = apply(self.Q, self.theta)
        there = tuple(q**m * p for m, p in zip(self.mu, phi, strict=True))
        return apply(tuple(zip(*self.Q, strict=True)), there)

    def projectors(self) -> tuple[tuple[int, Matrix], ...]:
        """Return (μ_k, P_k) for the distinct eigenvalues."""
        n = range(len(self.mu))
        return tuple(
            (
                value,
                tuple(
                    tuple(
                        sum(
                            (
                                row[i] * row[j]
                                for m, row in zip(self.mu, self.Q, strict=True)
                                if m == value
                            ),
                            Fraction(0),
                        )
                        for j in n
                    )
                    for i in n
                ),
            )
            for value in sorted(set(self.mu))
        )

    def describe(self) -> dict[str, str]:
        """Return names → values, everything needed to check by hand."""
        plain = all(
            row[j] == int(i == j)
            for i, row in enumerate(self.Q)
            for j in range(len(row))
        )
        letter = "theta" if plain else "phi"
        terms = [
            "*".join([f"x_{j}", *(f"{letter}_{i}^{k}" for i, k in enumerate(e) if k)])
            for j, e in enumerate(self.exponents)
        ]
        shown = {"loss": f"({' + '.join(terms)} - y)^2"}
        if not plain:
            shown["phi"] = f"Q theta, Q = {_rows(self.Q)}"
        return shown | {
            "A": _rows(self.A),
            "theta": f"({', '.join(map(str, self.theta))})",
            "data (x_0, ..., y)": "; ".join(
                ", ".join(map(str, row)) for row in self.samples
            ),
            "eta": str(self.eta),
            "gamma": str(self.gamma),
            "S": str(self.batch_size),
        }

    def with_(self, **changes: Any) -> MonomialNet:
        """Return a copy with some attributes changed."""
        return replace(self, **changes)


def _monomial(exponents: Sequence[int], phi: Vector) -> Fraction:
    """Return Π φ_i^{k_i}.

    Raises:
        NotRational: at a pole.
    """
    value = Fraction(1)
    for k, p in zip(exponents, phi, strict=True):
        if k < 0 and p == 0:
            raise NotRational("a monomial has a pole here")
        value *= p**k
    return value


def _lowered(exponents: Sequence[int], i: int) -> tuple[int, ...]:
    return tuple(k - (i == j) for j, k in enumerate(exponents))


def _rows(M: Matrix) -> str:
    return str([[str(entry) for entry in row] for row in M]).replace("'", "")


def plain_net(
    mu: Sequence[int],
    exponents: Sequence[Sequence[int]],
    samples: Sequence[Sequence[int]],
    theta: Sequence[Fraction | int],
    **changes: Any,
) -> MonomialNet:
    """Return a net with Q = I: an example to be checked by hand.

    >>> product = plain_net((1, -1), [(1, 1)], [(1, 0), (1, 2)], (1, 2))
    >>> [tuple(map(int, g)) for g in product.gradients()]
    [(8, 4), (0, 0)]
    """
    n = range(len(mu))
    return MonomialNet(
        tuple(mu),
        tuple(tuple(Fraction(int(i == j)) for j in n) for i in n),
        tuple(map(tuple, exponents)),
        tuple(tuple(map(Fraction, row)) for row in samples),
        tuple(map(Fraction, theta)),
        **changes,
    )


def product_pair(**changes: Any) -> MonomialNet:
    """Return ℓ = (uw − y)² at (1, 2) with y = 0, 2: gradients (8, 4) and (0, 0)."""
    return plain_net((1, -1), [(1, 1)], [(1, 0), (1, 2)], (1, 2), **changes)


def scale_pair(**changes: Any) -> MonomialNet:
    """Return ℓ = (w/u − y)² at (1, 1) with y = 2, 0: gradients ±(2, −2), A = I."""
    return plain_net((1, 1), [(-1, 1)], [(1, 2), (1, 0)], (1, 1), **changes)


def nets(
    spectrum: tuple[int, ...] = (-2, -1, 0, 1, 2), least: int = 1
) -> st.SearchStrategy[MonomialNet]:
    """Return a strategy for nets of 2 to 4 samples, repeated ones included, n ≤ 4.

    One integer is drawn and the net made from it, which is ten times as fast as a
    draw for each entry; what is shown of a failure comes from the examples.

    Args:
        spectrum: the eigenvalues to choose from.
        least: the least n.

    Returns:
        Nets at points where every φ_i ≠ 0.
    """
    return st.integers(0, 2**48 - 1).map(
        lambda key: _net(random.Random(f"net {key}"), spectrum, least)
    )


def _net(stream: random.Random, spectrum: tuple[int, ...], least: int) -> MonomialNet:
    n = stream.choice([k for k in (1, 2, 2, 3, 3, 4) if k >= least])
    for _ in range(4):  # most spectra that leave nothing but constants are passed over
        mu = tuple(stream.choice(spectrum) for _ in range(n))
        known = invariants(mu)
        live = [k for k in known if any(a * m for a, m in zip(k, mu, strict=True))]
        if live:
            break
    if live and stream.random() < 0.9:
        known = tuple(live)
    chosen = tuple(stream.choice(known) for _ in range(stream.randint(1, 2)))
    Q = _reflection(tuple(stream.randint(-1, 1) for _ in mu))
    phi = tuple(drawn_number(stream) or Fraction(1) for _ in mu)
    samples = [
        tuple(drawn_number(stream) for _ in range(len(chosen) + 1))
        for _ in range(stream.randint(2, 3))
    ]
    if stream.random() < 0.1:  # no noise at all
        samples = samples[:1] * 2
    return MonomialNet(
        mu,
        Q,
        chosen,
        tuple(samples),
        apply(Q, phi),
        stream.choice(_ETAS),
        stream.choice(_DECAYS),
        stream.randint(1, 2),
    )


def drawn_number(stream: random.Random) -> Fraction:
    """Return k/2 or k with |k| ≤ 4."""
    return Fraction(stream.randint(-4, 4), stream.randint(1, 2))


def invariants(mu: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return exponents k with k·μ = 0, of one or two φ_i each; (0, …, 0) if none."""
    n = len(mu)
    found = [_spread(n, {i: 1}) for i in range(n) if mu[i] == 0]
    for i, j in combinations(range(n), 2):
        if mu[i] and mu[j]:
            g = gcd(mu[i], mu[j])
            sign = 1 if mu[j] > 0 else -1
            found.append(_spread(n, {i: sign * mu[j] // g, j: -sign * mu[i] // g}))
    return tuple(found) or ((0,) * n,)


def _spread(n: int, entries: dict[int, int]) -> tuple[int, ...]:
    return tuple(entries.get(i, 0) for i in range(n))


def _reflection(v: tuple[int, ...]) -> Matrix:
    norm, n = sum(a * a for a in v), range(len(v))
    return tuple(
        tuple(
            Fraction(int(i == j)) - (Fraction(2 * v[i] * v[j], norm) if norm else 0)
            for j in n
        )
        for i in n
    )

"""Routes for the charge of a field J, which not every one has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    differential,
    gradient,
    identity,
    matrix,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, Vector, apply, dot
from verify._routes._common import Sides, drawn_evidence
from verify._routes._general_cases import drawn_number
from verify._routes._words import Example, Row, words_evidence
from verify._scope import only_about


_ZERO, _ONE = Fraction(0), Fraction(1)
u, w, x, y = sp.symbols("u w x y", real=True)
rho = sp.Symbol("rho", real=True)


# A charge exists iff ∂J is symmetric. The subject is "any" or "gradient".


@dataclass(frozen=True, slots=True)
class Field:
    """J = Mθ + Σ_k c_k (a_k·θ)^{p_k} b_k, of degree at most 3.

    Attributes:
        M: n × n.
        bends: (c, a, p, b) each.
    """

    M: Matrix
    bends: tuple[tuple[Fraction, Vector, int, Vector], ...] = ()

    def at(self, theta: Vector) -> Vector:
        """Return J(θ)."""
        value = apply(self.M, theta)
        for c, a, p, b in self.bends:
            size = c * dot(a, theta) ** p
            value = tuple(v + size * e for v, e in zip(value, b, strict=True))
        return value

    @property
    def is_gradient(self) -> bool:
        """Return whether ∂J is symmetric at every θ, for at most one bend.

        ∂J = M + cp(a·θ)^{p−1}baᵀ: constant for p = 1, else symmetric iff M is and b is
        along a.
        """
        n = range(len(self.M))
        linear = [list(row) for row in self.M]
        for c, a, p, b in self.bends:
            if p == 1:
                linear = [[linear[i][j] + c * b[i] * a[j] for j in n] for i in n]
            elif c and any(b[i] * a[j] != a[i] * b[j] for i in n for j in n):
                return False
        return all(linear[i][j] == linear[j][i] for i in n for j in n)

    def work(self, corners: tuple[Vector, ...]) -> Fraction:
        """Return ∮J·dθ along a polygon, by Simpson's rule, exact to degree 3."""
        total = _ZERO
        for p, q in zip(corners, (*corners[1:], corners[0]), strict=True):
            step = tuple(b - a for a, b in zip(p, q, strict=True))
            middle = tuple((a + b) / 2 for a, b in zip(p, q, strict=True))
            ends = dot(self.at(p), step) + dot(self.at(q), step)
            total += (ends + 4 * dot(self.at(middle), step)) / 6
        return total

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        M = [[str(entry) for entry in row] for row in self.M]
        shown = {"J": f"M theta, M = {str(M).replace(chr(39), '')}"}
        for k, (c, a, p, b) in enumerate(self.bends):
            vector = [f"({', '.join(map(str, v))})" for v in (a, b)]
            shown[f"and {k}"] = f"({c})*({vector[0]}.theta)^{p} {vector[1]}"
        return shown


def _fields() -> st.SearchStrategy[Field]:
    def made(key: int) -> Field:
        stream = random.Random(f"field {key}")
        n, gradient_field = stream.randint(2, 3), stream.random() < 0.5

        def vector() -> Vector:
            return tuple(drawn_number(stream) for _ in range(n))

        M = tuple(vector() for _ in range(n))
        a, b = vector(), vector()
        if gradient_field:
            M = tuple(
                tuple(M[max(i, j)][min(i, j)] for j in range(n)) for i in range(n)
            )
            b = a
        return Field(M, ((drawn_number(stream), a, stream.randint(1, 3), b),))

    return st.integers(0, 2**48 - 1).map(made)


@only_about("every field J")
def circulation_exact(subject: str, context: Context) -> Evidence:
    """Take ∮J·dθ around triangles: 0 around each one iff there is a charge."""

    def sides(field: Field) -> Sides:
        still = all(field.work(corners) == 0 for corners in _triangles(len(field.M)))
        expected = subject == "any" or field.is_gradient
        return Sides(Fraction(int(still)), Fraction(int(expected)))

    rotation = Field(((_ZERO, -_ONE), (_ONE, _ZERO)))
    return drawn_evidence(
        "exact circulation",
        sides,
        _fields(),
        context,
        r"whether $\oint J\cdot d\theta = 0$ around every triangle tried (1 for yes)",
        examples=(rotation,),
        shown=("a C with this gradient: {}", "{}"),
    )


def _triangles(n: int) -> Iterator[tuple[Vector, ...]]:
    """Yield seven triangles in each coordinate plane, at (k, k², …), k = 1 to 7.

    The mean over one of them of an entry of ∂J − ∂Jᵀ, a polynomial in θ of degree at
    most 2, is a polynomial in k of degree at most 6, and constant in k only where the
    entry is constant: it is 0 for every k only where the entry is 0 everywhere.
    """
    for i in range(n):
        for j in range(i):
            for k in range(1, 8):
                base = tuple(Fraction(k ** (m + 1)) for m in range(n))
                yield (
                    base,
                    tuple(b + (m == i) for m, b in enumerate(base)),
                    tuple(b + (m == j) for m, b in enumerate(base)),
                )


@only_about("every field J")
def poincare_words(subject: str, context: Context) -> Evidence:
    """Compare ∇(θ·J(tθ)) with d(tJ(tθ))/dt, D = ∂J symmetric or not, n free."""
    D = matrix("D", "n", "n", symmetric=subject == "gradient")
    J, theta, e = matrix("J", "n", 1), matrix("theta", "n", 1), matrix("e", "n", 1)
    t = matrix("t", 1, 1)
    inner = differential(theta.T @ J, {theta: e, J: (D @ e) @ t})
    outer = differential((e.T @ J) @ t, {t: identity(1), J: D @ theta})
    rotation = Example(
        {
            "D": sp.Matrix([[0, -1], [1, 0]]),
            "J": sp.Matrix([0, 1]),
            "theta": sp.Matrix([1, 0]),
            "e": sp.Matrix([0, 1]),
            "t": sp.Matrix([1]),
        },
        (),
        {"J": "(-w, u)", "loss": "((u**2 + w**2)*x - y)**2", "u": "1", "w": "0"},
        {},
    )

    def rows() -> Iterator[Row]:
        yield "integrand", inner, outer
        linear = gradient(theta.T @ D @ theta / 2, theta)
        yield "linear fields", linear, D @ theta

    return words_evidence(
        rows(),
        r"$\nabla(\theta\cdot J(t\theta))$ against $\frac{d}{dt}(tJ(t\theta))$, along "
        r"any $e$",
        "n, J and ∂J",
        (
            r"Integrated over $t\in[0,1]$ the right side is $J(\theta)$: "
            r"$C = \int_0^1\theta\cdot J(t\theta)\,dt$ has $\nabla C = J$.",
            r"Conversely $\nabla C = J$ makes $\partial J = \nabla^2C$ symmetric.",
        ),
        None if subject == "gradient" else rotation,
    )

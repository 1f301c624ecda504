"""Declarations for tests of `numeric`, built here from sympy alone.

They have the attributes that the evaluators read, and integrate charges along the
coordinate axes, C(θ) = Σᵢ ∫₀^θᵢ Jᵢ(θ₁, …, θᵢ₋₁, τ, 0, …, 0) dτ: a route of their own,
apart from `symbolic.derive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp
from hypothesis import strategies as st

from symbolic import NoCharge, ParameterSpace, relu


@dataclass(frozen=True)
class PlainLoss:
    """A per-sample loss, with its gradient taken entry by entry."""

    expression: sp.Expr
    space: ParameterSpace
    data: ParameterSpace

    @cached_property
    def gradient(self) -> tuple[sp.Expr, ...]:
        """The entries ∂ℓ/∂θ_i."""
        return tuple(sp.diff(self.expression, symbol) for symbol in self.space.symbols)


@dataclass(frozen=True)
class PlainSymmetry:
    """A generator J on the flat vector, with A and b where it is affine."""

    space: ParameterSpace
    generator: tuple[sp.Expr, ...]

    @cached_property
    def jacobian(self) -> sp.ImmutableDenseMatrix:
        """The Jacobian ∂J."""
        column = sp.Matrix(self.generator)
        return column.jacobian(self.space.symbols).applyfunc(sp.expand).as_immutable()

    @property
    def matrix(self) -> sp.ImmutableDenseMatrix | None:
        """The matrix A, or None for a nonlinear J."""
        return None if self.jacobian.free_symbols else self.jacobian

    @property
    def offset(self) -> tuple[sp.Expr, ...]:
        """The offset b = J(0)."""
        zero = dict.fromkeys(self.space.symbols, 0)
        return tuple(sp.sympify(entry).subs(zero) for entry in self.generator)

    @property
    def kind(self) -> str:
        """The kind."""
        if self.matrix is None:
            return "nonlinear"
        if any(entry != 0 for entry in self.offset):
            return "affine"
        return "exponential" if self.matrix.is_symmetric() else "linear"


@dataclass(frozen=True)
class PlainDeclaration:
    """A named symmetry, with or without a loss."""

    name: str
    space: ParameterSpace
    symmetry: PlainSymmetry
    loss: PlainLoss | None = None


@dataclass(frozen=True)
class PlainDerivation:
    """The charge of a declaration."""

    declaration: PlainDeclaration

    @cached_property
    def charge(self) -> sp.Expr:
        """The charge C with ∇C = J.

        Raises:
            NoCharge: when ∂J is not symmetric.
        """
        symmetry = self.declaration.symmetry
        symbols = symmetry.space.symbols
        if not symmetry.jacobian.is_symmetric():
            raise NoCharge("∂J is not symmetric", ("?", "?"), None)
        tau = sp.Symbol("tau", real=True)
        parts = []
        for i, (end, entry) in enumerate(zip(symbols, symmetry.generator, strict=True)):
            later = dict.fromkeys(symbols[i + 1 :], 0)
            integrand = sp.expand(entry.subs(later).subs(end, tau))
            parts.append(sp.integrate(integrand, (tau, 0, end)))
        return sp.Add(*parts)


def derivation(
    name: str,
    space: ParameterSpace,
    generator: tuple[sp.Expr, ...],
    loss: PlainLoss | None = None,
) -> PlainDerivation:
    """Return the derivation of a generator on the flat vector."""
    entries = tuple(sp.sympify(entry) for entry in generator)
    return PlainDerivation(
        PlainDeclaration(name, space, PlainSymmetry(space, entries), loss)
    )


def plain_loss(
    text: sp.Expr, space: ParameterSpace, **data: tuple[int, ...]
) -> PlainLoss:
    """Return a loss with data of the given shapes."""
    return PlainLoss(text, space, ParameterSpace(**data))


PAIR = ParameterSpace(u=(), v=())
NET = ParameterSpace(U=(1, 2), W=(2, 2))
_X, _Y = sp.symbols("x y", real=True)


def _product_loss() -> PlainLoss:
    u, v = PAIR.symbols
    return plain_loss((u * v * _X - _Y) ** 2, PAIR, x=(), y=())


def _net_loss() -> PlainLoss:
    inputs = ParameterSpace(x=(2,), y=())
    output = (NET["U"] * NET["W"] * inputs["x"])[0, 0]
    return PlainLoss((output - _Y) ** 2, NET, inputs)


def _relu_loss() -> PlainLoss:
    u, v = PAIR.symbols
    return plain_loss((u * relu(v * _X) - _Y) ** 2, PAIR, x=(), y=())


def _softmax_loss() -> PlainLoss:
    u, v = PAIR.symbols
    return plain_loss(_Y * sp.log(1 + sp.exp((u - v) * _X)), PAIR, x=(), y=())


def losses() -> dict[str, PlainLoss]:
    """Return losses by name."""
    return {
        "product": _product_loss(),
        "net": _net_loss(),
        "relu": _relu_loss(),
        "softmax": _softmax_loss(),
    }


def catalogue() -> dict[str, PlainDerivation]:
    """Return one derivation of each kind, and more, by name."""
    u, v = PAIR.symbols
    half = sp.Rational(1, 2)
    mixed = sp.Matrix([[1, half], [half, -2]])
    B = sp.Matrix([[1, 2], [2, -3]])
    field = (*(NET["U"] * B), *(-B * NET["W"]))
    made = [
        derivation("rescaling", PAIR, (u, -v), _product_loss()),
        derivation("scaling", PAIR, (u, v)),
        derivation("mixed", PAIR, tuple(mixed * sp.Matrix([u, v]))),
        derivation("factorisation", NET, field, _net_loss()),
        derivation("affine", PAIR, (u + 2, -v + sp.Rational(1, 3))),
        derivation("shift", PAIR, (sp.Integer(1), sp.Integer(1)), _softmax_loss()),
        derivation("quartic", PAIR, (u**3 * v**2, u**4 * v / 2)),
        derivation("waves", PAIR, (sp.sin(u), sp.exp(-v / 2) + v**5)),
        derivation("rotation", PAIR, (-v, u)),
    ]
    return {each.declaration.name: each for each in made}


small_rationals = st.fractions(-3, 3, max_denominator=8).map(
    lambda x: sp.Rational(x.numerator, x.denominator)
)


@st.composite
def quadratics(draw: st.DrawFn) -> PlainDerivation:
    """Draw J = Aθ with A = Aᵀ of rational entries, n from 1 to 4."""
    n = draw(st.integers(1, 4))
    space = ParameterSpace(w=(n,))
    upper = draw(
        st.lists(small_rationals, min_size=n * (n + 1) // 2, max_size=n * (n + 1) // 2)
    )
    A = sp.zeros(n, n)
    for place, entry in zip(
        [(i, j) for i in range(n) for j in range(i, n)], upper, strict=True
    ):
        A[place] = A[place[::-1]] = entry
    return derivation("drawn", space, tuple(A * space["w"]))


@st.composite
def polynomials(draw: st.DrawFn) -> PlainDerivation:
    """Draw J = ∇C with C a polynomial in three parameters."""
    space = ParameterSpace(a=(), b=(2,))
    powers = st.tuples(*[st.integers(0, 3)] * 3)
    terms = draw(st.lists(st.tuples(small_rationals, powers), min_size=1, max_size=4))
    charge = sp.Add(
        *(
            c * sp.Mul(*(x**k for x, k in zip(space.symbols, power, strict=True)))
            for c, power in terms
        )
    )
    return derivation("drawn", space, tuple(charge.diff(x) for x in space.symbols))

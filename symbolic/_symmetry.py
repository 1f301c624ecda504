"""A declared symmetry and its generator J: `Symmetry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import sympy as sp

from symbolic._equality import compare
from symbolic._errors import DeclarationError
from symbolic._loss import Loss, as_real, as_scalar
from symbolic._space import ParameterSpace
from symbolic._verdict import Finding, Verdict


_RHO = sp.Symbol("rho", real=True)


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A one-parameter symmetry θ → Q_ρθ with generator J(θ) = dQ_ρθ/dρ at 0.

    Build one by `from_transformation`, `from_generator` or `exponential`. Symbols in
    it that are no parameters are constants.

    Attributes:
        space: the parameters, n components in all.
        generator: the n components of J.
        transformation: the n components of Q_ρθ where declared so, else None.
        rho: the symbol ρ of the transformation.
    """

    space: ParameterSpace
    generator: tuple[sp.Expr, ...]
    transformation: tuple[sp.Expr, ...] | None = None
    rho: sp.Symbol = _RHO

    def __post_init__(self) -> None:
        if len(self.generator) != self.space.size:
            raise DeclarationError(
                f"expected {self.space.size} components of J, got {len(self.generator)}"
            )
        for name, entry in zip(self.space.symbols, self.generator, strict=True):
            if entry.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
                raise DeclarationError(f"expected a finite J, got {entry} for {name}")
            if entry.has(sp.I):
                raise DeclarationError(f"expected a real J, got {entry} for {name}")

    @classmethod
    def from_transformation(
        cls, space: ParameterSpace, images: Mapping[str, Any], rho: str = "rho"
    ) -> Self:
        """Declare θ → Q_ρθ by the images of its parameters; the others stay fixed.

        Args:
            space: the parameters.
            images: name → image, a sympy expression or a matrix of the same shape.
            rho: the name of the group parameter in `images`.

        Returns:
            The symmetry, with J = dQ_ρθ/dρ at ρ = 0.

        Raises:
            DeclarationError: when Q_0 is not the identity, or a name or shape is wrong.

        >>> space = ParameterSpace(u=(), w=())
        >>> u, w, rho = sp.symbols("u w rho")
        >>> images = {"u": sp.exp(rho) * u, "w": sp.exp(-rho) * w}
        >>> Symmetry.from_transformation(space, images).generator
        (u, -w)
        """
        symbol = sp.Symbol(rho, real=True)
        flat = _components(space, images, default=list(space.symbols), extra=(symbol,))
        for before, after in zip(space.symbols, flat, strict=True):
            at_zero = after.subs(symbol, 0)
            if compare(at_zero, before).verdict is not Verdict.PROVED:
                raise DeclarationError(
                    f"expected the identity at {rho} = 0, got {before} -> {at_zero}"
                )
        generator = tuple(
            sp.simplify(entry.diff(symbol).subs(symbol, 0)) for entry in flat
        )
        return cls(space, generator, tuple(flat), symbol)

    @classmethod
    def from_generator(cls, space: ParameterSpace, images: Mapping[str, Any]) -> Self:
        """Declare J by parameter; a parameter left out is fixed.

        Args:
            space: the parameters.
            images: name → component of J, of that parameter's shape.

        Returns:
            The symmetry.

        >>> space = ParameterSpace(u=(), w=())
        >>> u, w = sp.symbols("u w")
        >>> Symmetry.from_generator(space, {"u": u, "w": -w}).kind
        'exponential'
        """
        zeros = [sp.S.Zero] * space.size
        return cls(space, tuple(_components(space, images, default=zeros)))

    @classmethod
    def exponential(cls, space: ParameterSpace, A: Any) -> Self:
        """Declare J = Aθ with a symmetric n × n matrix A (P1, Def. 1).

        Args:
            space: the parameters, n components in all.
            A: a sympy matrix, nested lists or an array; floats are read as decimals.

        Returns:
            The symmetry.

        Raises:
            DeclarationError: when A is not n × n, not symmetric or not finite.

        >>> space = ParameterSpace(u=(), w=())
        >>> Symmetry.exponential(space, [[1, 0], [0, -1]]).generator
        (u, -w)
        """
        rows = A.tolist() if hasattr(A, "tolist") else A
        n = space.size
        if (
            not isinstance(rows, Sequence)
            or [len(row) if isinstance(row, Sequence) else -1 for row in rows]
            != [n] * n
        ):
            raise DeclarationError(
                f"expected A as a {n} x {n} matrix on the flat vector "
                f"({', '.join(map(str, space.symbols))}), got {A!r}"
            )
        matrix = sp.ImmutableDenseMatrix(
            [[as_scalar(entry) for entry in row] for row in rows]
        )
        for i in range(n):
            for j in range(i):
                if compare(matrix[i, j], matrix[j, i]).verdict is not Verdict.PROVED:
                    raise DeclarationError(
                        f"expected a symmetric A, got A[{i},{j}] = {matrix[i, j]} "
                        f"and A[{j},{i}] = {matrix[j, i]}; declare a non-symmetric "
                        f"linear J with Symmetry.from_generator"
                    )
        theta = sp.ImmutableDenseMatrix(space.symbols)
        return cls(space, tuple(matrix * theta))

    @property
    def constants(self) -> tuple[sp.Symbol, ...]:
        """Return the symbols of J that are no parameters, sorted by name."""
        free = set().union(*(entry.free_symbols for entry in self.generator))
        return tuple(sorted(free - set(self.space.symbols), key=lambda s: s.name))

    @property
    def jacobian(self) -> sp.ImmutableDenseMatrix:
        """Return ∂J_i/∂θ_j, shape (n, n)."""
        n = self.space.size
        return sp.ImmutableDenseMatrix(
            n, n, lambda i, j: self.generator[i].diff(self.space.symbols[j])
        )

    @property
    def matrix(self) -> sp.ImmutableDenseMatrix | None:
        """Return A, shape (n, n), where J = Aθ + b; None for a nonlinear J."""
        A = self.jacobian.applyfunc(sp.expand)
        return None if A.free_symbols & set(self.space.symbols) else A

    @property
    def offset(self) -> tuple[sp.Expr, ...]:
        """Return b = J(0) where J = Aθ + b, n components."""
        zero = dict.fromkeys(self.space.symbols, sp.S.Zero)
        return tuple(entry.subs(zero) for entry in self.generator)

    @property
    def kind(self) -> str:
        """Return "exponential", "linear", "affine" or "nonlinear"."""
        A = self.matrix
        if A is None:
            return "nonlinear"
        if any(not entry.is_zero for entry in self.offset):
            return "affine"
        symmetric = (A - A.T).applyfunc(sp.expand).is_zero_matrix
        return "exponential" if symmetric else "linear"

    def preserves(self, loss: Loss | None) -> Finding:
        """Decide whether ℓ has the symmetry, sample by sample (P1, Eqs. (2), (3)).

        ∇ℓ(θ, z)·J(θ) = 0 for all θ and z is decided exactly; a declared
        transformation must moreover leave ℓ itself unchanged.

        Args:
            loss: the per-sample loss; None where none is declared.

        Returns:
            PROVED, REFUTED with a witness, INCONCLUSIVE, or NOT_APPLICABLE for None.

        Raises:
            DeclarationError: when the loss lives on other parameters.

        >>> space = ParameterSpace(u=(), w=())
        >>> u, w = sp.symbols("u w")
        >>> loss = Loss((u * w - 1) ** 2, space)
        >>> Symmetry.exponential(space, [[1, 0], [0, -1]]).preserves(loss).verdict.name
        'PROVED'
        """
        if loss is None:
            return Finding(Verdict.NOT_APPLICABLE, "no loss is declared")
        if loss.space != self.space:
            raise DeclarationError(
                f"expected a loss on {', '.join(self.space.names)}, "
                f"got one on {', '.join(loss.space.names)}"
            )
        along = sum(
            (g * j for g, j in zip(loss.gradient, self.generator, strict=True)),
            sp.S.Zero,
        )
        finding = compare(along, sp.S.Zero)
        if self.transformation is None or finding.verdict is not Verdict.PROVED:
            return finding
        moved = loss.expression.xreplace(
            dict(zip(self.space.symbols, self.transformation, strict=True))
        )
        finite = compare(moved, loss.expression)
        return finding if finite.verdict is Verdict.PROVED else finite


def _components(
    space: ParameterSpace,
    images: Mapping[str, Any],
    default: Sequence[sp.Expr],
    extra: tuple[sp.Symbol, ...] = (),
) -> list[sp.Expr]:
    """Return the flat components of `images`, missing parameters from `default`."""
    for name in images:
        space.int_shape(name)
    known = {symbol.name: symbol for symbol in (*space.symbols, *extra)}
    values = space.unpack(tuple(default))
    for name, image in images.items():
        values[name] = image
    flat = [as_scalar(entry) for entry in space.pack(values)]
    for entry in flat:
        for symbol in entry.free_symbols:
            # A constant keeps what is assumed of it, such as a sign.
            real = symbol if symbol.is_real else sp.Symbol(symbol.name, real=True)
            known.setdefault(symbol.name, real)
    return [as_real(entry, known) for entry in flat]

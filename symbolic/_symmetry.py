"""A declared symmetry and its generator J: `Symmetry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import sympy as sp

from symbolic._constants import Constant, check_sizes, checked_constants
from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._language.components import interpret
from symbolic._language.words import read_words, space_words
from symbolic._loss import Loss, as_real, as_scalar
from symbolic._matrices.at_sizes import components_at, constants_at, space_at
from symbolic._matrices.symmetry import generator_of, kind_of
from symbolic._space import ParameterSpace, check_derived_names
from symbolic._symmetries.invariance import components_invariance, matrix_invariance
from symbolic._verdict import Finding, Verdict
from symbolic._words.applied import Applied, Table, names_in, partial_table
from symbolic._words.polynomial import MatrixPolynomial, matrix, zero


MAX_PLAIN = 200  # operations, beyond which a component of J stays as it is
_RHO = sp.Symbol("rho", real=True)


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A one-parameter symmetry θ → Q_ρθ with generator J(θ) = dQ_ρθ/dρ at 0.

    Build one by `from_transformation`, `from_generator` or `exponential`. Symbols in
    it that are no parameters are constants. Where a size is a symbol, J is one
    polynomial in words of matrices for each parameter, and functions in it are letters.

    Attributes:
        space: the parameters, n components in all.
        generator: the n components of J; at symbolic sizes J of each parameter.
        transformation: Q_ρθ in the form of J where declared so, else None.
        rho: the symbol ρ of the transformation.
        declared: the constants that were declared.
        applied: the functions in J and Q at symbolic sizes.
    """

    space: ParameterSpace
    generator: tuple[Any, ...]
    transformation: tuple[Any, ...] | None = None
    rho: sp.Symbol = _RHO
    declared: tuple[Constant, ...] = ()
    applied: tuple[Applied, ...] = ()

    def __post_init__(self) -> None:
        if self.is_matrix:
            return
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
        cls,
        space: ParameterSpace,
        images: Mapping[str, Any],
        rho: str = "rho",
        constants: Sequence[Constant] = (),
        *,
        matrices: bool | None = None,
    ) -> Self:
        """Declare θ → Q_ρθ by the images of its parameters; the others stay fixed.

        Args:
            space: the parameters.
            images: name → image: a string of the language, a sympy expression or a
                matrix of the same shape; a string or a `MatrixPolynomial` where a size
                is a symbol.
            rho: the name of the group parameter in `images`.
            constants: the constants that may occur in strings.
            matrices: whether to work in words of matrices; None for where a size is a
                symbol.

        Returns:
            The symmetry, with J = dQ_ρθ/dρ at ρ = 0.

        Raises:
            DeclarationError: when Q_0 is not the identity, or a name or shape is wrong.

        >>> space = ParameterSpace(u=(), w=())
        >>> images = {"u": "exp(rho)*u", "w": "exp(-rho)*w"}
        >>> Symmetry.from_transformation(space, images).generator
        (u, -w)
        """
        declared = checked_constants(constants)
        if _is_matrix(space, images) if matrices is None else matrices:
            if rho != "rho":
                raise DeclarationError(
                    f"expected the name rho at symbolic sizes, got {rho!r}"
                )
            return cls._from_matrix_images(space, images, declared)
        symbol = sp.Symbol(rho, real=True)
        images = _interpreted(space, images, declared, {rho: symbol})
        flat = _components(space, images, default=list(space.symbols), extra=(symbol,))
        for before, after in zip(space.symbols, flat, strict=True):
            at_zero = after.subs(symbol, 0)
            if compare(at_zero, before).verdict is not Verdict.PROVED:
                raise DeclarationError(
                    f"expected the identity at {rho} = 0, got {before} -> {at_zero}"
                )
        generator = tuple(_plain(entry.diff(symbol).subs(symbol, 0)) for entry in flat)
        return cls(space, generator, tuple(flat), symbol, declared)

    @classmethod
    def from_generator(
        cls,
        space: ParameterSpace,
        images: Mapping[str, Any],
        constants: Sequence[Constant] = (),
        *,
        matrices: bool | None = None,
    ) -> Self:
        """Declare J by parameter; a parameter left out is fixed.

        Args:
            space: the parameters.
            images: name → component of J, of that parameter's shape; as in
                `from_transformation`.
            constants: the constants that may occur in strings.
            matrices: whether to work in words of matrices; None for where a size is a
                symbol.

        Returns:
            The symmetry.

        Raises:
            DeclarationError: when a name or a shape is wrong.

        >>> space = ParameterSpace(u=(), w=())
        >>> Symmetry.from_generator(space, {"u": "u", "w": "-w"}).kind
        'exponential'
        >>> space = ParameterSpace(U=("m", "d"), W=("d", "n"))
        >>> B = Constant("B", ("d", "d"), symmetric=True)
        >>> images = {"U": "U*B", "W": "-B*W"}
        >>> Symmetry.from_generator(space, images, [B]).kind
        'exponential'
        """
        declared = checked_constants(constants)
        if _is_matrix(space, images) if matrices is None else matrices:
            table = Table()
            generator = _matrix_images(space, images, declared, table, {})
            return cls(space, generator, declared=declared, applied=_all(table))
        images = _interpreted(space, images, declared, {})
        zeros = [sp.S.Zero] * space.size
        flat = _components(space, images, default=zeros)
        return cls(space, tuple(flat), declared=declared)

    @classmethod
    def _from_matrix_images(
        cls,
        space: ParameterSpace,
        images: Mapping[str, Any],
        constants: tuple[Constant, ...],
    ) -> Self:
        parameters = tuple(space_words(space).values())
        table, rho = Table(), matrix("rho", 1, 1)
        whole = {**dict(zip(space.names, parameters, strict=True)), **images}
        moved = _matrix_images(space, whole, constants, table, {"rho": rho})
        generator = generator_of(moved, parameters, table)
        return cls(space, generator, moved, _RHO, constants, _all(table))

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
        if space.has_symbolic_sizes:
            raise DeclarationError(
                "expected integer sizes for a matrix on the flat vector; declare J by "
                "its parts with Symmetry.from_generator"
            )
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
    def is_matrix(self) -> bool:
        """Return whether J is in words of matrices."""
        return any(isinstance(entry, MatrixPolynomial) for entry in self.generator)

    @property
    def constants(self) -> tuple[sp.Symbol, ...]:
        """Return the symbols of J that are no parameters, sorted by name."""
        if self.is_matrix:
            return tuple(
                sp.Symbol(name, real=True) for name in sorted(self._constant_names)
            )
        free = set().union(*(entry.free_symbols for entry in self.generator))
        return tuple(sorted(free - set(self.space.symbols), key=lambda s: s.name))

    @property
    def jacobian(self) -> sp.ImmutableDenseMatrix:
        """Return ∂J_i/∂θ_j, shape (n, n).

        Raises:
            DeclarationError: at symbolic sizes.
        """
        if self.is_matrix:
            raise DeclarationError(
                "expected integer sizes for the Jacobian of J, got words of matrices"
            )
        return _jacobian(self.generator, self.space.symbols)

    @property
    def matrix(self) -> sp.ImmutableDenseMatrix | None:
        """Return A, shape (n, n), where J = Aθ + b; None for a nonlinear J.

        None at symbolic sizes too.
        """
        if self.is_matrix:
            return None
        return _linear_part(self.generator, self.space.symbols)

    @property
    def offset(self) -> tuple[sp.Expr, ...]:
        """Return b = J(0) where J = Aθ + b, n components."""
        zero = dict.fromkeys(self.space.symbols, sp.S.Zero)
        return tuple(entry.subs(zero) for entry in self.generator)

    @property
    def kind(self) -> str:
        """Return "exponential", "linear", "affine" or "nonlinear"."""
        if self.is_matrix:
            parameters = tuple(space_words(self.space).values())
            return kind_of(self.generator, parameters, partial_table(self.applied))
        A = self.matrix
        if A is None:
            return "nonlinear"
        if any(not entry.is_zero for entry in self.offset):
            return "affine"
        symmetric = (A - A.T).applyfunc(sp.expand).is_zero_matrix
        return "exponential" if symmetric else "linear"

    @property
    def _constant_names(self) -> set[str]:
        words = [*self.generator, *(a.argument for a in self.applied)]
        used = set().union(*(names_in(f) for f in words))
        used |= {name for f in words for powers, _, _ in f.terms for name, _ in powers}
        return used & {constant.name for constant in self.declared}

    def at(self, sizes: Mapping[str, int]) -> Self:
        """Return the symmetry at integer sizes.

        Args:
            sizes: a number for each size that is a symbol.

        Returns:
            The symmetry in components.
        """
        if not self.is_matrix:
            return self
        both = components_at(
            (*self.generator, *(self.transformation or ())),
            self.applied,
            self.space,
            sizes,
            constants=self.declared,
            more={"rho": self.rho},
        )
        flat = tuple(entry for matrix in both for entry in matrix)
        space = space_at(self.space, sizes)
        return type(self)(
            space,
            flat[: space.size],
            flat[space.size :] or None,
            self.rho,
            constants_at(self.declared, sizes),
        )

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
        if self.is_matrix or loss.is_matrix:
            return matrix_invariance(self, loss)
        return components_invariance(
            self.space.symbols,
            self.generator,
            self.transformation,
            loss.expression,
            self.rho,
        )


@lru_cache(maxsize=256)
def _jacobian(
    generator: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...]
) -> sp.ImmutableDenseMatrix:
    """Return ∂J_i/∂θ_j; kept, as every statement about a symmetry asks for it."""
    rows = [[entry.diff(symbol) for symbol in symbols] for entry in generator]
    return sp.ImmutableDenseMatrix(rows)


@lru_cache(maxsize=256)
def _linear_part(
    generator: tuple[sp.Expr, ...], symbols: tuple[sp.Symbol, ...]
) -> sp.ImmutableDenseMatrix | None:
    """Return A where J = Aθ + b, else None."""
    A = _jacobian(generator, symbols).applyfunc(sp.expand)
    return None if A.free_symbols & set(symbols) else A


def _is_matrix(space: ParameterSpace, images: Mapping[str, Any]) -> bool:
    return space.has_symbolic_sizes or any(
        isinstance(image, MatrixPolynomial) for image in images.values()
    )


def _matrix_images(
    space: ParameterSpace,
    images: Mapping[str, Any],
    constants: tuple[Constant, ...],
    table: Table,
    more: Mapping[str, MatrixPolynomial],
) -> tuple[MatrixPolynomial, ...]:
    """Return a polynomial for each parameter, 0 where none is given."""
    words = space_words(space)
    names = words | {each.name: each.words for each in constants} | dict(more)
    check_derived_names(space.names, list(names))
    check_sizes(space, constants)
    for name in images:
        if name not in words:
            raise DeclarationError(f"expected one of {', '.join(words)}, got {name!r}")
    found = []
    for name, X in words.items():
        given = images.get(name, 0)
        is_zero = isinstance(given, int) and given == 0
        f = zero(X.rows, X.cols) if is_zero else read_words(given, names, table, name)
        if (f.rows, f.cols) != (X.rows, X.cols):
            raise DeclarationError(
                f"{name}: expected {_shape(X)}, as it is declared, got {_shape(f)}"
            )
        found.append(f)
    return tuple(found)


def _shape(f: MatrixPolynomial) -> str:
    return "a scalar" if f.is_scalar else f"{f.rows} x {f.cols}"


def _all(table: Table) -> tuple[Applied, ...]:
    return tuple(table.known.values())


def _interpreted(
    space: ParameterSpace,
    images: Mapping[str, Any],
    constants: tuple[Constant, ...],
    more: Mapping[str, sp.Symbol],
) -> dict[str, Any]:
    """Return the images with strings of the language read."""
    names = {name: space[name] for name in space.names} | dict(more)
    names |= {each.name: each.components for each in constants}
    return {
        name: interpret(image, names, name) if isinstance(image, str) else image
        for name, image in images.items()
    }


def _plain(entry: sp.Expr) -> sp.Expr:
    """Return a rational expression in lowest terms, any other as it is."""
    rational = entry.is_rational_function(*entry.free_symbols)
    if not rational or entry.count_ops() > MAX_PLAIN or entry.is_polynomial():
        return entry
    return sp.factor_terms(sp.cancel(entry))


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

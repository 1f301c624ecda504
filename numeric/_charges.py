"""The charge of a derivation as array functions: quadratic ones, and all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from numeric._arrays import Backend
from numeric._codegen import Generated, generate, number


class Charge(Protocol):
    """A charge C, its Hessian H, and the field J = ∇C, on flat arrays (..., n)."""

    @property
    def source(self) -> str:
        """The generated source, if any."""

    def field(self, theta: Any) -> Any:
        """Return J(θ), (..., n)."""

    def value(self, theta: Any) -> Any:
        """Return C(θ), (...)."""

    def trace(self, theta: Any, Sigma: Any) -> Any:
        """Return Tr[Σ H(θ)], (...)."""

    def spread(self, theta: Any, delta: Any) -> Any:
        """Return the mean over samples of δᵀ H(θ) δ, δ (..., N, n)."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """The non-zero eigenvalues of A = Aᵀ and their eigenvectors.

    Attributes:
        library: the arrays' library.
        mu: eigenvalues, (k,).
        basis: eigenvectors as columns, (n, k), or the indices (k,) of unit vectors.
    """

    library: Backend
    mu: NDArray[np.float64]
    basis: NDArray[np.float64] | NDArray[np.intp]

    def coordinates(self, vectors: Any) -> Any:
        """Return n_iᵀ v, (..., k)."""
        if self.basis.ndim == 1:
            return vectors[..., self.basis]
        return vectors @ self.library.like(self.basis, vectors)

    def variances(self, kind: str, noise: Any) -> Any:
        """Return s_i = n_iᵀ Σ n_i, (..., k), of "Sigma" or of centred "gradients"."""
        if kind == "gradients":
            return (self.coordinates(noise) ** 2).mean(-2)
        if self.basis.ndim == 1:
            return self.library.xp.diagonal(noise, 0, -2, -1)[..., self.basis]
        basis = self.library.like(self.basis, noise)
        return (basis * (noise @ basis)).sum(-2)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """J = Aθ + b and, where A = Aᵀ, C = ½θᵀAθ + bᵀθ; a diagonal A is kept as (n,).

    Attributes:
        library: the arrays' library.
        matrix: A, (n, n), or its diagonal, (n,).
        offset: b, (n,).
    """

    library: Backend
    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def source(self) -> str:
        """Empty: constants and matrix products need no generated code."""
        return ""

    def field(self, theta: Any) -> Any:
        """Return J(θ) = Aθ + b."""
        return self._apply(theta) + self.library.like(self.offset, theta)

    def value(self, theta: Any) -> Any:
        """Return C(θ)."""
        offset = self.library.like(self.offset, theta)
        return (theta * (0.5 * self._apply(theta) + offset)).sum(-1)

    def trace(self, theta: Any, Sigma: Any) -> Any:
        """Return Tr[ΣA]."""
        del theta
        A = self.library.like(self.matrix, Sigma)
        if A.ndim == 1:
            return (self.library.xp.diagonal(Sigma, 0, -2, -1) * A).sum(-1)
        return (Sigma * A).sum((-2, -1))

    def spread(self, theta: Any, delta: Any) -> Any:
        """Return the mean over samples of δᵀAδ."""
        del theta
        return (delta * self._apply(delta)).sum(-1).mean(-1)

    def spectrum(self) -> Spectrum:
        """Return the non-zero spectrum of a symmetric A: exact where A is diagonal."""
        if self.matrix.ndim == 1:
            places = np.flatnonzero(self.matrix)
            return Spectrum(self.library, self.matrix[places], places)
        values, vectors = np.linalg.eigh(self.matrix)
        # eigh leaves about n eps |A| where A is singular; those directions rest.
        floor = len(values) * np.finfo(np.float64).eps * np.abs(values).max()
        kept = np.abs(values) > floor
        return Spectrum(self.library, values[kept], vectors[:, kept])

    def _apply(self, vectors: Any) -> Any:
        A = self.library.like(self.matrix, vectors)
        return vectors * A if A.ndim == 1 else vectors @ A.T


@dataclass(frozen=True, slots=True, eq=False)
class General:
    """Any charge, from generated code; the Hessian has its non-zero entries only.

    Attributes:
        library: the arrays' library.
        functions: the generated J, C and upper triangle of H.
        entries: (i, j), i <= j, of each Hessian entry.
    """

    library: Backend
    functions: tuple[Generated, Generated, Generated]
    entries: tuple[tuple[int, int], ...]

    @property
    def source(self) -> str:
        """The generated source of the three functions."""
        return "\n\n".join(function.source for function in self.functions)

    def field(self, theta: Any) -> Any:
        """Return J(θ)."""
        return self._run(0, theta)

    def value(self, theta: Any) -> Any:
        """Return C(θ)."""
        return self._run(1, theta)[..., 0]

    def trace(self, theta: Any, Sigma: Any) -> Any:
        """Return Tr[Σ H(θ)]."""
        if not self.entries:
            return 0.0 * (Sigma[..., 0, 0] + theta[..., 0])
        both = [Sigma[..., i, j] + Sigma[..., j, i] for i, j in self.entries]
        weights = self.library.xp.stack(both, -1)
        return (weights * self._hessian(theta)).sum(-1)

    def spread(self, theta: Any, delta: Any) -> Any:
        """Return the mean over samples of δᵀ H(θ) δ."""
        if not self.entries:
            return 0.0 * (delta[..., 0, 0] + theta[..., 0])
        both = [2 * (delta[..., i] * delta[..., j]).mean(-1) for i, j in self.entries]
        return (self.library.xp.stack(both, -1) * self._hessian(theta)).sum(-1)

    def _hessian(self, theta: Any) -> Any:
        """Return the entries, those of the diagonal halved: each counts twice."""
        halves = [0.5 if i == j else 1.0 for i, j in self.entries]
        return self._run(2, theta) * self.library.like(halves, theta)

    def _run(self, which: int, theta: Any) -> Any:
        return run(self.library, self.functions[which], theta)


def run(library: Backend, function: Generated, theta: Any) -> Any:
    """Call a generated function of the flat vector and stack what it returns."""
    arrays = [theta[..., i] for i in range(theta.shape[-1])]
    values = function.call(library.xp, *arrays)
    return library.stack(values, tuple(theta.shape[:-1]), theta)


def linear(library: Backend, A: sp.MatrixBase, b: Sequence[sp.Expr]) -> Linear:
    """Return J = Aθ + b with the numbers of A and b rounded once.

    Args:
        library: the arrays' library.
        A: matrix, (n, n), of numbers.
        b: offset, (n,), of numbers.

    Returns:
        The field, and its charge where A = Aᵀ.
    """
    n = A.rows
    offset = np.array([number(sp.sympify(entry)) for entry in b], dtype=np.float64)
    dense = np.array([number(sp.sympify(x)) for x in A], dtype=np.float64)
    dense = dense.reshape(n, n)
    diagonal = np.diagonal(dense).copy()
    is_diagonal = A.is_diagonal()
    return Linear(library, diagonal if is_diagonal else dense, offset)


def general(
    library: Backend,
    symbols: Sequence[sp.Symbol],
    generator: Sequence[sp.Expr],
    charge: sp.Expr,
) -> General:
    """Return a charge from its expressions, with ∂J for the Hessian.

    Args:
        library: the arrays' library.
        symbols: the flat vector's symbols, (n,).
        generator: J, (n,).
        charge: C.

    Returns:
        The compiled charge.
    """
    upper = {
        (i, j): sp.diff(generator[i], symbols[j])
        for i in range(len(symbols))
        for j in range(i, len(symbols))
    }
    kept = {place: entry for place, entry in upper.items() if entry != 0}
    functions = (
        generate(symbols, list(generator), "generator"),
        generate(symbols, [charge], "charge"),
        generate(symbols, list(kept.values()), "hessian"),
    )
    return General(library, functions, tuple(kept))

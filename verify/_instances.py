"""A declaration with finite data and a point: what every route is run on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from symbolic import Declaration, Derivation, Loss, derive_components
from verify._exact import (
    Matrix,
    Vector,
    apply,
    covariance,
    dot,
    form,
    gradient,
    mean,
    trace_product,
)


@dataclass(frozen=True, slots=True)
class Instance:
    """A declaration with everything rational; what needs A is for the exponential kind.

    Attributes:
        declaration: with a loss.
        samples: N rows over the flat data symbols.
        theta: the point, n components.
        eta: learning rate η.
        gamma: weight decay γ.
        batch_size: S.
    """

    declaration: Declaration
    samples: tuple[Vector, ...]
    theta: Vector
    eta: Fraction
    gamma: Fraction
    batch_size: int

    @property
    def A(self) -> Matrix:  # noqa: N802 - the matrix of the symmetry
        """Return A, n × n rationals."""
        return _rational_matrix(self.declaration)

    @property
    def sigma2(self) -> Fraction:
        """Return σ² = η/(2S)."""
        return self.eta / (2 * self.batch_size)

    def gradients(self, theta: Vector | None = None) -> tuple[Vector, ...]:
        """Return the N per-sample gradients at θ, exactly, by dual numbers."""
        loss = self.declaration.loss
        assert loss is not None
        return _gradients(loss, self.samples, theta or self.theta)

    def moved(self, q: Fraction) -> Vector | None:
        """Return θ_λ at e^λ = q, or None unless all eigenvalues of A are integers."""
        projectors = self.projectors()
        if projectors is None:
            return None
        parts = [
            tuple(q**mu * entry for entry in apply(P, self.theta))
            for mu, P in projectors
        ]
        return tuple(sum(column, Fraction(0)) for column in zip(*parts, strict=True))

    def projectors(self) -> tuple[tuple[int, Matrix], ...] | None:
        """Return (μ_k, P_k) with integer μ_k, or None."""
        return _projectors(self.declaration)

    def charge(self, theta: Vector | None = None) -> Fraction:
        """Return ½θᵀAθ."""
        return form(self.A, theta or self.theta) / 2

    def balance(self, q: Fraction, gradients: tuple[Vector, ...]) -> Fraction:
        """Return G(θ_λ) at e^λ = q from the trace form, by moving θ and Σ.

        Args:
            q: e^λ.
            gradients: per-sample gradients at the moved point.
        """
        moved = self.moved(q)
        assert moved is not None
        noise = trace_product(self.A, covariance(gradients))
        return -2 * self.gamma * form(self.A, moved) + self.sigma2 * noise

    def describe(self) -> dict[str, str]:
        """Return names → values, everything needed to check by hand."""
        loss = self.declaration.loss
        assert loss is not None
        values = {"loss": str(loss.expression)}
        values |= {
            str(s): str(v) for s, v in zip(loss.space.symbols, self.theta, strict=True)
        }
        values["data"] = "; ".join(
            ", ".join(f"{s}={v}" for s, v in zip(loss.data.symbols, row, strict=True))
            for row in self.samples
        )
        return values | {
            **self._symmetry(),
            "eta": str(self.eta),
            "gamma": str(self.gamma),
            "S": str(self.batch_size),
        }

    def _symmetry(self) -> dict[str, str]:
        symmetry = self.declaration.symmetry
        if symmetry.kind != "exponential":
            return {"J": f"({', '.join(map(str, symmetry.generator))})"}
        rows = [[str(entry) for entry in row] for row in self.A]
        return {"A": str(rows).replace("'", "")}

    def data_arrays(self) -> dict[str, Any]:
        """Return name → float array (N, *shape) for the compiled loss."""
        loss = self.declaration.loss
        assert loss is not None
        table = np.array([[float(v) for v in row] for row in self.samples])
        return loss.data.unpack(table) if loss.data.names else {}

    def with_(self, **changes: Any) -> Instance:
        """Return a copy with some attributes changed."""
        return replace(self, **changes)


@lru_cache(maxsize=1024)
def _gradients(
    loss: Loss, samples: tuple[Vector, ...], theta: Vector
) -> tuple[Vector, ...]:
    point = dict(zip(loss.space.symbols, theta, strict=True))
    return tuple(
        gradient(loss.expression, point, dict(zip(loss.data.symbols, row, strict=True)))
        for row in samples
    )


@lru_cache(maxsize=256)
def derived(declaration: Declaration) -> Derivation:
    """Return `derive(declaration)`, kept: routes ask for the same one many times."""
    return derive_components(declaration)


def law_of(declaration: Declaration) -> Derivation:
    """Return what J alone gives; the loss is not looked at."""
    return derived(Declaration("", declaration.space, declaration.symmetry))


def derived_charge(declaration: Declaration) -> sp.Expr:
    """Return C as derived from J alone: no time goes into the loss.

    Raises:
        NoCharge: where J is no gradient field.
    """
    return law_of(declaration).charge


@lru_cache(maxsize=256)
def _rational_matrix(declaration: Declaration) -> Matrix:
    matrix = declaration.symmetry.matrix
    assert matrix is not None
    n = range(matrix.rows)
    return tuple(
        tuple(Fraction(int(matrix[i, j].p), int(matrix[i, j].q)) for j in n) for i in n
    )


@lru_cache(maxsize=256)
def _projectors(declaration: Declaration) -> tuple[tuple[int, Matrix], ...] | None:
    """Return the spectrum of A where all its eigenvalues are integers, else None.

    Floats propose the eigenvalues; Π(A − μ_k) = 0, in rationals, proves them.
    """
    A = _rational_matrix(declaration)
    near = np.linalg.eigvalsh(np.array([[float(v) for v in row] for row in A]))
    values = sorted({round(float(value)) for value in near})
    identity: Matrix = tuple(
        tuple(Fraction(int(i == j)) for j in range(len(A))) for i in range(len(A))
    )
    vanishing = identity
    for value in values:
        vanishing = _shifted_product(vanishing, A, value, 1)
    if any(map(any, vanishing)):
        return None
    result = []
    for value in values:
        P = identity
        for other in values:
            if other != value:
                P = _shifted_product(P, A, other, value - other)
        result.append((value, P))
    return tuple(result)


def flow_parts(instance: Instance) -> dict[str, Any]:
    """Return exact C, per-sample gradients, ḡᵀAḡ and Tr[ΣA] at the instance's point."""
    gradients = instance.gradients()
    centre = mean(gradients)
    second = sum((form(instance.A, g) for g in gradients), Fraction(0)) / len(gradients)
    signal = form(instance.A, centre)
    return {
        "charge": instance.charge(),
        "gradients": gradients,
        "mean": centre,
        "signal": signal,
        "trace": second - signal,
        "along": dot(centre, apply(instance.A, instance.theta)),
    }


def _shifted_product(P: Matrix, A: Matrix, shift: int, scale: int) -> Matrix:
    n = range(len(P))
    columns = tuple(
        tuple((A[i][j] - (shift if i == j else 0)) / Fraction(scale) for i in n)
        for j in n
    )
    return tuple(tuple(dot(row, column) for column in columns) for row in P)

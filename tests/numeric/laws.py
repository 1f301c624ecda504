"""Laws in words of matrices for tests of compiled modules, and their arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import torch

from numeric import Evaluators, compile
from symbolic import (
    MatrixPolynomial,
    NoCharge,
    ParameterSpace,
    evaluate,
    gradient,
    matrix,
    norm2,
    scalar,
)
from symbolic._constants import Constant
from symbolic._words.applied import Applied
from tests.numeric.words import SIZES
from tests.strategies import derivation


EPS = float(np.finfo(float).eps)
BACKENDS: list[Any] = ["numpy", "torch"]
RATES: dict[str, Any] = {"sigma2": 0.4, "gamma": 0.3}
SHAPES_OF_CONSTANTS = {
    "B": ("d", "d"),
    "E": ("m", "d"),
    "L": ("m", "m"),
    "b": ("d",),
    "k": (),
}


@dataclass(frozen=True)
class WordSymmetry:
    """A generator in words of matrices, as the modules read it."""

    generator: tuple[MatrixPolynomial, ...]
    kind: str
    applied: tuple[Applied, ...] = ()
    declared: tuple[Any, ...] = ()


@dataclass(frozen=True)
class WordDeclaration:
    """A space, and a symmetry on it."""

    name: str
    space: ParameterSpace
    symmetry: WordSymmetry


@dataclass(frozen=True)
class WordDerivation:
    """A charge C in words of matrices, and its gradient as the generator."""

    shapes: dict[str, tuple[str, ...]]
    potential: MatrixPolynomial
    kind: str = "nonlinear"
    generator: tuple[MatrixPolynomial, ...] | None = None
    applied: tuple[Applied, ...] = ()
    has_charge: bool = True
    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))
    name: str = "t"

    @cached_property
    def letters(self) -> dict[str, MatrixPolynomial]:
        return {
            name: matrix(name, *(*shape, "1", "1")[:2])
            for name, shape in self.shapes.items()
        }

    @cached_property
    def declaration(self) -> WordDeclaration:
        space = ParameterSpace(self.shapes)
        own = tuple(gradient(self.potential, X) for X in self.letters.values())
        field_ = self.generator or own
        declared = tuple(
            Constant(name, shape, symmetric=name in ("B", "L"))
            for name, shape in SHAPES_OF_CONSTANTS.items()
        )
        symmetry = WordSymmetry(field_, self.kind, self.applied, declared)
        return WordDeclaration(self.name, space, symmetry)

    @property
    def charge(self) -> MatrixPolynomial:
        if not self.has_charge:
            raise NoCharge("∂J is not symmetric", ("?", "?"), None)
        return self.potential

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.sizes[s] for s in self.shapes[name])

    def scalar_level(self, constants: Mapping[str, Any]) -> Evaluators:
        """Return the evaluators of the same law in components."""
        sizes = {n: self.shape(n) for n in self.shapes}
        space = ParameterSpace(sizes)
        values = {n: space[n] if sizes[n] else sp.Matrix([[space[n]]]) for n in sizes}
        numbers = {n: sp.Integer(s) for n, s in self.sizes.items()}
        for name, value in constants.items():
            matrix_ = np.reshape(value, (*np.shape(value), 1, 1)[:2])
            exact = sp.Matrix(matrix_.tolist()).applyfunc(sp.Rational)
            values[name] = exact
            numbers[name] = exact[0]
        flat: list[sp.Expr] = []
        for J in self.declaration.symmetry.generator:
            flat += list(evaluate(J, values, numbers=numbers))
        made = compile(derivation("t", space, tuple(flat)))
        assert isinstance(made, Evaluators)
        return made


k, d = scalar("k"), scalar("d")
U, V, W = matrix("U", "m", "d"), matrix("V", "m", "d"), matrix("W", "d", "n")
Z, X = matrix("Z", "d", "d"), matrix("X", "m", "d")
v, u = matrix("v", "d", 1), matrix("u", 1, 1)
B, E = matrix("B", "d", "d", symmetric=True), matrix("E", "m", "d")
L, b = matrix("L", "m", "m", symmetric=True), matrix("b", "d", 1)
HALF = Fraction(1, 2)
LAWS = {
    "factorisation": WordDerivation(
        {"U": ("m", "d"), "W": ("d", "n")},
        ((U @ B @ U.T).tr() - (W.T @ B @ W).tr()) * HALF,
        "exponential",
    ),
    "balance": WordDerivation(
        {"U": ("m", "d"), "W": ("d", "n")},
        (norm2(U) - norm2(W)) * HALF,
        "exponential",
    ),
    "scaled": WordDerivation(
        {"u": (), "v": ("d",), "W": ("d", "n")},
        k * u * u * HALF + (v.T @ B @ v) * HALF - d * norm2(W),
        "exponential",
    ),
    "two sides": WordDerivation(
        {"X": ("m", "d")},
        (X.T @ L @ X).tr() * HALF + (X @ B @ B @ X.T).tr() - k * norm2(X),
        "exponential",
    ),
    "sandwich": WordDerivation(
        {"X": ("m", "d")}, (X.T @ L @ X @ B).tr() * HALF, "exponential"
    ),
    "mixed": WordDerivation(
        {"U": ("m", "d"), "V": ("m", "d")},
        (U.T @ V).tr() + k * norm2(V),
        "exponential",
    ),
    "transposed": WordDerivation(
        {"Z": ("d", "d"), "u": ()}, (Z @ Z).tr() + Z.tr() * u, "exponential"
    ),
    "fixed": WordDerivation(
        {"U": ("m", "d"), "W": ("d", "n")}, norm2(U) * HALF, "exponential"
    ),
    "affine": WordDerivation(
        {"U": ("m", "d"), "v": ("d",), "u": ()},
        norm2(U) + (E.T @ U).tr() + b.T @ v - u * 3,
        "affine",
    ),
    "shift": WordDerivation({"v": ("d",), "u": ()}, b.T @ v + u * d, "affine"),
    "product": WordDerivation(
        {"U": ("m", "d"), "W": ("d", "n")}, norm2(U @ W) * scalar("d"), "nonlinear"
    ),
    "traces": WordDerivation(
        {"Z": ("d", "d"), "v": ("d",), "u": ()},
        Z.tr() * Z.tr() * Z.tr() + (v.T @ Z @ v) * u * scalar("k", 2),
        "nonlinear",
    ),
}


def constants_of(law: WordDerivation, seed: int = 0) -> dict[str, Any]:
    """Return eighths for the constants that a law has."""
    used = {
        a.name
        for _, traced, word in law.potential.terms
        for w in (*traced, word)
        for a in w
    } | {name for powers, _, _ in law.potential.terms for name, _ in powers}
    rng = np.random.default_rng([seed, 7])
    values = {}
    for name, shape in SHAPES_OF_CONSTANTS.items():
        full = tuple(law.sizes[s] for s in shape)
        value: Any = rng.integers(-8, 9, full) / 8 if full else 0.75
        value = value + value.T if name in ("B", "L") else value
        if name in used and name not in law.shapes:
            values[name] = value
    return values


def to(backend: str, value: Any) -> Any:
    """Return an array, or a mapping of arrays, of the backend."""
    if isinstance(value, Mapping):
        return {name: to(backend, part) for name, part in value.items()}
    made = np.asarray(value)
    return torch.from_numpy(np.array(made)) if backend == "torch" else made


def draw(law: WordDerivation, lead: tuple[int, ...], seed: int) -> dict[str, Any]:
    """Return normal arrays (*lead, *shape) for the parameters."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(*lead, *law.shape(name))) for name in law.shapes}


def flat(law: WordDerivation, values: Mapping[str, Any]) -> Any:
    """Return arrays (…, *shape) as (…, n)."""
    parts = [
        np.asarray(values[n]).reshape((*lead_of(values[n], law.shape(n)), -1))
        for n in law.shapes
    ]
    lead = np.broadcast_shapes(*(p.shape[:-1] for p in parts))
    return np.concatenate([np.broadcast_to(p, (*lead, p.shape[-1])) for p in parts], -1)


def lead_of(array: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(array.shape[: array.ndim - len(shape)])


def covariance(samples: Any) -> Any:
    """Return the centred covariance of samples (…, N, n)."""
    h = samples - samples.mean(-2, keepdims=True)
    return h.swapaxes(-1, -2) @ h / samples.shape[-2]


def named(law: WordDerivation, **more: Any) -> dict[str, Any]:
    """Return the keywords with the constants, where the law has some."""
    values = constants_of(law)
    return {**more, "constants": values} if values else more


def applied(name: str, function: str, Z: MatrixPolynomial, q: int = 1) -> Applied:
    rows, cols = Z.rows, Z.cols
    return Applied(matrix(name, rows, cols), function, Z, Fraction(1, q))

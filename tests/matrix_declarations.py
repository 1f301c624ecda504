"""Declarations at symbolic sizes, and the same ones written out at integer sizes.

The second are built from the text alone, by the scalar level: words of matrices have no
part in them. A `Point` has numbers for everything that occurs, exact ones.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import sympy as sp
from hypothesis import strategies as st

from symbolic import (
    Constant,
    Declaration,
    Loss,
    MatrixDerivation,
    MatrixPolynomial,
    ParameterSpace,
    Symmetry,
    derive,
    evaluate,
)


SHAPES: dict[str, tuple[str, ...]] = {
    "U": ("m", "d"),
    "W": ("d", "n"),
    "v": ("d",),
    "c": (),
}
DATA: dict[str, tuple[str, ...]] = {"x": ("n",), "y": ("m",)}
CONSTANTS = (
    Constant("A", ("m", "m"), symmetric=True),
    Constant("B", ("d", "d"), symmetric=True),
    Constant("Q", ("d", "d")),
    Constant("a", ("d",)),
    Constant("P", ("m", "d")),
    Constant("k"),
)
SAMPLES = 3
Sizes = Mapping[str, int]
Values = dict[str, sp.Matrix]

EXPONENTIAL: dict[str, list[str]] = {
    "U": ["U", "A*U", "U*B", "k*U", "tr(B)*U", "U*a*a.T", "U*B*B", "(B*U.T).T"],
    "W": ["W", "B*W", "k*W", "a*a.T*W", "norm2(a)*W", "B*Q*Q.T*B*W"],
    "v": ["v", "B*v", "k*v", "a*a.T*v", "dot(a, B*a)*v"],
    "c": ["c", "k*c", "tr(A)*c", "a.T*B*a*c"],
}
LINEAR = {
    "U": ["U*Q", "P*v*a.T", "U*v.T*0*v", "P*W*W.T*0", "c*P"],
    "W": ["Q*W", "Q.T*W"],
    "v": ["Q*v", "c*a", "U.T*P*a"],
    "c": ["dot(a, v)", "dot(P, U)"],
}
AFFINE = {"U": ["P", "2*P*B"], "v": ["a", "Q*a"], "c": ["k", "1"], "W": []}
NONLINEAR = {
    "U": ["norm2(U)*U", "U*U.T*U", "c*c*U", "U*v*v.T", "U*W*W.T"],
    "W": ["tr(W.T*B*W)*B*W", "U.T*U*W", "W*W.T*W"],
    "v": ["U.T*U*v", "norm2(v)**2*v", "c*v"],
    "c": ["c*norm2(U)", "norm2(v)/2", "c**3"],
}
LOSSES = [
    "norm2(U*W*x - y)",
    "norm2(W*x)*norm2(U)",
    "dot(U*v, y)",
    "(c*dot(y, P*v) - norm2(x))**2",
    "tr(U*B*U.T)",
    "norm2(y - A*U*v)",
    "dot(y, U*W*x)*c",
    "k*norm2(W*x + a)",
]


@st.composite
def generators(
    draw: st.DrawFn, *, kinds: Sequence[Mapping[str, list[str]]] = (EXPONENTIAL,)
) -> dict[str, str]:
    """Draw J by parameter: sums of terms with small rational factors."""
    found = {}
    for name in SHAPES:
        pool = [term for kind in kinds for term in kind[name]]
        terms = draw(
            st.lists(st.sampled_from(pool), max_size=3) if pool else st.just([])
        )
        weights = draw(
            st.lists(
                st.sampled_from(["", "2*", "-", "-3/2*", "1/3*"]),
                min_size=len(terms),
                max_size=len(terms),
            )
        )
        if terms:
            pairs = zip(weights, terms, strict=True)
            found[name] = " + ".join(f"({w}{t})" for w, t in pairs)
    return found


@st.composite
def gradients(draw: st.DrawFn) -> dict[str, str]:
    """Draw J = ∇C as text, from charges whose gradient is known by hand."""
    known: list[dict[str, str]] = [
        {"U": "U*B"},
        {"U": "A*U", "W": "-B*W", "c": "c"},
        {"U": "norm2(U)*U"},
        {"U": "norm2(v)*U", "v": "norm2(U)*v"},
        {"U": "U*W*W.T", "W": "U.T*U*W"},
        {"v": "2*U.T*U*v", "U": "2*U*v*v.T"},
        {"c": "c**3"},
        {"c": "dot(P, U)", "U": "c*P"},
        {"v": "a", "U": "P"},
        {"c": "tr(B)*c", "v": "a*a.T*v"},
        {"W": "tr(W.T*B*W)*B*W"},
        {"U": "U*U.T*U"},
    ]
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    found: dict[str, str] = {}
    for each in chosen:
        weight = draw(st.sampled_from(["", "-", "3/2*"]))
        for name, text in each.items():
            more = f"({weight}{text})"
            found[name] = f"{found[name]} + {more}" if name in found else more
    return found


losses = st.lists(st.sampled_from(LOSSES), min_size=1, max_size=2).map(" + ".join)
sizes = st.fixed_dictionaries(dict.fromkeys(("m", "d", "n"), st.integers(1, 2)))
seeds = st.integers(0, 10**6)


def at(shape: Sequence[str], n: Sizes) -> tuple[int, ...]:
    return tuple(n[size] for size in shape)


def written_out(images: Mapping[str, str], loss: str | None, n: Sizes) -> Declaration:
    """Return the declaration at integer sizes, from its text."""
    space = ParameterSpace({name: at(s, n) for name, s in SHAPES.items()})
    constants = [
        Constant(c.name, at(c.shape, n), c.assume, c.symmetric)  # type: ignore[arg-type]
        for c in CONSTANTS
    ]
    data = {name: at(s, n) for name, s in DATA.items()}
    return Declaration(
        "written out",
        space,
        Symmetry.from_generator(space, images, constants),
        None if loss is None else Loss(loss, space, data, constants),
    )


def in_words(images: Mapping[str, str], loss: str | None) -> Declaration:
    """Return the declaration at symbolic sizes."""
    space = ParameterSpace(SHAPES)
    return Declaration(
        "in words",
        space,
        Symmetry.from_generator(space, images, CONSTANTS),
        None if loss is None else Loss(loss, space, DATA, CONSTANTS),
    )


@dataclass(frozen=True)
class Point:
    """Exact numbers at integer sizes, drawn from a seed.

    Attributes:
        n: the sizes.
        seed: the seed.
        diagonal: whether the square constants are diagonal, and `a` a multiple of e₀.
    """

    n: Sizes
    seed: int
    diagonal: bool = False

    @cached_property
    def values(self) -> Values:
        """Parameters and constants, but not k."""
        stream = random.Random(f"values {self.seed}")
        found: Values = {name: self._matrix(s, stream) for name, s in SHAPES.items()}
        for constant in CONSTANTS:
            if constant.shape:
                full = self._matrix(constant.shape, stream)
                symmetric = constant.symmetric
                found[constant.name] = (full + full.T) / 2 if symmetric else full
        if self.diagonal:
            for name in ("A", "B", "Q"):
                found[name] = sp.diag(*found[name].diagonal())
            found["a"] = sp.Matrix([found["a"][0, 0], *[0] * (self.n["d"] - 1)])
        return found

    @cached_property
    def numbers(self) -> dict[str, sp.Rational]:
        """Scalars: k, η, γ, σ², S and the sizes."""
        fixed = {"eta": "1/7", "gamma": "2/5", "sigma2": "3/11", "S": "1", "k": "-5/3"}
        found = {name: sp.Rational(value) for name, value in fixed.items()}
        found["(1 - 2*eta*gamma)"] = 1 - 2 * found["eta"] * found["gamma"]
        return found | {name: sp.Integer(size) for name, size in self.n.items()}

    @cached_property
    def samples(self) -> list[Values]:
        """The data, one by one."""
        stream = random.Random(f"samples {self.seed}")
        return [
            {name: self._matrix(s, stream) for name, s in DATA.items()}
            for _ in range(SAMPLES)
        ]

    @cached_property
    def symbols(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbol of a component → number, with γ, σ², η and S."""
        found: dict[sp.Symbol, sp.Expr] = {}
        for name, matrix in self.values.items():
            found |= _components(name, matrix, len(_shape(name)))
        return found | {sp.Symbol(k): v for k, v in self.numbers.items()}

    def words(self, f: MatrixPolynomial, **more: Any) -> sp.Matrix:
        """Return the value of a polynomial in words."""
        values = self.values | more.pop("values", {})
        numbers = self.numbers | more.pop("numbers", {})
        return evaluate(f, values, numbers=numbers, **more)

    def scalar(self, e: sp.Expr, more: Mapping[str, Any] | None = None) -> sp.Expr:
        """Return the value of an expression in components, matched by name."""
        known = {s.name: v for s, v in self.symbols.items()} | dict(more or {})
        return sp.sympify(e).xreplace({s: known[s.name] for s in e.free_symbols})

    def flat(self, values: Mapping[str, sp.Matrix], prefix: str = "") -> list[sp.Expr]:
        """Return the entries of something of the parameters' shapes, row by row."""
        return [entry for name in SHAPES for entry in values[f"{prefix}{name}"]]

    def data(self, k: int) -> dict[str, sp.Expr]:
        """Return component → number of one sample, by name."""
        sample = self.samples[k]
        return {
            s.name: v
            for name, matrix in sample.items()
            for s, v in _components(name, matrix, 1).items()
        }

    def _matrix(self, shape: Sequence[Any], stream: random.Random) -> sp.Matrix:
        rows, cols = (*at(shape, self.n), 1, 1)[:2]
        return sp.Matrix(rows, cols, lambda i, j: _rational(stream))


def per_sample(prefix: str, point: Point, seed: int, **options: Any) -> list[Values]:
    """Return gradients of each sample, with the parameters' shapes and names."""
    stream = random.Random(f"{prefix} {seed}")
    drawn: list[list[sp.Expr]] = []
    length = len(point.flat(point.values))
    for _ in range(SAMPLES):
        drawn.append([_rational(stream) for _ in range(length)])
    J = options.get("orthogonal_to")
    if J is not None and any(J):
        drawn = [_projected(g, J) for g in drawn]
    return [named(prefix, g, point) for g in drawn]


def centred(samples: list[Values]) -> list[Values]:
    """Return the samples less their mean."""
    mean = average(samples)
    return [{name: s[name] - mean[name] for name in s} for s in samples]


def average(samples: list[Values]) -> Values:
    first = samples[0]
    return {
        name: sum((s[name] for s in samples), sp.zeros(*first[name].shape))
        / len(samples)
        for name in first
    }


def renamed(values: Values, before: str, after: str) -> Values:
    return {after + name.removeprefix(before): v for name, v in values.items()}


def named(prefix: str, flat: Sequence[sp.Expr], point: Point) -> Values:
    """Return a flat vector in the parameters' shapes."""
    found, start = {}, 0
    for name in SHAPES:
        shape = point.values[name].shape
        stop = start + shape[0] * shape[1]
        found[f"{prefix}{name}"] = sp.Matrix(*shape, list(flat[start:stop]))
        start = stop
    return found


@dataclass(frozen=True)
class Plain:
    """A declaration at integer sizes at a point: J, C and the noise, by components.

    Attributes:
        declaration: as `written_out` returns it.
        point: the numbers.
    """

    declaration: Declaration
    point: Point

    @cached_property
    def J(self) -> list[sp.Expr]:  # noqa: N802 - the generator
        """J at the point."""
        return [self.point.scalar(e) for e in self.declaration.symmetry.generator]

    @cached_property
    def charge(self) -> sp.Expr:
        """C = ∫₀¹ θ·J(tθ) dt, a polynomial in t."""
        t = sp.Symbol("t")
        theta = self.point.flat(self.point.values)
        moved = self._moved([t * e for e in theta])
        along = sum((a * b for a, b in zip(theta, moved, strict=True)), sp.S.Zero)
        terms = sp.Poly(along, t).terms()
        return sum((c / (k + 1) for (k,), c in terms), sp.S.Zero)

    def noise(self, samples: list[Values], prefix: str = "h_") -> sp.Expr:
        """Return the mean of hᵀ∂J h over the samples."""
        e = sp.Symbol("e")
        theta = self.point.flat(self.point.values)
        total = sp.S.Zero
        for each in samples:
            h = self.point.flat(each, prefix)
            moved = self._moved([s + e * r for s, r in zip(theta, h, strict=True)])
            along = sum((a * b for a, b in zip(h, moved, strict=True)), sp.S.Zero)
            total += sp.Poly(along, e).coeff_monomial(e)
        return total / len(samples)

    @property
    def jacobian(self) -> sp.Matrix:
        """∂J at the point."""
        return self.declaration.symmetry.jacobian.applyfunc(self.point.scalar)

    def gradients(self) -> list[Values]:
        """Return the gradient of each sample."""
        loss, point = self.declaration.loss, self.point
        assert loss is not None
        found = []
        for k in range(len(point.samples)):
            flat = [point.scalar(e, point.data(k)) for e in loss.gradient]
            found.append(named("h_", flat, point))
        return found

    def hessian_trace(self) -> sp.Expr:
        """Return the mean of Tr∇²ℓ, with that of the decay."""
        loss, point = self.declaration.loss, self.point
        assert loss is not None
        theta = self.declaration.space.symbols
        second = sum((loss.expression.diff(s, 2) for s in theta), sp.S.Zero)
        values = [point.scalar(second, point.data(k)) for k in range(SAMPLES)]
        decay = 2 * point.numbers["gamma"] * len(theta)
        return sum(values, sp.S.Zero) / SAMPLES + decay

    def _moved(self, theta: list[sp.Expr]) -> list[sp.Expr]:
        names = [s.name for s in self.declaration.space.symbols]
        more = dict(zip(names, theta, strict=True))
        return [self.point.scalar(e, more) for e in self.declaration.symmetry.generator]


def both_levels(
    images: Mapping[str, str], loss: str | None, point: Point
) -> tuple[MatrixDerivation, Plain]:
    """Derive in words, and write out at integer sizes from the text."""
    words = derive(in_words(images, loss))
    assert isinstance(words, MatrixDerivation)
    return words, Plain(written_out(images, loss, point.n), point)


def _projected(g: list[sp.Expr], J: list[sp.Expr]) -> list[sp.Expr]:
    along = sum((a * b for a, b in zip(g, J, strict=True)), sp.S.Zero)
    weight = along / sum((b * b for b in J), sp.S.Zero)
    return [a - weight * b for a, b in zip(g, J, strict=True)]


def _shape(name: str) -> tuple[Any, ...]:
    constants = {c.name: c.shape for c in CONSTANTS}
    return SHAPES[name] if name in SHAPES else constants[name]


def _components(name: str, matrix: sp.Matrix, axes: int) -> dict[sp.Symbol, sp.Expr]:
    found = {}
    for i in range(matrix.rows):
        for j in range(matrix.cols):
            index = "".join(f"_{k}" for k in (i, j)[:axes])
            found[sp.Symbol(f"{name}{index}")] = matrix[i, j]
    return found


def _rational(stream: random.Random) -> sp.Rational:
    number = Fraction(stream.randint(-5, 5), stream.randint(1, 3))
    return sp.Rational(number.numerator, number.denominator)

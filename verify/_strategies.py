"""The Hypothesis strategies that draw instances; the tests use the same ones."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import gcd
from typing import TypeVar

import hypothesis.strategies as st
import sympy as sp
from hypothesis import reject

from symbolic import (
    Declaration,
    Loss,
    ParameterSpace,
    Symmetry,
    catalogue,
    matrix_factorisation,
    relu,
)
from verify._exact import NotRational
from verify._field_catalogue import field_catalogue, shifted
from verify._instances import Instance


MAX_DIMENSION = 6
_ETAS = (Fraction(1, 50), Fraction(1, 20), Fraction(1, 8))
_DECAYS = (Fraction(0), Fraction(1, 20), Fraction(1, 4), Fraction(1))
_T = TypeVar("_T")


# A strategy made once is looked through once, one made for each draw each time.
@lru_cache(maxsize=256)
def rationals(
    most: int, denominators: tuple[int, ...], *, nonzero: bool = False
) -> st.SearchStrategy[Fraction]:
    """Return the strategy of p/q with |p| ≤ `most` and q one of the denominators."""
    every = st.builds(Fraction, st.integers(-most, most), st.sampled_from(denominators))
    return every.filter(bool) if nonzero else every


@lru_cache(maxsize=1024)
def vectors(entry: st.SearchStrategy[_T], n: int) -> st.SearchStrategy[tuple[_T, ...]]:
    """Return the strategy of n entries."""
    return st.tuples(*[entry] * n)


@lru_cache(maxsize=1024)
def lists(
    entry: st.SearchStrategy[_T], least: int, most: int, *, unique: bool = False
) -> st.SearchStrategy[list[_T]]:
    """Return the strategy of `least` to `most` entries."""
    return st.lists(entry, min_size=least, max_size=most, unique=unique)


@st.composite
def symmetric_matrices(
    draw: st.DrawFn, max_dimension: int = MAX_DIMENSION
) -> tuple[sp.ImmutableDenseMatrix, tuple[int, ...], sp.ImmutableDenseMatrix]:
    """Draw A = QᵀDQ with integer eigenvalues of any signature and rank, exactly.

    Q is a rational Householder reflection, so that eigenvalues and eigenvectors are
    rational and everything on the orbit stays exact.

    Args:
        draw: Hypothesis' draw.
        max_dimension: the largest n.

    Returns:
        A, its n eigenvalues, and Q with the eigenvectors as rows.
    """
    n = draw(st.integers(1, max_dimension))
    mu = tuple(draw(lists(st.integers(-2, 2), n, n)))
    return _reflected(mu, tuple(draw(lists(st.integers(-1, 1), n, n))))


@lru_cache(maxsize=2048)
def _reflected(
    mu: tuple[int, ...], direction: tuple[int, ...]
) -> tuple[sp.ImmutableDenseMatrix, tuple[int, ...], sp.ImmutableDenseMatrix]:
    v = sp.Matrix(direction)
    n, norm = len(mu), (v.T * v)[0, 0]
    Q = sp.eye(n) if norm == 0 else sp.eye(n) - 2 * v * v.T / norm
    A = Q.T * sp.diag(*mu) * Q
    return sp.ImmutableDenseMatrix(A), mu, sp.ImmutableDenseMatrix(Q)


@st.composite
def declarations(draw: st.DrawFn, rational: bool = True) -> Declaration:
    """Draw a symmetric A and a loss built from invariants of e^{λA}.

    The loss is (φ(f x) − y)² with f a sum of invariants and φ the identity, relu, or,
    unless `rational`, tanh.

    Args:
        draw: Hypothesis' draw.
        rational: whether the loss must map rationals to rationals.

    Returns:
        A declaration with an exact symmetry, sample by sample.
    """
    A, mu, Q = draw(symmetric_matrices())
    zeros = mu.count(0)
    terms = zeros + max(len(mu) - zeros - 1, 0)
    weights = tuple(draw(lists(st.integers(1, 3), terms, terms)))
    names = ("linear", "relu") if rational else ("linear", "relu", "tanh")
    return _on_invariants(A, mu, Q, weights, draw(st.sampled_from(names)))


@lru_cache(maxsize=2048)
def _on_invariants(
    A: sp.ImmutableDenseMatrix,
    mu: tuple[int, ...],
    Q: sp.ImmutableDenseMatrix,
    weights: tuple[int, ...],
    outer: str,
) -> Declaration:
    """Return (φ(f x) − y)² with f a weighted sum of invariants plus 1."""
    space = ParameterSpace(theta=(len(mu),))
    terms = _invariants(mu, tuple(Q * space["theta"]))
    x, y = sp.symbols("x y", real=True)
    f = sum((w * term for w, term in zip(weights, terms, strict=True)), sp.S.One)
    phi_of = {"linear": lambda z: z, "relu": relu, "tanh": sp.tanh}[outer]
    loss = Loss((phi_of(f * x) - y) ** 2, space, data={"x": (), "y": ()})
    title = f"{outer} net on invariants, eigenvalues {mu}"
    return Declaration(title, space, Symmetry.exponential(space, A), loss)


@st.composite
def instances(
    draw: st.DrawFn,
    subject: tuple[Declaration, ...] | None = None,
    rational: bool = True,
    min_samples: int = 1,
) -> Instance:
    """Draw a declaration, finite data, a point, η, γ (0 included) and S.

    Args:
        draw: Hypothesis' draw.
        subject: declarations to draw from; None for the catalogue and drawn ones.
        rational: whether exact rational gradients are needed.
        min_samples: the least N.

    Returns:
        An instance; with `rational`, its gradients exist in the rationals.
    """
    fixed = catalogue() if subject is None else subject
    usable = tuple(
        d for d in fixed if d.loss and not (rational and d.loss.expression.has(sp.tanh))
    )
    sources = [st.sampled_from(usable)] if usable else []
    if subject is None:
        sources.append(declarations(rational=rational))
    instance = draw(_at_points(draw(st.one_of(*sources)), min_samples))
    if rational:
        _assume_rational(instance)
    return instance


@st.composite
def field_instances(
    draw: st.DrawFn,
    subject: tuple[Declaration, ...] | None = None,
    min_samples: int = 1,
) -> Instance:
    """Draw an instance of any kind with a loss: exponential, affine or nonlinear.

    Args:
        draw: Hypothesis' draw.
        subject: declarations to draw from; None for the built-in ones of every kind,
            and for drawn quadratic charges about a drawn centre.
        min_samples: the least N.

    Returns:
        An instance; its gradients need not be rational.
    """
    if subject is not None:
        return draw(instances(subject, rational=False, min_samples=min_samples))
    kind = draw(st.sampled_from(("built in", "exponential", "affine")))
    if kind == "exponential":
        return draw(instances(rational=False, min_samples=min_samples))
    if kind == "built in":
        declaration = draw(st.sampled_from(field_catalogue()))
    else:
        base = draw(declarations(rational=False))
        n = base.space.size
        centre = draw(lists(st.integers(-2, 2), n, n))
        declaration = shifted(base, centre)
    return draw(_at_points(declaration, min_samples))


@st.composite
def _at_points(draw: st.DrawFn, declaration: Declaration, min_samples: int) -> Instance:
    """Draw data, a point without zeros, η, γ and S for a declaration."""
    assert declaration.loss is not None
    sizes = (6, (1, 2, 4))
    rows = vectors(rationals(*sizes), declaration.loss.data.size)
    nonzero = rationals(*sizes, nonzero=True)
    return Instance(
        declaration,
        tuple(draw(lists(rows, min_samples, 6))),
        draw(vectors(nonzero, declaration.space.size)),
        draw(st.sampled_from(_ETAS)),
        draw(st.sampled_from(_DECAYS)),
        draw(st.integers(1, 4)),
    )


@st.composite
def factorisations(draw: st.DrawFn, max_size: int = 3) -> Instance:
    """Draw ‖UWx − y‖² with a symmetric B, any d, d_x, d_y up to `max_size`.

    Args:
        draw: Hypothesis' draw.
        max_size: the largest of the three sizes.

    Returns:
        An instance of `matrix_factorisation` with 2 to 4 samples.
    """
    d, d_x, d_y = (draw(st.integers(1, max_size)) for _ in range(3))
    B = [[0] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            B[i][j] = B[j][i] = draw(st.integers(-2, 2))
    B[0][0] += not any(map(any, B))  # B = 0 would say nothing
    row = vectors(rationals(4, (1, 2)), d_x + d_y)
    nonzero = rationals(4, (1, 2), nonzero=True)
    return Instance(
        _factorisation(d, d_x, d_y, tuple(map(tuple, B))),
        tuple(draw(lists(row, 2, 4, unique=True))),
        draw(vectors(nonzero, d * (d_x + d_y))),
        draw(st.sampled_from(_ETAS)),
        draw(st.sampled_from(_DECAYS)),
        draw(st.integers(1, 4)),
    )


@lru_cache(maxsize=512)
def _factorisation(
    d: int, d_x: int, d_y: int, B: tuple[tuple[int, ...], ...]
) -> Declaration:
    return matrix_factorisation(d, d_x, d_y, [list(row) for row in B])


@st.composite
def scale_invariant(draw: st.DrawFn, max_dimension: int = 4) -> Instance:
    """Draw (f(θ)x − y)² with f invariant under θ → e^λθ, A = I.

    Args:
        draw: Hypothesis' draw.
        max_dimension: the largest n, at least 2.

    Returns:
        An instance with 2 to 4 samples at a point where f is regular.
    """
    n = draw(st.integers(2, max_dimension))
    weights = tuple(draw(lists(st.integers(-2, 2), n, n)))
    rows = vectors(rationals(4, (1, 2)), 2)
    return Instance(
        _scaling(weights, draw(st.booleans())),
        tuple(draw(lists(rows, 2, 4))),
        draw(vectors(rationals(4, (1, 2), nonzero=True), n)),
        draw(st.sampled_from(_ETAS)),
        draw(st.sampled_from(_DECAYS)),
        draw(st.integers(1, 4)),
    )


@lru_cache(maxsize=512)
def _scaling(weights: tuple[int, ...], quotient: bool) -> Declaration:
    """Return f = (w·θ)/θ₀ or f = (w·θ)θ₀/‖θ‖², with w the weights."""
    space = ParameterSpace(theta=(len(weights),))
    theta = space["theta"]
    along = sum((w * t for w, t in zip(weights, theta, strict=True)), sp.S.Zero)
    norm = theta.dot(theta)
    f = along / theta[0] if quotient else along * theta[0] / norm
    x, y = sp.symbols("x y", real=True)
    loss = Loss((f * x - y) ** 2, space, data={"x": (), "y": ()})
    symmetry = Symmetry.exponential(space, sp.eye(len(weights)))
    return Declaration(
        f"scale-invariant loss, weights {weights}", space, symmetry, loss
    )


def _assume_rational(instance: Instance) -> None:
    try:
        instance.gradients()
    except NotRational:
        reject()


def _invariants(mu: tuple[int, ...], phi: tuple[sp.Expr, ...]) -> list[sp.Expr]:
    """Return invariants of φᵢ → e^{λμᵢ}φᵢ, regular away from φ = 0."""
    terms = [f for m, f in zip(mu, phi, strict=True) if m == 0]
    live = [(m, f) for m, f in zip(mu, phi, strict=True) if m != 0]
    for (m, a), (k, b) in pairwise(live):
        p, q = abs(k) // gcd(m, k), abs(m) // gcd(m, k)
        if m * k < 0:
            terms.append(a**p * b**q)
        else:
            terms.append(a**p * b**q / (a ** (2 * p) + b ** (2 * q)))
    return terms

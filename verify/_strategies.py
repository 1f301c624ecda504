"""The Hypothesis strategies that draw instances; the tests use the same ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import gcd

import hypothesis.strategies as st
import sympy as sp
from hypothesis import reject

from symbolic import Declaration, Loss, ParameterSpace, Symmetry, catalogue, relu
from verify._exact import NotRational
from verify._instances import Instance


MAX_DIMENSION = 6
_ETAS = (Fraction(1, 50), Fraction(1, 20), Fraction(1, 8))
_DECAYS = (Fraction(0), Fraction(1, 20), Fraction(1, 4), Fraction(1))


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
    mu = tuple(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)))
    v = sp.Matrix(draw(st.lists(st.integers(-1, 1), min_size=n, max_size=n)))
    norm = (v.T * v)[0, 0]
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
    space = ParameterSpace(theta=(len(mu),))
    phi = tuple(Q * space["theta"])
    terms = _invariants(mu, phi)
    x, y = sp.symbols("x y", real=True)
    weights = draw(
        st.lists(st.integers(1, 3), min_size=len(terms), max_size=len(terms))
    )
    f = sum((w * term for w, term in zip(weights, terms, strict=True)), sp.S.Zero) + 1
    names = ["linear", "relu"] + ([] if rational else ["tanh"])
    outer = draw(st.sampled_from(names))
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
        d for d in fixed if not (rational and d.loss and d.loss.expression.has(sp.tanh))
    )
    sources = [st.sampled_from(usable)] if usable else []
    if subject is None:
        sources.append(declarations(rational=rational))
    declaration = draw(st.one_of(*sources))
    assert declaration.loss is not None
    entries = st.builds(Fraction, st.integers(-6, 6), st.sampled_from((1, 2, 4)))
    width = declaration.loss.data.size
    rows = st.tuples(*[entries] * width)
    nonzero = entries.filter(bool)
    instance = Instance(
        declaration,
        tuple(draw(st.lists(rows, min_size=min_samples, max_size=6))),
        draw(st.tuples(*[nonzero] * declaration.space.size)),
        draw(st.sampled_from(_ETAS)),
        draw(st.sampled_from(_DECAYS)),
        draw(st.integers(1, 4)),
    )
    if rational:
        _assume_rational(instance)
    return instance


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

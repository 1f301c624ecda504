"""One step of SGD in rational arithmetic equals the law, with no limit taken."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import assume, given, settings, strategies as st

from symbolic import Declaration, ParameterSpace, Symmetry, Verdict, derive_components
from symbolic._laws.discrete import exact_law
from symbolic._laws.ito import (
    batch,
    covariance_symbols,
    eta,
    gamma,
    gradient_symbols,
)


SPACE = ParameterSpace(v=(3,))
fractions = st.fractions(-2, 2, max_denominator=4)
triples = st.lists(fractions, min_size=3, max_size=3)
sixes = st.lists(fractions, min_size=6, max_size=6)
rates = st.fractions(Fraction(1, 9), 1, max_denominator=9)

Vector = list[Fraction]


def _dot(left: Vector, right: Vector) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _matrix(e: Vector) -> list[Vector]:
    return [[e[0], e[1], e[2]], [e[1], e[3], e[4]], [e[2], e[4], e[5]]]


def _field(A: list[Vector], b: Vector, theta: Vector) -> Vector:
    return [_dot(row, theta) + b_i for row, b_i in zip(A, b, strict=True)]


def _orthogonal(g: Vector, J: Vector) -> Vector:
    k = _dot(g, J) / _dot(J, J)
    return [a - k * b for a, b in zip(g, J, strict=True)]


def _charge(A: list[Vector], b: Vector, theta: Vector) -> Fraction:
    return _dot(theta, _field(A, [Fraction(0)] * 3, theta)) / 2 + _dot(b, theta)


def _sgd(theta: Vector, g: Vector, rate: Fraction, decay: Fraction) -> Vector:
    return [t - rate * (a + 2 * decay * t) for t, a in zip(theta, g, strict=True)]


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def _symmetry(A: list[Vector], b: Vector) -> Symmetry:
    column = sp.Matrix([[_rational(a) for a in row] for row in A]) * SPACE["v"]
    return Symmetry.from_generator(
        SPACE, {"v": column + sp.Matrix(list(map(_rational, b)))}
    )


def _values(
    theta: Vector, rate: Fraction, decay: Fraction
) -> dict[sp.Symbol, sp.Rational]:
    values = dict(zip(SPACE.symbols, map(_rational, theta), strict=True))
    return {**values, eta: _rational(rate), gamma: _rational(decay)}


@given(sixes, triples, triples, triples, rates, fractions)
@settings(max_examples=12, deadline=None)
def test_affine_law_is_exact(
    entries: Vector,
    b: Vector,
    theta: Vector,
    g: Vector,
    rate: Fraction,
    decay: Fraction,
) -> None:
    """J = Aθ + b; b = 0 is drawn in `test_linear_law_is_exact`."""
    A = _matrix(entries)
    J = _field(A, b, theta)
    assume(any(J))
    g = _orthogonal(g, J)
    law = derive_components(Declaration("drawn", SPACE, _symmetry(A, b))).exact_law
    values = _values(theta, rate, decay)
    values |= dict(zip(gradient_symbols(SPACE), map(_rational, g), strict=True))
    after = _charge(A, b, _sgd(theta, g, rate, decay))
    assert law.next_charge.subs(values) == _rational(after)
    assert law.proof.verdict is Verdict.PROVED


@given(sixes, triples, triples, rates, fractions)
@settings(max_examples=10, deadline=None)
def test_linear_law_is_exact(
    entries: Vector, theta: Vector, g: Vector, rate: Fraction, decay: Fraction
) -> None:
    A, b = _matrix(entries), [Fraction(0)] * 3
    J = _field(A, b, theta)
    assume(any(J))
    g = _orthogonal(g, J)
    expected = (1 - 2 * rate * decay) ** 2 * _charge(A, b, theta)
    expected += rate**2 * _charge(A, b, g)
    assert _charge(A, b, _sgd(theta, g, rate, decay)) == expected
    law = derive_components(Declaration("drawn", SPACE, _symmetry(A, b))).exact_law
    values = _values(theta, rate, decay)
    values |= dict(zip(gradient_symbols(SPACE), map(_rational, g), strict=True))
    assert law.next_charge.subs(values) == _rational(expected)


@given(
    sixes, triples, triples, st.lists(triples, min_size=3, max_size=3), rates, fractions
)
@settings(max_examples=8, deadline=None)
def test_expectation_is_the_mean_over_all_minibatches(
    entries: Vector,
    b: Vector,
    theta: Vector,
    samples: list[Vector],
    rate: Fraction,
    decay: Fraction,
) -> None:
    """All nine minibatches of two of three gradients, drawn with replacement."""
    A = _matrix(entries)
    J = _field(A, b, theta)
    assume(any(J))
    samples = [_orthogonal(g, J) for g in samples]
    total = Fraction(0)
    for one, two in itertools.product(samples, repeat=2):
        g = [(p + q) / 2 for p, q in zip(one, two, strict=True)]
        total += _charge(A, b, _sgd(theta, g, rate, decay))
    mean = [sum(column, Fraction(0)) / 3 for column in zip(*samples, strict=True)]
    values = {**_values(theta, rate, decay), batch: sp.Integer(2)}
    values |= dict(
        zip(gradient_symbols(SPACE, "gbar"), map(_rational, mean), strict=True)
    )
    Sigma = covariance_symbols(SPACE)
    for i, j in itertools.product(range(3), repeat=2):
        second = sum((g[i] * g[j] for g in samples), Fraction(0)) / 3
        values[Sigma[i, j]] = _rational(second - mean[i] * mean[j])
    law = derive_components(Declaration("drawn", SPACE, _symmetry(A, b))).exact_law
    assert law.expectation is not None
    assert law.expectation.subs(values) == _rational(total / 9)


@given(st.lists(fractions, min_size=4, max_size=4), rates, fractions)
@settings(max_examples=20, deadline=None)
def test_nonlinear_law_is_exact(drawn: Vector, rate: Fraction, decay: Fraction) -> None:
    pair = ParameterSpace(u=(), w=())
    u, w = pair.symbols
    potential = u**3 * w - w**2 * u + u
    J = (potential.diff(u), potential.diff(w))
    symmetry = Symmetry.from_generator(pair, {"u": J[0], "w": J[1]})
    law = derive_components(Declaration("nonlinear", pair, symmetry)).exact_law
    assert law.expectation is None
    assert law.proof.verdict is Verdict.PROVED
    theta, g = list(map(_rational, drawn[:2])), list(map(_rational, drawn[2:]))
    at = dict(zip((u, w), theta, strict=True))
    field = [entry.subs(at) for entry in J]
    assume(any(field))
    k = (g[0] * field[0] + g[1] * field[1]) / (field[0] ** 2 + field[1] ** 2)
    g = [a - k * b for a, b in zip(g, field, strict=True)]
    h, c = _rational(rate), _rational(decay)
    after = [t - h * (a + 2 * c * t) for t, a in zip(theta, g, strict=True)]
    values = {
        **at,
        eta: h,
        gamma: c,
        **dict(zip(gradient_symbols(pair), g, strict=True)),
    }
    expected = potential.subs(dict(zip((u, w), after, strict=True)), simultaneous=True)
    assert law.next_charge.subs(values) == expected


def test_the_proof_refutes_a_charge_that_is_not_one() -> None:
    symmetry = Symmetry.exponential(SPACE, sp.diag(1, -1, 0))
    wrong = exact_law(symmetry, SPACE.symbols[0] ** 2)
    assert wrong.proof.verdict is Verdict.REFUTED


@pytest.mark.parametrize("k", [1, 2])
def test_the_law_needs_a_gradient_orthogonal_to_the_field(k: int) -> None:
    """Without g·J = 0 the two sides differ by η(1 − 2ηγ) g·J."""
    pair = ParameterSpace(u=(), w=())
    law = derive_components(
        Declaration("r", pair, Symmetry.exponential(pair, sp.diag(1, -1)))
    )
    u, w = pair.symbols
    g_u, g_w = gradient_symbols(pair)
    values = {u: 2, w: 1, g_u: k, g_w: 0, eta: 1, gamma: sp.Rational(1, 4)}
    after = law.charge.subs({u: 2 - (k + sp.S.One), w: sp.S.Half}, simultaneous=True)
    gap = law.exact_law.next_charge.subs(values) - after
    assert gap == sp.S.Half * k * 2

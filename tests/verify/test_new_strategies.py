"""Drawn factorisations and scale-invariant losses are what they say, and vary."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache

import pytest
import sympy as sp
from hypothesis.strategies import SearchStrategy

from symbolic import Declaration
from verify import Instance
from verify._context import PROFILE_SIZES, Context
from verify._exact import apply, covariance, dot
from verify._strategies import factorisations, scale_invariant


COUNT = 60


@cache
def factorised(max_size: int = 3) -> tuple[Instance, ...]:
    return drawn(factorisations(max_size), f"factorised {max_size}")


@cache
def invariant(max_dimension: int = 4) -> tuple[Instance, ...]:
    return drawn(scale_invariant(max_dimension), f"invariant {max_dimension}")


def drawn(strategy: SearchStrategy[Instance], name: str) -> tuple[Instance, ...]:
    context = Context(PROFILE_SIZES["quick"], 0, "new strategies")
    return context.draw(strategy, COUNT, name)


def sizes(declaration: Declaration) -> tuple[int, int, int]:
    (d_y, d), (_, d_x) = (declaration.space.int_shape(name) for name in ("U", "W"))
    return d, d_x, d_y


def at(instance: Instance) -> dict[sp.Symbol, sp.Rational]:
    names = instance.declaration.space.symbols
    return dict(zip(names, map(sp.Rational, instance.theta), strict=True))


# ‖UWx − y‖² with a symmetric B.


@pytest.mark.parametrize("largest", [1, 2, 3])
def test_sizes_stay_within_bounds_and_all_occur(largest: int) -> None:
    seen = [sizes(i.declaration) for i in factorised(largest)]

    for k in range(3):
        assert {size[k] for size in seen} == set(range(1, largest + 1))


def test_the_loss_is_the_squared_residual() -> None:
    for instance in factorised()[:12]:
        loss = instance.declaration.loss
        assert loss is not None
        _, d_x, _ = sizes(instance.declaration)
        U, W = (
            instance.declaration.space[name].subs(at(instance)) for name in ("U", "W")
        )
        for row in instance.samples:
            values = [sp.Rational(v.numerator, v.denominator) for v in row]
            x, y = sp.Matrix(values[:d_x]), sp.Matrix(values[d_x:])
            r = U * W * x - y
            data = dict(zip(loss.data.symbols, values, strict=True))
            assert loss.expression.subs(at(instance)).subs(data) == r.dot(r)


def test_every_b_is_symmetric_and_the_symmetry_holds_for_every_sample() -> None:
    for instance in factorised():
        A = sp.Matrix(instance.A)
        d, d_x, d_y = sizes(instance.declaration)
        B = A[:d, :d]
        expected = sp.diag(*[B] * d_y, sp.kronecker_product(-B, sp.eye(d_x)))

        assert B.is_symmetric()
        assert expected == A
        direction = apply(instance.A, instance.theta)
        assert all(dot(g, direction) == 0 for g in instance.gradients())


def test_numbers_are_those_of_the_docstring() -> None:
    for instance in (*factorised(), *invariant()):
        assert 2 <= len(instance.samples) <= 4
        assert instance.eta > 0
        assert instance.gamma >= 0
        assert 1 <= instance.batch_size <= 4
    gammas = Counter(i.gamma > 0 for i in factorised())
    assert min(gammas.values()) >= COUNT // 12
    assert len({i.eta for i in factorised()}) > 1
    assert len({i.batch_size for i in factorised()}) == 4


def test_factorisations_are_seldom_degenerate() -> None:
    """Noise, charge and B all matter in more than half of the draws."""
    live = [
        i
        for i in factorised()
        if any(map(any, covariance(i.gradients())))
        and any(map(any, i.A))
        and i.charge()
    ]

    assert len(live) > COUNT // 2
    assert len({i.declaration.name for i in live}) > COUNT // 4


# (f(θ)x − y)² with f(e^λθ) = f(θ).


def test_the_generator_is_the_identity() -> None:
    for instance in invariant():
        n = len(instance.theta)
        assert sp.Matrix(instance.A) == sp.eye(n)


def test_scale_invariance_holds_for_finite_factors() -> None:
    for instance in invariant():
        loss = instance.declaration.loss
        assert loss is not None
        doubled = {s: 3 * v / 2 for s, v in at(instance).items()}
        ends = [sp.expand(loss.expression.subs(p)) for p in (at(instance), doubled)]
        assert ends[0] == ends[1]
        assert ends[0].is_finite is not False


def test_gradients_are_orthogonal_to_the_parameters_and_shrink() -> None:
    """∇ℓ(qθ) = ∇ℓ(θ)/q, so Tr Σ falls as 1/‖θ‖²: the second half of (11)."""
    q = Fraction(5, 3)
    for instance in invariant():
        here = instance.gradients()
        there = instance.gradients(tuple(q * v for v in instance.theta))
        assert all(dot(g, instance.theta) == 0 for g in here)
        assert there == tuple(tuple(v / q for v in g) for g in here)


def test_dimensions_and_both_forms_occur() -> None:
    assert {len(i.theta) for i in invariant()} == {2, 3, 4}
    assert {len(i.theta) for i in invariant(2)} == {2}
    fractions = [
        sp.denom(sp.together(i.declaration.loss.expression))
        for i in invariant()
        if i.declaration.loss is not None
    ]
    assert len({len(f.free_symbols) > 1 for f in fractions}) == 2


def test_scale_invariant_losses_are_seldom_degenerate() -> None:
    noisy = [i for i in invariant() if any(map(any, covariance(i.gradients())))]

    assert len(noisy) > COUNT // 2
    assert len({i.declaration.name for i in noisy}) > COUNT // 6

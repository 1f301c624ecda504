"""Drawn instances have the symmetry they declare, exactly, and cover every kind."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
import sympy as sp
from hypothesis import (
    HealthCheck,
    given,
    seed as hypothesis_seed,
    settings,
    strategies as st,
)

from symbolic import Declaration, ParameterSpace, Symmetry
from verify import Instance, instances, symmetric_matrices
from verify._context import PROFILE_SIZES, Context
from verify._exact import NotRational, apply, dot, form, trace_product
from verify._strategies import declarations


SLOW_DRAWS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@cache
def pool(count: int = 12) -> tuple[Instance, ...]:
    """Draw once for all tests: deriving the projectors of a new A is what costs."""
    return Context(PROFILE_SIZES["quick"], 0, "pool").draw(instances(), count, "p")


@SLOW_DRAWS
@given(symmetric_matrices())
def test_drawn_matrices_have_the_stated_eigenvalues(
    drawn: tuple[sp.Matrix, tuple[int, ...], sp.Matrix],
) -> None:
    A, mu, Q = drawn
    n = len(mu)

    assert A.shape == Q.shape == (n, n)
    assert A.T == A
    assert sp.eye(n) == Q * Q.T
    assert sp.diag(*mu) * Q == Q * A  # row i of Q is an eigenvector to mu_i
    assert all(entry.is_Rational for entry in (*A, *Q))


@pytest.mark.parametrize("index", range(12))
def test_every_sample_is_invariant_exactly(index: int) -> None:
    instance = pool()[index]
    direction = apply(instance.A, instance.theta)

    assert all(dot(g, direction) == 0 for g in instance.gradients())


@SLOW_DRAWS
@given(declarations(rational=False), st.data())
def test_the_loss_is_constant_along_the_drawn_orbit(
    declaration: Declaration, data: st.DataObject
) -> None:
    """Finite transformations, by substitution: no derivative at all."""
    n = declaration.space.size
    theta = data.draw(st.tuples(*[st.sampled_from((-2, -1, 1, 3))] * n).map(tuple))
    instance = Instance(
        declaration, (), tuple(map(Fraction, theta)), Fraction(1), Fraction(0), 1
    )
    moved = instance.moved(Fraction(3, 2))
    assert moved is not None
    assert declaration.loss is not None
    ends = [
        declaration.loss.expression.subs(
            {
                s: sp.Rational(v.numerator, v.denominator)
                for s, v in zip(declaration.space.symbols, point, strict=True)
            }
        )
        for point in (instance.theta, moved)
    ]

    # a zero denominator is one on the whole orbit
    assert ends[0] == ends[1] or not ends[0].is_finite


@pytest.mark.parametrize("index", range(12))
def test_moving_composes(index: int) -> None:
    instance = pool()[index]
    first, second = Fraction(2, 3), Fraction(5, 2)
    once = instance.moved(first)
    assert once is not None

    assert instance.moved(Fraction(1)) == instance.theta
    assert instance.with_(theta=once).moved(second) == instance.moved(first * second)


@pytest.mark.parametrize("index", range(12))
def test_projectors_resolve_the_identity_and_a(index: int) -> None:
    instance = pool()[index]
    projectors = instance.projectors()
    assert projectors is not None
    n = range(len(instance.theta))
    for i in n:
        for j in n:
            assert sum(P[i][j] for _, P in projectors) == int(i == j)
            assert sum(mu * P[i][j] for mu, P in projectors) == instance.A[i][j]
    for k, (_, P) in enumerate(projectors):
        for m, (_, R) in enumerate(projectors):
            assert trace_product(P, R) == (0 if k != m else sum(P[i][i] for i in n))


@pytest.mark.parametrize("index", range(12))
def test_charge_and_balance_at_the_point_itself(index: int) -> None:
    instance = pool()[index]
    gradients = instance.gradients()
    N = len(gradients)
    second = sum(form(instance.A, g) for g in gradients) / Fraction(N)
    centre = tuple(
        sum((g[i] for g in gradients), Fraction(0)) / N
        for i in range(len(instance.theta))
    )
    noise = second - form(instance.A, centre)
    C = instance.charge()

    assert form(instance.A, instance.theta) == 2 * C
    assert instance.balance(Fraction(1), gradients) == (
        -4 * instance.gamma * C + instance.sigma2 * noise
    )


def test_projectors_are_none_for_irrational_eigenvalues() -> None:
    space = ParameterSpace(u=(), w=())
    golden = Declaration("golden", space, Symmetry.exponential(space, [[1, 1], [1, 0]]))
    instance = Instance(golden, (), (Fraction(1),) * 2, Fraction(1), Fraction(0), 1)

    assert instance.projectors() is None
    assert instance.moved(Fraction(2)) is None


def test_tanh_is_kept_out_of_rational_instances_only() -> None:
    def any_tanh(rational: bool) -> bool:
        context = Context(PROFILE_SIZES["quick"], 0, "tanh")
        drawn = context.draw(instances(rational=rational), 40, "x")
        return any(
            i.declaration.loss is not None
            and i.declaration.loss.expression.has(sp.tanh)
            for i in drawn
        )

    assert not any_tanh(rational=True)
    assert any_tanh(rational=False)


def signature(mu: tuple[int, ...]) -> set[str]:
    up, down = any(m > 0 for m in mu), any(m < 0 for m in mu)
    flat = 0 in mu
    kinds = {
        "zero": not up and not down,
        "positive definite": up and not down and not flat,
        "negative definite": down and not up and not flat,
        "indefinite": up and down,
        "low rank": flat and (up or down),
    }
    return {name for name, found in kinds.items() if found}


def test_all_signatures_ranks_and_dimensions_occur() -> None:
    seen: set[str] = set()
    dimensions: set[int] = set()

    @hypothesis_seed(0)
    @settings(max_examples=300, database=None, deadline=None)
    @given(symmetric_matrices())
    def draw(drawn: tuple[sp.Matrix, tuple[int, ...], sp.Matrix]) -> None:
        seen.update(signature(drawn[1]))
        dimensions.add(len(drawn[1]))

    draw()
    assert seen == {
        "zero",
        "positive definite",
        "negative definite",
        "indefinite",
        "low rank",
    }
    assert dimensions == {1, 2, 3, 4, 5, 6}


def test_no_decay_and_every_decay_occur() -> None:
    decays = {instance.gamma for instance in pool(60)}

    assert Fraction(0) in decays
    assert len(decays) == 4


def test_streams_depend_on_seed_claim_and_name_only() -> None:
    def drawn(seed: int, claim: str, name: str) -> tuple[Instance, ...]:
        context = Context(PROFILE_SIZES["quick"], seed, claim)
        return context.draw(instances(), 5, name)

    first = drawn(1, "c", "n")
    assert [i.describe() for i in drawn(1, "c", "n")] == [i.describe() for i in first]
    for other in ((2, "c", "n"), (1, "d", "n"), (1, "c", "m")):
        assert [i.theta for i in drawn(*other)] != [i.theta for i in first]


def test_a_rational_instance_at_a_kink_is_refused_by_gradients() -> None:
    context = Context(PROFILE_SIZES["quick"], 3, "kink")
    relus = [
        i
        for i in context.draw(instances(), 60, "n")
        if i.declaration.name.startswith("relu net")
    ]
    assert relus
    flat = relus[0].with_(samples=((Fraction(0), Fraction(1)),))  # x = 0: relu(0)

    with pytest.raises(NotRational):
        flat.gradients()

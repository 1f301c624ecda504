"""Laws of optimisers against exact rational steps written here, and against torch."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

import pytest
import sympy as sp
import torch
from hypothesis import assume, given, settings, strategies as st

from symbolic import DeclarationError, ParameterSpace, Symmetry, Verdict
from symbolic._laws.charge import noether_charge
from symbolic._laws.discrete import exact_law
from symbolic._laws.ito import batch, covariance_symbols, eta, gradient_symbols
from symbolic._optimisers.algebra import (
    LinearOptimiser,
    any_size_law,
    beta,
    g as g_vector,
    m as m_vector,
    m_next,
    theta as theta_vector,
)
from symbolic._optimisers.law import DiscreteLaw, minibatch_factor, setting
from symbolic._optimisers.linear import discrete_laws, linear_law, linear_optimisers
from symbolic._optimisers.rates import layer_laws


Vector = list[Fraction]
Step = Callable[[Vector, Vector, Vector, Fraction, Fraction, Fraction], list[Vector]]

SPACE = ParameterSpace(v=(3,))
PAIR = ParameterSpace(u=(), w=())
u, w = PAIR.symbols
fractions = st.fractions(-2, 2, max_denominator=3)
triples = st.lists(fractions, min_size=3, max_size=3)
sixes = st.lists(fractions, min_size=6, max_size=6)
rates = st.fractions(Fraction(1, 9), 1, max_denominator=9)
STATES = ("C", "B", "M", "L", "P")


# --- the ground truth: plain loops over fractions -----------------------------------


def _dot(left: Vector, right: Vector) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _plus(*terms: tuple[Fraction | int, Vector]) -> Vector:
    return [
        sum((c * x[i] for c, x in terms), Fraction(0)) for i in range(len(terms[0][1]))
    ]


def _matrix(e: Vector) -> list[Vector]:
    return [[e[0], e[1], e[2]], [e[1], e[3], e[4]], [e[2], e[4], e[5]]]


def _times(A: list[Vector], x: Vector) -> Vector:
    return [_dot(row, x) for row in A]


def _orthogonal(g: Vector, J: Vector) -> Vector:
    k = _dot(g, J) / _dot(J, J)
    return [a - k * b for a, b in zip(g, J, strict=True)]


def _states(A: list[Vector], b: Vector, theta: Vector, m: Vector) -> Vector:
    return [
        _dot(theta, _times(A, theta)) / 2 + _dot(b, theta),
        _dot(m, _plus((1, _times(A, theta)), (1, b))),
        _dot(m, _times(A, m)),
        _dot(b, theta),
        _dot(b, m),
    ]


def _sgd(
    theta: Vector, m: Vector, g: Vector, h: Fraction, c: Fraction, k: Fraction
) -> list[Vector]:
    return [[t - h * (a + 2 * c * t) for t, a in zip(theta, g, strict=True)], m]


def _heavy_ball(
    theta: Vector, m: Vector, g: Vector, h: Fraction, c: Fraction, k: Fraction
) -> list[Vector]:
    m = [k * p + a + 2 * c * t for p, a, t in zip(m, g, theta, strict=True)]
    return [[t - h * p for t, p in zip(theta, m, strict=True)], m]


def _heavy_ball_decoupled(
    theta: Vector, m: Vector, g: Vector, h: Fraction, c: Fraction, k: Fraction
) -> list[Vector]:
    m = [k * p + a for p, a in zip(m, g, strict=True)]
    return [[t - 2 * h * c * t - h * p for t, p in zip(theta, m, strict=True)], m]


def _nesterov(
    theta: Vector, m: Vector, g: Vector, h: Fraction, c: Fraction, k: Fraction
) -> list[Vector]:
    d = [a + 2 * c * t for a, t in zip(g, theta, strict=True)]
    m = [k * p + a for p, a in zip(m, d, strict=True)]
    return [
        [t - h * (a + k * p) for t, a, p in zip(theta, d, m, strict=True)],
        m,
    ]


def _nesterov_lookahead(
    theta: Vector, m: Vector, g: Vector, h: Fraction, c: Fraction, k: Fraction
) -> list[Vector]:
    ahead = [t - h * k * p for t, p in zip(theta, m, strict=True)]
    m = [k * p + a + 2 * c * t for p, a, t in zip(m, g, ahead, strict=True)]
    return [[t - h * p for t, p in zip(theta, m, strict=True)], m]


BY_HAND: dict[str, Step] = {
    "sgd": _sgd,
    "heavy_ball": _heavy_ball,
    "heavy_ball_decoupled": _heavy_ball_decoupled,
    "nesterov": _nesterov,
    "nesterov_lookahead": _nesterov_lookahead,
}


def _place(name: str, theta: Vector, m: Vector, h: Fraction, k: Fraction) -> Vector:
    """Return where the gradient is taken."""
    return _plus((1, theta), (-h * k, m)) if name.endswith("lookahead") else theta


# --- the laws for every A and b at once ---------------------------------------------


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


A_LETTERS = sp.symbols("a0:6", real=True)
B_LETTERS = sp.symbols("b0:3", real=True)


def _symmetry(space: ParameterSpace, *, offset: bool, diagonal: bool) -> Symmetry:
    e = A_LETTERS
    A = sp.Matrix([[e[0], e[1], e[2]], [e[1], e[3], e[4]], [e[2], e[4], e[5]]])
    if diagonal:
        A = sp.diag(e[0], e[3], e[5])
    J = A * sp.Matrix(space.symbols)
    if offset:
        J += sp.Matrix(B_LETTERS)
    return Symmetry.from_generator(space, space.unpack(tuple(J)))


@lru_cache(maxsize=16)
def _law(name: str, *, offset: bool) -> DiscreteLaw:
    (optimiser,) = (o for o in linear_optimisers() if o.name == name)
    symmetry = _symmetry(SPACE, offset=offset, diagonal=False)
    return linear_law(symmetry, noether_charge(symmetry), optimiser)


def _constants(entries: Vector, b: Vector) -> dict[str, sp.Rational]:
    values = {s.name: _rational(a) for s, a in zip(A_LETTERS, entries, strict=True)}
    return values | {s.name: _rational(a) for s, a in zip(B_LETTERS, b, strict=True)}


def _named(prefix: str, space: ParameterSpace, x: Vector) -> dict[str, sp.Rational]:
    names = (f"{prefix}{s.name}" for s in space.symbols)
    return dict(zip(names, map(_rational, x), strict=True))


def _value(expression: sp.Expr, values: Mapping[str, sp.Expr]) -> sp.Expr:
    return expression.xreplace(
        {s: values[s.name] for s in expression.free_symbols if s.name in values}
    )


@pytest.mark.parametrize("offset", [False, True], ids=["linear", "affine"])
@pytest.mark.parametrize("name", BY_HAND)
@given(
    sixes,
    triples,
    triples,
    triples,
    st.lists(triples, min_size=3, max_size=3),
    rates,
    fractions,
    rates,
)
@settings(max_examples=6, deadline=None)
def test_states_follow_their_law_over_several_steps(
    name: str,
    offset: bool,
    entries: Vector,
    b: Vector,
    theta: Vector,
    m: Vector,
    draws: list[Vector],
    h: Fraction,
    c: Fraction,
    k: Fraction,
) -> None:
    """C, B, M, L, P are carried by the law alone; θ, m and g only drive it."""
    A, b = _matrix(entries), b if offset else [Fraction(0)] * 3
    law = _law(name, offset=offset)
    assert law.proof.verdict is Verdict.PROVED
    if name == "sgd":
        m = [Fraction(0)] * 3
    carried = dict(zip(STATES, map(_rational, _states(A, b, theta, m)), strict=True))
    fixed = _constants(entries, b) | {
        "eta": _rational(h),
        "gamma": _rational(c),
        "beta": _rational(k),
    }
    for draw in draws:
        J = _plus((1, _times(A, _place(name, theta, m, h, k))), (1, b))
        assume(any(J))
        g = _orthogonal(draw, J)
        drives = _named("m_", SPACE, m) | _named("g_", SPACE, g)
        values = fixed | drives | carried
        carried = {state: _value(f, values) for state, f in law.next.items()}
        theta, m = BY_HAND[name](theta, m, g, h, c, k)
        exact = dict(zip(STATES, map(_rational, _states(A, b, theta, m)), strict=True))
        assert carried == {state: exact[state] for state in law.next}


@pytest.mark.parametrize("name", BY_HAND)
@given(sixes, triples, triples, triples, triples, rates, rates)
@settings(max_examples=6, deadline=None)
def test_symbols_stand_for_what_they_say(
    name: str,
    entries: Vector,
    b: Vector,
    theta: Vector,
    m: Vector,
    g: Vector,
    h: Fraction,
    k: Fraction,
) -> None:
    law, A = _law(name, offset=True), _matrix(entries)
    values = _constants(entries, b) | _named("", SPACE, theta) | _named("m_", SPACE, m)
    found = {s.name: _value(f, values) for s, f in law.where.items()}
    exact = dict(zip(STATES, map(_rational, _states(A, b, theta, m)), strict=True))
    assert found == {state: exact[state] for state in found}


def test_only_the_look_ahead_needs_the_gradient_elsewhere() -> None:
    conditions = {name: _law(name, offset=False).condition for name in BY_HAND}
    assert conditions.pop("nesterov_lookahead") == "g at theta - beta*eta*m"
    assert set(conditions.values()) == {""}


def _one_step(name: str, law: DiscreteLaw) -> tuple[sp.Expr, sp.Expr]:
    """Return C' by the law and by hand, at a fixed generic point."""
    F = Fraction
    entries = [F(1), F(2), F(-1), F(1, 2), F(3), F(-2)]
    A, b = _matrix(entries), [F(0)] * 3
    theta, m, h, c, k = (
        [F(1), F(-2), F(3)],
        [F(2), F(1), F(1)],
        F(1, 3),
        F(1, 5),
        F(1, 2),
    )
    J = _times(A, _place(name, theta, m, h, k))
    g = _orthogonal([F(1), F(1), F(-2)], J)
    values = _constants(entries, b) | _named("m_", SPACE, m) | _named("g_", SPACE, g)
    values |= {"eta": _rational(h), "gamma": _rational(c), "beta": _rational(k)}
    values |= dict(zip(STATES, map(_rational, _states(A, b, theta, m)), strict=True))
    after = BY_HAND[name](theta, m, g, h, c, k)
    return _value(law.next["C"], values), _rational(_states(A, b, *after)[0])


@pytest.mark.parametrize(("name", "other"), [*itertools.permutations(BY_HAND, 2)])
def test_no_law_fits_another_optimiser(name: str, other: str) -> None:
    """The check can fail; the two heavy balls differ in B' alone, not in C'."""
    by_law, by_hand = _one_step(other, _law(name, offset=False))
    balls = {"heavy_ball", "heavy_ball_decoupled"}
    assert (by_law == by_hand) == ({name, other} == balls)


def test_sgd_is_the_exact_law() -> None:
    for offset in (False, True):
        law, symmetry = (
            _law("sgd", offset=offset),
            _symmetry(SPACE, offset=offset, diagonal=False),
        )
        known = exact_law(symmetry, noether_charge(symmetry))
        assert law.expectation is not None
        assert known.expectation is not None
        assert sp.expand(law.expanded(law.next["C"]) - known.next_charge) == 0
        assert sp.expand(law.expanded(law.expectation) - known.expectation) == 0


@given(triples, triples, st.lists(triples, min_size=3, max_size=3), rates, rates)
@settings(max_examples=20, deadline=None)
def test_look_ahead_is_torch_s_nesterov_seen_from_the_look_ahead_point(
    theta: Vector, m: Vector, draws: list[Vector], h: Fraction, k: Fraction
) -> None:
    """Without decay φ = θ − ηβm moves by torch's rule, so one C law gives the other."""
    ahead, other = _plus((1, theta), (-h * k, m)), m
    for g in draws:
        theta, m = _nesterov_lookahead(theta, m, g, h, Fraction(0), k)
        ahead, other = _nesterov(ahead, other, g, h, Fraction(0), k)
        assert (ahead, other) == (_plus((1, theta), (-h * k, m)), m)


# --- any size -----------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", linear_optimisers(), ids=lambda o: o.name)
def test_laws_hold_at_every_size(optimiser: LinearOptimiser) -> None:
    assert any_size_law(optimiser).verdict is Verdict.PROVED


@pytest.mark.parametrize("state", STATES)
def test_a_wrong_law_is_refuted_at_every_size(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from symbolic._optimisers import algebra as algebra  # noqa: PLC0415 - to patch it

    heavy = linear_optimisers()[1]
    right = dict(algebra.letter_laws(heavy))
    wrong = right | {state: right[state] + eta**2 * algebra.GAG}
    monkeypatch.setattr(algebra, "letter_laws", lambda _: wrong)
    assert any_size_law.__wrapped__(heavy).verdict is Verdict.REFUTED


# --- a step of one's own ------------------------------------------------------------


def test_an_optimiser_of_one_s_own() -> None:
    """Averaged momentum with a damping τ: m' = βm + (1 − τ)g, θ' = θ − η(m' + τg)."""
    tau = sp.Symbol("tau", real=True)
    own = LinearOptimiser(
        "averaged",
        theta_vector - eta * (m_next + tau * g_vector),
        beta * m_vector + (1 - tau) * g_vector,
    )
    assert any_size_law(own).verdict is Verdict.PROVED
    symmetry = Symmetry.exponential(PAIR, [[1, 2], [2, -1]])
    law = linear_law(symmetry, noether_charge(symmetry), own)
    assert law.proof.verdict is Verdict.PROVED
    half, third = sp.Rational(1, 2), sp.Rational(1, 3)
    point = {u: 2, w: 1}
    J = [j.xreplace(point) for j in symmetry.generator]
    g, m = [-J[1], J[0]], [sp.Integer(3), sp.Integer(-1)]
    momentum = [half * p + (1 - third) * a for p, a in zip(m, g, strict=True)]
    after = [
        t - (p + third * a) / 5 for t, p, a in zip((2, 1), momentum, g, strict=True)
    ]
    values = {"u": sp.Integer(2), "w": sp.Integer(1), "eta": sp.Rational(1, 5)}
    values |= {"beta": half, "tau": third, "g_u": g[0], "g_w": g[1]}
    values |= {"m_u": m[0], "m_w": m[1], "gamma": sp.S.Zero}
    charge = noether_charge(symmetry)
    expected = charge.xreplace(dict(zip((u, w), after, strict=True)))
    assert _value(law.expanded(law.next["C"]), values) == expected


@pytest.mark.parametrize(
    ("step", "momentum", "at"),
    [
        (theta_vector - eta * g_vector**2, sp.S.Zero, theta_vector),
        (theta_vector - eta * g_vector + 1, sp.S.Zero, theta_vector),
        (theta_vector - eta * m_vector, sp.S.Zero, theta_vector),
        (theta_vector - eta * m_next, m_next + g_vector, theta_vector),
        (theta_vector - eta * g_vector, sp.S.Zero, 2 * theta_vector),
        (sp.exp(theta_vector), sp.S.Zero, theta_vector),
    ],
    ids=str,
)
def test_what_is_no_linear_step_is_refused(
    step: sp.Expr, momentum: sp.Expr, at: sp.Expr
) -> None:
    with pytest.raises(DeclarationError, match="expected"):
        LinearOptimiser("bad", step, momentum, at)


def test_names_of_the_declaration_are_left_alone() -> None:
    space = ParameterSpace(beta=(), m_beta=(), C=(), N=(), p_C=(), eta_C=())
    symmetry = Symmetry.exponential(space, sp.diag(1, -1, 2, -3, 1, 5))
    laws = _every(symmetry)
    for law in laws.values():
        assert law.proof.verdict is Verdict.PROVED
        assert not set(law.where) & set(space.symbols)
    heavy = laws["heavy_ball"]
    used = {s.name for f in heavy.next.values() for s in f.free_symbols}
    assert {"opt_beta", "opt_C", "m_opt_beta", "B", "M"} <= used
    assert not used & set(space.names)
    assert heavy.update[0][1] == "2*gamma*theta + g + m*opt_beta"


def test_a_law_travels_and_hashes() -> None:
    law = _law("heavy_ball", offset=False)
    again = pickle.loads(pickle.dumps(law))
    assert again.next == law.next
    assert hash(again) == hash(law)
    with pytest.raises(TypeError):
        law.next["C"] = sp.S.Zero  # type: ignore[index]


# --- expectations -------------------------------------------------------------------


@pytest.mark.parametrize("N", range(2, 7))
def test_factor_of_minibatches_is_the_mean_over_all_of_them(N: int) -> None:
    """Exact over all batches of S of N, drawn with and without replacement."""
    xs = [[Fraction(3 * i * i - 2), Fraction((-2) ** i)] for i in range(N)]
    A = [[Fraction(2), Fraction(1)], [Fraction(1), Fraction(-3)]]
    mean = [sum(column, Fraction(0)) / N for column in zip(*xs, strict=True)]
    quadratic = [_dot(x, _times(A, x)) for x in xs]
    of_mean = _dot(mean, _times(A, mean))
    trace = sum(quadratic, Fraction(0)) / N - of_mean
    letter = sp.Symbol("N")
    assert trace
    for S in range(1, N + 1):
        for drawn, factor in (
            (itertools.combinations(xs, S), minibatch_factor(letter)),
            (itertools.product(xs, repeat=S), minibatch_factor(None)),
        ):
            if N**S > 1300 and factor == minibatch_factor(None):
                continue
            values = []
            for some in drawn:
                x = [sum(column, Fraction(0)) / S for column in zip(*some, strict=True)]
                values.append(_dot(x, _times(A, x)))
            spread = sum(values, Fraction(0)) / len(values) - of_mean
            assert factor.subs({letter: N, batch: S}) == _rational(spread / trace)


@pytest.mark.parametrize("name", BY_HAND)
@given(
    sixes,
    triples,
    triples,
    triples,
    st.lists(triples, min_size=4, max_size=4),
    rates,
    fractions,
    rates,
)
@settings(max_examples=4, deadline=None)
def test_expectation_is_the_mean_over_all_minibatches(
    name: str,
    entries: Vector,
    b: Vector,
    theta: Vector,
    m: Vector,
    samples: list[Vector],
    h: Fraction,
    c: Fraction,
    k: Fraction,
) -> None:
    """Two of four samples, J = Aθ + b."""
    A, law = _matrix(entries), _law(name, offset=True)
    J = _plus((1, _times(A, _place(name, theta, m, h, k))), (1, b))
    assume(any(J))
    samples = [_orthogonal(g, J) for g in samples]
    mean = _plus(*((Fraction(1, 4), g) for g in samples))
    values: dict[str, sp.Expr] = _constants(entries, b) | _named("m_", SPACE, m)
    values |= _named("", SPACE, theta) | _named("gbar_", SPACE, mean)
    values |= {"eta": _rational(h), "gamma": _rational(c), "beta": _rational(k)}
    values |= {"S": sp.Integer(2), "N": sp.Integer(4)}
    for (i, j), symbol in covariance_symbols(SPACE).todok().items():
        second = sum((g[i] * g[j] for g in samples), Fraction(0)) / 4
        values[symbol.name] = _rational(second - mean[i] * mean[j])

    def charge_after(pair: tuple[Vector, ...]) -> Fraction:
        g = _plus(*((Fraction(1, 2), x) for x in pair))
        return _states(A, b, *BY_HAND[name](theta, m, g, h, c, k))[0]

    for found, batches in (
        (law.expectation, itertools.product(samples, repeat=2)),
        (law.without_replacement, itertools.combinations(samples, 2)),
    ):
        assert found is not None
        outcomes = [charge_after(pair) for pair in batches]
        expected = sum(outcomes, Fraction(0)) / len(outcomes)
        assert _value(law.expanded(found), values) == _rational(expected)


# --- rates, preconditioners, directions ---------------------------------------------

LAYERS = ParameterSpace(p=(2,), q=())


@lru_cache(maxsize=4)
def _laws(*, offset: bool, diagonal: bool) -> dict[str, DiscreteLaw]:
    return _every(_symmetry(LAYERS, offset=offset, diagonal=diagonal))


positive = st.fractions(Fraction(1, 4), 3, max_denominator=4)
three_rates = st.lists(positive, min_size=3, max_size=3)


def _prepared(
    entries: Vector, b: Vector, theta: Vector, g: Vector
) -> tuple[list[Vector], Vector, dict[str, sp.Expr]]:
    A = _matrix(entries)
    J = _plus((1, _times(A, theta)), (1, b))
    assume(any(J))
    g = _orthogonal(g, J)
    values: dict[str, sp.Expr] = _constants(entries, b) | _named("", LAYERS, theta)
    return A, g, values | _named("g_", LAYERS, g)


@given(sixes, triples, triples, triples, three_rates, rates, fractions)
@settings(max_examples=8, deadline=None)
def test_charge_under_rates_of_each_component(
    entries: Vector,
    b: Vector,
    theta: Vector,
    g: Vector,
    p: Vector,
    h: Fraction,
    c: Fraction,
) -> None:
    """A couples everything; layer-wise rates are the case of p constant on p."""
    A, g, values = _prepared(entries, b, theta, g)
    laws = _laws(offset=True, diagonal=False)
    by_layer = [p[0], p[0], p[2]]
    for name, steps in (
        ("preconditioned", [h * r for r in p]),
        ("layer_rates", by_layer),
    ):
        law = laws[name]
        assert law.proof.verdict is Verdict.PROVED
        after = [
            t - r * (a + 2 * c * t) for t, r, a in zip(theta, steps, g, strict=True)
        ]
        at = values | _named("p_", LAYERS, p)
        at |= {"eta": _rational(h), "gamma": _rational(c)}
        at |= {"eta_p": _rational(p[0]), "eta_q": _rational(p[2])}
        expected = _rational(_states(A, b, after, after)[0])
        assert _value(law.expanded(law.next["C"]), at) == expected
        assert law.defect is not None
        J = _plus((1, _times(A, theta)), (1, b))
        pulled = _dot([r * a for r, a in zip(steps, g, strict=True)], J)
        assert _value(law.defect, at) == _rational(-pulled)


def _uncoupled(entries: Vector, *, blocks: bool) -> Vector:
    e = list(entries)
    e[2] = e[4] = Fraction(0)
    if not blocks:
        e[1] = Fraction(0)
    return e


@given(sixes, triples, triples, triples, three_rates, rates, fractions)
@settings(max_examples=8, deadline=None)
def test_rates_have_a_charge_of_their_own(
    entries: Vector,
    b: Vector,
    theta: Vector,
    g: Vector,
    p: Vector,
    h: Fraction,
    c: Fraction,
) -> None:
    """½θᵀP⁻¹Aθ + b·P⁻¹θ, conserved at first order where the decay is."""
    entries = _uncoupled(entries, blocks=False)
    A, g, values = _prepared(entries, b, theta, g)
    law = _laws(offset=True, diagonal=True)["preconditioned_own_charge"]
    assert law.proof.verdict is Verdict.PROVED
    steps = [h * r for r in p]
    after = [t - r * (a + 2 * c * t) for t, r, a in zip(theta, steps, g, strict=True)]
    A_own = [[a / r for a in row] for row, r in zip(A, steps, strict=True)]
    b_own = [a / r for a, r in zip(b, steps, strict=True)]
    values |= _named("p_", LAYERS, p) | {"eta": _rational(h), "gamma": _rational(c)}
    found = _value(law.expanded(law.next["C_P"]), values)
    assert found == _rational(_states(A_own, b_own, after, after)[0])
    values["gamma"] = sp.S.Zero
    after = [t - r * a for t, r, a in zip(theta, steps, g, strict=True)]
    still = _value(law.expanded(law.next["C_P"]), values)
    assert still == _rational(_states(A_own, b_own, after, after)[0])
    assert law.defect is not None
    assert _value(law.defect, values) == 0
    moved = still - _rational(_states(A_own, b_own, theta, theta)[0])
    second = _dot(g, [r * x for r, x in zip(steps, _times(A, g), strict=True)]) / 2
    assert moved == _rational(second)


@pytest.mark.parametrize(
    ("A", "condition", "groups"),
    [
        ([[1, 2, 0], [2, 3, 0], [0, 0, -4]], "eta_b = eta_a", 2),
        ([[1, 0, 0], [0, 3, 1], [0, 1, -4]], "eta_c = eta_b", 2),
        ([[1, 0, 0], [0, 3, 0], [0, 0, -4]], "", 3),
        ([[1, 0, 2], [0, 3, 1], [2, 1, -4]], None, 1),
    ],
)
def test_coupled_parameters_must_share_their_rate(
    A: list[list[int]], condition: str | None, groups: int
) -> None:
    space = ParameterSpace(a=(), b=(), c=())
    symmetry = Symmetry.exponential(space, A)
    _, *own = layer_laws(setting(symmetry, noether_charge(symmetry)))
    assert [law.condition for law in own] == ([] if condition is None else [condition])
    for law in own:
        assert law.proof.verdict is Verdict.PROVED
        (charge,) = law.where.values()
        used = {s for s in charge.free_symbols if s.name.startswith("eta_")}
        assert len(used) == groups


@given(sixes, triples, triples, triples, triples, rates, fractions)
@settings(max_examples=8, deadline=None)
def test_charge_along_any_direction(
    entries: Vector,
    b: Vector,
    theta: Vector,
    g: Vector,
    direction: Vector,
    h: Fraction,
    c: Fraction,
) -> None:
    """Adam's law for whatever direction u its means give; sign descent's for signs."""
    A, g, values = _prepared(entries, b, theta, g)
    J = _plus((1, _times(A, theta)), (1, b))
    signs = [Fraction((a > 0) - (a < 0)) for a in g]
    for name, x in (("adam", direction), ("adamw", direction), ("sign", signs)):
        law = _laws(offset=True, diagonal=False)[name]
        assert law.proof.verdict is Verdict.PROVED
        kappa = 1 - (0 if name == "adam" else 2 * h * c)
        after = _plus((kappa, theta), (-h, x))
        at = values | _named("u_", LAYERS, x)
        at |= {"eta": _rational(h), "gamma": _rational(c)}
        states = dict(
            zip(STATES, map(_rational, _states(A, b, theta, theta)), strict=True)
        )
        expected = dict(
            zip(STATES, map(_rational, _states(A, b, after, x)), strict=True)
        )
        for state in ("C", "L"):
            assert _value(law.next[state], states | at) == expected[state]
        assert law.defect is not None
        assert _value(law.defect, at) == _rational(-h * kappa * _dot(x, J))


@given(sixes, triples, triples, triples, rates, fractions)
@settings(max_examples=8, deadline=None)
def test_any_multiple_of_the_gradient_leaves_the_defect(
    entries: Vector, theta: Vector, g: Vector, x: Vector, h: Fraction, k: Fraction
) -> None:
    """−ηu·J = −η(u − cg)·J for every c, and the bound is that of the best c."""
    A, g, values = _prepared(entries, [Fraction(0)] * 3, theta, g)
    assume(any(g))
    J = _times(A, theta)
    assert _dot(x, J) == _dot(_plus((1, x), (-k, g)), J)
    law = _laws(offset=False, diagonal=False)["adam"]
    assert law.bound is not None
    at = values | _named("u_", LAYERS, x) | {"eta": _rational(h)}
    defect, bound = _value(law.defect, at), _value(law.bound, at)
    assert bool(sp.Abs(defect) <= bound)
    rest = _plus((1, x), (-k, g))
    assert bool(
        bound <= _rational(h) * sp.sqrt(_rational(_dot(rest, rest) * _dot(J, J)))
    )


def test_the_bound_is_reached_in_the_plane() -> None:
    symmetry = Symmetry.exponential(PAIR, [[1, 0], [0, -1]])
    laws = discrete_laws(symmetry, noether_charge(symmetry))
    (law,) = (law for law in laws if law.optimiser == "sign")
    values = {"u": sp.Integer(3), "w": sp.Integer(2), "g_u": sp.Integer(2)}
    values |= {"g_w": sp.Integer(3), "eta": sp.S.Half, "gamma": sp.S.Zero}
    assert law.bound is not None
    assert _value(law.bound, values) == sp.Abs(_value(law.defect, values)) == sp.S.Half


@given(triples, triples, st.lists(positive, min_size=3, max_size=3), rates, fractions)
@settings(max_examples=10, deadline=None)
def test_rmsprop_s_preconditioner(
    theta: Vector, g: Vector, roots: Vector, h: Fraction, c: Fraction
) -> None:
    """v is chosen so that √v' is rational: the whole step stays exact."""
    F = Fraction
    entries = [F(1), F(2), F(-1), F(1, 2), F(3), F(-2)]
    A, g, values = _prepared(entries, [F(0)] * 3, theta, g)
    alpha, eps = F(1, 3), F(1, 10)
    d = [a + 2 * c * t for a, t in zip(g, theta, strict=True)]
    v = [(r**2 - (1 - alpha) * x**2) / alpha for r, x in zip(roots, d, strict=True)]
    after = [t - h * x / (r + eps) for t, x, r in zip(theta, d, roots, strict=True)]
    law = _laws(offset=False, diagonal=False)["rmsprop"]
    values |= _named("v_", LAYERS, v) | {"alpha": _rational(alpha)}
    values |= {"eps": _rational(eps), "eta": _rational(h), "gamma": _rational(c)}
    found = _value(law.expanded(law.next["C"]), values)
    assert found == _rational(_states(A, [F(0)] * 3, after, after)[0])


@lru_cache(maxsize=16)
def _every(symmetry: Symmetry) -> dict[str, DiscreteLaw]:
    laws = discrete_laws(symmetry, noether_charge(symmetry))
    return {law.optimiser: law for law in laws}


# --- what vanishes ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sign", "adam", "adamw", "rmsprop", "preconditioned"])
@pytest.mark.parametrize(
    "symmetry",
    [
        Symmetry.exponential(PAIR, [[1, 0], [0, -1]]),
        Symmetry.exponential(PAIR, [[2, 1], [1, -1]]),
        Symmetry.from_generator(PAIR, {"u": u + 2, "w": -w}),
        Symmetry.from_generator(PAIR, {"u": u**2, "w": -(w**3)}),
        Symmetry.from_generator(SPACE, {"v": [1, 1, 1]}),
    ],
    ids=["rescaling", "full", "affine", "nonlinear", "softmax shift"],
)
def test_a_witness_breaks_the_defect_while_sgd_s_law_holds(
    name: str, symmetry: Symmetry
) -> None:
    charge = noether_charge(symmetry)
    laws = _every(symmetry)
    law = laws[name]
    assert law.defect is not None
    assert law.vanishes is not None
    assert law.vanishes.verdict is Verdict.REFUTED
    witness = law.vanishes.witness
    assert witness is not None
    values = {key: sp.Rational(value) for key, value in witness.values.items()}
    space = symmetry.space
    values |= {s.name: values.get(s.name, sp.S.One) for s in space.symbols}
    g = gradient_symbols(space)
    J = [_value(j, values) for j in symmetry.generator]
    along = sum(values[s.name] * j for s, j in zip(g, J, strict=True))
    assert along == 0
    gap = _value(law.expanded(law.defect), values) - sp.sympify(witness.left)
    assert sp.nsimplify(sp.expand(gap)) == 0
    assert sp.sympify(witness.left) != 0
    rate = sp.Rational(1, 7)
    moved = {s: values[s.name] - rate * values[f"g_{s.name}"] for s in space.symbols}
    at = values | {"eta": rate, "gamma": sp.S.Zero}
    by_law = _value(laws["sgd"].expanded(laws["sgd"].next["C"]), at)
    assert sp.expand(by_law - charge.xreplace(moved)) == 0


@pytest.mark.parametrize("name", ["sign", "adamw"])
@pytest.mark.parametrize("images", [{"u": 1, "w": -1}, {"u": 3}], ids=str)
def test_translations_of_equal_size_survive_signs(
    name: str, images: dict[str, int]
) -> None:
    """J = (1, −1) gives g = (a, a), and one component alone has g = 0."""
    law = _every(Symmetry.from_generator(PAIR, images))[name]
    assert law.vanishes is not None
    assert law.vanishes.verdict is Verdict.PROVED
    assert ("running means" in law.vanishes.condition) == (name == "adamw")


def test_a_translation_of_one_component_has_no_defect_under_rates() -> None:
    symmetry = Symmetry.from_generator(PAIR, {"u": 1})
    laws = _every(symmetry)
    for name in ("layer_rates", "preconditioned", "rmsprop"):
        assert laws[name].defect is None
        assert laws[name].vanishes is None


# --- charges that are not quadratic -------------------------------------------------


@pytest.mark.parametrize("name", BY_HAND)
@given(st.lists(fractions, min_size=6, max_size=6), rates, fractions, rates)
@settings(max_examples=6, deadline=None)
def test_nonlinear_charges_are_followed_exactly(
    name: str, drawn: Vector, h: Fraction, c: Fraction, k: Fraction
) -> None:
    potential = u**3 * w - w**2 * u + u
    law = _nonlinear(name)
    assert law.proof.verdict is Verdict.PROVED
    assert law.expectation is None
    theta, m, g = drawn[:2], drawn[2:4], drawn[4:]
    place = dict(zip((u, w), map(_rational, _place(name, theta, m, h, k)), strict=True))
    J = [
        Fraction(int(j.p), int(j.q))
        for s in (u, w)
        for j in [potential.diff(s).xreplace(place)]
    ]
    assume(any(J))
    g = _orthogonal(g, J)
    after, momentum = BY_HAND[name](theta, m, g, h, c, k)
    values: dict[str, sp.Expr] = _named("", PAIR, theta) | _named("m_", PAIR, m)
    values |= _named("g_", PAIR, g) | {"eta": _rational(h), "gamma": _rational(c)}
    values["beta"] = _rational(k)
    there = dict(zip((u, w), map(_rational, after), strict=True))
    assert _value(law.next["C"], values) == potential.xreplace(there)
    if name != "sgd":
        B = sum(
            _rational(p) * potential.diff(s).xreplace(there)
            for s, p in zip((u, w), momentum, strict=True)
        )
        assert _value(law.next["B"], values) == B


@lru_cache(maxsize=8)
def _nonlinear(name: str) -> DiscreteLaw:
    potential = u**3 * w - w**2 * u + u
    images = {"u": potential.diff(u), "w": potential.diff(w)}
    symmetry = Symmetry.from_generator(PAIR, images)
    (optimiser,) = (o for o in linear_optimisers() if o.name == name)
    return linear_law(symmetry, noether_charge(symmetry), optimiser)


def test_transcendental_charges_have_every_law() -> None:
    symmetry = Symmetry.from_generator(PAIR, {"u": sp.tanh(u), "w": -sp.exp(w)})
    laws = discrete_laws(symmetry, noether_charge(symmetry))
    assert {law.proof.verdict for law in laws} == {Verdict.PROVED}
    assert "layer_rates_own_charge" in {law.optimiser for law in laws}


def test_a_charge_is_known_up_to_a_constant() -> None:
    symmetry = Symmetry.from_generator(PAIR, {"u": u + 2, "w": -w})
    charge = noether_charge(symmetry) + 5
    laws = {law.optimiser: law for law in discrete_laws(symmetry, charge)}
    assert {law.proof.verdict for law in laws.values()} == {Verdict.PROVED}
    still = dict.fromkeys(("eta", "g_u", "g_w"), sp.S.Zero)
    for name in ("sgd", "heavy_ball_decoupled", "adamw"):
        assert _value(laws[name].next["C"], still) == sp.Symbol("C", real=True)


def test_a_function_that_is_no_charge_is_refuted() -> None:
    symmetry = Symmetry.exponential(SPACE, sp.diag(1, -1, 0))
    wrong = SPACE.symbols[0] ** 2
    for law in discrete_laws(symmetry, wrong):
        assert law.proof.verdict is Verdict.REFUTED, law.optimiser


# --- torch --------------------------------------------------------------------------

FACTORS = ParameterSpace(U=(2, 2), W=(2, 2))
B_TORCH = sp.Matrix([[1, 2], [2, -3]])
GAMMA, RATE, BETA = 0.05, 0.02, 0.9


@lru_cache(maxsize=1)
def _factor_laws() -> dict[str, DiscreteLaw]:
    U, W = FACTORS["U"], FACTORS["W"]
    symmetry = Symmetry.from_generator(FACTORS, {"U": U * B_TORCH, "W": -B_TORCH * W})
    laws = discrete_laws(symmetry, noether_charge(symmetry))
    return {law.optimiser: law for law in laws}


def _flat(U: torch.Tensor, W: torch.Tensor) -> list[float]:
    return [float(x) for x in torch.cat([U.detach().flatten(), W.detach().flatten()])]


Make = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
TORCH: dict[str, tuple[Make, str]] = {
    "sgd": (lambda p: torch.optim.SGD(p, lr=RATE, weight_decay=2 * GAMMA), ""),
    "heavy_ball": (
        lambda p: torch.optim.SGD(p, lr=RATE, momentum=BETA, weight_decay=2 * GAMMA),
        "momentum_buffer",
    ),
    "nesterov": (
        lambda p: torch.optim.SGD(
            p, lr=RATE, momentum=BETA, weight_decay=2 * GAMMA, nesterov=True
        ),
        "momentum_buffer",
    ),
    "adam": (
        lambda p: torch.optim.Adam(
            p, lr=RATE, betas=(0.9, 0.99), eps=1e-3, weight_decay=2 * GAMMA
        ),
        "exp_avg",
    ),
    "adamw": (
        lambda p: torch.optim.AdamW(
            p, lr=RATE, betas=(0.9, 0.99), eps=1e-3, weight_decay=2 * GAMMA
        ),
        "exp_avg",
    ),
    "rmsprop": (
        lambda p: torch.optim.RMSprop(
            p, lr=RATE, alpha=0.9, eps=1e-3, weight_decay=2 * GAMMA
        ),
        "",
    ),
    "layer_rates": (
        lambda p: torch.optim.SGD(
            [{"params": [p[0]], "lr": 0.02}, {"params": [p[1]], "lr": 0.05}],
            weight_decay=2 * GAMMA,
        ),
        "",
    ),
    "layer_rates_own_charge": (
        lambda p: torch.optim.SGD(
            [{"params": [p[0]], "lr": 0.02}, {"params": [p[1]], "lr": 0.05}],
            weight_decay=2 * GAMMA,
        ),
        "",
    ),
}
SQUARES = {"adam": "exp_avg_sq", "adamw": "exp_avg_sq", "rmsprop": "square_avg"}
HYPER = {"eta": RATE, "gamma": GAMMA, "beta": BETA, "beta1": 0.9, "beta2": 0.99}
HYPER |= {"alpha": 0.9, "eps": 1e-3, "eta_U": 0.02, "eta_W": 0.05}


def _buffers(
    optimiser: torch.optim.Optimizer, parameters: list[torch.Tensor], key: str
) -> list[float]:
    found = [
        optimiser.state[p].get(key, torch.zeros_like(p)) if key else torch.zeros_like(p)
        for p in parameters
    ]
    return _flat(found[0], found[1])


@pytest.mark.parametrize("name", TORCH)
def test_torch_obeys_the_law(name: str) -> None:
    """Six steps in float64 of ‖UWx − y‖², gradients by autograd, other data each."""
    make, key = TORCH[name]
    torch.manual_seed(0)
    U, W = (torch.randn(2, 2, dtype=torch.float64, requires_grad=True) for _ in "UW")
    optimiser, law = make([U, W]), _factor_laws()[name]
    state = next(state for state in law.next if state.startswith("C"))
    (letter,) = (s for s in law.where if s.name == state)
    predict = law.expanded(law.next[state])
    labels = [s.name for s in FACTORS.symbols]
    change = 0.0
    for t in range(1, 7):
        x, y = (torch.randn(2, 5, dtype=torch.float64) for _ in "xy")
        slopes = torch.autograd.grad(((U @ W @ x - y) ** 2).mean(), [U, W])
        U.grad, W.grad = slopes
        values = HYPER | {"t": float(t)} | dict(zip(labels, _flat(U, W), strict=True))
        for prefix, entries in (
            ("g", _flat(*slopes)),
            ("m", _buffers(optimiser, [U, W], key)),
            ("v", _buffers(optimiser, [U, W], SQUARES.get(name, ""))),
        ):
            labelled = (f"{prefix}_{label}" for label in labels)
            values |= dict(zip(labelled, entries, strict=True))
        exact = {k: sp.Rational(v) for k, v in values.items()}
        expected = float(_value(predict, exact))
        before = float(_value(law.where[letter], exact))
        optimiser.step()
        exact |= {k: sp.Rational(v) for k, v in zip(labels, _flat(U, W), strict=True)}
        found = float(_value(law.where[letter], exact))
        assert abs(found - expected) <= 1e-12 * (1 + abs(expected))
        change = max(change, abs(found - before))
    assert change >= 1e-3


def test_torch_s_adam_breaks_what_sgd_keeps() -> None:
    """One step: the charge moves at order η under Adam, at order η² under SGD."""

    def moved(make: Make, rate: float) -> float:
        torch.manual_seed(1)
        a, b = (torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in "ab")
        loss = ((a * b).sum() - 3.0) ** 2
        a.grad, b.grad = torch.autograd.grad(loss, [a, b])
        optimiser = make([a, b])
        for group in optimiser.param_groups:
            group["lr"] = rate
        before = (a.detach() ** 2).sum() - (b.detach() ** 2).sum()
        optimiser.step()
        after = (a.detach() ** 2).sum() - (b.detach() ** 2).sum()
        return abs(float(after - before))

    def order(make: Make) -> float:
        return moved(make, 1e-3) / moved(make, 1e-4)

    assert 95 <= order(lambda p: torch.optim.SGD(p)) <= 105
    assert 9 <= order(lambda p: torch.optim.Adam(p)) <= 11

"""Itô's lemma against a Taylor expansion written here, and the flow of the charge."""

from __future__ import annotations

import itertools

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Declaration,
    ItoProcess,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    derive,
    sgd_process,
)
from symbolic._laws.ito import covariance_symbols, gamma, gradient_symbols, sigma2


PAIR = ParameterSpace(u=(), w=())
u, w = PAIR.symbols
entries = st.integers(-3, 3).map(sp.Integer)
fours = st.lists(entries, min_size=4, max_size=4)


def taylor(
    process: ItoProcess, G: sp.Matrix, f: sp.Expr, point: dict[sp.Symbol, sp.Rational]
) -> tuple[sp.Expr, sp.Expr]:
    """Return the rates of E[Δf] and E[(Δf)²] over one step of length s², at a point.

    The noise is G·ξ·s with independent signs ξ = ±1, whose second moments are those
    of a Brownian increment; the coefficient of s² needs no others.
    """
    s = sp.Symbol("s", positive=True)
    first = second = sp.S.Zero
    signs = list(itertools.product([1, -1], repeat=G.cols))
    for xi in signs:
        kick = G.subs(point) * sp.Matrix(xi)
        moved = {
            x: point[x] + m.subs(point) * s**2 + kick[i] * s
            for i, (x, m) in enumerate(zip(process.state, process.drift, strict=True))
        }
        change = sp.expand(f.xreplace(moved) - f.xreplace(point))
        first += change.coeff(s, 2)
        second += change.coeff(s, 1) ** 2
    return first / len(signs), second / len(signs)


@given(fours, fours, fours)
@settings(max_examples=25, deadline=None)
def test_lemma_is_the_second_order_taylor_expansion(
    noise: list[sp.Integer], weights: list[sp.Integer], more: list[sp.Integer]
) -> None:
    G = sp.Matrix(2, 2, noise) + sp.Matrix([[w, 0], [0, u]])
    p, q, r, t = weights
    f = p * u**3 + q * u**2 * w + r * w**2 + t * u * w + u
    drift = (more[0] * u + w, more[1] - u * w)
    process = ItoProcess((u, w), drift, (G * G.T).as_immutable())
    point = {u: more[2] / 2, w: more[3] / 3}
    found = process.differential(f)
    rate, variation = taylor(process, G, f, point)
    assert found.drift.subs(point) == rate
    assert found.variation.subs(point) == variation


def test_geometric_brownian_motion() -> None:
    x = sp.Symbol("x", positive=True)
    a, b = sp.symbols("a b", real=True)
    process = ItoProcess((x,), (a * x,), sp.ImmutableDenseMatrix([[b**2 * x**2]]))
    logarithm = process.differential(sp.log(x))
    assert sp.simplify(logarithm.drift - (a - b**2 / 2)) == 0
    assert sp.simplify(logarithm.variation - b**2) == 0
    square = process.differential(x**2)
    assert sp.expand(square.drift - (2 * a + b**2) * x**2) == 0


def test_sgd_process_is_the_sde_of_the_paper() -> None:
    process = sgd_process(PAIR)
    gbar_u, gbar_w = gradient_symbols(PAIR, "gbar")
    assert process.drift == (-gbar_u - 2 * gamma * u, -gbar_w - 2 * gamma * w)
    assert process.covariation == 2 * sigma2 * covariance_symbols(PAIR)
    assert covariance_symbols(PAIR).is_symmetric()


@given(st.lists(entries, min_size=6, max_size=6))
@settings(max_examples=8, deadline=None)
def test_flow_of_a_quadratic_charge_is_equation_7(drawn: list[sp.Integer]) -> None:
    a, b, c, d, e, f = drawn
    A = sp.Matrix([[a, b, c], [b, d, e], [c, e, f]])
    space = ParameterSpace(v=(3,))
    law = derive(Declaration("drawn", space, Symmetry.exponential(space, A)))
    Sigma = covariance_symbols(space)
    expected = -4 * gamma * law.charge + sigma2 * (Sigma * A).trace()
    assert sp.expand(law.flow.expression - expected) == 0
    assert sp.expand(law.flow.weight_decay + 4 * gamma * law.charge) == 0
    assert law.flow.loss == 0


@pytest.mark.parametrize(
    "potential",
    [u**3 * w**2, sp.exp(u) + w**4, u**2 * w + 5 * u, sp.sin(u * w)],
    ids=str,
)
def test_flow_of_any_charge_is_equation_5(potential: sp.Expr) -> None:
    J = (potential.diff(u), potential.diff(w))
    symmetry = Symmetry.from_generator(PAIR, {"u": J[0], "w": J[1]})
    flow = derive(Declaration("nonlinear", PAIR, symmetry)).flow
    hessian, Sigma = sp.hessian(potential, (u, w)), covariance_symbols(PAIR)
    assert sp.simplify(flow.weight_decay + 2 * gamma * (u * J[0] + w * J[1])) == 0
    assert sp.simplify(flow.noise - sigma2 * (Sigma * hessian).trace()) == 0
    assert flow.loss == 0


def test_a_refuted_symmetry_leaves_the_loss_term() -> None:
    x, y = sp.symbols("x y", real=True)
    symmetry = Symmetry.exponential(PAIR, sp.diag(1, -1))
    loss = Loss((u * w * x - y) ** 2 + u**4, PAIR, {"x": (), "y": ()})
    law = derive(Declaration("broken", PAIR, symmetry, loss))
    assert law.invariance.verdict is Verdict.REFUTED
    assert sp.expand(law.flow.loss + 4 * u**4) == 0
    parts = law.flow.noise + law.flow.weight_decay + law.flow.loss
    assert sp.expand(law.flow.expression - parts) == 0
    assert r"\stackrel{?}{=}" in law.to_latex()

"""preserves: proved on the catalogue, refuted with witnesses that stand."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Declaration,
    Finding,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    catalogue,
    enclose,
    relu,
    symbolic_catalogue,
)


PAIR = ParameterSpace(u=(), w=())
u, w, x, y = sp.symbols("u w x y", real=True)
rho = sp.Symbol("rho", real=True)
RESCALING = Symmetry.exponential(PAIR, [[1, 0], [0, -1]])
DATA: dict[str, tuple[int, ...]] = {"x": (), "y": ()}


def _along(symmetry: Symmetry, loss: Loss) -> sp.Expr:
    """∇ℓ·J, differentiated here."""
    pairs = zip(symmetry.space.symbols, symmetry.generator, strict=True)
    return sp.Add(*(sp.diff(loss.expression, s) * j for s, j in pairs))


def assert_witness_stands(finding: Finding, left: sp.Expr, right: Any = 0) -> None:
    """The sides differ at the witness, by an enclosure evaluated again."""
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness is not None
    assert finding.witness.exact
    values = {name: sp.Rational(text) for name, text in finding.witness.values.items()}
    difference = sp.sympify(left - right)
    point = {symbol: values[symbol.name] for symbol in difference.free_symbols}
    low, high = enclose(difference, point, bits=400)
    assert low > 0 or high < 0


@pytest.mark.parametrize(
    "declaration", [*catalogue(), *symbolic_catalogue()], ids=lambda d: str(d.name)
)
def test_catalogue_is_proved(declaration: Declaration) -> None:
    finding = declaration.symmetry.preserves(declaration.loss)
    assert finding.verdict is Verdict.PROVED


@pytest.mark.parametrize(
    "loss",
    [
        (u * w * x - y) ** 2 + u**2,
        (u * w * x - y) ** 2 + sp.Rational(1, 10**9) * u,
        (u * sp.tanh(w * x) - y) ** 2,
        (u**2 * w * x - y) ** 2,
        (u * relu(w * x + 1) - y) ** 2,
        sp.exp(u) * w,
    ],
    ids=str,
)
def test_losses_without_the_symmetry_are_refuted(loss: sp.Expr) -> None:
    declared = Loss(loss, PAIR, DATA)
    finding = RESCALING.preserves(declared)
    assert_witness_stands(finding, _along(RESCALING, declared))


@pytest.mark.parametrize(
    "loss",
    [
        (u * relu(w * x) - y) ** 2,
        abs(u * w * x - y),
        sp.log(1 + sp.exp(u * w * x)) - y,
        sp.cosh(u * w) ** 2 - sp.sinh(u * w) ** 2,
    ],
    ids=str,
)
def test_losses_that_need_more_than_polynomials(loss: sp.Expr) -> None:
    symmetry = RESCALING
    if loss.has(relu):
        symmetry = Symmetry.exponential(PAIR, [[-1, 0], [0, 1]])
    assert symmetry.preserves(Loss(loss, PAIR, DATA)).verdict is Verdict.PROVED


def test_a_finite_transformation_must_hold_finitely() -> None:
    """Its generator is a symmetry of uw; the transformation is none at second order."""
    images = {"u": u * (1 + rho), "w": w * (1 - rho)}
    symmetry = Symmetry.from_transformation(PAIR, images)
    loss = Loss((u * w * x - y) ** 2, PAIR, DATA)
    assert RESCALING.preserves(loss).verdict is Verdict.PROVED
    assert symmetry.generator == RESCALING.generator
    moved = loss.expression.subs({u: images["u"], w: images["w"]}, simultaneous=True)
    assert_witness_stands(symmetry.preserves(loss), moved, loss.expression)


def test_an_undecided_transformation_is_not_proved() -> None:
    """The last factor is 1 by an identity of Γ that no normal form here knows."""
    one = sp.gamma(rho**2 + 2) / sp.gamma(rho**2 + 1) - rho**2
    images = {"u": sp.exp(rho) * u, "w": sp.exp(-rho) * w * one}
    symmetry = Symmetry.from_transformation(PAIR, images)
    finding = symmetry.preserves(Loss((u * w * x - y) ** 2, PAIR, DATA))
    assert symmetry.generator == RESCALING.generator
    assert finding.verdict is Verdict.INCONCLUSIVE


def test_without_a_loss() -> None:
    assert RESCALING.preserves(None).verdict is Verdict.NOT_APPLICABLE


@given(st.integers(1, 4), st.integers(1, 4), st.integers(-4, 4), st.integers(-4, 4))
@settings(max_examples=30, deadline=None)
def test_monomials_have_exactly_their_weights(p: int, q: int, a: int, b: int) -> None:
    """(u^p w^q x − y)² is preserved by J = (au, bw) iff pa + qb = 0."""
    symmetry = Symmetry.exponential(PAIR, sp.diag(a, b))
    loss = Loss((u**p * w**q * x - y) ** 2, PAIR, DATA)
    finding = symmetry.preserves(loss)
    if p * a + q * b == 0:
        assert finding.verdict is Verdict.PROVED
    else:
        assert_witness_stands(finding, _along(symmetry, loss))

"""The Noether charge: ∇C = J where ∂J is symmetric, and NoCharge where it is not."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic import (
    Declaration,
    NoCharge,
    ParameterSpace,
    Symmetry,
    Verdict,
    compare,
    derive,
)
from symbolic._laws.charge import noether_charge


SPACE = ParameterSpace(a=(), b=(2,))
PAIR = ParameterSpace(u=(), w=())
u, w = PAIR.symbols
entries = st.fractions(-3, 3, max_denominator=5).map(
    lambda q: sp.Rational(q.numerator, q.denominator)
)
monomials = st.tuples(entries, *[st.integers(0, 3)] * 3)


def assert_charge_of(symmetry: Symmetry, charge: sp.Expr) -> None:
    for symbol, entry in zip(symmetry.space.symbols, symmetry.generator, strict=True):
        assert sp.simplify(sp.diff(charge, symbol) - entry) == 0


def field(space: ParameterSpace, generator: tuple[sp.Expr, ...]) -> Symmetry:
    return Symmetry.from_generator(space, space.unpack(generator))


@given(st.lists(entries, min_size=6, max_size=6))
@settings(max_examples=30, deadline=None)
def test_linear_fields(drawn: list[sp.Rational]) -> None:
    a, b, c, d, e, f = drawn
    A = sp.Matrix([[a, b, c], [b, d, e], [c, e, f]])
    charge = noether_charge(Symmetry.exponential(SPACE, A))
    theta = sp.Matrix(SPACE.symbols)
    assert sp.expand(charge - (theta.T * A * theta)[0, 0] / 2) == 0


@given(st.lists(monomials, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_polynomial_gradient_fields(terms: list[tuple[sp.Rational, ...]]) -> None:
    a, b, c = SPACE.symbols
    potential = sum((k * a**p * b**q * c**r for k, p, q, r in terms), sp.S.Zero)
    J = tuple(sp.diff(potential, symbol) for symbol in SPACE.symbols)
    charge = noether_charge(field(SPACE, J))
    assert_charge_of(field(SPACE, J), charge)
    zero = dict.fromkeys(SPACE.symbols, 0)
    assert charge.subs(zero) == 0  # the additive constant is fixed


@pytest.mark.parametrize(
    "potential",
    [sp.exp(u) + w, sp.sin(u) * w, sp.cosh(w) + u * w, u * sp.exp(w), 3 * u - w / 2],
    ids=str,
)
def test_transcendental_and_affine_gradient_fields(potential: sp.Expr) -> None:
    symmetry = field(PAIR, (potential.diff(u), potential.diff(w)))
    assert_charge_of(symmetry, noether_charge(symmetry))


@pytest.mark.parametrize(
    "generator", [(1 / u, sp.S.Zero), (1 / u, -2 / w), (w / u**2, -1 / u)], ids=str
)
def test_fields_not_defined_at_zero(generator: tuple[sp.Expr, ...]) -> None:
    symmetry = field(PAIR, generator)
    assert_charge_of(symmetry, noether_charge(symmetry))


def test_rotation_has_no_charge() -> None:
    with pytest.raises(NoCharge, match=r"dJ_w/du = 1 but dJ_u/dw = -1") as caught:
        noether_charge(field(PAIR, (-w, u)))
    assert caught.value.entry == ("w", "u")
    assert caught.value.witness is not None
    assert (caught.value.witness.left, caught.value.witness.right) == ("1", "-1")


@given(st.lists(entries, min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_linear_fields_have_a_charge_iff_symmetric(drawn: list[sp.Rational]) -> None:
    a, b, c, d = drawn
    symmetry = field(PAIR, (a * u + b * w, c * u + d * w))
    if b == c:
        assert_charge_of(symmetry, noether_charge(symmetry))
    else:
        with pytest.raises(NoCharge) as caught:
            noether_charge(symmetry)
        assert caught.value.witness is not None
        assert {caught.value.witness.left, caught.value.witness.right} == {
            str(b),
            str(c),
        }


def test_nonlinear_curl_is_shown_at_a_point() -> None:
    with pytest.raises(NoCharge) as caught:
        noether_charge(field(PAIR, (u * w, u * w)))
    witness = caught.value.witness
    assert witness is not None
    assert witness.exact
    values = {name: sp.Rational(text) for name, text in witness.values.items()}
    assert sp.Rational(witness.left) == values["w"]  # d(uw)/du
    assert sp.Rational(witness.right) == values["u"]  # d(uw)/dw
    assert witness.left != witness.right


def test_derivation_without_charge_keeps_the_generator() -> None:
    law = derive(Declaration("rotation", PAIR, field(PAIR, (-w, u))))
    assert law.declaration.symmetry.generator == (-w, u)
    for name in ("charge", "flow", "exact_law"):
        with pytest.raises(NoCharge, match="not a gradient field"):
            getattr(law, name)
    exported = law.to_dict()
    assert exported["generator"] == {"u": "-w", "w": "u"}
    assert exported["charge"]["exists"] is False
    assert "dJ_w/du = 1" in exported["charge"]["witness"]
    assert exported["flow"] is exported["exact_law"] is exported["equilibrium"] is None
    assert "no charge" in law.to_latex()


def test_symbolic_constants_are_allowed() -> None:
    k = sp.Symbol("k", real=True)
    charge = noether_charge(Symmetry.from_generator(PAIR, {"u": k * u, "w": -w}))
    assert compare(charge, k * u**2 / 2 - w**2 / 2).verdict is Verdict.PROVED

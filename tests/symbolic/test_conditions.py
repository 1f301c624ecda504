"""Conditions are proved where stated, and fail where one of their terms is changed."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from symbolic._exact.atoms import in_atoms
from symbolic._exact.equality import compare
from symbolic._exact.functions import relu, step
from symbolic._loss import Loss
from symbolic._space import ParameterSpace
from symbolic._symmetries.conditions import (
    Condition,
    family_of,
    find_condition,
    find_conditions,
    finite_invariance,
)
from symbolic._symmetries.finite import Domain, _pulled, sides
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


PAIR = ParameterSpace(u=(), w=())
u, w, x, y, rho = sp.symbols("u w x y rho", real=True)
a, b, k, m = sp.symbols("a b k m", real=True)
DATA: dict[str, tuple[int, ...]] = {"x": (), "y": ()}
RESCALING = Symmetry.exponential(PAIR, [[1, 0], [0, -1]])
STRETCH = {"u": (1 + rho) * u, "w": w / (1 + rho)}
X = ParameterSpace(x=(2,))["x"]
NORM2 = X.dot(X)


def _pair(expression: sp.Expr, data: dict[str, tuple[int, ...]] = DATA) -> Loss:
    return Loss(expression, PAIR, data)


def _moving(images: dict[str, Any], space: ParameterSpace = PAIR) -> Symmetry:
    return Symmetry.from_transformation(space, images)


def _along(symmetry: Symmetry, loss: Loss) -> sp.Expr:
    """∇ℓ·J, differentiated here."""
    pairs = zip(symmetry.space.symbols, symmetry.generator, strict=True)
    return sp.Add(*(sp.diff(loss.expression, s) * j for s, j in pairs))


def _only(symmetry: Symmetry, loss: Loss) -> Condition:
    found = find_condition(symmetry, loss)
    assert found is not None
    assert found.proof.verdict is Verdict.PROVED
    return found


# --- equations -----------------------------------------------------------------------


def test_targets_that_sum_to_one() -> None:
    """Cross entropy shifts by ρ(1 − Σy): invariant where the targets sum to 1."""
    space, target = ParameterSpace(z=(3,)), ParameterSpace(y=(3,))["y"]
    z = space["z"]
    entropy = sp.log(sum(map(sp.exp, z))) - z.dot(target)
    loss = Loss(entropy, space, {"y": (3,)})
    for symmetry in (
        Symmetry.from_generator(space, {"z": sp.ones(3, 1)}),
        _moving({"z": z + rho * sp.ones(3, 1)}, space),
    ):
        found = _only(symmetry, loss)
        assert found.text == "where y_0 + y_1 + y_2 = 1"
        assert found.kind == "data"
        met = loss.expression.subs(target[2], 1 - target[0] - target[1])
        there = Loss(met, space, {"y": (3,)})
        assert compare(_along(symmetry, there), sp.S.Zero).verdict is Verdict.PROVED


@pytest.mark.parametrize("norm", [NORM2, sp.sqrt(NORM2)], ids=["norm2", "norm"])
@pytest.mark.parametrize("finite", [False, True])
def test_unit_norm_input(norm: sp.Expr, finite: bool) -> None:
    space = ParameterSpace(a=(), b=())
    loss = Loss((a * norm - b - y) ** 2, space, {"x": (2,), "y": ()})
    symmetry = Symmetry.from_generator(space, {"a": 1, "b": 1})
    if finite:
        symmetry = _moving({"a": a + rho, "b": b + rho}, space)
    found = _only(symmetry, loss)
    assert found.text == "where x_0**2 + x_1**2 = 1"
    assert found.equations == (sp.Eq(NORM2, 1),)
    circle = {X[0]: sp.Rational(3, 5), X[1]: sp.Rational(4, 5)}
    assert sp.expand(_along(symmetry, loss).subs(circle)) == 0
    ellipse = {X[0]: sp.Rational(3, 5), X[1]: sp.Rational(3, 5)}
    assert sp.expand(_along(symmetry, loss).subs(ellipse)) != 0


def test_one_target_alone() -> None:
    assert _only(RESCALING, _pair((u * w * x - y) ** 2 + y * u)).text == "where y = 0"


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (sp.sqrt(2) * x - 1, "where sqrt(2)*x = 1"),
        (sp.pi * (x - y), "where x = y"),
        ((x - 3) * sp.cos(u), "where x = 3"),
        (sp.sinh(u) * (x * y - 1), "where x*y = 1"),
    ],
    ids=str,
)
def test_numbers_and_functions_beside_the_condition(factor: sp.Expr, text: str) -> None:
    assert _only(RESCALING, _pair((u * w * x - y) ** 2 + factor * u)).text == text


def test_alternatives_are_all_found() -> None:
    loss = _pair((u * w * x - y) ** 2 + (x**2 - 4) * (y - 1) * u)
    texts = [c.text for c in find_conditions(RESCALING, loss) if c.kind == "data"]
    assert sorted(texts) == ["where x = -2", "where x = 2", "where y = 1"]


def test_conditions_that_must_hold_together() -> None:
    space = ParameterSpace(u=(), w=(), v=(), z=())
    v, z = sp.symbols("v z", real=True)
    p, q, r, s = sp.symbols("p q r s", real=True)
    loss = Loss((u * w * x + v * z - y) ** 2, space, DATA)
    found = _only(Symmetry.exponential(space, sp.diag(p, q, r, s)), loss)
    assert found.text == "where p + q = 0 and r + s = 0"
    assert found.kind == "constants"


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_constants_are_the_weights(p: int, q: int, c: int) -> None:
    """(u^p w^q x − y)² is preserved by J = (cu, −kw) iff pc = qk."""
    symmetry = Symmetry.exponential(PAIR, [[c, 0], [0, -k]])
    found = _only(symmetry, _pair((u**p * w**q * x - y) ** 2))
    assert found.text == f"where k = {sp.Rational(p * c, q)}"
    assert found.kind == "constants"


def test_a_transformation_is_checked_at_every_rho() -> None:
    """k enters exponentials of ρ; k = 2 makes the finite transformation exact."""
    symmetry = _moving({"u": sp.exp(rho) * u, "w": sp.exp(-k * rho) * w})
    loss = _pair((u**2 * w * x - y) ** 2)
    assert _only(symmetry, loss).text == "where k = 2"
    assert finite_invariance(symmetry, loss).verdict is Verdict.REFUTED


def test_a_condition_of_first_order_alone_is_not_stated() -> None:
    """∇ℓ·J = 0 where y = 0, but ℓ(Q_ρθ) ≠ ℓ(θ) there at second order in ρ."""
    loss = _pair((u * w * x) ** 2 + y * u)
    first_order = {"u": (1 + rho) * u, "w": (1 - rho) * w}
    kinds = [c.kind for c in find_conditions(_moving(first_order), loss)]
    assert "data" not in kinds
    assert _only(_moving(STRETCH), loss).text == "where y = 0, for rho != -1"


def test_data_and_constants_together() -> None:
    space = ParameterSpace(W=(2,))
    p, q = sp.symbols("p q", real=True)
    loss = Loss((space["W"].dot(X) - y) ** 2, space, {"x": (2,), "y": ()})
    symmetry = Symmetry.from_generator(space, {"W": sp.Matrix([p, q])})
    assert _only(symmetry, loss).text == "where p*x_0 + q*x_1 = 0"


def test_a_set_of_parameters_is_labelled() -> None:
    found = _only(RESCALING, _pair((u * w * x - y) ** 2 + (u**2 - w**2) ** 2))
    assert found.kind == "parameters"
    assert found.text.startswith("where u = w (a set of parameters")


def test_a_set_of_parameters_needs_the_finite_symmetry() -> None:
    """On u = w the generator is one to first order, Q_ρ leaves the set."""
    images = {"u": sp.exp(rho) * u, "w": sp.exp(-rho) * w}
    loss = _pair((u * w * x - y) ** 2 + (u**2 - w**2) ** 2)
    assert find_condition(_moving(images), loss) is None


@pytest.mark.parametrize(
    "expression",
    [
        (u * w * x - y) ** 2 + (y**2 + 1) * (u**2 + w**4 + 1) ** 2,  # no real y
        (u * w * x**2) ** 2 * (u + 1),  # x = 0 leaves no gradient
        sp.exp(u * x) + sp.exp(w),
    ],
    ids=str,
)
def test_no_empty_and_no_trivial_conditions(expression: sp.Expr) -> None:
    kinds = [c.kind for c in find_conditions(RESCALING, _pair(expression))]
    assert "data" not in kinds


def test_assumptions_exclude_conditions() -> None:
    """J = (u, kw) preserves (uw²x − y)² for k = −1/2 only."""
    loss = _pair((u * w**2 * x - y) ** 2)
    assert _only(Symmetry.exponential(PAIR, [[1, 0], [0, k]]), loss).kind == "constants"
    positive = sp.Symbol("k", positive=True)
    symmetry = Symmetry.exponential(PAIR, [[1, 0], [0, positive]])
    assert "constants" not in [c.kind for c in find_conditions(symmetry, loss)]


def test_nothing_is_restricted_where_the_symmetry_holds() -> None:
    assert find_conditions(RESCALING, _pair((u * w * x - y) ** 2)) == ()


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 3), st.integers(-2, 2))
@settings(max_examples=20, deadline=None)
def test_every_condition_holds_exactly_where_stated(
    p: int, q: int, r: int, s: int
) -> None:
    """ℓ = (uwx − y)² + (px + qy − s)·u^r breaks by r(px + qy − s)u^r."""
    if not (q or (p and s)):
        return  # x = 0 leaves no gradient, and is not stated
    loss = _pair((u * w * x - y) ** 2 + (p * x + q * y - s) * u**r)
    found = _only(RESCALING, loss)
    assert found.kind == "data"
    (equation,) = found.equations
    ratio = sp.cancel((equation.lhs - equation.rhs) / (p * x + q * y - s))
    assert ratio.is_Rational
    assert ratio != 0


# --- the range of ρ ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "expression", "condition"),
    [
        (STRETCH, (u * w * x - y) ** 2, "for rho != -1"),
        (STRETCH, (w * relu(u * x) - y) ** 2, "for rho > -1"),
        (STRETCH, (w * sp.Abs(u * x) - y) ** 2, "for rho > -1"),
        (STRETCH, sp.log(u**2) + sp.log(w) * 2 - y, "for rho > -1"),
        ({"u": (1 - rho) * u, "w": w / (1 - rho)}, w * relu(u * x), "for rho < 1"),
        (
            {"u": sp.sqrt(1 + rho) * u, "w": w / sp.sqrt(1 + rho)},
            (u * w * x - y) ** 2,
            "for rho > -1",
        ),
        (
            {"u": sp.exp(rho) * u, "w": sp.exp(-rho) * w},
            (w * relu(u * x) - y) ** 2,
            "",
        ),
        (
            {"u": (1 + rho) * u / (1 - rho), "w": (1 - rho) * w / (1 + rho)},
            w * relu(u * x),
            "for -1 < rho < 1",
        ),
        (
            {"u": (1 + k * rho) * u, "w": w / (1 + k * rho)},
            w * relu(u * x),
            "where k*rho + 1 > 0",
        ),
        (
            {"u": u / (1 - rho * u), "w": w / (1 - rho * w)},
            1 / u - 1 / w,
            "where rho*u != 1 and rho*w != 1",
        ),
        (
            {
                "u": sp.sqrt(1 - rho**2) * u - rho * w,
                "w": sp.sqrt(1 - rho**2) * w + rho * u,
            },
            (u**2 + w**2 - y) ** 2,
            "for -1 < rho < 1",
        ),
    ],
    ids=str,
)
def test_the_range_of_rho_is_stated(
    images: dict[str, Any], expression: sp.Expr, condition: str
) -> None:
    symmetry, loss = _moving(images), _pair(expression)
    finding = finite_invariance(symmetry, loss)
    assert finding.verdict is Verdict.PROVED
    assert finding.condition == condition
    found = find_condition(symmetry, loss)
    if condition:
        assert found is not None
        assert (found.text, found.kind) == (condition, "rho")
    else:
        assert found is None


def test_the_range_of_a_relu_layer_is_needed() -> None:
    """At ρ = −2 the layer does change, at ρ = −1/2 it does not."""
    family = family_of(_moving(STRETCH), _pair(w * relu(u * x)))
    assert family is not None
    point = {u: sp.S.One, w: sp.S.One, x: sp.S.One}
    moved = family.moved.xreplace(point)
    assert moved.xreplace({rho: sp.Integer(-2)}) == 0
    assert moved.xreplace({rho: sp.Rational(-1, 2)}) == 1
    assert family.loss.xreplace(point) == 1


def _refutation(images: dict[str, Any], expression: sp.Expr) -> Finding:
    return finite_invariance(_moving(images), _pair(expression))


def test_a_refutation_lies_in_the_range() -> None:
    """(1 + ρ, 1 − ρ) is a symmetry to first order; the witness has ρ > −1."""
    images = {"u": (1 + rho) * u, "w": (1 - rho) * w}
    finding = _refutation(images, w * relu(u * x))
    assert finding.verdict is Verdict.REFUTED
    assert finding.witness is not None
    values = {name: sp.Rational(v) for name, v in finding.witness.values.items()}
    assert values["rho"] > -1
    at = {symbol: values[symbol.name] for symbol in (u, w, x)}
    moved = {
        s: sp.sympify(i).xreplace(at) for s, i in ((u, images["u"]), (w, images["w"]))
    }
    here = {s: i.xreplace({rho: values["rho"]}) for s, i in moved.items()}
    loss = w * relu(u * x)
    assert loss.xreplace({**at, **here}) != loss.xreplace(at)


def test_another_power_of_a_factor_is_refuted() -> None:
    """A seeded fault: w scaled by (1 + ρ)^{−1} (1 + ρ³)."""
    images = {"u": (1 + rho) * u, "w": w * (1 + rho**3) / (1 + rho)}
    assert _refutation(images, w * relu(u * x)).verdict is Verdict.REFUTED
    assert _refutation(images, u * w * x).verdict is Verdict.REFUTED


def test_a_broken_generator_is_refuted_before_any_range() -> None:
    assert _refutation(STRETCH, u * relu(u * x)).verdict is Verdict.REFUTED


def test_a_flow_needs_no_normal_form_of_the_loss() -> None:
    """A cosine of u² − w² under a boost: no normal form here, yet a flow of J."""
    images = {
        "u": u * sp.cosh(rho) + w * sp.sinh(rho),
        "w": w * sp.cosh(rho) + u * sp.sinh(rho),
    }
    loss = sp.log(2 + sp.cos((u**2 - w**2) * x))
    symmetry = _moving(images)
    finding = finite_invariance(symmetry, _pair(loss))
    assert finding.verdict is Verdict.PROVED
    assert finding.condition == ""
    faulty = _moving(images | {"w": w * sp.cosh(rho) + u * sp.sinh(rho) + u * rho**2})
    assert finite_invariance(faulty, _pair(loss)).verdict is Verdict.REFUTED


def test_even_powers_keep_their_sign_only_on_the_range() -> None:
    """log((1 + ρ)²u) = 2 log(1 + ρ) + log u needs ρ > −1, and the range says so."""
    images = {"u": (1 + rho) ** 2 * u, "w": (1 + rho) ** 2 * w}
    finding = _refutation(images, sp.log(u) - sp.log(w))
    assert finding.verdict is Verdict.PROVED
    assert finding.condition == "for rho > -1"


@given(
    st.integers(-3, 3).filter(bool),
    st.integers(1, 3),
    st.integers(-2, 2),
    st.integers(),
)
@settings(max_examples=25, deadline=None)
def test_drawing_out_factors_keeps_values(
    slope: int, size: int, shift: int, seed: int
) -> None:
    """On 1 + ρ·slope > 0, at a rational point."""
    scale = 1 + slope * rho
    r = sp.Rational(seed % 97 + 1, 40) - sp.Rational(1, slope)
    r = r if slope > 0 else -sp.Rational(1, slope) - sp.Rational(seed % 97 + 1, 40)
    point = {u: sp.Rational(size, 3), rho: r}
    assert scale.xreplace(point) > 0
    for factor in (scale, -scale):
        expression = (
            relu(factor * u + factor * shift)
            + sp.Abs(factor * u)
            + sp.sign(factor * (u - shift))
        )
        pulled = _pulled(expression, rho)
        assert pulled.xreplace(point) == expression.xreplace(point)
        assert not any(e.has(rho) for e in pulled.atoms(relu, sp.Abs, sp.sign))


def test_domains_are_written_as_inequalities() -> None:
    half = sp.Rational(1, 2)
    domain = Domain(rho, sp.S.NegativeOne, sp.oo, (half,))
    assert domain.text == "for rho > -1 and rho != 1/2"
    assert len(domain.equations) == 2
    assert Domain(rho).text == ""
    assert sides(u - w) == (u, w)
    assert sides(-u - w - 2) == (u + w, -2)


def test_steps_are_idempotent() -> None:
    """(u·step + 1)·step = (u + 1)·step, as one coefficient after the other."""
    found = in_atoms((u * step(u) + 1) * step(u) - (u + 1) * step(u))
    assert found is not None
    assert found.numerator == 0

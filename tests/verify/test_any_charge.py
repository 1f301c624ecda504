"""A run on a declaration of any kind: affine, nonlinear, without charge or loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbolic import Declaration, Loss, ParameterSpace, Symmetry, Verdict, relu
from verify import ClaimResult, Evidence, verify
from verify._campaign import _check, _select
from verify._claims import CLAIMS
from verify._context import PROFILE_SIZES, Context, Profile
from verify._exact import NotRational
from verify._field_catalogue import field_catalogue
from verify._fields import Local
from verify._instances import Instance, derived
from verify._jets import along, ball, precise, resolved, same
from verify._routes import _any_charge, _field_ensembles
from verify._routes._common import Factors
from verify._routes._field_ensembles import field_problem, run_field


TINY = Profile("tiny", exact=6, ensembles=1, replicas=48, steps=50)
BY_ID = {claim.id: claim for claim in CLAIMS}
CHARGED = ("p1.eq4", "p1.eq5", "own.charge", "own.flow", "own.step")
GENERAL = (*CHARGED, "own.orthogonal")
SHIFT = "shift of two scores"
FIELDS = {each.name: each for each in field_catalogue()}
GOOD = Factors(decay=Fraction(-2))
one, zero = Fraction(1), Fraction(0)
u, w, x, y = sp.symbols("u w x y", real=True)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    derived.cache_clear()
    yield
    derived.cache_clear()


def declared(J: dict[str, object], f: sp.Expr | None) -> Declaration:
    space = ParameterSpace(u=(), w=())
    data = {"x": (), "y": ()}
    loss = None if f is None else Loss((f * x - y) ** 2, space, data=data)
    return Declaration("mine", space, Symmetry.from_generator(space, J), loss)


def blocks() -> Declaration:
    return declared({"u": 1 + u, "w": -1 - w}, (1 + u) * (1 + w))


def rotation() -> Declaration:
    return declared({"u": -w, "w": u}, u**2 + w**2)


def checked(name: str, declaration: Declaration) -> ClaimResult:
    subject, _ = _select(declaration)
    return _check(BY_ID[name], TINY, 0, subject)


def context(declaration: Declaration) -> Context:
    return Context(TINY, 0, "test", (declaration,), shrink=False)


# What applies.


CASES = [(name, field) for name in GENERAL for field in FIELDS]
CASES.remove(("p1.eq5", SHIFT))  # its twin is true there, so run on the catalogue


@pytest.mark.parametrize(("name", "field"), CASES)
def test_every_kind_with_a_charge_is_checked(name: str, field: str) -> None:
    found = checked(name, FIELDS[field])

    assert found.verdict is Verdict.PROVED
    assert found.twin.verdict is Verdict.REFUTED
    held = [item.route for item in found.evidence if item.verdict.holds]
    assert len(set(held)) >= 2
    assert found.as_expected


def test_no_exponential_statement_is_run_on_something_else() -> None:
    subject, _ = _select(blocks())
    for claim in CLAIMS:
        if claim.id in GENERAL:
            continue
        found = _check(claim, TINY, 0, subject)

        assert found.verdict is found.twin.verdict is Verdict.NOT_APPLICABLE
        (item,) = found.evidence
        assert "affine, J = Aθ + b with b ≠ 0" in item.summary
        assert found.as_expected


def test_a_campaign_on_an_affine_declaration_exits_0(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PROFILE_SIZES, "quick", TINY)

    campaign = verify(blocks(), profile="quick")

    proved = {c.id for c in campaign.claims if c.verdict is Verdict.PROVED}
    assert proved == set(GENERAL)
    assert campaign.summary["NOT_APPLICABLE"] == len(CLAIMS) - len(GENERAL)
    assert campaign.exit_code == 0


def test_without_a_charge_only_the_orthogonality_is_left() -> None:
    assert checked("own.orthogonal", rotation()).verdict is Verdict.PROVED
    for name in CHARGED:
        found = checked(name, rotation())

        assert found.verdict is Verdict.NOT_APPLICABLE
        assert "J is not a gradient field" in found.evidence[0].summary


def test_without_a_loss_the_charge_is_left() -> None:
    bare = declared({"u": 1 + u, "w": -1 - w}, None)

    assert checked("own.charge", bare).verdict is Verdict.PROVED
    for name in set(GENERAL) - {"own.charge"}:
        found = checked(name, bare)

        assert found.verdict is Verdict.NOT_APPLICABLE
        assert "none is declared" in found.evidence[0].summary


# Seeded faults: one factor of what is derived or compiled is altered.


def halved_noise(patch: pytest.MonkeyPatch) -> None:
    from_sde = _private("_laws.ito").sgd_process

    def faulty(space: Any) -> Any:
        right = from_sde(space)
        return dataclasses.replace(right, covariation=right.covariation / 2)

    patch.setattr("symbolic._laws.ito.sgd_process", faulty)


def doubled_charge(patch: pytest.MonkeyPatch) -> None:
    right = _private("_laws.charge").noether_charge
    patch.setattr(
        "symbolic._derivation.noether_charge", lambda symmetry: 2 * right(symmetry)
    )


def forgotten_offset(patch: pytest.MonkeyPatch) -> None:
    """Leave out −2η²γ b·g: what an affine charge has beyond a quadratic one."""
    law_of, eta = _private("_laws.discrete").exact_law, _private("_laws.ito").eta
    gamma = _private("_laws.ito").gamma

    def faulty(symmetry: Any, charge: sp.Expr) -> Any:
        right = law_of(symmetry, charge)
        g = [sp.Symbol(f"g_{s.name}", real=True) for s in symmetry.space.symbols]
        pull = sum(b * a for b, a in zip(symmetry.offset, g, strict=True))
        altered = right.next_charge + 2 * eta**2 * gamma * pull
        return dataclasses.replace(right, next_charge=altered)

    patch.setattr("symbolic._derivation.exact_law", faulty)


def halved_drift(patch: pytest.MonkeyPatch) -> None:
    right = _field_ensembles.FieldProblem.trace
    patch.setattr(
        _field_ensembles.FieldProblem, "trace", lambda *given: right(*given) / 2
    )


def tilted_field(patch: pytest.MonkeyPatch) -> None:
    right = Local.curvature
    patch.setattr(Local, "curvature", lambda at, v: right(at, v) + v[0] * v[0])


def _private(name: str) -> Any:
    return __import__(f"symbolic.{name}", fromlist=[name])


def drift_symbolic(case: Context) -> Evidence:
    return _any_charge.drift_symbolic(GOOD, case, decay=True)


def drift_curves(case: Context) -> Evidence:
    return _any_charge.drift_curves(GOOD, case, decay=True)


def charge_symbolic(case: Context) -> Evidence:
    return _any_charge.charge_symbolic(one, case)


def charge_jets(case: Context) -> Evidence:
    return _any_charge.charge_jets(one, case)


def step_symbolic(case: Context) -> Evidence:
    return _any_charge.step_symbolic(one / 2, case)


def step_exact(case: Context) -> Evidence:
    return _any_charge.step_exact(one / 2, case)


def step_expectation(case: Context) -> Evidence:
    return _any_charge.step_expectation(one / 2, case)


def sgd(case: Context) -> Evidence:
    return _field_ensembles.field_ensemble(GOOD, case, method="sgd")


Fault = Callable[[pytest.MonkeyPatch], None]
Route = Callable[[Context], Evidence]
FAULTS: tuple[tuple[Fault, Route], ...] = (
    (halved_noise, drift_symbolic),
    (doubled_charge, charge_symbolic),
    (doubled_charge, charge_jets),
    (forgotten_offset, step_symbolic),
    (halved_drift, sgd),
    (tilted_field, drift_curves),
    (tilted_field, step_exact),
    (tilted_field, step_expectation),
)


@pytest.mark.parametrize(("fault", "route"), FAULTS)
def test_a_fault_in_the_law_of_an_affine_charge_is_caught(
    fault: Fault, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert route(context(blocks())).verdict.holds
    derived.cache_clear()
    fault(monkeypatch)

    assert route(context(blocks())).verdict is Verdict.REFUTED


@pytest.mark.parametrize("factor", [0, Fraction(1, 2), 2, -1])
@pytest.mark.parametrize("field", ["residual blocks", "cubic charge"])
def test_wrong_factors_of_the_noise_are_refuted(factor: Fraction, field: str) -> None:
    subject, case = Factors(Fraction(-2), Fraction(factor)), context(FIELDS[field])

    for route in (_any_charge.drift_symbolic, _any_charge.drift_curves):
        assert route(subject, case, decay=True).verdict is Verdict.REFUTED
    for method in ("sgd", "sde"):
        found = _field_ensembles.field_ensemble(subject, case, method=method)
        assert found.verdict is Verdict.REFUTED


# Ensembles.


def instance(declaration: Declaration, theta: tuple[int, ...]) -> Instance:
    rows = tuple(tuple(map(Fraction, row)) for row in ((1, 1), (2, -1), (1, -3)))
    point = tuple(map(Fraction, theta))
    return Instance(declaration, rows, point, one / 20, one / 4, 2)


@pytest.mark.parametrize("method", ["sgd", "sde"])
def test_all_outcomes_of_a_step_are_known(method: str) -> None:
    weights, odds = _field_ensembles._outcomes(4, 2, method)

    assert odds.sum() == pytest.approx(1, abs=1e-15)
    assert odds @ weights == pytest.approx(np.full(4, 0.25), abs=1e-15)
    off = weights - 0.25  # its covariance is that of N draws, over S
    spread = (off * odds[:, None]).T @ off
    assert spread == pytest.approx((np.eye(4) / 4 - 1 / 16) / 2, abs=1e-15)


def test_the_third_order_of_a_polynomial_is_exact() -> None:
    nodes, weights = _field_ensembles._third_order()

    for k in range(8):
        exact = (1 / (k + 1) - (k == 0) - (k == 1) / 2) if k else 0.0
        assert weights @ nodes**k == pytest.approx(exact, abs=1e-13)


def test_the_mean_change_is_the_mean_over_all_outcomes() -> None:
    problem = field_problem(instance(FIELDS["cubic charge"], (1, 2)), 3, "sgd")
    theta = problem.theta[:1]
    _, values, known, noise = _field_ensembles._ahead(problem, theta)
    change = values - problem.law.charge(theta)[:, None]

    assert known + noise == pytest.approx(change @ problem.odds, rel=1e-10)


def test_noise_below_rounding_is_not_observed() -> None:
    space = ParameterSpace(u=(), w=())
    loss = Loss("log(1 + exp(-y*exp(w)*u*x))", space, data={"x": (), "y": ()})
    symmetry = Symmetry.from_generator(space, {"u": u, "w": -sp.S.One})
    saturated = Declaration("saturated", space, symmetry, loss)
    far = instance(saturated, (40, 3)).with_(samples=((one, one), (one, 2 * one)))
    test, charges, _ = run_field(
        field_problem(far, 6, "sgd"), np.random.default_rng(0), 10, "sgd"
    )

    assert symmetry.preserves(loss).verdict is Verdict.PROVED
    assert len(charges) == 11
    assert test.observations == 0


def test_a_linear_charge_has_no_noise_to_measure() -> None:
    case = context(FIELDS[SHIFT])
    found = sgd(case)

    assert drift_symbolic(case).verdict is Verdict.PROVED
    assert drift_curves(case).verdict is Verdict.SUPPORTED
    assert found.verdict is Verdict.NOT_APPLICABLE
    assert "C is linear" in found.summary


# Jets.

EXPRESSIONS = (
    sp.exp(x) * sp.tanh(x),
    sp.sqrt(x**2 + 1),
    sp.log(1 + sp.exp(x)),
    sp.sin(x) * sp.cos(x),
    sp.cosh(x) / sp.sinh(x),
    sp.tan(x) + sp.E * x,
    relu(x) * x + sp.Abs(x) ** 3,
    x**-2 + x**3,
)


@pytest.mark.parametrize("f", EXPRESSIONS, ids=str)
def test_jets_are_the_taylor_polynomial(f: sp.Expr) -> None:
    at = sp.Rational(1, 3)
    with precise():
        curve = {x: (ball(one / 3), ball(one), ball(zero))}
        jet = along(f, curve, ball)
        for k, found in enumerate((jet.value, jet.slope, jet.bend)):
            exact = sp.N(f.diff(x, k).subs(x, at).doit() / sp.factorial(k), 30)

            assert resolved(found)
            assert float(found.mid()) == pytest.approx(float(exact), rel=1e-14)


def test_jets_follow_a_bent_curve() -> None:
    jet = along(x**2, {x: (3 * one, one, 5 * one)})

    assert (jet.value, jet.slope, jet.bend) == (9, 6, 31)


@pytest.mark.parametrize("f", [relu(x), 1 / x, sp.Abs(x), sp.exp(x), sp.sqrt(x)])
def test_kinks_poles_and_irrational_values_are_refused(f: sp.Expr) -> None:
    with pytest.raises(NotRational):
        along(f, {x: (zero, one, zero)})


def test_balls_tell_neighbours_apart() -> None:
    with precise():
        third = ball(one / 3)

        assert same(3 * third, ball(one))
        assert not same(3 * third, ball(one + one / 2**300))

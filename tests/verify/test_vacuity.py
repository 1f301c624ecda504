"""What says nothing is counted, and does not pass."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from fractions import Fraction
from types import ModuleType

import hypothesis.strategies as st
import pytest
import sympy as sp

from symbolic import Declaration, Loss, ParameterSpace, Symmetry, Verdict
from verify import _strategies
from verify._campaign import _check, combine
from verify._claim import Claim
from verify._claims import CLAIMS
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._instances import Instance
from verify._result import Campaign
from verify._routes._common import Factors, Sides, drawn_evidence
from verify._vacuity import (
    STRATEGIES,
    TRIVIAL,
    RouteVacuity,
    Vacuity,
    _of_declaration,
    _of_instance,
    _of_matrix,
    measured,
    of_routes,
    vacuity,
)


QUICK = PROFILE_SIZES["quick"]
u, w, x, y = sp.symbols("u w x y", real=True)


def instance(
    expression: sp.Expr, A: list[list[int]], samples: tuple[tuple[int, int], ...]
) -> Instance:
    space = ParameterSpace(u=(), w=())
    loss = Loss(expression, space, data={"x": (), "y": ()})
    declaration = Declaration("t", space, Symmetry.exponential(space, A), loss)
    rows = tuple(tuple(map(Fraction, row)) for row in samples)
    point = (Fraction(2), Fraction(1, 2))
    return Instance(declaration, rows, point, Fraction(1, 8), Fraction(0), 1)


NET, RESCALING = (u * w * x - y) ** 2, [[1, 0], [0, -1]]
NOISY = instance(NET, RESCALING, ((1, 0), (1, 3)))
SILENT = instance(NET, RESCALING, ((1, 1), (2, 2)))  # interpolated: ∇ℓ = 0
STILL = instance(NET, [[0, 0], [0, 0]], ((1, 0), (1, 3)))


# The measure.


@pytest.mark.parametrize(
    ("case", "features"),
    [
        (NOISY, {"γ = 0"}),
        (SILENT, {TRIVIAL, "all gradients 0", "Σ = 0", "γ = 0", "Tr[Σ∇²C] = 0"}),
        (STILL, {TRIVIAL, "∇²C = 0", "J = 0", "γ = 0", "Tr[Σ∇²C] = 0"}),
        (SILENT.with_(gamma=Fraction(1)), {"all gradients 0", "Σ = 0", "Tr[Σ∇²C] = 0"}),
        (STILL.with_(gamma=Fraction(1)), {TRIVIAL, "∇²C = 0", "J = 0", "Tr[Σ∇²C] = 0"}),
    ],
)
def test_features_of_instances_made_by_hand(case: Instance, features: set[str]) -> None:
    assert {name for name, has in _of_instance(case).items() if has} == features


def test_features_of_matrices_and_declarations_made_by_hand() -> None:
    zero = sp.ImmutableDenseMatrix([[0, 0], [0, 0]])
    eye = sp.ImmutableDenseMatrix([[1, 0], [0, 1]])

    assert _of_matrix((zero, (0, 0), eye))[TRIVIAL]
    assert not _of_matrix((eye, (1, 1), eye))[TRIVIAL]
    assert not _of_declaration(NOISY.declaration)[TRIVIAL]
    assert _of_declaration(STILL.declaration)[TRIVIAL]


def test_every_strategy_reports_and_most_of_what_it_draws_says_something() -> None:
    for row in vacuity():
        assert row.drawn > 10
        assert row.undecided < row.drawn / 4
        assert row.share < 0.5, row


def test_the_share_is_counted_on_strategies_made_by_hand() -> None:
    context = Context(QUICK, 0, "test")
    none, whole, half = (
        measured("s", strategy, _of_instance, context)
        for strategy in (
            st.just(NOISY),
            st.just(SILENT),
            st.sampled_from([NOISY, SILENT]),
        )
    )

    assert (none.share, whole.share) == (0.0, 1.0)
    assert 0 < half.trivial < half.drawn
    assert Vacuity("s", 0, {}).share == 1.0


def composites(module: ModuleType) -> set[str]:
    """Return the public functions of a module that `st.composite` makes strategies."""
    tree = ast.parse(inspect.getsource(module))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "st.composite" for d in node.decorator_list)
        and not node.name.startswith("_")
    }


def test_no_public_strategy_is_left_out() -> None:
    reported = {name.split(",")[0] for name in STRATEGIES}

    assert len(composites(_strategies)) >= 6
    assert composites(_strategies) <= reported


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile"):
        vacuity(profile="slow")


# A claim that saw nothing but trivial instances does not pass.


def route(name: str, cases: tuple[Instance, ...]) -> object:
    """Return a route that compares 0 with 0 wherever the noise vanishes."""

    def check(subject: Factors, context: Context) -> Evidence:
        def sides(case: Instance) -> Sides:
            noise = any(any(g) for g in case.gradients())
            return Sides(Fraction(0), Fraction(0), degenerate=not noise)

        return drawn_evidence(name, sides, st.sampled_from(cases), context, "0 = 0")

    return check


def claim(*cases: tuple[Instance, ...]) -> Claim:
    routes = tuple(route(f"r{i}", c) for i, c in enumerate(cases))
    return replace(CLAIMS[0], routes=routes, expected=Verdict.SUPPORTED)  # type: ignore[arg-type]


def test_a_claim_whose_instances_are_all_degenerate_is_not_a_pass() -> None:
    other = STILL.with_(samples=SILENT.samples)
    result = _check(claim((SILENT,), (SILENT, other)), QUICK, 0, None)

    assert result.verdict is Verdict.NOT_APPLICABLE
    assert not result.as_expected


def test_one_instance_that_says_something_is_enough_to_be_counted() -> None:
    result = _check(claim((SILENT, NOISY), (SILENT,)), QUICK, 0, None)
    first, second = result.evidence

    assert result.verdict is Verdict.SUPPORTED
    assert 0 < first.degenerate < first.instances
    assert second.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("verdict", [v for v in Verdict if v.holds])
def test_evidence_itself_refuses_a_vacuous_pass(verdict: Verdict) -> None:
    with pytest.raises(ValueError, match="vacuous pass"):
        Evidence("r", verdict, "s", instances=5, degenerate=5)


def test_evidence_that_nothing_applies_carries_no_verdict() -> None:
    nothing = Evidence("r", Verdict.NOT_APPLICABLE, "s")

    assert not combine((nothing, nothing)).holds
    assert not combine((nothing, Evidence("r", Verdict.INCONCLUSIVE, "s"))).holds


def test_the_trivial_share_of_each_route_is_listed() -> None:
    result = _check(claim((SILENT, NOISY), (NOISY,)), QUICK, 0, None)
    campaign = Campaign(0, "quick", 1e-6, "t", (result,), {}, 1, 0.0)
    first = result.evidence[0]
    listed = RouteVacuity(result.id, "r0", first.instances, first.degenerate)

    assert of_routes(campaign) == (listed,)
    assert 0 < listed.share < 1
    assert RouteVacuity("c", "r", 4, 1).share == 0.25

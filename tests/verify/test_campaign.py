"""Verdicts combine, exit codes follow, requests are checked, a seed repeats."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from functools import cache

import pytest
import sympy as sp

from reports import to_json
from symbolic import (
    Declaration,
    DeclarationError,
    Loss,
    ParameterSpace,
    Symmetry,
    Verdict,
    Witness,
    rescaling,
    symbolic_catalogue,
)
from verify import (
    Campaign,
    ClaimResult,
    Evidence,
    TwinResult,
    UnknownClaimError,
    claim_ids,
    combine,
    disagree,
    verify,
)
from verify._context import PROFILE_SIZES, Context
from verify._routes._common import Factors
from verify._routes._ensembles import flow_ensemble


WITNESS = Witness({"u": "1"}, "1", "2", exact=True)
HOLDING = (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED)


def evidence(verdict: Verdict, route: str = "r") -> Evidence:
    refuted = verdict is Verdict.REFUTED
    return Evidence(
        route, verdict, "s", instances=1, counterexample=WITNESS if refuted else None
    )


# Evidence.


@pytest.mark.parametrize("verdict", HOLDING)
@pytest.mark.parametrize(("instances", "degenerate"), [(0, 0), (3, 3), (2, 5)])
def test_a_vacuous_pass_is_refused(
    verdict: Verdict, instances: int, degenerate: int
) -> None:
    with pytest.raises(ValueError, match="vacuous pass"):
        Evidence("r", verdict, "s", instances=instances, degenerate=degenerate)


@pytest.mark.parametrize("verdict", Verdict)
def test_refuted_if_and_only_if_there_is_a_counterexample(verdict: Verdict) -> None:
    refuted = verdict is Verdict.REFUTED
    wrong = None if refuted else WITNESS

    assert evidence(verdict).verdict is verdict
    with pytest.raises(ValueError, match="REFUTED goes with a counterexample"):
        Evidence("r", verdict, "s", instances=1, counterexample=wrong)


# combine and disagree.


def expected_of_two(one: Verdict, other: Verdict) -> Verdict:
    pair = {one, other}
    for verdict in (Verdict.REFUTED, *HOLDING):
        if verdict in pair:
            return verdict
    both_na = pair == {Verdict.NOT_APPLICABLE}
    return Verdict.NOT_APPLICABLE if both_na else Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("one", "other"), list(itertools.product(Verdict, repeat=2)))
def test_truth_table_of_two_routes(one: Verdict, other: Verdict) -> None:
    pair = (evidence(one), evidence(other))
    strict = {Verdict.PROVED, Verdict.CERTIFIED}

    assert combine(pair) is expected_of_two(one, other)
    assert disagree(pair) == (
        (one is Verdict.REFUTED and other in strict)
        or (other is Verdict.REFUTED and one in strict)
    )


def test_no_evidence_decides_nothing() -> None:
    assert combine(()) is Verdict.INCONCLUSIVE
    assert not disagree(())


# Exit codes, on results made by hand.


def result(
    expected: Verdict,
    found: Iterable[Verdict],
    twin: Verdict = Verdict.REFUTED,
) -> ClaimResult:
    routes = tuple(evidence(v, f"r{i}") for i, v in enumerate(found))
    kind = "true" if expected is Verdict.REFUTED else "false"
    verdict = combine(routes)
    return ClaimResult(
        id="c",
        title="t",
        statement="s",
        formula="f",
        source="x",
        form="own",
        amends=None,
        expected=expected,
        verdict=verdict,
        discrepancy="d",
        assumptions=(),
        derivation=(),
        evidence=routes,
        twin=TwinResult(kind, "s", twin, (evidence(twin),)),
        counterexample=WITNESS if verdict is Verdict.REFUTED else None,
        disagreement=disagree(routes),
        note="",
        replay="r",
        seconds=0.0,
    )


def exit_code(*claims: ClaimResult) -> int:
    return Campaign(0, "quick", 1e-6, "s", claims, {}, 1, 0.0).exit_code


P, S, R = Verdict.PROVED, Verdict.SUPPORTED, Verdict.REFUTED
I, N = Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE  # noqa: E741 - initials
FINE, FALSE_AS_EXPECTED = result(P, [P, S]), result(R, [R, I], twin=P)
WRONG, OPEN, TORN = result(P, [R, S]), result(P, [I, I]), result(P, [P, R])


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ([FINE], 0),
        ([FINE, FALSE_AS_EXPECTED], 0),
        ([result(S, [S, N])], 0),
        ([WRONG], 1),
        ([result(R, [S, S], twin=P)], 1),  # published-false, yet it held
        ([result(P, [P, S], twin=S)], 1),  # the false twin passed
        ([result(R, [R, R], twin=R)], 1),  # the true twin was refuted
        ([OPEN], 3),
        ([result(P, [S, S])], 3),  # weaker than expected
        ([result(P, [N, N])], 3),
        ([result(P, [P, S], twin=I)], 3),
        ([TORN], 4),
        ([], 4),
        ([OPEN, WRONG], 1),
        ([WRONG, TORN, OPEN], 4),
        ([FINE, OPEN], 3),
    ],
)
def test_exit_codes(claims: list[ClaimResult], code: int) -> None:
    assert exit_code(*claims) == code


def test_the_summary_counts_each_verdict() -> None:
    claims = (FINE, FINE, FALSE_AS_EXPECTED)
    campaign = Campaign(0, "quick", 1e-6, "s", claims, {}, 1, 0.0)

    assert campaign.summary == {"PROVED": 2, "REFUTED": 1}


# Requests.


@pytest.mark.parametrize(
    ("asked", "near"),
    [("p1.eq77", "p1.eq7"), ("eq6.corected", "p1.eq6.corrected"), ("own.disc", None)],
)
def test_an_unknown_claim_names_the_nearest(asked: str, near: str | None) -> None:
    with pytest.raises(UnknownClaimError) as error:
        verify(asked, profile="quick")

    assert f"did you mean {near or 'own.discrete'!r}" in str(error.value)
    assert "`noetherflow list`, in Python `claim_ids()`, names all" in str(error.value)


def test_no_claim_at_all_is_an_error() -> None:
    with pytest.raises(UnknownClaimError, match="at least one claim"):
        verify([], profile="quick")


@pytest.mark.parametrize("seed", [-1, True, 1.0, "0", None])
def test_bad_seeds(seed: object) -> None:
    with pytest.raises(ValueError, match="seed: expected an integer"):
        verify("p1.eq6", seed=seed, profile="quick")  # type: ignore[arg-type]


def test_bad_profile() -> None:
    with pytest.raises(ValueError, match="among quick, standard, deep, got 'fast'"):
        verify("p1.eq6", profile="fast")


def product_declaration(matrix: list[list[int]] | None = None) -> Declaration:
    space, x = ParameterSpace(u=(), w=()), sp.Symbol("x", real=True)
    u, w = space.symbols
    loss = Loss((u * w * x - 1) ** 2, space, data={"x": ()})
    symmetry = Symmetry.exponential(space, matrix or [[1, 0], [0, -1]])
    return Declaration("product", space, symmetry, loss)


def test_without_a_loss_only_the_charge_is_checked() -> None:
    whole = product_declaration()
    bare = Declaration("bare", whole.space, whole.symmetry)

    campaign = verify(bare, profile="quick")

    verdicts = {c.id: c.verdict for c in campaign.claims if not c.excused}
    assert verdicts == {
        "p1.eq6": Verdict.REFUTED,
        "p1.eq6.corrected": Verdict.PROVED,
        "p1.v3.thm4.3.1": Verdict.PROVED,
        "own.charge": Verdict.PROVED,
    }
    assert campaign.exit_code == 0


def test_a_refuted_symmetry_is_refused_with_the_place() -> None:
    with pytest.raises(
        DeclarationError, match="does not have the declared symmetry"
    ) as error:
        verify(product_declaration([[1, 0], [0, 1]]), profile="quick")

    assert "u" in str(error.value)


def test_free_constants_are_refused() -> None:
    free = [d for d in symbolic_catalogue() if d.symmetry.constants]
    assert free
    for declaration in free:
        with pytest.raises(DeclarationError, match="got the free constants B_0_0"):
            verify(declaration, profile="quick")


@cache
def own_campaign() -> Campaign:
    return verify(rescaling(3, 1), profile="quick")


def test_a_declaration_of_ones_own_runs_every_theorem() -> None:
    campaign = own_campaign()

    assert campaign.exit_code == 0
    assert tuple(claim.id for claim in campaign.claims) == claim_ids()
    assert campaign.subject == rescaling(3, 1).name
    assert {c.id for c in campaign.claims if c.verdict is Verdict.REFUTED} == {
        "p1.eq6",
        "p1.thm1.2",
        "p1.thm1.3",
        "p1.unbounded",
        "p1.time",
        "p1.every-unique",
        "p1.interpolation",
        "p1.sde-gap",
        "p1.eq26",
    }


def test_the_same_seed_gives_the_same_bytes_but_for_run() -> None:
    calls: list[tuple[str, int, int]] = []

    def document() -> str:
        campaign = verify(
            "p1.eq6", seed=3, profile="quick", progress=lambda *call: calls.append(call)
        )
        parts = json.loads(to_json(campaign))
        return json.dumps({k: v for k, v in parts.items() if k != "run"})

    assert document() == document()
    assert calls == [("p1.eq6", 0, 1), ("p1.eq6", 1, 1)] * 2


def test_an_ensemble_repeats_with_its_seed_and_differs_with_another() -> None:
    def measured(seed: int) -> Evidence:
        context = Context(PROFILE_SIZES["quick"], seed, "p1.eq7", (rescaling(3, 1),))
        return flow_ensemble(Factors(), context, method="sgd")

    assert measured(3) == measured(3)
    assert measured(3).detectable != measured(4).detectable

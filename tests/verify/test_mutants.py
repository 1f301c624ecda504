"""Mutants: edits reach every importer and are undone, kills are earned, none hides."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

import verify._claims as claim_files
from symbolic import Verdict, Witness, catalogue
from verify._claim import Claim
from verify._claims import CLAIMS
from verify._context import PROFILE_SIZES, Context
from verify._evidence import Evidence
from verify._instances import derived
from verify._mutants._calls import plain_functions
from verify._mutants._edits import StaleEditError, call_graph, in_force, target
from verify._mutants._mutant import KINDS, Edit, Edited, Mutant, Restated
from verify._mutants._order import in_order
from verify._mutants._reasons import REASONS
from verify._mutants._resolution import scaled, smallest_noticed
from verify._mutants._restate import altered, declared, restated
from verify._mutants._result import SHARE, MutantResult, MutantRun
from verify._mutants._run import Bench, all_mutants, mutants
from verify._mutants._toolkit import TOOLKIT
from verify._routes._common import Factors


QUICK = PROFILE_SIZES["quick"]
EQ7 = next(claim for claim in CLAIMS if claim.id == "p1.eq7")
DECLARATION = catalogue()[0]


def fake(claim: str, expected: Verdict, *routes: Any, **changes: Any) -> Claim:
    return replace(
        EQ7, id=claim, expected=expected, routes=routes, **{"subject": 1, **changes}
    )


def saying(verdict: Verdict, name: str = "r") -> Callable[[Any, Context], Evidence]:
    shown = Witness({}, "0", "1", exact=True) if verdict is Verdict.REFUTED else None
    found = Evidence(name, verdict, "s", instances=1, counterexample=shown)
    return lambda subject, context: found


def right_only(name: str, strength: Verdict = Verdict.PROVED) -> Any:
    """Return a route that holds for the subject 1 and refutes any other."""
    return lambda subject, context: saying(
        strength if subject == 1 else Verdict.REFUTED, name
    )(subject, context)


# Edits.


def test_an_edit_reaches_partials_defaults_and_route_tuples_and_is_undone() -> None:
    old, new = "* law.noise_trace", "* 2 * law.noise_trace"
    edit = Edit("verify._routes._words:flow_words", old, new)
    context = Context(QUICK, 0, "p1.eq7")
    route = EQ7.routes[1]
    before = route(Factors(), context).verdict

    with in_force((edit,)):
        assert route(Factors(), context).verdict is Verdict.REFUTED
    assert route(Factors(), context).verdict is before is Verdict.PROVED


def test_an_edit_is_undone_after_an_error() -> None:
    edit = Edit("verify._exact:mean", "d * len(vectors)", "d")
    function = target(edit)
    code = function.__code__

    def fail() -> None:
        with in_force((edit,)):
            assert function.__code__ is not code
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert function.__code__ is code


def test_what_was_cached_before_does_not_hide_an_edit_and_nothing_is_left() -> None:
    law = derived(DECLARATION)
    plain = law.flow.noise
    edit = Edit("symbolic._laws.ito:ItoProcess.differential", "second / 2", "second")

    with in_force((edit,)):
        assert derived(DECLARATION).flow.noise == 2 * plain
    assert derived(DECLARATION).flow.noise == plain


@pytest.mark.parametrize(
    ("where", "old", "message"),
    [
        ("verify._exact:nothing", "x", "the toolkit has changed"),
        ("verify._nowhere:f", "x", "the toolkit has changed"),
        ("verify._exact:mean", "no such text", "got it 0 times"),
        ("verify._exact:mean", "vectors", "times: the function has changed"),
        ("verify._exact:Vector", "x", "expected a function at"),
    ],
)
def test_a_stale_edit_is_refused(where: str, old: str, message: str) -> None:
    with (
        pytest.raises(StaleEditError, match=message),
        in_force((Edit(where, old, "x"),)),
    ):
        pass


def test_every_mutant_of_the_toolkit_is_fresh_and_changes_code() -> None:
    for mutant in TOOLKIT:
        assert isinstance(mutant.apply, Edited)
        for edit in mutant.apply.edits:
            assert edit.old != edit.new
        codes = [target(edit).__code__ for edit in mutant.apply.edits]
        with in_force(mutant.apply.edits):
            after = [target(edit).__code__ for edit in mutant.apply.edits]
            same = [a.co_code == b.co_code for a, b in zip(codes, after, strict=True)]
            consts = [
                _constants(a) == _constants(b)
                for a, b in zip(codes, after, strict=True)
            ]
            assert not all(s and c for s, c in zip(same, consts, strict=True)), mutant


def _constants(code: CodeType) -> tuple[Any, ...]:
    """Return names and constants of a code object, those inside it included."""
    inside = (
        (c.co_code, _constants(c)) if isinstance(c, CodeType) else repr(c)
        for c in code.co_consts
    )
    return (code.co_names, code.co_varnames, *inside)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("verify._instances:derived", "declaration"),
        ("verify._instances:_gradients", "instance"),
        ("verify._routes._theorem1:generic_equilibrium", ""),
        ("verify._fields:charge_of", "declaration"),
    ],
)
def test_the_call_graph_knows_every_call_that_is_made(
    function: str, arguments: str
) -> None:
    """Whatever a cached function calls, cold, is known to reach it: no stale cache."""
    plain = target(Edit(function, "", ""))
    graph, seen = call_graph(), dict[CodeType, FunctionType]()
    known = {*graph.callers, *(f for many in graph.callers.values() for f in many)}
    # What dataclasses generate has no source to edit, and one code for equal fields.
    codes = {f.__code__: f for f in known if f.__code__.co_filename[0] != "<"}
    declaration = DECLARATION
    loss = declaration.loss
    assert loss is not None
    one = Fraction(1)
    given: dict[str, tuple[Any, ...]] = {
        "": (),
        "declaration": (declaration,),
        "instance": (
            loss,
            ((one,) * loss.data.size,),
            (one,) * declaration.space.size,
        ),
    }

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in codes:
            seen[frame.f_code] = codes[frame.f_code]

    for caches in graph.cached.values():
        for cache in caches:
            cache.cache_clear()
    sys.setprofile(watch)
    try:
        plain(*given[arguments])
    finally:
        sys.setprofile(None)
    missed = [f for f in seen.values() if plain not in graph.reaching((f,))]

    assert len(seen) > 3
    assert not [f.__qualname__ for f in missed]


def test_routes_that_cannot_reach_an_edit_are_not_run_and_dear_ones_come_last() -> None:
    order = in_order(EQ7.routes, ())
    names = [next(plain_functions(EQ7.routes[i])).__name__ for i in order]
    words = (target(Edit("symbolic._words.calculus:second_differential", "", "")),)

    assert set(order) == set(range(len(EQ7.routes)))
    assert names[-1] == "digits_flow"
    assert names.index("flow_words") < names.index("flow_ensemble")
    assert in_order(EQ7.routes, words) == (1,)


# Statements.


@dataclass(frozen=True, slots=True)
class Several:
    power: int = 2
    factor: Fraction = Fraction(3)
    switch: bool = True
    name: str = "left alone"
    other: Fraction = Fraction(5)


def test_every_number_and_switch_of_a_statement_is_altered() -> None:
    claim = fake("x", Verdict.PROVED, print, print, subject=Several(), twin_subject=0)
    found = [m.apply.subject for m in restated(claim) if isinstance(m.apply, Restated)]

    assert Several(power=-2) in found
    assert Several(factor=Fraction(3, 2)) in found
    assert Several(factor=Fraction(9)) in found
    assert Several(switch=False) in found
    assert Several(factor=Fraction(5), other=Fraction(3)) in found
    assert 0 in found  # the twin
    assert Several() not in found
    assert all(type(s.power) is int for s in found if isinstance(s, Several))


def test_a_statement_that_should_be_refuted_has_no_mutants() -> None:
    assert not restated(fake("x", Verdict.REFUTED, print, print))


def test_a_subject_may_bring_its_own_mutants() -> None:
    class Own:
        def mutants(self) -> list[tuple[str, str, Any]]:
            return [("sign", "turned", "other")]

    claim = fake("x", Verdict.PROVED, print, print, subject=Own(), twin_subject="twin")

    assert [m.name for m in restated(claim)] == ["x: turned", "x: twin"]


def test_a_claim_file_may_bring_its_own_mutants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra = Mutant("extra", "factor", ("p1.eq6.corrected",), Restated(Fraction(3)))
    monkeypatch.setattr(claim_files._p1_eq6, "MUTANTS", (extra,), raising=False)

    assert declared(claim_files) == (extra,)
    assert mutants("extra").killed == 1


def test_alterations_are_distinct_and_differ_from_the_original() -> None:
    for value in (1, -1, 2, Fraction(1, 2), Fraction(-4), 0.5, 0, True, (1, 2)):
        found = [new for _, _, new in altered(value)]
        assert found
        assert value not in found or isinstance(value, bool)
        assert len({repr(new) for new in found}) == len(found)
        assert all(type(new) is type(value) for new in found)


# Runs, on claims made by hand.


def one(bench: Bench, subject: Any, **changes: Any) -> MutantResult:
    return bench.result(
        Mutant("m", "factor", ("x",), Restated(subject, changes.get("graded")))
    )


def test_a_refuted_statement_is_a_kill_by_the_route_that_refuted() -> None:
    claim = fake("x", Verdict.PROVED, saying(Verdict.PROVED, "blind"), right_only("r"))
    result = one(Bench(QUICK, 0, (claim,)), 2)

    assert (result.how, result.claim, result.route) == ("refuted", "x", "r")
    assert (result.tried, result.shown) == (2, "0 against 1")


def test_a_route_that_refutes_everything_kills_nothing() -> None:
    always = saying(Verdict.REFUTED)
    claim = fake("x", Verdict.PROVED, always, always)

    assert not one(Bench(QUICK, 0, (claim,)), 2).killed


def test_a_route_that_always_breaks_off_kills_nothing_and_a_new_error_does() -> None:
    def broken(subject: Any, context: Context) -> Evidence:
        raise ArithmeticError("always")

    def sometimes(subject: Any, context: Context) -> Evidence:
        if subject != 1:
            raise ArithmeticError("now")
        return saying(Verdict.PROVED)(subject, context)

    claims = [fake("x", Verdict.PROVED, f, f) for f in (broken, sometimes)]
    results = [one(Bench(QUICK, 0, (claim,)), 2) for claim in claims]

    assert [r.how for r in results] == ["", "error"]
    assert results[1].shown == "ArithmeticError: now"


def test_a_survivor_is_explained_only_by_an_argument_that_holds() -> None:
    claim = fake("x", Verdict.PROVED, saying(Verdict.PROVED), saying(Verdict.PROVED))
    bench = Bench(QUICK, 0, (claim,))
    bare = Mutant("m", "factor", ("x",), Restated(2))
    reasons = [
        replace(bare, equivalent=replace(next(iter(REASONS.values())), holds=holds))
        for holds in (lambda: True, lambda: False)
    ]

    assert [bench.result(m).explained for m in (bare, *reasons)] == [False, True, False]


def test_every_reason_given_holds_and_belongs_to_a_mutant() -> None:
    names = {mutant.name for mutant in all_mutants()}

    assert set(REASONS) <= names
    for reason in REASONS.values():
        assert reason.holds is None or reason.holds()


def test_a_number_that_no_route_reads_is_found_out() -> None:
    def reads(subject: Any, context: Context) -> Evidence:
        right = subject.noise == 1
        return saying(Verdict.PROVED if right else Verdict.REFUTED)(subject, context)

    claim = fake("x", Verdict.PROVED, reads, reads, subject=Factors())
    bench = Bench(QUICK, 0, (claim,))
    idle, read = (one(bench, Factors(**c)) for c in ({"decay": 1}, {"noise": 2}))  # type: ignore[arg-type]

    assert not idle.killed
    assert "x says nothing of decay" in idle.explanation
    assert read.how == "refuted"


def test_the_smallest_discrepancy_noticed_is_bracketed() -> None:
    def coarse(subject: Any, context: Context) -> Evidence:
        off = abs(subject - 1) > Fraction(3, 10)
        return saying(Verdict.REFUTED if off else Verdict.SUPPORTED)(subject, context)

    claim = fake("x", Verdict.SUPPORTED, coarse, coarse, subject=Fraction(1))
    result = one(Bench(QUICK, 0, (claim,)), Fraction(11, 10), graded=lambda d: 1 + d)

    assert not result.killed
    assert result.smallest is not None
    assert 0.3 <= result.smallest <= 0.3 * 1.4
    assert result.explained


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0, 0.0), (10**9, float("inf")), (10, None)]
)
def test_ends_of_the_search_for_the_smallest(
    threshold: int, expected: float | None
) -> None:
    graded = None if expected is None else lambda delta: delta
    mutant = Mutant("m", "factor", ("x",), Restated(2, graded))

    def noticed(change: Any) -> bool:
        return bool(change.subject > threshold)

    assert smallest_noticed(mutant, noticed) == expected


def test_an_edit_is_graded_by_the_number_in_it() -> None:
    edits = (Edit("a:b", "x", "2 * x", "{k} * x"), Edit("a:c", "y", "y"))
    graded = scaled(Mutant("m", "factor", ("x",), Edited(edits[:1])), Fraction(-1, 2))

    assert isinstance(graded, Edited)
    assert graded.edits[0].grade == "(1 / 2) * x" or (
        graded.edits[0].new == "(1 / 2) * x"
    )
    assert scaled(Mutant("m", "factor", ("x",), Edited(edits)), Fraction(1)) is None


def test_the_resolution_of_an_ensemble_is_finite_and_not_zero() -> None:
    """By the SGD ensembles alone a factor is noticed from some tens of percent on."""
    claim = replace(EQ7, expected=Verdict.SUPPORTED, routes=EQ7.routes[4:5] * 2)
    bench = Bench(replace(QUICK, ensembles=1, steps=30), 0, (claim,))
    mutant = Mutant(
        "m", "factor", ("p1.eq7",), Restated(None, lambda d: Factors(noise=1 + d))
    )
    smallest = smallest_noticed(mutant, lambda c: bench._noticed(mutant, c))

    assert smallest is not None
    assert 0.01 < smallest < 2.0


def test_a_twin_that_is_no_longer_refuted_is_a_kill() -> None:
    """The route still proves the claim, and would now prove its twin too."""
    where, old = "verify._routes._words:words_evidence", "verdict is Verdict.PROVED:"
    edit = Edit(where, old, "verdict is not None:")
    claim = replace(EQ7, routes=EQ7.routes[1:2] * 2)
    mutant = Mutant("m", "dropped term", ("p1.eq7",), Edited((edit,)))
    result = Bench(QUICK, 0, (claim,)).result(mutant)

    assert (result.how, result.route) == ("twin", "words of matrices")


def test_a_verdict_that_is_lost_is_a_kill() -> None:
    """Unless another route carries it."""
    where, old = "verify._routes._words:flow_words", "law = quadratic_charge()"
    new = 'return Evidence(ROUTE, Verdict.INCONCLUSIVE, "s", instances=1)'
    words, other = EQ7.routes[1], saying(Verdict.PROVED)
    mutant = Mutant("m", "dropped term", ("p1.eq7",), Edited((Edit(where, old, new),)))
    alone, whole = (
        Bench(QUICK, 0, (replace(EQ7, routes=routes),)).result(mutant)
        for routes in ((words, words), (words, other))
    )

    assert (alone.how, alone.verdict) == ("lost", Verdict.INCONCLUSIVE)
    assert whole.how != "lost"


# Totals.


def results(killed: int, survivors: list[str]) -> MutantRun:
    mutant = Mutant("m", "sign", ("x",), Restated(2))
    dead = MutantResult(mutant, "refuted", "x", "r", Verdict.REFUTED, "", 1)
    alive = [
        MutantResult(mutant, "", "", "", None, "", 1, explanation=text)
        for text in survivors
    ]
    return MutantRun(0, "quick", (*[dead] * killed, *alive), 0.0)


@pytest.mark.parametrize(
    ("killed", "survivors", "code"),
    [
        (97, ["why"] * 3, 0),
        (97, ["why", "why", ""], 1),
        (96, ["why"] * 4, 1),
        (0, [], 1),
    ],
)
def test_the_exit_code_wants_97_percent_and_reasons_for_the_rest(
    killed: int, survivors: list[str], code: int
) -> None:
    run = results(killed, survivors)

    assert run.exit_code == code
    assert run.killed == killed
    assert SHARE == 0.97


def test_there_are_enough_mutants_of_every_kind_and_names_are_unique() -> None:
    found = all_mutants()
    names = [mutant.name for mutant in found]

    assert len(found) >= 250
    assert sum(m.family == "toolkit" for m in found) >= 100
    assert {m.kind for m in found} == set(KINDS)
    assert len(set(names)) == len(names)


def test_a_cheap_sample_of_every_layer_is_killed() -> None:
    """One or two a layer: the whole run is `noetherflow mutants`."""
    sample = (
        "p1.eq11.corrected: noise times 2",
        "own.variational: times 2",
        "words: D²f without 2",
        "words: Γ_W not centred",
        "two sides: shift doubled",
        "network: κ = 1 − ηγ",
        "exact Σ: over N − 1",
        "words: +DC[∇L]",
    )
    run = mutants(sample)
    again = mutants(sample[:1])

    assert [r.mutant.name for r in run.survivors] == ["words: +DC[∇L]"]
    assert all(result.explained for result in run.results)
    assert _without_time(again.results[0]) == _without_time(run.results[0])


def _without_time(result: MutantResult) -> tuple[object, ...]:
    found = (result.how, result.claim, result.route, result.shown, result.tried)
    return (result.mutant.name, *found)


def test_bad_questions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'p1\.eq7'"):
        mutants("p1.eq77")
    with pytest.raises(ValueError, match="profile"):
        mutants(profile="slow")
    with pytest.raises(ValueError, match="kind among"):
        Mutant("m", "odd", ("x",), Restated(1))
    with pytest.raises(ValueError, match="id of a claim"):
        Mutant("m", "sign", (), Restated(1))
    with pytest.raises(ValueError, match="one edit"):
        Edited(())


def test_what_follows_from_a_statement_is_no_mutant_of_it() -> None:
    """A weaker bound is as true; where a statement is looked at is not what it says."""
    known = {claim.id: claim for claim in CLAIMS}

    def names(claim: str) -> set[str]:
        return {m.name.removeprefix(f"{claim}: ") for m in restated(known[claim])}

    assert "factor times 2" in names("p1.v3.rate")
    assert not names("p1.v3.rate") & {"factor times 1/2", "factor dropped"}
    assert {"noise [0] times 2", "charge [1] times 1/2"} <= names("p1.v3.b4.corrected")
    assert "charge [0] times 2" not in names("p1.v3.b4.corrected")
    assert names("p2.thm4.2") >= {"power times 2", "noise dropped"}
    assert not any("depths" in name for name in names("p2.thm4.2"))
    assert names("p1.fig1.circles") == {
        f"factor {words}"
        for words in ("changes sign", "times 2", "times 1/2", "times 4", "dropped")
    } | {"twin"}

"""Claims of the user's own: true ones hold, false ones do not, mistakes are named."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import noetherflow as nf
import verify
from noetherflow._pytest import parametrize_with_claims
from noetherflow._scaffold import scaffold
from symbolic import Declaration, DeclarationError, Verdict, Witness, load
from verify import ClaimResult, _campaign
from verify._context import Context, Profile
from verify._user_claims import _derived_quantities, _exact_quantities
from verify._user_claims._build import Claimed, user_claims
from verify._user_claims._dual_route import dual_numbers
from verify._user_claims._functions import At, claim
from verify._user_claims._reading import read
from verify._user_claims._run import claim_checks, verify_claims
from verify._user_claims._statement import QUANTITIES, UserClaim


def _battery() -> Any:
    name = "user_claim_battery"
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


BATTERY = _battery()
declared: Callable[..., Declaration] = BATTERY.declared
EXAMPLES = Path(__file__).parents[3] / "examples"
_PUBLIC: dict[str, Any] = {
    "UserClaim": UserClaim,
    "claim": claim,
    "parametrize_with_claims": parametrize_with_claims,
}
TINY = Profile("tiny", exact=5, ensembles=1, replicas=64, steps=20)
ZERO = Fraction(0)


def checked(
    claimed: Claimed, about: str = "rescaling", profile: Profile = TINY, seed: int = 0
) -> ClaimResult:
    (built,) = user_claims(declared(about), [claimed])
    return _campaign._check(built, profile, seed, None)


def stated(left: str, relation: str, right: object = "", **more: Any) -> UserClaim:
    return UserClaim("mine.x", left, relation, right, **more)


def _id(row: Any) -> str:
    return " ".join((*row[:4], *map(str, row[4].values())))


@pytest.mark.parametrize("row", BATTERY.TRUE, ids=_id)
def test_true_statements_hold(row: Any) -> None:
    about, left, relation, right, more = row
    result = checked(stated(left, relation, right, **more), about)

    assert result.as_expected, (result.evidence, result.twin)
    assert sum(e.verdict.holds for e in result.evidence) == 2


@pytest.mark.parametrize("row", BATTERY.FALSE, ids=_id)
def test_false_statements_are_refuted(row: Any) -> None:
    about, left, relation, right, more = row
    result = checked(stated(left, relation, right, **more), about)

    assert result.verdict is Verdict.REFUTED, result.evidence
    assert not result.disagreement
    assert result.counterexample is not None


# Counterexamples, worked out again by hand for ℓ = (uwx − y)².


def by_hand(witness: Witness) -> dict[str, Fraction]:
    """Return the quantities at a counterexample from formulas typed in here."""
    values = witness.values
    u, w, eta, gamma, S = (Fraction(values[k]) for k in ("u", "w", "eta", "gamma", "S"))
    rows = [
        [Fraction(entry.split("=")[1]) for entry in row.split(", ")]
        for row in values["data"].split("; ")
    ]
    N = len(rows)
    q = [2 * (u * w * x - y) * x for x, y in rows]
    mean = sum(q, ZERO) / N
    var = sum((each**2 for each in q), ZERO) / N - mean**2
    C = (u**2 - w**2) / 2
    signal = mean**2 * (w**2 - u**2)
    noise = eta / (2 * S) * var * (w**2 - u**2)
    return {
        "flow": noise - 4 * gamma * C,
        "noise": noise,
        "charge": C,
        "trace_sigma": var * (u**2 + w**2),
        "grad_norm2": mean**2 * (u**2 + w**2),
        "exact_step": ((1 - 2 * eta * gamma) ** 2 - 1) * C
        + eta**2 / 2 * (signal + var * (w**2 - u**2) / S),
        "eta*flow": eta * (noise - 4 * gamma * C),
        "0": ZERO,
    }


@pytest.mark.parametrize(
    ("left", "relation", "right"),
    [
        ("flow", "==", "noise"),
        ("exact_step", "==", "eta*flow"),
        ("charge", "!=", "0"),
        ("trace_sigma", ">", "0"),
        ("grad_norm2", ">", "0"),
        ("noise", ">=", "0"),
    ],
)
def test_counterexamples_stand_by_hand(left: str, relation: str, right: str) -> None:
    witness = checked(stated(left, relation, right)).counterexample
    assert witness is not None
    known = by_hand(witness)

    assert Fraction(witness.left) == known[left]
    assert Fraction(witness.right) == known[right]
    assert witness.exact


def test_counterexamples_are_small() -> None:
    witness = checked(stated("flow", "==", "noise")).counterexample
    assert witness is not None

    assert {witness.values[name] for name in ("u", "w")} <= {"0", "1", "-1", "2"}
    assert witness.values["data"].count(";") == 0


# Seeded faults: each in one of the two evaluations, seen by the other or by the claim.


@pytest.mark.parametrize("name", ["noise", "decay", "trace_sigma_A", "signal"])
@pytest.mark.parametrize("factor", [2, -1])
def test_a_wrong_quantity_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, factor: int
) -> None:
    tables: tuple[Any, ...] = (_exact_quantities._TABLE, _derived_quantities._TABLE)
    right = {
        "noise": "eta/(2*S)*trace_sigma_A",
        "decay": "-2*gamma*theta_J",
        "trace_sigma_A": "2*S*noise/eta",
        "signal": "2/eta**2*exact_step - trace_sigma_A/S",
    }[name]
    more = {"given": "gamma == 0"} if name == "signal" else {}
    for table in tables:
        true = table[name]
        with monkeypatch.context() as patch:
            patch.setitem(table, name, lambda of, true=true: factor * true(of))
            # The route with the fault sees it; the other one must contradict it.
            result = checked(stated(name, "==", right, **more))
            verdicts = [e.verdict for e in result.evidence]
            assert not result.as_expected, verdicts
            assert not (verdicts[0].holds and verdicts[1].holds)


def test_both_evaluations_know_all_quantities() -> None:
    assert set(_exact_quantities._TABLE) == set(QUANTITIES)
    assert set(_derived_quantities._TABLE) == set(QUANTITIES)


@pytest.mark.parametrize("about", ["rescaling", "affine", "nonlinear", "cubic"])
def test_the_two_evaluations_agree_on_every_quantity(about: str) -> None:
    names = [n for n in QUANTITIES if n not in {"G", "lam_star"}]

    @claim("mine.all")
    def every(at: At) -> bool:
        seen.append(tuple(getattr(at, name) for name in names))
        return True

    seen: list[tuple[Fraction, ...]] = []
    (built,) = user_claims(declared(about), [every])
    context = Context(TINY, 0, "mine.all")
    both = []
    for route in built.routes:
        seen.clear()
        route(built.subject, context)
        both.append(set(seen))

    assert len(both[0] & both[1]) >= 5  # the corners, on which both are run


# Nothing passes for want of instances.


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("gamma < 0", "No instance meets the conditions given."),
        ("u**2 < 0", "No instance meets the conditions given."),
        ("trace_sigma == 0", "degenerate"),
        ("trace_M2 == 0", "degenerate"),
    ],
)
def test_a_vacuous_claim_does_not_pass(given: str, why: str) -> None:
    result = checked(stated("abs(noise)", "<=", "noise + 1", given=given))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert not result.as_expected
    assert why in result.evidence[0].summary


def test_conditions_hold_at_both_ends_of_a_move() -> None:
    for given, holds in (("u >= 0", True), ("u >= -1", False), ("u == w", False)):
        claimed = stated("charge", "nondecreasing", along="u", given=given)
        result = checked(claimed)

        assert result.as_expected is holds, given
        assert (result.verdict is Verdict.REFUTED) is (given == "u >= -1")


def test_a_side_without_a_value_is_no_pass() -> None:
    result = checked(stated("log(-u**2)", "<=", "1"))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "no value" in result.evidence[0].summary


@pytest.mark.parametrize(
    ("about", "left"),
    [("rotation", "charge"), ("affine", "G"), ("nonlinear", "lam_star")],
)
def test_what_a_declaration_lacks_is_not_applicable(about: str, left: str) -> None:
    result = checked(stated(left, ">=", "0"), about)

    assert result.verdict is Verdict.NOT_APPLICABLE
    assert not result.as_expected


def test_poles_are_left_out() -> None:
    result = checked(stated("w/u*u", "==", "w"), "scaling")
    assert result.as_expected

    result = checked(stated("1/charge", "!=", "0"))
    assert result.as_expected


# Claims as functions.


def test_functions_are_claims() -> None:
    @claim("mine.noise")
    def noise(at: At) -> Any:
        return at.noise, at.sigma2 * at.trace_sigma_A

    @claim("mine.bound", given="gamma > 0")
    def bound(at: At) -> Any:
        return at.flow * at.charge, "<=", 0

    @claim("mine.sign")
    def sign(at: At) -> bool:
        return bool(at.norm2_theta >= 2 * at.u * at.w)

    for each in (noise, bound, sign):
        assert checked(each).as_expected, each.id


def test_false_functions_are_refuted() -> None:
    @claim("mine.noise")
    def noise(at: At) -> Any:
        return at.noise, 2 * at.sigma2 * at.trace_sigma_A

    @claim("mine.strict")
    def strict(at: At) -> bool:
        return bool(at.norm2_theta > 2 * at.u * at.w)

    @claim("mine.shape")
    def shape(at: At) -> Any:
        return at.U[0][1] * at.W[1][0], at.U[0][0] * at.W[0][0]

    assert checked(noise).verdict is Verdict.REFUTED
    assert checked(strict).verdict is Verdict.REFUTED
    assert checked(shape, "factorisation").verdict is Verdict.REFUTED


def test_what_a_function_may_not_do_is_said() -> None:
    @claim("mine.float")
    def floating(at: At) -> Any:
        return float(at.noise), 0.0

    @claim("mine.typo")
    def typo(at: At) -> Any:
        return at.noice, 0

    @claim("mine.key")
    def key(at: At) -> Any:
        return {"a": at.noise}["b"], 0

    with pytest.raises(DeclarationError, match=r"mine\.float.*a float is not exact"):
        checked(floating)
    said = r"mine\.typo.*AttributeError: expected one of u, w.*got 'noice'"
    with pytest.raises(DeclarationError, match=said):
        checked(typo)
    with pytest.raises(DeclarationError, match=r"mine\.key.*KeyError"):
        checked(key)


# Convergence.

START = {"u": 2, "w": 1, "eta": "1/20", "gamma": 0, "S": 1, "x": [1, 1], "y": [0, 2]}


@pytest.mark.parametrize(
    ("along", "value", "more", "holds"),
    [
        ("sgd", 0, {"steps": 600}, True),
        ("sgd", "3/2", {"steps": 600}, False),
        ("sgd", 0, {"steps": 20}, False),
        ("gd", "3/2", {"steps": 60}, True),
        ("gd", 0, {"steps": 60}, False),
        ("flow", "3/2", {"time": 2}, True),
        ("flow", 1, {"time": 2}, False),
    ],
)
def test_convergence(
    along: str, value: object, more: dict[str, Any], holds: bool
) -> None:
    claimed = stated(
        "charge", "converges", value, along=along, within="1/10", at=START, **more
    )
    result = checked(claimed)

    assert [e.verdict.holds for e in result.evidence] == [holds, holds]
    assert result.as_expected is holds


def test_a_divergent_run_has_not_arrived() -> None:
    far = {**START, "eta": 10}
    claimed = stated("charge", "converges", 0, along="sgd", within=1, steps=50, at=far)

    assert checked(claimed).verdict is Verdict.REFUTED


def test_training_that_moves_nothing_is_degenerate() -> None:
    rest = {**START, "x": [0, 0], "y": [1, 1]}
    claimed = stated(
        "charge", "converges", "3/2", along="sgd", within=1, steps=5, at=rest
    )

    assert checked(claimed).verdict is Verdict.INCONCLUSIVE


# Files.

FILE = """
[[claim]]
id = "mine.flow"
left = "flow"
relation = "=="
right = "noise - 4*gamma*charge"
given = ["gamma > 0"]

[[claim]]
id = "mine.wrong"
left = "flow"
relation = ">="
right = 0
"""


def test_claims_of_a_file_are_checked() -> None:
    campaign = verify_claims(declared("rescaling", FILE), profile="quick")

    assert [each.verdict.name for each in campaign.claims] == ["PROVED", "REFUTED"]
    assert campaign.exit_code == 1


def test_claims_do_not_change_what_a_declaration_is() -> None:
    assert declared("rescaling", FILE) == declared("rescaling")
    assert len(declared("rescaling", FILE).at({}).claims) == 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("relation = '='", "claim.0.relation: input should be '=='"),
        ("relation = '=='\nrigth = 1", "claim.0.rigth: unknown key"),
        ("relation = '=='", "right: expected a value, as the relation is '=='"),
        ("relation = '=='\nright = 'nois'", "unknown name nois; did you mean noise?"),
        ("relation = '=='\nright = 'noise +'", "claim mine.a, right, column 8"),
        ("relation = '=='\nright = 'noise**u'", "expected a number as the exponent"),
        ("relation = '<'\nright = 1\nalong = 'u'", "along: expected no such key"),
        ("relation = 'increasing'", "along: expected a value"),
        ("relation = 'increasing'\nalong = 'v'", "expected one of orbit, gamma"),
        ("relation = '<'\nright = 1\ngiven = ['u']", "expected one of ==, !="),
        ("relation = '<'\nright = 1\ngiven = ['u = 1']", "equality is written =="),
        ("relation = '<'\nright = 1\ngiven = ['u < vv']", "column 5: unknown name vv"),
        ("relation = '<'\nright = 1\nat = {v = 1}", "at.v: expected a number for one"),
        ("relation = '<'\nright = 1\nat = {eta = -1}", "expected eta > 0, got -1"),
        ("relation = '<'\nright = 1\nat = {S = 1.5}", "expected an integer S"),
        ("relation = '<'\nright = 1\nat = {x = [1], y = [1, 2]}", "as many samples"),
        ("relation = 'converges'\nright = 0\nalong = 'sgd'", "within: expected"),
        (
            "relation = 'converges'\nright = 0\nalong = 'adam'\nwithin = 1",
            "along: expected one of sgd, gd, flow",
        ),
        (
            "relation = 'converges'\nright = 0\nalong = 'sgd'\nwithin = 1\nsteps = 0",
            "steps: expected an integer from 1 to 20000, got 0",
        ),
        (
            "relation = 'converges'\nright = 0\nalong = 'sgd'\nwithin = -1\nsteps = 1",
            "expected a positive number, got -1",
        ),
    ],
)
def test_mistakes_are_named(table: str, said: str) -> None:
    text = f"[claim]\nid = 'mine.a'\nleft = 'flow'\n{table}"
    with pytest.raises(DeclarationError) as caught:
        user_claims(declared("rescaling", text))

    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["", "1a", "a b", "p1.eq7", "own.x", "a" * 65, None])
def test_ids_are_checked(name: Any) -> None:
    with pytest.raises(DeclarationError, match="expected an id"):
        UserClaim(name, "flow", "==", 0)


def test_two_claims_need_two_ids() -> None:
    twice = [stated("flow", ">=", 0), stated("noise", ">=", 0)]
    with pytest.raises(DeclarationError, match="another claim has it"):
        user_claims(declared("rescaling"), twice)


def test_all_mistakes_are_named_at_once() -> None:
    wrong = [UserClaim(f"mine.{n}", n, ">=", 0) for n in ("aa", "bb")]
    with pytest.raises(DeclarationError) as caught:
        user_claims(declared("rescaling"), wrong)

    assert "unknown name aa" in str(caught.value)
    assert "unknown name bb" in str(caught.value)


# For pytest.


def test_checks_have_the_ids_of_the_claims() -> None:
    checks = claim_checks(declared("rescaling", FILE))
    ids = [each.id for each in checks]

    assert ids[:2] == ["mine.flow", "mine.wrong"]
    assert "p1.eq7" in ids
    checks[0]()
    with pytest.raises(
        AssertionError, match=r"mine\.wrong: REFUTED.*\n.*\n  at loss ="
    ):
        checks[1]()


def test_a_scaffold_runs_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, names in ((nf, _PUBLIC), (verify, {"claim_checks": claim_checks})):
        for name, value in names.items():
            monkeypatch.setattr(place, name, value, raising=False)
    path = tmp_path / 'quoted "file".toml'
    path.write_text((EXAMPLES / "claims" / "rescaling.toml").read_text("utf-8"))
    made: dict[str, Any] = {}
    exec(compile(scaffold(path), "test_made.py", "exec"), made)
    (mark,) = made["test_claims"].pytestmark
    mine = [check for check in mark.args[1] if check.id.startswith("mine.")]

    assert mark.args[0] == "check"
    assert mark.kwargs["ids"][:2] == ["mine.flow", "mine.shrinks"]
    assert [each.id for each in mine][-2:] == ["mine.flow_", "mine.function"]
    for check in mine[-3:]:
        made["test_claims"](check)


@pytest.mark.parametrize(
    "name", ["scaling", "plane_rotation", "softmax_shift", "nonlinear", "log_scale"]
)
def test_the_claims_of_a_scaffold_are_true(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = EXAMPLES / f"{name}.toml"
    made: dict[str, Any] = {}
    for public, value in _PUBLIC.items():
        monkeypatch.setattr(nf, public, value, raising=False)
    monkeypatch.setattr(verify, "claim_checks", claim_checks, raising=False)
    exec(compile(scaffold(path), "test_made.py", "exec"), made)
    for each in user_claims(load(path), [made["CLAIM"], made["function"]]):
        assert _campaign._check(each, TINY, 0, None).as_expected, each.id


def test_a_model_is_no_declaration() -> None:
    model: Any = object()
    with pytest.raises(DeclarationError, match="declare its symmetry and its loss"):
        claim_checks(model)


def test_same_seed_same_evidence() -> None:
    claimed = stated("lam_star", "<=", "2")
    first, second = (checked(claimed, seed=3) for _ in range(2))

    assert first.evidence == second.evidence
    assert first.twin == second.twin


def test_a_parameter_must_not_hide_a_quantity() -> None:
    text = """
        [parameters]
        noise = []
        w = []
        [symmetry]
        matrix = [["1", "0"], ["0", "-1"]]
    """
    declaration = BATTERY.loads(f'schema = 1\nname = "hides"\n{text}')
    with pytest.raises(DeclarationError, match="rename the parameter"):
        user_claims(declaration, [stated("noise", ">=", 0)])
    assert user_claims(declaration, [stated("charge", ">=", 0)])


def test_a_refutation_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table: Any = _exact_quantities._TABLE
    wrong = lambda place: place.lift(Fraction(1))  # noqa: E731
    monkeypatch.setitem(table, "trace_sigma", wrong)
    reading = read(stated("trace_sigma", "<=", "trace_M2"), declared("rescaling"))
    evidence = dual_numbers(reading, Context(TINY, 0, "mine.x"))

    assert evidence.verdict is Verdict.REFUTED
    assert "a defect of this toolkit" in evidence.summary

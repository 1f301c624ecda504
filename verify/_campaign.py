"""Run claims and assemble the verdicts: `verify`."""

from __future__ import annotations

import difflib
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from symbolic import Declaration, DeclarationError, Symmetry, Verdict
from verify._claim import Claim, Route
from verify._claims import CLAIMS
from verify._context import ALPHA, PROFILE_SIZES, PROFILES, Context, Profile
from verify._evidence import Evidence
from verify._instances import derived, law_of
from verify._jobs import groups, in_processes, one_thread
from verify._result import Campaign, ClaimResult, TwinResult
from verify._subject import concrete
from verify._user_claims._build import user_claims


Progress = Callable[[str, int, int], None]
Said = dict[tuple[str, Route], Evidence]
_PACKAGES = (
    "noetherflow",
    "sympy",
    "numpy",
    "scipy",
    "torch",
    "hypothesis",
    "python-flint",
    "scikit-learn",
    "matplotlib",
)


_ALL_NAMED = "`noetherflow list`, in Python `claim_ids()`, names all"


class UnknownClaimError(ValueError):
    """A claim id that does not exist; the message names the nearest."""


def claims() -> tuple[Claim, ...]:
    """Return all claims, in the order of the papers.

    >>> claims()[0].source
    'P1 (arXiv 2402.07193 v1), Eq. (2) and the example after it'
    """
    return CLAIMS


def claim_ids() -> tuple[str, ...]:
    """Return the ids of all claims, in the order of the papers.

    >>> claim_ids()[0]
    'p1.eq2'
    """
    return tuple(claim.id for claim in CLAIMS)


def claim_titles() -> dict[str, str]:
    """Return id → title."""
    return {claim.id: claim.title for claim in CLAIMS}


def verify(
    what: str | Declaration | Iterable[str] | None = None,
    *,
    seed: int = 0,
    profile: str = "standard",
    progress: Progress | None = None,
    jobs: int = 1,
) -> Campaign:
    """Check claims by every route and run each claim's twin through the same routes.

    Args:
        what: a claim id, several, None for all, or a `Declaration` on which every
            theorem about its kind is then run, and every claim of its file.
        seed: the seed of every random stream; same seed and profile, same verdicts.
        profile: "quick", "standard" or "deep": all sample sizes.
        progress: called as progress(claim id, claims done, claims in all).
        jobs: processes to use, at most; the results do not depend on it.

    Returns:
        The finished campaign.

    Raises:
        UnknownClaimError: for an id that does not exist.
        ValueError: for an unknown profile, a negative seed, or jobs below 1.
        WorkerError: where a process of several was killed.
        DeclarationError: for a declaration that no theorem applies to, or whose loss
            lacks the symmetry; for claims of its file that say nothing.

    >>> campaign = verify("p1.eq6", profile="quick")
    >>> campaign.claims[0].verdict.name, campaign.exit_code
    ('REFUTED', 0)
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    _check_integer("seed", seed, 0)
    _check_integer("jobs", jobs, 1)
    own = user_claims(what) if isinstance(what, Declaration) else ()
    subject, claims = _select(what)
    start = time.perf_counter()
    jobs = min(jobs, len(groups(claims)))
    if jobs == 1:
        results = _in_turn(claims, profile, seed, subject, progress)
    else:
        results = _in_parallel(claims, profile, seed, subject, progress, jobs)
    results += [_check_own(claim, profile, seed) for claim in own]
    return Campaign(
        seed,
        profile,
        ALPHA,
        "the built-in catalogue" if subject is None else subject[0].name,
        tuple(results),
        _environment(),
        jobs,
        time.perf_counter() - start,
    )


def _check_integer(name: str, value: object, least: int) -> None:
    """Refuse what is no integer, or too small.

    Raises:
        ValueError: for a bool, too.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{name}: expected an integer of at least {least}, got {value!r}"
        )


def _in_turn(
    claims: tuple[Claim, ...],
    profile: str,
    seed: int,
    subject: tuple[Declaration, ...] | None,
    progress: Progress | None,
) -> list[ClaimResult]:
    """Check one claim after the other in this process."""
    results: list[ClaimResult] = []
    said: Said = {}
    with one_thread():
        for done, claim in enumerate(claims):
            if progress is not None:
                progress(claim.id, done, len(claims))
            results.append(_check(claim, PROFILE_SIZES[profile], seed, subject, said))
    if progress is not None:
        progress(claims[-1].id, len(claims), len(claims))
    return results


def _in_parallel(
    claims: tuple[Claim, ...],
    profile: str,
    seed: int,
    subject: tuple[Declaration, ...] | None,
    progress: Progress | None,
    jobs: int,
) -> list[ClaimResult]:
    """Check the claims in several processes; results in the order of the claims."""
    finished: list[str] = []

    def done(result: ClaimResult) -> None:
        finished.append(result.id)
        if progress is not None:
            progress(result.id, len(finished), len(claims))

    work = partial(_check_group, profile=profile, seed=seed, subject=subject)
    found = in_processes(work, groups(claims), jobs, done)
    by_id = {result.id: result for result in found}
    return [by_id[claim.id] for claim in claims]


def _check_own(claim: Claim, profile: str, seed: int) -> ClaimResult:
    """Check a claim of the user's own, which is not excused where it does not apply."""
    with one_thread():
        result = _check(claim, PROFILE_SIZES[profile], seed, None)
    replay = f"noetherflow.verify(declaration, seed={seed}, profile={profile!r})"
    return replace(result, replay=replay)


def _check_group(
    names: tuple[str, ...],
    *,
    profile: str,
    seed: int,
    subject: tuple[Declaration, ...] | None,
) -> list[ClaimResult]:
    """Check claims by id, in a process of their own."""
    known = {claim.id: claim for claim in CLAIMS}
    sizes, said = PROFILE_SIZES[profile], Said()
    with one_thread():
        return [_check(known[name], sizes, seed, subject, said) for name in names]


def _select(what: Any) -> tuple[tuple[Declaration, ...] | None, tuple[Claim, ...]]:
    if isinstance(what, Declaration):
        subject = concrete(what)
        _check_subject(subject)
        return (subject, *_rescaled(subject)), CLAIMS
    if what is None:
        return None, CLAIMS
    if not isinstance(what, Iterable):
        raise UnknownClaimError(
            f"expected ids of claims or a Declaration, got {what!r} (type "
            f"{type(what).__name__})"
        )
    wanted = [what] if isinstance(what, str) else list(what)
    known = {claim.id: claim for claim in CLAIMS}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
            raise UnknownClaimError(
                f"unknown claim {name!r}; did you mean {near[0]!r}? {_ALL_NAMED}"
            )
    if not wanted:
        raise UnknownClaimError(f"expected at least one claim. {_ALL_NAMED}")
    return None, tuple(claim for claim in CLAIMS if claim.id in wanted)


def _check_subject(declaration: Declaration) -> None:
    symmetry = declaration.symmetry
    if symmetry.constants:
        names = ", ".join(map(str, symmetry.constants))
        raise DeclarationError(
            f"expected numbers throughout the symmetry of {declaration.name!r}, got "
            f"the free constants {names}: give them values"
        )
    if not any(symmetry.generator):
        raise DeclarationError(
            f"expected J with a non-zero entry, got J = 0 in {declaration.name!r}: "
            f"nothing moves, and every statement about it is empty"
        )
    if all(claim.why_not(declaration) is not None for claim in CLAIMS):
        raise DeclarationError(
            f"no statement applies to {declaration.name!r}, which has no loss, and "
            f"its symmetry no charge: declare a loss"
        )
    invariance = derived(declaration).invariance
    if invariance.verdict is Verdict.REFUTED and invariance.witness is not None:
        raise DeclarationError(
            f"the loss of {declaration.name!r} does not have the declared symmetry: "
            f"grad l . J is not 0 {invariance.witness.describe()}"
        )


def _rescaled(declaration: Declaration) -> tuple[Declaration, ...]:
    """Return the declaration with A times n where n makes all eigenvalues integers.

    It moves along the same orbits n times as fast, and the exact routes, which put
    rational numbers for e^λ, need integer powers of it.

    Returns:
        The declaration, or nothing where n = 1 or the eigenvalues are irrational.
    """
    A = declaration.symmetry.matrix
    if A is None or declaration.symmetry.kind != "exponential":
        return ()
    values = law_of(declaration).equilibrium.eigenvalues
    if not all(value.is_Rational for value in values):
        return ()
    n = math.lcm(*(int(value.q) for value in values))
    if n == 1:
        return ()
    symmetry = Symmetry.exponential(declaration.space, n * A)
    name = f"{declaration.name}, A times {n}"
    return (Declaration(name, declaration.space, symmetry, declaration.loss),)


def _check(
    claim: Claim,
    profile: Profile,
    seed: int,
    subject: tuple[Declaration, ...] | None,
    said: Said | None = None,
) -> ClaimResult:
    """Run a claim and its twin; `said` is what the routes of this run said before."""
    said = {} if said is None else said
    start = time.perf_counter()
    reason = claim.why_not(subject[0]) if subject is not None else None
    if reason is not None:
        evidence, twin = _not_applicable(claim, reason)
    else:
        context = Context(profile, seed, claim.id, subject)
        evidence = _ask(claim, claim.subject, context, said)
        twin = _check_twin(claim, profile, seed, subject, said)
    verdict = combine(evidence)
    applies = verdict is not Verdict.NOT_APPLICABLE
    if subject is not None and applies and not twin.as_expected:
        # On this declaration the altered statement may be true, or be the same.
        twin = _check_twin(claim, profile, seed, None, said)
    refuting = [e.counterexample for e in evidence if e.verdict is Verdict.REFUTED]
    return ClaimResult(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        formula=claim.formula,
        source=claim.source,
        form=claim.form,
        amends=claim.amends,
        expected=claim.expected,
        verdict=verdict,
        discrepancy=claim.discrepancy,
        assumptions=claim.assumptions,
        derivation=claim.derivation,
        evidence=evidence,
        twin=twin,
        counterexample=refuting[0] if refuting else None,
        disagreement=disagree(evidence),
        note=claim.note,
        replay=f"noetherflow verify {claim.id} --seed {seed} --profile {profile.name}"
        if subject is None
        else f"noetherflow.verify(declaration, seed={seed}, profile={profile.name!r})",
        seconds=time.perf_counter() - start,
        optional=subject is not None,
    )


def _not_applicable(
    claim: Claim, reason: str
) -> tuple[tuple[Evidence, ...], TwinResult]:
    """Return evidence that an assumption fails: no route runs, nor on anything else."""
    evidence = (Evidence("assumptions", Verdict.NOT_APPLICABLE, reason),)
    verdict = Verdict.NOT_APPLICABLE
    twin = TwinResult(claim.twin_kind, claim.twin_statement, verdict, evidence)
    return evidence, twin


def _check_twin(
    claim: Claim,
    profile: Profile,
    seed: int,
    subject: tuple[Declaration, ...] | None,
    said: Said,
) -> TwinResult:
    # On a declaration of the user's own no example by hand comes first, and a twin's
    # counterexample is only there to be one.
    key = _twin_key(claim) if subject is None else f"{claim.id} twin"
    context = Context(profile, seed, key, subject, shrink=subject is None)
    evidence = _ask(claim, claim.twin_subject, context, said)
    return TwinResult(
        claim.twin_kind, claim.twin_statement, combine(evidence), evidence
    )


def _twin_key(claim: Claim) -> str:
    """Return the key of a twin's streams: the id of the claim that says the same.

    The twin of a statement as printed is mostly its correction, and the other way
    round: what its routes say there is then not found out twice.
    """
    for other in CLAIMS:
        counterparts = other.amends == claim.id or claim.amends == other.id
        if counterparts and other.subject == claim.twin_subject:
            return other.id
    return f"{claim.id} twin"


def _ask(
    claim: Claim, statement: Any, context: Context, said: Said
) -> tuple[Evidence, ...]:
    """Return what the routes say, those that said it before without being run."""
    evidence = []
    for route in claim.routes:
        key = (context.claim, route)
        if context.subject is not None:
            evidence.append(route(statement, context))
            continue
        if key not in said:
            said[key] = route(statement, context)
        evidence.append(said[key])
    return tuple(evidence)


def combine(evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict of a claim from those of its routes (DESIGN §2).

    REFUTED when a route refutes, else the strongest that holds, else INCONCLUSIVE;
    NOT_APPLICABLE when every route says so.
    """
    verdicts = [item.verdict for item in evidence]
    if Verdict.REFUTED in verdicts:
        return Verdict.REFUTED
    holding = [verdict for verdict in verdicts if verdict.holds]
    if holding:
        return max(holding, key=lambda verdict: verdict.strength)
    if verdicts and all(verdict is Verdict.NOT_APPLICABLE for verdict in verdicts):
        return Verdict.NOT_APPLICABLE
    return Verdict.INCONCLUSIVE


def disagree(evidence: tuple[Evidence, ...]) -> bool:
    """Return whether one route proves what another refutes: a defect of the toolkit."""
    verdicts = {item.verdict for item in evidence}
    return Verdict.REFUTED in verdicts and bool(
        verdicts & {Verdict.PROVED, Verdict.CERTIFIED}
    )


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {"processors": str(os.cpu_count())}

"""Run the routes of claims on altered formulas: `mutants`."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import verify._claims as claim_files
from symbolic import Verdict
from verify._campaign import UnknownClaimError, combine
from verify._claim import Claim
from verify._claims import CLAIMS
from verify._context import PROFILE_SIZES, PROFILES, Context, Profile
from verify._evidence import Evidence
from verify._mutants._edits import in_force, target
from verify._mutants._mutant import Edit, Edited, Mutant, Restated
from verify._mutants._order import in_order
from verify._mutants._resolution import smallest_noticed
from verify._mutants._restate import declared, restated
from verify._mutants._result import MutantResult, MutantRun
from verify._mutants._toolkit import TOOLKIT
from verify._mutants._unread import unread


Progress = Callable[[str, int, int], None]


def all_mutants(claims: Sequence[Claim] = CLAIMS) -> tuple[Mutant, ...]:
    """Return every mutant: of statements, of the toolkit, and claim files' own.

    Args:
        claims: whose.

    Returns:
        The mutants; those of claims that are not there are left out.
    """
    ids = {claim.id for claim in claims}
    statements = [mutant for claim in claims for mutant in restated(claim)]
    others = [
        replace(mutant, claims=tuple(id for id in mutant.claims if id in ids))
        for mutant in (*TOOLKIT, *declared(claim_files))
        if ids.intersection(mutant.claims)
    ]
    return (*statements, *others)


def mutants(
    what: str | Iterable[str] | None = None,
    *,
    seed: int = 0,
    profile: str = "quick",
    progress: Progress | None = None,
) -> MutantRun:
    """Alter formulas one by one and see which claim and route notices.

    A statement's mutant is killed where a route refutes the altered statement, a
    toolkit's where a claim that should hold comes out refuted or weaker than it should,
    its false twin is no longer refuted, or a route breaks off. Routes run until the
    first kill, cheap ones first; a kill counts only where the same route does not say
    the same of the unaltered formula.

    Args:
        what: ids of claims, or names of mutants; None for all.
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep".
        progress: called as progress(name of the mutant, done, in all).

    Returns:
        Who noticed what.

    Raises:
        UnknownClaimError: for a name that is neither a claim's nor a mutant's.
        ValueError: for an unknown profile.

    >>> run = mutants("p1.eq6.corrected")
    >>> run.killed == len(run.results) > 4, run.exit_code
    (True, 0)
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    chosen = _chosen(what)
    start, bench = time.perf_counter(), Bench(PROFILE_SIZES[profile], seed)
    results = []
    for done, mutant in enumerate(chosen):
        if progress is not None:
            progress(mutant.name, done, len(chosen))
        results.append(bench.result(mutant))
    return MutantRun(seed, profile, tuple(results), time.perf_counter() - start)


def _chosen(what: str | Iterable[str] | None) -> tuple[Mutant, ...]:
    known = all_mutants()
    if what is None:
        return known
    wanted = [what] if isinstance(what, str) else list(what)
    names = {m.name for m in known} | {claim.id for claim in CLAIMS}
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)
            raise UnknownClaimError(
                f"unknown claim or mutant {name!r}; did you mean {near[0]!r}?"
            )
    return tuple(m for m in known if m.name in wanted or set(m.claims) & set(wanted))


@dataclass(frozen=True, slots=True)
class _Kill:
    how: str
    claim: str
    route: str
    verdict: Verdict | None
    shown: str


@dataclass(slots=True)
class Bench:
    """Runs mutants, and remembers what the routes say of unaltered formulas.

    Attributes:
        profile: the sample sizes.
        seed: the seed.
        claims: those whose routes are run.
        plain: (claim, route's place, whether of the twin) → what unaltered code says.
        tried: routes run so far on mutants.
    """

    profile: Profile
    seed: int
    claims: Sequence[Claim] = CLAIMS
    plain: dict[tuple[str, int, bool], Evidence | None] = field(default_factory=dict)
    tried: int = 0

    def result(self, mutant: Mutant) -> MutantResult:
        """Return who noticed a mutant.

        Args:
            mutant: the alteration.
        """
        start, before, kill = time.perf_counter(), self.tried, None
        for claim in self._claims_of(mutant):
            kill = self._killed(mutant, claim)
            if kill is not None:
                break
        tried = self.tried - before
        if kill is not None:
            found = (kill.how, kill.claim, kill.route, kill.verdict, kill.shown)
            return MutantResult(mutant, *found, tried, seconds=_since(start))
        explanation = self._explained(mutant)
        smallest = None
        if not explanation:
            smallest = smallest_noticed(mutant, lambda c: self._noticed(mutant, c))
        nobody = ("", "", "", None, "")
        return MutantResult(
            mutant, *nobody, tried, smallest, explanation, _since(start)
        )

    def _claims_of(self, mutant: Mutant) -> list[Claim]:
        known = {claim.id: claim for claim in self.claims}
        return [known[id] for id in mutant.claims]

    def _noticed(self, mutant: Mutant, change: Restated | Edited) -> bool:
        """Return whether somebody notices the same mutant in another size."""
        other = replace(mutant, apply=change)
        return any(self._killed(other, claim) for claim in self._claims_of(mutant))

    def _killed(self, mutant: Mutant, claim: Claim) -> _Kill | None:
        """Return how one claim notices, or None.

        Routes that cannot reach an altered function say what they always say, and are
        not run.
        """
        apply = mutant.apply
        subject = apply.subject if isinstance(apply, Restated) else claim.subject
        edits = apply.edits if isinstance(apply, Edited) else ()
        order = in_order(claim.routes, tuple(map(target, edits)))
        found: dict[int, Evidence] = {}
        for place in order:
            evidence = self._run(claim, place, subject, edits)
            kill = self._by_route(claim, place, evidence)
            if kill is not None:
                return kill
            if isinstance(evidence, Evidence):
                found[place] = evidence
        if not edits:
            return None
        return self._lost(claim, found) or self._twin(claim, order, edits)

    def _run(
        self, claim: Claim, place: int, subject: Any, edits: tuple[Edit, ...]
    ) -> Evidence | Exception:
        self.tried += 1
        return self._said(claim, place, subject, edits, claim.id)

    def _said(
        self, claim: Claim, place: int, subject: Any, edits: tuple[Edit, ...], key: str
    ) -> Evidence | Exception:
        """Return what a route says, or the error it breaks off with."""
        context = Context(self.profile, self.seed, key, None, shrink=False)
        with in_force(edits) if edits else nullcontext():
            try:
                return claim.routes[place](subject, context)
            except Exception as error:  # whatever altered code may raise
                return error

    def _plain(
        self, claim: Claim, place: int, *, twin: bool = False
    ) -> Evidence | None:
        """Return what a route says of the unaltered formula; None where it breaks."""
        key = (claim.id, place, twin)
        if key not in self.plain:
            subject = claim.twin_subject if twin else claim.subject
            found = self._said(claim, place, subject, (), claim.id)
            self.plain[key] = found if isinstance(found, Evidence) else None
        return self.plain[key]

    def _by_route(
        self, claim: Claim, place: int, found: Evidence | Exception
    ) -> _Kill | None:
        """Return the kill where a route refutes or breaks off, and not without cause.

        A route that does the same on the unaltered formula has noticed nothing.
        """
        if isinstance(found, Evidence) and found.verdict is not Verdict.REFUTED:
            return None
        plain = self._plain(claim, place)
        if plain is None or plain.verdict is Verdict.REFUTED:
            return None
        if isinstance(found, Exception):
            text = f"{type(found).__name__}: {found}"
            return _Kill("error", claim.id, plain.route, None, text)
        witness = found.counterexample
        shown = f"{witness.left} against {witness.right}" if witness else ""
        return _Kill("refuted", claim.id, found.route, found.verdict, shown)

    def _lost(self, claim: Claim, found: dict[int, Evidence]) -> _Kill | None:
        """Return the kill where the routes together no longer reach the verdict."""
        verdict = combine(tuple(found.values()))
        if not found or verdict.at_least(claim.expected):
            return None
        changed = []
        for place, evidence in found.items():
            plain = self._plain(claim, place)
            if plain is None or plain.verdict.at_least(claim.expected):
                changed.append(evidence.route)
        if not changed:
            return None  # what was altered never reached the verdict
        for place in in_order(claim.routes, ()):
            plain = None if place in found else self._plain(claim, place)
            if plain is not None and plain.verdict.at_least(claim.expected):
                return None  # another route carries the verdict
        shown = f"{verdict.name}, expected {claim.expected.name}"
        return _Kill("lost", claim.id, ", ".join(changed), verdict, shown)

    def _twin(
        self, claim: Claim, reached: tuple[int, ...], edits: tuple[Edit, ...]
    ) -> _Kill | None:
        """Return the kill where no route refutes the false twin any more."""
        others = [p for p in in_order(claim.routes, ()) if p not in reached]
        for place in (*others, *reached):
            plain = self._plain(claim, place, twin=True)
            if plain is None or plain.verdict is not Verdict.REFUTED:
                continue
            if place in others:
                return None
            found = self._run(claim, place, claim.twin_subject, edits)
            if isinstance(found, Evidence) and found.verdict is Verdict.REFUTED:
                return None
            lost = plain.route
            rest = [p for p in reached if p != place]
            again = (self._run(claim, p, claim.twin_subject, edits) for p in rest)
            if any(isinstance(e, Evidence) and e.counterexample for e in again):
                return None
            return _Kill("twin", claim.id, lost, None, "the twin is not refuted")
        return None

    def _explained(self, mutant: Mutant) -> str:
        """Return why a survivor says the same as the original, where that is so."""
        known = mutant.equivalent
        if known is not None:
            return known.reason if known.holds is None or known.holds() else ""
        apply = mutant.apply
        if isinstance(apply, Restated):
            for claim in self._claims_of(mutant):
                return unread(claim, apply.subject, self.profile, self.seed)
        return ""


def _since(start: float) -> float:
    return time.perf_counter() - start

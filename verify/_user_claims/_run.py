"""Run claims of the user's own: `verify_claims`, and single checks for pytest."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from symbolic import Declaration, DeclarationError, load
from verify._campaign import _check, _check_subject, _environment, _rescaled
from verify._claim import Claim
from verify._claims import CLAIMS
from verify._context import ALPHA, PROFILE_SIZES, PROFILES
from verify._result import Campaign, ClaimResult
from verify._subject import concrete
from verify._user_claims._build import Claimed, user_claims


def verify_claims(
    what: Declaration | str | Path,
    claims: Iterable[Claimed] = (),
    *,
    seed: int = 0,
    profile: str = "standard",
) -> Campaign:
    """Check the user's own claims about a declaration.

    Args:
        what: a declaration, or a file that makes one; its `[claim]` tables are checked.
        claims: more of them, made by `UserClaim` or `claim`.
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep".

    Returns:
        The finished campaign.

    Raises:
        DeclarationError: for what declares nothing, claims that say nothing, or none.
        ValueError: for an unknown profile.

    >>> from symbolic import rescaling
    >>> from verify._user_claims._statement import UserClaim
    >>> growth = UserClaim("mine.growth", "noise", ">=", 0)
    >>> verify_claims(rescaling(), [growth], profile="quick").claims[0].verdict.name
    'REFUTED'
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    declaration = _declaration(what)
    start = time.perf_counter()
    built = user_claims(declaration, claims)
    if not built:
        raise DeclarationError(
            f"expected a claim about {declaration.name!r}, got none: add a [claim] "
            f"table to its file, or pass UserClaim(...)"
        )
    results = tuple(check_own(claim, profile, seed) for claim in built)
    return Campaign(
        seed,
        profile,
        ALPHA,
        concrete(declaration).name,
        results,
        _environment(),
        1,
        time.perf_counter() - start,
    )


def check_own(claim: Claim, profile: str, seed: int) -> ClaimResult:
    """Return what becomes of one claim of the user's own.

    Args:
        claim: built by `user_claims`.
        profile: name of the profile.
        seed: seed of the streams.
    """
    result = _check(claim, PROFILE_SIZES[profile], seed, None)
    replay = f"noetherflow.verify_claims(declaration, seed={seed}, profile={profile!r})"
    return replace(result, replay=replay)


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """One claim, to be called by a test: it raises where the claim fails.

    Attributes:
        id: the claim's id.
        claim: the claim.
        subject: what a theorem is checked on; None for the user's own claims.
        profile: name of the profile.
        seed: seed of the streams.
    """

    id: str
    claim: Claim
    subject: tuple[Declaration, ...] | None
    profile: str
    seed: int

    def result(self) -> ClaimResult:
        """Run the claim."""
        if self.subject is None:
            return check_own(self.claim, self.profile, self.seed)
        return _check(self.claim, PROFILE_SIZES[self.profile], self.seed, self.subject)

    def __call__(self) -> None:
        """Run the claim and compare it with what is expected.

        Raises:
            AssertionError: with the verdict, and the counterexample where there is one.
        """
        result = self.result()
        if not result.as_expected:
            raise AssertionError(explained(result))


def claim_checks(
    what: Declaration | str | Path,
    claims: Iterable[Claimed] = (),
    *,
    theorems: bool = True,
    seed: int = 0,
    profile: str = "quick",
) -> tuple[ClaimCheck, ...]:
    """Return the checks of a declaration: its own claims, then what applies to it.

    Args:
        what: a declaration, or a file that makes one.
        claims: more claims.
        theorems: whether the general theorems about its kind are checked too.
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep".

    Returns:
        One check for each claim, to be called.

    Raises:
        DeclarationError: where there is nothing to check.
        ValueError: for an unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    declaration = _declaration(what)
    own = user_claims(declaration, claims)
    found = [ClaimCheck(each.id, each, None, profile, seed) for each in own]
    if theorems:
        subject = concrete(declaration)
        _check_subject(subject)
        subjects = (subject, *_rescaled(subject))
        found += [
            ClaimCheck(each.id, each, subjects, profile, seed)
            for each in CLAIMS
            if each.why_not(subject) is None
        ]
    if not found:
        raise DeclarationError(
            f"expected a claim about {declaration.name!r}, got none: add a [claim] "
            f"table to its file, or pass UserClaim(...)"
        )
    return tuple(found)


def explained(result: ClaimResult) -> str:
    """Return why a result is not as expected.

    Args:
        result: of a claim.
    """
    lines = [f"{result.id}: {result.verdict.name}, expected {result.expected.name}"]
    lines.append(f"  {result.statement}")
    if result.counterexample is not None:
        lines.append(f"  {result.counterexample.describe()}")
    lines += [f"  {e.route}: {e.verdict.name}: {e.summary}" for e in result.evidence]
    if result.disagreement:
        lines.append("  one route proves what another refutes: please report this")
    elif not result.twin.as_expected:
        lines.append(
            f"  its twin, {result.twin.statement}, came out "
            f"{result.twin.verdict.name}: the check does not tell the two apart"
        )
    return "\n".join(lines)


def _declaration(what: object) -> Declaration:
    if isinstance(what, Declaration):
        return what
    if isinstance(what, str | Path):
        return load(what)
    raise DeclarationError(
        f"expected a Declaration, or the path of a file that makes one, got "
        f"{what!r:.60} (type {type(what).__name__}); for a model, declare its symmetry "
        f"and its loss first"
    )

"""A finished campaign as plain data: what `reports` renders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from symbolic import Verdict, Witness
from verify._evidence import Evidence, Figure


@dataclass(frozen=True, slots=True)
class TwinResult:
    """What the routes of a claim said of its twin.

    Attributes:
        kind: "false" (must be REFUTED) or "true" (must hold).
        statement: the altered statement.
        verdict: what came out.
        evidence: route by route.
    """

    kind: str
    statement: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]

    @property
    def as_expected(self) -> bool:
        """Return whether the twin shows that the check can say the opposite."""
        return (
            self.verdict is Verdict.REFUTED
            if self.kind == "false"
            else self.verdict.holds
        )


@dataclass(frozen=True, slots=True)
class Breakage:
    """An assumption of a claim, and an instance showing what breaks without it."""

    assumption: str
    without: str


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One claim with its verdict, its evidence and its twin.

    Attributes:
        id: the claim's id, such as "p1.eq7".
        title: a few words for a table.
        statement: the statement; LaTeX between dollar signs.
        formula: the central formula as LaTeX, without dollar signs.
        source: paper and equation.
        form: "published", "corrected" or "own".
        amends: id of the published claim it corrects, or None.
        expected: the verdict expected.
        verdict: the verdict reached.
        discrepancy: the discrepancy that would matter, in words.
        assumptions: each with what breaks without it.
        derivation: lines of the derivation; LaTeX between dollar signs.
        evidence: route by route.
        twin: the twin's result.
        counterexample: what refutes the claim, or None.
        disagreement: whether one route proved what another refuted.
        note: a remark for the reader ("" for none).
        replay: the command that runs this claim again.
        seconds: wall-clock seconds (not part of the reproducible bytes).
        optional: whether the claim may be NOT_APPLICABLE, in a run on one declaration.
    """

    id: str
    title: str
    statement: str
    formula: str
    source: str
    form: str
    amends: str | None
    expected: Verdict
    verdict: Verdict
    discrepancy: str
    assumptions: tuple[Breakage, ...]
    derivation: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    twin: TwinResult
    counterexample: Witness | None
    disagreement: bool
    note: str
    replay: str
    seconds: float
    optional: bool = False

    @property
    def as_expected(self) -> bool:
        """Return whether claim and twin came out as they should."""
        if self.excused:
            return not self.disagreement
        return (
            not self.disagreement
            and self.verdict.at_least(self.expected)
            and self.twin.as_expected
        )

    @property
    def excused(self) -> bool:
        """Return whether the claim is about something else than the declaration."""
        return self.optional and self.verdict is Verdict.NOT_APPLICABLE

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return the figures of all routes, in order."""
        return tuple(figure for item in self.evidence for figure in item.figures)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A finished run.

    Attributes:
        seed: the seed every random stream is derived from.
        profile: name of the profile, which fixes every sample size.
        alpha: family-wise false-alarm budget of the run.
        subject: what was checked ("the built-in catalogue" or a declaration's name).
        claims: results in the order of the papers.
        environment: name → version or description.
        jobs: processes used.
        seconds: wall-clock seconds of the run.
    """

    seed: int
    profile: str
    alpha: float
    subject: str
    claims: tuple[ClaimResult, ...]
    environment: Mapping[str, str]
    jobs: int
    seconds: float

    @property
    def summary(self) -> dict[str, int]:
        """Return how many claims got each verdict, in the order of `Verdict`."""
        counts = Counter(claim.verdict for claim in self.claims)
        return {verdict.name: counts[verdict] for verdict in Verdict if counts[verdict]}

    @property
    def exit_code(self) -> int:
        """Return DESIGN §3's exit code: 0, or the first of 4, 1, 3 that applies."""
        if not self.claims or any(claim.disagreement for claim in self.claims):
            return 4
        if any(_is_wrong(claim) for claim in self.claims):
            return 1
        return 0 if all(claim.as_expected for claim in self.claims) else 3


def _is_wrong(claim: ClaimResult) -> bool:
    """Return whether something came out refuted that should hold, or the reverse."""
    twin = claim.twin
    return (
        (claim.verdict is Verdict.REFUTED and claim.expected is not Verdict.REFUTED)
        or (claim.verdict.holds and claim.expected is Verdict.REFUTED)
        or (twin.verdict is Verdict.REFUTED and twin.kind == "true")
        or (twin.verdict.holds and twin.kind == "false")
    )

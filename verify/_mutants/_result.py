"""What came of the mutants, as plain data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from symbolic import Verdict
from verify._mutants._mutant import Mutant


HOWS = {
    "refuted": "a route refuted what should hold",
    "lost": "the claim no longer reaches its verdict",
    "twin": "the false twin is no longer refuted",
    "error": "a route broke off",
}
SHARE = 0.97  # of the mutants that must be killed


@dataclass(frozen=True, slots=True)
class MutantResult:
    """One mutant, and who noticed.

    Attributes:
        mutant: the alteration.
        how: one of `HOWS`, or "" for a survivor.
        claim: id of the claim that noticed ("" for none).
        route: name of the route that noticed.
        verdict: what that route, or the claim, came out as; None after an error.
        shown: the two sides of the counterexample, or the error.
        tried: routes run on it.
        smallest: for a survivor, the smallest relative discrepancy of the altered
            number that some route notices; None where there is no number.
        explanation: for a survivor, why nobody can notice ("" for none known).
        seconds: time spent (not part of the reproducible results).
    """

    mutant: Mutant
    how: str
    claim: str
    route: str
    verdict: Verdict | None
    shown: str
    tried: int
    smallest: float | None = None
    explanation: str = ""
    seconds: float = 0.0

    @property
    def killed(self) -> bool:
        """Return whether somebody noticed."""
        return bool(self.how)

    @property
    def explained(self) -> bool:
        """Return whether it was killed, or one knows why not.

        Either it says the same as the original, or it is smaller than what these sample
        sizes resolve, and the size that would be noticed is known.
        """
        sized = self.smallest is not None and 0.0 < self.smallest < math.inf
        return self.killed or bool(self.explanation) or sized


@dataclass(frozen=True, slots=True)
class MutantRun:
    """All mutants of a run.

    Attributes:
        seed: the seed of every random stream.
        profile: name of the profile.
        results: mutant by mutant.
        seconds: wall-clock seconds.
    """

    seed: int
    profile: str
    results: tuple[MutantResult, ...]
    seconds: float

    @property
    def killed(self) -> int:
        """Return how many were noticed."""
        return sum(result.killed for result in self.results)

    @property
    def share(self) -> float:
        """Return the share that was noticed; 0 where there is no mutant."""
        return self.killed / len(self.results) if self.results else 0.0

    @property
    def survivors(self) -> tuple[MutantResult, ...]:
        """Return those that nobody noticed."""
        return tuple(result for result in self.results if not result.killed)

    def counts(self, key: str) -> dict[str, tuple[int, int]]:
        """Return value → (killed, all), by "family" or "kind" of the mutant.

        Args:
            key: name of an attribute of `Mutant`.
        """
        totals = Counter(str(getattr(r.mutant, key)) for r in self.results)
        dead = Counter(str(getattr(r.mutant, key)) for r in self.results if r.killed)
        return {value: (dead[value], total) for value, total in totals.items()}

    @property
    def killers(self) -> dict[str, int]:
        """Return route → how many it killed, most first."""
        names: Iterable[str] = (r.route for r in self.results if r.killed)
        return dict(Counter(names).most_common())

    @property
    def exit_code(self) -> int:
        """Return 0 where enough were killed and the rest is explained, else 1."""
        sound = all(result.explained for result in self.results)
        return 0 if sound and self.share >= SHARE else 1

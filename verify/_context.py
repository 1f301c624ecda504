"""What a route is given: profile, streams, drawn instances, α."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed as hypothesis_seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

from symbolic import Declaration


_T = TypeVar("_T")
ALPHA = 1e-6  # family-wise false-alarm budget of one run
PLANNED_TESTS = 500  # statistical tests a run may make; each gets ALPHA / PLANNED_TESTS


@dataclass(frozen=True, slots=True)
class Profile:
    """The sample sizes of a run, so that a seed means the same numbers everywhere.

    Attributes:
        name: "quick", "standard" or "deep".
        exact: instances of each exact route.
        ensembles: instances of each simulated route.
        replicas: trajectories per instance.
        steps: steps per trajectory.
        parameters: of the built-in declarations that expressions are derived for, at
            most.
    """

    name: str
    exact: int
    ensembles: int
    replicas: int
    steps: int
    parameters: int = 12


PROFILE_SIZES = {
    "quick": Profile(
        "quick", exact=16, ensembles=3, replicas=64, steps=60, parameters=6
    ),
    "standard": Profile("standard", exact=40, ensembles=6, replicas=256, steps=120),
    "deep": Profile("deep", exact=1000, ensembles=40, replicas=1024, steps=400),
}
PROFILES = tuple(PROFILE_SIZES)


@dataclass(frozen=True, slots=True)
class Context:
    """The profile, the seed and the subject of a run, as seen by one claim.

    Attributes:
        profile: the sample sizes.
        seed: the seed of the run.
        claim: the claim's id, part of every stream's key.
        subject: declarations under test; None for the catalogue and drawn ones.
        shrink: whether a failure is made small, which takes a hundred instances more.
    """

    profile: Profile
    seed: int
    claim: str
    subject: tuple[Declaration, ...] | None = None
    shrink: bool = True

    @property
    def alpha(self) -> float:
        """Return the false-alarm probability each statistical test may spend."""
        return ALPHA / PLANNED_TESTS

    def key(self, *parts: object) -> int:
        """Return a 64-bit key of the seed, the claim and `parts` (blake2b)."""
        text = "|".join(map(str, (self.seed, self.claim, *parts)))
        return int.from_bytes(
            hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"
        )

    def rng(self, *parts: object) -> np.random.Generator:
        """Return the random stream of `parts`, the same whatever ran before."""
        return np.random.Generator(np.random.Philox(key=self.key(*parts)))

    def examine(
        self,
        strategy: SearchStrategy[_T],
        check: Callable[[_T], None],
        count: int,
        name: str,
    ) -> BaseException | None:
        """Run `check` on `count` drawn instances; return the shrunk failure, if any.

        Args:
            strategy: what to draw from.
            check: raises `Counterexample` where the statement fails.
            count: how many instances.
            name: part of the stream's key.

        Returns:
            The smallest `Counterexample` found, or None.
        """

        @hypothesis_seed(self.key("draw", name))
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=(Phase.generate, *([Phase.shrink] if self.shrink else [])),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
        )
        @given(strategy)
        def run(instance: _T) -> None:
            check(instance)

        with _isolated_hypothesis():
            try:
                run()
            except Counterexample as error:
                return error
            except Unsatisfiable:  # nothing can be drawn: no instance, no verdict
                return None
        return None

    def draw(
        self, strategy: SearchStrategy[_T], count: int, name: str
    ) -> tuple[_T, ...]:
        """Return `count` drawn instances."""
        drawn: list[_T] = []
        self.examine(strategy, drawn.append, count, name)
        return tuple(drawn[:count])


class Counterexample(Exception):  # noqa: N818 - it is one
    """An instance on which a statement fails; args[0] is the `Witness`."""


@contextmanager
def _isolated_hypothesis() -> Iterator[None]:
    """Keep Hypothesis from writing files and from reading constants of loaded code.

    It mixes in literals of whatever local modules happen to be imported, which would
    make a seed mean other instances under pytest than on the command line.
    """
    empty = providers.Constants()  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as home:
        set_hypothesis_home_dir(Path(home))
        try:
            with mock.patch.object(
                providers, "_get_local_constants", return_value=empty
            ):
                yield
        finally:
            set_hypothesis_home_dir(None)

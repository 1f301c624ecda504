"""Campaigns in several processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from verify import ClaimResult, WorkerError, audit, default_jobs, verify
from verify._campaign import _twin_key
from verify._claim import Claim
from verify._claims import CLAIMS
from verify._claims._shared import TRAINING
from verify._jobs import groups, in_processes, one_thread


SOME = ("p1.eq6", "p1.eq6.corrected", "p1.prop2.corrected")


def timeless(results: tuple[ClaimResult, ...]) -> list[ClaimResult]:
    return [replace(result, seconds=0.0) for result in results]


def test_the_results_do_not_depend_on_the_number_of_processes() -> None:
    calls: list[tuple[str, int, int]] = []

    alone = verify(SOME, seed=1, profile="quick")
    both = verify(
        SOME, seed=1, profile="quick", jobs=2, progress=lambda *call: calls.append(call)
    )

    assert timeless(alone.claims) == timeless(both.claims)
    assert (alone.jobs, both.jobs) == (1, 2)
    assert [call[1:] for call in calls] == [(1, 3), (2, 3), (3, 3)]
    assert {call[0] for call in calls} == set(SOME)


def killed(names: tuple[str, ...]) -> list[ClaimResult]:
    if str(os.getpid()) not in names:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)  # until the other has begun
    return []


def failing(names: tuple[str, ...]) -> list[ClaimResult]:
    raise ArithmeticError(f"on purpose: {names}")


def test_a_killed_process_is_reported() -> None:
    with pytest.raises(WorkerError, match="jobs=1"):
        in_processes(killed, [(str(os.getpid()), f"{k}") for k in range(9)], 2, _ignore)


def _ignore(_result: object) -> None:
    pass


def test_an_error_in_a_process_is_the_error() -> None:
    with pytest.raises(ArithmeticError, match="on purpose"):
        in_processes(failing, [("a",), ("b",)], 2, _ignore)


@pytest.mark.parametrize("jobs", [0, -1, 1.0, True, None])
def test_the_number_of_processes_is_checked(jobs: object) -> None:
    with pytest.raises(ValueError, match="jobs"):
        verify("p1.eq6", profile="quick", jobs=jobs)  # type: ignore[arg-type]


def trains(claim: Claim) -> bool:
    names = [
        name
        for route in claim.routes
        for code in [getattr(route, "func", route).__code__]  # of a partial, too
        for name in (code.co_name, *code.co_names)
    ]
    return any(name.startswith(("digits_", "autoencoder_")) for name in names)


def counterparts(claim: Claim) -> list[Claim]:
    """Return the claims whose statement is the twin of this one."""
    return [other for other in CLAIMS if other.id == _twin_key(claim)]


def test_claims_that_share_an_experiment_stay_together() -> None:
    """Whoever trains on the digits says so; else two processes would do it."""
    for claim in CLAIMS:
        together = [claim, *counterparts(claim)]
        assert (claim.shares == TRAINING) == any(map(trains, together)), claim.id
    found = groups(CLAIMS)
    assert sorted(name for names in found for name in names) == sorted(
        claim.id for claim in CLAIMS
    )


def test_a_statement_and_its_correction_are_run_once() -> None:
    """Both in one process; alone, the twin says what the other says itself."""
    found = groups(CLAIMS)
    pairs = [(c.id, other.id) for c in CLAIMS for other in counterparts(c)]
    assert len(pairs) > 80
    for pair in pairs:
        assert any(set(pair) <= set(names) for names in found), pair

    printed = verify("p1.eq6", seed=3, profile="quick").claims[0]
    both = verify(("p1.eq6", "p1.eq6.corrected"), seed=3, profile="quick").claims
    assert printed.twin.evidence == both[0].twin.evidence == both[1].evidence
    assert both[1].twin.evidence == printed.evidence


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert 1 <= default_jobs() <= 8


@pytest.mark.slow
def test_the_audit_is_the_same_beside_other_work() -> None:
    drawn: list[str] = []

    alone = audit(profile="quick")
    beside = audit(profile="quick", jobs=2, meanwhile=lambda: drawn.append("page"))

    assert drawn == ["page"]
    assert beside.vacuity == alone.vacuity
    assert replace(beside.calibration, seconds=0.0) == replace(
        alone.calibration, seconds=0.0
    )

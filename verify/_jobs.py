"""Claims in several processes: the same results, whatever their number.

Every random stream is keyed by seed and claim, so it does not matter where a claim is
checked. Claims that share an experiment stay together, so that it runs once. Numerical
libraries keep to one thread, in one process as in many, so that sums round alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch
from loky import get_reusable_executor
from loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from verify._claim import Claim
from verify._result import ClaimResult


_Result = TypeVar("_Result")
_MOST = 8  # processes by default: each holds 0.4 GB
Done = Callable[[str], None]
Work = Callable[[tuple[str, ...]], list[ClaimResult]]


class WorkerError(RuntimeError):
    """A worker process ended before its claims were checked."""


def default_jobs() -> int:
    """Return how many processes this machine has cores for, at most 8."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST, len(os.sched_getaffinity(0)))
    return min(_MOST, os.cpu_count() or 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch and the linear algebra of numpy to one thread meanwhile.

    Yields:
        Nothing.
    """
    before = torch.get_num_threads()
    with threadpool_limits(limits=1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def groups(claims: Iterable[Claim]) -> list[tuple[str, ...]]:
    """Return the ids in groups that share an experiment, the largest first."""
    together: dict[str, list[str]] = {}
    for claim in claims:
        together.setdefault(claim.shares or claim.id, []).append(claim.id)
    return sorted(map(tuple, together.values()), key=len, reverse=True)


def in_processes(
    work: Work, tasks: Sequence[tuple[str, ...]], jobs: int, done: Done
) -> list[ClaimResult]:
    """Return the results of all tasks, in any order.

    Args:
        work: checks the claims of a group; importable by name.
        tasks: the groups.
        jobs: how many processes.
        done: called with the id of every claim that is finished.

    Returns:
        The results.

    Raises:
        WorkerError: where a process was killed or crashed.
    """
    executor = get_reusable_executor(max_workers=jobs, reuse=False)
    results: list[ClaimResult] = []
    try:
        futures = [executor.submit(work, task) for task in tasks]
        for future in as_completed(futures):
            finished = _delivered(future.result)
            results += finished
            for result in finished:
                done(result.id)
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise
    executor.shutdown(wait=True)
    return results


def _delivered(result: Callable[[], _Result]) -> _Result:
    try:
        return result()
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a worker process ended before its claims were checked (killed, or out of "
            "memory): run again with fewer processes, jobs=1 for none besides this one"
        ) from error

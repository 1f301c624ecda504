"""Claims in several processes: the same results, whatever their number.

Every random stream is keyed by seed and claim, so it does not matter where a claim is
checked. Claims that share an experiment stay together, so that it runs once, and so do
a statement as printed and its correction, each of which is the twin of the other.
Numerical libraries keep to one thread, in one process as in many, so that sums round
alike.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from typing import TypeVar

from loky import get_reusable_executor
from loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits

from verify._claim import Claim


_Result = TypeVar("_Result")
_MOST = 8  # processes by default: each holds 0.4 GB
_IDLE = 5  # seconds: the audit that follows a campaign finds its processes awake
Work = Callable[[tuple[str, ...]], list[_Result]]


class WorkerError(RuntimeError):
    """A worker process ended before its claims were checked."""


def default_jobs() -> int:
    """Return how many processes this machine has cores for, at most 8."""
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST, len(os.sched_getaffinity(0)))
    return min(_MOST, os.cpu_count() or 1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch, where it is loaded, and numpy's linear algebra to one thread.

    The collector of garbage is kept from what there is before: libraries, and what
    earlier claims derived. To look through them again and again takes seconds.

    Yields:
        Nothing.
    """
    torch = sys.modules.get("torch")  # to import it takes two seconds
    before = torch.get_num_threads() if torch is not None else 1
    gc.freeze()
    with threadpool_limits(limits=1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)
            gc.unfreeze()


def groups(claims: Iterable[Claim]) -> list[tuple[str, ...]]:
    """Return the ids in groups that share an experiment; neighbours share derivations.

    The theorems about any declaration come first, ours and those of the first paper:
    they derive the same laws. Matrices, figures and the second paper follow.
    """
    together: dict[str, list[str]] = {}
    for claim in sorted(claims, key=lambda claim: claim.form != "own"):
        together.setdefault(claim.shares or claim.amends or claim.id, []).append(
            claim.id
        )
    return list(map(tuple, together.values()))


def in_processes(
    work: Work[_Result],
    tasks: Sequence[tuple[str, ...]],
    jobs: int,
    done: Callable[[_Result], None],
    meanwhile: Callable[[], object] | None = None,
) -> list[_Result]:
    """Return the results of all tasks, in any order.

    This process is one of the processes: it starts at once, while the others import,
    and takes the tasks from the first on, the others from the last. So each derives
    and compiles little that another does. They end when idle for some seconds.

    Args:
        work: checks the claims of a group; importable by name.
        tasks: the groups, at least one; neighbours have much in common.
        jobs: how many processes, at least 2.
        done: called with every result.
        meanwhile: what this process does before it takes tasks; else it begins with
            the first.

    Returns:
        The results.

    Raises:
        WorkerError: where a process was killed or crashed.
    """
    executor = get_reusable_executor(max_workers=jobs - 1, timeout=_IDLE)
    results: list[_Result] = []

    def collect(finished: Iterable[_Result]) -> None:
        for result in finished:
            results.append(result)
            done(result)

    try:
        own, others = (tasks[:1], tasks[1:]) if meanwhile is None else ((), tasks)
        waiting = {executor.submit(work, task): task for task in reversed(others)}
        if meanwhile is not None:
            meanwhile()
        for task in own:
            collect(work(task))
        for future, task in reversed(list(waiting.items())):
            if future.cancel():  # none of the others has begun it
                del waiting[future]
                collect(work(task))
            for finished in [each for each in waiting if each.done()]:
                del waiting[finished]
                collect(_delivered(finished.result))
        for finished in as_completed(waiting):
            collect(_delivered(finished.result))
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise
    return results


def _delivered(result: Callable[[], _Result]) -> _Result:
    try:
        return result()
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a worker process ended before its claims were checked (killed, or out of "
            "memory): run again with fewer processes, jobs=1 for none besides this one"
        ) from error

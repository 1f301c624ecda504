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
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import SimpleQueue
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
    *,
    last: bool = False,
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
        last: whether the others are to end now, which takes them a second, rather than
            wait for more.

    Returns:
        The results.

    Raises:
        WorkerError: where a process was killed or crashed.
    """
    executor = get_reusable_executor(max_workers=jobs - 1, timeout=_IDLE)
    left, finished = deque(tasks), SimpleQueue[Future[list[_Result]]]()
    results: list[_Result] = []

    def collect(some: Iterable[_Result]) -> None:
        for result in some:
            results.append(result)
            done(result)

    try:
        own = left.popleft() if meanwhile is None else None
        for _ in range(jobs):  # one each, and one to go on with
            _give(executor, work, left, finished)
        if own is not None:
            collect(work(own))
        elif meanwhile is not None:
            meanwhile()
        for _ in range(len(tasks) - (own is not None)):
            collect(_next(work, left, finished))
    except BaseException:
        left.clear()
        executor.shutdown(wait=True, kill_workers=True)
        raise
    if last:
        executor.shutdown(wait=False)
    return results


def _give(
    executor: Executor,
    work: Work[_Result],
    left: deque[tuple[str, ...]],
    finished: SimpleQueue[Future[list[_Result]]],
) -> None:
    """Give the others the last task that is left, and whenever one is done, another.

    Nothing is ever taken back: an executor with cancelled tasks cannot be stopped.
    """
    try:
        task = left.pop()
    except IndexError:
        return

    def through(future: Future[list[_Result]]) -> None:
        finished.put(future)
        if future.exception() is None:
            _give(executor, work, left, finished)

    try:
        executor.submit(work, task).add_done_callback(through)
    except RuntimeError as error:  # the others are gone
        gone: Future[list[_Result]] = Future()
        gone.set_exception(error)
        finished.put(gone)


def _next(
    work: Work[_Result],
    left: deque[tuple[str, ...]],
    finished: SimpleQueue[Future[list[_Result]]],
) -> list[_Result]:
    """Return what the others have finished, or else do the first task that is left."""
    if finished.empty():
        try:
            task = left.popleft()
        except IndexError:
            pass
        else:
            return work(task)
    return _delivered(finished.get().result)


def _delivered(result: Callable[[], _Result]) -> _Result:
    try:
        return result()
    except TerminatedWorkerError as error:
        raise WorkerError(
            "a worker process ended before its claims were checked (killed, or out of "
            "memory): run again with fewer processes, jobs=1 for none besides this one"
        ) from error

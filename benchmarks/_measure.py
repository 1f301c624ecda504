"""CPU time of tasks that take turns in one process, each from a cold start."""

from __future__ import annotations

import functools
import gc
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sympy as sp


Stages = Iterator[tuple[str, Any]]  # (name of the stage, its result), one by one
_LOOK = 0.25  # seconds between two looks at the limit


class OverLimit(BaseException):
    """The CPU seconds of a task are spent; no `except Exception` may swallow it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task.

    Attributes:
        seconds: stage → CPU seconds.
        results: stage → what it returned.
        over: whether the limit ended it.
    """

    seconds: dict[str, float]
    results: dict[str, Any] = field(repr=False)
    over: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU seconds over repeats.

    Attributes:
        median: the median.
        low: the least.
        high: the largest.
        repeats: how many.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float], *, per: int = 1) -> Timing:
        """Return the summary of some repeats, divided by `per`."""
        every = [s / per for s in seconds]
        return cls(statistics.median(every), min(every), max(every), len(every))


def run(stages: Callable[[], Stages], wanted: Sequence[str], limit: float) -> Run:
    """Run the first stages of a task from a cold start.

    Args:
        stages: starts the task; its stages are computed as they are asked for.
        wanted: the names of the stages to run, in the task's order.
        limit: CPU seconds for all of them.

    Returns:
        Times and results of the stages that ended within the limit.
    """
    clear_caches()
    seconds: dict[str, float] = {}
    results: dict[str, Any] = {}
    gc.collect()
    gc.disable()  # a collection would be charged to whoever runs when it is due
    try:
        with _cpu_limit(limit):
            start = time.process_time()
            for name, result in stages():
                now = time.process_time()
                seconds[name], results[name], start = now - start, result, now
                if len(seconds) == len(wanted):
                    break
    except OverLimit:
        return Run(seconds, results, over=True)
    finally:
        gc.enable()
    return Run(seconds, results, over=False)


def alternate(
    tasks: Mapping[str, Callable[[], Run]], *, rounds: int, budget: float
) -> dict[str, list[Run]]:
    """Let tasks take turns, each at least once.

    Args:
        tasks: name → one run.
        rounds: turns for each at most.
        budget: CPU seconds after which a task gets no further turn.

    Returns:
        Name → its runs, without their results.
    """
    done: dict[str, list[Run]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            if sum(sum(r.seconds.values()) for r in done[name]) < budget:
                once = task()
                done[name].append(Run(once.seconds, {}, once.over))
    return done


def clear_caches() -> None:
    """Empty every cache of sympy and of the package under test."""
    sp.core.cache.clear_cache()
    for name, module in list(sys.modules.items()):
        if name.startswith("symbolic"):
            for value in vars(module).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """Raise OverLimit in the block after some CPU seconds.

    A library is interrupted between two of its calls, not within one. A wall clock
    looks at the CPU time, because timers of CPU time make Linux count it in ticks of
    milliseconds.
    """
    end = time.process_time() + seconds

    def look(_signal: int, _frame: Any) -> None:
        if time.process_time() >= end:
            raise OverLimit

    saved = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, saved)


def pin() -> None:
    """Keep this process on one of its CPUs, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def machine(packages: Sequence[str]) -> dict[str, str]:
    """Return what the times depend on, without names of hosts or paths."""
    found = {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    return found | {name: installed(name) or "not installed" for name in packages}


def installed(package: str) -> str | None:
    """Return the version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Return the model as Linux gives it, with family and model number."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or "unknown"
    pairs = (line.split(":", 1) for line in path.read_text().splitlines())
    facts = {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}
    name = facts.get("model name", platform.machine())
    if "cpu family" not in facts:
        return name
    return f"{name} (family {facts['cpu family']}, model {facts.get('model', '?')})"

"""Methods that take turns when warm: checked first, then timed, with ratios."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks._measure import Timing
from benchmarks._peers import NotInstalledError


ROUNDS = 7  # turns at most
FEWEST = 5  # turns at least, whatever they take
_TURN = 0.03  # CPU seconds of one turn, at least: calls are repeated until then


@dataclass(frozen=True, slots=True)
class Job:
    """One way to do the work, ready to be called.

    Attributes:
        call: does the work once; what it compiles is compiled by the first call, which
            is outside the clock.
        units: how much of the work one call does; times are for one unit.
        check: returns the error over what rounding explains, so ≤ 1 is right; None
            where nothing can be compared.
        note: what was chosen for it, such as the best chunk.
        facts: further plain data for the results.
    """

    call: Callable[[], Any]
    units: float
    check: Callable[[], float] | None = None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


Builder = Callable[[], Job]


def compare(
    builders: Mapping[str, Builder],
    *,
    base: str,
    budget: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Check the methods, then let those that are right take turns.

    Args:
        builders: name → makes the job; what it raises is kept as the reason why the
            method is left out.
        base: the method whose time is 1.
        budget: CPU seconds after which a method gets no turn beyond FEWEST.
        say: takes a line on what is wrong or left out.

    Returns:
        Name → error (over what rounding explains), wrong, failed (the reason or ""),
        note, and for the right ones seconds (for one unit) and ratio (over the base's
        of the same turn; None without a base).
    """
    found: dict[str, Any] = {}
    jobs: dict[str, Job] = {}
    for name, build in builders.items():
        found[name], job = _checked(build)
        if job:
            jobs[name] = job
        else:
            say(f"  {name}: {found[name]['failed'] or 'WRONG'}")
    seconds = take_turns(jobs, budget=budget)
    for name, mine in seconds.items():
        found[name]["seconds"] = Timing.of(mine)
        if base in seconds:
            pairs = zip(mine, seconds[base], strict=False)
            found[name]["ratio"] = Timing.of([a / b for a, b in pairs])
    return found


def _checked(build: Builder) -> tuple[dict[str, Any], Job | None]:
    """Return what is known of a method before it is timed, and its job if right."""
    entry: dict[str, Any] = {"error": None, "wrong": False, "failed": "", "note": ""}
    try:
        job = build()
        entry |= {"note": job.note, **job.facts}
        if job.check is not None:
            entry["error"] = float(job.check())
            entry["wrong"] = not entry["error"] <= 1
    except NotInstalledError as error:
        entry["failed"] = str(error)
        return entry, None
    except Exception as error:
        entry["failed"] = f"{type(error).__name__}: {_short(str(error))}"
        return entry, None
    if entry["error"] is not None and not math.isfinite(entry["error"]):
        entry["error"] = None
    return entry, None if entry["wrong"] else job


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."


def take_turns(jobs: Mapping[str, Job], *, budget: float) -> dict[str, list[float]]:
    """Return name → CPU seconds for one unit in each turn.

    Every method is called once or twice before the first turn.

    A collection of garbage is no one's fault, so none happens during a turn.
    """
    calls = {name: _repeats(job.call) for name, job in jobs.items()}
    gc.collect()
    gc.freeze()  # what the libraries hold need not be looked at in every turn
    done: dict[str, list[float]] = {name: [] for name in jobs}
    spent = dict.fromkeys(jobs, 0.0)
    for turn in range(ROUNDS):
        for name, job in jobs.items():
            if turn >= FEWEST and spent[name] >= budget:
                continue
            gc.collect()
            gc.disable()
            try:
                used = _cpu(job.call, calls[name])
            finally:
                gc.enable()
            spent[name] += used
            done[name].append(used / (calls[name] * job.units))
    gc.unfreeze()
    return done


def _cpu(call: Callable[[], Any], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - start


def _repeats(call: Callable[[], Any]) -> int:
    """Return how many calls make a turn long enough for the clock."""
    once = _cpu(call, 1)  # the first may compile: only where it is short, another tells
    once = max(1e-6, once if once > 1 else _cpu(call, 1))
    return max(1, math.ceil(_TURN / once))


def fastest(
    options: Mapping[str, Callable[[], Any]], *, trials: int = 3
) -> tuple[str, Callable[[], Any]]:
    """Return the name and the call of the fastest of some ways, all warm.

    Peers are given every setting that may suit them; this picks it, outside the clock.
    """
    medians = {}
    for name, call in options.items():
        call()
        medians[name] = statistics.median(_cpu(call, 1) for _ in range(trials))
    best = min(medians, key=lambda name: medians[name])
    return best, options[best]


def ratio(entries: Mapping[str, Any], over: str, under: str) -> float | None:
    """Return how many times the method `under` fits into `over`, or None."""
    times = [(entries.get(name) or {}).get("seconds") for name in (over, under)]
    if not all(times):
        return None
    return float(times[0]["median"] / times[1]["median"])  # type: ignore[index]

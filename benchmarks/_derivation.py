"""Time to derive the laws of ‖UWx − y‖²: words of matrices against entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import _elementwise, _matrices
from benchmarks._measure import Run, Stages, Timing, alternate, run
from benchmarks._reference import Point, Values, reference


STAGES = ("gradients", "identity", "Hessian trace", "Itô terms")
WIDTHS = (2, 3, 4, 6, 8)
DEPTHS = (2, 4, 6, 8)
OURS = "words of matrices"
SYMBOLS = "sympy MatrixSymbol"


@dataclass(frozen=True, slots=True)
class Method:
    """A way to derive.

    Attributes:
        stages: width → the start of its derivation.
        values: its results at a point.
    """

    stages: Callable[[int], Callable[[], Stages]]
    values: Callable[[dict[str, Any], Point], Values]


def methods() -> tuple[dict[str, Method], list[str]]:
    """Return the methods by name, and the names of those that are not installed."""
    found = {
        OURS: Method(lambda d: _matrices.words, _matrices.word_values),
        SYMBOLS: Method(lambda d: _matrices.matrix_symbols, _matrices.symbol_values),
    }
    missing = []
    for name, algebra in _elementwise.algebras().items():
        if algebra is None:
            missing.append(name)
        else:
            found[name] = _by_entries(algebra)
    return found, missing


def _by_entries(algebra: _elementwise.Algebra) -> Method:
    return Method(
        lambda d: lambda: _elementwise.stages(algebra, d),
        lambda results, point: _elementwise.values(algebra, results, point),
    )


class MismatchError(AssertionError):
    """A method differs from the reference, so that its time says nothing."""


def check(name: str, found: Values, expected: Values, *, identity: bool) -> None:
    """Compare what a method gives with the exact values.

    Raises:
        MismatchError: where they differ, or the Noether identity was not found to
            hold.
    """
    if not identity:
        raise MismatchError(f"{name}: expected the Noether identity, got a difference")
    for what in ("gradients", "trace", "ito"):
        got, exact = getattr(found, what), getattr(expected, what)
        if got is not None and got != exact:
            raise MismatchError(f"{name}: expected {what} = {exact}, got {got}")


def measure(
    rounds: int, budget: float, limit: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Check and time every method at every width.

    Args:
        rounds: repeats for each method and width at most.
        budget: CPU seconds for the repeats of one method at one width.
        limit: CPU seconds for one run; what a run does not reach is left out, there
            and at larger widths.
        say: takes a line on the progress.

    Returns:
        Method → width → stage → Timing, with the sums "all" and "without Itô"; a
        stage beyond the limit has none.
    """
    every, missing = methods()
    for name in missing:
        say(f"{name} is not installed: skipped")
    reach: dict[str, tuple[str, ...]] = dict.fromkeys(every, STAGES)
    table: dict[str, Any] = {name: {} for name in every}
    for d in WIDTHS:
        point = Point.random((d, d, d), seed=d)
        exact = reference(point)
        for name, method in every.items():
            reach[name] = _checked(name, method, d, reach[name], limit, point, exact)
        tasks = {
            name: _task(method.stages(d), reach[name], limit)
            for name, method in every.items()
            if reach[name]
        }
        for name, runs in alternate(tasks, rounds=rounds, budget=budget).items():
            table[name][str(d)] = timings(runs, reach[name])
        short = ", ".join(name for name in every if reach[name] != STAGES)
        say(f"derivation: d = {d} of {WIDTHS[-1]}; over {limit:g} s: {short or 'none'}")
    return table


def _checked(
    name: str,
    method: Method,
    d: int,
    wanted: Sequence[str],
    limit: float,
    point: Point,
    exact: Values,
) -> tuple[str, ...]:
    """Return the stages that end within the limit, once they are right."""
    if not wanted:
        return ()
    first = run(method.stages(d), wanted, limit)
    if "identity" not in first.results:
        return ()
    found = method.values(first.results, point)
    check(f"{name}, d = {d}", found, exact, identity=first.results["identity"])
    return tuple(first.results)


def timings(runs: Sequence[Run], stages: Sequence[str]) -> dict[str, Timing]:
    """Return stage → Timing, and the sums that are complete."""
    done = [each.seconds for each in runs if not each.over]
    if not done:
        return {}
    found = {stage: Timing.of([s[stage] for s in done]) for stage in stages}
    for name, parts in (("all", STAGES), ("without Itô", STAGES[:3])):
        if set(parts) <= set(stages):
            found[name] = Timing.of([sum(s[p] for p in parts) for s in done])
    return found


def _task(
    stages: Callable[[], Stages], wanted: Sequence[str], limit: float
) -> Callable[[], Run]:
    return lambda: run(stages, wanted, 2 * limit)


def measure_ours(rounds: int, budget: float) -> dict[str, Any]:
    """Check and time what has no counterpart elsewhere: depth, and whole theorems.

    Returns:
        "depth" → D → Timing; "Theorem 2" and "Proposition 2" → Timing.

    Raises:
        MismatchError: where a theorem is not proved.
    """
    tasks: dict[str, Callable[[], Run]] = {}
    for depth in DEPTHS:
        stages = _matrices.chain(depth)
        sizes = [2 + (3 * i) % 4 for i in range(depth + 1)]
        point = Point.random(sizes, seed=depth)
        first = run(stages, STAGES[:3], 60.0)
        found = _matrices.chain_values(first.results, point)
        exact = _matrices.chain_reference(point)
        check(f"depth {depth}", found, exact, identity=first.results["identity"])
        tasks[f"depth {depth}"] = _task(stages, STAGES[:3], 60.0)
    theorems = {
        "Theorem 2": _matrices.theorem_2,
        "Proposition 2": _matrices.proposition_2,
    }
    for name, stages in theorems.items():
        verdict = run(stages, ("all",), 60.0).results["all"]
        if verdict != "PROVED":
            raise MismatchError(f"{name}: expected PROVED, got {verdict}")
        tasks[name] = _task(stages, ("all",), 60.0)
    runs = alternate(tasks, rounds=rounds, budget=budget)
    return {
        name: Timing.of([sum(r.seconds.values()) for r in each])
        for name, each in runs.items()
    }

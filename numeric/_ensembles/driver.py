"""From the start to the end: records on the way, and replicas that diverge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.task import Array


Record = Callable[[Array], Array]  # (R, n) → (R,)


class Engine(Protocol):
    """Takes steps; the numbers of a replica depend on nothing but its own."""

    def advance(
        self,
        theta: Array,
        momentum: Array,
        replicas: NDArray[np.uint32],
        first: int,
        last: int,
    ) -> tuple[Array, Array]:
        """Take the steps first, …, last − 1.

        Args:
            theta: parameters, (R, n); left as they are.
            momentum: (R, n), or (R, 0) without momentum.
            replicas: their numbers, (R,).
            first: number of the first step.
            last: number of the step after the last.

        Returns:
            Parameters and momentum after them.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What a run leaves.

    Attributes:
        theta: parameters at the end, (R, n); a diverged replica's last finite ones.
        records: name → (R, times).
        diverged: (R,).
    """

    theta: Array
    records: dict[str, NDArray[np.float64]]
    diverged: NDArray[np.bool_]


def run(
    engine: Engine,
    theta: Array,
    replicas: NDArray[np.uint32],
    times: Sequence[int],
    records: Mapping[str, Record],
    *,
    momentum: bool,
) -> Course:
    """Run all replicas through the times, and record something at each.

    A replica that leaves the finite numbers stays at its last finite parameters.

    Args:
        engine: what takes the steps.
        theta: start, (R, n); left as it is.
        replicas: their numbers, (R,).
        times: numbers of steps, increasing, the first 0.
        records: name → what to record.
        momentum: whether there is momentum.

    Returns:
        The end and the records.
    """
    m = np.zeros_like(theta) if momentum else np.zeros((len(theta), 0), theta.dtype)
    alive = np.ones(len(theta), dtype=bool)
    rows: dict[str, list[Array]] = {name: [] for name in records}
    now = 0
    for time in times if records else times[-1:]:
        if time > now and alive.all():
            theta, m, alive = _guarded(engine, (theta, m), replicas, now, time)
        elif time > now and alive.any():
            state = (theta[alive], m[alive])
            *moved, finite = _guarded(engine, state, replicas[alive], now, time)
            theta[alive], m[alive] = moved
            alive[alive] = finite
        now = time
        for name, record in records.items():
            rows[name].append(record(theta))
    found = {
        name: np.stack(values, axis=1) if values else np.empty((len(theta), 0))
        for name, values in rows.items()
    }
    return Course(theta, found, ~alive)


_State = tuple[Array, Array]


def _guarded(
    engine: Engine,
    state: _State,
    replicas: NDArray[np.uint32],
    first: int,
    last: int,
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Advance, but no replica beyond its last finite state."""
    theta, m = engine.advance(*state, replicas, first, last)
    finite = _is_finite(theta, m)
    if not finite.all():
        lost = ~finite
        start = (state[0][lost], state[1][lost])
        theta[lost], m[lost] = _last_finite(engine, start, replicas[lost], first, last)
    return theta, m, finite


def _last_finite(
    engine: Engine,
    state: _State,
    replicas: NDArray[np.uint32],
    first: int,
    last: int,
) -> _State:
    """Return the last finite states of replicas that are not finite at `last`.

    By halving: the streams give the same numbers again for any steps. What is not
    finite once stays so, because θ' = θ − ηm' adds a number to it.
    """
    if last - first == 1:
        return state
    middle = (first + last) // 2
    theta, m = engine.advance(*state, replicas, first, middle)
    finite = _is_finite(theta, m)
    for chosen, start, steps in (
        (~finite, state, (first, middle)),
        (finite, (theta.copy(), m.copy()), (middle, last)),
    ):
        if chosen.any():
            part = (start[0][chosen], start[1][chosen])
            found = _last_finite(engine, part, replicas[chosen], *steps)
            theta[chosen], m[chosen] = found
    return theta, m


def _is_finite(theta: Array, m: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(theta).all(axis=1) & np.isfinite(m).all(axis=1))


def named_records(
    record: Any, compiled: Callable[[str, Any], Record]
) -> dict[str, Record]:
    """Return name → checked function.

    Args:
        record: a mapping name → what to record, or an iterable of such things.
        compiled: from a name and what is recorded under it to a function.

    Returns:
        Functions whose results are float64 (R,).

    Raises:
        ValueError: for unknown or repeated names.
    """
    if isinstance(record, Mapping):
        items = list(record.items())
    elif isinstance(record, str) or callable(record):
        raise ValueError(f"record: expected an iterable or a mapping, got {record!r}")
    else:
        items = [(_name(item), item) for item in record]
    functions: dict[str, Record] = {}
    for name, item in items:
        if name in functions:
            raise ValueError(
                f"record: expected distinct names, got {name!r} twice; pass a mapping"
            )
        functions[name] = compiled(name, item)
    return functions


def _name(item: Any) -> str:
    return item if isinstance(item, str) else getattr(item, "__name__", repr(item))

"""The statistics checked by themselves: A/A runs at inflated α, and their power.

At α = 1e-6 no number of runs would ever show a false alarm. The same code at α = 0.05
to 0.2 does: on data of which the claim is true the share of alarms must not exceed α,
and on data a detectable discrepancy away it must reach the promised power.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from verify._calibration_ensembles import ENSEMBLES, WRONG
from verify._calibration_tools import TOOLS, Array, Tool
from verify._context import PROFILES, Context, Profile
from verify._evidence import Figure, Series
from verify._holm import holm


LEVELS = (0.05, 0.1, 0.2)
POWER_LEVEL, MISSED = 0.05, 0.1  # of the assertions whose power is measured
CONFIDENCE = 0.99  # of the intervals shown
FAMILY = 1e-6  # probability that sound statistics are called unsound, in all
_REPEATS = {"quick": (120, 32), "standard": (2000, 300), "deep": (20_000, 3000)}


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened, against what was promised.

    Attributes:
        tool: what was run.
        what: "false alarms", "power", or "control" for a factor that is plainly wrong.
        alpha: the level it was run at.
        promised: the most (false alarms) or the least (power) that was promised; of a
            control, the rate to be exceeded.
        count: how often it happened.
        repeats: independent repetitions.
        lower: lower end of the exact interval (Clopper and Pearson) for the rate.
        upper: its upper end.
        level: one-sided exact p-value of the promise.
        sound: whether the promise stands, with all others, at `FAMILY` (Holm).
        note: what the data were.
    """

    tool: str
    what: str
    alpha: float
    promised: float
    count: int
    repeats: int
    lower: float
    upper: float
    level: float
    sound: bool
    note: str

    @property
    def share(self) -> float:
        """Return count over repeats."""
        return self.count / self.repeats


@dataclass(frozen=True, slots=True)
class Calibration:
    """What A/A runs and runs with a known discrepancy showed.

    Attributes:
        seed: the seed of every random stream.
        profile: name of the profile.
        rates: false-alarm rates, then powers.
        figures: distribution functions of the p-values.
        seconds: wall-clock seconds (not part of the reproducible results).
    """

    seed: int
    profile: str
    rates: tuple[Rate, ...]
    figures: tuple[Figure, ...]
    seconds: float

    @property
    def alarms(self) -> tuple[Rate, ...]:
        """Return the false-alarm rates."""
        return tuple(rate for rate in self.rates if rate.what == "false alarms")

    @property
    def powers(self) -> tuple[Rate, ...]:
        """Return the rates at which a detectable discrepancy was caught."""
        return tuple(rate for rate in self.rates if rate.what == "power")

    @property
    def controls(self) -> tuple[Rate, ...]:
        """Return the rates at which a wrong factor was left out."""
        return tuple(rate for rate in self.rates if rate.what == "control")

    @property
    def sound(self) -> bool:
        """Return whether every promise stands; never for an empty set."""
        return bool(self.rates) and all(rate.sound for rate in self.rates)


def calibration(*, seed: int = 0, profile: str = "quick") -> Calibration:
    """Run every statistical tool and the ensembles on true and on false claims.

    Args:
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep": how many repetitions.

    Returns:
        The rates, each with an exact interval and what was promised.

    Raises:
        ValueError: for an unknown profile.
    """
    if profile not in PROFILES:
        raise ValueError(
            f"expected a profile among {', '.join(PROFILES)}, got {profile!r}"
        )
    start, (many, few) = time.perf_counter(), _REPEATS[profile]
    context = Context(Profile(profile, 1, 1, 1, 1), seed, "calibration")
    found = [(t, _p_values(t.null, context, t.name, many)) for t in TOOLS]
    runs = [
        (e.name, e.note, *e.p_values(context.rng(e.name), max(1, few // e.cost)))
        for e in ENSEMBLES
    ]
    counted = [
        *(row for t, p in found for row in _alarms(t.name, t.note, p)),
        *(row for name, note, p, _ in runs for row in _alarms(name, note, p)),
        *(_power(tool, context, many) for tool in TOOLS),
        *(_control(name, note, p) for name, note, _, p in runs),
    ]
    figures = (
        _figure("Tools on true claims", [(t.name, p) for t, p in found]),
        _figure("Ensembles on true claims", [(name, p) for name, _, p, _ in runs]),
    )
    rates = tuple(_judged(counted))
    return Calibration(seed, profile, rates, figures, time.perf_counter() - start)


_Counted = tuple[str, str, float, float, int, int, str]


def _p_values(
    one: Callable[[np.random.Generator], float],
    context: Context,
    name: str,
    repeats: int,
) -> Array:
    rng = context.rng(name)
    return np.array([one(rng) for _ in range(repeats)])


def _alarms(name: str, note: str, p: Array) -> Iterator[_Counted]:
    for alpha in LEVELS:
        count = int((p <= alpha).sum())
        yield name, "false alarms", alpha, alpha, count, len(p), note


def _power(tool: Tool, context: Context, repeats: int) -> _Counted:
    """Return how often a discrepancy of the detectable size was caught."""
    rng = context.rng(tool.name, "power")
    size = tool.detectable(POWER_LEVEL, MISSED)
    p = np.array([tool.false(rng, size) for _ in range(repeats)])
    caught = int((p <= POWER_LEVEL).sum())
    note = f"{tool.note}; discrepancy {size:.3g}"
    return tool.name, "power", POWER_LEVEL, 1.0 - MISSED, caught, repeats, note


def _control(name: str, note: str, p: Array) -> _Counted:
    """Return how often a wrong factor was left out: more often than a true one."""
    count = int((p <= POWER_LEVEL).sum())
    words = f"{note}; factor {WRONG:g} for 1"
    return name, "control", POWER_LEVEL, POWER_LEVEL, count, len(p), words


def _judged(counted: list[_Counted]) -> Iterator[Rate]:
    """Yield the rates with exact intervals, judged together."""
    levels = [_surprise(row) for row in counted]
    together = holm(levels, alpha=FAMILY)
    for row, level, broken in zip(counted, levels, together.rejected, strict=True):
        tool, what, alpha, promised, count, repeats, note = row
        low, high = exact_interval(count, repeats)
        numbers = (alpha, promised, count, repeats, low, high, level)
        sound = low > promised if what == "control" else not broken
        yield Rate(tool, what, *numbers, sound, note)


def _surprise(row: _Counted) -> float:
    """Return the exact p-value of a promise; 1 for a control, which promises none."""
    _, what, _, promised, count, repeats, _ = row
    if what == "control":
        return 1.0
    law = stats.binom(repeats, promised)
    rare = law.sf(count - 1) if what == "false alarms" else law.cdf(count)
    return min(1.0, float(rare))


def exact_interval(
    count: int, repeats: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson for a probability.

    Args:
        count: how often it happened.
        repeats: independent repetitions.
        confidence: the probability, at least, that the interval holds it.

    >>> tuple(round(end, 3) for end in exact_interval(5, 100))
    (0.011, 0.135)
    """
    tail = (1.0 - confidence) / 2
    low = stats.beta.ppf(tail, count, repeats - count + 1) if count else 0.0
    high = 1.0
    if count < repeats:
        high = stats.beta.isf(tail, count + 1, repeats - count)
    return float(low), float(high)


def _figure(title: str, rows: list[tuple[str, Array]]) -> Figure:
    """Return the distribution functions of p-values, and the diagonal."""
    grid = np.linspace(0.0, 1.0, 41)
    x = tuple(map(float, grid))
    series = [Series("uniform", (0.0, 1.0), (0.0, 1.0), kind="dashed", group=-1)]
    for group, (name, p) in enumerate(rows):
        shares = (p[:, None] <= grid).mean(axis=0)
        series.append(Series(name, x, tuple(map(float, shares)), group=group))
    return Figure(
        title,
        "level α",
        "share of p-values at most α",
        tuple(series),
        caption=f"On or below the dashed diagonal: no more false alarms than promised "
        f"(up to chance, {len(rows[0][1])} repetitions). Far below it a bound is safe "
        "and not sharp.",
    )


def largest_excess(found: Calibration) -> float:
    """Return the largest share of false alarms over its level.

    Args:
        found: a calibration.

    Returns:
        Above 1 by chance only, where all is sound.
    """
    return max((r.share / r.alpha for r in found.alarms), default=math.nan)

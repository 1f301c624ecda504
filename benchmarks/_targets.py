"""What is to be reached, and whether the results reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import _text
from benchmarks._names import (
    BMM,
    BRENT,
    CERTIFIED,
    DIFFRAX,
    GHOST,
    GIVEN,
    JAX_ROOT,
    JAX_RUN,
    JAX_SDE,
    L2,
    LOOP,
    ON_G,
    ON_H,
    PLAIN,
    ROOT,
    RUN,
    SDE,
    SEARCH,
    TORCH_SAMPLES,
    TORCHSDE,
    TRACE,
    TREE,
)
from benchmarks._turns import ratio


Cases = Mapping[str, Mapping[str, Any]]
Reader = Callable[[Mapping[str, Any]], float | None]

PRINTED = {
    "noise": (
        "MLP N=256 P=670k",
        "wide N=64 P=2.1M",
        "UW N=512",
        "transformer T=64",
        "transformer T=8",
    ),
    "ensembles": ("d=2 S=1", "d=10 S=8", "d=10 S=8 tanh", "d=50 S=1", "d=50 S=32 tanh"),
    "sde": ("scalar net",),
    "equilibrium": ("n=8 easy", "n=8 hard"),
}  # the cases of the first measurements, which set the targets


@dataclass(frozen=True, slots=True)
class Target:
    """One line to reach.

    Attributes:
        part: of the results.
        text: what is compared.
        limit: the number to reach.
        most: whether the limit is an upper one.
        read: the number in one case; None where it was not measured.
        holds_for: whether a case is meant.
    """

    part: str
    text: str
    limit: float
    most: bool
    read: Reader
    holds_for: Callable[[str], bool] = lambda _: True

    def values(self, results: Mapping[str, Any]) -> dict[str, float | None]:
        """Return case → number for the cases that are meant."""
        cases: Cases = results.get(self.part, {}).get("cases", {})
        return {c: self.read(found) for c, found in cases.items() if self.holds_for(c)}

    def met(self, value: float | None) -> bool:
        """Decide whether a number reaches the limit; a missing one does not."""
        if value is None:
            return False
        return value <= self.limit if self.most else value >= self.limit

    def bound(self) -> str:
        """Return the limit as text."""
        return f"{'≤' if self.most else '≥'} {self.limit:g}"

    def worst(self, values: Mapping[str, float | None]) -> tuple[str, float | None]:
        """Return the case and number furthest from the limit."""
        if not values:
            return "", None
        sign = 1 if self.most else -1
        return max(
            values.items(),
            key=lambda pair: float("inf") if pair[1] is None else sign * pair[1],
        )


def _over(over: str, under: str) -> Reader:
    return lambda found: ratio(found, over, under)


def _over_best(under: str, *others: str) -> Reader:
    """Return a reader of the time of `under` over the best of some others."""

    def read(found: Mapping[str, Any]) -> float | None:
        every = [ratio(found, under, other) for other in others]
        known = [value for value in every if value is not None]
        return max(known) if known else None

    return read


def _least(ours: str, *others: str) -> Reader:
    """Return a reader of the best of some others over ours."""

    def read(found: Mapping[str, Any]) -> float | None:
        known = [r for other in others if (r := ratio(found, other, ours)) is not None]
        return min(known) if known else None

    return read


def _memory(found: Mapping[str, Any]) -> float | None:
    sizes = [found.get(n, {}).get("bytes") for n in (TRACE, PLAIN)]
    return None if None in sizes else float(sizes[0] / sizes[1])


def _work(case: str) -> int:
    """Return S·d of a case named d=… S=…."""
    numbers = dict(part.split("=") for part in case.split() if "=" in part)
    return int(numbers["d"]) * int(numbers["S"])


def _dense(case: str) -> bool:
    return not case.startswith(("transformer", "convolutions"))


_COMPILED = (JAX_ROOT, ON_H, ON_G)

TARGETS = (
    Target(
        "noise",
        "noise_trace / plain, linear layers",
        1.1,
        True,
        _over(TRACE, PLAIN),
        lambda c: _dense(c) and not c.startswith("wide"),
    ),
    Target(
        "noise",
        "noise_trace / plain, N ≪ d",
        0.75,
        True,
        _over(TRACE, PLAIN),
        lambda c: c.startswith("wide"),
    ),
    Target(
        "noise",
        "noise_trace / plain, sequences",
        1.25,
        True,
        _over(TRACE, PLAIN),
        lambda c: c.startswith("transformer"),
    ),
    Target("noise", "noise_trace / plain, all", 1.3, True, _over(TRACE, PLAIN)),
    Target(
        "noise",
        "BackPACK BatchL2Grad / noise_trace",
        1.3,
        False,
        _over(L2, TRACE),
    ),
    Target(
        "noise",
        "Opacus ghost norms / noise_trace",
        1.5,
        False,
        _over(GHOST, TRACE),
    ),
    Target(
        "noise",
        "torch.func vmap(grad) / noise_trace, linear layers",
        40,
        False,
        _over(TORCH_SAMPLES, TRACE),
        _dense,
    ),
    Target("noise", "peak memory of noise_trace / plain", 1.0, True, _memory),
    Target(
        "ensembles",
        "JAX / simulate, S·d ≤ 100",
        3,
        False,
        _over(JAX_RUN, RUN),
        lambda c: _work(c) <= 100,
    ),
    Target(
        "ensembles",
        "torch bmm / simulate, S·d ≤ 100",
        5,
        False,
        _over(BMM, RUN),
        lambda c: _work(c) <= 100,
    ),
    Target(
        "ensembles",
        "nn.Module loop / simulate, S·d ≤ 100",
        100,
        False,
        _over(LOOP, RUN),
        lambda c: _work(c) <= 100,
    ),
    Target(
        "ensembles",
        "simulate / the better of JAX and bmm, S·d > 100",
        1.1,
        True,
        _over_best(RUN, JAX_RUN, BMM),
        lambda c: _work(c) > 100,
    ),
    Target(
        "sde",
        "diffrax or torchsde / simulate",
        30,
        False,
        _least(SDE, DIFFRAX, TREE, TORCHSDE),
    ),
    Target("sde", "JAX scan / simulate", 8, False, _over(JAX_SDE, SDE)),
    Target(
        "equilibrium",
        "JAX or optimistix / noise_equilibrium",
        5,
        False,
        _least(ROOT, *_COMPILED),
    ),
    Target(
        "equilibrium",
        "scipy elementwise / noise_equilibrium",
        20,
        False,
        _least(ROOT, GIVEN, SEARCH),
    ),
    Target(
        "equilibrium",
        "brentq / noise_equilibrium",
        200,
        False,
        _over(BRENT, ROOT),
    ),
    Target(
        "equilibrium",
        "wrong roots of noise_equilibrium",
        0,
        True,
        lambda found: found[ROOT].get("lost"),
    ),
    Target(
        "equilibrium",
        "ms for a certificate, n ≤ 8",
        1.0,
        True,
        lambda found: _milliseconds(found, CERTIFIED),
        lambda c: c.startswith(("n=3", "n=8")),
    ),
)


def _milliseconds(found: Mapping[str, Any], name: str) -> float | None:
    timing = found.get(name, {}).get("seconds")
    return 1e3 * float(timing["median"]) if timing else None


NEAR_LIMIT = 1e-5


def rows(results: Mapping[str, Any]) -> list[list[str]]:
    """Return what to reach, its limit, and what is reached: printed and other shapes.

    A number is the worst of its cases, with "✓" where all reach the limit.
    """
    found = []
    for target in TARGETS:
        values = target.values(results)
        if not values:
            continue
        printed = PRINTED[target.part]
        groups = (
            {c: v for c, v in values.items() if (c in printed) == own}
            for own in (True, False)
        )
        found.append([target.text, target.bound(), *(_cell(target, g) for g in groups)])
    near = results.get("noise", {}).get("near", {})
    if near:
        error = near.get(TRACE)
        mark = "✓" if error is not None and error <= NEAR_LIMIT else "✗"
        text = "not measured" if error is None else f"{error:.1e}"
        found.append(
            [
                "error of noise_trace, noise 0.1 % of the mean",
                f"≤ {NEAR_LIMIT:g}",
                f"{text} {mark}",
                "",
            ]
        )
    return found


def _cell(target: Target, values: Mapping[str, float | None]) -> str:
    if not values:
        return ""
    case, value = target.worst(values)
    mark = "✓" if all(target.met(v) for v in values.values()) else "✗"
    text = "not measured" if value is None else _text.close(value)
    return f"{text} {mark} ({case})"


def summary(results: Mapping[str, Any]) -> str:
    """Return the targets as lines to print."""
    lines = [
        f"{text:58} {bound:>8}   {printed:45} {other}"
        for text, bound, printed, other in rows(results)
    ]
    head = f"{'to reach':58} {'':>8}   {'worst of the printed shapes':45} of the others"
    return "\n".join([head, *lines])

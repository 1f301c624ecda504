"""The other two arms on six systems: the SDE, and SGD against the SDE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from numeric import simulate
from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._arms import (
    SYSTEMS,
    Point,
    System,
    Walk,
    compiled,
    engine_path,
    rounding,
    sde_path,
    sgd_path,
    svag_path,
)
from verify._figures._engine import declared, experiment, runs_of
from verify._figures._median import Row, judged
from verify._routes._fig_arms import drawn
from verify._scope import OWN, only_about
from verify._statistics import FactorInterval, FactorTest


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flow:
    """Ċ = −decay·γC + noise·σ²Tr[ΣA], on paths of the SDE and without a dW term."""

    noise: float = 1.0
    decay: float = 4.0


_PARTS = (1, 9)


@only_about(OWN)
def sde_shrinks(subject: Flow, context: Context) -> Evidence:
    """Follow C against ∫(7) on Euler–Maruyama paths at two step sizes.

    C_T − C₀ − ∫(7)dt is a martingale of size √h, with no dW in the limit, and a bias
    of order h: at a ninth of the step its size is about a third.

    Args:
        subject: the flow claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where it is at most a quarter of the noise's own contribution at η/9,
        and less than at η, in the median over runs.
    """
    plain = experiment(context, "arms: SDE")
    rows = []
    for system in SYSTEMS:
        coarse, fine = (_off(subject, found) for found in _sde(system, plain))
        rows.append(Row(f"{system.name}: off by", fine, upper=_OFF))
        rows.append(Row(f"{system.name}: less its value at η", fine - coarse, upper=0))
    what = "Euler–Maruyama with steps η and η/9, γ = .02; relative to ∫σ²Tr[ΣA]dt."
    return judged("SDE, two step sizes", rows, context, what)


_OFF = 0.25
_SDE_STEPS = 8


def _off(subject: Flow, found: tuple[Array, Array, Array]) -> Array:
    """Return |C_T − C₀ − ∫(claimed flow)dt| over |∫σ²Tr[ΣA]dt|."""
    change, noise, decay = found
    missed = change - subject.noise * noise + subject.decay * decay
    return np.asarray(np.abs(missed) / np.abs(noise))


@lru_cache(maxsize=16)
def _sde(system: System, plain: Context) -> tuple[tuple[Array, Array, Array], ...]:
    """Return C_T − C₀, ∫σ²Tr[ΣA]dt and ∫γC dt for each step size, (runs,) each."""
    data, start = drawn(system, plain, 3)
    walk = Walk(system.lr, _SDE_STEPS, gamma=0.02)
    results = []
    for parts in _PARTS:
        rng = plain.rng(system.name, parts)
        path = sde_path(system, start, data, walk, parts, rng)
        results.append(_integrals(path, walk, parts))
    return tuple(results)


_LEVELS = (1, 2, 4)
_LIMIT_STEPS = 4
_BLOCK = 16  # runs whose mean is one draw; three times as many of two parameters
_NEAR_LIMIT = 0.5
_PATHS = {"Euler–Maruyama": sde_path, "SVAG": svag_path}


@only_about(OWN)
def sde_extrapolated(subject: Flow, context: Context) -> Evidence:
    """Extrapolate the mean of C_T − C₀ − ∫(7)dt to step size 0, by two schemes.

    At the step h either is off by a·h: that of Euler–Maruyama with steps η/k, and of
    SVAG, which is SGD itself at ℓ = 1. Twice the value at h/2 less that at h is not.

    Args:
        subject: the flow claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where what is extrapolated from η/2 and η/4 is at most half of the
        noise's contribution, in the median over means of 16 runs.
    """
    plain = experiment(context, "arms: limit")
    rows, curves, svag = [], [], []
    for k, system in enumerate(SYSTEMS):
        for name in _PATHS:
            found = _limit(system, name, plain)
            means = [_missed(subject, each, runs_of(plain)) for each in found]
            zero = 2 * means[2] - means[1]
            if name == "SVAG":
                svag.append(zero)
            else:
                rows.append(Row(system.name, zero, -_NEAR_LIMIT, _NEAR_LIMIT))
            medians = [float(np.median(values)) for values in (zero, *means[::-1])]
            steps = (0.0, *(1 / level for level in _LEVELS[::-1]))
            kind = "line" if name == "SVAG" else "dashed"
            label = f"{system.name}, SVAG" if name == "SVAG" else ""
            curves.append(Series(label, steps, tuple(medians), kind=kind, group=k))
    together = np.mean(svag, axis=0)  # two samples a step are noisy
    rows.append(Row("SVAG, six systems", together, -_NEAR_LIMIT, _NEAR_LIMIT))
    figure = Figure(
        "What (7) misses of the charge, against the step size",
        "step size / η",
        "(mean of C_T − C₀ − ∫(7)) / ∫σ²Tr[ΣA]",
        tuple(curves),
        caption="Dashed: Euler–Maruyama. At 0: extrapolated. At 1 SVAG is SGD, and "
        "what is missed is ½η∫(ḡᵀAḡ + 8γ²C)dt, as derived.",
    )
    what = "Steps η/2 and η/4 extrapolated to 0, γ = .02; relative to ∫σ²Tr[ΣA]dt."
    return judged("SDE, step size to 0", rows, context, what, (figure,))


def _missed(subject: Flow, found: tuple[Array, Array, Array], draws: int) -> Array:
    """Return block means of what the flow misses, over the mean of the noise."""
    change, noise, decay = (values.reshape(draws, -1).mean(axis=1) for values in found)
    missed = change - subject.noise * noise + subject.decay * decay
    return np.asarray(missed / noise.mean())


@lru_cache(maxsize=32)
def _limit(
    system: System, name: str, plain: Context
) -> tuple[tuple[Array, Array, Array], ...]:
    """Return C_T − C₀, ∫σ²Tr[ΣA]dt and ∫γC dt at each level, (runs,) each."""
    few = len(system.diagonal) == 2
    data, start = drawn(system, plain, _BLOCK * (3 if few else 1))
    walk = Walk(system.lr, _LIMIT_STEPS, gamma=0.02)
    results = []
    for level in _LEVELS:
        rng = plain.rng(system.name, name, level)
        path = _PATHS[name](system, start, data, walk, level, rng)
        results.append(_integrals(path, walk, level))
    return tuple(results)


def _integrals(
    path: Iterator[Point], walk: Walk, parts: int
) -> tuple[Array, Array, Array]:
    """Return C_T − C₀, ∫σ²Tr[ΣA]dt and ∫γC dt along paths, (runs,) each."""
    h, noise, decay = walk.lr / parts, np.zeros(1), np.zeros(1)
    charges: list[Array] = []
    with np.errstate(over="ignore", invalid="ignore"):  # NaN counts against
        for at in path:
            charges.append(at.charge)
            if len(charges) > walk.steps * parts:  # the end: no step follows
                break
            noise = noise + h * walk.lr / (2 * walk.batch) * at.noise
            decay = decay + h * walk.gamma * at.charge
    return charges[-1] - charges[0], noise, decay


@only_about(OWN)
def sde_by_engine(subject: Flow, context: Context) -> Evidence:
    """Integrate the flow along the engine's SDE paths, by the trapezoidal rule.

    Args:
        subject: the flow claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where what is left is at most a quarter of ∫σ²Tr[ΣA]dt in the median.
    """
    plain = experiment(context, "arms: SDE by the engine")
    rows = []
    for system in _BY_ENGINE:
        off = _off(subject, _sde_engine(system, plain))
        rows.append(Row(f"{system.name}: off by", off, upper=_OFF))
    what = "The engine's SDE, 9 Euler–Maruyama steps for each η, γ = .02."
    return judged("SDE by the engine", rows, context, what)


_BY_ENGINE = (SYSTEMS[0], SYSTEMS[5])  # a kernel for each takes its time


@lru_cache(maxsize=4)
def _sde_engine(system: System, plain: Context) -> tuple[Array, Array, Array]:
    data, start = drawn(system, plain, 4)
    loss = compiled(system.model)
    a, lr = system.diagonal, system.lr

    def trace(theta: Array) -> Array:
        G = np.asarray(loss.gradient(theta[:, None, :], data))
        return np.asarray((a * G.var(axis=1)).sum(axis=-1))

    found = simulate(
        declared(system.model),
        data,
        start,
        lr=lr,
        batch_size=1,
        steps=_SDE_STEPS,
        method="sde",
        substeps=_PARTS[1],
        weight_decay=0.02,
        seed=plain.key("SDE"),
        record={"C": lambda theta: 0.5 * (theta**2 @ a), "trace": trace},
        samples=_SDE_STEPS,
    )
    C = found.records["C"]
    noise = np.asarray(lr / 2 * np.trapezoid(found.records["trace"], dx=lr, axis=1))
    decay = np.asarray(0.02 * np.trapezoid(C, dx=lr, axis=1))
    return C[:, -1] - C[:, 0], noise, decay


@dataclass(frozen=True, slots=True)
class SdeGap:
    """SGD moves C by η(7) + `factor`·(½η²ḡᵀAḡ + 4η²γ²C) in a step, on average."""

    factor: float = 1.0


_WRONG = (0.0, 2.0)
_GAP_BATCH = 48
_NEAR = 0.1


@only_about(OWN)
def gap_along_sgd(subject: SdeGap, context: Context) -> Evidence:
    """Measure the factor of the gap along SGD, with (7) taken as known, by betting.

    Args:
        subject: the factor claimed.
        context: profile and streams.

    Returns:
        REFUTED where an interval misses the factor; SUPPORTED where each contains it
        and excludes 0 and 2 (but the factor itself).
    """
    route = "SGD less the SDE's drift"
    plain = experiment(context, "arms: gap")
    alpha = context.alpha / len(SYSTEMS)
    found = [(system, _gap(system, plain, alpha)) for system in SYSTEMS]
    shown = "; ".join(
        f"{system.name} [{each.lower:.2f}, {each.upper:.2f}]" for system, each in found
    )
    what = f"S = {_GAP_BATCH}, γ = .02: intervals for the factor of the gap: {shown}."
    for system, each in found:
        if each.excludes(subject.factor):
            return Evidence(
                route,
                Verdict.REFUTED,
                what,
                instances=len(found),
                alpha=context.alpha,
                counterexample=Witness(
                    {"system": system.name, "S": str(_GAP_BATCH)},
                    f"factor in [{each.lower:.3f}, {each.upper:.3f}]",
                    f"factor {subject.factor:g}",
                    exact=False,
                ),
            )
    sharp = all(
        each.excludes(f) for _, each in found for f in _WRONG if f != subject.factor
    )
    return Evidence(
        route,
        Verdict.SUPPORTED if sharp else Verdict.INCONCLUSIVE,
        what,
        instances=len(found),
        alpha=context.alpha,
        detectable=max(each.resolution for _, each in found),
    )


@lru_cache(maxsize=16)
def _gap(system: System, plain: Context, alpha: float) -> FactorInterval:
    data, start = drawn(system, plain, 12)
    walk = Walk(system.lr, 12, batch=_GAP_BATCH, gamma=0.02)
    test, eta, gamma = FactorTest(), walk.lr, walk.gamma
    up, down = np.maximum(system.diagonal, 0.0), np.maximum(-system.diagonal, 0.0)
    for move in sgd_path(system, start, data, walk, plain.key("gap")):
        at, C = move.at, move.at.charge
        squares = at.gradients**2
        base, slack = ((1 - 2 * eta * gamma) ** 2 - 1) * C, rounding(move, walk)
        test.add(
            0.5 * at.form(move.after) - C,
            known=eta * (-4 * gamma * C + eta / (2 * walk.batch) * at.noise),
            predicted=0.5 * eta**2 * at.pull + 4 * eta**2 * gamma**2 * C,
            lower=base - 0.5 * eta**2 * (squares @ down).max(axis=1) - slack,
            upper=base + 0.5 * eta**2 * (squares @ up).max(axis=1) + slack,
        )
    return test.interval(alpha)


@only_about(OWN)
def gap_halves(subject: SdeGap, context: Context) -> Evidence:
    """Measure what SGD has over the SDE's integral along the engine's runs, η and η/2.

    Args:
        subject: the factor claimed of the gap's integral ½η∫(ḡᵀAḡ + 8γ²C)dt.
        context: profile and streams.

    Returns:
        SUPPORTED where at both rates the median over runs of the excess less the
        claim is at most a tenth of ½η∫(ḡᵀ|A|ḡ + 8γ²|C|)dt; so the gap is O(η).
    """
    plain = experiment(context, "arms: gap by the engine")
    rows = []
    for system in _BY_ENGINE:
        for share in (1.0, 0.5):
            excess, gap, size = _excess(system, plain, share)
            name = f"{system.name}, η/{1 / share:g}: excess less the gap"
            missed = (excess - subject.factor * gap) / size
            rows.append(Row(name, missed, -_NEAR, _NEAR))
    what = "The engine's SGD, S = 512, γ = .02, against the SDE's drift along each run."
    return judged("engine, two rates", rows, context, what)


@lru_cache(maxsize=8)
def _excess(system: System, plain: Context, share: float) -> tuple[Array, Array, Array]:
    """Return C_T − C₀ − ∫(7), the gap's integral, and that of its parts' moduli."""
    data, start = drawn(system, plain, 4)
    walk = Walk(share * system.lr, int(12 / share), batch=512, gamma=0.02)
    lr, batch, gamma = walk.lr, walk.batch, walk.gamma
    key = plain.key("gap", share)
    points = list(engine_path(system, start, data, walk, samples=walk.steps, seed=key))
    excess = points[-1].charge - points[0].charge
    gap, size = np.zeros(len(start)), np.zeros(len(start))
    for at in points[:-1]:
        C, moduli = at.charge, np.abs(at.weights) * at.mean**2
        excess = excess - lr * (-4 * gamma * C + lr / (2 * batch) * at.noise)
        gap = gap + lr**2 * (0.5 * at.pull + 4 * gamma**2 * C)
        parts = 0.5 * moduli.sum(axis=1) + 4 * gamma**2 * np.abs(C)
        size = size + lr**2 * parts
    return excess, gap, size

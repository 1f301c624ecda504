"""The first of the three arms: the exact laws on six systems, at every step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._figures._arms import SYSTEMS, Move, System, Walk, rounding, sgd_path
from verify._figures._engine import Schedule, experiment, runs_of, train
from verify._scope import OWN, only_about


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Law:
    """B' = βB + 4γC − b·ηM', C' = C − η(βB + decay·γC) + half·η²M', M' = m'ᵀAm'.

    Heavy ball m' = βm + g + 2γθ, θ' = θ − ηm'; with β = 0 it is SGD's law
    C' = κ²C + ½η²gᵀAg, since then M' = gᵀAg + 8γ²C.

    Attributes:
        half: factor of η²M' in C'.
        b: factor of ηM' in B'.
        decay: factor of γC in C'.
        beta: β of the runs.
    """

    half: float = 0.5
    b: float = 1.0
    decay: float = 4.0
    beta: float = 0.0


@only_about(OWN)
def law_every_step(subject: Law, context: Context) -> Evidence:
    """Check the exact laws of C and B at every step of every run, to rounding.

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where all residuals are within their rounding bounds, else REFUTED.
    """
    route = "every step, six systems"
    checks, trivial, resolution = 0, 0, 0.0
    for system in SYSTEMS:
        walk = _walk(system, subject)
        plain, data, start = _setting(system, walk, context)
        for step, move in enumerate(sgd_path(system, start, data, walk, plain)):
            residuals, scale = _residuals(subject, walk, move)
            bound = rounding(move, walk)
            ratios = np.abs(residuals) / bound
            checks += ratios.size
            trivial += int(np.count_nonzero(scale == 0.0))
            resolution = max(resolution, float(np.median(bound / scale)))
            if not (ratios <= 1.0).all():
                run = int(np.argmax(np.where(np.isnan(ratios), np.inf, ratios)[0]))
                return Evidence(
                    route,
                    Verdict.REFUTED,
                    f"{system.name}: the law fails at step {step}.",
                    instances=checks,
                    counterexample=Witness(
                        {"system": system.name, "run": str(run), "step": str(step)},
                        f"residual {float(np.nanmax(ratios)):.3g} × rounding bound",
                        "at most 1 × rounding bound",
                        exact=False,
                    ),
                )
    names = ", ".join(system.name for system in SYSTEMS)
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"Every step of every run on six systems ({names}; S = 2, γ = .05, "
        f"β = {subject.beta:g}): {checks} residuals within rounding.",
        instances=checks,
        degenerate=trivial,
        tolerance=resolution,
        detectable=resolution,
    )


def _residuals(subject: Law, walk: Walk, move: Move) -> tuple[Array, Array]:
    """Return residuals of C' and ηB', (2, runs), and η²|M'|."""
    at, (old, new), after = move.at, move.momentum, move.after
    a, lr, beta, gamma = at.weights, walk.lr, walk.beta, walk.gamma
    C, M = at.charge, at.form(new)
    B = (a * at.theta * old).sum(axis=1)
    C_next = 0.5 * at.form(after)
    B_next = (a * after * new).sum(axis=1)
    of_C = C_next - (
        C - lr * (beta * B + subject.decay * gamma * C) + subject.half * lr**2 * M
    )
    of_B = lr * (B_next - (beta * B + 4.0 * gamma * C - subject.b * lr * M))
    return np.stack([of_C, of_B]), lr**2 * np.abs(M)


@only_about(OWN)
def law_by_engine(subject: Law, context: Context) -> Evidence:
    """Sum the law's increments and compare with the engine's charges at the end.

    Args:
        subject: the law claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where the charges after 60 steps agree to 10⁻⁸, else REFUTED.
    """
    route = "engine, charges at the end"
    worst = 0.0
    for system in SYSTEMS[:2]:
        walk = _walk(system, subject)
        plain, data, start = _setting(system, walk, context)
        found = _engine_run(system, walk, experiment(context, "arms"))
        C = 0.5 * (system.diagonal * start**2).sum(axis=1)
        B = np.zeros_like(C)
        size = np.abs(C)
        for move in sgd_path(system, start, data, walk, plain):
            M = move.at.form(move.momentum[1])
            kept = walk.beta * B + subject.decay * walk.gamma * C
            B = walk.beta * B + 4.0 * walk.gamma * C - subject.b * walk.lr * M
            C = C - walk.lr * kept + subject.half * walk.lr**2 * M
            size = size + walk.lr**2 * np.abs(M)
        ends = 0.5 * (system.diagonal * found**2).sum(axis=1)
        gap = float((np.abs(ends - C) / size).max())
        worst = max(worst, gap)
        if not gap <= 1e-8:
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{system.name}: the engine's charges are not those of the law.",
                instances=len(C),
                counterexample=Witness(
                    {"system": system.name},
                    f"relative difference {gap:.3g} after 60 steps",
                    "at most 1e-08",
                    exact=False,
                ),
            )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"The engine's charges after 60 steps are those of the summed law to "
        f"{worst:.1e}, for {', '.join(s.name for s in SYSTEMS[:2])}.",
        instances=2 * runs_of(context),
        tolerance=1e-8,
        detectable=1e-8,
    )


@lru_cache(maxsize=32)
def drawn(
    system: System, context: Context, groups: int = 1
) -> tuple[dict[str, Array], Array]:
    """Return the samples and the starts of a system."""
    rng = context.rng(system.name)
    return system.data(rng), system.draw(rng, groups * runs_of(context))


def _walk(system: System, subject: Law) -> Walk:
    """Return 60 steps with decay; with momentum β the steps are 1 − β times as long."""
    lr = system.lr * (1.0 - subject.beta)
    return Walk(lr, 60, batch=2, gamma=0.05, beta=subject.beta)


def _setting(
    system: System, walk: Walk, context: Context
) -> tuple[int, dict[str, Array], Array]:
    """Return the seed of the minibatches, the samples and the starts."""
    plain = experiment(context, "arms")
    return plain.key("minibatches", walk.lr), *drawn(system, plain)


@lru_cache(maxsize=16)
def _engine_run(system: System, walk: Walk, plain: Context) -> Array:
    data, start = drawn(system, plain)
    schedule = Schedule(
        walk.lr, walk.steps, walk.batch, gamma=walk.gamma, beta=walk.beta, points=1
    )
    return np.asarray(train(system.model, data, start, schedule, plain).theta)

"""Routes on real input: a ReLU classifier on the handwritten digits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from symbolic import Verdict, Witness
from verify._context import ALPHA, PLANNED_TESTS, Context
from verify._digits import (
    PRESETS,
    DigitsRun,
    MissingDigitsError,
    digits_figures,
    run_digits,
)
from verify._evidence import Evidence
from verify._routes._common import Factors


ROUTE = "digits"


@lru_cache(maxsize=2)
def _run(seed: int, profile: str) -> DigitsRun:
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    return run_digits(rng=rng, alpha=ALPHA / PLANNED_TESTS, settings=PRESETS[profile])


def _digits(context: Context) -> DigitsRun | Evidence:
    """Return the run, shared by all claims of a campaign, or why there is none."""
    if context.subject is not None:
        return Evidence(
            ROUTE,
            Verdict.NOT_APPLICABLE,
            "The digits network is not the subject of this run.",
        )
    try:
        return _run(context.seed, context.profile.name)
    except MissingDigitsError as error:
        return Evidence(ROUTE, Verdict.NOT_APPLICABLE, str(error))


def digits_law(subject: Any, context: Context) -> Evidence:
    """Check the exact law at every step for every neuron's charge."""
    run = _digits(context)
    if isinstance(run, Evidence):
        return run
    laws = (run.sgd.law, run.decay.law, run.gd.law)
    claimed = [law.worst if subject * 2 == 1 else law.worst_doubled for law in laws]
    checks, trivial = sum(law.checks for law in laws), sum(law.trivial for law in laws)
    what = (
        f"{run.settings.hidden} ReLU neurons, SGD with and without weight decay and "
        f"full-batch GD: {checks} checks, largest residual {max(claimed):.2g} of the "
        "rounding bound."
    )
    if max(claimed) <= 1.0:
        return Evidence(
            ROUTE,
            Verdict.SUPPORTED,
            what,
            instances=checks,
            degenerate=trivial,
            tolerance=max(law.resolution for law in laws),
            detectable=max(law.resolution for law in laws),
        )
    witness = Witness(
        {"network": "64–32–32–10 on the digits", "steps": str(run.settings.steps)},
        left=f"residual {max(claimed):.3g} × rounding bound",
        right="at most 1 × rounding bound",
        exact=False,
    )
    return Evidence(
        ROUTE, Verdict.REFUTED, what, instances=checks, counterexample=witness
    )


def digits_flow(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Test the flow's noise factor along training, by a martingale at level α."""
    run = _digits(context)
    if isinstance(run, Evidence):
        return run
    intervals = (run.factor, run.decay_factor) if decay else (run.factor,)
    claimed = float(subject.noise)
    alpha = sum(interval.alpha for interval in intervals)
    ends = "; ".join(f"[{i.lower:.3f}, {i.upper:.3f}]" for i in intervals)
    observations = sum(i.observations for i in intervals)
    if any(i.excludes(claimed) for i in intervals):
        witness = Witness(
            {"network": "64–32–32–10 on the digits"},
            f"factor in {ends}",
            f"factor {claimed:g}",
            exact=False,
        )
        return Evidence(
            ROUTE,
            Verdict.REFUTED,
            "The martingale test refutes the factor.",
            instances=observations,
            alpha=alpha,
            counterexample=witness,
        )
    wrong = (-1.0, 0.0, 0.5, 2.0)
    if not all(i.excludes(f) for i in intervals for f in wrong):
        return Evidence(
            ROUTE,
            Verdict.INCONCLUSIVE,
            f"The intervals {ends} do not exclude {wrong}.",
            instances=observations,
            alpha=alpha,
        )
    return Evidence(
        ROUTE,
        Verdict.SUPPORTED,
        f"ReLU classifier on the digits: the noise factor lies in {ends} over "
        f"{observations} minibatch measurements; −1, 0, 1/2 and 2 are refuted.",
        instances=observations,
        alpha=alpha,
        detectable=max(i.resolution for i in intervals),
        figures=() if decay else digits_figures(run)[:2],
    )


def digits_balance(subject: Any, context: Context) -> Evidence:
    """Compare λ* of each neuron with an independent minimiser of Φ on the real net."""
    if subject != "corrected":
        return Evidence(
            ROUTE, Verdict.NOT_APPLICABLE, "λ* is not unique under this hypothesis."
        )
    run = _digits(context)
    if isinstance(run, Evidence):
        return run
    points, unresolved = len(run.balances), run.unresolved
    fate = (
        f"The net interpolates ({'yes' if run.interpolates else 'no'}): the rate "
        f"Σ|Tr[ΣA_j]| falls to {run.rate_decay:.1e} of its start while the median |λ*| "
        f"stays at {run.remaining_distance:.0%}; the flow dies out before balance. "
        f"{run.dead} (checkpoint, neuron) pairs are dead: not applicable."
    )
    what = (
        f"{points} neurons at checkpoints: worst error {run.worst_balance:.2g} of the "
        f"derived tolerance. {fate}"
    )
    if not run.balances_agree:
        worst = max(run.balances, key=lambda p: p.error)
        witness = Witness(
            {"neuron": str(worst.neuron), "step": str(worst.step)},
            repr(worst.closed),
            repr(worst.optimised),
            exact=False,
        )
        return Evidence(
            ROUTE, Verdict.REFUTED, what, instances=points, counterexample=witness
        )
    return Evidence(
        ROUTE,
        Verdict.SUPPORTED,
        what,
        instances=points,
        degenerate=unresolved,
        tolerance=max(p.tolerance for p in run.balances if p.resolved),
        detectable=0.05,
        figures=digits_figures(run)[2:],
    )

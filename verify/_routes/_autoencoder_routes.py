"""Routes on real input: a linear autoencoder of the handwritten digits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from symbolic import Verdict, Witness
from verify._autoencoder import PRESETS, AutoencoderRun, run_autoencoder
from verify._autoencoder_figures import balance_figures, flow_figures
from verify._autoencoder_records import Sides
from verify._context import ALPHA, PLANNED_TESTS, Context
from verify._digits import MissingDigitsError
from verify._evidence import Evidence


ROUTE = "autoencoder"
_WRONG = (-1.0, 0.0, 0.5, 2.0)  # factors that the flow's interval must exclude
_ONE_RUN = "One run of each arm, measured to rounding: nothing is said of other runs."
_WHY = (
    r"$g_U = 2r(Wx)^\top$ and $g_W = 2U^\top r\,x^\top$: the noise of $U$ is of order "
    r"$\|r\|\,\|Wx\|$, that of $W$ of order $\|U^\top r\|\,\|x\|$.",
    r"With $y = x$ the best $W$ for a given $U$ is $U^+$, and then "
    r"$r = (P - 1)x$ with the projection $P$ on the range of $U$: "
    r"$U^\top r = 0$ for every sample.",
    r"So at every minimum $U^\top\Gamma_U U = 0$, while $r \ne 0$ keeps "
    r"$W\Gamma_W W^\top \ne 0$: nothing pushes $U^\top U - WW^\top$ down, and "
    r"$\lambda^* = +\infty$ for $B = I$.",
    r"Label noise has a part in the range of $U$: both sides stay positive, and "
    r"$\lambda^*$ is finite.",
    r"SGD at a fixed rate keeps off the minimum by fluctuation, $E\|U^\top r\|^2$ of "
    r"order $\eta$: its $\lambda^*$ is finite, levels off and falls again once $U$ has "
    r"grown, for a stationary state of SGD with one sample a step balances its second "
    r"moments even then. Divergence is the limit $\eta \to 0$ and the minimum itself; "
    r"$\lambda^*$ rises with every halving of $\eta$.",
)


@lru_cache(maxsize=2)
def _run(seed: int, profile: str) -> AutoencoderRun:
    # The second word keeps this stream apart from that of the digits classifier.
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 1])))
    alpha, settings = ALPHA / PLANNED_TESTS, PRESETS[profile]
    return run_autoencoder(rng=rng, alpha=alpha, settings=settings)


def _autoencoder(context: Context) -> AutoencoderRun | Evidence:
    """Return the run, shared by all claims of a campaign, or why there is none."""
    if context.subject is not None:
        return Evidence(
            ROUTE,
            Verdict.NOT_APPLICABLE,
            "The autoencoder of the digits is not the subject of this run.",
        )
    try:
        return _run(context.seed, context.profile.name)
    except MissingDigitsError as error:
        return Evidence(ROUTE, Verdict.NOT_APPLICABLE, str(error))


def _network(run: AutoencoderRun) -> str:
    return f"64–{run.settings.width}–64 autoencoder of the digits"


def autoencoder_law(subject: Any, context: Context) -> Evidence:
    """Check Q' = κ²Q + c·η²(g_Uᵀg_U − g_Wg_Wᵀ), entry by entry, at every step.

    Args:
        subject: the factor c claimed.
        context: profile and seed.

    Returns:
        SUPPORTED where all residuals are within rounding, else REFUTED.
    """
    run = _autoencoder(context)
    if isinstance(run, Evidence):
        return run
    worst = np.max([law.claimed(float(subject)) for law in run.laws])  # NaN stays NaN
    identity = np.max([law.identity for law in run.laws])
    checks = sum(law.exact.checks for law in run.laws)
    resolution = max(law.exact.resolution for law in run.laws)
    what = (
        f"{_network(run)}, SGD with and without label noise, with weight decay, and "
        rf"full-batch GD: {checks} entries of $U^\top U - WW^\top$ (all symmetric B "
        rf"at once), "
        rf"largest residual {worst:.2g} of its rounding bound; $U^\top g_U = "
        rf"g_WW^\top$ to "
        f"{identity:.2g} of its own."
    )
    if worst <= 1.0 and identity <= 1.0:
        return Evidence(
            ROUTE,
            Verdict.SUPPORTED,
            what,
            instances=checks,
            degenerate=sum(law.exact.trivial for law in run.laws),
            tolerance=resolution,
            detectable=resolution,
        )
    witness = Witness(
        {"network": _network(run), "steps": str(run.settings.steps)},
        left=f"residual {max(worst, identity):.3g} × rounding bound",
        right="at most 1 × rounding bound",
        exact=False,
    )
    return Evidence(
        ROUTE, Verdict.REFUTED, what, instances=checks, counterexample=witness
    )


def autoencoder_flow(subject: Any, context: Context) -> Evidence:
    """Test the noise factor of Theorem 2's flow along training by a martingale.

    Args:
        subject: what has `noise`, the factor claimed.
        context: profile and seed.

    Returns:
        SUPPORTED where the interval contains it and excludes −1, 0, ½ and 2.
    """
    run = _autoencoder(context)
    if isinstance(run, Evidence):
        return run
    interval, claimed = run.factor, float(subject.noise)
    ends = f"[{interval.lower:.3f}, {interval.upper:.3f}]"
    count, alpha = interval.observations, interval.alpha
    if interval.excludes(claimed):
        return Evidence(
            ROUTE,
            Verdict.REFUTED,
            f"The martingale test refutes the factor {claimed:g}.",
            instances=count,
            alpha=alpha,
            counterexample=Witness(
                {"network": _network(run)},
                f"factor in {ends}",
                f"factor {claimed:g}",
                exact=False,
            ),
        )
    if not all(interval.excludes(f) for f in _WRONG if f != claimed):
        return Evidence(
            ROUTE,
            Verdict.INCONCLUSIVE,
            f"The interval {ends} does not exclude {_WRONG}.",
            instances=count,
            alpha=alpha,
        )
    return Evidence(
        ROUTE,
        Verdict.SUPPORTED,
        rf"{_network(run)}, one sample a step: the factor of "
        rf"$\frac{{4\eta}}{{S}}(W\Gamma^0_WW^\top - U^\top\Gamma^0_UU)$ "
        rf"lies in {ends} over {count} measurements of $\mathrm{{Tr}}[B\Delta(U^\top "
        rf"U - WW^\top)]$; −1, 0, 1/2 "
        "and 2 are refuted.",
        instances=count,
        alpha=alpha,
        detectable=interval.resolution,
        figures=flow_figures(run),
    )


def autoencoder_balance(subject: Any, context: Context) -> Evidence:
    """Measure whether SGD aligns both sides, GD does not, and y = x never balances.

    Args:
        subject: "reverse" for the claim that SGD ends with an imbalance no smaller
            than that of GD; everything else is the claim that it aligns.
        context: profile and seed.

    Returns:
        SUPPORTED, REFUTED with the sides measured, or INCONCLUSIVE between.
    """
    run = _autoencoder(context)
    if isinstance(run, Evidence):
        return run
    confirmed, contradicted = _findings(run)
    if subject == "reverse":
        confirmed, contradicted = run.opposed, run.aligned
    what = f"{_alignment(run)} {_without_noise(run)} {_ONE_RUN}"
    if contradicted:
        return Evidence(
            ROUTE,
            Verdict.REFUTED,
            what,
            instances=3,
            counterexample=_witness(run),
        )
    verdict = Verdict.SUPPORTED if confirmed else Verdict.INCONCLUSIVE
    return Evidence(
        ROUTE,
        verdict,
        what,
        instances=3,  # SGD, GD, and SGD without label noise
        detectable=0.5,
        steps=_WHY,
        figures=balance_figures(run),
    )


def _findings(run: AutoencoderRun) -> tuple[bool, bool]:
    """Return whether the run confirms the balance, and whether it contradicts it."""
    confirmed = run.aligned and run.one_sided and run.runs_off
    # Each contradicts a theorem: GD is no better, and at minima Uᵀr = 0 iff y = x.
    minima = run.clean_descent.one_sided and not run.noisy_descent.one_sided
    return confirmed, run.opposed or not minima


def _numbers(sides: Sides) -> str:
    return f"imbalance {sides.imbalance:.3f}, cosine {sides.cosine:.3f}"


def _alignment(run: AutoencoderRun) -> str:
    sgd, gd, centred = run.sgd.tail(), run.gd.tail(), run.sgd.tail(centred=True)
    better = "better" if sgd.imbalance < centred.imbalance else "no better"
    return (
        f"{_network(run)}, averages over the last quarter of time {run.gd.time[-1]:g}: "
        f"SGD ends with {_numbers(sgd)} (centred Γ: {_numbers(centred)}; the second "
        f"moments, which SGD with one sample a step balances exactly, align {better}), "
        f"GD from the same start with {_numbers(gd)}."
    )


def _without_noise(run: AutoencoderRun) -> str:
    lam = [f"{sides.lam:.2f}" for sides in run.clean_phases]
    clean, noisy = run.clean_descent, run.noisy_descent
    there = "+∞" if clean.one_sided else f"{clean.lam_there:.2f}"
    return (
        f"Without label noise (y = x) no balance exists at a minimum: λ* of B = I is "
        f"{', '.join(lam[:4])} over the quarters at rate η and {', '.join(lam[4:])} at "
        f"each halving of it, with {run.clean_phases[-1].share:.1%} of the noise on U "
        f"at last; towards a minimum λ* gains {clean.slope:.4f} a sweep (predicted "
        rf"{clean.predicted_slope:.4f}), and there $U^\top r = 0$ to rounding "
        f"({clean.largest:.1e}), λ* = {there}. With label noise λ* settles at "
        rf"{noisy.lam_there:.2f}, $\max|U^\top r|$ at {noisy.largest:.2g}."
    )


def _witness(run: AutoencoderRun) -> Witness:
    return Witness(
        {
            "network": _network(run),
            "steps": str(run.settings.steps),
            "max |Uᵀr| at a minimum, y = x": f"{run.clean_descent.largest:.2g}",
        },
        left=f"SGD: {_numbers(run.sgd.tail())}",
        right=f"GD: {_numbers(run.gd.tail())}",
        exact=False,
    )

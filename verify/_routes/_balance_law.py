"""Theorem 2's law of UᵀU − WWᵀ on SGD ensembles: the factor of its noise part."""

from __future__ import annotations

import numpy as np

from numeric import LinearNet
from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._balance_reports import not_applicable, refuted
from verify._routes._balance_runs import (
    SETTINGS,
    Array,
    Setting,
    minibatch_gradient,
    replicas_of,
)
from verify._routes._common import Factors
from verify._statistics import FactorInterval, FactorTest


WRONG = (0.0, 0.5, 2.0)  # factors a useful interval excludes
LARGE = 1e6  # of ‖θ‖², where a replica is given up
# Far from the minimum and slow: M is as large as the noise, so that centring matters.
FAR = Setting(3, (1.0,), (0.1, 0.2), (2.0,), lr=0.001, start=(1.0, 1.0))


def balance_law(subject: Factors, context: Context) -> Evidence:
    """Measure the factor of 4(η/S)(WΓ⁰_WWᵀ − UᵀΓ⁰_UU) in the law of UᵀU − WWᵀ.

    With C_B = ½Tr[QB], Q = UᵀU − WWᵀ and κ = 1 − 2ηγ, discrete SGD obeys exactly

        E[ΔC_B | θ] = (κ² − 1)C_B + ½η²Tr[(ḡ_Uᵀḡ_U − ḡ_Wḡ_Wᵀ)B]
                      + 2(η²/S)Tr[(WΓ⁰_WWᵀ − UᵀΓ⁰_UU)B].

    The first two terms are known, the last carries the factor in question. At each
    step and replica B is the normalised last bracket at θ, hence predictable. The
    bounds are the extremes over single samples of a quadratic form: by convexity no
    minibatch mean exceeds the extremes of its B₊ and B₋ parts.

    Args:
        subject: Ċ_B = decay·γC_B + noise·(the noise part above, over η).
        context: profile and streams.

    Returns:
        REFUTED where an interval at level α misses the claimed factor; SUPPORTED
        where each contains it and excludes 0, ½ and 2; else INCONCLUSIVE.
    """
    route = "SGD ensembles, law of UᵀU − WWᵀ"
    if context.subject is not None:
        return not_applicable(route)
    claimed = float(subject.noise)
    intervals: list[FactorInterval] = []
    for setting in (*SETTINGS, FAR):
        rng = context.rng("balance law", setting.name)
        interval = _factor(setting, float(subject.decay), context, rng)
        intervals.append(interval)
        if interval.excludes(claimed):
            return refuted(
                route,
                "The claimed factor lies outside the measured interval.",
                setting,
                f"factor in [{interval.lower:.4g}, {interval.upper:.4g}] at alpha = "
                f"{interval.alpha:.1e}",
                f"factor {claimed:g}",
                instances=len(intervals),
                alpha=context.alpha * len(intervals),
            )
    vague = sum(not all(i.excludes(f) for f in WRONG) for i in intervals)
    sharp = [i.resolution for i in intervals if all(i.excludes(f) for f in WRONG)]
    observed = sum(i.observations for i in intervals)
    summary = (
        f"{len(intervals) - vague} of {len(intervals)} intervals ({observed} observed "
        f"steps) contain the factor {claimed:g} and exclude 0, 1/2 and 2."
    )
    return Evidence(
        route,
        Verdict.INCONCLUSIVE if vague else Verdict.SUPPORTED,
        summary,
        instances=len(intervals),
        degenerate=vague,
        alpha=context.alpha * len(intervals),
        detectable=max(sharp) if sharp and not vague else None,
    )


def _factor(
    setting: Setting, decay: float, context: Context, rng: np.random.Generator
) -> FactorInterval:
    """Return the interval for the factor of the noise part in one setting."""
    x, y = setting.samples(rng)
    net = setting.starts(rng, replicas_of(context.profile))
    test, eta, gamma = FactorTest(), setting.lr, setting.gamma
    for _ in range(context.profile.steps):
        net = _still_bounded(net)
        if not len(net.U):
            break
        left, right = net.sides(net.noise(x, y))
        size = np.sqrt(((left - right) ** 2).sum(axis=(-1, -2), keepdims=True))
        B = (left - right) / np.maximum(size, np.finfo(float).tiny)
        g_U, g_W = net.gradient(x, y)
        squares = np.swapaxes(g_U, -1, -2) @ g_U - g_W @ np.swapaxes(g_W, -1, -2)
        C = _trace(net.charge, B) / 2
        low, high = _extremes(net, x, y, B)
        base = ((1 - 2 * eta * gamma) ** 2 - 1) * C
        batch = minibatch_gradient(net, x, y, setting.batch, rng)
        after = net.stepped(*batch, lr=eta, gamma=gamma)
        # Each entry of Q is a sum of d_x + d_y products, and ‖B‖_F = 1.
        scale = (net.U**2).sum(axis=(-1, -2)) + (net.W**2).sum(axis=(-1, -2))
        rounding = 64 * 2.0**-52 * scale
        test.add(
            _trace(after.charge, B) / 2 - C,
            known=((1 + decay * eta * gamma / 2) ** 2 - 1) * C
            + eta**2 / 2 * _trace(squares, B),
            predicted=2 * eta**2 / setting.batch * _trace(left - right, B),
            lower=base - eta**2 / 2 * low - rounding,
            upper=base + eta**2 / 2 * high + rounding,
        )
        net = after
    return test.interval(context.alpha)


def _still_bounded(net: LinearNet) -> LinearNet:
    """Return the replicas that have not diverged: a stopping time for each.

    It is decided before the next minibatch is drawn, hence predictable.
    """
    size = (net.U**2).sum(axis=(-1, -2)) + (net.W**2).sum(axis=(-1, -2))
    keep = size <= LARGE
    return LinearNet(net.U[keep], net.W[keep])


def _extremes(net: LinearNet, x: Array, y: Array, B: Array) -> tuple[Array, Array]:
    """Return (low, high) with −low ≤ Tr[(ĝ_Uᵀĝ_U − ĝ_Wĝ_Wᵀ)B] ≤ high, per replica.

    Per sample the two products are 4‖r‖²hhᵀ and 4‖x‖²kkᵀ with h = Wx and k = Uᵀr.
    """
    values, vectors = np.linalg.eigh(B)
    r = net.residuals(x, y)
    h = (x @ np.swapaxes(net.W, -1, -2) @ vectors) ** 2  # (replicas, N, d)
    k = (r @ net.U @ vectors) ** 2
    h = 4 * (r**2).sum(axis=-1, keepdims=True) * h
    k = 4 * (x**2).sum(axis=-1, keepdims=True) * k
    plus, minus = np.maximum(values, 0)[..., None], np.maximum(-values, 0)[..., None]
    high = (h @ plus + k @ minus).max(axis=(-1, -2))
    low = (h @ minus + k @ plus).max(axis=(-1, -2))
    return low, high


def _trace(left: Array, right: Array) -> Array:
    """Return Tr[left·right] of symmetric matrices over the last two axes."""
    return np.asarray((left * right).sum(axis=(-1, -2)))

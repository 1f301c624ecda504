"""Routes for the balance of a diagonal network's factors, and for what stays at 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod

import hypothesis.strategies as st
import numpy as np
import sympy as sp

from symbolic import Verdict, Witness
from verify._context import Context
from verify._diagonal._figures import fluctuations, paths
from verify._diagonal._settings import Ends, experiment
from verify._evidence import Evidence
from verify._figures._median import median_interval
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._diagonal_cases import Net, any_nets, data_sets, net
from verify._routes._diagonal_simulation import SHARED, Law, runs_of
from verify._scope import NETWORKS, only_about


Check = Callable[[Fraction, Context], Evidence]
_BY_WEIGHTS = ((3, 2, 4), "weights")


# --- p2.reduced: the subject is the factor r of η²q²h² (and of 4TQh²), claimed 1 ----


@only_about(NETWORKS)
def balance_algebra(subject: Fraction, context: Context) -> Evidence:
    """Square the step of SGD, and apply Itô's rule, for two to five factors."""
    del context
    rows: list[tuple[str, sp.Expr, sp.Expr]] = []
    eta, gamma, T = sp.symbols("eta gamma T", positive=True)
    q, mean, Q = sp.symbols("q m Q", real=True)
    for N in (2, 3, 4, 5):
        u = sp.symbols(f"u1:{N + 1}", real=True)
        h = sp.prod(u[2:])
        slopes = [sp.diff(sp.prod(u), z) for z in u[:2]]
        kappa = 1 - 2 * eta * gamma
        moved = [kappa * z - eta * q * g for z, g in zip(u[:2], slopes, strict=True)]
        gap = u[0] ** 2 - u[1] ** 2
        rate = kappa**2 - subject * (eta * q * h) ** 2
        rows.append((f"N = {N}: a step", moved[0] ** 2 - moved[1] ** 2, rate * gap))
        # d(u²) = 2u du + (du)², du = −g(m dt + 2√(TQ)dB) − 2γu dt.
        flow = sp.S.Zero
        for sign, z, g in zip((1, -1), u[:2], slopes, strict=True):
            flow += sign * (2 * z * (-g * mean - 2 * gamma * z) + g**2 * 4 * T * Q)
        law = -(4 * subject * T * Q * h**2 + 4 * gamma) * gap
        rows.append((f"N = {N}: the SDE", flow, law))
        noise = u[0] * slopes[0] - u[1] * slopes[1]
        rows.append((f"N = {N}: no noise", noise, sp.S.Zero))
    return symbolic_evidence(
        "algebra",
        rows,
        "The difference of the squares of two factors",
        (
            r"$u' = \kappa u - \eta qhw$, $w' = \kappa w - \eta qhu$ with $h$ the "
            r"product of the other factors, $q = \partial\ell/\partial v$, $\kappa = 1 "
            r"- 2\eta\gamma$; $q$ is any number, and the sum over the width is in it.",
            r"The SDE's $u^2 - w^2$ has no noise: $uhw - whu = 0$.",
            r"Two factors: $h = 1$ and $Q \ge \Delta/\alpha_1$, so the rate is at "
            r"least $4T\Delta/\alpha_1 + 4\gamma$ everywhere. Else: $4TQh^2 + "
            r"4\gamma$, which for $\gamma = 0$ vanishes where two other factors do.",
        ),
    )


@st.composite
def _deep_nets(draw: st.DrawFn) -> Net:
    """Draw a net of two to four factors, anywhere."""
    samples, N = draw(data_sets()), draw(st.integers(2, 4))
    entry = st.integers(-8, 8).map(lambda n: Fraction(n, 4))
    width = draw(st.integers(1, 2))
    rows = tuple(tuple(draw(entry) for _ in range(N)) for _ in range(width))
    eta = draw(st.sampled_from([Fraction(1, n) for n in (2, 5, 20)]))
    return Net(samples, rows, eta, draw(st.integers(1, 2)))


@only_about(NETWORKS)
def balance_exact(subject: Fraction, context: Context) -> Evidence:
    """Take steps of SGD by differences of the loss; compare u² − w²."""

    def sides(case: Net) -> Sides:
        batch = next(case.minibatches())
        row, after = case.weights[0], case.step(batch).weights[0]
        h, v = prod(row[2:], start=Fraction(1)), case.value
        q = sum((2 * x * (v * x - y) for x, y in batch), Fraction(0)) / len(batch)
        gap = row[0] ** 2 - row[1] ** 2
        claimed = gap * (1 - subject * (case.eta * q * h) ** 2)
        found = after[0] ** 2 - after[1] ** 2
        return Sides(found, claimed, degenerate=not gap or not q * h)

    return drawn_evidence(
        "SGD, exact",
        sides,
        _deep_nets(),
        context,
        "u² − w² of two factors after a step of SGD",
        examples=(net(((1, 2),), ((2, 1, 1),), Fraction(1, 4)),),
    )


@only_about(NETWORKS)
def balance_simulated(subject: Fraction, context: Context) -> Evidence:
    """Compare the imbalance of the runs at the end with that at the start."""
    route = "SDE of all weights"
    if subject != 1:
        why = "The runs tell that the imbalance falls, not at which rate."
        return Evidence(route, Verdict.NOT_APPLICABLE, why)
    found = experiment(replace(context, claim=SHARED, shrink=False), *_BY_WEIGHTS)
    text = "; ".join(
        f"{e.setting.factors} factors {e.spread[0]:.3f} to {e.spread[1]:.2g}"
        for e in found
    )
    what = f"Largest |ln|u_k/u_l|| of a product, median over replicas: {text}."
    if not all(e.spread[1] < e.spread[0] for e in found):
        return Evidence(route, Verdict.INCONCLUSIVE, what, instances=len(found))
    return Evidence(
        route,
        Verdict.SUPPORTED,
        what,
        instances=len(found),
        detectable=1.0,
        figures=(paths(replace(context, claim=SHARED).key("paths")),),
    )


# --- p2.ergodicity ----


def atom_exact(subject: Law, context: Context) -> Evidence:
    """Take steps of SGD from u = w = 0, and from u = ±w: do they stay?"""
    route = "SGD, exact"
    if context.subject is not None:
        why = "About diagonal networks, not about one declaration."
        return Evidence(route, Verdict.NOT_APPLICABLE, why)

    def sides(case: Net) -> Sides:
        batch = next(case.minibatches())
        width = len(case.weights)
        empty = replace(case, weights=((Fraction(0), Fraction(0)),) * width)
        left = sum(map(abs, empty.step(batch).weights[0]), Fraction(0))
        lines = replace(
            case, weights=tuple((u, u if i else -u) for i, (u, _) in _enumerated(case))
        )
        for (u, w), (a, b) in zip(
            lines.step(batch).weights, lines.weights, strict=True
        ):
            left += abs(u * b - w * a)
        unique = subject.present is not None
        return Sides(left + int(not unique), Fraction(1))

    return drawn_evidence(
        route,
        sides,
        any_nets(),
        context,
        "Products at 0 stay there, and products with u = ±w stay on their line",
        examples=(net(((1, 1),), ((0, 0),), Fraction(1, 4)),),
        shown=("{} (1: 0 and the lines are kept; 0: they are left)", "{}"),
    )


def _enumerated(case: Net) -> list[tuple[int, tuple[Fraction, ...]]]:
    return list(enumerate(case.weights))


# --- p2.fluctuations ----


def spread_rises(subject: str, context: Context) -> Evidence:
    """Compare the spread of the runs, |v − its median|, with that at other T.

    The runs are at shares .3, .2 and .1 of T_c; the median of |v − m| over replicas is
    enclosed by order statistics.

    Args:
        subject: "rises" or "falls": with T, at first.
        context: profile and streams.

    Returns:
        SUPPORTED where it rises from T_c/100 on and falls to T_c, REFUTED where it
        rises and should not.
    """
    route = "SDE, spread"
    if context.subject is not None:
        why = "About diagonal networks, not about one declaration."
        return Evidence(route, Verdict.NOT_APPLICABLE, why)
    found = runs_of(context, ((2,), "sums"))
    rows = [_spread_row(ends, context.alpha / len(found)) for ends in found]
    rising = all(low > cold for low, cold, *_ in rows)
    falling = all(hot < low for low, _, hot, _ in rows)
    text = "; ".join(
        f"{e.setting.share} T_c: at least {low:.3g}, at T_c/100 {cold:.3g}, at "
        f".999 T_c {hot:.3g}"
        for e, (low, cold, hot, _) in zip(found, rows, strict=True)
    )
    what = f"Median of |v − median|: {text}."
    if subject != "rises" and rising:
        witness = Witness(found[0].setting.describe(), what, "falls in T", exact=False)
        return Evidence(
            route,
            Verdict.REFUTED,
            what,
            instances=len(found),
            alpha=context.alpha,
            counterexample=witness,
        )
    if not (subject == "rises" and rising and falling):
        return Evidence(route, Verdict.INCONCLUSIVE, what, instances=len(found))
    return Evidence(
        route,
        Verdict.SUPPORTED,
        what,
        instances=len(found),
        alpha=context.alpha,
        detectable=max(width for *_, width in rows),
    )


def _spread_row(ends: Ends, alpha: float) -> tuple[float, float, float, float]:
    """Return a run's least spread at level α, two other laws', and the band's width."""
    centre = ends.setting.law().ppf(0.5)
    seen = median_interval(np.abs(ends.v - centre), alpha)
    share = float(ends.setting.share)
    others = []
    for target in (0.01, 0.999):
        law = ends.setting.law(target / share)
        others.append(float(law.ppf(0.75) - law.ppf(0.25)) / 2)
    width = (seen.upper - seen.lower) / seen.estimate
    return seen.lower, others[0], others[1], width


def variance_bends(subject: str, context: Context) -> Evidence:
    """Evaluate Var v of the density between 0 and T_c for the drawn settings."""
    route = "density, quadrature"
    if context.subject is not None:
        why = "About diagonal networks, not about one declaration."
        return Evidence(route, Verdict.NOT_APPLICABLE, why)
    found, shares = runs_of(context, ((2,), "sums")), np.array([1e-3, 0.3, 0.6, 0.9999])
    worst = 1.0
    for ends in found:
        critical = ends.setting.law().critical_temperature
        law = replace(ends.setting.law(), T=shares * critical)
        variance = law.var()
        rises, falls = variance[0] < 0.1 * variance[1], variance[3] < 0.1 * variance[2]
        if subject != "rises" and rises:
            witness = Witness(
                ends.setting.describe(),
                f"Var v = {variance[0]:.4g}, {variance[1]:.4g} at T_c/1000, .3 T_c",
                "falls in T",
                exact=False,
            )
            what = "Var v rises from T = 0 on."
            return Evidence(route, Verdict.REFUTED, what, 1, counterexample=witness)
        if not (rises and falls):
            what = f"Var v = {variance} at the shares {shares} of T_c."
            return Evidence(route, Verdict.INCONCLUSIVE, what, instances=len(found))
        worst = min(worst, variance[0] / variance[1])
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{len(found)} drawn settings with two factors: Var v at T_c/1000 is less than "
        f"a tenth of that at .3 T_c, and at .9999 T_c of that at .6 T_c.",
        instances=len(found),
        tolerance=1e-8,
        detectable=0.1,
        figures=(fluctuations(),),
    )

"""Routes for discrete SGD on a diagonal network: its law at 0, and the wrong sign."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from symbolic import Verdict, Witness
from verify._context import Context
from verify._diagonal._gaussian import exponent, runs, sde_exponent
from verify._evidence import Evidence, Figure, Series
from verify._radii import binomial_upper
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._diagonal_cases import Net, net, small_nets
from verify._scope import NETWORKS, only_about


Array = NDArray[np.float64]
Check = Callable[[str, Context], Evidence]
_NEAR = Fraction(1, 10**30)  # u at which a step is its linear part to 60 digits
_ROUTE = "SGD, exact"
# x = 1, y = 3 or -1: β₂ = 1, α₃ = 4, T_c = 1/4. At η = S = 1 a step from u = w → 0
# multiplies by 7 or -1.
BY_HAND = net(((1, 3), (1, -1)), ((1, 1),), 1)


# --- p2.only-T: the subject is "SDE" (the phase is that of T = η/S) or "discrete" ----


def moments_of(case: Net) -> tuple[Fraction, Fraction]:
    """Return β₂ = E[xy] and α₃ = Var[xy]."""
    z = case.products()
    mean = sum(z, Fraction(0)) / len(z)
    return mean, sum(((value - mean) ** 2 for value in z), Fraction(0)) / len(z)


def log_sign(subject: str, case: Net) -> int:
    """Return the sign of the exponent at 0: by the SDE, or E ln|1 + 2η·mean(xy)|.

    The second is the sign of ln ∏|1 + 2ηm|ⁿ over the multisets of S samples, n how
    many minibatches each stands for: a rational number.

    Args:
        subject: "SDE" or "discrete".
        case: data, η and S.

    Returns:
        −1 where 0 attracts, 1 where it repels, 0 on the border.
    """
    if subject == "SDE":
        beta2, alpha3 = moments_of(case)
        return _sign(beta2 - case.temperature * alpha3)
    product = Fraction(1)
    for chosen in combinations_with_replacement(range(len(case.samples)), case.batch):
        orders = math.factorial(case.batch)
        for times in Counter(chosen).values():
            orders //= math.factorial(times)
        mean = sum((case.products()[i] for i in chosen), Fraction(0)) / case.batch
        product *= abs(1 + 2 * case.eta * mean) ** orders
    return _sign(product - 1)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


@only_about(NETWORKS)
def zero_exact(subject: str, context: Context) -> Evidence:
    """Take a step of SGD from u = w = 10⁻³⁰ with each minibatch; multiply |u'/u|."""

    def sides(case: Net) -> Sides | None:
        claimed = log_sign(subject, case)
        if not claimed:
            return None  # on the border neither law says anything
        start = replace(case, weights=((_NEAR, _NEAR),))
        growth = Fraction(1)
        for batch in case.minibatches():
            (u, w), *_ = start.step(batch).weights
            growth *= abs(u) / _NEAR if u == w else Fraction(-1)
        return Sides(Fraction(_sign(growth - 1)), Fraction(claimed))

    return drawn_evidence(
        _ROUTE,
        sides,
        small_nets(),
        context,
        "Sign of E ln|u'/u| at u = w → 0 over all minibatches",
        examples=(BY_HAND,),
        shown=("sign {} of E ln|u'/u|", "sign {}"),
    )


@only_about(NETWORKS)
def divergence_exact(subject: str, context: Context) -> Evidence:
    """Run SGD from a large u = w: does every step double it, or never all?"""

    def sides(case: Net) -> Sides:
        size = threshold(case)
        at, doublings, steps = replace(case, weights=((size, size),)), 0, 3
        batches = list(case.minibatches())
        for k in range(steps):
            batch = batches[context.key("batch", k, len(batches)) % len(batches)]
            after = at.step(batch)
            (u, w), (old, _) = after.weights[0], at.weights[0]
            doublings += int(u == w and abs(u) >= 2 * abs(old))
            at = after
        claimed = steps if subject == "discrete" else 0
        return Sides(Fraction(doublings), Fraction(claimed))

    return drawn_evidence(
        "SGD from far away, exact",
        sides,
        small_nets(),
        context,
        "Steps that at least double |u|, of three from a large u = w",
        examples=(replace(BY_HAND, eta=Fraction(1, 4)),),
        shown=("{} steps that double |u|", "{}"),
    )


def threshold(case: Net) -> Fraction:
    """Return an R such that u = w, |u| ≥ R is doubled by every step, x ≠ 0.

    |1 + 2η(b − au²)| ≥ 2 for b = mean(xy), a = mean(x²) where au² ≥ b + 3/(2η).

    Args:
        case: data, η and S.

    Returns:
        R, not the least one.
    """
    most = max(abs(z) for z in case.products())
    least = min(x * x for x, _ in case.samples)
    square = (most + Fraction(3) / (2 * case.eta)) / least
    return Fraction(math.isqrt(math.ceil(square)) + 1)


@only_about(NETWORKS)
def zero_symbolic(subject: str, context: Context) -> Evidence:
    """Differentiate the step of SGD at u = w = 0, data and η symbols."""
    del context
    if subject != "discrete":
        return _refuted_by_hand()
    return symbolic_evidence(
        "algebra",
        _rows(),
        "The step of SGD on the line u = w",
        (
            r"On $u = w$: $u' = u\,(1 + 2\eta(b - au^2))$, $a$, $b$ the minibatch "
            r"means of $x^2$, $xy$.",
            r"While $|u| \le r$, $\ln|u'/u|$ is at most $\ln\max_{|s| \le r}|1 + "
            r"2\eta(b - as^2)|$, bounded, with mean $\to \lambda$ as $r \to 0$; by the "
            r"strong law its sums tend to $-\infty$ where $\lambda < 0$: from small "
            r"starts $u \to 0$, with a probability that tends to 1. Where $\lambda > "
            r"0$ is finite the same from below takes $u$ out of $|u| \le r$.",
            r"Where $au^2 \ge b + 3/2\eta$ in every minibatch, $|u'| \ge 2|u|$: it "
            r"stays there, and doubles for ever.",
        ),
    )


def _rows() -> list[tuple[str, sp.Expr, sp.Expr]]:
    """Return label, what is derived, and what is claimed."""
    eta, u = sp.symbols("eta u", positive=True)
    w = sp.Symbol("w", real=True)
    rows = []
    for S in (1, 2, 3):
        x, y = sp.symbols(f"x:{S}", real=True), sp.symbols(f"y:{S}", real=True)
        pairs = list(zip(x, y, strict=True))
        a = sum((p * p for p, _ in pairs), sp.S.Zero) / S
        b = sum((p * q for p, q in pairs), sp.S.Zero) / S
        loss = sum(((u * w * p - q) ** 2 for p, q in pairs), sp.S.Zero) / S
        of_u = (u - eta * sp.diff(loss, u)).subs(w, u)
        of_w = (w - eta * sp.diff(loss, w)).subs(w, u)
        rows += [
            (f"S = {S}: u' = w'", of_u, of_w),
            (f"S = {S}: the step", of_u, u * (1 + 2 * eta * (b - a * u * u))),
            (f"S = {S}: at 0", sp.diff(of_u, u).subs(u, 0), 1 + 2 * eta * b),
        ]
        # E ln|1 + 2ηm| = 2ηE m − 2η²E m² + …, over the pairs of two samples.
        z = sp.symbols("z:2", real=True)
        mean, half = (z[0] + z[1]) / 2, (z[0] - z[1]) ** 2 / 4
        terms = [sp.binomial(S, n) * _log(eta, z, n, S) for n in range(S + 1)]
        law = sum(terms, sp.S.Zero) / 2**S
        first, second = (sp.diff(law, eta, n).subs(eta, 0) for n in (1, 2))
        T = eta / S
        rows.append(
            (
                f"S = {S}: to order η²",
                first * eta + second * eta**2 / 2,
                2 * eta * (mean - T * half) - 2 * eta**2 * mean**2,
            )
        )
    return rows


def _log(eta: sp.Symbol, z: tuple[sp.Symbol, ...], n: int, S: int) -> sp.Expr:
    """Return ln(1 + 2ηm) for n samples of one kind and S − n of the other."""
    return sp.log(1 + 2 * eta * (n * z[0] + (S - n) * z[1]) / S)


def _refuted_by_hand() -> Evidence:
    """Differentiate the step on the data of `BY_HAND`, where T = 1 > T_c = 1/4."""
    u = sp.Symbol("u", real=True)
    factors = []
    for x, y in BY_HAND.samples:
        slope = sp.diff((u * sp.Symbol("w") * x - y) ** 2, u).subs("w", u)
        factors.append(sp.diff(u - BY_HAND.eta * slope, u).subs(u, 0))
    growth = sp.log(sp.prod(map(sp.Abs, factors))) / len(factors)
    beta2, alpha3 = moments_of(BY_HAND)
    if not (BY_HAND.temperature > beta2 / alpha3 and growth.is_positive):
        why = "The example no longer repels from 0 above T_c."
        return Evidence("algebra", Verdict.INCONCLUSIVE, why, instances=1)
    return Evidence(
        "algebra",
        Verdict.REFUTED,
        "Above T_c every run of the SDE collapses to 0; SGD is driven away from it.",
        instances=1,
        counterexample=Witness(
            {**BY_HAND.describe(), "T": "1", "T_c": str(beta2 / alpha3)},
            f"E ln|u'/u| = {growth} > 0 at u = w -> 0",
            "E ln|u'/u| < 0, collapse",
            exact=True,
        ),
    )


_ETA, _NOISE = 0.35, 1.0


@lru_cache(maxsize=4)
def _gaussian_runs(key: int, replicas: int) -> Array:
    rng = np.random.Generator(np.random.Philox(key=key))
    return runs(_ETA, 400, 8 * replicas, rng, _NOISE)


@only_about(NETWORKS)
def gaussian_runs(subject: str, context: Context) -> Evidence:
    """Run SGD on x ~ N(0, 1), y = x + ε with S = 1, η = .35: T = .35 > T_c = 1/3."""
    route = "SGD on Gaussian data"
    plain = replace(context, claim="p2.only-T runs")
    size = _gaussian_runs(plain.key("runs"), plain.profile.replicas)
    count, lost = size.size, int(np.count_nonzero(np.isinf(size)))
    collapsed = int(np.count_nonzero(size < 1e-9))
    found, sde = exponent(_ETA, 1, 1.0, _NOISE), sde_exponent(_ETA, 1, 1.0, _NOISE)
    what = (
        f"x ~ N(0, 1), y = x + ε, S = 1, η = .35: exponent at 0 a step {found:+.4f}, "
        f"the SDE's {sde:+.4f}; of {count} runs of 400 steps {lost} diverge and "
        f"{collapsed} collapse."
    )
    figures = (_exponents(), _windows())
    if subject != "discrete":
        if not (lost and found > 0 > sde):
            return Evidence(route, Verdict.INCONCLUSIVE, what, instances=count)
        at = {"x": "N(0, 1)", "y": "x + N(0, 1)", "eta": "0.35", "S": "1"}
        seen = f"{lost} of {count} runs diverge, exponent at 0 {found:+.3f}"
        witness = Witness(at, seen, f"none, exponent {sde:+.3f}", exact=False)
        return Evidence(
            route, Verdict.REFUTED, what, count, counterexample=witness, figures=figures
        )
    kept = binomial_upper(count - lost, count, context.alpha)
    if not (found > 0 and kept <= 0.25):
        return Evidence(route, Verdict.INCONCLUSIVE, what, count, figures=figures)
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{what} At least {1 - kept:.3f} of all runs diverge.",
        instances=count,
        alpha=context.alpha,
        detectable=kept,
        figures=figures,
    )


@lru_cache(maxsize=1)
def _exponents() -> Figure:
    """Return the exponents at 0 against η, S = 1."""
    etas = np.geomspace(0.002, 0.6, 45)
    series = []
    for group, noise in enumerate((1.0, 5.0)):
        found = tuple(exponent(eta, 1, 1.0, noise) / eta for eta in etas)
        sde = tuple(sde_exponent(eta, 1, 1.0, noise) / eta for eta in etas)
        inside = tuple(max(value, -6.0) for value in sde)
        at = tuple(map(float, etas))
        series += [
            Series(f"SGD, σ = {noise:g}", at, found, group=group),
            Series(f"SDE, σ = {noise:g}", at, inside, kind="dashed", group=group),
        ]
    zero = (float(etas[0]), float(etas[-1]))
    series.append(Series("", zero, (0.0, 0.0), group=-1))
    return Figure(
        "Does 0 attract? The exponent of u at 0 against the learning rate",
        "learning rate η (S = 1, so T = η)",
        "exponent / η",
        tuple(series),
        xscale="log",
        caption="Below 0 the weights collapse. For little noise SGD never collapses, "
        "whatever its SDE does; for much noise it does in a window of η. The SDE's "
        "line is cut at −6.",
    )


def collapse_window(noise: float, batch: int = 1) -> tuple[float, float] | None:
    """Return the η between which SGD collapses, None where at no η of the grid.

    Args:
        noise: σ of y = x + σε.
        batch: S.

    Returns:
        Both ends, by bisection.
    """
    grid = np.geomspace(1e-4, 4.0, 40)
    signs = np.array([exponent(eta, batch, 1.0, noise) < 0 for eta in grid])
    if not signs.any():
        return None
    inside = np.flatnonzero(signs)
    ends = []
    for out, at in ((inside[0] - 1, inside[0]), (inside[-1] + 1, inside[-1])):
        far, near = float(grid[out]), float(grid[at])
        for _ in range(12):
            middle = math.sqrt(far * near)
            if exponent(middle, batch, 1.0, noise) < 0:
                near = middle
            else:
                far = middle
        ends.append(math.sqrt(far * near))
    return ends[0], ends[1]


@lru_cache(maxsize=1)
def _windows() -> Figure:
    """Return where SGD collapses in the plane of noise and learning rate."""
    noises = np.geomspace(3.0, 30.0, 9)
    found = [(float(s), collapse_window(float(s))) for s in noises]
    kept = [(s, ends) for s, ends in found if ends is not None]
    at = tuple(s for s, _ in kept)
    lower = tuple(ends[0] for _, ends in kept)
    upper = tuple(ends[1] for _, ends in kept)
    critical = tuple(1 / (2 + float(s) ** 2) for s in noises)
    return Figure(
        "Windows of collapse of discrete SGD, S = 1",
        "label noise σ",
        "learning rate η",
        (
            Series("SGD collapses", at, lower, upper, kind="band", group=0),
            Series(
                "the SDE collapses above T_c",
                tuple(map(float, noises)),
                critical,
                kind="dashed",
                group=1,
            ),
        ),
        xscale="log",
        yscale="log",
        caption="x ~ N(0, 1), y = x + σε. Above the band SGD is thrown out and "
        "diverges; where there is no band it never collapses.",
    )

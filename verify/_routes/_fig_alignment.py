"""P1, Fig. 3: alignment over a sweep of label noises, and warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numeric import LinearNet
from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._chains import Chain, Trained, by_engine, by_loop, size
from verify._figures._median import Row, cloud, judged
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
Runner = Callable[[Chain, Context], Trained]
ALIGNED = 0.85  # cosines above it count as aligned
APART = 0.75  # of GD, below it
SWEEP = (0.2, 1.0, 5.0)
_WIDE = (0.2, 0.45, 1.0, 2.2, 5.0)
_HALF = 3  # inputs; half of the outputs have noise of variance a


@dataclass(frozen=True, slots=True)
class Alignment:
    """WΣ̄ₓWᵀ and UᵀΣ̄_εU align after training by a method.

    Attributes:
        method: "sgd" or "gd".
        power: Σ_ε enters the balance to this power.
    """

    method: str = "sgd"
    power: float = 1.0


def sweep_chain(a: float) -> Chain:
    """Return the network 6–8–6 with Σ_ε = diag(a, a, a, 1, 1, 1)."""
    noise = (math.sqrt(a),) * _HALF + (1.0,) * _HALF
    return Chain((1.0,) * 6, noise, (8,), (0.35, 0.35), lr=0.03, batch=4, steps=1100)


def cosine(left: Array, right: Array) -> Array:
    """Return cosines between matrices as vectors, over the last two axes."""
    sizes = np.sqrt((left**2).sum(axis=(-1, -2)) * (right**2).sum(axis=(-1, -2)))
    return np.asarray((left * right).sum(axis=(-1, -2)) / sizes)


def _theorem(found: Trained, chain: Chain, power: float) -> Array:
    """Return the cosine between Theorem 2's sides, with Γ measured over the data."""
    net, (x, y) = LinearNet(found.end[1], found.end[0]), found.data
    if power == 1.0:
        return cosine(*net.sides(net.noise(x, y)))
    return _closed(found, chain, power)


def _closed(found: Trained, chain: Chain, power: float) -> Array:
    """Return the cosine between both sides of (16), with Σₓ and Σ_ε as declared."""
    W, U = found.end
    spread_x, spread = (np.array(s) ** 2 for s in (chain.x_scale, chain.noise_scale))
    left = np.einsum("...ik,k,...jk->...ij", W, spread_x / spread_x.sum(), W)
    weight = spread**power
    right = np.einsum("...ki,k,...kj->...ij", U, weight / weight.sum(), U)
    return cosine(left, right)


@only_about(OWN)
def alignment_ensemble(subject: Alignment, context: Context) -> Evidence:
    """Measure the alignment of WΓ_WWᵀ and UᵀΓ_UU, Γ of Theorem 2 over the data.

    Args:
        subject: the method and the power of Σ_ε claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of SGD's cosines are above .85, GD's below .75, and at
        the least a those of runs are above the same with half and twice the power.
    """
    return _aligned("engine: Γ over the data", by_engine, _theorem, subject, context)


@only_about(OWN)
def alignment_loop(subject: Alignment, context: Context) -> Evidence:
    """Measure the alignment of (16), fresh samples at every step.

    Args:
        subject: the method and the power of Σ_ε claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of SGD's cosines are above .85, GD's below .75, and at
        the least a those of runs are above the same with half and twice the power.
    """
    return _aligned("plain loop: Eq. (16)", by_loop, _closed, subject, context)


def _aligned(
    route: str,
    runner: Runner,
    angle: Callable[[Trained, Chain, float], Array],
    subject: Alignment,
    context: Context,
) -> Evidence:
    rows: list[Row] = []
    found: dict[str, list[Array]] = {"SGD": [], "GD": []}
    sweep = SWEEP if context.profile.name == "quick" else _WIDE
    for a in sweep:
        chain = sweep_chain(a)
        descent = chain.by("gd", lr=0.03, steps=600)
        trained = runner(chain if subject.method == "sgd" else descent, context)
        seen = angle(trained, chain, subject.power)
        other = angle(runner(descent, context), chain, 1.0)
        rows.append(Row(f"cosine, a = {a:g}", seen, lower=ALIGNED))
        rows.append(Row(f"cosine of GD, a = {a:g}", other, upper=APART))
        for factor in (0.5, 2.0) if a == sweep[0] else ():
            less = seen - angle(trained, chain, factor * subject.power)
            name = f"cosine less that with Σ_ε to {factor:g} times the power, a = {a:g}"
            rows.append(Row(name, less, lower=0.0))
        found["SGD"].append(seen)
        found["GD"].append(other)
    what = (
        f"Networks 6–8–6, y = x + ε, Σ_ε = diag(a, a, a, 1, 1, 1), {subject.method} "
        f"against gradient descent from the same starts."
    )
    return judged(route, rows, context, what, (_clouds(sweep, found),))


def _clouds(sweep: tuple[float, ...], found: dict[str, list[Array]]) -> Figure:
    series = []
    for group, (name, columns) in enumerate(found.items()):
        series.append(cloud(name, sweep, columns, group))
    return Figure(
        r"SGD aligns the two sides of Theorem 2, GD does not",
        r"variance a of half of the label noise",
        r"cosine between both sides",
        tuple(series),
        xscale="log",
        caption="One point a run; the paper has one run for each Σ_ε.",
    )


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Rank one from Kaiming's start: η = .008 diverges, unless .001 comes first.

    Attributes:
        diverges: whether the run without warm-up is claimed to diverge.
        same_end: whether both starts are claimed to end at the same sharpness.
    """

    diverges: bool = True
    same_end: bool = True


_D = 30
_SAME = (0.75, 4.0 / 3.0)  # by a third, where the starts differ by a factor 16
_RANK_ONE = Chain((1.0,) * _D, (1.0,) * _D, (1,), (1.0, 1.0), lr=0.008, steps=800)


def rank_one(start: str, warm: int = 0) -> Chain:
    """Return the network 30–1–30 from Kaiming's or Xavier's start."""
    xavier = (1 + _D) ** -0.5
    starts = (_D**-0.5, 1.0) if start == "kaiming" else (xavier, xavier)
    return replace(_RANK_ONE, starts=starts, warm=warm, groups=4)


def sharpness(W: Array, U: Array, x_scale: tuple[float, ...]) -> Array:
    """Return Tr ∇²L = 2(d_y Tr[WΣₓWᵀ] + ‖U‖² Tr Σₓ), Prop. 2 with γ = 0."""
    spread = np.array(x_scale) ** 2
    d_y = U.shape[-2]
    return np.asarray(2.0 * (d_y * size(W * np.sqrt(spread)) + size(U) * spread.sum()))


def trace_by_samples(W: Array, U: Array, x: Array) -> Array:
    """Return Tr ∇²L from E‖x‖² and E‖Wx‖² over samples, entry by entry of U and W."""
    hidden = np.einsum("...ij,nj->...ni", W, x)
    by_U = 2.0 * U.shape[-2] * (hidden**2).sum(axis=-1).mean(axis=-1)
    columns = np.einsum("...ki,...ki->...", U, U)
    return np.asarray(by_U + 2.0 * columns * (x**2).sum(axis=-1).mean())


def _ends(chain: Chain, found: Trained) -> tuple[Array, Array]:
    (W_0, U_0), (W, U) = found.start, found.end
    if found.data:
        x = found.data[0]
        return trace_by_samples(W_0, U_0, x), trace_by_samples(W, U, x)
    return sharpness(W_0, U_0, chain.x_scale), sharpness(W, U, chain.x_scale)


@only_about(OWN)
def warmup_ensemble(subject: WarmUp, context: Context) -> Evidence:
    """Train the rank-one network with and without warm-up, by the engine.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where more than half of the runs do as claimed.
    """
    return _warmup("engine", by_engine, subject, context)


@only_about(OWN)
def warmup_loop(subject: WarmUp, context: Context) -> Evidence:
    """Train the rank-one network with and without warm-up, by the plain loop.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where more than half of the runs do as claimed.
    """
    return _warmup("plain loop", by_loop, subject, context)


def _warmup(route: str, runner: Runner, subject: WarmUp, context: Context) -> Evidence:
    cold, warm, xavier = (
        (chain, runner(chain, context))
        for chain in (
            rank_one("kaiming"),
            rank_one("kaiming", warm=1500),
            rank_one("xavier"),
        )
    )
    before, after = _ends(*warm)
    start, end = _ends(*xavier)
    ratio = after / end
    expected = float(subject.diverges)
    rows = (
        Row("diverged, .008", cold[1].diverged.astype(float), expected, expected),
        Row("diverged, .001 then .008", warm[1].diverged.astype(float), 0.0, 0.0),
        Row("Kaiming: S at the start over S at the end", before / after, lower=5.0),
        Row("Xavier: the same", start / end, upper=1.0),
        Row("S at the end, Kaiming over Xavier", ratio, *_SAME)
        if subject.same_end
        else Row("S at the end, Kaiming over Xavier", ratio, lower=2.0),
    )
    what = "Network 30–1–30, y = x + ε, Σₓ = Σ_ε = I, one sample a step."
    figure = _warm_figure(cold[1], warm[1], xavier[1])
    return judged(route, rows, context, what, figure)


def _warm_figure(*found: Trained) -> tuple[Figure, ...]:
    if not found[0].sizes.size:
        return ()
    names = ("Kaiming, η = .008", "Kaiming, after warm-up", "Xavier, η = .008")
    series = []
    for group, (name, each) in enumerate(zip(names, found, strict=True)):
        sizes = np.minimum(np.nan_to_num(each.sizes, nan=1e6), 1e6)
        total = 2.0 * _D * sizes.sum(axis=1)  # Σₓ = I: 2·30(‖W‖² + ‖U‖²)
        middle = np.median(np.minimum(total, 1e6), axis=0)
        xs, ys = tuple(each.time.tolist()), tuple(middle.tolist())
        series.append(Series(name, xs, ys, group=group))
    return (
        Figure(
            "Warm-up lets Kaiming's start reach the flat balance",
            "time at η = .008 (learning rate × steps)",
            "Tr ∇²L, median over runs",
            tuple(series),
            yscale="log",
            caption="Cut off at 10⁶ and where a run diverged (its last finite value). "
            "After warm-up the time counts from its end.",
        ),
    )

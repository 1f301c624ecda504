"""P1, Fig. 4 (residual net) and v3, Figs 3, 8 (two input scales) and 5 (deep nets)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._chains import Chain, Trained, by_engine, by_loop, size
from verify._figures._median import Row, cloud, judged
from verify._routes._fig_alignment import sharpness, trace_by_samples
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
Runner = Callable[[Chain, Context], Trained]


@dataclass(frozen=True, slots=True)
class Residual:
    """SGD balances I + U against I + W; `method` is "sgd" or "gd"."""

    method: str = "sgd"


RESIDUAL = Chain(
    (1.0,) * 6, (1.0,) * 6, (6,), (0.1, 0.5), "residual", lr=0.02, batch=4, steps=1600
)


@only_about(OWN)
def residual_ensemble(subject: Residual, context: Context) -> Evidence:
    """Train (I + U)(I + W)x by the engine, U from the wider start.

    Args:
        subject: by which method.
        context: profile and streams.

    Returns:
        SUPPORTED where the norms of I + U and I + W meet, and under GD do not.
    """
    return _residual("engine", by_engine, subject, context)


@only_about(OWN)
def residual_loop(subject: Residual, context: Context) -> Evidence:
    """Train (I + U)(I + W)x by the plain loop.

    Args:
        subject: by which method.
        context: profile and streams.

    Returns:
        SUPPORTED where the norms of I + U and I + W meet, and under GD do not.
    """
    return _residual("plain loop", by_loop, subject, context)


def _residual(
    route: str, runner: Runner, subject: Residual, context: Context
) -> Evidence:
    descent = RESIDUAL.by("gd", lr=0.004, steps=600)
    plain = runner(descent, context)
    found = plain if subject.method == "gd" else runner(RESIDUAL, context)
    rows = (
        Row("‖I + U‖²/‖I + W‖²", _ratio(found.end), 0.85, 1.2),
        Row("‖(I + U)ᵀ(I + U) − I‖²/d", _apart(found.end[1]), upper=0.3),
        Row("GD: ‖I + U‖² − ‖I + W‖² over its start", _kept(plain), 0.95, 1.05),
        Row("GD: ‖I + U‖²/‖I + W‖²", _ratio(plain.end), lower=1.5),
    )
    what = f"(I + U)(I + W)x, d = 6, y = x + ε, Σₓ = Σ_ε = I, {subject.method}."
    figures = _sizes_figure(
        "Residual net: SGD makes I + U and I + W meet, GD keeps them apart",
        {"SGD": (found, ("‖I + W‖²", "‖I + U‖²")), "GD": (plain, ("", ""))},
    )
    return judged(route, rows, context, what, figures)


def _ratio(layers: tuple[Array, ...]) -> Array:
    return np.asarray(size(layers[1]) / size(layers[0]))


def _kept(found: Trained) -> Array:
    before, after = (size(e[1]) - size(e[0]) for e in (found.start, found.end))
    return np.asarray(after / before)


def _apart(layer: Array) -> Array:
    product = np.swapaxes(layer, -1, -2) @ layer
    d = layer.shape[-1]
    return np.asarray(size(product - np.eye(d)) / d)


def _sizes_figure(
    title: str, arms: Mapping[str, tuple[Trained, tuple[str, ...]]]
) -> tuple[Figure, ...]:
    series = []
    for kind, (arm, (found, labels)) in zip(
        ("line", "dashed"), arms.items(), strict=True
    ):
        if not found.sizes.size:
            return ()
        middle = np.median(found.sizes, axis=0)
        xs = tuple((found.time / found.time[-1]).tolist())
        for group, label in enumerate(labels):
            name = f"{arm}: {label}" if label else ""
            ys = tuple(middle[group].tolist())
            series.append(Series(name, xs, ys, kind=kind, group=group))
    return (
        Figure(
            title,
            "share of the run's time",
            "squared norm, median over runs",
            tuple(series),
            caption="Dashed: gradient descent from the same starts, in the same order.",
        ),
    )


@dataclass(frozen=True, slots=True)
class TwoScales:
    """x has variances φ and 2 − φ: ‖U‖²/‖W‖² → (φ(2 − φ))^power at the balance.

    Attributes:
        what: "ratio" of the norms or "sharpness".
        method: "sgd" or "gd".
        power: ½ as derived.
    """

    what: str = "ratio"
    method: str = "sgd"
    power: float = 0.5

    def predicted(self, phi: float) -> float:
        """Return the value at the balance: of the ratio, or of Tr ∇²L/4d_y².

        With Σ_ε = s²I, d ≥ dₓ and V = I, (16) reads WΣₓWᵀ = UᵀU for Tr Σₓ = dₓ = d_y.
        With W' = W√Σₓ that is UW' = √Σₓ, UᵀU = W'W'ᵀ: the common singular values are
        those of Σₓ^¼, so ‖U‖² = Tr √Σₓ and ‖W‖² = Tr[Σₓ^{−½}√Σₓ Σₓ^{−½}] = Tr Σₓ^{−½};
        their ratio is √(φ(2 − φ)) and the sharpness 4d_y Tr √Σₓ.
        """
        if self.what == "sharpness":
            return float(0.5 * (phi**self.power + (2.0 - phi) ** self.power))
        return float((phi * (2.0 - phi)) ** self.power)


_HALF = 2
_WIDTH = 8
_PHI = (0.1, 0.5, 1.0)
_MORE_PHI = (0.1, 0.25, 0.5, 0.75, 1.0)


def scales_chain(phi: float, steps: int) -> Chain:
    """Return the network 4–8–4 from Xavier's start."""
    spread = (math.sqrt(phi),) * _HALF + (math.sqrt(2.0 - phi),) * _HALF
    start = (_WIDTH + 2 * _HALF) ** -0.5
    return Chain(
        spread,
        (1.0,) * 2 * _HALF,
        (_WIDTH,),
        (start, start),
        lr=0.04,
        batch=16,
        steps=steps,
    )


@only_about(OWN)
def scales_ensemble(subject: TwoScales, context: Context) -> Evidence:
    """Measure norms and sharpness over φ by the engine.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where all medians are within .06 (.1 for the sharpness).
    """
    return _scales("engine", by_engine, 10_000, subject, context)


@only_about(OWN)
def scales_loop(subject: TwoScales, context: Context) -> Evidence:
    """Measure norms and sharpness over φ by the plain loop, for φ ≥ ½.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where all medians are within .06 (.1 for the sharpness).
    """
    return _scales("plain loop", by_loop, 2200, subject, context)


def _scales(
    route: str, runner: Runner, steps: int, subject: TwoScales, context: Context
) -> Evidence:
    values: tuple[float, ...] = _PHI if context.profile.name == "quick" else _MORE_PHI
    if runner is by_loop:  # the smaller φ, the longer it takes
        values = tuple(phi for phi in values if phi >= 0.5)
    margin = 0.06 if subject.what == "ratio" else 0.1
    rows, columns = [], []
    for phi in values:
        chain = scales_chain(phi, steps)
        chain = chain if subject.method == "sgd" else chain.by("gd", lr=0.05, steps=400)
        found = runner(chain, context)
        seen = _measured(subject.what, chain, found)
        expected = subject.predicted(phi)
        rows.append(Row(f"φ = {phi:g}", seen, expected - margin, expected + margin))
        columns.append(seen)
    what = (
        f"4–8–4, variances φ and 2 − φ, y = x + ε, Σ_ε = I, {subject.method}; "
        + ("‖U‖²/‖W‖²" if subject.what == "ratio" else "Tr ∇²L/4d_y²")
        + f" predicted {', '.join(f'{subject.predicted(phi):.3f}' for phi in values)}."
    )
    figure = _over_phi(subject, values, columns)
    return judged(route, rows, context, what, (figure,))


def _measured(what: str, chain: Chain, found: Trained) -> Array:
    if what == "ratio":
        return _ratio(found.end)
    W, U = found.end
    trace = (
        trace_by_samples(W, U, found.data[0])
        if found.data
        else sharpness(W, U, chain.x_scale)
    )
    return np.asarray(trace / (4.0 * len(chain.noise_scale) ** 2))


def _over_phi(
    subject: TwoScales, values: tuple[float, ...], columns: list[Array]
) -> Figure:
    grid = np.linspace(min(values), max(values), 60).tolist()
    line = tuple(subject.predicted(phi) for phi in grid)
    label = "‖U‖²/‖W‖²" if subject.what == "ratio" else "Tr ∇²L/4d_y²"
    return Figure(
        f"{label} at the balance over φ",
        "variance φ of half of the inputs",
        label,
        (
            cloud("SGD", values, columns, 0),
            Series("prediction", tuple(grid), line, kind="dashed", group=-1),
        ),
        caption="One point a run. Below the line by O(η/S) where φ is small.",
    )


@dataclass(frozen=True, slots=True)
class Deep:
    """The norms of the middle layers of a deep linear net merge.

    Attributes:
        method: "sgd" or "gd".
        printed: whether the outer layers are claimed equal, as v3's Theorem 5.4 has it.
    """

    method: str = "sgd"
    printed: bool = False


_NOISE = (0.3, 1.0, 1.0)
_TARGET = (1.0, 0.7, 0.7)
DEEP = Chain(
    (1.0,) * 3,
    _NOISE,
    (3, 3, 3),
    (0.46, 0.75, 0.4, 0.58),  # rms; the matrices are orthogonal times √3 as much
    "orthogonal",
    _TARGET,
    lr=0.04,
    batch=8,
    steps=3700,
)


def deep_predicted() -> tuple[float, ...]:
    """Return ‖W_i‖² at the balance (v3's Theorem 5.4 corrected, D13)."""
    noise, target = np.array(_NOISE), np.array(_TARGET)
    S, depth = noise * target, len(DEEP.shapes)
    spread = float((noise**2).sum())
    c2 = (S.sum() / math.sqrt(len(S) * spread)) ** (2.0 / depth)
    first = c2 * len(S) / S.sum() * S.sum()
    last = c2 * spread / S.sum() * (S / noise**2).sum()
    return (float(first), *(float(len(S) * c2),) * (depth - 2), float(last))


@only_about(OWN)
def deep_ensemble(subject: Deep, context: Context) -> Evidence:
    """Train a chain of four layers by the engine.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where the middle layers' norms merge and the outer ones do as claimed.
    """
    return _deep("engine", by_engine, subject, context)


@only_about(OWN)
def deep_loop(subject: Deep, context: Context) -> Evidence:
    """Train a chain of four layers by the plain loop.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where the middle layers' norms merge and the outer ones do as claimed.
    """
    return _deep("plain loop", by_loop, subject, context)


def _deep(route: str, runner: Runner, subject: Deep, context: Context) -> Evidence:
    descent = DEEP.by("gd", lr=0.02, steps=600)
    plain = runner(descent, context)
    found = plain if subject.method == "gd" else runner(DEEP, context)
    first, second, third, last = map(size, found.end)
    predicted = deep_predicted()
    outer = 1.0 if subject.printed else predicted[3] / predicted[0]
    other = size(plain.end[1]) / size(plain.end[2])
    rows = (
        Row("‖W₂‖²/‖W₃‖²", second / third, 0.85, 1.2),
        Row("‖W₁‖² over the prediction", first / predicted[0], 0.88, 1.12),
        Row("‖W₄‖²/‖W₁‖² over the claim", last / first / outer, 0.75, 1.25),
        Row("GD: ‖W₂‖²/‖W₃‖²", other, lower=2.0),
    )
    what = (
        f"Four layers of width 3, Σₓ = I, roots of Σ_ε {_NOISE}, V = diag{_TARGET}, "
        f"{subject.method}; predicted ‖W_i‖² "
        f"{', '.join(f'{v:.2f}' for v in predicted)}."
    )
    labels = ("‖W₁‖²", "‖W₂‖²", "‖W₃‖²", "‖W₄‖²")
    arms = {"SGD": (found, labels), "GD": (plain, ("",) * 4)}
    figures = _sizes_figure("A deep linear net: the middle layers' norms merge", arms)
    return judged(route, rows, context, what, figures)

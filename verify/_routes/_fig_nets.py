"""P1, Fig. 2 (norms of Net-A and Net-B) and Fig. 5 (representations)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._figures._median import Row, cloud, judged
from verify._figures._nets import Net, TrainedNet, net_by_engine, net_by_loop
from verify._routes._fig_alignment import cosine
from verify._scope import OWN, only_about


Array = NDArray[np.float64]
Runner = Callable[[Net, Context], TrainedNet]
GREW = 1.3  # a squared norm that counts as grown
KEPT = 1.05  # and one that counts as kept
_SMALL = 0.012  # GD's η: D15 has the norm grow by O(η)


@dataclass(frozen=True, slots=True)
class Norms:
    """SGD makes the norms grow that symmetries are about, GD keeps these.

    Attributes:
        method: what is claimed to make them grow.
        layers_kept: whether GD is claimed to keep each layer's norm in Net-A, too.
    """

    method: str = "sgd"
    layers_kept: bool = False


@only_about(OWN)
def norms_ensemble(subject: Norms, context: Context) -> Evidence:
    """Measure the norms of Net-A and Net-B by the engine.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where all medians are as claimed.
    """
    return _norms("engine", net_by_engine, subject, context)


@only_about(OWN)
def norms_loop(subject: Norms, context: Context) -> Evidence:
    """Measure the norms of Net-A and Net-B by the plain loop.

    Args:
        subject: what is claimed.
        context: profile and streams.

    Returns:
        SUPPORTED where all medians are as claimed.
    """
    return _norms("plain loop", net_by_loop, subject, context)


def _norms(route: str, runner: Runner, subject: Norms, context: Context) -> Evidence:
    growth: dict[tuple[str, str], Array] = {}
    found: dict[tuple[str, str], TrainedNet] = {}
    for kind in ("Net-A", "Net-B"):
        net = Net(kind, (2, 4, 3), (0.5,) * 2, samples=24, lr=0.1, steps=2000)
        descent = replace(net, lr=_SMALL, steps=500, method="gd")
        for method, used in (("sgd", net), ("gd", descent)):
            each = found[kind, method] = runner(used, context)
            total = each.sizes.sum(axis=1, keepdims=True)
            curves = np.concatenate([total, each.sizes], axis=1)
            growth[kind, method] = curves[:, :, -1] / curves[:, :, 0]
    mover = subject.method
    moved = np.abs(np.log(growth["Net-A", "gd"][:, 1:])).max(axis=1)
    rows = (
        Row("Net-A: ‖θ‖² grew by", growth["Net-A", mover][:, 0], lower=GREW),
        Row("Net-B: ‖U‖² grew by", growth["Net-B", mover][:, 1], lower=GREW),
        Row("Net-B: ‖W‖² grew by", growth["Net-B", mover][:, 2], lower=GREW),
        Row("Net-A, GD: ‖θ‖²", growth["Net-A", "gd"][:, 0], 1.0, KEPT),
        Row("Net-B, GD: ‖U‖²", growth["Net-B", "gd"][:, 1], 1.0, KEPT),
        Row("Net-B, GD: ‖W‖²", growth["Net-B", "gd"][:, 2], 1.0, KEPT),
        Row("Net-A, GD: largest |ln| of a layer", moved, upper=np.log(KEPT))
        if subject.layers_kept
        else Row("Net-A, GD: largest |ln| of a layer", moved, lower=np.log(GREW)),
    )
    what = (
        f"Nets 3–4–2, 24 samples, SGD at η = .1 and S = 1, GD at η = {_SMALL:g}; "
        f"{mover} is claimed to make norms grow."
    )
    return judged(route, rows, context, what, tuple(_norm_figures(found)))


def _norm_figures(found: dict[tuple[str, str], TrainedNet]) -> list[Figure]:
    figures = []
    for kind in ("Net-A", "Net-B"):
        series = []
        for method, style in (("sgd", "line"), ("gd", "dashed")):
            each = found[kind, method]
            sizes = each.sizes
            curves = np.concatenate([sizes.sum(axis=1, keepdims=True), sizes], axis=1)
            middle = np.median(curves / curves[:, :, :1], axis=0)
            share = tuple((each.time / each.time[-1]).tolist())
            for group, name in enumerate(("‖θ‖²", "‖U‖²", "‖W‖²")):
                ys = tuple(middle[group].tolist())
                label = f"{method.upper()}: {name}"
                series.append(Series(label, share, ys, kind=style, group=group))
        figures.append(
            Figure(
                f"{kind}: the norms under SGD and GD",
                "share of the run's time",
                "squared norm over its start, median over runs",
                tuple(series),
                yscale="log",
                caption="Gradient descent keeps what a scale symmetry is about, "
                "SGD makes it grow.",
            )
        )
    return figures


@dataclass(frozen=True, slots=True)
class Representation:
    """WΣ̄ₓWᵀ and UᵀΣ̄_εU align in nonlinear nets, trained by `method`."""

    method: str = "sgd"


_D = 8
_APART = 0.6  # cosines of SGD are above, of GD below
_MANY = 8192  # samples of the engine's training set; the loop draws fresh ones
_FEW = 128  # samples of gradient descent
_STRONG = (5.0**0.5, *(1.0,) * (_D - 1))


@only_about(OWN)
def representation_ensemble(subject: Representation, context: Context) -> Evidence:
    """Measure the alignment of tanh nets, and of ReLU nets but at quick, by the engine.

    Args:
        subject: by which method.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of the cosines are above .6, GD's below.
    """
    kinds = ("tanh",) if context.profile.name == "quick" else ("tanh", "relu")
    return _representation("engine", net_by_engine, kinds, _MANY, subject, context)


@only_about(OWN)
def representation_loop(subject: Representation, context: Context) -> Evidence:
    """Measure the alignment of tanh, ReLU and swish nets by the plain loop.

    Every step has fresh samples: on few the residuals of the trained net are not the
    label noise, and (16) has other matrices in it (`overfitted` measures that).

    Args:
        subject: by which method.
        context: profile and streams.

    Returns:
        SUPPORTED where medians of the cosines are above .6, GD's below.
    """
    kinds = ("tanh", "relu", "swish")
    return _representation("plain loop", net_by_loop, kinds, 0, subject, context)


def _representation(
    route: str,
    runner: Runner,
    kinds: tuple[str, ...],
    samples: int,
    subject: Representation,
    context: Context,
) -> Evidence:
    rows, shown = [], []
    for kind in kinds:
        net = Net(kind, (_D, _D, _D), _STRONG, samples=samples, lr=0.01, batch=4)
        net = replace(net, steps=1600)
        plain = replace(net, samples=_FEW, method="gd", lr=0.1, steps=100)
        descent = runner(plain, context)
        one = descent if subject.method == "gd" else runner(net, context)
        rows.append(Row(f"{kind}: cosine", _angle(one), lower=_APART))
        rows.append(Row(f"{kind}, GD: cosine", _angle(descent), upper=_APART))
        shown.append((kind, _angle(one), _angle(descent)))
    what = (
        f"Nets {_D}–{_D}–{_D}, y = x + ε, Var ε₁ = 5, the others 1, {subject.method}."
    )
    return judged(route, rows, context, what, (_angles(shown),))


def overfitted(context: Context) -> Array:
    """Return the cosines of tanh nets trained by SGD on 128 samples, again and again.

    Args:
        context: profile and streams.

    Returns:
        One for each run: small, although the noise is that of `_representation`.
    """
    net = Net("tanh", (_D, _D, _D), _STRONG, samples=_FEW, lr=0.01, batch=4, steps=2500)
    return _angle(net_by_engine(net, context))


def _angle(found: TrainedNet) -> Array:
    U, W = found.end
    weight = np.array(_STRONG) ** 2
    return cosine(W @ np.swapaxes(W, -1, -2), (np.swapaxes(U, -1, -2) * weight) @ U)


def _angles(shown: list[tuple[str, Array, Array]]) -> Figure:
    series = []
    arms = {"SGD": [row[1] for row in shown], "GD": [row[2] for row in shown]}
    for group, (name, columns) in enumerate(arms.items()):
        at = [k + 1.0 for k in range(len(shown))]
        label = f"{name}: {', '.join(row[0] for row in shown)}"
        series.append(cloud(label, at, columns, group))
    return Figure(
        r"$W\bar\Sigma_xW^\top$ and $U^\top\bar\Sigma_\varepsilon U$ in nonlinear nets",
        "activation, in the order of the legend",
        "cosine",
        tuple(series),
        caption="One point a run. The paper shows the two matrices as heat maps.",
    )

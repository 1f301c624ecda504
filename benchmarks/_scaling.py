"""The figure scaling.svg: cost against every size that drives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks._figure import COLOURS, MARKERS, SETTINGS, save
from benchmarks._names import PLAIN


# (part, what varies, label of x, y: the time or the ratio to the plain method)
_PANELS = (
    ("noise", "N", "samples $N$ (MLP, $d=512$)"),
    ("noise", "P", "parameters $P$ (MLP, $N=128$)"),
    ("noise", "T", "tokens $T$ (transformer, $N=16$)"),
    ("ensembles", "d", "width $d$ ($S=1$)"),
    ("ensembles", "S", "minibatch $S$ ($d=8$)"),
    ("ensembles", "replicas", "replicas ($d=4$, $S=2$)"),
    ("sde", "paths", "paths"),
    ("equilibrium", "n", "eigenvalues $n$"),
    ("equilibrium", "batch", "orbits in a batch ($n=8$)"),
)
_UNITS = {
    "noise": "CPU time / plain pass",
    "ensembles": "ns per replica-step",
    "sde": "ns per path-step",
    "equilibrium": "ns per root",
}


def draw_scaling(results: Mapping[str, Any], path: Path) -> None:
    """Write the figure; panels of parts that were not measured are left out.

    Args:
        results: what results.json holds.
        path: where to; its suffix is the format.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        canvas = Figure(figsize=(10.4, 9.2), layout="constrained")
        grid = canvas.subplots(3, 3).flat
        for axes, (part, what, label) in zip(grid, _PANELS, strict=True):
            curve = results.get(part, {}).get("curves", {}).get(what, {})
            axes.set_visible(bool(curve))
            _panel(axes, part, curve)
            axes.set_xlabel(label)
            axes.set_ylabel(_UNITS[part])
        save(canvas, path)


def _panel(axes: Axes, part: str, curve: Mapping[str, Any]) -> None:
    """Draw every method of one curve, on two logarithmic axes."""
    names = list(dict.fromkeys(name for found in curve.values() for name in found))
    for k, name in enumerate(n for n in names if n != PLAIN):
        key = "ratio" if part == "noise" else "seconds"
        scale = 1.0 if part == "noise" else 1e9
        points = [
            (x, found[name][key])
            for x, found in zip(map(_place, curve), curve.values(), strict=True)
            if key in found.get(name, {})
        ]
        if not points:
            continue
        y = [scale * timing["median"] for _, timing in points]
        spread = [
            [scale * (t["median"] - t["low"]) for _, t in points],
            [scale * (t["high"] - t["median"]) for _, t in points],
        ]
        axes.errorbar(
            [x for x, _ in points],
            y,
            spread,
            color=COLOURS[k],
            marker=MARKERS[k],
            ms=4.5,
            elinewidth=0.9,
            label=name,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    if curve:
        ticks = [_place(x) for x in curve]
        axes.set_xticks(ticks, list(curve))
        axes.minorticks_off()
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8.0, framealpha=0.6)


def _place(label: str) -> float:
    """Return the number that a label of a point stands for."""
    return 1e3 * float(label[:-1]) if label.endswith("k") else float(label)

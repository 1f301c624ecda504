"""The figure: derivation against width, and time per root."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure


COLOURS = ("#0072b2", "#a8458f", "#d55e00", "#a07500", "#00916a", "#5a5fc0")
MARKERS = ("o", "P", "s", "v", "^", "D")
_GREY = "#77746f"
SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 11.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11.0,
    "figure.facecolor": "white",
    "font.family": "STIXGeneral",  # ships with matplotlib, so it is everywhere
    "font.size": 10.5,
    "grid.alpha": 0.13,
    "grid.color": "black",
    "grid.linewidth": 0.6,
    "legend.edgecolor": "none",
    "legend.fontsize": 10.0,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "stix",
    "svg.fonttype": "path",  # looks the same whatever fonts the reader has
    "svg.hashsalt": "noetherflow",
}


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the figure.

    Args:
        results: what results.json holds.
        path: where to; its suffix is the format.
    """
    with mpl.rc_context():
        mpl.rcdefaults()  # a user's matplotlibrc must not change the bytes
        mpl.rcParams.update(SETTINGS)
        canvas = Figure(figsize=(10.4, 4.1), layout="constrained")
        first, second, third = canvas.subplots(1, 3, width_ratios=(1, 1, 1.05))
        derivation = results["derivation"]
        table, limit = derivation["table"], derivation["limit"]
        _widths(first, table, "all", limit)
        first.set_title("All four results")
        first.set_ylabel("CPU seconds")
        _widths(second, table, "without Itô", limit)
        second.set_title("Without the Itô terms")
        second.sharey(first)
        _roots(third, results["equilibrium"]["cases"])
        third.set_title(r"One noise equilibrium, $n = 8$")
        handles, labels = first.get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower left", ncols=4)
        save(canvas, path)


def save(canvas: Figure, path: Path) -> None:
    """Write a figure whose bytes depend on the results alone."""
    form = path.suffix[1:]
    stream = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    canvas.savefig(stream, format=form, metadata=nothing if form == "svg" else None)
    lines = stream.getvalue()
    if form == "svg":  # matplotlib ends some lines in spaces
        lines = b"\n".join(line.rstrip() for line in lines.splitlines()) + b"\n"
    path.write_bytes(lines)


def _widths(axes: Axes, table: dict[str, Any], what: str, limit: float) -> None:
    """Draw seconds against d; an arrow at the limit where a method passes it."""
    axes.set_yscale("log")
    axes.axhline(limit, color=_GREY, linestyle=(0, (4.5, 2.2)), lw=0.9)
    for k, (name, by_width) in enumerate(table.items()):
        colour, marker = COLOURS[k], MARKERS[k]
        found = [(int(d), t[what]) for d, t in by_width.items() if what in t]
        x = [d for d, _ in found]
        y = [t["median"] for _, t in found]
        spread = [
            [t["median"] - t["low"] for _, t in found],
            [t["high"] - t["median"] for _, t in found],
        ]
        axes.errorbar(
            x,
            y,
            spread,
            color=colour,
            marker=marker,
            ms=4.5,
            elinewidth=0.9,
            label=name,
        )
        beyond = [d for d in _all_widths(table) if d > max(x, default=0)]
        if beyond:  # rising to the limit, at the first width that passes it
            end = beyond[0] + 0.1 * (k - 3)  # beside those of the other methods
            axes.plot(
                [x[-1], end],
                [y[-1], limit],
                ":",
                color=colour,
                lw=1.1,
                zorder=1.5,
            )
            axes.plot(end, limit, marker, color=colour, mfc="white", ms=5.5)
    axes.set_xticks(_all_widths(table))
    axes.set_xlabel(r"width $d$")
    axes.annotate(
        f"limit {limit:g} s",
        (2, limit),
        xytext=(0, 3),
        textcoords="offset points",
        color=_GREY,
        fontsize=9.5,
    )


def _all_widths(table: dict[str, Any]) -> list[int]:
    return [int(d) for d in next(iter(table.values()))]


def _roots(axes: Axes, cases: dict[str, Any]) -> None:
    """Draw microseconds per root, one row for each method; wrong ones have none."""
    names = list(cases["n=8 easy"])
    for k, (difficulty, marker) in enumerate((("easy", "o"), ("hard", "s"))):
        found = cases[f"n=8 {difficulty}"]
        rows = [row for row, name in enumerate(names) if "seconds" in found[name]]
        timings = [found[names[row]]["seconds"] for row in rows]
        spread = [
            [1e6 * (t["median"] - t["low"]) for t in timings],
            [1e6 * (t["high"] - t["median"]) for t in timings],
        ]
        axes.errorbar(
            [1e6 * t["median"] for t in timings],
            [row + 0.12 * (1 - 2 * k) for row in rows],
            xerr=spread,
            color=COLOURS[2 * k],
            linestyle="",
            marker=marker,
            mfc=COLOURS[2 * k] if k == 0 else "white",
            ms=5,
            elinewidth=0.9,
            label=difficulty,
        )
    axes.set_xscale("log")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(
        range(len(names)),
        [name.replace(", ", ",\n").replace(" + ", "\n+ ") for name in names],
        fontsize=9.5,
    )
    axes.set_xlabel("CPU microseconds per root")
    axes.legend(loc="upper right")

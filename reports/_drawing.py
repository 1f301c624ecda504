"""Figures as inline SVG, the same bytes on every run."""

from __future__ import annotations

import io
import math
import re
import textwrap
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from verify import Figure, Series


try:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas
    from matplotlib.mathtext import MathTextParser

    from reports._ticks import make_room, set_ticks
except ImportError:  # it comes with the extra `report`
    HAS_MATPLOTLIB = False
else:
    HAS_MATPLOTLIB = True

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INSTALL_HINT = (
    "The figure is left out, because matplotlib is not installed: "
    'python -m pip install "noetherflow[report]" brings it. '
    "Its data are in report.json."
)

# Stand-ins that no other part of a drawing uses; the page's style sheet gives each its
# colour, one for light and one for dark. The fallbacks are colour-blind-safe.
_INK = "#010203"
_PAPER = "#fdfcfb"
_GREY = "#7f7e7d"
_GROUPS = ("#0072b2", "#d55e00", "#00916a", "#a8458f", "#a07500", "#5a5fc0")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_NAMED = {
    _INK: "currentColor",
    _PAPER: f"var(--paper, {_PAPER})",
    _GREY: f"var(--figure-grey, {_GREY})",
    **{c: f"var(--figure-{i}, {c})" for i, c in enumerate(_GROUPS)},
}
_COLOUR = re.compile("|".join(_NAMED))

# matplotlib 3.11 types the keys as literals, which its 3.9 does not have.
_SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.labelsize": 11.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    # Both ship with matplotlib; the second has what the first lacks, such as ᵀ.
    "font.family": ["STIXGeneral", "DejaVu Serif"],
    "font.size": 10.5,
    "grid.alpha": 0.13,
    "grid.color": _INK,
    "grid.linewidth": 0.6,
    "legend.edgecolor": "none",
    "legend.facecolor": _PAPER,
    "legend.fontsize": 10.0,
    "legend.framealpha": 0.85,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "stix",
    "svg.fonttype": "path",  # looks the same whatever fonts the reader has
    "svg.hashsalt": "noetherflow",
    "text.color": _INK,
    "xtick.color": _INK,
    "xtick.direction": "out",
    "ytick.color": _INK,
}
_SIZE = (5.4, 3.3)  # inches; the page scales it to the column
_HIGH = 32  # letters along the upright axis


def draw(figure: Figure, key: str) -> Markup:
    """Return a figure as an `svg` element, or a sentence without matplotlib.

    Args:
        figure: the figure as data; labels may hold LaTeX between dollar signs.
        key: letters, digits and hyphens; starts every id, so unique in the page.

    Returns:
        Markup without scripts, metadata or references outside itself; where points
        cannot be drawn, a sentence below says how many.
    """
    if not HAS_MATPLOTLIB:
        return Markup('<p class="missing">{}</p>').format(INSTALL_HINT)
    label = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>')
    words = label.format(key, figure.title, _description(figure))
    svg = Markup(_embeddable(_svg(figure), key).replace("\0", words, 1))
    missing = sum(_undrawn(figure, series) for series in figure.series)
    if not missing:
        return svg
    return svg + Markup('<p class="small">{}</p>').format(
        f"Not drawn, because not finite or not positive on a log axis: {missing} "
        "points; report.json has them."
    )


def _undrawn(figure: Figure, series: Series) -> int:
    """Return how many points the axes have no place for."""
    ordinates = zip(series.y, series.upper or series.y, strict=True)
    return sum(
        not (
            _has_place(x, figure.xscale)
            and all(_has_place(value, figure.yscale) for value in pair)
        )
        for x, pair in zip(series.x, ordinates, strict=True)
    )


def _has_place(value: float, scale: str) -> bool:
    return math.isfinite(value) and (scale != "log" or value > 0)


def _description(figure: Figure) -> str:
    """Return what is drawn, for those who do not see it."""
    names = ", ".join(series.label for series in figure.series if series.label)
    axes = f"{figure.ylabel} against {figure.xlabel}."
    return f"{axes} Drawn: {names}." if names else axes


@lru_cache(maxsize=128)
def _svg(figure: Figure) -> str:
    """Return what matplotlib writes, kept; its settings are put back afterwards."""
    stream = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Missing glyphs and empty log axes are the data's: drawn as far as they go.
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change the bytes
        matplotlib.rcParams.update(_SETTINGS)
        canvas = Canvas(figsize=_SIZE)
        FigureCanvasSVG(canvas)
        _fill(canvas.add_subplot(), figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(stream, format="svg", metadata=nothing)
    return stream.getvalue()


def _fill(axes: Axes, figure: Figure) -> None:
    """Draw the series, the scales and the labels."""
    axes.set_xscale(figure.xscale)
    axes.set_yscale(figure.yscale)
    for series in figure.series:
        _add(axes, series)
    set_ticks(axes.xaxis, figure.xscale)
    set_ticks(axes.yaxis, figure.yscale)
    axes.set_xlabel(_label(figure.xlabel))
    axes.set_ylabel(_label(_wrapped(figure.ylabel)))
    if any(series.label for series in figure.series):
        axes.legend(loc="best")
    make_room(axes, _SIZE, _SETTINGS["font.size"])


def _add(axes: Axes, series: Series) -> None:
    """Draw one series."""
    colour = _GREY if series.group < 0 else _GROUPS[series.group % len(_GROUPS)]
    label = _label(series.label) or None
    if series.kind == "band":
        axes.fill_between(
            series.x, series.y, series.upper, color=colour, alpha=0.2, lw=0, label=label
        )
    elif series.kind == "points":
        marker = _MARKERS[series.group % len(_MARKERS)]
        axes.plot(
            series.x, series.y, marker, color=colour, label=label, ms=4.0, mew=0.0
        )
    else:
        style = (0, (4.5, 2.2)) if series.kind == "dashed" else "-"
        axes.plot(series.x, series.y, linestyle=style, color=colour, label=label)


def _wrapped(text: str) -> str:
    """Return a label in lines no longer than the axis is high; formulas in one."""
    return text if "$" in text else "\n".join(textwrap.wrap(text, _HIGH))


@lru_cache(maxsize=1024)
def _label(text: str) -> str:
    """Return a label matplotlib can set: formulas where they parse, else as written."""
    # A leading underscore would hide the entry from the legend.
    safe = f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text
    if "$" not in safe:
        return safe
    try:
        MathTextParser("path").parse(safe)
    except ValueError:
        return safe.replace("$", r"\$")
    return safe


_CLUTTER = re.compile(
    r"<!--.*?-->|<style.*?</style>|<metadata>.*?</metadata>", re.DOTALL
)
_IDENTIFIED = re.compile(r'\b(id="|xlink:href="#|url\(#)')
_ROOT = re.compile(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>")


def _embeddable(svg: str, key: str) -> str:
    """Return the drawing for use inside a page; a NUL marks the place of the title."""
    body = _CLUTTER.sub("", svg[svg.index("<svg") :])
    body = _IDENTIFIED.sub(rf"\g<1>{key}-", body).replace("xlink:href", "href")
    body = _COLOUR.sub(lambda match: _NAMED[match[0]], body)
    root = rf'<svg \1 role="img" aria-labelledby="{key}-title {key}-desc">' + "\0"
    return re.sub(r"\s*\n\s*", "\n", _ROOT.sub(root, body, count=1)).strip()

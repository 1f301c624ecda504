"""Numbers along the axes, as plain text, and the room that they and the labels need.

Formulas there, and matplotlib's own layout, would cost most of a page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import (
    Formatter,
    LogLocator,
    NullFormatter,
    ScalarFormatter,
)

from reports._words import number, power_of_ten


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# In points. A number's width is that of so many digits, each half of the font's size.
_DIGIT = 0.5
_TICK, _PAD = 3.5, 4.0
_LINE = 1.5  # of the font's size, for a label with indices
_EDGE = 5.0
_FEW = 1.9  # decades: over fewer, 2 and 5 times the powers are labelled, too
_FEWER = 0.6  # decades: over fewer, all multiples are


class _Plain(ScalarFormatter):
    """matplotlib's own choice of digits; the common power without mathtext."""

    def get_offset(self) -> str:
        common = number(self.offset) if self.offset else ""
        if common and self.offset > 0:
            common = f"+{common}"
        power = self.orderOfMagnitude
        return (f"× {power_of_ten(power)} " if power else "") + common


class _Decades(Formatter):
    """Powers of ten, and the multiples of them that are wanted."""

    def __init__(self, multiples: tuple[int, ...]) -> None:
        self._multiples = multiples

    def __call__(self, x: float, pos: int | None = None) -> str:
        del pos
        if x == 0.0:
            return "0"
        exponent = math.floor(math.log10(abs(x)) + 1e-9)
        multiple = abs(x) / 10.0**exponent
        if round(multiple) not in self._multiples:
            return ""
        return number(math.copysign(float(f"{abs(x):.3g}"), x))


def set_ticks(axis: Axis, scale: str) -> None:
    """Give an axis its formatters, once its limits are known.

    Args:
        axis: whose data are there already.
        scale: "linear", "log" or "symlog".
    """
    if scale == "linear":
        axis.set_major_formatter(_Plain())
        return
    low, high = axis.get_view_interval()
    many = scale != "log" or not 0 < low < high or math.log10(high / low) > _FEW
    axis.set_major_formatter(_Decades((1,)))
    if many:
        axis.set_minor_formatter(NullFormatter())
        return
    narrow = math.log10(high / low) < _FEWER
    multiples = tuple(range(1, 10)) if narrow else (1, 2, 5)
    axis.set_minor_locator(LogLocator(subs=range(2, 10)))
    axis.set_minor_formatter(_Decades(multiples))


def make_room(axes: Axes, inches: tuple[float, float], size: float) -> None:
    """Place the axes so that numbers and labels fit.

    Args:
        axes: alone in their figure, complete.
        inches: width and height of the figure.
        size: of the font of the numbers, in points.
    """
    width, height = 72 * inches[0], 72 * inches[1]
    across, offset = _widest(axes.yaxis, size)
    last, _ = _widest(axes.xaxis, size)
    beside = _TICK + 2 * _PAD + _LINE * size
    more = axes.get_ylabel().count("\n") * _LINE * size
    axes.set_position(
        (
            (left := (_EDGE + across + beside + more) / width),
            (bottom := (_EDGE + _LINE * size + beside) / height),
            1.0 - left - (_EDGE + last / 2) / width,
            1.0 - bottom - (_EDGE + size * (_LINE if offset else 0.5)) / height,
        )
    )


def _widest(axis: Axis, size: float) -> tuple[float, bool]:
    """Return the width of the widest number, and whether a common power is beside."""
    longest = 1
    for formatter, locator in (
        (axis.get_major_formatter(), axis.get_major_locator()),
        (axis.get_minor_formatter(), axis.get_minor_locator()),
    ):
        texts = formatter.format_ticks(list(locator()))
        longest = max([longest, *map(len, texts)])
    offset = bool(axis.get_major_formatter().get_offset())
    return longest * _DIGIT * size, offset

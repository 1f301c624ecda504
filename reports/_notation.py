"""LaTeX to MathML, and text with LaTeX between dollar signs to HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape


try:
    from math_core import LatexError, LatexToMathML
except ImportError:  # it comes with the extra `report`; LaTeX is then shown as written
    HAS_MATH_CORE = False
else:
    HAS_MATH_CORE = True

# math-core recurses: 100,000 open braces overflow its stack, these many cannot.
_LONGEST = 4000

_ELEMENTS = (
    "math|merror|mfrac|mi|mmultiscripts|mn|mo|mover|mpadded|mphantom|mprescripts|mroot"
    "|mrow|ms|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtext|mtr|munder"
    "|munderover|menclose"
)
_ATTRIBUTES = (
    "accent|accentunder|class|columnalign|depth|display|displaystyle|fence|form|height"
    "|largeop|linethickness|lspace|mathvariant|maxsize|minsize|movablelimits|notation"
    "|rspace|scriptlevel|separator|stretchy|style|symmetric|voffset|width"
)
_TAG = re.compile(rf'</?(?:{_ELEMENTS})(?: (?:{_ATTRIBUTES})="[\w\s:;.,%#+-]*")*\s?/?>')
_DOLLARS = re.compile(r"(?<!\\)\$((?:[^$\\]|\\.)+)\$", re.DOTALL)


def mathml(latex: str, *, display: bool = False) -> Markup:
    r"""Return LaTeX as MathML, or as written where it cannot be converted.

    Args:
        latex: LaTeX without dollar signs.
        display: whether it stands on a line of its own.

    Returns:
        A `math` element that math-core made and that holds nothing but known MathML
        elements and attributes; else a `code` element with the LaTeX, escaped.

    >>> "<script" in mathml(r"\text{<script>}")
    False
    >>> mathml(r"\frac{")
    Markup('<code class="latex">\\frac{</code>')
    """
    converted = _convert(latex, display)
    if converted is None or "<" in _TAG.sub("", converted):
        return Markup('<code class="latex">{}</code>').format(latex)
    return Markup(converted)  # every tag in it was matched just now


def prose(text: str) -> Markup:
    r"""Return text with LaTeX between dollar signs as HTML.

    Args:
        text: any text; `\$` is a dollar sign.

    Returns:
        The text escaped, the formulas converted.

    >>> prose("a < b, in \\$")
    Markup('a &lt; b, in $')
    """
    pieces: list[Markup] = []
    end = 0
    for match in _DOLLARS.finditer(text):
        pieces += _plain(text[end : match.start()]), mathml(match[1])
        end = match.end()
    return Markup("").join([*pieces, _plain(text[end:])])


def _plain(text: str) -> Markup:
    return escape(text.replace(r"\$", "$"))


def _convert(latex: str, display: bool) -> str | None:
    if not HAS_MATH_CORE or len(latex) > _LONGEST:
        return None
    try:
        made = LatexToMathML().convert_with_local_state(latex, displaystyle=display)
    except LatexError:
        return None
    # Chromium draws an accent of this attribute into its letter: the dot of a time
    # derivative vanishes. The style sheet sets the size instead.
    return made.replace(' accent="true"', ' class="accent"')

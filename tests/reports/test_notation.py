"""LaTeX to MathML: what is converted, what is shown as written, what cannot get in."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

import reports._notation
from reports._notation import mathml, prose


def test_a_formula_becomes_mathml() -> None:
    assert mathml(r"\eta^2") == "<math><msup><mi>η</mi><mn>2</mn></msup></math>"
    assert mathml("x", display=True) == '<math display="block"><mi>x</mi></math>'


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"</math><script>alert(1)</script>",
        r'\operatorname{<img src=x onerror="alert(1)">}',
        r"\begin{equation}\tag{<b>}x\end{equation}",
        r"\href{javascript:alert(1)}{x}",
        r'\color{red" onload="alert(1)}{x}',
    ],
)
def test_hostile_latex_stays_text(latex: str) -> None:
    shown = str(mathml(latex))

    for tag in ("<script", "<img", "<b>", "<a"):
        assert tag not in shown
    assert 'onload="' not in shown


def test_an_id_in_a_formula_cannot_collide_with_the_page() -> None:
    latex = r"\begin{equation}\label{claims}x\end{equation}"

    assert 'id="claims"' not in mathml(latex)


@pytest.mark.parametrize(
    "made",
    [
        "<math><script>alert(1)</script></math>",
        '<math><mi onclick="alert(1)">x</mi></math>',
        '<math><mi style="background:url(//a)">x</mi></math>',
        '<math href="javascript:alert(1)"><mi>x</mi></math>',
        "<math><mi>x</mi><!-- --></math>",
        "<math><annotation-xml>x</annotation-xml></math>",
    ],
)
def test_unknown_output_of_the_converter_is_not_trusted(
    made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports._notation, "_convert", lambda latex, display: made)

    assert mathml("x<y") == '<code class="latex">x&lt;y</code>'


@pytest.mark.parametrize("latex", [r"\frac{", r"\unheard", "{" * 10**6, "a & b", "\0"])
def test_what_cannot_be_converted_is_shown_as_written(latex: str) -> None:
    assert mathml(latex).startswith('<code class="latex">')


def test_text_keeps_its_dollars() -> None:
    assert prose(r"costs \$5 & more") == "costs $5 &amp; more"
    assert prose("a lone $ stays") == "a lone $ stays"
    assert prose("$$") == "$$"
    assert prose("<b>$x$</b>") == "&lt;b&gt;<math><mi>x</mi></math>&lt;/b&gt;"


@given(st.text(alphabet="<>&\"'$\\{}abs/=! \n"))
def test_no_text_opens_an_element_of_its_own(text: str) -> None:
    known = "<math", "</math", "<m", "</m", "<code", "</code"
    shown = str(prose(text))

    for place, letter in enumerate(shown):
        assert letter != "<" or shown[place:].startswith(known)

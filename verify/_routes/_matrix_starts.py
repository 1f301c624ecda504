"""Routes for Xavier's and Kaiming's start: does training sharpen or flatten?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import Verdict, Witness, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_autoencoder import at_the_end, autoencoders
from verify._routes._matrix_cases import Case, case, general, numbers


ROUTE = "ratio of the end to the start"
_SLIGHT = Fraction(3, 2)  # what "slight" is taken to exclude
d, d_x, t = sp.symbols("d d_x t", positive=True)
Row = tuple[str, sp.Expr, sp.Expr]


@dataclass(frozen=True, slots=True)
class Start:
    """An initialisation, and what is claimed of S_end/S_init.

    Attributes:
        rule: "xavier" or "kaiming".
        printed: whether the paper's statement is meant, or the ratio's exact value.
    """

    rule: str
    printed: bool

    def allows(self, ratio2: sp.Rational | Fraction, width: int, inputs: int) -> bool:
        """Return whether the printed statement allows a squared ratio."""
        if self.rule == "xavier":
            return bool(1 < ratio2 < _SLIGHT**2)
        return bool(ratio2 < 1) if width != inputs else bool(ratio2 == 1)


def variances(rule: str) -> tuple[sp.Expr, sp.Expr]:
    """Return σ_U² and σ_W² of an autoencoder d_x – d – d_x."""
    if rule == "kaiming":
        return 1 / d, 1 / d_x
    size = (2 if rule == "glorot" else 1) / (d + d_x)
    return size, size


def ratios(rule: str) -> tuple[sp.Expr, sp.Expr]:
    """Return S_end/S_init for d ≥ d_x and for d < d_x, t = √k."""
    of_U, of_W = variances(rule)
    start = d_x * d * (of_U + of_W)  # over Tr Σ_x, which is d_x where d < d_x
    return 2 * d_x / start, d * d_x * (t + 1 / t) / (d_x * start)


def _rows(rule: str) -> Iterator[Row]:
    wide, narrow = ratios(rule)
    if rule == "kaiming":
        yield "wide", wide, 2 * d_x / (d + d_x)
        yield "one minus wide", 1 - wide, (d - d_x) / (d + d_x)
        yield "narrow", narrow, d * (t + 1 / t) / (d + d_x)
        return
    yield "wide", wide, (d + d_x) / d
    yield "wide minus one", wide - 1, d_x / d
    yield "two minus wide", 2 - wide, (d - d_x) / d
    yield "narrow", narrow, (t + 1 / t) * (d + d_x) / (2 * d_x)
    above = d / d_x + (t - 1) ** 2 * (d + d_x) / (2 * t * d_x)
    yield "narrow minus one", narrow - 1, above
    glorot, _ = ratios("glorot")
    yield "one minus Glorot, wide", 1 - glorot, (d - d_x) / (2 * d)


@general
def start_symbolic(subject: Start, context: Context) -> Evidence:
    """Divide (17), corrected, by the value at the start, as expressions."""
    del context
    if subject.printed:
        return _grid(subject)
    lines: list[str] = []
    for name, left, right in _rows(subject.rule):
        finding = compare(left, right)
        if finding.verdict is not Verdict.PROVED:
            return Evidence(
                ROUTE,
                finding.verdict,
                f"{name}: the two sides differ.",
                instances=len(lines) + 1,
                counterexample=finding.witness,
            )
        lines.append(f"{name}: ${sp.latex(left)} = {sp.latex(right)}$")
    return Evidence(
        ROUTE,
        Verdict.PROVED,
        f"{len(lines)} identities in d, d_x and t = √k; the sign of each right-hand "
        "side is read off.",
        instances=len(lines),
        steps=tuple(lines),
    )


def _grid(subject: Start) -> Evidence:
    """Look for a violation of the printed statement at small d, d_x and √k."""
    wide, narrow = ratios(subject.rule)
    count = 0
    for width, inputs, root in ((1, 1, 1), (2, 1, 1), (1, 2, 3), (1, 2, 2)):
        at = {d: sp.Integer(width), d_x: sp.Integer(inputs), t: sp.Integer(root)}
        ratio = (wide if width >= inputs else narrow).subs(at)
        count += 1
        if not subject.allows(ratio**2, width, inputs):
            shown = {str(symbol): str(value) for symbol, value in at.items()}
            return Evidence(
                ROUTE,
                Verdict.REFUTED,
                "The ratio is not what the statement says.",
                instances=count,
                counterexample=Witness(
                    shown, f"S_end/S_init = {ratio}", _printed(subject), exact=True
                ),
            )
    return Evidence(
        ROUTE, Verdict.SUPPORTED, "The ratios agree.", instances=count, detectable=0.0
    )


def _printed(subject: Start) -> str:
    if subject.rule == "xavier":
        return f"between 1 and {_SLIGHT}"
    return "less than 1 unless d = d_x"


_VALUES: dict[str, Callable[[int, int], Fraction]] = {
    "xavier": lambda width, inputs: Fraction(2, width + inputs),
    "kaiming": lambda width, inputs: Fraction(1, width) + Fraction(1, inputs),
}


@general
def start_of_data(subject: Start, context: Context) -> Evidence:
    """Take S at the balance from sums over samples, and divide by S at the start."""

    def sides(at: Case) -> Sides:
        width, inputs, trace, end2 = at_the_end(at)
        start = inputs * width * _VALUES[subject.rule](width, inputs) * trace
        ratio2 = end2 / start**2
        if subject.printed:
            allowed = subject.allows(ratio2, width, inputs)
            return Sides(ratio2, ratio2 if allowed else Fraction(1))
        return numbers(ratio2, _claimed(subject.rule, width, inputs, at))

    first = case(d=[[1]], s=[[1]], a=[[1]], even=[[0]])
    if subject.rule == "kaiming":
        first = case(d=[[1]], s=[[Fraction(1, 4)]], a=[[1, 1]], even=[[0]])
    return drawn_evidence(
        "exact sums over samples",
        sides,
        autoencoders(isotropic=False),
        context,
        r"$(S_{end}/S_{init})^2$",
        examples=(first,),
        shown=("ratio squared {}", _printed(subject) if subject.printed else "{}"),
    )


def _claimed(rule: str, width: int, inputs: int, at: Case) -> Fraction:
    """Return the square of the ratio, k + 2 + 1/k standing for (√k + 1/√k)²."""
    if width >= inputs:
        wide = Fraction(width + inputs, width)
        return (wide if rule == "xavier" else Fraction(2 * inputs, width + inputs)) ** 2
    s2 = Fraction(at.number("s")) ** 2
    k = (inputs - width + s2 * inputs) / (s2 * inputs)
    narrow = Fraction(width + inputs, 2 * inputs)
    if rule == "kaiming":
        narrow = Fraction(width, width + inputs)
    return narrow**2 * (k + 2 + 1 / k)

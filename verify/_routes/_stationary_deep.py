"""The three limits of infinite depth: d/D → 0, fixed, → ∞.

The subject is where the law goes for d/D → 0 and for d/D → ∞: "zero" (as the scale
d/D) or "minimum" (β₂/β₁).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import symbolic_evidence
from verify._routes._stationary_cases import general
from verify._routes._stationary_density import (
    Q,
    T,
    a3,
    b1,
    b2,
    d,
    deep_flux,
    v,
)
from verify._routes._stationary_moments import LAW, Row, close_evidence
from verify._routes._stationary_quadrature import drawn_points


Ends = tuple[str, str]


@general
def limits_symbolic(ends: Ends, context: Context) -> Evidence:
    """Take d/D → 0 and → ∞ in the slope of the limiting density."""
    del context
    w = sp.Symbol("w", positive=True)
    slope = deep_flux()  # with d for d/D
    shrunk = sp.limit(sp.cancel(d * slope.subs(v, d * w)), d, 0)
    sharp = sp.limit(sp.cancel(slope / d), d, sp.oo)
    at_zero = -3 / w + b2 / (T * a3 * w**2)
    at_minimum = -(b1 * v - b2) / (T * v**2 * Q)
    claimed = {"zero": at_zero.subs(w, v), "minimum": at_minimum}
    rows = [
        ("$d/D \\to 0$, $v = wd/D$", shrunk.subs(w, v), claimed[ends[0]]),
        ("$d/D \\to \\infty$", sharp, claimed[ends[1]]),
    ]
    return symbolic_evidence(
        "limits of zero flux",
        rows,
        r"the scaled slope of $\log p$",
        steps=(
            r"$d/D = \kappa \to 0$: $v = \kappa w$, where $w$ has the density "
            r"$\propto w^{-3}e^{-\beta_2/T\alpha_3w}$, which is integrable: $v \to 0$.",
            r"$\kappa \to \infty$: $p \propto f e^{-\kappa\Phi}$ with one minimum "
            r"of $\Phi$, $\Phi' = (\beta_1v - \beta_2)/Tv^2Q$, at $\beta_2/\beta_1$.",
        ),
    )


@general
def limits_numeric(ends: Ends, context: Context) -> Evidence:
    """Follow spread and median of `StationaryDensity` at depth 10⁶."""

    def rows() -> Iterator[Row]:
        for point in drawn_points(context, "limits", decay=False)[:6]:
            level = point.beta[1] / point.beta[0]
            for end, widths in zip(ends, ((1, 100), (10**11, 10**13)), strict=True):
                near = replace(point, depth=10**6, width=widths[0]).law()
                far = replace(point, depth=10**6, width=widths[1]).law()
                if end == "zero":
                    ratio = float(far.median() / near.median())
                    yield point, ratio / (widths[1] / widths[0]), 1.0, 0.05
                else:
                    yield point, float(far.median()), level, 0.05 * level
                    shrinks = float(far.std() / near.std())
                    yield point, shrinks * (widths[1] / widths[0]) ** 0.5, 1.0, 0.05

    return close_evidence(LAW, rows(), "medians and spreads")

"""P2, A.3: the loss whose flow a discrete step follows, to second order in η.

The subject is "T" or "eta": κ of L + ¼κ‖∇L‖².
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
import sympy as sp

from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import ONE, POSITIVE, general


@general
def step_symbolic(subject: str, context: Context) -> Evidence:
    """Expand a step and the flow; then balance and collapse on L + ¼κ‖∇L‖²."""
    del context
    eta, S = sp.symbols("eta S", positive=True)
    kappa = eta if subject == "eta" else eta / S
    rows = []
    for n in (1, 2, 3):
        slope = sp.Matrix(sp.symbols(f"L:{n}", real=True))
        bend = sp.Matrix(
            n, n, lambda i, j: sp.Symbol(f"H{min(i, j)}{max(i, j)}", real=True)
        )
        drift = -(slope + kappa / 2 * bend * slope)
        flow = eta * drift + eta**2 / 2 * bend * slope  # (∂b)b = H∇L + O(η)
        for left in sp.expand(flow + eta * slope):
            rows.append((f"$n = {n}$", sp.expand(left), sp.S.Zero))
    return symbolic_evidence(
        "one step, symbolically",
        [*rows, *_consequences(kappa, eta, S)],
        r"$E\theta$ after a step against the flow, to $O(\eta^3)$",
        steps=(
            r"A step: $E\theta' - \theta = -\eta\nabla L$, exactly. The flow with the "
            r"drift $b = -\nabla(L + \frac\kappa4\|\nabla L\|^2)$ for a time $\eta$: "
            r"$\eta b + \frac{\eta^2}2(\partial b)b + O(\eta^3)$, the noise adding "
            r"$\frac{\eta^2}4TC:\nabla^2b = O(\eta^3)$.",
        ),
    )


def _consequences(
    kappa: sp.Expr, eta: sp.Symbol, S: sp.Symbol
) -> list[tuple[str, sp.Expr, sp.Expr]]:
    """Return the rate of balance and the drift near 0 on L + ¼κ‖∇L‖², D = 1."""
    u, w, b1, b2 = sp.symbols("u w beta1 beta2", real=True)
    loss = b1 * (u * w) ** 2 - 2 * b2 * u * w
    whole = loss + kappa / 4 * (loss.diff(u) ** 2 + loss.diff(w) ** 2)
    moved = -2 * u * whole.diff(u) + 2 * w * whole.diff(w)
    rate = 4 * eta * (b1 * u * w - b2) ** 2
    # On u = w near 0: u̇ = 2(β₂ − κβ₂²)u, where κβ₂² stands as γ does.
    near = sp.diff(-whole.diff(u).subs(w, u), u).subs(u, 0)
    T = eta / S
    return [
        ("balance", sp.expand(moved), sp.expand(-rate * (u**2 - w**2))),
        ("near 0", sp.expand(near), sp.expand(2 * (b2 - S * T * b2**2))),
    ]


@dataclass(frozen=True, slots=True)
class Spring:
    """L = ½hθ² without noise, so that every batch is the whole.

    Attributes:
        h: the curvature.
        S: the batch size.
        eta: the greater of two learning rates.
    """

    h: Fraction
    S: int
    eta: Fraction

    def gap(self, eta: Fraction, subject: str) -> Fraction:
        """Return the difference of one step and the flow, from θ = 1, to O(η⁴)."""
        kappa = eta if subject == "eta" else eta / self.S
        x = eta * (self.h + kappa * self.h**2 / 2)
        return abs((1 - eta * self.h) - (1 - x + x**2 / 2 - x**3 / 6))

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        values = {"h": self.h, "S": self.S, "eta": self.eta}
        return {"L": "h theta^2/2", **{k: str(a) for k, a in values.items()}}


@general
def step_exact(subject: str, context: Context) -> Evidence:
    """Halve η on L = ½hθ²: the gap of third order falls to an eighth."""

    def sides(case: Spring) -> Sides:
        before, after = (case.gap(e, subject) for e in (case.eta, case.eta / 2))
        return Sides(after, before / 6, degenerate=case.S == 1)

    springs = st.builds(
        Spring, POSITIVE, st.integers(1, 6), st.sampled_from((Fraction(1, 1024),))
    )
    return drawn_evidence(
        "exact steps",
        sides,
        springs,
        context,
        r"the gap of a step and the flow, after halving $\eta$",
        examples=(Spring(ONE, 2, Fraction(1, 1024)),),
        relation=Fraction.__le__,
        shown=("a gap of {}", "at most a sixth of that before, {}"),
    )

"""Routes for an orbit on which the noise sharpens from one side."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    evaluate,
    factorisation,
    matrix,
    norm2,
    scalar,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._matrix_cases import (
    EXACT,
    Case,
    Number,
    case,
    column,
    general,
)
from verify._routes._matrix_label_noise import curvature
from verify._routes._matrix_noise import noisy_drift
from verify._routes._words import ROUTE


# Alignment both ways. The subject is "both" or "flattens".

# ε = ±(1, 0), ±(0, 3), ±(0, 2), ±(0, 1), ±(0, 1): variances in the ratio 1 : 15.
_SKEW = ((1, 0), (0, 3), (0, 2), (0, 1), (0, 1))


def skew_net(p: Fraction) -> Case:
    """Return u = (p, 0), w = 1/p with x = 1 and y = (1, 0) + ε."""
    return case(U=[[p], [0]], W=[[1 / p]], X=[[1]], E=_SKEW)


def _both(subject: str, route: str, balance: Number, values: list[Number]) -> Evidence:
    """Conclude from the imbalance at p = 2 and the traces at p = 1, 2, 4."""
    small, end, large = values
    if balance or not small < end < large:
        reason = f"imbalance {balance} at the end, traces {values}"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=3)
    if subject == "both":
        return Evidence(
            route,
            Verdict.PROVED,
            f"On the orbit (p, 0), 1/p the noise balances at p = 2 and the trace is "
            f"{end} there: above {small} at p = 1, below {large} at p = 4.",
            instances=3,
        )
    return Evidence(
        route,
        Verdict.REFUTED,
        "From p = 1 the noise sharpens.",
        instances=3,
        counterexample=Witness(
            skew_net(Fraction(1)).describe(),
            f"trace {end} at the balance, p = 2",
            f"at most {small}, that at the start, p = 1",
            exact=True,
        ),
    )


@general
def both_ways_exact(subject: str, context: Context) -> Evidence:
    """Take drift and trace by differences on ten samples."""
    del context
    values: list[Number] = []
    for p in (1, 2, 4):
        at = skew_net(Fraction(p))
        target = at["U"] @ at["W"]
        ys = [target + column(row) for row in _SKEW]
        values.append(curvature(at["U"], at["W"], [column([1])] * len(ys), ys))
    drift, _, _ = noisy_drift(skew_net(Fraction(2)))
    return _both(subject, EXACT, drift.tr(), values)


@general
def both_ways_words(subject: str, context: Context) -> Evidence:
    """Evaluate (16) and Proposition 2, corrected, at second moments."""
    del context
    net = factorisation()
    Sigma_x = matrix("Sigma_x", "d_x", "d_x", symmetric=True)
    Sigma_e = matrix("Sigma_e", "d_y", "d_y", symmetric=True)
    sides = Sigma_e.tr() * (net.W @ Sigma_x @ net.W.T)
    sides -= Sigma_x.tr() * (net.U.T @ Sigma_e @ net.U)
    trace = 2 * scalar("d_y") * (net.W @ Sigma_x @ net.W.T).tr()
    trace += 2 * norm2(net.U) * Sigma_x.tr()

    def at(p: int, f: MatrixPolynomial) -> Number:
        values = {
            "U": sp.Matrix([p, 0]),
            "W": sp.Matrix([sp.Rational(1, p)]),
            "Sigma_x": sp.eye(1),
            "Sigma_e": sp.diag(1, 15) / 5,
        }
        found = evaluate(f, values)[0, 0]
        return Fraction(int(found.p), int(found.q))

    return _both(subject, ROUTE, at(2, sides), [at(p, trace) for p in (1, 2, 4)])

"""Routes for sharpness: trace and eigenvalue, and the value at the start."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product as cartesian

import sympy as sp

from symbolic import (
    Verdict,
    Witness,
    factorisation,
    gaussian_mean,
    matrix,
    norm2,
    sample,
    scalar,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    Case,
    M,
    Number,
    case,
    cases,
    general,
    moment,
    numbers,
)
from verify._routes._matrix_words import words
from verify._routes._words import ROUTE, Example


# The trace and the largest eigenvalue. The subject is "positive semi-definite" or
# "any".


@general
def eigenvalue_words(subject: str, context: Context) -> Evidence:
    """Write Tr H‖v‖² − vᵀHv as a mean of squares, n free."""
    del context
    if subject == "any":
        return _saddle()
    m, v = sample("m", "n"), matrix("v", "n", 1)
    H = (m @ m.T).mean()
    gap = H.tr() * norm2(v) - v.T @ H @ v
    squares = norm2(m @ v.T - v @ m.T).mean()
    return words(
        [("gap", 2 * gap, squares)],
        r"$\mathrm{Tr}\,H\,\|v\|^2 - v^\top Hv$ against a mean of squares",
        "$n$ and $v$",
        (
            r"$H \succeq 0$ iff $H = E[mm^\top]$ for some $m$; with $v$ the top "
            r"eigenvector $\lambda_{\max} \le \mathrm{Tr}\,H$.",
        ),
        shown={"gap": squares},
    )


def _saddle() -> Evidence:
    u, w = sp.symbols("u w", real=True)
    H = sp.hessian((u * w - 1) ** 2, (u, w)).subs({u: 0, w: 0})
    top = max(H.eigenvals())
    if not top > H.trace():
        reason = f"trace {H.trace()} and largest eigenvalue {top}"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "At a saddle the trace may vanish.",
        instances=1,
        counterexample=Witness(
            {"loss": "(u*w - 1)**2", "u": "0", "w": "0", "H": str(H.tolist())},
            f"largest eigenvalue {top}",
            f"at most the trace {H.trace()}",
            exact=True,
        ),
    )


@general
def eigenvalue_exact(subject: str, context: Context) -> Evidence:
    """Compare vᵀHv with Tr H‖v‖² for drawn H and v."""

    def sides(at: Case) -> Sides:
        C, v = at["C"], at["v"]
        H = C + C.T if subject == "any" else C @ C.T
        left, right = (v.T @ H @ v).tr(), H.tr() * v.norm2()
        return numbers(left, right, degenerate=not v or not H)

    return drawn_evidence(
        EXACT,
        sides,
        cases({"C": ("n", "n"), "v": ("n", 1)}, most=5),
        context,
        r"$v^\top Hv$ against $\mathrm{Tr}\,H\,\|v\|^2$",
        examples=(case(C=[[0, -1], [-1, 0]], v=[[1], [-1]]),),
        relation=Fraction.__le__,
        shown=("{}", "at most {}"),
    )


# The start. The subject is m in E S = m·d_y d Tr Σ_x(σ_W² + σ_U²).


@general
def start_words(subject: Fraction, context: Context) -> Evidence:
    """Average S over Gaussian U and W with every size free."""
    del context
    net = factorisation()
    Sigma = matrix("Sigma_x", "d_x", "d_x", symmetric=True)
    S = scalar("d_y") * (net.W @ Sigma @ net.W.T).tr() + norm2(net.U) * Sigma.tr()
    of_U, of_W = scalar("sigma_U", 2), scalar("sigma_W", 2)
    mean = gaussian_mean(gaussian_mean(S, net.U, scale=of_U), net.W, scale=of_W)
    claimed = subject * scalar("d_y") * scalar("d") * Sigma.tr() * (of_U + of_W)
    return words(
        [("mean", mean, claimed)],
        r"$E\,S$ at Gaussian initialisation",
        r"$d$, $d_x$, $d_y$ and $\Sigma_x$",
        example=Example(
            {"Sigma_x": sp.eye(1)},
            (),
            dict.fromkeys(("d", "d_x", "d_y", "sigma_U", "sigma_W", "Sigma_x"), "1"),
            dict.fromkeys(("d", "d_y", "sigma_U", "sigma_W"), sp.S.One),
        ),
    )


@general
def start_exact(subject: Fraction, context: Context) -> Evidence:
    """Average S over all signs of ±σ_U, ±σ_W, which have the same second moments."""

    def sides(at: Case) -> Sides:
        Sigma, s_U, s_W = moment(at.data("X")), at.number("s_U"), at.number("s_W")
        d, d_x, d_y = at["D"].shape[0], Sigma.shape[0], at["O"].shape[0]
        of_W = [(W @ Sigma @ W.T).tr() for W in _signed(d, d_x, s_W)]
        of_U = [U.norm2() for U in _signed(d_y, d, s_U)]
        left = d_y * Fraction(sum(of_W), len(of_W))
        left += Fraction(sum(of_U), len(of_U)) * Sigma.tr()
        right = subject * d_y * d * Sigma.tr() * (s_U**2 + s_W**2)
        return numbers(left, right, degenerate=not right)

    first = case(X=[[1]], D=[[1]], O=[[1]], s_U=[[1]], s_W=[[1]])
    return drawn_evidence(
        EXACT,
        sides,
        cases(
            {
                "X": (2, "d_x"),
                "D": ("d", 1),
                "O": ("d_y", 1),
                "s_U": (1, 1),
                "s_W": (1, 1),
            },
            most=2,
            largest={"d": 3},
        ),
        context,
        r"$S$ averaged over all signs against the formula",
        examples=(first,),
    )


def _signed(rows: int, cols: int, size: Number) -> Iterator[M]:
    for signs in cartesian((size, -size), repeat=rows * cols):
        yield M(tuple(signs[i * cols : (i + 1) * cols] for i in range(rows)))

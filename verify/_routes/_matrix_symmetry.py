"""Routes for (12), (13), (40) and the symmetries of matrix models that P1 names."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    differential,
    dot,
    factorisation,
    identity,
    matrix,
    matrix_flow,
    norm2,
    rewrite,
    sample,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    FACTORS,
    Case,
    M,
    apart,
    average,
    case,
    cases,
    compared,
    drawn,
    eye,
    general,
    inverse,
    largest,
    numbers,
    sample_gradients,
    square,
)
from verify._routes._matrix_words import words
from verify._routes._words import Example, Row


_SIZES = "$d$, $d_x$, $d_y$ and the data"
# ∂ℓ/∂(UW) of the sample at hand: any loss that sees U and W through UW.
_SLOPE = "$G = \\partial\\ell/\\partial(UW)$ of any loss of $UW$."


def _net() -> tuple[MatrixPolynomial, MatrixPolynomial, MatrixPolynomial]:
    return factorisation().U, factorisation().W, sample("G", "d_y", "d_x")


# (12). The subject says what multiplies W when R multiplies U: "inverse", "transpose".


@general
def invariance_words(subject: str, context: Context) -> Evidence:
    """Multiply out UR·NW with RN = I, and differentiate C_B along the flow."""
    del context
    U, W, G = _net()
    R, N = matrix("R", "d", "d"), matrix("N", "d", "d")
    B, K = matrix("B", "d", "d", symmetric=True), matrix("K", "d", "d")
    other = N if subject == "inverse" else R.T
    charge = (U @ B @ U.T).tr() - (W.T @ B @ W).tr()
    toward = {U: matrix("P", "d_y", "d"), W: matrix("Q", "d", "d_x")}
    J = {U: U @ B, W: -B @ W}

    def rows() -> Iterator[Row]:
        yield "product", rewrite(U @ R @ other @ W, {R @ N: identity("d")}), U @ W
        yield (
            "generator",
            differential(U @ W, {U: U @ K, W: -K @ W}),
            zero("d_y", "d_x"),
        )
        slope = dot(J[U], toward[U]) + dot(J[W], toward[W])
        yield "gradient of C_B", differential(charge, toward), 2 * slope
        flow = matrix_flow(charge, {U: G @ W.T, W: U.T @ G})
        yield "gradient flow", flow.loss, zero(1, 1)

    return words(
        rows(),
        r"$\ell(UR, R^{-1}W)$ and $C_B$ under gradient flow",
        f"{_SIZES}, the invertible $R = N^{{-1}}$ and the symmetric $B$",
        (_SLOPE, r"$\nabla C_B = 2J$ for the printed $C_B$."),
        example=Example(
            {"U": sp.eye(1), "W": sp.eye(1), "R": 2 * sp.eye(1)},
            (),
            {"U": "1", "W": "1", "R": "2"},
            {},
        ),
        constrained=True,
    )


@general
def invariance_exact(subject: str, context: Context) -> Evidence:
    """Multiply U by R and W by R⁻¹ and compare the loss, sample by sample."""

    def sides(at: Case) -> Sides | None:
        R = at["R"]
        other = inverse(R) if subject == "inverse" else R.T
        if other is None:
            return None
        U, W = at["U"], at["W"]
        pairs = [
            (square(U @ R, other @ W, x, y), square(U, W, x, y))
            for x, y in zip(at.data("X"), at.data("Y"), strict=True)
        ]
        left, right = max(pairs, key=apart)
        return numbers(left, right, degenerate=not U @ W or eye(len(R.rows)) == R)

    first = case(U=[[1]], W=[[1]], X=[[1]], Y=[[0]], R=[[2]])
    return drawn_evidence(
        EXACT,
        sides,
        drawn(R=("d", "d")),
        context,
        r"$\ell(UR, R^{-1}W)$ against $\ell(U, W)$",
        examples=(first,),
    )


# (13). The subject is s in UᵀU − sWWᵀ.


@general
def conserved_words(subject: Fraction, context: Context) -> Evidence:
    """Differentiate UᵀU − sWWᵀ along the gradient flow of any loss of UW."""
    del context
    U, W, G = _net()
    charge = U.T @ U - subject * (W @ W.T)
    flow = matrix_flow(charge, {U: G @ W.T, W: U.T @ G})
    return words(
        [("rate", flow.loss, zero("d", "d"))],
        r"$\frac{d}{dt}(U^\top U - WW^\top)$ under gradient flow",
        _SIZES,
        (_SLOPE, r"$\dot U = -E[G]W^\top$, $\dot W = -U^\top E[G]$."),
    )


@general
def conserved_exact(subject: Fraction, context: Context) -> Evidence:
    """Take the mean gradient by differences and the rate of UᵀU − sWWᵀ along it."""

    def sides(at: Case) -> Sides:
        U, W = at["U"], at["W"]
        gradients = sample_gradients(U, W, at.data("X"), at.data("Y"))
        g, h = (average(each) for each in zip(*gradients, strict=True))
        left = (U.T @ g + g.T @ U) * -1
        return compared(left, (W @ h.T + h @ W.T) * -subject, degenerate=not left)

    first = case(U=[[1]], W=[[1]], X=[[1]], Y=[[0]])
    return drawn_evidence(
        EXACT,
        sides,
        drawn(),
        context,
        r"the rate of $U^\top U$ against that of $WW^\top$",
        examples=(first,),
    )


# A of the earlier law. The subject is a in J = (UB, aBW), B = E_kk.


@general
def one_unit_words(subject: Fraction, context: Context) -> Evidence:
    """Differentiate UW along (UE_kk, aE_kkW), k any unit vector."""
    del context
    U, W, _ = _net()
    k = matrix("k", "d", 1)
    B = k @ k.T
    moved = differential(U @ W, {U: U @ B, W: subject * (B @ W)})
    toward = {U: matrix("P", "d_y", "d"), W: matrix("Q", "d", "d_x")}
    charge = Fraction(1, 2) * (norm2(U @ k) - norm2(W.T @ k))
    slope = dot(U @ B, toward[U]) - dot(B @ W, toward[W])

    def rows() -> Iterator[Row]:
        yield "model", moved, zero("d_y", "d_x")
        yield "charge of one unit", differential(charge, toward), slope

    return words(
        rows(),
        r"$UW$ along $J = (UE_{kk}, aE_{kk}W)$, $C = \frac12(\|u_k\|^2 - \|w_k\|^2)$",
        "$d$, $d_x$, $d_y$ and the unit",
        example=Example(
            {name: sp.eye(1) for name in ("U", "W", "k")},
            (),
            {"U": "1", "W": "1", "A": f"diag(1, {subject})"},
            {"d_y": sp.S.One, "d_x": sp.S.One},
        ),
    )


@general
def one_unit_exact(subject: Fraction, context: Context) -> Evidence:
    """Take the slope of each sample's loss along J by differences."""

    def sides(at: Case) -> Sides:
        U, W, n = at["U"], at["W"], len(at["W"].rows)
        B = M(tuple(tuple(int(i == j == 0) for j in range(n)) for i in range(n)))
        slopes = [
            ((U @ B).T @ g).tr() + subject * ((B @ W).T @ h).tr()
            for g, h in sample_gradients(U, W, at.data("X"), at.data("Y"))
        ]
        still = not (U @ B @ W)
        return numbers(largest(slopes), 0, degenerate=still)

    first = case(U=[[1]], W=[[1]], X=[[1]], Y=[[0]])
    return drawn_evidence(
        EXACT,
        sides,
        drawn(),
        context,
        r"$\nabla\ell\cdot J$ along the first hidden unit",
        examples=(first,),
    )


# (40). The subject is m in C_B = m(u_kᵀu_l − w_kᵀw_l), C_B as printed in (12).

_TWO_UNITS = Example(
    {
        "U": sp.Matrix([[1, 1]]),
        "W": sp.Matrix([[0], [0]]),
        "k": sp.Matrix([1, 0]),
        "l": sp.Matrix([0, 1]),
    },
    (),
    {"U": "(1, 1) (row)", "W": "0", "B": "[[0, 1], [1, 0]]"},
    {},
)


@general
def pair_words(subject: Fraction, context: Context) -> Evidence:
    """Put B = e_ke_lᵀ + e_le_kᵀ into the printed C_B."""
    del context
    U, W, _ = _net()
    k, ell = matrix("k", "d", 1), matrix("l", "d", 1)
    B = k @ ell.T + ell @ k.T
    charge = (U @ B @ U.T).tr() - (W.T @ B @ W).tr()
    right = subject * ((U @ k).T @ (U @ ell) - (W.T @ k).T @ (W.T @ ell))
    return words(
        [("charge", charge, right)],
        r"$\mathrm{Tr}[UBU^\top] - \mathrm{Tr}[W^\top BW]$",
        "$d$, $d_x$, $d_y$, $k$ and $l$",
        example=_TWO_UNITS,
    )


@general
def pair_exact(subject: Fraction, context: Context) -> Evidence:
    """Sum over the entries for every pair k, l."""

    def sides(at: Case) -> Sides:
        U, W, n = at["U"], at["W"], len(at["W"].rows)
        found = [
            (_charge(U, W, k, m), subject * _units(U, W, k, m))
            for k in range(n)
            for m in range(k + 1)
        ]
        left, right = max(found, key=lambda pair: (apart(pair), pair[0]))
        return numbers(left, right, degenerate=not any(map(any, found)))

    first = case(U=[[1, 1]], W=[[0], [0]])
    return drawn_evidence(
        EXACT,
        sides,
        cases(FACTORS, most=4),
        context,
        r"$C_B$ with $B = e_ke_l^\top + e_le_k^\top$",
        examples=(first,),
    )


def _charge(U: M, W: M, k: int, m: int) -> int | Fraction:
    n = len(W.rows)
    rows = [[0] * n for _ in range(n)]
    rows[k][m] += 1
    rows[m][k] += 1
    B = M(tuple(map(tuple, rows)))
    return (U @ B @ U.T).tr() - (W.T @ B @ W).tr()


def _units(U: M, W: M, k: int, m: int) -> int | Fraction:
    of_U = sum(row[k] * row[m] for row in U.rows)
    return of_U - sum(a * b for a, b in zip(W.rows[k], W.rows[m], strict=True))

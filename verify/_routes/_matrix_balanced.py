"""Routes for what balances: the construction (50)–(52), and residual nets."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    identity,
    matrix,
    norm2,
    rewrite,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    Case,
    M,
    case,
    compared,
    diagonal,
    eye,
    general,
    inverse,
    numbers,
)
from verify._routes._matrix_noise import example
from verify._routes._matrix_words import words
from verify._routes._words import Example, Row


# (50)–(52). The subject is which of FFᵀ = I and FᵀF = I holds: "wide" or "narrow".


@general
def construction_words(subject: str, context: Context) -> Evidence:
    """Multiply U'W' and both sides out; then what any balance must be."""
    del context
    L, T, R = (
        matrix("L", "d_y", "r"),
        matrix("T", "r", "r", symmetric=True),
        matrix("R", "r", "d_x"),
    )
    F = matrix("F", "r", "d")
    one = {F @ F.T: identity("r")} if subject == "wide" else {F.T @ F: identity("d")}
    rules = {L.T @ L: identity("r"), R @ R.T: identity("r"), **one}
    U, W = L @ T @ F, F.T @ T @ R
    P, Q = matrix("P", "d_y", "d"), matrix("Q", "d", "d_x")

    def rows() -> Iterator[Row]:
        yield "balance", rewrite(W @ W.T, rules), rewrite(U.T @ U, rules)
        yield "product", rewrite(U @ W, rules), L @ T @ T @ R
        square = rewrite(P @ Q @ Q.T @ P.T, {Q @ Q.T: P.T @ P})
        yield "any balance", square, P @ P.T @ P @ P.T

    return words(
        rows(),
        r"$U' = L\sqrt SF$, $W' = F^\top\sqrt SR$",
        "$d$, $d_x$, $d_y$ and the rank $r$",
        (
            r"$T = \sqrt S$, $U' = \sqrt{\Gamma_U}U$, $W' = W\sqrt{\Gamma_W}$, "
            r"$U'W' = LSR$.",
            r"Any $P, Q$ with $PQ = V'$ and $QQ^\top = P^\top P$ has $(PP^\top)^2 = "
            r"V'V'^\top$: $PP^\top = LSL^\top$ is the only root $\succeq 0$, so that "
            r"$P = L\sqrt SF$ with $FF^\top = I$.",
        ),
        example=example(
            {"L": sp.eye(2), "T": sp.eye(2), "R": sp.eye(2), "F": sp.Matrix([1, 0])}
        ),
        constrained=True,
    )


@st.composite
def _constructions(draw: st.DrawFn) -> Case:
    r, extra = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    d_y, d_x = (r + draw(st.integers(0, 2)) for _ in range(2))
    root = diagonal(draw(st.lists(st.integers(1, 4), min_size=r, max_size=r)))
    L = draw(_reflection(d_y)).T
    F = draw(_reflection(r + extra)).rows[:r]
    return Case(
        {
            "L": M(tuple(row[:r] for row in L.rows)),
            "T": root,
            "R": M(draw(_reflection(d_x)).rows[:r]),
            "F": M(F),
        }
    )


@st.composite
def _reflection(draw: st.DrawFn, n: int) -> M:
    v = M((draw(st.tuples(*[st.integers(-2, 2)] * n)),))
    size = v.norm2()
    return eye(n) - (v.T @ v) * Fraction(2, size) if size else eye(n)


@general
def construction_exact(subject: str, context: Context) -> Evidence:
    """Carry it out in rationals; "narrow" leaves the last row of F' = Fᵀ out."""

    def sides(at: Case) -> Sides | None:
        L, T, R, F = at["L"], at["T"], at["R"], at["F"]
        if subject == "narrow":  # d = r − 1 columns that are orthonormal
            r = len(T.rows)
            if r == 1:
                return None
            F = M(tuple(row[: r - 1] for row in eye(r).rows))
            at = at.with_(F=F)
        U, W = L @ T @ F, F.T @ T @ R
        product = compared(U @ W, L @ T @ T @ R, at=at)
        if product.left != product.right:
            return product
        return compared(W @ W.T, U.T @ U)

    one = [[1, 0], [0, 1]]
    return drawn_evidence(
        EXACT,
        sides,
        _constructions(),
        context,
        "$U'W'$ against $LSR$, and the two sides",
        examples=(case(L=one, T=one, R=one, F=one),),
    )


# The residual net at balance, (I + U)(I + W) = vI. The subject is v.


@general
def orthogonal_words(subject: Fraction, context: Context) -> Evidence:
    """Show G² = v²I for G = (I+U)ᵀ(I+U), and that it forces G = I where v = 1."""
    del context
    P, Q, v = matrix("P", "n", "n"), matrix("Q", "n", "n"), subject
    one = identity("n")
    G = P.T @ P
    rules = {P @ Q: v * one, Q @ P: v * one}
    squared = rewrite(G @ Q @ Q.T, rules)  # G², as the balance is QQᵀ = PᵀP
    gap = G - one

    def rows() -> Iterator[Row]:
        yield "square", squared, v * v * one
        yield "unit", v * v * one, one
        sum_of_squares = norm2(gap) + norm2(P @ gap)
        yield "only root", (gap @ (G @ G - one)).tr(), sum_of_squares

    return words(
        rows(),
        r"$(I+U)^\top(I+U)$ at the balance",
        "$n$",
        (
            r"$P = I + U$, $Q = I + W$, $PQ = vI$; isotropic data and noise make the "
            r"balance $QQ^\top = P^\top P =: G$, so $G^2 = P^\top PQQ^\top = v^2I$.",
            r"$G^2 = I$ gives $0 = \mathrm{Tr}[(G-I)(G^2-I)] = \|G-I\|^2 + "
            r"\|P(G-I)\|^2$, so $G = I$.",
        ),
        example=Example(
            {},
            (),
            {"n": "1", "I + U": str(_root(v)), "I + W": str(_root(v)), "V": str(v)},
            {"n": sp.S.One},
        ),
        constrained=True,
    )


@st.composite
def _balanced_residual(draw: st.DrawFn) -> Case:
    n = draw(st.integers(1, 4))
    P = draw(_reflection(n)) @ draw(_reflection(n))
    if draw(st.booleans()):  # not balanced, as a rule
        row = st.tuples(*[st.integers(-2, 2)] * n)
        P = M(draw(st.tuples(*[row] * n)))
    return Case({"P": P})


@general
def orthogonal_exact(subject: Fraction, context: Context) -> Evidence:
    """Scale an orthogonal or arbitrary I + U; where it balances, see if orthogonal."""

    def sides(at: Case) -> Sides | None:
        root = _root(subject)
        P = at["P"] * root
        back = inverse(P)
        if back is None:
            return None
        Q = back * subject
        gap = Q @ Q.T - P.T @ P
        one = eye(len(P.rows))
        if gap:  # out of balance: then it must not be orthogonal
            return numbers(int(bool(P.T @ P - one)), 1)
        return compared(P.T @ P, one)

    return drawn_evidence(
        EXACT,
        sides,
        _balanced_residual(),
        context,
        r"$(I+U)^\top(I+U)$ where $(I+U)(I+W) = vI$ balances, against $I$",
        examples=(case(P=[[1]]),),
    )


def _root(v: Fraction) -> Fraction:
    """Return √v of a rational square."""
    found = Fraction(int(v.numerator**0.5 + 0.5), int(v.denominator**0.5 + 0.5))
    if found * found != v:
        raise ValueError(f"expected a rational square, got {v}")
    return found

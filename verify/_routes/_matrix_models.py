"""Routes for symmetries of models: residual nets, attention, a loss that has more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy as sp
from hypothesis.strategies import SearchStrategy

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    differential,
    dot,
    gradient,
    identity,
    latex,
    matrix,
    matrix_flow,
    norm2,
    rewrite,
    sample,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    Case,
    M,
    Number,
    Shapes,
    apart,
    balance_drift,
    case,
    cases,
    compared,
    eye,
    gammas,
    general,
    inverse,
    largest,
    numbers,
    sample_gradients,
    square,
)
from verify._routes._matrix_words import words
from verify._routes._words import ROUTE, Example, Row


# Residual nets (I + U)(I + W)x. The subject is "none" (no symmetry is left), "affine"
# (J = ((I + U)B, −B(I + W))) or "linear" (J = (UB, −BW)).


def _residual_net() -> tuple[MatrixPolynomial, MatrixPolynomial]:
    return matrix("U", "n", "n"), matrix("W", "n", "n")


@general
def residual_words(subject: str, context: Context) -> Evidence:
    """Differentiate (I + U)(I + W) along J, and take the flow of its charges."""
    del context
    U, W = _residual_net()
    one, B = identity("n"), matrix("B", "n", "n")
    P, Q = one + U, one + W
    shift = zero("n", "n") if subject == "linear" else one
    J = {U: (shift + U) @ B, W: -B @ (shift + W)}
    moved = differential(P @ Q, J)
    if subject == "none":
        return _still_there(moved)

    def rows() -> Iterator[Row]:
        yield "model", moved, zero("n", "n")
        x, y = sample("x", "n"), sample("y", "n")
        loss = norm2(P @ Q @ x - y)
        gradients = {X: gradient(loss, X) for X in (U, W)}
        flow = matrix_flow(P.T @ P - Q @ Q.T, gradients)
        yield "loss", flow.loss, zero("n", "n")
        yield "diffusion", flow.diffusion, zero("n", "n")
        r = P @ Q @ x - y
        mean = (r @ x.T).mean()
        of_U = (norm2(x) * (r @ r.T)).mean() - mean @ mean.T
        of_W = (norm2(r) * (x @ x.T)).mean() - mean.T @ mean
        sides = Q @ of_W @ Q.T - P.T @ of_U @ P
        yield "noise", flow.noise, 8 * scalar("sigma2") * sides

    return words(
        rows(),
        r"$(I+U)(I+W)$ along $J$, and the flow of $(I+U)^\top(I+U) - (I+W)(I+W)^\top$",
        "$n$ and the data",
        ("$P = I + U$, $Q = I + W$.",),
        shown={"noise": 8 * scalar("sigma2") * _balance_shown()},
    )


def _balance_shown() -> MatrixPolynomial:
    """Return QΓ_WQᵀ − PᵀΓ_UP with P = I + U, Q = I + W, for what is to be read."""
    P, Q = matrix("P", "n", "n"), matrix("Q", "n", "n")
    of_U, of_W = (matrix(f"Gamma_{s}", "n", "n", symmetric=True) for s in "UW")
    return Q @ of_W @ Q.T - P.T @ of_U @ P


def _still_there(moved: MatrixPolynomial) -> Evidence:
    if moved.terms:
        reason = "the model moves along the affine J"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "J = ((I + U)B, −B(I + W)) leaves (I + U)(I + W) where it is, for every B.",
        instances=1,
        counterexample=Witness(
            {"J": "((I + U)B, -B(I + W))", "U": "any", "W": "any", "B": "any"},
            "derivative of (I + U)(I + W) along J: 0",
            "not 0 for any J",
            exact=True,
        ),
    )


def _shifted_square(U: M, W: M, x: M, y: M) -> int | Fraction:
    return square(eye(len(U.rows)) + U, eye(len(W.rows)) + W, x, y)


@general
def residual_exact(subject: str, context: Context) -> Evidence:
    """Take the slope of each sample's loss along J by differences."""

    def sides(at: Case) -> Sides | None:
        U, W, B = at["U"], at["W"], at["B"]
        one = eye(len(U.rows)) * int(subject != "linear")
        J = (one + U) @ B, B @ (one + W) * -1
        gradients = sample_gradients(
            U, W, at.data("X"), at.data("Y"), loss=_shifted_square
        )
        slopes = [(J[0].T @ g).tr() + (J[1].T @ h).tr() for g, h in gradients]
        moving = bool(J[0] or J[1]) and any(map(any, gradients))
        worst = largest(slopes)
        if subject == "none":  # a J ≠ 0 that no sample sees
            return numbers(int(not worst), 0) if moving else None
        if worst or subject == "linear":
            return numbers(worst, 0, degenerate=not moving)
        return _residual_balance(at, gradients)

    first = case(U=[[1]], W=[[0]], B=[[1]], X=[[1]], Y=[[0]])
    shapes: Shapes = {name: ("n", "n") for name in ("U", "W", "B")}
    shown = (
        ("a symmetry with J ≠ 0: {}", "none: {}") if subject == "none" else ("{}", "{}")
    )
    return drawn_evidence(
        EXACT,
        sides,
        cases({**shapes, "X": (2, "n"), "Y": (2, "n")}),
        context,
        r"$\nabla\ell\cdot J$ for $\ell = \|(I+U)(I+W)x - y\|^2$",
        examples=(first,),
        shown=shown,
    )


def _residual_balance(at: Case, gradients: Sequence[tuple[M, M]]) -> Sides:
    """Compare the drift of (I+U)ᵀ(I+U) − (I+W)(I+W)ᵀ with its Γ, over 4η/S."""
    one, xs = eye(at["U"].shape[0]), at.data("X")
    P, Q = one + at["U"], one + at["W"]
    rs = [P @ (Q @ x) - y for x, y in zip(xs, at.data("Y"), strict=True)]
    of_U, of_W = gammas(xs, rs)
    drift = balance_drift(gradients)
    claimed = (Q @ of_W @ Q.T - P.T @ of_U @ P) * 4
    return compared(drift, claimed, degenerate=not drift)


# Attention. The subject is "per head" or "across heads".


@general
def attention_words(subject: str, context: Context) -> Evidence:
    """Differentiate the logits' matrices Q_hᵀK_h of two heads, and take the flow."""
    del context
    Q, K = (
        {h: matrix(f"{name}_{h}", "d_h", "d") for h in (1, 2)} for name in ("Q", "K")
    )
    R, N = matrix("R", "d_h", "d_h"), matrix("N", "d_h", "d_h")
    B, G = matrix("B", "d_h", "d_h"), sample("G", "d", "d")
    if subject == "per head":
        J = {Q[1]: B.T @ Q[1], K[1]: -B @ K[1]}
    else:
        J = {Q[1]: B.T @ Q[2], K[2]: -B @ K[1]}

    def rows() -> Iterator[Row]:
        for h in (1, 2):
            yield f"logits of head {h}", differential(Q[h].T @ K[h], J), zero("d", "d")
        moved = (R.T @ Q[1]).T @ (N @ K[1])
        yield "finite", rewrite(moved, {R @ N: identity("d_h")}), Q[1].T @ K[1]
        slopes = {Q[1]: K[1] @ G.T, K[1]: Q[1] @ G}
        flow = matrix_flow(Q[1] @ Q[1].T - K[1] @ K[1].T, slopes)
        yield "gradient flow", flow.loss, zero("d_h", "d_h")
        yield "diffusion", flow.diffusion, zero("d_h", "d_h")

    return words(
        rows(),
        r"$Q_h^\top K_h$ along $J$, and the flow of $Q_hQ_h^\top - K_hK_h^\top$",
        "the model's width $d$, the heads' width $d_h$ and the data",
        (
            r"The logits of head $h$ are $x_i^\top Q_h^\top K_hx_j$: any loss sees "
            r"$Q_h, K_h$ through $Q_h^\top K_h$, with slope $G$.",
        ),
        example=Example(
            {name: sp.eye(1) for name in ("Q_1", "Q_2", "K_1", "K_2", "B")},
            (),
            dict.fromkeys(("Q_1", "Q_2", "K_1", "K_2", "B"), "1"),
            {"d": sp.S.One},
        ),
        constrained=True,
    )


@general
def attention_exact(subject: str, context: Context) -> Evidence:
    """Move queries by Rᵀ and keys by R⁻¹, a head at a time or all heads together."""

    def sides(at: Case) -> Sides | None:
        tokens, R = at["X"], at["R"]
        heads = [(at["Q1"], at["K1"]), (at["Q2"], at["K2"])]
        size = len(at["Q1"].rows)
        back = inverse(R)
        if back is None:
            return None
        if subject == "across heads":
            Q, K = (M(a.rows + b.rows) for a, b in zip(*heads, strict=True))
            Q, K = R.T @ Q, back @ K
            moved = [(M(Q.rows[:size]), M(K.rows[:size]))]
        else:
            part = M(tuple(row[:size] for row in R.rows[:size]))
            own = inverse(part)
            if own is None:
                return None
            moved = [(part.T @ q, own @ k) for q, k in heads]
        pairs = list(zip(moved, heads, strict=False))
        logits = [
            (tokens @ a.T @ b @ tokens.T, tokens @ q.T @ k @ tokens.T)
            for (a, b), (q, k) in pairs
        ]
        left, right = max(logits, key=lambda pair: (pair[0] - pair[1]).norm2())
        return compared(left, right, degenerate=not right or eye(len(R.rows)) == R)

    def doubled(at: Case) -> Sides | None:
        return sides(at) if at["R"].shape[0] == 2 * at["Q1"].shape[0] else None

    one = [[1]]
    first = case(Q1=one, K1=one, Q2=one, K2=one, X=one, R=[[1, 0], [1, 1]])
    strategy = _heads(1) | _heads(2)
    return drawn_evidence(
        EXACT,
        doubled,
        strategy,
        context,
        r"the logits $x_i^\top Q_h^\top K_hx_j$ before and after",
        examples=(first,),
    )


def _heads(size: int) -> SearchStrategy[Case]:
    weights: Shapes = {name: (size, "d") for name in ("Q1", "K1", "Q2", "K2")}
    return cases({**weights, "X": ("N", "d"), "R": (2 * size, 2 * size)})


# ℓ = (Ux·Wx − y)². The subject says who has the symmetry: "loss" or "model" as well.


@general
def loss_only_words(subject: str, context: Context) -> Evidence:
    """Differentiate the loss and the outputs Ux, Wx along J = (BU, −BᵀW)."""
    del context
    U, W, B = matrix("U", "d", "d_x"), matrix("W", "d", "d_x"), matrix("B", "d", "d")
    x, y = sample("x", "d_x"), sample("y", 1)
    loss = norm2((U @ x).T @ (W @ x) - y)
    gradients = {X: gradient(loss, X) for X in (U, W)}
    J = {U: B @ U, W: -B.T @ W}
    moved = differential(U @ x, J)
    if not moved.terms:
        reason = "the outputs stay as they are: no example"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)

    def rows() -> Iterator[Row]:
        slope = dot(gradients[U], J[U]) + dot(gradients[W], J[W])
        yield "loss", slope, zero(1, 1)
        flow = matrix_flow(U @ U.T - W @ W.T, gradients)
        yield "gradient flow", flow.loss, zero("d", "d")
        yield "diffusion", flow.diffusion, zero("d", "d")
        of_U, of_W = gradients[U], gradients[W]
        noise = (of_U @ of_U.T).mean() - of_U.mean() @ of_U.mean().T
        noise -= (of_W @ of_W.T).mean() - of_W.mean() @ of_W.mean().T
        yield "noise", flow.noise, 2 * scalar("sigma2") * noise
        if subject == "model":
            yield "outputs", moved, zero("d", 1)

    return words(
        rows(),
        r"$\ell = (Ux\cdot Wx - y)^2$ along $J = (BU, -B^\top W)$",
        "$d$, $d_x$, $B$ and the data",
        (
            rf"The output $Ux$ moves: along $J$ by ${latex(moved)}$.",
            r"$D$ is the covariance $E[g_Ug_U^\top] - E[g_U]E[g_U]^\top$ less that of "
            r"$g_W$.",
        ),
        shown={"noise": 2 * scalar("sigma2") * matrix("D", "d", "d")},
    )


@general
def loss_only_exact(subject: str, context: Context) -> Evidence:
    """Move U by R and W by R⁻ᵀ: compare the loss, or the outputs."""

    def sides(at: Case) -> Sides | None:
        back = inverse(at["R"])
        if back is None:
            return None
        U, W = at["R"] @ at["U"], back.T @ at["W"]
        losses: list[tuple[Number, Number]] = []
        still = True
        for x, y in zip(at.data("X"), at.data("Y"), strict=True):
            before, after = (at["U"] @ x, at["W"] @ x), (U @ x, W @ x)
            a, b = (((p.T @ q) - y).norm2() for p, q in (after, before))
            losses.append((a, b))
            still = still and before == after
            if subject == "model" and before[0] != after[0]:
                return compared(after[0], before[0])
        left, right = max(losses, key=apart)
        return numbers(left, right, degenerate=still)

    first = case(U=[[1]], W=[[1]], X=[[1]], Y=[[0]], R=[[2]])
    return drawn_evidence(
        EXACT,
        sides,
        cases(
            {
                "U": ("d", "d_x"),
                "W": ("d", "d_x"),
                "R": ("d", "d"),
                "X": ("N", "d_x"),
                "Y": ("N", 1),
            }
        ),
        context,
        r"$(Ux\cdot Wx - y)^2$ after $U \to RU$, $W \to R^{-\top}W$",
        examples=(first,),
    )

"""Routes for label noise: the noise equilibrium and the trace of the Hessian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import sympy as sp

from symbolic import (
    Verdict,
    Witness,
    differential,
    factorisation,
    hessian_trace,
    identity,
    matrix_flow,
    norm2,
    scalar,
    second_moment,
    substitute,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    FACTORS,
    NOISY,
    Case,
    M,
    Number,
    Shapes,
    case,
    cases,
    column,
    eye,
    general,
    numbers,
    square,
)
from verify._routes._matrix_noise import at_minimum, example, moments, noisy_drift
from verify._routes._matrix_words import words
from verify._routes._words import ROUTE, Row


_SIZES = "$d$, $d_x$, $d_y$"
_ONE = sp.eye(1)


# Sharpness. The subject is "isotropic" label noise, "any" label noise, or "unrelated":
# the noise equilibrium says nothing of the trace of the Hessian.


@general
def label_noise_words(subject: str, context: Context) -> Evidence:
    """Compare Ċ_B at a global minimum with the slope of Tr∇²L along the orbit of B."""
    del context
    net = factorisation()
    U, W, B = net.U, net.W, net.B
    Sigma_x, Sigma_e = moments()
    trace = second_moment(hessian_trace(net.loss, (U, W)), net.x, Sigma_x)
    orbit = {U: U @ B, W: -B @ W}
    slope = differential(trace, orbit)
    charge = Fraction(1, 2) * ((U @ B @ U.T).tr() - (W.T @ B @ W).tr())
    noise = at_minimum(matrix_flow(charge, net.gradients).noise)
    s2 = scalar("s2")
    claimed = -s2 * scalar("sigma2") * slope
    if subject != "any":
        noise = substitute(noise, {Sigma_e: s2 * identity("d_y")})
    else:
        claimed = -Sigma_e.tr() * scalar("d_y", -1) * scalar("sigma2") * slope
    curvature = differential(slope, orbit)
    squares = 8 * scalar("d_y") * (B @ W @ Sigma_x @ W.T @ B).tr()
    squares += 8 * Sigma_x.tr() * norm2(U @ B)

    def rows() -> Iterator[Row]:
        yield "drift", noise, claimed
        yield "convexity", curvature, squares

    return words(
        rows(),
        r"$\dot C_B$ at a global minimum against $-\sigma^2s^2\frac{d}{d\lambda}"
        r"\mathrm{Tr}\nabla^2L(\theta_\lambda)$",
        f"{_SIZES}, the symmetric $B$ and the law of $x$",
        (
            r"$\theta_\lambda = (Ue^{\lambda B}, e^{-\lambda B}W)$, label noise with "
            r"$E[\varepsilon\varepsilon^\top] = s^2I$.",
            r"The second derivative of the trace is a sum of squares: where the slope "
            r"vanishes the trace is least on the orbit.",
        ),
        example=example(
            {
                "U": sp.Matrix([1, 0]),
                "W": _ONE,
                "B": _ONE,
                "Sigma_x": _ONE,
                "Sigma_e": sp.diag(1, 0),
            },
            sigma2=1,
        ),
    )


def orbit_sides(at: Case) -> tuple[Number, Number, Number]:
    """Return Ċ_B over η/S, the slope of Tr∇²L along the orbit, and Tr Σ_ε."""
    B = at["B"] + at["B"].T
    drift, _, Sigma_e = noisy_drift(at)
    rate = (drift @ B).tr() * Fraction(1, 2)
    xs = at.data("X")
    ys = [at["U"] @ (at["W"] @ x) for x in xs]  # the trace does not depend on y

    def trace(h: int) -> Fraction:
        """Return Tr∇²L by second differences at (U(I + hB), (I − hB)W)."""
        one = eye(len(B.rows))
        return curvature(at["U"] @ (one + B * h), (one - B * h) @ at["W"], xs, ys)

    # The trace is quadratic in (U, W): the central difference is exact.
    return rate, (trace(1) - trace(-1)) / 2, Sigma_e.tr()


def curvature(U: M, W: M, xs: Sequence[M], ys: Sequence[M]) -> Fraction:
    """Return Tr∇²L by second differences, exact as L is quadratic in each entry."""

    def risk(U: M, W: M) -> Fraction:
        values = [square(U, W, x, y) for x, y in zip(xs, ys, strict=True)]
        return Fraction(sum(values), 1) / len(values)

    total, centre = Fraction(0), risk(U, W)
    for which, A in (("U", U), ("W", W)):
        rows, cols = A.shape
        for i in range(rows):
            for j in range(cols):
                for step in (1, -1):
                    moved = [list(row) for row in A.rows]
                    moved[i][j] += step
                    B = M(tuple(map(tuple, moved)))
                    total += risk(B, W) if which == "U" else risk(U, B)
                    total -= centre
    return total


@general
def label_noise_exact(subject: str, context: Context) -> Evidence:
    """Take gradients and the trace of the Hessian by differences."""

    def sides(at: Case) -> Sides | None:
        d_y = at["U"].shape[0]
        if subject != "any":
            at = at.with_(E=eye(d_y) * at.number("s"))
        rate, slope, total = orbit_sides(at)
        if subject == "unrelated":
            return numbers(int(rate * slope < 0), 0) if rate else None
        claimed = Fraction(-1, 2) * Fraction(total) / d_y * slope
        return numbers(rate, claimed, degenerate=not rate)

    first = case(U=[[2]], W=[[1]], B=[[1]], X=[[1]], E=[[1]], s=[[1]])
    skew = case(U=[[1], [0]], W=[[1]], B=[[1]], X=[[1]], E=[[1, 0]], s=[[1]])
    shown = (
        ("the trace falls towards the equilibrium: {}", "it need not: {}")
        if subject == "unrelated"
        else ("{}", "{}")
    )
    shapes: Shapes = {
        **FACTORS,
        **NOISY,
        "B": ("d", "d"),
        "s": (1, 1),
    }
    return drawn_evidence(
        EXACT,
        sides,
        cases(shapes, most=2),
        context,
        r"$\dot C_B$ over $\eta/S$ against $-\frac12s^2\frac{d}{d\lambda}"
        r"\mathrm{Tr}\nabla^2L$",
        examples=(first,) if subject == "unrelated" else (skew, first),
        shown=shown,
    )


def unrelated(subject: str, context: Context) -> Evidence:
    """Decide by words whether isotropic label noise ties drift and trace together."""
    found = label_noise_words(
        "isotropic" if subject == "unrelated" else subject, context
    )
    if subject != "unrelated" or found.verdict is not Verdict.PROVED:
        return found
    data = (column([1]), column([1])), (column([0]), column([2]))
    traces = [
        curvature(column([u]), column([1 / u]), *data)
        for u in (Fraction(2), Fraction(1))
    ]
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "Under isotropic label noise the equilibrium is where the trace is least.",
        instances=found.instances,
        steps=found.steps,
        counterexample=Witness(
            {"loss": "(u*w*x - y)**2", "x": "1", "y": "0; 2", "u": "2", "w": "1/2"},
            f"trace of the Hessian {traces[0]} here and {traces[1]} at the noise "
            "equilibrium (1, 1), the least on uw = 1",
            "no relation",
            exact=True,
        ),
    )

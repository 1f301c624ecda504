"""Routes for the noise at a minimum, (16), what it says in words, and (47)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    factorisation,
    identity,
    matrix,
    matrix_flow,
    norm2,
    sample,
    scalar,
    second_moment,
    substitute,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._factorisation_words import balance_rate
from verify._routes._matrix_cases import (
    EXACT,
    FACTORS,
    NOISY,
    Case,
    M,
    balance_drift,
    case,
    cases,
    compared,
    drawn,
    gammas,
    general,
    independent,
    moment,
    sample_gradients,
)
from verify._routes._matrix_words import words
from verify._routes._words import Example, Row


_SIZES = "$d$, $d_x$, $d_y$"
_ONE = sp.eye(1)


def example(
    values: dict[str, sp.Matrix],
    samples: tuple[dict[str, sp.Matrix], ...] = (),
    **scalars: int,
) -> Example:
    """Return matrices and numbers at which an identity is shown to fail."""
    shown = {name: str(A.tolist()) for name, A in values.items()}
    shown |= {name: str(v) for name, v in scalars.items()}
    rows = [", ".join(f"{k}={A.tolist()}" for k, A in row.items()) for row in samples]
    if rows:
        shown["data"] = "; ".join(rows)
    numbers = {name: sp.Integer(v) for name, v in scalars.items()}
    return Example(values, samples, shown, numbers)


# At a global minimum: y = UWx + e with e independent of x and E e = 0.


def at_minimum(f: MatrixPolynomial) -> MatrixPolynomial:
    """Return f with r = −e and the second moments Σ_x, Σ_e put in."""
    net, e = factorisation(), sample("e", "d_y")
    Sigma_x, Sigma_e = moments()
    f = substitute(f, {net.y: net.U @ net.W @ net.x + e})
    return second_moment(second_moment(f, net.x, Sigma_x), e, Sigma_e)


def moments() -> tuple[MatrixPolynomial, MatrixPolynomial]:
    return (
        matrix("Sigma_x", "d_x", "d_x", symmetric=True),
        matrix("Sigma_e", "d_y", "d_y", symmetric=True),
    )


# (16). The subject is "normalised" (each second moment over its trace) or "plain".


@general
def minimum_words(subject: str, context: Context) -> Evidence:
    """Put the second moments into the drift of UᵀU − WWᵀ at a global minimum."""
    del context
    net, (Sigma_x, Sigma_e) = factorisation(), moments()
    flow = matrix_flow(net.charge, net.gradients)
    left, right = net.W @ Sigma_x @ net.W.T, net.U.T @ Sigma_e @ net.U
    if subject == "normalised":
        left, right = Sigma_e.tr() * left, Sigma_x.tr() * right
    claimed = 8 * scalar("sigma2") * (left - right)
    a, b = scalar("a"), scalar("b")
    isotropic = {Sigma_x: a * identity("d_x"), Sigma_e: b * identity("d_y")}
    plain = scalar("d_y") * net.W @ net.W.T - scalar("d_x") * net.U.T @ net.U
    noise = at_minimum(flow.noise)

    def rows() -> Iterator[Row]:
        yield "drift", noise, claimed
        yield (
            "isotropic",
            substitute(noise, isotropic),
            (8 * scalar("sigma2") * a * b * plain),
        )

    return words(
        rows(),
        r"the drift of $U^\top U - WW^\top$ against $8\sigma^2\mathrm{Tr}\,\Sigma_x"
        r"\mathrm{Tr}\,\Sigma_\varepsilon(W\bar\Sigma_xW^\top - "
        r"U^\top\bar\Sigma_\varepsilon U)$",
        f"{_SIZES} and the laws of $x$ and $\\varepsilon$",
        (
            r"At a global minimum $UW = V$ and $r = -\varepsilon$; independence and "
            r"$E\varepsilon = 0$ give $M = 0$, $\Gamma_W = "
            r"\mathrm{Tr}\,\Sigma_\varepsilon\,\Sigma_x$ and $\Gamma_U = "
            r"\mathrm{Tr}\,\Sigma_x\,\Sigma_\varepsilon$.",
            r"Both traces are positive unless there is nothing to learn or no noise.",
        ),
        example=example(
            {
                "U": sp.Matrix([1, 0]),
                "W": _ONE,
                "Sigma_x": _ONE,
                "Sigma_e": sp.eye(2),
            },
            sigma2=1,
        ),
    )


def noisy_drift(at: Case) -> tuple[M, M, M]:
    """Return the drift of UᵀU − WWᵀ over η/S, Σ_x and Σ_ε, all pairs being samples."""
    U, W = at["U"], at["W"]
    xs, es = independent(at.data("X"), at.data("E"))
    ys = [U @ (W @ x) + e for x, e in zip(xs, es, strict=True)]
    return balance_drift(sample_gradients(U, W, xs, ys)), moment(xs), moment(es)


@general
def minimum_exact(subject: str, context: Context) -> Evidence:
    """Take every sample's gradient by differences, all pairs (x, ±ε) being samples."""

    def sides(at: Case) -> Sides:
        drift, Sigma_x, Sigma_e = noisy_drift(at)
        U, W = at["U"], at["W"]
        left, right = W @ Sigma_x @ W.T, U.T @ Sigma_e @ U
        if subject == "normalised":
            left, right = left * Sigma_e.tr(), right * Sigma_x.tr()
        return compared(drift, (left - right) * 4, degenerate=not drift)

    first = case(U=[[1], [0]], W=[[1]], X=[[1]], E=[[1, 1]])
    return drawn_evidence(
        EXACT,
        sides,
        cases({**FACTORS, **NOISY}, largest={"N": 2, "n": 2}),
        context,
        r"the drift of $U^\top U - WW^\top$ at a global minimum against the formula",
        examples=(first,),
    )


# What (16) says in words. The subject is what E[hhᵀ], h = Wx, is divided by:
# "trace of Sigma_x" or "own trace".


@general
def preactivations_words(subject: str, context: Context) -> Evidence:
    """Compare E[(Wx)(Wx)ᵀ] with WΣ_xWᵀ, each times the other's divisor."""
    del context
    W, U, x, e = (
        factorisation().W,
        factorisation().U,
        factorisation().x,
        sample("e", "d_y"),
    )
    Sigma_x, Sigma_e = moments()

    def rows() -> Iterator[Row]:
        for name, h, z, Sigma, A in (
            ("forward", W @ x, x, Sigma_x, W),
            ("backward", U.T @ e, e, Sigma_e, U.T),
        ):
            other = norm2(z) if subject == "trace of Sigma_x" else norm2(h)
            found = second_moment((h @ h.T).mean(), z, Sigma)
            divisor = second_moment(other.mean(), z, Sigma)
            yield name, Sigma.tr() * found, divisor * (A @ Sigma @ A.T)

    return words(
        rows(),
        r"$W\bar\Sigma_xW^\top$ and $U^\top\bar\Sigma_\varepsilon U$ against the "
        "second moments of $Wx$ and $U^\\top\\varepsilon$",
        f"{_SIZES} and the data",
        example=example({"W": 2 * _ONE, "Sigma_x": _ONE}),
    )


@general
def preactivations_exact(subject: str, context: Context) -> Evidence:
    """Sum the pre-activations of the samples."""

    def sides(at: Case) -> Sides | None:
        W, xs = at["W"], at.data("X")
        hidden = moment([W @ x for x in xs])
        Sigma = moment(xs)
        divisor = (Sigma if subject == "trace of Sigma_x" else hidden).tr()
        if not divisor or not Sigma.tr():
            return None
        left = W @ (Sigma * (1 / Fraction(Sigma.tr()))) @ W.T
        return compared(left, hidden * (1 / Fraction(divisor)), degenerate=not left)

    return drawn_evidence(
        EXACT,
        sides,
        drawn(),
        context,
        r"$W\bar\Sigma_xW^\top$ against the second moment of $Wx$",
        examples=(case(W=[[2]], X=[[1]]),),
    )


# (47). The subject is the law of C = u_kᵀu_l − w_kᵀw_l at S = 1.


@dataclass(frozen=True, slots=True)
class PairLaw:
    """Ċ = decay·γC + noise·η(w_kᵀΓ_Ww_l − u_kᵀΓ_Uu_l).

    Attributes:
        decay: the first factor.
        noise: the second.
        centred: whether MᵀM and MMᵀ are subtracted in Γ.
    """

    decay: int
    noise: int
    centred: bool


@general
def pair_law_words(subject: PairLaw, context: Context) -> Evidence:
    """Compare the whole matrix of drifts, every pair k, l at once."""
    del context
    net = factorisation()
    rate, _ = balance_rate()
    noise = net.noise_matrices(centred=subject.centred)
    eta = scalar("eta") * scalar("S", -1)
    claimed = subject.decay * scalar("gamma") * net.charge
    claimed += subject.noise * eta * net.imbalance(noise)
    shown = net.imbalance(net.noise_matrices(centred=subject.centred, unfolded=False))
    return words(
        [("rate", rate, claimed)],
        r"$\dot C$ for $C = u_k^\top u_l - w_k^\top w_l$, all $k, l$, against the law",
        f"{_SIZES} and the data",
        example=example(
            {"U": 2 * _ONE, "W": _ONE},
            ({"x": _ONE, "y": 0 * _ONE}, {"x": _ONE, "y": _ONE}),
            eta=1,
            S=1,
            gamma=0,
        ),
        shown={"rate": subject.noise * eta * shown},
    )


@general
def pair_law_exact(subject: PairLaw, context: Context) -> Evidence:
    """Take every sample's gradient by differences; γ multiplies its own part."""

    def sides(at: Case) -> Sides:
        U, W, xs, ys = at["U"], at["W"], at.data("X"), at.data("Y")
        drift = balance_drift(sample_gradients(U, W, xs, ys))
        rs = [U @ (W @ x) - y for x, y in zip(xs, ys, strict=True)]
        of_U, of_W = gammas(xs, rs, centred=subject.centred)
        noise = (W @ of_W @ W.T - U.T @ of_U @ U) * subject.noise
        found = compared(drift, noise, degenerate=not drift)
        if found.left != found.right:
            return found
        charge = U.T @ U - W @ W.T  # θ shrinks at 2γ: d(UᵀU) = −4γUᵀU
        return compared(
            (U.T @ (U * -2) + (U.T * -2) @ U - W @ (W.T * -2) - (W * -2) @ W.T),
            charge * subject.decay,
            degenerate=not drift,
        )

    first = case(U=[[2]], W=[[1]], X=[[1], [1]], Y=[[0], [1]])
    return drawn_evidence(
        EXACT,
        sides,
        drawn(),
        context,
        r"$\dot C_{kl}$ over $\eta$, then over $\gamma$, against the law",
        examples=(first,),
    )

"""Routes for one input and one output: UᵀU − WWᵀ, and the signs of UᵢWᵢ."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from symbolic import (
    Verdict,
    Witness,
    identity,
    matrix,
    matrix_flow,
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
    case,
    cases,
    compared,
    difference_gradients,
    general,
    numbers,
    square,
)
from verify._routes._matrix_words import words
from verify._routes._words import ROUTE, Row


# The subject is "corrected", or "published": where D = UᵀU − WWᵀ has vanished all Uᵢ
# have one sign.


@general
def signs_words(subject: str, context: Context) -> Evidence:
    """Take one step θ' = κθ − ηg of SGD with q = ∂ℓ/∂(UW), d free."""
    del context
    U, W, q = matrix("U", 1, "d"), matrix("W", "d", 1), matrix("q", 1, 1)
    eta, gamma, sigma2 = scalar("eta"), scalar("gamma"), scalar("sigma2")
    kappa = identity(1) - 2 * eta * gamma
    moved_U, moved_W = kappa * U - eta * q @ W.T, kappa * W - eta * q * U.T
    D = U.T @ U - W @ W.T
    if subject != "corrected":
        return _frozen(moved_U - (kappa - eta * q) * U + eta * q @ (W.T - U))
    slope = sample("q", 1)
    flow = matrix_flow(D, {U: slope @ W.T, W: slope * U.T})
    mean = slope.mean()
    k, ell = matrix("k", "d", 1), matrix("l", "d", 1)
    units = (U @ k) * (k.T @ W) * (U @ ell) * (ell.T @ W)

    def rows() -> Iterator[Row]:
        moved = moved_U.T @ moved_U - moved_W @ moved_W.T
        yield "one step", moved, (kappa * kappa - eta * eta * q * q) * D
        yield "sum", moved_U + moved_W.T, (kappa - eta * q) * (U + W.T)
        yield "difference", moved_U - moved_W.T, (kappa + eta * q) * (U - W.T)
        variance = norm2(slope).mean() - mean * mean
        yield "noise", flow.noise, -2 * sigma2 * variance * D
        yield "decay", flow.weight_decay, -4 * gamma * D
        square = (U @ k) * (U @ k) * (U @ ell) * (U @ ell)
        yield "signs", units, square - (U @ k) * (U @ ell) * (k.T @ D @ ell)

    return words(
        rows(),
        r"$D = U^\top U - WW^\top$ in a step of SGD and under the SDE",
        "$d$, $\\eta$, $\\gamma$, the data and the minibatch",
        (
            r"$D_t = D_0e^{-(\eta/S)\int\mathrm{Var}\,q - 4\gamma t}$.",
            r"$U + W^\top = P_t(U + W^\top)_0$ and $U - W^\top = N_t(U - W^\top)_0$ "
            r"with scalars $P, N$, and $D \propto PN$. Where $D \to 0$ and $UW = "
            r"\frac14(P^2\|s_0\|^2 - N^2\|m_0\|^2) \ge c > 0$, $N/P \to 0$, so that "
            r"$4U_iW_i = P^2s_{0i}^2 - N^2m_{0i}^2 > 0$ in the end wherever $s_{0i} = "
            r"(U_i + W_i)_0 \neq 0$; likewise with the roles exchanged for $UW < 0$.",
        ),
    )


def _frozen(gap: object) -> Evidence:
    """Refute the printed signs: with W = Uᵀ the direction of U never changes."""
    if getattr(gap, "terms", True):
        reason = "U' is not (κ − ηq)U + ηq(U − Wᵀ)"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "U' = (κ − ηq)U + ηq(U − Wᵀ): from W = Uᵀ, where D = 0, every step multiplies "
        "U by a number, so that U₂/U₁ stays what it is.",
        instances=1,
        counterexample=Witness(
            {"U": "(1, -1)", "W": "(1, -1)", "D": "0"},
            "U_2 = -U_1 after every step, whatever the data",
            "one sign",
            exact=True,
        ),
    )


def steps_of(at: Case, eta: Fraction, gamma: Fraction) -> Iterator[tuple[M, M, M]]:
    """Yield U, W and q before each step of SGD, a sample a step; then the end."""
    U, W = at["U"], at["W"]
    kappa = 1 - 2 * eta * gamma
    for x, y in zip(at.data("X"), at.data("Y"), strict=True):
        q = (U @ W @ x - y) @ x.T * 2
        yield U, W, q
        g, h = difference_gradients(square, U, W, x, y)
        U, W = U * kappa - g * eta, W * kappa - h * eta
    yield U, W, U @ W * 0


@general
def signs_exact(subject: str, context: Context) -> Evidence:
    """Run SGD, a sample a step, with gradients by differences."""
    eta = Fraction(1, 8)

    def sides(at: Case) -> Sides | None:
        gamma = abs(Fraction(at.number("g"), 2))
        path = list(steps_of(at, eta, gamma))
        start, (U, W, _) = path[0], path[-1]
        D = start[0].T @ start[0] - start[1] @ start[1].T
        if subject != "corrected":
            signs = {v > 0 for v in U.rows[0] if v}
            return None if D or not signs else numbers(len(signs), 1)
        factor = Fraction(1)
        for _, _, q in path[:-1]:
            factor *= (1 - 2 * eta * gamma) ** 2 - (eta * q.rows[0][0]) ** 2
        end = U.T @ U - W @ W.T
        found = compared(end, D * factor, degenerate=not D or not factor)
        return found if found.left != found.right else _pairs(U, W, end, found)

    return drawn_evidence(
        EXACT,
        sides,
        cases(
            {
                "U": (1, "d"),
                "W": ("d", 1),
                "X": ("N", 1),
                "Y": ("N", 1),
                "g": (1, 1),
            },
            most=4,
            largest={"N": 2},
        ),
        context,
        r"$D$ after steps of SGD against $\prod((1-2\eta\gamma)^2 - \eta^2q^2)D_0$",
        examples=(
            case(U=[[1, -1]], W=[[1], [-1]], X=[[1]] * 2, Y=[[0], [4]], g=[[0]]),
        ),
        shown=("{}", "{}") if subject == "corrected" else ("{} signs", "{} sign"),
    )


def _pairs(U: M, W: M, D: M, found: Sides) -> Sides:
    """Compare (UᵢWᵢ)(UⱼWⱼ) with (UᵢUⱼ)² − UᵢUⱼDᵢⱼ for all pairs."""
    u, w = U.rows[0], W.T.rows[0]
    n = range(len(u))
    left = M(tuple(tuple(u[i] * w[i] * u[j] * w[j] for j in n) for i in n))
    right = M(
        tuple(
            tuple((u[i] * u[j]) ** 2 - u[i] * u[j] * D.rows[i][j] for j in n) for i in n
        )
    )
    pairs = compared(left, right)
    return found if pairs.left == pairs.right else pairs

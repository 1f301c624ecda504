"""Routes by words of matrices for ‖UWx − y‖²: no size is ever given a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    factorisation,
    hessian_trace,
    identity,
    matrix,
    matrix_flow,
    rewrite,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._words import ROUTE, Example, Row, words_evidence
from verify._scope import only_about


_HALF = Fraction(1, 2)


# Proposition 1. The subject is the factor m in C_B = m(Tr[UBUᵀ] − Tr[WᵀBW]).


@only_about("matrix factorisation")
def rows_and_columns(subject: Fraction, context: Context) -> Evidence:
    """Derive Ċ_B for every symmetric B and compare with the sum over rows and columns.

    Σᵢ Tr[Σ_ũᵢB] over the rows of U is E Tr[gBgᵀ] − Tr[ḡBḡᵀ] with g = ∂ℓ/∂U, and
    likewise for the columns of W.

    Returns:
        The evidence.
    """
    net = factorisation()
    g_U, g_W, B = _gradients()[0], _gradients()[1], net.B
    charge = subject * ((net.U @ B @ net.U.T).tr() - (net.W.T @ B @ net.W).tr())
    flow = matrix_flow(charge, net.gradients)
    m_U, m_W = g_U.mean(), g_W.mean()
    of_rows = (g_U @ B @ g_U.T).tr().mean() - (m_U @ B @ m_U.T).tr()
    of_columns = (g_W.T @ B @ g_W).tr().mean() - (m_W.T @ B @ m_W).tr()

    claimed = scalar("sigma2") * (of_rows - of_columns)

    def rows() -> Iterator[Row]:
        of_U, of_W = net.gradients.values()
        yield "gradient in U", of_U, net.unfold(g_U)
        yield "gradient in W", of_W, net.unfold(g_W)
        yield "noise", flow.noise, net.unfold(claimed)
        yield "loss", flow.loss, zero(1, 1)
        yield "diffusion", flow.diffusion, zero(1, 1)

    return words_evidence(
        rows(),
        r"$\dot C_B$ against $\sigma^2(\sum_i\mathrm{Tr}[\Sigma_{\tilde u_i}B] - "
        r"\sum_j\mathrm{Tr}[\Sigma_{\tilde w_j}B])$",
        "$d$, $d_x$, $d_y$, the data and the symmetric $B$",
        ("$r = UWx - y$.",),
        shown={"gradient in U": g_U, "gradient in W": g_W, "noise": claimed},
    )


def _gradients() -> tuple[MatrixPolynomial, MatrixPolynomial]:
    """Return ∂ℓ/∂U = 2r(Wx)ᵀ and ∂ℓ/∂W = 2Uᵀrxᵀ in the letter r."""
    net = factorisation()
    return 2 * net.r @ (net.W @ net.x).T, 2 * net.U.T @ net.r @ net.x.T


# Theorem 2.


@dataclass(frozen=True, slots=True)
class Gamma:
    """Which Γ a statement of Theorem 2 means.

    Attributes:
        centred: whether MMᵀ and MᵀM are subtracted.
        relative_shift: whether the multiple of the identity is γS/η, else 2γ.
    """

    centred: bool
    relative_shift: bool

    @property
    def shift(self) -> MatrixPolynomial:
        """Return the multiple of the identity."""
        gamma = scalar("gamma")
        if not self.relative_shift:
            return 2 * gamma
        return gamma * scalar("S") * scalar("eta", -1)

    def shift_at(self, gamma: Fraction, S: int, eta: Fraction) -> Fraction:
        """Return the multiple of the identity for given numbers."""
        return gamma * S / eta if self.relative_shift else 2 * gamma


CORRECTED = Gamma(centred=True, relative_shift=True)
PUBLISHED = Gamma(centred=False, relative_shift=False)


def balance_rate() -> tuple[MatrixPolynomial, MatrixPolynomial]:
    """Return Q̇ of Q = UᵀU − WWᵀ with σ² = η/(2S), and the diffusion of Q."""
    net = factorisation()
    flow = matrix_flow(net.charge, net.gradients)
    sigma2 = _HALF * scalar("eta") * scalar("S", -1)
    noise = zero("d", "d")
    for (powers, traced, word), c in flow.noise.terms.items():
        rest = tuple(item for item in powers if item[0] != "sigma2")
        noise += sigma2 * MatrixPolynomial("d", "d", {(rest, traced, word): c})
    return noise + flow.weight_decay + flow.loss, flow.diffusion


@only_about("matrix factorisation")
def balance_words(subject: Gamma, context: Context) -> Evidence:
    """Compare Q̇ with (4η/S)(WΓ_WWᵀ − UᵀΓ_UU), or show what the printed Γ gives.

    The published theorem is an implication: with its Γ balanced, Q̇ = 0. An exact
    instance where the printed sides are equal decides it.

    Returns:
        The evidence.
    """
    net = factorisation()
    rate, diffusion = balance_rate()
    noise = net.noise_matrices(centred=subject.centred, shift=subject.shift)
    imbalance = net.imbalance(noise)
    if subject != CORRECTED:
        return _balanced_but_moving(imbalance, rate)
    four = 4 * scalar("eta") * scalar("S", -1)
    folded = net.noise_matrices(shift=subject.shift, unfolded=False)

    def rows() -> Iterator[Row]:
        g_U, g_W = net.gradients.values()
        yield "Noether identity, all B", net.U.T @ g_U, g_W @ net.W.T
        yield "diffusion", diffusion, zero("d", "d")
        yield "rate", rate, net.unfold(four * net.imbalance(folded))

    return words_evidence(
        rows(),
        r"$\frac{d}{dt}(U^\top U - WW^\top)$ against $\frac{4\eta}{S}"
        r"(W\Gamma_WW^\top - U^\top\Gamma_UU)$",
        "$d$, $d_x$, $d_y$ and the data",
        (
            r"$C_B = \frac12\mathrm{Tr}[(U^\top U - WW^\top)B]$, so $\dot C_B = 0$ "
            r"for every symmetric $B$ iff $U^\top U - WW^\top$ stands still.",
            r"Rate and balance agree as polynomials, so one vanishes iff the other "
            r"does: the balance is necessary and sufficient.",
            "$r = UWx - y$.",
        ),
        shown={
            "Noether identity, all B": net.U.T @ _gradients()[0],
            "rate": four * net.imbalance(folded),
        },
    )


# r = UWx − y = ±(1, 3) with UW = (2, 0): 1·(1 + 9 + 2γ) = 2²·(1 + 2γ) at γ = 1.
_PRINTED = Example(
    {"U": sp.Matrix([2, 0]), "W": sp.Matrix([1])},
    (
        {"x": sp.Matrix([1]), "y": sp.Matrix([1, -3])},
        {"x": sp.Matrix([1]), "y": sp.Matrix([3, 3])},
    ),
    {
        "U": "(2, 0) (column)",
        "W": "(1)",
        "data": "x=1, y=(1, -3); x=1, y=(3, 3)",
        "gamma": "1",
        "S": "1",
        "eta": "1/4",
    },
    {"gamma": sp.S.One, "S": sp.S.One, "eta": sp.Rational(1, 4)},
)


def _balanced_but_moving(
    imbalance: MatrixPolynomial, rate: MatrixPolynomial
) -> Evidence:
    sides, moving = (_PRINTED.value(f) for f in (imbalance, rate))
    if any(sides):
        reason = f"the printed sides differ by {sides.tolist()} at the example"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    if not any(moving):
        reason = "the example does not move: it decides nothing"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "With the printed Γ both sides are equal, and yet UᵀU − WWᵀ moves.",
        instances=1,
        counterexample=Witness(
            _PRINTED.shown,
            f"rate {moving[0, 0]} of UᵀU − WWᵀ",
            "rate 0",
            exact=True,
        ),
    )


# Theorem 2, existence. The subject is "positive definite" or "semi-definite".


@only_about("matrix factorisation")
def existence_words(subject: str, context: Context) -> Evidence:
    """Check the construction on UW = V by rewriting, or refute it where Γ is singular.

    Returns:
        The evidence.
    """
    if subject != "positive definite":
        return _no_balance()
    m, n, r, d = "d_y", "d_x", "r", "d"
    half_U, inverse_U = (matrix(s, m, m, symmetric=True) for s in ("K_U", "N_U"))
    half_W, inverse_W = (matrix(s, n, n, symmetric=True) for s in ("K_W", "N_W"))
    L, root, R = matrix("L", m, r), matrix("T", r, r, symmetric=True), matrix("R", r, n)
    F, V = matrix("F", r, d), matrix("V", m, n)
    rules = {
        half_U @ inverse_U: identity(m),
        half_W @ inverse_W: identity(n),
        L.T @ L: identity(r),
        R @ R.T: identity(r),
        F @ F.T: identity(r),
        L @ root @ root @ R: half_U @ V @ half_W,
    }
    U, W = inverse_U @ L @ root @ F, F.T @ root @ R @ inverse_W
    left = rewrite(W @ half_W @ half_W @ W.T, rules)
    right = rewrite(U.T @ half_U @ half_U @ U, rules)

    def rows() -> Iterator[Row]:
        yield "balance", left, right
        yield "both sides", left, F.T @ root @ root @ F
        yield "product", rewrite(U @ W, rules), V

    return words_evidence(
        rows(),
        r"$U = \Gamma_U^{-1/2}LS^{1/2}F$ and $W = F^\top S^{1/2}R\Gamma_W^{-1/2}$",
        "$d$, $d_x$, $d_y$ and the rank $r \\le d$",
        (
            r"$K = \Gamma^{1/2}$, $N = \Gamma^{-1/2}$, $T = S^{1/2}$; the singular "
            r"value decomposition of $\Gamma_U^{1/2}V\Gamma_W^{1/2}$ is $LSR$, and "
            r"$FF^\top = I$ needs $d \ge r = \mathrm{rank}\,V$.",
            r"$\Gamma$ depends on $(U, W)$ through $UW = V$ only, so it stays put.",
        ),
    )


# x scalar, y = (x, ε) with ε = ±1, UW = V = (1, 0): r = (0, −ε).
_DEGENERATE = Example(
    {"U": sp.Matrix([1, 0]), "W": sp.Matrix([1])},
    tuple(
        {"x": sp.Matrix([a]), "y": sp.Matrix([a, b])} for a in (1, -1) for b in (1, -1)
    ),
    {
        "V": "(1, 0) (column)",
        "data": "x=1, y=(1, 1); x=1, y=(1, -1); x=-1, y=(-1, 1); x=-1, y=(-1, -1)",
    },
    {},
)


def _no_balance() -> Evidence:
    """Show that x scalar, y = (x, ε), V = (1, 0) has no balance, for every d."""
    of_U, of_W = map(_DEGENERATE.value, factorisation().noise_matrices())
    b, W = matrix("b", "m", "d"), matrix("W", "d", "n")
    square = rewrite(W.T @ b.T @ b @ W, {b.T @ b: W @ W.T})
    square_is_norm = square == W.T @ W @ W.T @ W
    if of_U != sp.diag(0, 1) or of_W != sp.eye(1) or not square_is_norm:
        reason = f"the noise matrices are {of_U.tolist()} and {of_W.tolist()}"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    noise = {"Gamma_U": str(of_U.tolist()), "Gamma_W": str(of_W.tolist())}
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "Let a, b be the rows of U. UW = V reads aW = 1 and bW = 0, and the balance "
        "reads WWᵀ = bᵀb. Then ‖W‖⁴ = Wᵀ(bᵀb)W = (bW)² = 0, so W = 0, which "
        "contradicts aW = 1: no finite balance for any d.",
        instances=1,
        counterexample=Witness(
            _DEGENERATE.shown | noise,
            "W = 0 from the balance and UW = V",
            "aW = 1",
            exact=True,
        ),
    )


# Proposition 2. The subject is the factor m in m(d_y Tr[WΣₓWᵀ] + ‖U‖² Tr Σₓ).


@only_about("matrix factorisation")
def hessian_words(subject: Fraction, context: Context) -> Evidence:
    """Take the Laplacian of the loss in U and W with every size free."""
    net = factorisation()
    U, W = net.U, net.W
    Sigma = (net.x @ net.x.T).mean()
    found = hessian_trace(net.loss, (U, W))
    along_W = scalar("d_y") * (W @ Sigma @ W.T).tr()
    along_U = (U.T @ U).tr() * Sigma.tr()
    decay = 2 * scalar("gamma") * scalar("d") * (scalar("d_x") + scalar("d_y"))
    claimed = subject * (along_W + along_U) + decay
    return words_evidence(
        [("trace of the Hessian", found, claimed)],
        r"$\mathrm{Tr}\nabla^2L_\gamma$ against the formula",
        "$d$, $d_x$, $d_y$ and the data",
    )

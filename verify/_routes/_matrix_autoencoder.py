"""Routes for (17): the sharpness at the end of training an autoencoder."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import product as cartesian
from math import isqrt

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    MatrixPolynomial,
    gaussian_mean,
    identity,
    matrix,
    norm2,
    rewrite,
    sample,
    scalar,
    substitute,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._routes._matrix_cases import (
    EXACT,
    Case,
    Number,
    case,
    column,
    diagonal,
    gammas,
    general,
    moment,
    numbers,
)
from verify._routes._matrix_words import words
from verify._routes._words import Example, Row


# Autoencoding y = x + ε at the balance. The subject: "published" or "corrected". O has
# orthonormal rows (d ≤ d_x) or columns (d ≥ d_x).

_N, _D = scalar("d_x"), scalar("d")
_UP, _DOWN = scalar("p", 2), scalar("p", -2)


@general
def end_words(subject: str, context: Context) -> Evidence:
    """Put balanced U, W on orthonormal rows or columns and read S off."""
    del context

    def rows() -> Iterator[Row]:
        yield from _narrow(subject)
        yield from _wide()
        yield from _isotropic()

    return words(
        rows(),
        r"the balance of $U = pO^\top$, $W = O/p$ and $S$ there",
        r"$d$, $d_x$, $\Sigma_x$ and the noise",
        (
            r"$d < d_x$, $\Sigma_x = I$, $\Sigma_\varepsilon = s^2I$, $UW = O^\top O$ "
            r"of rank $d$: balance iff $p^4 = k = (d_x - d + s^2d_x)/(s^2d_x)$, and "
            r"$S = dd_x(p^2 + p^{-2}) = dd_x(\sqrt k + 1/\sqrt k)$.",
            r"$d \ge d_x$, $\Sigma_\varepsilon = c\Sigma_x$: $p = 1$, $S = "
            r"2d_x\mathrm{Tr}\,\Sigma_x$.",
            r"$d \ge d_x$, $\Sigma_\varepsilon = s^2I$, $K = \Sigma_x^{1/4}$, $U = "
            r"pKO^\top$, $W = OK^{-1}/p$: $p^4 = d_x/\mathrm{Tr}\,\Sigma_x$ and $S = "
            r"2\sqrt{d_x\mathrm{Tr}\,\Sigma_x}\,\mathrm{Tr}\sqrt{\Sigma_x}$.",
            r"$\mathrm{Tr}\nabla^2L = 2S$.",
        ),
        example=Example(
            {},
            (),
            {"d": "1", "d_x": "2", "Sigma_x": "I", "Sigma_e": "I", "p": "1"},
            {"d": sp.S.One, "d_x": sp.Integer(2), "s2": sp.S.One, "p": sp.S.One},
        ),
        constrained=True,
    )


def _letters() -> tuple[MatrixPolynomial, MatrixPolynomial]:
    return matrix("O", "d", "d_x"), matrix("Sigma_x", "d_x", "d_x", symmetric=True)


def _narrow(subject: str) -> Iterator[Row]:
    """Yield balance and S for d < d_x, where OOᵀ = I and UW = OᵀO."""
    O, _ = _letters()  # noqa: E741 - orthogonal
    x, e, s2 = sample("x", "d_x"), sample("e", "d_x"), scalar("s2")
    rules = {O @ O.T: identity("d")}
    U, W = scalar("p") * O.T, scalar("p", -1) * O
    found = _imbalance(U, W, O.T @ O @ x - x - e, (None, (None, s2)))
    above, below = _N - _D + s2 * _N, s2 * _N
    if subject == "published":  # p = 1 for every d
        above = below
    claimed = (_DOWN * above - _UP * below) * identity("d")
    yield "balance for d < d_x", rewrite(found, rules), claimed
    S = _sharpness(U, W, identity("d_x"))
    yield "S for d < d_x", rewrite(S, rules), _D * _N * (_UP + _DOWN)


def _wide() -> Iterator[Row]:
    """Yield balance and S for d ≥ d_x and Σ_ε = cΣ_x, where OᵀO = I and p = 1."""
    O, Sigma = _letters()  # noqa: E741 - orthogonal
    rules = {O.T @ O: identity("d_x")}
    found = _imbalance(O.T, O, -sample("e", "d_x"), (Sigma, (Sigma, scalar("c"))))
    yield "balance for d >= d_x", rewrite(found, rules), zero("d", "d")
    S = _sharpness(O.T, O, Sigma)
    yield "S for d >= d_x", rewrite(S, rules), 2 * _N * Sigma.tr()


def _isotropic() -> Iterator[Row]:
    """Yield balance and S for d ≥ d_x and Σ_ε = s²I, Σ_x = K⁴ and N = K⁻¹."""
    O, Sigma = _letters()  # noqa: E741 - orthogonal
    K, N = (matrix(s, "d_x", "d_x", symmetric=True) for s in ("K", "N"))
    fourth, s2 = K @ K @ K @ K, scalar("s2")
    rules = {O.T @ O: identity("d_x"), K @ N: identity("d_x")}
    U, W = scalar("p") * K @ O.T, scalar("p", -1) * O @ N
    found = _imbalance(U, W, -sample("e", "d_x"), (Sigma, (None, s2)))
    found = rewrite(substitute(found, {Sigma: fourth}), rules)
    both = _DOWN * _N, _UP * fourth.tr()
    yield (
        "balance, isotropic noise",
        found,
        s2 * (both[0] - both[1]) * (O @ K @ K @ O.T),
    )
    S = rewrite(_sharpness(U, W, fourth), rules)
    yield "S, isotropic noise", S, (both[0] + both[1]) * (K @ K).tr()


_Law = tuple[MatrixPolynomial | None, tuple[MatrixPolynomial | None, MatrixPolynomial]]


def _imbalance(
    U: MatrixPolynomial, W: MatrixPolynomial, r: MatrixPolynomial, law: _Law
) -> MatrixPolynomial:
    """Return WΓ_WWᵀ − UᵀΓ_UU with the residual r in x ~ N(0, Σ_x), e ~ N(0, cΣ_e)."""
    x, e = sample("x", "d_x"), sample("e", "d_x")
    mean = (r @ x.T).mean()
    of_U = (norm2(x) * (r @ r.T)).mean() - mean @ mean.T
    of_W = (norm2(r) * (x @ x.T)).mean() - mean.T @ mean
    f = W @ of_W @ W.T - U.T @ of_U @ U
    of_x, (of_e, scale) = law
    return gaussian_mean(gaussian_mean(f, x, of_x), e, of_e, scale=scale)


def _sharpness(
    U: MatrixPolynomial, W: MatrixPolynomial, covariance: MatrixPolynomial
) -> MatrixPolynomial:
    """Return S = d_x Tr[WΣ_xWᵀ] + ‖U‖²Tr Σ_x."""
    along = (W @ covariance @ W.T).tr()
    return scalar("d_x") * along + norm2(U) * covariance.tr()


@st.composite
def autoencoders(draw: st.DrawFn, isotropic: bool = True) -> Case:
    """Draw d, d_x, s, the scales a of x, and whether ε is isotropic (1) or ∝ x (0).

    Args:
        draw: Hypothesis' draw.
        isotropic: whether isotropic noise on inputs of several scales may be drawn.

    Returns:
        A case; where d < d_x all scales are 1.
    """
    d, d_x = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    s = Fraction(draw(st.integers(1, 4)), draw(st.sampled_from((1, 2, 3))))
    scales = st.integers(1, 3) if d >= d_x else st.just(1)
    a = draw(st.lists(scales, min_size=d_x, max_size=d_x))
    even = draw(st.integers(0, int(isotropic)))
    return case(d=[[d]], s=[[s]], a=[a], even=[[even]])


def at_the_end(at: Case) -> tuple[int, int, Fraction, Fraction]:
    """Return d, d_x, Tr Σ_x and S² where x has coordinates ±a_i, ε has ±sa_i or ±s.

    U and W are diagonal, V the projection on the first coordinates, the best of its
    rank. Γ_U and Γ_W are summed over the samples; with k_i their ratio on coordinate i,
    u_i² = √k_i = 1/w_i² balances. The k_i differ by rational squares: S² is rational.

    Args:
        at: d, s, a and even.

    Returns:
        The four numbers.
    """
    a = at["a"].rows[0]
    c = tuple(1 for _ in a) if at.number("even") else a
    return _at_the_end(int(at.number("d")), Fraction(at.number("s")), a, c)


@lru_cache(maxsize=512)
def _at_the_end(
    d: int, s: Fraction, a: tuple[Number, ...], c: tuple[Number, ...]
) -> tuple[int, int, Fraction, Fraction]:
    rank, n = min(d, len(a)), len(a)
    V = diagonal([int(i < rank) for i in range(n)])
    size = s.denominator  # times this everything is an integer
    xs, rs = [], []
    half = [(1,), *[(1, -1)] * (n - 1)]  # (−x, −ε) counts as (x, ε) does
    for signs in cartesian(*half):
        x = column([size * e * v for e, v in zip(signs, a, strict=True)])
        for noise in cartesian((1, -1), repeat=n):
            e = column([f * s.numerator * v for f, v in zip(noise, c, strict=True)])
            xs.append(x)
            rs.append(V @ x - x - e)
    of_U, of_W = gammas(xs, rs)
    if any(m.rows[i][j] for m in (of_U, of_W) for i in range(rank) for j in range(i)):
        raise ValueError("expected diagonal Γ, got coordinates that are correlated")
    k = [Fraction(of_W.rows[i][i]) / of_U.rows[i][i] for i in range(rank)]
    roots = [_root(each / k[0]) for each in k]
    Sigma = moment(xs) * Fraction(1, size**2)
    of_w = n * sum((Sigma.rows[i][i] / roots[i] for i in range(rank)), Fraction(0))
    of_u = Sigma.tr() * sum(roots)
    total = of_w**2 / k[0] + 2 * of_w * of_u + of_u**2 * k[0]
    return d, n, Fraction(Sigma.tr()), Fraction(total)


def _root(value: Fraction) -> Fraction:
    """Return the root of a rational square."""
    found = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if found**2 != value:
        raise ValueError(f"expected a rational square, got {value}")
    return found


def _ratio(d: int, d_x: int, s: Number) -> Fraction:
    """Return k, the squared ratio of ‖U‖² to ‖W‖² at the balance."""
    missing = max(d_x - d, 0)
    return Fraction(missing + s**2 * d_x) / (s**2 * d_x)


@general
def end_exact(subject: str, context: Context) -> Evidence:
    """Sum Γ over all signs of x and ε, balance, and compare S² with the formula's."""

    def sides(at: Case) -> Sides | None:
        d, d_x, trace, found = at_the_end(at)
        rank, k, a = min(d, d_x), _ratio(d, d_x, at.number("s")), at["a"].rows[0]
        uneven = at.number("even") and len(set(a)) > 1
        claimed = (rank * trace) ** 2 * (k + 2 + 1 / k)
        if uneven:  # d ≥ d_x, Σ_x = diag(a²), Σ_ε = s²I
            claimed = 4 * d_x * trace * Fraction(sum(a)) ** 2
        if subject == "published":
            if uneven:
                return None
            claimed = (2 * rank * trace) ** 2
        return numbers(found, claimed)

    return drawn_evidence(
        EXACT,
        sides,
        autoencoders(),
        context,
        "$S^2$ at the balance against the formula",
        examples=(case(d=[[1]], s=[[1]], a=[[1, 1]], even=[[0]]),),
        shown=("S squared = {}", "S squared = {}"),
    )

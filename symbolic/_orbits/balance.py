"""G on the orbit θ_λ = e^{λA}θ, its derivative, and Theorem 1's sign argument."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._laws.ito import covariance_symbols, gamma, lam, sigma2
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


_SMALL = 50  # operations of an entry of A up to which a common factor is looked for


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """G(θ_λ) = −2γ Σ μᵢtᵢe^{2λμᵢ} + σ² Σ μᵢsᵢe^{−2λμᵢ} (P1, Theorem 1).

    Attributes:
        eigenvalues: the distinct eigenvalues μ_k of A, or symbols `mu_k` where they
            have no closed form.
        t: t_k = θᵀP_kθ, with P_k the projector on the eigenspace.
        s: s_k = Tr[P_kΣ].
        balance: G(θ_λ) in `lam`.
        slope: ∂_λG(θ_λ).
        closed_form: λ* where one is known, else None.
    """

    eigenvalues: tuple[sp.Expr, ...]
    t: tuple[sp.Expr, ...]
    s: tuple[sp.Expr, ...]
    balance: sp.Expr
    slope: sp.Expr
    closed_form: sp.Expr | None

    @property
    def expression(self) -> sp.Expr:
        """Return G(θ_λ), whose zero λ* is the noise equilibrium."""
        return self.balance


def noise_equilibrium_equation(symmetry: Symmetry) -> Equilibrium:
    """Derive G(θ_λ) and ∂_λG(θ_λ) from Σ(θ_λ) = e^{−λA}Σe^{−λA}.

    Args:
        symmetry: an exponential symmetry (J = Aθ, A = Aᵀ).

    Returns:
        The two expressions, in the eigenbasis of A.

    Raises:
        DeclarationError: for any other kind.

    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -1]])
    >>> noise_equilibrium_equation(s).closed_form
    log((Sigma_u_u*sigma2 + 2*gamma*w**2)/(Sigma_w_w*sigma2 + 2*gamma*u**2))/4
    """
    A = symmetry.matrix
    if symmetry.kind != "exponential" or A is None:
        raise DeclarationError(
            f"expected an exponential symmetry (J = A theta, A symmetric) for "
            f"the orbit law, got kind {symmetry.kind!r}"
        )
    spectrum = spectral_projectors(A)
    if spectrum is None:
        return generic_equilibrium(A.rows)
    theta, Sigma = sp.Matrix(symmetry.space.symbols), covariance_symbols(symmetry.space)
    mu = tuple(value for value, _ in spectrum)
    t = tuple(sp.expand((theta.T * P * theta)[0, 0]) for _, P in spectrum)
    s = tuple(sp.expand((P * Sigma).trace()) for _, P in spectrum)
    return equilibrium_of(mu, t, s)


def equilibrium_of(
    mu: tuple[sp.Expr, ...], t: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...]
) -> Equilibrium:
    """Return the equilibrium of a spectrum with its t_k and s_k."""
    balance, slope = orbit_balance(mu, t, s)
    return Equilibrium(mu, t, s, balance, slope, _closed_form(mu, t, s))


def orbit_balance(
    mu: tuple[sp.Expr, ...], t: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...]
) -> tuple[sp.Expr, sp.Expr]:
    """Return G(θ_λ) and ∂_λG(θ_λ), differentiated, not typed in."""
    balance = sum(
        (
            -2 * gamma * m * tk * sp.exp(2 * lam * m)
            + sigma2 * m * sk * sp.exp(-2 * lam * m)
            for m, tk, sk in zip(mu, t, s, strict=True)
        ),
        sp.S.Zero,
    )
    return balance, balance.diff(lam)


def generic_equilibrium(n: int) -> Equilibrium:
    """Return G(θ_λ) of any symmetric A of that size, its spectrum in symbols.

    Args:
        n: the number of eigenvalues.

    Returns:
        G in `mu_k`, `t_k` and `s_k`.

    >>> generic_equilibrium(1).balance
    -2*gamma*mu_0*t_0*exp(2*lam*mu_0) + mu_0*s_0*sigma2*exp(-2*lam*mu_0)
    """
    mu = tuple(sp.Symbol(f"mu_{i}", real=True) for i in range(n))
    t = tuple(sp.Symbol(f"t_{i}", nonnegative=True) for i in range(n))
    s = tuple(sp.Symbol(f"s_{i}", nonnegative=True) for i in range(n))
    return equilibrium_of(mu, t, s)


def monotone(n: int) -> Finding:
    """Prove ∂_λG(θ_λ) ≤ 0 for γ ≥ 0 at dimension n, term by term (Theorem 1.1).

    Every eigenvalue, every tᵢ ≥ 0 and sᵢ ≥ 0 is a free symbol, so one call covers
    all symmetric A of that size, all θ and all Σ.

    Args:
        n: the dimension.

    Returns:
        PROVED when each term of ∂_λG is a product of −1 and non-negative factors.

    >>> monotone(4).verdict.name
    'PROVED'
    """
    g = sp.Symbol("gamma", nonnegative=True)
    mu = tuple(sp.Symbol(f"mu_{i}", real=True) for i in range(n))
    t = tuple(sp.Symbol(f"t_{i}", nonnegative=True) for i in range(n))
    s = tuple(sp.Symbol(f"s_{i}", nonnegative=True) for i in range(n))
    slope = orbit_balance(mu, t, s)[1].xreplace({gamma: g})
    norms = sum(
        (
            -4 * g * m**2 * tk * sp.exp(2 * lam * m)
            - 2 * sigma2 * m**2 * sk * sp.exp(-2 * lam * m)
            for m, tk, sk in zip(mu, t, s, strict=True)
        ),
        sp.S.Zero,
    )
    if compare(slope, norms).verdict is not Verdict.PROVED:
        return Finding(
            Verdict.INCONCLUSIVE, "the slope is not the sum of squares expected"
        )
    terms = sp.Add.make_args(sp.expand(slope))
    if all(term.is_nonpositive for term in terms):
        return Finding(
            Verdict.PROVED,
            f"each of the {len(terms)} terms of the slope is minus a product of "
            f"non-negative factors",
        )
    return Finding(Verdict.INCONCLUSIVE, "a term of the slope has no sign")


def spectral_projectors(
    A: sp.ImmutableDenseMatrix,
) -> tuple[tuple[sp.Expr, sp.ImmutableDenseMatrix], ...] | None:
    """Return (μ_k, P_k) for the distinct eigenvalues, or None unless all are rational.

    A diagonal A may hold constants, and any other be a multiple of one constant.
    P_k = Π_{j≠k} (A − μ_j)/(μ_k − μ_j), so A = Σ μ_kP_k and e^{λA} = Σ e^{λμ_k}P_k.

    >>> spectral_projectors(sp.ImmutableDenseMatrix([[0, 1], [1, 0]]))[0][0]
    -1
    """
    if A.is_diagonal() and A.free_symbols:
        return _entries_grouped(A)
    unit, A = _unit_taken_out(A)
    if A.free_symbols:
        return None
    x = sp.Dummy("x")
    roots = sp.roots(A.charpoly(x), filter="Q")
    if sum(roots.values()) != A.rows:
        return None
    values = sorted(roots)
    identity = sp.eye(A.rows)
    result = []
    for value in values:
        P = identity
        for other in values:
            if other != value:
                P = P * (A - other * identity) / (value - other)
        result.append((unit * value, sp.ImmutableDenseMatrix(P)))
    return tuple(result)


def _unit_taken_out(
    A: sp.ImmutableDenseMatrix,
) -> tuple[sp.Expr, sp.ImmutableDenseMatrix]:
    """Return k and a rational A/k where A is a multiple of one k, else 1 and A."""
    unit = next((e for e in A if e.free_symbols), sp.S.One)
    if unit.count_ops() > _SMALL:
        return sp.S.One, A
    rational = A.applyfunc(lambda e: sp.cancel(e / unit))
    return (sp.S.One, A) if rational.free_symbols else (unit, rational)


def _entries_grouped(
    A: sp.ImmutableDenseMatrix,
) -> tuple[tuple[sp.Expr, sp.ImmutableDenseMatrix], ...]:
    """Return (μ_k, P_k) of a diagonal A; right also where two constants coincide."""
    entries = list(A.diagonal())
    return tuple(
        (mu, sp.ImmutableDenseMatrix(sp.diag(*[int(e == mu) for e in entries])))
        for mu in dict.fromkeys(entries)
    )


def _closed_form(
    mu: tuple[sp.Expr, ...], t: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...]
) -> sp.Expr | None:
    """Return λ* for eigenvalues ±m (and 0): e^{4mλ*} = (σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊)."""
    live = [i for i, m in enumerate(mu) if not m.is_zero]
    if not live or any(mu[i].is_zero is None for i in live):
        return None
    m = mu[live[0]]
    m = -m if m.is_negative else m
    plus = [i for i in live if (mu[i] - m).is_zero]
    minus = [i for i in live if (mu[i] + m).is_zero]
    if len(plus) + len(minus) < len(live):
        return None
    up = sum((sigma2 * s[i] for i in plus), sp.S.Zero) + sum(
        (2 * gamma * t[i] for i in minus), sp.S.Zero
    )
    down = sum((sigma2 * s[i] for i in minus), sp.S.Zero) + sum(
        (2 * gamma * t[i] for i in plus), sp.S.Zero
    )
    return sp.log(up / down) / (4 * m)

"""The trace of the Hessian along an orbit, and where it is least."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._laws.ito import gamma, lam, sigma2
from symbolic._loss import Loss
from symbolic._orbits.balance import Equilibrium, orbit_balance, spectral_projectors
from symbolic._orbits.laws import characteristic
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding, Verdict


@dataclass(frozen=True, slots=True)
class OrbitTrace:
    """Tr∇²ℓ_γ(θ_λ) = Σ_k h_ke^{−2λμ_k} + 2nγ on the orbit of θ.

    Attributes:
        eigenvalues: the distinct μ_k.
        h: h_k = Tr[P_k∇²ℓ(θ)], P_k the projector on the eigenspace.
        expression: the trace, in `lam`.
        slope: its derivative in λ.
        least: the λ of the least trace where it has a closed form and every h_k ≥ 0,
            as at a minimum of ℓ.
    """

    eigenvalues: tuple[sp.Expr, ...]
    h: tuple[sp.Expr, ...]
    expression: sp.Expr
    slope: sp.Expr
    least: sp.Expr | None


def hessian_trace_on_orbit(
    symmetry: Symmetry, loss: Loss | None = None, *, preserved: bool = False
) -> OrbitTrace:
    """Return the trace of the Hessian along the orbit, in values at its start θ.

    ℓ(e^{λA}θ) = ℓ(θ), differentiated twice in θ, is ∇²ℓ(θ_λ) = e^{−λA}∇²ℓ(θ)e^{−λA}.

    Args:
        symmetry: an exponential symmetry.
        loss: a per-sample loss that has it; where None, symbols `H_<a>_<b>` stand for
            its Hessian at θ.
        preserved: whether it is known already that the loss has it.

    Returns:
        The trace, per sample where a loss is given.

    Raises:
        DeclarationError: for a symmetry of another kind, or one the loss is known to
            lack.

    >>> from symbolic._space import ParameterSpace
    >>> s = Symmetry.exponential(ParameterSpace(u=(), w=()), [[1, 0], [0, -1]])
    >>> trace = hessian_trace_on_orbit(s)
    >>> trace.expression
    H_u_u*exp(-2*lam) + H_w_w*exp(2*lam) + 4*gamma
    >>> trace.least
    log(H_u_u/H_w_w)/4
    """
    A = symmetry.matrix
    if symmetry.kind != "exponential" or A is None:
        raise DeclarationError(
            f"expected an exponential symmetry (J = A theta, A symmetric) at integer "
            f"sizes, got kind {symmetry.kind!r}"
        )
    asked = loss is not None and not preserved
    if asked and symmetry.preserves(loss).verdict is Verdict.REFUTED:
        raise DeclarationError(
            "expected a loss with the symmetry, got one without it: its Hessian is "
            "not carried along the orbit"
        )
    mu, h = _hessian_weights(symmetry, A, loss)
    pairs = list(zip(mu, h, strict=True))
    moving = sum((hk * sp.exp(-2 * lam * m) for m, hk in pairs), sp.S.Zero)
    expression = moving + 2 * symmetry.space.size * gamma
    none = (sp.S.Zero,) * len(mu)
    # Up to −2/σ² the slope is a balance without decay, with h in the place of s.
    alike = Equilibrium(mu, none, h, *orbit_balance(mu, none, h), None)
    root = characteristic(alike, decay=False)
    least = None if root is None else root.closed_form
    return OrbitTrace(mu, h, expression, expression.diff(lam), least)


def _hessian_weights(
    symmetry: Symmetry, A: sp.ImmutableDenseMatrix, loss: Loss | None
) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    spectrum = spectral_projectors(A)
    if spectrum is None:
        names = [(f"mu_{i}", f"h_{i}") for i in range(A.rows)]
        mu, h = zip(*(map(_real, pair) for pair in names), strict=True)
        return tuple(mu), tuple(h)
    H = _hessian(symmetry, loss)
    return (
        tuple(value for value, _ in spectrum),
        tuple(_trace_of(P, H) for _, P in spectrum),
    )


def _real(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def _trace_of(P: sp.ImmutableDenseMatrix, H: sp.ImmutableDenseMatrix) -> sp.Expr:
    """Return Tr[PH] from the entries that P needs."""
    n = range(P.rows)
    return sp.Add(*(P[i, j] * H[j, i] for i in n for j in n if P[i, j] != 0))


def _hessian(symmetry: Symmetry, loss: Loss | None) -> sp.ImmutableDenseMatrix:
    theta = symmetry.space.symbols
    if loss is not None:
        return sp.ImmutableDenseMatrix(sp.hessian(loss.expression, theta))
    return sp.ImmutableDenseMatrix(
        len(theta),
        len(theta),
        lambda i, j: _real(f"H_{theta[min(i, j)]}_{theta[max(i, j)]}"),
    )


def least_trace_is_balance(n: int) -> Finding:
    """Prove that where Σ = c∇²L, γ = 0 the noise equilibrium has the least trace.

    G(θ_λ) = −(σ²c/2) d/dλ Tr∇²L(θ_λ), so both vanish at one λ, and the trace is convex
    in λ. Σ = c∇²L holds at a global minimum of a squared loss whose label noise is
    independent of the input and isotropic: Σ = 4s²E[DᵀD], ∇²L = 2E[DᵀD], D the
    derivative of the output.

    Args:
        n: the number of eigenvalues, each free with a weight h_k ≥ 0.

    Returns:
        PROVED when both identities are.

    >>> least_trace_is_balance(3).verdict.name
    'PROVED'
    """
    mu = tuple(_real(f"mu_{i}") for i in range(n))
    h = tuple(sp.Symbol(f"h_{i}", nonnegative=True) for i in range(n))
    c = sp.Symbol("c", positive=True)
    none = (sp.S.Zero,) * n
    balance, _ = orbit_balance(mu, none, tuple(c * hk for hk in h))
    trace = sum(
        (hk * sp.exp(-2 * lam * m) for m, hk in zip(mu, h, strict=True)), sp.S.Zero
    )
    same = compare(balance, -sigma2 * c / 2 * trace.diff(lam))
    if same.verdict is not Verdict.PROVED:
        return same
    curved = sp.Add.make_args(trace.diff(lam, 2))
    if not all(term.is_nonnegative for term in curved):
        return Finding(
            Verdict.INCONCLUSIVE, "a term of the second derivative has no sign"
        )
    return Finding(
        Verdict.PROVED, "the balance is the slope of the trace, which is convex"
    )

"""Itô's lemma, and the stochastic Noether flow it gives (P1, Eqs. (1), (5), (7))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from symbolic._space import ParameterSpace


sigma2 = sp.Symbol("sigma2", positive=True)  # η/(2S)
gamma = sp.Symbol("gamma", real=True)  # weight decay, of γ‖θ‖²
eta = sp.Symbol("eta", positive=True)  # learning rate
batch = sp.Symbol("S", positive=True, integer=True)  # batch size
lam = sp.Symbol("lam", real=True)  # position on the orbit


def gradient_symbols(space: ParameterSpace, prefix: str = "g") -> tuple[sp.Symbol, ...]:
    """Return a symbol `g_<a>` for each component a of a gradient."""
    return tuple(sp.Symbol(f"{prefix}_{s.name}", real=True) for s in space.symbols)


def covariance_symbols(space: ParameterSpace) -> sp.ImmutableDenseMatrix:
    """Return Σ as a symmetric matrix of symbols `Sigma_<a>_<b>`, shape (n, n)."""
    names = [symbol.name for symbol in space.symbols]
    return sp.ImmutableDenseMatrix(
        len(names),
        len(names),
        lambda i, j: sp.Symbol(
            f"Sigma_{names[min(i, j)]}_{names[max(i, j)]}", real=True
        ),
    )


@dataclass(frozen=True, slots=True)
class ItoDifferential:
    """df = drift·dt + martingale, with d⟨martingale⟩ = variation·dt."""

    drift: sp.Expr
    variation: sp.Expr


@dataclass(frozen=True, slots=True)
class ItoProcess:
    """dX = μ dt + G dW, known by μ and the covariation rate D = GGᵀ.

    Attributes:
        state: the n symbols of X.
        drift: the n components of μ.
        covariation: D, shape (n, n), symmetric.
    """

    state: tuple[sp.Symbol, ...]
    drift: tuple[sp.Expr, ...]
    covariation: sp.ImmutableDenseMatrix

    def differential(self, f: sp.Expr) -> ItoDifferential:
        """Return df = (∇f·μ + ½Tr[D∇²f])dt + ∇fᵀG dW (Itô's lemma; P1, Eq. (25)).

        Args:
            f: a twice differentiable function of the state.

        Returns:
            The drift, and the rate ∇fᵀD∇f of the martingale's quadratic variation.

        >>> x = sp.Symbol("x")
        >>> brownian = ItoProcess((x,), (sp.S.Zero,), sp.ImmutableDenseMatrix([[1]]))
        >>> brownian.differential(x**2)
        ItoDifferential(drift=1, variation=4*x**2)
        """
        gradient = [f.diff(symbol) for symbol in self.state]
        n = range(len(self.state))
        transport = sum((gradient[i] * self.drift[i] for i in n), sp.S.Zero)
        second = sum(
            (
                self.covariation[i, j] * gradient[i].diff(self.state[j])
                for i in n
                for j in n
            ),
            sp.S.Zero,
        )
        variation = sum(
            (gradient[i] * self.covariation[i, j] * gradient[j] for i in n for j in n),
            sp.S.Zero,
        )
        return ItoDifferential(sp.expand(transport + second / 2), variation)


def sgd_process(space: ParameterSpace) -> ItoProcess:
    """Return P1's SDE (1): dθ = −(∇L + 2γθ)dt + √(2σ²Σ)dW, time in η·steps."""
    mean = gradient_symbols(space, "gbar")
    drift = tuple(
        -(m + 2 * gamma * s) for m, s in zip(mean, space.symbols, strict=True)
    )
    return ItoProcess(space.symbols, drift, 2 * sigma2 * covariance_symbols(space))


@dataclass(frozen=True, slots=True)
class NoetherFlow:
    """The drift of the charge under SGD noise, time in η·steps.

    Attributes:
        noise: σ²Tr[Σ∇²C].
        weight_decay: −2γθ·J.
        loss: 0 where ℓ has the symmetry, else −∇ℓ·J, to be averaged over the data.
    """

    noise: sp.Expr
    weight_decay: sp.Expr
    loss: sp.Expr

    @property
    def expression(self) -> sp.Expr:
        """Return the whole drift."""
        return self.noise + self.weight_decay + self.loss


def noether_flow(
    space: ParameterSpace,
    charge: sp.Expr,
    broken: sp.Expr = sp.S.Zero,
) -> NoetherFlow:
    """Derive dC from the SDE by Itô's lemma (P1, Eqs. (5), (7)).

    Args:
        space: the parameters.
        charge: C with ∇C = J.
        broken: ∇ℓ·J where the loss lacks the symmetry.

    Returns:
        The drift, split by its cause; ∇L·∇C is replaced by `broken`.

    >>> space = ParameterSpace(u=(), w=())
    >>> u, w = space.symbols
    >>> noether_flow(space, (u**2 - w**2) / 2).expression
    -2*gamma*u**2 + 2*gamma*w**2 + sigma2*(Sigma_u_u - Sigma_w_w)
    """
    drift = sgd_process(space).differential(charge).drift
    mean = gradient_symbols(space, "gbar")
    without_loss = drift.xreplace(dict.fromkeys(mean, sp.S.Zero))
    decay = sp.expand(without_loss.coeff(gamma, 1) * gamma)
    noise = sp.expand(without_loss - decay)
    return NoetherFlow(sp.factor_terms(noise), decay, -broken)


def dot(left: Sequence[sp.Expr], right: Sequence[sp.Expr]) -> sp.Expr:
    """Return Σ leftᵢ·rightᵢ."""
    return sum((a * b for a, b in zip(left, right, strict=True)), sp.S.Zero)

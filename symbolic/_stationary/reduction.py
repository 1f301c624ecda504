"""From the SDE of all factors u_i^(k) to one SDE of their summed products (P2, §4)."""

from __future__ import annotations

from functools import cache
from math import prod

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._laws.explicit_noise import CovarianceFromMoments, moments_covariance
from symbolic._laws.ito import ItoProcess
from symbolic._loss import Loss
from symbolic._space import ParameterSpace
from symbolic._stationary.data import DataConstants
from symbolic._stationary.scalar import ScalarSDE


T = sp.Symbol("T", positive=True)  # η/S
v = sp.Symbol("v", positive=True)  # Σ_i ∏_k u_i^(k), on the positive branch
LARGEST = 6  # parameters of a network whose factors are all written out


def network_loss(depth: int, width: int) -> Loss:
    """Return ℓ = (Σᵢ ∏_k u_i^(k) x − y)² with `u_i_k` for each factor (P2, Eq. (13)).

    Args:
        depth: the number of factors, D + 1.
        width: the number of products, d.

    Returns:
        The loss, on a (width × depth) matrix u and the data x, y.
    """
    space = ParameterSpace(u=(width, depth))
    x, y = sp.symbols("x y", real=True)
    return Loss((output(space) * x - y) ** 2, space, {"x": (), "y": ()})


def output(space: ParameterSpace) -> sp.Expr:
    """Return Σᵢ ∏_k u_i^(k)."""
    u = space["u"]
    return sp.Add(*(prod(u.row(i), start=sp.S.One) for i in range(u.rows)))


def full_process(noise: CovarianceFromMoments, decay: sp.Expr) -> ItoProcess:
    """Return dθ = −(∇L + 2γθ)dt + √(TΣ)dW of a loss.

    Args:
        noise: its mean gradient and covariance.
        decay: γ.

    Returns:
        The process of all parameters.
    """
    theta = noise.space.symbols
    drift = tuple(-g - 2 * decay * s for g, s in zip(noise.mean, theta, strict=True))
    return ItoProcess(theta, drift, T * noise.covariance)


def reduced_from_loss(
    depth: int, width: int, *, decay: sp.Expr = sp.S.Zero
) -> tuple[sp.Expr, sp.Expr]:
    """Reduce the whole network by Itô's lemma, every factor and moment written out.

    Args:
        depth: the number of factors.
        width: the number of products.
        decay: γ.

    Returns:
        Drift and variance of v where all factors are (v/d)^(1/depth), in raw moments.

    Raises:
        DeclarationError: for more than 6 parameters.
    """
    if depth * width > LARGEST:
        raise DeclarationError(
            f"expected depth * width <= {LARGEST}, got {depth} * {width}; reduced_sde "
            f"takes any"
        )
    loss = network_loss(depth, width)
    process = full_process(moments_covariance(loss), decay)
    found = process.differential(output(loss.space))
    r = (v / width) ** sp.Rational(1, depth)
    balanced = dict.fromkeys(loss.space.symbols, r)
    return found.drift.xreplace(balanced), found.variation.xreplace(balanced)


def reduced_sde(
    depth: sp.Expr,
    width: sp.Expr,
    constants: DataConstants,
    *,
    decay: sp.Expr = sp.S.Zero,
    temperature: sp.Expr = T,
    interval: tuple[sp.Expr, sp.Expr] = (sp.S.Zero, sp.oo),
) -> ScalarSDE:
    """Return the SDE of v on the balanced manifold, depth and width symbolic.

    All factors of one product see v only through the sum, so with q = E ∂ℓ/∂v and
    Q = ¼Var ∂ℓ/∂v at v they obey du_k = −(qP_k + 2γu_k)dt + 2√(TQ)P_k dW, P_k the
    product of the others. Itô's lemma for ∏u_k has one term for each factor and one
    for each pair; on the manifold where all are (v/d)^(1/depth) the terms of a kind
    are equal. The d products move alike, with one W.

    Args:
        depth: n, the number of factors.
        width: d, the number of products that are not 0.
        constants: the data.
        decay: γ.
        temperature: T.
        interval: an interval of v without a zero of Q; not below 0 but for depth 1.

    Returns:
        The SDE on it.
    """
    n, d = sp.sympify(depth), sp.sympify(width)
    x = v if interval[0].is_nonnegative else sp.Symbol("v", real=True)
    Q = constants.Q(x)
    known = {
        _MEAN: 2 * (constants.beta1 * x - constants.beta2),
        _NOISE: temperature * (sp.factor(Q) if constants.Delta.is_zero else Q),
        _DECAY: decay,
        _COUNT: n,
        _WIDTH: d,
    }
    drift, noise = _summed_products()
    there = {v: x} | known
    return ScalarSDE(drift.xreplace(there), noise.xreplace(there), x, interval)


_MEAN, _NOISE, _DECAY = sp.symbols("q N g", positive=True)  # E ∂ℓ/∂v, TQ, γ
_COUNT, _WIDTH = sp.symbols("n d", positive=True, integer=True)


@cache
def _summed_products() -> tuple[sp.Expr, sp.Expr]:
    """Return drift and diffusion of v = d·∏u_k, all u_k = (v/d)^(1/n).

    For a, b, R = two factors and the product of the others Itô's lemma is applied with
    a alone moving, and with a and b: the difference is the term of the pair.
    """
    n = _COUNT
    a, b, R = sp.symbols("a b R", positive=True)
    f = a * b * R
    P = (f.diff(a), f.diff(b))
    drift = tuple(-_MEAN * p - 2 * _DECAY * u for p, u in zip(P, (a, b), strict=True))
    D = 4 * _NOISE * sp.ImmutableDenseMatrix(2, 2, lambda i, j: P[i] * P[j])
    alone = [
        ItoProcess((u,), (m,), D[i : i + 1, i : i + 1]).differential(f).drift
        for i, (u, m) in enumerate(zip((a, b), drift, strict=True))
    ]
    pair = sp.expand(ItoProcess((a, b), drift, D).differential(f).drift - sum(alone))
    terms = [n * term for term in sp.Add.make_args(alone[0])]
    terms.append(n * (n - 1) / 2 * pair)
    noise = n * P[0] ** 2 * 2 * sp.sqrt(_NOISE)
    r = sp.Symbol("r", positive=True)
    balanced = {a: r, b: r, R: r ** (n - 2)}
    total = sp.Add(*(_in_output(term.xreplace(balanced), r) for term in terms))
    return total, _in_output(noise.xreplace(balanced), r)


@cache
def _pair_rate() -> sp.Expr:
    """Return the rate of a² − b² for two factors, the others' product (v/d)^(1−2/n)."""
    a, b, R = sp.symbols("a b R", positive=True)
    P = (b * R, a * R)
    drift = tuple(-_MEAN * p - 2 * _DECAY * u for p, u in zip(P, (a, b), strict=True))
    D = 4 * _NOISE * sp.ImmutableDenseMatrix(2, 2, lambda i, j: P[i] * P[j])
    found = ItoProcess((a, b), drift, D).differential(a**2 - b**2).drift
    rate = sp.expand(sp.cancel(found / (a**2 - b**2)))
    return rate.xreplace({R: (v / _WIDTH) ** (1 - 2 / _COUNT)})


def balance_rate(
    depth: sp.Expr,
    width: sp.Expr,
    constants: DataConstants,
    *,
    decay: sp.Expr = sp.S.Zero,
    temperature: sp.Expr = T,
) -> sp.Expr:
    """Return the rate of d(u² − w²)/dt = rate·(u² − w²) next to the balanced manifold.

    Args:
        depth: n ≥ 2.
        width: d.
        constants: the data.
        decay: γ.
        temperature: T.

    Returns:
        −4(T Q(v)(v/d)^(2−4/n) + γ) ≤ 0, exact at depth 2 for any u and w.
    """
    known = {
        _NOISE: temperature * constants.Q(v),
        _DECAY: decay,
        _COUNT: sp.sympify(depth),
        _WIDTH: sp.sympify(width),
    }
    return _pair_rate().xreplace(known)


def _in_output(term: sp.Expr, r: sp.Symbol) -> sp.Expr:
    """Return d times a monomial c·r^p, at r = (v/d)^(1/n)."""
    coefficient, power = sp.powsimp(term).as_independent(r, as_Add=False)
    p = sp.expand(power.as_base_exp()[1] / _COUNT)
    return coefficient * v**p * _WIDTH ** (1 - p)

"""The law of balance (P2, §3) and the fate of pairs of products (P2, Theorem 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.equality import compare
from symbolic._laws.explicit_noise import explicit_flow, moments_covariance
from symbolic._laws.ito import ItoProcess, gamma, sigma2
from symbolic._stationary.data import DataConstants
from symbolic._stationary.reduction import LARGEST, T, network_loss, output
from symbolic._symmetry import Symmetry
from symbolic._verdict import Finding


N_SYMBOL = sp.Symbol("N", nonnegative=True)  # TQ(v)


@dataclass(frozen=True, slots=True)
class FactorBalance:
    """d(u² − w²)/dt = rate·(u² − w²) for two factors u, w of one product.

    Attributes:
        difference: u² − w².
        rate: −4(T Q(v)P² + γ), P the product of the other factors, in raw moments.
        flow: the drift of the difference, by the Noether flow of the rescaling.
        proof: the finding that the flow is rate·difference.
    """

    difference: sp.Expr
    rate: sp.Expr
    flow: sp.Expr
    proof: Finding


def factor_balance(depth: int = 2, width: int = 1) -> FactorBalance:
    """Derive the law of balance of a diagonal network from its Noether flow.

    u → e^ρu, w → e^−ρw leaves the loss (13) as it is for any two factors of one
    product; the charge is (u² − w²)/2 and its flow σ²Tr[ΣA] − 4γC, with T = 2σ².

    Args:
        depth: the number of factors, at least 2.
        width: the number of products.

    Returns:
        The law for the first two factors of the first product, with its proof.

    Raises:
        DeclarationError: for one factor, and for more than 6 parameters.

    >>> law = factor_balance(2, 1)
    >>> law.difference, law.proof.verdict.name
    (u_0_0**2 - u_0_1**2, 'PROVED')
    """
    if depth < 2 or depth * width > LARGEST:
        raise DeclarationError(
            f"expected depth >= 2 and depth * width <= {LARGEST}, got {depth} and "
            f"{width}"
        )
    loss = network_loss(depth, width)
    theta = loss.space.symbols
    u, w, *others = theta[:depth]
    signs = [1, -1] + [0] * (len(theta) - 2)
    symmetry = Symmetry.exponential(loss.space, sp.diag(*signs))
    noise = explicit_flow(symmetry, moments_covariance(loss))
    flow = sp.expand(2 * noise.expression.xreplace({sigma2: T / 2}))
    Q = DataConstants.from_moments().Q(output(loss.space))
    rate = -4 * (T * Q * sp.Mul(*others) ** 2 + gamma)
    difference = u**2 - w**2
    return FactorBalance(difference, rate, flow, compare(flow, rate * difference))


@dataclass(frozen=True, slots=True)
class ProductBalance:
    """d(‖u‖² − ‖w‖²)/dt = −T(uᵀC₁u − wᵀC₂w) − 4γ(‖u‖² − ‖w‖²) (P2, Theorem 3.1).

    Attributes:
        u: p symbols.
        w: q symbols.
        C1: C₁ = E[AᵀA] − E[A]ᵀE[A] with A_ki = ∂ℓ/∂(u_i w_k), shape (p, p).
        C2: C₂ = E[AAᵀ] − E[A]E[A]ᵀ, shape (q, q).
        flow: the drift, by Itô's lemma.
        proof: the finding that it has the form above.
    """

    u: tuple[sp.Symbol, ...]
    w: tuple[sp.Symbol, ...]
    C1: sp.ImmutableDenseMatrix
    C2: sp.ImmutableDenseMatrix
    flow: sp.Expr
    proof: Finding


def product_balance(p: int, q: int) -> ProductBalance:
    """Derive the law of balance for any loss that is a function of u wᵀ.

    ℓ(λu, w/λ) = ℓ(u, w) alone gives TrΣ_u − TrΣ_w; the matrices need the loss to see u
    and w through the products u_i w_k only (P2-4), and are the partial traces of the
    covariance of A.

    Args:
        p: the length of u.
        q: the length of w.

    Returns:
        The law, in symbols `K_<i>_<k>_<j>_<l>` = Cov(A_ki, A_lj).

    >>> law = product_balance(1, 1)
    >>> law.C1, law.proof.verdict.name
    (Matrix([[K_0_0_0_0]]), 'PROVED')
    """
    u = tuple(sp.Symbol(f"u_{i}", real=True) for i in range(p))
    w = tuple(sp.Symbol(f"w_{k}", real=True) for k in range(q))
    pairs = [(i, k) for i in range(p) for k in range(q)]

    def cov(a: tuple[int, int], b: tuple[int, int]) -> sp.Symbol:
        (i, k), (j, m) = sorted((a, b))
        return sp.Symbol(f"K_{i}_{k}_{j}_{m}", real=True)

    spread = sp.Matrix(len(pairs), len(pairs), lambda s, t: cov(pairs[s], pairs[t]))
    mean = sp.Matrix([sp.Symbol(f"A_{k}_{i}", real=True) for i, k in pairs])
    theta = (*u, *w)
    chain = sp.Matrix([u[i] * w[k] for i, k in pairs]).jacobian(theta)
    pull = chain.T * mean
    process = ItoProcess(
        theta,
        tuple(-g - 2 * gamma * s for g, s in zip(pull, theta, strict=True)),
        (T * chain.T * spread * chain).as_immutable(),
    )
    difference = sum((s**2 for s in u), sp.S.Zero) - sum((s**2 for s in w), sp.S.Zero)
    derived = process.differential(difference).drift
    C1 = sp.ImmutableDenseMatrix(
        p, p, lambda i, j: sp.Add(*(cov((i, k), (j, k)) for k in range(q)))
    )
    C2 = sp.ImmutableDenseMatrix(
        q, q, lambda k, m: sp.Add(*(cov((i, k), (i, m)) for i in range(p)))
    )
    forms = _form(C1, u) - _form(C2, w)
    law = -T * forms - 4 * gamma * difference
    return ProductBalance(u, w, C1, C2, law, compare(derived, law))


def _form(C: sp.ImmutableDenseMatrix, x: tuple[sp.Symbol, ...]) -> sp.Expr:
    X = sp.Matrix(x)
    return sp.expand((X.T * C * X)[0, 0])


@dataclass(frozen=True, slots=True)
class PairLaw:
    """What two products vᵢ, vⱼ of one network do to each other on the manifold.

    Attributes:
        quantity: log|vᵢ| ∓ log|vⱼ| for two factors, zᵢ ∓ zⱼ with z = |v|^(2/n − 1) for
            n > 2; minus for equal signs.
        drift: its drift, in q-free form: `N` = TQ(v) ≥ 0 and `gamma`.
        variation: the rate of its quadratic variation: 0, so the law is pathwise.
    """

    quantity: sp.Expr
    drift: sp.Expr
    variation: sp.Expr


def pair_law(depth: sp.Expr, *, equal_signs: bool) -> PairLaw:
    """Derive P2's Theorem 4.1: what becomes of two products.

    The size r of the factors of a product of sign s obeys
    dr = −(s q r^(n−1) + 2γr)dt + 2s√N r^(n−1) dW, with one q, N = TQ and W for all.
    For z = r^(2−n), or log r at n = 2, the noise does not depend on r, so it cancels
    in a difference for equal signs, in a sum for opposite ones.

    Args:
        depth: n, at least 2; a number, or a symbol for n > 2.
        equal_signs: whether vᵢvⱼ > 0.

    Returns:
        The law. For equal signs at n = 2 the drift is 0 (the ratio is conserved); at
        n > 2 and γ = 0 it is −c(zᵢ − zⱼ), c > 0 (|vᵢ| = |vⱼ| attracts); for opposite
        signs one product vanishes.

    Raises:
        DeclarationError: for one factor.

    >>> n = sp.Symbol("n", positive=True)
    >>> pair_law(2, equal_signs=False).drift
    -8*N - 8*gamma
    >>> sp.factor(pair_law(3, equal_signs=True).drift.subs(gamma, 0))
    -4*N*(z_i - z_j)/(z_i*z_j)
    """
    n = sp.sympify(depth)
    if n.is_number and n < 2:
        raise DeclarationError(f"expected at least 2 factors, got {n}")
    q, N = sp.Symbol("q", real=True), N_SYMBOL
    r = sp.symbols("r_i r_j", positive=True)
    signs = (1, 1 if equal_signs else -1)
    power = r[0] ** (n - 1), r[1] ** (n - 1)
    process = ItoProcess(
        r,
        tuple(
            -s * q * p - 2 * gamma * x for s, p, x in zip(signs, power, r, strict=True)
        ),
        4
        * N
        * sp.ImmutableDenseMatrix(
            2, 2, lambda a, b: signs[a] * signs[b] * power[a] * power[b]
        ),
    )
    if n == 2:
        terms: tuple[sp.Expr, ...] = tuple(2 * sp.log(x) for x in r)
    else:
        terms = tuple(x ** (2 - n) for x in r)
    quantity = terms[0] - signs[1] * terms[1]
    found = process.differential(quantity)
    names = sp.symbols("z_i z_j", positive=True)
    # r = z^(1/(2−n)); at n = 2 nothing is left of r
    back = (
        {x: z ** (1 / (2 - n)) for x, z in zip(r, names, strict=True)} if n != 2 else {}
    )
    shown = names[0] - signs[1] * names[1] if n != 2 else quantity
    return PairLaw(shown, _clean(found.drift, back), _clean(found.variation, back))


def _clean(e: sp.Expr, back: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Return a drift in z, collected by its causes."""
    total = sp.S.Zero
    for term in sp.Add.make_args(sp.powsimp(sp.expand(e), combine="exp")):
        total += sp.powsimp(sp.simplify(term.xreplace(back)), combine="exp")
    return sp.collect(sp.expand(total), [N_SYMBOL, gamma], sp.factor)

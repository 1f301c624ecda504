"""Σ(θ) written out for a loss whose data law is known: moments, samples or Gaussian.

A loss polynomial in its data has ∇ℓ = k(θ) + K(θ)m(z) with monomials m, so that
Σ = KΛKᵀ, Λ the covariance of m: all of the data enters through numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from math import prod
from typing import Any

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._exact.data_polynomials import (
    Powers,
    Terms,
    added_powers,
    by_degree,
    gradient_polynomials,
    moment_names,
    monomial,
    monomials,
    tidy,
    unit_power,
)
from symbolic._exact.equality import compare
from symbolic._laws.charge import noether_charge
from symbolic._laws.ito import NoetherFlow, covariance_symbols, dot, gamma, sigma2
from symbolic._loss import Loss, as_scalar
from symbolic._orbits.balance import Equilibrium
from symbolic._space import ParameterSpace
from symbolic._symmetry import Symmetry
from symbolic._verdict import Verdict


@dataclass(frozen=True, slots=True)
class CovarianceFromMoments:
    """The noise ∇ℓ = k + K m of a loss, with k, K functions of θ and m of the sample.

    Attributes:
        space: the parameters, n components.
        constant: k, n components.
        coefficients: K, shape (n, f).
        features: m, f monomials of the data; the indicators of the samples, 1 for
            each, where the loss is no polynomial in its data.
        means: E[m], f numbers or moment symbols.
        products: E[mmᵀ], shape (f, f).
        moments: symbol → the monomial whose mean it is; empty where all are known.
    """

    space: ParameterSpace
    constant: tuple[sp.Expr, ...]
    coefficients: sp.ImmutableDenseMatrix
    features: tuple[sp.Expr, ...]
    means: tuple[sp.Expr, ...]
    products: sp.ImmutableDenseMatrix
    moments: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()

    @property
    def spread(self) -> sp.ImmutableDenseMatrix:
        """Return Λ = E[mmᵀ] − E[m]E[m]ᵀ, free of θ, so that Σ = KΛKᵀ."""
        m = self.means
        return sp.ImmutableDenseMatrix(
            len(m), len(m), lambda i, j: self.products[i, j] - m[i] * m[j]
        )

    @property
    def mean(self) -> tuple[sp.Expr, ...]:
        """Return ∇L = E[∇ℓ], n components."""
        K, f = self.coefficients, range(len(self.means))
        return tuple(
            k + sum((K[a, i] * self.means[i] for i in f), sp.S.Zero)
            for a, k in enumerate(self.constant)
        )

    @property
    def covariance(self) -> sp.ImmutableDenseMatrix:
        """Return Σ = E[∇ℓ∇ℓᵀ] − ∇L∇Lᵀ, shape (n, n)."""
        n, columns = len(self.constant), self._columns()
        entries = {
            (a, b): sum(
                (
                    w * (u[a] * v[b] + u[b] * v[a] if twice else u[a] * v[b])
                    for u, v, w, twice in columns
                ),
                sp.S.Zero,
            )
            for a, b in combinations_with_replacement(range(n), 2)
        }
        return sp.ImmutableDenseMatrix(n, n, lambda a, b: entries[min(a, b), max(a, b)])

    @property
    def second_moment(self) -> sp.ImmutableDenseMatrix:
        """Return M₂ = E[∇ℓ∇ℓᵀ], shape (n, n)."""
        g, Sigma = self.mean, self.covariance
        return sp.ImmutableDenseMatrix(
            len(g), len(g), lambda a, b: Sigma[a, b] + g[a] * g[b]
        )

    def trace(self, H: sp.ImmutableDenseMatrix) -> sp.Expr:
        """Return Tr[ΣH] with one coefficient for each covariance of two monomials.

        Args:
            H: symmetric, shape (n, n), a function of θ.

        Returns:
            Σ_ij Λ_ij (KᵀHK)_ij.
        """
        parts = (
            w * tidy((1 + twice) * (u.T * H * v)[0, 0])
            for u, v, w, twice in self._columns()
        )
        return sum(parts, sp.S.Zero)

    def substitute(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression with Σ(θ) for the symbols `Sigma_<a>_<b>`."""
        names, Sigma = covariance_symbols(self.space), self.covariance
        pairs = zip(names, Sigma, strict=True)
        return expression.xreplace(
            {name: value for name, value in pairs if expression.has(name)}
        )

    def _columns(self) -> list[tuple[sp.Matrix, sp.Matrix, sp.Expr, bool]]:
        """Return (u, v, w, twice) with Σ = Σ w·uvᵀ, and w·vuᵀ beside it where twice."""
        f, K = len(self.means), self.coefficients
        if self.products.is_diagonal():  # f + 1 terms, not the f² of Λ
            each = [(K[:, i], K[:, i], self.products[i, i], False) for i in range(f)]
            whole = K * sp.Matrix(f, 1, self.means)
            return [*each, (whole, whole, sp.S.NegativeOne, False)]
        spread = self.spread
        return [
            (K[:, i], K[:, j], spread[i, j], i != j)
            for i, j in combinations_with_replacement(range(f), 2)
            if not spread[i, j].is_zero
        ]


def moments_covariance(loss: Loss) -> CovarianceFromMoments:
    """Return Σ in the raw moments of the data, for any law that has them.

    Args:
        loss: a loss polynomial in its data; its coefficients are any functions of θ.

    Returns:
        The covariance, in symbols such as `E_x2_y` = E[x²y].

    Raises:
        DeclarationError: where the loss is no polynomial in its data.

    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y = sp.symbols("u w x y")
    >>> loss = Loss((u * w * x - y) ** 2 / 2, space, data={"x": (), "y": ()})
    >>> noise = moments_covariance(loss)
    >>> noise.features, noise.coefficients
    ((x*y, x**2), Matrix([
    [-w, u*w**2],
    [-u, u**2*w]]))
    >>> [str(symbol) for symbol, _ in noise.moments]
    ['E_x_y', 'E_x2', 'E_x2_y2', 'E_x3_y', 'E_x4']
    """
    rows = gradient_polynomials(loss)
    wanted = monomials(rows)
    closed = {*wanted, *(added_powers(a, b) for a in wanted for b in wanted)}
    names = moment_names(loss, sorted(closed, key=by_degree))
    noise = _noise(loss, rows, names.__getitem__)
    table = tuple((names[p], monomial(loss, p)) for p in sorted(closed, key=by_degree))
    return replace(noise, moments=table)


def finite_covariance(
    loss: Loss, samples: Sequence[Mapping[str, Any]]
) -> CovarianceFromMoments:
    """Return Σ over a finite training set, exactly.

    Args:
        loss: any loss.
        samples: data name → value for each of the N samples; values are rational
            (a float is the decimal it prints as), nested for vectors and matrices.

    Returns:
        The covariance. Where the loss is no polynomial in its data the features are
        the indicators of the samples and K holds the per-sample gradients.

    Raises:
        DeclarationError: for no samples, for values that are not rational, and where
            a gradient is undefined at a sample.

    >>> space = ParameterSpace(u=())
    >>> loss = Loss(sp.tanh(sp.Symbol("u") * sp.Symbol("x")), space, {"x": ()})
    >>> noise = finite_covariance(loss, [{"x": 0}, {"x": 2}])
    >>> noise.covariance[0, 0].subs(space.symbols[0], 0)  # gradients 0 and 2
    1
    """
    if not samples:
        raise DeclarationError("expected at least one sample, got none")
    points = [_rationals(loss, sample) for sample in samples]
    share = sp.Rational(1, len(points))
    try:
        rows = gradient_polynomials(loss)
    except DeclarationError:
        return _by_sample(loss, points)
    values = [tuple(point.values()) for point in points]

    @cache
    def moment(powers: Powers) -> sp.Rational:
        powered = (
            prod((v**k for v, k in zip(value, powers, strict=True)), start=sp.S.One)
            for value in values
        )
        return share * sum(powered, sp.S.Zero)

    return _noise(loss, rows, moment)


def gaussian_covariance(
    loss: Loss, covariance: Any, means: Sequence[Any] | None = None
) -> CovarianceFromMoments:
    """Return Σ for Gaussian data, all moments by Wick's (Isserlis') theorem.

    Args:
        loss: a loss polynomial in its data.
        covariance: symmetric, shape (k, k), over the k components of the data in
            declaration order; numbers or symbols.
        means: k numbers or symbols; 0 where None.

    Returns:
        The covariance, free of data.

    Raises:
        DeclarationError: for a covariance that is not symmetric or not of its size,
            and where the loss is no polynomial in its data.

    >>> space = ParameterSpace(w=())
    >>> w, x = sp.symbols("w x")
    >>> noise = gaussian_covariance(Loss(w * x**2, space, {"x": ()}), [[3]])
    >>> noise.covariance  # Var x² = 2·3²
    Matrix([[18]])
    """
    k = loss.data.size
    S = sp.ImmutableDenseMatrix(covariance)
    m = tuple(map(as_scalar, means)) if means is not None else (sp.S.Zero,) * k
    if S.shape != (k, k) or S != S.T or len(m) != k:
        raise DeclarationError(
            f"expected a symmetric {k} x {k} covariance and {k} means over "
            f"({', '.join(map(str, loss.data.symbols))}), got {S.tolist()} and {m}"
        )

    @cache
    def moment(powers: Powers) -> sp.Expr:
        if not any(powers):
            return sp.S.One
        i = next(i for i, p in enumerate(powers) if p)  # E[z_i f] = m_iE[f] + S_i·E∇f
        rest = added_powers(powers, unit_power(k, i, -1))
        total = m[i] * moment(rest)
        for j, p in enumerate(rest):
            if p:
                total += p * S[i, j] * moment(added_powers(rest, unit_power(k, j, -1)))
        return sp.expand(total)

    return _noise(loss, gradient_polynomials(loss), moment)


def explicit_flow(
    symmetry: Symmetry, noise: CovarianceFromMoments, charge: sp.Expr | None = None
) -> NoetherFlow:
    """Return the flow of C with Σ(θ) written out (P1, Eqs. (5), (7)).

    Args:
        symmetry: a symmetry with a charge.
        noise: the covariance, on the same parameters.
        charge: C with ∇C = J; found where None. Where there is none that is NoCharge.

    Returns:
        The flow; its loss part −∇L·J is 0 where that is proved.

    Raises:
        DeclarationError: for a noise on other parameters.

    >>> space = ParameterSpace(u=(), w=())
    >>> u, w, x, y = sp.symbols("u w x y")
    >>> loss = Loss((u * w * x - y) ** 2 / 2, space, data={"x": (), "y": ()})
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> noise = gaussian_covariance(loss, [[1, 1], [1, 2]])
    >>> sp.factor(explicit_flow(rescaling, noise).noise)
    -sigma2*(u - w)*(u + w)*(2*u**2*w**2 - 4*u*w + 3)
    """
    if noise.space != symmetry.space:
        raise DeclarationError(
            f"expected a noise on {', '.join(symmetry.space.names)}, "
            f"got one on {', '.join(noise.space.names)}"
        )
    C = noether_charge(symmetry) if charge is None else charge
    theta = symmetry.space.symbols
    H = sp.ImmutableDenseMatrix(sp.hessian(C, theta))
    along = dot(noise.mean, symmetry.generator)
    invariant = compare(along, sp.S.Zero).verdict is Verdict.PROVED
    return NoetherFlow(
        sigma2 * noise.trace(H),
        sp.expand(-2 * gamma * dot(theta, symmetry.generator)),
        sp.S.Zero if invariant else -tidy(along),
    )


def explicit_equilibrium(
    equilibrium: Equilibrium, noise: CovarianceFromMoments
) -> Equilibrium:
    """Return the equilibrium with Σ(θ) written out, θ the point the orbit starts at.

    Args:
        equilibrium: of an exponential symmetry on the same parameters.
        noise: the covariance.

    Returns:
        The same statements, free of the symbols `Sigma_<a>_<b>`.

    Raises:
        DeclarationError: where the equilibrium is not in terms of Σ, because A has
            eigenvalues without a closed form.
    """
    given = {s for e in equilibrium.s for s in e.free_symbols}
    if not given <= set(covariance_symbols(noise.space)):
        raise DeclarationError(
            f"expected an equilibrium in Sigma of {', '.join(noise.space.names)}, "
            f"got s = {', '.join(map(str, equilibrium.s))}"
        )
    closed = equilibrium.closed_form
    return replace(
        equilibrium,
        s=tuple(noise.substitute(s) for s in equilibrium.s),
        balance=noise.substitute(equilibrium.balance),
        slope=noise.substitute(equilibrium.slope),
        closed_form=None if closed is None else noise.substitute(closed),
    )


# --------------------------------------------------------------- scalar polynomials


def _noise(
    loss: Loss, rows: list[Terms], moment: Callable[[Powers], sp.Expr]
) -> CovarianceFromMoments:
    features = monomials(rows)
    n, f = len(rows), len(features)
    none = (0,) * loss.data.size
    return CovarianceFromMoments(
        loss.space,
        tuple(row.get(none, sp.S.Zero) for row in rows),
        sp.ImmutableDenseMatrix(n, f, lambda a, i: rows[a].get(features[i], sp.S.Zero)),
        tuple(monomial(loss, p) for p in features),
        tuple(moment(p) for p in features),
        sp.ImmutableDenseMatrix(
            f, f, lambda i, j: moment(added_powers(features[i], features[j]))
        ),
    )


def _by_sample(
    loss: Loss, points: list[dict[sp.Symbol, sp.Rational]]
) -> CovarianceFromMoments:
    """Return the noise in indicators 1_i: E 1_i = 1/N, E 1_i1_j = δ_ij/N."""
    gradient, share = loss.gradient, sp.Rational(1, len(points))
    columns = [[entry.xreplace(point) for entry in gradient] for point in points]
    for point, column in zip(points, columns, strict=True):
        for entry in column:
            if entry.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
                raise DeclarationError(
                    f"expected a finite real gradient, got {entry} at the sample "
                    f"{', '.join(f'{s} = {v}' for s, v in point.items())}"
                )
    N = len(points)
    return CovarianceFromMoments(
        loss.space,
        (sp.S.Zero,) * len(gradient),
        sp.ImmutableDenseMatrix(len(gradient), N, lambda a, i: columns[i][a]),
        (sp.S.One,) * N,
        (share,) * N,
        sp.ImmutableDenseMatrix(N, N, lambda i, j: share if i == j else 0),
    )


def _rationals(loss: Loss, given: Mapping[str, Any]) -> dict[sp.Symbol, sp.Rational]:
    values = [
        sp.Rational(v.numerator, v.denominator)
        if isinstance(v, Fraction)
        else as_scalar(v)
        for v in loss.data.pack(given)
    ]
    for symbol, value in zip(loss.data.symbols, values, strict=True):
        if not value.is_Rational:
            raise DeclarationError(
                f"expected rational data, got {symbol} = {value}; round it first"
            )
    return dict(zip(loss.data.symbols, values, strict=True))

"""Routes for noise in general: Itô's lemma, the SDE (1), its moments."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product as cartesian

import hypothesis.strategies as st

from symbolic import (
    Verdict,
    gaussian_mean,
    matrix,
    matrix_flow,
    norm2,
    quadratic_charge,
    scalar,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, Vector, apply, dot, mean
from verify._routes._common import Sides, drawn_evidence
from verify._routes._general_cases import (
    Case,
    drawn_number,
    plain_net,
    product_pair,
)
from verify._routes._general_product import PRODUCT
from verify._routes._general_quantities import (
    charge,
    covariance_of,
    mean_step,
    noise_trace,
    on_cases,
    steps,
)
from verify._routes._words import (
    ROUTE,
    Row,
    words_evidence,
)
from verify._scope import only_about


_ZERO = Fraction(0)


# Itô's lemma (25). The subject is c in df = (∇f·μ + c·Tr[Gᵀ∇²fG])dt + ∇fᵀG dW.


@only_about("every Itô process")
def ito_words(subject: Fraction, context: Context) -> Evidence:
    """Average Taylor's two terms over a step μh + G√h ξ, with n and m free."""
    p, H = matrix("p", "n", 1), matrix("H", "n", "n", symmetric=True)
    drift, G, xi = matrix("mu", "n", 1), matrix("G", "n", "m"), matrix("xi", "m", 1)
    h, r = scalar("r", 2), scalar("r")
    step = h * drift + r * (G @ xi)
    change = p.T @ step + (step.T @ H @ step) / 2
    claimed = p.T @ drift + subject * (G.T @ H @ G).tr()
    rest = (drift.T @ H @ drift) / 2

    def rows() -> Iterator[Row]:
        yield "mean", gaussian_mean(change, xi), h * claimed + h * h * rest
        square = gaussian_mean(p.T @ step @ step.T @ p, xi)
        spread = h * norm2(G.T @ p) + h * h * (p.T @ drift) * (p.T @ drift)
        yield "mean square", square, spread

    return words_evidence(
        rows(),
        r"mean of $f(X + \mu h + G\sqrt h\,\xi) - f(X)$, $h = r^2$, to second order",
        "n, m, f, μ and G",
        (
            r"$E\xi = 0$ and $E\xi\xi^\top = I$: the term of order $\sqrt h$ has mean "
            r"0 and is $\nabla f^\top G\,dW$; of the second order $\frac12\mathrm{Tr}"
            r"[G^\top\nabla^2f\,G]h$ is left.",
            r"What Taylor's formula leaves out is $O(h^{3/2})$ and odd, so $O(h^2)$ in "
            r"the mean.",
        ),
    )


@dataclass(frozen=True, slots=True)
class ItoCase:
    """f = Σ_j c_j(a_j·X)^{k_j} at a point, with μ and G there.

    Attributes:
        terms: (c, a, k), k from 1 to 4.
        point: X.
        drift: μ.
        G: n × m.
        mean: E ξ of the noise's two-point law, 0 for Brownian noise.
    """

    terms: tuple[tuple[Fraction, Vector, int], ...]
    point: Vector
    drift: Vector
    G: Matrix
    mean: Fraction = _ZERO

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        f = " + ".join(
            f"({c})*(({', '.join(map(str, a))}).X)^{k}" for c, a, k in self.terms
        )
        G = [[str(entry) for entry in row] for row in self.G]
        return {
            "f": f,
            "X": f"({', '.join(map(str, self.point))})",
            "mu": f"({', '.join(map(str, self.drift))})",
            "G": str(G).replace("'", ""),
        }

    def value(self, X: Vector) -> Fraction:
        """Return f(X)."""
        return sum((c * dot(a, X) ** k for c, a, k in self.terms), _ZERO)

    def derived(self, c: Fraction) -> Fraction:
        """Return ∇f·μ + c·Tr[Gᵀ∇²fG]."""
        total, columns = _ZERO, tuple(zip(*self.G, strict=True))
        for weight, a, k in self.terms:
            z = dot(a, self.point)
            total += weight * k * z ** (k - 1) * dot(a, self.drift)
            if k > 1:
                square = sum((dot(a, column) ** 2 for column in columns), _ZERO)
                total += c * weight * k * (k - 1) * z ** (k - 2) * square
        return total

    def generator(self) -> Fraction:
        """Return lim E[f(X + hμ + √h Gξ) − f(X)]/h over all signs ξ, exactly.

        The mean is a polynomial in h of degree at most 4; five values fix its slope.
        """
        nodes = range(1, 6)
        slope = _ZERO
        for k in nodes:  # Lagrange's derivative at 0 of the polynomial through 0, 1, …
            weight = Fraction(1, k * k)
            for j in nodes:
                if j != k:
                    weight *= Fraction(j * j, j * j - k * k)
            slope += weight * self._mean_change(Fraction(k))
        return slope

    def _mean_change(self, r: Fraction) -> Fraction:
        m, total = len(self.G[0]), _ZERO
        base = tuple(x + r * r * d for x, d in zip(self.point, self.drift, strict=True))
        for signs in cartesian((1, -1), repeat=m):
            kick = apply(self.G, tuple(e + self.mean for e in signs))
            total += self.value(
                tuple(b + r * k for b, k in zip(base, kick, strict=True))
            )
        return total / Fraction(2**m) - self.value(self.point)


def ito_cases() -> st.SearchStrategy[ItoCase]:
    """Return a strategy for polynomials of degree ≤ 4, n ≤ 3, m ≤ 3."""
    return st.integers(0, 2**48 - 1).map(
        lambda key: _ito_case(random.Random(f"ito {key}"))
    )


def _ito_case(stream: random.Random) -> ItoCase:
    n, m = stream.randint(1, 3), stream.randint(1, 3)

    def vector(size: int) -> Vector:
        return tuple(drawn_number(stream) for _ in range(size))

    terms = tuple(
        (drawn_number(stream), vector(n), stream.randint(1, 4)) for _ in range(3)
    )
    return ItoCase(terms, vector(n), vector(n), tuple(vector(m) for _ in range(n)))


# f = X² of a Brownian motion at 0: E X_h² = h.
BROWNIAN = ItoCase(
    ((Fraction(1), (Fraction(1),), 2),), (_ZERO,), (_ZERO,), ((Fraction(1),),)
)


@only_about("every Itô process")
def ito_exact(subject: Fraction, context: Context) -> Evidence:
    """Take the limit h → 0 of mean changes over all signs, in exact rationals."""

    def sides(case: ItoCase) -> Sides:
        curved = case.derived(Fraction(1)) != case.derived(_ZERO)
        return Sides(case.generator(), case.derived(subject), degenerate=not curved)

    return drawn_evidence(
        "exact generator",
        sides,
        ito_cases(),
        context,
        r"$\lim_h E[f(X_h) - f(X)]/h$ for polynomials $f$",
        examples=(BROWNIAN,),
    )


# (1) against (26): the subject is (a, c) in dθ = a∇L dt + √(cσ²Σ) dW.


def sde_moments(subject: tuple[int, int], context: Context) -> Evidence:
    """Go through all minibatches: mean and covariance of one step over its time η."""
    a, c = subject

    def sides(case: Case) -> Sides | None:
        bare = case.with_(gamma=_ZERO)
        after = steps(bare)
        if after is None:
            return None
        centre, eta, average = mean(bare.gradients()), bare.eta, mean(after)
        off = [tuple(p - q for p, q in zip(v, average, strict=True)) for v in after]
        Sigma, n = covariance_of(bare), range(len(average))
        pairs = [
            ((new - old) / eta, a * g)
            for new, old, g in zip(average, bare.theta, centre, strict=True)
        ]
        pairs += [
            (
                sum((v[i] * v[j] for v in off), _ZERO) / (eta * len(off)),
                c * bare.sigma2 * Sigma[i][j],
            )
            for i in n
            for j in n
        ]
        left, right = next(((p, q) for p, q in pairs if p != q), pairs[-1])
        return Sides(left, right, degenerate=not any(map(any, Sigma)))

    return on_cases(
        "all minibatches",
        sides,
        context,
        r"$E[\Delta\theta]/\eta$ and $\mathrm{Cov}[\Delta\theta]/\eta$ of SGD against "
        r"the drift and $GG^\top$",
        # g = (0, ∓2): the step ±2η of w has variance 4η², that is 4η per unit of time.
        examples=(plain_net((1, 1), [(-1, 1)], [(1, 1), (1, -1)], (1, 0)),),
    )


def sde_drift(subject: tuple[int, int], context: Context) -> Evidence:
    """Compare what the noise adds to C in one step with ½cσ²Tr[ΣA], exactly."""

    def sides(case: Case) -> Sides:
        bare = case.with_(gamma=_ZERO)
        left = mean_step(bare, lambda point: charge(bare, point), bare.eta)
        trace = noise_trace(bare)
        claimed = Fraction(subject[1], 2) * bare.sigma2 * trace
        return Sides(left, claimed, degenerate=not trace)

    return on_cases(
        "exact expectation",
        sides,
        context,
        r"$(E[C'] - C(E\theta'))/\eta$ against $\dot C$",
        examples=(product_pair(),),
    )


def sde_words(subject: tuple[int, int], context: Context) -> Evidence:
    """Derive the drifts of a·θ and of C from (1) and compare, n free."""
    if any(each.symmetry.kind != "exponential" for each in context.subject or ()):
        return Evidence(
            ROUTE, Verdict.NOT_APPLICABLE, "This route is about $J = A\\theta$."
        )
    law, a = quadratic_charge(), matrix("a", "n", 1)
    linear = matrix_flow(a.T @ law.theta, {law.theta: law.g})
    flow = matrix_flow(law.charge, {law.theta: law.g})
    sign, factor = subject

    def rows() -> Iterator[Row]:
        drift = linear.noise + linear.loss
        yield "drift along a", drift, sign * (a.T @ law.g.mean())
        claimed = Fraction(factor, 2) * (scalar("sigma2") * law.noise_trace)
        yield "charge", flow.noise, claimed

    return words_evidence(
        rows(),
        r"the drifts of $a\cdot\theta$ and of $C$ under (1) against $\mu$ and "
        r"$\frac12\mathrm{Tr}[GG^\top\nabla^2C]$",
        "n, A, a and the data",
        example=PRODUCT,
    )

"""Exact rational routes for ‖UWx − y‖²: Proposition 1, Theorem 2, Proposition 2."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symbolic import matrix_factorisation
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import (
    Matrix,
    Vector,
    apply,
    covariance,
    dot,
    product,
    trace_product,
)
from verify._instances import Instance
from verify._routes._common import Sides, drawn_evidence
from verify._routes._factorisation_words import Gamma
from verify._routes._flow import drift_of
from verify._scope import only_about
from verify._strategies import factorisations


_ABOUT = "matrix factorisation"


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance of the factorisation, taken apart.

    Attributes:
        U: d_y rows of d entries.
        W: d rows of d_x entries.
        x: N inputs.
        r: N residuals UWx − y.
    """

    U: Matrix
    W: Matrix
    x: tuple[Vector, ...]
    r: tuple[Vector, ...]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Return d, d_x, d_y."""
        return len(self.W), len(self.W[0]), len(self.U)

    def noise(self, *, centred: bool) -> tuple[Matrix, Matrix]:
        """Return Γ_U and Γ_W, written out as sums over the samples."""
        M = _mean_outer(self.r, self.x, [Fraction(1)] * len(self.x))
        of_U = _mean_outer(self.r, self.r, [dot(x, x) for x in self.x])
        of_W = _mean_outer(self.x, self.x, [dot(r, r) for r in self.r])
        if not centred:
            return of_U, of_W
        return difference(of_U, product(M, transpose(M))), difference(
            of_W, product(transpose(M), M)
        )

    def imbalance(self, *, centred: bool, shift: Fraction) -> Matrix:
        """Return WΓ_WWᵀ − UᵀΓ_UU with Γ shifted by a multiple of the identity."""
        of_U, of_W = (_shifted(m, shift) for m in self.noise(centred=centred))
        left = product(product(self.W, of_W), transpose(self.W))
        return difference(left, product(product(transpose(self.U), of_U), self.U))


def parts_of(instance: Instance) -> Parts:
    """Take an instance of `matrix_factorisation` apart."""
    (d_y, d), (_, d_x) = (instance.declaration.space.int_shape(n) for n in ("U", "W"))
    U = tuple(instance.theta[i * d : (i + 1) * d] for i in range(d_y))
    flat = instance.theta[d_y * d :]
    W = tuple(flat[i * d_x : (i + 1) * d_x] for i in range(d))
    x = tuple(row[:d_x] for row in instance.samples)
    V = product(U, W)
    r = tuple(
        tuple(a - b for a, b in zip(apply(V, row[:d_x]), row[d_x:], strict=True))
        for row in instance.samples
    )
    return Parts(U, W, x, r)


def symmetric_part(instance: Instance) -> Matrix:
    """Return B, read off the generator (UB, −BW): the block of −A on a column of W."""
    d, d_x, d_y = parts_of(instance).sizes
    A, start = instance.A, d_y * d
    return tuple(
        tuple(-A[start + i * d_x][start + j * d_x] for j in range(d)) for i in range(d)
    )


# Proposition 1. The subject is m in C_B = m(Tr[UBUᵀ] − Tr[WᵀBW]).


@only_about(_ABOUT)
def rows_and_columns_exact(subject: Fraction, context: Context) -> Evidence:
    """Compare the generator of C_B with Σᵢ Tr[Σ_ũᵢB] − Σⱼ Tr[Σ_w̃ⱼB], block by block."""

    def sides(instance: Instance) -> Sides:
        case = instance.with_(gamma=Fraction(0))
        d, d_x, d_y = parts_of(case).sizes
        Sigma, B = covariance(case.gradients()), symmetric_part(case)
        rows = [[i * d + k for k in range(d)] for i in range(d_y)]
        columns = [[d_y * d + k * d_x + j for k in range(d)] for j in range(d_x)]
        total = sum((_block_trace(Sigma, at, B) for at in rows), Fraction(0))
        total -= sum((_block_trace(Sigma, at, B) for at in columns), Fraction(0))
        right = case.sigma2 * total
        return Sides(2 * subject * drift_of(case), right, degenerate=not right)

    return drawn_evidence(
        "exact generator",
        sides,
        factorisations(),
        context,
        r"$\lim_h E[C_B(h) - C_B(0)]/h$ against the sum over rows and columns",
        examples=(_first(),),
    )


def _block_trace(Sigma: Matrix, at: list[int], B: Matrix) -> Fraction:
    block = tuple(tuple(Sigma[i][j] for j in at) for i in at)
    return trace_product(block, B)


def _first() -> Instance:
    """Return u = 2, w = 1, x = 1, y = 0, 1: r = 2, 1, scalar and checked by hand."""
    one, zero = Fraction(1), Fraction(0)
    return Instance(
        matrix_factorisation(1, B=[[1]]),
        ((one, zero), (one, one)),
        (Fraction(2), one),
        Fraction(1, 2),
        zero,
        1,
    )


# Theorem 2.


@only_about(_ABOUT)
def balance_exact(subject: Gamma, context: Context) -> Evidence:
    """Balance Γ exactly by the choice of γ, and see whether every C_B stands still.

    With all hidden units alike, U = u1ᵀ and W = 1w, both sides are multiples of 11ᵀ
    and their equality is one linear equation for γ. The drift is then computed from
    weak Euler steps, which know nothing of Γ.

    Returns:
        The evidence.
    """

    def sides(instance: Instance) -> Sides | None:
        case = _balanced(subject, instance)
        if case is None:
            return None
        B = symmetric_part(case)
        noise = covariance(case.gradients())
        trivial = not any(map(any, noise)) or not any(map(any, B))
        return Sides(drift_of(case), Fraction(0), degenerate=trivial, case=case)

    return drawn_evidence(
        "exact balance",
        sides,
        factorisations(),
        context,
        r"$\dot C_B$ where $W\Gamma_WW^\top = U^\top\Gamma_UU$",
        examples=(_printed(),),
        shown=("rate of C_B: {}", "rate {}"),
    )


def _printed() -> Instance:
    """Return U = (2, 0), W = 1, r = ±(1, 3): balanced as printed at γ = 1."""
    samples = ((1, 1, -3), (1, 3, 3))
    return Instance(
        matrix_factorisation(1, 1, 2, [[1]]),
        tuple(tuple(map(Fraction, row)) for row in samples),
        (Fraction(2), Fraction(0), Fraction(1)),
        Fraction(1, 4),
        Fraction(1),
        1,
    )


def _balanced(subject: Gamma, instance: Instance) -> Instance | None:
    """Return the instance with hidden units alike and γ ≥ 0 that balances Γ.

    On its orbit (qU, W/q) neither V nor Γ⁰ changes. The noise alone balances at
    q⁴ = WΓ⁰Wᵀ/UᵀΓ⁰U and the decay alone at q⁴ = ‖W‖²/‖U‖²; between the two a γ > 0
    balances their sum.

    Returns:
        The instance, or None where noise or parameters vanish or the two points meet.
    """
    parts = parts_of(instance)
    given = subject.shift_at(instance.gamma, instance.batch_size, instance.eta)
    if not any(map(any, parts.imbalance(centred=subject.centred, shift=given))):
        return instance
    u, w = tuple(row[0] for row in parts.U), parts.W[0]
    alike = _alike(instance, u, w, Fraction(1))
    of_U, of_W = parts_of(alike).noise(centred=subject.centred)
    sides = dot(w, apply(of_W, w)), dot(u, apply(of_U, u))
    sizes = dot(w, w), dot(u, u)
    if not all((*sides, *sizes)):
        return None
    middle = float(sides[0] / sides[1] * sizes[0] / sizes[1]) ** (1 / 8)
    q = Fraction(middle).limit_denominator(64)
    weight = q**2 * sizes[1] - sizes[0] / q**2
    if not q or not weight:
        return None
    shift = (sides[0] / q**2 - q**2 * sides[1]) / weight
    if shift < 0:
        return None
    unit = subject.shift_at(Fraction(1), alike.batch_size, alike.eta)
    balanced = _alike(instance, u, w, q).with_(gamma=shift / unit)
    left = parts_of(balanced).imbalance(centred=subject.centred, shift=shift)
    return balanced if not any(map(any, left)) else None


def _alike(instance: Instance, u: Vector, w: Vector, q: Fraction) -> Instance:
    d = len(parts_of(instance).W)
    theta = tuple(q * value for value in u for _ in range(d))
    return instance.with_(theta=theta + tuple(value / q for value in w) * d)


@only_about(_ABOUT)
def balance_identity(subject: Gamma, context: Context) -> Evidence:
    """Compare Ċ_B from weak Euler steps with (2η/S)Tr[(WΓ_WWᵀ − UᵀΓ_UU)B]."""

    def sides(instance: Instance) -> Sides:
        shift = subject.shift_at(instance.gamma, instance.batch_size, instance.eta)
        gap = parts_of(instance).imbalance(centred=subject.centred, shift=shift)
        right = trace_product(gap, symmetric_part(instance))
        right *= 2 * instance.eta / instance.batch_size
        return Sides(drift_of(instance), right, degenerate=not right)

    return drawn_evidence(
        "exact generator",
        sides,
        factorisations(),
        context,
        r"$\dot C_B$ against $\frac{2\eta}{S}\mathrm{Tr}[(W\Gamma_WW^\top - "
        r"U^\top\Gamma_UU)B]$",
        examples=(_printed(),),
    )


# Proposition 2. The subject is m in m(d_y Tr[WΣₓWᵀ] + ‖U‖² Tr Σₓ).


@only_about(_ABOUT)
def hessian_exact(subject: Fraction, context: Context) -> Evidence:
    """Take second differences of L_γ, exact since it is quadratic in each parameter."""

    def sides(instance: Instance) -> Sides:
        parts = parts_of(instance)
        d, d_x, d_y = parts.sizes
        ones = [Fraction(1)] * len(parts.x)
        Sigma = _mean_outer(parts.x, parts.x, ones)
        along = product(product(parts.W, Sigma), transpose(parts.W))
        size = sum((dot(row, row) for row in parts.U), Fraction(0))
        right = subject * (d_y * _trace(along) + size * _trace(Sigma))
        right += 2 * instance.gamma * d * (d_x + d_y)
        return Sides(_second_differences(instance), right, degenerate=not right)

    return drawn_evidence(
        "exact differences",
        sides,
        factorisations(),
        context,
        r"$\mathrm{Tr}\nabla^2L_\gamma$ by second differences against the formula",
        examples=(_first(),),
    )


def _second_differences(instance: Instance) -> Fraction:
    centre = _penalised_loss(instance)
    total = Fraction(0)
    for i in range(len(instance.theta)):
        for step in (1, -1):
            moved = list(instance.theta)
            moved[i] += step
            total += _penalised_loss(instance.with_(theta=tuple(moved))) - centre
    return total


def _penalised_loss(instance: Instance) -> Fraction:
    r = parts_of(instance).r
    squares = sum((dot(v, v) for v in r), Fraction(0)) / len(r)
    return squares + instance.gamma * dot(instance.theta, instance.theta)


def _mean_outer(
    a: tuple[Vector, ...], b: tuple[Vector, ...], weights: list[Fraction]
) -> Matrix:
    """Return E[w·abᵀ]."""
    triples = list(zip(a, b, weights, strict=True))
    return tuple(
        tuple(
            sum((w * p[i] * q[j] for p, q, w in triples), Fraction(0)) / len(triples)
            for j in range(len(b[0]))
        )
        for i in range(len(a[0]))
    )


def transpose(M: Matrix) -> Matrix:
    """Return Mᵀ."""
    return tuple(zip(*M, strict=True))


def difference(A: Matrix, B: Matrix) -> Matrix:
    """Return A − B."""
    return tuple(
        tuple(a - b for a, b in zip(p, q, strict=True))
        for p, q in zip(A, B, strict=True)
    )


def _shifted(A: Matrix, shift: Fraction) -> Matrix:
    return tuple(
        tuple(v + shift * (i == j) for j, v in enumerate(row))
        for i, row in enumerate(A)
    )


def _trace(A: Matrix) -> Fraction:
    return sum((A[i][i] for i in range(len(A))), Fraction(0))

"""The stationary state about a minimum θ* of ℓ₂, to order σ², in exact rationals.

ℓ = ℓ₁ + ζℓ₂ with ℓ₁ = ½Σ K_jk f_j f_k + Σ z_j f_j on average, f_j invariants that are
0 at θ*, E z = 0. With δ = θ − θ*: E[δδᵀ] = σ²P and E[δ] = σ²m up to o(σ²).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product as cartesian

import hypothesis.strategies as st

from verify._exact import Matrix, Vector, apply, dot, product, trace_product


Tensor = tuple[Matrix, ...]
_ZERO, _ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True)
class Response:
    """A broken symmetry at a common minimum θ* of L₁ and ℓ₂, σ² = 1.

    Attributes:
        name: what it is.
        A: the diagonal of A.
        star: θ*.
        slopes: g_j = ∇f_j(θ*), with g_j·Aθ* = 0.
        bends: ∇²f_j(θ*).
        stiffness: K ⪰ 0.
        noise: E[zzᵀ] ⪰ 0.
        hessian: H = ∇²ℓ₂(θ*) ≻ 0.
        cubic: ∇³ℓ₂(θ*), symmetric.
        zeta: ζ > 0.
    """

    name: str
    A: Vector
    star: Vector
    slopes: tuple[Vector, ...]
    bends: tuple[Matrix, ...]
    stiffness: Matrix
    noise: Matrix
    hessian: Matrix
    cubic: Tensor
    zeta: Fraction

    @property
    def tangent(self) -> Vector:
        """Return Aθ*."""
        return tuple(a * c for a, c in zip(self.A, self.star, strict=True))

    @property
    def sigma(self) -> Matrix:
        """Return Σ(θ*) = Σ_jk E[z_jz_k] g_jg_kᵀ."""
        return _spread(self.noise, self.slopes)

    @property
    def first_hessian(self) -> Matrix:
        """Return ∇²L₁(θ*)."""
        return _spread(self.stiffness, self.slopes)

    @property
    def matrix_A(self) -> Matrix:  # noqa: N802 - the matrix of the symmetry
        """Return A as a matrix."""
        return tuple(
            tuple(a if i == j else _ZERO for j in range(len(self.A)))
            for i, a in enumerate(self.A)
        )

    def solve(self, step: Fraction = _ZERO) -> tuple[Matrix, Vector]:
        """Return P and m.

        KP + PK − hKPK = 2Σ and Km = −½∇³L:P with K = ∇²L(θ*), h the Euler step.

        Args:
            step: h; 0 for the SDE itself.

        Returns:
            P and m by elimination in rationals.
        """
        n, H1, H2 = range(len(self.A)), self.first_hessian, self.hessian
        K = tuple(tuple(H1[i][j] + self.zeta * H2[i][j] for j in n) for i in n)
        rows, right = [], []
        for a, b in cartesian(n, repeat=2):
            row = [_ZERO] * len(n) ** 2
            for c, d in cartesian(n, repeat=2):
                row[c * len(n) + d] += (
                    K[a][c] * (b == d) + K[d][b] * (a == c) - step * K[a][c] * K[d][b]
                )
            rows.append(row)
            right.append(2 * self.sigma[a][b])
        flat = solve(rows, right)
        P = tuple(tuple(flat[a * len(n) + b] for b in n) for a in n)
        third = self.third()
        bend = [trace_product(third[i], P) / 2 for i in n]
        return P, tuple(solve([list(row) for row in K], [-b for b in bend]))

    def third(self) -> Tensor:
        """Return ∇³(L₁ + ζℓ₂) at θ*, L₁'s from K, g and ∇²f alone: f = 0 there."""
        n, pairs = range(len(self.A)), range(len(self.slopes))
        g, F, K = self.slopes, self.bends, self.stiffness

        def entry(a: int, b: int, c: int) -> Fraction:
            total = self.zeta * self.cubic[a][b][c]
            for j, k in cartesian(pairs, repeat=2):
                total += K[j][k] * (
                    g[j][a] * F[k][b][c] + g[j][b] * F[k][a][c] + g[j][c] * F[k][a][b]
                )
            return total

        return tuple(tuple(tuple(entry(a, b, c) for c in n) for b in n) for a in n)

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        return {
            "case": self.name,
            "A": f"diag({', '.join(map(str, self.A))})",
            "theta*": f"({', '.join(map(str, self.star))})",
            "Sigma": _text(self.sigma),
            "Hessian of L_1": _text(self.first_hessian),
            "Hessian of l_2": _text(self.hessian),
            "cubic of l_2": "; ".join(map(_text, self.cubic)),
            "zeta": str(self.zeta),
            "sigma2": "1",
        }


def _text(M: Matrix) -> str:
    return str([[str(v) for v in row] for row in M]).replace("'", "")


def _spread(middle: Matrix, slopes: tuple[Vector, ...]) -> Matrix:
    n, k = range(len(slopes[0])), range(len(slopes))
    return tuple(
        tuple(
            sum(
                (middle[i][j] * slopes[i][a] * slopes[j][b] for i in k for j in k),
                _ZERO,
            )
            for b in n
        )
        for a in n
    )


def solve(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Return x with Mx = right by Gauss–Jordan elimination.

    Args:
        rows: M, regular.
        right: the right-hand side.

    Returns:
        The solution.

    Raises:
        ValueError: for a singular matrix.

    >>> solve([[Fraction(2), Fraction(1)], [Fraction(1), Fraction(1)]], [3, 2])
    [Fraction(1, 1), Fraction(1, 1)]
    """
    table = [[*row, Fraction(b)] for row, b in zip(rows, right, strict=True)]
    for i in range(len(table)):
        pivot = next((j for j in range(i, len(table)) if table[j][i]), None)
        if pivot is None:
            raise ValueError("expected a regular matrix, got a singular one")
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [v / table[i][i] for v in table[i]]
        for j in range(len(table)):
            if j != i and table[j][i]:
                factor = table[j][i]
                table[j] = [
                    a - factor * b for a, b in zip(table[j], table[i], strict=True)
                ]
    return [row[-1] for row in table]


@dataclass(frozen=True, slots=True)
class Averages:
    """What (20)–(23) are about, over σ², from the linear response.

    Attributes:
        force: E[δ]ᵀHAθ*.
        square: E[δᵀHAδ].
        bend: ½(∇³ℓ₂:E[δδᵀ])·Aθ*.
        noise: Tr[Σ(θ*)A].
        shift: E C − C* with C = θᵀAθ, that is 2E[δ]ᵀAθ* + E[δᵀAδ].
        spread: E[δᵀAδ].
        along: E[δ]ᵀAθ*.
    """

    force: Fraction
    square: Fraction
    bend: Fraction
    noise: Fraction
    shift: Fraction
    spread: Fraction
    along: Fraction


def averages(case: Response, step: Fraction = _ZERO) -> Averages:
    """Return the averages of a case, for the SDE or for Euler steps h."""
    P, m = case.solve(step)
    A, tangent, H = case.matrix_A, case.tangent, case.hessian
    HA = product(H, A)
    transposed = tuple(zip(*HA, strict=True))
    bend = tuple(trace_product(case.cubic[i], P) / 2 for i in range(len(m)))
    spread = trace_product(A, P)
    return Averages(
        force=dot(m, apply(H, tangent)),
        square=trace_product(transposed, P),
        bend=dot(bend, tangent),
        noise=trace_product(case.sigma, A),
        shift=2 * dot(m, tangent) + spread,
        spread=spread,
        along=dot(m, tangent),
    )


# --- cases --------------------------------------------------------------------------


def _flat(n: int) -> Tensor:
    return tuple(tuple((_ZERO,) * n for _ in range(n)) for _ in range(n))


def _diagonal(*values: Fraction | int) -> Matrix:
    n = len(values)
    return tuple(
        tuple(Fraction(v) if i == j else _ZERO for j in range(n))
        for i, v in enumerate(values)
    )


def pure_noise(cubic: Fraction = _ZERO, h: Fraction = _ONE) -> Response:
    """Return ℓ₁ = zθ₁θ₂/‖θ‖² with z = ±1, ℓ₂ = ½h‖δ‖² + κδ₁δ₂² + …, θ* = (1, 0), A = I.

    L₁ = 0, so δ is driven by ℓ₂ and noise alone; with κ = 0, E[δ] = 0 exactly.

    Args:
        cubic: κ. The quartic that keeps ℓ₂ bounded below does not matter at order σ².
        h: the curvature of ℓ₂.
    """
    flat = [[[_ZERO] * 2 for _ in range(2)] for _ in range(2)]
    for a, b, c in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        flat[a][b][c] = 2 * cubic
    return Response(
        "l_1 = z*t1*t2/(t1^2 + t2^2), z = 1, -1",
        (_ONE, _ONE),
        (_ONE, _ZERO),
        ((_ZERO, _ONE),),
        (_diagonal(0, 0),),
        _diagonal(0),
        _diagonal(1),
        _diagonal(h, h),
        tuple(tuple(tuple(row) for row in table) for table in flat),
        _ONE,
    )


def worked_example(zeta: Fraction = _ONE) -> Response:
    """Return ℓ₁ = (uwx − y)², ℓ₂ = ½(4(u − 1)² + (w − 1)²), E x² = E xy = Q(1) = 1.

    Args:
        zeta: ζ.
    """
    return rescaling_case((1, 1), _ONE, _ONE, _diagonal(4, 1), _flat(2), zeta)


def rescaling_case(
    star: tuple[Fraction | int, Fraction | int],
    curvature: Fraction,
    noise: Fraction,
    hessian: Matrix,
    cubic: Tensor,
    zeta: Fraction,
) -> Response:
    """Return ℓ₁ = (uwx − y)² at (a, b): f = uw − ab, K = 2E x², E z² = 4Q.

    Args:
        star: (a, b), at which L₁ is least.
        curvature: E x².
        noise: Q(ab) = Var[x(abx − y)].
        hessian: ∇²ℓ₂.
        cubic: ∇³ℓ₂.
        zeta: ζ.
    """
    a, b = map(Fraction, star)
    return Response(
        "l_1 = (u*w*x - y)^2",
        (_ONE, -_ONE),
        (a, b),
        ((b, a),),
        (((_ZERO, _ONE), (_ONE, _ZERO)),),
        _diagonal(2 * curvature),
        _diagonal(4 * noise),
        hessian,
        cubic,
        zeta,
    )


def homogeneous_case(
    A: tuple[int, ...],
    stiffness: Matrix,
    noise: Matrix,
    hessian: Matrix,
    cubic: Tensor,
    zeta: Fraction,
) -> Response:
    """Return invariants f_j = θ_j θ_n^{−μ_j} at θ* = (0, …, 0, 1), A = diag(μ, 1).

    Args:
        A: the eigenvalues, the last 1.
        stiffness: K of L₁ = ½fᵀKf.
        noise: E[zzᵀ].
        hessian: ∇²ℓ₂.
        cubic: ∇³ℓ₂.
        zeta: ζ.
    """
    n = len(A)
    slopes = tuple(tuple(Fraction(int(i == j)) for i in range(n)) for j in range(n - 1))
    bends = tuple(
        tuple(
            tuple(Fraction(-A[j]) if {a, b} == {j, n - 1} else _ZERO for b in range(n))
            for a in range(n)
        )
        for j in range(n - 1)
    )
    return Response(
        "invariants t_j/t_n^mu_j",
        tuple(map(Fraction, A)),
        (_ZERO,) * (n - 1) + (_ONE,),
        slopes,
        bends,
        stiffness,
        noise,
        hessian,
        cubic,
        zeta,
    )


@st.composite
def responses(draw: st.DrawFn, *, isotropic: bool = False) -> Response:
    """Draw a rescaling or a homogeneous case in 2 or 3 dimensions.

    Args:
        draw: Hypothesis' draw.
        isotropic: whether ∇²ℓ₂ = hI and ∇³ℓ₂ = 0, else both are arbitrary.

    Returns:
        A case with a regular stationary state.
    """
    zeta = draw(_positive)
    if draw(st.booleans()):
        star = draw(_positive), draw(_positive) * draw(st.sampled_from((1, -1)))
        H, T = draw(_second_loss(2, isotropic))
        return rescaling_case(star, draw(_positive), draw(_positive), H, T, zeta)
    n = draw(st.integers(2, 3))
    mu = (*(draw(st.integers(-3, 3)) for _ in range(n - 1)), 1)
    H, T = draw(_second_loss(n, isotropic))
    K, N = draw(_semidefinite(n - 1)), draw(_semidefinite(n - 1))
    return homogeneous_case(mu, K, N, H, T, zeta)


@st.composite
def aligned_responses(draw: st.DrawFn) -> Response:
    """Draw a case in which Aθ* is an eigenvector of ∇²ℓ₂, the cubic part arbitrary."""
    case = draw(responses())
    t = case.tangent
    n, size = range(len(t)), dot(t, t)
    v = tuple(Fraction(draw(st.integers(-2, 2))) for _ in n)
    along = dot(v, t) / size
    v = tuple(a - along * b for a, b in zip(v, t, strict=True))
    h = draw(_positive)
    H = tuple(tuple(v[i] * v[j] + (h if i == j else 0) for j in n) for i in n)
    return replace(case, hessian=H)


_positive = st.sampled_from(
    sorted({Fraction(n, d) for n in range(1, 6) for d in (1, 2, 3)}, key=float)
)


@st.composite
def _semidefinite(draw: st.DrawFn, n: int) -> Matrix:
    rows = draw(
        st.lists(
            st.tuples(*[st.integers(-2, 2)] * n).filter(any), min_size=1, max_size=n
        )
    )
    return tuple(
        tuple(Fraction(sum(r[i] * r[j] for r in rows)) for j in range(n))
        for i in range(n)
    )


@st.composite
def _second_loss(draw: st.DrawFn, n: int, isotropic: bool) -> tuple[Matrix, Tensor]:
    h = draw(_positive)
    if isotropic:
        return _diagonal(*[h] * n), _flat(n)
    extra = draw(_semidefinite(n))
    H = tuple(
        tuple(extra[i][j] + (h if i == j else 0) for j in range(n)) for i in range(n)
    )
    found: dict[tuple[int, ...], Fraction] = {}
    for key in cartesian(range(n), repeat=3):
        if tuple(sorted(key)) == key:
            found[key] = Fraction(draw(st.integers(-3, 3)))
    return H, tuple(
        tuple(
            tuple(found[tuple(sorted((a, b, c)))] for c in range(n)) for b in range(n)
        )
        for a in range(n)
    )

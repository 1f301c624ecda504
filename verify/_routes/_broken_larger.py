"""Routes for P1 §4.4, "C is larger if A is positive definite"."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import hypothesis.strategies as st
import sympy as sp

from symbolic import Verdict, Witness, identity, matrix, scalar
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import product, trace_product
from verify._routes._broken_response import (
    Response,
    averages,
    homogeneous_case,
    pure_noise,
    responses,
)
from verify._routes._common import Sides, drawn_evidence
from verify._routes._words import Row, words_evidence
from verify._scope import THEORY, only_about


_ONE = Fraction(1)


# The subject: "definite", E C > C* for every A ≻ 0, or "isotropic", for ∇²ℓ₂ = hI and
# ∇³ℓ₂ = 0 the value (Tr[ΣA] + Tr[A∇²L₁P])/(ζh), and for A = I the bounds on it.


def mixed_stiffness(top: int = 20) -> Response:
    """Return A = diag(1, top, 1), L₁ = ½(f₁ + f₂)², noise along f₁, ℓ₂ = ½‖δ‖².

    Args:
        top: the second eigenvalue.

    Returns:
        The case: noise enters where A is small and L₁ hands it on to where A is large.
    """
    eye = _diagonal(3)
    K = ((_ONE, _ONE), (_ONE, _ONE))
    N = ((_ONE, 0 * _ONE), (0 * _ONE, 0 * _ONE))
    return homogeneous_case((1, top, 1), K, N, eye, _no_cubic(3), _ONE)


def _diagonal(n: int) -> tuple[tuple[Fraction, ...], ...]:
    return tuple(tuple(Fraction(int(i == j)) for j in range(n)) for i in range(n))


def _no_cubic(n: int) -> tuple[tuple[tuple[Fraction, ...], ...], ...]:
    return ((((Fraction(0),) * n),) * n,) * n


@st.composite
def _cases(draw: st.DrawFn) -> Response:
    """Draw ∇²ℓ₂ = hI, ∇³ℓ₂ = 0; A is I for every other case."""
    case = draw(responses(isotropic=True))
    if draw(st.booleans()):
        return case
    n = draw(st.integers(2, 3))
    rows = draw(
        st.tuples(*[st.tuples(*[st.integers(-2, 2)] * (n - 1)).filter(any)] * 2)
    )
    K, N = (
        tuple(tuple(Fraction(r[i] * r[j]) for j in range(n - 1)) for i in range(n - 1))
        for r in rows
    )
    h = case.hessian[0][0]
    H = tuple(tuple(h * v for v in row) for row in _diagonal(n))
    return homogeneous_case((1,) * n, K, N, H, _no_cubic(n), case.zeta)


@only_about(THEORY)
def larger_exact(subject: str, context: Context) -> Evidence:
    """Solve for E C − C* in rationals and look at its sign, or at its value.

    Returns:
        The evidence.
    """
    route = "linear response"

    def sign(case: Response) -> Sides | None:
        if min(case.A) <= 0:
            return None
        return Sides(averages(case).shift, Fraction(0))

    def value(case: Response) -> Sides:
        found, scale = averages(case), case.zeta * case.hessian[0][0]
        P, _ = case.solve()
        stiff = trace_product(
            tuple(zip(*product(case.matrix_A, case.first_hessian), strict=True)), P
        )
        printed = 2 * found.noise / scale
        if set(case.A) == {1} and not printed / 2 <= found.shift <= printed:
            return Sides(found.shift, printed)
        right = (found.noise + stiff) / scale
        return Sides(found.shift, right, degenerate=not found.spread)

    if subject == "isotropic":
        return drawn_evidence(
            route,
            value,
            _cases(),
            context,
            r"$E C - C^*$ over $\sigma^2$",
            examples=(pure_noise(), mixed_stiffness()),
        )
    return drawn_evidence(
        route,
        sign,
        responses(),
        context,
        r"$E C - C^*$ over $\sigma^2$",
        examples=(pure_noise(_ONE), mixed_stiffness()),
        relation=Fraction.__gt__,
        shown=("{}", "more than {}"),
    )


@only_about(THEORY)
def larger_words(subject: str, context: Context) -> Evidence:
    """Take the trace of the Lyapunov equation with A, n free; or show the cubic ℓ₂.

    Returns:
        The evidence.
    """
    route = "trace of the Lyapunov equation"
    if subject != "isotropic":
        return _reversed(route)
    A, H, P = (matrix(s, "n", "n", symmetric=True) for s in ("A", "H_1", "P"))
    zh = scalar("zeta") * scalar("h")
    K = H + zh * identity("n")
    half = Fraction(1, 2)
    Sigma = half * (K @ P + P @ K)  # KP + PK = 2Σ
    noise, spread, stiff = (Sigma @ A).tr(), (P @ A).tr(), (A @ H @ P).tr()
    along = noise - zh * spread  # ζh E[δ]·Aθ*, from (20) to second order

    def rows() -> Iterator[Row]:
        yield "shift times ζh", 2 * along + zh * spread, noise + stiff
        eye = {"noise": Sigma.tr(), "stiff": (H @ P).tr()}
        yield "A = I", eye["noise"] - eye["stiff"], zh * P.tr()

    return words_evidence(
        rows(),
        r"$\zeta h(E C - C^*)/\sigma^2$ against $\mathrm{Tr}[\Sigma A] + "
        r"\mathrm{Tr}[A\nabla^2L_1P]$",
        "n, A, Σ and the first loss",
        (
            r"$P = \lim E[\delta\delta^\top]/\sigma^2$, $H_1 = \nabla^2L_1(\theta^*)$ "
            r"and $\zeta hE[\delta]^\top A\theta^* = \sigma^2\mathrm{Tr}[\Sigma A] - "
            r"\zeta hE[\delta^\top A\delta]$.",
            r"$A = I$: $0 \le \mathrm{Tr}[H_1P] \le \mathrm{Tr}\,\Sigma$, since "
            r"$\mathrm{Tr}\,\Sigma - \mathrm{Tr}[H_1P] = \zeta h\,\mathrm{Tr}\,P$: the "
            r"shift lies between one half of (22) and all of it.",
        ),
    )


def _reversed(route: str) -> Evidence:
    """Solve the moments of pure noise in ℓ₂ = ½(δ₁ + κδ₂²)² + ½δ₂² in closed form.

    With κ = 1: dδ₂ = −ζδ₂dt + noise to this order, so E δ₂² = σ²s/ζ, and ζE[δ₁ + δ₂²] =
    0 exactly, since ∂ℓ₂/∂δ₁ = δ₁ + δ₂² and the noise has the mean 0.

    Returns:
        REFUTED, where the sum is negative.
    """
    d1, d2, kappa = sp.symbols("delta_1 delta_2 kappa", real=True)
    second = (d1 + kappa * d2**2) ** 2 / 2 + d2**2 / 2
    force = sp.expand(second.diff(d1))
    p = sp.Symbol("p", positive=True)  # E δ₂² over σ²
    (mean,) = sp.solve(force.subs(d2**2, p), d1)
    shift = sp.expand(2 * mean + p).subs(kappa, 1)  # E‖θ‖² − 1 = 2E δ₁ + E‖δ‖²
    if not shift.is_negative:
        reason = f"the shift of the example is {shift}"
        return Evidence(route, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        route,
        Verdict.REFUTED,
        "A curved valley of ℓ₂ turns the sign.",
        instances=1,
        counterexample=Witness(
            {
                "l_1": "z*t1*t2/(t1^2 + t2^2), z = 1, -1",
                "l_2": "(d1 + d2^2)^2/2 + d2^2/2, d = theta - (1, 0)",
                "A": "I",
            },
            f"(E C - C*)/sigma2 -> {shift} with p = E[d2^2]/sigma2 > 0",
            "more than 0",
            exact=True,
        ),
    )

"""Routes for Theorem 2's existence: the construction, in rationals and in floats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from numeric import LinearNet, NoiseMatrices
from symbolic import Verdict, Witness
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence
from verify._scope import only_about


Array = NDArray[np.float64]
_ABOUT = "matrix factorisation"
_UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True)
class Construction:
    """Rational √Γ_U, √Γ_W and singular value decomposition √Γ_U V √Γ_W = L T² R.

    Attributes:
        out_root: √Γ_U, positive definite, d_y × d_y.
        in_root: √Γ_W, positive definite, d_x × d_x.
        L: orthonormal columns, d_y × r.
        T: square roots of the singular values.
        R: orthonormal rows, r × d_x.
        F: orthonormal rows, r × d.
    """

    out_root: sp.ImmutableDenseMatrix
    in_root: sp.ImmutableDenseMatrix
    L: sp.ImmutableDenseMatrix
    T: sp.ImmutableDenseMatrix
    R: sp.ImmutableDenseMatrix
    F: sp.ImmutableDenseMatrix

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        names = ("out_root", "in_root", "L", "T", "R", "F")
        return {name: str(getattr(self, name).tolist()) for name in names}


@only_about(_ABOUT)
def existence_exact(subject: str, context: Context) -> Evidence:
    """Carry the construction out in rationals: product and balance, entry by entry."""
    route = "exact construction"
    if subject != "positive definite":
        return Evidence(
            route, Verdict.NOT_APPLICABLE, "The construction needs Γ^{−1/2}."
        )

    def sides(case: Construction) -> Sides:
        half_U, half_W = case.out_root, case.in_root
        V = half_U.inv() * case.L * case.T**2 * case.R * half_W.inv()
        U = half_U.inv() * case.L * case.T * case.F
        W = case.F.T * case.T * case.R * half_W.inv()
        gap = [*(U * W - V), *(W * half_W**2 * W.T - U.T * half_U**2 * U)]
        worst = max(gap, key=abs)
        return Sides(Fraction(int(worst.p), int(worst.q)), Fraction(0))

    return drawn_evidence(
        route,
        sides,
        _constructions(),
        context,
        "$UW - V$ and the two sides' difference",
    )


@st.composite
def _constructions(draw: st.DrawFn) -> Construction:
    d_x, d_y = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    r = draw(st.integers(1, min(d_x, d_y)))
    d = draw(st.integers(r, 4))
    roots = draw(st.lists(st.integers(1, 4), min_size=r, max_size=r))
    return Construction(
        draw(_definite(d_y)),
        draw(_definite(d_x)),
        draw(_reflection(d_y))[:, :r],
        sp.ImmutableDenseMatrix(sp.diag(*roots)) / 2,
        draw(_reflection(d_x))[:r, :],
        draw(_reflection(d))[:r, :],
    )


@st.composite
def _reflection(draw: st.DrawFn, n: int) -> sp.ImmutableDenseMatrix:
    v = sp.Matrix(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)))
    norm = v.dot(v)
    return sp.ImmutableDenseMatrix(
        sp.eye(n) - 2 * v * v.T / norm if norm else sp.eye(n)
    )


@st.composite
def _definite(draw: st.DrawFn, n: int) -> sp.ImmutableDenseMatrix:
    Q = draw(_reflection(n))
    values = draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    return sp.ImmutableDenseMatrix(Q * sp.diag(*values) * Q / 2)


@only_about(_ABOUT)
def existence_numeric(subject: str, context: Context) -> Evidence:
    """Build U and W by a floating SVD from the Γ of drawn data, at larger sizes.

    The residuals are bounded by rounding: each of the six products of the construction
    costs n·u relative to the norms of its factors, Γ^{±1/2} among them.

    Returns:
        The evidence.
    """
    route = "singular value decomposition"
    if subject != "positive definite":
        return Evidence(
            route, Verdict.NOT_APPLICABLE, "The construction needs Γ^{−1/2}."
        )
    count, worst, coarsest = 0, 0.0, 0.0
    for ratio, tolerance in _built(context):
        if not ratio <= 1.0:
            return _too_far(count, ratio, context)
        count += 1
        worst, coarsest = max(worst, ratio), max(coarsest, tolerance)
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"{count} data sets with d up to 12: UW = V and the two sides agree, worst "
        f"residual {worst:.2g} of its rounding bound.",
        instances=count,
        tolerance=coarsest,
        detectable=coarsest,
    )


def _too_far(number: int, ratio: float, context: Context) -> Evidence:
    """Return REFUTED, naming the stream from which the data were drawn."""
    stream = {
        "data set": str(number),
        "Philox key": str(context.key("existence", number)),
    }
    return Evidence(
        "singular value decomposition",
        Verdict.REFUTED,
        "UW and V, or the two sides, differ by more than rounding.",
        instances=number + 1,
        counterexample=Witness(
            stream, f"residual {ratio:.2g}", "at most 1 of its bound", exact=False
        ),
    )


def _built(context: Context) -> Iterator[tuple[float, float]]:
    """Yield residual over bound, and the bound relative to the sides, per data set."""
    for k in range(context.profile.exact):
        rng = context.rng("existence", k)
        d_x, d_y, extra = (int(v) for v in rng.integers(1, 9, 3))
        d = min(d_x, d_y) + extra % 5
        x, y = rng.normal(size=(64, d_x)), rng.normal(size=(64, d_y))
        V = np.asarray(np.linalg.lstsq(x, y + x[:, :1], rcond=None)[0].T, np.float64)
        first = LinearNet(np.eye(d_y), V)
        noise = first.noise(x, y)
        halves = [_powers(g) for g in (noise.U, noise.W)]
        (half_U, back_U), (half_W, back_W) = halves
        L, values, R = np.linalg.svd(half_U @ V @ half_W, full_matrices=False)
        F = np.linalg.qr(rng.normal(size=(d, len(values))))[0].T
        roots = np.sqrt(values)
        net = LinearNet(back_U @ (L * roots) @ F, F.T @ (roots[:, None] * R) @ back_W)
        yield _residual(net, V, noise, halves)


def _powers(Gamma: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(Gamma)
    roots = np.sqrt(values)
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


def _residual(
    net: LinearNet,
    V: Array,
    noise: NoiseMatrices,
    halves: list[tuple[Array, Array]],
) -> tuple[float, float]:
    left, right = net.sides(noise)
    condition = max(
        float(np.linalg.norm(a, 2) * np.linalg.norm(b, 2)) ** 2 for a, b in halves
    )
    sizes = sum(net.U.shape) + sum(net.W.shape)
    bound = 16 * sizes * _UNIT_ROUNDOFF * condition**2
    norms = [np.linalg.norm(m) for m in (left - right, left, net.U @ net.W - V, V)]
    gap, side, miss, scale = (float(v) for v in norms)
    return max(gap / (bound * side), miss / (bound * scale)), bound

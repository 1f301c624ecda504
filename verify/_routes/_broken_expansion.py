"""Routes for P1, Eqs. (20)–(23): what a broken symmetry's stationary averages obey.

The stationary average of (19), ζE[∇ℓ₂·Aθ] = σ²E Tr[ΣA], is expanded about a minimum θ*
of ℓ₂. E‖δ‖² is of order σ², that of the terms kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

import sympy as sp

from symbolic import Verdict, Witness, compare
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import apply
from verify._routes._broken_response import (
    Averages,
    Response,
    aligned_responses,
    averages,
    pure_noise,
    responses,
    worked_example,
)
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._scope import THEORY, only_about


@dataclass(frozen=True, slots=True)
class Kept:
    """Which terms of order σ² an equation keeps, as factors; 0 where printed without.

    Attributes:
        part: "force" for (20), "along" for (21), "shift" for (22)–(23).
        square: of E[δᵀHAδ].
        bend: of ½(∇³ℓ₂:E[δδᵀ])·Aθ*.
        spread: of E[δᵀAδ], in "shift" alone.
    """

    part: str
    square: Fraction = Fraction(1)
    bend: Fraction = Fraction(1)
    spread: Fraction = Fraction(1)

    def says(self) -> tuple[str, ...]:
        """Return which terms the part has."""
        terms = ("square", "bend")
        return (*terms, "spread") if self.part == "shift" else terms

    def right(self, found: Averages, zeta: Fraction, h: Fraction | None) -> Fraction:
        """Return what the left-hand side is claimed to be, over σ².

        Args:
            found: the averages of a case.
            zeta: ζ.
            h: the eigenvalue of Aθ*; None where it is not needed.

        Returns:
            The right-hand side for ζE[δ]ᵀHAθ*, for E[δ]ᵀAθ* or for E C − C*.
        """
        force = found.noise - zeta * (
            self.square * found.square + self.bend * found.bend
        )
        if self.part == "force" or h is None:
            return force
        along = force / (zeta * h)
        return along if self.part == "along" else 2 * along + self.spread * found.spread

    def left(self, found: Averages, zeta: Fraction) -> Fraction:
        """Return the left-hand side."""
        sides = {
            "force": zeta * found.force,
            "along": found.along,
            "shift": found.shift,
        }
        return sides[self.part]


def printed(part: str) -> Kept:
    """Return the equation as printed: first order in δ only."""
    return Kept(part, Fraction(0), Fraction(0), Fraction(0))


WHAT = {
    "force": r"$\zeta E[\delta]^\top HA\theta^*$ over $\sigma^2$",
    "along": r"$E[\delta]^\top A\theta^*$ over $\sigma^2$",
    "shift": r"$E C - C^*$ over $\sigma^2$",
}


def curvature_along(case: Response) -> Fraction | None:
    """Return h with ∇²ℓ₂Aθ* = hAθ*, or None where Aθ* is no eigenvector."""
    t = case.tangent
    image = apply(case.hessian, t)
    i = next(k for k, v in enumerate(t) if v)
    h = image[i] / t[i]
    return h if all(a == h * b for a, b in zip(image, t, strict=True)) else None


@only_about(THEORY)
def kept_exact(subject: Kept, context: Context) -> Evidence:
    """Solve the Lyapunov equation of drawn cases in rationals and compare.

    Returns:
        The evidence.
    """
    route = "linear response"
    aligned = subject.part != "force"

    def sides(case: Response) -> Sides | None:
        h = curvature_along(case)
        if aligned and h is None:
            return None
        found = averages(case)
        right = subject.right(found, case.zeta, h)
        left = subject.left(found, case.zeta)
        return Sides(left, right, degenerate=not (found.square or found.bend))

    return drawn_evidence(
        route,
        sides,
        aligned_responses() if aligned else responses(),
        context,
        WHAT[subject.part],
        examples=(pure_noise(), pure_noise(Fraction(1)), worked_example()),
        shown=("{}", "{}"),
    )


@only_about(THEORY)
def kept_symbolic(subject: Kept, context: Context) -> Evidence:
    """Check pure noise in closed form, then expand ∇ℓ₂·Aθ for a general ℓ₂.

    Returns:
        The evidence.
    """
    route = "expansion to second order"
    left, right, shown = _pure_noise(subject)
    finding = compare(left, right)
    if finding.verdict is Verdict.REFUTED and finding.witness is not None:
        w = finding.witness
        return Evidence(
            route,
            Verdict.REFUTED,
            f"{WHAT[subject.part]}: another value for pure noise about a minimum.",
            instances=1,
            counterexample=Witness(shown | dict(w.values), w.left, w.right, w.exact),
        )
    return symbolic_evidence(
        route,
        _expansions(subject),
        r"$\nabla\ell_2\cdot A\theta$ to second order in $\delta$",
        (
            r"In the stationary state the drift of $C$ averages to 0: "
            r"$\zeta E[\nabla\ell_2\cdot A\theta] = \sigma^2E\,\mathrm{Tr}[\Sigma A]$.",
            r"$E\,\mathrm{Tr}[\Sigma A] = \mathrm{Tr}[\Sigma(\theta^*)A] + o(1)$ as "
            r"$\sigma \to 0$, and $\nabla\ell_2\cdot A\theta = \delta^\top HA\theta^* "
            r"+ \delta^\top HA\delta + \frac12(\nabla^3\ell_2:\delta\delta^\top)\cdot "
            r"A\theta^* + O(\|\delta\|^3)$; the last is $o(\sigma^2)$ on average.",
            r"$C = C^* + 2\delta^\top A\theta^* + \delta^\top A\delta$ is exact.",
        ),
    )


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def _pure_noise(
    subject: Kept,
) -> tuple[sp.Expr, sp.Expr, dict[str, str]]:
    """Return both sides for ℓ₁ = zf, ℓ₂ = ½h‖δ‖² + κδ₁δ₂², A = I, θ* = (1, 0).

    Moments close: dδ₂ has −ζhδ₂ and noise 2σ²s, so E δ₂² = σ²p with −2ζhp + 2s = 0, and
    the mean of δ₁ has −ζ(hm + κp) = 0; the rest is of higher order.
    """
    h, zeta, s = sp.symbols("h zeta s", positive=True)
    kappa, p, m = sp.symbols("kappa p m", real=True)
    (p_at,) = sp.solve(-2 * zeta * h * p + 2 * s, p)
    (m_at,) = sp.solve(-zeta * (h * m + kappa * p_at), m)
    square, bend, noise, spread = h * p_at, kappa * p_at, s, p_at
    force = noise - zeta * (
        _rational(subject.square) * square + _rational(subject.bend) * bend
    )
    along = force / (zeta * h)
    sides = {
        "force": (zeta * h * m_at, force),
        "along": (m_at, along),
        "shift": (2 * m_at + p_at, 2 * along + _rational(subject.spread) * spread),
    }
    shown = {"l_1": "z*t1*t2/(t1^2 + t2^2)", "A": "I", "theta*": "(1, 0)"}
    return *sides[subject.part], shown


def _expansions(subject: Kept) -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
    """Yield the terms of ∇ℓ₂·Aθ of orders 0, 1 and 2 in δ for n = 1, 2, 3."""
    eps = sp.Symbol("epsilon", real=True)
    for n in range(1, 4):
        delta = sp.symbols(f"delta:{n}", real=True)
        star, mu = sp.symbols(f"theta:{n}", real=True), sp.symbols(f"mu:{n}", real=True)
        quadratic, cubic = (_generic(delta, order) for order in (2, 3))
        second_loss = quadratic + cubic
        force = sum(
            second_loss.diff(d) * a * (c + d)
            for d, a, c in zip(delta, mu, star, strict=True)
        )
        scaled = sp.expand(force.subs({d: eps * d for d in delta}, simultaneous=True))
        first = sum(
            quadratic.diff(d) * a * c for d, a, c in zip(delta, mu, star, strict=True)
        )
        square = sum(quadratic.diff(d) * a * d for d, a in zip(delta, mu, strict=True))
        bend = sum(
            cubic.diff(d) * a * c for d, a, c in zip(delta, mu, star, strict=True)
        )
        kept = _rational(subject.square) * square + _rational(subject.bend) * bend
        claimed = (sp.S.Zero, first, kept)
        for order, right in enumerate(claimed):
            yield f"n = {n}, order {order}", scaled.coeff(eps, order), sp.expand(right)


def _generic(delta: tuple[sp.Symbol, ...], order: int) -> sp.Expr:
    """Return the general form of an order, with ∂ of it over the right factorials."""
    total = sp.S.Zero
    for key in combinations_with_replacement(range(len(delta)), order):
        name = "_".join(map(str, key))
        total += sp.Symbol(f"c_{name}", real=True) * sp.prod(delta[i] for i in key)
    return total


# The worked example. The subject is a factor of the closed form, 0 for no shift.


def closed_form(zeta: sp.Expr) -> sp.Expr:
    """Return lim (E C − C*)/σ² for the worked example, C = ½θᵀAθ."""
    top = -3 * (10 * zeta**2 - 7 * zeta - 20)
    return top / ((2 * zeta + 5) ** 2 * (5 * zeta + 4))


@only_about(THEORY)
def example_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Solve the 2 × 2 Lyapunov equation with ζ free, from the losses by sympy.

    Returns:
        The evidence.
    """
    route = "Lyapunov equation"
    u, w = sp.symbols("u w", real=True)
    zeta = sp.Symbol("zeta", real=True)
    # E (uwx − y)² = (uw)²E x² − 2uwE xy + E y²; g = 2x(uwx − y)(w, u), Q(1) = 1.
    first = (u * w) ** 2 - 2 * u * w
    loss = first + zeta * (4 * (u - 1) ** 2 + (w - 1) ** 2) / 2
    at = {u: 1, w: 1}
    K = sp.hessian(loss, (u, w)).subs(at)
    N = 2 * 4 * sp.Matrix([w, u]) * sp.Matrix([[w, u]])
    N = N.subs(at)
    adjugate, trace = K.adjugate(), K.trace()
    # KP + PK = N in two dimensions.
    P = (K.det() * N + adjugate * N * adjugate) / (2 * trace * K.det())
    bend = sp.Matrix(
        [(sp.hessian(loss.diff(z), (u, w)).subs(at) * P).trace() / 2 for z in (u, w)]
    )
    m = -(adjugate * bend) / K.det()
    charge = (u**2 - w**2) / 2
    slope = sp.Matrix([charge.diff(z) for z in (u, w)]).subs(at)
    found = slope.dot(m) + (sp.hessian(charge, (u, w)) * P).trace() / 2
    rows: list[tuple[str, sp.Expr, sp.Expr]] = [
        (f"Lyapunov equation, entry {i}", entry, sp.S.Zero)
        for i, entry in enumerate(K * P + P * K - N)
    ]
    name = "l_1 = (u*w*x - y)^2, l_2 = (4(u - 1)^2 + (w - 1)^2)/2"
    rows.append((name, found, _rational(subject) * closed_form(zeta)))
    return symbolic_evidence(
        route,
        rows,
        r"$\lim(E C - C^*)/\sigma^2$ against the closed form",
        (
            r"$KP + PK = 2\Sigma(\theta^*)$, $Km = -\frac12\nabla^3L:P$, $K = "
            r"\nabla^2(L_1 + \zeta\ell_2)(\theta^*)$.",
            r"$E C - C^* = \sigma^2(A\theta^*\cdot m + \frac12\mathrm{Tr}[AP]) + "
            r"o(\sigma^2)$ with $C = \frac12\theta^\top A\theta$.",
        ),
    )


@only_about(THEORY)
def example_exact(subject: Fraction, context: Context) -> Evidence:
    """Solve it by elimination in rationals at many ζ.

    Returns:
        The evidence.
    """
    route = "elimination"

    def sides(case: Response) -> Sides:
        value = closed_form(_rational(case.zeta))
        right = subject * Fraction(int(value.p), int(value.q))
        return Sides(averages(case).shift / 2, right)

    zetas = responses().map(lambda case: worked_example(case.zeta))
    return drawn_evidence(
        route,
        sides,
        zetas,
        context,
        r"$\lim(E C - C^*)/\sigma^2$",
        examples=(worked_example(),),
    )

"""The Fokker–Planck equation, as the adjoint of the generator."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import hypothesis.strategies as st
import sympy as sp

from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._stationary_cases import ONE, ZERO, general


@dataclass(frozen=True, slots=True)
class Planck:
    """∂ₜp = drift·∇·(p∇L) + ½T^power ΣΣ ∂ᵢ∂ⱼ(Cᵢⱼp)."""

    drift: int = 1
    power: int = 1


@general
def planck_symbolic(planck: Planck, context: Context) -> Evidence:
    """Show that φ ∂ₜp − p 𝓛φ is a divergence, for any φ, p, L and C."""
    del context
    rows = []
    for n in (1, 2):
        x = sp.symbols(f"x1:{n + 1}", real=True)
        p, phi, L = (sp.Function(name)(*x) for name in ("p", "phi", "L"))
        C = [
            [sp.Function(f"C{min(i, j)}{max(i, j)}")(*x) for j in range(n)]
            for i in range(n)
        ]
        T = sp.Symbol("T", positive=True)
        left, right = _adjoint(planck, x, p, phi, L, C, T)
        rows.append((f"$n = {n}$", _named(sp.expand(left - right)), sp.S.Zero))
    return symbolic_evidence(
        "adjoint of the generator",
        rows,
        r"$\varphi\,\partial_tp - p\mathcal L\varphi$ against a divergence",
        steps=(
            r"$\mathcal L\varphi = -\nabla L\cdot\nabla\varphi + \frac T2C:"
            r"\nabla^2\varphi$, and $\frac{d}{dt}E\varphi = E\mathcal L\varphi$ by "
            r"Itô's formula.",
            r"$\varphi\nabla\cdot(p\nabla L) + p\nabla L\cdot\nabla\varphi = "
            r"\nabla\cdot(\varphi p\nabla L)$, and with $b_{ij} = C_{ij}p$, "
            r"$\varphi\partial_i\partial_jb_{ij} - b_{ij}\partial_i\partial_j\varphi = "
            r"\partial_i(\varphi\partial_jb_{ij}) - \partial_j(b_{ij}\partial_i"
            r"\varphi)$.",
            r"Each term has at most two indices: $n = 2$ shows it for every $n$.",
        ),
    )


def _adjoint(
    planck: Planck,
    x: tuple[sp.Symbol, ...],
    p: sp.Expr,
    phi: sp.Expr,
    L: sp.Expr,
    C: list[list[sp.Expr]],
    T: sp.Symbol,
) -> tuple[sp.Expr, sp.Expr]:
    """Return φ ∂ₜp − p 𝓛φ as claimed, and the divergence it should be."""
    n = range(len(x))
    printed = planck.drift * sum(sp.diff(p * L.diff(x[i]), x[i]) for i in n)
    printed += (
        T**planck.power
        / 2
        * sum(sp.diff(C[i][j] * p, x[i], x[j]) for i, j in product(n, n))
    )
    generator = -sum(L.diff(x[i]) * phi.diff(x[i]) for i in n)
    generator += T / 2 * sum(C[i][j] * phi.diff(x[i], x[j]) for i, j in product(n, n))
    current = sum(sp.diff(phi * p * L.diff(x[i]), x[i]) for i in n)
    for i, j in product(n, n):
        b = C[i][j] * p
        current += T / 2 * sp.diff(phi * b.diff(x[j]), x[i])
        current -= T / 2 * sp.diff(b * phi.diff(x[i]), x[j])
    return phi * printed - p * generator, current


def _named(expression: sp.Expr) -> sp.Expr:
    """Replace functions and their derivatives by symbols."""
    kinds = (sp.Derivative, sp.core.function.AppliedUndef)
    for letter, kind in zip("jf", kinds, strict=True):
        found = sorted(expression.atoms(kind), key=str)
        names = {
            each: sp.Symbol(f"{letter}{k}", real=True) for k, each in enumerate(found)
        }
        expression = expression.xreplace(names)
    return expression


Polynomial = dict[tuple[int, ...], Fraction]


@dataclass(frozen=True, slots=True)
class Start:
    """p = N(0, I), a loss, noise and a test function, all polynomials.

    Attributes:
        n: dimension.
        L: the loss.
        C: the upper triangle of the covariance, by (i, j).
        phi: the test function.
        T: temperature.
    """

    n: int
    L: Polynomial
    C: dict[tuple[int, int], Polynomial]
    phi: Polynomial
    T: Fraction

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        noise = {f"C{i}{j}": shown(f) for (i, j), f in self.C.items()}
        head = {"p": "N(0, I)", "L": shown(self.L), "phi": shown(self.phi)}
        return {**head, **noise, "T": str(self.T)}


def shown(f: Polynomial) -> str:
    """Return a polynomial as text."""
    terms = [
        "*".join([str(c), *(f"x{i}^{k}" for i, k in enumerate(power) if k)])
        for power, c in f.items()
    ]
    return " + ".join(terms) or "0"


def times(f: Polynomial, g: Polynomial) -> Polynomial:
    """Return fg."""
    result: Polynomial = {}
    for (a, c), (b, e) in product(f.items(), g.items()):
        power = tuple(i + j for i, j in zip(a, b, strict=True))
        result[power] = result.get(power, ZERO) + c * e
    return result


def slope(f: Polynomial, i: int) -> Polynomial:
    """Return ∂f/∂xᵢ."""
    return {
        (*power[:i], power[i] - 1, *power[i + 1 :]): c * power[i]
        for power, c in f.items()
        if power[i]
    }


def weighed_slope(f: Polynomial, i: int) -> Polynomial:
    """Return ∂ᵢf − xᵢf: the slope of f e^{−|x|²/2}, over e^{−|x|²/2}."""
    result = dict(slope(f, i))
    for power, c in f.items():
        raised = (*power[:i], power[i] + 1, *power[i + 1 :])
        result[raised] = result.get(raised, ZERO) - c
    return result


def expectation(f: Polynomial) -> Fraction:
    """Return E f under N(0, I)."""
    total = ZERO
    for power, c in f.items():
        moment = ONE
        for k in power:
            moment *= 0 if k % 2 else _double_factorial(k - 1)
        total += c * moment
    return total


def _double_factorial(k: int) -> int:
    return 1 if k < 2 else k * _double_factorial(k - 2)


@general
def planck_exact(planck: Planck, context: Context) -> Evidence:
    """Compare d/dt E φ with ∫ φ ∂ₜp at p = N(0, I), by Gaussian moments."""

    def sides(case: Start) -> Sides:
        right, n = ZERO, range(case.n)
        left = ZERO
        for i in n:
            left -= expectation(times(slope(case.L, i), slope(case.phi, i)))
            moved = weighed_slope(slope(case.L, i), i)
            right += planck.drift * expectation(times(case.phi, moved))
        for i, j in product(n, n):
            noise = case.C[min(i, j), max(i, j)]
            bent = slope(slope(case.phi, i), j)
            left += case.T / 2 * expectation(times(noise, bent))
            spread = weighed_slope(weighed_slope(noise, j), i)
            factor = case.T**planck.power / 2
            right += factor * expectation(times(case.phi, spread))
        return Sides(left, right, degenerate=not (left or right))

    return drawn_evidence(
        "Gaussian moments",
        sides,
        starts(),
        context,
        r"$\frac{d}{dt}E\varphi$ against $\int\varphi\,\partial_tp$",
        examples=(_SPRING,),
        shown=("E phi moves at {}", "{}"),
    )


_SPRING = Start(
    1, {(2,): Fraction(1, 2)}, {(0, 0): {(0,): ONE}}, {(2,): ONE}, Fraction(1, 2)
)


@st.composite
def starts(draw: st.DrawFn) -> Start:
    """Draw n ≤ 3 and polynomials of degree ≤ 3 in each of a few terms."""
    n = draw(st.integers(1, 3))
    power = st.tuples(*[st.integers(0, 2)] * n)
    number = st.integers(-3, 3).filter(bool).map(Fraction)
    polynomial = st.dictionaries(power, number, min_size=1, max_size=3)
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    C = {pair: draw(polynomial) for pair in pairs}
    T = Fraction(1, draw(st.integers(2, 5)))
    return Start(n, draw(polynomial), C, draw(polynomial), T)

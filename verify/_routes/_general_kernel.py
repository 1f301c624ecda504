"""Routes for what the noise does not move: ΣJ = 0, √ΣJ = 0, Tr[ΣA] = 0."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    Verdict,
    Witness,
    matrix,
    norm2,
    quadratic_charge,
    rewrite,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, Vector, apply, dot, form, mean, product
from verify._routes._common import Sides, drawn_evidence, in_general
from verify._routes._general_cases import (
    Case,
    drawn_number,
    nets,
    plain_net,
    product_pair,
)
from verify._routes._general_product import PRODUCT, SHOWN
from verify._routes._general_quantities import (
    covariance_of,
    noise_trace,
    on_cases,
)
from verify._routes._words import (
    ROUTE,
    Example,
    Row,
    words_evidence,
)
from verify._scope import only_about


_ZERO = Fraction(0)


# (27)–(29). The subject is "charge", or "perturbed" for C + ½‖θ‖².


def kernel_words(subject: str, context: Context) -> Evidence:
    """Multiply ∇L, Σ and √Σ by ∇C with n free; g·Aθ = 0 is the only property used."""
    del context
    law = quadratic_charge()
    J = law.A @ law.theta
    if subject == "perturbed":
        J = J + law.theta
    g, centre = law.g, law.g.mean()
    a, R = matrix("a", "n", 1), matrix("R", "n", "n", symmetric=True)
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    spread = ((J.T @ g) @ (g.T @ J)).mean() - (J.T @ centre) @ (centre.T @ J)
    mixed = ((a.T @ g) @ (g.T @ J)).mean() - (a.T @ centre) @ (centre.T @ J)

    def rows() -> Iterator[Row]:
        yield "(27)", law.on_shell(J.T @ centre), zero(1, 1)
        yield "(28), along any a", law.on_shell(mixed), zero(1, 1)
        root = rewrite(norm2(R @ J), {R @ R: Sigma})
        yield "(29), its square", root, J.T @ Sigma @ J
        yield "(29), that it is 0", law.on_shell(spread), zero(1, 1)

    return words_evidence(
        rows(),
        r"$\nabla C^\top\nabla L$, $\nabla C^\top\Sigma a$ and "
        r"$\|\sqrt\Sigma\nabla C\|^2 = \nabla C^\top\Sigma\nabla C$ against 0",
        "n, A and the data",
        (r"$\Sigma = E[gg^\top] - \bar g\bar g^\top$ with $g\cdot A\theta = 0$.",),
        PRODUCT,
    )


def kernel_exact(subject: str, context: Context) -> Evidence:
    """Multiply Σ and ∇L of drawn nets by ∇C."""

    def sides(case: Case) -> Sides:
        J = apply(case.A, case.theta)
        if subject == "perturbed":
            J = tuple(a + b for a, b in zip(J, case.theta, strict=True))
        Sigma = covariance_of(case)
        left = [dot(mean(case.gradients()), J), *apply(Sigma, J), form(Sigma, J)]
        worst = max(left, key=abs)
        trivial = not any(map(any, Sigma)) or not any(J)
        return Sides(worst, _ZERO, degenerate=trivial)

    return on_cases(
        "exact sums",
        sides,
        context,
        r"$\nabla L\cdot\nabla C$, $\Sigma\nabla C$ and $\nabla C^\top\Sigma\nabla C$",
        examples=(product_pair(),),
    )


# ΣJ = 0 ⇒ √ΣJ = 0. The subject is "transposed" (GᵀJ) or "plain" (GJ), GGᵀ = Σ.


@dataclass(frozen=True, slots=True)
class RootCase:
    """G with GGᵀ = Σ, and J with ΣJ = 0.

    Attributes:
        G: n × n.
        J: n.
    """

    G: Matrix
    J: Vector

    @property
    def Sigma(self) -> Matrix:  # noqa: N802 - mathematics
        """Return Σ = GGᵀ."""
        return product(self.G, tuple(zip(*self.G, strict=True)))

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        G = [[str(entry) for entry in row] for row in self.G]
        return {
            "G": str(G).replace("'", ""),
            "J": f"({', '.join(map(str, self.J))})",
        }


@only_about("every Σ")
def root_words(subject: str, context: Context) -> Evidence:
    """Compare ‖GᵀJ‖² with JᵀΣJ, at every size."""
    G, J = matrix("G", "n", "n"), matrix("J", "n", 1)
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    image = G.T @ J if subject == "transposed" else G @ J
    square = rewrite(norm2(image), {G @ G.T: Sigma})
    example = Example(
        {
            "G": sp.Matrix([[0, 1], [0, 0]]),
            "Sigma": sp.diag(1, 0),
            "J": sp.Matrix([0, 1]),
        },
        (),
        {"G": "[[0, 1], [0, 0]]", "Sigma": "diag(1, 0)", "J": "(0, 1)"},
        {},
    )
    return words_evidence(
        [("square of the norm", square, J.T @ Sigma @ J)],
        r"$\|G^\top J\|^2$ against $J^\top\Sigma J$",
        "n",
        (
            r"$\Sigma J = 0$ makes the right side 0, so $G^\top J = 0$ for every $G$ "
            r"with $GG^\top = \Sigma$; $\sqrt\Sigma$ is one, and symmetric.",
        ),
        example,
    )


@only_about("every Σ")
def root_exact(subject: str, context: Context) -> Evidence:
    """Draw G and J with GGᵀJ = 0 and multiply."""

    def sides(case: RootCase) -> Sides | None:
        if any(apply(case.Sigma, case.J)):
            return None
        M = tuple(zip(*case.G, strict=True)) if subject == "transposed" else case.G
        image = apply(M, case.J)
        trivial = not any(case.J) or not any(map(any, case.G))
        return Sides(max(image, key=abs), _ZERO, degenerate=trivial)

    one = Fraction(1)
    return drawn_evidence(
        "exact matrices",
        sides,
        st.integers(0, 2**48 - 1).map(
            lambda key: _root_case(random.Random(f"root {key}"))
        ),
        context,
        r"the largest entry of $G^\top J$ where $GG^\top J = 0$",
        examples=(RootCase(((_ZERO, one), (_ZERO, _ZERO)), (_ZERO, one)),),
    )


def _root_case(stream: random.Random) -> RootCase:
    """Return G = (I − JJᵀ/‖J‖²)M for a drawn M, symmetric half the time."""
    n = stream.randint(2, 4)
    J = tuple(drawn_number(stream) for _ in range(n))
    norm = dot(J, J) or Fraction(1)
    P = tuple(
        tuple(Fraction(int(i == j)) - J[i] * J[j] / norm for j in range(n))
        for i in range(n)
    )
    M = tuple(tuple(drawn_number(stream) for _ in range(n)) for _ in range(n))
    symmetric = stream.random() < 0.5
    return RootCase(product(product(P, M), P) if symmetric else product(P, M), J)


# Tr[ΣA] = 0 iff AΣ = 0. The subject is "any" A, or "semidefinite".


def silent_words(subject: str, context: Context) -> Evidence:
    """Write Tr[ΣA] as E‖B(g − ḡ)‖² for A = BᵀB, n free."""
    if subject == "any":
        return _silent_example(context)
    g, B = quadratic_charge().g, matrix("B", "m", "n")
    centre = g.mean()
    trace = (g.T @ B.T @ B @ g).mean() - centre.T @ B.T @ B @ centre
    return words_evidence(
        [("trace", trace, norm2(B @ (g - centre)).mean())],
        r"$\mathrm{Tr}[\Sigma B^\top B]$ against $E\|B(g - \bar g)\|^2$",
        "n, B and the data",
        (
            r"It vanishes iff $B(g - \bar g) = 0$ for every sample, that is "
            r"$A\Sigma = 0$; for a definite $A$ iff all gradients are equal.",
        ),
    )


def _silent_example(context: Context) -> Evidence:
    """Return Tr[ΣA] = 0 with AΣ ≠ 0, for an indefinite A."""
    # ℓ = (uw − y)² at (1, 1) with y = 0, 2.
    gradients = ({"g": sp.Matrix([2, 2])}, {"g": sp.Matrix([-2, -2])})
    shown = SHOWN | {"w": "1"}
    balanced = Example({"A": sp.diag(1, -1)}, gradients, shown, {})
    law = quadratic_charge()
    seen = norm2(law.A @ (law.g - law.g.mean())).mean()
    trace, noise = (balanced.value(f)[0, 0] for f in (law.noise_trace, seen))
    if trace != 0 or noise == 0:
        reason = f"the example has Tr[ΣA] = {trace} and Tr[ΣA²] = {noise}"
        return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        ROUTE,
        Verdict.REFUTED,
        "For an indefinite A the parts of the noise may cancel." + in_general(context),
        instances=1,
        counterexample=Witness(
            shown, f"Tr[Sigma A] = {trace}", f"Tr[Sigma A^2] = {noise}", exact=True
        ),
    )


def silent_exact(subject: str, context: Context) -> Evidence:
    """Compare whether Tr[ΣA] = 0 with whether AΣ = 0."""

    def sides(case: Case) -> Sides | None:
        found = case.projectors()
        if found is None or not any(map(any, case.A)):
            return None
        signs = {value > 0 for value, _ in found if value}
        if len(signs) > 1 and subject == "semidefinite":
            return None
        quiet = not any(map(any, product(case.A, covariance_of(case))))
        silent = noise_trace(case) == 0
        return Sides(Fraction(int(silent)), Fraction(int(quiet)))

    return on_cases(
        "exact sums",
        sides,
        context,
        r"whether $\mathrm{Tr}[\Sigma A] = 0$ against whether $A\Sigma = 0$ (1 for "
        r"yes)",
        # ℓ = (uw − y)² at (1, 1) with y = 0, 2: g = ±(2, 2), Σ = 4·[[1, 1], [1, 1]].
        # ℓ = (u/w − y)² there with one y = 2: a gradient, and no noise at all.
        examples=(
            plain_net((1, -1), [(1, 1)], [(1, 0), (1, 2)], (1, 1)),
            plain_net((1, 1), [(1, -1)], [(1, 2)], (1, 1)),
        ),
        strategy=st.one_of(
            nets(spectrum=(0, 1, 2)), nets(spectrum=(-2, -1, 0)), nets()
        ),
        shown=("no drift of C: {}", "no noise that A sees: {}"),
    )

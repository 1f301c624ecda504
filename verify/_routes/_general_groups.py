"""Routes for transformations: (2), (3) and (8)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import hypothesis.strategies as st
import sympy as sp

from symbolic import (
    Declaration,
    differential,
    low_rank,
    matrix,
    quadratic_charge,
    relu,
    relu_neuron,
    rescaling,
    scaling,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, NotRational, Vector, apply, dot
from verify._instances import Instance
from verify._jets import along, line
from verify._routes._common import Sides, drawn_evidence, symbolic_evidence
from verify._routes._general_cases import Case, MonomialNet, drawn_number, product_pair
from verify._routes._general_quantities import on_cases
from verify._routes._words import Example, words_evidence
from verify._scope import only_about


_ZERO, _ONE = Fraction(0), Fraction(1)
u, w, x, y = sp.symbols("u w x y", real=True)
rho = sp.Symbol("rho", real=True)


# (2): rescaling of a layer. The subject is "positive" (ρ > −1) or "real" (any ρ ≠ −1).


@dataclass(frozen=True, slots=True)
class Rescaled:
    """ℓ = (Σ_j b_j φ(a_j·x) − y)² and Q_ρ(a, b) = ((1+ρ)a, b/(1+ρ)) on one neuron.

    Attributes:
        a: a row for each neuron.
        b: one number for each neuron.
        rectified: whether φ is relu; else the identity.
        sample: x and, last, y.
        rho: ρ.
    """

    a: Matrix
    b: Vector
    rectified: bool
    sample: Vector
    rho: Fraction

    def loss(self, q: Fraction) -> Fraction:
        """Return ℓ with the first neuron at (q a, b/q)."""
        out = _ZERO
        for j, (row, weight) in enumerate(zip(self.a, self.b, strict=True)):
            scale = q if j == 0 else _ONE
            z = scale * dot(row, self.sample[:-1])
            out += weight / scale * (max(z, _ZERO) if self.rectified else z)
        return (out - self.sample[-1]) ** 2

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        rows = "; ".join(", ".join(map(str, row)) for row in self.a)
        outer = "relu" if self.rectified else "identity"
        return {
            "loss": f"(sum_j b_j phi(a_j.x) - y)^2, phi = {outer}",
            "a": rows,
            "b": ", ".join(map(str, self.b)),
            "x, y": ", ".join(map(str, self.sample)),
            "rho": str(self.rho),
        }


def _rescaled(domain: str) -> st.SearchStrategy[Rescaled]:
    def made(key: int) -> Rescaled:
        stream = random.Random(f"rescaled {key}")
        d, width = stream.randint(1, 3), stream.randint(1, 3)

        def vector(n: int) -> Vector:
            return tuple(drawn_number(stream) for _ in range(n))

        q = abs(drawn_number(stream)) + Fraction(1, 4)
        if domain == "real" and stream.random() < 0.5:
            q = -q
        rows = tuple(vector(d) for _ in range(width))
        relus = stream.random() < 0.7
        return Rescaled(rows, vector(width), relus, vector(d + 1), q - 1)

    return st.integers(0, 2**48 - 1).map(made)


@only_about("rescaling of any layer")
def domain_exact(subject: str, context: Context) -> Evidence:
    """Evaluate the loss of drawn layers before and after Q_ρ, in rationals."""

    def sides(case: Rescaled) -> Sides:
        trivial = case.rho == 0 or not case.b[0] or not any(case.a[0])
        return Sides(case.loss(1 + case.rho), case.loss(_ONE), degenerate=trivial)

    # (b relu(a) − 1)² at a = b = 1 is 0; at ρ = −2, a = b = −1, it is 1.
    first = Rescaled(((_ONE,),), (_ONE,), True, (_ONE, _ONE), Fraction(-2))
    return drawn_evidence(
        "exact values",
        sides,
        _rescaled(subject),
        context,
        r"$\ell(Q_\rho\theta, z)$ against $\ell(\theta, z)$",
        examples=(first,) if subject == "real" else (),
    )


@only_about("rescaling of any layer")
def domain_symbolic(subject: str, context: Context) -> Evidence:
    """Compare ℓ∘Q_ρ with ℓ as expressions, 1 + ρ = q a positive or a real symbol."""
    q = sp.Symbol("q", positive=True if subject == "positive" else None, real=True)
    a, b = sp.symbols("a b", real=True)
    signs = (sp.Symbol("z", positive=True), sp.Symbol("z", negative=True), sp.S.Zero)

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        yield "linear neuron", (b / q * (q * a * x) - y) ** 2, (b * a * x - y) ** 2
        for z in signs:  # the branches of relu, z = a·x
            name = f"rectified neuron, sign of a·x = {sp.sign(z)}"
            rest = sp.Symbol("rest", real=True)  # the other neurons
            moved = (b / q * relu(q * z) + rest - y) ** 2
            yield name, moved, (b * relu(z) + rest - y) ** 2

    return symbolic_evidence(
        "branches",
        rows(),
        r"$\ell(Q_\rho\theta)$ with $q = 1 + \rho$ against $\ell(\theta)$",
        (
            r"$\mathrm{relu}(qz) = q\,\mathrm{relu}(z)$ for $q > 0$, branch by branch.",
            r"$Q_\rho = e^{\lambda A}$ with $\lambda = \ln(1 + \rho)$, "
            r"$A = \mathrm{diag}(I, -I)$: all $\rho > -1$ together are one orbit.",
        ),
    )


# (3): the subject is the ρ at which Q_ρ is differentiated, 0 or 1.


@lru_cache(maxsize=1)
def transformations() -> tuple[tuple[str, tuple[sp.Expr, sp.Expr], sp.Expr], ...]:
    """Return (name, Q_ρ(u, w), an f with f∘Q_ρ = f).

    >>> name, images, f = transformations()[0]
    >>> u, w = sp.symbols("u w", real=True)
    >>> f.subs({u: images[0], w: images[1]}, simultaneous=True)
    u*w
    """
    turn = 1 + rho**2
    return (
        ("rescaling", ((1 + rho) * u, w / (1 + rho)), u * w),
        ("unequal rescaling", ((1 + rho) ** 2 * u, w / (1 + rho)), u * w**2),
        ("scaling", ((1 + rho) * u, (1 + rho) * w), w / u),
        ("shift", (u + rho, w + rho), u - w),
        (
            "rotation",
            (
                ((1 - rho**2) * u - 2 * rho * w) / turn,
                (2 * rho * u + (1 - rho**2) * w) / turn,
            ),
            u**2 + w**2,
        ),
        (
            "residual",
            ((1 + rho) * (1 + u) - 1, (1 + w) / (1 + rho) - 1),
            (1 + u) * (1 + w),
        ),
        ("nonlinear", (u / (1 - rho * u), w / (1 + rho * w)), 1 / u + 1 / w),
    )


@only_about("transformations")
def generator_symbolic(subject: int, context: Context) -> Evidence:
    """Differentiate Q_ρ in ρ and decide ∇ℓ·J = 0; f∘Q_ρ = f is decided first."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for name, images, f in transformations():
            moved = dict(zip((u, w), images, strict=True))
            yield f"{name}, (2)", f.subs(moved, simultaneous=True), f
            loss = (f * x - y) ** 2 + f**3
            J = [image.diff(rho).subs(rho, subject) for image in images]
            yield name, loss.diff(u) * J[0] + loss.diff(w) * J[1], sp.S.Zero

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$\nabla\ell\cdot J$ against 0",
        (
            r"$0 = \frac{d}{d\rho}\ell(Q_\rho\theta, z) = \nabla\ell(Q_\rho\theta, "
            r"z)\cdot\frac{d}{d\rho}Q_\rho\theta$ at $\rho = 0$, where "
            r"$Q_0\theta = \theta$.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """One of the transformations at a point with a sample.

    Attributes:
        number: which one.
        point: u, w, x, y.
    """

    number: int
    point: Vector

    def describe(self) -> dict[str, str]:
        """Return names → values."""
        name, images, f = transformations()[self.number]
        values = dict(zip("uwxy", map(str, self.point), strict=True))
        shown = {"Q": str(images), "loss": f"({f})*x - y, squared"}
        return {"transformation": name} | shown | values


@only_about("transformations")
def generator_jets(subject: int, context: Context) -> Evidence:
    """Take the jets of Q_ρ in ρ, then the slope of ℓ along what they give."""

    def sides(case: Moved) -> Sides | None:
        _, images, f = transformations()[case.number]
        names = (u, w, x, y)
        data = dict(zip(names, case.point, strict=True))
        still = line(data, [_ZERO] * 4)
        turning = still | {rho: (Fraction(subject), _ONE, _ZERO)}
        try:
            J = [along(image, turning).slope for image in images]
            slope = along((f * x - y) ** 2, line(data, [*J, _ZERO, _ZERO])).slope
            flat = all(
                along((f * x - y) ** 2, line(data, [*axis, _ZERO, _ZERO])).slope == 0
                for axis in ([_ONE, _ZERO], [_ZERO, _ONE])
            )
        except NotRational:
            return None
        return Sides(slope, _ZERO, degenerate=flat)

    def made(key: int) -> Moved:
        stream = random.Random(f"moved {key}")
        number = stream.randrange(len(transformations()))
        return Moved(number, tuple(drawn_number(stream) or _ONE for _ in range(4)))

    return drawn_evidence(
        "jets",
        sides,
        st.integers(0, 2**48 - 1).map(made),
        context,
        r"the slope of $\ell$ along $J$",
        examples=(Moved(0, tuple(map(Fraction, (1, 2, 1, 1)))),),
    )


# (8): ℓ(e^{λA^p}θ) = ℓ(θ). The subject is p.


def finite_symbolic(subject: int, context: Context) -> Evidence:
    """Decide ∇ℓ·A^pθ = 0 at every θ: ℓ has no slope along the orbit."""

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in _declarations(context):
            matrix_A, loss = declaration.symmetry.matrix, declaration.loss
            if matrix_A is None or loss is None:
                continue
            flow = matrix_A**subject * sp.Matrix(declaration.space.symbols)
            slope = sum(
                (g * v for g, v in zip(loss.gradient, flow, strict=True)), sp.S.Zero
            )
            yield declaration.name, slope, sp.S.Zero

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$\nabla\ell\cdot A\theta$ against 0",
        (
            r"(2) gives (3), $\nabla\ell\cdot A\theta = 0$ at every $\theta$, so at "
            r"every $\theta_\lambda$.",
            r"$\frac{d}{d\lambda}\ell(\theta_\lambda, z) = \nabla\ell(\theta_\lambda, "
            r"z)\cdot A\theta_\lambda = 0$, and $\theta_0 = \theta$.",
        ),
    )


def finite_words(subject: int, context: Context) -> Evidence:
    """Follow ℓ along the orbit by the chain rule, n free: ∇ℓ·A^pθ by (3)."""
    del context
    law, loss = quadratic_charge(), matrix("l", 1, 1)
    flow = law.theta
    for _ in range(subject):
        flow = law.A @ flow
    slope = differential(loss, {loss: law.g.T @ flow})
    # ℓ = (uw² − y)² at (1, 2) with y = 3, 4: g = (8, 8), (0, 0), and A ≠ A², A³.
    example = Example(
        {"theta": sp.Matrix([1, 2]), "A": sp.diag(2, -1)},
        ({"g": sp.Matrix([8, 8])}, {"g": sp.Matrix([0, 0])}),
        {"loss": "(u*w**2 - y)**2", "A": "diag(2, -1)", "u": "1", "w": "2"}
        | {"data": "y=3; y=4"},
        {},
    )
    return words_evidence(
        [("slope of the mean loss", law.on_shell(slope).mean(), zero(1, 1))],
        r"$\frac{d}{d\lambda}L(\theta_\lambda)$ against 0, each sample by (3)",
        "n, A, the loss and the data",
        example=example,
    )


def _declarations(context: Context) -> tuple[Declaration, ...]:
    if context.subject is not None:
        return context.subject
    return (rescaling(), scaling(2), low_rank(), relu_neuron(2, 1))


def finite_exact(subject: int, context: Context) -> Evidence:
    """Evaluate each sample's loss at θ and at e^{λA}θ, e^λ = 3/2."""

    def sides(case: Case) -> Sides | None:
        projectors = case.projectors()
        if projectors is None:
            return None
        parts = [
            tuple(
                Fraction(3, 2) ** (m**subject) * entry for entry in apply(P, case.theta)
            )
            for m, P in projectors
        ]
        there = tuple(sum(column, _ZERO) for column in zip(*parts, strict=True))
        before, after = _values(case, case.theta), _values(case, there)
        pairs = list(zip(after, before, strict=True))
        left, right = next(((p, q) for p, q in pairs if p != q), pairs[0])
        return Sides(left, right, degenerate=there == case.theta)

    return on_cases(
        "exact values",
        sides,
        context,
        r"$\ell(\theta_\lambda, z)$ against $\ell(\theta, z)$",
        examples=(product_pair(),),
    )


def _values(case: Case, theta: Vector) -> Vector:
    """Return ℓ(θ, z) for each sample."""
    if isinstance(case, MonomialNet):
        return case.values(theta)
    assert isinstance(case, Instance)
    loss = case.declaration.loss
    assert loss is not None
    point = line(
        dict(zip(loss.space.symbols, theta, strict=True)), [_ZERO] * len(theta)
    )
    return tuple(
        along(
            loss.expression,
            point
            | line(dict(zip(loss.data.symbols, row, strict=True)), [_ZERO] * len(row)),
        ).value
        for row in case.samples
    )

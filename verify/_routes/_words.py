"""Routes by words of matrices: every size free, no entry ever written out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symbolic import (
    MatrixPolynomial,
    Verdict,
    Witness,
    compare_polynomials,
    differential,
    evaluate,
    identity,
    latex,
    matrix,
    matrix_flow,
    matrix_step,
    norm2,
    quadratic_charge,
    scalar,
    zero,
)
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._common import Factors


Row = tuple[str, MatrixPolynomial, MatrixPolynomial]
ROUTE = "words of matrices"


@dataclass(frozen=True, slots=True)
class Example:
    """Concrete matrices at which a refuted identity is shown to fail.

    Attributes:
        values: name → matrix.
        samples: name → matrix, for each sample.
        shown: what they come from, for the reader.
        numbers: name → scalar.
    """

    values: dict[str, sp.Matrix]
    samples: tuple[dict[str, sp.Matrix], ...]
    shown: dict[str, str]
    numbers: dict[str, sp.Expr]

    def value(self, f: MatrixPolynomial) -> sp.Matrix:
        """Return the value of a polynomial here."""
        return evaluate(f, self.values, samples=self.samples, numbers=self.numbers)


def scale_invariant_subject(context: Context) -> bool:
    """Return whether A = I for the declarations under test."""
    matrices = [each.symmetry.matrix for each in context.subject or ()]
    return all(A is not None and sp.eye(A.rows) == A for A in matrices)


def words_evidence(
    rows: Iterable[Row],
    what: str,
    sizes: str,
    steps: tuple[str, ...] = (),
    example: Example | None = None,
    shown: dict[str, MatrixPolynomial] | None = None,
) -> Evidence:
    """Compare normal forms: all equal proves the statement at every size.

    Args:
        rows: (identity's name, left, right).
        what: what was compared.
        sizes: the sizes left free.
        steps: the argument.
        example: where a failure is shown, if the letters are not free of each other;
            drawn matrices where None.
        shown: name → what to print for an identity, where shorter than its left side.

    Returns:
        PROVED, REFUTED with exact matrices as counterexample, or INCONCLUSIVE.
    """
    checked: list[Row] = []
    for name, left, right in rows:
        checked.append((name, left, right))
        finding = compare_polynomials(left, right)
        if finding.verdict is Verdict.PROVED:
            continue
        witness = finding.witness if example is None else _shown(example, left, right)
        failed = Verdict.REFUTED if witness else Verdict.INCONCLUSIVE
        reason = "the two sides differ" if witness else "undecided"
        return Evidence(
            ROUTE,
            failed,
            f"{what}, {name}: {reason}.",
            instances=len(checked),
            counterexample=witness,
        )
    printed = {name: left for name, left, _ in checked} | (shown or {})
    lines = tuple(f"{name}: ${latex(f)}$" for name, f in printed.items())
    return Evidence(
        ROUTE,
        Verdict.PROVED,
        f"{what}: equal normal forms for {len(checked)} identities with {sizes} free.",
        instances=len(checked),
        steps=(*steps, *lines),
    )


def _shown(
    example: Example, left: MatrixPolynomial, right: MatrixPolynomial
) -> Witness | None:
    values = [example.value(f) for f in (left, right)]
    if values[0] == values[1]:
        return None
    texts = [str(v[0, 0]) if v.shape == (1, 1) else str(v.tolist()) for v in values]
    return Witness(example.shown, texts[0], texts[1], exact=True)


# ℓ = (uw − y)² at (1, 2) with y = 0, 2: r = 2, 0 and g = (8, 4), (0, 0), not centred.
_RESCALING = Example(
    {
        "theta": sp.Matrix([1, 2]),
        "A": sp.diag(1, -1),
        "G_theta": sp.Matrix([4, 2]),
    },
    ({"g": sp.Matrix([8, 4])}, {"g": sp.Matrix([0, 0])}),
    {
        "loss": "(u*w - y)**2",
        "u": "1",
        "w": "2",
        "data": "y=0; y=2",
        "A": "diag(1, -1)",
        "sigma2": "1",
        "gamma": "1",
        "eta": "1",
    },
    {"sigma2": sp.S.One, "gamma": sp.S.One, "eta": sp.S.One},
)
# ℓ = (w/u − y)² at (1, 0) with y = 3, 1: g = −(0, 6), −(0, 2), not centred.
_SCALE = Example(
    {"theta": sp.Matrix([1, 0])},
    ({"g": sp.Matrix([0, -6])}, {"g": sp.Matrix([0, -2])}),
    {
        "loss": "(w/u - y)**2",
        "u": "1",
        "w": "0",
        "data": "y=3; y=1",
        "sigma2": "1",
        "gamma": "1",
    },
    {"sigma2": sp.S.One, "gamma": sp.S.One},
)


# (5), (7), (11) and the exact law, for every loss with the symmetry, n free.


def flow_words(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Derive the flow of ½θᵀAθ with n free and compare each part with the formula."""
    if any(each.symmetry.kind != "exponential" for each in context.subject or ()):
        return Evidence(
            ROUTE, Verdict.NOT_APPLICABLE, "This route is about $J = A\\theta$."
        )
    law = quadratic_charge()
    flow = matrix_flow(law.charge, {law.theta: law.g})
    sigma2, gamma = scalar("sigma2"), scalar("gamma")

    def rows() -> Iterator[Row]:
        yield "noise", flow.noise, subject.noise * sigma2 * law.noise_trace
        yield "loss", law.on_shell(flow.loss), zero(1, 1)
        yield "diffusion", law.on_shell(flow.diffusion), zero(1, 1)
        if decay:
            claimed = subject.decay * gamma * law.charge
            yield "decay", flow.weight_decay, claimed

    return words_evidence(
        rows(),
        "the drift of $C = \\frac12\\theta^\\top A\\theta$ against the formula",
        "the number of parameters n, A and the data",
        ("$g\\cdot A\\theta = 0$ for every sample is the only property used.",),
        _RESCALING,
    )


def discrete_words(subject: Fraction, context: Context) -> Evidence:
    """Derive one step of SGD with n free and compare with κ²C + c·η²gᵀAg."""
    del context
    law = quadratic_charge()
    step = matrix_step(law.charge, {law.theta: law.g})
    eta = scalar("eta")
    kappa = identity(1) - 2 * eta * scalar("gamma")
    G = matrix("G_theta", "n", 1)
    claimed = kappa * kappa * law.charge + subject * eta * eta * (G.T @ law.A @ G)

    def rows() -> Iterator[Row]:
        first = law.on_shell(step.per_sample)
        yield "first order in g, each sample", first, zero(1, 1)
        yield "one step", step.next_charge - step.first_order, claimed

    return words_evidence(
        rows(),
        "$C(\\theta')$ after one step against the formula",
        "the number of parameters n, A, the data and the minibatch",
        example=_RESCALING,
    )


def norm_words(subject: Factors, context: Context) -> Evidence:
    """Derive d‖θ‖²/dt = decay·γ‖θ‖² + noise·σ²Tr Σ for scale invariance, n free."""
    if context.subject is not None and not scale_invariant_subject(context):
        return Evidence(
            ROUTE,
            Verdict.NOT_APPLICABLE,
            "Scale invariance of all parameters is A = I.",
        )
    law = quadratic_charge(identity("n"))
    theta, g = law.theta, law.g
    flow = matrix_flow(theta.T @ theta, {theta: g})
    centre = g.mean()
    spread = (g.T @ g).mean() - centre.T @ centre

    def rows() -> Iterator[Row]:
        yield "noise", flow.noise, subject.noise * scalar("sigma2") * spread
        yield "loss", law.on_shell(flow.loss), zero(1, 1)
        yield "diffusion", law.on_shell(flow.diffusion), zero(1, 1)
        decay = subject.decay * scalar("gamma") * (theta.T @ theta)
        yield "decay", flow.weight_decay, decay

    return words_evidence(
        rows(),
        r"the drift of $\|\theta\|^2$ against the formula",
        "the number of parameters n and the data",
        (r"Scale invariance: $\nabla\ell\cdot\theta = 0$ for every sample.",),
        _SCALE,
    )


# Along the orbit: dθ/dλ = Aθ and dΣ/dλ = −(AΣ + ΣA). Subject of `potential_words`: κ in
# Φ = γ‖θ‖² + κσ²Tr Σ.


def _orbit() -> tuple[dict[MatrixPolynomial, MatrixPolynomial], MatrixPolynomial]:
    """Return the direction of the orbit in (θ, Σ), and G(θ)."""
    law = quadratic_charge()
    theta, A = law.theta, law.A
    Sigma = matrix("Sigma", "n", "n", symmetric=True)
    direction = {theta: A @ theta, Sigma: -(A @ Sigma + Sigma @ A)}
    noise = scalar("sigma2") * (Sigma @ A).tr()
    return direction, -4 * scalar("gamma") * law.charge + noise


def potential_words(subject: Fraction, context: Context) -> Evidence:
    """Differentiate Φ along the orbit once and twice, n free."""
    del context
    direction, G = _orbit()
    theta, Sigma = direction
    A = matrix("A", "n", "n", symmetric=True)
    sigma2, gamma = scalar("sigma2"), scalar("gamma")
    potential = gamma * norm2(theta) + subject * sigma2 * Sigma.tr()
    slope = differential(potential, direction)
    curved = differential(slope, direction)
    squares = 4 * gamma * norm2(A @ theta) + 4 * subject * sigma2 * (Sigma @ A @ A).tr()

    def rows() -> Iterator[Row]:
        yield "slope", -slope, G
        yield "convexity", curved, squares

    return words_evidence(
        rows(),
        r"$-\frac{d}{d\lambda}\Phi(\theta_\lambda)$ against $G(\theta_\lambda)$",
        "n, A and Σ",
        (
            r"$\frac{d}{d\lambda}\theta_\lambda = A\theta_\lambda$ and "
            r"$\frac{d}{d\lambda}\Sigma(\theta_\lambda) = -(A\Sigma + \Sigma A)$, at "
            r"every point of the orbit.",
            r"$\mathrm{Tr}[\Sigma A^2] \ge 0$ for $\Sigma \succeq 0$, so $\Phi$ is "
            r"convex in $\lambda$ for $\gamma \ge 0$.",
        ),
        _RESCALING_NOISE,
    )


def slope_words(subject: str, context: Context) -> Evidence:
    """Differentiate G along the orbit with n free: minus a sum of squares for γ ≥ 0."""
    del context
    direction, G = _orbit()
    A = matrix("A", "n", "n", symmetric=True)
    theta, Sigma = direction
    sigma2, gamma = scalar("sigma2"), scalar("gamma")
    squares = 4 * gamma * norm2(A @ theta) + 2 * sigma2 * (Sigma @ A @ A).tr()
    if subject == "any":
        slope = _UNSTABLE.value(differential(G, direction))[0, 0]
        if not slope > 0:
            reason = f"the slope of the example is {slope}"
            return Evidence(ROUTE, Verdict.INCONCLUSIVE, reason, instances=1)
        return Evidence(
            ROUTE,
            Verdict.REFUTED,
            "With γ < 0 the term −4γ‖Aθ‖² of the slope is positive.",
            instances=1,
            counterexample=Witness(
                _UNSTABLE.shown, f"slope of G = {slope}", "at most 0", exact=True
            ),
        )
    return words_evidence(
        [("slope", differential(G, direction), -squares)],
        r"$\partial_\lambda G(\theta_\lambda)$ against "
        r"$-4\gamma\|A\theta\|^2 - 2\sigma^2\mathrm{Tr}[\Sigma A^2]$",
        "n, A and Σ",
        (r"Both terms are $\le 0$ for $\gamma \ge 0$ and $\Sigma \succeq 0$.",),
    )


# ℓ = (uw − y)² at (1, 2) with y = 0, 2, as `_RESCALING`: Σ = [[16, 8], [8, 4]].
_RESCALING_NOISE = Example(
    _RESCALING.values | {"Sigma": sp.Matrix([[16, 8], [8, 4]])},
    (),
    _RESCALING.shown,
    _RESCALING.numbers,
)
# ℓ = (w/u − y)² at (1, 0) with y = 0: Σ = 0.
_UNSTABLE = Example(
    {"theta": sp.Matrix([1, 0]), "A": sp.eye(2), "Sigma": sp.zeros(2, 2)},
    (),
    {"loss": "(w/u - y)**2", "u": "1", "w": "0", "data": "y=0", "gamma": "-1"},
    {"gamma": -sp.S.One, "sigma2": sp.S.One},
)

"""Routes for every symmetry J and every charge C: affine, nonlinear, or none at all.

What is claimed is typed in from J and its Jacobian; what it is compared with comes from
the derivation, from jets of C or from whole steps of SGD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product as cartesian

import sympy as sp

from symbolic import Declaration
from verify._context import Context
from verify._evidence import Evidence
from verify._fields import (
    Local,
    charge_of,
    fields_of,
    in_numbers,
    product,
    total,
)
from verify._instances import derived, derived_charge
from verify._jets import RESOLVED, Number, along, line, same, vanishes
from verify._routes._common import (
    Factors,
    Sides,
    by_hand,
    drawn_evidence,
    symbolic_evidence,
)
from verify._strategies import field_instances


Row = tuple[str, sp.Expr, sp.Expr]
_ARITHMETIC = "rational (or, where a function leaves the rationals, ball)"
_SIGMA2, _GAMMA, _ETA = (
    sp.Symbol("sigma2", positive=True),
    sp.Symbol("gamma", real=True),
    sp.Symbol("eta", positive=True),
)
u, w, x, y = sp.symbols("u w x y")
_FIRST = by_hand(
    (u * w * x - y) ** 2,
    [[1, 0], [0, -1]],
    ((1, 1), (1, -1)),
    (1, 2),
    gamma=Fraction(1),
)


def _drawn(
    route: str,
    sides: Callable[[Local], Sides | None],
    context: Context,
    what: str,
    min_samples: int = 1,
) -> Evidence:
    return drawn_evidence(
        route,
        in_numbers(sides),
        field_instances(context.subject, min_samples),
        context,
        what,
        examples=(_FIRST,) if context.subject is None else (),
        relation=same,
        arithmetic=_ARITHMETIC,
        tolerance=2.0**-RESOLVED,
    )


def _rational(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def _differing(pairs: Iterator[tuple[Number, Number]], *, degenerate: bool) -> Sides:
    """Return the first pair that differs, else the last."""
    for left, right in pairs:
        if not same(left, right):
            return Sides(left, right)
    return Sides(left, right, degenerate=degenerate)


# ∇ℓ·J = 0. The subject is "declared", or "perturbed" for J + e₁.


def _unit(subject: str) -> int:
    return int(subject == "perturbed")


def orthogonal_symbolic(subject: str, context: Context) -> Evidence:
    """Decide ∇ℓ·J = 0 for all θ and all samples."""

    def rows() -> Iterator[Row]:
        for declaration in fields_of(context):
            if declaration.loss is None:
                continue
            g, J = declaration.loss.gradient, declaration.symmetry.generator
            inner = sum((a * b for a, b in zip(g, J, strict=True)), sp.S.Zero)
            yield declaration.name, inner + _unit(subject) * g[0], sp.S.Zero

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$\nabla\ell\cdot J$ against 0",
        (
            r"Differentiate $\ell(Q_\rho\theta, z) = \ell(\theta, z)$ at $\rho = 0$.",
            r"$\Sigma J = E[(\nabla\ell - \nabla L)\,(\nabla\ell - \nabla L)\cdot J] "
            r"= 0$.",
        ),
    )


def orthogonal_jets(subject: str, context: Context) -> Evidence:
    """Move each sample's loss along J: its slope, by jets, without a gradient."""

    def sides(at: Local) -> Sides:
        J = list(at.field())
        J[0] = J[0] + _unit(subject)
        loss = at.declaration.loss
        assert loss is not None
        slopes = []
        point = dict(zip(loss.space.symbols, at.theta, strict=True))
        for row in at.instance.samples:
            data = dict(zip(loss.data.symbols, map(at.lift, row), strict=True))
            fixed = line(data, [at.lift(Fraction(0))] * len(data))
            slopes.append(along(loss.expression, fixed | line(point, J), at.lift).slope)
        zero = at.lift(Fraction(0))
        still = all(vanishes(entry) for g in at.gradients for entry in g)
        return _differing(((s, zero) for s in slopes), degenerate=still)

    return _drawn("jets", sides, context, r"the slope of $\ell$ along $J$")


def orthogonal_noise(subject: str, context: Context) -> Evidence:
    """Multiply the covariance of the per-sample gradients by J."""

    def sides(at: Local) -> Sides:
        J = list(at.field())
        J[0] = J[0] + _unit(subject)
        centred = at.centred
        inner = [product(c, J) for c in centred]
        moved = [
            total(c[i] * a for c, a in zip(centred, inner, strict=True)) / len(inner)
            for i in range(len(J))
        ]
        still = all(vanishes(entry) for c in centred for entry in c)
        zero = at.lift(Fraction(0))
        return _differing(((m, zero) for m in moved), degenerate=still)

    return _drawn("exact sums", sides, context, r"$\Sigma J$", min_samples=2)


# ∇C = J for the derived C. The subject is m in ∇(mC) = J.


def charge_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Compare the gradient of the derived charge with the declared J."""

    def rows() -> Iterator[Row]:
        for declaration in fields_of(context):
            C = _rational(subject) * derived(declaration).charge
            J = declaration.symmetry.generator
            for s, entry in zip(declaration.space.symbols, J, strict=True):
                yield declaration.name, C.diff(s), entry

    return symbolic_evidence(
        "derivation",
        rows(),
        r"$\nabla C$ against $J$",
        (r"$C = \int_0^1\theta\cdot J(t\theta)\,dt$, as $\partial J$ is symmetric.",),
    )


def charge_jets(subject: Fraction, context: Context) -> Evidence:
    """Move along each axis and compare the slope of C, by jets, with J."""

    def sides(at: Local) -> Sides:
        C, J = derived_charge(at.declaration), at.field()
        zero, m = at.lift(Fraction(0)), at.lift(subject)
        n = range(len(J))
        axes = [[zero + 1 if i == j else zero for j in n] for i in n]
        slopes = (
            (m * at.jet(C, axis).slope, j) for axis, j in zip(axes, J, strict=True)
        )
        return _differing(slopes, degenerate=all(map(vanishes, J)))

    return _drawn("jets", sides, context, r"the slopes of $C$ against $J$")


# (4). The subject is "charge" or "perturbed".


def conservation_jets(subject: str, context: Context) -> Evidence:
    """Move along −∇L and take the slope of C there, by jets."""

    def sides(at: Local) -> Sides:
        C = charge_of(at.declaration)
        if subject == "perturbed":
            C += at.declaration.space.symbols[0] ** 2 / 2
        down = [-g for g in at.centre]
        still = all(map(vanishes, down))
        slope = at.jet(C, down).slope
        return Sides(slope, at.lift(Fraction(0)), degenerate=still)

    return _drawn("exact sums", sides, context, r"$dC/dt$ under gradient flow")


# (5), (7): the subject is Factors in Ċ = decay·γ θ·J + noise·σ²Tr[Σ∂J].


def drift_symbolic(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Compare the flow that Itô's lemma gives with the formula in J and ∂J."""

    def rows() -> Iterator[Row]:
        for declaration in fields_of(context):
            flow = derived(declaration).flow
            noise = _rational(subject.noise) * _SIGMA2 * _noise_trace(declaration)
            yield declaration.name, flow.noise, noise
            yield declaration.name, flow.loss, sp.S.Zero
            if decay:
                theta, J = declaration.space.symbols, declaration.symmetry.generator
                pull = sum((a * b for a, b in zip(theta, J, strict=True)), sp.S.Zero)
                claimed = _rational(subject.decay) * _GAMMA * pull
                yield declaration.name, flow.weight_decay, claimed

    return symbolic_evidence(
        "Itô's lemma",
        rows(),
        "the drift derived from the SDE against the formula",
        (
            r"$d\theta = -(\nabla L + 2\gamma\theta)dt + \sqrt{2\sigma^2\Sigma}\,dW$ "
            r"and $dC = (\nabla C\cdot\mu + "
            r"\frac12\mathrm{Tr}[2\sigma^2\Sigma\nabla^2C])dt + \nabla "
            r"C^\top\sqrt{2\sigma^2\Sigma}\,dW$.",
            r"$\nabla C = J$, $\nabla^2C = \partial J$ and $\nabla\ell\cdot J = 0$ for "
            r"every sample: $\nabla L\cdot J = 0$ and $J^\top\Sigma J = 0$.",
        ),
    )


def _noise_trace(declaration: Declaration) -> sp.Expr:
    """Return Tr[Σ∂J], typed in from J."""
    theta = declaration.space.symbols
    n = range(len(theta))
    names = [s.name for s in theta]
    return sum(
        (
            declaration.symmetry.generator[i].diff(theta[j])
            * sp.Symbol(f"Sigma_{names[min(i, j)]}_{names[max(i, j)]}", real=True)
            for i in n
            for j in n
        ),
        sp.S.Zero,
    )


def drift_curves(subject: Factors, context: Context, *, decay: bool) -> Evidence:
    """Average the bend of C over all sign patterns of a two-point noise.

    One weak Euler step of time h = r²N/(2σ²) leads from θ to the point at r of the
    curve θ + r Σ_k ξ_k c_k − r²N/(2σ²)·(∇L + 2γθ), with ξ_k = ±1 and c_k the centred
    gradients. The slope of C along it is the dW term; the mean bend over all ξ is
    N/(2σ²) times the drift. Itô's lemma is not used.

    Returns:
        The evidence.
    """
    return _drawn(
        "curves of noise",
        partial(_drift_sides, subject, decay),
        context,
        r"$\lim_h E[C_h - C_0]/h$",
        min_samples=2,
    )


def _drift_sides(subject: Factors, decay: bool, at: Local) -> Sides:
    if not decay:
        at = Local(at.instance.with_(gamma=Fraction(0)), at.lift, at.gradients)
    C, centred = charge_of(at.declaration), at.centred
    sigma2, N = at.lift(at.instance.sigma2), len(centred)
    fall = [-v * N / (2 * sigma2) for v in at.step(at.centre)]
    bends = []
    for signs in cartesian((1, -1), repeat=N - 1):  # −ξ bends as ξ does
        columns = zip(*centred, strict=True)
        kick = [
            total(e * c for e, c in zip((1, *signs), k, strict=True)) for k in columns
        ]
        curve = at.jet(C, kick, fall)
        if not vanishes(curve.slope):
            return Sides(curve.slope, at.lift(Fraction(0)))
        bends.append(curve.bend)
    drift = total(bends) / len(bends) * (2 * sigma2) / N
    noise, pull = at.noise(), at.gamma * at.along_field()
    claimed = at.lift(subject.decay) * pull + at.lift(subject.noise) * sigma2 * noise
    quiet = all(vanishes(entry) for c in centred for entry in c)
    trivial = quiet and (not decay or vanishes(pull))
    return Sides(drift, claimed, degenerate=trivial)


# One step. The subject is c in C' = C − 2ηγθ·J + c·η²vᵀ∂J v + O(η³), v = g + 2γθ.


def step_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Compare the derived law with the formula, order by order in η."""

    def rows() -> Iterator[Row]:
        for declaration in fields_of(context):
            law = derived(declaration).exact_law.next_charge
            C = derived(declaration).charge
            first, second, inner = _orders(declaration, subject)
            name = declaration.name
            if declaration.symmetry.matrix is None:
                at_zero = {_ETA: sp.S.Zero}
                yield name, law.xreplace(at_zero), C
                yield name, law.diff(_ETA).xreplace(at_zero), first
                yield name, law.diff(_ETA, 2).xreplace(at_zero) / 2, second
            else:  # the law is given modulo g·J, which is 0
                claimed = C + _ETA * first + _ETA**2 * (second - 2 * _GAMMA * inner)
                yield name, law, claimed

    return symbolic_evidence(
        "derivation",
        rows(),
        "the derived one-step law against the formula",
        (
            r"$\theta' = \theta - \eta v$ with $v = g + 2\gamma\theta$; "
            r"$v\cdot J = 2\gamma\,\theta\cdot J$ because $g\cdot J = 0$.",
        ),
    )


def _orders(declaration: Declaration, c: Fraction) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Return −2γθ·J, c·vᵀ∂J v and g·J."""
    theta, J = declaration.space.symbols, declaration.symmetry.generator
    g = [sp.Symbol(f"g_{s.name}", real=True) for s in theta]
    v = [a + 2 * _GAMMA * s for a, s in zip(g, theta, strict=True)]
    pull = sum((s * j for s, j in zip(theta, J, strict=True)), sp.S.Zero)
    bend = sum(
        (
            a * j.diff(s) * b
            for a, j in zip(v, J, strict=True)
            for s, b in zip(theta, v, strict=True)
        ),
        sp.S.Zero,
    )
    inner = sum((a * j for a, j in zip(g, J, strict=True)), sp.S.Zero)
    # For an affine J the derived law has gᵀAg + 2γ(…): vᵀAv holds 4γ g·Aθ, and
    # ½·4γ(g·Aθ + g·b) = 2γ g·J is what it leaves out.
    return -2 * _GAMMA * pull, _rational(c) * bend, inner


def step_jets(subject: Fraction, context: Context) -> Evidence:
    """Take the jet of C along −v, for the gradient g of each sample."""

    def sides(at: Local) -> Sides:
        C, first = charge_of(at.declaration), -2 * at.gamma * at.along_field()
        pairs: list[tuple[Number, Number]] = []
        bent = False
        for g in at.gradients:
            v = at.step(g)
            jet, curvature = at.jet(C, [-a for a in v]), at.curvature(v)
            pairs += [(jet.slope, first)]
            pairs += [(jet.bend, at.lift(subject) * curvature)]
            bent = bent or not vanishes(curvature)
        trivial = not bent and vanishes(first)
        return _differing(iter(pairs), degenerate=trivial)

    return _drawn("jets", sides, context, r"$C(\theta - \eta v)$ to second order")


def step_exact(subject: Fraction, context: Context) -> Evidence:
    """Take every minibatch of size ≤ 2 as a real SGD step, where ∇²C is constant."""

    def sides(at: Local) -> Sides | None:
        if at.declaration.symmetry.matrix is None:
            return None
        eta, pull = at.lift(at.instance.eta), at.gamma * at.along_field()
        pairs, bent = [], False
        for size in (1, 2):
            for batch in cartesian(at.gradients, repeat=size):
                v = at.step(
                    [total(column) / size for column in zip(*batch, strict=True)]
                )
                bend = at.curvature(v)
                change = at.lift(subject) * eta**2 * bend - 2 * eta * pull
                pairs.append((_after(at, v), _value(at) + change))
                bent = bent or not vanishes(bend)
        return _differing(iter(pairs), degenerate=not bent and vanishes(pull))

    return _drawn("exact steps", sides, context, r"$C(\theta')$ after one step")


def step_expectation(subject: Fraction, context: Context) -> Evidence:
    """Average C' over all N² minibatches of two, where ∇²C is constant."""

    def sides(at: Local) -> Sides | None:
        if at.declaration.symmetry.matrix is None:
            return None
        eta, pull = at.lift(at.instance.eta), at.gamma * at.along_field()
        pairs = cartesian(at.gradients, repeat=2)
        batches = [
            [total(column) / 2 for column in zip(*pair, strict=True)] for pair in pairs
        ]
        left = total(_after(at, at.step(g)) for g in batches) / len(batches)
        noise = at.noise()
        bend = at.curvature(at.step(at.centre)) + noise / 2
        change = at.lift(subject) * eta**2 * bend - 2 * eta * pull
        trivial = vanishes(noise) and vanishes(pull)
        return Sides(left, _value(at) + change, degenerate=trivial)

    return _drawn(
        "exact expectation",
        sides,
        context,
        r"$E[C']$ over all minibatches",
        min_samples=2,
    )


def _value(at: Local) -> Number:
    """Return C(θ)."""
    return at.jet(charge_of(at.declaration), [0 * t for t in at.theta]).value


def _after(at: Local, v: tuple[Number, ...]) -> Number:
    """Return C(θ − ηv)."""
    eta = at.lift(at.instance.eta)
    symbols = at.declaration.space.symbols
    moved = [t - eta * a for t, a in zip(at.theta, v, strict=True)]
    point = dict(zip(symbols, moved, strict=True))
    still = [0 * t for t in moved]
    return along(charge_of(at.declaration), line(point, still), at.lift).value

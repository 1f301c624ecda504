"""Routes for the fixed point on an orbit: (9) and (10), exact and certified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import sympy as sp

from numeric import Certificate, certify_equilibrium
from symbolic import Verdict, Witness, enclose
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import covariance, dot, form
from verify._instances import Instance, derived, flow_parts
from verify._routes._common import (
    Sides,
    by_hand,
    declarations_of,
    exact_evidence,
    symbolic_evidence,
)
from verify._routes._flow import GAMMA, SIGMA2, drift_of, half_form, noise_trace
from verify._routes._orbit import orbit_terms, scale_invariant_pair
from verify._routes._theorem1 import LINE, generic_equilibrium, named
from verify._strategies import instances


u, w, x, y = sp.symbols("u w x y")
_AGREEMENT = Fraction(1, 2**90)  # certified: equal up to this share of their sizes
Exponentials = dict[int, Fraction]  # k → coefficient of e^{kλ}


# (9). The subject is m in C = m·θᵀAθ.


def fixed_point_symbolic(subject: Fraction, context: Context) -> Evidence:
    """Solve the derived flow for the γ that stops it, and compare 4γC with σ²Tr[ΣA]."""
    m = sp.Rational(subject.numerator, subject.denominator)
    if subject != Fraction(1, 2) and context.subject is None:
        return _one_dimension(m)

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            flow = derived(declaration).flow
            noise = flow.expression.xreplace({GAMMA: sp.S.Zero})
            decay = sp.expand(flow.expression - noise).coeff(GAMMA)
            charge = 2 * m * half_form(declaration)
            # The flow stops at γ = −noise/decay: both sides are taken times decay.
            left, right = -4 * charge * noise, decay * SIGMA2 * noise_trace(declaration)
            yield declaration.name, left, right

    return symbolic_evidence(
        "zero of the flow",
        rows(),
        r"$4\gamma C$ against $\sigma^2\mathrm{Tr}[\Sigma A]$, cross-multiplied, at "
        r"the $\gamma$ where $\dot C = 0$",
    )


def _one_dimension(m: sp.Expr) -> Evidence:
    """Evaluate both sides at A = [1]: G = 0 needs σ²s = 2γt."""
    G = named(generic_equilibrium().balance, **LINE, gamma=1, t_0=1, s_0=2, lam=0)
    left, right = 4 * m, sp.Integer(2)
    if G != 0 or left == right:
        reason = f"G = {G} and the sides are {left}, {right}"
        return Evidence("zero of the flow", Verdict.INCONCLUSIVE, reason, instances=1)
    values = {"A": "[[1]]", "gamma": "1", "sigma2": "1", "t": "1", "s": "2"}
    return Evidence(
        "zero of the flow",
        Verdict.REFUTED,
        "The derived G vanishes and the two sides differ.",
        instances=1,
        counterexample=Witness(values, f"4γC = {left}", f"σ²s = {right}", exact=True),
    )


def fixed_point_exact(subject: Fraction, context: Context) -> Evidence:
    """Choose γ so that the exact drift vanishes, then compare the sides of (9)."""

    def sides(instance: Instance) -> Sides | None:
        still, moving = (drift_of(instance.with_(gamma=Fraction(g))) for g in (0, 1))
        if still == moving:
            return None
        gamma = still / (still - moving)  # the drift is affine in γ
        if gamma < 0:
            return None
        case = instance.with_(gamma=gamma)
        left = 4 * gamma * subject * form(case.A, case.theta)
        noise = _trace(case)
        return Sides(left, case.sigma2 * noise, degenerate=not noise, case=case)

    return exact_evidence(
        "exact fixed point",
        sides,
        context,
        r"$4\gamma C(\theta)$ against $\sigma^2\mathrm{Tr}[\Sigma(\theta)A]$ where "
        r"$\dot C = 0$",
        examples=(scale_invariant_pair(),),
        min_samples=2,
    )


def _trace(instance: Instance) -> Fraction:
    Sigma, A = covariance(instance.gradients()), instance.A
    return sum(
        (dot(row, other) for row, other in zip(A, Sigma, strict=True)), Fraction(0)
    )


def fixed_point_certified(subject: Fraction, context: Context) -> Evidence:
    """Enclose λ* by Arb and both sides of (9) at θ_λ* by interval arithmetic."""

    def sides(instance: Instance) -> tuple[Exponentials, Exponentials]:
        mu, t, s = orbit_terms(instance)
        decay = 4 * instance.gamma * subject
        left = {2 * m: decay * m * a for m, a in zip(mu, t, strict=True)}
        right = {-2 * m: instance.sigma2 * m * b for m, b in zip(mu, s, strict=True)}
        return left, right

    return _certified(
        sides,
        context,
        r"$4\gamma C(\theta^*)$ and $\sigma^2\mathrm{Tr}[\Sigma(\theta^*)A]$",
    )


# (10). The subject is p in Σ_{μ>0} μ^p s = Σ_{μ<0} |μ|^p s, at γ = 0.


def balance_symbolic(subject: int, context: Context) -> Evidence:
    """Compare the derived noise term with the difference of the two sums of (10)."""
    if subject != 1 and context.subject is None:
        return _unequal_weights(subject)

    def rows() -> Iterator[tuple[str, sp.Expr, sp.Expr]]:
        for declaration in declarations_of(context):
            equilibrium = derived(declaration).equilibrium
            spectrum = equilibrium.eigenvalues
            if not all(m.is_Rational for m in spectrum) or _same(subject, spectrum):
                continue
            pairs = list(zip(spectrum, equilibrium.s, strict=True))
            up = sum((m**subject * s for m, s in pairs if m > 0), sp.S.Zero)
            down = sum(((-m) ** subject * s for m, s in pairs if m < 0), sp.S.Zero)
            yield (
                declaration.name,
                derived(declaration).flow.noise,
                SIGMA2 * (up - down),
            )

    return symbolic_evidence(
        "spectral parts",
        rows(),
        r"$\sigma^2\mathrm{Tr}[\Sigma A]$ against $\sigma^2(\sum_{\mu_i>0}\mu_is_i - "
        r"\sum_{\mu_i<0}|\mu_i|s_i)$, which vanish together",
    )


def _same(power: int, spectrum: Iterable[sp.Expr | int]) -> bool:
    """Return whether a power other than 1 is no other weight: all μ are 0 or ±1."""
    return power != 1 and all(abs(m) in {0, 1} for m in spectrum)


def _unequal_weights(power: int) -> Evidence:
    """Evaluate both sums at ℓ = (uw⁴x − y)², where A = diag(4, −1)."""
    case = _rescaling_four()
    mu, _, s = orbit_terms(case)
    pairs = list(zip(mu, s, strict=True))
    weighted, plain = (
        sum(((1 if m > 0 else -1) * abs(m) ** p * b for m, b in pairs), Fraction(0))
        for p in (1, power)
    )
    if weighted or not plain:
        reason = f"the sums differ by {weighted} and {plain}"
        return Evidence("spectral parts", Verdict.INCONCLUSIVE, reason, instances=1)
    return Evidence(
        "spectral parts",
        Verdict.REFUTED,
        "The drift vanishes and the two sums differ.",
        instances=1,
        counterexample=Witness(
            case.describe(), f"difference {plain}", "difference 0", exact=True
        ),
    )


def _rescaling_four() -> Instance:
    samples = ((1, 15), (1, 17))
    return by_hand((u * w**4 * x - y) ** 2, [[4, 0], [0, -1]], samples, (1, 2))


def balance_sign_exact(subject: int, context: Context) -> Evidence:
    """Compare the signs of the exact drift at γ = 0 and of the sums' difference."""

    def sides(instance: Instance) -> Sides | None:
        if instance.projectors() is None:
            return None
        case = instance.with_(gamma=Fraction(0))
        mu, _, s = orbit_terms(case)
        if _same(subject, mu):
            return None
        pairs = list(zip(mu, s, strict=True))
        up = sum((m**subject * b for m, b in pairs if m > 0), Fraction(0))
        down = sum(((-m) ** subject * b for m, b in pairs if m < 0), Fraction(0))
        drift = flow_parts(case)["trace"]
        return Sides(_sign(drift), _sign(up - down), not (up or down), case)

    return exact_evidence(
        "exact sums",
        sides,
        context,
        r"the sign of $\dot C$ against that of the two sums' difference",
        examples=(_rescaling_four(),),
        min_samples=2,
    )


def _sign(value: Fraction) -> Fraction:
    return Fraction((value > 0) - (value < 0))


def balance_certified(subject: int, context: Context) -> Evidence:
    """Enclose λ* at γ = 0 by Arb and both sums at θ_λ* by interval arithmetic."""

    def sides(instance: Instance) -> tuple[Exponentials, Exponentials] | None:
        mu, _, s = orbit_terms(instance)
        if _same(subject, mu):
            return None
        terms = [(m, abs(m) ** subject * b) for m, b in zip(mu, s, strict=True)]
        return (
            {-2 * m: b for m, b in terms if m > 0},
            {-2 * m: b for m, b in terms if m < 0},
        )

    return _certified(
        sides,
        context,
        r"$\sum_{\mu_i>0}\mu_is_i$ and $\sum_{\mu_i<0}|\mu_i|s_i$ at $\theta^*$",
        decay=False,
    )


# Both: certified enclosures of two sums of exponentials at λ*.


def _certified(
    sides: Callable[[Instance], tuple[Exponentials, Exponentials] | None],
    context: Context,
    what: str,
    *,
    decay: bool = True,
) -> Evidence:
    route, count, trivial = "Arb and interval arithmetic", 0, 0
    widest = Fraction(0)
    if (refusal := without_arb(route)) is not None:
        return refusal
    for instance in _with_fixed_point(context, decay=decay):
        mu, t, s = orbit_terms(instance)
        found = certificate(mu, s, t, instance)
        if not isinstance(found.lower, Fraction) or not isinstance(
            found.upper, Fraction
        ):
            continue
        ends = (found.lower, found.upper)
        pair = sides(instance)
        if pair is None:
            continue
        (low, high), (below, above) = (enclosed(terms, ends) for terms in pair)
        size = max(enclosed({k: abs(c) for k, c in e.items()}, ends)[1] for e in pair)
        if not size:
            continue
        count += 1
        trivial += int(max(low, below) <= 0 <= min(high, above))  # reads 0 = 0
        if high < below or above < low:
            witness = Witness(
                instance.describe() | {"lam": str(found)},
                f"in [{float(low):.12g}, {float(high):.12g}]",
                f"in [{float(below):.12g}, {float(above):.12g}]",
                exact=True,
            )
            return Evidence(
                route,
                Verdict.REFUTED,
                f"{what}: the enclosures are disjoint.",
                instances=count,
                counterexample=witness,
            )
        widest = max(widest, (max(high, above) - min(low, below)) / size)
    if count <= trivial:
        reason = f"{what}: no finite λ* where they are not 0."
        return Evidence(route, Verdict.NOT_APPLICABLE, reason)
    certain = widest <= _AGREEMENT
    return Evidence(
        route,
        Verdict.CERTIFIED if certain else Verdict.INCONCLUSIVE,
        f"{what}: equal on {count} instances up to {float(widest):.1e} of their size, "
        "rounding included.",
        instances=count,
        degenerate=trivial,
        tolerance=float(widest),
        detectable=float(widest),
    )


def without_arb(route: str) -> Evidence | None:
    """Return why nothing can be certified here, or None where Arb is installed."""
    try:
        certify_equilibrium([1], [1], [1], sigma2=1, gamma=1, bits=1)
    except ImportError as error:
        return Evidence(route, Verdict.NOT_APPLICABLE, str(error))
    return None


def _with_fixed_point(context: Context, *, decay: bool) -> Iterator[Instance]:
    """Yield drawn instances with rational orbits, and the hand-made one."""
    if context.subject is None:
        pair = scale_invariant_pair().with_(gamma=Fraction(1))
        yield pair if decay else _rescaling_four()
    strategy = instances(subject=context.subject, min_samples=2)
    for instance in context.draw(strategy, context.profile.exact, "certified"):
        if instance.projectors() is not None:
            yield instance if decay else instance.with_(gamma=Fraction(0))


def certificate(
    mu: tuple[int, ...],
    s: tuple[Fraction, ...],
    t: tuple[Fraction, ...],
    instance: Instance,
    bits: int = 128,
) -> Certificate:
    """Return the certified λ* of an instance with these orbit terms."""
    return certify_equilibrium(
        mu, s, t, sigma2=instance.sigma2, gamma=instance.gamma, bits=bits
    )


def enclosed(
    terms: Exponentials, ends: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction]:
    """Enclose Σ c_k e^{kλ} over λ in [ends], each term being monotone in λ."""
    low = high = Fraction(0)
    for k, c in terms.items():
        values = [c * e for end in ends for e in _exponential(k * end)]
        low, high = low + min(values), high + max(values)
    return low, high


def _exponential(argument: Fraction) -> tuple[Fraction, Fraction]:
    z = sp.Symbol("z")
    value = sp.Rational(argument.numerator, argument.denominator)
    low, high = enclose(sp.exp(z), {z: value}, bits=320)
    return Fraction(int(low.p), int(low.q)), Fraction(int(high.p), int(high.q))

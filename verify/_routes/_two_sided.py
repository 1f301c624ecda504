"""SGD from both sides of λ* on one orbit, and monotone charges for definite A."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from numeric import noise_equilibrium
from symbolic import Declaration, Verdict, Witness, catalogue
from verify._context import Context
from verify._evidence import Evidence, Figure, Series
from verify._instances import Instance
from verify._routes._ensembles import Array, Problem, problem_of, quadratic, run
from verify._statistics import hoeffding_radius


SIDES = (-0.9, -0.45, 0.45, 0.9)  # λ − λ* of the starting points
_NAMES = (
    "rescaling",
    "tanh net with a factorised first layer, d = 2",
    "matrix factorisation 1–3–1",
)


def two_sided(subject: object, context: Context) -> Evidence:
    """Start at θ_λ on both sides of λ*: each replica's C must move towards C(θ*).

    The share of replicas that moved towards C(θ*) is bounded below by Hoeffding's
    inequality; it must exceed ½ for every start, at level α.

    Returns:
        The evidence.
    """
    route = "SGD from both sides"
    if subject != "corrected":
        return Evidence(
            route, Verdict.NOT_APPLICABLE, "λ* is not unique under this hypothesis."
        )
    if context.subject is not None:
        return Evidence(
            route,
            Verdict.NOT_APPLICABLE,
            "The label-noise instances belong to the built-in catalogue.",
        )
    figures: list[Figure] = []
    shares: list[float] = []
    replicas = 8 * context.profile.replicas
    for instance in _label_noise():
        centre = _equilibrium(instance)
        problem = problem_of(instance, replicas, tuple(centre + side for side in SIDES))
        target = _charge_at(instance, centre)
        _, charges, _ = run(
            problem,
            context.rng(route, instance.declaration.name),
            8 * context.profile.steps,
            "sgd",
        )
        groups = np.array_split(np.arange(charges.shape[1]), len(SIDES))
        for side, members in zip(SIDES, groups, strict=True):
            moved = (charges[-1, members] - charges[0, members]) * -np.sign(side)
            share = float((moved > 0).mean())
            shares.append(share - hoeffding_radius(len(members), context.alpha))
            if not share + hoeffding_radius(len(members), context.alpha) >= 0.5:
                witness = Witness(
                    instance.describe() | {"lam - lam*": str(side)},
                    f"share {share:.3f} moved towards C*",
                    "more than 1/2",
                    exact=False,
                )
                return Evidence(
                    route,
                    Verdict.REFUTED,
                    "C moves away from the equilibrium.",
                    instances=len(shares),
                    alpha=context.alpha * len(shares),
                    counterexample=witness,
                )
        figures.append(_figure(instance, problem, charges, target))
    if not min(shares) > 0.5:
        return Evidence(
            route,
            Verdict.INCONCLUSIVE,
            f"The smallest lower bound of a share is {min(shares):.3f}; more replicas "
            "would decide.",
            instances=len(shares),
            alpha=context.alpha * len(shares),
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"From {len(SIDES)} points of one orbit in each of {len(figures)} "
        f"declarations, C moves towards the same C(θ*): at least {min(shares):.0%} of "
        "replicas for every start.",
        instances=len(shares),
        alpha=context.alpha * len(shares),
        detectable=1.0 - min(shares),
        figures=tuple(figures),
    )


def definite_growth(subject: object, context: Context) -> Evidence:
    """For A = I, γ = 0, every replica's C grows at every step, as ∇²C ≻ 0 demands."""
    route = "SGD, definite A"
    if context.subject is not None or subject == "any":
        return Evidence(
            route,
            Verdict.NOT_APPLICABLE,
            "Checked for the built-in scale-invariant losses with γ = 0.",
        )
    count, falls, noisy = 0, 0, 0
    for declaration in catalogue():
        if not declaration.name.startswith("scaling"):
            continue
        width = declaration.space.size
        samples = tuple(
            (
                *(Fraction(k % 3 - 1 + (i == k % width)) for i in range(width)),
                Fraction((-1) ** k),
            )
            for k in range(8)
        )
        theta = tuple(Fraction(i + 1, 2) for i in range(width))
        instance = Instance(
            declaration, samples, theta, Fraction(1, 20), Fraction(0), 2
        )
        problem = problem_of(instance, context.profile.replicas)
        _, charges, _ = run(
            problem, context.rng(route, declaration.name), context.profile.steps, "sgd"
        )
        rises = np.diff(charges, axis=0)
        rounding = 64 * 2.0**-52 * np.abs(charges[:-1])
        count += rises.size
        falls += int((~(rises >= -rounding)).sum())
        noisy += int((rises > rounding).sum())
    if falls:
        return Evidence(
            route,
            Verdict.REFUTED,
            "C fell.",
            instances=count,
            counterexample=Witness({}, f"{falls} falls", "0 falls", exact=False),
        )
    return Evidence(
        route,
        Verdict.SUPPORTED,
        f"‖θ‖² of scale-invariant losses rises at each of {count} steps (to rounding), "
        "so C is monotone.",
        instances=count,
        degenerate=count - noisy,
        tolerance=64 * 2.0**-52,
    )


def _label_noise() -> tuple[Instance, ...]:
    """Return instances whose noise persists at the minimum of L: labels ±1 about ½."""
    chosen = [d for d in catalogue() if d.name.startswith(_NAMES)]
    chosen = [d for d in chosen if "u^" not in d.name]
    return tuple(_instance(declaration) for declaration in chosen)


def _instance(declaration: Declaration) -> Instance:
    samples = tuple(
        (Fraction(1), Fraction(1, 2) + Fraction((-1) ** k)) for k in range(4)
    )
    n = declaration.space.size
    theta = tuple(Fraction(3, 5) for _ in range(n))
    return Instance(declaration, samples, theta, Fraction(1, 20), Fraction(0), 1)


def _equilibrium(instance: Instance) -> float:
    A = np.array([[float(v) for v in row] for row in instance.A])
    values, vectors = np.linalg.eigh(A)
    G = np.array([[float(v) for v in g] for g in _gradients(instance)])
    noise = ((G - G.mean(axis=0)) @ vectors) ** 2
    theta = np.array([float(v) for v in instance.theta])
    return float(
        noise_equilibrium(
            values,
            noise.mean(axis=0),
            (vectors.T @ theta) ** 2,
            sigma2=float(instance.sigma2),
            gamma=float(instance.gamma),
        )
    )


def _gradients(instance: Instance) -> Array:
    problem = problem_of(instance, 1, (0.0,))
    gradients: Array = problem.gradients(problem.theta)[0]
    return gradients


def _charge_at(instance: Instance, lam: float) -> float:
    problem = problem_of(instance, 1, (lam,))
    return float(quadratic(problem.A, problem.theta)[0] / 2)


def _figure(
    instance: Instance, problem: Problem, charges: Array, target: float
) -> Figure:
    keep = np.unique(np.linspace(0, len(charges) - 1, 80).astype(int))
    time = tuple(float(problem.eta * k) for k in keep)
    series: list[Series] = []
    for group, members in enumerate(
        np.array_split(np.arange(charges.shape[1]), len(SIDES))
    ):
        part = charges[keep][:, members]
        low, high = np.quantile(part, [0.1, 0.9], axis=1)
        series.append(
            Series(
                "",
                time,
                tuple(map(float, low)),
                tuple(map(float, high)),
                kind="band",
                group=group,
            )
        )
        series.append(
            Series(
                f"λ − λ* = {SIDES[group]:g}",
                time,
                tuple(map(float, part.mean(axis=1))),
                group=group,
            )
        )
    series.append(
        Series(
            "C at the noise equilibrium",
            (time[0], time[-1]),
            (target, target),
            kind="dashed",
            group=-1,
        )
    )
    return Figure(
        f"From both sides to one equilibrium: {instance.declaration.name}",
        "time (learning rate × steps)",
        "charge C",
        tuple(series),
        caption="Mean and 10–90 % band over SGD replicas started at four points of one "
        "orbit; labels are noisy, so the noise persists.",
    )

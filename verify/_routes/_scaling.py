"""Routes for (11): the norm of scale-invariant parameters."""

from __future__ import annotations

from fractions import Fraction

from hypothesis.strategies import SearchStrategy

from symbolic import Verdict
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import covariance, dot
from verify._instances import Instance
from verify._routes._common import Factors, Sides, drawn_evidence
from verify._routes._ensembles import flow_ensemble
from verify._routes._flow import drift_of
from verify._routes._orbit import scale_invariant_pair
from verify._routes._words import scale_invariant_subject
from verify._strategies import instances, scale_invariant


def _source(context: Context) -> SearchStrategy[Instance] | None:
    """Return what to draw from, or None for a subject that is not scale invariant."""
    if context.subject is None:
        return scale_invariant()
    if not scale_invariant_subject(context):
        return None
    return instances(context.subject, min_samples=2)


def _refusal(route: str) -> Evidence:
    return Evidence(
        route, Verdict.NOT_APPLICABLE, "Scale invariance of all parameters is A = I."
    )


def norm_generator(subject: Factors, context: Context) -> Evidence:
    """Compare d‖θ‖²/dt from weak Euler steps with decay·γ‖θ‖² + noise·σ²Tr Σ."""
    route, source = "exact generator", _source(context)
    if source is None:
        return _refusal(route)

    def sides(instance: Instance) -> Sides:
        Sigma = covariance(instance.gradients())
        spread = sum((Sigma[i][i] for i in range(len(Sigma))), Fraction(0))
        norm = dot(instance.theta, instance.theta)
        right = subject.decay * instance.gamma * norm
        right += subject.noise * instance.sigma2 * spread
        return Sides(2 * drift_of(instance), right, degenerate=not right)

    return drawn_evidence(
        route,
        sides,
        source,
        context,
        r"$d\|\theta\|^2/dt$",
        examples=(scale_invariant_pair(),) if context.subject is None else (),
    )


def norm_ensemble(subject: Factors, context: Context) -> Evidence:
    """Measure the factor of σ²Tr Σ in d‖θ‖²/dt on SGD ensembles."""
    source = _source(context)
    if source is None:
        return _refusal("SGD ensembles")
    # C = ½‖θ‖², so the factor of the charge is half that of the norm.
    halved = Factors(subject.decay, subject.noise / 2)
    return flow_ensemble(halved, context, method="sgd", strategy=source)

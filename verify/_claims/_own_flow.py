"""The flow of any charge with weight decay (own; P1 has J = Aθ)."""

from fractions import Fraction
from functools import partial

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD, PER_SAMPLE
from verify._routes._any_charge import drift_curves, drift_symbolic
from verify._routes._common import Factors
from verify._routes._field_ensembles import field_ensemble


CLAIMS = (
    Claim(
        id="own.flow",
        title="the flow of any charge",
        statement=r"With weight decay $\gamma\|\theta\|^2$ the charge of any gradient "
        r"field $J$, affine or nonlinear, follows the formula; for $J = A\theta$ it is "
        r"(7).",
        formula=r"\dot C = -2\gamma\,\theta\cdot J(\theta) + \sigma^2\,"
        r"\mathrm{Tr}[\Sigma(\theta)\,\nabla^2C]",
        source="own (extends P1, Eq. (7))",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in front of the trace",
        subject=Factors(decay=Fraction(-2)),
        twin_statement=r"$\dot C = -2\gamma\,\theta\cdot J + \frac12\sigma^2"
        r"\mathrm{Tr}[\Sigma\nabla^2C]$.",
        twin_subject=Factors(decay=Fraction(-2), noise=Fraction(1, 2)),
        routes=(
            partial(drift_symbolic, decay=True),
            partial(drift_curves, decay=True),
            partial(field_ensemble, method="sgd"),
        ),
        assumptions=(PER_SAMPLE, GRADIENT_FIELD),
        about="charge",
        note="SGD ensembles count the mean gradient, the decay and what a step has of "
        "third order as known, so that the factor tested is the noise's.",
    ),
)

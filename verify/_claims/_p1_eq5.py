"""P1, Eq. (5): the Noether flow under SGD noise."""

from fractions import Fraction
from functools import partial

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD, P1, PER_SAMPLE, TRAINING
from verify._routes._any_charge import drift_curves, drift_symbolic
from verify._routes._common import Factors
from verify._routes._digits_routes import digits_flow
from verify._routes._field_ensembles import field_ensemble
from verify._routes._words import flow_words


CLAIMS = (
    Claim(
        id="p1.eq5",
        title="the Noether flow",
        statement=r"Under $d\theta = -\nabla L\,dt + \sqrt{2\sigma^2\Sigma}\,dW$ the "
        r"charge follows the formula, without any $dW$ term; hence $C$ is monotone "
        r"where $\nabla^2C$ is definite and $\Sigma \neq 0$.",
        formula=r"dC = \sigma^2\,\mathrm{Tr}[\Sigma(\theta)\nabla^2C]\,dt",
        source=f"{P1}, Eq. (5)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in front of the trace",
        subject=Factors(decay=Fraction(0)),
        twin_statement=r"$dC = \frac12\sigma^2\mathrm{Tr}[\Sigma\nabla^2C]\,dt$, as "
        r"P1's Eqs. (26) and (30) print it.",
        twin_subject=Factors(decay=Fraction(0), noise=Fraction(1, 2)),
        routes=(
            partial(drift_symbolic, decay=False),
            partial(flow_words, decay=False),
            partial(drift_curves, decay=False),
            partial(field_ensemble, method="sde"),
            partial(digits_flow, decay=False),
        ),
        shares=TRAINING,
        assumptions=(PER_SAMPLE, GRADIENT_FIELD),
        about="charge",
        note="SDE ensembles simulate with weight decay where the instance has one; the "
        "decay's part of the mean is known exactly, and the factor tested is the "
        "noise's.",
    ),
)

"""P1, Eq. (7): the Noether flow with weight decay."""

from fractions import Fraction
from functools import partial

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE, TRAINING
from verify._result import Breakage
from verify._routes._common import Factors
from verify._routes._digits_routes import digits_flow
from verify._routes._ensembles import flow_ensemble
from verify._routes._flow import flow_compiled, flow_generator, flow_symbolic
from verify._routes._words import flow_words


_STEPS = Breakage(
    "small steps, for discrete SGD",
    r"One step adds $\frac12\eta^2\bar g^\top A\bar g + 4\eta^2\gamma^2C$ to $\eta G$, "
    r"of the order of the noise term where $\|\bar g\|^2 \gtrsim "
    r"\mathrm{Tr}\,\Sigma/S$; the ensembles count it as known, so that the factor "
    r"tested is the flow's.",
)

CLAIMS = (
    Claim(
        id="p1.eq7",
        title="the flow with weight decay",
        statement=r"With weight decay $\gamma\|\theta\|^2$ the charge "
        r"$C = \frac12\theta^\top A\theta$ of an exponential symmetry follows the "
        r"formula.",
        formula=r"\dot C = -4\gamma C + \sigma^2\,\mathrm{Tr}[\Sigma(\theta)A] =: "
        r"G(\theta)",
        source=f"{P1}, Eq. (7), with ∇C = J",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in either term",
        subject=Factors(),
        twin_statement=r"(7) with the $C$ of (6) as printed, that is "
        r"$\dot C = -4\gamma C + \frac12\sigma^2\mathrm{Tr}[\Sigma A]$ for "
        r"$C = \frac12\theta^\top A\theta$.",
        twin_subject=Factors(noise=Fraction(1, 2)),
        routes=(
            partial(flow_symbolic, decay=True),
            partial(flow_words, decay=True),
            partial(flow_generator, decay=True),
            flow_compiled,
            partial(flow_ensemble, method="sgd"),
            partial(digits_flow, decay=True),
        ),
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _STEPS),
    ),
)

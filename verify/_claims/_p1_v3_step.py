"""P1 v3, Theorem D.1: the charge in discrete time."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_v3_orbit import V3
from verify._claims._shared import PER_SAMPLE
from verify._context import Context
from verify._evidence import Evidence
from verify._result import Breakage
from verify._routes._v3_discrete import (
    step_falls_exact,
    step_law_exact,
    step_slope_words,
)
from verify._routes._words import discrete_words


def _words(subject: Fraction, context: Context) -> Evidence:
    """Derive one step for ½θᵀAθ, whose factor is half that for θᵀAθ."""
    return discrete_words(subject / 2, context)


_NO_DECAY = Breakage(
    r"$\gamma = 0$",
    r"$A = 1$ and no gradient: $C' = (1 - 2\eta\gamma)^2C \neq C$ for $\gamma = 1$.",
)
_MOVING = Breakage(
    r"$Ag \neq 0$ for some minibatch",
    r"$\ell = (uw - 2)^2$ at $(1, 2)$: every gradient is 0 and $G_d \equiv 0$ on the "
    r"orbit.",
)

CLAIMS = (
    Claim(
        id="p1.v3.d1",
        title="one step in discrete time",
        statement=r"One step of SGD without decay changes $C = \theta^\top A\theta$ by "
        r"the formula, $\Sigma_d = gg^\top$ with the minibatch's gradient $g$.",
        formula=r"\Delta C = \eta^2\,\mathrm{Tr}[\Sigma_dA]",
        source=f"{V3}, Theorem D.1",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement=r"$\Delta C = \frac12\eta^2\mathrm{Tr}[\Sigma_dA]$.",
        twin_subject=Fraction(1, 2),
        routes=(_words, step_law_exact),
        assumptions=(PER_SAMPLE, _NO_DECAY),
    ),
    Claim(
        id="p1.v3.d1.unique",
        title="one balance in discrete time",
        statement=r"$G_d = E\,\Delta C$ over the minibatches falls strictly along the "
        r"orbit, and so has one zero $\lambda^* \in \mathbb{R} \cup \{\pm\infty\}$, if "
        r"$Ag \neq 0$ for some minibatch; else it is 0 throughout.",
        formula=r"\partial_\lambda G_d = -2\eta^2E\|Ag\|^2",
        source=f"{V3}, Theorem D.1, with the condition stated",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="two zeros on one orbit",
        subject="moving",
        twin_statement=r"The same without the condition.",
        twin_subject="always",
        routes=(step_slope_words, step_falls_exact),
        assumptions=(PER_SAMPLE, _MOVING),
        note=r"$\lambda^*$ is finite iff some directions push $C$ up and some down: "
        r"for $A = I$ it is $+\infty$.",
    ),
)

"""P1, Eq. (9): decay and noise balance at the fixed point."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._routes._fixed_point import (
    fixed_point_certified,
    fixed_point_exact,
    fixed_point_symbolic,
)


CLAIMS = (
    Claim(
        id="p1.eq9",
        title="the fixed point with weight decay",
        statement=r"At a fixed point $\theta^*$ of the flow the charge "
        r"$C = \frac12\theta^\top A\theta$ is held up by the noise as the formula "
        r"says.",
        formula=r"4\gamma\,C(\theta^*) = \sigma^2\,\mathrm{Tr}[\Sigma(\theta^*)A]",
        source=f"{P1}, Eq. (9), with ∇C = J",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 between the sides",
        subject=Fraction(1, 2),
        twin_statement=r"The same with the $C = \theta^\top A\theta$ of (6) as "
        r"printed.",
        twin_subject=Fraction(1),
        routes=(fixed_point_exact, fixed_point_symbolic, fixed_point_certified),
        assumptions=(PER_SAMPLE,),
        derivation=(r"Set $G = -4\gamma C + \sigma^2\mathrm{Tr}[\Sigma A]$ to zero.",),
    ),
)

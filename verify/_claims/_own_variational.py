"""The noise equilibrium minimises Φ on its orbit (own; not in the papers)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import DECAY_SIGN, PER_SAMPLE
from verify._routes._potential import (
    potential_exact,
    potential_numeric,
    potential_symbolic,
)
from verify._routes._words import potential_words


CLAIMS = (
    Claim(
        id="own.variational",
        title="λ* minimises a convex function",
        statement=r"On every orbit of an exponential symmetry $G$ is minus the slope "
        r"of "
        r"$\Phi(\theta) = \gamma\|\theta\|^2 + \frac{\eta}{4S}\mathrm{Tr}\,\Sigma("
        r"\theta)$, and $\lambda\mapsto\Phi(\theta_\lambda)$ is convex for "
        r"$\gamma \ge 0$: the noise equilibrium minimises $\Phi$ on the orbit.",
        formula=r"G(\theta_\lambda) = -\frac{d}{d\lambda}\Phi(\theta_\lambda),\quad "
        r"\frac{d^2}{d\lambda^2}\Phi(\theta_\lambda) \ge 0",
        source="own (not in the papers)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 between decay and noise",
        subject=Fraction(1, 2),
        twin_statement=r"The same with $\frac{\eta}{2S}\mathrm{Tr}\,\Sigma$.",
        twin_subject=Fraction(1),
        routes=(
            potential_exact,
            potential_words,
            potential_symbolic,
            potential_numeric,
        ),
        assumptions=(PER_SAMPLE, DECAY_SIGN),
    ),
)

"""Heavy ball with weight decay: the exact laws of C and of B = θᵀAm (own)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import PER_SAMPLE
from verify._result import Breakage
from verify._routes._momentum import (
    Law,
    law_by_engine,
    law_every_step,
    momentum_exact,
    momentum_symbolic,
)


_SYMMETRIC = Breakage(
    r"$A = A^\top$",
    r"$A = \begin{pmatrix}0&1\\-1&0\end{pmatrix}$: $\frac12\theta^\top A\theta = 0$ "
    r"for every $\theta$, but $B = \theta^\top Am$ need not vanish.",
)

CLAIMS = (
    Claim(
        id="own.momentum",
        title="the exact law under heavy ball",
        statement=r"Heavy ball with coupled decay, $m' = \beta m + g + 2\gamma\theta$, "
        r"$\theta' = \theta - \eta m'$, moves $C = \frac12\theta^\top A\theta$ and "
        r"$B = \theta^\top Am$ by the formulas, $M' = m'^\top Am'$, for any minibatch "
        r"gradient $g$ of a loss with the symmetry and any $\beta$.",
        formula=r"B' = \beta B + 4\gamma C - \eta M',\quad C' = C - \eta(\beta B + "
        r"4\gamma C) + \tfrac12\eta^2M'",
        source="own (THEORY §3)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in any term",
        subject=Law(beta=0.9),
        twin_statement=r"The same with $B' = \beta B + 4\gamma C - \frac12\eta M'$.",
        twin_subject=Law(b=0.5, beta=0.9),
        shares="six systems",
        routes=(momentum_symbolic, momentum_exact, law_every_step, law_by_engine),
        assumptions=(PER_SAMPLE, _SYMMETRIC),
    ),
)

"""P2, §4: the three limits of infinite depth."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, NOISE, P2, SIGN
from verify._routes._stationary_deep import limits_numeric, limits_symbolic


CLAIMS = (
    Claim(
        id="p2.limits",
        title="three limits of infinite depth",
        statement=r"For $D \to \infty$ ($\gamma = 0$): if $d/D \to 0$ the law tends "
        r"to $\delta(v)$, with $vD/d$ of order 1; if $d/D$ is fixed it has the density "
        r"of p2.limit; if $d/D \to \infty$ it tends to $\delta(v - \beta_2/\beta_1)$. "
        r"(The limit $D \to \infty$ is taken first.)",
        formula=r"p \to \begin{cases}\delta(v) & d = o(D)\\ \delta(v - \beta_2/\beta_1)"
        r" & D = o(d)\end{cases}",
        source=f"{P2}, §4 (D → ∞)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another limit",
        subject=("zero", "minimum"),
        twin_statement=r"The two limits are exchanged.",
        twin_subject=("minimum", "zero"),
        routes=(limits_symbolic, limits_numeric),
        assumptions=(BALANCED, NOISE, SIGN),
    ),
)

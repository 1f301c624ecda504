"""P1, Theorem 1, part 1: G falls along the orbit."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import DECAY_SIGN, P1, PER_SAMPLE
from verify._routes._theorem1 import monotone_exact, monotone_symbolic
from verify._routes._two_sided import definite_growth
from verify._routes._words import slope_words


CLAIMS = (
    Claim(
        id="p1.thm1.1",
        title="G falls along the orbit",
        statement=r"For every $\theta$ and every $\gamma \ge 0$, $G(\theta_\lambda)$ "
        r"is a non-increasing function of $\lambda$.",
        formula=r"\partial_\lambda G(\theta_\lambda) = -4\gamma\|A\theta_\lambda\|^2 "
        r"- 2\sigma^2\,\mathrm{Tr}[\Sigma(\theta_\lambda)A^2] \le 0",
        source=f"{P1}, Theorem 1 (1), for γ ≥ 0",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any increase",
        subject="non-negative",
        twin_statement=r"$G(\theta_\lambda)$ is non-increasing for any "
        r"$\gamma\in\mathbb{R}$.",
        twin_subject="any",
        routes=(monotone_symbolic, slope_words, monotone_exact, definite_growth),
        assumptions=(PER_SAMPLE, DECAY_SIGN),
        note="Printed for any γ; p1.thm1.2 takes those words literally. The false twin "
        "here shows that part 1 fails for γ < 0 as well.",
    ),
)

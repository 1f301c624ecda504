"""P1, Theorem 1, part 3: the fixed point is unique. Published hypothesis false (D4)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE, TRAINING
from verify._result import Breakage
from verify._routes._digits_routes import digits_balance
from verify._routes._potential import equilibrium_numeric
from verify._routes._theorem1 import uniqueness_exact, uniqueness_symbolic
from verify._routes._two_sided import two_sided


_NOISE = Breakage(
    r"$\mathrm{Tr}[\Sigma A^2] > 0$, or $\gamma > 0$ and $A\theta \neq 0$",
    r"$\ell = (uw - 1)^2$ at $(2, \frac12)$ with $\gamma = 0$: $G \equiv 0$ on the "
    r"orbit.",
)

CLAIMS = (
    Claim(
        id="p1.thm1.3",
        title="λ* is unique (as printed)",
        statement=r"If $\mathrm{Tr}[\Sigma A] \neq 0$ or "
        r"$\mathrm{Tr}[\theta\theta^\top A] \neq 0$, then $\lambda^*$ is unique and "
        r"$G(\theta_\lambda)$ strictly monotone.",
        formula=r"\mathrm{Tr}[\Sigma A] \neq 0 \vee \theta^\top A\theta \neq 0 "
        r"\;\Rightarrow\; \partial_\lambda G < 0",
        source=f"{P1}, Theorem 1 (3)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="two zeros on one orbit",
        subject="published",
        twin_statement=r"The same if $\mathrm{Tr}[\Sigma A^2] > 0$, or $\gamma > 0$ "
        r"and $A\theta \neq 0$.",
        twin_subject="corrected",
        routes=(uniqueness_exact, uniqueness_symbolic),
        shares=TRAINING,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (uw - 1)^2$ at $(2, \frac12)$ is interpolated, so "
        r"$\nabla\ell = 0$ and $\Sigma = 0$; with $\gamma = 0$, $G \equiv 0$ although "
        r"$\theta^\top A\theta = 4 - \frac14$.",
    ),
    Claim(
        id="p1.thm1.3.corrected",
        title="λ* is unique",
        statement=r"$G(\theta_\lambda)$ is strictly decreasing, and $\lambda^*$ "
        r"unique, iff $\mathrm{Tr}[\Sigma A^2] > 0$, or $\gamma > 0$ and $A\theta \neq "
        r"0$; otherwise $G \equiv 0$ on the orbit.",
        formula=r"\mathrm{Tr}[\Sigma A^2] > 0 \vee (\gamma > 0 \wedge A\theta \neq 0) "
        r"\;\Leftrightarrow\; \partial_\lambda G < 0",
        source=f"{P1}, Theorem 1 (3), corrected (D4)",
        form="corrected",
        amends="p1.thm1.3",
        expected=Verdict.PROVED,
        discrepancy="two zeros on one orbit",
        subject="corrected",
        twin_statement=r"The same under the printed hypothesis, $\mathrm{Tr}[\Sigma A] "
        r"\neq 0$ or $\theta^\top A\theta \neq 0$.",
        twin_subject="published",
        routes=(
            uniqueness_symbolic,
            uniqueness_exact,
            equilibrium_numeric,
            two_sided,
            digits_balance,
        ),
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _NOISE),
    ),
)

"""P1 v3, Theorem 4.3 (1) and Lemma B.1: the charge and the noise along the orbit."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import PER_SAMPLE
from verify._result import Breakage
from verify._routes._v3_discrete import (
    charge_rises_exact,
    charge_rises_words,
    trace_exact,
    trace_words,
)


V3 = "P1 (arXiv 2402.07193 v3)"

_SYMMETRIC = Breakage(
    r"$A = A^\top$",
    r"$A = \begin{pmatrix}1&-4\\0&1\end{pmatrix}$ at $\theta = (2, 1)$: along "
    r"$e^{\lambda A}\theta$ the form $\frac12\theta^\top A\theta$ falls, at the rate "
    r"$-3$.",
)

CLAIMS = (
    Claim(
        id="p1.v3.thm4.3.1",
        title="C rises along the orbit",
        statement=r"$C(\theta_\lambda)$ is increasing in $\lambda$: it never falls, "
        r"and it rises strictly wherever $A\theta \neq 0$.",
        formula=r"\frac{d}{d\lambda}C(\theta_\lambda) = \|A\theta_\lambda\|^2",
        source=f"{V3}, Theorem 4.3 (1)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="the sign",
        subject=1,
        twin_statement=r"$C(\theta_\lambda)$ is decreasing in $\lambda$.",
        twin_subject=-1,
        routes=(charge_rises_words, charge_rises_exact),
        assumptions=(
            _SYMMETRIC,
            Breakage(
                r"$A\theta \neq 0$ (for strictness)",
                r"At $A\theta = 0$ the orbit is one point and $C$ is constant.",
            ),
        ),
        needs_loss=False,
    ),
    Claim(
        id="p1.v3.b1",
        title="the trace along the orbit",
        statement=r"For an exponential symmetry the noise term of $\dot C$ at "
        r"$\theta_\lambda$ is that of the formula.",
        formula=r"\mathrm{Tr}[\Sigma(\theta_\lambda)A] = "
        r"\mathrm{Tr}[e^{-2\lambda A}\Sigma A]",
        source=f"{V3}, Lemma B.1",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="the sign or a factor 2 in the exponent",
        subject=-2,
        twin_statement=r"$\mathrm{Tr}[\Sigma(\theta_\lambda)A] = "
        r"\mathrm{Tr}[e^{2\lambda A}\Sigma A]$.",
        twin_subject=2,
        routes=(trace_words, trace_exact),
        assumptions=(PER_SAMPLE,),
    ),
)

"""P1, Appendix A, Eqs. (31)–(38): gradients and the trace along the orbit."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE, SYMMETRIC_TRANSPORT
from verify._claims._shared import P1
from verify._routes._general_orbits import (
    gradient_exact,
    gradient_words,
    trace_exact,
    trace_words,
)


CLAIMS = (
    Claim(
        id="p1.eq31",
        title="gradients on the orbit",
        statement=r"For an exponential symmetry and $\theta_\lambda = e^{\lambda "
        r"A}\theta$ the gradient of every sample is transported by $e^{-\lambda A}$, "
        r"and with it $E[\nabla\ell\nabla\ell^\top]$ and $\nabla L$.",
        formula=r"\nabla\ell(\theta_\lambda, z) = e^{-\lambda A}\,"
        r"\nabla\ell(\theta, z)",
        source=f"{P1}, Eqs. (31)–(34)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="the sign of the exponent",
        subject=-1,
        twin_statement=r"$\nabla\ell(\theta_\lambda, z) = e^{\lambda A}"
        r"\nabla\ell(\theta, z)$.",
        twin_subject=1,
        routes=(gradient_words, gradient_exact),
        assumptions=(AVERAGE, SYMMETRIC_TRANSPORT),
    ),
    Claim(
        id="p1.eq38",
        title="Tr[ΣA] on the orbit",
        statement=r"Along the orbit the noise's part of $G$ is a sum of exponentials "
        r"with the rates $-2\mu_i$.",
        formula=r"\mathrm{Tr}[\Sigma(\theta_\lambda)A] = "
        r"\mathrm{Tr}[e^{-2\lambda A}\Sigma A] = \sum_i\mu_is_ie^{-2\lambda\mu_i}",
        source=f"{P1}, Eqs. (35)–(38)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in the exponent",
        subject=-2,
        twin_statement=r"$\mathrm{Tr}[\Sigma(\theta_\lambda)A] = "
        r"\mathrm{Tr}[e^{-\lambda A}\Sigma A]$.",
        twin_subject=-1,
        routes=(trace_words, trace_exact),
        assumptions=(AVERAGE, SYMMETRIC_TRANSPORT),
        note="Σ(θ_λ) itself is p1.orbit.",
    ),
)

"""P1, Appendix A (Eqs. (31)–(38)): the noise along the orbit."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._routes._orbit import transport_exact, transport_symbolic


CLAIMS = (
    Claim(
        id="p1.orbit",
        title="the noise on the orbit",
        statement=r"For an exponential symmetry and $\theta_\lambda = e^{\lambda "
        r"A}\theta$, gradients and their covariance are transported by $e^{-\lambda "
        r"A}$.",
        formula=r"\Sigma(\theta_\lambda) = e^{-\lambda A}\,\Sigma(\theta)\,e^{-\lambda "
        r"A}",
        source=f"{P1}, Eqs. (31)–(38)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="the sign of the exponent",
        subject=-1,
        twin_statement=r"$\Sigma(\theta_\lambda) = e^{\lambda "
        r"A}\Sigma(\theta)e^{\lambda A}$.",
        twin_subject=1,
        routes=(transport_symbolic, transport_exact),
        assumptions=(PER_SAMPLE,),
    ),
)

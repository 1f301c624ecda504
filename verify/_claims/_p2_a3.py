"""P2, A.3: the effect of a finite step, published with T for η (P2-8)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, P2
from verify._result import Breakage
from verify._routes._stationary_step import step_exact, step_symbolic


_ROUTES = (step_symbolic, step_exact)
_STATED = (
    r"SGD follows the SDE of $L + \frac\eta4\|\nabla L\|^2$, in the mean to "
    r"$O(\eta^3)$ a step. There, at $D = 1$, $|u^2 - w^2|$ falls at $4[TQ + \eta"
    r"(\beta_1v - \beta_2)^2]$, the uncentred moment only if $S = 1$, and $T_c = "
    r"\beta_2/(\alpha_3 + S\beta_2^2)$."
)
_SMOOTH = Breakage(
    r"$\ell$ is three times differentiable",
    r"$L = |\theta|$: a step of $\eta$ from $\theta = \eta/2$ ends at $-\eta/2$, the "
    r"flow at 0: a gap of the first order.",
)

CLAIMS = (
    Claim(
        id="p2.a3",
        title="the loss of a finite step (as printed)",
        statement=r"SGD follows the SDE of $L + \frac T4\|\nabla L\|^2$: the "
        r"covariances are replaced by uncentred ones, and the formula holds at "
        r"$D = 1$.",
        formula=r"T_c = \frac{\beta_2}{\alpha_3 + \beta_2^2}",
        source=f"{P2}, Appendix A.3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor S",
        subject="T",
        twin_statement=_STATED,
        twin_subject="eta",
        routes=_ROUTES,
        assumptions=(_SMOOTH, BALANCED),
        note=r"By hand: $L = \frac12\theta^2$ without noise: a step gives $1 - \eta$, "
        r"at any $S$; the flow of $\frac12\theta^2 + \frac\kappa4\theta^2$ gives "
        r"$e^{-\eta(1 + \kappa/2)} = 1 - \eta + \frac{\eta^2}2 - \frac{\eta\kappa}2 + "
        r"O(\eta^3)$: $\kappa = \eta$, not $\eta/S$.",
    ),
    Claim(
        id="p2.a3.corrected",
        title="the loss of a finite step",
        statement=_STATED,
        formula=r"T_c = \frac{\beta_2}{\alpha_3 + S\beta_2^2}",
        source=f"{P2}, Appendix A.3, corrected (P2-8)",
        form="corrected",
        amends="p2.a3",
        expected=Verdict.PROVED,
        discrepancy="a factor S",
        subject="eta",
        twin_statement=r"The same with $T$ for $\eta$.",
        twin_subject="T",
        routes=_ROUTES,
        assumptions=(_SMOOTH, BALANCED),
    ),
)

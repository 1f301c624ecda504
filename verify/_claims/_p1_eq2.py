"""P1, Eq. (2): the rescaling is a symmetry for ρ > −1 only."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_groups import domain_exact, domain_symbolic


_ROUTES = (domain_exact, domain_symbolic)
_FORMULA = (
    r"\ell(Q_\rho\theta, z) = \ell(\theta, z),\quad "
    r"Q_\rho(a, b) = ((1+\rho)a,\, b/(1+\rho))"
)
_HOMOGENEOUS = Breakage(
    r"the activation is positively homogeneous",
    r"$\ell = (b(ax)^2 - y)^2$ at $a = b = x = 1$, $y = 1$: $\rho = 1$ gives "
    r"$(\frac12\cdot4 - 1)^2 = 1 \neq 0$.",
)
_POSITIVE = Breakage(
    r"$\rho > -1$",
    r"$\rho = -1$: $b/(1+\rho)$ is not defined. $\rho = -2$: "
    r"$\ell = (b\,\mathrm{relu}(ax) - 1)^2$ at $a = b = x = 1$ goes from 0 to 1.",
)

CLAIMS = (
    Claim(
        id="p1.eq2",
        title="ℓ∘Q_ρ = ℓ for all real ρ (as printed)",
        statement=r"The rescaling $Q_\rho$ of a layer, linear or rectified, keeps "
        r"$\ell$ for all $\rho\in\mathbb{R}$.",
        formula=_FORMULA,
        source=f"{P1}, Eq. (2) and the example after it",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one ρ at which ℓ changes",
        subject="real",
        twin_statement=r"The same for $\rho > -1$.",
        twin_subject="positive",
        routes=_ROUTES,
        assumptions=(_HOMOGENEOUS,),
        note=r"By hand: $\ell = (b\,\mathrm{relu}(a) - 1)^2$ at $a = b = 1$ is 0. "
        r"$\rho = -2$ leads to $a = b = -1$, where $\mathrm{relu}(-1) = 0$ and "
        r"$\ell = 1$. At $\rho = -1$ the image of $b$ is $1/0$.",
    ),
    Claim(
        id="p1.eq2.corrected",
        title="ℓ∘Q_ρ = ℓ for ρ > −1",
        statement=r"The rescaling $Q_\rho$ of a layer, linear or rectified, keeps "
        r"$\ell$ for $\rho > -1$; it is $e^{\lambda A}$ with $\lambda = "
        r"\ln(1+\rho)$.",
        formula=_FORMULA + r",\quad \rho > -1",
        source=f"{P1}, Eq. (2), corrected",
        form="corrected",
        amends="p1.eq2",
        expected=Verdict.PROVED,
        discrepancy="one ρ at which ℓ changes",
        subject="positive",
        twin_statement=r"The same for all real $\rho \neq -1$.",
        twin_subject="real",
        routes=_ROUTES,
        assumptions=(_HOMOGENEOUS, _POSITIVE),
    ),
)

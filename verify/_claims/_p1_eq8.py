"""P1, Eq. (8): an exponential symmetry in finite form."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_groups import finite_exact, finite_symbolic, finite_words


_EVERYWHERE = Breakage(
    "(3) holds on the whole orbit",
    r"$\ell = (uw - 1)^2 + u^2$ has $\nabla\ell\cdot J = 2u^2 = 0$ at $u = 0$ only; at "
    r"$(1, 1)$, $\ell = 1$ but $\ell(e^\lambda, e^{-\lambda}) = e^{2\lambda}$.",
)

CLAIMS = (
    Claim(
        id="p1.eq8",
        title="ℓ(e^{λA}θ) = ℓ(θ)",
        statement=r"A symmetry with $J = A\theta$, (2), keeps $\ell$ along the whole "
        r"orbit $e^{\lambda A}\theta$, $\lambda\in\mathbb{R}$, sample by sample.",
        formula=r"\ell(\theta, z) = \ell(e^{\lambda A}\theta, z)",
        source=f"{P1}, Eq. (8)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any change of ℓ along the orbit",
        subject=1,
        twin_statement=r"$\ell(\theta, z) = \ell(e^{\lambda A^2}\theta, z)$.",
        twin_subject=2,
        routes=(finite_words, finite_symbolic, finite_exact),
        assumptions=(_EVERYWHERE,),
        note="A need not be symmetric for (8).",
    ),
)

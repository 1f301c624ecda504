"""P1, before Eq. (4): not every symmetry has a charge (D2)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD, P1
from verify._result import Breakage
from verify._routes._general_charge import circulation_exact, poincare_words


_ROUTES = (circulation_exact, poincare_words)
_STAR = Breakage(
    "the domain is star-shaped",
    r"$J = (-w, u)/(u^2 + w^2)$ on the plane without 0 has a symmetric $\partial J$, "
    r"but $\oint J\cdot d\theta = 2\pi$ around 0.",
)

CLAIMS = (
    Claim(
        id="p1.charge",
        title="every symmetry has a charge (as printed)",
        statement=r"For every symmetry there is a $C$ with $\nabla C = J$.",
        formula=r"\forall J\;\exists C:\; \nabla C = J",
        source=f"{P1}, the definition of C",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one symmetry without a C",
        subject="any",
        twin_statement=r"The same where $\partial J$ is symmetric.",
        twin_subject="gradient",
        routes=_ROUTES,
        note=r"By hand: $\ell = ((u^2 + w^2)x - y)^2$ is kept by rotations, "
        r"$J = (-w, u)$. $\nabla C = J$ would give $\partial_w\partial_uC = -1$ and "
        r"$\partial_u\partial_wC = 1$. (The angle has the gradient "
        r"$J/(u^2 + w^2)$: an integrating factor may still lead to something "
        r"conserved.)",
    ),
    Claim(
        id="p1.charge.corrected",
        title="a charge exists iff ∂J is symmetric",
        statement=r"On a star-shaped domain there is a $C$ with $\nabla C = J$ iff "
        r"$\partial J$ is symmetric, and then it is the formula's.",
        formula=r"C(\theta) = \int_0^1\theta\cdot J(t\theta)\,dt,\quad "
        r"\partial J = (\partial J)^\top",
        source=f"{P1}, the definition of C, corrected (D2)",
        form="corrected",
        amends="p1.charge",
        expected=Verdict.PROVED,
        discrepancy="one symmetry for which the condition and C disagree",
        subject="gradient",
        twin_statement="The same for every J.",
        twin_subject="any",
        routes=_ROUTES,
        assumptions=(GRADIENT_FIELD, _STAR),
    ),
)

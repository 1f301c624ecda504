"""P1, Eq. (4): gradient flow conserves the charge."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD, P1, PER_SAMPLE
from verify._routes._any_charge import conservation_jets
from verify._routes._flow import conservation_symbolic


CLAIMS = (
    Claim(
        id="p1.eq4",
        title="gradient flow conserves C",
        statement=r"Where $\ell$ has the symmetry and $\nabla C = J$, gradient flow "
        r"$\dot\theta = -\nabla L$ keeps $C$ constant.",
        formula=r"\dot C = -\nabla L\cdot J = 0",
        source=f"{P1}, Eq. (4)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any change of C",
        subject="charge",
        twin_statement=r"Gradient flow conserves $C + \frac12\theta_1^2$ instead.",
        twin_subject="perturbed",
        routes=(conservation_symbolic, conservation_jets),
        assumptions=(PER_SAMPLE, GRADIENT_FIELD),
        about="charge",
    ),
)

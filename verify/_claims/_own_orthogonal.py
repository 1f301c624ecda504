"""No noise along J, whether there is a charge or not (own; behind P1, (3) and (5))."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import PER_SAMPLE
from verify._routes._any_charge import (
    orthogonal_jets,
    orthogonal_noise,
    orthogonal_symbolic,
)


CLAIMS = (
    Claim(
        id="own.orthogonal",
        title="no noise along J",
        statement=r"Where $\ell$ has the symmetry, every sample's gradient is "
        r"orthogonal to $J$, so that neither the mean gradient nor its noise has a "
        r"component along $J$. So it is for every kind of symmetry, with a charge or "
        r"without.",
        formula=r"\nabla\ell(\theta, z)\cdot J(\theta) = 0,\quad "
        r"\Sigma(\theta)\,J(\theta) = 0",
        source="own (P1, Eq. (3), and what (5) rests on)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="any component along J",
        subject="declared",
        twin_statement=r"The same for $J + e_1$.",
        twin_subject="perturbed",
        routes=(orthogonal_symbolic, orthogonal_jets, orthogonal_noise),
        assumptions=(PER_SAMPLE,),
        about="symmetry",
    ),
)

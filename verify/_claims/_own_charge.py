"""The charge of any gradient field (own; P1 has J = Aθ)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD
from verify._routes._any_charge import charge_jets, charge_symbolic


CLAIMS = (
    Claim(
        id="own.charge",
        title="the charge of any J",
        statement=r"Where $\partial J$ is symmetric the derived $C$ has $\nabla C = "
        r"J$: $C = \frac12\theta^\top A\theta + b^\top\theta$ for $J = A\theta + b$, "
        r"and the formula wherever the integral exists.",
        formula=r"C(\theta) = \int_0^1\theta\cdot J(t\theta)\,dt,\quad "
        r"\nabla C = J",
        source="own (Poincaré lemma)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement=r"$\nabla(2C) = J$.",
        twin_subject=Fraction(2),
        routes=(charge_symbolic, charge_jets),
        assumptions=(GRADIENT_FIELD,),
        about="charge",
        needs_loss=False,
    ),
)

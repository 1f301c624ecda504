"""P1, Appendix A, Eq. (25): Itô's lemma."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import MEAN_ZERO
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_ito import ito_exact, ito_words


_TWICE = Breakage(
    "f is twice differentiable",
    r"$f = |X|$ of a Brownian motion at 0: $E|X_h| = \sqrt{2h/\pi}$, so no drift per "
    r"unit of time.",
)

CLAIMS = (
    Claim(
        id="p1.eq25",
        title="Itô's lemma",
        statement=r"For $dX = \mu\,dt + G\,dW$ and a smooth $f$ the formula holds.",
        formula=r"df = \big(\nabla f^\top\mu + \tfrac12\mathrm{Tr}[G^\top\nabla^2f\,G]"
        r"\big)dt + \nabla f^\top G\,dW",
        source=f"{P1}, Eq. (25)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in front of the trace",
        subject=Fraction(1, 2),
        twin_statement=r"The ordinary chain rule, without the trace.",
        twin_subject=Fraction(0),
        routes=(ito_words, ito_exact),
        assumptions=(MEAN_ZERO, _TWICE),
        note="Checked in the mean and in the mean square over a step $h$: the "
        "generator, and the rate of the quadratic variation.",
    ),
)

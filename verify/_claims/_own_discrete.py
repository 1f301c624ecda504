"""The exact discrete law of the charge (own; P1 v3's Theorem D.1 is a case)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import PER_SAMPLE
from verify._routes._digits_routes import digits_law
from verify._routes._flow import discrete_exact, discrete_expectation, discrete_symbolic


CLAIMS = (
    Claim(
        id="own.discrete",
        title="the exact discrete law",
        statement=r"One SGD step $\theta' = \theta - \eta(g + 2\gamma\theta)$ with any "
        r"minibatch gradient $g$ changes the charge of an exponential symmetry by the "
        r"formula, without any limit; over minibatches drawn with replacement "
        r"$E[C'] = (1-2\eta\gamma)^2C + \frac12\eta^2(\bar g^\top A\bar g + "
        r"\mathrm{Tr}[\Sigma A]/S)$.",
        formula=r"C' = (1 - 2\eta\gamma)^2\,C + \frac12\eta^2\,g^\top Ag",
        source="own (extends P1 v3, Theorem D.1)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in the noise term",
        subject=Fraction(1, 2),
        twin_statement=r"$C' = (1 - 2\eta\gamma)^2C + \eta^2g^\top Ag$.",
        twin_subject=Fraction(1),
        routes=(discrete_symbolic, discrete_exact, discrete_expectation, digits_law),
        assumptions=(PER_SAMPLE,),
    ),
)

"""The exact discrete law of the charge (own; P1 v3's Theorem D.1 is a case)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import PER_SAMPLE, TRAINING
from verify._context import Context
from verify._evidence import Evidence
from verify._routes._autoencoder_routes import autoencoder_law
from verify._routes._digits_routes import digits_law
from verify._routes._flow import discrete_exact, discrete_expectation, discrete_symbolic
from verify._routes._words import discrete_words


def _every_B(subject: Fraction, context: Context) -> Evidence:  # noqa: N802
    """Check UᵀU − WWᵀ, all charges C_B at once, along an autoencoder's training."""
    # C_B = ½Tr[QB], so c·η²gᵀAg for the charge is 2c·η²(g_Uᵀg_U − g_Wg_Wᵀ) for Q.
    return autoencoder_law(2 * subject, context)


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
        routes=(
            discrete_symbolic,
            discrete_words,
            discrete_exact,
            discrete_expectation,
            digits_law,
            _every_B,
        ),
        shares=TRAINING,
        assumptions=(PER_SAMPLE,),
    ),
)

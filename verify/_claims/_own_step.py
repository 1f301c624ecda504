"""One step of SGD changes any charge by this much (own; `own.discrete` has J = Aθ)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import GRADIENT_FIELD, PER_SAMPLE
from verify._routes._any_charge import (
    step_exact,
    step_expectation,
    step_jets,
    step_symbolic,
)


CLAIMS = (
    Claim(
        id="own.step",
        title="one step, any charge",
        statement=r"One SGD step $\theta' = \theta - \eta v$, $v = g + 2\gamma\theta$, "
        r"with any minibatch gradient $g$ changes any charge by the formula: no term "
        r"of first order holds $g$. For $J = A\theta + b$ there is no third order and "
        r"the formula is exact; $v^\top Av$ then averages to $\bar v^\top A\bar v + "
        r"\mathrm{Tr}[\Sigma A]/S$.",
        formula=r"C' = C - 2\eta\gamma\,\theta\cdot J + \frac12\eta^2\,v^\top"
        r"\nabla^2C\,v + O(\eta^3)",
        source="own (extends P1 v3, Theorem D.1)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in the noise term",
        subject=Fraction(1, 2),
        twin_statement=r"The same with $\eta^2v^\top\nabla^2C\,v$.",
        twin_subject=Fraction(1),
        routes=(step_symbolic, step_jets, step_exact, step_expectation),
        assumptions=(PER_SAMPLE, GRADIENT_FIELD),
        about="charge",
    ),
)

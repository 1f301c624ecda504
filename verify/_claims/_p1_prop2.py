"""P1, Proposition 2: the trace of the Hessian, published with a factor 2 too little."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._factorisation_exact import hessian_exact
from verify._routes._factorisation_words import hessian_words


_ROUTES = (hessian_exact, hessian_words)
_LOSS = r"$\ell = \|UWx - y\|^2$"
_SQUARE = Breakage(
    "the square loss as it stands",
    r"$\ell = \frac12(uwx - y)^2$ has half the trace: the printed factor is right for "
    r"that convention, but (14) has none.",
)

CLAIMS = (
    Claim(
        id="p1.prop2",
        title="the Hessian's trace (as printed)",
        statement=rf"For {_LOSS} the trace of the Hessian, without the decay's part "
        r"$2\gamma d(d_x + d_y)$, is as the formula says, $\Sigma_x = E[xx^\top]$.",
        formula=r"\mathrm{Tr}\nabla^2L = d_y\|W\Sigma_x^{1/2}\|_F^2 + "
        r"\|U\|_F^2\,\mathrm{Tr}\,\Sigma_x",
        source=f"{P1}, Proposition 2",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement="Twice that.",
        twin_subject=Fraction(2),
        routes=_ROUTES,
        assumptions=(_SQUARE,),
        note=r"By hand: $\ell = (uwx - y)^2$ with $x = 1$ has $\partial_u^2\ell = "
        r"2w^2$ "
        r"and $\partial_w^2\ell = 2u^2$.",
    ),
    Claim(
        id="p1.prop2.corrected",
        title="the Hessian's trace",
        statement=rf"For {_LOSS} and weight decay $\gamma$ the trace of the Hessian is "
        r"as the formula says, at every size, $\Sigma_x = E[xx^\top]$.",
        formula=r"\mathrm{Tr}\nabla^2L_\gamma = "
        r"2\big(d_y\,\mathrm{Tr}[W\Sigma_xW^\top] "
        r"+ \|U\|_F^2\,\mathrm{Tr}\,\Sigma_x\big) + 2\gamma d(d_x + d_y)",
        source=f"{P1}, Proposition 2, corrected",
        form="corrected",
        amends="p1.prop2",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(2),
        twin_statement="Half the loss's part, as printed.",
        twin_subject=Fraction(1),
        routes=_ROUTES,
        assumptions=(_SQUARE,),
    ),
)

"""P1, Eq. (11): the norm under scale invariance, published with wrong factors."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._routes._common import Factors
from verify._routes._scaling import norm_ensemble, norm_generator
from verify._routes._words import norm_words


_ROUTES = (norm_generator, norm_words, norm_ensemble)
_PRINTED = Factors(decay=Fraction(-1), noise=Fraction(1))
_DERIVED = Factors(decay=Fraction(-4), noise=Fraction(2))
_RIGHT = (
    r"Where the loss is scale invariant, $\|\theta\|^2$ follows the formula; for "
    r"$\gamma = 0$, $\|\theta_t\|^4 = \|\theta_0\|^4 + \frac{2\eta}{S}\int_0^t"
    r"\mathrm{Tr}\,\Sigma(\hat\theta)\,dt'$ with $\hat\theta = \theta/\|\theta\|$."
)

CLAIMS = (
    Claim(
        id="p1.eq11",
        title="the norm under scale invariance (as printed)",
        statement=r"Where the loss is scale invariant, $\|\theta\|^2$ follows the "
        r"formula.",
        formula=r"\frac{d}{dt}\|\theta\|^2 = -\gamma\|\theta\|^2 + "
        r"\sigma^2\,\mathrm{Tr}\,\Sigma",
        source=f"{P1}, Eq. (11)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2 in either term",
        subject=_PRINTED,
        twin_statement=_RIGHT,
        twin_subject=_DERIVED,
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (w/u - y)^2$ at $(1, 0)$ with $y = \pm1$ has "
        r"$\nabla\ell = \mp(0, 2)$. A time step $h$ of the SDE adds noise of variance "
        r"$2\sigma^2h\cdot4$ to $w$ and nothing to $u$, so $\|\theta\|^2$ grows by "
        r"$8\sigma^2h = 2\sigma^2\mathrm{Tr}\,\Sigma\,h$.",
    ),
    Claim(
        id="p1.eq11.corrected",
        title="the norm under scale invariance",
        statement=_RIGHT,
        formula=r"\frac{d}{dt}\|\theta\|^2 = -4\gamma\|\theta\|^2 + "
        r"2\sigma^2\,\mathrm{Tr}\,\Sigma",
        source=f"{P1}, Eq. (11), corrected (D1)",
        form="corrected",
        amends="p1.eq11",
        expected=Verdict.PROVED,
        discrepancy="a factor 2 in either term",
        subject=_DERIVED,
        twin_statement=r"The factors as printed, $-\gamma$ and $\sigma^2$.",
        twin_subject=_PRINTED,
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        derivation=(
            r"(7) with $A = I$, $C = \frac12\|\theta\|^2$.",
            r"$\Sigma(\theta) = \Sigma(\hat\theta)/\|\theta\|^2$, so for $\gamma = 0$ "
            r"$\frac{d}{dt}\|\theta\|^4 = 2\|\theta\|^2\cdot2\sigma^2\mathrm{Tr}\,"
            r"\Sigma(\theta) = 4\sigma^2\mathrm{Tr}\,\Sigma(\hat\theta)$.",
        ),
    ),
)

"""P1, Appendix A, Eqs. (26), (30): the SDE put into Itô's lemma."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE, ONE_STEP
from verify._claims._shared import P1
from verify._routes._general_ito import sde_drift, sde_moments, sde_words


_ROUTES = (sde_moments, sde_drift, sde_words)
_PRINTED = (1, 1)
_RIGHT = (-1, 2)

CLAIMS = (
    Claim(
        id="p1.eq26",
        title="the SDE in Itô's lemma (as printed)",
        statement=r"(1) is $d\theta = \mu\,dt + G\,dW$ with $\mu = \nabla L$ and "
        r"$G = \sqrt{\sigma^2\Sigma}$, $\sigma^2 = \eta/2S$, so $C$ follows the "
        r"formula.",
        formula=r"\mu = \nabla L,\; G = \sqrt{\sigma^2\Sigma},\quad "
        r"dC = \tfrac{\sigma^2}{2}\mathrm{Tr}[\Sigma\nabla^2C]\,dt",
        source=f"{P1}, Eqs. (26), (30)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="the sign of μ, a factor 2 in GGᵀ",
        subject=_PRINTED,
        twin_statement=r"$\mu = -\nabla L$ and $G = \sqrt{2\sigma^2\Sigma}$, so "
        r"$dC = \sigma^2\mathrm{Tr}[\Sigma\nabla^2C]\,dt$.",
        twin_subject=_RIGHT,
        routes=_ROUTES,
        assumptions=(AVERAGE,),
        note=r"By hand: $\ell = (w/u - y)^2$ at $(1, 0)$ with $y = \pm1$ has "
        r"$\nabla\ell = \mp(0, 2)$. A step of SGD with $S = 1$ moves $w$ by "
        r"$\pm2\eta$, "
        r"of variance $4\eta$ per unit of time; $\sigma^2\Sigma_{ww} = 2\eta$ and "
        r"$2\sigma^2\Sigma_{ww} = 4\eta$. Eqs. (1) and (5) have the right factors.",
    ),
    Claim(
        id="p1.eq26.corrected",
        title="the SDE in Itô's lemma",
        statement=r"$\mu = -\nabla L$ and $G = \sqrt{2\sigma^2\Sigma}$ are the mean "
        r"and the covariance of a step of SGD over its time $\eta$, at any $\eta$, "
        r"and give (5).",
        formula=r"\mu = -\nabla L,\; G = \sqrt{2\sigma^2\Sigma},\quad "
        r"dC = \sigma^2\mathrm{Tr}[\Sigma\nabla^2C]\,dt",
        source=f"{P1}, Eqs. (26), (30), corrected",
        form="corrected",
        amends="p1.eq26",
        expected=Verdict.PROVED,
        discrepancy="the sign of μ, a factor 2 in GGᵀ",
        subject=_RIGHT,
        twin_statement=r"$\mu = \nabla L$, $G = \sqrt{\sigma^2\Sigma}$, as printed.",
        twin_subject=_PRINTED,
        routes=_ROUTES,
        assumptions=(AVERAGE, ONE_STEP),
        note="Words of matrices prove that (1) has these drifts; that (1) has the mean "
        "and the covariance of SGD is checked over all minibatches.",
    ),
)

"""P2, Eq. (9): the Fokker–Planck equation, published with two slips (P2-1)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import P2
from verify._result import Breakage
from verify._routes._stationary_planck import Planck, planck_exact, planck_symbolic


_ROUTES = (planck_symbolic, planck_exact)
_PRINTED, _RIGHT = Planck(drift=-1, power=0), Planck()
_STATED = (
    r"The density of $d\theta = -\nabla L\,dt + \sqrt{TC}\,dW$ obeys "
    r"$\partial_tp = \nabla\cdot(p\nabla L) + \frac T2\sum_{ij}\partial_i\partial_j"
    r"(C_{ij}p)$."
)
_ITO = Breakage(
    "the noise is Itô's",
    r"In Stratonovich's sense $d\theta = \theta\circ dW$ has the drift $\frac12\theta$ "
    r"besides: $E\theta$ grows, where the formula keeps it.",
)

CLAIMS = (
    Claim(
        id="p2.eq9",
        title="the Fokker–Planck equation (as printed)",
        statement=r"The density of $d\theta = -\nabla L\,dt + \sqrt{TC}\,dW$ obeys the "
        r"formula.",
        formula=r"\partial_tp = -\nabla\cdot(p\nabla L) + \frac12\sum_{ij}\partial_i"
        r"\partial_j(C_{ij}p)",
        source=f"{P2}, Eq. (9)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="the sign of the drift, or the factor T",
        subject=_PRINTED,
        twin_statement=_STATED,
        twin_subject=_RIGHT,
        routes=_ROUTES,
        assumptions=(_ITO,),
        note=r"By hand: $L = \frac12\theta^2$, $C = 0$: $\theta = \theta_0e^{-t}$, so "
        r"$E\theta^2$ falls at $2E\theta^2$. The printed equation gives $\int\theta^2"
        r"\cdot-(p\theta)' = +2E\theta^2$. With $L = 0$, $C = 1$: $E\theta^2$ "
        r"grows at $T$, not at 1.",
    ),
    Claim(
        id="p2.eq9.corrected",
        title="the Fokker–Planck equation",
        statement=_STATED,
        formula=r"\partial_tp = \nabla\cdot(p\nabla L) + \frac T2\sum_{ij}\partial_i"
        r"\partial_j(C_{ij}p)",
        source=f"{P2}, Eq. (9), corrected (P2-1)",
        form="corrected",
        amends="p2.eq9",
        expected=Verdict.PROVED,
        discrepancy="the sign of the drift, or the factor T",
        subject=_RIGHT,
        twin_statement="The equation as printed.",
        twin_subject=_PRINTED,
        routes=_ROUTES,
        assumptions=(_ITO,),
    ),
)

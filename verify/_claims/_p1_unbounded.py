"""P1, in words: the degenerate direction is unbounded where it moves (D6)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import SYMMETRIC_ORBIT
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_orbits import unbounded_exact, unbounded_words


_ROUTES = (unbounded_exact, unbounded_words)
_MOVES = Breakage(
    r"$A\theta \neq 0$",
    r"$\ell = (uw - 1)^2$ at $(0, 0)$: $e^{\lambda A}\theta = 0$ for every $\lambda$.",
)
_FORMULA = r"\sup_\lambda\|e^{\lambda A}\theta\| = \infty"

CLAIMS = (
    Claim(
        id="p1.unbounded",
        title="the degenerate direction is unbounded (as printed)",
        statement=r"The orbit of every $\theta$ under an exponential symmetry is "
        r"unbounded.",
        formula=_FORMULA,
        source=f"{P1}, in words",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one bounded orbit",
        subject="always",
        twin_statement=r"The same where $A\theta \neq 0$.",
        twin_subject="moving",
        routes=_ROUTES,
        assumptions=(SYMMETRIC_ORBIT,),
        note=r"By hand: $\ell = (uwx - y)^2$ at $(u, w) = (0, 0)$: "
        r"$(e^\lambda\cdot0, e^{-\lambda}\cdot0) = (0, 0)$.",
    ),
    Claim(
        id="p1.unbounded.corrected",
        title="the degenerate direction is unbounded iff Aθ ≠ 0",
        statement=r"The orbit of $\theta$ under an exponential symmetry is unbounded "
        r"iff $A\theta \neq 0$; else it is the point $\theta$.",
        formula=_FORMULA + r"\;\Leftrightarrow\; A\theta \neq 0",
        source=f"{P1}, in words, corrected (D6)",
        form="corrected",
        amends="p1.unbounded",
        expected=Verdict.PROVED,
        discrepancy="one bounded orbit with Aθ ≠ 0",
        subject="moving",
        twin_statement=r"The same for every $\theta$.",
        twin_subject="always",
        routes=_ROUTES,
        assumptions=(_MOVES, SYMMETRIC_ORBIT),
        derivation=(
            r"$\frac{d^2}{d\lambda^2}\|\theta_\lambda\|^2 = 4\|A\theta_\lambda\|^2 > 0$"
            r" where $A\theta \neq 0$.",
        ),
    ),
)

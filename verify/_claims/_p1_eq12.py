"""P1, Eqs. (12), (13): the symmetry of UW, and what gradient flow conserves."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_symmetry import (
    conserved_exact,
    conserved_words,
    invariance_exact,
    invariance_words,
)


_PRODUCT = Breakage(
    "the loss sees U and W through UW",
    r"With weight decay, $\ell + \gamma(\|U\|^2 + \|W\|^2)$ at $U = W = 1$, $R = 2$ "
    r"goes from $2\gamma$ to $(4 + \frac14)\gamma$.",
)
_SYMMETRIC = Breakage(
    r"$B = B^\top$, for the charge",
    r"For $B^\top = -B$ both traces are 0. The symmetry itself holds for every $B$.",
)
_FLOW = Breakage(
    "gradient flow, not descent",
    r"$(uw)^2$ at $u = 2$, $w = 1$ has the gradient $(4, 8)$: one step takes "
    r"$u^2 - w^2$ from 3 to $3 + \eta^2(4^2 - 8^2) = 3(1 - 16\eta^2)$.",
)
_DECAY = Breakage(
    r"$\gamma = 0$",
    r"With weight decay $U^\top U - WW^\top$ shrinks as $e^{-4\gamma t}$.",
)

CLAIMS = (
    Claim(
        id="p1.eq12",
        title="the symmetry of UW",
        statement=r"$\ell(UR, R^{-1}W) = \ell(U, W)$ for every invertible $R$; the "
        r"generator is $J = (UB, -BW)$, and for symmetric $B$ the printed $C_B$ is "
        r"constant under gradient flow. At every size and for every loss of $UW$.",
        formula=r"C_B = \mathrm{Tr}[UBU^\top] - \mathrm{Tr}[W^\top BW]",
        source=f"{P1}, Eq. (12)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any change of the loss or of the charge",
        subject="inverse",
        twin_statement=r"The same with $R^\top W$ in the place of $R^{-1}W$.",
        twin_subject="transpose",
        routes=(invariance_words, invariance_exact),
        assumptions=(_PRODUCT, _SYMMETRIC),
        note=r"$\nabla C_B = 2J$: with $\nabla C = J$ there is a $\frac12$ in front.",
    ),
    Claim(
        id="p1.eq13",
        title="gradient flow conserves UᵀU − WWᵀ",
        statement=r"Under gradient flow of any loss of $UW$ the formula holds, at "
        r"every size.",
        formula=r"W_tW_t^\top - U_t^\top U_t = W_0W_0^\top - U_0^\top U_0",
        source=f"{P1}, Eq. (13)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any rate",
        subject=Fraction(1),
        twin_statement=r"The same for $W_tW_t^\top + U_t^\top U_t$.",
        twin_subject=Fraction(-1),
        routes=(conserved_words, conserved_exact),
        assumptions=(_PRODUCT, _FLOW, _DECAY),
    ),
)

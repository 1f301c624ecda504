"""P1: the matrix A of the earlier law, said to have ones and zeros on its diagonal."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._routes._matrix_symmetry import one_unit_exact, one_unit_words


_ROUTES = (one_unit_exact, one_unit_words)
_PRINTED = r"$A$ is diagonal with ones and zeros: $J = (u_k, 0)$"
_RIGHT = (
    r"$A = \mathrm{diag}(I, -I)$ on $(u_k, w_k)$, that is $B = E_{kk}$: "
    r"$J = (u_k, -w_k)$"
)
_SETTING = (
    r"The balance of one hidden unit, $\|u_k\|^2$ against $\|w_k\|^2$, is that of"
)

CLAIMS = (
    Claim(
        id="p1.prior",
        title="the earlier law has A of ones and zeros (as printed)",
        statement=rf"{_SETTING} an exponential symmetry in which {_PRINTED}.",
        formula=r"A = \mathrm{diag}(1, \dots, 1, 0, \dots, 0)",
        source=f"{P1}, §4.2, on the earlier law of balance",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a generator that changes the loss",
        subject=Fraction(0),
        twin_statement=rf"The same with {_RIGHT}.",
        twin_subject=Fraction(-1),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (uw)^2$ at $u = w = 1$ has $\nabla\ell = (2, 2)$; with "
        r"$A = \mathrm{diag}(1, 0)$, $\nabla\ell\cdot A\theta = 2$. As the matrix $B = "
        r"E_{kk}$ of (12) ones and zeros are right.",
    ),
    Claim(
        id="p1.prior.corrected",
        title="the earlier law has A = diag(I, −I)",
        statement=rf"{_SETTING} the exponential symmetry with {_RIGHT}; its charge is "
        r"the formula's.",
        formula=r"C = \tfrac12(\|u_k\|^2 - \|w_k\|^2)",
        source=f"{P1}, §4.2, corrected",
        form="corrected",
        amends="p1.prior",
        expected=Verdict.PROVED,
        discrepancy="a generator that changes the loss",
        subject=Fraction(-1),
        twin_statement=rf"The same where {_PRINTED}.",
        twin_subject=Fraction(0),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
    ),
)

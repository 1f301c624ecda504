"""P1, Eq. (6): the charge of J = Aθ, published with a factor 2 too much (D1)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._flow import (
    antiderivative_derived,
    antiderivative_exact,
    antiderivative_symbolic,
)


_ROUTES = (antiderivative_exact, antiderivative_symbolic, antiderivative_derived)
_SYMMETRIC = Breakage(
    "A is symmetric",
    r"$J = (w, 0)$ has $\partial_wJ_u = 1 \neq 0 = \partial_uJ_w$: no charge at all.",
)
_PRINTED = r"$C = \theta^\top A\theta$ satisfies $\nabla C = J$."

CLAIMS = (
    Claim(
        id="p1.eq6",
        title="C = θᵀAθ (as printed)",
        statement=r"$J = A\theta$ has the antiderivative $C = \theta^\top A\theta$, "
        r"that is $\nabla C = J$.",
        formula=r"C = \theta^\top A\theta",
        source=f"{P1}, Eq. (6)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement=r"$C = \frac12\theta^\top A\theta$ satisfies $\nabla C = J$.",
        twin_subject=Fraction(1, 2),
        routes=_ROUTES,
        assumptions=(_SYMMETRIC,),
        needs_loss=False,
        note="By hand: A = diag(1, −1) at (u, w) = (1, 0) has J = (1, 0), but the "
        "gradient of u² − w² is (2, 0). The factor makes (6) inconsistent with (7), "
        "(9) and Proposition 1, which hold with ∇C = J.",
    ),
    Claim(
        id="p1.eq6.corrected",
        title="C = ½θᵀAθ",
        statement=r"$J = A\theta$ with $A = A^\top$ has the charge "
        r"$C = \frac12\theta^\top A\theta$: $\nabla C = J$.",
        formula=r"C = \frac12\,\theta^\top A\theta",
        source=f"{P1}, Eq. (6), corrected (D1)",
        form="corrected",
        amends="p1.eq6",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(1, 2),
        twin_statement=_PRINTED,
        twin_subject=Fraction(1),
        routes=_ROUTES,
        assumptions=(_SYMMETRIC,),
        needs_loss=False,
    ),
)

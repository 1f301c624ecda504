"""P1, in words: when the noise does not move the charge (D5)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._general_kernel import silent_exact, silent_words


_ROUTES = (silent_exact, silent_words)
_DEFINITE = Breakage(
    "A is semi-definite",
    r"$\ell = (uw - y)^2$ at $(1, 1)$ with $y = 0, 2$: "
    r"$\Sigma = 4\begin{pmatrix}1&1\\1&1\end{pmatrix}$ and "
    r"$\mathrm{Tr}[\Sigma\,\mathrm{diag}(1, -1)] = 0$, a balanced net that does not "
    r"interpolate.",
)

CLAIMS = (
    Claim(
        id="p1.interpolation",
        title="Tr[ΣA] = 0 only at interpolation (as printed)",
        statement=r"For every exponential symmetry $\mathrm{Tr}[\Sigma A] = 0$ only "
        r"where the data are interpolated, that is where $A$ sees no noise at all.",
        formula=r"\mathrm{Tr}[\Sigma A] = 0 \;\Rightarrow\; A\Sigma = 0",
        source=f"{P1}, after Theorem 1",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="one point with Tr[ΣA] = 0 and noise",
        subject="any",
        twin_statement="The same for a semi-definite A.",
        twin_subject="semidefinite",
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $\ell = (uw - y)^2$ at $(1, 1)$ with $y = 0, 2$ has the "
        r"gradients $\pm(2, 2)$: $\Sigma_{uu} = \Sigma_{ww} = 4$ and "
        r"$\mathrm{Tr}[\Sigma A] = 4 - 4 = 0$, at a loss of 1. (P1 says perhaps.)",
    ),
    Claim(
        id="p1.interpolation.corrected",
        title="Tr[ΣA] = 0 iff AΣ = 0, A semi-definite",
        statement=r"For a semi-definite $A$, $\mathrm{Tr}[\Sigma A] = 0$ iff "
        r"$A\Sigma = 0$; for a definite one iff all samples have the same gradient, at "
        r"a stationary point iff the data are interpolated.",
        formula=r"A \succeq 0:\quad \mathrm{Tr}[\Sigma A] = 0 \;\Leftrightarrow\; "
        r"A\Sigma = 0",
        source=f"{P1}, after Theorem 1, corrected (D5)",
        form="corrected",
        amends="p1.interpolation",
        expected=Verdict.PROVED,
        discrepancy="one point with Tr[ΣA] = 0 and noise",
        subject="semidefinite",
        twin_statement="The same for every A.",
        twin_subject="any",
        routes=_ROUTES,
        assumptions=(_DEFINITE,),
    ),
)

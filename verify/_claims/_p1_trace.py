"""P1, §4.3: the trace as a bound of the sharpness (D9), and its value at the start."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_sharpness import (
    eigenvalue_exact,
    eigenvalue_words,
    start_exact,
    start_words,
)


_ROUTES = (eigenvalue_exact, eigenvalue_words)
_DEFINITE = Breakage(
    r"$H \succeq 0$",
    r"$(uw - 1)^2$ at 0: $H = \begin{pmatrix}0 & -2\\-2 & 0\end{pmatrix}$ has trace 0 "
    r"and the eigenvalue 2.",
)
_UNCORRELATED = Breakage(
    "the entries have mean 0 and are uncorrelated",
    r"$W = (z, z)$, $x = (1, 1)$: $E\|Wx\|^2 = 4\sigma_W^2$, not $2\sigma_W^2$. "
    r"Gaussian they need not be: $S$ is quadratic.",
)

CLAIMS = (
    Claim(
        id="p1.trace",
        title="the trace bounds the largest eigenvalue (as printed)",
        statement="The trace of the Hessian bounds its largest eigenvalue.",
        formula=r"\lambda_{\max}(\nabla^2L) \le \mathrm{Tr}\nabla^2L",
        source=f"{P1}, §4.3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a larger eigenvalue",
        subject="any",
        twin_statement=r"The same where $\nabla^2L \succeq 0$.",
        twin_subject="positive semi-definite",
        routes=_ROUTES,
        assumptions=(_DEFINITE,),
        note=r"By hand: $\ell = (uw - 1)^2$ at $u = w = 0$ has $\partial_u^2\ell = "
        r"\partial_w^2\ell = 0$ and $\partial_u\partial_w\ell = -2$: trace 0, "
        r"eigenvalues $\pm2$.",
    ),
    Claim(
        id="p1.trace.corrected",
        title="the trace bounds the largest eigenvalue where H ⪰ 0",
        statement=r"Where $\nabla^2L \succeq 0$, as at every local minimum, its trace "
        r"bounds its largest eigenvalue, at every size.",
        formula=r"H \succeq 0 \;\Rightarrow\; \lambda_{\max}(H) \le \mathrm{Tr}\,H",
        source=f"{P1}, §4.3, corrected (D9)",
        form="corrected",
        amends="p1.trace",
        expected=Verdict.PROVED,
        discrepancy="a larger eigenvalue",
        subject="positive semi-definite",
        twin_statement="The same for every symmetric Hessian.",
        twin_subject="any",
        routes=_ROUTES,
        assumptions=(_DEFINITE,),
        derivation=(
            r"$2(\mathrm{Tr}\,H\,\|v\|^2 - v^\top Hv) = E\|mv^\top - vm^\top\|^2$ for "
            r"$H = E[mm^\top]$.",
        ),
    ),
    Claim(
        id="p1.init",
        title="the sharpness at the start",
        statement=r"For independent Gaussian entries of variances $\sigma_U^2$, "
        r"$\sigma_W^2$ the mean of $S = d_y\|W\Sigma_x^{1/2}\|^2 + \|U\|^2\mathrm{Tr}\,"
        r"\Sigma_x$ is as the formula says.",
        formula=r"E\,S = d_yd\,\mathrm{Tr}\,\Sigma_x(\sigma_W^2 + \sigma_U^2)",
        source=f"{P1}, §4.3",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement="Twice that.",
        twin_subject=Fraction(2),
        routes=(start_words, start_exact),
        assumptions=(_UNCORRELATED,),
        note=r"$E\,\mathrm{Tr}\nabla^2L$ is twice that for the loss (14), by "
        r"Proposition 2, corrected.",
    ),
)

"""P1, Eq. (10): the noise balance without weight decay."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._fixed_point import (
    balance_certified,
    balance_sign_exact,
    balance_symbolic,
)


_NO_DECAY = Breakage(
    r"$\gamma = 0$",
    r"$\ell = (w/u - y)^2$ at $(1, 0)$, $y = \pm1$, $A = I$, $\gamma = 2\sigma^2$: the "
    r"flow stops with noise $4$ on the positive side and none on the other.",
)

CLAIMS = (
    Claim(
        id="p1.eq10",
        title="the noise balance without decay",
        statement=r"For $\gamma = 0$ the flow stops iff the noise along the positive "
        r"eigenvectors of $A$, weighted by the eigenvalues, equals that along the "
        r"negative ones, $s_i = n_i^\top\Sigma n_i$.",
        formula=r"\sum_{\mu_i>0}\mu_i\,n_i^\top\Sigma n_i = "
        r"-\sum_{\mu_j<0}\mu_j\,n_j^\top\Sigma n_j",
        source=f"{P1}, Eq. (10)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a weight other than the eigenvalue",
        subject=1,
        twin_statement=r"The same without weights: $\sum_{\mu_i>0}s_i = "
        r"\sum_{\mu_j<0}s_j$.",
        twin_subject=0,
        routes=(balance_sign_exact, balance_symbolic, balance_certified),
        assumptions=(PER_SAMPLE, _NO_DECAY),
        note=r"By hand: $\ell = (uw^4 - y)^2$ with $A = \mathrm{diag}(4, -1)$ at "
        r"$(1, 2)$ has $\Sigma_{ww} = 4\Sigma_{uu}$, so the weighted sums agree and "
        r"the "
        r"plain ones do not.",
    ),
)

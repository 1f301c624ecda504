"""P1, Appendix A, Eqs. (27)–(29): the noise has no part along ∇C."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_assumptions import AVERAGE
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._general_kernel import (
    kernel_exact,
    kernel_words,
    root_exact,
    root_words,
)


_ROOT = Breakage(
    "the root is symmetric, or acts as its transpose",
    r"$G = \begin{pmatrix}0&1\\0&0\end{pmatrix}$ has $GG^\top = \mathrm{diag}(1, 0) = "
    r"\Sigma$ and $\Sigma J = 0$ for $J = (0, 1)$, but $GJ = (1, 0)$; $G^\top J = 0$.",
)

CLAIMS = (
    Claim(
        id="p1.eq27",
        title="∇C is orthogonal to ∇L, Σ and √Σ",
        statement=r"Where every sample has the symmetry, (27) to (29) hold.",
        formula=r"\nabla C^\top\nabla L = 0,\quad \nabla C^\top\Sigma = 0,\quad "
        r"\nabla C^\top\sqrt\Sigma = 0",
        source=f"{P1}, Eqs. (27)–(29)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any component along ∇C",
        subject="charge",
        twin_statement=r"The same for $C + \frac12\|\theta\|^2$.",
        twin_subject="perturbed",
        routes=(kernel_words, kernel_exact),
        assumptions=(AVERAGE,),
    ),
    Claim(
        id="p1.sqrt-noise",
        title="ΣJ = 0 ⇒ √ΣJ = 0",
        statement=r"$\Sigma \succeq 0$ and $\Sigma J = 0$ give $\sqrt\Sigma J = 0$, "
        r"and $G^\top J = 0$ for every $G$ with $GG^\top = \Sigma$.",
        formula=r"\Sigma J = 0 \;\Rightarrow\; \|\sqrt\Sigma J\|^2 = "
        r"J^\top\Sigma J = 0",
        source=f"{P1}, Appendix A, between (28) and (29)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="any component left",
        subject="transposed",
        twin_statement=r"$GJ = 0$ for every $G$ with $GG^\top = \Sigma$.",
        twin_subject="plain",
        routes=(root_words, root_exact),
        assumptions=(_ROOT,),
    ),
)

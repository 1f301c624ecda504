"""P1, Appendix B, Eqs. (50)–(52): the construction of a balanced factorisation."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_balanced import construction_exact, construction_words


_WIDTH = Breakage(
    r"$d \ge \mathrm{rank}\,V$",
    r"$V' = I_2$, $d = 1$, $F = (1, 0)^\top$: $U'W' = \mathrm{diag}(1, 0)$; no product "
    r"of rank 1 is $I_2$.",
)
_DEFINITE = Breakage(
    r"$\Gamma_U, \Gamma_W \succ 0$",
    r"$x$ scalar, $y = (x, \varepsilon)$, $V = (1, 0)$: $\Gamma_U = "
    r"\mathrm{diag}(0, 1)$ has no inverse root, and there is no finite balance.",
)

CLAIMS = (
    Claim(
        id="p1.eq50",
        title="the construction of a balanced factorisation",
        statement=r"For $\Gamma_U, \Gamma_W \succ 0$ and $d \ge \mathrm{rank}\,V$, "
        r"with $\sqrt{\Gamma_U}V\sqrt{\Gamma_W} = LSR$ and $FF^\top = I$, the $U' = "
        r"\sqrt{\Gamma_U}U$, $W' = W\sqrt{\Gamma_W}$ of the formula have $U'W' = LSR$ "
        r"and $W'W'^\top = U'^\top U'$; and every balanced $U, W$ is of this form.",
        formula=r"U' = L\sqrt SF,\quad W' = F^\top\sqrt SR",
        source=f"{P1}, Eqs. (50)–(52), with the conditions stated",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another product, or sides that differ",
        subject="wide",
        twin_statement=r"The same for $d < \mathrm{rank}\,V$, with $F^\top F = I$.",
        twin_subject="narrow",
        routes=(construction_words, construction_exact),
        assumptions=(_WIDTH, _DEFINITE),
    ),
)

"""P1, §4.2: with one input and one output the signs agree (D8)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_signs import signs_exact, signs_words


_ROUTES = (signs_exact, signs_words)
_RIGHT = (
    r"One step of SGD with $q = \partial\ell/\partial(UW)$ of its minibatch obeys the "
    r"formula exactly, and multiplies $U \pm W^\top$ by $1 - 2\eta\gamma \mp \eta q$. "
    r"Under the SDE $D_t = D_0\exp(-\frac\eta S\int_0^t\mathrm{Var}\,q\,dt' - "
    r"4\gamma t)$: for $\gamma = 0$, $D \to 0$ iff $\int\mathrm{Var}\,q\,dt = \infty$. "
    r"Where $D \to 0$ and $UW \ge c > 0$ ($\le -c < 0$), all $U_iW_i$ become positive "
    r"(negative), but for the units that start with $U_i = -W_i$ ($U_i = W_i$)"
)
_NOISE = Breakage(
    r"$\int\mathrm{Var}\,q\,dt = \infty$",
    r"$y = x$: $q \to 0$ at $UW = 1$, $\int\mathrm{Var}\,q\,dt$ is finite and $D$ "
    r"stops short of 0; with $U = (4, \frac1{10})$, $W = (\frac14, -\frac1{20})^\top$ "
    r"near $UW = 1$ the second product stays negative.",
)
_AWAY = Breakage(
    r"$UW \not\to 0$",
    r"$y = 0$ with noise: where $U, W \to 0$ all products do, and no sign is told.",
)
_PARITY = Breakage(
    r"no unit with $U_i = -W_i$ (where $UW > 0$)",
    r"$U = (1, 1)$, $W = (1, -1)^\top$: every step keeps $U_2 = -W_2$, so that "
    r"$U_2W_2 < 0 < U_1W_1$ for ever, while $D \to 0$.",
)
_SCALAR = Breakage(
    "one input and one output",
    r"With $d_x > 1$ the balance is a matrix equation; $U^\top U - WW^\top$ need not "
    r"shrink: (16) has $W\Sigma_xW^\top$ on one side.",
)

CLAIMS = (
    Claim(
        id="p1.sign",
        title="all Uᵢ get one sign (as printed)",
        statement=r"For $U, W$ vectors $\dot C_B = -\mathrm{Var}[r]\,C_B$, so that all "
        r"$C_B \to 0$, and then all $U_i$ have one sign, reached at an exponential "
        r"rate.",
        formula=r"C_B \to 0 \;\Rightarrow\; \mathrm{sgn}\,U_i = \mathrm{sgn}\,U_j",
        source=f"{P1}, §4.2",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="two signs",
        subject="published",
        twin_statement=f"{_RIGHT}.",
        twin_subject="corrected",
        routes=_ROUTES,
        assumptions=(_SCALAR,),
        note=r"By hand: $U = (1, -1)$, $W = U^\top$ has $U^\top U = WW^\top$, so every "
        r"$C_B = 0$. A step gives $U' = U - \eta qW^\top = (1 - \eta q)U$, and the "
        r"same for $W$: for ever $U_2 = -U_1$. It is the products $U_iW_i$ that agree. "
        r"Nor is there a rate: at $y = x$ the noise dies out and $C_B$ stops short of "
        r"0.",
    ),
    Claim(
        id="p1.sign.corrected",
        title="the products UᵢWᵢ get one sign",
        statement=f"{_RIGHT}.",
        formula=r"D' = \big((1 - 2\eta\gamma)^2 - \eta^2q^2\big)D,\quad "
        r"D = U^\top U - WW^\top",
        source=f"{P1}, §4.2, corrected (D8)",
        form="corrected",
        amends="p1.sign",
        expected=Verdict.PROVED,
        discrepancy="another factor, or two signs",
        subject="corrected",
        twin_statement=r"Where all $C_B = 0$, all $U_i$ have one sign.",
        twin_subject="published",
        routes=_ROUTES,
        assumptions=(_SCALAR, _NOISE, _AWAY, _PARITY),
        derivation=(
            r"$(U_iW_i)(U_jW_j) = (U_iU_j)^2 - U_iU_jD_{ij}$.",
            r"$U + W^\top$ and $U - W^\top$ keep their directions; only their lengths "
            r"$P, N$ change, and $D \propto PN$, $4UW = P^2\|s_0\|^2 - N^2\|m_0\|^2$.",
        ),
    ),
)

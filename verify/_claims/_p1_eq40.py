"""P1, Appendix A, Eqs. (40), (47): the charge of two hidden units, and its flow."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._matrix_noise import PairLaw, pair_law_exact, pair_law_words
from verify._routes._matrix_symmetry import pair_exact, pair_words


_CHARGE = (pair_exact, pair_words)
_LAW = (pair_law_exact, pair_law_words)
_B = r"For $B = e_ke_l^\top + e_le_k^\top$"
_UNITS = r"$u_k$ the columns of $U$ and $w_k$ the rows of $W$"
_PRINTED = PairLaw(decay=-2, noise=2, centred=False)
_DERIVED = PairLaw(decay=-4, noise=4, centred=True)
_HALF = Breakage(
    "the charge as (12) prints it",
    r"With $\frac12$ in front, as $\nabla C = J$ wants it, (40) is right.",
)
_CENTRED = Breakage(
    "the centred moments",
    r"$u = 2$, $w = 1$, $x = 1$, $y = 0$ always: no noise, so $u^2 - w^2$ stands "
    r"still, while the uncentred moments give $-48\eta$.",
)
_BATCH = Breakage(
    "S = 1",
    r"With minibatches of $S$ samples the noise's part is $1/S$ of it.",
)

CLAIMS = (
    Claim(
        id="p1.eq40",
        title="the charge of two units (as printed)",
        statement=rf"{_B} the printed $C_B = \mathrm{{Tr}}[UBU^\top] - \mathrm{{Tr}}"
        rf"[W^\top BW]$ is the formula, {_UNITS}.",
        formula=r"C_B = u_k^\top u_l - w_k^\top w_l",
        source=f"{P1}, Eq. (40)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement="Twice that.",
        twin_subject=Fraction(2),
        routes=_CHARGE,
        assumptions=(_HALF,),
        note=r"By hand: $U = (1, 1)$, $W = 0$, $k = 1$, $l = 2$: $UBU^\top = 2$ and "
        r"$u_1u_2 = 1$.",
    ),
    Claim(
        id="p1.eq40.corrected",
        title="the charge of two units",
        statement=rf"{_B}, $k = l$ included, the charge of (12) is the formula, "
        rf"{_UNITS}; with $\frac12$ in front, $u_k^\top u_l - w_k^\top w_l$.",
        formula=r"\mathrm{Tr}[UBU^\top] - \mathrm{Tr}[W^\top BW] = 2(u_k^\top u_l - "
        r"w_k^\top w_l)",
        source=f"{P1}, Eq. (40), corrected",
        form="corrected",
        amends="p1.eq40",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(2),
        twin_statement="Half of that, as printed.",
        twin_subject=Fraction(1),
        routes=_CHARGE,
        assumptions=(_HALF,),
    ),
    Claim(
        id="p1.eq47",
        title="the flow of two units (as printed)",
        statement=r"$C = u_k^\top u_l - w_k^\top w_l$ of (40) obeys the formula.",
        formula=r"\dot C = -2\gamma C + 2\eta\big(w_k^\top E[\|r\|^2xx^\top]w_l - "
        r"u_k^\top E[\|x\|^2rr^\top]u_l\big)",
        source=f"{P1}, Eq. (47)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2, or moments that are not centred",
        subject=_PRINTED,
        twin_statement=r"The same with $-4\gamma$, $4\eta/S$ and $\Gamma^0$ centred.",
        twin_subject=_DERIVED,
        routes=_LAW,
        assumptions=(PER_SAMPLE, _BATCH),
        note=r"By hand: $\ell = (uw - y)^2$ at $u = 2$, $w = 1$ with $y = 0, 1$: "
        r"$g_u = 4, 2$, $g_w = 8, 4$ have variances 1 and 4, so $u^2 - w^2$ grows at "
        r"$\eta(1 - 4) = -3\eta$; printed, $2\eta\cdot\frac52(1 - 4) = -15\eta$.",
    ),
    Claim(
        id="p1.eq47.corrected",
        title="the flow of two units",
        statement=r"$C = u_k^\top u_l - w_k^\top w_l$ obeys the formula for all $k, "
        r"l$, at every size, $\Gamma_W = E[\|r\|^2xx^\top] - M^\top M$, $\Gamma_U = "
        r"E[\|x\|^2rr^\top] - MM^\top$, $M = E[rx^\top]$.",
        formula=r"\dot C = -4\gamma C + \tfrac{4\eta}S\big(w_k^\top\Gamma_Ww_l - "
        r"u_k^\top\Gamma_Uu_l\big)",
        source=f"{P1}, Eq. (47), corrected (D16)",
        form="corrected",
        amends="p1.eq47",
        expected=Verdict.PROVED,
        discrepancy="a factor 2, or moments that are not centred",
        subject=_DERIVED,
        twin_statement=r"The printed $-2\gamma$, $2\eta$ and uncentred moments.",
        twin_subject=_PRINTED,
        routes=_LAW,
        assumptions=(PER_SAMPLE, _CENTRED),
    ),
)

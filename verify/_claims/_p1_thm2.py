"""P1, Theorem 2: the noise balance of matrix factorisation, and its existence (D16)."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE, TRAINING
from verify._context import Context
from verify._evidence import Evidence
from verify._result import Breakage
from verify._routes._autoencoder_routes import autoencoder_balance
from verify._routes._balance_ensembles import balance_reached, no_balance
from verify._routes._existence import existence_exact, existence_numeric
from verify._routes._factorisation_exact import balance_exact, balance_identity
from verify._routes._factorisation_numeric import balance_compiled
from verify._routes._factorisation_words import (
    CORRECTED,
    PUBLISHED,
    Gamma,
    balance_words,
    existence_words,
)


_PRINTED = (
    r"\Gamma_W = E[\|r\|^2xx^\top] + 2\gamma I",
    r"\Gamma_U = E[\|x\|^2rr^\top] + 2\gamma I",
)
_RIGHT = (
    r"\Gamma_W = E[\|r\|^2xx^\top] - M^\top M + \tfrac{\gamma S}{\eta}I",
    r"\Gamma_U = E[\|x\|^2rr^\top] - MM^\top + \tfrac{\gamma S}{\eta}I",
)
_BALANCE = r"W\Gamma_WW^\top = U^\top\Gamma_UU"
_SETTING = (
    r"For $\ell = \|UWx - y\|^2 + \gamma(\|U\|^2 + \|W\|^2)$, $r = UWx - y$, every "
    r"$C_B = \frac12\mathrm{Tr}[(U^\top U - WW^\top)B]$"
)
_SMALL_STEPS = Breakage(
    "small steps",
    r"One step of discrete SGD balances $\Gamma^0 + S\,M^\top M$ (resp. $MM^\top$) + "
    r"$\frac{\gamma S}{\eta}(1 - \eta\gamma)I$ exactly: the uncentred moments where "
    r"$S = 1$ and $\gamma = 0$.",
)
_RANK = Breakage(
    r"$\Gamma_U, \Gamma_W \succ 0$",
    r"$x$ scalar, $y = (x, \varepsilon)$, $UW = (1, 0)$: $\Gamma_U = "
    r"\mathrm{diag}(0, 1)$, and the balance forces $W = 0$.",
)
_WIDTH = Breakage(
    r"$d \ge \mathrm{rank}\,V$",
    r"$UW$ has rank $d$ at most, so with $d < \mathrm{rank}\,V$ there is no $UW = V$ "
    r"at all.",
)


def _ensembles(subject: Gamma, context: Context) -> Evidence:
    """Train ensembles by SGD and GD and look at the balance with this Γ."""
    return balance_reached(
        "corrected" if subject == CORRECTED else "published", context
    )


def _digits(subject: Gamma, context: Context) -> Evidence:
    """Train an autoencoder on the digits and look at the balance."""
    if subject == CORRECTED:
        return autoencoder_balance("balance", context)
    return Evidence(
        "autoencoder on the digits",
        Verdict.NOT_APPLICABLE,
        "Without weight decay the printed Γ differs by the centring only, which a run "
        "with S = 1 does not decide.",
    )


def _without_rank(subject: str, context: Context) -> Evidence:
    """Run SGD where Γ_U is singular: nothing settles."""
    return no_balance("always" if subject == "semi-definite" else "rank", context)


CLAIMS = (
    Claim(
        id="p1.thm2",
        title="the balance of UWx (as printed)",
        statement=rf"{_SETTING} stands still if the two sides of the formula are "
        rf"equal.",
        formula=rf"{_BALANCE},\quad {_PRINTED[0]},\quad {_PRINTED[1]}",
        source=f"{P1}, Theorem 2",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a charge that moves at the balance",
        subject=PUBLISHED,
        twin_statement=rf"The same with ${_RIGHT[0]}$ and ${_RIGHT[1]}$, "
        r"$M = E[rx^\top]$.",
        twin_subject=CORRECTED,
        routes=(balance_exact, balance_words, _ensembles),
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _SMALL_STEPS),
        note=r"By hand: $x = 1$, $U = (2, 0)^\top$, $W = 1$, $y = (1, -3)$ and "
        r"$(3, 3)$, so $r = \pm(1, 3)$; with $\gamma = 1$ both printed sides are 12. "
        r"At "
        r"$\eta = \frac14$, $S = 1$ the sides are $10 + 4 = 14$ and $4(1 + 4) = 20$: "
        r"$U^\top U - WW^\top$ moves at $4\eta(14 - 20) = -6$, and $C_B$ with $B = 1$ "
        r"at "
        r"$-3$.",
    ),
    Claim(
        id="p1.thm2.corrected",
        title="the balance of UWx",
        statement=rf"{_SETTING} moves at $\frac{{2\eta}}{{S}}\mathrm{{Tr}}[(W\Gamma_W"
        r"W^\top - U^\top\Gamma_UU)B]$ with the formula's $\Gamma$, $M = E[rx^\top]$; "
        r"all of them stand still iff the two sides are equal. At every size.",
        formula=rf"{_BALANCE},\quad {_RIGHT[0]},\quad {_RIGHT[1]}",
        source=f"{P1}, Theorem 2, corrected (D16)",
        form="corrected",
        amends="p1.thm2",
        expected=Verdict.PROVED,
        discrepancy="a charge that moves at the balance",
        subject=CORRECTED,
        twin_statement=rf"The same with ${_PRINTED[0]}$ and ${_PRINTED[1]}$.",
        twin_subject=PUBLISHED,
        routes=(
            balance_words,
            balance_exact,
            balance_identity,
            balance_compiled,
            _ensembles,
            _digits,
        ),
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _SMALL_STEPS),
    ),
    Claim(
        id="p1.thm2.existence",
        title="a balanced factorisation exists",
        statement=r"For $\Gamma_U, \Gamma_W \succ 0$ and $d \ge \mathrm{rank}\,V$ "
        r"there "
        r"are $U, W$ with $UW = V$ in balance: with $\sqrt{\Gamma_U}V\sqrt{\Gamma_W} = "
        r"LSR$ and $FF^\top = I$, those of the formula.",
        formula=r"U = \Gamma_U^{-1/2}LS^{1/2}F,\quad W = F^\top S^{1/2}R\,"
        r"\Gamma_W^{-1/2}",
        source=f"{P1}, Eqs. (50)–(52), with the conditions stated",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="sides that differ, or UW other than V",
        subject="positive definite",
        twin_statement=r"The same for all $\Gamma_U, \Gamma_W \succeq 0$.",
        twin_subject="semi-definite",
        routes=(existence_words, existence_exact, existence_numeric, _without_rank),
        assumptions=(_RANK, _WIDTH),
    ),
)

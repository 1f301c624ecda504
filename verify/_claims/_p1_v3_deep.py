"""P1 v3, Eq. (E.1) and Theorem 5.4: deep linear nets (D13)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_v3_orbit import V3
from verify._result import Breakage
from verify._routes._v3_deep import (
    neighbours_exact,
    neighbours_words,
    one_step_exact,
    one_step_words,
)
from verify._routes._v3_deep_form import (
    deep_form_exact,
    deep_form_symbolic,
    deep_form_words,
)


_STATIONARY = Breakage(
    r"$\nabla L = 0$",
    r"$\ell = (w_2w_1x - y)^2$, one sample $x = 1$, $y = 0$, at $w_1 = 2$, $w_2 = 1$: "
    r"$\Sigma = 0$ and nothing moves, while the sides are $w_2^2r^2 = 4$ and "
    r"$w_1^2r^2 = 16$. Away from minima the centred moments stand in the balance.",
)
_BALANCE = (
    r"W_{i+1}^\top\xi^\top E[\|hx\|^2rr^\top]\xi W_{i+1} = "
    r"W_ihE[\|\xi^\top r\|^2xx^\top]h^\top W_i^\top"
)
_PARTS = r"$\xi = W_D\cdots W_{i+2}$, $h = W_{i-1}\cdots W_1$"
_NET = r"For $\ell = \|W_D\cdots W_1x - y\|^2$"
_AT = (
    r"For $V = W_D\cdots W_1$ at the global minimum, $\gamma = 0$, $\varepsilon$ "
    r"independent of $x$ with the mean 0, $\sqrt{\Sigma_\varepsilon}V\sqrt{\Sigma_x} = "
    r"LS'R$ and $d = \mathrm{rank}\,V$, the layers $W_1 = "
    r"Q_1\Sigma_1R\Sigma_x^{-1/2}$, "
    r"$W_i = cQ_iQ_{i-1}^\top$, $W_D = \Sigma_\varepsilon^{-1/2}L\Sigma_DQ_{D-1}^\top$ "
    r"with $Q_i^\top Q_i = I$ multiply to $V$ and balance every pair"
)
_PRINTED = (
    r"\Sigma_1 = \Sigma_D = \Big(\frac{d}{\mathrm{Tr}\,S'}\Big)^{\frac{D-2}{2D}}"
    r"\sqrt{S'},\quad c = \Big(\frac{\mathrm{Tr}\,S'}{d}\Big)^{\frac1D}"
)
_RIGHT = (
    r"c = \Big(\frac{\mathrm{Tr}\,S'}{\sqrt{\mathrm{Tr}\Sigma_x\mathrm{Tr}"
    r"\Sigma_\varepsilon}}\Big)^{\frac1D},\quad \Sigma_1 = c\sqrt{\frac{\mathrm{Tr}"
    r"\Sigma_x}{\mathrm{Tr}\,S'}S'},\quad \Sigma_D = c\sqrt{\frac{\mathrm{Tr}"
    r"\Sigma_\varepsilon}{\mathrm{Tr}\,S'}S'}"
)
_RANK = Breakage(
    r"widths $\ge \mathrm{rank}\,V$",
    r"A narrower layer has no frame with $Q_i^\top Q_i = I$, and $W_D\cdots W_1$ "
    r"cannot be $V$.",
)
_DEFINITE = Breakage(
    r"$\Sigma_x, \Sigma_\varepsilon \succ 0$",
    r"$x$ scalar, $y = (x, \varepsilon)$, $D = 2$, $V = (1, 0)$: "
    r"$\sqrt{\Sigma_\varepsilon}V = 0$ and no finite layers balance.",
)
_INDEPENDENT = Breakage(
    r"$\varepsilon$ independent of $x$",
    r"$x = 1, \varepsilon = \pm e_1$ or $x = 2, \varepsilon = \pm e_2$, $D = 2$, $V = "
    r"(1, 0)^\top$: the form has $\|W_2\|^2 = 2W_1^2$; in the balance it is $5W_1^2$.",
)

CLAIMS = (
    Claim(
        id="p1.v3.e1",
        title="neighbouring layers of a deep linear net",
        statement=rf"{_NET}, any depth and widths, {_PARTS} and $\gamma = 0$: where "
        r"$\nabla L = 0$ the charges of the pair $(i, i+1)$ stand still iff the "
        r"formula holds; $W_{i+1}^\top W_{i+1} - W_iW_i^\top$ moves at $8\sigma^2$ "
        r"times the difference of its sides.",
        formula=_BALANCE,
        source=f"{V3}, Eq. (E.1), at stationary points",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a charge that moves at the balance",
        subject="at minima",
        twin_statement=r"The same where $\nabla L \neq 0$ too.",
        twin_subject="anywhere",
        routes=(neighbours_words, neighbours_exact),
        assumptions=(_STATIONARY,),
        note="By words at depths 2 to 5, each with all widths free.",
    ),
    Claim(
        id="p1.v3.e1.step",
        title="neighbouring layers, one step",
        statement=rf"{_NET}, $\gamma = 0$ and one sample at a time, $Q = "
        r"W_{i+1}^\top "
        r"W_{i+1} - W_iW_i^\top$ changes by the formula in each step, without any "
        r"limit: over the samples, by the uncentred moments of (E.1) anywhere.",
        formula=r"\Delta Q = 4\eta^2\big(\|\xi^\top r\|^2W_ihx(W_ihx)^\top - \|hx\|^2"
        r"W_{i+1}^\top\xi^\top r(W_{i+1}^\top\xi^\top r)^\top\big)",
        source="own (what (E.1) is away from minima)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(4),
        twin_statement=r"The same with $2\eta^2$.",
        twin_subject=Fraction(2),
        routes=(one_step_words, one_step_exact),
        assumptions=(
            Breakage(
                r"$S = 1$",
                r"Larger minibatches mix centred and uncentred moments: $\bar g$ "
                r"counts in full, the spread over $S$.",
            ),
        ),
    ),
    Claim(
        id="p1.v3.thm5.4",
        title="the balanced deep linear net (as printed)",
        statement=f"{_AT}.",
        formula=_PRINTED,
        source=f"{V3}, Theorem 5.4",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a pair that moves",
        subject="published",
        twin_statement=f"The same with ${_RIGHT}$.",
        twin_subject="corrected",
        routes=(deep_form_symbolic, deep_form_exact, deep_form_words),
        assumptions=(_RANK, _DEFINITE, _INDEPENDENT),
        note=r"By hand: $D = 3$, all widths 1, $\Sigma_x = \Sigma_\varepsilon = 4$, $V "
        r"= 2$: $S' = 8$, so $\Sigma_1 = \Sigma_3 = 8^{-1/6}\sqrt8 = 2$, $c = 2$ and "
        r"$(w_1, w_2, w_3) = (1, 2, 1)$; but for scalars the balance is $w_1^2 = w_2^2 "
        r"= w_3^2$.",
    ),
    Claim(
        id="p1.v3.thm5.4.corrected",
        title="the balanced deep linear net",
        statement=f"{_AT}, at every depth.",
        formula=_RIGHT,
        source=f"{V3}, Theorem 5.4, corrected (D13)",
        form="corrected",
        amends="p1.v3.thm5.4",
        expected=Verdict.PROVED,
        discrepancy="a pair that moves",
        subject="corrected",
        twin_statement=f"The same with ${_PRINTED}$.",
        twin_subject="published",
        routes=(deep_form_symbolic, deep_form_exact, deep_form_words),
        assumptions=(_RANK, _DEFINITE, _INDEPENDENT),
    ),
)

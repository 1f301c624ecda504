"""P2, §4: decay, the transition, the mode, and fluctuation inversion (P2-7)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, CENTRED, NOISE, P2, SIGN
from verify._result import Breakage
from verify._routes._stationary_density import Law, flux_exact, flux_symbolic
from verify._routes._stationary_mode import (
    Mode,
    mode_exact,
    mode_numeric,
    mode_symbolic,
    order_exact,
    order_symbolic,
    peak_exact,
    peak_symbolic,
    range_exact,
    range_numeric,
)
from verify._routes._stationary_variance import (
    inversion_certified,
    inversion_numeric,
    inversion_quadrature,
)
from verify._routes._stationary_zero import (
    collapse_exact,
    collapse_numeric,
    collapse_symbolic,
)


_SHIFTED, _DERIVED = Law(decay="shifted"), Law()
_FLUX = (flux_symbolic, flux_exact)
_COLLAPSE = (collapse_symbolic, collapse_exact, collapse_numeric)
_INVERSION = (inversion_certified, inversion_quadrature, inversion_numeric)
_DECAY = (
    r"Decay replaces $\beta_2$ by $\beta_2 - \frac\gamma cv^{1-2D/(D+1)}$ under the "
    r"integral, $c = d^{2/(D+1)-1}$: by $\beta_2 - \gamma$ at $D = 1$, and only there."
)
_PHASES = (
    r"$D = 1$: a density exists iff $T < T_c = (\beta_2 - \gamma)/\alpha_3$. $D > 1$, "
    r"$\gamma = 0$: at every $T$. $D > 1$, $\gamma > 0$: at no $T$; everything "
    r"collapses to 0."
)
_RISES = (
    r"$\mathrm{Var}\,v \to 0$ for $T \to 0$ and for $T \to T_c$ ($D = 1$), and is "
    r"positive between: it rises first, and falls towards $T_c$."
)
_LEVEL = Breakage(
    r"$\alpha_3 > 0$",
    r"$\alpha_3 = \mathrm{Var}[xy] = 0$: $Q(0) = 0$, nothing fluctuates at $v = 0$, "
    r"and $T_c = \infty$.",
)
_WARM = Breakage(
    r"$T < T_c/3$, for a mode at $v > 0$",
    r"$\alpha = (2, 2, 3)$, $\beta = (1, 1)$, $T = \frac15$: the greater root of "
    r"$p'$ is $\frac47$, but $p \sim v^{-2/3} = \infty$ at 0.",
)
_LINE = Breakage(
    r"$21\sigma^2 > 8k^2$",
    r"$\sigma = 0$, $k = 1$: the discriminant $1 + 16T + 64T^2$ has no zero at $T > "
    r"0$.",
)
_GAUSS = Breakage(
    r"$x$ is Gaussian",
    r"$x = \pm1$ has $\alpha_1 = 0$: $p' = 0$ at one $v$ only, at every $T < T_c/3$, "
    r"and there is no $T^*$.",
)
_STRICT = r"T_c/3 < T^*"

CLAIMS = (
    Claim(
        id="p2.decay",
        title="the density with weight decay (as printed)",
        statement=r"With weight decay the density is the same, with $\beta_2$ replaced "
        r"by $\beta_2 - \gamma$, at every depth.",
        formula=r"\beta_2 \to \beta_2 - \gamma",
        source=f"{P2}, §4, weight decay",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="another power of $v$ beside $\\gamma$",
        subject=_SHIFTED,
        twin_statement=_DECAY,
        twin_subject=_DERIVED,
        routes=_FLUX,
        assumptions=(BALANCED, CENTRED),
        note=r"By hand: $D = 2$, $d = 1$, all three weights 2, so $v = 8$. Decay moves "
        r"each at $-2\gamma\cdot2$ and $v$ at $3\cdot4\cdot(-4\gamma) = -48\gamma$. "
        r"The gradient moves $v$ at $-2(\beta_1v - \beta_2)\cdot3\cdot4^2$; $\beta_2 - "
        r"\gamma$ for $\beta_2$ adds $-96\gamma$.",
    ),
    Claim(
        id="p2.decay.corrected",
        title="the density with weight decay",
        statement=_DECAY,
        formula=r"\beta_2 \to \beta_2 - \gamma d^{1-2/(D+1)}v^{1-2D/(D+1)}",
        source=f"{P2}, §4, weight decay, corrected",
        form="corrected",
        amends="p2.decay",
        expected=Verdict.PROVED,
        discrepancy="another power of $v$ beside $\\gamma$",
        subject=_DERIVED,
        twin_statement=r"$\beta_2 \to \beta_2 - \gamma$ at every depth.",
        twin_subject=_SHIFTED,
        routes=_FLUX,
        assumptions=(BALANCED, CENTRED),
    ),
    Claim(
        id="p2.transition",
        title="the transition to collapse (as printed)",
        statement=r"At every depth $D \ge 1$ (and $\gamma = 0$) the weights collapse "
        r"to 0 for $T > T_c = \beta_2/\alpha_3$.",
        formula=r"T_c = \beta_2/\alpha_3",
        source=f"{P2}, §4, phase transition",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a density above $T_c$, or none below",
        subject="printed",
        twin_statement=_PHASES,
        twin_subject="derived",
        routes=_COLLAPSE,
        assumptions=(BALANCED, SIGN, NOISE),
        note=r"By hand: $D = 2$, $d = 1$. Near 0 the exponent is $-\frac1T\int\frac{"
        r"-\beta_2}{3v^{4/3}\alpha_3}dv = -\frac{\beta_2}{T\alpha_3}v^{-1/3}$. So $p "
        r"\sim v^{-2}e^{-(\beta_2/T\alpha_3)v^{-1/3}} \to 0$ at every $T$, and $p \sim "
        r"v^{-4}$ at $\infty$: a density at any $T$, also far above "
        r"$\beta_2/\alpha_3$.",
    ),
    Claim(
        id="p2.transition.corrected",
        title="the transition to collapse",
        statement=_PHASES,
        formula=r"T_c = \begin{cases}(\beta_2 - \gamma)/\alpha_3 & D = 1\\ \infty & D "
        r"> 1, \gamma = 0\\ 0 & D > 1, \gamma > 0\end{cases}",
        source=f"{P2}, §4, phase transition, corrected (P2-7)",
        form="corrected",
        amends="p2.transition",
        expected=Verdict.PROVED,
        discrepancy="a density above $T_c$, or none below",
        subject="derived",
        twin_statement=r"$T_c = \beta_2/\alpha_3$ at every depth.",
        twin_subject="printed",
        routes=_COLLAPSE,
        assumptions=(BALANCED, SIGN, NOISE, _LEVEL),
        note=r"It is a law of the SDE; discrete SGD departs from it.",
    ),
    Claim(
        id="p2.eq16",
        title="the mode",
        statement=r"For $D = 1$, $\gamma = 0$ the greater zero of $p'$ is $v^*$; for "
        r"small $T$ it is $\frac{\beta_2}{\beta_1} + \big(\frac{10\alpha_2\beta_2}"
        r"{\beta_1^2} - \frac{7\alpha_1\beta_2^2}{\beta_1^3} - \frac{3\alpha_3}"
        r"{\beta_1}\big)T + O(T^2)$.",
        formula=r"v^* = \frac{-(\beta_1 - 10\alpha_2T) + \sqrt{(\beta_1 - 10\alpha_2T)"
        r"^2 + 28\alpha_1T(\beta_2 - 3\alpha_3T)}}{14\alpha_1T}",
        source=f"{P2}, Eq. (16)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a number",
        subject=Mode(),
        twin_statement=r"The same with 8 for 10.",
        twin_subject=Mode(a=Fraction(8)),
        routes=(mode_symbolic, mode_exact, mode_numeric),
        assumptions=(BALANCED, CENTRED, _WARM),
    ),
    Claim(
        id="p2.peak",
        title="where the zeros of p' meet",
        statement=r"For $x \sim N(0, 1)$, $y = kx + \varepsilon$, $k > 0$, $D = 1$, "
        r"$\gamma = 0$, the zeros of $p'$ are real iff $T \le T^*$.",
        formula=r"T^* = \frac{4k + \sqrt{42}\sigma}{4(21\sigma^2 - 8k^2)}",
        source=f"{P2}, §4, Fig. 4",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a number",
        subject=(21, 8),
        twin_statement=r"The same with $20\sigma^2$ for $21\sigma^2$.",
        twin_subject=(20, 8),
        routes=(peak_symbolic, peak_exact),
        assumptions=(_LINE, _GAUSS),
        note=r"Where the zeros meet is where the maximum ends only for $3\sigma^2 < "
        r"14k^2$: see p2.peak.range.",
    ),
    Claim(
        id="p2.peak.range",
        title="below which T the density has a maximum",
        statement=r"In the setting of p2.peak, below $T_c$: for $3\sigma^2 < 14k^2$ "
        r"the density has a maximum at $v > 0$ iff $T < T^*$; for $3\sigma^2 \ge "
        r"14k^2$ "
        r"iff $T < T_c/3$, since from there to $T^*$ both zeros of $p'$ are negative.",
        formula=r"\exists v > 0: p' = 0 > p'' \;\Leftrightarrow\; T < "
        r"\begin{cases}T^* & 3\sigma^2 < 14k^2\\ T_c/3 & 3\sigma^2 \ge "
        r"14k^2\end{cases}",
        source="own: regimes of P2, Fig. 4",
        form="own",
        expected=Verdict.SUPPORTED,
        discrepancy="a maximum where none is claimed, or the reverse",
        subject="both",
        twin_statement=r"Iff $T < T^*$, for all $21\sigma^2 > 8k^2$.",
        twin_subject="T*",
        routes=(range_exact, range_numeric),
        assumptions=(_LINE, _GAUSS),
        derivation=(
            r"$-2TvQp'/p = 14Tv^2 + (1 - 20kT)v + 3\alpha_3T - k$.",
            r"For $T < T_c/3$ the zeros have opposite signs. Beyond, they have one "
            r"sign, that of $20kT - 1$, where they are real.",
            r"$20kT^* > 1$ iff $3\sigma^2 < 14k^2$, and then $20kT > 1$ from "
            r"$T_c/3$ on.",
        ),
    ),
    Claim(
        id="p2.crossover",
        title="the order of T_c/3 and T* (as printed)",
        statement=r"$T_c/3 < T^*$ always, $y = kx + \varepsilon$.",
        formula=_STRICT,
        source=f"{P2}, §4, Fig. 4",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="equality",
        subject="strict",
        twin_statement=r"$T_c/3 \le T^*$, with equality iff $3\sigma^2 = 14k^2$.",
        twin_subject="weak",
        routes=(order_symbolic, order_exact),
        assumptions=(_LINE, _GAUSS),
        note=r"By hand: $k = 1$, $\sigma^2 = \frac{14}3$: $\sqrt{42}\sigma = 14$. "
        r"$T_c/3"
        r" = \frac13\cdot\frac1{2 + 14/3} = \frac1{20}$. $T^* = \frac{4 + 14}{4(98 "
        r"- 8)}"
        r" = \frac1{20}$.",
    ),
    Claim(
        id="p2.crossover.corrected",
        title="the order of T_c/3 and T*",
        statement=r"$T_c/3 \le T^*$, with equality iff $3\sigma^2 = 14k^2$.",
        formula=r"T^* - \frac{T_c}3 = \frac{(z - 14k)^2}{2(z - 4k)(z^2 + 84k^2)},\quad "
        r"z = \sqrt{42}\sigma",
        source=f"{P2}, §4, Fig. 4, corrected",
        form="corrected",
        amends="p2.crossover",
        expected=Verdict.PROVED,
        discrepancy="the reverse order",
        subject="weak",
        twin_statement=r"$T_c/3 < T^*$.",
        twin_subject="strict",
        routes=(order_symbolic, order_exact),
        assumptions=(_LINE, _GAUSS),
    ),
    Claim(
        id="p2.inversion",
        title="fluctuation inversion (as printed)",
        statement=r"$\mathrm{Var}\,v$ decreases to 0 as $T$ grows, $D = 1$.",
        formula=r"\partial_T\mathrm{Var}\,v < 0",
        source=f"{P2}, §4, fluctuation inversion",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a rise",
        subject="decreasing",
        twin_statement=_RISES,
        twin_subject="inverted",
        routes=_INVERSION,
        assumptions=(BALANCED, NOISE, SIGN),
        note=r"By hand: for $T \to 0$ the equation is linear about $v_0 = \beta_2/"
        r"\beta_1$: $dv = -4v_0\beta_1(v - v_0)dt + 4v_0\sqrt{TQ(v_0)}dW$, so "
        r"$\mathrm{Var}\,v \approx 2v_0TQ(v_0)/\beta_1$ — it starts at 0 and grows. "
        r"$\alpha = (2, 2, 3)$, $\beta = (1, 1)$: about $2T$; .120 at $T = .05$, .372 "
        r"at .2.",
    ),
    Claim(
        id="p2.inversion.corrected",
        title="fluctuation inversion",
        statement=_RISES,
        formula=r"\lim_{T \to 0}\mathrm{Var}\,v = 0 = \lim_{T \to T_c}\mathrm{Var}\,v",
        source=f"{P2}, §4, fluctuation inversion, corrected",
        form="corrected",
        amends="p2.inversion",
        expected=Verdict.SUPPORTED,
        discrepancy="a variance that falls throughout, or does not vanish at $T_c$",
        subject="inverted",
        twin_statement=r"$\mathrm{Var}\,v$ decreases throughout.",
        twin_subject="decreasing",
        routes=_INVERSION,
        assumptions=(BALANCED, NOISE, SIGN),
        derivation=(
            r"$T \to T_c$: the power of $v$ at 0 tends to $-1$, the normalisation to "
            r"$\infty$, while $\int v^2p$ stays bounded: $Ev^2 \to 0$.",
        ),
    ),
)

"""P1 v3, Lemmas B.2–B.4: bounds on Ċ and C* − C, and the rate of convergence (D12)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p1_v3_orbit import V3
from verify._claims._shared import PER_SAMPLE
from verify._result import Breakage
from verify._routes._v3_bounds import Ends, ends_exact, ends_on_losses, ends_terms
from verify._routes._v3_rate import Rate, rate_exact, rate_symbolic


_ROUTES = (ends_terms, ends_exact, ends_on_losses)
_ZERO, _ONE, _TWO = map(Fraction, (0, 1, 2))
_RATE = Ends("rate", (_TWO, _ZERO))
_CHARGE = Ends("charge", charge=(_TWO, _ZERO))
_RATIO = Ends("ratio", (_ONE, _ZERO), (_ONE, _ZERO))

_NO_DECAY = Breakage(
    r"$\gamma = 0$",
    r"Not needed for $\gamma \ge 0$: with decay $\dot C$ gains "
    r"$2\gamma\sum_i\mu_it^*_i(1 - e^{-2\lambda^*\mu_i})$, of the sign of "
    r"$\lambda^*$. With $\gamma < 0$ there may be no $\theta^*$ at all ($A = 1$).",
)
_FINITE = Breakage(
    r"$\lambda^*$ is finite",
    r"$A = I$, $\gamma = 0$: $G > 0$ on the whole orbit, and there is no $\theta^*$ "
    r"to compare with.",
)
_ENDS = r"$\theta^* = e^{\lambda^*A}\theta$, $C^* = C(\theta^*)$ and $\gamma = 0$"
_SPECTATOR = (
    r"$\ell = (uw - y)^2$, $y = 0, 2$, with a parameter $v$ that it does not see, $A = "
    r"\mathrm{diag}(1, -1, -1)$ and $\theta^* = (1, 1, 2)$: $\Sigma^* = 4(1, 1, 0)"
    r"(1, 1, 0)^\top$. At $e^{\lambda^*} = 2$, $\theta = (\frac12, 2, 4)$"
)

CLAIMS = (
    Claim(
        id="p1.v3.b2",
        title="Ċ from below",
        statement=rf"With {_ENDS}, the formula holds for $\lambda^* > 0$, and with "
        r"$A_-$ for $A_+$ for $\lambda^* < 0$.",
        formula=r"\dot C/\lambda^* \ge 2\sigma^2\,\mathrm{Tr}[\Sigma(\theta^*)A_+^2]",
        source=f"{V3}, Lemma B.2",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=_RATE,
        twin_statement=r"The same with $4\sigma^2$.",
        twin_subject=Ends("rate", (2 * _TWO, _ZERO)),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _NO_DECAY, _FINITE),
        note=r"$\dot C = \sigma^2\mathrm{Tr}[\Sigma A]$, as (7) has it; with $C = "
        r"\theta^\top A\theta$ the left-hand side is twice as large.",
    ),
    Claim(
        id="p1.v3.b3",
        title="C* − C from above (as printed)",
        statement=rf"With {_ENDS}, the formula holds for $\lambda^* > 0$, and with "
        r"$A_-$ for $A_+$ for $\lambda^* < 0$.",
        formula=r"-(C - C^*)/\lambda^* \le 2\,\theta^{*\top}A_+^2\theta^*",
        source=f"{V3}, Lemma B.3",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a distance beyond the bound",
        subject=_CHARGE,
        twin_statement=r"$(C^* - C)/\lambda^* \le \theta^{*\top}A_+^2\theta^* + "
        r"\theta^\top A_-^2\theta$.",
        twin_subject=Ends("charge"),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _FINITE),
        note=rf"By hand: {_SPECTATOR}: $C^* = -2$, $C = \frac12(\frac14 - 4 - 16)$, so "
        r"$C^* - C = 63/8$, while the bound is $2\ln 2 < 2$. Without $v$, at "
        r"$e^{\lambda^*} = 3$: $40/9 > 2\ln 3$. With $C = \theta^\top A\theta$ the "
        r"distance is twice as large.",
    ),
    Claim(
        id="p1.v3.b3.corrected",
        title="C* − C from above",
        statement=rf"With {_ENDS}, $C = \frac12\theta^\top A\theta$ and any spectrum, "
        r"the formula holds for $\lambda^* > 0$; for $\lambda^* < 0$ with $A_+$ and "
        r"$A_-$ exchanged.",
        formula=r"(C^* - C)/\lambda^* \le \theta^{*\top}A_+^2\theta^* + "
        r"\theta^\top A_-^2\theta",
        source=f"{V3}, Lemma B.3, corrected (D12)",
        form="corrected",
        amends="p1.v3.b3",
        expected=Verdict.PROVED,
        discrepancy="a distance beyond the bound",
        subject=Ends("charge"),
        twin_statement=r"The bound as printed, $2\theta^{*\top}A_+^2\theta^*$.",
        twin_subject=_CHARGE,
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _FINITE),
        derivation=(
            r"$C^* - C = \frac12\sum_i\mu_it^*_i(1 - e^{-2\lambda^*\mu_i})$.",
            r"For $\lambda^*, \mu > 0$: $\mu(1 - e^{-2\lambda^*\mu}) \le "
            r"2\lambda^*\mu^2$; for $\mu < 0$: $|\mu|(e^{2\lambda^*|\mu|} - 1) \le "
            r"2\lambda^*\mu^2e^{2\lambda^*|\mu|}$, and $t^*e^{2\lambda^*|\mu|}$ is $t$ "
            r"at $\theta$.",
        ),
    ),
    Claim(
        id="p1.v3.b4",
        title="the rate of C − C* (as printed)",
        statement=rf"With {_ENDS}, the formula holds where $C < C^*$, and with $A_-$ "
        r"for $A_+$ where $C > C^*$.",
        formula=r"\frac{\dot C}{C - C^*} \le -\sigma^2\,\frac{\mathrm{Tr}[\Sigma("
        r"\theta^*)A_+^2]}{\theta^{*\top}A_+^2\theta^*}",
        source=f"{V3}, Lemma B.4",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a slower approach",
        subject=_RATIO,
        twin_statement=r"$\frac{\dot C}{C^* - C} \ge 2\sigma^2\frac{\mathrm{Tr}"
        r"[\Sigma(\theta^*)A_+^2] + \mathrm{Tr}[\Sigma A_-^2]}{\theta^{*\top}A_+^2"
        r"\theta^* + \theta^\top A_-^2\theta}$.",
        twin_subject=Ends("ratio"),
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _NO_DECAY, _FINITE),
        note=rf"By hand: {_SPECTATOR}: $\dot C = 4\sigma^2(4 - \frac14) = 15\sigma^2$, "
        r"$C^* - C = 63/8$, and the printed rate is $4\sigma^2/1$; but $15 < 4\cdot "
        r"63/8$.",
    ),
    Claim(
        id="p1.v3.b4.corrected",
        title="the rate of C − C*",
        statement=rf"With {_ENDS}, $C = \frac12\theta^\top A\theta$ and any spectrum, "
        r"the formula holds where $C < C^*$; where $C > C^*$ with $A_+$ and $A_-$ "
        r"exchanged. Both sides tend to $2\sigma^2\mathrm{Tr}[\Sigma^*A^2]/\|A\theta^*"
        r"\|^2$ as $\theta \to \theta^*$.",
        formula=r"\frac{\dot C}{C^* - C} \ge 2\sigma^2\,\frac{\mathrm{Tr}[\Sigma("
        r"\theta^*)A_+^2] + \mathrm{Tr}[\Sigma(\theta)A_-^2]}{\theta^{*\top}A_+^2"
        r"\theta^* + \theta^\top A_-^2\theta}",
        source=f"{V3}, Lemma B.4, corrected (D12)",
        form="corrected",
        amends="p1.v3.b4",
        expected=Verdict.PROVED,
        discrepancy="a slower approach",
        subject=Ends("ratio"),
        twin_statement=r"The rate as printed, $\sigma^2\mathrm{Tr}[\Sigma^*A_+^2]/"
        r"\theta^{*\top}A_+^2\theta^*$.",
        twin_subject=_RATIO,
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _NO_DECAY, _FINITE),
        derivation=(
            r"$\dot C \ge 2\sigma^2\lambda^*(\mathrm{Tr}[\Sigma^*A_+^2] + \mathrm{Tr}"
            r"[\Sigma A_-^2])$ term by term, which is more than Lemma B.2, over the "
            r"corrected Lemma B.3.",
            r"By Cauchy's mean value theorem the ratio is $2\sigma^2\mathrm{Tr}[\Sigma("
            r"\theta_\xi)A^2]/\|A\theta_\xi\|^2$ at some $\theta_\xi$ between.",
        ),
    ),
    Claim(
        id="p1.v3.rate",
        title="the rate on an orbit, |μ| = 1",
        statement=rf"With {_ENDS}, $C = \frac12\theta^\top A\theta$ and all $|\mu_i| "
        r"\in \{0, 1\}$, $C$ approaches $C^*$ at the rate of the formula at least, "
        r"$r_\pm = \mathrm{Tr}[\Sigma^*A_\pm^2]/\theta^{*\top}A_\pm^2\theta^*$; no "
        r"larger constant serves on the whole orbit.",
        formula=r"\frac{\dot C}{C^* - C} \ge 2\sigma^2\min(r_+, r_-)",
        source="own (what holds of P1 v3, Theorem 4.5; D12)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a rate below the bound",
        subject=Rate("unit"),
        twin_statement="The same for every spectrum.",
        twin_subject=Rate("any"),
        routes=(rate_symbolic, rate_exact),
        assumptions=(
            PER_SAMPLE,
            _FINITE,
            Breakage(
                r"$|\mu_i| \in \{0, 1\}$",
                r"$\ell = (\frac18(u^2 + v^2)w - y)^2$, $y = 1, 3$, $A = \mathrm{diag}("
                r"1, 1, -2)$ at $\theta^* = (2, 2, 2)$ has $r_\pm = 1$; at "
                r"$\theta = (1, 1, 8)$, $\dot C = \frac{63}2\sigma^2$ and $2\sigma^2"
                r"(C^* - C) = 126\sigma^2$. The ratio tends to 0 as $\lambda^* \to "
                r"\infty$.",
            ),
        ),
    ),
    Claim(
        id="p1.v3.rate.any",
        title="the rate on an orbit, any spectrum",
        statement=rf"With {_ENDS}, $C = \frac12\theta^\top A\theta$ and any spectrum, "
        r"$C$ approaches $C^*$ at the rate of the formula at least, $\beta$ the "
        r"largest $|\mu_i|$ of the sign that $\lambda^*$ does not have.",
        formula=r"\frac{\dot C}{C^* - C} \ge 2\sigma^2e^{-4\beta|\lambda^*|}"
        r"\min(r_+, r_-)",
        source="own (what holds of P1 v3, Theorem 4.5; D12)",
        form="own",
        expected=Verdict.PROVED,
        discrepancy="a rate below the bound",
        subject=Rate("damped"),
        twin_statement=r"The same without $e^{-4\beta|\lambda^*|}$.",
        twin_subject=Rate("any"),
        routes=(rate_symbolic, rate_exact),
        assumptions=(PER_SAMPLE, _FINITE),
        note="A rate bounded below along a path follows where $|\\lambda^*|$ is "
        "bounded on it.",
    ),
)

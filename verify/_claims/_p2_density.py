"""P2, Theorem 4.2 and its closed forms: the density at zero flux (P2-6)."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._p2_shared import BALANCED, CENTRED, NOISE, P2, SIGN
from verify._result import Breakage
from verify._routes._stationary_density import (
    Closed,
    Law,
    closed_exact,
    closed_symbolic,
    divergence_at_fit,
    flux_exact,
    flux_symbolic,
    interpolated_exact,
    interpolated_symbolic,
)
from verify._routes._stationary_moments import deep_numeric, density_numeric
from verify._routes._stationary_zero import (
    exponent_exact,
    exponent_numeric,
    exponent_symbolic,
)


_EXPONENTS = (exponent_symbolic, exponent_exact, exponent_numeric)
_INSIDE = (
    r"In the exponent stands an indefinite integral, finite from any $v_0 > 0$ to any "
    r"$v > 0$ where $\Delta > 0$; another $v_0$ changes only the normalisation."
)
_FLUX = Breakage(
    "no probability flows",
    r"A constant flux $J$ adds to $(B^2p)' = 2ap - 2J$ another solution; with "
    r"$J \neq 0$ it feeds mass in at one end and takes it out at the other.",
)
_P = (
    r"p_+(v) \propto \frac{v^{-3D/(D+1)}}{Q(v)}\exp\Big[-\frac1T\int\frac{d^{1-2/(D+1)}"
    r"(\beta_1v - \beta_2)}{(D+1)v^{2D/(D+1)}Q(v)}dv\Big]"
)

CLAIMS = (
    Claim(
        id="p2.thm4.2",
        title="the stationary density at zero flux",
        statement=r"On the balanced manifold, $\gamma = 0$, the density with zero flux "
        r"on $v > 0$ is the formula, for every depth and width (with decay see "
        r"p2.decay.corrected). The integral is indefinite (p2.eq14).",
        formula=_P,
        source=f"{P2}, Theorem 4.2",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a power of $v$ or $Q$, or a factor in the exponent",
        subject=Law(),
        twin_statement=r"The power is $v^{-2D/(D+1)}$.",
        twin_subject=Law(power=Fraction(2)),
        routes=(flux_symbolic, flux_exact, density_numeric),
        assumptions=(BALANCED, CENTRED, NOISE, SIGN, _FLUX),
    ),
    Claim(
        id="p2.eq14",
        title="the integral in the exponent (as printed)",
        statement=r"The exponent's integral runs from 0 to $v$, and is finite, for "
        r"every $D \ge 1$.",
        formula=r"\int_0^v\frac{\beta_1v' - \beta_2}{v'^{2D/(D+1)}Q(v')}dv'",
        source=f"{P2}, Eq. (14)",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a divergent integral",
        subject="0",
        twin_statement=_INSIDE,
        twin_subject="inside",
        routes=_EXPONENTS,
        assumptions=(NOISE, SIGN),
        note=r"By hand: $D = 1$, $x = 1$, $y = 4$ or $0$, and $x = 0$: $\beta_2 = "
        r"\frac43$, and for small $v$ the integrand is about $-\frac{\beta_2}{\alpha_3}"
        r"\frac1v$: $\int_\epsilon^v$ falls to $-\infty$ like $\ln\epsilon$, so "
        r"$\exp[-\frac1T\int_0^v] = \infty$ at every $v > 0$.",
    ),
    Claim(
        id="p2.eq14.corrected",
        title="the integral in the exponent",
        statement=_INSIDE,
        formula=r"\int_{v_0}^v\frac{\beta_1v' - \beta_2}{v'^{2D/(D+1)}Q(v')}dv',\quad "
        r"v_0 > 0",
        source=f"{P2}, Eq. (14), corrected (P2-6)",
        form="corrected",
        amends="p2.eq14",
        expected=Verdict.PROVED,
        discrepancy="a divergent integral",
        subject="inside",
        twin_statement=r"It is finite from 0 on.",
        twin_subject="0",
        routes=_EXPONENTS,
        assumptions=(NOISE, SIGN),
    ),
    Claim(
        id="p2.d1",
        title="the density of two layers in closed form",
        statement=r"For $D = 1$ and every $d$ the density is the formula with $b = "
        r"\beta_2 - \gamma$.",
        formula=r"v^{\frac{b}{2\alpha_3T} - \frac32}Q^{-1 - \frac{b}{4T\alpha_3}}\exp"
        r"\Big[-\frac1{2T}\frac{\alpha_3\beta_1 - \alpha_2b}{\alpha_3\sqrt\Delta}"
        r"\arctan\frac{\alpha_1v - \alpha_2}{\sqrt\Delta}\Big]",
        source=f"{P2}, §4 (D = 1)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a power, or a factor in the exponent",
        subject=Closed("D = 1"),
        twin_statement=r"$Q^{-2}$ in place of $Q^{-1}$.",
        twin_subject=Closed("D = 1", noise=Fraction(2)),
        routes=(closed_symbolic, closed_exact),
        assumptions=(BALANCED, CENTRED, NOISE),
    ),
    Claim(
        id="p2.d0",
        title="the density of linear regression",
        statement=r"For $D = 0$, where $v = \sum u_i$ has both signs, the density is "
        r"the formula with $\beta_1' = \beta_1 + \gamma$ for $d = 1$; for any $d$ put "
        r"$\gamma/d$ for $\gamma$ and $dT$ for $T$.",
        formula=r"Q^{-1 - \frac{\beta_1'}{2T\alpha_1}}\exp\Big[-\frac1T\frac{\alpha_2"
        r"\beta_1' - \alpha_1\beta_2}{\alpha_1\sqrt\Delta}\arctan\frac{\alpha_1v - "
        r"\alpha_2}{\sqrt\Delta}\Big]",
        source=f"{P2}, §4 (D = 0)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a power, or a factor in the exponent",
        subject=Closed("D = 0"),
        twin_statement=r"$Q^{-2}$ in place of $Q^{-1}$.",
        twin_subject=Closed("D = 0", noise=Fraction(2)),
        routes=(closed_symbolic, closed_exact),
        assumptions=(CENTRED, NOISE),
    ),
    Claim(
        id="p2.limit",
        title="the density at infinite depth",
        statement=r"For $D \to \infty$ at fixed $d/D$, $p'/p$ tends to that of the "
        r"formula, $k_1 = d(\alpha_3\beta_1 - 2\alpha_2\beta_2)/(TD\alpha_3^2)$.",
        formula=r"v^{-3-k_1}Q^{-1+k_1/2}\exp\Big(-\frac d{DT}\Big(\frac{\beta_2}"
        r"{\alpha_3v} + \frac{\alpha_2\alpha_3\beta_1 - 2\alpha_2^2\beta_2 + \alpha_1"
        r"\alpha_3\beta_2}{\alpha_3^2\sqrt\Delta}\arctan\frac{\alpha_1v - \alpha_2}"
        r"{\sqrt\Delta}\Big)\Big)",
        source=f"{P2}, §4 (D → ∞)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a power, or a factor in the exponent",
        subject=Closed("deep", power=Fraction(3)),
        twin_statement=r"$Q^{-2+k_1/2}$ in place of $Q^{-1+k_1/2}$.",
        twin_subject=Closed("deep", power=Fraction(3), noise=Fraction(2)),
        routes=(closed_symbolic, deep_numeric),
        assumptions=(BALANCED, CENTRED, NOISE),
    ),
    Claim(
        id="p2.interpolation",
        title="the density where all samples are fitted",
        statement=r"For $y = kx$, $D = 1$, $\gamma = 0$ the formula has zero flux; it "
        r"cannot be normalised, since the power of $|v - k|$ is below $-1$.",
        formula=r"v^{-\frac32 + \frac{\beta_1}{2T\alpha_1k}}|v - k|^{-2 - "
        r"\frac{\beta_1}{2T\alpha_1k}}",
        source=f"{P2}, §4 (y = kx)",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a power",
        subject=Fraction(-2),
        twin_statement=r"$|v - k|^{-1 - \beta_1/2T\alpha_1k}$.",
        twin_subject=Fraction(-1),
        routes=(interpolated_symbolic, interpolated_exact, divergence_at_fit),
        assumptions=(
            BALANCED,
            Breakage(
                r"$k > 0$",
                r"$k < 0$: on $v > 0$ the minimum is never reached, and the power of "
                r"$v$ is below $-\frac32$: no density either.",
            ),
        ),
        note=r"The stationary law is the point $v = k$: `NoDensityError`.",
    ),
)

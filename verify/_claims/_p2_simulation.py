"""P2, Theorem 4.2 by simulation of all weights, and its broken ergodicity."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._result import Breakage
from verify._routes._diagonal_balance import atom_exact
from verify._routes._diagonal_simulation import (
    SHARED,
    Law,
    density_by_sums,
    density_by_weights,
    density_kept,
    signs_kept,
)


_P2 = "P2 (arXiv 2308.06671 v2)"
_SIGN = Breakage(
    "a start of the sign of $\\beta_2$ in every product",
    r"From $u = -w$ two factors keep $v \le 0$, and no density is normalisable there.",
)
_NOISE = Breakage(
    r"$\Delta > 0$",
    r"$y = x$: $Q(1) = 0$, and $v = 1$, where the loss is 0, is kept for ever.",
)
_COLD = Breakage(
    "below $T_c$ ($D = 1$)",
    r"At $T \ge T_c = (\beta_2 - \gamma)/\alpha_3$ $E\ln|u|$ falls for ever near 0, "
    r"and there is no density.",
)

CLAIMS = (
    Claim(
        id="p2.simulation",
        title="all weights of the SDE end at the density of Thm 4.2",
        statement=r"The SDE of all weights $u_i^{(k)}$ of a diagonal network, off the "
        r"balance at first, of two, three and four factors and any width, ends at the "
        r"stationary density of $v$, whatever the start of the right sign.",
        formula=r"p(v) \propto \frac{v^{-3D/(D+1)}}{Q(v)}\exp\Big[-\frac1T\int\frac{"
        r"\beta_1v - \beta_2}{(D+1)c\,v^{2D/(D+1)}Q(v)}dv\Big]",
        source=f"{_P2}, Theorem 4.2",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="0.03 in the distribution function",
        subject=Law(),
        twin_statement="The same density at twice the temperature.",
        twin_subject=Law(Fraction(2)),
        routes=(density_by_sums, density_by_weights, density_kept),
        assumptions=(_SIGN, _NOISE, _COLD),
        derivation=(
            r"$\partial\ell/\partial u_i^{(k)} = q\,v_i/u_i^{(k)}$ with one $q = 2x(vx "
            r"- y)$ for all weights, $E q = 2(\beta_1v - \beta_2)$, "
            r"$\mathrm{Var}\,q = 4Q(v)$: one Brownian motion drives all.",
            r"$d\ln|u_i^{(k)}| = -g(\bar q\,dt + s\,dB) - \frac12g^2s^2dt - 2\gamma "
            r"dt$, $g = v_i/(u_i^{(k)})^2$, $s^2 = 4TQ$.",
            r"Replicas are independent, each with steps of its own that it chooses "
            r"before the noise; all are followed to one time, none is dropped.",
        ),
        note="The ends are draws of the law at the end, not of the stationary one, and "
        "the steps are not infinitely small: two starts and two times are compared, "
        "and 0.03 is allowed for both.",
        shares=SHARED,
    ),
    Claim(
        id="p2.ergodicity",
        title="broken ergodicity: the atom at 0 has any mass",
        statement=r"With two factors, $v$ keeps its sign near the balance, and 0 is "
        r"never left nor reached: for every $z$ in $[0, 1]$ the law $(1 - z)\delta + "
        r"z\,p_+$ is stationary, $z$ as at the start.",
        formula=r"p^*(v) = (1 - z)\,\delta(v) + z\,p_+(v)",
        source=f"{_P2}, Theorem 4.2 and after it",
        form="published",
        expected=Verdict.SUPPORTED,
        discrepancy="0.03 in the distribution function or in the share of signs lost",
        subject=Law(),
        twin_statement=r"$z = 1$: the stationary law is unique, and it is $p_+$.",
        twin_subject=Law(present=Fraction(1)),
        routes=(signs_kept, atom_exact),
        assumptions=(_SIGN, _COLD),
        shares=SHARED,
    ),
)

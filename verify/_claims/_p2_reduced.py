"""P2: the balanced manifold attracts, and what the noise does to Var v."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._result import Breakage
from verify._routes._diagonal_balance import (
    balance_algebra,
    balance_exact,
    balance_simulated,
    spread_rises,
    variance_bends,
)
from verify._routes._diagonal_simulation import SHARED


_P2 = "P2 (arXiv 2308.06671 v2)"
_DELTA = Breakage(
    r"$\Delta > 0$ or $\gamma > 0$ (attraction)",
    r"$y = x$, $uw = 1$: $q = 0$ for every sample, so nothing moves, whatever "
    r"$u^2 - w^2$.",
)
_TWO = Breakage(
    "two factors (a rate bounded below)",
    r"$(u, w, r) = (2, 1, 0)$: $h = r = 0$, and $u^2 - w^2 = 3$ is kept by the step.",
)
_FIT = Breakage(
    r"$\Delta > 0$",
    r"$y = kx$: $Q(k) = 0$ and the loss is 0 at $v = k$: SGD stops there at every "
    r"$T$, and there is no density.",
)
_ONE_LAYER = Breakage(
    "two factors (the fall)",
    r"With three factors and $\gamma = 0$ there is no $T_c$, and a density at every "
    r"$T$.",
)

CLAIMS = (
    Claim(
        id="p2.reduced",
        title="the balanced manifold attracts",
        statement=r"With $q = \partial\ell/\partial v$ of the minibatch and $h$ the "
        r"product of the other factors of a product, one step of SGD multiplies "
        r"$u^2 - w^2$ of two of its factors by the formula; under the SDE the "
        r"difference has no noise and falls at the rate $4TQ(v)h^2 + 4\gamma$: for two "
        r"factors ($h = 1$) at least at $4T\Delta/\alpha_1 + 4\gamma$, everywhere.",
        formula=r"(u^2 - w^2)' = \big((1 - 2\eta\gamma)^2 - \eta^2q^2h^2\big)(u^2 - "
        r"w^2)",
        source=f"{_P2}, §4, the reduction to one variable",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="another factor of the noise term",
        subject=Fraction(1),
        twin_statement=r"The same with $2\eta^2q^2h^2$ and $8TQh^2$.",
        twin_subject=Fraction(2),
        routes=(balance_algebra, balance_exact, balance_simulated),
        assumptions=(_DELTA, _TWO),
        shares=SHARED,
    ),
    Claim(
        id="p2.fluctuations",
        title="Var v rises with T, then falls to 0 at T_c",
        statement=r"With two factors and $\Delta > 0$ the spread of $v$ is small near "
        r"$T = 0$, larger between, and falls to 0 as $T \to T_c$.",
        formula=r"\mathrm{Var}\,v \to 0\quad (T \to 0,\ T \to T_c)",
        source=f"{_P2}, §4, fluctuation inversion",
        form="own",
        expected=Verdict.SUPPORTED,
        discrepancy="a spread that is monotone in T",
        subject="rises",
        twin_statement=r"The spread of $v$ falls in $T$, from $T = 0$ on.",
        twin_subject="falls",
        routes=(variance_bends, spread_rises),
        assumptions=(_FIT, _ONE_LAYER),
        shares=SHARED,
    ),
)

"""P1, Proposition 1: the flow of C_B, published with a factor 2 too little."""

from fractions import Fraction
from typing import Any

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE, TRAINING
from verify._context import Context
from verify._evidence import Evidence
from verify._result import Breakage
from verify._routes._autoencoder_routes import autoencoder_flow
from verify._routes._balance_law import balance_law
from verify._routes._common import Factors
from verify._routes._factorisation_exact import rows_and_columns_exact
from verify._routes._factorisation_words import rows_and_columns


def _factors(m: Fraction) -> Factors:
    """Return the noise factor claimed for C_B with ½, when C_B has m in front."""
    return Factors(noise=1 / (2 * m))


def _ensembles(subject: Fraction, context: Context) -> Evidence:
    """Measure the noise factor of C_B on SGD ensembles of several sizes."""
    return balance_law(_factors(subject), context)


def _digits(subject: Any, context: Context) -> Evidence:
    """Measure it along the training of an autoencoder on the digits."""
    return autoencoder_flow(_factors(subject), context)


_ROUTES = (rows_and_columns_exact, rows_and_columns, _ensembles, _digits)
_LAW = (
    r"\dot C_B = \sigma^2\Big(\sum_i\mathrm{Tr}[\Sigma_{\tilde u_i}B] - "
    r"\sum_j\mathrm{Tr}[\Sigma_{\tilde w_j}B]\Big)"
)
_SYMMETRIC = Breakage(
    r"$B = B^\top$",
    r"For $B^\top = -B$ the trace $\mathrm{Tr}[UBU^\top]$ is 0 and no charge has the "
    r"gradient $J = (UB, -BW)$.",
)
_ROWS = r"$\tilde u_i$ the rows of $U$ and $\tilde w_j$ the columns of $W$"

CLAIMS = (
    Claim(
        id="p1.prop1",
        title="the flow for UWx (as printed)",
        statement=r"For $C_B = \mathrm{Tr}[UBU^\top] - \mathrm{Tr}[W^\top BW]$ the "
        rf"formula holds, {_ROWS}.",
        formula=_LAW,
        source=f"{P1}, Proposition 1",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a factor 2",
        subject=Fraction(1),
        twin_statement=r"The same for $C_B = \frac12(\mathrm{Tr}[UBU^\top] - "
        r"\mathrm{Tr}[W^\top BW])$.",
        twin_subject=Fraction(1, 2),
        routes=_ROUTES,
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _SYMMETRIC),
        note=r"By hand: $\ell = (uwx - y)^2$ at $u = 2$, $w = 1$ with $x = 1$ and "
        r"$y = 0, 1$: $r = 2, 1$, $\mathrm{Var}\,r = \frac14$, $\Sigma_u = 1$, "
        r"$\Sigma_w = 4$. The sum over rows and columns is $-3$, and $u^2 - w^2$ moves "
        r"at $2\sigma^2\cdot(-3)$.",
    ),
    Claim(
        id="p1.prop1.corrected",
        title="the flow for UWx",
        statement=r"For $C_B = \frac12(\mathrm{Tr}[UBU^\top] - \mathrm{Tr}[W^\top "
        r"BW])$, "
        rf"every symmetric $B$ and every size the formula holds, {_ROWS}.",
        formula=_LAW,
        source=f"{P1}, Proposition 1, corrected (D1)",
        form="corrected",
        amends="p1.prop1",
        expected=Verdict.PROVED,
        discrepancy="a factor 2",
        subject=Fraction(1, 2),
        twin_statement=r"The same for $C_B$ without the factor $\frac12$, as printed.",
        twin_subject=Fraction(1),
        routes=_ROUTES,
        shares=TRAINING,
        assumptions=(PER_SAMPLE, _SYMMETRIC),
    ),
)

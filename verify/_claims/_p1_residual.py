"""P1, §4.4: residual nets (D14), and what their balance says."""

from fractions import Fraction

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1, PER_SAMPLE
from verify._result import Breakage
from verify._routes._matrix_balanced import orthogonal_exact, orthogonal_words
from verify._routes._matrix_models import residual_exact, residual_words


_ROUTES = (residual_exact, residual_words)
_RIGHT = (
    r"$f = (I + U)(I + W)x$ has the affine symmetry $I + U \to (I + U)R$, $I + W \to "
    r"R^{-1}(I + W)$, with $J = ((I + U)B, -B(I + W))$; without decay the SDE moves "
    r"$(I + U)^\top(I + U) - (I + W)(I + W)^\top$ by the noise alone, at "
    r"$\frac{4\eta}S\big((I + W)\Gamma_W(I + W)^\top - (I + U)^\top\Gamma_U(I + "
    r"U)\big)$"
)
_SQUARE = Breakage(
    r"layers without anything between them",
    r"$x + U\tanh(x + Wx)$ at one unit, $u, w, x \neq 0$: $\nabla f\cdot(1 + u, -(1 + "
    r"w)) \neq 0$.",
)
_ISOTROPIC = Breakage(
    r"isotropic $\varepsilon$",
    r"$n = 2$, $\Sigma_x = I$, $\Sigma_\varepsilon = \mathrm{diag}(1, 49)$: $I + U = "
    r"\mathrm{diag}(\sqrt5, \sqrt{5/7})$ balances.",
)
_TARGET = Breakage(
    r"$V = I$",
    r"$V = 4I$: $I + U = I + W = 2I$ balances.",
)
_BALANCED = Breakage(
    "exact balance",
    r"$n = 1$: $1 + u = 2$, $1 + w = \frac12$ is a global minimum.",
)

CLAIMS = (
    Claim(
        id="p1.residual",
        title="a residual net has no symmetry (as printed)",
        statement=r"$f = (I + U)(I + W)x$ no longer has the symmetry of $UWx$: no $J = "
        r"((I + U)B, -B(I + W)) \neq 0$ has $\nabla\ell\cdot J = 0$.",
        formula=r"\nabla\ell\cdot J \neq 0",
        source=f"{P1}, §4.4",
        form="published",
        expected=Verdict.REFUTED,
        discrepancy="a symmetry",
        subject="none",
        twin_statement=f"{_RIGHT}.",
        twin_subject="affine",
        routes=_ROUTES,
        assumptions=(PER_SAMPLE,),
        note=r"By hand: $f = (1 + u)(1 + w)x$ with $J = (1 + u, -(1 + w))$: $\nabla "
        r"f\cdot J = (1 + w)(1 + u)x - (1 + u)(1 + w)x = 0$. The linear $J = (u, -w)$ "
        r"is lost, the affine one is exact.",
    ),
    Claim(
        id="p1.residual.corrected",
        title="a residual net has an affine symmetry",
        statement=f"{_RIGHT}.",
        formula=r"J = ((I + U)B, -B(I + W)),\quad \nabla\ell\cdot J = 0",
        source=f"{P1}, §4.4, corrected (D14)",
        form="corrected",
        amends="p1.residual",
        expected=Verdict.PROVED,
        discrepancy="a loss that changes along J",
        subject="affine",
        twin_statement=r"The same for the linear $J = (UB, -BW)$.",
        twin_subject="linear",
        routes=_ROUTES,
        assumptions=(PER_SAMPLE, _SQUARE),
        note=r"Weight decay acts on $U, W$, not on $I + U, I + W$: its part is not "
        r"$-4\gamma$ times the charge.",
    ),
    Claim(
        id="p1.residual-balance",
        title="a balanced residual net is orthogonal",
        statement=r"Where a residual net $f = (I + U)(I + W)x$ with isotropic $x$ and "
        r"$\varepsilon$ learns $V = I$ and balances exactly, $I + U$ is orthogonal.",
        formula=r"(I + U)(I + W) = I,\ (I + W)(I + W)^\top = (I + U)^\top(I + U) "
        r"\;\Rightarrow\; (I + U)^\top(I + U) = I",
        source=f"{P1}, §4.4",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a balanced net that is not orthogonal",
        subject=Fraction(1),
        twin_statement=r"The same for $V = 4I$.",
        twin_subject=Fraction(4),
        routes=(orthogonal_words, orthogonal_exact),
        assumptions=(_ISOTROPIC, _TARGET, _BALANCED),
    ),
)

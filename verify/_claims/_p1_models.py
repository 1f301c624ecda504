"""P1: symmetries of models: attention, a loss that has more, Net-A and Net-B."""

from symbolic import Verdict
from verify._claim import Claim
from verify._claims._shared import P1
from verify._result import Breakage
from verify._routes._matrix_models import (
    attention_exact,
    attention_words,
    loss_only_exact,
    loss_only_words,
)
from verify._routes._matrix_nets import nets_rank, nets_symbolic


_ROTARY = Breakage(
    "nothing between queries and keys",
    r"With rotary positions the logits are $x_i^\top Q^\top T^{i-j}Kx_j$, $T$ a "
    r"rotation: $R = \mathrm{diag}(2, 1)$, which does not commute with $T$, changes "
    r"them.",
)
_OWN_LOSS = Breakage(
    "a loss that sees less than the outputs",
    r"$\|(Ux, Wx) - y\|^2$ of the same outputs has no such symmetry.",
)
_ACTIVATION = Breakage(
    r"an activation that is not homogeneous",
    r"For ReLU or a linear activation Net-A has the layerwise scaling, too: "
    r"$\frac\rho\sigma\varphi(\frac\sigma\rho z) = \varphi(z)$.",
)

CLAIMS = (
    Claim(
        id="p1.attention",
        title="each attention head has a symmetry",
        statement=r"Attention has the symmetry $Q_h \to R_h^\top Q_h$, $K_h \to "
        r"R_h^{-1}K_h$ for each head $h$ on its own: the logits $x_i^\top Q_h^\top "
        r"K_hx_j$ of all heads stay. Gradient flow conserves the formula, and the SDE "
        r"has no $dW$ term in it.",
        formula=r"Q_hQ_h^\top - K_hK_h^\top",
        source=f"{P1}, §4, examples",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a logit that changes",
        subject="per head",
        twin_statement="The same for an R that mixes the rows of different heads.",
        twin_subject="across heads",
        routes=(attention_words, attention_exact),
        assumptions=(_ROTARY,),
    ),
    Claim(
        id="p1.loss-only",
        title="a symmetry of ℓ that the model does not have",
        statement=r"The theorems need the symmetry of $\ell$ only: $\ell = (Ux\cdot Wx "
        r"- y)^2$ has $U \to RU$, $W \to R^{-\top}W$ for every sample, with the flow "
        r"of $UU^\top - WW^\top$ that follows, although the outputs $Ux, Wx$ move.",
        formula=r"\ell(RU, R^{-\top}W) = \ell(U, W),\quad RUx \neq Ux",
        source=f"{P1}, §3",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a loss that changes",
        subject="loss",
        twin_statement="The outputs have the symmetry as well.",
        twin_subject="model",
        routes=(loss_only_words, loss_only_exact),
        assumptions=(_OWN_LOSS,),
    ),
    Claim(
        id="p1.nets",
        title="Net-A scales as a whole, Net-B layer by layer",
        statement=r"Of $f_A = \sum_j\frac{u_j}{\|w\|}\tanh\frac{w_j^\top x}{\|u\|}$ "
        r"and $f_B = \sum_j\frac{u_j}{\|u\|}\tanh\frac{w_j^\top x}{\|w\|}$ both are "
        r"invariant when $u$ and $w$ are scaled together, $f_B$ also when either is; "
        r"$f_A$ is not.",
        formula=r"\nabla f_A\cdot(\alpha u, \beta w) = 0 \;\Leftrightarrow\; \alpha = "
        r"\beta,\quad \nabla f_B\cdot(\alpha u, \beta w) = 0",
        source=f"{P1}, Fig. 2",
        form="published",
        expected=Verdict.PROVED,
        discrepancy="a symmetry more or less",
        subject="global",
        twin_statement="Net-A has the layerwise scalings as well.",
        twin_subject="layerwise",
        routes=(nets_symbolic, nets_rank),
        assumptions=(_ACTIVATION,),
        note=r"Among all linear $J = A\theta$, symmetric or not, drawn nets with two "
        r"or more hidden units and inputs have these and no others.",
    ),
)

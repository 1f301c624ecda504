"""Names, numbers and sentences that the page and the terminal table share."""

from __future__ import annotations

import math

from symbolic import Verdict
from verify import Campaign, ClaimResult, TwinResult


#: A sign for each verdict, so that colour is never the only signal.
SIGNS = {
    Verdict.PROVED: "∎",
    Verdict.CERTIFIED: "∈",
    Verdict.SUPPORTED: "≈",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "–",
    Verdict.REFUTED: "✗",
}

FORMS = {
    "published": "as published",
    "corrected": "corrected",
    "own": "not in the papers",
}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def verdict_name(verdict: Verdict) -> str:
    """Return the verdict as printed.

    Args:
        verdict: the verdict.

    Returns:
        Its name, with a space for the underscore.

    >>> verdict_name(Verdict.NOT_APPLICABLE)
    'NOT APPLICABLE'
    """
    return verdict.name.replace("_", " ")


def number(value: float) -> str:
    """Return a number in three significant digits, with a power of ten where shorter.

    Args:
        value: any float; NaN and infinities are named.

    Returns:
        The text.

    >>> number(1e-6), number(0.25), number(-3.2e-12), number(float("inf"))
    ('10⁻⁶', '0.25', '−3.2 × 10⁻¹²', '∞')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, _, exponent = f"{value:.3g}".replace("-", "−").partition("e")
    if not exponent:
        return mantissa
    power = power_of_ten(int(exponent.replace("−", "-")))
    return power if mantissa == "1" else f"{mantissa} × {power}"


def power_of_ten(exponent: int) -> str:
    """Return 10 to a whole power.

    >>> power_of_ten(-3)
    '10⁻³'
    """
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def percent(share: float) -> str:
    r"""Return a share in per cent, to a tenth where it is below ten.

    >>> percent(0.05), percent(0.0432), percent(0.252), percent(1.0)
    ('5\xa0%', '4.3\xa0%', '25\xa0%', '100\xa0%')
    """
    value = 100.0 * share
    text = f"{value:.0f}" if value >= 10.0 else f"{value:.1f}".removesuffix(".0")
    return f"{text}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """Return a wall-clock time as read by people.

    Args:
        seconds: the time, in seconds.

    Returns:
        Seconds with one decimal, or minutes and seconds, or hours and minutes.

    >>> duration(3.21), duration(75.0), duration(7322.0)
    ('3.2 s', '1 min 15 s', '2 h 02 min')
    """
    if not seconds < 60:
        whole = round(seconds) if math.isfinite(seconds) else 0
        minutes, rest = divmod(whole, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
    return f"{seconds:.1f} s"


def twin_rule(twin: TwinResult) -> str:
    """Return what a twin of this kind must come out as.

    Args:
        twin: the twin.

    Returns:
        The rule, to be read after "must".
    """
    return "be refuted" if twin.kind == "false" else "hold"


def surprises(campaign: Campaign) -> tuple[ClaimResult, ...]:
    """Return the claims that did not come out as expected.

    Args:
        campaign: the finished run.

    Returns:
        The claims, in the order of the campaign.
    """
    return tuple(claim for claim in campaign.claims if not claim.as_expected)


def outcome(campaign: Campaign) -> str:
    """Return the outcome of the run in one sentence.

    Args:
        campaign: the finished run.

    Returns:
        The sentence that belongs to the exit code.
    """
    total, wrong = len(campaign.claims), len(surprises(campaign))
    if not total:
        return "Nothing was checked."
    if any(claim.disagreement for claim in campaign.claims):
        return (
            f"{wrong} of {total} claims not as expected: routes contradict each other, "
            "which is a defect of the toolkit."
        )
    if not wrong:
        return f"All {total} claims as expected." if total > 1 else "As expected."
    if campaign.exit_code == 1:
        return (
            f"{wrong} of {total} claims not as expected: something came out refuted "
            "that should hold, or held that should be refuted."
        )
    return (
        f"{wrong} of {total} claims not as expected: the evidence is weaker than it "
        "should be, none contradicts."
    )


NOTATION = (
    r"$\ell(\theta, z)$ is the loss of one sample, $L = E_z\,\ell$ its mean over a "
    r"finite "
    r"training set; weight decay adds $\gamma\|\theta\|^2$. SGD has learning rate "
    r"$\eta$ "
    r"and batch size $S$, $\sigma^2 = \eta/(2S)$, and time is $\eta$ times steps.",
    r"$\Sigma(\theta)$ is the centred covariance of the per-sample gradients, so that "
    r"SGD "
    r"is modelled by $d\theta = -(\nabla L + 2\gamma\theta)\,dt + "
    r"\sqrt{2\sigma^2\Sigma}\,dW$; $g$ is the gradient of a minibatch.",
    r"A symmetry has the generator $J(\theta)$ and, where one exists, the charge $C$ "
    r"with "
    r"$\nabla C = J$. It is exponential where $J = A\theta$ with $A = A^\top$: then "
    r"$\theta_\lambda = e^{\lambda A}\theta$ is its orbit, $G = \dot C$ the drift of "
    r"the "
    r"charge, and $\lambda^*$ the point of the orbit where $G = 0$. $\mu_i$ are the "
    r"eigenvalues of $A$, $s_i$ the noise and $t_i$ the squared coordinate along the "
    r"$i$-th eigenvector.",
    r"For the network $UWx$: $r = UWx - y$, $M = E[rx^\top]$, and every symmetric $B$ "
    r"gives the charge $C_B = \frac12\mathrm{Tr}[(U^\top U - WW^\top)B]$.",
    "Words of matrices are polynomials under trace and mean with every size free. An "
    "instance is trivial where both sides vanish: it is counted apart and proves "
    "nothing. D1, D16 and the like number the errors found in the papers.",
)

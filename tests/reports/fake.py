"""A made-up campaign with everything a report can meet; its results are invented."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from symbolic import Verdict, Witness
from verify import (
    Breakage,
    Campaign,
    ClaimResult,
    Evidence,
    Figure,
    Series,
    TwinResult,
)


HOSTILE = """</style><script>alert("x")</script>'"&<!-- {{ 7*7 }} {% raw %}"""


def campaign() -> Campaign:
    """Return the campaign: claims of every form, verdict and kind of surprise."""
    claims = (
        flow(),
        published_decay(),
        corrected_decay(),
        equilibrium(),
        theorem_two(),
        density(),
        semidefinite(),
        weak(),
        not_applicable(),
        hostile(),
        contradictory(),
    )
    return Campaign(
        seed=0,
        profile="standard",
        alpha=1e-6,
        subject="the built-in catalogue",
        claims=claims,
        environment={
            "python": "3.11.9",
            "numpy": "2.4.0",
            "machine": "x86_64, 2 cores",
        },
        jobs=2,
        seconds=184.2,
    )


def calm() -> Campaign:
    """Return the part of the campaign that came out as expected."""
    whole = campaign()
    return replace(whole, claims=tuple(c for c in whole.claims if c.as_expected))


def claim(id: str, title: str, **given: Any) -> ClaimResult:
    """Return a claim that holds, with what is given put in place."""
    plain: dict[str, Any] = {
        "statement": "Something holds.",
        "formula": "",
        "source": "P1, prose",
        "form": "published",
        "amends": None,
        "expected": Verdict.PROVED,
        "verdict": Verdict.PROVED,
        "discrepancy": "any non-zero difference of the two sides.",
        "assumptions": (),
        "derivation": (),
        "evidence": (evidence("symbolic", Verdict.PROVED),),
        "twin": false_twin("The same with a sign reversed."),
        "counterexample": None,
        "disagreement": False,
        "note": "",
        "replay": f"noetherflow verify {id} --seed 0 --profile standard",
        "seconds": 1.25,
    }
    return ClaimResult(id=id, title=title, **{**plain, **given})


def evidence(route: str, verdict: Verdict, **given: Any) -> Evidence:
    """Return evidence of a route, with what is given put in place."""
    plain: dict[str, Any] = {
        "summary": "Both sides were expanded and agree term by term.",
        "instances": 24,
        "counterexample": WITNESS if verdict is Verdict.REFUTED else None,
    }
    return Evidence(route, verdict, **{**plain, **given})


def false_twin(statement: str) -> TwinResult:
    """Return a false twin that was refuted, as it must be."""
    found = evidence("symbolic", Verdict.REFUTED, summary="A sign differs.")
    return TwinResult("false", statement, Verdict.REFUTED, (found,))


def rounded(values: Iterable[float]) -> tuple[float, ...]:
    """Return the values without the last digits, which differ between C libraries."""
    return tuple(round(value, 6) for value in values)


WITNESS = Witness(
    {"u": "1", "w": "2", "x": "1", "y": "3/2"}, left="-3/8", right="3/8", exact=True
)


def flow() -> ClaimResult:
    """Return a proved theorem with a derivation, three routes and a figure."""
    times = rounded(0.05 * k for k in range(101))
    mean = rounded(0.2 + 1.8 * math.exp(-t) for t in times)
    spread = rounded(0.12 * math.sqrt(t) * math.exp(-t / 3) for t in times)
    figure = Figure(
        title="The charge of an ensemble follows the predicted drift",
        xlabel=r"time $\eta\cdot$ steps",
        ylabel=r"charge $C=\frac{1}{2}\theta^\top\! A\theta$",
        series=(
            Series(
                "95 % of replicas",
                times,
                rounded(m - s for m, s in zip(mean, spread, strict=True)),
                rounded(m + s for m, s in zip(mean, spread, strict=True)),
                kind="band",
            ),
            Series("mean of 512 replicas", times, mean),
            Series("gradient flow (conserved)", times, (2.0,) * 101, (), "dashed", -1),
            Series(
                "exact one-step law",
                times[::10],
                rounded(m + 0.004 * math.sin(9 * m) for m in mean[::10]),
                kind="points",
                group=1,
            ),
        ),
        caption=r"Rescaling symmetry $(u,w)\to(e^\rho u,e^{-\rho}w)$. The band must "
        "hold the points; without noise nothing would move.",
    )
    return claim(
        "p1.eq7",
        "Noether flow with weight decay",
        statement=r"For an exponential symmetry $J(\theta)=A\theta$, $A=A^\top$, the "
        r"charge $C=\tfrac12\theta^\top A\theta$ has no martingale part and drifts by "
        r"$\dot C=-4\gamma C+\sigma^2\operatorname{Tr}[\Sigma A]$.",
        formula=r"\dot C=-4\gamma C+\sigma^2\operatorname{Tr}[\Sigma A]"
        r"=-4\gamma C+\frac{\eta}{2S}\sum_i\mu_i\,n_i^\top\Sigma(\theta)\,n_i",
        source="P1, Eq. (7)",
        assumptions=(
            Breakage(
                r"$A=A^\top$",
                r"A rotation, $A=-A^\top$, is a symmetry with no $C$ such that "
                r"$\nabla C=J$.",
            ),
            Breakage(
                "The loss is invariant sample by sample.",
                r"With only $L$ invariant, $\Sigma J\neq0$ and a $dW$ term appears.",
            ),
        ),
        derivation=(
            r"Invariance: $\nabla\ell(\theta,z)\cdot J(\theta)=0$ for every $z$.",
            r"Hence $\Sigma J=0$, so $\sqrt{\Sigma}\,J=0$.",
            r"Itô: $dC=\nabla C\cdot d\theta+\tfrac12\cdot2\sigma^2"
            r"\operatorname{Tr}[\Sigma\nabla^2C]\,dt$ with $\nabla C=J$.",
            r"$\nabla^2C=A$, and the decay gives $-2\gamma\,\theta\cdot A\theta="
            r"-4\gamma C$.",
        ),
        evidence=(
            evidence(
                "symbolic, scalar level", Verdict.PROVED, steps=("Expand.", "Done.")
            ),
            evidence(
                "exact rational instances",
                Verdict.CERTIFIED,
                summary=r"$E[C']$ summed over all minibatches, in rationals.",
                instances=240,
                degenerate=7,
            ),
            evidence(
                "ensemble of discrete SGD",
                Verdict.SUPPORTED,
                summary="A martingale bound holds along every trajectory.",
                instances=64,
                alpha=2.5e-8,
                tolerance=1.4e-13,
                detectable=0.012,
                figures=(figure,),
            ),
        ),
        twin=false_twin(
            r"The drift is $-2\gamma C+\sigma^2\operatorname{Tr}[\Sigma A]$."
        ),
        seconds=41.7,
    )


def published_decay() -> ClaimResult:
    """Return a published statement that is refuted, as expected, by an exact point."""
    true = TwinResult(
        "true",
        r"$d\|\theta\|^2/dt=-4\gamma\|\theta\|^2+2\sigma^2\operatorname{Tr}\Sigma$",
        Verdict.PROVED,
        (evidence("symbolic", Verdict.PROVED),),
    )
    return claim(
        "p1.eq11.published",
        "Norm of a scale-invariant loss, as printed",
        statement=r"$\frac{d}{dt}\|\theta\|^2=-\gamma\|\theta\|^2"
        r"+\sigma^2\operatorname{Tr}\Sigma$ for $A=I$.",
        formula=r"\frac{d}{dt}\|\theta\|^2=-\gamma\|\theta\|^2+\sigma^2\operatorname{Tr}"
        r"\Sigma(\theta)",
        source="P1, Eq. (11)",
        expected=Verdict.REFUTED,
        verdict=Verdict.REFUTED,
        evidence=(
            evidence(
                "symbolic", Verdict.REFUTED, summary="The sides differ by a factor."
            ),
            evidence(
                "automatic differentiation",
                Verdict.REFUTED,
                counterexample=Witness(
                    {"theta": "(0.31, -1.27)", "gamma": "0.05"},
                    left="-0.34115",
                    right="-0.08528750000000001",
                    exact=False,
                ),
            ),
        ),
        counterexample=WITNESS,
        twin=true,
        note=r"With $C=\theta^\top A\theta$ in (6) the charge is twice that of (7).",
        seconds=0.6,
    )


def corrected_decay() -> ClaimResult:
    """Return the statement that corrects the refuted one."""
    return claim(
        "p1.eq11.corrected",
        "Norm of a scale-invariant loss",
        form="corrected",
        amends="p1.eq11.published",
        source="P1, Eq. (11)",
        statement=r"$\frac{d}{dt}\|\theta\|^2=-4\gamma\|\theta\|^2"
        r"+2\sigma^2\operatorname{Tr}\Sigma$.",
        formula=r"\frac{d}{dt}\|\theta\|^2=-4\gamma\|\theta\|^2+2\sigma^2"
        r"\operatorname{Tr}\Sigma(\theta)",
    )


def equilibrium() -> ClaimResult:
    """Return a certified claim with a logarithmic figure of several groups."""
    ratios = rounded(10 ** (k / 8) for k in range(-24, 25))
    series = tuple(
        Series(
            rf"$\gamma/\sigma^2={g}$",
            ratios,
            rounded(0.25 * math.log((r + 2 * g) / (1 + 2 * g)) for r in ratios),
            group=i,
        )
        for i, g in enumerate((0, 0.1, 1, 10))
    )
    dots = Series(
        "bisection in interval arithmetic",
        ratios[::6],
        rounded(0.25 * math.log(r) for r in ratios[::6]),
        kind="points",
    )
    figure = Figure(
        title=r"The noise equilibrium $\lambda^*$ against the ratio of the two noises",
        xlabel=r"$\mathrm{Tr}\,\Sigma_+\,/\,\mathrm{Tr}\,\Sigma_-$",
        ylabel=r"equilibrium $\lambda^*$",
        series=(*series, dots),
        xscale="log",
        caption="Decay pulls the equilibrium towards the minimal norm.",
    )
    return claim(
        "p1.thm1.balance",
        r"Closed form of $\lambda^*$ for $\mu=\pm1$",
        statement=r"On the orbit $\theta_\lambda=e^{\lambda A}\theta$ the drift "
        r"$G(\theta_\lambda)$ vanishes at exactly one $\lambda^*$.",
        formula=r"e^{4\lambda^*}="
        r"\frac{\sigma^2s_++2\gamma t_-}{\sigma^2s_-+2\gamma t_+}",
        source="P1, Theorem 1",
        expected=Verdict.CERTIFIED,
        verdict=Verdict.CERTIFIED,
        evidence=(
            evidence(
                "interval bisection",
                Verdict.CERTIFIED,
                summary=r"An enclosure of width below $2^{-100}$ for every instance.",
                instances=512,
                detectable=7.9e-31,
                figures=(figure,),
            ),
            evidence(
                "variational form", Verdict.SUPPORTED, tolerance=3.2e-12, alpha=1e-9
            ),
        ),
    )


def theorem_two() -> ClaimResult:
    """Return a claim whose formula is far wider than a phone."""
    gamma = (
        r"\frac{d}{dt}\left(U^\top U-WW^\top\right)=-4\gamma"
        r"\left(U^\top U-WW^\top\right)+\frac{4\eta}{S}\Bigl("
        r"W\bigl(\mathbb{E}[\|r\|^2xx^\top]-M^\top M\bigr)W^\top"
        r"-U^\top\bigl(\mathbb{E}[\|x\|^2rr^\top]-MM^\top\bigr)U\Bigr)"
    )
    return claim(
        "p1.thm2",
        "Law of balance for matrix factorisation, any sizes",
        form="corrected",
        amends="p1.thm2.published",
        source="P1, Theorem 2",
        statement=r"For $\ell=\|UWx-y\|^2+\gamma(\|U\|^2+\|W\|^2)$ with $r=UWx-y$ and "
        rf"$M=\mathbb{{E}}[rx^\top]$, the imbalance obeys ${gamma}$, whatever $d$, "
        "$d_x$ and $d_y$ are.",
        formula=gamma,
        evidence=(
            evidence("matrix words", Verdict.PROVED, summary="Sizes stay symbols."),
            evidence("scalar level", Verdict.PROVED, instances=9),
        ),
    )


def density() -> ClaimResult:
    """Return a supported claim with a figure on two logarithmic axes."""
    v = rounded(10 ** (k / 20) for k in range(-60, 21))
    cold = rounded(x**0.7 / (2 * x * x - 4 * x + 3) ** 1.6 for x in v)
    warm = rounded(x**-0.6 / (2 * x * x - 4 * x + 3) ** 1.2 for x in v)
    figures = tuple(
        Figure(
            title=f"Stationary density, {name}",
            xlabel="$v$",
            ylabel="$p(v)$",
            series=(
                Series("theory", v, p, group=2),
                Series("simulation", v[::8], p[::8], (), "points", 3),
            ),
            xscale="log",
            yscale="log",
        )
        for name, p in (("$T<T_c/3$", cold), ("$T_c/3<T<T_c$", warm))
    )
    return claim(
        "p2.d1.density",
        "Stationary density of the two-layer model",
        source="P2, Theorem 4.2",
        formula=r"p_+(v)\propto v^{\beta_2/(2\alpha_3T)-3/2}\,"
        r"Q(v)^{-1-\beta_2/(4T\alpha_3)}"
        r"\exp\!\left[-\frac{1}{2T}\frac{\alpha_3\beta_1-\alpha_2\beta_2}{\alpha_3"
        r"\sqrt\Delta}\arctan\frac{\alpha_1v-\alpha_2}{\sqrt\Delta}\right]",
        expected=Verdict.SUPPORTED,
        verdict=Verdict.SUPPORTED,
        evidence=(
            evidence(
                "DKWM band",
                Verdict.SUPPORTED,
                instances=12,
                alpha=1e-8,
                detectable=0.013,
                figures=figures,
            ),
        ),
    )


def semidefinite() -> ClaimResult:
    """Return a claim that is not in the papers."""
    return claim(
        "own.variational",
        r"$\lambda^*$ minimises a convex potential",
        form="own",
        source="not in the papers",
        formula=r"G(\theta_\lambda)=-\frac{d}{d\lambda}\Phi(\theta_\lambda),\qquad"
        r"\Phi(\theta)=\gamma\|\theta\|^2+\frac{\eta}{4S}\operatorname{Tr}\Sigma(\theta)",
    )


def weak() -> ClaimResult:
    """Return a claim whose evidence is too coarse, with numbers JSON lacks."""
    figure = Figure(
        title="Nothing to see",
        xlabel="x",
        ylabel="y",
        series=(Series("", (0.0, math.inf, 2.0), (math.nan, -math.inf, 1.0)),),
    )
    return claim(
        "p1.prose.phases",
        "Fast and slow phases",
        expected=Verdict.SUPPORTED,
        verdict=Verdict.INCONCLUSIVE,
        evidence=(
            evidence(
                "rates",
                Verdict.INCONCLUSIVE,
                instances=0,
                tolerance=math.nan,
                detectable=math.inf,
                figures=(figure,),
            ),
        ),
    )


def not_applicable() -> ClaimResult:
    """Return a claim whose assumption fails."""
    return claim(
        "p1.prose.rotation",
        "No charge for rotations",
        expected=Verdict.NOT_APPLICABLE,
        verdict=Verdict.NOT_APPLICABLE,
        evidence=(evidence("symbolic", Verdict.NOT_APPLICABLE, instances=0),),
    )


def hostile() -> ClaimResult:
    """Return a claim every string of which tries to break out of the page."""
    figure = Figure(
        title=HOSTILE,
        xlabel=HOSTILE + " $",
        ylabel=r"$\frac{$",
        series=(Series(HOSTILE + "--><b>", (0.0, 1.0), (1.0, 0.0)),),
        caption=HOSTILE,
    )
    point = Witness({HOSTILE: HOSTILE}, left=HOSTILE, right=HOSTILE, exact=False)
    return claim(
        "own.<script>",
        HOSTILE,
        statement=rf"{HOSTILE} $\text{{<script>}}$ ${HOSTILE}$ \$5 $",
        formula=r"\text{<script>alert(1)</script>}",
        source=HOSTILE,
        form="own",
        amends=HOSTILE,
        discrepancy=HOSTILE,
        assumptions=(Breakage(HOSTILE, HOSTILE),),
        derivation=(HOSTILE,),
        evidence=(
            evidence(
                HOSTILE,
                Verdict.PROVED,
                summary=HOSTILE,
                steps=(HOSTILE,),
                figures=(figure,),
            ),
        ),
        twin=TwinResult(
            "false",
            HOSTILE,
            Verdict.REFUTED,
            (evidence(HOSTILE, Verdict.REFUTED, counterexample=point),),
        ),
        note=HOSTILE,
        replay=HOSTILE,
    )


def contradictory() -> ClaimResult:
    """Return a claim on which the routes disagree and whose twin fails to fail."""
    return claim(
        "p1.broken",
        "A defect of the toolkit",
        verdict=Verdict.REFUTED,
        evidence=(
            evidence("symbolic", Verdict.PROVED),
            evidence("numerical", Verdict.REFUTED),
        ),
        counterexample=WITNESS,
        disagreement=True,
        twin=TwinResult("false", "The opposite.", Verdict.PROVED, ()),
    )

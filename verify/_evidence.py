"""What a route reports: `Evidence`, and the figures drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

from symbolic import Verdict, Witness


@dataclass(frozen=True, slots=True)
class Series:
    """One line, band or cloud of a figure.

    Attributes:
        label: legend entry ("" for none).
        x: abscissae.
        y: ordinates, as many as `x`.
        upper: upper ends where the series is a band from `y` to `upper`, else empty.
        kind: "line", "dashed", "band" or "points".
        group: series of one group share a colour (-1: a neutral grey).
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    upper: tuple[float, ...] = ()
    kind: str = "line"
    group: int = 0

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(
                f"expected len(y) = len(x) = {len(self.x)}, got {len(self.y)}"
            )
        if self.kind not in {"line", "dashed", "band", "points"}:
            raise ValueError(
                f"expected kind line, dashed, band or points, got {self.kind!r}"
            )
        if (self.kind == "band") != bool(self.upper) or (
            self.upper and len(self.upper) != len(self.x)
        ):
            raise ValueError("a band, and only a band, has `upper`, as long as `x`")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as data: what `reports` draws and `report.json` holds.

    Attributes:
        title: what is seen, in words.
        xlabel: name and unit of the abscissa.
        ylabel: name and unit of the ordinate.
        series: what is drawn, in drawing order.
        xscale: "linear", "log" or "symlog"; likewise `yscale`.
        caption: how to read it, one or two sentences.
    """

    title: str
    xlabel: str
    ylabel: str
    series: tuple[Series, ...]
    xscale: str = "linear"
    yscale: str = "linear"
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one route found about one statement.

    Attributes:
        route: the route's name.
        verdict: the route's verdict.
        summary: one or two sentences: what was checked and what came out.
        instances: how many instances were checked; never 0 for a verdict that holds.
        degenerate: how many of them made the statement trivial (and prove nothing).
        alpha: bound on the false-alarm probability of this route (0: deterministic).
        tolerance: for checks to rounding, the derived relative bound; else None.
        detectable: the smallest discrepancy that would have been caught, relative to
            the quantity claimed; None where the argument is exact.
        steps: the argument line by line, LaTeX between dollar signs allowed.
        counterexample: what refutes the statement; not None iff REFUTED.
        figures: what was seen.
    """

    route: str
    verdict: Verdict
    summary: str
    instances: int = 0
    degenerate: int = 0
    alpha: float = 0.0
    tolerance: float | None = None
    detectable: float | None = None
    steps: tuple[str, ...] = ()
    counterexample: Witness | None = None
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.REFUTED) != (self.counterexample is not None):
            raise ValueError(
                f"route {self.route!r}: REFUTED goes with a counterexample and nothing "
                f"else does, got {self.verdict.name} and {self.counterexample!r}"
            )
        if self.verdict.holds and self.instances <= self.degenerate:
            raise ValueError(
                f"route {self.route!r}: {self.verdict.name} on {self.instances} "
                f"instances of which {self.degenerate} are degenerate is a vacuous pass"
            )

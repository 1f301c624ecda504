"""The command `phase`: a phase diagram of the stationary law as SVG and JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import noetherflow
from noetherflow._problems import Refusal, failures


if TYPE_CHECKING:
    from numeric import PhaseDiagram
    from verify import Figure, Series


_POINTS, _MOST = 40, 400
_SCHEMA = 1


def _numbers(value: str, *, positive: bool) -> tuple[float, ...]:
    """Return the n numbers of ``LO:HI`` or ``LO:HI:n``, equally spaced.

    Raises:
        BadParameter: for anything else.
    """
    parts = value.split(":")
    try:
        low, high = float(parts[0]), float(parts[1])
        n = int(parts[2]) if len(parts) > 2 else _POINTS
    except (IndexError, ValueError):
        raise click.BadParameter(
            f"expected LO:HI or LO:HI:n, such as 0.5:3:40, got {value!r}"
        ) from None
    finite = math.isfinite(low) and math.isfinite(high) and len(parts) <= 3
    above = low > 0 if positive else low >= 0
    if not (finite and above and low < high and 2 <= n <= _MOST):
        least = "0 < LO" if positive else "0 <= LO"
        raise click.BadParameter(
            f"expected {least} < HI and 2 <= n <= {_MOST}, got {value!r}"
        )
    step = (high - low) / (n - 1)
    return (*(low + i * step for i in range(n - 1)), high)


def _noises(_: click.Context, __: click.Parameter, value: str) -> tuple[float, ...]:
    return _numbers(value, positive=False)


def _warm(_: click.Context, __: click.Parameter, value: str) -> tuple[float, ...]:
    return _numbers(value, positive=True)


@click.command()
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    required=True,
    help="Factors of each product, D + 1.",
)
@click.option(
    "--width",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Products that are not 0.",
)
@click.option(
    "--slope", type=float, default=1.0, show_default=True, help="k of y = kx + noise."
)
@click.option(
    "--noise",
    metavar="LO:HI[:n]",
    callback=_noises,
    required=True,
    help="Standard deviations of the label noise, x being N(0, 1).",
)
@click.option(
    "--temperature",
    metavar="LO:HI[:n]",
    callback=_warm,
    default="0.01:1",
    show_default=True,
    help="Temperatures: learning rate over batch size.",
)
@click.option(
    "--gamma",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Weight decay.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Folder of phase.svg and phase.json.  [default: the current one]",
)
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def phase(
    depth: int,
    width: int,
    slope: float,
    noise: tuple[float, ...],
    temperature: tuple[float, ...],
    gamma: float,
    out: Path,
    debug: bool,
) -> None:
    """Draw where the stationary law of a diagonal network collapses or peaks.

    x is N(0, 1) and y = slope x + noise; the law is the SDE's. Writes phase.svg and
    phase.json.
    """  # noqa: DOC501 - this is what --help prints
    if not (math.isfinite(slope) and math.isfinite(gamma)):
        raise click.UsageError(
            f"expected finite numbers, got --slope {slope} --gamma {gamma}"
        )
    with failures(debug):
        noetherflow._check_packages()
        import json

        from numeric import DataMoments, phase_diagram
        from reports import HAS_MATPLOTLIB, draw

        try:
            data = [DataMoments.gaussian(slope, sigma) for sigma in noise]
        except ValueError as error:
            raise Refusal(
                f"--slope {slope:g}, --noise to {noise[-1]:g}: {error}"
            ) from None
        diagram = phase_diagram(depth, width, data, temperature, gamma)
        document = _document(diagram, slope, noise)
        _write(out, "phase.json", json.dumps(document, indent=1, ensure_ascii=False))
        if HAS_MATPLOTLIB:
            svg = str(draw(_figure(diagram, slope, noise), "phase"))
            _write(out, "phase.svg", _standalone(svg))
        else:
            click.echo(
                "warning: no phase.svg, because matplotlib is not installed: python -m "
                'pip install "noetherflow[report]" brings it',
                err=True,
            )
        for line in _summary(diagram):
            click.echo(line)


def _standalone(drawing: str) -> str:
    """Return the drawing as a file of its own: its name space, and a white ground."""
    svg = drawing[: drawing.index("</svg>") + len("</svg>")]
    root = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'style="background:#fff;color:#111" width="810" '
    )
    return f"{svg.replace('<svg ', root, 1)}\n"


def _write(folder: Path, name: str, text: str) -> None:
    """Write one file, making the folder.

    Raises:
        Refusal: where it cannot be written.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(
            f"expected a folder to write into, got {str(folder)!r} "
            f"({error.strerror or error}). Name another one with -o."
        ) from None
    click.echo(f"wrote {path}", err=True)


def _number(value: float) -> float | None:
    """Return what JSON can hold: null for nan and inf."""
    return value if math.isfinite(value) else None


def _document(
    diagram: PhaseDiagram, slope: float, noise: tuple[float, ...]
) -> dict[str, Any]:
    """Return phase.json; rows are noises, columns temperatures."""
    from numeric import PHASES

    seen = {name for row in diagram.regions for name in row}
    return {
        "schema": _SCHEMA,
        "depth": diagram.depth,
        "width": diagram.width,
        "gamma": diagram.gamma,
        "data": {"x": "N(0, 1)", "y": "slope*x + noise*N(0, 1)", "slope": slope},
        "noise": list(noise),
        "temperature": list(diagram.temperatures),
        "meaning": {name: text for name, text in PHASES.items() if name in seen},
        "regions": [list(row) for row in diagram.regions],
        "mode": [list(map(_number, row)) for row in diagram.modes],
        "peak": [list(map(_number, row)) for row in diagram.peaks],
        "boundaries": {
            "critical_temperature": list(map(_number, diagram.critical)),
            "infinite_at_zero_from": list(map(_number, diagram.third)),
            "last_peak": list(map(_number, diagram.peak_end)),
        },
        "note": "null: none; critical_temperature null: no collapse at any temperature",
    }


def _figure(diagram: PhaseDiagram, slope: float, noise: tuple[float, ...]) -> Figure:
    """Return the regions as points and the boundaries as lines."""
    from numeric import PHASES
    from verify import Figure, Series

    series: list[Series] = []
    for name in PHASES:
        at = [
            (sigma, T)
            for sigma, row in zip(noise, diagram.regions, strict=True)
            for T, region in zip(diagram.temperatures, row, strict=True)
            if region == name
        ]
        if at:
            x, y = zip(*at, strict=True)
            series.append(Series(name, x, y, kind="points", group=len(series)))
    top = diagram.temperatures[-1]
    for label, values, kind in (
        ("$T_c$", diagram.critical, "line"),
        ("$T_c/3$", diagram.third, "dashed"),
        ("last peak", diagram.peak_end, "dashed"),
    ):
        kept = [(s, T) for s, T in zip(noise, values, strict=True) if 0 < T <= top]
        if kept:
            x, y = zip(*kept, strict=True)
            series.append(Series(label, x, y, kind=kind, group=-1))
    return Figure(
        f"Phases of {diagram.depth} factors, width {diagram.width}, y = {slope:g}x + "
        f"noise, decay {diagram.gamma:g}",
        "standard deviation of the label noise",
        "temperature T = η/S",
        tuple(series),
        caption="Each point is a stationary law; the lines are where it changes.",
    )


def _summary(diagram: PhaseDiagram) -> list[str]:
    """Return how many points each region has, and the range of T_c."""
    names = [name for row in diagram.regions for name in row]
    lines = [
        f"{name:28} {names.count(name)} of {len(names)}"
        for name in dict.fromkeys(names)
    ]
    found = sorted(T for T in diagram.critical if math.isfinite(T))
    if not found:
        return [*lines, "T_c: none, no temperature collapses"]
    if found[-1] == 0:
        return [*lines, "T_c: 0, every temperature collapses"]
    return [*lines, f"T_c: {found[0]:.6g} to {found[-1]:.6g}"]

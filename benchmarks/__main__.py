"""Run the benchmarks and write results.json, the figure and the page."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks import _derivation, _equilibrium, _generated
from benchmarks._figure import draw
from benchmarks._measure import installed, machine, pin
from benchmarks._page import page


ROUNDS = 15  # repeats at most
BUDGET = 1.0  # CPU seconds for the repeats of one method at one size
TURNS = 201  # of each way to compute a drift
LIMIT = 12.0  # CPU seconds for one derivation
PACKAGES = ("numpy", "torch", "scipy", "sympy", "symengine", "python-flint")


def measure() -> dict[str, Any]:
    """Return what results.json holds, as plain data."""
    pin()
    ours = _derivation.measure_ours(ROUNDS, 2 * BUDGET)
    click.echo("derivation: depths and theorems done")
    roots = _equilibrium.measure(ROUNDS, BUDGET)
    click.echo("equilibrium: done")
    generated = _generated.measure_all(TURNS)
    click.echo("generated code: done")
    table = _derivation.measure(ROUNDS, BUDGET, LIMIT, click.echo)
    settings = {
        "rounds": ROUNDS,
        "budget": BUDGET,
        "limit": LIMIT,
        "checked": _equilibrium.CHECKED,
        "cpu_seconds": round(time.process_time(), 1),
    }
    return {
        "machine": machine(PACKAGES),
        "settings": settings,
        "derivation": table,
        "ours": ours,
        "equilibrium": roots,
        "generated": generated,
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"expected data for JSON, got {type(value).__name__}")


def main() -> None:
    """Measure, unless old results are given, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder")
    parser.add_argument("--results", type=Path, help="a results.json to draw again")
    chosen = parser.parse_args()
    if not (chosen.results or installed("python-flint")):
        parser.error("expected python-flint: pip install noetherflow[fast] brings it")
    folder = chosen.out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    if chosen.results:
        text = chosen.results.read_text(encoding="utf-8")
    else:
        text = json.dumps(measure(), default=_plain, indent=1, ensure_ascii=False)
        (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    results = json.loads(text)
    draw(results, folder / "benchmarks.svg")
    (chosen.out / "benchmarks.md").write_text(page(results), encoding="utf-8")
    click.echo(f"written: {chosen.out / 'benchmarks.md'}")


if __name__ == "__main__":
    main()

"""Run the benchmarks and write results.json, the figures and the page."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks._figure import draw
from benchmarks._measure import installed, pin
from benchmarks._page import page
from benchmarks._parts import PARTS, measure, merge
from benchmarks._scaling import draw_scaling
from benchmarks._targets import summary


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"expected data for JSON, got {type(value).__name__}")


def _say(line: str) -> None:
    click.echo(f"{time.process_time():6.1f} s  {line}")


def main() -> None:
    """Measure, unless only drawing is wanted, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all if none")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.part) - set(PARTS))
    if unknown:
        parser.error(f"expected parts of {', '.join(PARTS)}, got {', '.join(unknown)}")
    if not (chosen.draw or installed("python-flint")):
        parser.error("expected python-flint: pip install noetherflow[fast] brings it")
    folder = chosen.out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "results.json"
    results = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {}
    if not chosen.draw:
        pin()  # before JAX counts the processors
        results = merge(results, measure(chosen.part or PARTS, _say))
        text = json.dumps(results, default=_plain, indent=1, ensure_ascii=False)
        saved.write_text(text + "\n", encoding="utf-8")
        results = json.loads(text)
    _write(results, chosen.out)


def _write(results: dict[str, Any], out: Path) -> None:
    """Write the figures and the page, and print the targets."""
    folder = out / "benchmarks"
    if {"derivation", "equilibrium"} <= set(results):
        draw(results, folder / "benchmarks.svg")
    draw_scaling(results, folder / "scaling.svg")
    (out / "benchmarks.md").write_text(page(results), encoding="utf-8")
    click.echo(summary(results))
    click.echo(f"written: {out / 'benchmarks.md'}")


if __name__ == "__main__":
    main()

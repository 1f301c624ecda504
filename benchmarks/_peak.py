"""Peak memory of every method on one case: `python -m benchmarks._peak CASE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks._models import CASES
from benchmarks._noise import METHODS, silence


_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak(call: Callable[[], Any]) -> int:
    """Return the bytes that a warm call needs at its peak beyond those before it."""
    call()
    before = _status("VmRSS")
    _RESET.write_text("5")  # the peak is now what is resident
    call()
    return max(0, _status("VmHWM") - before)


def _status(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key + ":"):
            return 1024 * int(line.split()[1])
    raise KeyError(f"{_STATUS}: expected a line {key}")


def main() -> None:
    """Print method → bytes as one line of JSON."""
    torch.set_num_threads(1)
    silence()
    case = next(case for case in CASES if case.name == sys.argv[1])
    found = {}
    for name, make in METHODS.items():
        try:
            found[name] = peak(make(case))
        except Exception as error:
            click.echo(f"{name}: {error}", err=True)
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()

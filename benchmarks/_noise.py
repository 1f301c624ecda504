"""W1: the noise along a generator, Tr[ΣA], over one plain forward and backward."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from benchmarks import _noise_ours, _noise_peers
from benchmarks._models import CASES, CURVES, NEAR, Case, exact
from benchmarks._names import (
    GHOST,
    JAX_SAMPLES,
    L2,
    PLAIN,
    SAMPLES,
    TORCH_SAMPLES,
    TRACE,
    VARIANCE,
)
from benchmarks._turns import Builder, Job, compare


METHODS: dict[str, Callable[[Case], Callable[[], Any]]] = {
    PLAIN: _noise_peers.plain,
    TRACE: _noise_ours.trace,
    L2: _noise_peers.backpack_l2,
    GHOST: _noise_peers.opacus_ghost,
    VARIANCE: _noise_peers.backpack_variance,
    TORCH_SAMPLES: _noise_peers.torch_vmap,
    JAX_SAMPLES: _noise_peers.jax_vmap,
    SAMPLES: _noise_peers.opacus_samples,
}
CURVE_METHODS = (PLAIN, TRACE, L2, GHOST)
_EPS = float(torch.finfo(torch.float32).eps)


def measure(
    budget: float, curve_budget: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Check and time every method on every case, and along the curves.

    Args:
        budget: CPU seconds for one method on one case beyond the fewest turns.
        curve_budget: the same for one point of a curve.
        say: takes a line on the progress.

    Returns:
        "cases" and "curves": name → method → what `compare` gives, the relative error
        "deviation" and, for cases, the peak memory "bytes"; "near": the deviations
        where the gradients are nearly the same.
    """
    torch.set_num_threads(1)
    silence()
    cases = {}
    for case in CASES:
        say(f"noise: {case.name}")
        cases[case.name] = found = _case(case, METHODS, budget, say)
        for name, size in peaks(case).items():
            found[name]["bytes"] = size
    curves: dict[str, Any] = {}
    for what, points in CURVES.items():
        say(f"noise: along {what}")
        curves[what] = {
            at: _case(case, CURVE_METHODS, curve_budget, say)
            for at, case in points.items()
        }
    say(f"noise: {NEAR.name}")
    return {"cases": cases, "curves": curves, "near": deviations(NEAR)}


def silence() -> None:
    """Keep the libraries' remarks on models that they handle all the same quiet."""
    for text in ("Full backward hook is firing", "Extension saving to"):
        warnings.filterwarnings("ignore", message=text)


def _case(
    case: Case, names: Iterable[str], budget: float, say: Callable[[str], None]
) -> dict[str, Any]:
    truth = exact(case)
    builders: dict[str, Builder] = {
        name: lambda make=METHODS[name], own=name == PLAIN: _job(  # type: ignore[misc]
            make, case, truth, own
        )
        for name in names
    }
    return compare(builders, base=PLAIN, budget=budget, say=say)


def _job(
    make: Callable[[Case], Callable[[], Any]],
    case: Case,
    truth: tuple[float, float, float],
    own: bool,
) -> Job:
    call = make(case)
    if own:
        return Job(call, 1)
    deviation = abs(call() - truth[0]) / truth[1]
    facts = {"deviation": deviation}
    return Job(call, 1, lambda: deviation / rounding(case, truth), facts=facts)


def rounding(case: Case, truth: tuple[float, float, float]) -> float:
    """Return the deviation that float32 explains where E‖g‖² − ‖ḡ‖² is formed.

    Each of E‖g‖² and ‖ḡ‖² is a sum of squares of P numbers with errors of random sign,
    √P eps or less, and the gradients are products of sums over at most a width: bounded
    by 16 √P eps of E‖g‖², over Tr Σ.
    """
    P = sum(p.numel() for p in case.model().parameters())
    return 16 * math.sqrt(P) * _EPS * truth[2] / truth[1]


def deviations(case: Case) -> dict[str, float | None]:
    """Return method → |Tr[ΣA] − exact| over Σ |scale| Tr Σ_block."""
    signed, spread, _ = exact(case)
    found: dict[str, float | None] = {}
    for name, make in METHODS.items():
        if name == PLAIN:
            continue
        try:
            found[name] = abs(make(case)() - signed) / spread
        except Exception:
            found[name] = None
    return found


def peaks(case: Case) -> Mapping[str, int]:
    """Return method → bytes of memory at the peak of one call, beyond those before it.

    Measured in a child process, where freed memory goes back to the system at once;
    empty where the system is not Linux.
    """
    if sys.platform != "linux":
        return {}
    given = os.environ | {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TOP_PAD_": "0"}
    command = [sys.executable, "-m", "benchmarks._peak", case.name]
    done = subprocess.run(
        command, env=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {}
    lines = done.stdout.splitlines()
    return dict(json.loads(lines[-1])) if lines else {}

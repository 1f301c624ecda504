"""Compiled code against the same formula by hand: the drift of matrix factorisation.

J = (UB, −BW) at U (d, d), W (d, d), from N per-sample gradients. By hand it is written
twice, with einsum and with matrix products, and the better of them counts; neither
checks its input.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from numeric import module_source
from symbolic import (
    Constant,
    Declaration,
    MatrixDerivation,
    ParameterSpace,
    Symmetry,
    derive_matrices,
)


N = 64  # samples
WIDTHS = (6, 16, 64)
SIGMA2, GAMMA = 0.05, 0.01


def law() -> MatrixDerivation:
    """Return matrix factorisation for every symmetric B, at any size."""
    space = ParameterSpace(U=("d_y", "d"), W=("d", "d_x"))
    B = Constant("B", ("d", "d"), symmetric=True)
    symmetry = Symmetry.from_generator(space, {"U": "U*B", "W": "-B*W"}, [B])
    return derive_matrices(Declaration("matrix factorisation", space, symmetry))


def by_products(p: dict[str, Any], g: dict[str, Any], B: Any) -> Any:
    """Return the drift by matrix products, the samples below each other."""
    U, W = p["U"], p["W"]
    d, n = B.shape[0], len(g["U"])
    hU, hW = g["U"] - g["U"].mean(0), g["W"] - g["W"].mean(0)
    rows = hU.reshape(-1, d)
    columns = hW.swapaxes(0, 1).reshape(d, -1)
    spread = (B * (rows.T @ rows - columns @ columns.T)).sum() / n
    pull = (B * (U.T @ U - W @ W.T)).sum()
    return SIGMA2 * spread - 2 * GAMMA * pull


def by_einsum(xp: Any) -> Callable[..., Any]:
    """Return the drift by einsum, as the formula reads."""

    def drift(p: dict[str, Any], g: dict[str, Any], B: Any) -> Any:
        U, W = p["U"], p["W"]
        n = len(g["U"])
        hU, hW = g["U"] - g["U"].mean(0), g["W"] - g["W"].mean(0)
        spread = xp.einsum("nij,nij->", hU @ B, hU) - xp.einsum("nij,nij->", B @ hW, hW)
        pull = xp.einsum("ij,ij->", U @ B, U) - xp.einsum("ij,ij->", B @ W, W)
        return SIGMA2 * spread / n - 2 * GAMMA * pull

    return drift


def point(width: int, seed: int, backend: str) -> tuple[Any, Any, Any]:
    """Return parameters, per-sample gradients and B."""
    rng = np.random.default_rng(seed)
    convert: Callable[[Any], Any] = torch.from_numpy if backend == "torch" else np.array
    p = {name: convert(rng.normal(size=(width, width))) for name in "UW"}
    g = {name: convert(rng.normal(size=(N, width, width))) for name in "UW"}
    B = rng.normal(size=(width, width))
    return p, g, convert(B + B.T)


@dataclass(frozen=True, slots=True)
class Comparison:
    """CPU seconds of one call, and ratios to those by hand: medians over rounds."""

    backend: str
    width: int
    generated: float
    products: float
    einsum: float
    to_products: float
    to_einsum: float


def measure(backend: str, width: int, rounds: int) -> Comparison:
    """Let the three take turns in this process.

    Args:
        backend: "numpy" or "torch".
        width: d.
        rounds: turns for each.

    Returns:
        The medians.

    Raises:
        AssertionError: where the three differ.
    """
    scope: dict[str, Any] = {}
    exec(module_source(law(), "torch" if backend == "torch" else "numpy"), scope)
    drift = scope["drift"]
    p, g, B = point(width, width, backend)
    given = {"B": B}
    einsum = by_einsum(torch if backend == "torch" else np)
    tasks: dict[str, Callable[[], Any]] = {
        "generated": lambda: drift(
            p, gradients=g, sigma2=SIGMA2, gamma=GAMMA, constants=given
        ),
        "products": lambda: by_products(p, g, B),
        "einsum": lambda: einsum(p, g, B),
    }
    values = {name: float(task()) for name, task in tasks.items()}
    room = 1e-12 * width**3
    if not max(values.values()) - min(values.values()) <= room:
        raise AssertionError(f"expected one value, got {values}")
    calls = max(1, 8192 // width**2)
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            for _ in range(calls):
                task()
            seconds[name].append((time.process_time() - start) / calls)
    medians = [statistics.median(each) for each in seconds.values()]
    ours = seconds["generated"]
    ratios = [
        statistics.median(a / b for a, b in zip(ours, seconds[name], strict=True))
        for name in ("products", "einsum")
    ]
    return Comparison(backend, width, *medians, *ratios)


def measure_all(rounds: int) -> list[Comparison]:
    """Return the comparisons of both backends at every width."""
    torch.set_num_threads(1)
    pairs = product(("numpy", "torch"), WIDTHS)
    return [measure(backend, width, rounds) for backend, width in pairs]

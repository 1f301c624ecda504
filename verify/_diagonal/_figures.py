"""The figures of P2 as data: paths, densities, phases, fluctuations."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from numeric import DataMoments, StationaryDensity
from verify._evidence import Figure, Series


Array = NDArray[np.float64]
_PATH, _RATE = 4000, 0.02


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(map(float, values))


@lru_cache(maxsize=1)
def densities() -> Figure:
    """Return the densities for D = 0 and D = 1 at T = .05 and .5."""
    v = np.linspace(-1.0, 2.5, 141)
    data = DataMoments.gaussian(1, 1)
    series = []
    for group, T in enumerate((0.05, 0.5)):
        for depth, kind in ((1, "line"), (2, "dashed")):
            law = StationaryDensity(depth, 1, moments=data, T=T)
            label = f"D = {depth - 1}, T = {T:g}"
            if law.mass_at_zero:
                label = f"{label}: all at 0"
                at, heights = _floats(np.zeros(2)), _floats(np.array([0.0, 4.0]))
            else:
                at, heights = _floats(v), _floats(law.pdf(v))
            series.append(Series(label, at, heights, kind=kind, group=group))
    return Figure(
        "Stationary densities of a regression (D = 0) and of two factors (D = 1)",
        "v",
        "p(v)",
        tuple(series),
        caption="x ~ N(0, 1), y = x + ε, so T_c = 1/3: at T = .5 two factors collapse.",
    )


@lru_cache(maxsize=1)
def phases() -> Figure:
    """Return the boundaries of the phases of two factors, y = x + σε."""
    noise = np.linspace(0.05, 3.0, 60)
    critical = np.array(
        [
            StationaryDensity(
                2, 1, moments=DataMoments.gaussian(1, s), T=1.0
            ).critical_temperature
            for s in noise
        ]
    )
    s = _floats(noise)
    # T* where it is a maximum at v > 0 that vanishes, and below T_c.
    with np.errstate(divide="ignore", invalid="ignore"):
        last = (4 + math.sqrt(42) * noise) / (4 * (21 * noise**2 - 8))
    kept = (noise**2 > 8 / 21) & (noise**2 < 14 / 3) & (last < critical)
    return Figure(
        "Phases of two factors, y = x + σε",
        "label noise σ",
        "temperature T = η/S",
        (
            Series(
                "collapse", s, _floats(critical), (0.6,) * len(s), kind="band", group=1
            ),
            Series(
                "p(0) = ∞",
                s,
                _floats(critical / 3),
                _floats(critical),
                kind="band",
                group=4,
            ),
            Series(
                "p(0) = 0",
                s,
                (0.0,) * len(s),
                _floats(critical / 3),
                kind="band",
                group=2,
            ),
            Series(
                "T*: above it no peak but at 0",
                _floats(noise[kept]),
                _floats(last[kept]),
                kind="dashed",
                group=0,
            ),
        ),
        caption="Collapse above T_c, an infinite density at 0 from T_c/3 to T_c; the "
        "dashed line ends where it meets T_c/3, at σ² = 14/3.",
    )


@lru_cache(maxsize=1)
def fluctuations() -> Figure:
    """Return mean and variance of v against T, two factors."""
    law = StationaryDensity(
        2, 1, moments=DataMoments.gaussian(1, 1), T=np.linspace(0.002, 0.3999, 120)
    )
    T = _floats(law.T)
    return Figure(
        "Fluctuation inversion: two factors, y = x + ε",
        "temperature T = η/S",
        "moments of v",
        (
            Series("E v", T, _floats(law.mean())),
            Series("Var v", T, _floats(law.var()), group=1),
        ),
        caption="Var v rises at first, and falls to 0 at T_c = 1/3.",
    )


def tail(values: Array, law: StationaryDensity, sign: float) -> Figure:
    """Return P(V > v), simulated and of the density, in logarithms.

    Args:
        values: draws.
        law: their law.
        sign: of v.

    Returns:
        The figure.
    """
    v = np.sort(sign * values)
    seen = np.unique(np.geomspace(1, len(v), 60).astype(int))
    at = v[len(v) - seen]
    beyond = law.sf(at) if sign > 0 else law.cdf(-at)
    x = _floats(at)
    label = f"{len(v)} replicas of the SDE"
    shares = tuple(float(k) / len(v) for k in seen)
    return Figure(
        "The tail of two factors",
        "v, in the sign of β₂",
        "P(V > v)",
        (
            Series("density", x, _floats(beyond)),
            Series(label, x, shares, kind="points", group=1),
        ),
        xscale="log",
        yscale="log",
        caption="In the end P(V > v) falls as v to the power −5/2, at every T.",
    )


@lru_cache(maxsize=1)
def paths(key: int) -> Figure:
    """Return (u, w) under gradient descent, SGD, and descent with isotropic noise.

    Args:
        key: of the random stream.

    Returns:
        The figure; x = ±1, y = x + ε, ε = ±1, S = 1.
    """
    rng = np.random.Generator(np.random.Philox(key=key))
    tracks: list[list[tuple[float, float]]] = []
    for kind in ("descent", "sgd", "isotropic"):
        u, w = 1.8, 0.2
        track = [(u, w)]
        for _ in range(_PATH):
            q = 2 * (u * w - 1)
            if kind == "sgd":
                q += 2 * rng.choice((-1.0, 1.0))
            du, dw = q * w, q * u
            if kind == "isotropic":
                du, dw = du + rng.standard_normal(), dw + rng.standard_normal()
            u, w = u - _RATE * du, w - _RATE * dw
            track.append((u, w))
        tracks.append(track[:: _PATH // 200])
    names = ("gradient descent", "SGD", "descent with isotropic noise")
    series = [
        Series(
            name, tuple(u for u, _ in track), tuple(w for _, w in track), group=group
        )
        for group, (name, track) in enumerate(zip(names, tracks, strict=True))
    ]
    line = (-0.5, 2.0)
    return Figure(
        "Where noise leads in the plane of u and w",
        "u",
        "w",
        (*series[::-1], Series("balance, u = w", line, line, kind="dashed", group=-1)),
        caption="x = ±1, y = x ± 1, η = .02, S = 1, from (1.8, .2). Descent stops at "
        "uw = 1; SGD goes on to the balance; isotropic noise wanders along the valley.",
    )

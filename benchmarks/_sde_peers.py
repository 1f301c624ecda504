"""Ways to draw paths of du = −w dg, dw = −u dg, dg = (uw − 1) dt + τ dB.

Each takes the paths and returns a call that gives (u, w) of all at the end, [paths, 2],
in float32, by the Euler-Maruyama rule with fresh normal numbers in every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._peers import peer
from benchmarks._turns import fastest


Floats = NDArray[np.floating]
Call = Callable[[], Floats]


@dataclass(frozen=True, slots=True)
class Paths:
    """What is to be drawn.

    Attributes:
        count: paths.
        steps: steps of each.
        h: their size.
        tau: τ.
        start: u and w at time 0.
    """

    count: int
    steps: int
    h: float = 0.01
    tau: float = 0.3
    start: tuple[float, float] = (1.5, 0.5)

    @property
    def size(self) -> float:
        """The standard deviation of τ dB over one step."""
        return self.tau * math.sqrt(self.h)

    def full(self) -> NDArray[np.float32]:
        """Return u and w of every path at the start, [2, paths]."""
        rows = [np.full(self.count, value, np.float32) for value in self.start]
        return np.stack(rows)


def with_numpy(paths: Paths) -> Call:
    """Draw with numpy, all paths at once, in place."""

    def call() -> Floats:
        rng = np.random.Generator(np.random.SFC64(0))  # its fastest
        u, w = paths.full()
        g, size, h = np.empty_like(u), np.float32(paths.size), np.float32(paths.h)
        for _ in range(paths.steps):
            rng.standard_normal(dtype=np.float32, out=g)
            g *= size
            g += (u * w - 1) * h
            u, w = u - w * g, w - u * g
        return np.stack([u, w], axis=1)

    return call


def with_torch(paths: Paths) -> Call:
    """Draw with torch, all paths at once."""

    @torch.no_grad()
    def call() -> Floats:
        stream = torch.Generator().manual_seed(0)
        u, w = torch.from_numpy(paths.full())
        g = torch.empty_like(u)
        for _ in range(paths.steps):
            g.normal_(0.0, paths.size, generator=stream)
            g.add_((u * w).sub_(1), alpha=paths.h)
            u, w = torch.addcmul(u, w, g, value=-1), torch.addcmul(w, u, g, value=-1)
        return np.asarray(torch.stack([u, w], dim=1).numpy())

    return call


def with_jax(paths: Paths) -> Call:
    """Draw with JAX: jit of a scan; the faster of its two generators."""
    jax = peer("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", False)

    def run(key: Any) -> Any:
        def step(state: tuple[Any, Any], t: Any) -> tuple[tuple[Any, Any], None]:
            u, w = state
            normal = jax.random.normal(jax.random.fold_in(key, t), u.shape)
            g = (u * w - 1) * paths.h + paths.size * normal
            return (u - w * g, w - u * g), None

        start = tuple(jnp.full(paths.count, value) for value in paths.start)
        state, _ = jax.lax.scan(step, start, jnp.arange(paths.steps))
        return jnp.stack(state, axis=1)

    jitted = jax.jit(run)
    keys = {name: jax.random.key(0, impl=name) for name in ("threefry2x32", "rbg")}
    options: dict[str, Call] = {
        name: (lambda key=key: np.asarray(jitted(key)))  # type: ignore[misc]
        for name, key in keys.items()
    }
    return fastest(options)[1]


def with_diffrax(tree: bool) -> Callable[[Paths], Call]:
    """Return a way to draw with diffrax, with an Euler solver and constant steps."""

    def start(paths: Paths) -> Call:
        return _diffrax(paths, tree)

    return start


def _diffrax(paths: Paths, tree: bool) -> Call:
    jax, dfx = peer("jax"), peer("diffrax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", False)
    end = paths.h * paths.steps

    def drift(_t: Any, z: Any, _args: Any) -> Any:
        return -(z[0] * z[1] - 1) * z[::-1]

    def spread(_t: Any, z: Any, _args: Any) -> Any:
        return -paths.tau * z[::-1, None]

    def brownian(key: Any) -> Any:
        if tree:
            return dfx.VirtualBrownianTree(
                0.0, end, tol=paths.h / 2, shape=(1,), key=key
            )
        return dfx.UnsafeBrownianPath(shape=(1,), key=key)

    def one(key: Any) -> Any:
        terms = dfx.MultiTerm(
            dfx.ODETerm(drift), dfx.ControlTerm(spread, brownian(key))
        )
        found = dfx.diffeqsolve(
            terms,
            dfx.Euler(),
            0.0,
            end,
            dt0=paths.h,
            y0=jnp.asarray(paths.start),
            saveat=dfx.SaveAt(t1=True),
            adjoint=dfx.ForwardMode(),  # its loop without a record for gradients
            max_steps=paths.steps + 2,  # the last step may be split by rounding
        )
        return found.ys[0]

    run = jax.jit(jax.vmap(one))
    keys = jax.random.split(jax.random.key(0), paths.count)
    return lambda: np.asarray(run(keys))


def with_torchsde(paths: Paths) -> Call:
    """Draw with torchsde, one Brownian motion, with or without a hint of the step."""
    torchsde = peer("torchsde")
    end = paths.h * paths.steps
    times = torch.tensor([0.0, end])

    class Flow(torch.nn.Module):
        noise_type, sde_type = "general", "ito"

        def f(self, _t: Any, z: torch.Tensor) -> torch.Tensor:
            return -(z[:, :1] * z[:, 1:] - 1) * z.flip(1)

        def g(self, _t: Any, z: torch.Tensor) -> torch.Tensor:
            return (-paths.tau * z.flip(1))[:, :, None]

    @torch.no_grad()
    def call(hint: float | None) -> Floats:
        size = (paths.count, 1)
        motion = torchsde.BrownianInterval(0.0, 1.001 * end, size=size, dt=hint)
        start = torch.from_numpy(paths.full().T.copy())
        found = torchsde.sdeint(
            Flow(), start, times, bm=motion, method="euler", dt=paths.h
        )
        return np.asarray(found[-1].numpy())

    options = {"hint": lambda: call(paths.h), "no hint": lambda: call(None)}
    return fastest(options, trials=1)[1]

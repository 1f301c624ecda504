"""λ* by libraries that compile: JAX and optimistix, jitted and mapped, and numba.

All but "on G" solve the equation as an equality of two log-sums of exponentials, H = 0,
which cannot overflow and is concave or convex along the way of Newton's steps; "on G"
is the equation as it reads. The logarithms of the terms are inside the clock, as ours.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._orbits import GAMMA, SIGMA2, Floats, Orbits
from benchmarks._peers import peer


_STEPS = 64  # at most
# Newton's error after a step is about the square of the step, so a step this small is
# the last: in x against 1 + |x|, in H, whose terms are of order 1, as it is.
_SMALL = 1e-9


def _height_jax(jnp: Any, x: Any, terms: Any) -> tuple[Any, Any]:
    """Return H and −H' at x."""
    m, up, down = terms

    def side(exponents: Any) -> tuple[Any, Any]:
        top = exponents.max()
        weights = jnp.exp(exponents - top)
        total = weights.sum()
        return top + jnp.log(total), (weights * m).sum() / total

    rise, mean_rise = side(up - 2 * x * m)
    fall, mean_fall = side(down + 2 * x * m)
    return rise - fall, 2 * (mean_rise + mean_fall)


def _terms_jax(jnp: Any, mu: Any, s: Any, t: Any) -> tuple[Any, Any, Any]:
    m = jnp.abs(mu)
    noise, decay = jnp.log(SIGMA2 * s * m), jnp.log(2 * GAMMA * t * m)
    return m, jnp.where(mu > 0, noise, decay), jnp.where(mu > 0, decay, noise)


@functools.lru_cache(maxsize=4)
def _jitted(kind: str) -> Any:
    """Return the jitted map from [count, n] each of mu, s, t to λ*, [count]."""
    jax = peer("jax")
    jax.config.update("jax_enable_x64", True)
    one = {"jax": _jax_newton, "H": _optimistix_on_h, "G": _optimistix_on_g}[kind]
    return jax.jit(jax.vmap(one(jax)))


def _jax_newton(jax: Any) -> Callable[[Any, Any, Any], Any]:
    jnp = jax.numpy

    def one(mu: Any, s: Any, t: Any) -> Any:
        terms = _terms_jax(jnp, mu, s, t)

        def goes_on(state: Any) -> Any:
            k, _, height = state
            return (k < _STEPS) & (jnp.abs(height) > _SMALL)

        def step(state: Any) -> Any:
            k, x, _ = state
            height, slope = _height_jax(jnp, x, terms)
            return k + 1, x + height / slope, height

        return jax.lax.while_loop(goes_on, step, (0, 0.0, jnp.inf))[1]

    return one


def _optimistix_on_h(jax: Any) -> Callable[[Any, Any, Any], Any]:
    optx, jnp = peer("optimistix"), jax.numpy

    def one(mu: Any, s: Any, t: Any) -> Any:
        terms = _terms_jax(jnp, mu, s, t)
        solver = optx.Newton(rtol=_SMALL, atol=_SMALL)
        found = optx.root_find(
            lambda x, args: _height_jax(jnp, x, args)[0],
            solver,
            jnp.zeros(()),
            args=terms,
            max_steps=_STEPS,
            throw=False,
        )
        return found.value

    return one


def _optimistix_on_g(jax: Any) -> Callable[[Any, Any, Any], Any]:
    optx, jnp = peer("optimistix"), jax.numpy

    def balance(x: Any, args: Any) -> Any:
        mu, up, down = args
        return (mu * (up * jnp.exp(-2 * x * mu) - down * jnp.exp(2 * x * mu))).sum()

    def one(mu: Any, s: Any, t: Any) -> Any:
        up, down = SIGMA2 * s, 2 * GAMMA * t
        scale = (jnp.abs(mu) * (up + down)).sum()  # or no tolerance fits all orbits
        solver = optx.Newton(rtol=_SMALL, atol=_SMALL)
        found = optx.root_find(
            balance,
            solver,
            jnp.zeros(()),
            args=(mu, up / scale, down / scale),
            max_steps=_STEPS,
            throw=False,
        )
        return found.value

    return one


def _mapped(kind: str) -> Callable[[Orbits], Floats]:
    def find(orbits: Orbits) -> Floats:
        return np.asarray(_jitted(kind)(orbits.mu, orbits.s, orbits.t))

    return find


jax_newton = _mapped("jax")
optimistix_on_h = _mapped("H")
optimistix_on_g = _mapped("G")


def numba_newton(orbits: Orbits) -> Floats:
    """Return λ* by numba: Newton on H, one orbit after the other, no allocation."""
    return np.asarray(_numba_kernel()(orbits.mu, orbits.s, orbits.t, SIGMA2, GAMMA))


@functools.cache
def _numba_kernel() -> Any:
    options = {"fastmath": True, "error_model": "numpy", "boundscheck": False}
    return peer("numba").njit(**options)(_newton)


def _newton(mu: Floats, s: Floats, t: Floats, sigma2: float, gamma: float) -> Floats:
    """Find every root; written for numba."""
    count, n = mu.shape
    roots = np.empty(count)
    m, up, down = np.empty(n), np.empty(n), np.empty(n)
    for row in range(count):
        for i in range(n):
            m[i] = abs(mu[row, i])
            noise = math.log(sigma2 * s[row, i] * m[i])
            decay = math.log(2 * gamma * t[row, i] * m[i])
            rises = mu[row, i] > 0
            up[i] = noise if rises else decay
            down[i] = decay if rises else noise
        x = 0.0
        for _ in range(_STEPS):
            top, low = -np.inf, -np.inf
            for i in range(n):
                top = max(top, up[i] - 2 * x * m[i])
                low = max(low, down[i] + 2 * x * m[i])
            rise, fall, mean_rise, mean_fall = 0.0, 0.0, 0.0, 0.0
            for i in range(n):
                p = math.exp(up[i] - 2 * x * m[i] - top)
                q = math.exp(down[i] + 2 * x * m[i] - low)
                rise, mean_rise = rise + p, mean_rise + p * m[i]
                fall, mean_fall = fall + q, mean_fall + q * m[i]
            height = top - low + math.log(rise / fall)
            x += height / (2 * (mean_rise / rise + mean_fall / fall))
            if abs(height) <= _SMALL:
                break
        roots[row] = x
    return roots

"""Ways to train the same small nets on the same minibatches, in other libraries.

Each takes a net and its minibatches and returns a call that gives the parameters at the
end as rows, [replicas, 2 d²], in float32. The formulas of the gradients are written by
hand where a library has no automatic ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks._net import Floats, Indices, Net, flat
from benchmarks._peers import peer
from benchmarks._turns import fastest


Call = Callable[[], Floats]


def numpy_matmul(net: Net, indices: Indices) -> Call:
    """Train by np.matmul over the replicas, in place."""

    def call() -> Floats:
        U, W = net.U.copy(), net.W.copy()
        c = np.float32(net.slope)
        for batch in indices:
            x, y = net.x[batch], net.y[batch]  # [R, S, d]
            a = x @ W.swapaxes(1, 2)
            if net.tanh:
                np.tanh(a, out=a)
            r = a @ U.swapaxes(1, 2)
            r -= y
            r *= c
            back = r @ U
            if net.tanh:
                back *= 1 - a * a
            U -= r.swapaxes(1, 2) @ a
            W -= back.swapaxes(1, 2) @ x
        return flat(U, W)

    return call


def _tensors(net: Net) -> list[torch.Tensor]:
    return [torch.from_numpy(part) for part in (net.x, net.y, net.U, net.W)]


def torch_bmm(net: Net, indices: Indices) -> Call:
    """Train by torch's batched products, in place."""
    x_all, y_all, U_0, W_0 = _tensors(net)
    batches = torch.from_numpy(indices)
    c = net.slope

    @torch.no_grad()
    def call() -> Floats:
        U, W = U_0.clone(), W_0.clone()
        for batch in batches:
            x = nn.functional.embedding(batch, x_all)
            y = nn.functional.embedding(batch, y_all)
            a = torch.bmm(x, W.mT)
            if net.tanh:
                a.tanh_()
            r = torch.baddbmm(y, a, U.mT, beta=-1)
            back = torch.bmm(r, U)
            if net.tanh:
                back.mul_(1 - a * a)
            U.baddbmm_(r.mT, a, alpha=-c)
            W.baddbmm_(back.mT, x, alpha=-c)
        return flat(U.numpy(), W.numpy())

    return call


def torch_vmap(net: Net, indices: Indices) -> Call:
    """Train by torch.func: the gradient of one replica, mapped over all."""
    x_all, y_all, U_0, W_0 = _tensors(net)
    batches = torch.from_numpy(indices)

    def loss(theta: tuple[torch.Tensor, torch.Tensor], x: Any, y: Any) -> torch.Tensor:
        U, W = theta
        hidden = x @ W.T
        value = torch.tanh(hidden) if net.tanh else hidden
        total: torch.Tensor = (value @ U.T - y).square().sum() / net.S
        return total

    gradient = torch.func.vmap(torch.func.grad(loss))

    @torch.no_grad()
    def call() -> Floats:
        U, W = U_0.clone(), W_0.clone()
        for batch in batches:
            g_U, g_W = gradient((U, W), x_all[batch], y_all[batch])
            U.sub_(g_U, alpha=net.lr)
            W.sub_(g_W, alpha=net.lr)
        return flat(U.numpy(), W.numpy())

    return call


def torch_modules(net: Net, indices: Indices) -> Call:
    """Train one nn.Module after the other with torch.optim.SGD."""
    x_all, y_all, U_0, W_0 = _tensors(net)
    batches = torch.from_numpy(indices)

    def train(replica: int) -> Floats:
        inner, outer = (nn.Linear(net.d, net.d, bias=False) for _ in range(2))
        inner.weight.data.copy_(W_0[replica])
        outer.weight.data.copy_(U_0[replica])
        layers = [inner, nn.Tanh(), outer] if net.tanh else [inner, outer]
        model = nn.Sequential(*layers)
        optimiser = torch.optim.SGD(model.parameters(), lr=net.lr)
        for batch in batches[:, replica]:
            optimiser.zero_grad()
            loss = (model(x_all[batch]) - y_all[batch]).square().sum() / net.S
            loss.backward()
            optimiser.step()
        parts = (layer.weight.detach().numpy()[None] for layer in (outer, inner))
        return flat(*parts)

    return lambda: np.concatenate([train(r) for r in range(net.replicas)])


def jax_scan(net: Net, indices: Indices) -> Call:
    """Train by JAX: jit of a scan over the steps of a map over the replicas."""
    # The replicas may be the first axis, with batched products, or the last, with sums
    # that XLA can fuse; the faster is taken.
    few = indices[:16]
    layouts = {last: _jax_run(net, few, last=last) for last in (False, True)}
    best = fastest({str(last): call for last, call in layouts.items()})[0]
    return _jax_run(net, indices, last=best == "True")


def _jax_run(net: Net, indices: Indices, *, last: bool) -> Call:
    jax = peer("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", False)

    def apply(matrix: Any, rows: Any) -> Any:
        if last:
            return (matrix[None] * rows[:, None]).sum(-1)
        return rows @ matrix.T

    def loss(theta: tuple[Any, Any], x: Any, y: Any) -> Any:
        U, W = theta
        hidden = apply(W, x)
        value = jnp.tanh(hidden) if net.tanh else hidden
        return ((apply(U, value) - y) ** 2).sum() / net.S

    axis = -1 if last else 0
    gradient = jax.vmap(jax.grad(loss), in_axes=axis, out_axes=axis)

    def place(a: Any) -> Any:
        return np.moveaxis(a, 0, -1) if last else a

    x_all, y_all = jnp.asarray(net.x), jnp.asarray(net.y)
    batches = jnp.asarray(np.stack([place(b) for b in indices]).astype(np.int32))

    def rows(table: Any, batch: Any) -> Any:
        found = table[batch]  # [R, S, d], or [S, R, d] where the replicas are last
        return jnp.moveaxis(found, 1, 2) if last else found

    def step(theta: tuple[Any, Any], batch: Any) -> tuple[tuple[Any, Any], None]:
        g = gradient(theta, rows(x_all, batch), rows(y_all, batch))
        U, W = (p - net.lr * q for p, q in zip(theta, g, strict=True))
        return (U, W), None

    run = jax.jit(lambda theta, batches: jax.lax.scan(step, theta, batches)[0])
    start = jnp.asarray(place(net.U)), jnp.asarray(place(net.W))

    def call() -> Floats:
        U, W = (np.asarray(part) for part in run(start, batches))
        return flat(*(np.moveaxis(p, -1, 0) if last else p for p in (U, W)))

    return call


def numba_loop(net: Net, indices: Indices) -> Call:
    """Train by numba: every replica on its own, in scalar code without allocation."""
    kernel = _numba_kernel()
    batches = indices.astype(np.int32)

    def call() -> Floats:
        U, W = net.U.copy(), net.W.copy()
        kernel(U, W, net.x, net.y, batches, np.float32(net.slope), net.tanh)
        return flat(U, W)

    return call


def _numba_kernel() -> Any:
    """Compile the loop once for all sizes."""
    if not _COMPILED:
        options = {"fastmath": True, "error_model": "numpy", "boundscheck": False}
        _COMPILED.append(peer("numba").njit(**options)(_train))
    return _COMPILED[0]


_COMPILED: list[Any] = []


def _train(  # noqa: C901 - numba wants plain loops
    U: Floats,
    W: Floats,
    x: Floats,
    y: Floats,
    batches: Any,
    c: np.float32,
    tanh: bool,
) -> None:
    """Train in place; written for numba."""
    steps, _, S = batches.shape
    replicas, d = U.shape[0], U.shape[1]
    a = np.empty((S, d), np.float32)
    r, back = np.empty_like(a), np.empty_like(a)
    for e in range(replicas):
        u, w = U[e], W[e]
        for t in range(steps):
            for s in range(S):
                q = batches[t, e, s]
                for i in range(d):
                    total = np.float32(0)
                    for j in range(d):
                        total += w[i, j] * x[q, j]
                    a[s, i] = np.tanh(total) if tanh else total
                    back[s, i] = 0
                for i in range(d):
                    total = -y[q, i]
                    for j in range(d):
                        total += u[i, j] * a[s, j]
                    r[s, i] = c * total
                    for j in range(d):
                        back[s, j] += r[s, i] * u[i, j]
                if tanh:
                    for j in range(d):
                        back[s, j] *= np.float32(1) - a[s, j] * a[s, j]
            for s in range(S):
                q = batches[t, e, s]
                for i in range(d):
                    for j in range(d):
                        u[i, j] -= r[s, i] * a[s, j]
                        w[i, j] -= back[s, i] * x[q, j]

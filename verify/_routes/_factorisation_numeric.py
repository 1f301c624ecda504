"""The compiled linear network against exact rationals, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from numeric import LinearNet
from verify._context import Context
from verify._evidence import Evidence
from verify._exact import Matrix, product
from verify._instances import Instance
from verify._routes._common import numeric_evidence
from verify._routes._factorisation_exact import (
    Parts,
    difference,
    parts_of,
    transpose,
)
from verify._routes._factorisation_words import Gamma
from verify._scope import only_about
from verify._strategies import factorisations


Array = NDArray[np.float64]
_UNIT_ROUNDOFF = 2.0**-53
_Row = tuple[Instance, float, float, float]


@only_about("matrix factorisation")
def balance_compiled(subject: Gamma, context: Context) -> Evidence:
    """Compare the numpy network's Γ, its two sides and one step with exact rationals.

    Every entry is a sum of products of at most N + d + d_x + d_y + 8 roundings, each
    at most u relative to the same sum with absolute values.

    Returns:
        The evidence.
    """

    def rows() -> Iterator[_Row]:
        drawn = context.draw(factorisations(), context.profile.exact, "compiled")
        for instance in drawn:
            yield from _compared(subject, instance)

    return numeric_evidence(
        "compiled code",
        rows(),
        r"$W\Gamma_WW^\top - U^\top\Gamma_UU$ and $U^\top U - WW^\top$ after one step "
        "of the numpy network against exact rationals",
    )


def _compared(subject: Gamma, instance: Instance) -> Iterator[_Row]:
    parts = parts_of(instance)
    x, y, net = _arrays(instance, parts)
    shift = subject.shift_at(instance.gamma, instance.batch_size, instance.eta)
    exact = parts.imbalance(centred=subject.centred, shift=shift)
    lr, gamma = float(instance.eta), float(instance.gamma)
    claimed = float(gamma * instance.batch_size / lr)  # of the corrected theorem
    left, right = net.sides(net.noise(x, y).shifted(claimed))
    large = LinearNet(np.abs(net.U), np.abs(net.W))
    noise = large.noise(np.abs(x), -np.abs(y), centred=False).shifted(claimed)
    sizes = sum(net.U.shape) + sum(net.W.shape) + len(x)
    unit = 32 * (sizes + 8) * _UNIT_ROUNDOFF
    bound = unit * float(sum(side.max() for side in large.sides(noise)))
    yield from _entries(instance, left - right, exact, bound)
    stepped = net.stepped(*net.gradient(x, y), lr=lr, gamma=gamma)
    g_U, g_W = large.gradient(np.abs(x), -np.abs(y))
    far = LinearNet(large.U + lr * g_U, large.W + lr * g_W)
    reach = float((far.U.T @ far.U + far.W @ far.W.T).max())
    yield from _entries(instance, stepped.charge, _stepped(instance), unit * reach)


def _arrays(instance: Instance, parts: Parts) -> tuple[Array, Array, LinearNet]:
    d_x = len(parts.x[0])
    table = np.array([[float(v) for v in row] for row in instance.samples])
    U, W = (
        np.array([[float(v) for v in row] for row in m]) for m in (parts.U, parts.W)
    )
    return table[:, :d_x], table[:, d_x:], LinearNet(U, W)


def _stepped(instance: Instance) -> Matrix:
    """Return UᵀU − WWᵀ after one step on all samples, from dual-number gradients."""
    gradients = instance.gradients()
    count = len(gradients)
    kappa = 1 - 2 * instance.eta * instance.gamma
    theta = tuple(
        kappa * t - instance.eta * sum((g[i] for g in gradients), Fraction(0)) / count
        for i, t in enumerate(instance.theta)
    )
    moved = parts_of(instance.with_(theta=theta))
    inner = product(transpose(moved.U), moved.U)
    return difference(inner, product(moved.W, transpose(moved.W)))


def _entries(
    instance: Instance, found: Array, exact: Matrix, bound: float
) -> Iterator[_Row]:
    for row, values in zip(exact, found, strict=True):
        for right, left in zip(row, values, strict=True):
            yield instance, float(left), float(right), bound

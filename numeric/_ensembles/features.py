"""Gradients that are linear in monomials of the data: their moments stand for it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric._ensembles.plan import plan_of
from numeric._ensembles.task import Task
from symbolic import FeatureProgram, Loss, Program, feature_program


_NORMAL = 20  # operations of drawing a normal


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A gradient g(θ, φ), linear in the features φ of a sample, and their moments.

    The mean gradient is g(θ, E φ). With FFᵀ the covariance of φ and ξ standard normal,
    g(θ, Fξ) is noise of covariance Σ(θ).

    Attributes:
        program: the gradient; its data is a column of K features.
        name: the name of that data.
        mean: E φ, (K,).
        loadings: F, (K, rank); without columns for gradient descent.
    """

    program: Program
    name: str
    mean: NDArray[np.float64]
    loadings: NDArray[np.float64]

    def noise(self, task: Task) -> float:
        """Return the c of φ = E φ + cFξ for which a step has the SDE's noise."""
        return math.sqrt(task.lr / (task.batch_size * task.step))


def features_of(task: Task, program: Program) -> Features | None:
    """Return the features of a task, where they are cheaper than its samples.

    Args:
        task: gradient descent or an SDE; None for other methods.
        program: the gradient over samples, to compare with.

    Returns:
        The features, or None.
    """
    if task.method not in ("gd", "sde"):
        return None
    found = _feature_program(task.loss)
    if found is None:
        return None
    phi = _monomials(task, found.exponents)
    mean = phi.mean(axis=0)
    loadings = np.zeros((len(mean), 0))
    if task.method == "sde":
        loadings = _loadings(phi - mean)
    rank = loadings.shape[1]
    mine = plan_of(found.program).operations(1) + len(mean) * (1 + rank)
    each = _NORMAL if task.method == "sde" else 0
    if mine + each * rank > plan_of(program).operations(task.count) + (
        each * task.count
    ):
        return None
    (name,) = (node.detail for node in found.program.nodes if node.op == "data")
    return Features(found.program, name, mean, loadings)


@functools.lru_cache(maxsize=64)
def _feature_program(loss: Loss) -> FeatureProgram | None:
    return feature_program(loss)


def _monomials(
    task: Task, exponents: tuple[tuple[int, ...], ...]
) -> NDArray[np.float64]:
    """Return φ of every sample, (N, K)."""
    columns = np.concatenate(
        [a.reshape(task.count, -1).astype(np.float64) for a in task.data.values()],
        axis=1,
    )
    powers = np.array(exponents, dtype=np.float64)  # (K, components)
    return np.asarray((columns[:, None, :] ** powers).prod(axis=2))


def _loadings(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F with FFᵀ = the covariance, a column for each direction that varies."""
    scale = np.abs(centred).max(axis=0)
    unit = np.where(scale > 0, scale, 1.0)
    _, sizes, axes = np.linalg.svd(
        centred / unit / math.sqrt(len(centred)), full_matrices=False
    )
    floor = sizes.max(initial=0.0) * max(centred.shape) * np.finfo(np.float64).eps
    kept = sizes > floor
    # The sign of a direction is free: fixed, so that it does not depend on the library.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    loadings = (axes * (signs * sizes)[:, None])[kept].T
    return np.asarray(loadings * unit[:, None])

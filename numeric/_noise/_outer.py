"""Σ_x (g_x − ḡ)(g_x − ḡ)ᵀ along one axis: the noise of every generator B at once."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from numeric._noise._forms import Moments, along
from numeric._noise._moments import CACHED
from numeric._noise._sources import Rows, Source, Vectors, at_a_time


def with_matrix(found: Moments, source: Source, axis: int) -> Moments:
    """Return moments with their matrix along an axis of the parameter.

    Args:
        found: the moments of the source.
        source: the per-sample gradients.
        axis: 0 or 1; the other axes are summed over.

    Returns:
        The same with `matrix`, shape (d, d).
    """
    if isinstance(source, Vectors):
        beta = source.centred
        return replace(found, matrix=(beta.T @ beta).double())
    rank_one = isinstance(source, Rows) and source.p.shape[1] == 1
    if rank_one and found.mean_term is not None:  # its factors kept their digits
        assert isinstance(source, Rows)
        return replace(found, matrix=_factored(source, axis))
    mean = found.mean
    if mean is None:
        mean = source.samples(0, source.count).mean(0)
    return replace(found, matrix=_explicit(source, mean, axis))


def _factored(source: Rows, axis: int) -> Tensor:
    """Return Σ hhᵀ − N H Hᵀ for h = βqᵀ + p̄αᵀ and H = E[βαᵀ], or its transpose."""
    p, q = source.p[:, 0], source.q[:, 0]
    if axis == 1:
        p, q = q, p
    p_mean, q_mean = p.mean(0), q.mean(0)
    beta, alpha = p - p_mean, q - q_mean
    size = q.square().sum(1, keepdim=True)
    mixed = beta.T @ (q * alpha).sum(1)  # Σ β (q·α)
    whole = (beta * size).T @ beta
    whole.addr_(p_mean, p_mean * alpha.square().sum())
    whole.addr_(mixed, p_mean).addr_(p_mean, mixed)
    N = source.count
    if q.shape[1] > N:
        return (whole - beta.T @ ((alpha @ alpha.T) @ beta) / N).double()
    H = beta.T @ alpha
    return (whole - H @ H.T / N).double()


def _explicit(source: Source, mean: Tensor, axis: int) -> Tensor:
    """Return Σ hhᵀ from the gradients themselves, a few at a time."""
    step = at_a_time(source, CACHED)
    total: Tensor | None = None
    for low in range(0, source.count, step):
        h = source.samples(low, min(low + step, source.count)) - mean
        part = along(h, axis)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total

"""Moments of gradient noise on finite data, in one pass, free of cancellation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numeric._errors import ShapeError
from numeric._loss import compile_loss


_Floats = NDArray[np.float64]
_Pair = tuple[str, str]

CHUNK_NUMBERS = 2**18  # numbers in the gradients of one chunk: 2 MiB


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMoments:
    """Mean, Σ and M₂ of the per-sample gradients ∇ℓ(θ, z) over finite data.

    Σ = E[∇ℓ∇ℓᵀ] − ∇L∇Lᵀ is centred, M₂ = E[∇ℓ∇ℓᵀ] is not (P1, Eq. (1)); E divides by
    the number N of samples. Σ is stored by blocks between named parameters, each in
    row-major order, so that the n × n matrix exists only where it was asked for.

    Attributes:
        count: N.
        names: name → number of components, in the order of the flat vector.
        mean: ∇L, shape (n,).
        variance: the diagonal of Σ, shape (n,).
        blocks: (name, name) → that block of Σ, shape (n_a, n_b).
    """

    count: int
    names: Mapping[str, int]
    mean: _Floats
    variance: _Floats
    blocks: Mapping[_Pair, _Floats]

    def block(self, name: str, other: str | None = None) -> _Floats:
        """Return Cov(∇_a ℓ, ∇_b ℓ), the block of Σ in rows a and columns b.

        Args:
            name: the parameter a.
            other: the parameter b; a itself where it is left out.

        Returns:
            Shape (n_a, n_b).

        Raises:
            KeyError: for a block that was not asked for.
        """
        pair = (name, name if other is None else other)
        if pair in self.blocks:
            return self.blocks[pair]
        if pair[::-1] in self.blocks:
            return self.blocks[pair[::-1]].T
        raise KeyError(
            f"expected one of the blocks {_listed(self.blocks)}, got {pair}; add it to "
            f"`blocks` of noise_moments"
        )

    def second_block(self, name: str, other: str | None = None) -> _Floats:
        """Return E[∇_a ℓ ∇_b ℓᵀ], the block of M₂ in rows a and columns b.

        Args:
            name: the parameter a.
            other: the parameter b; a itself where it is left out.

        Returns:
            Shape (n_a, n_b).

        Raises:
            KeyError: for a block that was not asked for.
        """
        covariance = self.block(name, other)
        places = _places(self.names)
        b = name if other is None else other
        return covariance + np.outer(self.mean[places[name]], self.mean[places[b]])

    @property
    def covariance(self) -> _Floats:
        """Return Σ, shape (n, n).

        Raises:
            KeyError: where not all its blocks were asked for.
        """
        rows = [[self.block(a, b) for b in self.names] for a in self.names]
        return np.block(rows)

    @property
    def second_moment(self) -> _Floats:
        """Return M₂ = Σ + ∇L∇Lᵀ, shape (n, n).

        Raises:
            KeyError: where not all blocks of Σ were asked for.
        """
        return self.covariance + np.outer(self.mean, self.mean)

    def trace(self, name: str | None = None) -> float:
        """Return Tr Σ, or Tr of a parameter's own block; no block need be stored.

        Args:
            name: the parameter; all of them where it is left out.

        Raises:
            KeyError: for an unknown name.

        Returns:
            The total variance.
        """
        if name is None:
            return float(self.variance.sum())
        return float(self.variance[_places(self.names)[name]].sum())

    def merged(self, other: NoiseMoments) -> NoiseMoments:
        """Return the moments over both sets of samples.

        With shares p and q of the samples and δ the difference of the means,
        Σ = pΣ_a + qΣ_b + pqδδᵀ (Chan, Golub and LeVeque 1979): nothing is subtracted
        but the means, so it is associative up to rounding and stable where the mean is
        large against the noise.

        Args:
            other: moments of other samples, of the same parameters and blocks.

        Returns:
            The moments over the union.

        Raises:
            ShapeError: for other parameters or other blocks.
        """
        if dict(self.names) != dict(other.names) or set(self.blocks) != set(
            other.blocks
        ):
            raise ShapeError(
                f"merged: expected the parameters {dict(self.names)} with the blocks "
                f"{_listed(self.blocks)}, got {dict(other.names)} with "
                f"{_listed(other.blocks)}; call noise_moments with the same `blocks`"
            )
        count = self.count + other.count
        p, q = self.count / count, other.count / count
        delta, places = other.mean - self.mean, _places(self.names)
        blocks = {
            (a, b): p * mine
            + q * other.blocks[a, b]
            + np.outer(p * q * delta[places[a]], delta[places[b]])
            for (a, b), mine in self.blocks.items()
        }
        return NoiseMoments(
            count,
            self.names,
            self.mean + q * delta,
            p * self.variance + q * other.variance + p * q * delta**2,
            MappingProxyType(blocks),
        )


def noise_moments(
    loss: Any,
    data: Mapping[str, ArrayLike],
    theta: Any,
    *,
    blocks: Sequence[str | _Pair] | None = None,
    chunk: int | None = None,
) -> NoiseMoments:
    """Return the moments of ∇ℓ(θ, z) over the samples, in one pass.

    The samples are taken in chunks: memory is that of one chunk's gradients, of the
    blocks asked for, and no more. Batches that do not fit into memory are read one by
    one and joined by `NoiseMoments.merged`. Sums are in float64 whatever comes in.

    Args:
        loss: a `symbolic.Loss`.
        data: name → samples, shape (N, *shape) each, N ≥ 1.
        theta: one point, flat (n,) or name → array.
        blocks: the blocks of Σ to keep: a name for a parameter with itself, a pair of
            names for two. All where it is None; none (traces alone) where it is ().
        chunk: samples to be taken at a time; by default about 2¹⁸/n.

    Returns:
        The moments.

    Raises:
        ShapeError: for shapes or names that do not fit.
        ValueError: for no samples, a chunk below 1, or a gradient that is not finite.

    >>> from symbolic import Loss, ParameterSpace
    >>> space = ParameterSpace(u=(), w=())
    >>> loss = Loss("(u*w*x - y)**2", space, {"x": (), "y": ()})
    >>> data = {"x": np.array([1.0, 1.0]), "y": np.array([1.0, 3.0])}
    >>> moments = noise_moments(loss, data, np.array([2.0, 1.0]))
    >>> moments.mean, moments.covariance.tolist()
    (array([0., 0.]), [[4.0, 8.0], [8.0, 16.0]])
    """
    space = loss.space
    names = {name: prod(space.int_shape(name)) for name in space.names}
    pairs = _pairs(blocks, tuple(names))
    samples, N = _samples(loss.data, data)
    evaluator = compile_loss(loss, "numpy")
    flat = _point(space, theta)
    size = chunk_size(chunk, space.size)

    def parts() -> Iterator[NoiseMoments]:
        for start in range(0, N, size):
            some = {name: a[start : start + size] for name, a in samples.items()}
            rows = len(next(iter(some.values())))
            g = np.asarray(evaluator.gradient(flat, some), np.float64)
            g = np.broadcast_to(g, (rows, space.size))
            refuse_infinite(g, start)
            yield _of_gradients(g, names, pairs)

    return reduce(NoiseMoments.merged, parts())


def _point(space: Any, theta: Any) -> _Floats:
    """Return θ as (n,).

    Raises:
        ShapeError: where it is not one point.
    """
    flat = np.asarray(space.pack(theta) if isinstance(theta, Mapping) else theta)
    if flat.shape != (space.size,) or flat.dtype.kind not in "biuf":
        raise ShapeError(
            f"theta: expected one point, {space.size} real numbers, got shape "
            f"{flat.shape} of {flat.dtype}; call noise_moments for each point"
        )
    return flat.astype(np.float64)


def _samples(space: Any, data: Mapping[str, ArrayLike]) -> tuple[dict[str, Any], int]:
    """Return the samples as arrays, and N.

    Raises:
        ShapeError: where names or shapes do not fit, or N differs.
        ValueError: where there are none.
    """
    arrays = {name: np.asarray(value) for name, value in data.items()}
    if set(arrays) != set(space.names) or not arrays:
        raise ShapeError(
            f"data: expected the names {', '.join(space.names) or '(none)'}, got "
            f"{', '.join(arrays) or 'none'}"
        )
    N = {a.shape[0] if a.ndim else -1 for a in arrays.values()}
    fits = all(a.shape[1:] == space.int_shape(name) for name, a in arrays.items())
    if len(N) != 1 or not fits:
        shapes = {name: a.shape for name, a in arrays.items()}
        wanted = {name: ("N", *space.int_shape(name)) for name in space.names}
        raise ShapeError(f"data: expected shapes {wanted} with one N, got {shapes}")
    if (count := N.pop()) < 1:
        raise ValueError("data: expected at least one sample, got none")
    return arrays, count


def _pairs(
    blocks: Sequence[str | _Pair] | None, names: tuple[str, ...]
) -> tuple[_Pair, ...]:
    """Return the pairs of names to keep, each once.

    Raises:
        ShapeError: for a name that is not a parameter's.
    """
    if blocks is None:
        return tuple((a, b) for i, a in enumerate(names) for b in names[i:])
    if isinstance(blocks, str):
        blocks = (blocks,)
    kept: dict[_Pair, None] = {}
    for entry in blocks:
        pair = (entry, entry) if isinstance(entry, str) else tuple(entry)
        if len(pair) != 2 or not set(pair) <= set(names):
            raise ShapeError(
                f"blocks: expected names or pairs of names among {', '.join(names)}, "
                f"got {entry!r}"
            )
        if pair[::-1] not in kept:
            kept[pair] = None
    return tuple(kept)


def chunk_size(chunk: int | None, width: int) -> int:
    """Return the number of samples at a time.

    Args:
        chunk: the number asked for; None for the one that fits the cache.
        width: numbers to a sample.

    Returns:
        The number, at least 1.

    Raises:
        ValueError: where it is below 1.
    """
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk: expected at least 1 sample, got {chunk}")
    return chunk or max(1, CHUNK_NUMBERS // max(width, 1))


def refuse_infinite(values: _Floats, start: int) -> None:
    """Refuse numbers that are not finite.

    Args:
        values: one row for each sample.
        start: number of the first sample, for the message.

    Raises:
        ValueError: where one is not.
    """
    good = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not good.all():
        raise ValueError(
            f"sample {start + int(np.argmin(good))}: expected finite numbers, got "
            f"{values[np.argmin(good)]}; remove the sample or move theta"
        )


def _of_gradients(
    g: _Floats, names: Mapping[str, int], pairs: tuple[_Pair, ...]
) -> NoiseMoments:
    """Return the moments of one chunk, (rows, n), by two corrected passes over it."""
    mean = g.mean(axis=0)
    centred = g - mean
    slip = centred.mean(axis=0)  # rounding of the mean, which a large mean magnifies
    centred -= slip
    places = _places(names)
    blocks = {
        (a, b): centred[:, places[a]].T @ centred[:, places[b]] / len(g)
        for a, b in pairs
    }
    return NoiseMoments(
        len(g),
        MappingProxyType(dict(names)),
        mean + slip,
        np.einsum("ni,ni->i", centred, centred) / len(g),
        MappingProxyType(blocks),
    )


def _places(names: Mapping[str, int]) -> dict[str, slice]:
    places, start = {}, 0
    for name, size in names.items():
        places[name] = slice(start, start + size)
        start += size
    return places


def _listed(blocks: Mapping[_Pair, _Floats]) -> str:
    return ", ".join(f"({a}, {b})" for a, b in blocks) or "(none)"

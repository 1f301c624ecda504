"""Quadratic forms of gradients, their moments over a batch, and the merging of these.

With g_x the per-sample gradients, ḡ their mean and A = L ⊗ R a form,

    spread = Σ_x (g_x − ḡ)ᵀA(g_x − ḡ),    mean term = ḡᵀAḡ.

Batches are merged by their means (Chan, Golub and LeVeque 1979), so that nothing
cancels however many there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric._noise._generator import act
from numeric._noise._layout import split_axis
from numeric._noise._sources import squares, total_square


DIGITS = 1e-10  # relative error of a term that never matters (float64)
CONDITION = 30.0  # Σ|terms| over the spread that costs half of 3e-5 at most
VARIED = 10.0  # Σ|terms| over the spread up to which nothing is centred


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A = left ⊗ right on one parameter; None is the identity.

    Attributes:
        left: on the first axis; None, vector or matrix.
        right: on the second axis.
    """

    left: Tensor | None = None
    right: Tensor | None = None

    def of(self, G: Tensor) -> Tensor:
        """Return gᵀAg of every g in a stack, shape (n,), in float64."""
        flat = G.flatten(1) if G.ndim > 1 else G.unsqueeze(1)
        if self.left is None and self.right is None:
            return squares(flat)
        moved = act(G, self.left, self.right).flatten(1)
        if flat.shape[1] > 1 << 12:  # in rows, so that sums in float32 stay short
            return split_axis(flat * moved, 1, (G.shape[1], -1)).sum(2).double().sum(1)
        return (flat * moved).sum(1, dtype=torch.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The forms of one parameter's gradients over N samples.

    Attributes:
        N: how many samples.
        spread: Σ_x (g_x − ḡ)ᵀA(g_x − ḡ) for every form.
        mean_term: ḡᵀAḡ for every form; None where the mean is at hand.
        mean: ḡ in the parameter's shape, or None where no batch follows.
        matrix: Σ_x of (g_x − ḡ)(g_x − ḡ)ᵀ along one axis, float64, where asked for.
    """

    N: int
    spread: tuple[float, ...]
    mean_term: tuple[float, ...] | None
    mean: Tensor | None
    matrix: Tensor | None = None

    def copy(self) -> Moments:
        """Return the same, with a mean of its own."""
        mean = None if self.mean is None else self.mean.clone()
        return replace(self, mean=mean)

    def means(self, forms: list[Form]) -> tuple[float, ...]:
        """Return ḡᵀAḡ for every form."""
        if self.mean_term is not None:
            return self.mean_term
        assert self.mean is not None
        return forms_of_one(forms, self.mean)


def merged(
    a: Moments, b: Moments, forms: list[Form], axis: int | None = None
) -> Moments:
    """Return the moments of both sets of samples together.

    Args:
        a: the earlier samples; its mean is altered.
        b: the later ones; its mean is altered.
        forms: those of the spreads.
        axis: that of the matrices, where there are any.

    Returns:
        Exact but for rounding: nothing large is subtracted.
    """
    assert a.mean is not None
    assert b.mean is not None
    N = a.N + b.N
    gap = b.mean.sub_(a.mean)
    weight = a.N * b.N / N
    apart = forms_of_one(forms, gap)
    both = zip(a.spread, b.spread, apart, strict=True)
    spread = tuple(s + t + weight * u for s, t, u in both)
    matrix = None
    if axis is not None:
        assert a.matrix is not None
        assert b.matrix is not None
        matrix = a.matrix + b.matrix + along(gap.unsqueeze(0), axis) * weight
    mean = a.mean.add_(gap, alpha=b.N / N)
    return Moments(N, spread, None, mean, matrix)


def along(h: Tensor, axis: int) -> Tensor:
    """Return Σ_x of h_x h_xᵀ along one axis of the parameter, float64.

    Args:
        h: gradients, shape (n, *shape).
        axis: of the parameter; the others are summed over.

    Returns:
        Shape (d, d), d the length of the axis.
    """
    rows = h.movedim(axis + 1, 0).flatten(1)
    return (rows @ rows.T).double()


def all_forms(forms: list[Form], G: Tensor) -> Tensor:
    """Return every form of every gradient of a stack, (forms, n)."""
    if len(forms) == 1:
        return forms[0].of(G).unsqueeze(0)
    return torch.stack([form.of(G) for form in forms])


def forms_of_one(forms: list[Form], g: Tensor) -> tuple[float, ...]:
    """Return every form of a single gradient."""
    if len(forms) == 1:
        return (total_square(g),)
    return tuple(all_forms(forms, g.unsqueeze(0))[:, 0].tolist())


def sound(
    spread: float, terms: float, dtype: torch.dtype, most: float = math.inf
) -> bool:
    """Decide whether a sum kept its digits, given the sizes of its terms."""
    limit = min(most, max(CONDITION, DIGITS / torch.finfo(dtype).eps))
    return terms <= limit * spread or not math.isfinite(terms)

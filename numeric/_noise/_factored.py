"""Moments of g_x = p_x q_xᵀ, a layer that sees one row of every sample.

Where the noise is not small, Σ|p|²|q|² − N|ḡ|² will do. Else, with p = p̄ + β and
q = q̄ + α, the shifted gradient h_x = g_x − p̄q̄ᵀ = β_x q_xᵀ + p̄α_xᵀ has rank 2, and its
mean is H = E[βαᵀ] = ḡ − p̄q̄ᵀ; forms of h need only inner products, those of H (or ḡ)
one product, or N × N Gram matrices where these are smaller.

The shifted form can lose digits where factors vary and their product does not (p and q
both change sign, say). That shows in the sizes of its terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from numeric._noise._forms import VARIED, Form, Moments, all_forms, sound
from numeric._noise._kernels import gram_pays, gram_sums
from numeric._noise._product import pays, product_square
from numeric._noise._sources import Rows, Vectors, total_square


_LARGE = 1 << 17  # numbers of a matrix that is made as a whole where no mean is wanted
GRAM, GRAM_QUICK = 0.7, 1.5  # what Gram matrices cost over the product, by size
_BLOCK = 64  # rows of a Gram matrix at a time
_ALIKE = 0.9  # share of the mean in the squares from which that is hopeless


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Forms of centred vectors β_x = p_x − p̄ in one factor M of A, float64.

    Attributes:
        quadratic: βᵀMβ, (N,).
        linear: βᵀMp̄, (N,).
        dual: p̄ᵀMβ, (N,).
        constant: p̄ᵀMp̄.
    """

    quadratic: Tensor
    linear: Tensor
    dual: Tensor
    constant: Tensor

    @classmethod
    def of(cls, beta: Tensor, mean: Tensor, M: Tensor | None) -> _Side:
        """Return the side of centred vectors and their mean."""
        if M is None:
            size = torch.linalg.vector_norm(beta, dim=1).double().square()
            along = (beta @ mean).double()
            return cls(size, along, along, mean.double().square().sum())
        moved = mean * M if M.ndim == 1 else M @ mean
        back = moved if M.ndim == 1 else M.T @ mean
        turned = beta * M if M.ndim == 1 else beta @ M
        size = (turned * beta).sum(1).double()
        constant = (mean.double() * moved.double()).sum()
        return cls(size, (beta @ moved).double(), (beta @ back).double(), constant)


def factored(source: Rows, forms: list[Form], *, last: bool) -> Moments | None:
    """Return the moments of g_x = p_x q_xᵀ, or None where they would cancel."""
    d1, d2 = source.shape
    N = source.count
    left = source.left or Vectors(source.p[:, 0])
    right = source.right or Vectors(source.q[:, 0])
    quick = last and pays(left.values, right.values)
    few = last and (GRAM_QUICK if quick else GRAM) * N * (d1 + d2) < d1 * d2
    if len(forms) > 1:
        H = None if few else torch.mm(left.centred.T, right.centred).div_(N)
        return _factored_forms(left, right, H, forms, last=last)
    if few:
        found = _uncentred_grams(left, right)
        if found is not None:
            return found
        return _factored_plain(left, right, _middle(left.centred, right.centred), None)
    if quick or (last and d1 * d2 > _LARGE):
        square = _in_blocks(left.values, right.values)
        found = _uncentred(left, right, square, None)
        if found is not None:
            return found
        middle = _in_blocks(left.centred, right.centred) / N**2
        return _factored_plain(left, right, middle, None)
    total = source.total()
    found = _uncentred(left, right, total_square(total), None if last else total)
    if found is not None:
        return found
    # Its rounding errors are far below those of the spread.
    H = total.div_(N).addr_(left.mean, right.mean, alpha=-1.0)
    return _factored_plain(left, right, total_square(H), None if last else H)


def _in_blocks(p: Tensor, q: Tensor) -> float:
    """Return ‖pᵀq‖² without a matrix of the parameter's size."""
    found = product_square(p, q)
    if found is not None:
        return found
    step = max(1, _LARGE // q.shape[1])
    blocks = range(0, p.shape[1], step)
    return sum(total_square(p[:, low : low + step].T @ q) for low in blocks)


def _factored_forms(
    left: Vectors, right: Vectors, H: Tensor | None, forms: list[Form], *, last: bool
) -> Moments | None:
    """Return the moments for any forms."""
    N = left.count
    p_mean, q_mean = left.mean, right.mean
    beta, alpha = left.centred, right.centred
    middle = (
        _cross_grams(beta, alpha, forms)
        if H is None
        else all_forms(forms, H[None])[:, 0]
    )
    lefts = {id(f.left): _Side.of(beta, p_mean, f.left) for f in forms}
    rights = {id(f.right): _Side.of(alpha, q_mean, f.right) for f in forms}
    sides = [(lefts[id(f.left)], rights[id(f.right)]) for f in forms]
    pieces = torch.stack([_pieces(b, a) for b, a in sides])  # (forms, 3, N)
    spread = tuple((pieces.sum((1, 2)) - N * middle).tolist())
    if not sound(spread[0], float(pieces[0].abs().sum()), beta.dtype):
        return None
    constants = torch.stack([b.constant * a.constant for b, a in sides])
    mixed = torch.stack([(b.dual @ a.linear + b.linear @ a.dual) / N for b, a in sides])
    whole = None if last or H is None else H.addr_(p_mean, q_mean)
    return Moments(N, spread, tuple((constants + mixed + middle).tolist()), whole)


def _uncentred(
    left: Vectors, right: Vectors, square: float, total: Tensor | None
) -> Moments | None:
    """Return Σ|p|²|q|² − N|ḡ|² for A = I, or None where that would cancel.

    Per-sample gradients are mostly noise, and then nothing needs to be centred.

    Args:
        left: p.
        right: q.
        square: ‖Σ g‖².
        total: Σ g, made the mean; None where that is not wanted.
    """
    N = left.count
    rows = left.values.unsqueeze(1), right.values.unsqueeze(1)
    if gram_pays(*rows):
        terms = gram_sums(*rows)[0]
    else:
        sizes = left.lengths * right.lengths
        terms = float(torch.dot(sizes, sizes))
    term = square / N**2
    spread = terms - N * term
    if not sound(spread, terms, left.values.dtype, VARIED):
        return None
    mean = None if total is None else total.div_(N)
    return Moments(N, (spread,), (term,), mean)


def _uncentred_grams(left: Vectors, right: Vectors) -> Moments | None:
    """Return the same by Gram matrices, without the mean."""
    sums = _plain_grams(left.values, right.values, giving_up=True)
    if sums is None:
        return None
    N, terms = left.count, sums[1]
    term = sums[0] / N**2
    spread = terms - N * term
    if not sound(spread, terms, left.values.dtype, VARIED):
        return None
    return Moments(N, (spread,), (term,), None)


def _factored_plain(
    b: Vectors, a: Vectors, middle: float, H: Tensor | None
) -> Moments | None:
    """Return the moments for A = I alone, in few operations.

    Args:
        b: p.
        a: q.
        middle: ‖H‖² of H = E[βαᵀ].
        H: made the mean; None where that is not wanted.
    """
    N = b.count
    whole = torch.add(a.sizes, a.along, alpha=2.0).add_(a.constant)
    first = float(torch.dot(b.sizes, whole))
    second = b.constant * float(a.sizes.sum())
    mixed = 2.0 * float(torch.dot(b.along, a.sizes + a.along))
    spread = first + second + mixed - N * middle
    if not sound(spread, first + second + abs(mixed), b.mean.dtype):
        return None
    cross = float(torch.dot(b.along, a.along)) * (2.0 / N)
    mean = None if H is None else H.addr_(b.mean, a.mean)
    term = b.constant * a.constant + cross + middle
    return Moments(N, (spread,), (term,), mean)


def _pieces(b: _Side, a: _Side) -> Tensor:
    """Return the parts of h_xᵀAh_x for h = βqᵀ + p̄αᵀ, (3, N)."""
    whole = a.quadratic + a.linear + a.dual + a.constant  # qᵀRq
    mixed = b.linear * (a.quadratic + a.linear) + b.dual * (a.quadratic + a.dual)
    return torch.stack((b.quadratic * whole, b.constant * a.quadratic, mixed))


def _cross_grams(beta: Tensor, alpha: Tensor, forms: list[Form]) -> Tensor:
    """Return HᵀAH of H = E[βαᵀ] by N × N Gram matrices."""
    rows = Rows(beta[None], alpha[None])
    lefts = {id(f.left): rows.left_gram(f.left, 0, 1) for f in forms}
    rights = {id(f.right): rows.right_gram(f.right, 0, 1) for f in forms}
    sums = [(lefts[id(f.left)] * rights[id(f.right)]).sum(2) for f in forms]
    return torch.stack(sums).double().sum((1, 2)) / len(beta) ** 2


def _middle(beta: Tensor, alpha: Tensor) -> float:
    """Return ‖E[βαᵀ]‖² by Gram matrices."""
    sums = _plain_grams(beta, alpha, giving_up=False)
    assert sums is not None
    return sums[0] / len(beta) ** 2


def _plain_grams(
    p: Tensor, q: Tensor, *, giving_up: bool
) -> tuple[float, float] | None:
    """Return Σ (p_x·p_y)(q_x·q_y) over all pairs and over x = y; half of them will do.

    Args:
        p: shape (N, d1).
        q: shape (N, d2).
        giving_up: whether to stop where the first rows show that the pairs are much
            like x = y, so that their difference would cancel.

    Returns:
        Both sums; None where it stopped.
    """
    N = len(p)
    if gram_pays(p.unsqueeze(0), q.unsqueeze(0)):
        return gram_sums(p.unsqueeze(0), q.unsqueeze(0))
    step = max(_BLOCK, -(-N // 8))
    total = same = 0.0
    for low in range(0, N, step):
        rows, other = p[low : low + step], q[low : low + step]
        K = (rows @ p[low:].T).mul_(other @ q[low:].T)
        n = len(rows)
        # Columns are summed in the rows' precision, 64 numbers or an eighth of N.
        sizes = K.sum(0).double()
        whole, own = float(sizes.sum()), float(K.diagonal().sum(dtype=torch.float64))
        total += 2.0 * whole - float(sizes[:n].sum())
        same += own
        if giving_up and low == 0 and whole > _ALIKE * N * own:
            return None
    return total, same

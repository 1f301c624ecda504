"""Tr[Σ(L ⊗ R)] of one parameter over one batch, by three routes, and their merging.

With g_x the per-sample gradients, ḡ their mean and A = L ⊗ R a form,

    spread = Σ_x (g_x − ḡ)ᵀA(g_x − ḡ),    mean term = ḡᵀAḡ.

*factored*: g_x = p_x q_xᵀ. With p = p̄ + β, q = q̄ + α the shifted gradient
h_x = g_x − p̄q̄ᵀ = β_x q_xᵀ + p̄α_xᵀ has rank 2, and its mean is H = E[βαᵀ]; forms of
h need only inner products, those of H one N × N Gram matrix or one product.

*gram*: g_x = Σ_t p_xt q_xtᵀ by T × T Gram matrices, not centred.

*explicit*: g_x less a reference, for a few samples at a time.

The first two can lose digits where factors vary and their product does not (p and q
both change sign, say). That shows in the sizes of their terms, and such a batch goes
the third way. Batches are merged by their means (Chan, Golub and LeVeque 1979), so
that nothing cancels however many there are.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numeric._noise._generator import act
from numeric._noise._layout import split_axis
from numeric._noise._sources import (
    Direct,
    Lookup,
    Rows,
    Source,
    Vectors,
    at_a_time,
    squares,
)


CACHED = 1 << 18  # numbers of per-sample gradients at a time: 1 MB in float32
_LOCAL = threading.local()
_DIGITS = 1e-10  # relative error of a term that never matters (float64)
_CONDITION = 30.0  # Σ|terms| over the spread that costs half of 3e-5 at most
_BLOCK = 64  # rows of a Gram matrix at a time
_VARIED = 10.0  # Σ|terms| over the spread up to which nothing is centred
_ALIKE = 0.9  # share of the mean in the squares from which that is hopeless
_POOR = 0.1  # share of the squares about a reference that must be the spread
_PASS = 25.0  # flops in the time one number of a cached matrix is written and read


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
        spread: Σ_x (g_x − ḡ)ᵀA(g_x − ḡ) for every form, float64.
        mean_term: ḡᵀAḡ for every form, float64; None where the mean is at hand.
        mean: ḡ in the parameter's shape, or None where no batch follows.
        matrix: Σ_x of (g_x − ḡ)(g_x − ḡ)ᵀ along one axis, float64, where asked for.
    """

    N: int
    spread: Tensor
    mean_term: Tensor | None
    mean: Tensor | None
    matrix: Tensor | None = None

    def copy(self) -> Moments:
        """Return the same, with a mean of its own."""
        mean = None if self.mean is None else self.mean.clone()
        return replace(self, mean=mean)

    def means(self, forms: list[Form]) -> Tensor:
        """Return ḡᵀAḡ for every form."""
        if self.mean_term is not None:
            return self.mean_term
        assert self.mean is not None
        return _all(forms, self.mean.unsqueeze(0))[:, 0]


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
    apart = _all(forms, gap.unsqueeze(0))[:, 0] * (a.N * b.N / N)
    matrix = None
    if axis is not None:
        assert a.matrix is not None
        assert b.matrix is not None
        weight = a.N * b.N / N
        matrix = a.matrix + b.matrix + along(gap.unsqueeze(0), axis) * weight
    mean = a.mean.add_(gap, alpha=b.N / N)
    return Moments(N, a.spread + b.spread + apart, None, mean, matrix)


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


def moments(source: Source, forms: list[Form], *, last: bool) -> Moments:
    """Return the moments of one batch by the cheapest route that is accurate.

    Args:
        source: the per-sample gradients.
        forms: the first one must be the identity: it measures what cancels.
        last: whether this is the only batch, so that the mean is not needed.

    Returns:
        The moments.
    """
    found: Moments | None = None
    if isinstance(source, Vectors):
        return _vectors(source, forms)
    if isinstance(source, Rows) and source.p.shape[1] == 1:
        found = _factored(source, forms, last=last)
    elif isinstance(source, (Rows, Lookup)) and _gram_pays(source):
        found = _gram(source, forms)
    return _explicit(source, forms) if found is None else found


def _all(forms: list[Form], G: Tensor) -> Tensor:
    """Return every form of every gradient of a stack, (forms, n)."""
    if len(forms) == 1:
        return forms[0].of(G).unsqueeze(0)
    return torch.stack([form.of(G) for form in forms])


def _sound(
    spread: Tensor, terms: Tensor, dtype: torch.dtype, most: float = math.inf
) -> bool:
    """Decide whether a sum kept its digits, given the sizes of its terms."""
    limit = min(most, max(_CONDITION, _DIGITS / torch.finfo(dtype).eps))
    size = float(terms)
    return size <= limit * float(spread) or not math.isfinite(size)


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


def _vectors(source: Vectors, forms: list[Form]) -> Moments:
    """Return the moments of vectors."""
    if len(forms) == 1:
        terms, term = source.whole.sum(), source.constant
        spread = terms - source.count * term
        if not _sound(spread, terms, source.mean.dtype, _VARIED):
            spread = source.sizes.sum()
        return Moments(source.count, spread.view(1), term.view(1), source.mean.clone())
    spread = _all(forms, source.centred).sum(1)
    return Moments(source.count, spread, None, source.mean.clone())


def _factored(source: Rows, forms: list[Form], *, last: bool) -> Moments | None:
    """Return the moments of g_x = p_x q_xᵀ, or None where they would cancel."""
    d1, d2 = source.shape
    N = source.count
    few = last and 0.7 * N * (d1 + d2) < d1 * d2
    mean = None if few or len(forms) > 1 else source.mean()
    found = _uncentred(source, mean, last=last) if len(forms) == 1 else None
    if found is not None:
        return found
    left = source.left or Vectors(source.p[:, 0])
    right = source.right or Vectors(source.q[:, 0])
    p_mean, q_mean = left.mean, right.mean
    beta, alpha = left.centred, right.centred
    if mean is not None:  # its rounding errors are far below those of the spread
        H = mean.addr_(p_mean, q_mean, alpha=-1.0)
    else:
        H = None if few else torch.mm(beta.T, alpha).div_(N)
    if len(forms) == 1:
        return _factored_plain(left, right, H, last=last)
    middle = (
        _cross_grams(beta, alpha, forms) if H is None else _all(forms, H[None])[:, 0]
    )
    lefts = {id(f.left): _Side.of(beta, p_mean, f.left) for f in forms}
    rights = {id(f.right): _Side.of(alpha, q_mean, f.right) for f in forms}
    sides = [(lefts[id(f.left)], rights[id(f.right)]) for f in forms]
    pieces = torch.stack([_pieces(b, a) for b, a in sides])  # (forms, 3, N)
    spread = pieces.sum((1, 2)) - N * middle
    if not _sound(spread[0], pieces[0].abs().sum(), beta.dtype):
        return None
    constants = torch.stack([b.constant * a.constant for b, a in sides])
    mixed = torch.stack([(b.dual @ a.linear + b.linear @ a.dual) / N for b, a in sides])
    whole = None if last or H is None else H.addr_(p_mean, q_mean)
    return Moments(N, spread, constants + mixed + middle, whole)


def _uncentred(source: Rows, mean: Tensor | None, *, last: bool) -> Moments | None:
    """Return Σ|p|²|q|² − N|ḡ|² for A = I, or None where that would cancel.

    Per-sample gradients are mostly noise, and then nothing needs to be centred.
    """
    p, q, N = source.p[:, 0], source.q[:, 0], source.count
    if mean is None:
        sums = _plain_grams(p, q, giving_up=True)
        if sums is None:
            return None
        total, terms = sums
        term = total / N**2
    else:
        left = squares(p) if source.left is None else source.left.whole
        right = squares(q) if source.right is None else source.right.whole
        terms, term = torch.dot(left, right), _squares(mean)
    spread = terms - N * term
    if not _sound(spread, terms, p.dtype, _VARIED):
        return None
    return Moments(N, spread.view(1), term.view(1), None if last else mean)


def _factored_plain(
    b: Vectors, a: Vectors, H: Tensor | None, *, last: bool
) -> Moments | None:
    """Return the moments for A = I alone, in few operations."""
    N = b.count
    middle = _squares(H) if H is not None else _middle(b.centred, a.centred)
    whole = torch.add(a.sizes, a.along, alpha=2.0).add_(a.constant)
    first, second = torch.dot(b.sizes, whole), b.constant * a.sizes.sum()
    mixed = 2.0 * torch.dot(b.along, a.sizes + a.along)
    spread = first + second + mixed - N * middle
    terms = first + second + mixed.abs()
    if not _sound(spread, terms, b.mean.dtype):
        return None
    term = b.constant * a.constant + torch.dot(b.along, a.along) * (2.0 / N) + middle
    mean = None if last or H is None else H.addr_(b.mean, a.mean)
    return Moments(N, spread.view(1), term.view(1), mean)


def _squares(H: Tensor) -> Tensor:
    return squares(H).sum()


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


def _middle(beta: Tensor, alpha: Tensor) -> Tensor:
    """Return ‖E[βαᵀ]‖² by Gram matrices."""
    sums = _plain_grams(beta, alpha, giving_up=False)
    assert sums is not None
    return sums[0] / len(beta) ** 2


def _plain_grams(
    p: Tensor, q: Tensor, *, giving_up: bool
) -> tuple[Tensor, Tensor] | None:
    """Return Σ (p_x·p_y)(q_x·q_y) over all pairs and over x = y; half of them will do.

    Args:
        p: shape (N, d1).
        q: shape (N, d2).
        giving_up: whether to stop where the first rows show that the pairs are much
            like x = y, so that their difference would cancel.

    Returns:
        Both sums, float64; None where it stopped.
    """
    N = len(p)
    step = max(_BLOCK, -(-N // 8))
    total = p.new_zeros((), dtype=torch.float64)
    same = p.new_zeros((), dtype=torch.float64)
    for low in range(0, N, step):
        rows, other = p[low : low + step], q[low : low + step]
        K = (rows @ p[low:].T).mul_(other @ q[low:].T)
        sizes, own = K.sum(0).double(), K.diagonal().double().sum()
        n = len(rows)
        total += 2.0 * sizes.sum() - sizes[:n].sum()
        same += own
        if giving_up and low == 0 and float(sizes.sum()) > _ALIKE * N * float(own):
            return None
    return total, same


def _gram_pays(source: Rows | Lookup) -> bool:
    """Decide whether T × T Gram matrices cost less than the gradients themselves."""
    T, d2 = source.q.shape[1:]
    d1 = source.size if isinstance(source, Lookup) else source.p.shape[2]
    inner = d2 if isinstance(source, Lookup) else d1 + d2
    return 2.0 * T * T * (inner + _PASS) < 3.0 * _PASS * d1 * d2


def _gram(source: Rows | Lookup, forms: list[Form]) -> Moments | None:
    """Return the moments by Gram matrices, or None where they would cancel."""
    N, T = source.count, source.q.shape[1]
    mean = source.mean()
    step = max(1, CACHED // (T * T))
    parts, diagonal = [], []
    for low in range(0, N, step):
        high = min(low + step, N)
        lefts = {id(f.left): source.left_gram(f.left, low, high) for f in forms}
        rights = {id(f.right): source.right_gram(f.right, low, high) for f in forms}
        both = [lefts[id(f.left)] * rights[id(f.right)] for f in forms]
        diagonal.append(both[0].diagonal(dim1=1, dim2=2).sum())
        parts.append(torch.stack([product.sum(2) for product in both]))
    total = torch.cat(parts, 1).sum((1, 2), dtype=torch.float64)
    centre = _all(forms, mean[None])[:, 0]
    spread = total - N * centre
    if not _sound(spread[0], sum(diagonal, total[0].abs()), mean.dtype):
        return None
    return Moments(N, spread, centre, mean)


def _explicit(source: Source, forms: list[Form]) -> Moments:
    """Return the moments from the gradients themselves, a few at a time."""
    if isinstance(source, Direct) and at_a_time(source, CACHED) >= source.count:
        G = source.samples(0, source.count)
        mean = G.mean(0)
        spread = _all(forms, G - mean).sum(1)
        return Moments(source.count, spread, None, mean)
    first, spread, apart, poor = _about(source, forms, None)
    mean = apart if first is None else apart.add_(first)
    if poor:
        mean, spread, apart, _ = _about(source, forms, mean)
        assert mean is not None
        mean = apart.add_(mean)
    return Moments(source.count, spread, None, mean)


def _about(
    source: Source, forms: list[Form], reference: Tensor | None
) -> tuple[Tensor | None, Tensor, Tensor, bool]:
    """Go through the samples once, with gradients less a reference.

    Args:
        source: the gradients.
        forms: the first one is the identity.
        reference: near the mean. None for the mean of the first few samples, or zero
            where these vary enough that nothing cancels.

    Returns:
        The reference (None is zero), the spreads, the mean less the reference, and
        whether the reference was too far from the mean.
    """
    step = at_a_time(source, CACHED)
    shift: Tensor | None = None
    total: Tensor | None = None
    room = _workspace(source, step) if isinstance(source, Rows) else None
    for low in range(0, source.count, step):
        high = min(low + step, source.count)
        h = _less(source, reference, low, high, room)
        sizes, sums = _sums(forms, h)
        if total is None and reference is None and _alike(forms, sizes, sums, len(h)):
            reference = sums / len(h)
            sizes, sums = _sums(forms, h - reference)
        total = sizes if total is None else total.add_(sizes)
        shift = sums.clone() if shift is None else shift.add_(sums)
    assert shift is not None
    assert total is not None
    apart = shift.div_(source.count)
    spread = total - source.count * _all(forms, apart.unsqueeze(0))[:, 0]
    return reference, spread, apart, bool(spread[0] < _POOR * total[0])


def _workspace(source: Rows, n: int) -> Tensor:
    """Return memory for n gradients, shape (n, d1, d2): fresh pages cost more.

    What it holds is lost at the next call; every thread has its own, of 1 MB.
    """
    key, numbers = (source.p.dtype, source.p.device), n * math.prod(source.shape)
    held: dict[object, Tensor] = _LOCAL.__dict__
    flat = held.get(str(key))
    if flat is None or len(flat) < numbers:
        flat = source.p.new_empty(numbers)
        if numbers <= CACHED:
            held[str(key)] = flat
    return flat[:numbers].view(n, *source.shape)


def _less(
    source: Source, reference: Tensor | None, low: int, high: int, room: Tensor | None
) -> Tensor:
    """Return gradients less a reference, in the room where they can be made there."""
    if room is not None and isinstance(source, Rows):
        return source.minus(reference, low, high, room)
    G = source.samples(low, high)
    return G if reference is None else G - reference


def _sums(forms: list[Form], h: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ hᵀAh for every form, and Σ h."""
    return _all(forms, h).sum(1), h[0] if len(h) == 1 else h.sum(0)


def _alike(forms: list[Form], sizes: Tensor, sums: Tensor, n: int) -> bool:
    """Decide whether n gradients are so alike that their mean must be taken off."""
    return not float(forms[0].of(sums[None])) < (1.0 - 2 * _POOR) * n * float(sizes[0])

"""Tr[Σ(L ⊗ R)] of one parameter over one batch, by the cheapest route that is accurate.

*factored* (`_factored`): g_x = p_x q_xᵀ, by inner products.

*gram*: g_x = Σ_t p_xt q_xtᵀ by T × T Gram matrices, not centred. Where that would lose
digits, which shows in the sizes of the terms, the batch goes the third way.

*explicit*: g_x less a reference, for a few samples at a time.
"""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor

from numeric._noise._factored import factored
from numeric._noise._forms import (
    VARIED,
    Form,
    Moments,
    all_forms,
    forms_of_one,
    sound,
)
from numeric._noise._kernels import gram_pays, gram_sums
from numeric._noise._product import product_square
from numeric._noise._sources import (
    Direct,
    Lookup,
    Rows,
    Source,
    Vectors,
    at_a_time,
    total_square,
)


CACHED = 1 << 18  # numbers of per-sample gradients at a time: 1 MB in float32
_LOCAL = threading.local()
_POOR = 0.1  # share of the squares about a reference that must be the spread
_PASS = 25.0  # flops in the time one number of a cached matrix is written and read


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
        return _vectors(source, forms, last=last)
    if isinstance(source, Rows) and source.p.shape[1] == 1:
        found = factored(source, forms, last=last)
    elif isinstance(source, (Rows, Lookup)) and _gram_pays(source):
        found = _gram(source, forms, last=last)
    return _explicit(source, forms) if found is None else found


def _vectors(source: Vectors, forms: list[Form], *, last: bool) -> Moments:
    """Return the moments of vectors."""
    mean = None if last else source.mean.clone()
    if len(forms) == 1:
        terms, term = source.squares
        spread = terms - source.count * term
        if not sound(spread, terms, source.dtype, VARIED):
            spread = float(source.sizes.sum())
        return Moments(source.count, (spread,), (term,), mean)
    spreads = tuple(all_forms(forms, source.centred).sum(1).tolist())
    return Moments(source.count, spreads, forms_of_one(forms, source.mean), mean)


def _gram_pays(source: Rows | Lookup) -> bool:
    """Decide whether T × T Gram matrices cost less than the gradients themselves."""
    T, d2 = source.q.shape[1:]
    d1 = source.size if isinstance(source, Lookup) else source.p.shape[2]
    inner = d2 if isinstance(source, Lookup) else d1 + d2
    quick = isinstance(source, Rows) and gram_pays(source.p, source.q)
    each = 1.0 if quick else 2.0  # by symmetry half of the products
    return each * T * T * (inner + _PASS) < 3.0 * _PASS * d1 * d2


def _gram(source: Rows | Lookup, forms: list[Form], *, last: bool) -> Moments | None:
    """Return the moments by Gram matrices, or None where they would cancel."""
    N, dtype = source.count, source.q.dtype
    sums, centre = _centre(source, forms, last=last)
    totals, diagonal = _gram_totals(source, forms)
    spread = tuple(t - c / N for t, c in zip(totals, centre, strict=True))
    if not sound(spread[0], diagonal + abs(totals[0]), dtype):
        return None
    # A form may see only what varies little.
    if not all(
        sound(abs(s), abs(t), dtype) for s, t in zip(spread, totals, strict=True)
    ):
        return None
    mean = None if last or sums is None else sums.div_(N)
    return Moments(N, spread, tuple(c / N**2 for c in centre), mean)


def _centre(
    source: Rows | Lookup, forms: list[Form], *, last: bool
) -> tuple[Tensor | None, tuple[float, ...]]:
    """Return Σ g, or None where its size alone is had for less, and forms of it."""
    if last and len(forms) == 1 and isinstance(source, Rows):
        p, q = source.p.flatten(0, 1), source.q.flatten(0, 1)
        square = product_square(p, q)
        if square is not None:
            return None, (square,)
    sums = source.total()
    return sums, forms_of_one(forms, sums)


def _gram_totals(source: Rows | Lookup, forms: list[Form]) -> tuple[list[float], float]:
    """Return Σ_x g_xᵀAg_x for every form, and for the first the part of s = t."""
    N, T = source.count, source.q.shape[1]
    if len(forms) == 1 and isinstance(source, Rows) and gram_pays(source.p, source.q):
        total, diagonal = gram_sums(source.p, source.q)
        return [total], diagonal
    step = max(1, CACHED // (T * T))
    totals, diagonal = [0.0] * len(forms), 0.0
    for low in range(0, N, step):
        high = min(low + step, N)
        lefts = {id(f.left): source.left_gram(f.left, low, high) for f in forms}
        rights = {id(f.right): source.right_gram(f.right, low, high) for f in forms}
        for k, form in enumerate(forms):
            both = lefts[id(form.left)] * rights[id(form.right)]
            totals[k] += float(both.sum(dtype=torch.float64))
            if k == 0:
                diagonal += float(both.diagonal(dim1=1, dim2=2).sum())
    return totals, diagonal


def _explicit(source: Source, forms: list[Form]) -> Moments:
    """Return the moments from the gradients themselves, a few at a time."""
    if isinstance(source, Direct) and at_a_time(source, CACHED) >= source.count:
        G = source.samples(0, source.count)
        mean = G.mean(0)
        spreads = all_forms(forms, G - mean).sum(1).tolist()
        return Moments(source.count, tuple(spreads), None, mean)
    first, spread, apart, poor = _about(source, forms, None)
    mean = apart if first is None else apart.add_(first)
    if poor:
        _, spread, apart, _ = _about(source, forms, mean)
        mean = apart.add_(mean)
    return Moments(source.count, spread, None, mean)


def _about(
    source: Source, forms: list[Form], reference: Tensor | None
) -> tuple[Tensor | None, tuple[float, ...], Tensor, bool]:
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
    total = [0.0] * len(forms)
    room = _workspace(source, step) if isinstance(source, Rows) else None
    for low in range(0, source.count, step):
        high = min(low + step, source.count)
        h = _less(source, reference, low, high, room)
        sizes, sums = _sums(forms, h)
        if low == 0 and reference is None and _alike(sizes, forms, sums, len(h)):
            reference = sums / len(h)
            sizes, sums = _sums(forms, h - reference)
        total = [t + size for t, size in zip(total, sizes, strict=True)]
        shift = sums.clone() if shift is None else shift.add_(sums)
    assert shift is not None
    apart = shift.div_(source.count)
    both = zip(total, forms_of_one(forms, apart), strict=True)
    spread = tuple(t - source.count * a for t, a in both)
    poor = any(abs(s) < _POOR * abs(t) for s, t in zip(spread, total, strict=True))
    return reference, spread, apart, poor


def _workspace(source: Rows, n: int) -> Tensor:
    """Return memory for n gradients, shape (n, d1, d2): fresh pages cost more.

    What it holds is lost at the next call; every thread has its own, of 1 MB.
    """
    key = f"{source.p.dtype} {source.p.device}"
    numbers = n * math.prod(source.shape)
    held: dict[str, Tensor] = _LOCAL.__dict__
    flat = held.get(key)
    if flat is None or len(flat) < numbers:
        flat = source.p.new_empty(numbers)
        if numbers <= CACHED:
            held[key] = flat
    return flat[:numbers].view(n, *source.shape)


def _less(
    source: Source, reference: Tensor | None, low: int, high: int, room: Tensor | None
) -> Tensor:
    """Return gradients less a reference, in the room where they can be made there."""
    if room is not None and isinstance(source, Rows):
        return source.minus(reference, low, high, room)
    G = source.samples(low, high)
    return G if reference is None else G - reference


def _sums(forms: list[Form], h: Tensor) -> tuple[tuple[float, ...], Tensor]:
    """Return Σ hᵀAh for every form, and Σ h."""
    sums = h[0] if len(h) == 1 else h.sum(0)
    if len(forms) == 1:
        return (total_square(h),), sums
    return tuple(all_forms(forms, h).sum(1).tolist()), sums


def _alike(sizes: tuple[float, ...], forms: list[Form], sums: Tensor, n: int) -> bool:
    """Decide whether n gradients are so alike, in one form, that their mean must go."""
    whole = forms_of_one(forms, sums)
    most = (1.0 - 2 * _POOR) * n
    return any(
        not abs(w) < most * abs(size) for w, size in zip(whole, sizes, strict=True)
    )

"""Sums over rows by kernels: against float64, at any size and distance of rows."""

from __future__ import annotations

from typing import Any

import pytest


torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from hypothesis import given, settings, strategies as st  # noqa: E402

from numeric import noise_trace, rescaling  # noqa: E402
from numeric._noise import (  # noqa: E402
    _factored,
    _generator,
    _kernels,
    _moments,
    _product,
    _sources,
)


DTYPES = st.sampled_from([torch.float32, torch.float64])
SEEDS = st.integers(0, 1000)
# Sums of up to a few thousand squares: their relative error is some roundings.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}


def drawn(shape: tuple[int, ...], dtype: Any, seed: int, *, apart: bool) -> Any:
    """Return random rows; `apart` from each other, with other numbers between."""
    stream = torch.Generator().manual_seed(seed)
    if not apart:
        return torch.randn(*shape, dtype=dtype, generator=stream)
    wide = torch.randn(*shape[:-1], shape[-1] + 3, dtype=dtype, generator=stream)
    if len(shape) > 2:  # positions before samples
        wide = wide.transpose(0, 1).contiguous().transpose(0, 1)
    return wide[..., 2:-1]


def close(found: float, expected: Any, dtype: Any) -> bool:
    return abs(found - float(expected)) <= TOLERANCE[dtype] * float(expected)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(1, 4),
    st.integers(1, 11),
    st.tuples(st.integers(16, 70), st.integers(16, 70)),
    st.tuples(st.booleans(), st.booleans()),
    DTYPES,
    SEEDS,
)
def test_gram_and_row_sums(
    N: int,
    T: int,
    widths: tuple[int, int],
    apart: tuple[bool, bool],
    dtype: Any,
    seed: int,
) -> None:
    p, q = (
        drawn((N, T, d), dtype, seed + k, apart=a)
        for k, (d, a) in enumerate(zip(widths, apart, strict=True))
    )
    P, Q = p.double(), q.double()
    both = (P @ P.mT) * (Q @ Q.mT)
    total, same = _kernels.gram_sums(p, q)
    sizes, size = _kernels.row_sums(p)

    assert _kernels.fits(p, q)
    assert close(total, both.sum(), dtype)
    assert close(same, both.diagonal(dim1=1, dim2=2).sum(), dtype)
    assert close(sizes, P.sum(1).square().sum(), dtype)
    # Rounding of the sums over t, which may cancel in the sum over samples.
    gap = abs(size - float(P.sum((0, 1)).square().sum()))
    assert gap <= TOLERANCE[dtype] * float(P.abs().sum((0, 1)).square().sum())


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 300), DTYPES, SEEDS)
def test_square_sums(n: int, dtype: Any, seed: int) -> None:
    """In float64 whatever the precision of the numbers."""
    x = drawn((n,), dtype, seed, apart=False)
    found = _kernels.square_sum(x)

    assert found is not None
    assert abs(found - float(x.double().square().sum())) <= 1e-14 * found


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 600])),
    st.tuples(st.integers(16, 150), st.integers(16, 150)),
    st.booleans(),
    SEEDS,
)
def test_squares_of_products(
    K: int, widths: tuple[int, int], apart: bool, seed: int
) -> None:
    """Tiles and what is left of them on either side, in one stretch of rows or more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_product, "_leaves_half", lambda: True)
        p, q = (
            drawn((K, d), torch.float32, seed + k, apart=apart)
            for k, d in enumerate(widths)
        )
        found = _product.product_square(p, q)

    assert found is not None
    assert close(found, (p.double().T @ q.double()).square().sum(), torch.float32)


def test_what_kernels_do_not_take() -> None:
    """Other kinds of numbers, rows that are not contiguous, and short ones."""
    rows = torch.randn(3, 4, 20)

    assert _kernels.fits(rows)
    assert not _kernels.fits(rows.bfloat16())
    assert not _kernels.fits(rows[..., ::2].expand(3, 4, 10))
    assert not _kernels.fits(rows.transpose(1, 2))
    assert not _kernels.fits(rows[..., :15])
    assert not _kernels.fits(rows, rows.double())
    assert not _kernels.fits(rows.to("meta"))
    nothing = torch._efficientzerotensor((3, 4, 20))
    assert not _kernels.fits(nothing)
    assert _kernels.square_sum(nothing) is None
    assert _kernels.square_sum(rows.transpose(1, 2)) is None
    assert _kernels.square_sum(torch.ones(3, dtype=torch.int64)) is None
    assert _product.product_square(rows[0].double(), rows[0].double()) is None


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Layers of sequences, of short ones and of single rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(24, 40)
        self.second = torch.nn.Linear(40, 18)
        self.scale = torch.nn.LayerNorm(18)
        self.last = torch.nn.Linear(18, 33)
        self.out = torch.nn.Linear(33, 4)

    def forward(self, x: Any) -> Any:
        """Map [N, T, 24] to [N, 4]."""
        rows = self.scale(self.second(torch.tanh(self.first(x))))
        return self.out(torch.relu(self.last(rows.mean(1))))


@pytest.mark.parametrize("spread", [1.0, 1e-3])
@pytest.mark.parametrize("T", [1, 5])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_with_and_without_kernels(
    T: int, spread: float, batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same noise, to the accuracy that is promised; streamed, and almost alike."""
    torch.manual_seed(0)
    net, N = Net(), 20
    x = torch.randn(1, T, 24) + spread * torch.randn(N, T, 24)
    y = torch.randn(1, 4) + spread * torch.randn(N, 4)
    lines = [rescaling(net, "first", "second"), rescaling(net, "last", "out")]

    def measured(kind: Any) -> list[tuple[Any, ...]]:
        net.to(kind)
        data = (x.to(kind), y.to(kind))
        found = noise_trace(net, loss, data, lines, batch_size=batch_size)
        return [(r.trace, r.mean_term, r.charge) for r in found]

    def loss(out: Any, target: Any) -> Any:
        return (out - target).square().sum()

    exact = measured(torch.float64)
    monkeypatch.setattr(_product, "_leaves_half", lambda: True)
    single, double = measured(torch.float32), measured(torch.float64)
    for module in (_kernels, _factored, _generator, _moments, _sources):
        for name, value in {
            "AVAILABLE": False,
            "pays": lambda *_: False,
            "product_square": lambda *_: None,
            "gram_pays": lambda *_: False,
            "square_sum": lambda _: None,
            "fits": lambda *_: False,
        }.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    without = measured(torch.float32)
    for row, more, less, best in zip(double, single, without, exact, strict=True):
        for a, b, c, d in zip(row, more, less, best, strict=True):
            assert a == pytest.approx(d, rel=1e-9)
            assert b == pytest.approx(d, rel=2e-3)
            assert b == pytest.approx(c, rel=2e-3)

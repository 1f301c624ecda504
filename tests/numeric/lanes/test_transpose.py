"""Rows of memory, read into lanes column by column."""

from __future__ import annotations

import numpy as np
import pytest

from numeric._lanes.builder import Kernel, lanes
from numeric._lanes.compiler import AVAILABLE, POINTER
from numeric._lanes.transpose import chunk, read_columns


pytestmark = pytest.mark.skipif(not AVAILABLE, reason="llvmlite is not installed")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("column", [0, 3])
def test_columns_hold_the_rows_of_the_lanes(
    dtype: str, count: int, column: int
) -> None:
    """Lane l of vector c is entry (row of l, column + c), rows in any order."""
    width, columns = lanes(dtype), 11
    table = np.arange(40 * columns, dtype=dtype).reshape(40, columns)
    rows = np.random.default_rng(count).integers(0, 40, width)
    kernel = Kernel("columns", dtype, {"table": POINTER, "out": POINTER})
    starts = [kernel.index(int(row) * columns) for row in rows]
    given = kernel.arguments
    vectors = read_columns(kernel, given["table"], starts, column, count)
    for c, vector in enumerate(vectors):
        kernel.store_at(given["out"], kernel.index(c * width), vector)
    out = np.full((count, width), np.nan, dtype=dtype)

    kernel.compile()(table, out)

    np.testing.assert_array_equal(out, table[rows, column : column + count].T)


def test_a_chunk_is_no_wider_than_the_row() -> None:
    assert [chunk(n) for n in (0, 1, 2, 3, 4, 7, 8, 100)] == [1, 1, 2, 2, 4, 4, 8, 8]

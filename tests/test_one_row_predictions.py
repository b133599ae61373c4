# SPDX-License-Identifier: Apache-2.0
"""Predictions of one row, and into the memory of x."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import plain

import chainrule as cr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["float32", "float64", "uint8", "int64", "strided", "list"])
def test_a_row_of_one_dimension_is_a_table_of_one_row(dtype: str, form: str) -> None:
    net = plain(dtype)
    table: Any = np.arange(20).reshape(4, 5)
    if form not in ("strided", "list"):
        table = table.astype(form)
    row = np.repeat(table[2], 2)[::2] if form == "strided" else table[2]
    if form == "list":
        row = row.tolist()
    np.testing.assert_array_equal(net.predict(row), net.predict(table)[2:3])
    out = np.empty((1, 2), dtype)
    assert net.predict(row, out=out) is out
    np.testing.assert_array_equal(out, net.predict(table)[2:3])
    with pytest.raises(ValueError, match="x has 4 columns; the network expects 5"):
        net.predict(row[:4])
    bad = np.array([0.0, 1, np.nan, 3, 4])
    with pytest.raises(ValueError, match="row 0, column 2 is NaN"):
        net.predict(bad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [-15, -3, 0, 1, 9, 40])
@pytest.mark.parametrize("threads", [None, 2])
def test_outputs_in_the_memory_of_x_are_right(dtype: str, shift: int, threads: int | None) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(64), cr.Dense(3)], seed=0, dtype=dtype)
    memory = np.zeros(3000, dtype)
    x = memory[1000:1600].reshape(200, 3)
    x[:] = np.random.default_rng(0).normal(size=(200, 3))
    expected = net.predict(x.copy(), batch_size=32)
    out = memory[1000 + shift : 1600 + shift].reshape(200, 3)
    assert net.predict(x, out=out, batch_size=32, num_threads=threads) is out
    np.testing.assert_array_equal(out, expected)


def test_outputs_in_the_memory_of_sparse_x_are_right() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    net = cr.Sequential([cr.Input(3), cr.Dense(3)], seed=0, dtype="float64")
    x = sparse.csr_array(np.random.default_rng(0).normal(size=(50, 3)))
    expected = net.predict(x.toarray())
    out = x.data.reshape(50, 3)
    assert net.predict(x, out=out) is out
    np.testing.assert_array_equal(out, expected)

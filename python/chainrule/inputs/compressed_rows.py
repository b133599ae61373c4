# SPDX-License-Identifier: Apache-2.0
"""Rows that the core reads, of tables or of SciPy's sparse matrices, which stay compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_features, numeric, readable
from chainrule.inputs.containers import as_csr, is_sparse

Rows = NDArray[Any] | _core.CompressedRows
"""What the core reads rows of features, and of targets, from."""


def as_rows(x: object, *, name: str = "x", allow_single: bool = False) -> Rows:
    """Return features as the core reads them: a table, or sparse ones in compressed rows."""
    if not is_sparse(x):
        return as_features(x, name=name, allow_single=allow_single)
    csr = as_csr(x, name=name)
    rows = _compressed(csr, name)
    if not rows.rises:
        # Sums of small integers may not fit their type.
        csr = csr.astype(np.result_type(csr.dtype, np.float32), copy=True)
        # SciPy trusts offsets, which another thread may have changed before they were copied.
        _compressed(csr, name)
        csr.sum_duplicates()
        rows = _compressed(csr, name)
    return rows


def as_table(rows: Rows) -> NDArray[Any]:
    """Return rows as a table: tables as they are, compressed ones written out, zeros and all."""
    if isinstance(rows, np.ndarray):
        return rows
    values, columns = stored(rows)
    small = np.isin(values, (0, 1)).all()
    table = np.zeros(rows.shape, np.uint8 if small else values.dtype)
    table[np.repeat(np.arange(len(rows)), np.diff(rows.offsets)), columns] = values
    return table


def stored(rows: _core.CompressedRows) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the values and the columns that compressed rows hold, one row's behind the other's."""
    part = slice(rows.offsets[0], rows.offsets[-1])
    return rows.data[part], rows.indices[part]


def taken_rows(rows: Rows, numbers: NDArray[np.int64]) -> Rows:
    """Return a copy of the rows of these numbers, in their order."""
    if isinstance(rows, np.ndarray):
        return rows[numbers]
    first, count = rows.offsets[:-1][numbers], np.diff(rows.offsets)[numbers]
    offsets = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    places = np.repeat(first - offsets[:-1], count) + np.arange(offsets[-1])
    return _core.CompressedRows(
        rows.data[places], rows.indices[places], offsets, rows.shape[1], "rows"
    )


def _compressed(csr: Any, name: str) -> _core.CompressedRows:
    data = np.ascontiguousarray(readable(numeric(np.asarray(csr.data), name)))
    indices, offsets = (
        np.ascontiguousarray(array, dtype=np.int32 if array.dtype == np.int32 else np.int64)
        for array in (np.asarray(csr.indices), np.asarray(csr.indptr))
    )
    return _core.CompressedRows(data, indices, offsets, csr.shape[1], name)

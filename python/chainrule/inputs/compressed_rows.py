# SPDX-License-Identifier: Apache-2.0
"""Rows that the core reads, of tables or of SciPy's sparse matrices, which stay compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_features, numeric, readable
from chainrule.inputs.containers import as_csr, is_sparse

__all__ = ["Rows", "as_rows", "as_table", "stored"]

Rows = NDArray[Any] | _core.CompressedRows
"""What the core reads rows of features, and of targets, from."""


def as_rows(x: object, *, name: str = "x", allow_single: bool = False) -> Rows:
    """Return features as the core reads them: `as_features` of tables, or compressed sparse rows.

    Parameters
    ----------
    x : array-like or SciPy sparse matrix or array, shape (rows, features)
        Compressed sparse rows are read in place, memory-mapped ones too, if their values are uint8,
        float32 or float64. Other formats are converted, with a warning; rows that
        hold a column twice, which SciPy takes as a sum, or out of order are put right in a copy.
    name : str, default "x"
        What error messages call it.
    allow_single : bool, default False
        Take a 1-D `x` as one row.

    Returns
    -------
    ndarray or CompressedRows, shape (rows, features)

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If `x` has another shape, is empty, or its indices are out of range.

    Warns
    -----
    UserWarning
        If `x` is sparse in another format than CSR.

    Examples
    --------
    >>> import scipy.sparse
    >>> as_rows(scipy.sparse.eye_array(3, 4, format="csr")).shape
    (3, 4)
    """
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
    """Return rows as a table: tables as they are, compressed ones written out, zeros and all.

    Parameters
    ----------
    rows : ndarray or CompressedRows, shape (rows, columns)
        As `as_rows` returns them.

    Returns
    -------
    ndarray, shape (rows, columns)
        Of compressed rows that hold nothing but 0 and 1 uint8, else of their values' dtype.

    Examples
    --------
    >>> import scipy.sparse
    >>> as_table(as_rows(scipy.sparse.eye_array(2, 3, format="csr")))
    array([[1, 0, 0],
           [0, 1, 0]], dtype=uint8)
    """
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


def _compressed(csr: Any, name: str) -> _core.CompressedRows:
    data = np.ascontiguousarray(readable(numeric(np.asarray(csr.data), name)))
    indices, offsets = (
        np.ascontiguousarray(array, dtype=np.int32 if array.dtype == np.int32 else np.int64)
        for array in (np.asarray(csr.indices), np.asarray(csr.indptr))
    )
    return _core.CompressedRows(data, indices, offsets, csr.shape[1], name)

# SPDX-License-Identifier: Apache-2.0
"""Writing the text format of SVMlight and LIBSVM so that it reads back to the same numbers."""

from __future__ import annotations

from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.atomic_file import write_atomically
from chainrule.data.encoding import LARGEST_WHOLE
from chainrule.inputs.arrays import as_numbers

# A scipy.sparse.csr_array, which has no types.
Csr: TypeAlias = Any

# As an integer: compared with a float, large integers are rounded.
_LARGEST_WHOLE = int(LARGEST_WHOLE)


def save_svmlight(path: str | PathLike[str], x: Any, y: Any) -> None:
    r"""Write sparse features and labels as text, compressed by gzip if the name ends in ``.gz``.

    Indices count from 1, so that `load_svmlight` and LIBSVM read what was meant. The file appears
    under its name only when it is complete; its text is held in memory until then.

    Parameters
    ----------
    path : path-like
        Where to write; an existing file is replaced.
    x : sparse or dense matrix, shape (rows, features)
        The features; zeros that are not stored are not written. Booleans are written as 0 and 1.
    y : array-like, shape (rows,), or sparse or dense matrix of 0 and 1, shape (rows, classes)
        A label a row, or where rows have the label of each column. What float32 holds reads back as
        it was; numbers of more digits do so with ``dtype="float64"``.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If shapes do not fit, there are no rows, a number is not exact in float64, an entry of a
        matrix of labels is not 0 or 1, or a row would be a blank line, having neither label nor
        feature. In any case nothing has been written.
    ImportError
        If SciPy is not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.svm"
    >>> save_svmlight(path, np.array([[0, 0.5], [2, 0]]), [3, 7])
    >>> path.read_text()
    '3 2:0.5\n7 1:2.0\n'
    """
    sparse = _scipy_sparse()
    features = _matrix(sparse, x, "x")
    if features.ndim != 2:
        raise ValueError(f"x has shape {features.shape}, expected (rows, features)")
    rows = features.shape[0]
    if rows == 0:
        raise ValueError(f"x is empty: shape {features.shape}")
    labels = _labels(sparse, y, rows)
    indices = (features.indices.astype(np.int64) + 1).tolist()
    entries = list(map("{}:{}".format, indices, _texts(features.data)))
    lines = [
        f"{label} {entry}".strip()
        for label, entry in zip(labels, _line_parts(features.indptr, entries, " "), strict=True)
    ]
    if "" in lines:
        raise ValueError(f"row {lines.index('')} has neither label nor feature")
    contents = "".join(f"{line}\n" for line in lines).encode()
    target = Path(path)
    if target.suffix == ".gz":
        import gzip

        contents = gzip.compress(contents, mtime=0)
    write_atomically(target, contents)


def _labels(sparse: Any, y: Any, rows: int) -> list[str]:
    """Return what stands before the features of each row."""
    if not sparse.issparse(y):
        y = as_numbers(y, name="y")
    if y.ndim not in (1, 2) or y.shape[0] != rows:
        raise ValueError(f"x has {rows} rows but y has shape {y.shape}")
    if y.ndim == 1 and not sparse.issparse(y):
        return _texts(_exact(y, "y", lambda i: f"y[{i}]"))
    if y.shape[1:] == (1,) and not sparse.issparse(y):
        raise ValueError(
            f"y has shape {y.shape}, which may be a label a row or an only class; pass y.ravel() "
            f"or a sparse matrix"
        )
    if y.ndim == 1:
        raise ValueError(f"y is sparse of shape {y.shape}, expected (rows, classes)")
    indicator = _matrix(sparse, y, "y")
    indicator.eliminate_zeros()
    if (indicator.data != 1).any():
        at = int((indicator.data != 1).argmax())
        raise ValueError(
            f"y[{_place(indicator, at)}] = {indicator.data[at]}, expected 0 or 1: which labels "
            f"the row has"
        )
    return _line_parts(indicator.indptr, list(map(str, indicator.indices.tolist())), ",")


def _matrix(sparse: Any, matrix: Any, name: str) -> Csr:
    """Return a matrix as compressed rows of real numbers, sorted and each column once."""
    if sparse.issparse(matrix):
        # Entries of one place are added, and sums of small integers may not fit their type.
        if matrix.dtype.kind in "iu" and matrix.dtype.itemsize < 8:
            matrix = matrix.astype(np.int64)
        compressed = sparse.csr_array(matrix, copy=True)
        compressed.data = as_numbers(compressed.data, name=name)
    else:
        table = as_numbers(matrix, name=name)
        # SciPy has no matrices of half precision or another byte order.
        native = np.dtype(np.float32) if table.dtype == np.float16 else table.dtype
        compressed = sparse.csr_array(table.astype(native.newbyteorder("=")))
    compressed.sum_duplicates()
    compressed.data = _exact(compressed.data, name, lambda at: f"{name}[{_place(compressed, at)}]")
    return compressed


def _place(compressed: Csr, at: int) -> str:
    row = int(np.searchsorted(compressed.indptr, at, side="right")) - 1
    return f"{row}, {compressed.indices[at]}"


def _exact(values: NDArray[Any], name: str, place: Any) -> NDArray[Any]:
    """Return numbers whose texts are those of the same float64; ValueError if they have none."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return values.astype(np.uint8)
    if kind in "iu" and size == 8:
        large = np.flatnonzero((values > _LARGEST_WHOLE) | (values < -_LARGEST_WHOLE))
        inexact = [i for i in large.tolist() if int(float(values[i])) != int(values[i])]
    elif kind == "f" and size > 8:
        with np.errstate(over="ignore"):
            converted = values.astype(np.float64)
        inexact = np.flatnonzero((converted != values) & ~np.isnan(values)).tolist()
        values = values if inexact else converted
    else:
        return values
    if inexact:
        raise ValueError(
            f"{place(inexact[0])} = {values[inexact[0]]!s} is not exact in float64, as which files "
            f"are read"
        )
    return values


def _texts(values: NDArray[Any]) -> list[str]:
    """Return the texts of numbers, with as many digits as their type needs."""
    if values.dtype == np.float32:
        return list(map("{:.9g}".format, values.tolist()))
    return list(map(repr, values.tolist()))


def _line_parts(offsets: NDArray[Any], entries: list[str], separator: str) -> list[str]:
    row_offsets = offsets.tolist()
    return [separator.join(entries[a:b]) for a, b in pairwise(row_offsets)]


def _scipy_sparse() -> Any:
    try:
        import scipy.sparse
    except ImportError as error:
        raise ImportError('save_svmlight needs SciPy: pip install "chainrule[sparse]"') from error
    return scipy.sparse

# SPDX-License-Identifier: Apache-2.0
"""Reading the text format of SVMlight and LIBSVM: a line a row, ``label index:value``..."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import IO, Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from chainrule.data.encoding import label_numbers
from chainrule.data.growing_array import GrowingArray
from chainrule.data.source import open_source
from chainrule.data.svmlight_rows import Format, Rows, parse, parse_lines, without_comments
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

__all__ = ["load_svmlight", "scipy_sparse"]

ValueType: TypeAlias = Literal["float32", "float64"]
# A scipy.sparse.csr_array, which has no types.
Csr: TypeAlias = Any

_VALUE_TYPES = ("float32", "float64")
# The arrays that a piece of this size becomes fit into a cache.
_PIECE = 1 << 18
_LARGEST_INT32 = 2**31 - 1


@overload
def load_svmlight(
    path: str | PathLike[str],
    *,
    n_features: int | None = None,
    zero_based: bool | Literal["auto"] = "auto",
    multilabel: bool = False,
    query_id: Literal[False] = False,
    dtype: ValueType = "float32",
    max_bytes: int | None = None,
) -> tuple[Csr, Any]: ...


@overload
def load_svmlight(
    path: str | PathLike[str],
    *,
    n_features: int | None = None,
    zero_based: bool | Literal["auto"] = "auto",
    multilabel: bool = False,
    query_id: Literal[True],
    dtype: ValueType = "float32",
    max_bytes: int | None = None,
) -> tuple[Csr, Any, NDArray[np.int64]]: ...


def load_svmlight(
    path: str | PathLike[str],
    *,
    n_features: int | None = None,
    zero_based: bool | Literal["auto"] = "auto",
    multilabel: bool = False,
    query_id: bool = False,
    dtype: ValueType = "float32",
    max_bytes: int | None = None,
) -> tuple[Any, ...]:
    r"""Read sparse features and labels from a text file of SVMlight or LIBSVM.

    The file is read in pieces, so memory is needed for the result and little else.

    Parameters
    ----------
    path : path-like
        The file, plain or compressed by gzip (told by its contents), or a pipe such as
        ``/dev/stdin``.
    n_features : int, optional
        Number of columns; by default one more than the largest index.
    zero_based : bool or "auto", default "auto"
        Whether indices count from 0 or from 1. ``"auto"`` takes them to count from 1 if none is 0,
        as scikit-learn does.
    multilabel : bool, default False
        Whether rows have any number of labels, ``1,3 5:0.5``: whole numbers, 0 or more.
    query_id : bool, default False
        Whether to return the number behind ``qid:``, which every row must have then.
    dtype : {"float32", "float64"}, default "float32"
        Type of the values.
    max_bytes : int, optional
        Bytes to read at most, once decompressed. By default 64 MiB or a hundred times the
        compressed size, whichever is more, come out of a gzip file, 1 GiB through a pipe, and any
        number from a plain file.

    Returns
    -------
    x : scipy.sparse.csr_array, shape (rows, n_features)
        The features, sorted by column and each at most once in a row. SciPy advises arrays for new
        code; ``scipy.sparse.csr_matrix(x)`` is the older form of the same memory. Indices are int32
        where columns and entries allow it, otherwise int64.
    y : ndarray, shape (rows,), or scipy.sparse.csr_array, shape (rows, classes)
        The labels: int64 if every label is a whole number, otherwise of `dtype`. With `multilabel`
        a matrix of `dtype` that is 1 where a row has the label of that column.
    query_ids : ndarray of int64, shape (rows,)
        Only if `query_id`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If a line is no row of the format, or a value does not fit `dtype`; the text names the line.
        Also if no line holds a row, or the file is corrupt gzip, a device or too long.
    ValueError
        If an argument is wrong.
    ImportError
        If SciPy is not installed.

    Notes
    -----
    A ``#`` begins a comment; lines that are blank without it are no rows. Indices may come in any
    order, and the values of one that a row has more than once are added, as SciPy means them;
    scikit-learn refuses both. Zeros, NaN and infinities are kept as they are written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.svm"
    >>> _ = path.write_text("+1 1:0.5 4:2 # two features\n-1 2:1\n")
    >>> x, y = load_svmlight(path)
    >>> x.toarray()
    array([[0.5, 0. , 0. , 2. ],
           [0. , 1. , 0. , 0. ]], dtype=float32)
    >>> y
    array([ 1, -1])
    """
    if dtype not in _VALUE_TYPES:
        raise ValueError(unknown_name("dtype", dtype, _VALUE_TYPES))
    if zero_based != "auto" and not isinstance(zero_based, bool):
        raise ValueError(f"zero_based must be True, False or 'auto', got {zero_based!r}")
    if n_features is not None and n_features < 1:
        raise ValueError(f"n_features = {n_features}, expected 1 or more")
    sparse = scipy_sparse()
    source = open_source(path, max_bytes)
    file = source.path
    form = Format(np.dtype(dtype), multilabel, query_id, lowest_index=int(zero_based is False))
    table = _Table(sparse, form.dtype)
    with source.open(text=True) as stream:
        line = 1
        for piece in _pieces(stream):
            content = without_comments(piece)
            rows = parse(content, form)
            table.add(parse_lines(content, form, file, line) if rows is None else rows, line)
            line += piece.count(b"\n")
    if table.empty:
        raise DataFileError(f"{file}: no rows, expected lines such as '1 3:0.5 7:2'")
    one_based = zero_based is False or (zero_based == "auto" and table.smallest > 0)
    columns = max(table.largest + 1 - one_based, 0)
    if n_features is not None and columns > n_features:
        raise DataFileError(
            f"{file}, line {table.largest_line}: the index is {table.largest}, but n_features = "
            f"{n_features} allows at most {n_features - 1 + one_based}"
        )
    x = table.features(n_features or columns, one_based)
    y = table.indicator(dtype) if multilabel else table.labels(dtype)
    return (x, y, table.query_ids()) if query_id else (x, y)


class _Table:
    """The rows so far."""

    def __init__(self, sparse: Any, dtype: np.dtype[Any]) -> None:
        self._sparse = sparse
        self._lengths = GrowingArray(np.int32)
        self._indices = GrowingArray(np.int32)
        self._values = GrowingArray(dtype)
        self._label_counts = GrowingArray(np.int32)
        self._labels = GrowingArray(np.float64)
        self._query_ids = GrowingArray(np.int64)
        self.empty = True
        self.smallest = np.iinfo(np.int64).max
        self.largest = -1
        self.largest_line = 0

    def add(self, rows: Rows, first_line: int) -> None:
        lengths, indices, values = rows.lengths, rows.indices, rows.values
        offsets = _offsets(lengths)
        if len(indices):
            self.smallest = min(self.smallest, int(indices.min()))
            last = int(indices.argmax())
            if indices[last] > self.largest:
                row = np.searchsorted(offsets, last, side="right") - 1
                self.largest = int(indices[last])
                self.largest_line = first_line + int(rows.lines[row])
            if not _sorted_within_rows(indices, offsets):
                shape = len(lengths), self.largest + 1
                canonical = self._sparse.csr_array((values, indices, offsets), shape)
                canonical.sum_duplicates()
                lengths = np.diff(canonical.indptr)
                indices, values = canonical.indices, canonical.data
        self.empty &= not len(lengths)
        self._lengths.extend(_narrow(lengths))
        self._indices.extend(_narrow(indices))
        self._values.extend(values)
        self._label_counts.extend(_narrow(rows.label_counts))
        self._labels.extend(rows.labels)
        self._query_ids.extend(rows.query_ids)

    def features(self, columns: int, one_based: bool) -> Csr:
        """Return the features in the table's own memory."""
        offsets = _offsets(self._lengths.array())
        values, indices = self._values.array(), self._indices.array()
        indices -= int(one_based)
        # SciPy wants both of the same type.
        if max(offsets[-1], columns - 1) > _LARGEST_INT32:
            indices = indices.astype(np.int64, copy=False)
        offsets = offsets.astype(indices.dtype, copy=False)
        x = self._sparse.csr_array((values, indices, offsets), (len(offsets) - 1, columns))
        x.has_canonical_format = True
        return x

    def labels(self, dtype: Any) -> NDArray[Any]:
        """Return a label a row."""
        return label_numbers(self._labels.array(), dtype)

    def indicator(self, dtype: Any) -> Csr:
        """Return the matrix of which row has which label."""
        offsets = _offsets(self._label_counts.array())
        labels = self._labels.array().astype(np.int64)
        shape = len(offsets) - 1, int(labels.max(initial=-1)) + 1
        y = self._sparse.csr_array((np.ones(len(labels), dtype), labels, offsets), shape)
        y.sum_duplicates()
        y.data[...] = 1
        return y

    def query_ids(self) -> NDArray[np.int64]:
        """Return a query id a row."""
        return self._query_ids.array()


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the text in pieces of whole lines."""
    while piece := stream.read(_PIECE):
        if not piece.endswith(b"\n"):
            piece += stream.readline()
        yield piece if piece.endswith(b"\n") else piece + b"\n"


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _sorted_within_rows(indices: NDArray[np.int64], offsets: NDArray[np.int64]) -> bool:
    rising = np.diff(indices, prepend=-1) > 0
    rising[offsets[:-1][offsets[:-1] < len(indices)]] = True
    return bool(rising.all())


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    fits = values.max(initial=0) <= _LARGEST_INT32
    return values.astype(np.int32, copy=False) if fits else values


def scipy_sparse() -> Any:
    """Return `scipy.sparse`, or raise `ImportError` that says how to get it."""
    try:
        import scipy.sparse
    except ImportError as error:
        raise ImportError('sparse data need SciPy: pip install "chainrule[sparse]"') from error
    return scipy.sparse

# SPDX-License-Identifier: Apache-2.0
"""Reading the text format of SVMlight and LIBSVM: a line a row, ``label index:value``..."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import IO, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from chainrule.data.encoding import label_numbers
from chainrule.data.source import Source, open_source
from chainrule.data.svmlight_faults import Format, are_classes, query_id_of, raise_first_fault
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

ValueType: TypeAlias = Literal["float32", "float64"]
# A scipy.sparse.csr_array, which has no types.
Csr: TypeAlias = Any

_VALUE_TYPES = ("float32", "float64")


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

    scikit-learn's ``load_svmlight_file`` reads the lines (``pip install "chainrule[sklearn]"``).

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
        Bytes to read at most, once decompressed; the default is that of `load_csv`.

    Returns
    -------
    x : scipy.sparse.csr_array, shape (rows, n_features)
        The features, sorted by column and each at most once in a row. SciPy advises arrays for new
        code; ``scipy.sparse.csr_matrix(x)`` is the older form of the same memory.
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
        If scikit-learn is not installed.

    Notes
    -----
    A ``#`` begins a comment; lines that are blank without it are no rows. Indices are at most
    2147483647. They may come in any order, and the values of one that a row has more than once are
    added, as SciPy means them; scikit-learn by itself refuses both. Zeros, NaN and infinities are
    kept as they are written.

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
    load = _load_svmlight_file()
    source = open_source(path, max_bytes)
    form = Format(np.dtype(dtype), multilabel, query_id, lowest_index=int(zero_based is False))
    try:
        rows = _read(load, source, form, sort=False)
    except (ValueError, OverflowError) as error:
        if isinstance(error, DataFileError):
            raise
        raise_first_fault(source, form)
        # What is left are indices out of order, which scikit-learn refuses.
        rows = _read(load, source, form, sort=True)
    if not len(rows.labels):
        raise DataFileError(f"{source.path}: no rows, expected lines such as '1 3:0.5 7:2'")
    y = _indicator(rows.labels, dtype) if multilabel else label_numbers(rows.labels, dtype)
    if y is None or np.isinf(rows.x.data).any() or (not multilabel and np.isinf(y).any()):
        raise_first_fault(source, form)
    x = _features(rows.x, source, form, n_features, zero_based)
    return (x, y, np.array(rows.query_ids, np.int64)) if query_id else (x, y)


class _Rows(NamedTuple):
    """What scikit-learn returns; ``labels`` are a float64 array, or lists of numbers."""

    x: Csr
    labels: Any
    query_ids: list[int]


class _Lines:
    """The lines of a file as scikit-learn iterates over them."""

    # It takes 1_000 for a number, and its time for query ids grows with the square of their number.

    def __init__(self, stream: IO[bytes], form: Format, sort: bool) -> None:
        self.read = stream.read  # by which scikit-learn recognises a file
        self._stream = stream
        self._form = form
        self._sort = sort
        self.query_ids: list[int] = []

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines; ValueError ends them where scikit-learn would read what is not meant."""
        for line in self._stream:
            if b"_" in line and b"_" in line.partition(b"#")[0]:
                raise ValueError("an underscore")
            if self._form.query_id and (words := line.partition(b"#")[0].split()):
                self.query_ids.append(query_id_of(words))
            yield _in_order(line) if self._sort else line


def _read(load: Any, source: Source, form: Format, *, sort: bool) -> _Rows:
    with source.open(text=True) as stream:
        lines = _Lines(stream, form, sort)
        x, labels = load(
            lines, dtype=form.dtype, multilabel=form.multilabel, zero_based=form.lowest_index == 0
        )
        return _Rows(x, labels, lines.query_ids)


def _in_order(line: bytes) -> bytes:
    """Return a line with its features by index, the values of equal ones added."""
    heads: list[bytes] = []
    values: dict[int, float] = {}
    for word in line.partition(b"#")[0].split():
        name, _, text = word.partition(b":")
        if text and name != b"qid":
            index, value = int(name), float(text)
            values[index] = values[index] + value if index in values else value
        else:
            heads.append(word)
    return b" ".join(heads + [b"%d:%s" % (i, repr(values[i]).encode()) for i in sorted(values)])


def _features(
    x: Csr,
    source: Source,
    form: Format,
    n_features: int | None,
    zero_based: bool | Literal["auto"],
) -> Csr:
    """Return the table with its columns counted from 0, as many as are wanted."""
    import scipy.sparse

    # scikit-learn returns indices of 64 bits, none of which is larger than a C integer.
    indices, offsets = x.indices.astype(np.int32), x.indptr
    if offsets[-1] <= np.iinfo(np.int32).max:
        offsets = offsets.astype(np.int32)
    one_based = zero_based is False
    if zero_based == "auto" and indices.min(initial=1) > 0:
        one_based = True
        indices -= 1
    columns = int(indices.max(initial=-1)) + 1
    if n_features is not None and columns > n_features:
        raise_first_fault(source, form._replace(n_features=n_features, one_based=one_based))
    shape = len(offsets) - 1, n_features or columns
    return scipy.sparse.csr_array((x.data, indices, offsets), shape)


def _indicator(labels: list[tuple[float, ...]], dtype: ValueType) -> Csr | None:
    """Return the matrix of which row has which label; None if one is no class."""
    import scipy.sparse

    flat = np.array([label for row in labels for label in row], np.float64)
    if not are_classes(flat):
        return None
    offsets = np.cumsum([0, *map(len, labels)])
    shape = len(labels), int(flat.max(initial=-1)) + 1
    y = scipy.sparse.csr_array((np.ones(len(flat), dtype), flat.astype(np.int64), offsets), shape)
    y.sum_duplicates()
    y.data[...] = 1
    return y


def _load_svmlight_file() -> Any:
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError as error:
        raise ImportError(
            'load_svmlight needs scikit-learn: pip install "chainrule[sklearn]"'
        ) from error
    return load_svmlight_file

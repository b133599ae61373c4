# SPDX-License-Identifier: Apache-2.0
"""Data frames and arrays as columns: the only place that knows their libraries."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.values import Values, of_array, of_objects, refuse_complex

__all__ = ["Table", "is_frame", "read_columns"]

_MILLISECONDS_OF_A_DAY = 86_400_000.0
_MODULES = ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals")


class Table(NamedTuple):
    """Columns with their names, which are None for those of arrays."""

    names: tuple[str, ...] | None
    columns: list[Values]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0]) if self.columns else 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, len(self.columns)

    def take(self, rows: NDArray[Any]) -> Table:
        """Return some of the rows."""
        return Table(self.names, [column.take(rows) for column in self.columns])


def is_frame(x: Any) -> bool:
    """Whether `x` is a `Table`, or a data frame of a library that narwhals knows."""
    if isinstance(x, Table):
        return True
    library = type(x).__module__.partition(".")[0]
    if library not in _MODULES or library not in sys.modules:
        return False
    return hasattr(x, "columns") and len(getattr(x, "shape", ())) == 2


def read_columns(x: Any, wanted: Sequence[str] | None = None) -> Table:
    """Return the columns of a table.

    Parameters
    ----------
    x : data frame, Table or array, shape (rows, columns)
        Of pandas, polars or pyarrow, by narwhals; columns that were read before; or what NumPy
        makes a two-dimensional array of.
    wanted : sequence of str, optional
        Of a frame, these columns in this order.

    Raises
    ------
    ValueError
        If names are repeated, columns of `wanted` are missing or others are there.
    TypeError
        If a column holds lists or other objects that are neither numbers nor text nor dates.
    ImportError
        If it is a frame and narwhals is not installed.
    """
    if isinstance(x, Table):
        return x if wanted is None or x.names is None else _in_order(x, x.names, wanted)
    return _of_frame(x, wanted) if is_frame(x) else Table(None, _of_array(x))


def _in_order(table: Table, names: Sequence[str], wanted: Sequence[str]) -> Table:
    _check_names(names, wanted)
    return Table(tuple(wanted), [table.columns[names.index(name)] for name in wanted])


def _of_array(x: Any) -> list[Values]:
    table: NDArray[Any] = np.asarray(x)
    if table.dtype.kind == "U" and not isinstance(x, np.ndarray):
        table = np.asarray(x, dtype=object)  # a list of numbers and text, which keep their types
    if table.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {table.ndim}D array instead. Reshape your data with "
            "array.reshape(-1, 1) if it has one column, array.reshape(1, -1) if it is one row."
        )
    refuse_complex(table)
    if table.dtype == object:
        return [of_objects(column, str(i)) for i, column in enumerate(table.T)]
    return [of_array(column, str(i)) for i, column in enumerate(table.T)]


def _of_frame(x: Any, wanted: Sequence[str] | None) -> Table:
    try:
        import narwhals.stable.v2 as nw
    except ImportError as error:
        raise ImportError(
            'data frames are read by narwhals: pip install "chainrule[tables]"'
        ) from error
    given = _names(list(x.column_names if hasattr(x, "column_names") else x.columns))
    if wanted is not None and given is not None:
        _check_names(given, wanted)
    frame: Any = nw.from_native(x, eager_only=True)
    series = list(frame.iter_columns())
    names = given if wanted is None or given is None else list(wanted)
    if names is None:
        return Table(None, [_of_series(nw, column, str(i)) for i, column in enumerate(series)])
    assert given is not None
    places = [given.index(name) for name in names]
    read = [_of_series(nw, series[i], repr(name)) for i, name in zip(places, names, strict=True)]
    return Table(tuple(names), read)


def _names(given: Sequence[Any]) -> list[str] | None:
    """Return the names of columns, each of which has its own, or None if they are numbers."""
    texts = [name for name in given if isinstance(name, str)]
    if not texts:
        return None
    if len(texts) < len(given):
        raise TypeError(
            "some names of columns are text, others are not; make all of them text, as by "
            "X.columns = X.columns.astype(str)"
        )
    repeated = sorted({name for name in texts if texts.count(name) > 1})
    if repeated:
        raise ValueError(f"the table has several columns with the name {_listed(repeated)}")
    return texts


def _of_series(nw: Any, series: Any, shown: str) -> Values:
    """Return the values of a column of a frame; errors call it as `shown`."""
    kind = series.dtype
    if kind == nw.Boolean:
        return Values("boolean", _floats(nw, series))
    if kind.is_numeric():
        return of_array(_floats(nw, series), shown)
    if kind in (nw.Datetime, nw.Date):
        return Values("date", _floats(nw, series.dt.timestamp("ms")) / _MILLISECONDS_OF_A_DAY)
    if kind == nw.Duration:
        whole = _floats(nw, series.dt.total_milliseconds())
        return Values("number", whole / _MILLISECONDS_OF_A_DAY)
    if kind.is_nested():
        raise TypeError(f"column {shown} holds {kind}; expected numbers, text or dates")
    objects = np.empty(len(series), dtype=object)
    objects[:] = series.to_list()
    as_text = kind in (nw.Categorical, nw.Enum)
    return of_objects(objects, shown, as_text=as_text)


def _floats(nw: Any, series: Any) -> NDArray[np.float64]:
    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _check_names(given: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    faults = []
    if missing:
        faults.append(f"lacks {_listed(missing)}, which the model was fitted with")
    if unknown:
        faults.append(f"has {_listed(unknown)}, unknown to the model")
    if faults:
        raise ValueError("the columns differ from those of fit: the table " + " and ".join(faults))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:10]))
    return shown + (", ..." if len(names) > 10 else "")

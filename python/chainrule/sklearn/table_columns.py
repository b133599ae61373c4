# SPDX-License-Identifier: Apache-2.0
"""A user's table as columns, and targets with them, as scikit-learn checks them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from chainrule.tables.frames import Table, is_frame, read_columns

__all__ = ["checked_table", "plain_targets", "target_names"]


def checked_table(estimator: Any, X: Any, y: Any, *, reset: bool) -> tuple[Table, Any]:
    """Return the columns of a table, and targets with them, as scikit-learn checks them."""
    if is_frame(X):
        if y is None:
            message = "requires y to be passed, but the target y is None"
            raise ValueError(f"{type(estimator).__name__} {message}.")
        table = read_columns(X)
        if not table.rows or not table.columns:
            raise ValueError(
                f"Found a table with {table.rows} sample(s) and {len(table.columns)} "
                "feature(s), while a minimum of 1 is required."
            )
        y = validate_data(estimator, y=plain_targets(y), reset=False, multi_output=True)
        if "feature_names_in_" in vars(estimator):
            del estimator.feature_names_in_
        if table.names is not None:
            estimator.feature_names_in_ = np.array(table.names, dtype=object)
        check_consistent_length(X, y)
        return table, estimator._checked_targets(y)
    options: dict[str, Any] = {"dtype": None, "ensure_all_finite": False, "reset": reset}
    if isinstance(X, list | tuple) and np.asarray(X, dtype=object).ndim == 2:
        X = _of_list(X)
    if y is None and not reset:
        return read_columns(validate_data(estimator, X, **options)), None
    x, y = validate_data(estimator, X, plain_targets(y), multi_output=True, **options)
    return read_columns(x), estimator._checked_targets(y)


def _of_list(x: Any) -> NDArray[Any]:
    """Return lists as an array, whose numbers stay numbers among text."""
    table = np.asarray(x)
    return np.asarray(x, dtype=object) if table.dtype.kind in "US" else table


def plain_targets(y: Any) -> Any:
    """Return targets of polars and pyarrow as an array; ValueError if pandas' are missing."""
    library = type(y).__module__.partition(".")[0]
    if library == "pandas" and np.any(y.isna()):  # NA has no truth value, which others ask for
        raise ValueError("Input y contains NaN: leave rows without a target out")
    if library == "pyarrow":
        return np.asarray(y)
    return y.to_numpy() if library == "polars" else y


def target_names(y: Any) -> tuple[str, ...]:
    """Return what the columns of targets are called, or nothing where they are not all text."""
    found: Any = getattr(y, "column_names", getattr(y, "columns", None))  # of pyarrow, others
    given = [getattr(y, "name", None)] if found is None else [*found]
    names = tuple(name for name in given if isinstance(name, str) and name)
    return names if len(names) == len(given) else ()

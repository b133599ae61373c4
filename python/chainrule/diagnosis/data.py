# SPDX-License-Identifier: Apache-2.0
"""Measures of the rows and targets that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.arrays import as_features
from chainrule.inputs.compressed_rows import as_rows
from chainrule.inputs.containers import is_sparse
from chainrule.inputs.lazy_rows import is_lazy
from chainrule.inputs.several import by_name
from chainrule.inputs.targets import class_counts
from chainrule.network.training_data import padded_rows

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

_SPARSE_NUMBERS = 20_000_000  # of a sparse matrix, written out

__all__ = ["DataMeasures", "Sample", "measure_data", "sample"]


class Sample(NamedTuple):
    """Rows of each input that are finite throughout, and their targets as they were given."""

    parts: list[NDArray[Any]]
    targets: list[Any]
    weights: NDArray[np.float64] | None
    """Of the steps of sequences, 0 behind their ends."""
    not_finite: list[int]
    """Columns where other rows are not finite, counted on from one input to the next."""


@dataclass(frozen=True)
class DataMeasures:
    """What was measured of the rows.

    Columns are those of the last axis, features or channels, over all positions of sequences and
    images; those of several inputs are counted on from one to the next.
    """

    rows: int
    columns: int
    shapes: list[tuple[int, ...]]
    """That of a row of each input."""
    not_finite: list[int]
    """Columns with NaN or infinity."""
    constant: list[int]
    duplicated: list[tuple[int, int]]
    """Columns that are equal to an earlier one."""
    largest_scale: float
    """Largest root mean square of a column, as it reaches the first layer with weights."""
    smallest_scale: float
    """Smallest, of the columns that vary."""
    class_shares: NDArray[np.float64] | None
    """Shares of the rows, by class."""
    target_scale: float | None
    """Root mean square of the targets of a regression."""


def sample(net: Compiled, x: Any, y: Any, loss: Any, most: int) -> Sample:
    """Return up to `most` rows of each input, spread evenly."""
    weights = None
    if not net._several_inputs and is_lazy(x):
        x, y = np.asarray(x[:most]), y[:most]
    elif not net._several_inputs and is_sparse(x):
        as_rows(x)  # raises, if something is wrong with it
        most = max(2, min(most, _SPARSE_NUMBERS // x.shape[1]))
        indices = _spread(x.shape[0], most)
        x, y = x.tocsr()[indices].toarray(), _taken(y, indices)
    graph = net._graph
    if graph is not None and net._several_inputs:
        x, y, weights = padded_rows(net, x, y, None, loss)
        given = net._by_input(x)
        if any(map(is_lazy, given.values())):
            given = {name: np.asarray(part[:most]) for name, part in given.items()}
            y = _first(y, most)
        parts = [net._in_order(part, as_features, part=name)[0] for name, part in given.items()]
        if len({*map(len, parts)}) > 1:
            raise ValueError(f"the inputs have {', '.join(str(len(each)) for each in parts)} rows")
    else:
        parts = [net._in_order(x, as_features)[0]]
    ends = () if graph is None else graph.outputs
    targets: list[Any] = by_name("y", "output", y, ends) if len(ends) > 1 else [net._only_target(y)]
    indices = _spread(len(parts[0]), most)
    if len(indices) < len(parts[0]):
        parts = [rows[indices] for rows in parts]
        targets = [_taken(each, indices) for each in targets]
        weights = None if weights is None else weights[indices]
    targets = [each.toarray() if is_sparse(each) else each for each in targets]
    finite = np.isfinite(np.concatenate(parts, axis=1))
    columns = np.flatnonzero(~finite.all(axis=0)).tolist()
    rows = finite.all(axis=1)
    if not rows.all():
        if not rows.any():
            raise ValueError("every row of x has NaN or infinity: there is nothing to look at")
        parts = [part[rows] for part in parts]
        targets = [np.asarray(each)[rows] for each in targets]
        weights = None if weights is None else weights[rows]
    if len(parts[0]) < 2:
        raise ValueError(f"x must have 2 rows or more to be diagnosed, got {len(parts[0])}")
    return Sample(parts, targets, weights, columns)


def _first(y: Any, most: int) -> Any:
    """Return the first targets, of several outputs of each."""
    if isinstance(y, Mapping) and not hasattr(y, "dtype"):
        return {name: part[:most] for name, part in y.items()}
    if isinstance(y, list | tuple) and all(np.ndim(part) for part in y):
        return [part[:most] for part in y]
    return y[:most]


def _spread(rows: int, most: int) -> NDArray[np.int64]:
    if rows <= most:
        return np.arange(rows)
    # Not every k-th row, which could be all of one class.
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def _taken(y: Any, indices: NDArray[np.int64]) -> Any:
    if hasattr(y, "iloc"):
        return y.iloc[indices]
    return y.tocsr()[indices] if is_sparse(y) else np.asarray(y)[indices]


def measure_data(
    rows: int,
    shapes: list[tuple[int, ...]],
    tables: Sequence[NDArray[Any]],
    scaled: Sequence[NDArray[Any]],
    targets: Sequence[tuple[CheckedData, Loss, int]],
    not_finite: list[int],
) -> DataMeasures:
    """Return the measures of rows that are finite.

    Parameters
    ----------
    rows : int
        How many there are.
    shapes : list of tuple of int
        Of a row of each input.
    tables : sequence of ndarray of shape (rows * positions, columns)
        The rows of each input, as given.
    scaled : sequence of ndarray of shape (rows * positions, columns)
        As they reach the first layers with weights.
    targets : sequence of (CheckedData, Loss, int)
        For each output its targets, a row for each position, what compares them, and its columns.
        Of several the least even classes and the largest targets are told.
    not_finite : list of int
        Columns where other rows were not finite.
    """
    varies = _varies(tables)
    means = [np.mean(np.square(table, dtype=np.float64), axis=0) for table in scaled]
    scales = np.sqrt(np.concatenate(means))
    moving = scales[_varies(scaled)]
    shares: NDArray[np.float64] | None = None
    target_scale: float | None = None
    for data, loss, outputs in targets:
        y, weights = data.y, data.sample_weight
        if loss.takes_labels or (loss.kind in ("binary_cross_entropy", "hinge") and outputs == 1):
            counts = class_counts(loss._core, y, weights, outputs if loss.takes_labels else 2)
            own = counts / max(counts.sum(), 1.0)
            if shares is None or own.min() * len(own) < shares.min() * len(shares):
                shares = own
        elif loss.kind not in ("binary_cross_entropy", "hinge", "poisson"):
            squares = np.square(y, dtype=np.float64).reshape(len(y), -1).mean(axis=1)
            scale = float(np.sqrt(np.average(squares, weights=weights)))
            target_scale = max(scale, target_scale or 0.0)
    return DataMeasures(
        rows=rows,
        columns=len(varies),
        shapes=shapes,
        not_finite=not_finite,
        constant=np.flatnonzero(~varies).tolist(),
        duplicated=_duplicated(tables, varies),
        largest_scale=float(scales.max(initial=0.0)),
        smallest_scale=float(moving.min(initial=np.inf)),
        class_shares=shares,
        target_scale=target_scale,
    )


def _varies(tables: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    return np.concatenate([(table != table[:1]).any(axis=0) for table in tables])


def _duplicated(tables: Sequence[NDArray[Any]], varies: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the columns that equal an earlier one, with that; constant ones are no news."""
    owners = [(table, column) for table in tables for column in range(table.shape[1])]
    first: dict[bytes, int] = {}
    found = []
    for place in np.flatnonzero(varies).tolist():
        table, column = owners[place]
        content = np.ascontiguousarray(table[:, column]).tobytes()
        if content in first:
            found.append((first[content], place))
        else:
            first[content] = place
    return found

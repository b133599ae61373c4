# SPDX-License-Identifier: Apache-2.0
"""Rows with their targets and weights, checked, as the core reads them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.compressed_rows import taken_rows
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import Several
from chainrule.inputs.targets import balanced_weights, class_counts

if TYPE_CHECKING:
    from chainrule.losses import Loss

_BINARY = ("binary_cross_entropy", "hinge")


class CheckedData(NamedTuple):
    """What a network trains on or is measured by."""

    x: Any  # Rows, LazyRows or, for several inputs, Several
    y: Any  # Rows or, for several outputs, Several
    sample_weight: NDArray[np.float64] | None
    class_weight: Any  # an array or, for several outputs, a list of them
    balanced: tuple[tuple[Loss, int] | None, ...] = ()
    """By output, loss and number of classes for which its class weights are to be balanced."""

    positions: Any = 1
    """How many an output has, of several outputs each; a function has only one for metrics too,
    where its targets do not have as many."""

    rows: NDArray[np.int64] | None = None
    """The numbers of the rows that count, which the core reads where they lie; None for all."""

    @property
    def row_count(self) -> int:
        """How many rows count."""
        return len(self.x) if self.rows is None else len(self.rows)

    def targets(self, most: int | None = None) -> CheckedData:
        """Return the targets and weights of the rows that count; `x` stays as it is."""
        if self.rows is None:
            return self
        rows, weight = self.rows[:most], self.sample_weight
        return self._replace(
            y=taken(self.y, rows),
            sample_weight=None if weight is None else weight[rows],
            rows=None,
        )

    def taken(self) -> CheckedData:
        """Return a copy of the rows that count, where these are not all."""
        if self.rows is None:
            return self
        return self.targets()._replace(x=taken(self.x, self.rows))

    def output(self, index: int) -> CheckedData:
        """Return the data of one of several outputs."""
        return self._replace(y=self.y.parts[index], positions=self.positions[index])

    def by_position(self) -> CheckedData:
        """Return the targets and weights that count with a row for each position."""
        if self.rows is not None:
            return self.targets().by_position()
        if self.positions == 1:
            return self
        y = self.y.reshape(-1) if self.y.ndim == 3 else self.y.reshape(-1, self._target_columns())
        weight = self.sample_weight
        if weight is not None:
            weight = weight.reshape(-1) if weight.ndim > 1 else np.repeat(weight, self.positions)
        return self._replace(y=y, sample_weight=weight, positions=1)

    def _target_columns(self) -> int:
        return int(self.y.shape[1]) // int(self.positions)

    def balanced_again(self) -> CheckedData:
        """Return the same with class weights of these rows alone, where they are to be balanced."""
        if not any(self.balanced):
            return self
        several = isinstance(self.y, Several)
        weights = list(self.class_weight) if several else [self.class_weight]
        for output, rule in enumerate(self.balanced):
            if rule is not None:
                loss, classes = rule
                flat = (self.output(output) if several else self).by_position()
                counts = class_counts(loss._core, flat.y, flat.sample_weight, classes)
                weights[output] = balanced_weights(counts)
        return self._replace(class_weight=weights if several else weights[0])

    def first(self, rows: int) -> CheckedData:
        """Return at most `rows` of the first rows, in memory where they come from a generator."""
        if self.rows is not None:
            return self._replace(rows=self.rows[:rows]).taken()
        if not isinstance(self.x, LazyRows):
            return self.part(slice(0, min(rows, len(self.x))))
        x, part = self.x.few(rows)
        weight = self.sample_weight
        return self._replace(
            x=x, y=self.y[part], sample_weight=None if weight is None else weight[part]
        )

    def part(self, rows: slice) -> CheckedData:
        """Return some of the rows, which share the memory of these."""
        if self.rows is not None:
            return self._replace(rows=self.rows[rows])
        weight = self.sample_weight
        return self._replace(
            x=self.x[rows],
            y=self.y[rows],
            sample_weight=None if weight is None else weight[rows],
        )


def compares_classes(loss: Loss, outputs: int) -> bool:
    """Whether there is a label for each row."""
    return loss.takes_labels or (outputs == 1 and loss.kind in _BINARY)


def split_validation(
    examples: CheckedData, fraction: float
) -> tuple[CheckedData, CheckedData | None]:
    """Hold back the last `fraction` of the rows."""
    if isinstance(fraction, bool) or not isinstance(fraction, float | int | np.number):
        raise TypeError(f"validation_split must be a number, got {fraction!r:.80}")
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"validation_split must lie in [0, 1), got {fraction}")
    if fraction == 0.0:
        return examples, None
    rows = examples.row_count
    kept = rows - round(rows * fraction)
    if not 0 < kept < rows:
        raise ValueError(
            f"validation_split={fraction} of {rows} rows leaves nothing to train or validate on"
        )
    # Weights of classes are to help the training, not to change what it is judged by.
    held_back = examples.part(slice(kept, None))._replace(class_weight=None)
    return examples.part(slice(0, kept)).balanced_again(), held_back


def warn_of_unseen_classes(loss: Any, data: CheckedData, validation: CheckedData) -> None:
    """Warn of classes that the network is validated on and never sees in training."""
    if not loss.takes_labels and not (loss.kind in _BINARY and data.y.shape[1:] == (1,)):
        return
    if isinstance(data.y, Several) or any(_streams(rows.x) for rows in (data, validation)):
        return
    seen, judged = (class_counts(loss._core, rows.by_position().y) for rows in (data, validation))
    unseen = [
        str(label) for label in np.flatnonzero(judged) if label >= len(seen) or seen[label] == 0
    ]
    if unseen:
        warnings.warn(
            f"the validation rows hold class{'es' * (len(unseen) > 1)} {', '.join(unseen)}, which "
            "no training row has; rows that are sorted by class must be shuffled before the split",
            stacklevel=6,
        )


def taken(rows: Any, numbers: NDArray[np.int64]) -> Any:
    """Return a copy of some rows, of those of each of several parts."""
    return rows.taken(numbers) if isinstance(rows, Several) else taken_rows(rows, numbers)


def _streams(x: Any) -> bool:
    """Whether targets are known only when their rows have come."""
    return isinstance(x, LazyRows) and x.streams

# SPDX-License-Identifier: Apache-2.0
"""The labels of a classifier: as targets of its network, and back from its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

__all__ = ["Labels", "OutputLabels", "accuracy", "is_of_outputs"]


class Labels:
    """What is known of the labels.

    Parameters
    ----------
    y : ndarray, shape (rows,) or (rows, labels)
        The first labels.
    classes : array-like, optional
        All labels there are, where `y` need not have them.
    as_numbers : bool
        Whether targets are places in the classes; else 0 and 1 for each class, or of two classes
        for the second.

    Attributes
    ----------
    classes : ndarray
    several : bool
        Whether a row has several labels.

    Raises
    ------
    ValueError
        If these are no labels, or of one class only.
    """

    def __init__(self, y: NDArray[Any], classes: Any, *, as_numbers: bool) -> None:
        check_classification_targets(y)
        self.several = type_of_target(y).startswith("multilabel")
        if self.several and as_numbers:
            raise ValueError("loss='cross_entropy' is for one label a row, y has several")
        known = y if classes is None or self.several else unique_labels(classes)
        self._binarizer = LabelBinarizer().fit(known)
        self.classes: NDArray[Any] = self._binarizer.classes_
        self.as_numbers = as_numbers
        if not self.several and len(self.classes) < 2:
            raise ValueError(
                f"y has only one class, {self.classes.tolist()[0]!r}, among the rows whose weight "
                "is not 0; a classifier needs two"
            )

    @property
    def exclusive(self) -> bool:
        """Whether the network has an output for each of several classes of which a row has one."""
        return not self.several and (self.as_numbers or len(self.classes) > 2)

    def check_same(self, y: NDArray[Any], classes: Any, *, all_of_them: bool) -> None:
        """Raise ValueError where other labels come than before, or with `all_of_them` not all."""
        check_classification_targets(y)
        known = self.classes
        if classes is not None and not np.array_equal(known, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                f"was: {known!r}"
            )
        present = unique_labels(y)
        if all_of_them and not np.array_equal(present, known):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {known}, `y` has {present}"
            )
        self._refuse_unknown(present)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return labels as targets."""
        self._refuse_unknown(unique_labels(y))
        if self.as_numbers:
            return np.searchsorted(self.classes, y).astype(np.int64)
        table: NDArray[Any] = self._binarizer.transform(y)
        return table.astype(np.uint8)

    def decide(self, outputs: NDArray[Any], threshold: float) -> Any:
        """Return labels by outputs: the greatest, or those above a threshold.

        The threshold is for several labels a row, and for the only output of two classes.
        """
        scores = outputs
        if not self.several and len(self.classes) == 2:
            scores = outputs[:, 0]
            if outputs.shape[1] == 2:
                scores, threshold = (outputs[:, 1] > outputs[:, 0]).astype(np.uint8), 0.5
        return self._binarizer.inverse_transform(scores, threshold=threshold)

    def _refuse_unknown(self, present: NDArray[Any]) -> None:
        if len(np.setdiff1d(present, self.classes, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes}. 'y' has {present}."
            )


class OutputLabels:
    """The labels of several outputs, each with classes of its own.

    Parameters
    ----------
    outputs : list of Labels
        Those of each output, as numbers.

    Attributes
    ----------
    classes : list of ndarray
    sizes : list of int
        The number of classes of each output.
    """

    several = False
    as_numbers = True

    def __init__(self, outputs: list[Labels]) -> None:
        self.outputs = outputs
        self.classes = [labels.classes for labels in self.outputs]
        self.sizes = [len(known) for known in self.classes]

    @classmethod
    def of(cls, y: NDArray[Any], classes: Sequence[Any] | None = None) -> OutputLabels:
        """Return what is known of the labels of several outputs.

        Parameters
        ----------
        y : ndarray, shape (rows, outputs)
        classes : sequence of array-like, optional
            All labels of each output, where `y` need not have them.

        Raises
        ------
        ValueError
            If an output has one class only, or `classes` are not of each output.
        """
        pairs = cls._pairs(y.shape[1], y, classes)
        return cls(
            [
                cls._of(place, Labels, column, known, as_numbers=True)
                for place, (column, known) in enumerate(pairs)
            ]
        )

    def check_same(self, y: NDArray[Any], classes: Any, *, all_of_them: bool) -> None:
        """Raise ValueError where other labels come than before, or with `all_of_them` not all."""
        pairs = self._pairs(len(self.outputs), y, classes)
        for place, (labels, (column, known)) in enumerate(zip(self.outputs, pairs, strict=True)):
            self._of(place, labels.check_same, column, known, all_of_them=all_of_them)

    def encode(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return labels as places in the classes of their outputs, of shape (rows, outputs)."""
        pairs = zip(self.outputs, self._pairs(len(self.outputs), y, None), strict=True)
        each = [self._of(j, labels.encode, pair[0]) for j, (labels, pair) in enumerate(pairs)]
        return np.column_stack(each)

    def split(self, outputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Return for each output its columns of all that stand side by side."""
        return np.split(outputs, np.cumsum(self.sizes)[:-1], axis=1)

    def decide(self, outputs: NDArray[Any], threshold: float) -> NDArray[Any]:
        """Return the label of the greatest of each output's columns, of shape (rows, outputs)."""
        parts = zip(self.classes, self.split(outputs), strict=True)
        columns = [classes[part.argmax(axis=1)] for classes, part in parts]
        if len({column.dtype.kind for column in columns}) > 1:  # such as text beside numbers
            columns = [column.astype(object) for column in columns]
        return np.column_stack(columns)

    @staticmethod
    def _pairs(outputs: int, y: NDArray[Any], classes: Any) -> list[tuple[NDArray[Any], Any]]:
        """Return the column and the known classes of each output."""
        if y.ndim != 2 or y.shape[1] != outputs:
            raise ValueError(f"y must have {outputs} columns, got shape {y.shape}")
        if classes is not None and len(classes) != outputs:
            raise ValueError(f"classes must be of {outputs} outputs, got those of {len(classes)}")
        known = [None] * outputs if classes is None else classes
        return list(zip(_columns(y), known, strict=True))

    @staticmethod
    def _of(place: int, function: Any, *args: Any, **options: Any) -> Any:
        """Call a function for one output, whose errors then tell of which."""
        try:
            return function(*args, **options)
        except ValueError as error:
            raise ValueError(f"output {place} of y: {error}") from error


def is_of_outputs(y: NDArray[Any], classes: Any = None) -> bool:
    """Whether the columns of `y` have each their own classes, of which a row has one."""
    if y.ndim != 2 or classes is None:
        if y.ndim == 2 and y.dtype == object:  # as of a data frame with text beside numbers
            columns = _columns(y)
            return any(column.dtype.kind == "U" for column in columns)
        return bool(type_of_target(y) == "multiclass-multioutput")
    return isinstance(classes, list | tuple) and all(np.ndim(known) == 1 for known in classes)


def _columns(y: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the columns of a table, each of the type of its values."""
    return [np.array(column.tolist()) for column in y.T] if y.dtype == object else list(y.T)


def accuracy(y: Any, predicted: NDArray[Any], weights: Any = None) -> float:
    """Return the share of rows whose labels are right, all of them where there are several."""
    if not is_of_outputs(np.asarray(predicted)) and not is_of_outputs(np.asarray(y)):
        return float(accuracy_score(y, predicted, sample_weight=weights))
    table = np.asarray(y)
    if table.shape != predicted.shape:
        raise ValueError(f"y must be of shape {predicted.shape}, got {table.shape}")
    return float(np.average((table == predicted).all(axis=1), weights=weights))

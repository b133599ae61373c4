# SPDX-License-Identifier: Apache-2.0
"""The labels of a classifier: as targets of its network, and back from its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

__all__ = ["Labels"]


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

# SPDX-License-Identifier: Apache-2.0
"""What the models of a table predict: labels, numbers or quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """A target or several, and how the outputs of a `TableModel` are their predictions.

    Attributes
    ----------
    name : str, tuple of str or None
        What its column is called, or the columns of several, which may have one name together.
    labels : tuple or None
        Of a classifier the labels, one for each of the model's columns; of several outputs a tuple
        of the labels of each; None of numbers.
    several : bool
        Whether a row may have several of the labels.
    quantiles : tuple of float
        Those that the outputs are; empty where they are estimates of the target itself.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tables import Target
    >>> Target("price", quantiles=(0.1, 0.9)).predictions(np.array([[3.0, 2.0]]))
    array([[2., 3.]])
    """

    name: str | tuple[str, ...] | None = None
    labels: tuple[Any, ...] | None = None
    several: bool = False
    quantiles: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that there are."""
        if self.name is None:
            return ()
        return (self.name,) if isinstance(self.name, str) else self.name

    @property
    def has_outputs(self) -> bool:
        """Whether there are several outputs, each with labels of its own."""
        return bool(self.labels) and isinstance(self.labels[0], tuple)  # type: ignore[index]

    @property
    def by_output(self) -> tuple[tuple[Any, ...], ...]:
        """The labels of each output, of which a row has one; of other targets nothing."""
        if self.labels is None or self.several:
            return ()
        return self.labels if self.has_outputs else (self.labels,)

    @property
    def classes(self) -> list[list[str]]:
        """The same as text."""
        return [[*map(str, labels)] for labels in self.by_output]

    def split(self, outputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the columns of each of `by_output`."""
        return np.split(outputs, np.cumsum([len(each) for each in self.by_output])[:-1], axis=1)

    def predictions(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return outputs as probabilities that add up to 1, or as quantiles that rise.

        Parameters
        ----------
        outputs : ndarray of float64, shape (rows, outputs)
            As `TableModel.predict` gives them.

        Returns
        -------
        ndarray of float64, shape (rows, outputs)
        """
        if self.by_output:
            parts = self.split(outputs)
            return np.hstack([part / part.sum(axis=1, keepdims=True) for part in parts])
        return np.sort(outputs, axis=1) if self.quantiles else outputs

    def to_config(self) -> dict[str, Any]:
        """Return this as what JSON can hold; ValueError if a label is neither text nor a number."""
        labels = None if self.labels is None else [*map(_plain, self.labels)]
        return {
            "name": list(self.name) if isinstance(self.name, tuple) else self.name,
            "labels": labels,
            "several": self.several,
            "quantiles": list(self.quantiles),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Target:
        """Return the target that `to_config` gave."""
        labels = None if config["labels"] is None else tuple(map(_of_config, config["labels"]))
        quantiles = tuple(map(float, config["quantiles"]))
        name = config["name"]
        name = tuple(map(str, name)) if isinstance(name, list) else name
        target = cls(name, labels, bool(config["several"]), quantiles)
        nested = [isinstance(label, tuple) for label in labels or ()]
        if any(nested) and (target.several or not all(nested)):
            raise ValueError("labels of several outputs stand beside others")
        return target


def _plain(label: Any) -> Any:
    if isinstance(label, tuple):  # the labels of an output
        return [*map(_plain, label)]
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, str | bool | int | float):
        raise ValueError(f"the label {label!r} has no form in a model file: text and numbers have")
    return plain


def _of_config(label: Any) -> Any:
    return tuple(map(_plain, label)) if isinstance(label, list) else _plain(label)

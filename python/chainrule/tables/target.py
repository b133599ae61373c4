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
    """A target, and how the outputs of a `TableModel` are its predictions.

    Attributes
    ----------
    name : str or None
        What its column is called.
    labels : tuple or None
        Of a classifier the labels, one for each output; None of numbers.
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

    name: str | None = None
    labels: tuple[Any, ...] | None = None
    several: bool = False
    quantiles: tuple[float, ...] = ()

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
        if self.labels is not None and not self.several:
            sums: NDArray[np.float64] = outputs.sum(axis=1, keepdims=True)
            return outputs / sums
        return np.sort(outputs, axis=1) if self.quantiles else outputs

    def to_config(self) -> dict[str, Any]:
        """Return this as what JSON can hold; ValueError if a label is neither text nor a number."""
        labels = None if self.labels is None else [_plain(label) for label in self.labels]
        return {
            "name": self.name,
            "labels": labels,
            "several": self.several,
            "quantiles": list(self.quantiles),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Target:
        """Return the target that `to_config` gave."""
        labels = None if config["labels"] is None else tuple(map(_plain, config["labels"]))
        quantiles = tuple(map(float, config["quantiles"]))
        return cls(config["name"], labels, bool(config["several"]), quantiles)


def _plain(label: Any) -> str | bool | int | float:
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, str | bool | int | float):
        raise ValueError(f"the label {label!r} has no form in a model file: text and numbers have")
    return plain

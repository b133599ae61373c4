# SPDX-License-Identifier: Apache-2.0
"""How much worse predictions become when a column's values are shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.model import Examples

__all__ = ["importances"]

_MOST_ROWS = 2000


def importances(estimator: Any, examples: Examples, random: Any) -> NDArray[np.float64]:
    """Return the increase of the error for each column of the table.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
    examples : Examples
        Of many rows the first 2000.
    random : numpy.random.RandomState

    Returns
    -------
    ndarray of float64, shape (columns,)

    References
    ----------
    Breiman, "Random forests", Machine Learning 45, 2001.
    """
    weights = None if examples.weights is None else examples.weights[:_MOST_ROWS]
    rows = Examples(examples.x[:_MOST_ROWS], examples.y[:_MOST_ROWS], weights)
    base = estimator._error_of(estimator._outputs_of(rows.x), rows)
    found = np.zeros(rows.x.shape[1])
    for column in range(len(found)):
        order = random.permutation(len(rows.x))
        shuffled = rows.x.copy()
        shuffled[:, column] = shuffled[order, column]
        found[column] = estimator._error_of(estimator._outputs_of(shuffled), rows) - base
    return found

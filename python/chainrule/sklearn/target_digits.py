# SPDX-License-Identifier: Apache-2.0
"""Whether float32, which predictions have, tells the numbers of a target from each other."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from chainrule.sklearn.fit_tasks import WRAPPERS

__all__ = ["check_digits"]

# The spacing of float32 beside the standard deviation from which on there is a warning.
_COARSE = 0.01


def check_digits(y: NDArray[np.float64]) -> None:
    """Warn where float32 rounds targets by much of their standard deviation.

    To be called by what ``fit`` of an estimator calls, for the place that a warning shows.

    Parameters
    ----------
    y : ndarray of float64, shape (rows,) or (rows, outputs)
        Within the range of float32. Outputs that are constant have nothing to lose.

    Raises
    ------
    ValueError
        If the numbers of an output lie so close to each other that nothing is left of them.
    """
    table = y.reshape(len(y), -1)
    limits = np.finfo(np.float32)
    largest = np.abs(table).max(axis=0)
    # Above half of the largest number the next one is infinite.
    spacings = np.spacing(np.minimum(largest, limits.max / 2).astype(np.float32), dtype=np.float32)
    deviations = table.std(axis=0)
    varies = table.min(axis=0) < table.max(axis=0)
    coarse = np.flatnonzero(varies & (spacings > _COARSE * deviations))
    if not coarse.size:
        return
    # A deviation may be 0 of numbers whose squares are.
    ratios = spacings[coarse] / np.maximum(deviations[coarse], np.finfo(np.float64).tiny)
    worst = coarse[np.argmax(ratios)]
    lost = bool(spacings[worst] > deviations[worst])
    name = "y" if y.ndim == 1 else f"column {worst} of y"
    others = [str(column) for column in coarse if column != worst]
    more = f" (also coarse: column {', '.join(others)})" if others else ""
    text = (
        f"{name} is coarse as float32, which predictions are: the spacing at {largest[worst]:.6g} "
        f"is {spacings[worst]:.3g}, more than {'' if lost else 'a hundredth of '}the standard "
        f"deviation, {deviations[worst]:.3g}{more}. "
    )
    if spacings[worst] > limits.smallest_subnormal:
        text += "Subtract an offset, such as the mean, from y before fit and add it to predictions"
    else:
        text += "Multiply y by a large factor before fit and divide predictions by it"
    if lost:
        raise ValueError(text)
    warnings.warn(text, stacklevel=5 + WRAPPERS)

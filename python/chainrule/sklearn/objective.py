# SPDX-License-Identifier: Apache-2.0
"""What is minimised: a loss of chainrule's, and how scikit-learn would count it.

scikit-learn adds up the losses of a row's outputs where chainrule takes their mean, and halves
squared errors. Losses that have scikit-learn's names are therefore counted as it does, so that
learning rates, penalties, tolerances and reported losses mean what they mean there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.losses import MSE, BinaryCrossEntropy, CrossEntropy, Poisson

__all__ = ["Objective", "log_loss", "poisson", "squared_error"]


class Objective(NamedTuple):
    """A loss, and what its values and gradients are to those that are reported.

    Attributes
    ----------
    loss : Loss or OutputLosses
    value_factor, offset : float
        Of what is reported, value_factor * loss + offset.
    gradient_factor : float
        The loss's gradient over that of what is reported.
    """

    loss: Any
    value_factor: float = 1.0
    gradient_factor: float = 1.0
    offset: float = 0.0

    @property
    def link(self) -> str:
        """What makes probabilities of outputs, the same for each of several."""
        core = self.loss._core
        return str((core[0] if isinstance(core, list) else core).link)

    def reported(self, value: float) -> float:
        """Return what is reported of the loss's value."""
        return self.value_factor * value + self.offset


def log_loss(outputs: int, *, exclusive: bool) -> Objective:
    """Return the log loss of classes that exclude each other, or of each output by itself."""
    if exclusive:
        return Objective(CrossEntropy())
    return Objective(BinaryCrossEntropy(), float(outputs), 1.0 / outputs)


def squared_error(outputs: int) -> Objective:
    """Return the mean over the outputs of halved squared errors.

    Its gradient is, as scikit-learn's, that of their sum.
    """
    return Objective(MSE(), 0.5, 2.0 / outputs)


def poisson(y: NDArray[np.floating], weights: NDArray[np.floating] | None) -> Objective:
    """Return half the Poisson deviance, whose terms of y alone scikit-learn counts too."""
    terms = y * np.log(np.where(y > 0.0, y, 1.0)) - y
    offset = float(np.average(terms, axis=0, weights=weights).sum())
    return Objective(Poisson(), float(y.shape[1]), 1.0 / y.shape[1], offset)

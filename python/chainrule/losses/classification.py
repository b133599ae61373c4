# SPDX-License-Identifier: Apache-2.0
"""Losses of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.activations.rectifiers import Softplus
from chainrule.losses.loss import Loss, LossOfLogits
from chainrule.spec import Field

if TYPE_CHECKING:
    from chainrule.activations.activation import Tensor

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Hinge"]


class CrossEntropy(LossOfLogits):
    """Cross-entropy of softmax(o) with the target's classes; outputs are logits.

    -sum_j c_j q_j log softmax(o)_j, where q = (1 - label_smoothing) t + label_smoothing / classes,
    t is the target's row of probabilities or its label's one-hot row, and c are the class weights.
    The gradient is softmax(o) * sum_j(c_j q_j) - c q. With labels, a row also weighs its class's
    weight in the mean, as in PyTorch.

    Parameters
    ----------
    label_smoothing : float, default 0.0
        In [0, 1).
    from_logits : bool, default False
        Take the network's outputs as logits whatever activation gave them. Without it a network
        must end without activation, or in softmax, which the loss takes over; another last
        activation is refused, because training through it does not succeed.

    References
    ----------
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, for the
    smoothing.

    Examples
    --------
    >>> import math
    >>> CrossEntropy()([[math.log(3), 0.0]], [0]) == -math.log(3 / 4)
    True
    """

    kind = "cross_entropy"
    torch_module = "CrossEntropyLoss"
    label_smoothing = Field[float]()

    def __init__(self, label_smoothing: float = 0.0, from_logits: bool | None = False) -> None:
        super().__init__(from_logits, label_smoothing=label_smoothing)


class BinaryCrossEntropy(LossOfLogits):
    """Cross-entropy of sigmoid(o) with t in [0, 1], for each output by itself; outputs are logits.

    -t log sigmoid(o) - (1 - t) log(1 - sigmoid(o)), computed as max(o, 0) - o t +
    log(1 + exp(-abs(o))), of gradient sigmoid(o) - t.

    Parameters
    ----------
    from_logits : bool, default False
        As of `CrossEntropy`; the activation that the loss takes over is sigmoid.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.BinaryCrossEntropy()
    >>> loss([[0.0]], [[1.0]])
    0.6931471805599453
    >>> loss.gradient([[0.0]], [[1.0]])
    array([[-0.5]])
    """

    kind = "binary_cross_entropy"
    torch_module = "BCEWithLogitsLoss"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return log(1 + exp(z)) - t z."""
        return Softplus().formula(z) - z * t


class Hinge(Loss):
    """max(0, 1 - s o), where s = 1 for t > 0 and else -1; targets are -1 and 1, or 0 and 1.

    The gradient is -s where s o < 1, else 0.

    References
    ----------
    Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.Hinge()
    >>> loss([[0.25]], [[1.0]])
    0.75
    >>> loss.gradient([[0.25]], [[1.0]])
    array([[-1.]])
    """

    kind = "hinge"

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return max(0, 1 - s z)."""
        return (z * (-1.0 if t > 0.0 else 1.0) + 1.0).op("Relu")

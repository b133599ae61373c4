# SPDX-License-Identifier: Apache-2.0
"""Losses: what training minimises.

Losses compare a network's raw outputs o (for the cross-entropies, the logits) with targets t. A
row's loss is the mean over its outputs, or for `CrossEntropy` the cross-entropy of the row; the
loss of a batch is the weighted mean over its rows, sum(w_i loss_i) / sum(w_i), which with all
weights 1 is PyTorch's ``reduction="mean"``. Every gradient below is that of one output's term; the
batch's is it times w_i / sum(w_i), and but for `CrossEntropy` divided by the number of outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_targets, as_weights, check_same_length
from chainrule.inputs.targets import (
    ClassWeight,
    balanced_weights,
    check_balanced,
    class_counts,
    class_weights_array,
    prepare_targets,
)
from chainrule.names import module_attributes
from chainrule.spec import Field, Spec

__all__ = [
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "Poisson",
    "Quantile",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)


class Loss(Spec):
    """Base class of losses, which can be called and differentiated by hand.

    Examples
    --------
    >>> import numpy as np
    >>> loss = CrossEntropy()
    >>> logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    >>> loss(logits, [0, 2])
    0.634
    >>> loss.gradient(logits, [0, 2]).round(3)
    array([[-0.078,  0.057,  0.021],
           [ 0.167,  0.167, -0.333]])
    >>> loss.link(logits).round(3)
    array([[0.844, 0.114, 0.042],
           [0.333, 0.333, 0.333]])
    """

    _core_type = _core.Loss

    @property
    def takes_labels(self) -> bool:
        """Whether targets may be class labels, one a row."""
        return bool(self._core.takes_labels)

    @property
    def from_logits(self) -> bool:
        """Whether outputs are taken as logits whatever activation gave them."""
        return bool(self._core.config.get("from_logits", False))

    def __call__(
        self,
        outputs: ArrayLike,
        y: object,
        sample_weight: object = None,
        class_weight: ClassWeight = None,
    ) -> float:
        """Return the mean loss.

        Parameters
        ----------
        outputs : array-like, shape (rows, outputs) or (rows,)
            Raw outputs of a network; 1-D for a single output.
        y : array-like, shape (rows, outputs) or (rows,)
            Targets: class labels (rows,) or rows of probabilities for `CrossEntropy`, numbers for
            the others.
        sample_weight : array-like, shape (rows,), optional
            How much each row counts.
        class_weight : mapping or array-like, shape (classes,), optional
            How much each class counts: of `CrossEntropy`, or of a single output the classes 0
            (targets of 0 or less) and 1.

        Returns
        -------
        float

        Raises
        ------
        TypeError
            If entries are not real numbers.
        ValueError
            If shapes do not fit together, or a target or weight is out of range.
        """
        return self._value_and_gradient(outputs, y, sample_weight, class_weight)[0]

    def gradient(
        self,
        outputs: ArrayLike,
        y: object,
        sample_weight: object = None,
        class_weight: ClassWeight = None,
    ) -> NDArray[Any]:
        """Return the derivative of the mean loss with respect to the outputs.

        Parameters
        ----------
        outputs, y, sample_weight, class_weight
            As for calling the loss.

        Returns
        -------
        ndarray of float32 or float64, of the shape of `outputs`
            float32 for outputs of float32 or a smaller type.

        Raises
        ------
        TypeError, ValueError
            As for calling the loss.
        """
        gradient = self._value_and_gradient(outputs, y, sample_weight, class_weight)[1]
        return gradient.reshape(np.shape(outputs))

    def link(self, outputs: ArrayLike) -> NDArray[Any]:
        """Return what the raw outputs predict: probabilities for the cross-entropies.

        Parameters
        ----------
        outputs : array-like, shape (rows, outputs) or (rows,)
            Raw outputs of a network.

        Returns
        -------
        ndarray of float32 or float64, of the shape of `outputs`
            softmax(o) for `CrossEntropy`, sigmoid(o) for `BinaryCrossEntropy`, exp(o) for
            `Poisson`, a copy for the others.
        """
        predictions = _raw_outputs(outputs, copy=True)
        _core.apply_link(self._core, predictions)
        return predictions.reshape(np.shape(outputs))

    def _value_and_gradient(
        self,
        outputs: ArrayLike,
        y: object,
        sample_weight: object,
        class_weight: ClassWeight,
    ) -> tuple[float, NDArray[Any]]:
        raw = _raw_outputs(outputs)
        rows, columns = raw.shape
        targets = prepare_targets(self._core, y, columns, single=raw.dtype == np.float32)
        check_same_length(raw, targets, names=("outputs", "y"))
        weights = None if sample_weight is None else as_weights(sample_weight, rows=rows)
        by_class = None
        if isinstance(class_weight, str):
            check_balanced(class_weight)
            by_class = balanced_weights(class_counts(self._core, targets, weights, columns))
        elif class_weight is not None:
            by_class = class_weights_array(class_weight, columns if self.takes_labels else 2)
        value, gradient = _core.loss_and_gradient(self._core, raw, targets, weights, by_class)
        return value, gradient


get = Loss.get


class _Plain(Loss):
    def __init__(self) -> None:
        super().__init__()


class _OfLogits(Loss):
    """A loss whose link makes predictions of outputs that may be any number."""

    _optional = ("from_logits",)

    def __init__(self, from_logits: bool | None = False, **options: Any) -> None:
        super().__init__(from_logits=from_logits, **options)


class MSE(_Plain):
    """Squared error (o - t)**2, of gradient 2 (o - t).

    Examples
    --------
    >>> MSE()([[1.0, 2.0]], [[0.0, 0.0]])
    2.5
    """

    kind = "mse"


class MAE(_Plain):
    """Absolute error abs(o - t), of gradient sign(o - t), which is 0 for o = t."""

    kind = "mae"


class Huber(Loss):
    """Squared error near the target, absolute error away from it.

    With d = o - t: d**2 / 2 where abs(d) <= delta, else delta * (abs(d) - delta / 2). The gradient
    is d clipped to [-delta, delta].

    Parameters
    ----------
    delta : float, default 1.0
        Where the one becomes the other; above 0.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    """

    kind = "huber"
    delta = Field[float]()

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__(delta=delta)


class LogCosh(_Plain):
    """log(cosh(o - t)), of gradient tanh(o - t): a smooth kin of `Huber`."""

    kind = "log_cosh"


class CrossEntropy(_OfLogits):
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
    label_smoothing = Field[float]()

    def __init__(self, label_smoothing: float = 0.0, from_logits: bool | None = False) -> None:
        super().__init__(from_logits, label_smoothing=label_smoothing)


class BinaryCrossEntropy(_OfLogits):
    """Cross-entropy of sigmoid(o) with t in [0, 1], for each output by itself; outputs are logits.

    -t log sigmoid(o) - (1 - t) log(1 - sigmoid(o)), computed as max(o, 0) - o t +
    log(1 + exp(-abs(o))), of gradient sigmoid(o) - t.

    Parameters
    ----------
    from_logits : bool, default False
        As of `CrossEntropy`; the activation that the loss takes over is sigmoid.
    """

    kind = "binary_cross_entropy"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)


class Hinge(_Plain):
    """max(0, 1 - s o), where s = 1 for t > 0 and else -1; targets are -1 and 1, or 0 and 1.

    The gradient is -s where s o < 1, else 0.

    References
    ----------
    Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """

    kind = "hinge"


class Quantile(Loss):
    """Pinball loss, whose minimum is a quantile of the targets.

    q max(0, t - o) + (1 - q) max(0, o - t), of gradient -q for o < t, 1 - q for o > t and 0 for
    o = t. With several quantiles the outputs are one group per quantile, each with as many columns
    as y: for two quantiles of two columns, (y0 at q0, y1 at q0, y0 at q1, y1 at q1).

    Parameters
    ----------
    quantiles : float or sequence of float, default (0.5,)
        In (0, 1), increasing.

    References
    ----------
    Koenker & Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> Quantile((0.1, 0.9))([[0.0, 0.0]], [1.0])
    0.5
    """

    kind = "quantile"
    quantiles = Field[tuple[float, ...]](tuple)

    def __init__(self, quantiles: float | Sequence[float] = (0.5,)) -> None:
        super().__init__(quantiles=quantiles if isinstance(quantiles, Iterable) else [quantiles])


class Poisson(_OfLogits):
    """exp(o) - t o, of gradient exp(o) - t; exp(o) is the mean of counts t >= 0.

    It is the negative log-likelihood without the term log(t!), which depends on t alone.

    Parameters
    ----------
    from_logits : bool, default False
        Take the network's outputs as logarithms of means whatever activation gave them. Without it
        a network must end without activation, or in one that gives all real numbers.
    """

    kind = "poisson"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)


def _raw_outputs(outputs: ArrayLike, *, copy: bool = False) -> NDArray[Any]:
    array = as_targets(outputs, outputs=None, name="outputs")
    dtype = np.float64 if array.dtype == np.float64 else np.float32
    if copy:
        return np.array(array, dtype=dtype, order="C")
    return np.ascontiguousarray(array, dtype=dtype)

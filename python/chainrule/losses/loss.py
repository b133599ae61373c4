# SPDX-License-Identifier: Apache-2.0
"""The base class of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

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
from chainrule.spec import Spec

if TYPE_CHECKING:
    from chainrule.activations.activation import Tensor

__all__ = ["Loss", "LossOfLogits"]


class Loss(Spec):
    """Base class of losses, which can be called and differentiated by hand.

    Attributes
    ----------
    torch_module : str
        The class in ``torch.nn`` that is the same loss of raw outputs, whose name is taken too.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import losses
    >>> loss = losses.CrossEntropy()
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
    torch_module: ClassVar[str] = ""

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return the loss of an output z, of the `group` of a quantile, whose target is t.

        `chainrule.graph` has second derivatives of it. `CrossEntropy`, which is of a row, has none.
        """
        raise ValueError(f"graph has no formula of {self.kind} for second derivatives")

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
        outputs : array-like, shape (rows, outputs) or (rows,), or with positions between them
            Raw outputs of a network.

        Returns
        -------
        ndarray of float32 or float64, of the shape of `outputs`
            softmax(o) for `CrossEntropy`, sigmoid(o) for `BinaryCrossEntropy`, exp(o) for
            `Poisson`, a copy for the others.
        """
        return self._changed(outputs, _core.apply_link)

    def inverse_link(self, predictions: ArrayLike) -> NDArray[Any]:
        """Return raw outputs of which `link` makes these predictions.

        Parameters
        ----------
        predictions : array-like, shape (rows, outputs) or (rows,), or with positions between them
            What `link` gives. A probability that has been rounded to 0 or 1 counts as the nearest
            one that has a logarithm.

        Returns
        -------
        ndarray of float32 or float64, of the shape of `predictions`
            log(p) for `CrossEntropy` and `Poisson`, log(p / (1 - p)) for `BinaryCrossEntropy`, a
            copy for the others. The outputs behind a softmax are known but for a number that
            those of a row have in common; here that number makes their exponentials add up to 1.

        Examples
        --------
        >>> import chainrule as cr
        >>> cr.losses.BinaryCrossEntropy().inverse_link([[0.5]])
        array([[0.]])
        """
        return self._changed(predictions, _core.apply_inverse_link)

    def _changed(self, given: ArrayLike, change: Callable[[Any, Any], None]) -> NDArray[Any]:
        shape = np.shape(given)
        rows = np.reshape(given, (-1, shape[-1])) if len(shape) > 2 else given
        changed = _raw_outputs(rows, copy=True)
        change(self._core, changed)
        return changed.reshape(shape)

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


class LossOfLogits(Loss):
    """A loss whose link makes predictions of outputs that may be any number."""

    _optional = ("from_logits",)

    def __init__(self, from_logits: bool | None = False, **options: Any) -> None:
        super().__init__(from_logits=from_logits, **options)


def _raw_outputs(outputs: ArrayLike, *, copy: bool = False) -> NDArray[Any]:
    array = as_targets(outputs, outputs=None, name="outputs")
    dtype = np.float64 if array.dtype == np.float64 else np.float32
    if copy:
        return np.array(array, dtype=dtype, order="C")
    return np.ascontiguousarray(array, dtype=dtype)

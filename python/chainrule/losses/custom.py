# SPDX-License-Identifier: Apache-2.0
"""Losses that are functions of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from chainrule import _core
from chainrule.inputs.results import function_name, store_result
from chainrule.losses.loss import Loss

__all__ = ["Custom", "LossFunction", "get"]

LossFunction: TypeAlias = Callable[[Any, Any], tuple[Any, Any]]


class Custom(Loss):
    """A function ``f(y_true, y_pred) -> (loss per row, d loss / d y_pred)`` as a loss.

    ``loss=f`` is the same in every place that takes a loss. The engine calls the function for each
    batch, with arrays of its own, between the forward and the backward pass, while its other
    threads wait. That is slow: for research and teaching.

    Parameters
    ----------
    function : callable
        ``y_pred`` are the network's outputs as the last layer gives them, (rows, outputs) or with
        all extents of several positions, float32 or float64 as the network. ``y_true`` are numbers
        of the same type, (rows, columns) for any number of columns, or int64 labels (rows,) where
        the network has several outputs and y is one-dimensional and whole. It returns the loss of
        each row, (rows,), and the derivative of each row's loss with respect to its outputs, of the
        shape of ``y_pred``. What it raises comes out of the call unchanged, and the network is as
        it was before the batch.
    name : str, optional
        Default: the function's own.

    Notes
    -----
    The batch's loss is sum(w_i loss_i) / sum(w_i), as of all losses, so the function neither takes
    the mean over rows nor weighs them. Weights of classes are taken with labels, or with targets of
    one column and a single output. A model file cannot hold the function: it keeps the rest, and
    the network that is read from it has no loss until one is given.

    Examples
    --------
    >>> import chainrule as cr
    >>> import numpy as np
    >>> def squared(y_true, y_pred):
    ...     d = y_pred - y_true
    ...     return (d**2).mean(axis=1), 2 * d / d.shape[1]
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(64, 3)), rng.normal(size=(64, 2))
    >>> net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    >>> history = net.fit(x, y, loss=squared, epochs=2, verbose=0)
    >>> net.loss
    Custom(squared)
    >>> net.evaluate(x, y)["loss"] == net.evaluate(x, y, loss="mse")["loss"]
    True
    """

    def __init__(self, function: LossFunction, name: str | None = None) -> None:
        if isinstance(function, type) or not callable(function):
            raise TypeError(
                f"function must be a function of (y_true, y_pred), got {function!r:.80}"
            )
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string, got {name!r:.80}")
        runner = _Runner(function, name or function_name(function))
        vars(self).update(_core=_core.Loss.custom(runner.name, runner), _runner=runner)

    @property
    def function(self) -> LossFunction:
        """As given."""
        runner: _Runner = vars(self)["_runner"]
        return runner.function

    @property
    def name(self) -> str:
        """What errors and the summary call it."""
        return str(self.config["name"])

    def __repr__(self) -> str:
        """Return the class and the name."""
        return f"Custom({self.name})"

    def __eq__(self, other: object) -> bool:
        """Whether it is the same function under the same name."""
        if not isinstance(other, Custom):
            return NotImplemented
        return bool(self.function == other.function) and self.name == other.name

    def __hash__(self) -> int:
        """Hash of the name."""
        return hash(self.name)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the function, by its name as Python does."""
        return Custom, (self.function, self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Custom:
        """Return the loss itself, which does not change."""
        return self


Custom.kind = "custom"  # here, since no config makes one


class _Runner:
    """What the core calls, and only knows as long as the loss lives."""

    def __init__(self, function: LossFunction, name: str) -> None:
        self.function = function
        self.name = name

    def run(self, y_true: Any, y_pred: Any, losses: Any, gradients: Any) -> None:
        """Call the function, and leave what it returns in arrays of the core's."""
        shape = y_pred.shape
        given: object = self.function(y_true, y_pred)
        if not isinstance(given, tuple) or len(given) != 2:
            what = f"{len(given)} values" if isinstance(given, tuple) else type(given).__name__
            raise TypeError(
                f"loss {self.name!r} must return (loss per row, d loss / d y_pred), got {what}"
            )
        store_result(f"loss {self.name!r}: the loss per row", given[0], shape[:1], losses)
        store_result(f"loss {self.name!r}: d loss / d y_pred", given[1], shape, gradients)


def get(value: str | Mapping[str, Any] | Loss | LossFunction) -> Loss:
    """Return the loss that a name, a config, a loss or a function stands for.

    Parameters
    ----------
    value : str, mapping, Loss or callable
        A loss is returned as it is, a function as `Custom`.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError, ValueError
        If it stands for none.

    Examples
    --------
    >>> from chainrule import losses
    >>> losses.get("mse")
    MSE()
    """
    if isinstance(value, Loss | str | Mapping | type) or not callable(value):
        return Loss.get(value)  # type: ignore[arg-type]
    return Custom(value)

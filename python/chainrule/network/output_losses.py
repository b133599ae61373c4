# SPDX-License-Identifier: Apache-2.0
"""A loss for each output of a network, of which training minimises the weighted sum."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import losses
from chainrule.inputs.several import by_name
from chainrule.losses import Custom, Loss
from chainrule.names import unknown_name

__all__ = ["OutputLosses", "chosen_loss", "function_names", "is_by_output", "loss_weights_of"]


class OutputLosses:
    """Losses by the names of outputs.

    Parameters
    ----------
    names, columns : sequence of str, of int
        The outputs, and their numbers of columns.
    given : str, Loss, mapping or sequence
        One loss for all of them, or a loss for each.
    weights : mapping or sequence, optional
        The losses' weights in the sum; those that are not given are 1.
    present : OutputLosses, optional
        The losses in use, see `chosen_loss`.

    Raises
    ------
    TypeError, ValueError
        If a loss or a weight is none, is missing, or is for no output.
    """

    kind = "several"
    takes_labels = False
    from_logits = False

    def __init__(
        self,
        names: Sequence[str],
        columns: Sequence[int],
        given: Any,
        weights: Any = None,
        present: Any = None,
    ) -> None:
        self.names = tuple(names)
        self.columns = tuple(columns)
        self.losses: list[Loss]
        if isinstance(given, OutputLosses):
            self.losses = given.losses
        elif is_by_output(given, names):
            each = by_name("loss", "output", given, names)
            before = present.losses if isinstance(present, OutputLosses) else [None] * len(each)
            self.losses = [chosen_loss(one, old) for one, old in zip(each, before, strict=True)]
        else:
            self.losses = [losses.get(given)] * len(names)
        self.weights = _weights(self.names, weights)
        if weights is None and isinstance(given, OutputLosses):
            self.weights = given.weights

    def part(self, outputs: NDArray[Any], index: int) -> NDArray[Any]:
        """Return the columns of one output of all of them side by side."""
        first = sum(self.columns[:index])
        return np.ascontiguousarray(outputs[:, first : first + self.columns[index]])

    @property
    def _core(self) -> list[Any]:
        return [loss._core for loss in self.losses]

    @property
    def config(self) -> dict[str, Any]:
        """The losses' configs and weights by output."""
        return {
            "losses": {n: loss.config for n, loss in zip(self.names, self.losses, strict=True)},
            "weights": dict(zip(self.names, self.weights, strict=True)),
        }

    def __eq__(self, other: object) -> bool:
        """Whether losses and weights are equal."""
        return isinstance(other, OutputLosses) and self.config == other.config

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the losses by output."""
        return repr(dict(zip(self.names, self.losses, strict=True)))


def function_names(loss: Any) -> list[str]:
    """Return the names of losses that are functions, which no file can hold."""
    each = loss.losses if isinstance(loss, OutputLosses) else [loss]
    return [one.name for one in each if isinstance(one, Custom)]


def is_by_output(given: Any, names: Sequence[str]) -> bool:
    """Whether losses are given for each output, and not the name or config of one for all.

    A mapping of outputs' names is by output, also where one of these is "kind".
    """
    if isinstance(given, Mapping):
        return "kind" not in given or set(given) <= set(names)
    return isinstance(given, list | tuple)


def chosen_loss(given: Any, present: Any) -> Loss:
    """Return the loss that is given; of the function that is in use, the loss in use.

    What is compiled for that serves on.
    """
    if isinstance(present, Custom) and callable(given) and present.function == given:
        return present
    return losses.get(given)


def loss_weights_of(loss: Any) -> list[float] | None:
    """Return the weights of several outputs' losses; None of an only one."""
    return loss.weights if isinstance(loss, OutputLosses) else None


def _weights(names: Sequence[str], given: Any) -> list[float]:
    """Return a weight for each output."""
    if given is None:
        return [1.0] * len(names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ValueError(f"loss_weights: {unknown_name('output', name, names)}")
        given = [given.get(name, 1.0) for name in names]
    weights = []
    for name, weight in zip(names, by_name("loss_weights", "output", given, names), strict=True):
        number = isinstance(weight, int | float | np.integer | np.floating)
        if isinstance(weight, bool) or not number:
            raise TypeError(f"loss_weights[{name!r}] must be a number, got {weight!r:.80}")
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"loss_weights[{name!r}] must be finite and >= 0, got {weight}")
        weights.append(float(weight))
    return weights

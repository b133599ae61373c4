# SPDX-License-Identifier: Apache-2.0
"""The network of an estimator, and its first weights."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import BatchNormalization, Dense, Dropout, Input, Layer
from chainrule.network.sequential import Sequential
from chainrule.sklearn.parameters import for_each, hidden_activations, hidden_units

__all__ = ["Architecture", "dense_places"]

# Those of scikit-learn begin with the weights that it would begin with.
_GLOROT = {"linear": 6.0, "relu": 6.0, "sigmoid": 2.0, "tanh": 6.0}


class Architecture:
    """Layers by the parameters of an estimator.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    inputs, outputs : int

    Raises
    ------
    ValueError
        If a list has not a value for each hidden layer, or a value is out of range.
    """

    def __init__(self, estimator: Any, inputs: int, outputs: int) -> None:
        self.units = [*hidden_units(estimator.hidden_layer_sizes), outputs]
        hidden = len(self.units) - 1
        self.inputs = inputs
        self.activations = hidden_activations(estimator.activation, hidden)
        self.dropout = _rates(for_each("dropout", estimator.dropout, hidden))
        self.batch_norm = bool(estimator.batch_norm)

    def first_weights(
        self, random: np.random.RandomState
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
        """Return weights and biases of each dense layer as scikit-learn draws them.

        None stands for those before an activation that it does not have, which are chainrule's.
        """
        drawn: list[tuple[NDArray[np.float64], NDArray[np.float64]] | None] = []
        after: Sequence[Activation] = self.activations[-1:] or [Activation.get("linear")]
        inputs = self.inputs
        for units, activation in zip(self.units, [*self.activations, *after], strict=True):
            last = len(drawn) == len(self.units) - 1
            factor = _GLOROT.get(activation.kind, 6.0 if last else 0.0)
            bound = np.sqrt(factor / (inputs + units))
            if factor:
                weights = random.uniform(-bound, bound, (inputs, units))
                drawn.append((weights, random.uniform(-bound, bound, units)))
            else:
                drawn.append(None)
            inputs = units
        return drawn

    def check_fits(self, net: Sequential) -> None:
        """Raise ValueError unless a network has these layers' units."""
        units = [net.layers[place].units for place in dense_places(net)]  # type: ignore[attr-defined]
        if units != self.units:
            raise ValueError(
                f"the fitted network has layers of {units} units, these parameters and targets ask "
                f"for {self.units}; clone the estimator to begin anew"
            )

    def network(self, seed: int, dtype: str, l2: float, first: Sequence[Any]) -> Sequential:
        """Return the network with its first weights."""
        layers: list[Layer | Input] = [Input(self.inputs)]
        for units, activation, rate in zip(
            self.units[:-1], self.activations, self.dropout, strict=True
        ):
            if self.batch_norm:
                layers += [Dense(units, l2=l2), BatchNormalization(), ActivationLayer(activation)]
            else:
                layers.append(Dense(units, activation, l2=l2))
            if rate > 0.0:
                layers.append(Dropout(rate))
        layers.append(Dense(self.units[-1], l2=l2))
        net = Sequential(layers, seed=seed, dtype=dtype)
        given: dict[str, NDArray[np.float64]] = {}
        for place, arrays in zip(dense_places(net), first, strict=True):
            if arrays is not None:
                given[f"{place}.weight"], given[f"{place}.bias"] = arrays
        net.set_weights(given)
        return net


def dense_places(net: Sequential) -> list[int]:
    """Return the places of the dense layers, by which their parameters are called."""
    return [place for place, layer in enumerate(net.layers) if isinstance(layer, Dense)]


def _rates(given: Sequence[Any]) -> list[float]:
    for rate in given:
        if not isinstance(rate, Real) or not 0.0 <= float(rate) < 1.0:
            raise ValueError(f"dropout must be numbers in [0, 1), got {rate!r}")
    return [float(rate) for rate in given]

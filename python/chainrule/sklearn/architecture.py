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
from chainrule.network.network import Network
from chainrule.network.sequential import Sequential
from chainrule.sklearn.parameters import for_each, hidden_activations, hidden_units

__all__ = ["Architecture", "by_name", "dense_names", "head_names"]

# Those of scikit-learn begin with the weights that it would begin with.
_GLOROT = {"linear": 6.0, "relu": 6.0, "sigmoid": 2.0, "tanh": 6.0}


class Architecture:
    """Layers by the parameters of an estimator.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    inputs : int
    outputs : int or list of int
        Columns of the only output, or of each of several.

    Raises
    ------
    ValueError
        If a list has not a value for each hidden layer, or a value is out of range.
    """

    def __init__(self, estimator: Any, inputs: int, outputs: int | Sequence[int]) -> None:
        self.heads = [outputs] if isinstance(outputs, int) else list(outputs)
        self.units = [*hidden_units(estimator.hidden_layer_sizes), sum(self.heads)]
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

    def check_fits(self, net: Network) -> None:
        """Raise ValueError unless a network has these layers' units."""
        core = net._built_core()
        units = [
            sum(core.get_parameter(f"{name}.bias").size for name in names)
            for names in dense_names(net)
        ]
        if units != self.units:
            raise ValueError(
                f"the fitted network has layers of {units} units, these parameters and targets ask "
                f"for {self.units}; clone the estimator to begin anew"
            )

    def network(self, seed: int, dtype: str, l2: float, first: Sequence[Any]) -> Network:
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
        net: Network
        if len(self.heads) == 1:
            net = Sequential([*layers, Dense(self.units[-1], l2=l2)], seed=seed, dtype=dtype)
        else:
            x: Any = layers[0]
            h = x
            for layer in layers[1:]:
                h = layer(h)  # type: ignore[operator]
            heads = zip(head_names(len(self.heads)), self.heads, strict=True)
            outputs = {name: Dense(units, l2=l2)(h) for name, units in heads}
            net = Network(x, outputs, seed=seed, dtype=dtype)
        given: dict[str, NDArray[np.float64]] = {}
        for names, arrays in zip(dense_names(net), first, strict=True):
            if arrays is not None:
                given |= by_name(net, names, "weight", arrays[0])
                given |= by_name(net, names, "bias", arrays[1])
        net.set_weights(given)
        return net


def dense_names(net: Network) -> list[list[str]]:
    """Return the names of the dense layers, those of several outputs as one layer."""
    assert net._graph is not None
    dense = [node.name for node in net._graph.nodes if isinstance(node.layer, Dense)]
    ends = list(net._graph.outputs)
    return [*([name] for name in dense if name not in ends), ends]


def head_names(count: int) -> list[str]:
    """Return the names of several outputs."""
    return [f"y{place}" for place in range(count)]


def by_name(net: Network, names: Sequence[str], kind: str, array: Any) -> dict[str, Any]:
    """Return the parameters of layers whose units stand side by side in an array."""
    if len(names) == 1:
        return {f"{names[0]}.{kind}": array}
    core = net._built_core()
    units = [core.get_parameter(f"{name}.bias").size for name in names]
    if np.shape(array)[-1:] != (sum(units),):
        raise ValueError(f"expected an array of {sum(units)} columns, got {np.shape(array)}")
    parts = np.split(np.asarray(array), np.cumsum(units)[:-1], axis=-1)
    return {f"{name}.{kind}": part for name, part in zip(names, parts, strict=True)}


def _rates(given: Sequence[Any]) -> list[float]:
    for rate in given:
        if not isinstance(rate, Real) or not 0.0 <= float(rate) < 1.0:
            raise ValueError(f"dropout must be numbers in [0, 1), got {rate!r}")
    return [float(rate) for rate in given]

# SPDX-License-Identifier: Apache-2.0
"""Measures of a network's layers: activations, gradients and what a step would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import optimizers
from chainrule.errors import DivergenceError
from chainrule.layers import Activation, Dense, Layer
from chainrule.layers.convolution import Kernel
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.activations import Activation as Function
    from chainrule.network.graph import Graph
    from chainrule.optimizers import Optimizer

__all__ = ["LayerMeasures", "measure_layers", "root_mean_square"]


@dataclass(frozen=True)
class LayerMeasures:
    """What was measured of one layer; None where there is nothing to measure."""

    index: int
    """Which of the nodes with a layer it is."""
    node: str
    """What the node is called."""
    name: str
    units: int
    output: float | None
    """Root mean square of the outputs."""
    dead: float | None
    """Share of units that are 0 for all rows."""
    saturated: float | None
    """Share of outputs where the activation is flat."""
    gradient: float | None
    """Root mean square of the weights' gradient."""
    update: float | None
    """Root mean square of what a step would add to the weights."""
    ratio: float | None
    """That of the update over that of the weights."""
    identical: bool
    """Whether all units have the same weights, more than one of them."""
    gives_output: bool
    """Whether what it gives is an output of the network."""


def root_mean_square(values: NDArray[Any]) -> float:
    """Return sqrt(mean(values**2)), also of numbers whose squares would overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return largest
    scaled = np.asarray(values, dtype=np.float64) / largest
    return largest * float(np.sqrt(np.mean(scaled * scaled)))


def measure_layers(
    core: Any, graph: Graph, x: Any, y: Any, loss: Any, optimizer: Optimizer, weight: Any = None
) -> tuple[list[LayerMeasures], float]:
    """Return the measures of each layer and the loss.

    Parameters
    ----------
    core : Network32 or Network64
        A copy of the network, which is used up.
    graph : Graph
        The network's nodes.
    x : ndarray of shape (rows, inputs), or list of them
        Rows of its inputs.
    y : ndarray of shape (rows,) or (rows, columns), or list of them
        Their targets, as the core takes them.
    loss, optimizer
        What it is trained by.
    weight : ndarray, optional
        Weights of rows or positions.

    Returns
    -------
    list of LayerMeasures, float
    """
    core.forward(x, True, 0)
    outputs = core.activations()
    weighing = loss_weights_of(loss)
    value, _ = core.compute_gradients(x, y, loss._core, True, 0, weight, None, weighing)
    if optimizer.lazy:  # which could not step by hand
        optimizer = optimizers.Optimizer.from_config({**optimizer.config, "lazy": False})
    losses = loss.losses if isinstance(loss, OutputLosses) else [loss]
    links = {name: str(one._core.link) for name, one in zip(graph.outputs, losses, strict=True)}
    names = {
        info.layer: info.name
        for info in core.parameters
        if info.trainable and info.name.endswith(".weight")
    }
    weights = {index: core.get_parameter(name) for index, name in names.items()}
    gradients = {index: core.get_gradient(name) for index, name in names.items()}
    updates: dict[int, NDArray[Any]] = {}
    try:
        core.step(optimizer._core, float(optimizer.learning_rate))
        for index, before in weights.items():
            updates[index] = core.get_parameter(names[index]) - before
    except (DivergenceError, ValueError):  # gradients that are not finite
        pass
    measures = []
    for index, node in enumerate(node for node in graph.nodes if node.layer is not None):
        assert node.layer is not None
        layer = node.layer
        activation = _activation(layer)
        # Probabilities may well be near 0 and 1.
        ends = ("softmax", links.get(node.name))
        linked = node.name in links and activation is not None and activation.kind in ends
        hidden = None if linked else activation
        weight, update = weights.get(index), updates.get(index)
        size = 0.0 if weight is None else root_mean_square(weight)
        moved = None if update is None else root_mean_square(update)
        output = outputs[index]
        measures.append(
            LayerMeasures(
                index,
                node.name,
                repr(Layer.from_config(layer.config)),
                layer_units(output),
                None if output is None else root_mean_square(output),
                _dead(hidden, output),
                _saturated(hidden, output),
                None if weight is None else root_mean_square(gradients[index]),
                moved,
                None if moved is None or size == 0.0 else moved / size,
                _identical(weight),
                node.name in graph.outputs,
            )
        )
    return measures, float(value)


def layer_units(output: NDArray[Any] | None) -> int:
    """Return the columns of a layer's outputs; 0 where there is no table of them."""
    return 0 if output is None else int(output.shape[-1])


def _activation(layer: Layer) -> Function | None:
    return layer.activation if isinstance(layer, Dense | Activation | Kernel) else None


def _dead(activation: Function | None, output: NDArray[Any] | None) -> float | None:
    if activation is None or not activation.dies or output is None:
        return None
    return float(np.mean((output == 0).reshape(-1, output.shape[-1]).all(axis=0)))


def _saturated(activation: Function | None, output: NDArray[Any] | None) -> float | None:
    if activation is None or activation.flat_outside is None or output is None:
        return None
    low, high = activation.flat_outside
    return float(np.mean((output < low) | (output > high)))


def _identical(weight: NDArray[Any] | None) -> bool:
    if weight is None or weight.ndim != 2 or weight.shape[1] < 2:
        return False
    return bool((weight == weight[:, :1]).all())

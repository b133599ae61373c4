# SPDX-License-Identifier: Apache-2.0
"""A small network, for one row, as a graph of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import layers
from chainrule.activations import Linear
from chainrule.explanation.trace import checked_row
from chainrule.graph.fma import fma
from chainrule.graph.formulas import activation_operation, loss_operation
from chainrule.graph.nodes import Node, Operation, softmax
from chainrule.network.gradient_check import _float64_copy

if TYPE_CHECKING:
    from chainrule.activations import Activation
    from chainrule.losses import Loss
    from chainrule.network.network import Network
    from chainrule.network.sequential import Sequential

__all__ = ["Unrolled", "from_network"]

_LARGEST = 100_000  # parameters; more take minutes
_KNOWN = (
    layers.Dense,
    layers.Activation,
    layers.PReLU,
    layers.Dropout,
    layers.Rescaling,
    layers.Normalization,
)


class Unrolled:
    """What `from_network` gives: the nodes of a network, computed for one row.

    Attributes
    ----------
    loss : Node
        The loss of the row, from which `Node.backward` sets all gradients.
    inputs : list of Node
        The row: x[0], x[1], ...
    layers : list of list of Node
        What each layer gives; of a layer with an activation, what that gives.
    parameters : dict of str to ndarray of Node
        By the names and of the shapes that the network has for them.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0, dtype="float64")
    >>> net.set_weights([[[3.0]], [1.0]])
    >>> unrolled = cr.graph.from_network(net, [2.0], [5.0], loss="mse")
    >>> unrolled.loss.backward()
    >>> unrolled.loss.value, unrolled.gradients["0.weight"]
    (4.0, array([[8.]]))
    """

    def __init__(self, network: Network, row: NDArray[Any]) -> None:
        self.inputs = [Node(float(value), f"x[{i}]") for i, value in enumerate(row)]
        self.layers: list[list[Node]] = []
        self.parameters: dict[str, NDArray[Any]] = {}
        self.loss = self.inputs[0]
        self._trained = [p.name for p in network._built_core().parameters if p.trainable]
        for name, array in network.parameters.items():
            nodes = np.empty(array.shape, dtype=object)
            for index, value in np.ndenumerate(array):
                nodes[index] = Node(float(value), f"{name}{list(index)}".replace(" ", ""))
            self.parameters[name] = nodes

    @property
    def gradients(self) -> dict[str, NDArray[np.float64]]:
        """The gradients of the parameters, as `Sequential.gradients` has them.

        Raises
        ------
        RuntimeError
            If `backward` of the loss has not run.
        """
        if self.loss.gradient is None:
            raise RuntimeError("there are no gradients yet: call loss.backward() first")
        return {name: _gradients_of(self.parameters[name]) for name in self._trained}

    @property
    def input_gradient(self) -> NDArray[np.float64]:
        """The derivative of the loss by the row, of shape (inputs,)."""
        return _gradients_of(np.array(self.inputs, dtype=object))


def _gradients_of(nodes: NDArray[Any]) -> NDArray[np.float64]:
    # What the loss does not depend on, such as weights behind a constant, has no gradient.
    flat = [0.0 if node.gradient is None else node.gradient for node in nodes.flat]
    return np.array(flat, dtype=np.float64).reshape(nodes.shape)


def from_network(
    net: Sequential, row: object, target: object, loss: str | Loss | None = None
) -> Unrolled:
    """Return a network's loss for one row as a graph of numbers.

    Its gradients are those of the core for a float64 network, in every bit: each sum goes in the
    order of the indices, a fused multiply-add a term. Dropout does nothing, as in predictions.
    Where a softmax is not the last layer, what is below it is equal up to rounding; and the core
    takes numbers below 2.2e-308 for zero.

    Parameters
    ----------
    net : Sequential
        Of layers Dense, Activation, PReLU, Dropout, Rescaling and Normalization.
    row : array_like of shape (inputs,)
        One row.
    target : int, float, str or array_like
        Its label or its target, as `Sequential.fit` takes them.
    loss : str or Loss, optional
        Default: the network's own.

    Returns
    -------
    Unrolled

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, a layer is of another kind, there are too many parameters, or
        a number is not finite; the text names the node then.

    Examples
    --------
    >>> import chainrule as cr
    >>> from chainrule import graph
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="tanh"), cr.Dense(1)], seed=0)
    >>> unrolled = graph.from_network(net, [0.5, -1.0], 0.25, loss="mse")
    >>> unrolled.loss.backward()
    >>> unrolled.gradients["1.weight"].shape
    (3, 1)
    """
    chosen = net._chosen_loss(loss)
    with net._rollback_build():
        return _unrolled(net, row, target, chosen)


def _unrolled(net: Sequential, row: object, target: object, chosen: Loss) -> Unrolled:
    data = checked_row(net, row, target, chosen)
    for index, layer in enumerate(net.layers):
        if not isinstance(layer, _KNOWN):
            names = ", ".join(known.__name__ for known in _KNOWN)
            raise ValueError(f"from_network unrolls {names}; layer {index} is {layer!r}")
    count = net.count_params()
    if count > _LARGEST:
        raise ValueError(
            f"the network has {count:,} parameters; from_network unrolls up to {_LARGEST:,}"
        )
    net._built_core()
    if net._graph is None or net._graph.chained is None:
        raise ValueError("from_network unrolls a chain of layers, as of Sequential")
    wide = _float64_copy(net)
    head = _taken_over(wide, chosen)
    unrolled = Unrolled(wide, np.asarray(data.x, dtype=np.float64)[0])
    nodes = unrolled.inputs
    for index, layer in enumerate(wide.layers):
        own = {
            info.name.rpartition(".")[2]: unrolled.parameters[info.name]
            for info in wide._built_core().parameters
            if info.layer == index
        }
        last = index == len(wide.layers) - 1
        nodes = _layer(index, layer, nodes, own, skip_activation=last and head.kind != "linear")
        unrolled.layers.append(nodes)
    unrolled.loss = loss_operation(chosen, head, np.asarray(data.y)).of(*nodes, name="loss")
    return unrolled


def _taken_over(net: Network, loss: Loss) -> Activation:
    """Return the last activation if the loss is differentiated together with it, else none."""
    last = net.layers[-1]
    if isinstance(last, layers.Dense | layers.Activation):
        link = loss._core.link
        if last.activation.kind == "softmax" or (net._ends_with(link) and not loss.from_logits):
            return last.activation
    return Linear()


def _layer(
    index: int, layer: Any, x: list[Node], own: dict[str, NDArray[Any]], *, skip_activation: bool
) -> list[Node]:
    """Return what a layer gives, named 0.z[0] before and 0.y[0] after an activation."""

    def activated(function: Activation, z: list[Node]) -> list[Node]:
        if skip_activation or function.kind == "linear":
            return z
        if function.kind == "softmax":
            return softmax(*z)
        return each("y", activation_operation(function), zip(z, strict=True))

    def each(letter: str, operation: Operation, inputs: Iterable[Iterable[Any]]) -> list[Node]:
        return [operation.of(*g, name=f"{index}.{letter}[{j}]") for j, g in enumerate(inputs)]

    if isinstance(layer, layers.Dense):
        biases = own.get("bias", [0.0] * layer.units)
        columns = own["weight"].T
        terms = ([b, *_interleaved(x, w)] for b, w in zip(biases, columns, strict=True))
        return activated(layer.activation, each("z", _DOT, terms))
    if isinstance(layer, layers.Activation):
        return activated(layer.activation, x)
    if isinstance(layer, layers.PReLU):
        return each("y", _PRELU, zip(x, own["slope"], strict=True))
    if isinstance(layer, layers.Rescaling):
        return each("y", _DOT, ((layer.offset, node, layer.scale) for node in x))
    if isinstance(layer, layers.Normalization):
        affine = map(_scale_and_offset, own["mean"], own["variance"])
        terms = ([offset, node, scale] for node, (scale, offset) in zip(x, affine, strict=True))
        return each("y", _DOT, terms)
    return x  # Dropout


def _interleaved(x: Iterable[Node], w: Iterable[Node]) -> Iterable[Node]:
    return (node for pair in zip(x, w, strict=True) for node in pair)


def _scale_and_offset(mean: Node, variance: Node) -> tuple[float, float]:
    scale = 1.0 / math.sqrt(variance.value) if variance.value > 0.0 else 1.0
    return scale, -mean.value * scale


def _dot(start: float, *pairs: float) -> float:
    total = start
    for x, w in zip(pairs[::2], pairs[1::2], strict=True):
        total = fma(x, w, total)
    return total


def _dot_derivatives(y: Any, start: Any, *pairs: Any) -> Sequence[Any]:
    swapped = [pairs[i ^ 1] for i in range(len(pairs))]
    return [1.0, *swapped]


_DOT = Operation("dot", _dot, _dot_derivatives)


def _prelu_derivatives(y: Any, x: Any, slope: Any) -> Sequence[Any]:
    positive = (x.value if isinstance(x, Node) else x) > 0.0
    return (1.0, 0.0) if positive else (slope, x)


_PRELU = Operation("prelu", lambda x, s: x if x > 0.0 else s * x, _prelu_derivatives)

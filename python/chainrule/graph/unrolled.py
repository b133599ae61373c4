# SPDX-License-Identifier: Apache-2.0
"""A small network, for one row, as a graph of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import layers
from chainrule.activations import Linear
from chainrule.explanation.row import checked_row
from chainrule.graph.arrays import for_one_reader
from chainrule.graph.formulas import loss_operation
from chainrule.graph.layers import KNOWN, activated, moves_nothing, output_of
from chainrule.graph.nodes import Node, Operation
from chainrule.interop.windows import TRANSPOSED
from chainrule.layers.convolution import Kernel
from chainrule.network.gradient_check import _float64_copy
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.activations import Activation
    from chainrule.losses import Loss
    from chainrule.network.network import Network

__all__ = ["Unrolled", "from_network"]

_LOSS = ""  # what stands for the losses among the nodes that read tensors
_LARGEST = 100_000  # parameters
_MOST_PRODUCTS = 1_000_000  # of parameters; a quarter of a minute
_ACTIVATED = layers.Dense | layers.Activation | Kernel  # whose activation makes nodes of its own


class Unrolled:
    """What `from_network` gives: the nodes of a network, computed for one row.

    Attributes
    ----------
    loss : Node
        The loss of the row, from which `Node.backward` sets all gradients.
    inputs : list of Node
        The row: x[0], x[1], ...; of several inputs one row behind the other.
    layers : list of list of Node
        What each layer gives; of a layer with an activation, what that gives.
    parameters : dict of str to ndarray of Node
        The parameters by name, in the shapes that the network gives them.

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


def from_network(net: Network, row: object, target: object, loss: Any = None) -> Unrolled:
    """Return a network's loss for one row as a graph of numbers.

    Its gradients are those of the core for a float64 network, in every bit: each sum goes in the
    order of the indices, a fused multiply-add a term, and of a tensor with several readers the last
    reader's gradient comes first. Weights of losses have to be powers of two for that. Dropout does
    nothing and BatchNormalization has its running statistics, as in predictions. Where a softmax
    is not the last layer, and below a LayerNormalization, whose gradients the core works out in
    closed form, or a ParametricActivation, gradients are equal up to rounding, as are those of the
    ``recurrent_weight`` of layers that go backwards. Zeros may differ in their sign; and the core
    takes numbers below 2.2e-308 for zero.

    Parameters
    ----------
    net : Network
        Of any layers but `Lambda` and those that read categories, with up to 100,000 parameters
        and 1,000,000 products of them: a convolution multiplies by each once a place.
    row : array_like of shape (inputs,)
        One row; of several inputs a mapping or a list of rows.
    target : int, float, str or array_like
        Its label or its target, as `Network.fit` takes them; of several outputs a mapping or list.
    loss : str or Loss, optional
        Default: the network's own. Of several outputs as `Network.fit` takes it.

    Returns
    -------
    Unrolled

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, a layer is of another kind, there are too many parameters or
        products, or a number is not finite; the text names the node then.

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


def _unrolled(net: Network, row: object, target: object, chosen: Any) -> Unrolled:
    checked = checked_row(net, row, target, chosen)
    rows, targets = checked.x, checked.y
    for layer in net.layers:
        if not isinstance(layer, tuple(KNOWN)):
            names = ", ".join(known.__name__ for known in KNOWN)
            raise ValueError(f"from_network unrolls {names}; {_where(net, layer)} is {layer!r}")
    count = net.count_params()
    if count > _LARGEST:
        raise ValueError(
            f"the network has {count:,} parameters; from_network unrolls up to {_LARGEST:,}"
        )
    products = _products(net)
    if products > _MOST_PRODUCTS:
        raise ValueError(
            f"the network makes {products:,} products of its parameters for a row; from_network "
            f"unrolls up to {_MOST_PRODUCTS:,}"
        )
    wide = _float64_copy(net)
    unrolled = Unrolled(wide, np.concatenate([x.reshape(-1) for x in rows]).astype(np.float64))
    _Unrolling(wide, unrolled, chosen, targets).run()
    return unrolled


def _products(net: Network) -> int:
    """Return how often a row's numbers meet parameters: each of a layer's once a position."""
    assert net._graph is not None
    total = 0
    sizes: dict[str, int] = {}
    names = [node.name for node in net._graph.nodes if node.layer is not None]
    for info in net._built_core().parameters:
        sizes[names[info.layer]] = sizes.get(names[info.layer], 0) + math.prod(info.shape)
    for node in net._graph.nodes:
        if node.layer is None:
            continue
        reads_each = isinstance(node.layer, layers.RecurrentLayer) or node.layer.kind in TRANSPOSED
        shape = net._shapes[node.inputs[0] if reads_each else node.name]
        total += sizes.get(node.shares or node.name, 0) * math.prod(shape[:-1])
    return total


def _where(net: Network, layer: layers.Layer) -> str:
    assert net._graph is not None
    name = next(node.name for node in net._graph.nodes if node.layer is layer)
    return f"layer {name}"


class _Unrolling:
    """The nodes of a network in the making."""

    def __init__(self, net: Network, unrolled: Unrolled, loss: Any, targets: list[Any]) -> None:
        assert net._graph is not None
        self._graph, self._unrolled, self._targets = net._graph, unrolled, targets
        self._shapes = net._shapes
        self._losses = loss.losses if isinstance(loss, OutputLosses) else [loss]
        self._weights = loss_weights_of(loss) or [1.0]
        self._tensors: dict[str, Any] = {}
        # What a place of a node, or a loss, reads; the names of those that read each tensor.
        self._by_use: dict[tuple[str, int], Any] = {}
        self._readers: dict[str, list[tuple[str, int]]] = {}
        self._sources: dict[str, str] = {}
        for node in self._graph.nodes:
            passes = self._moves_nothing(node)
            read = [self._sources[name] for name in node.inputs]
            self._sources[node.name] = read[0] if passes else node.name
            for place, name in enumerate(() if passes else read):
                self._readers.setdefault(name, []).append((node.name, place))
        ends = (self._graph[self._sources[name]].layer for name in self._graph.outputs)
        self._heads = [*map(_taken_over, ends, self._losses)]
        owners = [node.shares or node.name for node in self._graph.nodes]
        self._shared = {name for name in owners if owners.count(name) > 1}
        names = [node.name for node in self._graph.nodes if node.layer is not None]
        self._parameters: dict[str, dict[str, Any]] = {}
        for info in net._built_core().parameters:
            own = self._parameters.setdefault(names[info.layer], {})
            own[info.name.rpartition(".")[2]] = unrolled.parameters[info.name]

    def _moves_nothing(self, node: Any) -> bool:
        if node.layer is None:
            return False
        read, made = self._shapes[node.inputs[0]], self._shapes[node.name]
        return moves_nothing(node.layer, read, made)

    def run(self) -> None:
        """Make all nodes."""
        first = 0
        for node in self._graph.nodes:
            if node.layer is None:
                size = math.prod(self._shapes[node.name])
                entries = self._unrolled.inputs[first : first + size]
                first += size
                made = np.array(entries, dtype=object).reshape(self._shapes[node.name])
            else:
                made = self._made(node)
                self._unrolled.layers.append(list(made.flat))
            self._give(node.name, made)
        losses = []
        for i, loss in enumerate(self._losses):
            z = self._by_use[_LOSS, i]
            shape = self._shapes[self._graph.outputs[i]]
            operation = loss_operation(loss, self._heads[i], self._targets[i], shape)
            name = "loss" if len(self._losses) == 1 else f"{self._graph.outputs[i]}.loss"
            losses.append(operation.of(*z.flat, name=name))
        self._unrolled.loss = losses[0]
        if len(losses) > 1:
            weights = self._weights
            total = Operation(
                "weighted sum",
                lambda *each: _weighted(weights, each),
                lambda y, *each: weights,
            )
            self._unrolled.loss = total.of(*losses, name="loss")

    def _made(self, node: Any) -> Any:
        layer = node.layer
        if self._moves_nothing(node):
            return self._tensors[node.inputs[0]].reshape(self._shapes[node.name])
        read = [
            self._by_use[node.name, place].reshape(self._shapes[name])
            for place, name in enumerate(node.inputs)
        ]
        owner = node.shares or node.name
        own = self._parameters.get(owner, {})
        if owner in self._shared:
            own = {name: for_one_reader(nodes) for name, nodes in own.items()}
        z = output_of(node.name, layer, read, own)
        if not isinstance(layer, _ACTIVATED):
            return z
        for i, output in enumerate(self._graph.outputs):
            if self._sources[output] == node.name and self._heads[i].kind != "linear":
                if node.name not in self._readers:
                    self._by_use[_LOSS, i] = z
                    return z
                self._by_use[_LOSS, i], z = for_one_reader(z), for_one_reader(z)
        return activated(node.name, layer.activation, z)

    def _give(self, name: str, made: Any) -> None:
        """Note a tensor; of several readers each gets nodes of its own."""
        # Their order is that in which the core adds gradients: those of losses and of the last
        # reader come first.
        self._tensors[name] = made
        if self._sources[name] != name:
            return
        uses: list[tuple[str, int]] = [
            (_LOSS, i)
            for i, output in enumerate(self._graph.outputs)
            if self._sources[output] == name and (_LOSS, i) not in self._by_use
        ]
        readers = self._readers.get(name, [])
        order = [node.name for node in self._graph.nodes]
        uses += sorted(readers, key=lambda use: (-order.index(use[0]), use[1]))
        for use in uses:
            self._by_use[use] = for_one_reader(made) if len(uses) > 1 else made


def _weighted(weights: Sequence[float], losses: Sequence[float]) -> float:
    total = 0.0
    for weight, loss in zip(weights, losses, strict=True):
        total += weight * loss
    return total


def _taken_over(last: layers.Layer | None, loss: Loss) -> Activation:
    """Return a last activation if the loss is differentiated together with it, else none."""
    if isinstance(last, _ACTIVATED):
        own = last.activation.kind == loss._core.link and not loss.from_logits
        if last.activation.kind == "softmax" or own:
            return last.activation
    return Linear()

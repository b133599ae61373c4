# SPDX-License-Identifier: Apache-2.0
"""The first layers of a network as a network of their own that predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.arguments import positive_integer, sparsity_name, thread_count
from chainrule.inputs.several import core_rows

if TYPE_CHECKING:
    from chainrule.layers import Layer
    from chainrule.network.compiled import Compiled
    from chainrule.network.graph import Graph

__all__ = ["FirstLayers", "first_layers"]


class FirstLayers:
    """What ``net[:k]`` gives: the first k layers, with the network's own parameters.

    It holds no copy: what trains the network changes what this predicts. It cannot be trained by
    itself. Of a network that is no chain it is what leads to the k-th node with a layer.

    Parameters
    ----------
    network : Network
        The network.
    count : int
        How many layers.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(4), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
    >>> features = net[:1]
    >>> features
    FirstLayers([Dense(3, activation='relu')])
    >>> features.predict(np.ones((5, 4))).shape
    (5, 3)
    """

    def __init__(self, network: Compiled, count: int) -> None:
        self._network = network
        self._count = count

    @property
    def layers(self) -> list[Layer]:
        """The layers."""
        leading = self._leading
        return self._network.layers[: self._count] if leading is None else leading.layers

    @property
    def _leading(self) -> Graph | None:
        """The nodes that lead to the last one; None of a network that is not built."""
        graph = self._network._graph
        return None if graph is None else graph.leading_to([self._last(graph)])

    def _last(self, graph: Graph) -> str:
        return [node.name for node in graph.nodes if node.layer is not None][self._count - 1]

    @property
    def dtype(self) -> str:
        """The network's dtype."""
        return self._network.dtype

    @property
    def inputs(self) -> int | None:
        """Columns of x, or None while unknown."""
        return self._network.inputs

    @property
    def parameters(self) -> dict[str, NDArray[Any]]:
        """Copies of their parameters, by the names that the network has for them."""
        core = self._network._built_core()
        leading = self._leading
        assert leading is not None
        assert self._network._graph is not None
        nodes = (self._network._graph[node.name] for node in leading.nodes)
        owners = {node.shares or node.name for node in nodes}
        own = (p.name for p in core.parameters if p.name.rpartition(".")[0] in owners)
        return {name: core.get_parameter(name) for name in own}

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of them in the order of `parameters`."""
        return list(self.parameters.values())

    def predict(
        self,
        x: object,
        *,
        batch_size: int = 256,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
    ) -> NDArray[Any]:
        """Return the outputs of the last of these layers, in inference mode.

        Parameters
        ----------
        x, batch_size, num_threads, input_sparsity
            As in `Sequential.predict`.

        Returns
        -------
        ndarray of shape (rows, units)
            The outputs of the last of these layers, in the network's dtype, with all axes that its
            rows have.
        """
        rows = positive_integer("batch_size", batch_size)
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._network._rollback_build():
            features = self._network._as_rows(x, allow_single=True)
        core: Any = self._network._built_core()
        given = core_rows(features)
        outputs: NDArray[Any] = core.predict_first(self._count, given, rows, threads, path)
        assert self._network._graph is not None
        shape = self._network._shapes[self._last(self._network._graph)]
        return outputs.reshape(len(outputs), *shape)

    def __len__(self) -> int:
        """Return the number of layers."""
        return self._count

    def __repr__(self) -> str:
        """Return the layers."""
        return f"FirstLayers({self.layers})"


def first_layers(network: Compiled, index: slice, count: int) -> FirstLayers:
    """Return what a slice of a network of `count` layers is; ValueError unless it is ``[:k]``."""
    first, last, step = index.indices(count)
    if first != 0 or step != 1 or last < 1:
        raise ValueError(
            "a network's slice must be its first layers, at least one, as net[:k]; got "
            f"[{index.start}:{index.stop}:{index.step}]".replace("None", "")
        )
    return FirstLayers(network, last)

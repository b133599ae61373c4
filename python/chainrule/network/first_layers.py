# SPDX-License-Identifier: Apache-2.0
"""The first layers of a network as a network of their own that predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.arguments import positive_integer, sparsity_name, thread_count

if TYPE_CHECKING:
    from chainrule.layers import Layer
    from chainrule.network.compiled import Compiled

__all__ = ["FirstLayers"]


class FirstLayers:
    """What ``net[:k]`` gives: the first k layers, with the network's own parameters.

    It holds no copy: what trains the network changes what this predicts. It cannot be trained by
    itself.

    Parameters
    ----------
    network : Sequential
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
        return self._network.layers[: self._count]

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
        own = (p.name for p in core.parameters if p.layer < self._count)
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
            The outputs of the last of these layers, in the network's dtype.
        """
        rows = positive_integer("batch_size", batch_size)
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._network._rollback_build():
            features = self._network._as_rows(x, allow_single=True)
        core: Any = self._network._built_core()
        outputs: NDArray[Any] = core.predict_first(self._count, features, rows, threads, path)
        return outputs

    def __len__(self) -> int:
        """Return the number of layers."""
        return self._count

    def __repr__(self) -> str:
        """Return the layers."""
        return f"FirstLayers({self.layers})"

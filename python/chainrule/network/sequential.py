# SPDX-License-Identifier: Apache-2.0
"""A network of one chain of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from chainrule.arguments import positive_integer
from chainrule.layers import Input, Layer
from chainrule.names import names_arguments
from chainrule.network.compiled import Compiled
from chainrule.network.core_network import make_core
from chainrule.network.first_layers import FirstLayers, first_layers
from chainrule.network.graph import chain, flattens, keeps_axes
from chainrule.network.network import Network

if TYPE_CHECKING:
    pass

__all__ = ["Sequential"]


class Sequential(Network):
    """A stack of layers, each fed by the one before.

    Parameters
    ----------
    layers : sequence of Layer
        May begin with `Input`, which fixes the number of inputs; without it they are learnt from
        the first data. Where a layer such as `Conv2D` reads axes, the rows have those of `Input` or
        of the first data, else they are flattened.
    seed, dtype, name
        As for `Network`.

    Attributes
    ----------
    layers : list of Layer
        The layers, without `Input`.
    history, target_name, table
        As of `Network`.

    Notes
    -----
    A network of one chain: all that `Network` says of parameters, threads and copies holds. Layers
    without a name are called by their place: parameters are "0.weight", "0.bias", "1.weight" and so
    on. A layer that stands in the list twice is two layers.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential(
    ...     [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0
    ... )
    >>> history = net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    >>> net.evaluate(x, y)["accuracy"] > 0.95
    True
    """

    @names_arguments
    def __init__(
        self,
        layers: Sequence[Layer | Input],
        seed: int | None = None,
        dtype: str = "float32",
        *,
        name: str | None = None,
    ) -> None:
        given, listed = _split_input(layers)
        Compiled.__init__(self, listed, None, seed, dtype, name)
        self._input_name = None if given is None else given.name
        self._input_shape: tuple[int, ...] | None = None
        chain(listed, (), self._input_name)  # where two of them have one name
        if given is not None:
            self._learn_axes(given.shape)
            if flattens(listed):  # images can be augmented
                self._input_shape = given.shape
            self.build(given.units)

    def _learn_axes(self, shape: tuple[int, ...]) -> None:
        """Keep the shape of rows for `build`, where a layer reads their axes."""
        self._input_shape = tuple(shape) if keeps_axes(self.layers) else None

    def build(self, inputs: int) -> None:
        """Create the parameters for rows of `inputs` columns, where that has not happened yet.

        Parameters
        ----------
        inputs : int
            Columns of x.

        Raises
        ------
        ValueError
            If the network is already built for another number of inputs.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Dense(1)], seed=0)
        >>> net.build(2)
        >>> net.inputs
        2
        """
        inputs = positive_integer("inputs", inputs)
        if self._core is not None:
            if inputs != self._core.inputs:
                raise ValueError(f"x has {inputs} columns; the network expects {self._core.inputs}")
            return
        graph = chain(self.layers, self._input_shape or (inputs,), self._input_name)
        self._core = make_core(graph, self.seed, self.dtype)
        self._graph = graph
        self._known_shapes, self._gives_table = {}, False

    @overload
    def __getitem__(self, index: int | str) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> FirstLayers: ...
    def __getitem__(self, index: int | str | slice) -> Layer | FirstLayers:
        """Return a layer by place or name, or for ``net[:k]`` the first k, which share parameters.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
        >>> net[0]
        Dense(3, activation='relu')
        >>> net[:-1].predict(np.ones((4, 2))).shape
        (4, 3)
        """
        if isinstance(index, str):
            return super().__getitem__(index)
        if not isinstance(index, slice):
            return self.layers[index]
        return first_layers(self, index, len(self.layers))

    def __repr__(self) -> str:
        """Return the constructor call, with the number of inputs once it is known."""
        shape = None if self._graph is None else self._graph.inputs[0].shape
        given = [] if shape is None else [Input(shape, name=self._input_name)]
        layers: list[object] = [*given, *self.layers]
        listed = ", ".join(repr(layer) for layer in layers)
        return f"{type(self).__name__}([{listed}], seed={self.seed}, dtype={self.dtype!r})"


def _split_input(layers: Sequence[Layer | Input]) -> tuple[Input | None, list[Layer]]:
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of layers, got {layers!r}")
    items: list[Any] = list(layers)
    first = items[0] if items else None
    given = first if isinstance(first, Input) else None
    stack: list[Layer] = []
    start = int(given is not None)
    for index, layer in enumerate(items[start:], start):
        if isinstance(layer, Input):
            raise ValueError(f"{layer!r} must be the first of the layers, and the only Input")
        if not isinstance(layer, Layer):
            makes_several = hasattr(layer, "backward_layer")
            instead = "; a Network takes it: call it with a tensor" if makes_several else ""
            raise TypeError(f"layers[{index}] must be a Layer, got {layer!r}{instead}")
        stack.append(layer)
    if not stack:
        raise ValueError("a network needs at least one layer")
    return given, stack

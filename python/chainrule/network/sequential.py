# SPDX-License-Identifier: Apache-2.0
"""A network of one chain of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, overload

from chainrule.arguments import positive_integer
from chainrule.layers import Input, Layer
from chainrule.names import names_arguments
from chainrule.network.compiled import Compiled
from chainrule.network.core_network import make_core
from chainrule.network.first_layers import FirstLayers, first_layers
from chainrule.network.graph import chain
from chainrule.network.network import Network

if TYPE_CHECKING:
    from chainrule.callbacks import Record
    from chainrule.explanation.explain import Explanation
    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer

__all__ = ["Sequential"]


class Sequential(Network):
    """A stack of layers, each fed by the one before.

    Parameters
    ----------
    layers : sequence of Layer
        May begin with `Input`, which fixes the number of inputs; without it they are learnt from
        the first data.
    seed, dtype, name
        As for `Network`.

    Attributes
    ----------
    layers : list of Layer
        The layers, without `Input`.
    history, target_name
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
        chain(listed, (), self._input_name)  # where two of them have one name
        if given is not None:
            self.build(given.units)

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
        graph = chain(self.layers, (inputs,), self._input_name)
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

    def explain(
        self,
        row: object,
        target: object,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        record: Record | None = None,
        image_shape: Sequence[int] | None = None,
    ) -> Explanation:
        """Return a page on one row's way through the network and back: every value and gradient.

        All numbers are the core's, of a float64 copy: sums spelt out term by term, local
        derivatives, gradients beside finite differences, and what the optimizer would do next.

        Parameters
        ----------
        row : array_like of shape (inputs,) or (height, width)
            One row, or one image.
        target : int, str, float or array_like
            Its label or its target, as `fit` takes them.
        loss : str or Loss, optional
            Default: the one last used.
        optimizer : str or Optimizer, optional
            Whose first step, from this row alone, is shown. Default: the one last used, else Adam.
        record : chainrule.callbacks.Record, optional
            Steps of the training, which a slider goes through.
        image_shape : (height, width), optional
            How to draw a row that is an image; by default a square, if its length is one.

        Returns
        -------
        Explanation
            For notebooks, or with ``save("page.html")``: one file, which loads nothing else. Of a
            large network it shows what has the largest gradients, and says what it leaves out.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="tanh"), cr.Dense(1)], seed=0)
        >>> net.explain([0.5, -1.0], [0.25], loss="mse")
        <Explanation: mse = 0.0299, 4 units, ... kB>
        """
        from chainrule.explanation.explain import explain

        return explain(
            self,
            row,
            target,
            loss=loss,
            optimizer=optimizer,
            record=record,
            image_shape=image_shape,
        )

    def __repr__(self) -> str:
        """Return the constructor call, with the number of inputs once it is known."""
        given = [] if self._core is None else [Input(self._core.inputs, name=self._input_name)]
        layers: list[object] = [*given, *self.layers]
        listed = ", ".join(repr(layer) for layer in layers)
        return f"{type(self).__name__}([{listed}], seed={self.seed}, dtype={self.dtype!r})"


def _split_input(layers: Sequence[Layer | Input]) -> tuple[Input | None, list[Layer]]:
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of layers, got {layers!r}")
    items = list(layers)
    first = items[0] if items else None
    given = first if isinstance(first, Input) else None
    stack: list[Layer] = []
    start = int(given is not None)
    for index, layer in enumerate(items[start:], start):
        if isinstance(layer, Input):
            raise ValueError(f"{layer!r} must be the first of the layers, and the only Input")
        if not isinstance(layer, Layer):
            raise TypeError(f"layers[{index}] must be a Layer, got {layer!r}")
        stack.append(layer)
    if not stack:
        raise ValueError("a network needs at least one layer")
    return given, stack

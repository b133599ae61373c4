# SPDX-License-Identifier: Apache-2.0
"""A sequence from both sides."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.layers.layer import SymbolicTensor
from chainrule.layers.merge import Concatenate
from chainrule.layers.recurrent import RecurrentLayer

__all__ = ["Bidirectional"]


class Bidirectional:
    """A recurrent layer from the first step to the last, and another from the last to the first.

    It is no layer but makes three: called with a symbolic tensor, as a layer is, it gives what the
    layer makes of it beside what one with the same options and ``go_backwards`` makes of it, joined
    by a `Concatenate`: 2 * units columns. Where the layer has a name, that of the second has
    "_backward" at the end. As all recurrent layers give the state of a position at that position,
    both are of the same one.

    Parameters
    ----------
    layer : RecurrentLayer
        A `SimpleRNN`, `GRU` or `LSTM` that goes forward.

    Attributes
    ----------
    layer, backward_layer : RecurrentLayer
        Both. Called again, they use their parameters again.

    Raises
    ------
    TypeError
        If `layer` is something else.
    ValueError
        If it goes backwards already.

    References
    ----------
    Schuster & Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing 45, 1997.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input((20, 3))
    >>> both = cr.Bidirectional(cr.LSTM(8, name="memory"))
    >>> net = cr.Network(inputs=x, outputs=cr.Dense(1)(both(x)), seed=0)
    >>> list(net.parameters)[:2], list(net.parameters)[3]
    (['memory.weight', 'memory.recurrent_weight'], 'memory_backward.weight')
    """

    def __init__(self, layer: RecurrentLayer) -> None:
        if not isinstance(layer, RecurrentLayer):
            raise TypeError(f"Bidirectional takes a recurrent layer, got {layer!r:.80}")
        if layer.go_backwards:
            raise ValueError(f"Bidirectional takes a layer that goes forward, got {layer!r}")
        name = None if layer.name is None else f"{layer.name}_backward"
        config = {**layer.config, "go_backwards": True, "name": name}
        self.layer = layer
        self.backward_layer = type(layer).from_config(config)

    def __call__(self, inputs: SymbolicTensor | Sequence[SymbolicTensor]) -> SymbolicTensor:
        """Return what both layers make of a tensor, or of one with the lengths of its rows.

        Parameters
        ----------
        inputs : SymbolicTensor or sequence of SymbolicTensor
            As a recurrent layer takes it.

        Returns
        -------
        SymbolicTensor
        """
        return Concatenate()([self.layer(inputs), self.backward_layer(inputs)])

    def __repr__(self) -> str:
        """Return the constructor call."""
        return f"Bidirectional({self.layer!r})"

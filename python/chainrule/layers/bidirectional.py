# SPDX-License-Identifier: Apache-2.0
"""A sequence from both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

    def __call__(
        self,
        inputs: SymbolicTensor | Sequence[SymbolicTensor],
        initial_state: Sequence[SymbolicTensor] | None = None,
    ) -> Any:
        """Return what both layers make of a tensor, or of one with the lengths of its rows.

        Parameters
        ----------
        inputs : SymbolicTensor or sequence of SymbolicTensor
            As a recurrent layer takes it.
        initial_state : sequence of SymbolicTensor, optional
            The states that both begin with, of shape (units,): those of `layer` and then those of
            `backward_layer`, two of each `LSTM`, h and c.

        Returns
        -------
        SymbolicTensor or tuple of SymbolicTensor
            If the layer has `return_state` a tuple, as in Keras: the joined outputs, and the final
            states of both in the order of `initial_state`.

        Raises
        ------
        TypeError
            As any layer.
        ValueError
            If there are more states or fewer.

        Examples
        --------
        >>> import chainrule as cr
        >>> x, y = cr.Input((20, 3), name="x"), cr.Input((10, 3), name="y")
        >>> _, *states = cr.Bidirectional(cr.GRU(8, return_state=True))(x)
        >>> h = cr.Bidirectional(cr.GRU(8))(y, initial_state=states)
        >>> cr.Network([x, y], h, seed=0).predict([[[[0.0] * 3] * 20], [[[1.0] * 3] * 10]]).shape
        (1, 16)
        """
        layers = (self.layer, self.backward_layer)
        states: Sequence[Any] = (None, None)
        if initial_state is not None:
            single = isinstance(initial_state, SymbolicTensor)
            given: list[Any] = [initial_state] if single else list(initial_state)
            each = self.layer._states
            if len(given) != 2 * each:
                what = "two, one" if each == 1 else "four, h and c"
                raise ValueError(
                    f"{self!r} has initial_state of {what} of each layer, got {len(given)}"
                )
            states = (given[:each], given[each:])
        made = [layer(inputs, state) for layer, state in zip(layers, states, strict=True)]
        if not self.layer.return_state:
            return Concatenate()(made)
        (first, *final), (second, *others) = made
        return (Concatenate()([first, second]), *final, *others)

    def __repr__(self) -> str:
        """Return the constructor call."""
        return f"Bidirectional({self.layer!r})"

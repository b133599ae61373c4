# SPDX-License-Identifier: Apache-2.0
"""Layers that go through a sequence step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from chainrule import activations, initializers
from chainrule.layers.layer import SymbolicTensor
from chainrule.layers.shape import Position
from chainrule.layers.trained import TrainedLayer
from chainrule.spec import Field

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["GRU", "LSTM", "RecurrentLayer", "SimpleRNN"]


def _initializer(kind: str) -> Any:
    return Field(initializers.Initializer.from_config, kind)


class RecurrentLayer(TrainedLayer):
    """Base class of layers that go through a sequence step by step.

    Of rows of shape (time, features) they give rows of shape (units,), the state behind the last
    step, or (time, units) with `return_sequences`. The first step begins with a state of zeros.

    Called with two tensors, of shapes (time, features) and (1,), they take the second for the
    length of each row, a whole number from 1 to time. A row keeps its state behind its length, and
    with `return_sequences` gives zeros there; what x has there changes no bit of anything. See
    `__call__` for states to begin with, and for the final state beside what the layer gives.

    Parameters
    ----------
    return_sequences : bool, default False
        Whether the state behind each step is given, and not that behind the last one alone.
    return_state : bool, default False
        Whether the layer gives its final state besides: called with a tensor it then returns
        several (see `__call__`). It gives them as one, with the states as positions behind the
        sequence, of shape (time + 1, units), of an `LSTM` (time + 2, units), or without the time.
    go_backwards : bool, default False
        Whether steps go from the last position to the first. What is given for a position stays
        there, as in PyTorch; Keras gives the reverse sequence.
    use_bias : bool, default True
        Whether there are biases.
    weight_initializer : str, dict or chainrule.initializers.Initializer, default "glorot_uniform"
        First values of the weights of the features.
    recurrent_initializer : str, dict or chainrule.initializers.Initializer, default "orthogonal"
        First values of the weights of the state.
    bias_initializer : str, dict or chainrule.initializers.Initializer, default "zeros"
        First values of the biases.
    l1, l2 : float, default 0.0
        The penalty l1 * sum(abs(W)) + l2 * sum(W**2) of both matrices is added to the gradient's
        loss, not to the loss that is reported.
    recurrent_dropout : float, default 0.0
        In [0, 1). In training, how likely a number of the state is 0 where it is multiplied by
        ``recurrent_weight``; the others are scaled by 1 / (1 - rate). The same numbers are at all
        steps of a row, and those of all gates. In inference it does nothing, as `Dropout`.
    truncate_gradient : int, default 0
        Truncated backpropagation through time: no gradient passes from a position that is a
        multiple of it to the one before, so it goes back that many steps at most. Outputs are as
        ever. 0 passes all gradients on.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Notes
    -----
    The parameters are ``weight`` of shape (features, gates * units), ``recurrent_weight`` of
    (units, gates * units) and ``bias`` of (gates * units,), gate by gate in Keras' order. With
    `units`, `return_sequences`, `use_bias` and `recurrent_dropout` they mean what they mean in
    Keras.

    References
    ----------
    Gal & Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks", NIPS 2016; Williams & Peng, "An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories", Neural Computation 2, 1990 (truncation).

    Examples
    --------
    >>> import chainrule as cr
    >>> sequences = [[[1.0], [2.0], [3.0]], [[4.0]]]
    >>> x, lengths = cr.data.pad_sequences(sequences)
    >>> steps, length = cr.Input((3, 1), name="steps"), cr.Input(1, name="length")
    >>> h = cr.LSTM(2, return_sequences=True)([steps, length])
    >>> net = cr.Network(inputs=[steps, length], outputs=h, seed=0)
    >>> net.predict([x, lengths])[1] != 0
    array([[ True,  True],
           [False, False],
           [False, False]])

    A list of sequences is padded so by `Sequential.fit`, `predict` and the others:

    >>> bool((net.predict(sequences) == net.predict([x, lengths])).all())
    True
    """

    _reads_axes = True
    _: KW_ONLY
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    use_bias: bool = True
    weight_initializer: str | Mapping[str, Any] | initializers.Initializer = _initializer(
        "glorot_uniform"
    )
    recurrent_initializer: str | Mapping[str, Any] | initializers.Initializer = _initializer(
        "orthogonal"
    )
    bias_initializer: str | Mapping[str, Any] | initializers.Initializer = _initializer("zeros")
    l1: float = 0.0
    l2: float = 0.0
    recurrent_dropout: float = 0.0
    truncate_gradient: int = 0
    _states: ClassVar[int] = 1

    def __call__(
        self,
        inputs: SymbolicTensor | Sequence[SymbolicTensor],
        initial_state: SymbolicTensor | Sequence[SymbolicTensor] | None = None,
    ) -> Any:
        """Return what the layer makes of sequences.

        Parameters
        ----------
        inputs : SymbolicTensor or sequence of SymbolicTensor
            Of shape (time, features); or a list of that and of the lengths of rows, of shape (1,).
        initial_state : SymbolicTensor or sequence of SymbolicTensor, optional
            The state that the first step begins with, of shape (units,), in the place of zeros; of
            an `LSTM` both, h and c. Gradients go to it. It is written behind the `inputs`, so
            ``layer([x, h])`` is the same.

        Returns
        -------
        SymbolicTensor or tuple of SymbolicTensor
            With `return_state` a tuple, as in Keras: what the layer gives without it, and h behind
            the last step of each row, of an `LSTM` also c; each of shape (units,). They may be the
            `initial_state` of another layer, and gradients go through them.

        Raises
        ------
        TypeError
            As any layer.
        ValueError
            If there are more states or fewer, or one of shape (1,), which would be taken for
            lengths, without lengths before it.

        Examples
        --------
        >>> import chainrule as cr
        >>> x, h = cr.Input((20, 3), name="x"), cr.Input(8, name="h")
        >>> net = cr.Network([x, h], cr.GRU(8)(x, initial_state=h), seed=0)
        >>> net.predict({"x": [[[0.0] * 3] * 20], "h": [[0.5] * 8]}).shape
        (1, 8)

        The state of an encoder, h and c, before the first step of a decoder:

        >>> y = cr.Input((10, 3), name="y")
        >>> _, *state = cr.LSTM(8, return_state=True)(x)
        >>> decoded = cr.LSTM(8, return_sequences=True)(y, initial_state=state)
        >>> net = cr.Network([x, y], decoded, seed=0)
        >>> net.predict({"x": [[[0.0] * 3] * 20], "y": [[[1.0] * 3] * 10]}).shape
        (1, 10, 8)
        """
        made = super().__call__(self._with_states(inputs, initial_state))
        if not self.return_state:
            return made
        from chainrule.layers.resizing import Cropping  # which few programs need

        states = [Position(i - self._states)(made) for i in range(self._states)]
        sequences = Cropping((0, self._states))(made) if self.return_sequences else states[0]
        return (sequences, *states)

    def _with_states(
        self,
        inputs: SymbolicTensor | Sequence[SymbolicTensor],
        initial_state: SymbolicTensor | Sequence[SymbolicTensor] | None,
    ) -> SymbolicTensor | Sequence[SymbolicTensor]:
        """Return all that the layer reads."""
        if initial_state is None:
            return inputs
        given, states = (
            list(tensors) if isinstance(tensors, list | tuple) else [tensors]
            for tensors in (inputs, initial_state)
        )
        if len(states) != self._states:
            what = "one" if self._states == 1 else "two, h and c"
            raise ValueError(f"{self!r} has initial_state of {what}, got {len(states)}")
        if self.config["units"] == self._states == len(given):
            raise ValueError(
                f"{self!r} takes one number behind x for the length of a row: give lengths as "
                "well, layer([x, lengths], initial_state)"
            )
        return [*given, *states]


class SimpleRNN(RecurrentLayer):
    """Step by step h = activation(x W + b + h' U), with h' the state before the step.

    Parameters
    ----------
    units : int
        Numbers of the state, and outputs.
    activation : str, dict or chainrule.activations.Activation, default "tanh"
        What follows the sums.
    return_sequences, return_state, go_backwards, use_bias, l1, l2 : optional
        See `layers.RecurrentLayer`.
    recurrent_dropout, truncate_gradient : optional
        See `layers.RecurrentLayer`.
    weight_initializer, recurrent_initializer, bias_initializer : optional
        See `layers.RecurrentLayer`.
    learning_rate_factor, weight_decay_factor, name : optional
        See `layers.RecurrentLayer`.

    References
    ----------
    Elman, "Finding structure in time", Cognitive Science 14, 1990.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input((20, 3))
    >>> net = cr.Network(inputs=x, outputs=cr.SimpleRNN(8)(x), seed=0)
    >>> {name: values.shape for name, values in net.parameters.items()}
    {'simple_rnn.weight': (3, 8), 'simple_rnn.recurrent_weight': (8, 8), 'simple_rnn.bias': (8,)}
    """

    kind = "simple_rnn"
    units: int
    activation: str | Mapping[str, Any] | activations.Activation = Field(  # type: ignore[assignment]
        activations.Activation.from_config, "tanh"
    )


class GRU(RecurrentLayer):
    """Gated recurrent units.

    With h' the state before the step, and * element by element::

        z = sigmoid(x W_z + b_z + (h' U_z + c_z))
        r = sigmoid(x W_r + b_r + (h' U_r + c_r))
        n = tanh(x W_n + b_n + r * (h' U_n + c_n))
        h = n + z * (h' - n)

    The reset gate r acts behind the product, as in PyTorch, in cuDNN and in Keras with
    ``reset_after=True``, which is its default. So there is a parameter ``recurrent_bias`` of shape
    (3 * units,) besides, c. The gates come in the order z, r, n; in PyTorch r comes first.

    Parameters
    ----------
    units : int
        Numbers of the state, and outputs.
    return_sequences, return_state, go_backwards, use_bias, l1, l2 : optional
        See `layers.RecurrentLayer`.
    recurrent_dropout, truncate_gradient : optional
        See `layers.RecurrentLayer`.
    weight_initializer, recurrent_initializer, bias_initializer : optional
        See `layers.RecurrentLayer`.
    learning_rate_factor, weight_decay_factor, name : optional
        See `layers.RecurrentLayer`.

    References
    ----------
    Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio, "Learning phrase
    representations using RNN encoder-decoder for statistical machine translation", EMNLP 2014.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input((20, 3))
    >>> net = cr.Network(inputs=x, outputs=cr.GRU(8, return_sequences=True)(x), seed=0)
    >>> net.predict([[[0.5, 0.0, 1.0]] * 20]).shape
    (1, 20, 8)
    """

    kind = "gru"
    units: int


class LSTM(RecurrentLayer):
    """Long short-term memory.

    With h' and c' the states before the step, and * element by element::

        i, f, o = sigmoid(x W + b + h' U), each with weights and biases of its own
        g = tanh(x W_g + b_g + h' U_g)
        c = f * c' + i * g
        h = o * tanh(c)

    The gates come in the order i, f, g, o, as in Keras and PyTorch. PyTorch has two biases, whose
    sum is this one.

    Parameters
    ----------
    units : int
        Numbers of each state, and outputs.
    unit_forget_bias : bool, default True
        Whether the biases of f start at 1.
    return_sequences, return_state, go_backwards, use_bias, l1, l2 : optional
        See `layers.RecurrentLayer`.
    recurrent_dropout, truncate_gradient : optional
        See `layers.RecurrentLayer`.
    weight_initializer, recurrent_initializer, bias_initializer : optional
        See `layers.RecurrentLayer`.
    learning_rate_factor, weight_decay_factor, name : optional
        See `layers.RecurrentLayer`.

    References
    ----------
    Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; Gers,
    Schmidhuber & Cummins, "Learning to forget", Neural Computation 12, 2000; Jozefowicz, Zaremba &
    Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015 (biases of
    1).

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input((20, 3))
    >>> net = cr.Network(inputs=x, outputs=cr.LSTM(2)(x), seed=0)
    >>> net.parameters["lstm.bias"]
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """

    kind = "lstm"
    _states = 2
    units: int
    _: KW_ONLY
    unit_forget_bias: bool = True

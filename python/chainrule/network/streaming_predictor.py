# SPDX-License-Identifier: Apache-2.0
"""Predictions of sequences whose frames come one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_numbers
from chainrule.names import names_arguments

if TYPE_CHECKING:
    from chainrule.network.compiled import Compiled

__all__ = ["StreamingPredictor"]

_PREDICTORS: dict[str, Any] = {
    "float32": _core.StreamingPredictor32,
    "float64": _core.StreamingPredictor64,
}


class StreamingPredictor:
    """A copy of a network's weights that goes through a sequence frame by frame, without an end.

    Each step costs one frame and remembers what later ones need: the states of recurrent layers and
    the last inputs of convolutions. The outputs of the first `time` frames have the bits of
    ``net.predict`` at these positions; behind a recurrent layer without ``return_sequences`` they
    are those of a sequence that ends with the frame. Sequences may be longer than the time axis of
    the network. C++'s class of the same name makes the same steps without waiting or allocating.

    Parameters
    ----------
    net : Sequential or Network
        Built, with inputs of shape (time, features). Layers may be `SimpleRNN`, `GRU` and `LSTM`
        that go forward, `Conv1D` and `DepthwiseConv1D` with strides of 1 and padding "causal" (or a
        kernel of one position), and those that work on each position by itself, such as `Dense`,
        `Add` or `LayerNormalization`. It is not changed and may be trained on. An input of tokens,
        of shape (time,) in front of an `Embedding` of one table, or a one-hot `CategoryEncoding`,
        and a `Reshape` to (time, columns), has a token for each frame.

    Raises
    ------
    ValueError
        If the network does not go forward frame by frame; the text names the layer.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(1, 50, 3)).astype(np.float32)
    >>> net = cr.Sequential(
    ...     [cr.Input((50, 3)), cr.Conv1D(8, 3, padding="causal"), cr.GRU(8, return_sequences=True)]
    ... )
    >>> stream = cr.StreamingPredictor(net)
    >>> steps = [stream.step(frame) for frame in x[0]]
    >>> np.array_equal(steps, net.predict(x)[0])
    True

    Of a network that reads letters, one letter after the other:

    >>> letters = [cr.Input(50), cr.Embedding(26, 8), cr.Reshape((50, 8))]
    >>> net = cr.Sequential([*letters, cr.GRU(16, return_sequences=True), cr.Dense(26)])
    >>> stream = cr.StreamingPredictor(net)
    >>> scores = [stream.step([letter]) for letter in (7, 4, 11, 11, 14)]
    >>> scores[-1].shape
    (26,)
    """

    @names_arguments
    def __init__(self, net: Compiled) -> None:
        core = net._built_core()
        self._net = net
        self._core: Any = _PREDICTORS[net.dtype](core)

    @names_arguments
    def step(self, frame: object) -> NDArray[Any]:
        """Return the outputs of the next frame, or of several that follow each other.

        Parameters
        ----------
        frame : array_like of shape (features,) or (frames, features)
            Those of several inputs side by side. Numbers are rounded to the network's dtype first.

        Returns
        -------
        ndarray of shape (outputs,) or (frames, outputs)
            Of the network's dtype; those of several outputs side by side.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit, or a number is not finite; nothing is remembered then.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input((4, 1)), cr.Conv1D(1, 2, padding="causal")], seed=0)
        >>> net.set_weights([[[[1.0]], [[10.0]]], [0.0]])
        >>> stream = cr.StreamingPredictor(net)
        >>> stream.step([1.0]), stream.step([[2.0], [3.0]])
        (array([10.], dtype=float32), array([[21.],
               [32.]], dtype=float32))
        """
        numbers = as_numbers(frame, name="frame")
        features = self._core.inputs
        if numbers.ndim not in (1, 2) or numbers.shape[-1] != features:
            raise ValueError(
                f"frame has shape {numbers.shape}, expected ({features},) or (frames, {features})"
            )
        with np.errstate(over="ignore"):  # what becomes infinite is refused as such
            frames = np.ascontiguousarray(np.atleast_2d(numbers), dtype=self._net.dtype)
        outputs: NDArray[Any] = self._core.step(frames)
        return outputs[0] if numbers.ndim == 1 else outputs

    def reset(self) -> None:
        """Begin another sequence with the next frame."""
        self._core.reset()

    def copy(self) -> StreamingPredictor:
        """Return another one with the same weights, at the same place of the same sequence.

        Both go on by themselves; weights that one of them takes over by `update` are both's.

        Returns
        -------
        StreamingPredictor

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input((4, 1)), cr.GRU(2)], seed=0)
        >>> stream = cr.StreamingPredictor(net)
        >>> before = stream.step([1.0])
        >>> twin = stream.copy()
        >>> bool((stream.step([2.0]) == twin.step([2.0])).all())
        True
        """
        twin = StreamingPredictor.__new__(StreamingPredictor)
        twin._net, twin._core = self._net, type(self._core)(self._core)
        return twin

    def update(self) -> None:
        """Take over the network's present weights; what is remembered of the sequence stays."""
        self._core.update(self._net._built_core())

    def __reduce__(self) -> Any:
        """Refuse to be pickled: its weights may be older than the network's."""
        raise TypeError(
            "a StreamingPredictor cannot be pickled: make another of its network, or a twin by its "
            "method copy"
        )

# SPDX-License-Identifier: Apache-2.0
"""The chain rule by hand: forward, backward, gradients, and what research does with parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.arguments import boolean, thread_count
from chainrule.inputs.arrays import as_features
from chainrule.layers import Layer
from chainrule.network.stack import Stack

if TYPE_CHECKING:
    from chainrule.network.first_layers import FirstLayers

__all__ = ["ByHand"]


class ByHand(Stack):
    """The part of `Sequential` that runs its layers step by step.

    Parameters
    ----------
    layers, seed, dtype
        As for `Sequential`.
    """

    def forward(
        self, x: object, *, training: bool = True, num_threads: int | None = None
    ) -> NDArray[Any]:
        """Run the layers and keep what `backward` needs.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            One batch.
        training : bool, default True
            Whether dropout drops and batch normalisation uses (and tracks) the batch's statistics.
        num_threads : int, optional
            As in `fit`.

        Returns
        -------
        ndarray of shape (rows, outputs)

        Raises
        ------
        ValueError
            If `x` does not fit, or has one row in training where there is a `BatchNormalization`.
        """
        threads = thread_count(num_threads)
        with self._rollback_build(x):
            features = self._features(x)
            if training:
                self._learn_feature_names(x)
            return self._built_core().forward(features, boolean("training", training), threads)

    def backward(self, dy: ArrayLike) -> NDArray[Any]:
        """Carry the gradient of a loss from the outputs back to the inputs.

        Parameters
        ----------
        dy : array_like of shape (rows, outputs)
            d loss / d outputs of the last `forward`.

        Returns
        -------
        ndarray of shape (rows, inputs)
            d loss / d x. The parameters' gradients are in `gradients`.

        Raises
        ------
        RuntimeError
            If there was no `forward` since the weights last changed.
        """
        return self._built_core().backward(as_features(dy, name="dy"))

    @property
    def gradients(self) -> dict[str, NDArray[Any]]:
        """Copies of the gradients by parameter name: the last `backward`'s, or what was set.

        Set, all of them or some by name, they are what an optimizer's next step takes: gradients
        that were added up over several batches, clipped, or worked out elsewhere. Those that are
        not given stay; where there were none yet, they are 0.

        Raises
        ------
        RuntimeError
            If there are none.
        TypeError, ValueError
            When set, if a name is not that of a trained parameter, a shape differs, or a value is
            no finite real number; no gradient has changed then.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1, use_bias=False)], seed=0)
        >>> net.set_weights([[[0.0], [0.0]]])
        >>> net.gradients = {"0.weight": [[2.0], [4.0]]}
        >>> cr.SGD(0.5).step(net)
        >>> net.parameters["0.weight"]
        array([[-1.],
               [-2.]], dtype=float32)
        """
        core = self._built_core()
        return {p.name: core.get_gradient(p.name) for p in core.parameters if p.trainable}

    @gradients.setter
    def gradients(self, gradients: Mapping[str, ArrayLike]) -> None:
        self._built_core().set_gradients(self._checked_gradients(gradients), False)

    def _checked_gradients(self, gradients: object) -> dict[str, NDArray[Any]]:
        """Return gradients as the core takes them."""
        if not isinstance(gradients, Mapping):
            raise TypeError(
                f"gradients must map names of parameters to arrays, got {gradients!r:.80}"
            )
        parameters = self._built_core().parameters
        shapes = {p.name: p.shape for p in parameters if p.trainable}
        return self._checked_arrays(gradients, shapes, "gradients")

    def _hand_over(self, gradients: Mapping[str, ArrayLike]) -> None:
        """Set all gradients, those that are not given to 0; `Optimizer.step` calls it."""
        self._built_core().set_gradients(self._checked_gradients(gradients), True)

    @property
    def activations(self) -> list[NDArray[Any] | None]:
        """Copies of what each layer gave in the last `forward`, of shape (rows, units).

        None stands for a `CategoryEncoding`, of which the next layer reads the categories alone.

        Raises
        ------
        RuntimeError
            If there was no `forward`.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
        >>> outputs = net.forward(np.ones((4, 2)))
        >>> [a.shape for a in net.activations]
        [(4, 3), (4, 1)]
        """
        return self._built_core().activations()

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> FirstLayers: ...
    def __getitem__(self, index: int | slice) -> Layer | FirstLayers:
        """Return a layer, or for ``net[:k]`` the first k layers, which share the parameters.

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
        if not isinstance(index, slice):
            return self.layers[index]
        first, last, step = index.indices(len(self.layers))
        if first != 0 or step != 1 or last < 1:
            raise ValueError(
                "a network's slice must be its first layers, at least one, as net[:k]; got "
                f"[{index.start}:{index.stop}:{index.step}]".replace("None", "")
            )
        from chainrule.network.first_layers import FirstLayers

        return FirstLayers(self, last)

    def __len__(self) -> int:
        """Return the number of layers, without `Input`."""
        return len(self.layers)

    def interpolate(self, source: Stack, tau: float) -> None:
        """Move all parameters towards those of another network: a target network's soft update.

        Each parameter p, and each running statistic, becomes ``p + tau * (q - p)`` with the other
        network's q, worked out in the networks' dtype; for ``tau=1`` exactly q. The optimizer's
        state stays.

        Parameters
        ----------
        source : Sequential
            A network of the same layers and dtype.
        tau : float
            From 0, which changes nothing, to 1, which copies.

        Raises
        ------
        TypeError, ValueError
            If `source` is no such network or `tau` no number from 0 to 1.

        Examples
        --------
        >>> import copy
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
        >>> target = copy.deepcopy(net)
        >>> net.set_weights([[[1.0], [1.0]], [1.0]])
        >>> target.interpolate(net, 0.25)
        >>> target.parameters["0.bias"]
        array([0.25], dtype=float32)
        """
        if not isinstance(source, Stack):
            raise TypeError(f"source must be a network, got {source!r:.80}")
        if isinstance(tau, bool) or not isinstance(tau, int | float | np.integer | np.floating):
            raise TypeError(f"tau must be a number, got {tau!r:.80}")
        if self.dtype != source.dtype:
            raise ValueError(f"source has dtype {source.dtype}, this network has {self.dtype}")
        core: Any = self._built_core()
        core.interpolate(source._built_core(), float(tau))

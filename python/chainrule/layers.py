# SPDX-License-Identifier: Apache-2.0
"""Layers, of which `chainrule.Sequential` makes a network.

Layers are plain descriptions: parameters belong to the network, so a layer may stand in several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import _core, activations, initializers
from chainrule.described import Described, Option

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Input",
    "Layer",
    "LayerNormalization",
    "Normalization",
    "Rescaling",
    "get",
]


class Input:
    """The shape of one row of x, given as the first layer; it becomes no layer of the network.

    Parameters
    ----------
    shape : int or tuple of int
        Number of features, or a shape whose axes are flattened to that number.

    Attributes
    ----------
    shape : tuple of int
        As given.
    units : int
        Number of features.

    Raises
    ------
    TypeError
        If an axis is not an integer.
    ValueError
        If an axis is below 1 or there is none.

    Examples
    --------
    >>> Input((28, 28)).units
    784
    """

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        axes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        for axis in axes:
            if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
                raise TypeError(f"Input: axes must be integers, got {shape!r}")
        if not axes or min(axes) < 1:
            raise ValueError(f"Input: axes must be >= 1, got {shape!r}")
        self.shape = tuple(int(axis) for axis in axes)
        self.units = math.prod(self.shape)

    def __repr__(self) -> str:
        """Return the constructor call."""
        return f"Input({self.units if len(self.shape) == 1 else self.shape})"

    def __eq__(self, other: object) -> bool:
        """Whether the shapes are equal."""
        return self.shape == other.shape if isinstance(other, Input) else NotImplemented

    def __hash__(self) -> int:
        """Hash of the shape."""
        return hash((Input, self.shape))


class Layer(Described):
    """Base class of layers."""

    _core_type = _core.Layer

    def outputs(self, inputs: int) -> int:
        """Return the number of columns that the layer makes of `inputs` columns.

        Parameters
        ----------
        inputs : int
            Columns of its input.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it cannot take that many.
        """
        return int(self._core.outputs(inputs))


get = Layer.get


class Dense(Layer):
    """activation(x W + b), with a weight W of shape (inputs, units) and a bias b of (units,).

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: he_uniform before relu, leaky_relu, elu, gelu, silu and softplus, glorot_uniform
        before the others.
    bias_initializer : str, dict or chainrule.initializers.Initializer, default "zeros"
        First values of b.
    l1, l2 : float, default 0.0
        The penalty l1 * sum(abs(W)) + l2 * sum(W**2) is added to the gradient's loss, not to the
        loss that is reported.

    Examples
    --------
    >>> layer = Dense(128, activation="relu")
    >>> layer
    Dense(128, activation='relu')
    >>> layer.units, layer.activation
    (128, Relu())
    """

    kind = "dense"
    _optional = ("weight_initializer",)
    units = Option[int]()
    activation = Option(activations.Activation.from_config)
    use_bias = Option[bool]()
    weight_initializer = Option[initializers.Initializer | None](
        initializers.Initializer.from_config
    )
    bias_initializer = Option(initializers.Initializer.from_config)
    l1 = Option[float]()
    l2 = Option[float]()

    def __init__(
        self,
        units: int,
        activation: str | Mapping[str, Any] | activations.Activation = "linear",
        *,
        use_bias: bool = True,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer | None = None,
        bias_initializer: str | Mapping[str, Any] | initializers.Initializer = "zeros",
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        super().__init__(
            units=units,
            activation=activation,
            use_bias=use_bias,
            weight_initializer=weight_initializer,
            bias_initializer=bias_initializer,
            l1=l1,
            l2=l2,
        )


class Activation(Layer):
    """An activation as a layer of its own, for use after a normalisation.

    Parameters
    ----------
    activation : str, dict or chainrule.activations.Activation
        The activation.

    Examples
    --------
    >>> Activation("relu")
    Activation('relu')
    """

    kind = "activation"
    activation = Option(activations.Activation.from_config)

    def __init__(self, activation: str | Mapping[str, Any] | activations.Activation) -> None:
        super().__init__(activation=activation)


class Dropout(Layer):
    """In training, zero each value with probability `rate` and scale the rest by 1 / (1 - rate).

    In inference it does nothing.

    Parameters
    ----------
    rate : float
        In [0, 1).

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR
    15, 2014.
    """

    kind = "dropout"
    rate = Option[float]()

    def __init__(self, rate: float) -> None:
        super().__init__(rate=rate)


class BatchNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per feature over the batch.

    In inference mean and variance are the running ones, which training updates by
    ``running = momentum * running + (1 - momentum) * batch``, with the batch's variance over
    n - 1 as in PyTorch (whose momentum is 1 minus this one).

    Parameters
    ----------
    momentum : float, default 0.9
        In [0, 1].
    epsilon : float, default 1e-5
        Above 0.
    center, scale : bool, default True
        Whether there is a beta, a gamma.

    References
    ----------
    Ioffe & Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.
    """

    kind = "batch_normalization"
    momentum = Option[float]()
    epsilon = Option[float]()
    center = Option[bool]()
    scale = Option[bool]()

    def __init__(
        self,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, center=center, scale=scale)


class LayerNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per row over its features.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Above 0.
    center, scale : bool, default True
        Whether there is a beta, a gamma.

    References
    ----------
    Ba, Kiros & Hinton, "Layer normalization", arXiv:1607.06450.
    """

    kind = "layer_normalization"
    epsilon = Option[float]()
    center = Option[bool]()
    scale = Option[bool]()

    def __init__(self, *, epsilon: float = 1e-5, center: bool = True, scale: bool = True) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale)


class Rescaling(Layer):
    """x * scale + offset, the same two numbers for every feature.

    Parameters
    ----------
    scale : float
        Factor.
    offset : float, default 0.0
        Added after scaling.

    Examples
    --------
    >>> Rescaling(1 / 127.5, offset=-1.0).offset
    -1.0
    """

    kind = "rescaling"
    scale = Option[float]()
    offset = Option[float]()

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        super().__init__(scale=scale, offset=offset)


class Normalization(Layer):
    """(x - mean) / sqrt(variance), per feature.

    Mean and variance are not trained: the network's first ``fit``, or its ``adapt``, takes them
    from the data.
    """

    kind = "normalization"

    def __init__(self) -> None:
        super().__init__()

# SPDX-License-Identifier: Apache-2.0
"""Layers, of which `chainrule.Sequential` makes a network.

Layers are plain descriptions: parameters belong to the network, so a layer may stand in several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import _core, activations, initializers
from chainrule.described import Described, Option

__all__ = [
    "Activation",
    "BatchNormalization",
    "CategoryEncoding",
    "Dense",
    "Dropout",
    "Embedding",
    "Input",
    "Layer",
    "LayerNormalization",
    "Normalization",
    "Rescaling",
    "get",
]


def _whole_numbers(value: int | list[float]) -> int | tuple[int, ...]:
    """Return what a config holds of one or more integers; its lists are of floats."""
    return tuple(int(number) for number in value) if isinstance(value, list) else value


def _columns(value: int | list[float]) -> tuple[int, ...]:
    """Return a config's list of integers, which is an integer where there is only one."""
    columns = _whole_numbers(value)
    return columns if isinstance(columns, tuple) else (columns,)


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

    def categories(self, inputs: int) -> list[int]:
        """Return how many categories each column of x may have, for a layer that reads some.

        Parameters
        ----------
        inputs : int
            Columns of x.

        Returns
        -------
        list of int
            0 for a column of any numbers; empty for a layer that reads no categories.

        Raises
        ------
        ValueError
            If it cannot take that many columns.

        Examples
        --------
        >>> CategoryEncoding((2, 3)).categories(2), Dense(4).categories(2)
        ([2, 3], [])
        """
        categories: list[int] = self._core.categories(inputs)
        return categories


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


class CategoryEncoding(Layer):
    """Columns of categories, whole numbers from 0, as columns with a 1 in a category's place.

    It must be the first layer. A `Dense` layer right behind it works from the ones alone, in
    training and inference: zeros are neither made nor multiplied, and the results have the bits of
    those from the whole table, which any other layer behind it gets.

    Parameters
    ----------
    num_tokens : int or sequence of int
        How many categories every column of `x` has, or each of them.
    output_mode : {"one_hot", "multi_hot", "count"}, default "one_hot"
        "one_hot": each column has output columns of its own, one for each category, behind those of
        the column before. "multi_hot" and "count": all columns share `num_tokens` output columns,
        which hold 1 for the categories that the row has at least once, or how often it has them.

    Notes
    -----
    `x` may be integers of any type, or floats that are whole numbers. One that is none of its
    column's categories is a ValueError that names its row and column. No gradient flows to `x`:
    `Sequential.backward` gives zeros.

    In Keras' layer of this name the default is "multi_hot".

    Examples
    --------
    >>> import chainrule as cr
    >>> x = np.array([[0, 2], [1, 0]])
    >>> cr.Sequential([CategoryEncoding((2, 3))]).predict(x)
    array([[1., 0., 0., 0., 1.],
           [0., 1., 1., 0., 0.]], dtype=float32)
    >>> cr.Sequential([CategoryEncoding(3, "count")]).predict([[0, 2, 2]])
    array([[1., 0., 2.]], dtype=float32)
    """

    kind = "category_encoding"
    num_tokens = Option[int | tuple[int, ...]](_whole_numbers)
    output_mode = Option[str]()

    def __init__(self, num_tokens: int | Sequence[int], output_mode: str = "one_hot") -> None:
        super().__init__(num_tokens=num_tokens, output_mode=output_mode)


class Embedding(Layer):
    """A row of a trained table for each category, a whole number from 0, in columns of `x`.

    It must be the first layer. Its output columns are the rows that the columns of categories stand
    for, `units` for each in the order of `columns`, and behind them the other columns of `x`,
    unchanged and in their own order.

    Parameters
    ----------
    num_embeddings : int or sequence of int
        Rows, one for each category: an int for a single table that all columns of categories share,
        as in PyTorch's and Keras' layers, or a sequence for a table of each column's own.
    units : int
        Columns of the tables.
    columns : int or sequence of int, optional
        Which columns of `x` hold categories. Default: all.
    weight_initializer : str, dict or chainrule.initializers.Initializer, default "uniform"
        First values of the tables; by default in [-0.05, 0.05), as in Keras.

    Notes
    -----
    `x` may be integers of any type, or floats that are whole numbers in the columns of categories.
    One that is none of its column's categories is a ValueError that names its row and column.

    The parameter ``weight`` has the tables one behind the other. Its gradient is a sum over the
    rows of the batch in their order. Rows of categories that do not occur in a batch change as far
    as the optimizer moves weights whose gradient is zero. No gradient flows to categories:
    `Sequential.backward` gives zeros for them.

    References
    ----------
    Guo & Berkhahn, "Entity embeddings of categorical variables", arXiv:1604.06737.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([Embedding((7, 24), 2, columns=(0, 3)), cr.Dense(1)], seed=0)
    >>> x = np.array([[6, 0.5, -1.0, 23], [0, 0.25, 2.0, 23]])  # weekday, two numbers, hour
    >>> net.predict(x).shape, net.parameters["0.weight"].shape
    ((2, 1), (31, 2))
    >>> cr.Sequential([net.layers[0]], seed=0).predict(x)[:, 4:]
    array([[ 0.5 , -1.  ],
           [ 0.25,  2.  ]], dtype=float32)
    """

    kind = "embedding"
    _optional = ("columns",)
    num_embeddings = Option[int | tuple[int, ...]](_whole_numbers)
    units = Option[int]()
    columns = Option[tuple[int, ...] | None](_columns)
    weight_initializer = Option(initializers.Initializer.from_config)

    def __init__(
        self,
        num_embeddings: int | Sequence[int],
        units: int,
        *,
        columns: int | Sequence[int] | None = None,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer = "uniform",
    ) -> None:
        super().__init__(
            num_embeddings=num_embeddings,
            units=units,
            columns=columns,
            weight_initializer=weight_initializer,
        )


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

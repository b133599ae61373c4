# SPDX-License-Identifier: Apache-2.0
"""Convolutions of each channel by itself, over time and over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule import activations, initializers
from chainrule.layers.convolution import Kernel
from chainrule.spec import Field

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D"]


class _Depthwise(Kernel):
    """What both have in common."""

    depth_multiplier = Field[int]()

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        dilation: int | Sequence[int] = 1,
        activation: str | Mapping[str, Any] | activations.Activation = "linear",
        *,
        use_bias: bool = True,
        depth_multiplier: int = 1,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer | None = None,
        bias_initializer: str | Mapping[str, Any] | initializers.Initializer = "zeros",
        l1: float = 0.0,
        l2: float = 0.0,
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation=dilation,
            activation=activation,
            use_bias=use_bias,
            depth_multiplier=depth_multiplier,
            weight_initializer=weight_initializer,
            bias_initializer=bias_initializer,
            l1=l1,
            l2=l2,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )


class DepthwiseConv2D(_Depthwise):
    """A convolution of each channel of (height, width, channels) by itself, as in Keras.

    An output is activation(b + the sum over kernel row and kernel column, in this order, of input
    times W) of its own channel, with a weight W of shape (kernel height, kernel width, columns) and
    a bias b of (columns,), where columns = channels * depth_multiplier: output j is of channel
    ``j // depth_multiplier``. Kernel positions outside the image are left out. It gives (output
    height, output width, columns); it is PyTorch's ``Conv2d`` with as many groups as channels.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Height and width of the kernel; an int stands for both, as for the next options.
    strides : int or tuple of int, default 1
        By how many inputs the kernel moves from an output to the next.
    padding : {"valid", "same"}, default "valid"
        See `Conv2D`.
    dilation : int or tuple of int, default 1
        How far apart the inputs are that neighbours of the kernel meet.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    depth_multiplier : int, default 1
        How many outputs each channel has.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: as of `Dense`. The fan_in is kernel height * kernel width, the fan_out that times
        depth_multiplier.
    bias_initializer : str, dict or chainrule.initializers.Initializer, default "zeros"
        First values of b.
    l1, l2 : float, default 0.0
        The penalty l1 * sum(abs(W)) + l2 * sum(W**2) is added to the gradient's loss, not to the
        loss that is reported.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    References
    ----------
    Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
    applications", arXiv:1704.04861.

    Examples
    --------
    Sums of neighbours in the first channel, differences in the second:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((1, 3, 2)), cr.DepthwiseConv2D((1, 2), use_bias=False)])
    >>> net.set_weights({"0.weight": [[[1, -1], [1, 1]]]})
    >>> net.predict([[[[1, 1], [2, 2], [4, 4]]]])[0, 0]
    array([[3., 1.],
           [6., 2.]], dtype=float32)
    """

    kind = "depthwise_conv2d"
    __init__ = _Depthwise.__init__


class DepthwiseConv1D(_Depthwise):
    """A convolution of each feature of (time, features) by itself, as in Keras.

    It is `DepthwiseConv2D` over time: an output is activation(b + the sum over kernel position of
    input times W) of its own feature, with a weight W of shape (kernel size, columns) and a bias b
    of (columns,), where columns = features * depth_multiplier. It gives (output times, columns).

    Parameters
    ----------
    kernel_size : int
        Times that the kernel covers.
    strides : int, default 1
        By how many times the kernel moves from an output to the next.
    padding : {"valid", "same", "causal"}, default "valid"
        See `Conv1D`.
    dilation : int, default 1
        How far apart the inputs are that neighbours of the kernel meet.
    activation, use_bias, depth_multiplier : optional
        See `DepthwiseConv2D`.
    weight_initializer, bias_initializer, l1, l2 : optional
        See `DepthwiseConv2D`.
    learning_rate_factor, weight_decay_factor, name : optional
        See `DepthwiseConv2D`.

    Examples
    --------
    Sums and differences of neighbours:

    >>> import chainrule as cr
    >>> layer = cr.DepthwiseConv1D(2, padding="causal", use_bias=False, depth_multiplier=2)
    >>> net = cr.Sequential([cr.Input((3, 1)), layer])
    >>> net.set_weights({"0.weight": [[1, -1], [1, 1]]})
    >>> net.predict([[[1], [2], [4]]])[0]
    array([[1., 1.],
           [3., 1.],
           [6., 2.]], dtype=float32)
    """

    kind = "depthwise_conv1d"
    __init__ = _Depthwise.__init__

# SPDX-License-Identifier: Apache-2.0
"""Convolutions over time and over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule import activations, initializers
from chainrule.layers.trained import TrainedLayer
from chainrule.layers.whole_numbers import whole_numbers
from chainrule.spec import Field

__all__ = ["Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Kernel"]


class Kernel(TrainedLayer):
    """What layers with a kernel that moves have in common."""

    _optional = ("weight_initializer",)
    _reads_axes = True
    kernel_size = Field[int | tuple[int, ...]](whole_numbers)
    strides = Field[int | tuple[int, ...]](whole_numbers)
    padding = Field[str]()
    dilation = Field[int | tuple[int, ...]](whole_numbers)
    activation = Field(activations.Activation.from_config)
    use_bias = Field[bool]()
    weight_initializer = Field[initializers.Initializer | None](
        initializers.Initializer.from_config
    )
    bias_initializer = Field(initializers.Initializer.from_config)
    l1 = Field[float]()
    l2 = Field[float]()

    if TYPE_CHECKING:  # subclasses write their constructor out

        def __init__(self, *, name: str | None = None, **options: Any) -> None: ...


class _Convolution(Kernel):
    """What convolutions of all channels have in common."""

    filters = Field[int]()

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        dilation: int | Sequence[int] = 1,
        activation: str | Mapping[str, Any] | activations.Activation = "linear",
        *,
        use_bias: bool = True,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer | None = None,
        bias_initializer: str | Mapping[str, Any] | initializers.Initializer = "zeros",
        l1: float = 0.0,
        l2: float = 0.0,
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation=dilation,
            activation=activation,
            use_bias=use_bias,
            weight_initializer=weight_initializer,
            bias_initializer=bias_initializer,
            l1=l1,
            l2=l2,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )


class Conv2D(_Convolution):
    """A kernel that moves over images of (height, width, channels), as in Keras.

    An output is activation(b + the sum over kernel row, kernel column and channel, in this order,
    of input times W), with a weight W of shape (kernel height, kernel width, channels, filters) and
    a bias b of (filters,). It gives (output height, output width, filters).

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int or tuple of int
        Height and width of the kernel; an int stands for both, as for the next options.
    strides : int or tuple of int, default 1
        By how many inputs the kernel moves from an output to the next.
    padding : {"valid", "same"}, default "valid"
        "valid": the kernel stays inside the image. "same": there are ceil(extent / stride) outputs
        along each axis, and zeros around the image, of which the smaller half comes first.
    dilation : int or tuple of int, default 1
        How far apart the inputs are that neighbours of the kernel meet.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: as of `Dense`. The fan_in is kernel height * kernel width * channels, the fan_out
        kernel height * kernel width * filters.
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
    LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86, 1998.

    Examples
    --------
    Differences of neighbouring columns:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((2, 3, 1)), cr.Conv2D(1, (1, 2), use_bias=False)])
    >>> net.set_weights({"0.weight": np.array([-1.0, 1.0]).reshape(1, 2, 1, 1)})
    >>> net.predict([[[[1], [2], [4]], [[5], [5], [3]]]])[0, :, :, 0]
    array([[ 1.,  2.],
           [ 0., -2.]], dtype=float32)
    """

    kind = "conv2d"
    __init__ = _Convolution.__init__


class Conv2DTranspose(_Convolution):
    """The transpose of `Conv2D`, from its outputs to its inputs, as in Keras; strides enlarge.

    Each input is spread, times W, over the window of outputs that a `Conv2D` with these options
    would make it of; so forward is what that layer's gradient with respect to its inputs is, and
    the gradient is its forward. An output is activation(b + the sum over kernel row and kernel
    column, each from the last to the first, and channel, in this order, of input times W), with a
    weight W of shape (kernel height, kernel width, filters, channels) and a bias b of (filters,).

    It gives (output height, output width, filters). With span = dilation * (kernel size - 1) + 1
    along each axis, an extent becomes extent * strides + max(span - strides, 0) for "valid" and
    extent * strides for "same". "valid" is PyTorch's ``ConvTranspose2d`` with ``padding=0`` and
    ``output_padding=max(strides - span, 0)``. "same" leaves out the first (span - strides) // 2 of
    these outputs and then the last ones, which for an even span - strides is PyTorch's
    ``padding=(span - strides) // 2``.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int or tuple of int
        Height and width of the kernel; an int stands for both, as for the next options.
    strides : int or tuple of int, default 1
        By how many outputs the kernel moves from an input to the next.
    padding : {"valid", "same"}, default "valid"
        "valid": all outputs that windows reach. "same": extent * strides of them along each axis.
    dilation : int or tuple of int, default 1
        How far apart the outputs are that neighbours of the kernel meet.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: as of `Dense`. As in Keras and PyTorch the fan_in is kernel height * kernel width *
        filters, the fan_out kernel height * kernel width * channels.
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
    Zeiler, Krishnan, Taylor & Fergus, "Deconvolutional networks", CVPR 2010; Dumoulin & Visin, "A
    guide to convolution arithmetic for deep learning", arXiv:1603.07285.

    Examples
    --------
    Each number becomes a square of two by two:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((1, 3, 1)), cr.Conv2DTranspose(1, 2, strides=2)])
    >>> net.set_weights({"0.weight": np.ones((2, 2, 1, 1)), "0.bias": [0]})
    >>> net.predict([[[[1], [2], [3]]]])[0, :, :, 0]
    array([[1., 1., 2., 2., 3., 3.],
           [1., 1., 2., 2., 3., 3.]], dtype=float32)
    """

    kind = "conv2d_transpose"
    __init__ = _Convolution.__init__


class Conv1D(_Convolution):
    """A kernel that moves over sequences of (time, features), as in Keras.

    An output is activation(b + the sum over kernel position and feature, in this order, of input
    times W), with a weight W of shape (kernel size, features, filters) and a bias b of (filters,).
    It gives (output times, filters).

    Parameters
    ----------
    filters : int
        Number of outputs at each time.
    kernel_size : int
        Times that the kernel covers.
    strides : int, default 1
        By how many times the kernel moves from an output to the next.
    padding : {"valid", "same", "causal"}, default "valid"
        "valid" and "same": see `Conv2D`. "causal": zeros before the sequence alone, so that no
        output depends on inputs of later times.
    dilation : int, default 1
        How far apart the inputs are that neighbours of the kernel meet.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: as of `Dense`. The fan_in is kernel size * features, the fan_out kernel size *
        filters.
    bias_initializer : str, dict or chainrule.initializers.Initializer, default "zeros"
        First values of b.
    l1, l2 : float, default 0.0
        The penalty l1 * sum(abs(W)) + l2 * sum(W**2) is added to the gradient's loss, not to the
        loss that is reported.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Examples
    --------
    Sums of each number and the one two times before it:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((5, 1)), cr.Conv1D(1, 2, padding="causal", dilation=2)])
    >>> net.set_weights({"0.weight": np.ones((2, 1, 1)), "0.bias": [0]})
    >>> net.predict([[[1], [2], [3], [4], [5]]])[0, :, 0]
    array([1., 2., 4., 6., 8.], dtype=float32)
    """

    kind = "conv1d"
    __init__ = _Convolution.__init__


class Conv1DTranspose(_Convolution):
    """The transpose of `Conv1D`, from its outputs to its inputs, as in Keras; strides lengthen.

    It is `Conv2DTranspose` over time: an output is activation(b + the sum over kernel position,
    from the last to the first, and feature, in this order, of input times W), with a weight W of
    shape (kernel size, filters, features) and a bias b of (filters,). It gives (output times,
    filters), as many times as `Conv2DTranspose` has it of an extent.

    Parameters
    ----------
    filters : int
        Number of outputs at each time.
    kernel_size : int
        Times that the kernel covers.
    strides : int, default 1
        By how many outputs the kernel moves from an input to the next.
    padding : {"valid", "same"}, default "valid"
        "valid": all outputs that windows reach. "same": times * strides of them.
    dilation : int, default 1
        How far apart the outputs are that neighbours of the kernel meet.
    activation, use_bias, weight_initializer, bias_initializer, l1, l2 : optional
        See `Conv2DTranspose`.
    learning_rate_factor, weight_decay_factor, name : optional
        See `Conv2DTranspose`.

    Examples
    --------
    Each number becomes two:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((3, 1)), cr.Conv1DTranspose(1, 2, strides=2)])
    >>> net.set_weights({"0.weight": np.ones((2, 1, 1)), "0.bias": [0]})
    >>> net.predict([[[1], [2], [3]]])[0, :, 0]
    array([1., 1., 2., 2., 3., 3.], dtype=float32)
    """

    kind = "conv1d_transpose"
    __init__ = _Convolution.__init__

# SPDX-License-Identifier: Apache-2.0
"""Activations: the non-linearities that follow a layer's sums.

A name such as ``"relu"`` stands for the activation with its default options; the classes are for
the others, such as ``LeakyRelu(0.2)``. As a layer of its own an activation is
`chainrule.layers.Activation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import _core
from chainrule.names import module_attributes
from chainrule.spec import Field, Spec

__all__ = [
    "Activation",
    "Elu",
    "Gelu",
    "LeakyRelu",
    "Linear",
    "Relu",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Softplus",
    "Tanh",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)


class Activation(Spec):
    """Base class of activations, elementwise but for `Softmax`.

    Examples
    --------
    >>> from chainrule import activations
    >>> activations.get("leaky_relu").negative_slope
    0.01
    >>> activations.get("leaky_rel")
    Traceback (most recent call last):
        ...
    ValueError: unknown activation 'leaky_rel'; did you mean 'leaky_relu'? valid: elu, gelu, ...
    """

    _core_type = _core.Activation


get = Activation.get


class _Plain(Activation):
    def __init__(self) -> None:
        super().__init__()


class Linear(_Plain):
    """f(x) = x: no activation."""

    kind = "linear"


class Relu(_Plain):
    """f(x) = max(0, x), with f'(0) = 0.

    References
    ----------
    Glorot, Bordes & Bengio, "Deep sparse rectifier neural networks", AISTATS 2011.
    """

    kind = "relu"


class LeakyRelu(Activation):
    """f(x) = x for x > 0, else negative_slope * x.

    Parameters
    ----------
    negative_slope : float, default 0.01
        At least 0.

    References
    ----------
    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013.

    Examples
    --------
    >>> LeakyRelu(0.2)
    LeakyRelu(negative_slope=0.2)
    """

    kind = "leaky_relu"
    negative_slope = Field[float]()

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)


class Elu(Activation):
    """f(x) = x for x > 0, else alpha * (exp(x) - 1).

    Parameters
    ----------
    alpha : float, default 1.0
        At least 0.

    References
    ----------
    Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016.
    """

    kind = "elu"
    alpha = Field[float]()

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)


class Gelu(Activation):
    """f(x) = x * Phi(x), where Phi is the standard normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default "none"
        "tanh": f(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), of kind
        "gelu_tanh".

    References
    ----------
    Hendrycks & Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> Gelu(approximate="tanh") == get("gelu_tanh")
    True
    """

    kind = "gelu"

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    @property
    def approximate(self) -> str:
        """The approximation: "none" or "tanh"."""
        return "tanh" if self.config["kind"] == "gelu_tanh" else "none"


# The core has the approximation as a kind of its own.
Activation._classes["gelu_tanh"] = Gelu


class Silu(_Plain):
    """f(x) = x * sigmoid(x), also known as swish.

    References
    ----------
    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.
    """

    kind = "silu"


class Sigmoid(_Plain):
    """f(x) = 1 / (1 + exp(-x))."""

    kind = "sigmoid"


class Tanh(_Plain):
    """f(x) = tanh(x)."""

    kind = "tanh"


class Softplus(_Plain):
    """f(x) = log(1 + exp(x))."""

    kind = "softplus"


class Softmax(_Plain):
    """f(x)_j = exp(x_j) / sum_k exp(x_k), over each row.

    The loss `chainrule.losses.CrossEntropy` applies it by itself: give that loss a linear layer.
    """

    kind = "softmax"

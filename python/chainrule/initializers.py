# SPDX-License-Identifier: Apache-2.0
"""Initializers: how a layer's weights and biases get their first values.

A name such as ``"he_normal"`` stands for the initializer with its default options. Values depend
on the network's seed and the parameter's place alone: any number of threads, instruction set and
precision gives the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import _core
from chainrule.names import module_attributes
from chainrule.spec import Spec

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Orthogonal",
    "Uniform",
    "Zeros",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)


class Initializer(Spec):
    """Base class of initializers, for a matrix of fan_in rows and fan_out columns.

    The scaled ones have mean 0 and a variance that depends on the shape. Their uniform forms fill
    [-sqrt(3 variance), sqrt(3 variance)), their normal forms are not truncated.

    Examples
    --------
    >>> from chainrule import initializers
    >>> initializers.get("he_normal")
    HeNormal()
    >>> initializers.get({"kind": "normal", "standard_deviation": 0.01})
    Normal(standard_deviation=0.01)
    """

    _core_type = _core.Initializer


get = Initializer.get


class Zeros(Initializer):
    """All 0."""

    kind = "zeros"


class Constant(Initializer):
    """All `value`.

    Parameters
    ----------
    value : float
        The value.
    """

    kind = "constant"
    value: float


class Normal(Initializer):
    """Normally distributed.

    Parameters
    ----------
    mean : float, default 0.0
        Mean.
    standard_deviation : float, default 0.05
        At least 0.
    """

    kind = "normal"
    mean: float = 0.0
    standard_deviation: float = 0.05


class Uniform(Initializer):
    """Uniformly distributed in [low, high).

    Parameters
    ----------
    low, high : float, default -0.05 and 0.05
        Bounds, `low` not above `high`.
    """

    kind = "uniform"
    low: float = -0.05
    high: float = 0.05


class GlorotUniform(Initializer):
    """Uniform with variance 2 / (fan_in + fan_out); the default before saturating activations.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010.
    """

    kind = "glorot_uniform"


class GlorotNormal(Initializer):
    """Normal with variance 2 / (fan_in + fan_out); see `GlorotUniform`."""

    kind = "glorot_normal"


class HeUniform(Initializer):
    """Uniform with variance 2 / fan_in; the default before relu and its kin.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015.
    """

    kind = "he_uniform"


class HeNormal(Initializer):
    """Normal with variance 2 / fan_in; see `HeUniform`."""

    kind = "he_normal"


class LecunUniform(Initializer):
    """Uniform with variance 1 / fan_in.

    References
    ----------
    LeCun et al., "Efficient BackProp", 1998.
    """

    kind = "lecun_uniform"


class LecunNormal(Initializer):
    """Normal with variance 1 / fan_in; see `LecunUniform`."""

    kind = "lecun_normal"


class Orthogonal(Initializer):
    """`gain` times a random matrix with orthonormal rows or columns, whichever are fewer.

    Parameters
    ----------
    gain : float, default 1.0
        Factor.

    References
    ----------
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014.
    """

    kind = "orthogonal"
    gain: float = 1.0

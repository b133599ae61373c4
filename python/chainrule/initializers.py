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
    """All 0.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.Zeros())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> bool(net.parameters["0.weight"].any())
    False
    """

    kind = "zeros"


class Constant(Initializer):
    """All `value`.

    Parameters
    ----------
    value : float
        The value.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.Constant(0.5))
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> net.parameters["0.weight"][0, :3]
    array([0.5, 0.5, 0.5], dtype=float32)
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

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.Normal(0.0, 0.01))
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.01
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

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.Uniform(-0.1, 0.1))
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.06
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

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.GlorotUniform())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.1
    """

    kind = "glorot_uniform"


class GlorotNormal(Initializer):
    """Normal with variance 2 / (fan_in + fan_out); see `GlorotUniform`.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.GlorotNormal())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.1
    """

    kind = "glorot_normal"


class HeUniform(Initializer):
    """Uniform with variance 2 / fan_in; the default before relu and its kin.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.HeUniform())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.14
    """

    kind = "he_uniform"


class HeNormal(Initializer):
    """Normal with variance 2 / fan_in; see `HeUniform`.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.HeNormal())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.14
    """

    kind = "he_normal"


class LecunUniform(Initializer):
    """Uniform with variance 1 / fan_in.

    References
    ----------
    LeCun et al., "Efficient BackProp", 1998.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.LecunUniform())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.1
    """

    kind = "lecun_uniform"


class LecunNormal(Initializer):
    """Normal with variance 1 / fan_in; see `LecunUniform`.

    Examples
    --------
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.LecunNormal())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> round(float(net.parameters["0.weight"].std()), 2)
    0.1
    """

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

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> layer = cr.Dense(100, weight_initializer=cr.initializers.Orthogonal())
    >>> net = cr.Sequential([cr.Input(100), layer], seed=0)
    >>> w = net.parameters["0.weight"]
    >>> bool(abs(w.T @ w - np.eye(100)).max() < 1e-5)
    True
    """

    kind = "orthogonal"
    gain: float = 1.0

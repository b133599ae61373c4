# SPDX-License-Identifier: Apache-2.0
"""Layers that scale the inputs."""

from __future__ import annotations

from chainrule.layers.layer import Layer

__all__ = ["Normalization", "Rescaling"]


class Rescaling(Layer):
    """x * scale + offset, the same two numbers for every feature.

    As the first layer with an offset of 1024 or more it is worked out in float64 before the numbers
    are rounded to the network's precision, where x has more digits than float32.

    Parameters
    ----------
    scale : float
        Factor.
    offset : float, default 0.0
        Added after scaling.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> Rescaling(1 / 127.5, offset=-1.0).offset
    -1.0
    """

    kind = "rescaling"
    scale: float
    offset: float = 0.0


class Normalization(Layer):
    """(x - mean) / sqrt(variance), per feature.

    Mean and variance are not trained: the network's first ``fit``, or its ``adapt``, takes them
    from the data. A column that never varies is only centred.

    As the first layer it subtracts large means (1024 standard deviations or more) in float64,
    before the numbers are rounded to the network's precision. So whole numbers and float64 keep
    digits that float32 has not: times in seconds that lie one second apart are told from each
    other. Features that come as float32 have lost them before; those of `export_c` and
    of C++'s ``Predictor<float>`` are such.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import numpy as np, chainrule as cr
    >>> seconds = 1_700_000_000 + np.arange(5).reshape(-1, 1)
    >>> net = cr.Sequential([cr.Input(1), cr.Normalization()])
    >>> net.adapt(seconds)
    >>> net.predict(seconds).ravel().round(3).tolist()
    [-1.414, -0.707, 0.0, 0.707, 1.414]
    """

    kind = "normalization"

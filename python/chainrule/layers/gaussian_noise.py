# SPDX-License-Identifier: Apache-2.0
"""Noise on what flows through a network."""

from __future__ import annotations

from chainrule.layers.layer import Layer

__all__ = ["GaussianNoise"]


class GaussianNoise(Layer):
    """In training, add a normally distributed number of mean 0 to each value.

    In inference it does nothing. The numbers depend on the network's seed, the layer, the step and
    the place in the batch alone.

    Parameters
    ----------
    stddev : float
        Standard deviation, >= 0.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.GaussianNoise(0.1)], seed=0)
    >>> net.predict([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    >>> bool((net.forward([[1.0, 2.0]], training=True) == [[1.0, 2.0]]).any())
    False
    """

    kind = "gaussian_noise"
    stddev: float

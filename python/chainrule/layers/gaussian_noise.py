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
    """

    kind = "gaussian_noise"
    stddev: float

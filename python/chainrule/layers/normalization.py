# SPDX-License-Identifier: Apache-2.0
"""Layers that normalise what flows through the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.layers.trained import TrainedLayer

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["BatchNormalization", "LayerNormalization"]


class BatchNormalization(TrainedLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per feature over the batch.

    In inference mean and variance are the running ones, which training updates by
    ``running = momentum * running + (1 - momentum) * batch``, with the batch's variance over
    n - 1 as in PyTorch (whose momentum is 1 minus this one).

    A batch of one row has no variance. Where the last, shorter batch of an epoch has one row, it
    leaves the running mean and variance alone, and the layer gives beta for it. Training on batches
    that all have one row is a ValueError.

    Parameters
    ----------
    momentum : float, default 0.9
        In [0, 1].
    epsilon : float, default 1e-5
        Above 0.
    center, scale : bool, default True
        Whether there is a beta, a gamma.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    References
    ----------
    Ioffe & Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", ICML 2015.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(1), cr.BatchNormalization()])
    >>> net.forward([[1.0], [3.0]], training=True).round(3)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    kind = "batch_normalization"
    _: KW_ONLY
    momentum: float = 0.9
    epsilon: float = 1e-5
    center: bool = True
    scale: bool = True


class LayerNormalization(TrainedLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, per row over its features.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Above 0.
    center, scale : bool, default True
        Whether there is a beta, a gamma.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    References
    ----------
    Ba, Kiros & Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.LayerNormalization()])
    >>> net.predict([[1.0, 3.0]]).round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    kind = "layer_normalization"
    _: KW_ONLY
    epsilon: float = 1e-5
    center: bool = True
    scale: bool = True

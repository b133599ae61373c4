# SPDX-License-Identifier: Apache-2.0
"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.layers.layer import Layer
from chainrule.schedules import Schedule
from chainrule.spec import Field

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, zero each value with probability `rate` and scale the rest by 1 / (1 - rate).

    In inference it does nothing.

    Parameters
    ----------
    rate : float
        In [0, 1).
    rate_schedule : Schedule or dict, optional
        Of each step a number that `rate` is times, 1 at most, such as ``FlatCosine(1.0,
        epochs=10)``: any schedule of `chainrule.schedules` but functions and `ReduceOnPlateau`. It
        begins where the optimizer's schedules do, or without any with the network's first step. In
        `Sequential.forward` each step counts as an epoch.
    per_channel : bool, default False
        Zero all positions of a channel, an entry of the last axis of a row, or none: Keras'
        SpatialDropout1D and 2D, PyTorch's Dropout1d and 2d. Neighbouring positions of an image or a
        sequence say much the same, so that single values that are zeroed teach little. In rows of
        one axis each value is a channel.
    name : str, optional
        See `Layer`.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR
    15, 2014. Per channel: Tompson et al., "Efficient object localization using convolutional
    networks", CVPR 2015.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(4), cr.Dropout(0.5)], seed=0)
    >>> net.forward([[1.0, 1.0, 1.0, 1.0]], training=True)
    array([[2., 2., 0., 2.]], dtype=float32)
    >>> net.predict([[1.0, 1.0, 1.0, 1.0]])
    array([[1., 1., 1., 1.]], dtype=float32)
    >>> net = cr.Sequential([cr.Input((3, 2)), cr.Dropout(0.5, per_channel=True)], seed=7)
    >>> net.forward([[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]], training=True)
    array([[[2., 0.],
            [4., 0.],
            [6., 0.]]], dtype=float32)
    """

    kind = "dropout"
    rate: float
    _: KW_ONLY
    rate_schedule: Schedule | None = Field(Schedule.from_config, None)  # type: ignore[assignment]
    per_channel: bool = False

    @property
    def _reads_axes(self) -> bool:  # type: ignore[override]
        """Whether it tells channels from positions."""
        return self.per_channel

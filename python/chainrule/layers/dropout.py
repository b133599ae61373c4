# SPDX-License-Identifier: Apache-2.0
"""Dropout."""

from __future__ import annotations

from chainrule.layers.layer import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, zero each value with probability `rate` and scale the rest by 1 / (1 - rate).

    In inference it does nothing.

    Parameters
    ----------
    rate : float
        In [0, 1).
    name : str, optional
        See `Layer`.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR
    15, 2014.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(4), cr.Dropout(0.5)], seed=0)
    >>> net.forward([[1.0, 1.0, 1.0, 1.0]], training=True)
    array([[2., 2., 0., 2.]], dtype=float32)
    >>> net.predict([[1.0, 1.0, 1.0, 1.0]])
    array([[1., 1., 1., 1.]], dtype=float32)
    """

    kind = "dropout"
    rate: float

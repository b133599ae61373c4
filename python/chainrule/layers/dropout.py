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
    """

    kind = "dropout"
    rate: float

# SPDX-License-Identifier: Apache-2.0
"""A rectifier whose slope for negative values is trained."""

from __future__ import annotations

from chainrule.layers.layer import Layer

__all__ = ["PReLU"]


class PReLU(Layer):
    """x for x > 0, else slope * x, with a slope of its own for each feature that is trained.

    The parameter ``slope`` has the shape (inputs,).

    Parameters
    ----------
    initial_slope : float, default 0.25
        First value of all slopes.
    name : str, optional
        See `Layer`.

    References
    ----------
    He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Dense(2), cr.PReLU(), cr.Dense(1)])
    >>> net.parameters["1.slope"]
    array([0.25, 0.25], dtype=float32)
    """

    kind = "prelu"
    initial_slope: float = 0.25

# SPDX-License-Identifier: Apache-2.0
"""A rectifier whose slope for negative values is trained."""

from __future__ import annotations

from chainrule.layers.trained import TrainedLayer

__all__ = ["PReLU"]


class PReLU(TrainedLayer):
    """x for x > 0, else slope * x, with a slope of its own for each feature that is trained.

    The parameter ``slope`` has the shape (inputs,).

    Parameters
    ----------
    initial_slope : float, default 0.25
        First value of all slopes.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
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

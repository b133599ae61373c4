# SPDX-License-Identifier: Apache-2.0
"""Embeddings of numbers by waves of trained frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.layers.trained import TrainedLayer

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["PeriodicEmbedding"]


class PeriodicEmbedding(TrainedLayer):
    """Each column x of numbers, and behind it `units` more: v cos(2 pi w x + b) + beta.

    Every column has its own frequencies w, phases b, weights v and biases beta, all of which are
    trained. A network that reads a table learns functions that bend more often by it than by
    dense layers alone. It belongs behind a `Normalization`, mostly as the first of the layers that
    are trained.

    Parameters
    ----------
    units : int, default 3
        New columns for each column, 1 to 32.
    frequencies : int, default 16
        Waves that each of them sums up, 1 to 64.
    frequency_stddev : float, default 0.1
        Standard deviation of the first frequencies, whose mean is 0; above 0. The larger, the more
        often functions bend.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Notes
    -----
    The parameters ``frequency`` and ``phase`` have the shape (columns, frequencies), ``weight``
    (columns, units, frequencies) and ``bias`` (columns, units). Phases begin in [-pi, pi), weights
    and biases within 1 / sqrt(frequencies) of 0.

    References
    ----------
    Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep learning",
    NeurIPS 2022; Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data" (there PBLD), NeurIPS 2024.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(5), cr.PeriodicEmbedding(), cr.Dense(1)], seed=0)
    >>> net.parameters["0.weight"].shape, net.parameters["1.weight"].shape
    ((5, 3, 16), (20, 1))
    """

    kind = "periodic_embedding"
    _: KW_ONLY
    units: int = 3
    frequencies: int = 16
    frequency_stddev: float = 0.1

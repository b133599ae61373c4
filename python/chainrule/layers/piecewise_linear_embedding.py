# SPDX-License-Identifier: Apache-2.0
"""Embeddings of numbers by their places in bins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.layers.trained import TrainedLayer

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["PiecewiseLinearEmbedding"]


class PiecewiseLinearEmbedding(TrainedLayer):
    """Of each column of numbers `units` functions, which bend at its quantiles.

    A column x has a place in each of its bins, ``e[t] = (x - edges[t]) / (edges[t + 1] -
    edges[t])``, within [0, 1], but in a straight line further below the first bin and above the
    last. Outputs are ``sum_t w[t] e[t] + beta``, of weights and
    biases of the column's own, which are trained: the piecewise-linear functions of the column with
    bends at the edges. An `Activation` behind it makes what the reference calls PLR of it.

    The edges are not trained: the network's first ``fit``, or its ``adapt``, takes them from the
    data, as quantiles at even distances. It belongs among the first layers, behind a
    `Normalization` at most.

    Parameters
    ----------
    units : int, default 16
        New columns for each column, 1 to 32.
    bins : int, default 48
        Bins of each column, 1 to 128.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Notes
    -----
    The parameter ``edges`` has the shape (columns, bins + 1), ``weight`` (columns, units, bins) and
    ``bias`` (columns, units). Weights and biases begin within 1 / sqrt(bins) of 0. Before there are
    data, all edges are 0.

    Where a column has fewer values than there are edges, some edges are equal: bins without width
    count nothing. A column that never varies is only centred. Missing numbers, NaN, are refused;
    ``Normalization(missing="indicator")`` before it takes them.

    References
    ----------
    Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep learning",
    NeurIPS 2022 (there PLE, with bins from quantiles); sizes by default: Gorishniy, Kotelnikov &
    Babenko, "TabM: advancing tabular deep learning with parameter-efficient ensembling", ICLR 2025.

    Examples
    --------
    >>> import numpy as np, chainrule as cr
    >>> x = np.array([[0.0], [1.0], [2.0], [10.0], [100.0]])
    >>> net = cr.Sequential([cr.Input(1), cr.PiecewiseLinearEmbedding(units=1, bins=4)], seed=0)
    >>> net.adapt(x)
    >>> net.parameters["0.edges"]
    array([[  0.,   1.,   2.,  10., 100.]], dtype=float32)
    >>> net.set_weights({"0.weight": [[[1.0, 1.0, 1.0, 1.0]]], "0.bias": [[0.0]]})
    >>> net.predict([[-1.0], [0.5], [6.0], [55.0], [190.0]]).ravel()
    array([-1. ,  0.5,  2.5,  3.5,  5. ], dtype=float32)
    """

    kind = "piecewise_linear_embedding"
    _: KW_ONLY
    units: int = 16
    bins: int = 48

    @property
    def adapts(self) -> bool:
        """Whether it takes its edges from data: always."""
        return True

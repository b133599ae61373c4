# SPDX-License-Identifier: Apache-2.0
"""Layers that read columns of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule import initializers
from chainrule.layers.layer import Layer
from chainrule.layers.trained import TrainedLayer
from chainrule.layers.whole_numbers import as_tuple, whole_numbers
from chainrule.spec import Field

__all__ = ["CategoryEncoding", "Embedding"]


class CategoryEncoding(Layer):
    """Columns of categories, whole numbers from 0, as columns with a 1 in a category's place.

    It must be the first layer, and only such layers may read its input. A `Dense` layer behind it
    works from the ones alone, in training and inference: zeros are neither made nor multiplied,
    and the results have the bits of those from the whole table, which any other layer behind it
    gets.

    Parameters
    ----------
    num_tokens : int or sequence of int
        How many categories every column of `x` has, or each of them.
    output_mode : {"one_hot", "multi_hot", "count"}, default "one_hot"
        "one_hot": each column has output columns of its own, one for each category, behind those of
        the column before. "multi_hot" and "count": all columns share `num_tokens` output columns,
        which hold 1 for the categories that the row has at least once, or how often it has them.
    name : str, optional
        See `Layer`.

    Notes
    -----
    `x` may be integers of any type, or floats that are whole numbers. One that is none of its
    column's categories is a ValueError that names its row and column. No gradient flows to `x`:
    `Sequential.backward` gives zeros.

    In Keras' layer of this name the default is "multi_hot".

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.array([[0, 2], [1, 0]])
    >>> cr.Sequential([CategoryEncoding((2, 3))]).predict(x)
    array([[1., 0., 0., 0., 1.],
           [0., 1., 1., 0., 0.]], dtype=float32)
    >>> cr.Sequential([CategoryEncoding(3, "count")]).predict([[0, 2, 2]])
    array([[1., 0., 2.]], dtype=float32)
    """

    kind = "category_encoding"
    num_tokens = Field[int | tuple[int, ...]](whole_numbers)
    output_mode = Field[str]()

    def __init__(
        self,
        num_tokens: int | Sequence[int],
        output_mode: str = "one_hot",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(num_tokens=num_tokens, output_mode=output_mode, name=name)


class Embedding(TrainedLayer):
    """A row of a trained table for each category, a whole number from 0, in columns of `x`.

    It must be the first layer, and only such layers may read its input. Its output columns are the
    rows that the columns of categories stand for, `units` for each in the order of `columns`, and
    behind them the other columns of `x`, unchanged and in their own order.

    Parameters
    ----------
    num_embeddings : int or sequence of int
        Rows, one for each category: an int for a single table that all columns of categories share,
        as in PyTorch's and Keras' layers, or a sequence for a table of each column's own.
    units : int
        Columns of the tables.
    columns : int or sequence of int, optional
        Which columns of `x` hold categories. Default: all.
    weight_initializer : str, dict or chainrule.initializers.Initializer, default "uniform"
        First values of the tables; by default in [-0.05, 0.05), as in Keras.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Notes
    -----
    `x` may be integers of any type, or floats that are whole numbers in the columns of categories.
    One that is none of its column's categories is a ValueError that names its row and column.

    The parameter ``weight`` has the tables one behind the other. Its gradient is a sum over the
    rows of the batch in their order. Rows of categories that do not occur in a batch change as far
    as the optimizer moves weights whose gradient is zero. No gradient flows to categories:
    `Sequential.backward` gives zeros for them.

    References
    ----------
    Guo & Berkhahn, "Entity embeddings of categorical variables", arXiv:1604.06737.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([Embedding((7, 24), 2, columns=(0, 3)), cr.Dense(1)], seed=0)
    >>> x = np.array([[6, 0.5, -1.0, 23], [0, 0.25, 2.0, 23]])  # weekday, two numbers, hour
    >>> net.predict(x).shape, net.parameters["0.weight"].shape
    ((2, 1), (31, 2))
    >>> cr.Sequential([net.layers[0]], seed=0).predict(x)[:, 4:]
    array([[ 0.5 , -1.  ],
           [ 0.25,  2.  ]], dtype=float32)
    """

    kind = "embedding"
    _optional = ("columns",)
    num_embeddings = Field[int | tuple[int, ...]](whole_numbers)
    units = Field[int]()
    columns = Field[tuple[int, ...] | None](as_tuple)
    weight_initializer = Field(initializers.Initializer.from_config)

    def __init__(
        self,
        num_embeddings: int | Sequence[int],
        units: int,
        *,
        columns: int | Sequence[int] | None = None,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer = "uniform",
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            num_embeddings=num_embeddings,
            units=units,
            columns=columns,
            weight_initializer=weight_initializer,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )

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

    It must read an input. Where all columns are categories, a
    `Dense` layer right behind it works from the ones alone, in training and inference: zeros are
    neither made nor multiplied, and the results have the bits of those from the whole table, which
    any other layer behind it gets.

    Parameters
    ----------
    num_tokens : int or sequence of int
        How many categories every column of them has, or each of `columns`.
    output_mode : {"one_hot", "multi_hot", "count"}, default "one_hot"
        "one_hot": each column has output columns of its own, one for each category, behind those of
        the column before. "multi_hot" and "count": all columns share `num_tokens` output columns,
        which hold 1 for the categories that the row has at least once, or how often it has them.
    columns : int or sequence of int, optional
        Which columns of `x` hold categories, counted from 0. The others pass as they are: outputs
        are in the order of the columns that they come from; those that columns share stand at the
        place of the first of these. Default: all.
    unknown : {"error", "zero", "code"}, default "error"
        What becomes of a whole number that is none of the categories. "error": it is refused.
        "zero": the column's outputs are all 0. "code": it is a category of its own, whose output
        stands behind those of the known ones.
    missing : {"error", "zero", "code"}, default "error"
        The same of NaN, which stands for a missing category; its output comes last.
    binary_as_sign : bool, default False
        With "one_hot": whether a column of two categories becomes a single output, -1 for the
        first and 1 for the second, before those of unknown and missing ones.
    name : str, optional
        See `Layer`.

    Notes
    -----
    `x` may be integers of any type, or floats that are whole numbers in the columns of categories.
    One that is none of its column's categories is a ValueError that names its row and column, and
    so is a fraction or an infinite number whatever `unknown` says. No gradient flows to
    categories: `Sequential.backward` gives zeros for them.

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

    A table of a number and a category, with a category that is unknown and one that is missing:

    >>> x = np.array([[1.5, 1], [0.5, 7], [2.5, np.nan]])
    >>> layer = CategoryEncoding(2, columns=1, unknown="zero", missing="code")
    >>> cr.Sequential([layer]).predict(x)
    array([[1.5, 0. , 1. , 0. ],
           [0.5, 0. , 0. , 0. ],
           [2.5, 0. , 0. , 1. ]], dtype=float32)
    """

    kind = "category_encoding"
    _optional = ("columns",)
    num_tokens = Field[int | tuple[int, ...]](whole_numbers)
    output_mode = Field[str]()
    columns = Field[tuple[int, ...] | None](as_tuple)
    unknown = Field[str](default="error")
    missing = Field[str](default="error")
    binary_as_sign = Field[bool](default=False)

    def __init__(
        self,
        num_tokens: int | Sequence[int],
        output_mode: str = "one_hot",
        *,
        columns: int | Sequence[int] | None = None,
        unknown: str = "error",
        missing: str = "error",
        binary_as_sign: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            num_tokens=num_tokens,
            output_mode=output_mode,
            columns=columns,
            unknown=unknown,
            missing=missing,
            binary_as_sign=binary_as_sign,
            name=name,
        )


class Embedding(TrainedLayer):
    """A row of a trained table for each category, a whole number from 0, in columns of `x`.

    It must read an input. Its output columns are the rows that
    the columns of categories stand for, `units` for each in the order of `columns`, and behind them
    the other columns of `x`, unchanged and in their own order.

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
    unknown : {"error", "zero", "code"}, default "error"
        What becomes of a whole number that is none of the categories. "error": it is refused.
        "zero": its outputs are 0. "code": it has a row of its own, behind those of its table.
    missing : {"error", "zero", "code"}, default "error"
        The same of NaN, which stands for a missing category; its row is the last of its table.
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

    Sequences of 10 tokens, each of which has its row of one table at every step:

    >>> tokens = [cr.Input(10), Embedding(1000, 8), cr.Reshape((10, 8)), cr.GRU(16), cr.Dense(2)]
    >>> cr.Sequential(tokens, seed=0).predict(np.arange(20).reshape(2, 10)).shape
    (2, 2)
    """

    kind = "embedding"
    _optional = ("columns",)
    num_embeddings = Field[int | tuple[int, ...]](whole_numbers)
    units = Field[int]()
    columns = Field[tuple[int, ...] | None](as_tuple)
    weight_initializer = Field(initializers.Initializer.from_config)
    unknown = Field[str](default="error")
    missing = Field[str](default="error")

    def __init__(
        self,
        num_embeddings: int | Sequence[int],
        units: int,
        *,
        columns: int | Sequence[int] | None = None,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer = "uniform",
        unknown: str = "error",
        missing: str = "error",
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            num_embeddings=num_embeddings,
            units=units,
            columns=columns,
            weight_initializer=weight_initializer,
            unknown=unknown,
            missing=missing,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )

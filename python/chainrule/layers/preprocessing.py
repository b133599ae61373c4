# SPDX-License-Identifier: Apache-2.0
"""Layers that scale the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.layers.layer import Layer
from chainrule.layers.whole_numbers import as_tuple
from chainrule.spec import Field

__all__ = ["Normalization", "Rescaling"]


class Rescaling(Layer):
    """x * scale + offset, the same two numbers for every feature.

    As the first layer with an offset of 1024 or more it is worked out in float64 before the numbers
    are rounded to the network's precision, where x has more digits than float32.

    Parameters
    ----------
    scale : float
        Factor.
    offset : float, default 0.0
        Added after scaling.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> Rescaling(1 / 127.5, offset=-1.0).offset
    -1.0
    """

    kind = "rescaling"
    scale: float
    offset: float = 0.0


class Normalization(Layer):
    """Columns of one scale, from what the data are: centred, scaled, clipped, without gaps.

    ``y = (x - mean) / sqrt(variance)``, or with ``method="robust"`` ``y = (x - center) / scale`` of
    median and interquartile range. With `clip`, ``y / sqrt(1 + (y / clip)**2)`` follows.

    The statistics are not trained: the network's first ``fit``, or its ``adapt``, takes them from
    the data.

    Parameters
    ----------
    method : {"standard", "robust"}, default "standard"
        "standard": mean 0 and variance 1; a column that never varies is only centred. "robust":
        median 0 and interquartile range 1, which a few wild values hardly move. Where the range
        of the middle half is 0, half of the whole range takes its place, and a column that never
        varies becomes 0.
    clip : float, optional
        Above 0: outputs stay within +-clip, and are hardly changed near 0. It has a derivative
        everywhere, so far values are still told from each other.
    missing : {"error", "zero", "indicator"}, default "error"
        What becomes of NaN, which stands for a missing number. "error": it is refused. "zero": 0,
        the mean or median of the column. "indicator": 0 as well, and behind all columns follows
        one more for each that may have missing numbers, 1 where it has one and 0 elsewhere.
    columns : int or sequence of int, optional
        Which columns are normalised, counted from 0; the others pass as they are. Default: all.
    indicator_columns : int or sequence of int, optional
        Which of these have an indicator, in the order of the outputs. Default: all of them.
    invert : bool, default False
        Whether it takes back what such a layer with the same statistics does: ``y = x *
        sqrt(variance) + mean``, or ``y = x * scale + center``. It goes with neither `clip` nor
        `missing`, and is not adapted: `set_weights` of the network gives it its statistics.
    name : str, optional
        See `Layer`.

    Notes
    -----
    Statistics leave missing numbers out; a column that has nothing else becomes 0. NaN is taken
    from `x` where everything that a column of `x` leads to is a layer that knows missing numbers;
    infinite numbers never are. The numbers that quantiles are taken from are kept in memory while
    the network adapts.

    As the first layer it subtracts large means (1024 standard deviations or more) in float64,
    before the numbers are rounded to the network's precision. So whole numbers and float64 keep
    digits that float32 has not: times in seconds that lie one second apart are told from each
    other. Features that come as float32 have lost them before; those of `export_c` and
    of C++'s ``Predictor<float>`` are such.

    References
    ----------
    Holzmueller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data", NeurIPS 2024 (robust scaling with a smooth clip).

    Examples
    --------
    >>> import numpy as np, chainrule as cr
    >>> seconds = 1_700_000_000 + np.arange(5).reshape(-1, 1)
    >>> net = cr.Sequential([cr.Input(1), cr.Normalization()])
    >>> net.adapt(seconds)
    >>> net.predict(seconds).ravel().round(3).tolist()
    [-1.414, -0.707, 0.0, 0.707, 1.414]

    A column with a gap and a wild value:

    >>> x = np.array([[1.0], [2.0], [3.0], [np.nan], [1000.0]])
    >>> layer = cr.Normalization("robust", clip=3.0, missing="indicator")
    >>> net = cr.Sequential([cr.Input(1), layer])
    >>> net.adapt(x)
    >>> net.predict(x)[2:].round(1)
    array([[0. , 0. ],
           [0. , 1. ],
           [2.4, 0. ]], dtype=float32)

    A network that was trained on targets of mean 0 and deviation 1, with outputs in their units:

    >>> told = cr.Sequential([cr.Input(1), cr.Normalization("robust", invert=True)])
    >>> told.set_weights([[20.0], [5.0]])  # center, scale
    >>> told.predict([[-1.0], [2.0]])
    array([[15.],
           [30.]], dtype=float32)
    """

    kind = "normalization"
    _optional = ("clip", "columns", "indicator_columns")
    method = Field[str](default="standard")
    clip = Field[float | None]()
    missing = Field[str](default="error")
    columns = Field[tuple[int, ...] | None](as_tuple)
    indicator_columns = Field[tuple[int, ...] | None](as_tuple)
    invert = Field[bool](default=False)

    def __init__(
        self,
        method: str = "standard",
        *,
        clip: float | None = None,
        missing: str = "error",
        columns: int | Sequence[int] | None = None,
        indicator_columns: int | Sequence[int] | None = None,
        invert: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            method=method,
            clip=clip,
            missing=missing,
            columns=columns,
            indicator_columns=indicator_columns,
            invert=invert,
            name=name,
        )

    @property
    def adapts(self) -> bool:
        """Whether it takes its statistics from data."""
        return not self.invert

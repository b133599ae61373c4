# SPDX-License-Identifier: Apache-2.0
"""What layers take from data before training."""

from __future__ import annotations

from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.compiled import Compiled
from chainrule.network.lazy_training import adapt_lazily
from chainrule.network.training_data import rows_of

__all__ = ["adapt"]


def adapt(self: Compiled, x: object) -> None:
    """Set what layers take from data: statistics of `Normalization`, edges of bins.

    The first `fit` does so with its x unless this has been called before.

    Parameters
    ----------
    x : array_like of shape (rows, inputs)
        The data as it enters the network, also a `Dataset`. What is not in memory, such as a
        dataset of h5py, is read in pieces: once to check it and twice for each of the layers.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(1), cr.Normalization()])
    >>> net.adapt([[1.0], [3.0]])
    >>> net.predict([[3.0]])
    array([[1.]], dtype=float32)
    """
    try:
        with self._rollback_build(x):
            if isinstance(x, Dataset):
                rows = rows_of(self, x)
            else:
                unread = self._unread(self._only(x))
                rows = self._features(x) if unread is None else unread
            if isinstance(rows, LazyRows):
                adapt_lazily(self._built_core(), rows)
            else:
                self._built_core().adapt(core_rows(rows))
            self._learn_feature_names(x.x if isinstance(x, Dataset) else x)
    finally:
        if isinstance(x, Dataset):
            x._end_passes()

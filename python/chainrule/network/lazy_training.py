# SPDX-License-Identifier: Apache-2.0
"""Measuring, predicting and adapting on rows that are not in memory, a few batches at a time.

The core reads those of an epoch by itself, in the order and with the random numbers as if all of
them were in memory, so the weights have the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.losses import Loss
    from chainrule.network.core_network import CoreNetwork

__all__ = ["RowReader", "adapt_lazily", "check_rows", "evaluate_lazily", "predict_lazily"]

_ROWS_TO_CHECK = 256


def check_rows(core: CoreNetwork, x: LazyRows) -> None:
    """Read all rows once and raise where the network cannot train on them."""
    for rows, piece in x.pieces(_ROWS_TO_CHECK):
        x.check(core, rows, piece)


def adapt_lazily(core: CoreNetwork, x: LazyRows) -> None:
    """Give `Normalization` layers their statistics from rows in pieces.

    These are read once to check them, and twice for each layer. The statistics have the bits of
    those from memory.
    """
    check_rows(core, x)
    with x.unchecked():
        core.adapt_pieces(lambda: (piece for _, piece in x.pieces(_ROWS_TO_CHECK)))


class RowReader:
    """Reads rows for the core's loop of training, which asks for them by their numbers.

    Parameters
    ----------
    core : Network32 or Network64
        The network that is trained.
    x : LazyRows
        The rows.
    longest : int, optional
        Rows of a slice, at most.
    checks : bool, default False
        Look at the rows each time, which the core then asks for in their order.
    """

    def __init__(
        self, core: CoreNetwork, x: LazyRows, longest: int | None = None, *, checks: bool = False
    ) -> None:
        self._core = core
        self._x = x
        self._longest = longest
        self._checks = checks
        self.adapts = not checks
        """Whether the core adapts layers to the rows, in their order, and holds the network."""

    def __call__(self, numbers: NDArray[np.int64]) -> Any:
        """Return the rows."""
        x = self._x
        rows = slice(int(numbers[0]), int(numbers[0]) + len(numbers))
        if self.adapts:
            with x.unchecked():
                return core_rows(x.read(rows))
        if not self._checks:
            return x.gather(numbers, self._longest)
        piece = core_rows(x.read(rows))
        x.check(self._core, rows, piece)
        return piece


def predict_lazily(
    core: CoreNetwork,
    x: LazyRows,
    out: NDArray[Any],
    batch_size: int,
    num_threads: int,
    input_sparsity: str,
) -> NDArray[Any]:
    """Fill `out` with the outputs of all rows, a batch at a time."""
    for rows, piece in x.pieces(batch_size):
        x.check(core, rows, piece)
        core.predict(piece, batch_size, num_threads, input_sparsity, out[rows])
    return out


def evaluate_lazily(
    core: CoreNetwork,
    data: CheckedData,
    loss: Loss | OutputLosses,
    outputs: NDArray[Any] | None,
    batch_size: int,
    num_threads: int,
    input_sparsity: str,
) -> tuple[float, _core.LossSum]:
    """Return the mean loss over all rows, a batch at a time, and the sums; fill `outputs`."""
    assert isinstance(data.x, LazyRows)
    mean = 0.0
    losses = _core.LossSum()
    for rows, piece in data.x.pieces(batch_size):
        data.x.check(core, rows, piece)
        sample_weight = None if data.sample_weight is None else data.sample_weight[rows]
        mean = core.evaluate(
            piece,
            core_rows(data.y[rows]),
            loss._core,
            batch_size,
            num_threads,
            input_sparsity,
            sample_weight,
            data.class_weight,
            None if outputs is None else outputs[rows],
            losses,
            loss_weights_of(loss),
        )
    return mean, losses

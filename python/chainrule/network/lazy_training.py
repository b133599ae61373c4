# SPDX-License-Identifier: Apache-2.0
"""Training, measuring and predicting on rows that are not in memory, a few batches at a time.

An epoch visits the same rows in the same order, with the same random numbers, as if all of them
were in memory, so the weights have the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.errors import DivergenceError
from chainrule.inputs.lazy_rows import LazyRows

if TYPE_CHECKING:
    from chainrule.inputs.dataset import Dataset
    from chainrule.losses import Loss
    from chainrule.network.core_network import CoreNetwork

__all__ = ["Chunks", "adapt_lazily", "check_rows", "evaluate_lazily", "predict_lazily"]

# Of an epoch in random order, the rows of several batches are read together, since rows that lie
# near each other are then read at once: at most this many bytes, and at most a fraction of them.
_CHUNK_BYTES = 4 << 20
_CHUNKS = 8
_ROWS_TO_CHECK = 256


def check_rows(core: CoreNetwork, x: LazyRows) -> None:
    """Read all rows once and raise where the network cannot train on them."""
    for rows, piece in x.pieces(_ROWS_TO_CHECK):
        core.check_takes(piece, name=x.name_of(rows))


def adapt_lazily(core: CoreNetwork, x: LazyRows, *, remaining: bool = False) -> None:
    """Give `Normalization` layers, all or the remaining ones, their statistics from rows in pieces.

    These are read once to check them, unless that was done for the remaining ones, and twice for
    each layer. The statistics have the bits of those from memory.
    """
    if not remaining:
        check_rows(core, x)
    core.adapt_pieces(lambda: (piece for _, piece in x.pieces(_ROWS_TO_CHECK)), remaining)


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
        core.check_takes(piece, name=x.name_of(rows))
        core.predict(piece, batch_size, num_threads, input_sparsity, out[rows])
    return out


def evaluate_lazily(
    core: CoreNetwork,
    data: Dataset,
    loss: Loss,
    outputs: NDArray[Any] | None,
    batch_size: int,
    num_threads: int,
    input_sparsity: str,
) -> float:
    """Return the mean loss over all rows, a batch at a time; fill `outputs`."""
    assert isinstance(data.x, LazyRows)
    mean = 0.0
    losses = _core.LossSum()
    for rows, piece in data.x.pieces(batch_size):
        core.check_takes(piece, name=data.x.name_of(rows))
        sample_weight = None if data.sample_weight is None else data.sample_weight[rows]
        mean = core.evaluate(
            piece,
            data.y[rows],
            loss._core,
            batch_size,
            num_threads,
            input_sparsity,
            sample_weight,
            data.class_weight,
            None if outputs is None else outputs[rows],
            losses,
        )
    return mean


class How(NamedTuple):
    """What `run_epoch` gets beside the data, the same for all batches."""

    loss: _core.Loss
    optimizer: _core.Optimizer
    num_threads: int
    input_sparsity: str
    class_weight: NDArray[np.float64] | None


class _Chunk(NamedTuple):
    """A few batches in memory."""

    rows: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    outputs: NDArray[Any] | None


class Chunks:
    """The batches of one epoch, of which a few at a time are in memory.

    Parameters
    ----------
    core : CoreNetwork
        What trains.
    data : Examples
        With `LazyRows` for x.
    batch_size : int
        Rows of a batch.
    shuffle : bool
        Whether rows come in the epoch's random order.
    outputs : ndarray of shape (rows, outputs), optional
        What the epoch's outputs are written to, by row.
    """

    def __init__(
        self,
        core: CoreNetwork,
        data: Dataset,
        batch_size: int,
        shuffle: bool,
        outputs: NDArray[Any] | None,
    ) -> None:
        assert isinstance(data.x, LazyRows)
        self._core = core
        self._data = data
        self._x = data.x
        self._size = batch_size
        self._outputs = outputs
        self.batches = -(-len(data.x) // batch_size)
        self._order = (
            _core.shuffled_order(len(data.x), core.seed, core.epochs)
            if shuffle
            else np.arange(len(data.x))
        )
        row_bytes = 8 * self._x.shape[1]
        rows = min(_CHUNK_BYTES // row_bytes, len(data.x) // _CHUNKS)
        self._batches_in_memory = max(1, rows // batch_size) if shuffle else 1

    def run(
        self,
        each: bool,
        how: How,
        rates: NDArray[np.float64],
        report: Callable[[int, float, float], object],
    ) -> float:
        """Train for an epoch.

        Parameters
        ----------
        each : bool
            Whether every batch is run and reported by itself.
        how : How
            What is the same for all batches.
        rates : ndarray of float64, shape (batches,)
            Their learning rates.
        report : callable
            Gets the number of batches done, their mean loss and the loss of the last piece.

        Returns
        -------
        float
            The mean loss.
        """
        loss = 0.0
        losses = _core.LossSum()
        for first, end in self._chunks():
            chunk = self._gather(first, end)
            step = 1 if each else end - first
            for batch in range(first, end, step):
                result = self._train(
                    chunk, first, batch - first, step, how, rates[first:end], losses
                )
                loss, losses = result.epoch_loss, result.epoch_losses
                report(batch + step, loss, result.loss)
            if self._outputs is not None:
                self._outputs[chunk.rows] = chunk.outputs
        return loss

    def _chunks(self) -> list[tuple[int, int]]:
        starts = list(range(0, self.batches, self._batches_in_memory))
        # A last batch of fewer rows is run as such only behind one that is full.
        if len(starts) > 1 and self.batches - starts[-1] == 1:
            del starts[-1]
        return list(pairwise([*starts, self.batches]))

    def _gather(self, first: int, end: int) -> _Chunk:
        data, rows = self._data, self._order[first * self._size : end * self._size]
        assert isinstance(data.y, np.ndarray)
        outputs = None
        if self._outputs is not None:
            outputs = np.empty((len(rows), self._outputs.shape[1]), self._outputs.dtype)
        return _Chunk(
            rows,
            self._x.gather(rows, self._size),
            data.y[rows],
            None if data.sample_weight is None else data.sample_weight[rows],
            outputs,
        )

    def _train(
        self,
        chunk: _Chunk,
        chunk_first: int,
        first: int,
        batches: int,
        how: How,
        rates: NDArray[np.float64],
        losses_before: _core.LossSum,
    ) -> _core.EpochResult:
        last = chunk_first + first + batches == self.batches
        try:
            return self._core.run_epoch(
                chunk.x,
                chunk.y,
                how.loss,
                how.optimizer,
                self._size,
                False,  # in the order of the chunk
                how.num_threads,
                how.input_sparsity,
                rates,
                chunk.sample_weight,
                how.class_weight,
                first,
                batches,
                last,  # The last piece is what makes it an epoch.
                chunk.outputs,
                None,  # no poll
                losses_before,
            )
        except DivergenceError as error:
            batch = chunk_first + error.batch
            raise DivergenceError(
                re.sub(r"batch \d+", f"batch {batch}", str(error), count=1),
                epoch=error.epoch,
                batch=batch,
                layer=error.layer,
                loss=error.loss,
            ) from None

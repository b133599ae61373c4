# SPDX-License-Identifier: Apache-2.0
"""Rows that come from a generator, batch after batch, with their targets and weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.arrays import as_features, as_weights
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.prefetch import Prefetch
from chainrule.inputs.several import Several, by_name, check_parts, core_rows

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["BatchSource", "StreamedRows"]

_AHEAD = 2


class _Batch(NamedTuple):
    """What a generator gave at once: tables by input, the targets as they came, the weights."""

    x: list[NDArray[Any]]
    y: Any
    sample_weight: NDArray[np.float64] | None


class BatchSource:
    """Where batches come from: a function that makes a generator, or anything to iterate over."""

    def __init__(
        self,
        batches: Callable[[], Iterable[Any]] | Iterable[Any],
        rows: int,
        batch_size: int | None,
    ) -> None:
        if not callable(batches) and not isinstance(batches, Iterable):
            raise TypeError(
                "batches must be iterable, or a function that makes an iterator, got "
                f"{batches!r:.80}"
            )
        self.batches = batches
        self.rows = rows
        self.batch_size = batch_size

    def begin(self) -> Iterable[Any]:
        """Return an iterable over the batches from the first on."""
        return self.batches() if callable(self.batches) else self.batches


class StreamedRows(LazyRows):
    """One pass after the other through a generator's batches, in the order in which they come.

    Targets and weights of the rows that have been read stand in arrays of all rows, so that the
    core and the metrics find them there.

    Parameters
    ----------
    source : BatchSource
        Where the batches come from.
    names : sequence of str, optional
        The inputs, of which there are several.
    read : callable, optional
        What makes rows of one length of x, y and weights of a batch, and refuses other axes.
    """

    def __init__(
        self,
        source: BatchSource,
        names: list[str] | None = None,
        read: Callable[[Any, Any, Any], Any] | None = None,
    ) -> None:
        self.thread = threading.get_ident()
        self._source = source
        self._names = names
        self._read = read
        self._name = "x"
        self._rows = range(source.rows)
        self._pass: Iterator[Any] | None = None
        self._pending: list[_Batch] = []
        self._pulled = 0  # rows of this pass that the generator has given
        self._position = 0  # rows of this pass that have been used
        self._core: CoreNetwork | None = None  # that looks at what comes
        self._targets: Callable[[Any], Any] | None = None
        self.y: Any = None
        self.sample_weight: NDArray[np.float64] | None = None
        self._first: _Batch = self._begin()
        self.has_targets = self._first.y is not None
        if self._first.sample_weight is not None:
            self.sample_weight = np.ones((source.rows, *self._first.sample_weight.shape[1:]))
        self.shape = (source.rows, sum(part.shape[1] for part in self._first.x))

    streams = True

    @property
    def batch_rows(self) -> int:
        """Rows of the batches that the generator gives."""
        return self._source.batch_size or len(self._first.x[0])

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each input."""
        return [(len(self._rows), part.shape[1]) for part in self._first.x]

    def use(self, core: CoreNetwork, targets: Callable[[Any], Any] | None = None) -> None:
        """Have the network look at each piece, and `targets` make what it reads of each batch."""
        self._core = core
        self._targets = targets
        if targets is not None:
            self.y = _room(targets(self._first.y), len(self))
            self._keep_targets(self._first, 0)
        first = self._joined([self._first])
        self._look_at(first, slice(0, len(first)))

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Have batches taken without a look at their numbers, while the network is held."""
        core, self._core = self._core, None
        try:
            yield
        finally:
            self._core = core

    def few(self, rows: int) -> tuple[Any, slice]:
        """Return some of the first rows, which are in memory, and where they are."""
        count = min(rows, len(self._first.x[0]))
        return self._joined([self._first], count), slice(0, count)

    def __getitem__(self, rows: slice) -> StreamedRows:
        """Raise ValueError: a generator gives all of its rows."""
        raise ValueError("validation_split needs rows in memory; give validation_data")

    def read(self, rows: slice) -> Any:
        """Return the next rows; from the first row on a new pass begins."""
        first, last, _ = rows.indices(len(self))
        if first < self._position or self._pass is None:
            self._begin()
        if first > self._position:  # a training goes on within an epoch
            self._take(first - self._position)
        piece = self._take(last - first)
        self._look_at(piece, rows)
        if self._position == len(self):
            self.close()
        return piece

    def check(self, core: object, rows: slice, piece: Any) -> None:
        """Do nothing: rows are checked as they come."""

    def pieces(self, size: int) -> Iterator[tuple[slice, Any]]:
        """Yield all rows in their order, `size` at a time, with their positions."""
        self.close()
        try:
            for start in range(0, len(self), size):
                rows = slice(start, min(start + size, len(self)))
                yield rows, core_rows(self.read(rows))
        finally:
            self.close()

    def gather(self, rows: NDArray[np.int64], longest: int | None = None) -> Any:
        """Return rows that follow each other."""
        first = int(rows[0])
        return core_rows(self.read(slice(first, first + len(rows))))

    def close(self) -> None:
        """End the pass through the generator, and its thread."""
        running, self._pass = self._pass, None
        self._pending, self._pulled, self._position = [], 0, 0
        if isinstance(running, Prefetch):
            running.close()

    def __del__(self) -> None:
        """End the thread too."""
        if getattr(self, "_pass", None) is not None:
            self.close()

    def _begin(self) -> _Batch:
        """Begin a pass and return its first batch, which is the next to be used."""
        self.close()
        self._pass = Prefetch(self._source.begin, _AHEAD)
        try:
            self._pull()
        except BaseException:
            self.close()
            raise
        return self._pending[0]

    def _look_at(self, piece: Any, rows: slice) -> None:
        """Raise ValueError, naming the input, where the network cannot take rows that have come."""
        if self._core is None:
            return
        if self._names is None:
            self._core.check_takes(piece, name=self.name_of(rows))
        else:
            where = self.name_of(rows).removeprefix("x")
            check_parts(self._core, piece.parts, [f"x[{name!r}]{where}" for name in self._names])

    def _take(self, count: int) -> Any:
        """Return the next rows of the pass."""
        there = sum(len(batch.x[0]) for batch in self._pending)
        while there < count:
            there += len(self._pull().x[0])
        self._position += count
        taken = []
        while count > 0:
            batch = self._pending.pop(0)
            rows = len(batch.x[0])
            if rows > count:
                self._pending.insert(0, _part(batch, slice(count, None)))
                batch = _part(batch, slice(0, count))
            taken.append(batch)
            count -= len(batch.x[0])
        return self._joined(taken)

    def _joined(self, batches: list[_Batch], count: int | None = None) -> Any:
        """Return the rows of batches as one table for each input."""
        parts = [
            parts[0][:count] if len(parts) == 1 else np.concatenate(parts)
            for parts in zip(*(batch.x for batch in batches), strict=True)
        ]
        return parts[0] if self._names is None else Several(parts)

    def _pull(self) -> _Batch:
        """Get the generator's next batch, checked, with its targets and weights in their place."""
        assert self._pass is not None
        try:
            given = next(self._pass)
        except StopIteration:
            raise ValueError(
                f"the generator ended after {self._pulled} of {len(self)} rows"
                + (
                    "; an iterator gives its batches once, a function or a list again"
                    if self._pulled == 0
                    else ""
                )
            ) from None
        batch = self._batch(given)
        rows, first = len(batch.x[0]), self._pulled
        if first + rows > len(self):
            raise ValueError(
                f"the generator gave {first + rows} rows in whole batches, expected {len(self)}"
            )
        size = self._source.batch_size
        if size is not None and rows != min(size, len(self) - first):
            raise ValueError(
                f"the generator gave a batch of {rows} rows behind {first}, expected "
                f"{min(size, len(self) - first)} by its batch_size"
            )
        self._keep_targets(batch, first)
        self._pulled += rows
        self._pending.append(batch)
        return batch

    def _batch(self, given: Any) -> _Batch:
        """Return what the generator gave as tables, targets and weights of one length each."""
        if not isinstance(given, tuple | list) or not 1 <= len(given) <= 3:
            kind = type(given).__name__
            size = f" of {len(given)}" if isinstance(given, tuple | list) else ""
            raise TypeError(
                f"the generator gave a {kind}{size}; expected (x, y) or (x, y, sample_weight)"
            )
        features, y, weight = (*given, None, None)[:3]
        if self._read is not None:
            features, y, weight = self._read(features, y, weight)
        x = self._tables(features)
        rows = len(x[0])
        if weight is not None:
            # Of outputs with several positions there may be one for each of these.
            shape = np.shape(weight)[1:]
            name = "the generator's sample_weight"
            weight = as_weights(weight, rows=rows, positions=shape, name=name)
        if hasattr(self, "_first"):
            self._check_like_first(x, y, weight)
        return _Batch(x, y, weight)

    def _tables(self, x: Any) -> list[NDArray[Any]]:
        names = self._names
        if names is None:
            if isinstance(x, Mapping) and len(x) == 1:
                (x,) = x.values()
            return [as_features(x, name="the generator's x")]
        tables: list[NDArray[Any]] = []
        for name, part in zip(names, by_name("the generator's x", "input", x, names), strict=True):
            tables.append(as_features(part, name=f"the generator's x[{name!r}]"))
            if len(tables[-1]) != len(tables[0]):
                raise ValueError(
                    f"the generator gave {len(tables[0])} rows for {names[0]!r} and "
                    f"{len(tables[-1])} for {name!r}"
                )
        return tables

    def _check_like_first(self, x: list[NDArray[Any]], y: Any, weight: Any) -> None:
        """Raise ValueError for a batch that is made otherwise than the first."""
        for place, (here, first) in enumerate(zip(x, self._first.x, strict=True)):
            if here.shape[1] != first.shape[1] or here.dtype != first.dtype:
                part = "" if self._names is None else f" for {self._names[place]!r}"
                raise ValueError(
                    f"the generator gave {here.shape[1]} columns of {here.dtype}{part} behind "
                    f"{self._pulled} rows, at first {first.shape[1]} of {first.dtype}"
                )
        for name, now, before in (
            ("y", y, self._first.y),
            ("sample_weight", weight, self._first.sample_weight),
        ):
            if (now is None) != (before is None):
                raise ValueError(f"the generator gave {name} with some batches only")
        before = self._first.sample_weight
        if weight is not None and before is not None and weight.shape[1:] != before.shape[1:]:
            raise ValueError(
                f"the generator gave sample_weight of shape {weight.shape} behind {self._pulled} "
                f"rows, at first {before.shape}"
            )

    def _keep_targets(self, batch: _Batch, first: int) -> None:
        rows = slice(first, first + len(batch.x[0]))
        if self.sample_weight is not None and batch.sample_weight is not None:
            self.sample_weight[rows] = batch.sample_weight
        if self._targets is None or batch.y is None:
            return
        made = self._targets(batch.y)
        parts: list[Any]
        wholes: list[Any]
        parts, wholes = (v.parts if isinstance(v, Several) else [v] for v in (made, self.y))
        for part, whole in zip(parts, wholes, strict=True):
            _check_table(part)
            if part.shape[1:] != whole.shape[1:] or part.dtype != whole.dtype:
                raise ValueError(
                    f"the generator gave y as {part.dtype} of shape {part.shape} behind {first} "
                    f"rows, at first {whole.dtype} of {(whole.shape[1:] or ['no'])[0]} columns"
                )
            if len(part) != len(batch.x[0]):
                raise ValueError(
                    f"the generator gave {len(batch.x[0])} rows of x and {len(part)} of y"
                )
            whole[rows] = part


def _part(batch: _Batch, rows: slice) -> _Batch:
    """Return some rows of a batch whose targets are in their place."""
    return _Batch([table[rows] for table in batch.x], None, None)


def _room(like: Any, rows: int) -> Any:
    """Return arrays for the targets of all rows."""
    if isinstance(like, Several):
        return Several([_room(part, rows) for part in like.parts])
    _check_table(like)
    return np.zeros((rows, *like.shape[1:]), like.dtype)


def _check_table(y: Any) -> None:
    if not isinstance(y, np.ndarray):
        raise TypeError("the generator's y is sparse; give y.toarray()")

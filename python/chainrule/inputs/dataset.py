# SPDX-License-Identifier: Apache-2.0
"""The data set that callers make once for many calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.arguments import positive_integer
from chainrule.inputs.arrays import as_weights, check_same_length
from chainrule.inputs.class_labels import text_in
from chainrule.inputs.compressed_rows import Rows, as_rows
from chainrule.inputs.containers import as_array, as_csr, is_sparse, read_only
from chainrule.inputs.lazy_rows import LazyRows, is_lazy
from chainrule.inputs.row_numbers import row_numbers, rows_of
from chainrule.inputs.sequences import Sequences, given_sequences, targets_of_steps

if TYPE_CHECKING:
    from chainrule.inputs.streamed_rows import BatchSource, StreamedRows
    from chainrule.inputs.targets import ClassWeight

__all__ = ["Dataset"]

C = TypeVar("C")
_KEPT = 8


class Dataset:
    """Rows with their targets and weights, for many calls that check them once.

    `fit`, `evaluate`, `predict` and `train_on_batch` take it in the place of x, and then neither
    `y` nor weights. What a network and a loss ask of the data is looked at when they first get it;
    later calls, those of other networks of the same inputs and outputs too, begin at once.

    Parameters
    ----------
    x : array_like of shape (rows, inputs), or mapping or sequence of such
        As in `Sequential.fit`. A list of arrays of one length has a table for each input, one of
        different lengths, or with a label for each, a sequence for each row; sequences that may all
        have one length are best given by the name of their input.
    y : array_like, or mapping or sequence of such, optional
        As in `Sequential.fit`; `predict` does without.
    sample_weight : array_like of shape (rows,), optional
        Weight of each row in the mean loss.
    class_weight : mapping, sequence or "balanced", optional
        As in `Sequential.fit`.

    Raises
    ------
    TypeError
        If something holds no numbers, or is no table.
    ValueError
        If something is empty or ragged, or numbers of rows differ.

    Notes
    -----
    A data set does not change. It refers to the caller's arrays, as far as they can be read where
    they lie; what is written to them afterwards is trained on, and not checked again.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> training, test = cr.Dataset(x[:1500], y[:1500]), cr.Dataset(x[1500:], y[1500:])
    >>> losses = []
    >>> for rate in (0.001, 0.01):
    ...     net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(10)], seed=0)
    ...     _ = net.fit(training, loss="cross_entropy", optimizer=cr.Adam(rate), verbose=0)
    ...     losses.append(net.evaluate(test)["loss"])
    >>> losses[1] < losses[0]
    True
    """

    def __init__(
        self,
        x: object,
        y: object = None,
        sample_weight: object = None,
        class_weight: ClassWeight = None,
    ) -> None:
        if isinstance(x, Dataset):
            raise TypeError("x is a Dataset already")
        kept, self._rows = _kept(given_sequences(x, y), "x", _features)
        self._x = kept
        self._y: Any = None
        if y is not None:
            self._y, rows = _kept(targets_of_steps(y, kept), "y", _targets, self._rows)
            check_same_length(range(self._rows), range(rows))
        elif class_weight is not None:
            raise ValueError("class_weight needs y")
        self._sample_weight = None
        if sample_weight is not None:
            weight: Any = sample_weight
            positions = np.shape(weight)[1:]
            weight = as_weights(weight, rows=self._rows, positions=positions)
            self._sample_weight = read_only(weight)
        self._class_weight = dict(class_weight) if isinstance(class_weight, dict) else class_weight
        self._source: BatchSource | None = None
        self._passes: WeakSet[StreamedRows] = WeakSet()
        self._checked: dict[Hashable, Any] = {}

    _rows_of: tuple[Dataset, NDArray[np.int64]] | None = None
    """Of a selection the data set that has all rows, and the numbers of those that it has."""

    def select(self, rows: ArrayLike | slice) -> Dataset:
        """Return a data set of some of the rows, which lie where they are.

        `fit` and its ``validation_data`` read them in place; other calls make a copy of the rows
        that are selected. Many selections, such as folds, so share one table and its checks.

        Parameters
        ----------
        rows : array_like of int or of bool, or slice
            The numbers of the rows, in any order, of which some may come more than once; or
            whether each of the rows is selected.

        Returns
        -------
        Dataset

        Raises
        ------
        TypeError
            If `rows` are neither numbers nor a mask.
        ValueError
            If there are none, or one is no row's number; or the rows are not in memory.

        Examples
        --------
        >>> import chainrule as cr
        >>> data = cr.Dataset(*cr.data.load_digits())
        >>> even, odd = data.select(slice(0, None, 2)), data.select(slice(1, None, 2))
        >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(10)], seed=0)
        >>> options = {"loss": "cross_entropy", "optimizer": cr.Adam(0.01), "epochs": 20}
        >>> history = net.fit(even, validation_data=odd, verbose=0, **options)
        >>> history["val_accuracy"][-1] > 0.9
        True
        """
        if self._source is not None or is_lazy(self._x):
            raise ValueError("rows can be selected of data in memory alone")
        numbers = row_numbers(rows, self._rows)
        whole = self
        if self._rows_of is not None:
            whole, own = self._rows_of
            numbers = own[numbers]
        return _selection(whole, numbers)

    @classmethod
    def from_generator(
        cls,
        batches: Callable[[], Iterable[Any]] | Iterable[Any],
        rows: int,
        batch_size: int | None = None,
        class_weight: ClassWeight = None,
    ) -> Dataset:
        """Return a data set whose rows come from a generator, for data larger than memory.

        A thread gets batches ahead of their use. `fit` trains on the rows in the order in which
        they come, to the same bits as on an array of them with ``shuffle=False``; of targets,
        weights and, where there are metrics, outputs it keeps those of all rows. The generator is
        run once for each epoch, validation or prediction, and twice for each `Normalization` that
        waits for its statistics.

        Parameters
        ----------
        batches : callable or iterable
            Gives, or is, an iterable over batches (x, y) or (x, y, sample_weight), for predictions
            also (x,); each time the same rows. Of several inputs or outputs, x and y are mappings
            or lists; lists of sequences are taken as in `Sequential.fit`.
        rows : int
            Rows of an epoch. What the generator would give behind them is not asked for.
        batch_size : int, optional
            Rows of each batch, which are then checked; the last one may be shorter. Also the
            default of ``fit``, which without it takes the rows of the first batch.
        class_weight : mapping or sequence, optional
            As in `Sequential.fit`.

        Returns
        -------
        Dataset

        Raises
        ------
        TypeError, ValueError
            If an argument is none of these. What is wrong with a batch is raised by the call that
            gets it: an end before `rows` rows, another number of columns or another dtype than at
            first, or what the generator raises itself. A training is then as the epoch found it.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> def batches():
        ...     for seed in range(10):
        ...         x = np.random.default_rng(seed).normal(size=(50, 2))
        ...         yield x, x.sum(axis=1)
        >>> data = cr.Dataset.from_generator(batches, rows=500, batch_size=50)
        >>> net = cr.Sequential([cr.Dense(1)], seed=0)
        >>> history = net.fit(data, loss="mse", optimizer=cr.SGD(0.1), epochs=5, verbose=0)
        >>> history["loss"][-1] < 1e-3
        True
        """
        from chainrule.inputs.streamed_rows import BatchSource  # here, since few data sets stream

        made = cls.__new__(cls)
        made._rows = positive_integer("rows", rows)
        size = None if batch_size is None else positive_integer("batch_size", batch_size)
        made._x = made._y = made._sample_weight = None
        made._class_weight = dict(class_weight) if isinstance(class_weight, dict) else class_weight
        made._checked, made._passes = {}, WeakSet()
        made._source = BatchSource(batches, made._rows, size)
        return made

    @property
    def x(self) -> Any:
        """The rows, or those of each input; None of a generator, as are targets and weights.

        Of a selection a copy, as are its targets and weights.
        """
        return self._part(self._x)

    @property
    def y(self) -> Any:
        """The targets, or those of each output; None without."""
        return self._part(self._y)

    @property
    def sample_weight(self) -> Any:
        """The weight of each row; None where all weigh the same."""
        return self._part(self._sample_weight)

    @property
    def class_weight(self) -> Any:
        """What was given; None where all classes weigh the same."""
        return self._class_weight

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._rows

    def __repr__(self) -> str:
        """Return the number of rows and what there is of them."""
        if self._source is not None:
            return f"<Dataset of {self._rows} rows of a generator>"
        there = ["x", *("y" for _ in [0] if self._y is not None)]
        there += [n for n in ("sample_weight", "class_weight") if getattr(self, n) is not None]
        return f"<Dataset of {self._rows} rows: {', '.join(there)}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle the data, not what was found of them."""
        if self._rows_of is not None:
            return _selection, self._rows_of
        if self._source is not None:
            source = self._source
            options = source.batches, source.rows, source.batch_size, self._class_weight
            return Dataset.from_generator, options
        return Dataset, (self._x, self._y, self._sample_weight, self._class_weight)

    def _stream(
        self, inputs: list[str] | None, read: Callable[[Any, Any, Any], Any]
    ) -> StreamedRows:
        """Begin a pass through the generator, which `_end_passes` ends."""
        from chainrule.inputs.streamed_rows import StreamedRows  # here, since few data sets stream

        assert self._source is not None
        rows = StreamedRows(self._source, inputs, read)
        self._passes.add(rows)
        return rows

    def _end_passes(self) -> None:
        """End the passes that this thread has begun."""
        me = threading.get_ident()
        for rows in list(self._passes):
            if rows.thread == me:
                rows.close()

    def _weighted(self, sample_weight: object, class_weight: ClassWeight) -> Dataset:
        """Return a data set of the same rows with other weights, where these are given."""
        weight = self.sample_weight if sample_weight is None else sample_weight
        classes = self._class_weight if class_weight is None else class_weight
        return Dataset(self.x, self.y, weight, classes)

    def _part(self, kept: Any) -> Any:
        """Return the rows of a selection, of each of several parts."""
        if self._rows_of is None or kept is None:
            return kept
        numbers = self._rows_of[1]
        if isinstance(kept, dict):
            return {name: rows_of(part, numbers) for name, part in kept.items()}
        if isinstance(kept, list):
            return [rows_of(part, numbers) for part in kept]
        return rows_of(kept, numbers)

    def _once(self, key: Hashable, check: Callable[[], C]) -> C:
        """Return what `check` returned for a key; it is called for the first time alone."""
        found: C | None = self._checked.get(key)
        if found is None:
            found = check()
            if len(self._checked) >= _KEPT:
                self._checked.pop(next(iter(self._checked)), None)
            self._checked[key] = found
        return found


def _selection(whole: Dataset, numbers: NDArray[np.int64]) -> Dataset:
    """Return a data set of some rows of another, which is itself no selection."""
    made = Dataset.__new__(Dataset)
    vars(made).update(vars(whole), _rows=len(numbers), _rows_of=(whole, numbers))
    return made


def _kept(
    given: Any, name: str, convert: Callable[[Any, str], tuple[Any, int]], rows: int | None = None
) -> tuple[Any, int]:
    """Return what is given in a form that stays as it is, and its number of rows."""
    parts: dict[Any, Any]
    if isinstance(given, Sequences):
        return given, len(given)
    if isinstance(given, Mapping) and not hasattr(given, "dtype"):
        parts = dict(given)
    elif _is_list_of_tables(given, rows):
        parts = dict(enumerate(given))
    else:
        return convert(given, name)
    if not parts:
        raise ValueError(f"{name} is empty")
    kept, first = {}, None
    for key, part in parts.items():
        kept[key], count = convert(part, f"{name}[{key!r}]")
        if first is None:
            first = key, count
        elif count != first[1]:
            raise ValueError(f"{name}[{first[0]!r}] has {first[1]} rows, {name}[{key!r}] {count}")
    assert first is not None
    return (kept if isinstance(given, Mapping) else list(kept.values())), first[1]


def _is_list_of_tables(given: Any, rows: int | None) -> bool:
    """Whether a list has a table for each input, or targets of as many rows for each output."""
    if not isinstance(given, list | tuple) or not given:
        return False
    shapes = [getattr(part, "shape", ()) for part in given]
    if rows is None:
        return all(len(shape) >= 2 for shape in shapes)
    return len(given) != rows and all(shape[:1] == (rows,) for shape in shapes)


def _features(x: Any, name: str) -> tuple[Any, int]:
    """Return rows as they are kept, and how many there are."""
    if isinstance(x, Sequences):
        return x, len(x)
    if is_lazy(x):
        return x, len(LazyRows(x, name=name))
    if is_sparse(x):
        x = as_csr(x, name=name)
    elif isinstance(x, Sequence):
        x = as_array(x, name=name)
    rows: Rows = as_rows(x, name=name)
    return read_only(x), len(rows)


def _targets(y: Any, name: str) -> tuple[Any, int]:
    """Return targets as they are kept, and how many rows there are."""
    if is_sparse(y):
        return y, len(as_rows(y, name=name))
    array = as_array(y, name=name)
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    text_in(y, name=name)  # raises where there are names of classes and others
    return read_only(array if isinstance(y, Sequence) else y), len(array)

# SPDX-License-Identifier: Apache-2.0
"""Cross-validation: a network is trained once for each fold, on all rows but those of the fold."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.arguments import boolean, positive_integer, thread_count
from chainrule.inputs.checked_data import compares_classes
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.row_numbers import row_numbers
from chainrule.inputs.sequences import Sequences
from chainrule.names import check_arguments
from chainrule.network.compiled import Compiled
from chainrule.network.fit_call import FitCall
from chainrule.network.history import History
from chainrule.network.output_losses import OutputLosses
from chainrule.network.train_many import fit_options, raise_first, run_many, training_call

__all__ = ["CrossValidation", "cross_validate"]

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


class CrossValidation(Mapping[str, NDArray[np.float64]]):
    """What `cross_validate` found: the scores of each fold by name, and how they came.

    Attributes
    ----------
    folds : list of (ndarray, ndarray)
        The numbers of the rows that each network was trained on and tested on.
    histories : list of History
        What ``fit`` returns, for each fold.
    errors : list of Exception or None
        What ended a fold's training early; its scores are NaN then.
    networks : list of Network, optional
        The trained networks.
    predictions : ndarray of shape (rows, outputs), or dict, optional
        For each row what the network gives for it that was not trained on it, the mean of several;
        NaN for rows that no fold tests.
    """

    def __init__(
        self,
        scores: list[dict[str, Any]],
        folds: list[Fold],
        histories: list[History],
        errors: list[Exception | None],
    ) -> None:
        names = list(dict.fromkeys(name for fold in scores for name in fold))
        self._scores = {
            name: np.array([np.asarray(_or_nan(fold, name, scores)) for fold in scores])
            for name in names
        }
        self.folds = folds
        self.histories = histories
        self.errors = errors
        self.networks: list[Any] | None = None
        self.predictions: Any = None

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Return the score of that name, a value for each fold."""
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._scores)

    def __len__(self) -> int:
        """Return the number of scores."""
        return len(self._scores)

    def __repr__(self) -> str:
        """Return one line with the mean and the standard deviation of each score."""
        parts = [
            f"{name} {np.mean(values):.4g} +- {np.std(values):.2g}"
            for name, values in self._scores.items()
            if values.ndim == 1
        ]
        return f"<CrossValidation of {len(self.folds)} folds: {', '.join(parts)}>"


def cross_validate(
    net: Compiled,
    x: object,
    y: object = None,
    *,
    folds: int | Iterable[tuple[Any, Any]] = 5,
    seed: int = 0,
    stratify: bool | None = None,
    validate: bool = False,
    return_networks: bool = False,
    return_predictions: bool = False,
    num_threads: int | None = None,
    errors: str = "raise",
    **options: Any,
) -> CrossValidation:
    """Train a copy of a network for each fold, on all other rows, and score it on the fold's.

    The trainings run at once, as `train_many` has it, over one table of which no fold has a copy.
    Each gives the bits of ``fit`` on the rows that it is trained on.

    Parameters
    ----------
    net : Network
        A network that has not been trained; it does not change.
    x, y
        As in `Sequential.fit`, in memory.
    folds : int or iterable of (train, test), default 5
        How many parts the rows are shuffled into; or for each fold the numbers of its rows, or
        masks, such as the ``split`` of scikit-learn's splitters gives.
    seed : int, default 0
        Which shuffle. The networks keep their own seed.
    stratify : bool, optional
        Share out the rows of each class among the folds evenly. Default: yes, where the loss
        compares classes.
    validate : bool, default False
        Score each epoch on the fold too, under names with ``val_`` in front, for curves. What is
        stopped or chosen by these, such as by `EarlyStopping`, has seen the rows that it is scored
        on; ``validation_split`` holds some of the training rows back for that.
    return_networks, return_predictions : bool, default False
        Keep the trained networks; the predictions for the rows of each fold, of a network that was
        not trained on them: probabilities where the loss is of classes.
    num_threads : int, optional
        Of all trainings together. It never changes a result.
    errors : {"raise", "return"}, default "raise"
        Raise the first exception of a fold's training, such as a divergence, when all others have
        ended; or keep it in the result, with scores that are NaN.
    **options
        Those of `Sequential.fit`, such as `loss`, `optimizer`, `epochs`, `callbacks` and `metrics`.

    Returns
    -------
    CrossValidation
        A mapping from ``"loss"`` and the names of the metrics to an array of a value for each fold.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the network has been trained, maybe on rows of a fold.
    KeyboardInterrupt
        After Ctrl-C.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential(
    ...     [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0
    ... )
    >>> options = {"loss": "cross_entropy", "optimizer": cr.Adam(0.01), "epochs": 5}
    >>> found = cr.cross_validate(net, x, y, folds=3, **options)
    >>> found["accuracy"].shape, bool(found["accuracy"].mean() > 0.85)
    ((3,), True)
    """
    if not isinstance(net, Compiled):
        raise TypeError(f"net must be a network, got {net!r:.80}")
    if errors not in ("raise", "return"):
        raise ValueError(f'errors must be "raise" or "return", got {errors!r}')
    check_arguments("cross_validate", options, fit_options())
    if validate and (options.get("validation_data") is not None or options.get("validation_split")):
        raise ValueError("validate=True takes the fold's rows for validation: give no others")
    steps = 0 if net._core is None else net._built_core().total_steps
    if steps > 0:
        raise ValueError(
            f"the network has been trained for {steps} steps, maybe on rows that would test it; "
            "cross_validate needs a new one"
        )
    data = x
    if not isinstance(x, Dataset):
        weights = [options.pop(name, None) for name in ("sample_weight", "class_weight")]
        data, y = Dataset(net._marked_sequences(x), y, *weights), None
    assert isinstance(data, Dataset)
    chosen = _chosen_folds(net, data, folds, seed, stratify, options)
    calls = []
    for index, (train, test) in enumerate(chosen):
        training: dict[str, Any] = {"network": copy.deepcopy(net), "rows": train}
        if validate:
            training["validation_rows"] = test
        calls.append(training_call(f"fold {index}", training, data, y, options))
    ended = run_many(calls, num_threads)
    nets = [call.net for call in calls]
    if any(each.history.interrupted for each in nets):
        raise KeyboardInterrupt
    if errors == "raise":
        raise_first(ended)
    return _result(calls, data, chosen, ended, num_threads, return_networks, return_predictions)


def _result(
    calls: list[FitCall],
    data: Dataset,
    folds: list[Fold],
    errors: list[Exception | None],
    num_threads: int | None,
    return_networks: bool,
    return_predictions: bool,
) -> CrossValidation:
    """Score the networks on the rows of their folds."""
    scores: list[dict[str, Any]] = []
    gathered = _Predictions(len(data))
    threads = thread_count(num_threads) or None
    for call, (_, test), error in zip(calls, folds, errors, strict=True):
        net: Any = call.net
        if error is not None:
            scores.append({})
            continue
        rows = data.select(test)
        scores.append(net.evaluate(rows, num_threads=threads))
        if return_predictions:
            several = isinstance(net.loss, OutputLosses)
            links = not several and net.loss._core.link in ("softmax", "sigmoid")
            predict = net.predict_proba if links else net.predict
            gathered.add(test, predict(rows.x, num_threads=threads))
    made = CrossValidation(scores, folds, [call.net.history for call in calls], errors)
    if boolean("return_networks", return_networks):
        made.networks = [call.net for call in calls]
    if boolean("return_predictions", return_predictions):
        made.predictions = gathered.mean()
    return made


class _Predictions:
    """Predictions of the rows that folds test, each the mean of those of its folds."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._sums: dict[str | None, NDArray[np.float64]] = {}
        self._counts = np.zeros(rows, np.int64)
        self._dtype: Any = np.float64

    def add(self, rows: NDArray[np.int64], predictions: Any) -> None:
        """Add those of some rows."""
        parts = predictions if isinstance(predictions, dict) else {None: predictions}
        for name, part in parts.items():
            self._dtype = part.dtype
            if name not in self._sums:
                self._sums[name] = np.zeros((self._rows, *part.shape[1:]))
            np.add.at(self._sums[name], rows, part)
        np.add.at(self._counts, rows, 1)

    def mean(self) -> Any:
        """Return the means, of several outputs by name."""
        means = {}
        for name, sums in self._sums.items():
            counts = self._counts.reshape(-1, *[1] * (sums.ndim - 1))
            full = np.full_like(sums, np.nan)
            means[name] = np.divide(sums, counts, out=full, where=counts > 0).astype(self._dtype)
        return means.get(None, means)


def _chosen_folds(
    net: Compiled,
    data: Dataset,
    folds: Any,
    seed: int,
    stratify: bool | None,
    options: dict[str, Any],
) -> list[Fold]:
    """Return the rows to train and to test on, of each fold."""
    rows = len(data)
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer):
        if isinstance(folds, str) or not isinstance(folds, Iterable):
            raise TypeError(f"folds must be a number or pairs of rows, got {folds!r:.80}")
        given = [_given_fold(index, pair, rows) for index, pair in enumerate(folds)]
        if not given:
            raise ValueError("folds is empty")
        return given
    count = positive_integer("folds", int(folds))
    if not 2 <= count <= rows:
        raise ValueError(f"folds must lie in 2..{rows}, the number of rows, got {count}")
    order = np.random.default_rng(seed).permutation(rows)
    classes = None
    if stratify is None or boolean("stratify", stratify):
        classes = _classes(net, data, options)
        if classes is None and stratify:
            raise ValueError("stratify=True needs a class for each row, in y of one dimension")
    if classes is not None:
        # All rows of one class behind those of another, and then dealt out like cards.
        order = order[np.argsort(classes[order], kind="stable")]
    parts = [np.sort(order[first::count]) for first in range(count)]
    return [(np.setdiff1d(np.arange(rows), part, assume_unique=True), part) for part in parts]


def _given_fold(index: int, pair: Any, rows: int) -> Fold:
    """Return the rows of a fold that the caller has chosen."""
    try:
        train, test = pair
    except (TypeError, ValueError):
        raise TypeError(f"folds[{index}] must be a pair (train, test), got {pair!r:.80}") from None
    return (
        row_numbers(train, rows, f"the training rows of folds[{index}]"),
        row_numbers(test, rows, f"the test rows of folds[{index}]"),
    )


def _classes(net: Compiled, data: Dataset, options: dict[str, Any]) -> NDArray[np.int64] | None:
    """Return a number for the class of each row, if the loss compares classes."""
    loss = net._chosen_loss(options.get("loss"), options.get("loss_weights"))
    y = data.y
    if isinstance(loss, OutputLosses) or y is None or isinstance(y, dict | list | Sequences):
        return None
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not compares_classes(loss, 1):
        return None
    return np.unique(values, return_inverse=True)[1]


def _or_nan(fold: dict[str, Any], name: str, scores: list[dict[str, Any]]) -> Any:
    """Return a fold's score; NaN, of the same shape, for one that has none."""
    if name in fold:
        return fold[name]
    like = next(other[name] for other in scores if name in other)
    return np.full(np.shape(like), np.nan)

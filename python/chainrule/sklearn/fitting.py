# SPDX-License-Identifier: Apache-2.0
"""The way of ``fit`` and ``partial_fit``: from what a user gives to the fitted attributes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d

from chainrule.errors import DivergenceError
from chainrule.interop.sklearn import OUTPUTS, give_names
from chainrule.layers import Dense
from chainrule.network.network import Network
from chainrule.schedules import ReduceOnPlateau, Schedule
from chainrule.sklearn.architecture import Architecture, dense_names
from chainrule.sklearn.epochs import Epochs
from chainrule.sklearn.estimator import SOLVERS_THAT_STEP, Estimator, checked, linked_outputs
from chainrule.sklearn.fit_tasks import WRAPPERS, FitTasks, with_callbacks
from chainrule.sklearn.objective import Objective
from chainrule.sklearn.parameters import batch_rows, first_rate, optimizer_of
from chainrule.sklearn.rows import Rows, row_weights
from chainrule.sklearn.table_columns import plain_targets

__all__ = ["fit", "target_table"]


class _Validation(NamedTuple):
    """Validation rows; `y` as the user gives targets."""

    rows: Rows
    y: NDArray[Any]


class _Training(NamedTuple):
    """What a network is trained on, and how."""

    rows: Rows
    batch_size: int
    objective: Objective
    l2: float
    class_weight: Any = None
    epochs: int = 1

    @property
    def batches(self) -> int:
        """The batches of an epoch."""
        return -(-self.rows.size // self.batch_size)


@with_callbacks
def fit(
    chosen: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    eval_set: Any,
    *,
    incremental: bool = False,
    classes: Any = None,
) -> Any:
    """Fit an estimator, or with `incremental` let it see the rows once more; return it."""
    chosen._validate_params()
    y_given = y
    if chosen.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    anew = "network_" not in vars(chosen) or not (incremental or chosen.warm_start)
    rows = _training_rows(chosen, X, y, sample_weight, anew=anew)
    known = None if anew else chosen._targets
    targets = chosen._targets_of(rows.y, known, classes, incremental=incremental)
    rows, y = rows._replace(y=targets.encode(rows.y)), rows.y
    outputs = chosen._outputs_for(targets, rows.y)
    random = check_random_state(chosen.random_state)
    # In scikit-learn's order, so that the same state gives the same weights and the same split.
    architecture = Architecture(chosen, rows.x.shape[1], outputs)
    first = architecture.first_weights(random) if anew else []
    if not anew:
        architecture.check_fits(chosen.network_)
    rows, validation = _held_back(chosen, targets, rows, y, eval_set, random)
    training = _plan(chosen, rows, chosen._objective(targets, rows, outputs))
    if anew:
        seed = int(random.randint(np.iinfo(np.int32).max))
        net = architecture.network(seed, str(rows.x.dtype), training.l2, first)
    else:
        net = chosen.network_
    training = training._replace(
        l2=next(layer.l2 for layer in net.layers if isinstance(layer, Dense)),
        class_weight=chosen._class_weight(targets, outputs),
        epochs=1 if incremental else int(chosen.max_iter),
    )
    epochs = Epochs(
        chosen,
        training.objective,
        samples=rows.size,
        batches=training.batches,
        penalty=training.l2 / training.objective.gradient_factor,
        score=_scorer(chosen, targets, validation),
        anew=anew,
    )
    tasks = []
    if not incremental:
        tasks = FitTasks.of(chosen, X, y_given, sample_weight, epochs=training.epochs)

    def as_if_ended(now: Network) -> dict[str, Any]:
        fitted, net = copy.copy(chosen), copy.deepcopy(now)
        epochs.restore_best(net)
        epochs.record(fitted)
        _record(fitted, net, targets, training.objective)
        return vars(fitted)

    for task in tasks:
        task.attributes = as_if_ended
    _train(chosen, net, training, epochs, validation, tasks)
    epochs.record(chosen)
    _record(chosen, net, targets, training.objective)
    for task in tasks:
        task.end()
    if not incremental:
        _warn_unless_converged(chosen, net, epochs)
    return chosen


def _training_rows(estimator: Estimator, X: Any, y: Any, sample_weight: Any, *, anew: bool) -> Rows:
    """Return the rows whose weight is not 0, with the targets as they are given, checked."""
    x, y = checked(estimator, X, plain_targets(y), reset=anew, multi_output=True)
    return Rows(x, target_table(y), row_weights(sample_weight, x)).counted()


def target_table(y: Any) -> NDArray[Any]:
    """Return a table of targets, or the only column of one; sparse ones as a table."""
    if hasattr(y, "toarray"):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.dtype == object and any(value is None for value in y.ravel()):
        raise ValueError("y contains None: leave rows without a target out")
    table: NDArray[Any] = y
    return table


def _held_back(
    estimator: Any, targets: Any, rows: Rows, y: NDArray[Any], eval_set: Any, random: Any
) -> tuple[Rows, _Validation | None]:
    """Return training rows, and those to validate by: the user's, or some of the training rows."""
    rows = estimator._weighed(targets, rows, y)
    if eval_set is not None:
        return rows, _given_validation(estimator, targets, eval_set)
    if not estimator.early_stopping or estimator.solver not in SOLVERS_THAT_STEP:
        return rows, None
    train, held = train_test_split(
        np.arange(len(y)),
        random_state=random,
        test_size=estimator.validation_fraction,
        stratify=estimator._strata(targets, rows, y),
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return rows.take(train), _Validation(rows.take(held), y[held])


def _given_validation(estimator: Any, targets: Any, eval_set: Any) -> _Validation:
    """Return the validation rows of a user's; ValueError or TypeError where they do not fit."""
    if not isinstance(eval_set, tuple | list):
        raise TypeError(
            f"eval_set must be (X, y) or (X, y, sample_weight), got {type(eval_set).__name__}"
        )
    if len(eval_set) not in (2, 3):
        raise ValueError(
            f"eval_set must be (X, y) or (X, y, sample_weight), got {len(eval_set)} items"
        )
    try:
        x, y = checked(estimator, eval_set[0], plain_targets(eval_set[1]), multi_output=True)
        y = target_table(y)
        weights = row_weights(eval_set[2] if len(eval_set) == 3 else None, x)
        return _Validation(Rows(x, targets.encode(y), weights), y)
    except ValueError as error:
        raise ValueError(f"eval_set: {error}") from error


def _scorer(
    estimator: Any, targets: Any, validation: _Validation | None
) -> Callable[[Network], float] | None:
    if validation is None:
        return None
    (x, _, weights), y = validation

    def score(net: Network) -> float:
        return float(estimator._score_of(targets, linked_outputs(net, x), y, weights))

    return score


def _plan(estimator: Any, rows: Rows, objective: Objective) -> _Training:
    """Return what is trained on, in which batches and with which penalty."""
    samples = rows.size
    stepping = estimator.solver in SOLVERS_THAT_STEP
    size = batch_rows(estimator.batch_size, samples) if stepping else samples
    # The penalty of a batch is divided by the sum of its weights.
    penalty = estimator.alpha / (size * rows.weight_of_a_row)
    l2 = 0.5 * objective.gradient_factor * penalty
    if size == samples:
        rows = rows.in_one_order()
        size = rows.size
    return _Training(rows, size, objective, l2)


def _train(
    estimator: Any,
    net: Any,
    training: _Training,
    epochs: Epochs,
    validation: _Validation | None,
    tasks: list[FitTasks],
) -> None:
    """Train the network, and where there is validation go back to the best weights."""
    rows, objective = training.rows, training.objective
    stepping = estimator.solver in SOLVERS_THAT_STEP
    callbacks = list(estimator.callbacks or ())
    watched = bool(callbacks) or isinstance(estimator.learning_rate, Schedule)
    seen: Any = None
    if validation is not None and watched:
        held = validation.rows
        seen = (held.x, _of_outputs(net, held.y))
        seen = seen if held.weights is None else (*seen, held.weights)
    rate = first_rate(estimator, epochs.samples_seen, epochs.adapted_rate)
    if isinstance(rate, ReduceOnPlateau):
        rate = _own_plateau(rate, net)
    net.loss = objective.loss  # by which validation rows are scored
    try:
        net.fit(
            rows.x,
            _of_outputs(net, rows.y),
            loss=objective.loss,
            optimizer=optimizer_of(estimator, rate, objective.gradient_factor),
            epochs=training.epochs,
            batch_size=training.batch_size if stepping else None,
            validation_data=seen,
            sample_weight=rows.weights,
            class_weight=training.class_weight,
            shuffle=bool(estimator.shuffle) and training.batches > 1,
            callbacks=[epochs, *callbacks, *tasks],
            metrics=estimator._metrics() if watched else [],
            verbose=0,
        )
    except DivergenceError as error:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large "
            f"values and need to be preprocessed. {error}"
        ) from error
    if epochs.iterations == 0:  # the first weights are within the tolerance
        y = _of_outputs(net, rows.y)
        epochs.report(net.evaluate(rows.x, y, sample_weight=rows.weights)["loss"], net)
    epochs.restore_best(net)


def _own_plateau(given: ReduceOnPlateau, net: Any) -> ReduceOnPlateau:
    """Return a parameter's schedule without its memory, but that of the network's training."""
    own = ReduceOnPlateau.from_config(given.config)
    before = getattr(net.optimizer, "schedule", None)
    if isinstance(before, ReduceOnPlateau) and before.config == own.config:
        own.state = before.state
    return own


def _of_outputs(net: Any, y: NDArray[Any]) -> Any:
    """Return targets as the network takes them: of several outputs a list of columns."""
    several = len(net._graph.outputs) > 1
    return [np.ascontiguousarray(column) for column in y.T] if several else y


def _record(estimator: Any, net: Network, targets: Any, objective: Objective) -> None:
    """Give the estimator its fitted attributes, but those of the epochs."""
    estimator._targets = targets
    estimator._take_over(targets)
    estimator.network_ = net
    estimator.n_layers_ = len(dense_names(net)) + 1
    estimator.n_outputs_ = net.outputs
    estimator.out_activation_ = OUTPUTS.get(objective.link, "identity")
    give_names(net, estimator)


def _warn_unless_converged(estimator: Any, net: Network, epochs: Epochs) -> None:
    if estimator.solver == "lbfgs":
        if "maximum" in (net.history.end or ""):
            warnings.warn(
                f"lbfgs failed to converge after {epochs.iterations} iteration(s): "
                f"{net.history.end}. Increase max_iter or max_fun, or scale the data.",
                ConvergenceWarning,
                stacklevel=4 + WRAPPERS,
            )
        return
    if epochs.stopped or epochs.iterations < estimator.max_iter:
        return
    warnings.warn(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
        "optimization hasn't converged yet.",
        ConvergenceWarning,
        stacklevel=4 + WRAPPERS,
    )

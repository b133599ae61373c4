# SPDX-License-Identifier: Apache-2.0
"""What the two estimators of tables have in common: from a user's table to a fitted model."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import DivergenceError
from chainrule.losses import Loss
from chainrule.sklearn.fit_tasks import CallbackSupport, FitTasks, with_callbacks
from chainrule.sklearn.fitting import target_table
from chainrule.sklearn.importances import importances
from chainrule.sklearn.rows import Rows, row_weights
from chainrule.sklearn.table_columns import checked_table, plain_targets, target_names
from chainrule.sklearn.tabular_files import SavedEstimator
from chainrule.tables.description import TableDescription
from chainrule.tables.frames import is_frame
from chainrule.tables.model import Examples, TableModel
from chainrule.tables.network import BATCH_ROWS, BUDGETS, Budget, Outputs
from chainrule.tables.target import Target

__all__ = ["CONSTRAINTS", "TabularEstimator"]

# With fewer rows than these, all of them are trained on.
_FEWEST_TO_HOLD_BACK = 500
_SHARE = 0.2

CONSTRAINTS: dict[str, list[Any]] = {
    "budget": [StrOptions(set(BUDGETS))],
    "members": [Interval(Integral, 1, None, closed="left"), None],
    "validation": [
        StrOptions({"auto"}),
        Interval(Real, 0, 1, closed="neither"),
        tuple,
        list,
        None,
    ],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}


class TabularEstimator(CallbackSupport, SavedEstimator, ABC):
    """Base class of the estimators of tables."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    model_: TableModel
    feature_names_in_: NDArray[Any]

    @with_callbacks
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._validate_params()
        chosen: Any = self
        data = X, y, sample_weight
        table, y = checked_table(self, X, y, reset=True)
        rows = Rows(np.arange(table.rows), y, row_weights(sample_weight, y)).counted()
        if rows.size < 2:
            raise ValueError(f"{type(self).__name__} needs two rows or more, got n_samples = 1")
        table, y = table.take(rows.x), rows.y
        targets = self._targets_of(y)
        rows = rows._replace(y=targets.encode(y))
        rows = self._weighed(targets, rows, y)
        description = TableDescription.of_table(table)
        rows = rows._replace(x=description.matrix_of(table))
        random = check_random_state(chosen.random_state)
        train, held = self._held_back(description, targets, rows, y, random)
        if train.size <= BATCH_ROWS:
            train = train.in_one_order()
        budget = BUDGETS[chosen.budget]
        members = budget.members if chosen.members is None else int(chosen.members)
        tasks = FitTasks.of(chosen, *data, epochs=budget.epochs, members=members)
        examples, model = Examples(*train), TableModel(description)
        loss, outputs = self._objective(targets, rows)

        def as_if_ended(net: Any) -> dict[str, Any]:
            fitted = copy.copy(chosen)
            fitted._has_learnt(model.at_epoch(net), targets)
            fitted.n_iter_ = budget.epochs
            return vars(fitted)

        for task in tasks:
            task.attributes = as_if_ended
        try:
            model.train(
                examples,
                None if held is None else Examples(*held),
                loss=loss,
                outputs=outputs,
                budget=Budget(budget.epochs, budget.units),
                seeds=[int(s) for s in random.randint(np.iinfo(np.int32).max, size=members)],
                monitor=self._monitor(),
                class_weight=self._class_weight(targets, rows),
                num_threads=_threads(chosen.n_jobs),
                verbose=int(chosen.verbose),
                callbacks=tasks,
            )
        except DivergenceError as error:
            raise ValueError(f"the training did not end in finite numbers: {error}") from error
        self._has_learnt(model, targets)
        self._target_names = target_names(data[1])
        self.n_iter_ = budget.epochs
        self._measured: Examples | None = examples if held is None else Examples(*held)
        self._were_held = held is not None
        self.feature_importances_ = importances(self, self._measured, random)
        for task in tasks:
            task.end()

    def _has_learnt(self, model: TableModel, targets: Any) -> None:
        """Set what is known of a model that was trained or read."""
        self.model_ = model
        self._targets = targets
        self.n_features_in_ = len(model.description.columns)
        self.n_outputs_ = model.networks[0].outputs
        self.networks_ = model.networks
        self.history_ = model.histories[0]
        self._take_over(targets)

    def _predicted(self, X: Any) -> NDArray[np.float64]:
        """Return what the model gives for rows of a user's."""
        check_is_fitted(self)
        return self._outputs_of(self._matrix(X))

    def _outputs_of(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._target().predictions(self.model_.predict(matrix, _threads(self.n_jobs)))

    def _matrix(self, X: Any) -> NDArray[np.float64]:
        """Return rows as the matrix that the model knows; ValueError where they do not fit."""
        description = self.model_.description
        if is_frame(X):
            return description.matrix(X)
        table, _ = checked_table(self, X, None, reset=False)
        return description.matrix_of(table)

    def _checked_targets(self, y: Any) -> NDArray[Any]:
        return target_table(y)

    def _held_back(
        self, description: TableDescription, targets: Any, rows: Rows, y: NDArray[Any], random: Any
    ) -> tuple[Rows, Rows | None]:
        """Return the rows to train on and those to validate by."""
        given = self.validation
        if given is None or (given == "auto" and rows.size < _FEWEST_TO_HOLD_BACK):
            return rows, None
        if isinstance(given, tuple | list):
            return rows, self._given_validation(description, targets, given)
        share = _SHARE if given == "auto" else float(given)
        strata = self._strata(y)
        if strata is not None and np.unique(strata, return_counts=True)[1].min() < 2:
            strata = None
        try:
            train, held = train_test_split(
                np.arange(rows.size), test_size=share, random_state=random, stratify=strata
            )
        except ValueError as error:
            raise ValueError(f"validation={given!r} of {rows.size} rows: {error}") from error
        return rows.take(train), rows.take(held)

    def _given_validation(self, description: TableDescription, targets: Any, given: Any) -> Rows:
        if len(given) not in (2, 3):
            raise ValueError(
                f"validation must be (X, y) or (X, y, sample_weight), got {len(given)} items"
            )
        try:
            x = description.matrix(given[0])
            y = self._checked_targets(np.asarray(plain_targets(given[1])))
            check_consistent_length(x, y)
            weights = row_weights(given[2] if len(given) == 3 else None, x)
            return Rows(x, targets.encode(y), weights)
        except ValueError as error:
            raise ValueError(f"validation: {error}") from error

    @abstractmethod
    def _targets_of(self, y: NDArray[Any]) -> Any:
        """Return what is to be known of targets, with `encode`."""

    @abstractmethod
    def _target(self) -> Target:
        """Return what is predicted, without the names of the columns."""

    @abstractmethod
    def _restored(self, target: Target) -> Any:
        """Return what `_targets_of` gave, for a target that was read from a file."""

    @abstractmethod
    def _objective(self, targets: Any, rows: Rows) -> tuple[Loss, Outputs]:
        """Return the loss, and the columns of the network's output or of each of several."""

    @abstractmethod
    def _monitor(self) -> str:
        """Return what tells the best epoch."""

    @abstractmethod
    def _error_of(self, outputs: NDArray[np.float64], examples: Examples) -> float:
        """Return the error of predictions for rows, by the chosen metric; smaller is better."""

    def _weighed(self, targets: Any, rows: Rows, y: NDArray[Any]) -> Rows:
        """Return rows that have weights of classes in their own."""
        return rows

    def _class_weight(self, targets: Any, rows: Rows) -> dict[str, NDArray[Any]] | None:
        """Return the weights of the classes of each of several outputs."""
        return None

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return what a split is to keep the shares of."""
        return None

    def _take_over(self, targets: Any) -> None:
        """Set the attributes that tell of targets."""
        return

    def plot_training(self, path: Any = None) -> Any:
        """Draw the losses and the metric of each epoch.

        Parameters
        ----------
        path : str or path, optional
            Where to write the picture.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from chainrule.plots import plot_history

        check_is_fitted(self)
        return plot_history(self.history_, path)

    def report(self, path: Any = None) -> str:
        """Return one page that tells of the data, the training and how good the model is.

        Parameters
        ----------
        path : str or path, optional
            Where to write it.

        Returns
        -------
        str
            HTML that needs no other file.

        Raises
        ------
        ValueError
            If the estimator was loaded from a file, which has none of the rows.
        """
        from chainrule.tables.report import Findings, report_page

        check_is_fitted(self)
        measured = self._measured
        if measured is None:
            raise ValueError("report() needs rows, which an estimator that was loaded has not kept")
        page = report_page(
            Findings(
                type(self).__name__,
                self.model_.description,
                self.history_,
                measured,
                self._outputs_of(measured.x),
                self.feature_importances_,
                self._target().classes,
                self._were_held,
                getattr(self, "_fitted_quantiles", ()),
            )
        )
        if path is not None:
            from chainrule.atomic_file import write_atomically

            write_atomically(path, page.encode())
        return page

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a model."""
        return "model_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _threads(n_jobs: int | None) -> int | None:
    """Return the number of threads by scikit-learn's rule; None for all that there are."""
    return None if n_jobs is None or n_jobs < 1 else int(n_jobs)

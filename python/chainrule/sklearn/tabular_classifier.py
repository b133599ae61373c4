# SPDX-License-Identifier: Apache-2.0
"""A classifier of the rows of tables as they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from chainrule.losses import BinaryCrossEntropy, CrossEntropy, Loss
from chainrule.metrics import UndefinedMetricError, auc
from chainrule.sklearn import class_weights
from chainrule.sklearn.any_classifier import AnyClassifier
from chainrule.sklearn.architecture import head_names
from chainrule.sklearn.labels import Labels, OutputLabels, accuracy, is_of_outputs
from chainrule.sklearn.rows import Rows
from chainrule.sklearn.table_columns import plain_targets
from chainrule.sklearn.tabular import CONSTRAINTS, TabularEstimator
from chainrule.tables.model import Examples
from chainrule.tables.network import Outputs
from chainrule.tables.target import Target

__all__ = ["TabularClassifier"]

_SMOOTHING = 0.1

AnyLabels: TypeAlias = Labels | OutputLabels


class TabularClassifier(AnyClassifier, TabularEstimator):
    """A classifier of tables with numbers, text, booleans, dates and missing values.

    Parameters
    ----------
    metric : {"accuracy", "log_loss", "auc"}, default "accuracy"
        What the best epoch is chosen by, and what importances are measured in. "auc" is the area
        under the ROC curve, of more classes the mean of each against the rest. The last two train
        without label smoothing. Of several outputs the mean of theirs counts.
    class_weight : dict, "balanced" or list of dict, optional
        Weights by label; "balanced" makes all classes count the same. Of several labels a row, or
        several outputs, a list has those of each; those of outputs weigh the loss of their own
        output only, and no validation rows.
    budget : {"fast", "default", "best"}, default "default"
        64 epochs of three layers of 128 units; the mean of four such networks after 128 epochs; or
        that of eight networks of 256 units after 256 epochs.
    members : int, optional
        Networks whose probabilities are averaged; by default as `budget` says.
    validation : "auto", float, (X, y) or None, default "auto"
        The rows by which the best epoch is chosen: a share of the rows, or those given, maybe with
        weights as a third item. "auto": a fifth where there are 500 rows or more, else none.
    random_state : int, RandomState or None, default None
    n_jobs : int, optional
        Threads; by default all. It changes no result.
    verbose : bool or int, default False
        Whether to show the progress.

    Attributes
    ----------
    classes_ : ndarray or list of ndarray
        The labels; of several outputs those of each.
    model_ : object
        The description of the table and the networks, which read the rows of its matrix.
    networks_ : list of Network
        One, which of several members is an ensemble.
    history_ : History
        Losses and metric of the first member's epochs.
    feature_importances_ : ndarray of shape (columns,)
        How much the error increases when a column of the validation rows is shuffled; of the
        training rows where there are none.
    n_features_in_, feature_names_in_, n_iter_, n_outputs_
        As scikit-learn's.

    Notes
    -----
    Columns of data frames are found by name, in any order. Categories that come later only count
    as unknown. With validation rows, one temperature makes probabilities of each network as sure
    as they are right. Where all rows fit one batch of 256, the model depends neither on their order
    nor on whether rows are repeated or weighted, to the bit.

    References
    ----------
    Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.sklearn import TabularClassifier
    >>> random = np.random.default_rng(0)
    >>> size, colour = random.normal(size=100), random.choice(["red", "blue"], 100)
    >>> X = np.array([size, colour], dtype=object).T
    >>> X[::9, 0] = None
    >>> y = np.where((colour == "red") ^ (size > 0), "ripe", "unripe")
    >>> model = TabularClassifier(budget="fast", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model.predict([[1.0, "blue"], [-1.0, "blue"]])
    array(['ripe', 'unripe'], dtype='<U6')
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "metric": [StrOptions({"accuracy", "log_loss", "auc"})],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        *,
        metric: str = "accuracy",
        class_weight: Any = None,
        budget: str = "default",
        members: int | None = None,
        validation: Any = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.metric = metric
        self.class_weight = class_weight
        self.budget = budget
        self.members = members
        self.validation = validation
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularClassifier:
        """Train.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)
        y : array-like of shape (rows,) or (rows, outputs), or of 0 and 1 of shape (rows, labels)
            The columns of several outputs have each their own classes; one network predicts all.
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        TabularClassifier

        Raises
        ------
        ValueError, TypeError
            If something does not fit.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """Return labels.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)

        Returns
        -------
        ndarray of shape (rows,), (rows, labels) or (rows, outputs)
        """
        return self._decided(self._predicted(X))

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)

        Returns
        -------
        ndarray of shape (rows, classes), or a list of them for several outputs
        """
        outputs = self._predicted(X)
        several = isinstance(self._targets, OutputLabels)
        return self._targets.split(outputs) if several else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose label is right, of several columns the labels of all.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)
        y : array-like of shape (rows,), (rows, labels) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        float
        """
        return accuracy(plain_targets(y), self.predict(X), sample_weight)

    def _decided(self, outputs: NDArray[np.float64]) -> Any:
        if self._targets.several or isinstance(self._targets, OutputLabels):
            return self._targets.decide(outputs, 0.5)
        return self.classes_[outputs.argmax(axis=1)]

    def _targets_of(self, y: NDArray[Any]) -> AnyLabels:
        if is_of_outputs(y):
            return OutputLabels.of(y)
        return Labels(y, None, as_numbers=y.ndim == 1)

    def _target(self) -> Target:
        known = self.classes_
        if isinstance(known, list):
            return Target(labels=tuple(tuple(each.tolist()) for each in known))
        return Target(labels=tuple(known.tolist()), several=self._targets.several)

    def _restored(self, target: Target) -> AnyLabels:
        if target.labels is None:
            raise ValueError("there are no labels")
        if target.several:
            return Labels(np.eye(len(target.labels), dtype=np.int64), None, as_numbers=False)
        each = [Labels(np.array(known), None, as_numbers=True) for known in target.by_output]
        return OutputLabels(each) if target.has_outputs else each[0]

    def _objective(self, targets: AnyLabels, rows: Rows) -> tuple[Loss, Outputs]:
        if targets.several:
            return BinaryCrossEntropy(), rows.y.shape[1]
        loss = CrossEntropy(label_smoothing=_SMOOTHING if self.metric == "accuracy" else 0.0)
        if isinstance(targets, OutputLabels):
            names = head_names(len(targets.sizes))
            return loss, dict(zip(names, targets.sizes, strict=True))
        return loss, len(targets.classes)

    def _monitor(self) -> str:
        return "val_loss" if self.metric == "log_loss" else f"val_{self.metric}"

    def _held_back(self, *args: Any) -> tuple[Rows, Rows | None]:
        train, held = super()._held_back(*args)
        if self.metric == "auc" and held is not None:
            targets = args[1]
            several = isinstance(targets, OutputLabels)
            sizes = targets.sizes if several else [len(targets.classes)]
            try:
                for size, y in zip(sizes, held.y.T if several else [held.y], strict=True):
                    scores = np.zeros((held.size, size))
                    auc(y, scores, sample_weight=held.weights, multilabel=y.ndim == 2)
            except UndefinedMetricError as error:
                raise ValueError(f"metric='auc' of the validation rows: {error}") from error
        return train, held

    def _error_of(self, outputs: NDArray[np.float64], examples: Examples) -> float:
        if not isinstance(self._targets, OutputLabels):
            return self._error_of_one(outputs, examples)
        parts = zip(self._targets.split(outputs), examples.y.T, strict=True)
        return float(
            np.mean([self._error_of_one(part, replace(examples, y=y)) for part, y in parts])
        )

    def _error_of_one(self, outputs: NDArray[np.float64], examples: Examples) -> float:
        y, tiny = examples.y, np.finfo(np.float64).tiny
        if self.metric == "auc":
            return 1.0 - auc(y, outputs, sample_weight=examples.weights, multilabel=y.ndim == 2)
        if y.ndim == 2:
            wrong = (outputs > 0.5) != y
            right = np.where(y > 0, outputs, 1.0 - outputs)
            loss = wrong if self.metric == "accuracy" else -np.log(np.maximum(right, tiny))
            return float(np.average(loss.mean(axis=1), weights=examples.weights))
        if self.metric == "accuracy":
            return float(np.average(outputs.argmax(axis=1) != y, weights=examples.weights))
        right = np.maximum(outputs[np.arange(len(y)), y], tiny)
        return float(np.average(-np.log(right), weights=examples.weights))

    def _weighed(self, targets: AnyLabels, rows: Rows, y: NDArray[Any]) -> Rows:
        if self.class_weight is None or isinstance(targets, OutputLabels):
            return rows
        return class_weights.in_rows(self.class_weight, rows, y, targets.classes)

    def _class_weight(self, targets: AnyLabels, rows: Rows) -> dict[str, NDArray[Any]] | None:
        if self.class_weight is None or not isinstance(targets, OutputLabels):
            return None
        each = class_weights.by_output(self.class_weight, targets.classes)
        parts = zip(head_names(len(each)), each, rows.y.T, targets.sizes, strict=True)
        return {
            name: class_weights.of_classes(given, y, rows.weights, size)
            for name, given, y, size in parts
        }

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return y if y.ndim == 1 else None

    def _take_over(self, targets: AnyLabels) -> None:
        self.classes_ = targets.classes

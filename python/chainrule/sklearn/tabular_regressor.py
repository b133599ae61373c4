# SPDX-License-Identifier: Apache-2.0
"""A regressor of the rows of tables as they come: one number or more, or quantiles of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.utils._param_validation import StrOptions

from chainrule import losses
from chainrule.losses import Loss, Quantile
from chainrule.sklearn.rows import Rows
from chainrule.sklearn.tabular import CONSTRAINTS, TabularEstimator
from chainrule.sklearn.target_digits import check_digits
from chainrule.tables.model import Examples
from chainrule.tables.network import Outputs
from chainrule.tables.target import Target

__all__ = ["TabularRegressor"]


class _Numbers:
    """Targets that are numbers."""

    def encode(self, y: NDArray[Any]) -> NDArray[np.float64]:
        return y.reshape(len(y), -1).astype(np.float64)


class TabularRegressor(RegressorMixin, TabularEstimator):
    """A regressor of tables with numbers, text, booleans, dates and missing values.

    Parameters
    ----------
    loss : {"mse", "mae", "huber", "quantile"}, default "mse"
        Of targets that are scaled to variance 1.
    quantiles : sequence of float, default (0.05, 0.5, 0.95)
        Those of ``loss="quantile"``, which takes a single target column.
    metric : {"loss", "rmse", "mae"}, default "loss"
        What the best epoch is chosen by, and what importances are measured in.
    budget, members, validation, random_state, n_jobs, verbose
        As of `TabularClassifier`.

    Attributes
    ----------
    model_, networks_, history_, feature_importances_, n_features_in_, feature_names_in_, n_iter_, \
n_outputs_
        As of `TabularClassifier`.

    Notes
    -----
    As of `TabularClassifier`. Predictions of a single target stay within the range of the targets
    that were trained on.

    Predictions are rounded to float32, in which numbers near 1.7e9, such as seconds since 1970,
    differ by 128 or more. Of a target, or one of several, that varies little beside its size,
    subtract an offset before `fit` and add it to predictions. There is a warning where the spacing
    of float32 at the largest target is more than a hundredth of the standard deviation, and an
    error where it is more than that. Columns of ``X`` need no such care.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.sklearn import TabularRegressor
    >>> x = np.linspace(-2, 2, 200)
    >>> X, y = x[:, np.newaxis], 100 + 10 * np.sin(x)
    >>> model = TabularRegressor(budget="fast", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"mse", "mae", "huber", "quantile"})],
        "quantiles": ["array-like"],
        "metric": [StrOptions({"loss", "rmse", "mae"})],
    }

    def __init__(
        self,
        *,
        loss: str = "mse",
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        metric: str = "loss",
        budget: str = "default",
        members: int | None = None,
        validation: Any = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.loss = loss
        self.quantiles = quantiles
        self.metric = metric
        self.budget = budget
        self.members = members
        self.validation = validation
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularRegressor:
        """Train.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)
        y : array-like of shape (rows,) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        TabularRegressor

        Raises
        ------
        ValueError, TypeError
            If something does not fit; ValueError also if float32 cannot tell targets from each
            other.

        Warns
        -----
        UserWarning
            If float32 rounds targets by much of their standard deviation.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any, quantiles: Sequence[float] | float | None = None) -> NDArray[Any]:
        """Return predictions.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)
        quantiles : float or sequence of float, optional
            Of a model with ``loss="quantile"``: these quantiles, between the fitted ones by
            straight lines. By default the fitted ones.

        Returns
        -------
        ndarray of shape (rows,) or (rows, outputs)
            Quantiles rise from left to right; of a single one a column.

        Raises
        ------
        ValueError
            If quantiles are asked of another model, or ones outside of the fitted.
        """
        outputs = self._predicted(X)
        if quantiles is not None:
            outputs = self._between(outputs, np.atleast_1d(np.asarray(quantiles, np.float64)))
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2; of quantiles the mean of their D^2 of the pinball loss.

        Parameters
        ----------
        X : data frame or array-like of shape (rows, columns)
        y : array-like of shape (rows,) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        float
        """
        outputs = self._predicted(X)
        if self.loss != "quantile":
            shaped = outputs[:, 0] if outputs.shape[1] == 1 else outputs
            return float(r2_score(y, shaped, sample_weight=sample_weight))
        scores = [
            d2_pinball_score(y, column, sample_weight=sample_weight, alpha=quantile)
            for quantile, column in zip(self._fitted_quantiles, outputs.T, strict=True)
        ]
        return float(np.mean(scores))

    def _between(
        self, outputs: NDArray[np.float64], wanted: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.loss != "quantile":
            raise ValueError(f"quantiles are predicted with loss='quantile', not {self.loss!r}")
        fitted = np.array(self._fitted_quantiles)
        if wanted.ndim != 1 or not ((wanted >= fitted[0]) & (wanted <= fitted[-1])).all():
            raise ValueError(
                f"quantiles must be within the fitted ones, {fitted[0]} to {fitted[-1]}, "
                f"got {wanted.tolist()}"
            )
        return np.array([np.interp(wanted, fitted, row) for row in outputs])

    def _checked_targets(self, y: Any) -> NDArray[Any]:
        table = super()._checked_targets(y)
        if table.dtype.kind in "mM":
            raise ValueError(f"y must be numbers, got dates, such as {table.ravel()[0]}")
        try:
            numbers = table.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"y must be numbers, got {table.ravel().tolist()[0]!r}; TabularClassifier takes "
                "labels that are text"
            ) from error
        large = np.abs(numbers) > np.finfo(np.float32).max
        if large.any():
            raise ValueError(f"y has {numbers[large][0]:g}, too large for float32; scale it")
        return numbers

    def _targets_of(self, y: NDArray[Any]) -> _Numbers:
        self._fitted_quantiles: tuple[float, ...] = ()
        if self.loss == "quantile":
            if y.ndim == 2:
                raise ValueError(f"loss='quantile' takes one target column, y has {y.shape[1]}")
            given = sorted({float(q) for q in np.ravel(self.quantiles)})
            if not given or given[0] <= 0.0 or given[-1] >= 1.0:
                raise ValueError(f"quantiles must lie between 0 and 1, got {self.quantiles!r}")
            self._fitted_quantiles = tuple(given)
        check_digits(y)
        return _Numbers()

    def _target(self) -> Target:
        return Target(quantiles=self._fitted_quantiles)

    def _restored(self, target: Target) -> _Numbers:
        if target.labels is not None:
            raise ValueError("there are labels")
        self._fitted_quantiles = target.quantiles
        return _Numbers()

    def _objective(self, targets: _Numbers, rows: Rows) -> tuple[Loss, Outputs]:
        if self.loss == "quantile":
            return Quantile(self._fitted_quantiles), len(self._fitted_quantiles)
        return losses.get(self.loss), rows.y.shape[1]

    def _monitor(self) -> str:
        if self.metric != "loss" and self.loss == "quantile":
            raise ValueError(f"metric={self.metric!r} is not for quantiles; 'loss' is")
        return {"loss": "val_loss", "rmse": "val_mse", "mae": "val_mae"}[self.metric]

    def _error_of(self, outputs: NDArray[np.float64], examples: Examples) -> float:
        y = examples.y
        if self.loss == "quantile":
            levels = zip(self._fitted_quantiles, outputs.T, strict=True)
            found = [
                mean_pinball_loss(y[:, 0], column, alpha=q, sample_weight=examples.weights)
                for q, column in levels
            ]
            return float(np.mean(found))
        absolute = self.metric == "mae" or (self.metric == "loss" and self.loss != "mse")
        errors = np.abs(outputs - y) if absolute else (outputs - y) ** 2
        mean = float(np.average(errors.mean(axis=1), weights=examples.weights))
        return mean if absolute else float(np.sqrt(mean))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

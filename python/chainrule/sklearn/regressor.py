# SPDX-License-Identifier: Apache-2.0
"""A regressor: of one or more numbers, or of quantiles of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from chainrule import losses
from chainrule.inputs.targets import prepare_targets
from chainrule.losses import MAE, MSE, Huber, LogCosh, Loss, Poisson, Quantile
from chainrule.sklearn.estimator import Estimator, steps
from chainrule.sklearn.fitting import fit
from chainrule.sklearn.objective import Objective, poisson, squared_error
from chainrule.sklearn.parameters import CONSTRAINTS, FUNCTIONS
from chainrule.sklearn.rows import Rows

__all__ = ["MLPRegressor"]

_KINDS = (Huber, LogCosh, MAE, MSE, Poisson, Quantile)
_THEIRS = ("squared_error", "poisson")


class _Numbers:
    """What is known of the targets of a regressor: how many a row has, and for which loss."""

    def __init__(self, columns: int, loss: Loss) -> None:
        self.columns = columns
        self._loss = loss

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return targets as a table of numbers."""
        if y.dtype.kind not in "biufO":
            raise ValueError(f"y must be numbers, got dtype {y.dtype}")
        table = y.reshape(len(y), -1).astype(np.float64)
        if table.shape[1] != self.columns:
            raise ValueError(f"y has {table.shape[1]} columns, expected {self.columns}")
        if isinstance(self._loss, Poisson):  # here, where the rows are as the user counts them
            prepare_targets(self._loss._core, table, self.columns)
        return table


class MLPRegressor(RegressorMixin, Estimator):
    """A multilayer perceptron for regression, with scikit-learn's parameters and more.

    Parameters
    ----------
    loss : str or Loss, default "squared_error"
        "squared_error" and "poisson" as scikit-learn has them, or one of `chainrule.losses` as it
        is stated there: mse, mae, huber, log_cosh, quantile, ``cr.losses.Quantile((0.1, 0.9))``, or
        a function for `chainrule.losses.Custom`.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, \
power_t, max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, \
early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun, dropout, \
batch_norm, callbacks
        As of `MLPClassifier`; `early_stopping` goes by R^2, of quantiles by the D^2 of the pinball
        loss.

    Attributes
    ----------
    network_ : Sequential
        The network, which can be saved, exported, explained and trained on by itself.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer; what is set is used from then on.
    loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_, \
n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As scikit-learn's.

    Notes
    -----
    As of `MLPClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule.sklearn import MLPRegressor
    >>> X = np.linspace(-2, 2, 100)[:, np.newaxis]
    >>> options = dict(activation="tanh", learning_rate_init=0.05, batch_size=20, random_state=0)
    >>> model = MLPRegressor(hidden_layer_sizes=(20,), **options).fit(X, np.sin(X[:, 0]))
    >>> model.score(X, np.sin(X[:, 0])) > 0.99
    True
    >>> band = MLPRegressor(cr.losses.Quantile((0.1, 0.9)), (20,), max_iter=200, **options)
    >>> band.fit(X, np.sin(X[:, 0])).predict(X).shape
    (100, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({*_THEIRS, *(kind.kind for kind in _KINDS)}), *_KINDS, *FUNCTIONS],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        callbacks: Sequence[Any] | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.callbacks = callbacks

    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> MLPRegressor:
        """Train.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)
        y : array-like of shape (rows,) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional
        eval_set : (X, y) or (X, y, sample_weight), optional
            Rows to validate by after each epoch, in the place of a part of the training rows. The
            weights of the best epoch are kept.

        Returns
        -------
        MLPRegressor

        Raises
        ------
        ValueError, TypeError
            If something does not fit.
        """
        fitted: MLPRegressor = fit(self, X, y, sample_weight, eval_set)
        return fitted

    @available_if(steps)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Go through these rows once more.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`.

        Returns
        -------
        MLPRegressor
        """
        fitted: MLPRegressor = fit(self, X, y, sample_weight, None, incremental=True)
        return fitted

    def predict(self, X: Any) -> NDArray[Any]:
        """Return predictions.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows,) or (rows, outputs)
            Of several quantiles all outputs of the first, then those of the second, and so on.
        """
        return _flat(self._outputs(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2; of quantiles the mean of their D^2 of the pinball loss.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)
        y : array-like of shape (rows,) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        float
        """
        return self._score_of(None, self._outputs(X), y, sample_weight)

    def _quantiles(self) -> tuple[float, ...]:
        loss = losses.get(self.loss)
        return loss.quantiles if isinstance(loss, Quantile) else ()

    def _targets_of(
        self, y: NDArray[Any], known: Any, classes: Any, *, incremental: bool
    ) -> _Numbers:
        given = 1 if y.ndim == 1 else y.shape[1]
        return _Numbers(given if known is None else known.columns, losses.get(self.loss))

    def _outputs_for(self, targets: _Numbers, encoded: NDArray[Any]) -> int:
        return encoded.shape[1] * max(len(self._quantiles()), 1)

    def _objective(self, targets: _Numbers, rows: Rows, outputs: int) -> Objective:
        if self.loss == "squared_error":
            return squared_error(outputs)
        if self.loss == "poisson":
            return poisson(rows.y, rows.weights)
        return Objective(losses.get(self.loss))

    def _score_of(self, targets: Any, outputs: NDArray[Any], y: Any, weights: Any) -> float:
        quantiles = self._quantiles()
        if not quantiles:
            return float(r2_score(y, _flat(outputs), sample_weight=weights))
        columns = np.split(outputs, len(quantiles), axis=1)
        scores = [
            d2_pinball_score(y, _flat(column), sample_weight=weights, alpha=quantile)
            for quantile, column in zip(quantiles, columns, strict=True)
        ]
        return float(np.mean(scores))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _flat(outputs: NDArray[Any]) -> NDArray[Any]:
    """Return outputs, of a single one its column."""
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs

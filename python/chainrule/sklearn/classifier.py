# SPDX-License-Identifier: Apache-2.0
"""A classifier: of two or more classes, of several labels a row, or of several outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from chainrule import losses
from chainrule.losses import MAE, MSE, BinaryCrossEntropy, CrossEntropy, Hinge, Huber, LogCosh
from chainrule.network.output_losses import OutputLosses
from chainrule.sklearn import class_weights
from chainrule.sklearn.any_classifier import AnyClassifier
from chainrule.sklearn.architecture import head_names
from chainrule.sklearn.estimator import Estimator, steps
from chainrule.sklearn.fitting import fit
from chainrule.sklearn.labels import Labels, OutputLabels, accuracy, is_of_outputs
from chainrule.sklearn.objective import Objective, log_loss
from chainrule.sklearn.parameters import CONSTRAINTS, FUNCTIONS
from chainrule.sklearn.rows import Rows

__all__ = ["MLPClassifier"]

_KINDS = (BinaryCrossEntropy, CrossEntropy, Hinge, Huber, LogCosh, MAE, MSE)


def _gives_probabilities(estimator: Any) -> bool:
    """Whether the loss makes probabilities of outputs; else AttributeError."""
    loss = estimator.loss
    if loss != "log_loss" and str(losses.get(loss)._core.link) == "identity":
        raise AttributeError(f"predict_proba is not available with loss={loss!r}")
    return True


class MLPClassifier(AnyClassifier, Estimator):
    """A multilayer perceptron for classification, with scikit-learn's parameters and more.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default (100,)
        Units of each hidden layer.
    activation : str, Activation or list of such, default "relu"
        That of the hidden layers, or of each of them: "identity", "logistic", "tanh", "relu", or
        another one of `chainrule.activations`.
    solver : {"adam", "sgd", "lbfgs"}, default "adam"
    alpha : float, default 0.0001
        Strength of the L2 penalty of the weights, which as in scikit-learn is divided by the sum of
        a batch's sample weights: those of a whole batch of the first call, for shorter and later
        ones too.
    batch_size : int or "auto", default "auto"
        Rows of a step; "auto": 200, or all where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, Schedule or callable, default "constant"
        The three are those of "sgd". A schedule, or a function of the epoch, gives the rates of
        chainrule's own optimizers, for "adam" too.
    learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose : see scikit-learn
    warm_start : bool, default False
        Go on where the last ``fit`` ended: two of 10 epochs give the bits of one of 20.
    momentum, nesterovs_momentum : see scikit-learn
    early_stopping : bool, default False
        Stop by the accuracy on validation rows: `eval_set`, or a fraction of the rows.
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun : see scikit-learn
    loss : str or Loss, default "log_loss"
        "log_loss" as scikit-learn has it, or one of `chainrule.losses` as it is stated there:
        cross_entropy, binary_cross_entropy, hinge, mse, mae, huber, log_cosh, or a function for
        `chainrule.losses.Custom`. All but cross_entropy see 0 and 1 for each class.
    class_weight : dict, "balanced" or list of dict, optional
        Weights by label; "balanced" makes all classes count the same. Of several labels a row, or
        several outputs, a list has those of each; they weigh the loss of their own output only.
    dropout : float or list of float, default 0.0
        Share of each hidden layer's units that a step leaves out.
    batch_norm : bool, default False
        Whether a `BatchNormalization` stands before each hidden activation.
    callbacks : list of Callback or callable, optional
        As ``fit`` of `Sequential` takes them. A clone gets copies.

    Attributes
    ----------
    classes_ : ndarray or list of ndarray
        The labels; of several outputs those of each.
    network_ : Sequential or Network
        The network, which can be saved, exported, explained and trained on by itself. Several
        outputs are called "y0", "y1" and so on.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of each layer; what is set is used from then on.
    loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_, \
n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As scikit-learn's.

    Notes
    -----
    float32 rows make a float32 network, which is faster; others are worked on in float64. The same
    `random_state` gives scikit-learn's first weights; the order of the rows is another one. Where
    all rows fit one batch, the model depends neither on their order nor on whether rows are
    repeated or weighted, to the bit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from chainrule.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), learning_rate_init=0.03, dropout=0.1, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"log_loss", *(kind.kind for kind in _KINDS)}), *_KINDS, *FUNCTIONS],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        callbacks: Sequence[Any] | None = None,
    ) -> None:
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
        self.loss = loss
        self.class_weight = class_weight
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.callbacks = callbacks

    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> MLPClassifier:
        """Train.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)
        y : array-like of shape (rows,) or (rows, outputs), or of 0 and 1 of shape (rows, labels)
            The columns of several outputs have each their own classes. A table of no more than two
            numbers in all is one of labels that a row has or has not.
        sample_weight : array-like of shape (rows,), optional
        eval_set : (X, y) or (X, y, sample_weight), optional
            Rows to validate by after each epoch, in the place of a part of the training rows. The
            weights of the best epoch are kept.

        Returns
        -------
        MLPClassifier

        Raises
        ------
        ValueError, TypeError
            If something does not fit.
        """
        fitted: MLPClassifier = fit(self, X, y, sample_weight, eval_set)
        return fitted

    @available_if(steps)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """Go through these rows once more.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`.
        classes : array-like, optional
            All labels there are, of several outputs a list of those of each; the first call needs
            them.

        Returns
        -------
        MLPClassifier
        """
        fitted: MLPClassifier = fit(
            self, X, y, sample_weight, None, incremental=True, classes=classes
        )
        return fitted

    def predict(self, X: Any) -> Any:
        """Return labels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows,), (rows, labels) or (rows, outputs)
        """
        outputs = self._outputs(X)
        return self._decided(self._targets, outputs)

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows, classes), or a list of them for several outputs
        """
        outputs = self._outputs(X)
        if isinstance(self._targets, OutputLabels):
            return self._targets.split(outputs)
        if self._targets.several or self.out_activation_ == "softmax":
            return outputs
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        sums = outputs.sum(axis=1, keepdims=True)
        return np.where(sums > 0, outputs, 1) / np.where(sums > 0, sums, outputs.shape[1])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose label is right, of several columns the labels of all.

        The score of several outputs is that of scikit-learn's ``MultiOutputClassifier``, as the
        ``accuracy_score`` of its other classifiers takes no such targets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (rows, features)
        y : array-like of shape (rows,), (rows, labels) or (rows, outputs)
        sample_weight : array-like of shape (rows,), optional

        Returns
        -------
        float
        """
        return accuracy(y, self.predict(X), sample_weight)

    def _decided(self, labels: Any, outputs: NDArray[Any]) -> Any:
        # A hinge asks for the sign, what is fitted to 0 and 1 for the nearer.
        return labels.decide(outputs, 0.0 if self._chosen_loss() == Hinge() else 0.5)

    def _chosen_loss(self) -> Any:
        return "log_loss" if self.loss == "log_loss" else losses.get(self.loss)

    def _targets_of(self, y: NDArray[Any], known: Any, classes: Any, *, incremental: bool) -> Any:
        if known is not None:
            known.check_same(y, classes, all_of_them=not incremental)
            return known
        if incremental and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        loss = self._chosen_loss()
        if is_of_outputs(y, classes):
            if loss != "log_loss" and not isinstance(loss, CrossEntropy):
                raise ValueError(
                    f"loss={self.loss!r} is for one output; several, each with its own classes, "
                    "take 'log_loss' or 'cross_entropy'"
                )
            return OutputLabels.of(y, classes)
        labels = Labels(y, classes, as_numbers=isinstance(loss, CrossEntropy))
        labels.as_numbers |= loss == "log_loss" and labels.exclusive
        return labels

    def _outputs_for(self, labels: Any, encoded: NDArray[Any]) -> int | list[int]:
        if isinstance(labels, OutputLabels):
            return labels.sizes
        return len(labels.classes) if labels.as_numbers else encoded.shape[1]

    def _objective(self, labels: Any, rows: Rows, outputs: Any) -> Objective:
        loss = self._chosen_loss()
        if isinstance(labels, OutputLabels):
            each = CrossEntropy() if loss == "log_loss" else loss
            return Objective(OutputLosses(head_names(len(outputs)), outputs, each))
        if loss == "log_loss":
            return log_loss(outputs, exclusive=labels.exclusive)
        return Objective(loss)

    def _class_weight(self, labels: Any, outputs: Any) -> Any:
        if self.class_weight is not None and isinstance(labels, OutputLabels):
            each = class_weights.by_output(self.class_weight, labels.classes)
            return dict(zip(head_names(len(each)), each, strict=True))
        if self.class_weight is None or not (labels.as_numbers or outputs == 1):
            return None
        return class_weights.by_class(self.class_weight, labels.classes)

    def _weighed(self, labels: Any, rows: Rows, y: NDArray[Any]) -> Rows:
        if self.class_weight is None or labels.as_numbers or rows.y.shape[1] == 1:
            return rows
        return class_weights.in_rows(self.class_weight, rows, y, labels.classes)

    def _score_of(self, labels: Any, outputs: NDArray[Any], y: NDArray[Any], weights: Any) -> float:
        return accuracy(y, self._decided(labels, outputs), weights)

    def _strata(self, labels: Any, rows: Rows, y: NDArray[Any]) -> NDArray[Any] | None:
        return y if rows.y.ndim == 2 and rows.y.shape[1] == 1 else None

    def _metrics(self) -> list[str]:
        return ["accuracy"]

    def _take_over(self, labels: Any) -> None:
        self.classes_ = labels.classes

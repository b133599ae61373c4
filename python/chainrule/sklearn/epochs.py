# SPDX-License-Identifier: Apache-2.0
"""What an estimator does after each epoch: loss, validation, stopping, learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.callbacks import Callback, StopTraining
from chainrule.callbacks.callback import Logs
from chainrule.network.network import Network
from chainrule.sklearn.architecture import dense_names
from chainrule.sklearn.objective import Objective
from chainrule.sklearn.parameters import first_rate

__all__ = ["Epochs"]

_SMALLEST_RATE = 1e-6


class Epochs(Callback):
    """Follow a training as scikit-learn's estimators do.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
    objective : Objective
    samples, batches : int
        Rows of the training as they were given, and batches of an epoch.
    penalty : float
        What is added to the loss of a batch: penalty * (sum of all weights' squares).
    score : callable, optional
        Returns the validation rows' score.
    anew : bool
        Whether this is the first training of the network.
    """

    def __init__(
        self,
        estimator: Any,
        objective: Objective,
        *,
        samples: int,
        batches: int,
        penalty: float,
        score: Callable[[Network], float] | None,
        anew: bool,
    ) -> None:
        self._estimator = estimator
        self._objective = objective
        self._samples = samples
        self._batches = batches
        self._penalty = penalty
        self._score = score
        self._weights: list[str] = []
        self._squares = 0.0
        before: dict[str, Any] = {} if anew else vars(estimator)
        self.iterations = 0
        self.stopped = False
        self.loss = float("nan")
        self.samples_seen: int = before.get("t_", 0)
        self.adapted_rate: tuple[float, float] | None = before.get("_adapted_rate")
        self._loss_curve: list[float] = list(before.get("loss_curve_", ()))
        self._scores: list[float] = list(before.get("validation_scores_") or ())
        self._best_loss: float = _unless_none(before.get("best_loss_"), np.inf)
        self._best_score: float = _unless_none(before.get("best_validation_score_"), -np.inf)
        self._best_weights: list[NDArray[Any]] | None = before.get("_best_weights")
        self._waited: int = before.get("_no_improvement_count", 0)

    def on_train_begin(self, net: Any) -> None:
        """Sum up the squares of the weights that the first epoch begins with."""
        self._weights = [f"{name}.weight" for names in dense_names(net) for name in names]
        self._squares = self._squares_of(net)

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> None:
        """Record the epoch; stop, or take another learning rate, where nothing gets better."""
        chosen = self._estimator
        self.report(logs["loss"], net)
        self.iterations += 1
        self._loss_curve.append(self.loss)
        if chosen.verbose:
            print(f"Iteration {self.iterations}, loss = {self.loss:.8f}")
        self._validate(net)
        self._look_for_improvement(net)
        if chosen.solver == "lbfgs":
            return
        self.samples_seen += self._samples
        if chosen.solver == "sgd" and chosen.learning_rate == "invscaling":
            self._set_rate(net, first_rate(chosen, self.samples_seen, None))
        if self._waited > chosen.n_iter_no_change:
            self._end_or_slow_down(net)

    def report(self, loss: float, net: Any) -> None:
        """Take a loss of the network's, to which that of an epoch's penalties is added."""
        before, self._squares = self._squares, self._squares_of(net)
        squares = self._squares  # lbfgs reports the loss behind its step
        if self._estimator.solver != "lbfgs":
            # The squares before each batch, if they change evenly: exact for a single batch.
            passed = (self._batches - 1) / (2 * self._batches)
            squares = before + (self._squares - before) * passed
        self.loss = self._objective.reported(loss) + self._penalty * squares

    def restore_best(self, net: Network) -> None:
        """Go back to the weights of the best validation score."""
        if self._best_weights is not None:
            net.set_weights(self._best_weights)

    def record(self, estimator: Any) -> None:
        """Give the estimator the fitted attributes that tell of epochs."""
        estimator.n_iter_ = self.iterations
        estimator.loss_ = self.loss
        estimator.t_ = self.samples_seen
        validated = self._score is not None
        decides = validated and estimator.early_stopping
        estimator._best_weights = self._best_weights
        if validated or estimator.solver != "lbfgs":
            estimator.validation_scores_ = self._scores if validated else None
            estimator.best_validation_score_ = self._best_score if validated else None
        if estimator.solver == "lbfgs":
            return  # as of scikit-learn's, of which there is the last loss alone
        estimator.loss_curve_ = self._loss_curve
        estimator.best_loss_ = None if decides else self._best_loss
        estimator._no_improvement_count = self._waited
        estimator._adapted_rate = self.adapted_rate

    def _validate(self, net: Network) -> None:
        if self._score is None:
            return
        score = self._score(net)
        self._scores.append(score)
        if self._estimator.verbose:
            print(f"Validation score: {score:f}")

    def _look_for_improvement(self, net: Network) -> None:
        """Count the epochs without improvement, of the score where it decides."""
        tol = self._estimator.tol
        if self._estimator.early_stopping and self._score is not None:
            worse = self._scores[-1] < self._best_score + tol
        else:
            worse = self.loss > self._best_loss - tol
        self._waited = self._waited + 1 if worse else 0
        self._best_loss = min(self._best_loss, self.loss)
        if self._score is not None and self._scores[-1] > self._best_score:
            self._best_score = self._scores[-1]
            self._best_weights = net.get_weights()

    def _end_or_slow_down(self, net: Any) -> None:
        chosen = self._estimator
        what = "Validation score" if chosen.early_stopping else "Training loss"
        text = (
            f"{what} did not improve more than tol={chosen.tol:f} for "
            f"{chosen.n_iter_no_change} consecutive epochs."
        )
        rate = net.optimizer.learning_rate * self._objective.gradient_factor
        if chosen.solver != "sgd" or chosen.learning_rate != "adaptive":
            end = " Stopping."
        elif rate <= _SMALLEST_RATE:
            end = " Learning rate too small. Stopping."
        else:
            self._set_rate(net, rate / 5.0)
            self.adapted_rate = (chosen.learning_rate_init, rate / 5.0)
            self._waited = 0
            end = ""
            text += f" Setting learning rate to {rate / 5.0:f}"
        if chosen.verbose:
            print(text + end)
        if end:
            self.stopped = True
            raise StopTraining

    def _set_rate(self, net: Any, rate: float) -> None:
        """Go on with another rate from the velocity at hand."""
        # scikit-learn's velocity is a sum of steps, that of `SGD` a sum of gradients, which the
        # next rate would scale as a whole.
        before = net.optimizer.learning_rate
        net.optimizer.learning_rate = rate / self._objective.gradient_factor
        core = net._built_core()
        if "momentum_buffer" not in core.optimizer_slots:
            return
        factor = before / net.optimizer.learning_rate
        for parameter in core.parameters:
            if parameter.trainable:
                velocity = core.get_slot("momentum_buffer", parameter.name)
                core.set_slot("momentum_buffer", parameter.name, velocity * factor)

    def _squares_of(self, net: Any) -> float:
        if self._penalty == 0.0:
            return 0.0
        weights = map(net._built_core().get_parameter, self._weights)
        return float(sum(np.square(array, dtype=np.float64).sum() for array in weights))


def _unless_none(value: float | None, default: float) -> float:
    return default if value is None else value

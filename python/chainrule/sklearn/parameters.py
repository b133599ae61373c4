# SPDX-License-Identifier: Apache-2.0
"""What the estimators' parameters may be, and what they are in chainrule's terms."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from chainrule import _core, activations
from chainrule.activations import Activation
from chainrule.losses import Custom
from chainrule.optimizers import LBFGS, SGD, Adam, AnyOptimizer
from chainrule.schedules import Schedule

__all__ = [
    "CONSTRAINTS",
    "FUNCTIONS",
    "batch_rows",
    "first_rate",
    "for_each",
    "hidden_activations",
    "hidden_units",
    "optimizer_of",
]

_NAMES_OF_SKLEARN = {"identity", "logistic", "relu", "tanh"}
_AUTO_ROWS = 200

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [
        StrOptions(_NAMES_OF_SKLEARN | set(_core.Activation.kinds()) - {"softmax"}),
        Activation,
        "array-like",
    ],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule, callable],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "batch_norm": ["boolean"],
    "callbacks": ["array-like", None],
}
"""The parameters that both estimators have, as scikit-learn checks them."""


FUNCTIONS = (Custom, FunctionType)
"""The types of a loss that is a function of the caller's."""


def hidden_units(sizes: Any) -> list[int]:
    """Return the units of each hidden layer; ValueError for one without any."""
    units = list(sizes) if np.iterable(sizes) else [sizes]
    if not all(isinstance(each, Integral) and int(each) > 0 for each in units):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {units}.")
    return [int(each) for each in units]


def for_each(name: str, given: Any, layers: int) -> list[Any]:
    """Return a value for each hidden layer: the one that is given, or those of a list."""
    if isinstance(given, str | Activation) or not np.iterable(given):
        return [given] * layers
    values = list(given)
    if len(values) != layers:
        raise ValueError(f"{name} has {len(values)} values for {layers} hidden layers")
    return values


def hidden_activations(given: Any, layers: int) -> list[Activation]:
    """Return the activation of each hidden layer."""
    return [activations.get(each) for each in for_each("activation", given, layers)]


def batch_rows(given: int | str, rows: int) -> int:
    """Return the rows of a batch; a warning where there are fewer rows in all."""
    if isinstance(given, str):
        return min(_AUTO_ROWS, rows)
    if given > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=4,
        )
    return min(int(given), rows)


def first_rate(estimator: Any, samples_seen: int, adapted: tuple[float, float] | None) -> Any:
    """Return the learning rate, or its schedule, with which a training begins.

    `adapted` has the first rate of an earlier training and the one that it ended with.
    """
    initial = float(estimator.learning_rate_init)
    if not isinstance(estimator.learning_rate, str):
        return estimator.learning_rate
    if estimator.solver != "sgd":
        return initial
    if estimator.learning_rate == "invscaling":
        return initial / (samples_seen + 1) ** estimator.power_t
    if estimator.learning_rate == "adaptive" and adapted is not None and adapted[0] == initial:
        return adapted[1]
    return initial


def optimizer_of(estimator: Any, rate: Any, factor: float) -> AnyOptimizer:
    """Return the optimizer that a solver is.

    Where chainrule's gradient is `factor` times scikit-learn's, their steps are the same.
    """
    if estimator.solver == "lbfgs":
        return LBFGS(
            max_iterations=int(estimator.max_iter),
            tolerance=float(estimator.tol) * factor,
            max_evaluations=int(estimator.max_fun),
        )
    if estimator.solver == "adam":
        return Adam(
            rate,
            beta1=float(estimator.beta_1),
            beta2=float(estimator.beta_2),
            epsilon=float(estimator.epsilon) * factor,
            epsilon_hat=True,
        )
    if isinstance(rate, Real):
        rate = float(rate) / factor
    momentum = float(estimator.momentum)
    nesterov = bool(estimator.nesterovs_momentum) and momentum > 0.0
    return SGD(rate, momentum=momentum, nesterov=nesterov)

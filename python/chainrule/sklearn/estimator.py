# SPDX-License-Identifier: Apache-2.0
"""What the classifier and the regressor have in common: weights, outputs, and what fit asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.sklearn.architecture import by_name, dense_names
from chainrule.sklearn.fit_tasks import CallbackSupport
from chainrule.sklearn.objective import Objective
from chainrule.sklearn.parameters import CONSTRAINTS
from chainrule.sklearn.rows import Rows
from chainrule.tables.frames import is_frame, read_columns

__all__ = ["Estimator", "checked", "linked_outputs", "steps"]

SOLVERS_THAT_STEP = ("sgd", "adam")


class Estimator(CallbackSupport, BaseEstimator, ABC):
    """Base class of the estimators."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    network_: Any  # Sequential, or a Network of several outputs

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, of shape (inputs, units). They are copies, and can be set."""
        return self._arrays("weight", "coefs_")

    @coefs_.setter
    def coefs_(self, arrays: Sequence[Any]) -> None:
        self._set_arrays("weight", arrays)

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer, of shape (units,). They are copies, and can be set."""
        return self._arrays("bias", "intercepts_")

    @intercepts_.setter
    def intercepts_(self, arrays: Sequence[Any]) -> None:
        self._set_arrays("bias", arrays)

    def _arrays(self, kind: str, name: str) -> list[NDArray[Any]]:
        if "network_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit")
        parameters = self.network_.parameters
        each = (
            [parameters[f"{name}.{kind}"] for name in names] for names in dense_names(self.network_)
        )
        return [arrays[0] if len(arrays) == 1 else np.concatenate(arrays, -1) for arrays in each]

    def _set_arrays(self, kind: str, arrays: Sequence[Any]) -> None:
        check_is_fitted(self)
        layers = dense_names(self.network_)
        if len(arrays) != len(layers):
            raise ValueError(f"expected {len(layers)} arrays, got {len(arrays)}")
        given: dict[str, Any] = {}
        for names, array in zip(layers, arrays, strict=True):
            given |= by_name(self.network_, names, kind, array)
        self.network_.set_weights(given)

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return the network's outputs for rows of a user's, after the loss's link."""
        check_is_fitted(self)
        return linked_outputs(self.network_, checked(self, X))

    @abstractmethod
    def _targets_of(self, y: NDArray[Any], known: Any, classes: Any, *, incremental: bool) -> Any:
        """Return what is to be known of targets, with `encode`; `known` if that fits `y`."""

    @abstractmethod
    def _outputs_for(self, targets: Any, encoded: NDArray[Any]) -> int | list[int]:
        """Return the columns of a network's output for encoded targets, or of each of several."""

    @abstractmethod
    def _objective(self, targets: Any, rows: Rows, outputs: Any) -> Objective:
        """Return what is minimised."""

    @abstractmethod
    def _score_of(
        self, targets: Any, outputs: NDArray[Any], y: NDArray[Any], weights: Any
    ) -> float:
        """Return the score of what the network gives for validation rows."""

    def _class_weight(self, targets: Any, outputs: Any) -> Any:
        """Return the weights of classes that ``fit`` of the network is to use."""
        return None

    def _weighed(self, targets: Any, rows: Rows, y: NDArray[Any]) -> Rows:
        """Return rows that have weights of classes in their own, where ``fit`` does not."""
        return rows

    def _strata(self, targets: Any, rows: Rows, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return what a split for early stopping is to keep the shares of."""
        return None

    def _metrics(self) -> list[str]:
        """Return what callbacks find in the logs, beside the loss."""
        return []

    def _take_over(self, targets: Any) -> None:
        """Set the attributes that tell of targets."""
        return

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a network."""
        return "network_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def steps(estimator: Any) -> bool:
    """Whether the estimator's solver goes on from one call to the next; else AttributeError."""
    if estimator.solver not in SOLVERS_THAT_STEP:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


def checked(estimator: Any, X: Any, *y: Any, reset: bool = False, **options: Any) -> Any:
    """Return rows, and targets with them, as scikit-learn checks them; sparse rows as CSR."""
    try:
        return validate_data(
            estimator,
            X,
            *y,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            reset=reset,
            **options,
        )
    except (TypeError, ValueError) as error:
        if is_frame(X):
            _refuse_columns(type(estimator).__name__, X, error)
        raise


def _refuse_columns(name: str, X: Any, error: Exception) -> None:
    """Raise ValueError with the first column of a frame that holds no numbers, if there is one."""
    try:
        table = read_columns(X)
    except ImportError:  # of narwhals
        return
    except (TypeError, ValueError) as unread:
        raise ValueError(f"{name}: {unread}") from error
    if not table.columns:
        raise ValueError(f"Found a table with 0 feature(s); {name} needs 1 or more") from error
    names = table.names or range(len(table.columns))
    for column, values in zip(names, table.columns, strict=True):
        if values.kind in ("category", "date"):
            held = "dates" if values.kind == "date" else "text"
            raise ValueError(
                f"column {column!r} holds {held}, and {name} takes numbers only; "
                f"{name.replace('MLP', 'Tabular')} takes tables as they come"
            ) from error


def linked_outputs(net: Any, x: Any) -> NDArray[Any]:
    """Return outputs of shape (rows, outputs) after the loss's link, such as probabilities.

    Those of several outputs stand side by side.
    """
    identity = Objective(net.loss).link == "identity"
    outputs = net.predict(x) if identity else net.predict_proba(x)
    return np.hstack(list(outputs.values())) if isinstance(outputs, dict) else outputs

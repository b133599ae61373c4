# SPDX-License-Identifier: Apache-2.0
"""What all classifiers have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

__all__ = ["AnyClassifier"]


def _gives_probabilities(estimator: Any) -> bool:
    return hasattr(estimator, "predict_proba")


class AnyClassifier(ClassifierMixin):
    """Base class of classifiers, of several labels a row or several outputs too."""

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : data frame, array-like or sparse matrix
            As of `predict_proba`.

        Returns
        -------
        ndarray of shape (rows, classes), or a list of them for several outputs
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            if isinstance(probabilities, list):
                return [np.log(each) for each in probabilities]
            return np.log(probabilities)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags

# SPDX-License-Identifier: Apache-2.0
"""Estimators of scikit-learn's kind, trained by chainrule.

`MLPClassifier` and `MLPRegressor` take the parameters of scikit-learn's, have its fitted attributes
and pass its checks, so that a changed import is all that a program needs. ``import chainrule`` does
not import this module, which needs scikit-learn: ``pip install "chainrule[sklearn]"``.

`TabularClassifier` and `TabularRegressor` take tables as they are, with text, dates and missing
values, and train by a recipe that needs no choices.

Examples
--------
>>> from sklearn.datasets import load_digits
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import MinMaxScaler
>>> from chainrule.sklearn import MLPClassifier
>>> X, y = load_digits(return_X_y=True)
>>> model = make_pipeline(MinMaxScaler(), MLPClassifier((32,), tol=1e-3, random_state=0))
>>> model.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.9
True
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'chainrule.sklearn needs scikit-learn: pip install "chainrule[sklearn]"'
    ) from error

from chainrule.sklearn.classifier import MLPClassifier
from chainrule.sklearn.regressor import MLPRegressor
from chainrule.sklearn.tabular_classifier import TabularClassifier
from chainrule.sklearn.tabular_regressor import TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]

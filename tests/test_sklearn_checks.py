# SPDX-License-Identifier: Apache-2.0
"""All of scikit-learn's checks of estimators, with default settings and no expected failure."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.sklearn import (
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)

# They train for a few epochs only.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks([MLPClassifier(), MLPRegressor(), TabularClassifier(), TabularRegressor()])
def test_check(estimator, check):
    check(estimator)

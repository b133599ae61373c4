# SPDX-License-Identifier: Apache-2.0
"""Targets and predictions that the tests of metrics share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

# Metrics of a target for each prediction.
_NUMBERS = ("mse", "mae", "r2", "rmse", "mape", "pinball")


def close(expected: float) -> Any:
    return pytest.approx(expected, rel=0, abs=1e-12)


def probabilities(generator: np.random.Generator, n: int, classes: int) -> NDArray[np.float64]:
    # One decimal only, so that ties between samples and between classes abound.
    return np.round(generator.dirichlet(np.ones(classes), n), 1)


def classification_case(
    n: int, classes: int, weighted: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None]:
    generator = np.random.default_rng([n, classes])
    y = generator.integers(0, classes, n)
    y[:classes] = np.arange(classes)[:n]
    weight = generator.uniform(0.1, 2, n) if weighted else None
    return y, probabilities(generator, n, classes), weight


def targets_for(name: str, y: NDArray[Any], classes: int) -> NDArray[Any]:
    """Return targets that fit predictions of so many columns."""
    if name == "coverage":
        return np.eye(classes)[y][:, : classes // 2]
    return np.eye(classes)[y] if name in _NUMBERS else y


def predictions_for(name: str, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rounded probabilities as the metric takes them: of some, rows must sum to 1."""
    return p / p.sum(axis=1, keepdims=True) if name in ("log_loss", "brier") else p

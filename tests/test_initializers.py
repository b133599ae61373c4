# SPDX-License-Identifier: Apache-2.0
"""Descriptions of initializers, and the values that they give weights."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from chainrule import _core, initializers
from chainrule.initializers import Constant, Initializer, Normal, Orthogonal, Uniform
from chainrule.layers import Dense

ROWS, COLUMNS = 120, 80
SCALED = {
    "glorot_uniform": 2 / (ROWS + COLUMNS),
    "glorot_normal": 2 / (ROWS + COLUMNS),
    "he_uniform": 2 / ROWS,
    "he_normal": 2 / ROWS,
    "lecun_uniform": 1 / ROWS,
    "lecun_normal": 1 / ROWS,
}


def weight(initializer: str | Initializer, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    layer = Dense(columns, weight_initializer=initializer)
    net = _core.Network64([layer.config], rows, 7)
    (name,) = (p.name for p in net.parameters if len(p.shape) == 2)
    return np.asarray(net.get_parameter(name))


@pytest.mark.parametrize(("kind", "variance"), SCALED.items())
def test_scaled_ones_have_their_variance(kind: str, variance: float) -> None:
    w = weight(kind)
    # Four standard errors of the mean and of the variance of so many values.
    assert abs(w.mean()) < 4 * math.sqrt(variance / w.size)
    assert w.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / w.size))
    bound = math.sqrt(3 * variance)
    assert (np.abs(w).max() <= bound) == kind.endswith("uniform")


def test_plain_ones() -> None:
    assert not weight("zeros").any()
    assert (weight(Constant(0.25)) == 0.25).all()
    w = weight(Uniform(1.0, 3.0))
    assert 1.0 <= w.min() < 1.01
    assert 2.99 < w.max() < 3.0
    w = weight(Normal(2.0, 0.5))
    assert w.mean() == pytest.approx(2.0, abs=0.03)
    assert w.std() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("shape", [(20, 12), (12, 20), (9, 9)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    w = weight(Orthogonal(2.0), *shape)
    gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 4 * np.eye(min(shape)), atol=1e-12)


def test_default_fits_the_activation() -> None:
    def default(activation: str) -> np.ndarray:
        net = _core.Network64([Dense(COLUMNS, activation).config], ROWS, 7)
        return np.asarray(net.get_parameter(next(iter(net.parameters)).name))

    np.testing.assert_array_equal(default("relu"), weight("he_uniform"))
    np.testing.assert_array_equal(default("tanh"), weight("glorot_uniform"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Normal(0.0, -1.0), "normal: standard_deviation must be >= 0, got -1"),
        (lambda: Uniform(1.0, 0.0), "uniform: low must be <= high, got low 1 and high 0"),
        (lambda: Constant(math.inf), "constant: value must be finite, got inf"),
        (lambda: initializers.get("he_norm"), "unknown initializer 'he_norm'; did you mean"),
    ],
)
def test_bad_options(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()

# SPDX-License-Identifier: Apache-2.0
"""Reports about targets that a loss took although it cannot compare them."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(3).normal(size=(20, 2))


@pytest.mark.parametrize("bad", [-2.0, 2.0])
def test_binary_cross_entropy_refuses_what_is_not_between_0_and_1(bad: float) -> None:
    """keras-team/keras#14046: y_true of -2 and 2 gave a loss without a word."""
    y = np.tile([0.0, 1.0], 10)
    y[7] = bad
    net = cr.Sequential([cr.Dense(1)], seed=0)
    for call in (net.fit, net.train_on_batch, net.evaluate):
        with pytest.raises(ValueError, match=rf"^y\[7\] = {bad} is not a target of binary_cross"):
            call(X, y, loss="binary_cross_entropy")


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_logits_and_probabilities_are_held_to_the_same(activation: str) -> None:
    """pytorch/pytorch#110865: BCEWithLogitsLoss took labels 2 and 3, which BCELoss refuses."""
    net = cr.Sequential([cr.Dense(1, activation=activation)], seed=0)
    with pytest.raises(ValueError, match=r"^y\[2\] = 2.0 is not a target of binary_cross_entropy"):
        net.fit(X, np.arange(20) % 4, loss="binary_cross_entropy", verbose=0)


def test_a_missing_value_is_found_by_its_column() -> None:
    """aleixalcacer/archetypes#9: "Input contains NaN, infinity or ..." did not say where."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["height", "weight"])
    frame.loc[11, "weight"] = None
    with pytest.raises(ValueError, match=r"row 11, column 'weight' is NaN"):
        cr.Sequential([cr.Dense(1)]).fit(frame, X[:, 0], loss="mse", verbose=0)

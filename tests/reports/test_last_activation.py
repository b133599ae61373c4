# SPDX-License-Identifier: Apache-2.0
"""Reports of networks that do not learn because of their last activation."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def test_softmax_over_one_output() -> None:
    """keras-team/keras#126: an example with a last ``Dense(1, softmax)`` makes no progress."""
    x = np.array(
        [[0, 0.1], [0.6, 0.8], [0.1, 0.2], [0.9, 0.8], [0.9, 0.7], [0.3, 0], [0.2, 0.2], [0.5, 0.9]]
    )
    y = (x.sum(axis=1) > 0.5).astype(int)
    hidden = [cr.Dense(64, activation="tanh"), cr.Dropout(0.5)]
    net = cr.Sequential([*hidden, cr.Dense(1, activation="softmax")], seed=0)
    with pytest.raises(ValueError, match=r'Dense\(1\) or Dense\(1, activation="sigmoid"\)'):
        net.fit(x, y, loss="mse", optimizer=cr.SGD(0.1), verbose=0)
    # As the text says.
    net = cr.Sequential([*hidden, cr.Dense(1, activation="sigmoid")], seed=0)
    net.fit(x, y, loss="binary_cross_entropy", epochs=200, verbose=0)
    assert net.evaluate(x, y)["accuracy"] > 0.8

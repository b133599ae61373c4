# SPDX-License-Identifier: Apache-2.0
"""What every wheel must do wherever it is installed; needs nothing but NumPy and pytest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr


def test_train_save_and_load(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)  # not linearly separable
    net = cr.Sequential([cr.Dense(32, activation="relu"), cr.Dense(2)], seed=0)
    net.fit(
        x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=60, batch_size=32, verbose=0
    )
    assert net.evaluate(x, y)["accuracy"] > 0.9

    path = tmp_path / "net.safetensors"
    net.save(path)
    np.testing.assert_array_equal(cr.load(path).predict(x), net.predict(x))

# SPDX-License-Identifier: Apache-2.0
"""Reports about callbacks and weights that were wrong after a resume, or in validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.callbacks import ModelCheckpoint

RNG = np.random.default_rng(12)
X = RNG.normal(size=(40, 6))
Y = RNG.integers(2, size=40)


def test_a_checkpoint_knows_its_best_after_an_interruption(tmp_path: Path) -> None:
    """keras-team/keras#17012: the first epoch after a resume overwrites the best model."""
    net = cr.Sequential([cr.Dense(8, activation="relu"), cr.Dense(2)], seed=0)
    options = {"loss": "cross_entropy", "validation_data": (X, Y), "verbose": 0}
    net.fit(X, Y, epochs=10, callbacks=[ModelCheckpoint(tmp_path / "best")], **options)
    net.save(tmp_path / "last")
    best = (tmp_path / "best").read_bytes()
    again = cr.load(tmp_path / "last")
    # A step in the wrong direction: no epoch of it is better.
    again.fit(
        -X, Y, callbacks=[ModelCheckpoint(tmp_path / "best")], optimizer=cr.SGD(5.0), **options
    )
    assert again.history["val_loss"][-1] > min(again.history["val_loss"][:10])
    assert (tmp_path / "best").read_bytes() == best


def test_class_weights_do_not_change_the_validation_loss() -> None:
    """keras-team/keras#8591: class weights help the training and do not affect evaluation."""
    net = cr.Sequential([cr.Dense(2)], seed=0)
    history = net.fit(
        X, Y, loss="cross_entropy", class_weight={1: 50.0}, validation_data=(X, Y), verbose=0
    )
    assert history["val_loss"] == [net.evaluate(X, Y)["loss"]]

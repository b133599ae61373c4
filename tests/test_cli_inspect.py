# SPDX-License-Identifier: Apache-2.0
"""``chainrule inspect``."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule.cli import main


def test_trained(capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=(70, 5))
    net = cr.Sequential([cr.Dense(4, activation="tanh"), cr.Dense(3)], seed=9, dtype="float64")
    net.fit(
        x,
        np.arange(70) % 3,
        loss="cross_entropy",
        optimizer=cr.SGD(0.5, momentum=0.9),
        epochs=2,
        batch_size=32,
        verbose=0,
    )
    path = tmp_path / "model.safetensors"
    net.save(path)
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    facts = dict(line.split(maxsplit=1) for line in text.partition("\n\n")[0].splitlines())
    assert facts["file"] == f"{path}, {path.stat().st_size:,} bytes"
    assert facts["format"] == f"1, by chainrule {cr.__version__}"
    assert facts["seed"] == "9"
    assert facts["loss"] == "CrossEntropy()"
    assert facts["optimizer"] == "SGD(learning_rate=0.5, momentum=0.9)"
    assert facts["trained"].startswith("2 epochs, 6 steps, loss ")
    assert "Dense(4, activation='tanh')" in text
    # 5 x 4 + 4 and 4 x 3 + 3 numbers.
    assert "39 parameters in float64" in text
    assert "0.weight                 (5, 4)                  160 bytes" in text


def test_untrained(capsys, tmp_path):
    path = tmp_path / "model.safetensors"
    cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0).save(path)
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "\nloss       none\noptimizer  none\ntrained    0 epochs, 0 steps\n" in text

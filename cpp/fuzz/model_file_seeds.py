# SPDX-License-Identifier: Apache-2.0
"""Write small model files for the fuzzer to begin with: python model_file_seeds.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import schedules

OPTIMIZERS = {
    "sgd": cr.SGD(0.1),
    "momentum": cr.SGD(schedules.Cosine(0.1, epochs=3), momentum=0.9),
    "adagrad": cr.AdaGrad(schedules.OneCycle(0.1, epochs=3)),
    "rmsprop": cr.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": cr.Adam(schedules.ReduceOnPlateau(0.1, monitor="loss"), amsgrad=True),
    "adadelta": cr.Adadelta(),
    "lazy": cr.AdamW(0.01, lazy=True),
    "lion": cr.Lion(schedules.Piecewise([1, 2], [0.1, 0.01, 0.001])),
}
LOSSES = [cr.losses.Quantile((0.1, 0.9)), cr.losses.Huber(0.5), "mse"]


def main() -> None:
    """Train one network per optimizer for an epoch and save it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    x = np.linspace(-1, 1, 12).reshape(4, 3)
    for index, (name, optimizer) in enumerate(OPTIMIZERS.items()):
        loss = LOSSES[index % len(LOSSES)]
        layers = [
            [cr.Normalization(), cr.Dense(2, activation="softmax")],
            [cr.Rescaling(0.5), cr.Dense(2, l2=0.1), cr.BatchNormalization(), cr.Dropout(0.5)],
            [cr.Dense(2, weight_initializer="orthogonal"), cr.LayerNormalization()],
        ][index % 3]
        net = cr.Sequential(layers, seed=index, dtype=["float32", "float64"][index % 2])
        targets = x[:, :1] if index % len(LOSSES) == 0 else x[:, :2]
        net.fit(x, targets, loss=loss, optimizer=optimizer, verbose=0)
        net.save(folder / f"{name}.safetensors")
    small = cr.Sequential([cr.Input(3), cr.Dense(4, activation="relu"), cr.Dense(2)], seed=0)
    cr.Predictor(small, "bf16").save(folder / "bf16.safetensors")
    cr.Predictor(small, "int8", calibration=x).save(folder / "int8.safetensors")


if __name__ == "__main__":
    main()

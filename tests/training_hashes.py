# SPDX-License-Identifier: Apache-2.0
"""Hashes of trained networks for every number of threads, as JSON on standard output.

A program of its own, because the instruction set is chosen once per process.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np

import chainrule as cr

THREADS = (1, 2, 3, 7)
# 33 rows of 50,000 weights are enough work for all seven threads to take part.
INPUTS, ROWS, BATCH_SIZE, EPOCHS = 61, 75, 33, 3

OPTIMIZERS = {
    "sgd": cr.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "sgd-clip_norm": cr.SGD(0.05, clip_norm=0.5),
    "adagrad": cr.AdaGrad(0.01, lr_decay=0.01),
    "rmsprop": cr.RMSprop(1e-3, momentum=0.5, centered=True, clip_value=0.1),
    "adam": cr.Adam(1e-3, amsgrad=True),
    "adam-scheduled": cr.Adam(cr.schedules.Cosine(1e-3, epochs=3)),
    "adamw": cr.AdamW(1e-3, clip_norm=1.0),
    "adadelta": cr.Adadelta(),
    "nadam": cr.NAdam(1e-3, clip_value=0.1),
    "radam": cr.RAdam(1e-3, beta2=0.9),
    "lamb": cr.LAMB(1e-2, weight_decay=0.1, clip_norm=1.0),
    "lion": cr.Lion(1e-4, weight_decay=0.1),
}
LOSSES = {
    "mse": cr.losses.MSE(),
    "huber": cr.losses.Huber(0.5),
    "log_cosh": cr.losses.LogCosh(),
    "quantile": cr.losses.Quantile((0.1, 0.9)),
    "poisson": cr.losses.Poisson(),
    "binary_cross_entropy": cr.losses.BinaryCrossEntropy(),
}
CASES = [
    *(f"{name}-float32" for name in [*OPTIMIZERS, *LOSSES, "one-output"]),
    *(f"{name}-float64" for name in [*OPTIMIZERS, "one-output"]),
]


def layers(outputs):
    return [
        cr.Input(INPUTS),
        cr.Rescaling(1 / 255),
        cr.Dense(203, activation="relu"),
        cr.BatchNormalization(),
        cr.Dropout(0.2),
        cr.Dense(131, activation="gelu"),
        cr.LayerNormalization(),
        cr.Dense(67, activation="tanh", use_bias=False, l1=1e-4, l2=1e-3),
        cr.Dropout(0.1),
        cr.Dense(43, activation="silu"),
        cr.Dense(outputs),
    ]


def train(case, num_threads):
    """Return the hash of everything that is known of a network after three epochs."""
    name, dtype = case.rsplit("-", 1)
    rng = np.random.default_rng(7)
    x = rng.integers(0, 256, size=(ROWS, INPUTS), dtype=np.uint8)
    weight = rng.uniform(0.5, 2, size=ROWS)
    if name in OPTIMIZERS:
        loss, optimizer, outputs = cr.losses.CrossEntropy(0.1), OPTIMIZERS[name], 5
        y = rng.integers(0, 5, size=ROWS)
    elif name in LOSSES:
        loss, optimizer, outputs = LOSSES[name], cr.Adam(1e-3), 6
        y = rng.integers(0, 2, size=(ROWS, 3 if name == "quantile" else 6))
    else:
        loss, optimizer, outputs = cr.losses.Hinge(), cr.SGD(0.01), 1
        y = rng.integers(0, 2, size=(ROWS, 1))
    net = cr.Sequential(layers(outputs), seed=9, dtype=dtype)
    net.fit(
        x,
        y,
        loss=loss,
        optimizer=optimizer,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        sample_weight=weight,
        verbose=0,
        num_threads=num_threads,
    )
    digest = hashlib.sha256(net.predict(x, num_threads=num_threads).tobytes())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        net.save(path)  # weights, optimizer state and the losses of all epochs
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main():
    hashes = {case: {n: train(case, n) for n in THREADS} for case in CASES}
    print(json.dumps({"instruction_set": cr.instruction_set(), "hashes": hashes}))


if __name__ == "__main__":
    main()

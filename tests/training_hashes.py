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
INPUTS = 61
# (rows, batch_size, epochs) of one fit after the other, a hash after each. 33 rows of 50,000
# weights are enough work for all seven threads to take part; RAdam rectifies from its sixth step.
FITS = {"large batches": (42, 33, 1), "small batches": (7, 2, 1), "more": (75, 33, 2)}
# Without vectors all these cases take long: it is left at what reaches every kernel and rule.
PORTABLE_FITS = ("large batches", "small batches")


def fits(instruction_set):
    """Return the names of the fits that an instruction set is compared in."""
    return PORTABLE_FITS if instruction_set == "portable" else tuple(FITS)


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
    """Return {fit: hash of everything that is known of a network after it}."""
    name, dtype = case.rsplit("-", 1)
    rng = np.random.default_rng(7)
    all_rows = max(rows for rows, _, _ in FITS.values())
    x = rng.integers(0, 256, size=(all_rows, INPUTS), dtype=np.uint8)
    weight = rng.uniform(0.5, 2, size=all_rows)
    if name in OPTIMIZERS:
        loss, optimizer, outputs = cr.losses.CrossEntropy(0.1), OPTIMIZERS[name], 5
        y = rng.integers(0, 5, size=all_rows)
    elif name in LOSSES:
        loss, optimizer, outputs = LOSSES[name], cr.Adam(1e-3), 6
        y = rng.integers(0, 2, size=(all_rows, 3 if name == "quantile" else 6))
    else:
        loss, optimizer, outputs = cr.losses.Hinge(), cr.SGD(0.01), 1
        y = rng.integers(0, 2, size=(all_rows, 1))
    net = cr.Sequential(layers(outputs), seed=9, dtype=dtype)
    found = {}
    for fit in fits(cr.instruction_set()):
        rows, batch_size, epochs = FITS[fit]
        net.fit(
            x[:rows],
            y[:rows],
            # A later fit goes on with the loss and the optimizer of the first.
            **({} if found else {"loss": loss, "optimizer": optimizer}),
            epochs=epochs,
            batch_size=batch_size,
            sample_weight=weight[:rows],
            verbose=0,
            num_threads=num_threads,
        )
        found[fit] = hash_of(net, x[:rows], num_threads)
    return found


def hash_of(net, x, num_threads):
    digest = hashlib.sha256(net.predict(x, num_threads=num_threads))
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

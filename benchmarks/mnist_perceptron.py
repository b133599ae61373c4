# SPDX-License-Identifier: Apache-2.0
"""A perceptron without convolutions on MNIST, trained on deformed digits.

    CHAINRULE_DATA=folder python benchmarks/mnist_perceptron.py

Each epoch sees every digit shifted, rotated, made larger or smaller and elastically deformed anew.
Prints the accuracy on the test images, which play no part in the training, and the time that
reading the files, training and predicting took. The exit status is 1 where that is below 99.3 %.
"""

from __future__ import annotations

import argparse
import time

import chainrule as cr

BAR = 99.3
BATCH_SIZE = 128
LEARNING_RATE = 1e-3


def main() -> int:
    """Train and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--units", type=int, nargs="+", default=[800, 800])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", type=int, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    (x, y), (x_test, y_test) = cr.data.load_mnist()
    pixels = cr.Input((28, 28))
    h = cr.Rescaling(1 / 255)(cr.Flatten()(pixels))
    for units in arguments.units:
        h = cr.Dense(units, activation="relu")(h)
    net = cr.Network(pixels, cr.Dense(10)(h), seed=arguments.seed)
    net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=cr.Adam(cr.schedules.OneCycle(LEARNING_RATE, arguments.epochs, warmup=0.1)),
        epochs=arguments.epochs,
        batch_size=BATCH_SIZE,
        augment=[
            cr.augment.RandomShift(1, subpixel=True),
            cr.augment.RandomRotation(10),
            cr.augment.RandomZoom(0.9, 1.1),
            cr.augment.ElasticDeformation(sigma=4, alpha=34),
        ],
        verbose=arguments.verbose,
    )
    accuracy = 100 * float((net.predict(x_test).argmax(axis=1) == y_test).mean())
    seconds = time.perf_counter() - start
    print(f"{accuracy:.2f} % of the test images after {seconds:.0f} s")
    return int(accuracy < BAR)


if __name__ == "__main__":
    raise SystemExit(main())

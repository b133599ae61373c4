# SPDX-License-Identifier: Apache-2.0
"""One epoch of a small convolutional network on MNIST.

    CHAINRULE_DATA=folder python benchmarks/mnist_convolution.py

Prints for each seed the accuracy on the test images, which play no part in the training, and the
seconds that training took, then the medians. The exit status is 1 where the median accuracy is
below 99.0 %.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import chainrule as cr

BAR = 99.0
BATCH_SIZE = 256
LEARNING_RATE = 1.5e-2
WARMUP = 0.4
LABEL_SMOOTHING = 0.1
MEAN, DEVIATION = 0.1307, 0.3081  # those of all training pixels, from 0 to 1


def network(seed: int) -> cr.Sequential:
    """Return the untrained network."""
    return cr.Sequential(
        [
            cr.Input((28, 28, 1)),
            cr.Rescaling(1 / (255 * DEVIATION), -MEAN / DEVIATION),
            cr.Conv2D(24, 5, weight_initializer="lecun_normal"),
            cr.MaxPooling(2),
            cr.Activation("relu"),
            cr.Conv2D(32, 3, weight_initializer="lecun_normal"),
            cr.MaxPooling(2),
            cr.Activation("relu"),
            cr.Flatten(),
            cr.Dense(256, activation="relu"),
            cr.Dense(10),
        ],
        seed=seed,
    )


def train(net: cr.Sequential, x: object, y: object, epochs: int = 1) -> None:
    """Train the network, its learning rate in one cycle."""
    net.fit(
        x,
        y,
        loss=cr.losses.CrossEntropy(label_smoothing=LABEL_SMOOTHING),
        optimizer=cr.Adam(cr.schedules.OneCycle(LEARNING_RATE, epochs, warmup=WARMUP)),
        epochs=epochs,
        batch_size=BATCH_SIZE,
        metrics=[],
        verbose=0,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Train once for each seed and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args(argv)
    (x, y), (x_test, y_test) = cr.data.load_mnist()
    accuracies, times = [], []
    for seed in range(arguments.seeds):
        net = network(seed)
        start = time.perf_counter()
        train(net, x, y, arguments.epochs)
        times.append(time.perf_counter() - start)
        accuracies.append(100 * float((net.predict(x_test).argmax(axis=1) == y_test).mean()))
        print(f"seed {seed}: {accuracies[-1]:.2f} % after {times[-1]:.1f} s", flush=True)
    median = statistics.median(accuracies)
    print(f"median: {median:.2f} % after {statistics.median(times):.1f} s")
    return int(median < BAR)


if __name__ == "__main__":
    raise SystemExit(main())

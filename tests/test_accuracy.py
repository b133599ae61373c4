# SPDX-License-Identifier: Apache-2.0
"""Accuracy on real data; benchmarks/accuracy.py has the full protocol."""

from __future__ import annotations

import pytest

import chainrule as cr


def test_digits():
    x, x_test, y, y_test = cr.data.train_test_split(*cr.data.load_digits(), stratify=True)
    layers = [cr.Rescaling(1 / 16), cr.Dense(64, activation="relu"), cr.Dense(10)]
    accuracies = []
    for seed in range(3):
        net = cr.Sequential(layers, seed=seed)
        net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(3e-3), epochs=30, verbose=0)
        accuracies.append(net.evaluate(x_test, y_test)["accuracy"])
    assert sorted(accuracies)[1] >= 0.96, accuracies


@pytest.mark.mnist
def test_mnist(mnist):
    (x, y), (x_test, y_test) = mnist
    layers = [cr.Rescaling(1 / 255), cr.Dense(128, activation="relu"), cr.Dense(10)]
    net = cr.Sequential(layers, seed=0)
    history = net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=cr.SGD(0.1),
        epochs=3,
        batch_size=64,
        validation_data=(x_test, y_test),
        verbose=0,
    )
    assert net.evaluate(x_test, y_test)["accuracy"] >= 0.955
    assert history["val_accuracy"][-1] == net.evaluate(x_test, y_test)["accuracy"]
    assert history["loss"][2] < history["loss"][1] < history["loss"][0] < 0.5

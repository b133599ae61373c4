# SPDX-License-Identifier: Apache-2.0
"""Weights count by their ratios, whatever their size; losses are summed in double."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore:y is far from unit scale")

FACTORS = [2.0**-1000, 2.0**-140, 2.0**-120, 2.0**-40, 2.0**40, 2.0**124, 2.0**900, 2.0**1010]
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
CASES = {
    "cross_entropy": (cr.losses.CrossEntropy(0.1), 4, lambda rng, n: rng.integers(0, 4, n)),
    "probabilities": ("cross_entropy", 4, lambda rng, n: rng.dirichlet(np.ones(4), n)),
    "binary_cross_entropy": ("binary_cross_entropy", 1, lambda rng, n: rng.integers(0, 2, n)),
    "mse": ("mse", 3, lambda rng, n: rng.normal(size=(n, 3))),
    "poisson": ("poisson", 2, lambda rng, n: rng.poisson(2, size=(n, 2))),
}


def trained(case, dtype, factor=1.0, sample=True, classes=False, **options):
    loss, outputs, targets = CASES[case]
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(50, 5)), targets(rng, 50)
    weights = {}
    if sample:
        w = rng.uniform(0.3, 3, size=50)
        w[7:9] = 0
        weights["sample_weight"] = w * factor
    if classes:
        weights["class_weight"] = rng.uniform(0.3, 3, size=max(2, outputs)) * factor
    net = cr.Sequential([cr.Input(5), cr.Dense(8, activation="tanh"), cr.Dense(outputs)], seed=1,
                        dtype=dtype)  # fmt: skip
    net.fit(
        x,
        y,
        loss=loss,
        optimizer=cr.Adam(0.01),
        epochs=3,
        batch_size=16,
        metrics=[],
        validation_data=(x, y, *([weights["sample_weight"]] if sample else [])),
        verbose=0,
        **weights,
        **options,
    )
    values = {"history": dict(net.history), "evaluate": net.evaluate(x, y, metrics=[], **weights)}
    values["batch"] = net.train_on_batch(x, y, **weights)
    return net, values


@DTYPES
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("case", CASES)
def test_all_weights_by_a_factor_change_nothing(case, factor, dtype):
    """Powers of two, so that the bits are the same."""
    net, values = trained(case, dtype)
    other, expected = trained(case, dtype, factor)
    assert values == expected
    assert [w.tobytes() for w in net.get_weights()] == [w.tobytes() for w in other.get_weights()]


@DTYPES
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("sample", [False, True], ids=["alone", "with-sample-weights"])
@pytest.mark.parametrize("case", ["cross_entropy", "binary_cross_entropy"])
def test_class_weights_by_a_factor_change_nothing(case, sample, factor, dtype):
    _, values = trained(case, dtype, sample=sample, classes=True)
    _, expected = trained(case, dtype, factor, sample=sample, classes=True)
    assert values == expected


@DTYPES
@pytest.mark.parametrize("size", [1e-39, 1e-30, 1e30, 1e37, 1e300])
def test_equal_weights_are_no_weights(size, dtype, rng):
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    losses = []
    for weights in ({}, {"sample_weight": np.full(40, size)}, {"class_weight": [size] * 3}):
        net = cr.Sequential([cr.Input(3), cr.Dense(3)], seed=0, dtype=dtype)
        net.fit(x, y, loss="cross_entropy", epochs=4, batch_size=8, verbose=0, **weights)
        losses.append(net.history["loss"])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-5)


@pytest.mark.parametrize("small", [1e-45, 1e-60, 1e-200])
def test_a_batch_of_small_weights_beside_larger_ones_is_trained_on(small, rng):
    """The mean of each batch divides by that batch's own weights."""
    x, y = rng.normal(size=(32, 3)), rng.normal(size=(32, 1))
    moved = []
    for weight in (1.0, small):
        net = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0)
        net.train_on_batch(x, y, loss="mse", optimizer=cr.SGD(1e-9))
        w = np.ones(32)
        w[16:] = weight
        net.fit(x, y, loss="mse", optimizer=cr.SGD(0.1), batch_size=16, shuffle=False,
                sample_weight=w, verbose=0)  # fmt: skip
        moved.append(net.get_weights()[0])
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-5)


def test_weights_of_all_zero_train_nothing(rng):
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    net = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0)
    before = net.get_weights()[0]
    options = {"loss": "mse", "optimizer": "sgd", "sample_weight": np.zeros(8)}
    with pytest.warns(UserWarning, match="all of its rows weigh 0"):
        net.fit(x, y, verbose=0, **options)
    net.train_on_batch(x, y, **options)
    assert (net.get_weights()[0] == before).all()


def test_losses_whose_sum_is_beyond_float32(rng):
    """Each row's is 1e38, the mean too."""
    x = np.ones((64, 1), np.float32)
    y = np.full((64, 1), 1e19, np.float32)
    net = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-30), validation_data=(x, y), verbose=0)
    for value in (net.history["loss"][0], net.history["val_loss"][0], net.evaluate(x, y)["loss"]):
        assert value == pytest.approx(1e38, rel=1e-3)
    assert cr.losses.get("mse")  # and by hand
    assert net.train_on_batch(x, y)["loss"] == pytest.approx(1e38, rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_reported_loss_is_that_without_batch_callbacks(case, weighted):
    watch = [cr.callbacks.LambdaCallback(on_batch_end=lambda *args: None)]
    plain = trained(case, "float32", sample=weighted)[1]
    assert trained(case, "float32", sample=weighted, callbacks=watch)[1] == plain


def test_weights_that_a_callback_changes_between_batches(rng):
    """The mean of an epoch is over the weights as each batch saw them."""
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    w = np.ones(12)
    seen = []

    def change(epoch, batch, logs):
        seen.append(logs["loss"])
        w[4 * batch :] = 2.0**batch

    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    watch = cr.callbacks.LambdaCallback(on_batch_end=change)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-9), batch_size=4, shuffle=False,
            sample_weight=w, callbacks=[watch], verbose=0)  # fmt: skip
    assert net.history["loss"][0] == pytest.approx(np.average(seen, weights=[1, 2, 4]))


@pytest.mark.filterwarnings("error")
def test_means_of_metrics_by_weights_whose_sum_overflows():
    rng = np.random.default_rng(0)
    labels, outputs = rng.integers(0, 3, 40), rng.normal(size=(40, 3))
    weights = rng.uniform(0.3, 1.5, size=40)
    for metric in (cr.metrics.accuracy, partial(cr.metrics.top_k, k=2)):
        expected = metric(labels, outputs, sample_weight=weights)
        assert metric(labels, outputs, sample_weight=weights * 2.0**1023) == expected

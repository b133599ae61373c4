# SPDX-License-Identifier: Apache-2.0
"""What users of other libraries met where numbers left the range of their type."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def test_batches_of_one_row_do_not_move_running_statistics(rng):
    """torch/nn#1271: a last batch of one row spoilt the running variance."""
    x = rng.normal(size=(101, 3))
    net = cr.Sequential([cr.Input(3), cr.BatchNormalization(), cr.Dense(1)], seed=0)
    statistics = []

    def remember(epoch, batch, logs):
        statistics.append(
            [net.parameters[f"0.running_{n}"].tobytes() for n in ("mean", "variance")]
        )

    watch = cr.callbacks.LambdaCallback(on_batch_end=remember)
    net.fit(x, x[:, :1], loss="mse", batch_size=10, callbacks=[watch], verbose=0)
    assert len(statistics) == 11
    assert statistics[-1] == statistics[-2] != statistics[-3]


def test_the_running_variance_is_unbiased_for_small_batches(rng):
    """keras-team/keras#8982: with two rows the running variance was half of the true one."""
    net = cr.Sequential([cr.Input(1), cr.BatchNormalization(momentum=0.99)], seed=0)
    for _ in range(4000):
        net.forward(rng.normal(size=(2, 1)))
    assert net.parameters["0.running_variance"][0] == pytest.approx(1.0, abs=0.2)


def test_normalisation_of_large_values(rng):
    """pytorch/pytorch#178123: at 1e30 the variance overflowed, and normalisation gave zeros."""
    x = 1e30 * rng.normal(size=(4, 8))
    net = cr.Sequential([cr.Input(8), cr.LayerNormalization()], seed=0)
    expected = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [40000.0, 80000.0])
def test_layer_normalisation_of_large_values_of_small_variance(value):
    """microsoft/onnxruntime#28463: four finite values gave NaN."""
    x = value + np.arange(4.0)[None]
    net = cr.Sequential([cr.Input(4), cr.LayerNormalization()], seed=0)
    np.testing.assert_allclose(net.predict(x)[0], [-1.3416, -0.4472, 0.4472, 1.3416], atol=1e-3)


def test_clip_norm_does_not_turn_large_gradients_into_nothing():
    """pytorch/pytorch#46849: an infinite norm silently made all gradients zero."""
    net = cr.Sequential([cr.Input(128), cr.Dense(1, use_bias=False)], seed=0)
    before = net.get_weights()[0]
    net.forward(np.ones((1, 128)))
    net.backward(np.full((1, 1), 1e19))
    cr.SGD(1.0, clip_norm=2.0).step(net)
    assert np.linalg.norm(net.get_weights()[0] - before) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("weight", [1e-39, 1e-30, 1e37])
def test_importance_weights_of_any_size(weight, rng):
    """VowpalWabbit/vowpal_wabbit#2241: extremely small importance weights led to NaN."""
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", sample_weight=np.full(20, weight), epochs=20, verbose=0)
    assert 0 < net.history["loss"][-1] < net.history["loss"][0]

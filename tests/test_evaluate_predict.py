# SPDX-License-Identifier: Apache-2.0
"""What a trained network says of data."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from training_cases import FIT, assert_same_state, blobs, network

import chainrule as cr
from chainrule import losses


def test_evaluate_against_numpy() -> None:
    x, y = blobs()
    weight = np.linspace(0.1, 2, len(x))
    net = network()
    net.fit(x, y, **FIT)
    logits = net.predict(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    right = logits.argmax(axis=1) == y
    row_losses = -log_p[np.arange(len(x)), y]
    plain = net.evaluate(x, y)
    assert plain["loss"] == pytest.approx(row_losses.mean(), rel=1e-5)
    assert plain["accuracy"] == pytest.approx(right.mean())
    weighted = net.evaluate(x, y, sample_weight=weight, batch_size=7)
    assert weighted["loss"] == pytest.approx(np.average(row_losses, weights=weight), rel=1e-5)
    assert weighted["accuracy"] == pytest.approx(np.average(right, weights=weight))


def test_evaluate_changes_nothing() -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, **FIT)
    before = copy.deepcopy(net)
    net.evaluate(x, y, loss=losses.CrossEntropy(label_smoothing=0.1), metrics=["f1"])
    net.predict(x)
    assert_same_state(before, net)
    assert net.loss == losses.CrossEntropy()


def test_predict_rows_alone_and_in_batches() -> None:
    x, y = blobs(50)
    net = network()
    net.fit(x, y, **FIT)
    whole = net.predict(x)
    assert (whole.shape, whole.dtype) == ((50, 3), np.float32)
    np.testing.assert_array_equal(net.predict(x, batch_size=7), whole)
    np.testing.assert_array_equal(net.predict(x, num_threads=2), whole)
    np.testing.assert_array_equal(np.vstack([net.predict(row) for row in x]), whole)


def test_predict_into_out() -> None:
    x, _ = blobs(50)
    net = network()
    out = np.full((50, 3), np.nan, dtype=np.float32)
    assert net.predict(x, out=out) is out
    np.testing.assert_array_equal(out, net.predict(x))


@pytest.mark.parametrize("activation", ["linear", "softmax"])
def test_predict_proba_of_classes(activation: str) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3, activation=activation)], seed=0)
    net.fit(x, y, epochs=3, **FIT)
    w, b = net.get_weights()
    e = np.exp(x.astype(np.float64) @ w + b)
    np.testing.assert_allclose(net.predict_proba(x), e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_predict_proba_behind_a_layer_without_activation() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3), cr.LayerNormalization()], seed=0)
    net.fit(x, y, epochs=3, **FIT)
    e = np.exp(net.predict(x).astype(np.float64))
    np.testing.assert_allclose(net.predict_proba(x), e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_single_metric_needs_no_list() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3)], seed=0)
    net.fit(x, y, metrics="top_2", **FIT)
    assert set(net.history) == {"loss", "top_2"}
    in_order = np.argsort(net.predict(x), axis=1)
    expected = np.mean((in_order[:, 1:] == y[:, None]).any(axis=1))
    assert net.evaluate(x, y, metrics="top_2")["top_2"] == pytest.approx(expected)


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_predict_proba_and_accuracy_of_one_output(activation: str) -> None:
    x, y = blobs(classes=2)
    y[:9] = 1 - y[:9]  # which no network of this size can get right
    net = cr.Sequential([cr.Dense(1), cr.Activation(activation)], seed=0)
    net.fit(
        x, y, loss="binary_cross_entropy", optimizer=cr.SGD(0.5), epochs=5, batch_size=16, verbose=0
    )
    w, b = net.get_weights()
    p = 1 / (1 + np.exp(-(x.astype(np.float64) @ w + b)))
    np.testing.assert_allclose(net.predict_proba(x), p, rtol=1e-5)
    right = np.mean((p[:, 0] > 0.5) == y)
    assert 0.5 < right < 1.0
    assert net.evaluate(x, y)["accuracy"] == pytest.approx(right)


def test_predict_proba_of_counts() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, y, loss="poisson", verbose=0)
    np.testing.assert_allclose(net.predict_proba(x), np.exp(net.predict(x)), rtol=1e-5)


def test_predict_proba_needs_a_link() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="the network has no loss yet"):
        net.predict_proba(x)
    net.fit(x, y, loss="mse", verbose=0)
    with pytest.raises(ValueError, match="mse has no link to probabilities; use predict"):
        net.predict_proba(x)


def test_independent_outputs_are_measured_as_such() -> None:
    x, _ = blobs()
    y = (x[:, :3] > 0).astype(np.float32)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    net.fit(x, y, loss="binary_cross_entropy", epochs=3, verbose=0)
    expected = np.mean((net.predict(x) > 0) == (y > 0))
    assert net.evaluate(x, y)["accuracy"] == pytest.approx(expected)

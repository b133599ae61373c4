# SPDX-License-Identifier: Apache-2.0
"""Backpropagation against central differences and against the NumPy network of reference.py."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from step_cases import LOSSES, ROWS

import chainrule as cr
from chainrule import losses

BOUND = 1e-7
BIAS = {"kind": "uniform", "low": -0.5, "high": 0.5}
ACTIVATIONS = [
    *reference.ACTIVATIONS,
    "mish",
    "softsign",
    "softmax",
    cr.activations.LeakyRelu(0.2),
    cr.activations.Elu(0.3),
]
LAYERS = [
    cr.Dense(4),
    cr.Dense(4, use_bias=False),
    cr.Dropout(0.4),
    cr.BatchNormalization(),
    cr.BatchNormalization(epsilon=0.1, center=False),
    cr.BatchNormalization(scale=False),
    cr.LayerNormalization(),
    cr.LayerNormalization(epsilon=0.1, center=False),
    cr.LayerNormalization(scale=False),
    cr.Rescaling(0.3, offset=-0.5),
    cr.Normalization(),
]


def checked(layers, x, y, loss, **options):
    net = cr.Sequential(layers, seed=11, dtype="float64")
    return cr.gradient_check(net, x, y, loss, **options)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations(activation, rng):
    layers = [cr.Dense(5, activation=activation, bias_initializer=BIAS), cr.Dense(3)]
    report = checked(layers, rng.normal(size=(6, 4)), rng.normal(size=(6, 3)), "mse")
    assert report.max_relative_error <= BOUND, report
    assert report.checked == 6 * 4 + 4 * 5 + 5 + 5 * 3 + 3
    assert report.relative_errors.keys() == {"x", "0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers(layer, training, rng):
    layers = [cr.Dense(5, bias_initializer=BIAS), layer, cr.Dense(3)]
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    report = checked(layers, x, y, "mse", training=training)
    assert report.max_relative_error <= BOUND, report
    first = checked([layer, cr.Dense(3)], x, y, "mse", training=training)
    assert first.max_relative_error <= BOUND, first


@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses(case, rng):
    layers = [cr.Dense(5, activation="tanh"), cr.Dense(case.outputs, bias_initializer=BIAS)]
    x, y = rng.normal(size=(ROWS, 4)), case.targets(rng, case.outputs)
    report = checked(layers, x, y, case.loss)
    assert report.max_relative_error <= BOUND, report


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
def test_losses_after_an_activation(loss, activation, rng):
    """A loss whose link is the last activation works from that activation's input."""
    link = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, activation)
    if activation not in (link, "linear"):
        loss = losses.get({"kind": loss, "from_logits": True})
    x, y = rng.normal(size=(6, 4)), rng.dirichlet(np.ones(3), size=6)
    report = checked([cr.Dense(5), cr.Dense(3, activation=activation)], x, y, loss)
    assert report.max_relative_error <= BOUND, report


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_deep_network(training, rng):
    layers = [
        cr.Rescaling(0.5),
        cr.Dense(9, activation="relu"),
        cr.BatchNormalization(),
        cr.Dropout(0.2),
        cr.Dense(8, activation="gelu"),
        cr.LayerNormalization(),
        cr.Dense(7, activation="softplus"),
        cr.Dense(17, activation="softmax"),
        cr.Dense(6, activation="silu"),
        cr.Dense(4),
    ]
    x, y = rng.normal(size=(8, 5)), rng.integers(0, 4, size=8)
    report = checked(layers, x, y, "cross_entropy", training=training)
    assert report.max_relative_error <= BOUND, report


def test_the_network_is_not_changed(rng):
    net = cr.Sequential([cr.Input(4), cr.BatchNormalization(), cr.Dense(3)], seed=0)
    before = net.get_weights()
    cr.gradient_check(net, rng.normal(size=(6, 4)), rng.normal(size=(6, 3)), "mse")
    assert all(map(np.array_equal, before, net.get_weights()))
    assert net.loss is None


@pytest.mark.parametrize("wrong", [1.001, -1.0, 0.0])
def test_a_wrong_gradient_is_found(wrong, monkeypatch, rng):
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    layers = [cr.Dense(5, activation="tanh"), cr.Dense(3)]
    right = cr.Network.gradients.fget

    def gradients(net):
        found = right(net)
        found["0.weight"][2, 1] *= wrong
        return found

    assert checked(layers, x, y, "mse").max_relative_error <= BOUND
    monkeypatch.setattr(cr.Network, "gradients", property(gradients))
    report = checked(layers, x, y, "mse")
    assert report.max_relative_error > 1e-5
    assert (report.worst[0].name, report.worst[0].index) == ("0.weight", (2, 1))
    assert "0.weight[2, 1]" in str(report)
    others = {name: e for name, e in report.relative_errors.items() if name != "0.weight"}
    assert max(others.values()) <= BOUND


def test_dropout_by_hand(rng):
    """Forward and backward share one mask, of the announced rate and scale."""
    net = cr.Sequential([cr.Input(50), cr.Dropout(0.3)], seed=4, dtype="float64")
    x = 1 + rng.random((200, 50))
    y = net.forward(x)
    kept = y != 0
    assert np.allclose(y[kept], x[kept] / 0.7, rtol=1e-14)
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.3 * 0.7 / x.size)
    dy = rng.normal(size=x.shape)
    assert np.allclose(net.backward(dy), kept * dy / 0.7, rtol=1e-14, atol=0)
    assert np.array_equal(net.forward(x, training=False), x)
    assert np.array_equal(net.backward(dy), dy)
    assert np.array_equal(net.predict(x), x)


def agrees_with_reference(net, x, dy, *, training):
    other = reference.Network(net)
    expected = other.forward(x, training)
    dx = other.backward(dy)
    assert reference.relative_error(net.forward(x, training=training), expected) <= 1e-11
    assert reference.relative_error(net.backward(dy), dx) <= 1e-11
    assert net.gradients.keys() == other.gradients.keys()
    for name, gradient in net.gradients.items():
        # A gradient that is zero but for rounding, such as behind a normalisation, has no scale.
        scale = max(abs(other.gradients[name]).max(), abs(dx).max())
        assert abs(gradient - other.gradients[name]).max() <= 1e-11 * scale, name


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("layer", [a for a in LAYERS if a.kind != "dropout"], ids=str)
def test_layers_by_hand(layer, training, rng):
    net = cr.Sequential([cr.Input(6), layer, cr.Dense(3)], seed=11, dtype="float64")
    named = {n: rng.uniform(0.5, 2, a.shape) for n, a in net.parameters.items() if n[0] == "0"}
    net.set_weights(named)
    agrees_with_reference(net, rng.normal(size=(7, 6)), rng.normal(size=(7, 3)), training=training)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activations_by_hand(activation, rng):
    net = cr.Sequential([cr.Input(18), cr.Activation(activation)], dtype="float64")
    agrees_with_reference(
        net, 4 * rng.normal(size=(7, 18)), rng.normal(size=(7, 18)), training=True
    )


_SMOOTH = [
    "linear",
    "elu",
    "gelu",
    "gelu_tanh",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "selu",
    "softmax",
]
_ANY_LAYER = st.one_of(
    st.builds(
        cr.Dense,
        st.integers(3, 20),
        activation=st.sampled_from(_SMOOTH),
        use_bias=st.booleans(),
        bias_initializer=st.just(BIAS),
    ),
    st.builds(cr.Activation, st.sampled_from(_SMOOTH)),
    st.builds(cr.BatchNormalization, epsilon=st.just(0.1), center=st.booleans()),
    st.builds(cr.LayerNormalization, epsilon=st.just(0.1), scale=st.booleans()),
    st.builds(cr.Rescaling, st.floats(0.5, 2), st.floats(-1, 1)),
)
_NETWORKS = {
    "layers": st.lists(_ANY_LAYER, min_size=1, max_size=6),
    "inputs": st.integers(3, 18),
    "rows": st.integers(4, 20),
    "training": st.booleans(),
    "seed": st.integers(0, 2**32),
}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(**_NETWORKS)
def test_any_network_by_hand(layers, inputs, rows, training, seed):
    net = cr.Sequential([cr.Input(inputs), *layers], seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(rows, inputs)), rng.normal(size=(rows, net.outputs))
    agrees_with_reference(net, x, dy, training=training)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(**_NETWORKS, loss=st.sampled_from(["mse", "log_cosh", "binary_cross_entropy", "poisson"]))
def test_any_network_by_differences(layers, inputs, rows, training, seed, loss):
    net = cr.Sequential([cr.Input(inputs), *layers], seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(rows, inputs)), rng.random((rows, net.outputs))
    report = cr.gradient_check(net, x, y, loss, max_entries=12, training=training)
    assert report.max_relative_error <= BOUND, report

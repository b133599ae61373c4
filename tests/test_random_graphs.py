# SPDX-License-Identifier: Apache-2.0
"""Random graphs of all layers that merge tensors or change shapes: gradients and bits."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import random_network
from subprocesses import printed_by_each_instruction_set

import chainrule as cr


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_gradients(first: int) -> None:
    """Every derivative; numbers so near a kink of Maximum or Clip that it shows do not occur."""
    for seed in range(first, first + 50):
        net, x, y = random_network(seed)
        report = cr.gradient_check(net, x, y, "mse")
        assert report.max_relative_error <= 1e-7, (seed, report)


@pytest.mark.parametrize(
    "layer", [cr.Flatten(), cr.Reshape(3), cr.Permute(1), cr.Activation("linear")], ids=str
)
def test_outputs_that_have_the_same_numbers(layer, rng) -> None:
    """A layer that moves no number has no stage; its output has a loss of its own all the same."""
    x = cr.Input(4)
    h = cr.Dense(3, "tanh")(x)
    outputs = {"first": h, "second": layer(h)}
    net = cr.Network(inputs=x, outputs=outputs, seed=0, dtype="float64")
    rows = rng.normal(size=(6, 4))
    y = {name: rng.normal(size=(6, 3)) for name in outputs}
    losses = dict.fromkeys(outputs, "mse")
    report = cr.gradient_check(net, rows, y, losses)
    assert report.max_relative_error <= 1e-7, report
    predicted = net.predict(rows)
    assert np.array_equal(predicted["first"], predicted["second"])
    expected = sum(np.mean((predicted[name] - y[name]) ** 2) for name in outputs)
    assert net.evaluate(rows, y, loss=losses)["loss"] == pytest.approx(expected, rel=1e-12)


def test_a_softmax_that_others_read_is_left_out_of_the_loss_all_the_same(rng) -> None:
    x = cr.Input(4)
    z = cr.Dense(3)(x)
    p = cr.Activation("softmax")(z)
    outputs = {"label": p, "copy": cr.Flatten()(p), "size": cr.Dense(1)(p), "raw": z}
    net = cr.Network(inputs=x, outputs=outputs, seed=0, dtype="float64")
    rows, labels = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    y = {name: rng.normal(size=(6, 3)) for name in outputs}
    y |= {"label": labels, "size": rng.normal(size=(6, 1))}
    losses = dict.fromkeys(outputs, "mse") | {"label": "cross_entropy"}
    predicted = net.predict(rows)
    expected = -np.log(predicted["label"][np.arange(6), labels]).mean()
    expected += sum(
        np.mean((predicted[name] - y[name]) ** 2) for name in outputs if name != "label"
    )
    assert net.evaluate(rows, y, loss=losses)["loss"] == pytest.approx(expected, rel=1e-12)
    report = cr.gradient_check(net, rows, y, losses)
    assert report.max_relative_error <= 1e-7, report


@pytest.mark.parametrize(
    ("activation", "loss"), [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy")]
)
def test_a_link_at_several_positions_is_contained_in_the_loss(activation, loss, rng) -> None:
    nets = [
        cr.Sequential([cr.Input(6), cr.Reshape((3, 2)), cr.Dense(4, last)], seed=0, dtype="float64")
        for last in (activation, "linear")
    ]
    x, y = rng.normal(size=(5, 6)), np.eye(4)[rng.integers(0, 4, (5, 3))]
    for net in nets:
        net.fit(x, y, loss=loss, verbose=0)
        assert cr.gradient_check(net, x, y, loss).max_relative_error <= 1e-7
    np.testing.assert_array_equal(*(net.predict_proba(x) for net in nets))


WIDE = """
import hashlib
import numpy as np
import chainrule as cr

def wide(dtype):
    x, other = cr.Input(120), cr.Input(41)
    h = cr.Dense(333, "gelu")(x)
    h = cr.Scale(0.5)(cr.Add()([h, cr.Dense(333, "tanh")(h), h]))
    t = cr.GaussianNoise(0.1)(cr.Reshape((9, -1))(h))
    p = cr.Permute((2, 1))(cr.Dense(41, "tanh")(t))
    pooled = cr.GlobalAveragePooling()(cr.Dot()([p, cr.Clip(-0.3, 0.8)(p)]))
    best = cr.Maximum()([pooled, other])
    mean = cr.Average()([best, pooled])
    repeated = cr.RepeatVector(3)(cr.Multiply()([mean, best]))
    joined = cr.Concatenate()([cr.Flatten()(repeated), cr.Subtract()([best, mean]), h])
    return cr.Network(inputs=[x, other], outputs=cr.Dense(5)(joined), seed=3, dtype=dtype)

rng = np.random.default_rng(0)
x = [rng.normal(size=(86, 120)), rng.normal(size=(86, 41))]
y = rng.integers(0, 5, 86)
for dtype in ("float32", "float64"):
    for threads in (1, 2, 3, 7):
        net = wide(dtype)
        for rows, epochs in ((54, 1), (150, 2))[: 1 + VECTORS]:
            net.fit([each[:rows] for each in x], y[:rows], loss="cross_entropy", epochs=epochs,
                    num_threads=threads, verbose=0)
            weights = b"".join(w.tobytes() for w in net.get_weights())
            print(hashlib.sha256(weights).hexdigest())
"""


def test_training_has_one_hash_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(WIDE)) == 4  # of two fits of two dtypes

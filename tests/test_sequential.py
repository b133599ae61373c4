# SPDX-License-Identifier: Apache-2.0
"""A network as an object: its structure, parameters, copies, and the chain rule by hand."""

from __future__ import annotations

import copy
import io
import os
import pickle
from typing import Any

import numpy as np
import pytest
from training_cases import FIT, Array, assert_same_state, blobs, differs, network

import chainrule as cr
from chainrule import losses


def test_input_size_is_given_or_learnt() -> None:
    given = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0)
    assert given.built
    assert (given.inputs, given.outputs) == (4, 2)
    learnt = cr.Sequential([cr.Dense(2)], seed=0)
    assert not learnt.built
    assert learnt.inputs is None
    learnt.build(4)
    learnt.build(4)
    np.testing.assert_array_equal(learnt.get_weights()[0], given.get_weights()[0])
    assert cr.Sequential([cr.Input((28, 28)), cr.Dense(2)]).inputs == 784


@pytest.mark.parametrize("how", ["fit", "train_on_batch", "evaluate", "predict", "forward"])
def test_first_data_builds(how: str) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3)], seed=0)
    if how == "fit":
        net.fit(x, y, **FIT)
    elif how == "train_on_batch":
        net.train_on_batch(x, y, loss="cross_entropy")
    elif how == "evaluate":
        net.evaluate(x, y, loss="cross_entropy")
    else:
        getattr(net, how)(x)
    assert net.inputs == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net.outputs,
        lambda net: net.parameters,
        lambda net: net.get_weights(),
        lambda net: net.set_weights([]),
        lambda net: net.count_params(),
        lambda net: net.gradients,
        lambda net: net.backward(np.ones((1, 2))),
        lambda net: net.save("never-written"),
    ],
)
def test_what_needs_parameters_says_how_to_get_them(call: Any) -> None:
    with pytest.raises(RuntimeError, match=r"begin the layers with Input\(n\), call build"):
        call(cr.Sequential([cr.Dense(2)]))


def test_repr_makes_the_network_again() -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="relu"), cr.Dense(2)], seed=5)
    text = "Sequential([Input(3), Dense(4, activation='relu'), Dense(2)], seed=5, dtype='float32')"
    assert repr(net) == text
    again = eval(text, vars(cr).copy())
    np.testing.assert_array_equal(again.get_weights()[0], net.get_weights()[0])
    unbuilt = cr.Sequential([cr.Dense(2)], seed=5, dtype="float64")
    assert repr(unbuilt) == "Sequential([Dense(2)], seed=5, dtype='float64')"


def test_summary() -> None:
    net = cr.Sequential([cr.Input(1000), cr.Dense(7), cr.BatchNormalization(), cr.Dense(3)], seed=0)
    stream = io.StringIO()
    net.summary(file=stream)
    lines = stream.getvalue().splitlines()
    assert len({len(line) for line in lines[:7]}) == 1  # one width
    cells = [line.split() for line in lines]
    assert cells[0] == ["layer", "output", "parameters"]
    assert cells[2] == ["Input", "1000", "0"]
    assert cells[3] == ["Dense(7)", "7", "7,007"]
    assert cells[4] == ["BatchNormalization()", "7", "28"]
    assert cells[5] == ["Dense(3)", "3", "24"]
    assert lines[7] == "7,059 parameters in float32, 27.6 KiB"
    assert lines[8] == "14 of them not trained"


def test_summary_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    cr.Sequential([cr.Input(2), cr.Dense(1)]).summary()
    assert "3 parameters in float32, 12 bytes" in capsys.readouterr().out


def test_count_params() -> None:
    net = network()
    net.build(4)
    trained = 4 * 7 + 7 + 2 * 7 + 7 * 3 + 3
    assert net.count_params() == trained + 2 * 7
    assert net.count_params(trainable_only=True) == trained


def test_seed_none_is_random_and_told() -> None:
    a, b = (cr.Sequential([cr.Input(4), cr.Dense(3)]) for _ in range(2))
    assert a.seed != b.seed
    again = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=a.seed)
    np.testing.assert_array_equal(again.get_weights()[0], a.get_weights()[0])
    assert not np.array_equal(b.get_weights()[0], a.get_weights()[0])


def test_plan_lists_stages() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(5, activation="relu"), cr.Dense(2)])
    plan = net.plan(8, num_threads=1)
    assert [(stage.name, stage.threads_own) for stage in plan.stages] == [
        ("dense 4 -> 5", "rows"),
        ("relu", "rows"),
        ("dense 5 -> 2", "rows"),
    ]
    # Below the first layer no input gradient is wanted.
    assert plan.operations == 2 * 8 * (2 * 4 * 5 + 3 * 5 * 2)
    assert plan.bytes == sum(stage.bytes for stage in plan.stages) > 4 * (4 * 5 + 5 * 2)
    assert 0 < plan.seconds < 1
    lines = str(plan).splitlines()
    assert "8 rows on 1 thread" in lines[0]
    assert [line.split("  ")[0] for line in lines[3:-2]] == [s.name for s in plan.stages]


def test_parameters_are_named_copies() -> None:
    net = network()
    net.build(4)
    parameters = net.parameters
    assert {name: array.shape for name, array in parameters.items()} == {
        "0.weight": (4, 7),
        "0.bias": (7,),
        "1.gamma": (7,),
        "1.beta": (7,),
        "1.running_mean": (7,),
        "1.running_variance": (7,),
        "3.weight": (7, 3),
        "3.bias": (3,),
    }
    parameters["0.weight"][:] = 7
    assert not (net.parameters["0.weight"] == 7).any()


def test_set_weights_in_order_and_by_name() -> None:
    a, b = network(seed=1), network(seed=2)
    a.build(4)
    b.build(4)
    b.set_weights(a.get_weights())
    assert_same_state(a, b)
    bias = np.array([1, 2, 3])  # integers are numbers too
    a.set_weights({"3.bias": bias})
    np.testing.assert_array_equal(a.parameters["3.bias"], bias.astype(np.float32))
    np.testing.assert_array_equal(a.parameters["0.weight"], b.parameters["0.weight"])


def test_outputs_are_those_of_the_weights() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(6, activation="tanh"), cr.Dense(2)], seed=0)
    x, _ = blobs()
    w0, b0, w1, b1 = (w.astype(np.float64) for w in net.get_weights())
    expected = np.tanh(x @ w0 + b0) @ w1 + b1
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_go_on_alike_and_apart(duplicate: Any) -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, optimizer=cr.Adam(1e-2), epochs=2, **FIT)
    twin = duplicate(net)
    assert_same_state(net, twin)
    assert repr(twin) == repr(net)
    before = net.parameters
    twin.fit(x, y, epochs=2, batch_size=16, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.weight"], before["0.weight"])
    assert net.history.epochs == [1, 2]
    assert differs(twin.parameters, before, "0.weight")
    net.fit(x, y, epochs=2, batch_size=16, verbose=0)
    assert_same_state(net, twin)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_of_an_unbuilt_network(duplicate: Any) -> None:
    x, y = blobs()
    net = network()
    net.compile(loss="cross_entropy", optimizer=cr.Adam(1e-2), metrics=["top_2"])
    twin = duplicate(net)
    for n in (net, twin):
        n.fit(x, y, verbose=0)
    assert_same_state(net, twin)


def halved(epoch: int) -> float:
    return 0.1 * 0.5**epoch


def largest_error(y_true: Array, y_pred: Array) -> float:
    return float(np.abs(y_true - y_pred[:, 0]).max())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_keep_functions(duplicate: Any) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(halved), metrics=[largest_error], verbose=0)
    twin = duplicate(net)
    for n in (net, twin):
        n.fit(x, y, verbose=0)
    assert_same_state(net, twin)
    assert twin.history["learning_rate"] == [0.1, 0.05]
    assert "largest_error" in twin.evaluate(x, y)


def test_steps_by_hand_are_those_of_train_on_batch() -> None:
    x, y = blobs(16)
    layers = [cr.Dense(7, activation="relu"), cr.Dense(3)]
    by_hand = cr.Sequential(layers, seed=1, dtype="float64")
    trained = cr.Sequential(layers, seed=1, dtype="float64")
    loss, optimizer = losses.CrossEntropy(), cr.SGD(0.1, momentum=0.9)
    for _ in range(3):
        by_hand.backward(loss.gradient(by_hand.forward(x), y))
        optimizer.step(by_hand)
        trained.train_on_batch(x, y, loss=loss, optimizer=optimizer)
    for name, array in trained.parameters.items():
        np.testing.assert_allclose(by_hand.parameters[name], array, rtol=1e-12, atol=1e-14)
    assert by_hand.optimizer == optimizer


def test_backward_gives_the_input_gradient() -> None:
    x, _ = blobs(16)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    dy = np.random.default_rng(1).normal(size=(16, 3))
    net.forward(x)
    dx = net.backward(dy)
    w = net.parameters["0.weight"].astype(np.float64)
    np.testing.assert_allclose(dx, dy @ w.T, rtol=1e-5, atol=1e-6)
    gradients = net.gradients
    assert set(gradients) == {"0.weight", "0.bias"}
    np.testing.assert_allclose(gradients["0.weight"], x.T @ dy, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradients["0.bias"], dy.sum(axis=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda net, x, y: net.set_weights(net.get_weights()),
        lambda net, x, y: net.train_on_batch(x, y, loss="cross_entropy"),
        lambda net, x, y: net.fit(x, y, **FIT),
        lambda net, x, y: net.adapt(x),
    ],
)
def test_backward_needs_a_forward_of_the_present_weights(change: Any) -> None:
    x, y = blobs(16)
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        net.backward(np.ones((16, 3)))
    net.build(4)
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(np.ones((16, 3)))
    with pytest.raises(RuntimeError, match="call backward first"):
        cr.SGD(0.1).step(net)
    net.forward(x)
    change(net, x, y)
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(np.ones((16, 3)))


def test_a_seed_of_the_systems_own_is_a_positive_number_of_63_bits(monkeypatch) -> None:
    for drawn, seed in ((b"\xff" * 8, 2**63 - 1), (b"\x00" * 8, 0), (b"\x03" + b"\x00" * 7, 1)):
        monkeypatch.setattr(os, "urandom", {8: drawn}.__getitem__)
        assert cr.Sequential([cr.Dense(1)]).seed == seed

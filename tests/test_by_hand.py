# SPDX-License-Identifier: Apache-2.0
"""Steps by hand: gradients that are set, activations, soft updates, the first layers alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import schedules
from chainrule.callbacks import Callback, LambdaCallback


def data(rows: int = 24, columns: int = 5) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, columns)), rng.normal(size=(rows, 2))


def network(dtype: str = "float64", seed: int = 0) -> cr.Sequential:
    layers = [
        cr.Input(5),
        cr.Dense(7, activation="tanh"),
        cr.BatchNormalization(),
        cr.Dense(3, activation="relu"),
        cr.Dense(2),
    ]
    return cr.Sequential(layers, seed=seed, dtype=dtype)


def plain(dtype: str = "float64", seed: int = 0) -> cr.Sequential:
    layers = [cr.Input(5), cr.Dense(7, activation="tanh"), cr.Dense(2)]
    return cr.Sequential(layers, seed=seed, dtype=dtype)


def gradients_of(net: cr.Sequential, x: NDArray[Any], y: NDArray[Any], n: int) -> dict[str, Any]:
    """Of the mean squared error over all n rows, by these of them."""
    net.backward(2 * (net.forward(x) - y) / (n * y.shape[1]))
    return net.gradients


# --- gradients


def test_gradients_added_up_over_parts_step_as_the_whole_batch_does() -> None:
    x, y = data()
    whole, parts = plain(), plain()
    gradients_of(whole, x, y, len(x))
    cr.Adam(0.01).step(whole)
    total: dict[str, Any] = {}
    for part in (slice(0, 5), slice(5, 16), slice(16, 24)):
        for name, gradient in gradients_of(parts, x[part], y[part], len(x)).items():
            total[name] = total.get(name, 0.0) + gradient
    cr.Adam(0.01).step(parts, gradients=total)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("handed", [False, True])
def test_set_gradients_step_to_the_bits_of_the_same_gradients_from_backward(
    dtype: str, handed: bool
) -> None:
    x, y = data()
    one, other = plain(dtype), plain(dtype)
    given = gradients_of(one, x, y, len(x))
    optimizer = cr.SGD(0.1, momentum=0.9, clip_norm=0.5)
    optimizer.step(one)
    if handed:
        optimizer.step(other, gradients=given)
    else:
        other.gradients = given
        optimizer.step(other)
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(other.parameters[name], value)
    np.testing.assert_array_equal(other.gradients["0.weight"], given["0.weight"])


def test_gradients_that_are_not_given_stay_or_are_zero() -> None:
    x, y = data()
    net = plain()
    bias = np.array([1.0, 2.0])
    net.gradients = {"1.bias": bias}
    assert {name: bool(g.any()) for name, g in net.gradients.items()} == {
        "0.weight": False,
        "0.bias": False,
        "1.weight": False,
        "1.bias": True,
    }
    before = gradients_of(net, x, y, len(x))
    net.gradients = {"1.bias": bias}
    np.testing.assert_array_equal(net.gradients["1.bias"], bias)
    np.testing.assert_array_equal(net.gradients["0.weight"], before["0.weight"])


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([np.ones(2)], TypeError, "gradients must map names of parameters to arrays, got"),
        ({"3.weights": np.ones(2)}, ValueError, "unknown parameter '3.weights'; did you mean"),
        ({"1.running_mean": np.zeros(7)}, ValueError, "unknown parameter '1.running_mean'"),
        ({"3.bias": np.ones(3)}, ValueError, r"3.bias has shape \(2,\), got \(3,\)"),
        ({"3.bias": ["a", "b"]}, TypeError, "3.bias"),
        ({"3.bias": [1.0, np.nan]}, ValueError, "the gradients for 3.bias contain NaN or infinity"),
        (
            {"0.bias": np.ones(7), "3.bias": [1.0, np.inf]},
            ValueError,
            "the gradients for 3.bias contain NaN or infinity",
        ),
    ],
)
def test_other_gradients_are_refused(given: Any, error: type[Exception], text: str) -> None:
    x, y = data()
    net = network()
    gradients_of(net, x, y, len(x))
    before, weights = net.gradients, net.get_weights()
    with pytest.raises(error, match=text):
        net.gradients = given
    with pytest.raises(error, match=text):
        cr.SGD(0.1).step(net, gradients=given)
    for name, value in before.items():
        np.testing.assert_array_equal(net.gradients[name], value)
    for old, new in zip(weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_with_some_gradients_takes_the_others_for_zero() -> None:
    x, y = data()
    one, other = plain(), plain()
    for net in (one, other):
        gradients_of(net, x, y, len(x))
    bias = np.array([1.0, 2.0])
    cr.Adam(0.1).step(one, gradients={"1.bias": bias})
    zeros = {name: np.zeros_like(g) for name, g in other.gradients.items()}
    cr.Adam(0.1).step(other, gradients={**zeros, "1.bias": bias})
    assert same(one, other)
    np.testing.assert_array_equal(one.parameters["0.weight"], plain().parameters["0.weight"])


def test_a_lazy_optimizer_takes_no_gradients() -> None:
    net = plain()
    net.gradients = {"1.bias": np.ones(2)}
    with pytest.raises(ValueError, match="lazy"):
        cr.Adam(0.1, lazy=True).step(net, gradients={"1.bias": np.zeros(2)})
    np.testing.assert_array_equal(net.gradients["1.bias"], np.ones(2))


def test_set_weights_checks_all_arrays_before_it_sets_one() -> None:
    net = plain()
    before = net.get_weights()
    good = [2 * w for w in before]
    bad = [*good[:3], np.array([1.0, np.nan])]
    with pytest.raises(ValueError, match=r"the values for 1\.bias contain NaN or infinity"):
        net.set_weights(bad)
    with pytest.raises(ValueError, match=r"the values for 0\.bias contain NaN or infinity"):
        net.set_weights({"0.weight": good[0], "0.bias": np.full(7, np.inf)})
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# --- activations


def test_activations_are_those_of_the_layers() -> None:
    x, _ = data()
    net = network()
    for training in (True, False):
        outputs = net.forward(x, training=training)
        p = net.parameters
        hidden = np.tanh(x @ p["0.weight"] + p["0.bias"])
        mean, variance = (
            (hidden.mean(0), hidden.var(0))
            if training
            else (p["1.running_mean"], p["1.running_variance"])
        )
        # The layer's default epsilon.
        normal = (hidden - mean) / np.sqrt(variance + 1e-5) * p["1.gamma"] + p["1.beta"]
        third = np.maximum(normal @ p["2.weight"] + p["2.bias"], 0)
        found = net.activations
        for one, other in zip(found, (hidden, normal, third, outputs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
    net.set_weights(net.get_weights())
    assert len(net.activations) == 4  # of the forward that was, not of the weights that are
    net.forward(x[:3])
    assert [a.shape for a in net.activations if a is not None] == [(3, 7), (3, 7), (3, 3), (3, 2)]


def test_activations_need_a_forward() -> None:
    with pytest.raises(RuntimeError, match="call forward first"):
        _ = network().activations


def test_activations_of_categories_and_dropout() -> None:
    net = cr.Sequential([cr.CategoryEncoding([4, 3]), cr.Dense(5), cr.Dropout(0.5)], seed=0)
    x = np.array([[0, 1], [3, 2]])
    outputs = net.forward(x)
    first, second, third = net.activations
    assert first is None
    assert second is not None
    np.testing.assert_array_equal(third, outputs)
    assert (outputs[outputs != 0] == 2 * second[outputs != 0]).all()


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_activations_of_scaling_that_is_done_while_rows_are_read(kind: str) -> None:
    layers = [cr.Input(5), cr.Rescaling(0.25), cr.Dropout(0.0), cr.Dense(6, activation="gelu")]
    net = cr.Sequential([*layers, cr.Activation("softmax")], seed=0, dtype="float64")
    x = np.arange(300).reshape(60, 5).astype(kind)
    outputs = net.forward(x)
    found = net.activations
    net.backward(np.ones_like(outputs))
    for before, after in zip(found, net.activations, strict=True):
        np.testing.assert_array_equal(before, after)
    first, second, hidden, last = found
    np.testing.assert_array_equal(first, x * 0.25)
    np.testing.assert_array_equal(second, x * 0.25)
    assert hidden is not None
    p = np.exp(hidden - hidden.max(1, keepdims=True))
    np.testing.assert_allclose(last, p / p.sum(1, keepdims=True), rtol=1e-9)
    np.testing.assert_array_equal(last, outputs)


def test_activations_are_copies_and_of_this_network_alone() -> None:
    x, _ = data()
    net = plain()
    net.forward(x)
    first = net.activations[0]
    assert first is not None
    first[:] = 0
    assert net.activations[0] is not None
    assert net.activations[0].any()
    with pytest.raises(RuntimeError, match="call forward first"):
        _ = copy.deepcopy(net).activations


# --- the first layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_first_layers_share_the_networks_parameters(dtype: str) -> None:
    x, y = data()
    net = network(dtype)
    for _ in range(2):
        net.forward(x, training=False)
        for k in (1, 2, 3, 4):
            np.testing.assert_array_equal(net[:k].predict(x), net.activations[k - 1])
            assert len(net[:k]) == k
        net.fit(x, y, loss="mse", verbose=0)
    np.testing.assert_array_equal(net[:].predict(x), net.predict(x))
    np.testing.assert_array_equal(net[:-1].predict(x[0]), net[:3].predict(x[:1]))
    assert list(net[:2].parameters) == [n for n in net.parameters if n[0] in "01"]
    assert net[0] is net.layers[0]
    assert len(net) == 4


def test_first_layers_follow_every_change_and_take_what_predict_takes() -> None:
    x, y = data()
    net = network()
    hidden = net[:2]
    for change in (
        lambda: net.set_weights([2 * w for w in net.get_weights()]),
        lambda: net.interpolate(network(seed=5), 0.5),
        lambda: net.train_on_batch(x, y, loss="mse"),
    ):
        before = hidden.predict(x)
        change()
        assert not np.array_equal(hidden.predict(x), before)
        net.forward(x, training=False)
        np.testing.assert_array_equal(hidden.predict(x), net.activations[1])
    np.testing.assert_array_equal(hidden.predict(x.tolist(), batch_size=2), hidden.predict(x))
    np.testing.assert_array_equal(hidden.predict(x, num_threads=2), hidden.predict(x))
    assert [w.shape for w in hidden.get_weights()] == [(5, 7), (7,), (7,), (7,), (7,), (7,)]
    assert (hidden.inputs, hidden.dtype) == (5, "float64")
    bad = x.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3, column 2 is NaN"):
        hidden.predict(bad)
    with pytest.raises(ValueError, match="x has 4 columns; the network expects 5"):
        hidden.predict(x[:, :4])


def test_first_layers_before_the_number_of_inputs_is_known() -> None:
    net = cr.Sequential([cr.Dense(3), cr.Dense(1)], seed=0)
    assert net[:1].inputs is None
    with pytest.raises(ValueError, match="row 1, column 0 is NaN"):
        net[:1].predict([[0.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
    assert net.inputs is None
    assert net[:1].predict(np.ones((4, 2))).shape == (4, 3)
    assert net.inputs == 2


@pytest.mark.parametrize("piece", [slice(1, 2), slice(0, 0), slice(None, None, 2), slice(1, None)])
def test_other_slices_are_refused(piece: slice) -> None:
    with pytest.raises(ValueError, match="must be its first layers"):
        _ = network()[piece]


# --- soft updates


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.25, 0.5, 1.0])
def test_interpolate_is_its_formula(dtype: str, tau: float) -> None:
    x, y = data()
    net, target = network(dtype), network(dtype, seed=1)
    net.fit(x, y, loss="mse", verbose=0)
    p, q = target.parameters, net.parameters
    before = target.predict(x)
    target.interpolate(net, tau)
    share = np.dtype(dtype).type(tau)
    for name, value in target.parameters.items():
        expected = q[name] if tau == 1 else p[name] + share * (q[name] - p[name])
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(net.parameters[name], q[name])
    assert np.array_equal(target.predict(x), before) == (tau == 0)
    if tau == 1:
        np.testing.assert_array_equal(target.predict(x), net.predict(x))


def test_interpolate_leaves_the_optimizers_state_and_the_gradients_alone() -> None:
    x, y = data()
    net, target = plain(), plain()
    target.fit(x, y, loss="mse", optimizer="adam", epochs=2, verbose=0)
    gradients_of(target, x, y, len(x))
    core = target._core
    assert core is not None
    slots = [core.get_slot(s, "0.weight") for s in core.optimizer_slots]
    gradients = target.gradients
    target.interpolate(net, 0.5)
    for slot, name in zip(slots, core.optimizer_slots, strict=True):
        np.testing.assert_array_equal(core.get_slot(name, "0.weight"), slot)
    np.testing.assert_array_equal(target.gradients["0.weight"], gradients["0.weight"])
    assert target.history.epochs == [1, 2]
    with pytest.raises(RuntimeError, match="call forward first"):
        target.backward(y)


def test_interpolate_with_itself_changes_nothing() -> None:
    net = network()
    before = net.get_weights()
    net.interpolate(net, 0.5)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_interpolate_takes_normalization_along() -> None:
    x = 1e8 + np.arange(60.0).reshape(20, 3)
    net, target = (
        cr.Sequential([cr.Input(3), cr.Normalization(), cr.Dense(2)], seed=seed) for seed in (0, 1)
    )
    net.adapt(x)
    target.interpolate(net, 1)
    np.testing.assert_array_equal(target.predict(x), net.predict(x))
    target.fit(x[::-1] + 5, np.zeros((20, 2)), loss="mse", verbose=0)  # is adapted already
    np.testing.assert_array_equal(target.parameters["0.mean"], net.parameters["0.mean"])


@pytest.mark.parametrize(
    ("source", "tau", "error", "text"),
    [
        (plain(), 0.5, ValueError, "the networks have different layers"),
        (network("float32"), 0.5, ValueError, "source has dtype float32, this network has float64"),
        (
            cr.Sequential([cr.Dense(2)], dtype="float64"),
            0.5,
            RuntimeError,
            "number of inputs is not known",
        ),
        ("net", 0.5, TypeError, "source must be a network, got 'net'"),
        (network(), -0.1, ValueError, "tau must lie in 0..1, got -0.1"),
        (network(), 1.1, ValueError, "tau must lie in 0..1, got 1.1"),
        (network(), float("nan"), ValueError, "tau must lie in 0..1, got nan"),
        (network(), "1", TypeError, "tau must be a number, got '1'"),
        (network(), True, TypeError, "tau must be a number, got True"),
    ],
)
def test_interpolate_refuses(source: Any, tau: Any, error: type[Exception], text: str) -> None:
    net = network()
    before = net.get_weights()
    with pytest.raises(error, match=text):
        net.interpolate(source, tau)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_interpolate_tells_activations_apart() -> None:
    relu = cr.Sequential([cr.Input(3), cr.Dense(2, activation="relu")], seed=0)
    tanh = cr.Sequential([cr.Input(3), cr.Dense(2, activation="tanh")], seed=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="different layers"):
            tanh.interpolate(relu, 0.5)
        tanh.interpolate(copy.deepcopy(tanh), 0.5)


# --- the learning rate


class SetRate(Callback):
    """Sets another rate after epoch or batch number `at`."""

    def __init__(self, rate: Any, at: int) -> None:
        self.rate, self.at = rate, at

    def on_epoch_end(self, net: cr.Sequential, epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch == self.at:
            assert net.optimizer is not None
            net.optimizer.learning_rate = self.rate


class SetRateInBatch(SetRate):
    """The same by batches."""

    def on_epoch_end(self, net: cr.Sequential, epoch: int, logs: Mapping[str, Any]) -> None:
        pass

    def on_batch_end(
        self, net: cr.Sequential, epoch: int, batch: int, logs: Mapping[str, Any]
    ) -> None:
        if batch == self.at:
            assert net.optimizer is not None
            net.optimizer.learning_rate = self.rate


def same(one: cr.Sequential, other: cr.Sequential) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.parametrize("rate", [0.003, schedules.Cosine(0.05, 5)])
def test_a_learning_rate_that_a_callback_sets_is_the_next_epochs(rate: Any) -> None:
    x, y = data()
    options: dict[str, Any] = {"loss": "mse", "batch_size": 6, "verbose": 0}
    one, two = plain(), plain()
    one.fit(x, y, optimizer=cr.Adam(0.01), epochs=4, callbacks=[SetRate(rate, 2)], **options)
    two.fit(x, y, optimizer=cr.Adam(0.01), epochs=2, **options)
    two.fit(x, y, optimizer=cr.Adam(rate), epochs=2, **options)
    assert same(one, two)


def test_a_learning_rate_that_a_callback_sets_between_batches_is_the_next_steps() -> None:
    x, y = data()
    one, two = plain(), plain()
    callback = SetRateInBatch(0.003, 2)
    options: dict[str, Any] = {"loss": "mse", "shuffle": False, "verbose": 0}
    one.fit(x, y, optimizer=cr.SGD(0.1), batch_size=6, callbacks=[callback], **options)
    for batch, rate in enumerate([0.1, 0.1, 0.003, 0.003]):
        part = slice(6 * batch, 6 * batch + 6)
        two.train_on_batch(x[part], y[part], loss="mse", optimizer=cr.SGD(rate))
    assert same(one, two)


def test_a_learning_rate_set_between_batches_of_rows_that_are_not_in_memory() -> None:
    x, y = data()
    options: dict[str, Any] = {"loss": "mse", "batch_size": 4, "verbose": 0, "epochs": 2}
    one, two = plain(), plain()
    for net, rows in ((one, x), (two, Unread(x))):
        net.fit(rows, y, optimizer=cr.SGD(0.1), callbacks=[SetRateInBatch(0.003, 2)], **options)
    assert same(one, two)
    assert one.history["loss"] == two.history["loss"]


class Unread:
    """Rows that have to be read, as h5py's are."""

    def __init__(self, x: NDArray[Any]) -> None:
        self._x, self.shape, self.dtype, self.ndim = x, x.shape, x.dtype, x.ndim

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return self._x[index]

    def __len__(self) -> int:
        return len(self._x)


def test_an_optimizer_keeps_its_place_in_sets_and_its_class_when_its_rate_changes() -> None:
    class Own(cr.SGD):
        """A subclass of the caller's."""

    for optimizer in (cr.Adam(0.1), Own(0.1, momentum=0.5)):
        known = {optimizer: 1}
        optimizer.learning_rate = 0.2
        assert known[optimizer] == 1
        assert optimizer.learning_rate == 0.2
        optimizer.learning_rate = schedules.Cosine(0.1, 5)
        assert known[optimizer] == 1
    assert hash(cr.Adam(0.1)) == hash(cr.Adam(0.1))
    assert cr.Adam(0.1) != cr.Adam(0.2)


def test_a_learning_rate_can_be_set_in_every_form() -> None:
    optimizer = cr.RMSprop(0.1, momentum=0.5)
    optimizer.learning_rate = 0.25
    assert optimizer == cr.RMSprop(0.25, momentum=0.5)
    optimizer.learning_rate = schedules.Cosine(0.1, 5)
    assert optimizer == cr.RMSprop(schedules.Cosine(0.1, 5), momentum=0.5)
    assert optimizer.schedule == schedules.Cosine(0.1, 5)
    optimizer.learning_rate = np.float32(0.5)
    assert optimizer.schedule is None
    assert optimizer.config["learning_rate"] == 0.5
    optimizer.learning_rate = lambda epoch: 0.1 / (epoch + 1)
    assert optimizer.learning_rate == 0.1
    for rate, error, text in [
        (0.0, ValueError, "rmsprop: learning_rate must be > 0, got 0"),
        (float("nan"), ValueError, "learning_rate must be finite and > 0, got nan"),
        ("fast", ValueError, "learning_rate must be a number, got 'fast'"),
        (None, TypeError, "learning_rate must not be None"),
    ]:
        with pytest.raises(error, match=text):
            optimizer.learning_rate = rate  # type: ignore[assignment]
        assert optimizer.learning_rate == 0.1


def test_a_step_by_hand_and_a_batch_take_the_rate_that_was_set() -> None:
    x, y = data()
    one, two = plain(), plain()
    optimizer = cr.SGD(0.5)
    optimizer.learning_rate = 0.125
    for net, chosen in ((one, optimizer), (two, cr.SGD(0.125))):
        gradients_of(net, x, y, len(x))
        chosen.step(net)
        net.train_on_batch(x, y, loss="mse", optimizer=chosen)
    assert same(one, two)


# --- one row, and outputs in the memory of x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["float32", "float64", "uint8", "int64", "strided", "list"])
def test_a_row_of_one_dimension_is_a_table_of_one_row(dtype: str, form: str) -> None:
    net = plain(dtype)
    table: Any = np.arange(20).reshape(4, 5)
    if form not in ("strided", "list"):
        table = table.astype(form)
    row = np.repeat(table[2], 2)[::2] if form == "strided" else table[2]
    if form == "list":
        row = row.tolist()
    np.testing.assert_array_equal(net.predict(row), net.predict(table)[2:3])
    out = np.empty((1, 2), dtype)
    assert net.predict(row, out=out) is out
    np.testing.assert_array_equal(out, net.predict(table)[2:3])
    with pytest.raises(ValueError, match="x has 4 columns; the network expects 5"):
        net.predict(row[:4])
    bad = np.array([0.0, 1, np.nan, 3, 4])
    with pytest.raises(ValueError, match="row 0, column 2 is NaN"):
        net.predict(bad)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [-15, -3, 0, 1, 9, 40])
@pytest.mark.parametrize("threads", [None, 2])
def test_outputs_in_the_memory_of_x_are_right(dtype: str, shift: int, threads: int | None) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(64), cr.Dense(3)], seed=0, dtype=dtype)
    memory = np.zeros(3000, dtype)
    x = memory[1000:1600].reshape(200, 3)
    x[:] = np.random.default_rng(0).normal(size=(200, 3))
    expected = net.predict(x.copy(), batch_size=32)
    out = memory[1000 + shift : 1600 + shift].reshape(200, 3)
    assert net.predict(x, out=out, batch_size=32, num_threads=threads) is out
    np.testing.assert_array_equal(out, expected)


def test_outputs_in_the_memory_of_sparse_x_are_right() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    net = cr.Sequential([cr.Input(3), cr.Dense(3)], seed=0, dtype="float64")
    x = sparse.csr_array(np.random.default_rng(0).normal(size=(50, 3)))
    expected = net.predict(x.toarray())
    out = x.data.reshape(50, 3)
    assert net.predict(x, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_callbacks_may_step_by_hand() -> None:
    """Between epochs the network is the callback's, and the training goes on from there."""
    x, y = data()
    net, target = plain(), plain()
    soft = LambdaCallback(on_epoch_end=lambda *args: target.interpolate(net, 0.5))
    net.fit(x, y, loss="mse", epochs=3, callbacks=[soft], verbose=0)
    assert not same(net, target)

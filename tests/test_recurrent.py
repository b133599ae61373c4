# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers against NumPy and PyTorch in float64, finite differences and themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from recurrent_networks import (
    FEATURES,
    GATES,
    KINDS,
    ROWS,
    TIME,
    UNITS,
    arrays,
    chain,
    network,
    shaken,
    states,
)

import chainrule as cr

BITS = list(itertools.product((False, True), repeat=3))


@pytest.fixture
def x(rng):
    return rng.normal(size=(ROWS, TIME, FEATURES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sequences", "backwards", "bias"), BITS)
def test_outputs_are_those_of_the_formulas(kind, sequences, backwards, bias, x, rng) -> None:
    options = {"return_sequences": sequences, "go_backwards": backwards, "use_bias": bias}
    net = network(KINDS[kind](UNITS, **options), rng, head=False)
    expected = []
    for row in x:
        y, last = states(kind, arrays(net), row, backwards, TIME)
        expected.append(y if sequences else last)
    for found in (net.predict(x), net.forward(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sequences", "backwards", "bias"), BITS)
def test_gradient_check(kind, sequences, backwards, bias, x, rng) -> None:
    options = {"return_sequences": sequences, "go_backwards": backwards, "use_bias": bias}
    net = network(KINDS[kind](UNITS, l1=0.01, l2=0.02, **options), rng)
    y = rng.normal(size=(ROWS, TIME, 2) if sequences else (ROWS, 2))
    assert cr.gradient_check(net, x, y, "mse").max_relative_error <= 1e-7


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "linear", "silu", "softmax"])
def test_simple_rnn_takes_any_activation(activation, x, rng) -> None:
    net = network(cr.SimpleRNN(UNITS, activation), rng)
    assert cr.gradient_check(net, x, rng.normal(size=(ROWS, 2)), "mse").max_relative_error <= 1e-7
    np.testing.assert_allclose(net.forward(x), net.predict(x), rtol=1e-14)


def test_layers_behind_and_before_each_other(x, rng) -> None:
    tensor = cr.Input((TIME, FEATURES), name="x")
    shared = cr.GRU(3, return_sequences=True, name="shared")
    h = cr.Dense(3, activation="tanh")(tensor)
    h = shared(shared(h)) + h
    h = cr.LSTM(UNITS, return_sequences=True, go_backwards=True)(h)
    h = cr.LayerNormalization()(h)
    net = shaken(cr.Network(tensor, cr.SimpleRNN(2)(h), seed=2, dtype="float64"), rng)
    assert cr.gradient_check(net, x, rng.normal(size=(ROWS, 2)), "mse").max_relative_error <= 1e-7


def test_a_frozen_layer_passes_gradients_on(x, rng) -> None:
    tensor = cr.Input((TIME, FEATURES), name="x")
    h = cr.Dense(3, name="before")(tensor)
    frozen = cr.LSTM(UNITS, name="frozen")(h)
    net = shaken(cr.Network(tensor, frozen, seed=2, dtype="float64"), rng)
    before = {name: values.copy() for name, values in net.parameters.items()}
    net.freeze("frozen")
    net.fit(x, rng.normal(size=(ROWS, UNITS)), loss="mse", epochs=1, verbose=0)
    changed = {name for name, v in net.parameters.items() if (v != before[name]).any()}
    assert changed == {"before.weight", "before.bias"}


def torch_module(torch, kind, p):
    """PyTorch's module of the same numbers; its GRU has the gates in the order r, z, n."""
    module = {"simple_rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](
        FEATURES, UNITS, batch_first=True, dtype=torch.float64
    )
    order = {"simple_rnn": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}[kind]

    def of(values):
        parts = np.split(values, GATES[kind], axis=-1)
        return torch.tensor(np.concatenate([parts[k] for k in order], axis=-1).T.copy())

    with torch.no_grad():
        module.weight_ih_l0.copy_(of(p["weight"]))
        module.weight_hh_l0.copy_(of(p["recurrent_weight"]))
        module.bias_ih_l0.copy_(of(p["bias"]))
        module.bias_hh_l0.copy_(of(p.get("recurrent_bias", np.zeros_like(p["bias"]))))
    if kind != "gru":
        module.bias_hh_l0.requires_grad_(False)
    return module, of


def assert_close(found, expected, bound=1e-12):
    assert np.abs(found - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_has_the_same_outputs_gradients_and_steps(kind, x, rng) -> None:
    torch = pytest.importorskip("torch")
    net = network(KINDS[kind](UNITS, return_sequences=True), rng)
    module, of = torch_module(torch, kind, arrays(net))
    dense = torch.nn.Linear(UNITS, 2, dtype=torch.float64)
    with torch.no_grad():
        dense.weight.copy_(torch.tensor(net.parameters["dense.weight"].T.copy()))
        dense.bias.copy_(torch.tensor(net.parameters["dense.bias"].copy()))
    y = rng.normal(size=(ROWS, TIME, 2))
    x_torch = torch.tensor(x, requires_grad=True)

    def loss():
        return torch.nn.functional.mse_loss(dense(module(x_torch)[0]), torch.tensor(y))

    value = loss()
    value.backward()
    difference = net.forward(x) - y
    assert_close(np.mean(difference**2), value.item())
    assert_close(net.backward(2 * difference / y.size), x_torch.grad.numpy())
    expected = {
        f"{kind}.weight": module.weight_ih_l0.grad,
        f"{kind}.recurrent_weight": module.weight_hh_l0.grad,
        f"{kind}.bias": module.bias_ih_l0.grad,
        f"{kind}.recurrent_bias": module.bias_hh_l0.grad,
        "dense.weight": dense.weight.grad,
        "dense.bias": dense.bias.grad,
    }
    for name, gradient in net.gradients.items():
        own = of(gradient) if name.startswith(kind) else torch.tensor(gradient.T.copy())
        assert_close(own.numpy(), expected[name].numpy())
    trained = [p for m in (module, dense) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    net.compile(loss="mse", optimizer=cr.Adam(0.01))
    for _ in range(20):
        net.train_on_batch(x, y)
    for name, values in arrays(net).items():
        state = {"weight": module.weight_ih_l0, "recurrent_weight": module.weight_hh_l0}
        state |= {"bias": module.bias_ih_l0, "recurrent_bias": module.bias_hh_l0}
        assert_close(of(values).numpy(), state[name].detach().numpy())


def trained(kind, threads=1, rows=150):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, TIME, FEATURES))
    y = rng.normal(size=(rows, 2))
    layers = [
        KINDS[kind](33, return_sequences=True),
        cr.Dropout(0.2),
        KINDS[kind](5, go_backwards=True),
        cr.Dense(2),
    ]
    net = chain(*layers, seed=1, dtype="float32")
    net.fit(x, y, loss="mse", epochs=3, batch_size=128, num_threads=threads, verbose=0)
    return net, x, y


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind) -> None:
    first, x, _ = trained(kind)
    for threads in (2, 3, 7):
        other, _, _ = trained(kind, threads)
        for name, values in first.parameters.items():
            np.testing.assert_array_equal(values, other.parameters[name])
        np.testing.assert_array_equal(first.predict(x), other.predict(x, num_threads=threads))


@pytest.mark.parametrize("kind", KINDS)
def test_files_predictors_and_evaluations(kind, tmp_path) -> None:
    net, x, y = trained(kind)
    expected = net.predict(x)
    net.save(tmp_path / "model.safetensors")
    loaded = cr.load(tmp_path / "model.safetensors")
    assert loaded.layers == net.layers
    np.testing.assert_array_equal(loaded.predict(x), expected)
    losses = ((expected - y.astype(np.float32)) ** 2).mean()
    np.testing.assert_allclose(net.evaluate(x, y)["loss"], losses, rtol=1e-5)
    predictor = cr.load_predictor(tmp_path / "model.safetensors")
    for rows in (1, 2, 7):
        np.testing.assert_array_equal(predictor.predict(x[:rows]), expected[:rows])
    np.testing.assert_array_equal(net.forward(x, training=False), expected)
    # Resumed, it is the run that was not interrupted.
    net.fit(x, y, epochs=2, batch_size=16, verbose=0)
    loaded.fit(x, y, epochs=2, batch_size=16, verbose=0)
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, loaded.parameters[name])


def test_it_learns_what_was_said_first(rng) -> None:
    """The sign of the first of ten numbers, which needs memory."""
    x = rng.normal(size=(600, 10, 1))
    y = (x[:, 0, 0] > 0).astype(int)
    for kind in ("gru", "lstm"):
        layers = [KINDS[kind](16), cr.Dense(2)]
        net = chain(*layers, shape=(10, 1), seed=0, dtype="float32")
        net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(0.01), epochs=25, verbose=0)
        assert net.evaluate(x, y)["accuracy"] > 0.95


def test_initial_values() -> None:
    p = arrays(chain(cr.LSTM(UNITS)))
    rows = p["recurrent_weight"] @ p["recurrent_weight"].T
    np.testing.assert_allclose(rows, np.eye(UNITS), atol=1e-12)
    bound = np.sqrt(6 / (FEATURES + 4 * UNITS))
    assert 0.5 * bound < np.abs(p["weight"]).max() <= bound
    np.testing.assert_array_equal(p["bias"], np.repeat([0, 1, 0, 0], UNITS))
    twos = cr.initializers.Constant(2)
    plain = cr.LSTM(UNITS, unit_forget_bias=False, bias_initializer=twos)
    np.testing.assert_array_equal(arrays(chain(plain))["bias"], np.full(4 * UNITS, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind, x) -> None:
    layer = KINDS[kind]
    with pytest.raises(ValueError, match=f"{kind}: units must be >= 1, got 0"):
        layer(0)
    with pytest.raises(ValueError, match=f"{kind}: l2 must be >= 0"):
        layer(3, l2=-1)
    factors = layer(3, learning_rate_factor={"gamma": 0.5})
    for shape, taken, text in (
        (5, layer(3), r"it reads rows of shape \(time, features\), got \(5,\)"),
        ((2, 3, 4), layer(3), r"\(time, features\), got \(2, 3, 4\)"),
        ((2, 3), factors, "unknown parameter 'gamma'"),
    ):
        tensor = cr.Input(shape)
        with pytest.raises(ValueError, match=text):
            cr.Network(tensor, taken(tensor))
    net = chain(layer(3))
    with pytest.raises(ValueError, match="x"):
        net.predict(x[:, :-1])


def test_what_describes_and_what_refuses_such_networks(x, tmp_path) -> None:
    net = chain(cr.GRU(4, return_sequences=True, name="r"), cr.LSTM(3), cr.Dense(2))
    y = np.ones((ROWS, 2))
    net.fit(x, y, loss="mse", verbose=0)
    plan = str(net.plan(batch_size=ROWS, num_threads=1))
    assert "gru 3 -> 4" in plan
    assert "lstm 4 -> 3" in plan
    diagnosis = net.diagnose(x, y)
    assert diagnosis.curvature is not None
    assert "mse" in str(net.explain(x[0], y[0]))
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match=r"layer r \(gru\) in float32 alone"):
        cr.to_onnx(net, tmp_path / "net.onnx")

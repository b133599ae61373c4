# SPDX-License-Identifier: Apache-2.0
"""Leaving out zeros of the input changes no bit."""

from __future__ import annotations

import numpy as np
import pytest
from training_hashes import OPTIMIZERS

import chainrule as cr
import chainrule.network.plan as plan_module

INPUTS, ROWS, BATCH_SIZE = 150, 203, 67


def table(density, dtype="float32"):
    """Return rows of which some columns and some rows are zero altogether."""
    rng = np.random.default_rng(3)
    x = rng.integers(1, 256, size=(ROWS, INPUTS)).astype(dtype)
    x[rng.random(x.shape) >= density] = 0
    x[:, 40:60] = 0
    x[17] = 0
    return x


def network(*first, dtype="float32"):
    layers = [cr.Dense(130, activation="relu"), cr.Dense(70, activation="tanh"), cr.Dense(5)]
    return cr.Sequential([*first, *layers], seed=4, dtype=dtype)


def trained(x, optimizer, input_sparsity, num_threads, **options):
    net = network(cr.Rescaling(1 / 255), dtype=options.pop("dtype", "float32"))
    y = np.random.default_rng(1).integers(0, 5, size=len(x))
    net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=optimizer,
        epochs=3,
        batch_size=BATCH_SIZE,
        verbose=0,
        num_threads=num_threads,
        input_sparsity=input_sparsity,
        **options,
    )
    return net


def same(net, other):
    arrays, others = net.parameters, other.parameters
    return all(np.array_equal(arrays[name], others[name]) for name in arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*OPTIMIZERS, "sgd-plain", "adagrad-plain"])
def test_weights(name, dtype):
    plain = {"sgd-plain": cr.SGD(0.1), "adagrad-plain": cr.AdaGrad(0.1)}
    optimizer = {**OPTIMIZERS, **plain}[name]
    x = table(0.1, "uint8")
    dense = trained(x, optimizer, "dense", 1, dtype=dtype)
    for threads in (1, 3):
        sparse = trained(x, optimizer, "sparse", threads, dtype=dtype)
        assert same(dense, sparse)
        assert dense.history["loss"] == sparse.history["loss"]


@pytest.mark.parametrize("density", [0.0, 0.01, 0.05, 0.3, 0.8, 1.0])
def test_densities(density):
    x = table(density)
    dense = trained(x, cr.Adam(1e-3), "dense", 2)
    for path in ("sparse", "auto"):
        assert same(dense, trained(x, cr.Adam(1e-3), path, 2))


def test_penalties_move_weights_of_inputs_that_are_always_zero():
    x = table(0.1) / 255
    y = np.zeros((ROWS, 1))
    nets = {}
    for path in ("dense", "sparse"):
        net = cr.Sequential([cr.Dense(70, l2=0.1, activation="relu"), cr.Dense(1)], seed=1)
        net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-3), verbose=0, input_sparsity=path)
        nets[path] = net
    assert same(nets["dense"], nets["sparse"])


def adapt_to_scale(net, scale):
    """Have a normalization divide by scale, and add nothing."""
    net.adapt(np.stack([scale, -scale]))


@pytest.mark.parametrize(
    "rows",
    [
        lambda x: x,
        lambda x: x[::-1],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        np.asfortranarray,
        lambda x: np.hstack([x, x])[:, :INPUTS],
    ],
    ids=["plain", "reversed", "every other", "by column", "of a wider table"],
)
@pytest.mark.parametrize(
    "front",
    [
        (),
        (cr.Rescaling(1 / 255),),
        (cr.Rescaling(-0.25),),
        (cr.Rescaling(0.01, 0.5),),
        (cr.Normalization(),),
    ],
    ids=["none", "scale", "negative", "offset", "by column"],
)
def test_bytes(front, rows):
    x, y = rows(table(0.15, "uint8")), np.arange(ROWS) % 5
    nets = []
    for data, path, threads in (
        (x.astype("float32"), "dense", 1),
        (x, "sparse", 1),
        (x, "sparse", 2),
        (x, "sparse", 5),
        (x.astype("float64"), "sparse", 2),
    ):
        net = network(cr.Input(INPUTS), *front)
        adapt_to_scale(net, np.linspace(1, 99, INPUTS))
        net.compile(loss="cross_entropy", optimizer=cr.SGD(1e-4))
        options = {"batch_size": BATCH_SIZE, "input_sparsity": path, "num_threads": threads}
        net.fit(data, y, epochs=2, verbose=0, **options)
        nets.append(net)
    assert all(same(nets[0], other) for other in nets[1:])


def test_bytes_then_numbers_then_bytes_by_another_scale():
    x, y = table(0.1, "uint8"), np.arange(ROWS) % 5
    nets = [network(cr.Normalization()) for _ in range(2)]
    for net, path in zip(nets, ("dense", "sparse"), strict=True):
        for number, data in enumerate((x, x / np.float32(3), x)):
            adapt_to_scale(net, np.full(INPUTS, 50.0 + number))
            net.fit(data, y, loss="cross_entropy", verbose=0, input_sparsity=path)
    assert same(*nets)


@pytest.mark.parametrize("units", [100, 128, 192, 256, 384])
def test_threads_that_go_on_without_waiting(units):
    """A thread may begin the next batch once it has updated all weights that it reads there."""
    x, y = table(0.2, "uint8").repeat(5, axis=0), np.arange(5 * ROWS) % 5
    weights = {}
    for path in ("dense", "sparse"):
        for threads in (1, 2, 4):
            layers = [cr.Rescaling(1 / 255), cr.Dense(units, activation="relu"), cr.Dense(5)]
            net = cr.Sequential(layers, seed=2)
            net.compile(loss="cross_entropy", optimizer=cr.SGD(0.1, momentum=0.9))
            options = {"batch_size": 16, "input_sparsity": path, "num_threads": threads}
            net.fit(x, y, epochs=2, verbose=0, **options)
            weights[path, threads] = net
    assert all(same(weights["dense", 1], net) for net in weights.values())


def test_the_layer_where_bytes_diverged():
    x, y = table(0.1, "uint8"), np.arange(ROWS) % 5
    net = network(cr.Rescaling(10.0))
    options = {"loss": "cross_entropy", "batch_size": BATCH_SIZE, "input_sparsity": "sparse"}
    with pytest.raises(cr.DivergenceError) as of_numbers:
        net.fit(np.where(x > 200, np.float32(3e38), x), y, verbose=0, **options)
    assert of_numbers.value.layer.startswith("0 ")
    with pytest.raises(cr.DivergenceError) as of_bytes:
        net.fit(x, y, optimizer=cr.SGD(1e38), verbose=0, **options)
    assert not of_bytes.value.layer.startswith("0 ")


@pytest.mark.parametrize("rows", [1, 3, 16, ROWS])
def test_predict_and_evaluate(rows):
    net = network(cr.Input(INPUTS))
    x = table(0.1)[:rows]
    y = np.arange(rows) % 5
    expected = net.predict(x, input_sparsity="dense")
    loss = net.evaluate(x, y, loss="cross_entropy", metrics=[], input_sparsity="dense")
    for path in ("sparse", "auto"):
        assert np.array_equal(net.predict(x, input_sparsity=path), expected)
        assert net.evaluate(x, y, loss="cross_entropy", metrics=[], input_sparsity=path) == loss
    single = np.concatenate([net.predict(row[None]) for row in x])
    assert np.array_equal(single, expected)


def test_train_on_batch():
    x, y = table(0.1), np.arange(ROWS) % 5
    nets = [network(cr.Normalization()) for _ in range(2)]
    for net, path in zip(nets, ("dense", "sparse"), strict=True):
        net.adapt(x)
        for _ in range(3):
            net.train_on_batch(x, y, loss="cross_entropy", input_sparsity=path)
    assert same(*nets)


def test_data_that_turn_dense():
    x = table(0.02)
    x[:BATCH_SIZE] = 7
    dense = trained(x, cr.SGD(0.1), "dense", 2, shuffle=False)
    assert same(dense, trained(x, cr.SGD(0.1), "sparse", 2, shuffle=False))


def test_layers_that_take_no_lists():
    x, y = table(0.1), np.arange(ROWS) % 5
    nets = []
    for path in ("dense", "sparse"):
        net = cr.Sequential([cr.Dropout(0.2), cr.BatchNormalization(), cr.Dense(5)], seed=1)
        net.fit(x, y, loss="cross_entropy", verbose=0, input_sparsity=path)
        nets.append(net)
    assert same(*nets)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("spars", "unknown input_sparsity 'spars'; did you mean 'sparse'"),
        ("", "valid: auto, dense, sparse"),
        (None, "must be a string, got None"),
        (["auto"], "must be a string"),
    ],
)
def test_unknown_names(wrong, message):
    net = network(cr.Input(INPUTS))
    x, y = table(0.1), np.arange(ROWS) % 5
    for call in (
        lambda: net.fit(x, y, loss="cross_entropy", input_sparsity=wrong),
        lambda: net.train_on_batch(x, y, loss="cross_entropy", input_sparsity=wrong),
        lambda: net.evaluate(x, y, loss="cross_entropy", input_sparsity=wrong),
        lambda: net.predict(x, input_sparsity=wrong),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            call()


def sampled_density(x, batch_size):
    rows = min(16, batch_size)
    return np.mean(x[np.arange(rows) * len(x) // rows] != 0)


@pytest.mark.parametrize("density", [0.0, 0.02, 0.2, 0.4, 0.6, 0.8, 1.0])
def test_the_plan_tells_the_path_and_the_estimates(density):
    x = table(density)
    net = network(cr.Input(INPUTS))
    plan = net.plan(BATCH_SIZE, num_threads=1, x=x)
    assert plan.input.reason == "cheaper"
    assert plan.input.density == pytest.approx(sampled_density(x, BATCH_SIZE))
    sparse = plan.input.sparse_seconds < plan.input.dense_seconds
    assert plan.input.path == ("sparse" if sparse else "dense")
    # Forward and weight gradient, at the machine's rate of multiply-adds.
    rate = plan.input.dense_seconds / (2 * 2 * BATCH_SIZE * INPUTS * 130)
    assert rate == pytest.approx(net.plan(2, 1, x=x).input.dense_seconds / (4 * 2 * INPUTS * 130))
    assert str(plan).splitlines()[-1] == (
        f"{'input':<16}  {plan.input.path}: {100 * plan.input.density:.3g} % of the entries are "
        f"not zero; least us {1e6 * plan.input.sparse_seconds:,.2f} sparse, "
        f"{1e6 * plan.input.dense_seconds:,.2f} dense"
    )
    share = plan.input.density if sparse else 1.0
    assert plan.stages[0].operations == pytest.approx(4 * share * BATCH_SIZE * INPUTS * 130)
    net.fit(x, np.arange(ROWS) % 5, loss="cross_entropy", batch_size=BATCH_SIZE, num_threads=1,
            verbose=0)  # fmt: skip
    assert net.plan(BATCH_SIZE, num_threads=1).input == plan.input
    assert net.plan(BATCH_SIZE - 1, num_threads=1).input is None


def test_more_zeros_cost_less_by_lists_only():
    net = network(cr.Input(INPUTS))
    paths = [net.plan(BATCH_SIZE, 1, x=table(d)).input for d in (0.02, 0.2, 1.0)]
    assert [p.path for p in paths] == ["sparse", "sparse", "dense"]
    costs = [p.sparse_seconds for p in paths]
    assert costs == sorted(set(costs))
    assert len({p.dense_seconds for p in paths}) == 1


def test_the_plan_tells_who_asked():
    x, y = table(0.1), np.arange(ROWS) % 5
    net = network(cr.Input(INPUTS))
    assert net.plan(BATCH_SIZE).input is None
    dense = net.plan(BATCH_SIZE, x=x, input_sparsity="dense")
    assert (dense.input.path, dense.input.reason) == ("dense", "asked")
    assert str(dense).splitlines()[-1].split("  ")[-1].strip() == "dense, as asked for"
    sparse = net.plan(BATCH_SIZE, x=table(1.0), input_sparsity="sparse").input
    assert (sparse.path, sparse.reason) == ("sparse", "asked")
    assert sparse.sparse_seconds > sparse.dense_seconds
    lazy = cr.Adam(lazy=True)
    net.fit(x, y, loss="cross_entropy", optimizer=lazy, batch_size=BATCH_SIZE, verbose=0)
    assert net.plan(BATCH_SIZE).input.path == "sparse"
    first = cr.Sequential([cr.Input(INPUTS), cr.BatchNormalization(), cr.Dense(5)], seed=0)
    assert first.plan(BATCH_SIZE, x=x).input is None
    with pytest.raises(ValueError, match="x has 150 columns; the network expects 3"):
        cr.Sequential([cr.Input(3), cr.Dense(2)]).plan(x=x)
    with pytest.raises(ValueError, match="unknown input_sparsity 'spars'"):
        net.plan(x=x, input_sparsity="spars")


def test_measured_rates_are_taken_for_thousand_millions(monkeypatch):
    monkeypatch.setattr(plan_module._core, "fma_peak", lambda *_: 2.0)
    monkeypatch.setattr(plan_module._core, "copy_rate", lambda *_: 3.0)
    assert plan_module._fma_peak.__wrapped__("float32", 1) == 2e9
    assert plan_module._copy_rate.__wrapped__(100, 1) == 3e9

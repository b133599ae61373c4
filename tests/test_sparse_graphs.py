# SPDX-License-Identifier: Apache-2.0
"""Compressed rows of inputs that several layers read: the bits of tables, and NumPy's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

sparse = pytest.importorskip("scipy.sparse")

ROWS, COLUMNS = 70, 40
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(ROWS, COLUMNS)) * (RNG.random((ROWS, COLUMNS)) < 0.1)
TABLE[3] = 0.0
OTHER = RNG.normal(size=(ROWS, 25)) * (RNG.random((ROWS, 25)) < 0.08)
Y = RNG.normal(size=(ROWS, 2))
FIT: dict[str, Any] = {"loss": "mse", "epochs": 3, "batch_size": 16, "verbose": 0}


def two_readers(dtype: str) -> cr.Network:
    x = cr.Input(COLUMNS, name="x")
    a = cr.Dense(6, activation="tanh", name="a")(x)
    b = cr.Dense(6, activation="sigmoid", name="b")(x)
    return cr.Network(x, cr.Dense(2, name="y")(a * b), seed=1, dtype=dtype)


def two_outputs_of_one_input(dtype: str) -> cr.Network:
    x = cr.Input(COLUMNS, name="x")
    outputs = {"u": cr.Dense(2)(x), "v": cr.Dense(2, activation="tanh")(x)}
    return cr.Network(x, outputs, seed=2, dtype=dtype)


def shared_reader(dtype: str) -> cr.Network:
    x = cr.Input(COLUMNS, name="x")
    tower = cr.Dense(5, activation="tanh", name="tower")
    h = tower(x) + cr.Dense(5)(tower(x))
    return cr.Network(x, cr.Dense(2, name="y")(h), seed=3, dtype=dtype)


def read_by_others_too(dtype: str) -> cr.Network:
    x = cr.Input(COLUMNS, name="x")
    h = cr.Concatenate()([cr.Dense(4, activation="relu")(x), x, cr.Rescaling(0.5)(x)])
    return cr.Network(x, cr.Dense(2, name="y")(h), seed=4, dtype=dtype)


def two_inputs_two_readers(dtype: str) -> cr.Network:
    x, z = cr.Input(COLUMNS, name="x"), cr.Input(25, name="z")
    h = cr.Dense(5, activation="tanh")(x) + cr.Dense(5)(z)
    h = h * cr.Dense(5)(x) - cr.Dense(5)(z)
    return cr.Network([x, z], cr.Dense(2, name="y")(h), seed=5, dtype=dtype)


NETWORKS = [
    two_readers,
    two_outputs_of_one_input,
    shared_reader,
    read_by_others_too,
    two_inputs_two_readers,
]


def rows(net: cr.Network, convert: Any) -> Any:
    tables = {"x": TABLE, "z": OTHER}
    given = {node.name: convert(tables[node.name].astype(net.dtype)) for node in net._graph.inputs}
    return given if len(given) > 1 else given["x"]


def targets(net: cr.Network) -> Any:
    names = net._graph.outputs
    return dict.fromkeys(names, Y) if len(names) > 1 else Y


def trained(make: Any, dtype: str, convert: Any, **options: Any) -> cr.Network:
    net = make(dtype)
    net.fit(rows(net, convert), targets(net), **{**FIT, **options})
    return net


@pytest.mark.parametrize("optimizer", ["adam", cr.SGD(0.05, momentum=0.9), cr.Adam(clip_norm=0.5)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", NETWORKS)
def test_the_same_bits_as_tables(make: Any, dtype: str, optimizer: Any) -> None:
    options = {"optimizer": optimizer}
    table = trained(make, dtype, np.asarray, input_sparsity="dense", **options)
    raw = table.predict(rows(table, np.asarray))
    for convert in (sparse.csr_array, np.asarray):
        for path in ("auto", "sparse", "dense"):
            for threads in (1, 3):
                net = trained(
                    make, dtype, convert, input_sparsity=path, num_threads=threads, **options
                )
                for name, array in table.parameters.items():
                    np.testing.assert_array_equal(array, net.parameters[name], err_msg=name)
                assert net.history == table.history
                given = net.predict(rows(net, convert), input_sparsity=path)
                for name in raw if isinstance(raw, dict) else [None]:
                    one, other = (each if name is None else each[name] for each in (given, raw))
                    np.testing.assert_array_equal(one, other)
                losses = (
                    each.evaluate(rows(each, convert), targets(each)) for each in (net, table)
                )
                assert len({str(each) for each in losses}) == 1


def test_one_step_against_numpy() -> None:
    net = two_readers("float64")
    p = net.parameters
    a = np.tanh(TABLE @ p["a.weight"] + p["a.bias"])
    b = 1 / (1 + np.exp(-(TABLE @ p["b.weight"] + p["b.bias"])))
    dout = 2 * (a * b @ p["y.weight"] + p["y.bias"] - Y) / (ROWS * 2)
    dh = dout @ p["y.weight"].T
    gradients = {
        "y.weight": (a * b).T @ dout,
        "a.weight": TABLE.T @ (dh * b * (1 - a * a)),
        "b.weight": TABLE.T @ (dh * a * b * (1 - b)),
        "b.bias": (dh * a * b * (1 - b)).sum(axis=0),
    }
    x = sparse.csr_array(TABLE)
    net.train_on_batch(x, Y, loss="mse", optimizer=cr.SGD(0.1))
    for name, gradient in gradients.items():
        moved = p[name] - 0.1 * gradient
        np.testing.assert_allclose(net.parameters[name], moved, rtol=1e-11, atol=1e-14)
    # Weights of columns that have no number in the batch stay as they were.
    unread = ~TABLE.any(axis=0)
    assert (net.parameters["a.weight"][unread] == p["a.weight"][unread]).all()


@pytest.mark.parametrize("kind", ["uint8", "float64", "scaled"])
def test_other_numbers_and_a_scale_before_the_readers(kind: str) -> None:
    x = cr.Input(COLUMNS, name="x")
    h = cr.Rescaling(1 / 7)(x) if kind == "scaled" else x
    y = cr.Dense(5, activation="tanh")(h) + cr.Dense(5)(h)
    nets = [cr.Network(x, cr.Dense(2)(y), seed=1) for _ in range(2)]
    table = (10 * np.abs(TABLE)).astype("float64" if kind == "scaled" else kind)
    for net, rows in zip(nets, (table, sparse.csr_array(table)), strict=True):
        net.fit(rows, Y, **FIT)
    for name, array in nets[0].parameters.items():
        np.testing.assert_array_equal(array, nets[1].parameters[name], err_msg=name)
    np.testing.assert_array_equal(nets[0].predict(table), nets[1].predict(sparse.csr_array(table)))


def test_what_cannot_be_is_refused() -> None:
    lazy = {"optimizer": cr.Adam(lazy=True)}
    with pytest.raises(
        ValueError, match=r"lazy=True needs a dense layer first, .* here no layer alone reads x"
    ):
        trained(two_readers, "float32", np.asarray, **lazy)
    x = cr.Input(COLUMNS, name="x")
    h = cr.Rescaling(0.5, 1.0)(x)
    net = cr.Network(x, cr.Dense(2)(cr.Dense(5)(h) + cr.Dense(5)(h)), seed=0)
    with pytest.raises(ValueError, match="sparse x cannot be shifted, which would fill it"):
        net.fit(sparse.csr_array(TABLE), Y, **FIT)


@pytest.mark.parametrize("make", NETWORKS)
def test_what_is_not_finite_is_named(make: Any) -> None:
    net = make("float32")
    bad = TABLE.copy()
    bad[5, 7] = np.nan
    x = rows(net, sparse.csr_array)
    if isinstance(x, dict):
        x["x"] = sparse.csr_array(bad)
    else:
        x = sparse.csr_array(bad)
    called = r"x\['x'\]" if isinstance(x, dict) else "x"
    with pytest.raises(ValueError, match=rf"{called} must be finite; row 5, column 7 is NaN"):
        net.fit(x, targets(net), **FIT)

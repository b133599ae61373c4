# SPDX-License-Identifier: Apache-2.0
"""Embedded categories beside numbers, against PyTorch and NumPy in float64."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from step_cases import OPTIMIZERS

import chainrule as cr

ROWS, CLASSES, UNITS = 203, 3, 5
COLUMNS = (3, 0)
SIZES = (40, 7)  # of columns 3 and 0; columns 1, 2 and 4 hold numbers
OTHERS = (1, 2, 4)


def rows(dtype: str = "float64") -> NDArray[Any]:
    rng = np.random.default_rng(6)
    x = rng.integers(-3, 9, (ROWS, 5)) / (1 if np.dtype(dtype).kind == "i" else 4)
    for column, size in zip(COLUMNS, SIZES, strict=True):
        x[:, column] = rng.integers(0, size // 2, ROWS) * rng.integers(0, 2, ROWS)
    return x.astype(dtype)


def labels() -> NDArray[np.int64]:
    return np.arange(ROWS) % CLASSES


def network(dtype: str = "float64", *, shared: bool = False) -> cr.Sequential:
    layers = [
        cr.Input(5),
        cr.Embedding(40 if shared else SIZES, UNITS, columns=COLUMNS),
        cr.Dense(70, activation="tanh"),
        cr.Dense(CLASSES),
    ]
    return cr.Sequential(layers, seed=1, dtype=dtype)


def offsets(shared: bool) -> NDArray[np.int64]:
    return np.array([0, 0 if shared else SIZES[0]])


def embedded(weight: NDArray[Any], x: NDArray[Any], shared: bool) -> NDArray[Any]:
    parts = [weight[x[:, c].astype(int) + o] for c, o in zip(COLUMNS, offsets(shared), strict=True)]
    return np.hstack([*parts, x[:, OTHERS]])


def fit(net: cr.Sequential, x: Any, optimizer: Any, **options: Any) -> cr.Sequential:
    net.fit(
        x, labels(), loss="cross_entropy", optimizer=optimizer, epochs=3, batch_size=32, verbose=0,
        **options,
    )  # fmt: skip
    return net


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_the_tables_then_the_numbers(dtype: str, shared: bool) -> None:
    whole = network(dtype, shared=shared)
    net = cr.Sequential(whole.layers[:1], seed=1, dtype=dtype)
    y = net.predict(rows())
    assert y.dtype == dtype
    weight = net.parameters["0.weight"]
    np.testing.assert_array_equal(y, embedded(weight, rows(), shared).astype(dtype))
    dy = np.random.default_rng(0).normal(size=y.shape).astype(dtype)
    np.testing.assert_array_equal(net.forward(rows()), y)
    dx = net.backward(dy)
    np.testing.assert_array_equal(dx[:, COLUMNS], 0)
    np.testing.assert_array_equal(dx[:, OTHERS], dy[:, 2 * UNITS :])
    expected = np.zeros_like(weight)
    for row, slopes in zip(rows(), dy, strict=True):
        for k, (column, first) in enumerate(zip(COLUMNS, offsets(shared), strict=True)):
            expected[int(row[column]) + first] += slopes[k * UNITS : (k + 1) * UNITS]
    np.testing.assert_array_equal(net.gradients["0.weight"], expected)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_has_the_bits_of_steps_by_hand(name: str, shared: bool) -> None:
    trained = [
        fit(network(shared=shared), rows(), OPTIMIZERS[name], shuffle=False, num_threads=threads)
        for threads in (1, 3)
    ]
    assert same(trained[0].get_weights(), trained[1].get_weights())
    net, loss = network(shared=shared), cr.losses.CrossEntropy()
    for _ in range(3):
        for start in range(0, ROWS, 32):
            part = slice(start, start + 32)
            net.backward(loss.gradient(net.forward(rows()[part]), labels()[part]))
            OPTIMIZERS[name].step(net)
    assert same(net.get_weights(), trained[0].get_weights())


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adam", "adam-amsgrad", "adamw", "rmsprop"])
def test_pytorch_trains_the_same(name: str) -> None:
    torch = pytest.importorskip("torch")
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01),
        "adam-amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.5), amsgrad=True),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    }[name]
    net = network()
    table, *rest = (torch.from_numpy(array).requires_grad_() for array in net.get_weights())
    optimizer = make([table, *rest])
    x = torch.from_numpy(rows())
    categories = (x[:, COLUMNS] + torch.from_numpy(offsets(False))).long()
    for _ in range(3):
        for part in torch.arange(ROWS).split(32):
            optimizer.zero_grad()
            looked_up = torch.nn.functional.embedding(categories[part], table).flatten(1)
            first = torch.cat([looked_up, x[part][:, OTHERS]], dim=1)
            hidden = torch.tanh(first @ rest[0] + rest[1])
            outputs = hidden @ rest[2] + rest[3]
            torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels())[part]).backward()
            optimizer.step()
    fit(net, rows(), OPTIMIZERS[name], shuffle=False)
    for ours, theirs in zip(net.get_weights(), [table, *rest], strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-8, atol=1e-11)


def test_a_lazy_adam_is_sparse_adam() -> None:
    torch = pytest.importorskip("torch")
    net = network()
    table, *rest = (torch.from_numpy(array).requires_grad_() for array in net.get_weights())
    # SparseAdam adds epsilon before it corrects the bias, where Adam does after: next to nothing.
    tiny = {"lr": 0.01, "eps": 1e-30}
    optimizers = [torch.optim.SparseAdam([table], **tiny), torch.optim.Adam(rest, **tiny)]
    x = torch.from_numpy(rows())
    categories = (x[:, COLUMNS] + torch.from_numpy(offsets(False))).long()
    for _ in range(3):
        for part in torch.arange(ROWS).split(32):
            for optimizer in optimizers:
                optimizer.zero_grad()
            looked_up = torch.nn.functional.embedding(categories[part], table, sparse=True)
            first = torch.cat([looked_up.flatten(1), x[part][:, OTHERS]], dim=1)
            outputs = torch.tanh(first @ rest[0] + rest[1]) @ rest[2] + rest[3]
            torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels())[part]).backward()
            for optimizer in optimizers:
                optimizer.step()
    fit(net, rows(), cr.Adam(0.01, epsilon=1e-30, lazy=True), shuffle=False)
    for ours, theirs in zip(net.get_weights(), [table, *rest], strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("shared", [False, True])
def test_gradients_are_differences(shared: bool) -> None:
    net = network(shared=shared)
    report = cr.gradient_check(net, rows()[:9], labels()[:9], "cross_entropy", max_entries=80)
    assert report.max_relative_error < 1e-7
    assert {entry.index[1] for entry in report.worst if entry.name == "x"} <= set(OTHERS)
    assert report.relative_errors.keys() >= {"x", "0.weight"}


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64"])
def test_numbers_of_every_type(dtype: str) -> None:
    net = network()
    x = rows("int32")
    np.testing.assert_array_equal(net.predict(x.astype(dtype)), net.predict(x))
    np.testing.assert_array_equal(net.predict(np.asfortranarray(x, dtype=dtype)), net.predict(x))


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (3, 40, "whole numbers from 0 to 39; row 17, column 3 is 40"),
        (0, -1, "whole numbers from 0 to 6; row 17, column 0 is -1"),
        (0, 0.25, "whole numbers from 0 to 6; row 17, column 0 is 0.25"),
        (3, np.nan, "whole numbers from 0 to 39; row 17, column 3 is NaN"),
        (1, np.inf, "x must be finite; row 17, column 1 is infinite"),
    ],
)
def test_bad_rows_are_refused_before_anything_changes(column: int, value: float, text: str) -> None:
    x = rows()
    x[17, column] = value
    net = network()
    before = copy.deepcopy(net)
    calls: list[Any] = [
        lambda: fit(net, x, "adam"),
        lambda: fit(net, rows(), "adam", validation_data=(x, labels())),
        lambda: net.predict(x),
        lambda: net.forward(x),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(text)):
            call()
    assert same(net.get_weights(), before.get_weights())
    assert net.optimizer is None


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: cr.Embedding(0, 2), ValueError, "num_embeddings must be >= 1, got 0"),
        (lambda: cr.Embedding(3, 0), ValueError, "units must be >= 1, got 0"),
        (lambda: cr.Embedding(None, 2), TypeError, "num_embeddings must not be None"),
        (lambda: cr.Embedding((), 2), ValueError, "num_embeddings is missing"),
        (lambda: cr.Embedding(3, 2, columns=-1), ValueError, "columns must be >= 0, got -1"),
        (lambda: cr.Embedding(3, 2, columns=(0.5,)), ValueError, "columns[0] must be an integer"),
        (
            lambda: cr.Sequential([cr.Input(3), cr.Embedding(3, 2, columns=(0, 3))]),
            ValueError,
            "columns must be below the 3 columns of x, got 3",
        ),
        (
            lambda: cr.Sequential([cr.Input(3), cr.Embedding((3, 4), 2)]),
            ValueError,
            "num_embeddings has 2 numbers for 3 columns",
        ),
        (
            lambda: cr.Sequential([cr.Input(3), cr.Dense(2), cr.Embedding(3, 2)]),
            ValueError,
            "layer 1 (embedding) reads categories from x and must be the first layer",
        ),
    ],
)
def test_bad_options(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_others_read_the_positions_of_an_input_of_categories() -> None:
    x = cr.Input((2, 2))
    h = cr.Flatten()(cr.Dense(3)(x))
    outputs = cr.Concatenate()([cr.Embedding(3, 2)(x), h, cr.CategoryEncoding(3)(x)])
    net = cr.Network(inputs=x, outputs=outputs, seed=0, dtype="float64")
    codes = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 0], [2, 2]]])
    rows, p = codes.reshape(3, 4), net.parameters
    dense = (codes @ p["dense.weight"] + p["dense.bias"]).reshape(3, -1)
    embedded = p["embedding.weight"][rows].reshape(3, -1)
    expected = np.hstack([embedded, dense, np.eye(3)[rows].reshape(3, -1)])
    np.testing.assert_allclose(net.predict(codes), expected, rtol=1e-12)
    np.testing.assert_allclose(net.forward(codes), expected, rtol=1e-12)


@pytest.mark.parametrize("layer", [cr.Embedding(3, 2), cr.CategoryEncoding(3)])
def test_categories_of_an_input_with_positions(layer: cr.layers.Layer) -> None:
    codes = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 0], [2, 2]]])
    shaped, flat = cr.Input((2, 2)), cr.Input(4)
    nets = [
        cr.Network(inputs=x, outputs=cr.Dense(2)(copy.copy(layer)(x)), seed=0)
        for x in (shaped, flat)
    ]
    y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for net, x in zip(nets, (codes, codes.reshape(3, 4)), strict=True):
        net.fit(x, y, loss="mse", optimizer="sgd", epochs=2, verbose=0)
    assert np.array_equal(nets[0].predict(codes), nets[1].predict(codes.reshape(3, 4)))
    assert len(np.unique(nets[0].predict(codes))) == 6


def test_the_description() -> None:
    layer = cr.Embedding((40, 7), 5, columns=np.array([3, 0]))  # type: ignore[arg-type]
    assert (layer.num_embeddings, layer.units, layer.columns) == ((40, 7), 5, (3, 0))
    assert layer.weight_initializer == cr.initializers.Uniform(-0.05, 0.05)
    assert repr(layer) == "Embedding((40, 7), 5, columns=(3, 0))"
    assert cr.Embedding(40, 5).columns is None
    assert cr.Embedding(40, 5, columns=2).columns == (2,)
    assert layer.outputs(5) == 13
    assert layer.categories(5) == [7, 0, 0, 40, 0]
    assert copy.deepcopy(layer) == layer


def test_files_keep_it(tmp_path: Any) -> None:
    net = fit(network("float32"), rows(), "adam")
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(rows()), net.predict(rows()))
    for each in (again, net):
        fit(each, rows(), "adam")
    assert same(again.get_weights(), net.get_weights())


@pytest.mark.parametrize("columns", [(3, 0), None])
@pytest.mark.parametrize("sizes", [30, (30, 7)])
@pytest.mark.parametrize("input_dtype", ["float32", "uint8"])
def test_onnxruntime_predicts_the_same(
    tmp_path: Any, input_dtype: str, sizes: Any, columns: Any
) -> None:
    pytest.importorskip("onnxruntime", reason="it is compared with")
    inputs = 2 if columns is None else 5
    layers = [cr.Input(inputs), cr.Embedding(sizes, 4, columns=columns), cr.Dense(3, "tanh")]
    net = cr.Sequential(layers, seed=2)
    report = cr.to_onnx(net, tmp_path / "net.onnx", input_dtype=input_dtype)
    assert report.max_relative_difference is not None
    assert report.max_relative_difference < 1e-6


def test_the_plan() -> None:
    net = network()
    first = net.plan(batch_size=64, num_threads=1).stages[0]
    assert (first.name, first.threads_own) == ("embedding 5 -> 13", "rows")

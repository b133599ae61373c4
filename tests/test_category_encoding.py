# SPDX-License-Identifier: Apache-2.0
"""Encoded categories: the bits of the encoded table, from the integers alone."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr

ROWS, CLASSES = 203, 3
SIZES = (4, 60, 2, 500)
MODES = ("one_hot", "multi_hot", "count")


def categories(mode: str = "one_hot", dtype: str = "int32") -> NDArray[Any]:
    rng = np.random.default_rng(4)
    sizes = SIZES if mode == "one_hot" else (5, 5, 60, 60)
    return np.column_stack([rng.integers(0, size, ROWS) for size in sizes]).astype(dtype)


def encoding(mode: str = "one_hot") -> cr.CategoryEncoding:
    return cr.CategoryEncoding(SIZES if mode == "one_hot" else 60, mode)


def table(mode: str = "one_hot") -> NDArray[np.float32]:
    x = categories(mode)
    if mode == "one_hot":
        blocks = [np.eye(size)[column] for size, column in zip(SIZES, x.T, strict=True)]
        return np.hstack(blocks).astype(np.float32)
    counts = np.array([np.bincount(row, minlength=60) for row in x])
    return (counts if mode == "count" else counts > 0).astype(np.float32)


def labels() -> NDArray[np.int64]:
    return np.arange(ROWS) % CLASSES


def network(*front: cr.layers.Layer, dtype: str = "float32") -> cr.Sequential:
    layers = [*front, cr.Dense(70, activation="relu"), cr.Dense(CLASSES)]
    return cr.Sequential(layers, seed=1, dtype=dtype)


def trained(net: cr.Sequential, x: Any, optimizer: Any = "adam", **options: Any) -> list[Any]:
    net.fit(
        x,
        labels(),
        loss="cross_entropy",
        optimizer=optimizer,
        epochs=3,
        batch_size=32,
        validation_split=0.1,
        verbose=0,
        **options,
    )
    return [*net.get_weights(), net.predict(x), np.array(list(net.evaluate(x, labels()).values()))]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


OPTIMIZERS = [
    cr.SGD(0.1),
    cr.SGD(0.1, momentum=0.9, weight_decay=1e-3),
    cr.AdaGrad(0.05),
    cr.RMSprop(1e-3),
    cr.Adam(1e-3),
    cr.AdamW(1e-3, clip_norm=0.5),
    cr.Adadelta(),
    cr.Lion(1e-3),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: repr(o)[:24])
def test_training_gives_the_bits_of_the_table(optimizer: Any) -> None:
    expected = trained(network(), table(), optimizer, input_sparsity="dense")
    assert same(trained(network(encoding()), categories(), optimizer, num_threads=1), expected)
    assert same(trained(network(encoding()), categories(), optimizer, num_threads=3), expected)


@pytest.mark.parametrize("optimizer", [cr.Adam(1e-3, lazy=True), cr.SGD(0.1, lazy=True)], ids=repr)
def test_lazy_optimizers_leave_the_same_weights_alone(optimizer: Any) -> None:
    expected = trained(network(), table(), optimizer)
    assert same(trained(network(encoding()), categories(), optimizer, num_threads=3), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_mode_and_precision(mode: str, dtype: str) -> None:
    expected = trained(network(dtype=dtype), table(mode))
    assert same(trained(network(encoding(mode), dtype=dtype), categories(mode)), expected)


def test_training_gives_the_bits_of_compressed_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="these are its matrices")
    expected = trained(network(), sparse.csr_array(table()))
    assert same(trained(network(encoding()), categories()), expected)


@pytest.mark.parametrize(
    "dtype",
    ["int16", "uint16", "int32", ">i4", "uint32", "int64", ">i8", "uint64", "float32", "float64"],
)
def test_numbers_of_every_type_are_categories(dtype: str) -> None:
    net = network(encoding())
    expected = net.predict(categories())
    x = categories(dtype=dtype)
    np.testing.assert_array_equal(net.predict(x), expected)
    np.testing.assert_array_equal(net.predict(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(net.predict(x[::2]), expected[::2])
    np.testing.assert_array_equal(net.predict(x[5]), expected[5:6])
    np.testing.assert_array_equal(net.predict(x.tolist()), expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
def test_small_types_are_categories(dtype: str) -> None:
    x = (categories() % 2).astype(dtype)
    net = cr.Sequential([cr.CategoryEncoding(2)])
    np.testing.assert_array_equal(net.predict(x)[:, 1::2], x)
    np.testing.assert_array_equal(net.predict(x)[:, ::2], 1 - x)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
def test_integers_that_single_precision_lacks(dtype: str) -> None:
    net = cr.Sequential([cr.CategoryEncoding(2**24 + 2)])
    assert net.predict(np.array([[2**24 + 1]], dtype)).argmax() == 2**24 + 1


@pytest.mark.parametrize("mode", MODES)
def test_other_layers_get_the_whole_table(mode: str) -> None:
    alone = cr.Sequential([encoding(mode)])
    np.testing.assert_array_equal(alone.predict(categories(mode)), table(mode))
    normalized = trained(network(encoding(mode), cr.BatchNormalization()), categories(mode))
    assert same(normalized, trained(network(cr.BatchNormalization()), table(mode)))


def test_one_hot_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x = categories(dtype="int64")
    blocks = [
        torch.nn.functional.one_hot(column, size)
        for size, column in zip(SIZES, torch.from_numpy(x).T, strict=True)
    ]
    expected = torch.cat(blocks, dim=1).numpy()
    np.testing.assert_array_equal(cr.Sequential([encoding()]).predict(x), expected)


def test_an_embedding_bag_of_pytorch_trains_the_same() -> None:
    torch = pytest.importorskip("torch")
    net = network(encoding(), dtype="float64")
    net.build(len(SIZES))
    weight, bias, *rest = (torch.from_numpy(array) for array in net.get_weights())
    bag = torch.nn.EmbeddingBag.from_pretrained(weight.clone(), freeze=False, mode="sum")
    leaves = [bag.weight, *(array.clone().requires_grad_() for array in (bias, *rest))]
    optimizer = torch.optim.Adam(leaves, lr=1e-2)
    x = categories(dtype="int64")
    offsets = np.cumsum([0, *SIZES[:-1]])
    for start in range(0, ROWS, 32):
        part = slice(start, start + 32)
        optimizer.zero_grad()
        hidden = torch.relu(bag(torch.from_numpy(x[part] + offsets)) + leaves[1])
        outputs = hidden @ leaves[2] + leaves[3]
        torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels()[part])).backward()
        optimizer.step()
    net.fit(
        x, labels(), loss="cross_entropy", optimizer=cr.Adam(1e-2), batch_size=32, shuffle=False,
        verbose=0,
    )  # fmt: skip
    for ours, theirs in zip(net.get_weights(), leaves, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_gradients_by_hand_and_by_differences() -> None:
    net = network(encoding(), dtype="float64")
    outputs = net.forward(categories())
    dy = cr.losses.CrossEntropy().gradient(outputs, labels())
    np.testing.assert_array_equal(net.backward(dy), np.zeros((ROWS, len(SIZES))))
    whole = network(dtype="float64")
    np.testing.assert_array_equal(whole.forward(table()), outputs)
    whole.backward(dy)
    gradients = zip(net.gradients.values(), whole.gradients.values(), strict=True)
    assert all(np.array_equal(ours, theirs) for ours, theirs in gradients)
    smooth = cr.Sequential([encoding(), cr.Dense(5, activation="tanh"), cr.Dense(CLASSES)], seed=0)
    report = cr.gradient_check(
        smooth, categories()[:9], labels()[:9], "cross_entropy", max_entries=60
    )
    assert report.max_relative_error < 1e-7
    assert "x" not in report.relative_errors


def test_many_categories_need_no_table() -> None:
    # As a table they would take 12 GB, and one batch of it 3 GB.
    x = np.random.default_rng(0).integers(0, 500_000, (2000, 3))
    net = cr.Sequential([cr.CategoryEncoding(500_000), cr.Dense(1)], seed=0)
    y = (x[:, 0] < 100_000).astype(np.float64)
    history = net.fit(
        x, y, loss="binary_cross_entropy", optimizer=cr.AdaGrad(0.5), epochs=3, batch_size=500,
        verbose=0,
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]


BAD = [
    (-1, "int32", "-1"),
    (60, "int64", "60"),
    (2**62, "int64", str(2**62)),
    (2**63, "uint64", "9.223372037e+18"),
    (0.5, "float32", "0.5"),
    (60.0, "float64", "60"),
    (np.nan, "float64", "NaN"),
    (-np.inf, "float32", "-inf"),
]


@pytest.mark.parametrize(("value", "dtype", "text"), BAD)
def test_what_is_no_category_is_refused_before_anything_changes(
    value: Any, dtype: str, text: str
) -> None:
    x = categories(dtype=dtype)
    x[17, 1] = value
    good = categories()
    net = network(encoding())
    expected = re.escape(f"whole numbers from 0 to 59; row 17, column 1 is {text}")
    calls: list[Any] = [
        lambda: net.fit(x, labels(), loss="cross_entropy", verbose=0),
        lambda: net.fit(good, labels(), loss="cross_entropy", validation_data=(x, labels())),
        lambda: net.train_on_batch(x, labels(), loss="cross_entropy"),
        lambda: net.evaluate(x, labels(), loss="cross_entropy"),
        lambda: net.predict(x),
        lambda: net.predict(x, num_threads=1),
        lambda: net.forward(x),
        lambda: cr.gradient_check(net, x, labels(), "cross_entropy"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=expected):
            call()
        assert not net.built
    net.build(len(SIZES))
    before = copy.deepcopy(net)
    for call in calls:
        with pytest.raises(ValueError, match=expected):
            call()
    assert same(net.get_weights(), before.get_weights())
    assert net.optimizer is None


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: cr.CategoryEncoding(0), ValueError, "num_tokens must be >= 1, got 0"),
        (lambda: cr.CategoryEncoding((3, 0)), ValueError, "num_tokens[1] must be >= 1, got 0"),
        (lambda: cr.CategoryEncoding(2.5), ValueError, "num_tokens must be an integer or a list"),
        (lambda: cr.CategoryEncoding((3, 2.5)), ValueError, "num_tokens[1] must be an integer"),
        (lambda: cr.CategoryEncoding(()), ValueError, "num_tokens is missing"),
        (lambda: cr.CategoryEncoding(None), TypeError, "num_tokens must not be None"),
        (lambda: cr.CategoryEncoding(3, "onehot"), ValueError, "did you mean 'one_hot'?"),
        (
            lambda: cr.CategoryEncoding((3, 4), "count"),
            ValueError,
            "num_tokens must be a single number with output_mode 'count'",
        ),
        (lambda: cr.CategoryEncoding(2**30).outputs(2), ValueError, "at most 2147483646"),
        (
            lambda: cr.Sequential([cr.Input(3), cr.CategoryEncoding((3, 4))]),
            ValueError,
            "num_tokens has 2 numbers for 3 columns",
        ),
        (
            lambda: cr.Sequential([cr.Input(3), cr.Rescaling(2.0), cr.CategoryEncoding(3)]),
            ValueError,
            "layer 1 (category_encoding) reads categories from x and must be the first layer",
        ),
    ],
)
def test_bad_options(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_the_description() -> None:
    layer = cr.CategoryEncoding(np.array([3, 8]))  # type: ignore[arg-type]
    assert (layer.num_tokens, layer.output_mode) == ((3, 8), "one_hot")
    assert repr(layer) == "CategoryEncoding((3, 8))"
    assert repr(cr.CategoryEncoding(7, "count")) == "CategoryEncoding(7, output_mode='count')"
    assert cr.CategoryEncoding((7,)) == cr.CategoryEncoding(7)
    assert copy.deepcopy(layer) == layer
    assert layer.outputs(2) == 11
    assert layer.categories(2) == [3, 8]
    assert cr.CategoryEncoding(7, "multi_hot").outputs(3) == 7


def test_sparse_matrices_hold_no_categories() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="these are its matrices")
    with pytest.raises(ValueError, match="sparse x holds no categories"):
        network(encoding()).predict(sparse.csr_array(categories().astype(float)))


def test_files_and_tables_of_the_network(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    net = network(encoding())
    before = trained(net, categories())
    net.save(tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    assert cr.network.model_file.description(content)["format_version"] == 2
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    assert same(again.get_weights(), before[:4])
    np.testing.assert_array_equal(again.predict(categories()), before[4])
    net.summary()
    first = capsys.readouterr().out.splitlines()[3]
    assert first.split() == ["CategoryEncoding((4,", "60,", "2,", "500))", "566", "0"]
    encoded, dense = net.plan(batch_size=64, num_threads=1).stages[:2]
    assert (encoded.name, encoded.threads_own) == ("category_encoding 4 -> 566", "fused")
    assert dense.operations == pytest.approx(4 * 64 * 4 * 70)
    path = net.plan(batch_size=64, num_threads=1, x=categories()).input
    assert path is not None
    assert (path.path, path.reason, path.density) == ("sparse", "categories", 4 / 566)
    assert str(path).startswith("sparse, encoded: 0.707 % of the entries")


def test_scikit_learn_cannot_hold_it() -> None:
    pytest.importorskip("sklearn", reason="to_sklearn needs it")
    net = network(encoding())
    net.build(len(SIZES))
    with pytest.raises(ValueError, match=re.escape("CategoryEncoding((4, 60, 2, 500)) is none")):
        cr.to_sklearn(net)

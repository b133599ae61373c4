# SPDX-License-Identifier: Apache-2.0
"""Raw tables through networks: numbers and categories, unknown and missing ones among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_c import each_compiler, load, needs_compiler, outputs, self_test
from model_bytes import to_bytes
from numpy.typing import NDArray

import chainrule as cr

ROWS, COLUMNS = 120, 6
# Columns 0, 3 and 5 are numbers; how many categories the others have.
COUNTS = {1: 4, 2: 2, 4: 30}
HELD = tuple(COUNTS)
SEEN = ("error", "zero", "code")


def table(unknown: str = "code", missing: str = "code", seed: int = 3) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, COLUMNS))
    for column, count in COUNTS.items():
        x[:, column] = rng.integers(0, count, ROWS)
        if unknown != "error":
            x[rng.random(ROWS) < 0.2, column] = rng.choice([-1, count, count + 7, 1000])
        if missing != "error":
            x[rng.random(ROWS) < 0.2, column] = np.nan
    return x


def encoded(
    x: NDArray[np.float64], unknown: str, missing: str, sign: bool = False, mode: str = "one_hot"
) -> NDArray[np.float64]:
    """The outputs, written plainly."""
    rows = []
    size = max(COUNTS.values())
    for row in x:
        values: list[float] = []
        shared = np.zeros(size + (unknown == "code") + (missing == "code"))
        blocks = []
        for column, number in enumerate(row):
            count = COUNTS.get(column)
            if count is None:
                blocks.append([number])
                continue
            count = size if mode != "one_hot" else count
            known = count > number >= 0
            signed = sign and count == 2
            block = [0.0] * ((1 if signed else count) + (unknown == "code") + (missing == "code"))
            if signed and known:
                block[0] = 2 * number - 1
            elif known:
                block[int(number)] = 1
            elif np.isnan(number) and missing == "code":
                block[-1] = 1
            elif not np.isnan(number) and unknown == "code":
                block[-2 if missing == "code" else -1] = 1
            if mode == "one_hot":
                blocks.append(block)
            else:
                shared += block
                blocks.append([])
        if mode != "one_hot":
            blocks[min(HELD)] = list(np.minimum(shared, 1) if mode == "multi_hot" else shared)
        for each in blocks:
            values += each
        rows.append(values)
    return np.array(rows)


def encoding(unknown: str, missing: str, mode: str = "one_hot", **options: Any) -> Any:
    counts = tuple(COUNTS.values()) if mode == "one_hot" else max(COUNTS.values())
    return cr.CategoryEncoding(
        counts, mode, columns=HELD, unknown=unknown, missing=missing, **options
    )


@pytest.mark.parametrize("missing", SEEN)
@pytest.mark.parametrize("unknown", SEEN)
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_encodings_are_those_of_numpy(mode: str, unknown: str, missing: str) -> None:
    x = table(unknown, missing)
    net = cr.Sequential([cr.Input(COLUMNS), encoding(unknown, missing, mode)], dtype="float64")
    expected = encoded(x, unknown, missing, mode=mode)
    np.testing.assert_array_equal(net.predict(x), expected)
    np.testing.assert_array_equal(net.predict(x[7]), expected[7:8])
    np.testing.assert_array_equal(net.forward(x), expected)


@pytest.mark.parametrize("missing", SEEN)
@pytest.mark.parametrize("unknown", SEEN)
def test_two_categories_as_signs(unknown: str, missing: str) -> None:
    x = table(unknown, missing)
    layer = encoding(unknown, missing, binary_as_sign=True)
    net = cr.Sequential([cr.Input(COLUMNS), layer], dtype="float64")
    np.testing.assert_array_equal(net.predict(x), encoded(x, unknown, missing, sign=True))


def test_columns_keep_their_numbers_of_tokens_in_any_order() -> None:
    x = table()
    order = (4, 1, 2)
    layer = cr.CategoryEncoding(
        [COUNTS[c] for c in order], columns=order, unknown="code", missing="code"
    )
    net = cr.Sequential([cr.Input(COLUMNS), layer], dtype="float64")
    np.testing.assert_array_equal(net.predict(x), encoded(x, "code", "code"))


def test_lists_for_a_dense_layer_give_the_bits_of_the_table() -> None:
    """A table of categories alone, whose unseen ones have places too."""
    x = table()[:, HELD]
    layer = cr.CategoryEncoding(
        tuple(COUNTS.values()), unknown="zero", missing="code", binary_as_sign=True
    )
    front = cr.Sequential([cr.Input(len(HELD)), layer])
    y = np.arange(ROWS) % 3
    expected, found = [], []
    for rows, layers, kept in ((front.predict(x), [], expected), (x, [layer], found)):
        net = cr.Sequential([*layers, cr.Dense(20, "relu"), cr.Dense(3)], seed=1)
        net.fit(rows, y, loss="cross_entropy", epochs=3, batch_size=32, verbose=0, num_threads=2)
        kept += [*net.get_weights(), net.predict(rows)]
        if layers:
            assert "encoded" in str(net.plan(batch_size=32))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("missing", SEEN)
@pytest.mark.parametrize("unknown", SEEN)
@pytest.mark.parametrize("shared", [False, True])
def test_embeddings_of_unseen_categories(unknown: str, missing: str, shared: bool) -> None:
    x = table(unknown, missing)
    counts = [30] * 3 if shared else [*COUNTS.values()]
    if shared and unknown != "error":
        x[:, 1:3] = np.where((x[:, 1:3] >= 4), 40, x[:, 1:3])
    layer = cr.Embedding(
        30 if shared else counts, 2, columns=HELD, unknown=unknown, missing=missing
    )
    net = cr.Sequential([cr.Input(COLUMNS), layer], seed=2, dtype="float64")
    weight = net.parameters["0.weight"]
    extra = (unknown == "code") + (missing == "code")
    assert len(weight) == (30 + extra if shared else sum(counts) + 3 * extra)
    parts, first = [], 0
    for column, count in zip(HELD, counts, strict=True):
        rows = []
        for number in x[:, column]:
            if 0 <= number < count:
                rows.append(weight[first + int(number)])
            elif np.isnan(number) and missing == "code":
                rows.append(weight[first + count + (unknown == "code")])
            elif not np.isnan(number) and unknown == "code":
                rows.append(weight[first + count])
            else:
                rows.append(np.zeros(2))
        parts.append(rows)
        first += 0 if shared else count + extra
    others = [c for c in range(COLUMNS) if c not in COUNTS]
    expected = np.hstack([*parts, x[:, others]])
    np.testing.assert_array_equal(net.predict(x), expected)
    np.testing.assert_array_equal(net.forward(x), expected)


def mixed(dtype: str = "float32") -> Any:
    """Raw rows with gaps everywhere: encoded, scaled, with indicators."""
    layers = [
        cr.Input(COLUMNS),
        encoding("zero", "code", binary_as_sign=True),
        cr.Normalization("robust", clip=3.0, missing="indicator"),
        cr.Dense(16, "tanh"),
        cr.Dense(2),
    ]
    return cr.Sequential(layers, seed=0, dtype=dtype)


def gaps(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = x.copy()
    rng = np.random.default_rng(8)
    for column in (0, 3, 5):
        x[rng.random(len(x)) < 0.1, column] = np.nan
    return x


def fitted(dtype: str = "float32", **options: Any) -> Any:
    x = gaps(table())
    y = np.column_stack([np.nan_to_num(x[:, 0]), np.nan_to_num(x[:, 4]) % 3])
    net = mixed(dtype)
    net.fit(x, y, loss="mse", epochs=3, batch_size=32, verbose=0, **options)
    return net


def test_a_raw_table_trains_to_the_same_bits_on_any_number_of_threads() -> None:
    expected = fitted(num_threads=1)
    for threads in (2, 3):
        again = fitted(num_threads=threads)
        for a, b in zip(again.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_chain_is_that_of_numpy() -> None:
    x = gaps(table())
    net = mixed("float64")
    net.adapt(x)
    codes = encoded(x, "zero", "code", sign=True)
    center = np.nanmedian(codes, axis=0)
    low, high = np.nanquantile(codes, [0.25, 0.75], axis=0)
    scale = np.where(high > low, high - low, (np.nanmax(codes, 0) - np.nanmin(codes, 0)) / 2)
    z = np.divide(codes - center, scale, out=np.zeros_like(codes), where=scale > 0)
    z = np.where(np.isnan(codes), 0, z)
    h = np.hstack([z / np.sqrt(1 + (z / 3) ** 2), np.isnan(codes)])
    w1, b1, w2, b2 = net.get_weights()[-4:]
    np.testing.assert_allclose(net.predict(x), np.tanh(h @ w1 + b1) @ w2 + b2, rtol=1e-12)


def both_readers(dtype: str = "float32") -> Any:
    x = cr.Input(3)
    a = cr.CategoryEncoding((4, 3), columns=(0, 1))(x)
    b = cr.Embedding((4, 4), 2, columns=(0, 2), unknown="zero")(x)
    h = cr.Concatenate()([a, b, cr.Rescaling(0.5)(x)])
    return cr.Network(inputs=x, outputs=cr.Dense(2)(h), seed=0, dtype=dtype)


def test_several_layers_read_the_categories_of_one_input() -> None:
    net = both_readers("float64")
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, n, 20) for n in (4, 3, 4)]).astype(float)
    table_, weight, bias = net.get_weights()
    eye, three = np.eye(4), np.eye(3)
    i = x.astype(int)
    front = [eye[i[:, 0]], three[i[:, 1]], x[:, 2:]]
    front += [table_[i[:, 0]], table_[4 + i[:, 2]], x[:, 1:2], 0.5 * x]
    expected = np.hstack(front) @ weight + bias
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-13)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-13)
    y = rng.normal(size=(20, 2))
    history = net.fit(x, y, loss="mse", optimizer=cr.SGD(0.01), epochs=1, batch_size=20, verbose=0)
    assert history.history["loss"][0] == pytest.approx(((expected - y) ** 2).mean(), rel=1e-12)


def test_each_column_is_checked_by_all_its_readers() -> None:
    net = both_readers()
    net.predict([[3, 2, 3]])
    with pytest.raises(ValueError, match=r"column 0, whole numbers from 0 to 3; .* is 4"):
        net.predict([[4, 0, 0]])
    with pytest.raises(ValueError, match=r"column 1, whole numbers from 0 to 2; .* is 3"):
        net.predict([[0, 3, 0]])
    net.predict([[0, 0, 17]])  # unknown to the embedding, a number to the other
    with pytest.raises(ValueError, match=r"column 2, whole numbers; row 0, column 2 is 0\.5"):
        net.predict([[0, 0, 0.5]])


def test_gradients_of_numbers_pass_and_those_of_categories_are_zero() -> None:
    net = both_readers("float64")
    x = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]])
    net.forward(x)
    dx = net.backward(np.ones((2, 2)))
    _, weight, _ = net.get_weights()
    by_output = weight.sum(axis=1)
    # What each column is given as: 4 + 3 ones, column 2; two vectors of 2, column 1; the halves.
    expected = [0.5 * by_output[13], by_output[12] + 0.5 * by_output[14]]
    np.testing.assert_allclose(dx[0, :2], expected, rtol=1e-12)
    np.testing.assert_allclose(dx[0, 2], by_output[7] + 0.5 * by_output[15], rtol=1e-12)
    np.testing.assert_array_equal(dx[0], dx[1])


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([[0.0, 1.5, 0, 0, 0, 0]], r"column 1, whole numbers; row 0, column 1 is 1\.5"),
        ([[0.0, np.inf, 0, 0, 0, 0]], "is inf"),
        ([[0.0, 0, 0, np.inf, 0, 0]], "column 3 is inf"),
    ],
)
def test_what_is_no_category_at_all_is_refused(x: Any, text: str) -> None:
    net = mixed()
    with pytest.raises(ValueError, match=text):
        net.predict(np.array(x))


def test_missing_is_an_error_unless_asked_for() -> None:
    net = cr.Sequential([cr.Input(2), cr.CategoryEncoding(3, columns=0, unknown="zero")])
    assert net.predict([[7, 0.5]]).tolist() == [[0, 0, 0, 0.5]]
    for x in ([[np.nan, 0.5]], [[0, np.nan]]):
        with pytest.raises(ValueError, match="is NaN"):
            net.predict(x)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"num_tokens": 3, "columns": 6}, "columns must be below the 6 columns of x, got 6"),
        ({"num_tokens": 3, "columns": (1, 1)}, "columns has 1 twice"),
        ({"num_tokens": 3, "columns": -1}, "columns must be >= 0, got -1"),
        ({"num_tokens": (3, 2), "columns": 1}, "num_tokens has 2 numbers for 1 columns"),
        ({"num_tokens": 3, "unknown": "own"}, "unknown: unknown choice 'own'"),
        ({"num_tokens": 3, "missing": "skip"}, "missing: unknown choice 'skip'"),
        (
            {"num_tokens": 2, "output_mode": "count", "binary_as_sign": True},
            "binary_as_sign does not go with output_mode 'count'",
        ),
        ({"num_tokens": 2**31 - 2, "unknown": "code"}, "may have at most 2147483646"),
    ],
)
def test_options_are_checked(options: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        cr.Sequential([cr.Input(COLUMNS), cr.CategoryEncoding(**options)])


@pytest.mark.parametrize("kind", ["unknown", "missing"])
def test_options_of_embeddings_are_checked(kind: str) -> None:
    with pytest.raises(ValueError, match=f"embedding: {kind}: unknown choice 'none'"):
        cr.Embedding(3, 2, **{kind: "none"})


def test_defaults_are_left_out_of_configs() -> None:
    config = cr.CategoryEncoding(3).config
    assert config == {"kind": "category_encoding", "num_tokens": 3, "output_mode": "one_hot"}
    layer = encoding("zero", "code", binary_as_sign=True)
    assert cr.layers.Layer.from_config(layer.config) == layer
    assert (layer.unknown, layer.missing, layer.binary_as_sign) == ("zero", "code", True)
    assert "unknown" not in cr.Embedding(3, 2).config
    assert eval(repr(layer), {"CategoryEncoding": cr.CategoryEncoding}) == layer


def test_model_files_keep_it(tmp_path: Path) -> None:
    net = fitted()
    net.save(tmp_path / "net.chainrule")
    again = cr.load(tmp_path / "net.chainrule")
    x = gaps(table())
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


def test_files_say_what_they_need() -> None:
    for layer, version in (
        (cr.CategoryEncoding(3), 2),
        (cr.CategoryEncoding(3, columns=1), 4),
        (cr.CategoryEncoding(2, binary_as_sign=True), 4),
        (cr.Embedding(3, 2, columns=1), 2),
        (cr.Embedding(3, 2, missing="zero"), 4),
    ):
        net = cr.Sequential([cr.Input(2), layer, cr.Dense(1)], seed=0)
        assert cr.network.model_file.description(to_bytes(net))["format_version"] == version


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_onnx_runtime_gives_the_same(mode: str, dtype: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    x = gaps(table()).astype(dtype)
    inputs = cr.Input(COLUMNS)
    sign = mode == "one_hot"
    h = encoding("code", "code", mode, binary_as_sign=sign)(inputs)
    h = cr.Normalization("robust", clip=3.0, missing="indicator")(h)
    net = cr.Network(inputs=inputs, outputs=cr.Dense(2)(h), seed=0, dtype=dtype)
    net.adapt(x)
    report = cr.to_onnx(net, tmp_path / "net.onnx")
    assert report.max_relative_difference is not None
    session = runtime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unseen", ["zero", "code"])
@pytest.mark.parametrize("shared", [False, True])
def test_onnx_runtime_embeds_the_same(unseen: str, shared: bool, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    x = table().astype("float32")
    counts = 30 if shared else tuple(COUNTS.values())
    layer = cr.Embedding(counts, 3, columns=(4, 1, 2), unknown=unseen, missing=unseen)
    if not shared:
        layer = cr.Embedding((30, 4, 2), 3, columns=(4, 1, 2), unknown=unseen, missing=unseen)
    net = cr.Sequential([cr.Input(COLUMNS), layer, cr.Dense(2)], seed=3)
    report = cr.to_onnx(net, tmp_path / "net.onnx")
    session = runtime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-5, atol=1e-6)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count", "embedding"])
def test_c_gives_the_same(compiler: str, mode: str, tmp_path: Path) -> None:
    x = gaps(table()).astype(np.float32)
    inputs = cr.Input(COLUMNS)
    if mode == "embedding":
        h = cr.Embedding((30, 4, 2), 3, columns=(4, 1, 2), unknown="zero", missing="code")(inputs)
    else:
        h = encoding("zero", "code", mode, binary_as_sign=mode == "one_hot")(inputs)
    h = cr.Normalization("robust", clip=3.0, missing="indicator")(h)
    net = cr.Network(inputs=inputs, outputs=cr.Dense(2)(h), seed=0)
    net.adapt(x)
    cr.export_c(net, tmp_path)
    assert self_test(compiler, tmp_path, "model").returncode == 0
    found = outputs(load(compiler, tmp_path, "model"), "model", net, x)
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-5, atol=1e-5)

# SPDX-License-Identifier: Apache-2.0
"""Normalization of tables: robust scaling, smooth clipping, missing numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_c import each_compiler, load, needs_compiler, outputs
from numpy.typing import NDArray

import chainrule as cr
from chainrule.network.model_file import to_bytes

Array = NDArray[np.float64]


def table(rows: int = 301, seed: int = 0) -> Array:
    """Return columns of many kinds: wild, narrow, mostly one value, constant, missing."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.standard_cauchy(rows),
            1e-3 * rng.normal(size=rows) + 5.0,
            np.where(rng.random(rows) < 0.9, 2.0, rng.normal(size=rows)),
            np.full(rows, 7.0),
            np.full(rows, np.nan),
            rng.integers(0, 5, rows),
        ]
    )
    x[rng.random(rows) < 0.2, 0] = np.nan
    x[::7, 5] = np.nan
    return x


def scaled(x: Array, like: Array, clip: float | None) -> Array:
    """Return the recipe in NumPy, with the statistics of `like` and 0 for NaN."""
    y = np.zeros_like(x)
    for j in range(x.shape[1]):
        known = like[~np.isnan(like[:, j]), j]
        if not len(known):
            continue
        low, median, high = np.nanquantile(known, (0.25, 0.5, 0.75))
        spread = high - low if high > low else (known.max() - known.min()) / 2.0
        if spread > 0:
            y[:, j] = (x[:, j] - median) / spread
    y = np.where(np.isnan(x), 0.0, y)
    return y if clip is None else y / np.sqrt(1.0 + (y / clip) ** 2)


def adapted(x: object, *layers: cr.Layer, dtype: str = "float64") -> cr.Sequential:
    """Return a network of layers that is adapted to x."""
    net = cr.Sequential(layers, dtype=dtype, seed=0)
    net.adapt(x)
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip", [None, 3.0])
def test_robust_scaling_is_that_of_quantiles(clip: float | None, dtype: str) -> None:
    x, new = table(), table(seed=1)
    layer = cr.Normalization("robust", clip=clip, missing="zero")
    net = adapted(x, cr.Input(6), layer, dtype=dtype)
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    np.testing.assert_allclose(net.predict(new), scaled(new, x, clip), tolerance, tolerance)
    if clip is not None:
        assert np.abs(net.predict(new)).max() <= clip


def test_quantiles_do_not_depend_on_pieces_or_copies() -> None:
    x = table()
    net = adapted(x, cr.Input(6), cr.Normalization("robust", missing="zero"))
    again = adapted(
        np.asfortranarray(x[::-1]), cr.Input(6), cr.Normalization("robust", missing="zero")
    )
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, again.parameters[name])


def test_robust_scaler_of_scikit_learn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(3).standard_cauchy((200, 4))
    net = adapted(x, cr.Input(4), cr.Normalization("robust"))
    scaler = preprocessing.RobustScaler().fit(x)
    np.testing.assert_allclose(net.parameters["0.center"], scaler.center_, 1e-14)
    np.testing.assert_allclose(net.parameters["0.scale"], scaler.scale_, 1e-14)
    np.testing.assert_allclose(net.predict(x), scaler.transform(x), 1e-13, 1e-13)


def test_imputer_with_indicators_of_scikit_learn() -> None:
    impute = pytest.importorskip("sklearn.impute")
    x = table()[:, [0, 1, 2, 5]]
    net = adapted(
        x,
        cr.Input(4),
        cr.Normalization("robust", missing="indicator", indicator_columns=(0, 3)),
    )
    filled = impute.SimpleImputer(strategy="median", add_indicator=True).fit_transform(x)
    expected = np.hstack([scaled(filled[:, :4], x, None), filled[:, 4:]])
    np.testing.assert_allclose(net.predict(x), expected, 1e-12, 1e-12)


def test_standard_statistics_leave_missing_numbers_out() -> None:
    x = table()[:, [0, 1, 5]]
    net = adapted(x, cr.Input(3), cr.Normalization(missing="indicator", columns=(0, 2)))
    mean, deviation = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    y = (x - mean) / deviation
    y[:, 1] = x[:, 1]
    expected = np.hstack([np.nan_to_num(y), np.isnan(x[:, [0, 2]])])
    np.testing.assert_allclose(net.predict(x), expected, 1e-11, 1e-11)


def test_times_in_seconds_keep_their_digits() -> None:
    x = 1_700_000_000.0 + np.arange(9.0)[:, None]
    x[4] = np.nan
    for method in ("standard", "robust"):
        layer = cr.Normalization(method, missing="zero")
        net = adapted(x, cr.Input(1), layer, dtype="float32")
        exact = adapted(x, cr.Input(1), layer, dtype="float64")
        np.testing.assert_allclose(net.predict(x), exact.predict(x), 1e-6, 1e-6)
        assert np.ptp(np.diff(net.predict(x)[:4], axis=0)) < 1e-6


def test_far_values_do_not_overflow() -> None:
    net = adapted(
        [[-1.0], [0.0], [1.0]], cr.Input(1), cr.Normalization("robust", clip=2.0), dtype="float32"
    )
    np.testing.assert_array_equal(net.predict([[3e38], [-3e38], [1e15]]), [[2.0], [-2.0], [2.0]])


def test_infinite_and_unexpected_missing_numbers_are_named() -> None:
    x = table()[:, [1, 0]]
    net = cr.Sequential(
        [cr.Input(2), cr.Normalization("robust", missing="zero", columns=1), cr.Dense(1)], seed=0
    )
    y = np.zeros((len(x), 1))
    net.fit(x, y, loss="mse", epochs=1, verbose=0)
    before = net.predict(x)
    for value, text in ((np.nan, "NaN"), (np.inf, "infinite")):
        bad = x.copy()
        bad[17, 0] = value
        for call in (
            lambda bad=bad: net.fit(bad, y, epochs=1, verbose=0),
            lambda bad=bad: net.adapt(bad),
            lambda bad=bad: net.evaluate(bad, y),
            lambda bad=bad: net.predict(bad),
        ):
            with pytest.raises(ValueError, match=f"row 17, column 0 is {text}"):
                call()
    bad = x.copy()
    bad[3, 1] = -np.inf
    with pytest.raises(ValueError, match="row 3, column 1 is infinite"):
        net.fit(bad, y, epochs=1, verbose=0)
    np.testing.assert_array_equal(net.predict(x), before)


def test_missing_numbers_pass_where_all_readers_know_them() -> None:
    x = np.array([[0.0, np.nan, 1.0], [2.0, 3.0, np.nan], [1.0, 4.0, 5.0]])
    net = cr.Sequential(
        [
            cr.Input(3),
            cr.Embedding(3, 2, columns=0),
            cr.Normalization("robust", missing="indicator", columns=(2, 3)),
        ],
        seed=0,
    )
    net.adapt(x)
    expected = np.hstack([scaled(x[:, 1:], x[:, 1:], None), np.isnan(x[:, 1:])])
    np.testing.assert_allclose(net.predict(x)[:, 2:], expected, 1e-6, 1e-6)
    with pytest.raises(ValueError, match="column 0 is NaN"):
        net.predict(np.where(x == 2.0, np.nan, x))
    tensor = cr.Input(3, name="x")
    known = cr.Normalization(missing="zero")(tensor)
    for other in (cr.Dense(3), cr.Normalization()):
        graph = cr.Network(inputs=tensor, outputs=cr.Add()([known, other(tensor)]), seed=0)
        with pytest.raises(ValueError, match="row 0, column 1 is NaN"):
            graph.adapt(x)


def test_several_inputs_name_the_one_that_is_wrong() -> None:
    a, b = cr.Input(1, name="a"), cr.Input(1, name="b")
    joined = cr.Concatenate()([cr.Normalization(missing="zero")(a), cr.Normalization()(b)])
    net = cr.Network(inputs=[a, b], outputs=cr.Dense(1)(joined), seed=0)
    good, gap = np.array([[1.0], [2.0]]), np.array([[1.0], [np.nan]])
    net.fit({"a": gap, "b": good}, good, loss="mse", epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"x\['b'\] must be finite; row 1, column 0 is NaN"):
        net.predict({"a": gap, "b": gap})


def test_positions_have_the_same_columns() -> None:
    x = np.ascontiguousarray(table()[:300, [0, 5]]).reshape(100, 3, 2)
    layer = cr.Normalization("robust", missing="indicator", indicator_columns=1, clip=2.5)
    rows = cr.Input((3, 2))
    net = cr.Network(inputs=rows, outputs=layer(rows), dtype="float64", seed=0)
    net.adapt(x)
    flat = x.reshape(-1, 2)
    expected = np.hstack([scaled(flat, flat, 2.5), np.isnan(flat[:, 1:])])
    np.testing.assert_allclose(net.predict(x).reshape(300, 3), expected, 1e-12, 1e-12)


def trained(**options: object) -> tuple[cr.Sequential, Array, Array]:
    """Return a network that is trained on a table with gaps, with its data."""
    x = table()
    x[:, 1] -= 5.0  # of which float32 has not the digits
    y = np.nan_to_num(np.tanh(x[:, :1]))
    layer = cr.Normalization("robust", clip=3.0, missing="indicator", indicator_columns=(0, 5))
    net = cr.Sequential(
        [cr.Input(6), layer, cr.Dense(8, activation="tanh"), cr.Dense(1)], seed=0, **options
    )
    net.fit(x, y, loss="mse", epochs=3, batch_size=32, verbose=0)
    return net, x, y


def test_bits_do_not_depend_on_threads() -> None:
    net, x, y = trained()
    many = cr.Sequential(net.layers, seed=0)
    many.fit(x, y, loss="mse", epochs=3, batch_size=32, verbose=0, num_threads=2)
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, many.parameters[name])


def test_model_files_and_copies_keep_it(tmp_path: Path) -> None:
    net, x, _ = trained()
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers[0] == net.layers[0]
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    single = np.stack([net.predict(row[None])[0] for row in x[:20]])
    np.testing.assert_array_equal(single, net.predict(x)[:20])


def test_gradients_pass_the_clip() -> None:
    layers = [
        cr.Input(2),
        cr.Dense(3, activation="tanh"),
        cr.Normalization("robust", clip=0.5),
        cr.Dense(1),
    ]
    net = cr.Sequential(layers, dtype="float64", seed=1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    net.adapt(x)
    assert cr.gradient_check(net, x, y, "mse").max_relative_error < 1e-6


def test_options_are_checked() -> None:
    for options, text in (
        ({"method": "median"}, "method.*median"),
        ({"missing": "mean"}, "missing.*mean"),
        ({"clip": 0.0}, "clip must be > 0"),
        ({"columns": (0, 0)}, "columns has 0 twice"),
        ({"columns": -1}, "columns must be >= 0"),
        ({"indicator_columns": 1}, "indicator_columns needs missing 'indicator', got 'error'"),
        (
            {"columns": 0, "missing": "indicator", "indicator_columns": 1},
            "indicator_columns must be among columns, got 1",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            cr.Normalization(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="columns must be below the 2 columns of x, got 2"):
        cr.Sequential([cr.Input(2), cr.Normalization(columns=2)]).predict([[1.0, 2.0]])


@pytest.mark.parametrize("missing", ["error", "zero", "indicator"])
def test_onnx_runtime_gives_the_same(missing: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    x = table()[:, :3] if missing != "error" else np.nan_to_num(table()[:, :3])
    for columns in (None, (0, 2)):
        layer = cr.Normalization("robust", clip=3.0, missing=missing, columns=columns)
        x = np.where(np.isnan(x) & (columns is not None) & (np.arange(3) == 1), 0.0, x)
        net = cr.Sequential([cr.Input(3), layer, cr.Dense(4)], seed=0)
        net.adapt(x)
        cr.to_onnx(net, tmp_path / "net.onnx")
        session = runtime.InferenceSession(
            tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"x": x.astype(np.float32)})
        np.testing.assert_allclose(found, net.predict(x.astype(np.float32)), 1e-5, 1e-5)


def test_torch_gives_the_same() -> None:
    torch = pytest.importorskip("torch")
    net, x, _ = trained()
    module = cr.to_torch(net)
    with torch.no_grad():
        found = module(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, net.predict(x.astype(np.float32)), 1e-5, 1e-5)


@needs_compiler
@each_compiler
@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 1e-5), ("int8", 0.1)])
def test_c_gives_the_same(compiler: str, kind: str, tolerance: float, tmp_path: Path) -> None:
    net, x, _ = trained()
    x = x.astype(np.float32)
    cr.export_c(net, tmp_path, dtype=kind, calibration=x if kind == "int8" else None)
    found = outputs(load(compiler, tmp_path, "model"), "model", net, x)
    np.testing.assert_allclose(found, net.predict(x), tolerance, tolerance)


def test_files_say_what_they_need() -> None:
    for layer, version in ((cr.Normalization(), 1), (cr.Normalization("robust"), 4)):
        net = cr.Sequential([cr.Input(2), layer, cr.Dense(1)], seed=0)
        assert cr.network.model_file.description(to_bytes(net))["format_version"] == version

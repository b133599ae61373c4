# SPDX-License-Identifier: Apache-2.0
"""Saved models of tables read raw rows: numbers, codes and NaN, wherever they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from compiled_c import COMPILERS, load, needs_compiler, outputs  # noqa: E402

import chainrule as cr  # noqa: E402
from chainrule.sklearn import TabularClassifier, TabularRegressor  # noqa: E402

ROWS = 120
RANDOM = np.random.default_rng(5)


def table() -> Any:
    """Return a table of every kind of column, with gaps in each."""
    size = RANDOM.normal(40.0, 10.0, ROWS)
    days = pandas.Series(pandas.Timestamp("1971-01-01")).repeat(ROWS).reset_index(drop=True)
    columns = {
        "size": size,
        "street": RANDOM.choice([f"s{i:02}" for i in range(14)], ROWS),
        "age": np.where(RANDOM.random(ROWS) < 0.2, np.nan, RANDOM.exponential(9.0, ROWS)),
        "colour": RANDOM.choice(["red", "green", "blue"], ROWS),
        "constant": np.ones(ROWS),
        "open": RANDOM.random(ROWS) < 0.5,
        "side": RANDOM.choice(["left", "right"], ROWS),
        "built": days + pandas.to_timedelta(RANDOM.integers(0, 900, ROWS), unit="D"),
        "nothing": np.full(ROWS, np.nan),
        "district": RANDOM.choice([f"d{i:02}" for i in range(11)], ROWS),
    }
    return pandas.DataFrame(columns)


X = table()
NUMBERS = (X["size"] + 9.0 * (X["colour"] == "red") + 3.0 * X["open"]).to_numpy()
LABELS = np.where(NUMBERS > 44.0, "high", np.where(NUMBERS > 38.0, "middle", "low"))


def hard_rows() -> Any:
    """Return rows in which each column in turn is missing, or holds what was never seen."""
    rows = pandas.concat([X.iloc[:30].astype(object)] * 2, ignore_index=True)
    for i, name in enumerate(rows.columns):
        rows.loc[i, name] = None
        rows.loc[i + 10, :] = rows.loc[i + 10, :].where(rows.columns != name, None)
    for i, name in enumerate(["street", "colour", "side", "district"]):
        rows.loc[40 + i, name] = "never seen"
    rows.loc[50] = None
    rows.loc[51, "size"] = 1e9
    return rows


def models(members: int) -> dict[str, Any]:
    """Return models of a target that is a number, a class, and quantiles."""
    options = {"budget": "fast", "random_state": 0, "members": members}
    quantiles = TabularRegressor(loss="quantile", quantiles=(0.2, 0.8), **options)
    return {
        "number": TabularRegressor(**options).fit(X, NUMBERS),
        "class": TabularClassifier(**options).fit(X, LABELS),
        "quantiles": quantiles.fit(X, NUMBERS),
    }


@pytest.fixture(scope="module", params=[1, 2], ids=["one", "members"])
def saved(request: Any, tmp_path_factory: Any) -> Any:
    """Return the expected predictions, the rows and the network of the file of each model."""
    found = {}
    for name, model in models(request.param).items():
        path = tmp_path_factory.mktemp("models") / name
        model.save(path)
        again = type(model).load(path)
        rows = hard_rows()
        is_class = name == "class"
        expected = model.predict_proba(rows) if is_class else model.predict(rows)
        told = again.predict_proba(rows) if is_class else again.predict(rows)
        np.testing.assert_allclose(told, expected, rtol=1e-5, atol=1e-5)
        matrix = model.model_.description.matrix(rows)
        assert np.isnan(matrix).any(axis=0).all()
        # Of several members the outputs are probabilities as they are.
        is_logits = is_class and request.param == 1
        expected = expected.reshape(len(rows), -1)
        found[name] = (expected, matrix.astype(np.float32), cr.load(path), is_logits)
    return found


def check(y: np.ndarray, expected: np.ndarray) -> None:
    """Compare outputs with predictions, which of quantiles rise."""
    y = np.sort(y, axis=1) if y.shape[1] == 2 else y
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["number", "class", "quantiles"])
def test_one_matrix_is_all_that_a_network_reads(saved: Any, name: str) -> None:
    expected, matrix, net, is_logits = saved[name]
    assert net.inputs == X.shape[1]
    check(net.predict_proba(matrix) if is_logits else net.predict(matrix), expected)
    if not is_logits:  # which a predictor gives
        check(cr.Predictor(net).predict(matrix), expected)


@pytest.mark.parametrize("name", ["number", "class", "quantiles"])
def test_onnx_runtime(saved: Any, name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    expected, matrix, net, is_logits = saved[name]
    path = str(tmp_path / "model.onnx")
    cr.to_onnx(net, path, **({"output": "probabilities"} if is_logits else {}))
    session = onnxruntime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: matrix})
    check(y, expected)


@needs_compiler
@pytest.mark.parametrize("name", ["number", "class", "quantiles"])
def test_c(saved: Any, name: str, tmp_path: Path) -> None:
    expected, matrix, net, is_logits = saved[name]
    cr.export_c(net, tmp_path)
    library = load(COMPILERS[0], tmp_path, "model")
    told = outputs(library, "model", net, matrix, "predict_proba" if is_logits else "predict")
    check(told, expected)


def test_training_goes_on_from_the_same_statistics(saved: Any) -> None:
    _, matrix, net, _ = saved["number"]
    net.history.forget_after(0)
    before = {k: v for k, v in net.parameters.items() if "center" in k or "scaled" in k}
    net.fit(matrix[:20], np.zeros((20, 1)), loss="mse", epochs=1, verbose=0)
    for name, values in before.items():
        assert np.array_equal(net.parameters[name], values), name

# SPDX-License-Identifier: Apache-2.0
"""TabularClassifier of several outputs, each with its own classes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

from compiled_c import COMPILERS, needs_compiler, self_test  # noqa: E402
from sklearn.metrics import log_loss, roc_auc_score  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402

import chainrule as cr  # noqa: E402
from chainrule.cli import main  # noqa: E402
from chainrule.sklearn import TabularClassifier  # noqa: E402

RANDOM = np.random.default_rng(3)
ROWS = 600
X = pandas.DataFrame(
    {
        "size": RANDOM.normal(size=ROWS),
        "colour": RANDOM.choice(["red", "green", None], ROWS),
        "age": RANDOM.normal(size=ROWS),
        "noise": RANDOM.normal(size=ROWS),
    }
)
RED = (X["colour"] == "red").to_numpy()
SUM = X["size"].to_numpy() + RED
KIND = np.array(["a", "b", "c"])[np.digitize(SUM, [-0.5, 0.9])]
OLD = np.where(X["age"] > 0.4, 7, 3)
Y = np.column_stack([KIND, np.where(OLD == 7, "yes", "no")])
QUICK = {"budget": "fast", "random_state": 0}
FEW = 200


def softmax(z):
    e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module", params=[1, 2], ids=["one", "members"])
def model(request):
    return TabularClassifier(members=request.param, **QUICK).fit(X, Y)


def test_predictions_have_scikit_learns_forms(model):
    first, second = model.classes_
    assert (first.tolist(), second.tolist()) == (["a", "b", "c"], ["no", "yes"])
    each = model.predict_proba(X)
    assert [part.shape for part in each] == [(ROWS, 3), (ROWS, 2)]
    for part, log in zip(each, model.predict_log_proba(X), strict=True):
        np.testing.assert_allclose(part.sum(axis=1), 1.0)
        np.testing.assert_allclose(log, np.log(part))
    told = model.predict(X)
    assert told.dtype == Y.dtype
    for column, part, known in zip(told.T, each, model.classes_, strict=True):
        np.testing.assert_array_equal(column, known[part.argmax(axis=1)])
    assert model.score(X, Y) == np.mean((told == Y).all(axis=1)) > 0.9
    weights = np.arange(float(ROWS))
    right = (told == Y).all(axis=1)
    assert model.score(X, Y, weights) == pytest.approx((right * weights).sum() / weights.sum())
    assert model.n_outputs_ == 5
    found = dict(zip(X, model.feature_importances_, strict=True))
    assert min(found["size"], found["colour"], found["age"]) > 0.05 > found["noise"]


def test_a_members_probabilities_are_softmaxes_of_its_own_columns():
    one = TabularClassifier(**QUICK).fit(X, Y)
    (net,) = one.networks_
    logits = net.predict(one.model_.description.matrix(X))
    for part, z in zip(one.predict_proba(X), logits.values(), strict=True):
        np.testing.assert_allclose(part, softmax(z), rtol=1e-4, atol=1e-7)


def test_each_output_is_calibrated_on_the_validation_rows():
    noisy = np.where(RANDOM.random(Y.shape) < 0.3, Y[::-1], Y)
    one = TabularClassifier(metric="log_loss", **QUICK).fit(X, noisy)
    held = one._measured
    logits = one.networks_[0].predict(held.x)
    for z, y in zip(logits.values(), held.y.T, strict=True):
        factors = np.linspace(0.5, 2.0, 151)
        losses = [log_loss(y, softmax(f * z)) for f in factors]
        assert factors[np.argmin(losses)] == pytest.approx(1.0, abs=0.011)


@pytest.mark.parametrize("metric", ["accuracy", "auc", "log_loss"])
def test_the_best_epoch_has_the_best_mean_of_the_outputs(metric):
    one = TabularClassifier(metric=metric, **QUICK).fit(X, Y)
    history, held = one.history_, one._measured
    if metric == "log_loss":
        best = history["val_loss"].index(min(history["val_loss"]))
        means = None
    else:
        means = np.mean([history[f"val_y{i}_{metric}"] for i in (0, 1)], axis=0)
        best = int(means.argmax())
    parts = one._targets.split(one._outputs_of(held.x))
    if metric == "accuracy":
        scores = [np.mean(p.argmax(axis=1) == y) for p, y in zip(parts, held.y.T, strict=True)]
    elif metric == "auc":
        scores = [roc_auc_score(held.y[:, 0], parts[0], multi_class="ovr")]
        scores.append(roc_auc_score(held.y[:, 1], parts[1][:, 1]))
    else:  # which calibration has made no larger
        scores = [log_loss(y, p) for p, y in zip(parts, held.y.T, strict=True)]
        assert np.sum(scores) <= history["val_loss"][best] + 1e-6
        assert one._error_of(one._outputs_of(held.x), held) == pytest.approx(np.mean(scores))
        return
    assert np.mean(scores) == pytest.approx(means[best], rel=1e-5)
    error = one._error_of(one._outputs_of(held.x), held)
    assert 1.0 - error == pytest.approx(np.mean(scores))


def test_weighted_rows_are_repeated_rows_to_the_bit():
    few, y = X[:40], Y[:40]
    counts = np.arange(40) % 4
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(40), counts))
    options = {"class_weight": "balanced", **QUICK}
    weighted = TabularClassifier(**options).fit(few, y, sample_weight=counts)
    again = TabularClassifier(**options).fit(few.iloc[order], y[order])
    for one, other in zip(weighted.predict_proba(X), again.predict_proba(X), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_classes_move_their_own_output():
    nothing = np.random.default_rng(5).random((ROWS, 2))  # to be learnt
    rare = np.where(nothing < 0.2, "rare", "often")
    shares = []
    for weight in ("balanced", [{"rare": 4.0, "often": 1.0}, {"rare": 1.0, "often": 1.0}], None):
        one = TabularClassifier(metric="log_loss", class_weight=weight, **QUICK).fit(X, rare)
        shares.append([part[:, 1].mean() for part in one.predict_proba(X)])
    (both, other), (first, unmoved), plain = shares
    np.testing.assert_allclose([both, other, first], 0.5, atol=0.1)
    np.testing.assert_allclose([unmoved, *plain], 0.2, atol=0.07)


def test_validation_rows_and_folds():
    given = TabularClassifier(validation=(X[:100], Y[:100], np.ones(100)), **QUICK).fit(X, Y)
    assert len(given.history_["val_y1_accuracy"]) == 64
    assert "val_loss" not in TabularClassifier(**QUICK).fit(X[:FEW], Y[:FEW]).history_
    scores = cross_val_score(TabularClassifier(**QUICK), X[:FEW], Y[:FEW], cv=2)
    assert scores.min() > 0.6


def test_columns_may_hold_text_and_numbers():
    frame = pandas.DataFrame({"kind": KIND, "old": OLD})
    one = TabularClassifier(**QUICK).fit(X[:FEW], frame[:FEW])
    assert [known.tolist() for known in one.classes_] == [["a", "b", "c"], [3, 7]]
    told = one.predict(X[:FEW])
    assert told.dtype == object
    assert {type(value) for value in told[:, 1]} == {int}
    assert one.score(X[:FEW], frame[:FEW]) > 0.9


def test_model_files(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = TabularClassifier.load(path)
    for one, other in zip(again.predict_proba(X), model.predict_proba(X), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    net = cr.load(path)
    labels = net.table["target"]["labels"]
    for wrong in ([["a", "b", "c", "no", "yes"]], [["a", "b"], ["c", "no", "yes"]],
                  ["a", "b", "c", "no", "yes"], [["a", "b", "c"], "no", "yes"]):  # fmt: skip
        net.table["target"]["labels"] = wrong
        net.save(path)
        with pytest.raises(cr.ModelFileError, match="does not fit"):
            TabularClassifier.load(path)
    assert labels == [["a", "b", "c"], ["no", "yes"]]


@needs_compiler
def test_it_runs_as_c_and_onnx(model, tmp_path):
    net = model.networks_[0]
    matrix = model.model_.description.matrix(X[:50]).astype(np.float32)
    expected = net.predict(matrix)
    for part, value in zip(cr.Predictor(net).predict(matrix).values(), expected.values(),
                           strict=True):  # fmt: skip
        np.testing.assert_array_equal(part, value)
    cr.export_c(net, tmp_path, test_rows=matrix)
    assert self_test(COMPILERS[0], tmp_path, "model").returncode == 0
    onnxruntime = pytest.importorskip("onnxruntime")
    path = str(tmp_path / "model.onnx")
    cr.to_onnx(net, path)
    session = onnxruntime.InferenceSession(path)
    found = session.run(["y0", "y1"], {session.get_inputs()[0].name: matrix})
    for part, value in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(part, value, rtol=1e-4, atol=1e-4)


def test_commands(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model.save("model.safetensors")
    X.to_csv("x.csv", index=False)
    assert main(["predict", "model.safetensors", "x.csv", "-o", "told.csv"]) == 0
    header, *rows = csv.reader(Path("told.csv").read_text().splitlines())
    assert header == [f"probability_{i}" for i in ("0_a", "0_b", "0_c", "1_no", "1_yes")]
    np.testing.assert_allclose(
        np.array(rows, float), np.hstack(model.predict_proba(X)), rtol=1e-6, atol=1e-30
    )
    assert main(["inspect", "model.safetensors"]) == 0
    assert "y0: a, b, c; y1: no, yes" in capsys.readouterr().out


def test_the_report_tells_of_each_output(model):
    page = model.report()
    assert page.count("true \\ predicted") == 2
    assert "Calibration of output 1" in page


def test_refusals():
    with pytest.raises(ValueError, match="output 1 of y: y has only one class, 'yes'"):
        TabularClassifier(**QUICK).fit(X[Y[:, 1] == "yes"], Y[Y[:, 1] == "yes"])
    with pytest.raises(ValueError, match="class_weight of 2 outputs must be 'balanced' or a list"):
        TabularClassifier(class_weight={"a": 2.0}, **QUICK).fit(X, Y)
    unknown = Y[:50].copy()
    unknown[0, 1] = "c"
    with pytest.raises(ValueError, match="validation: output 1 of y: `y` has classes not in"):
        TabularClassifier(validation=(X[:50], unknown), **QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="validation: y must have 2 columns"):
        TabularClassifier(validation=(X[:50], KIND[:50]), **QUICK).fit(X, Y)
    few = X[:2], Y[:1].repeat(2, axis=0)
    with pytest.raises(ValueError, match="metric='auc' of the validation rows: auc is undefined"):
        TabularClassifier(metric="auc", validation=few, **QUICK).fit(X, Y)

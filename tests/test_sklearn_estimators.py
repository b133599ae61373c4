# SPDX-License-Identifier: Apache-2.0
"""Networks from and to scikit-learn's estimators, and from skl2onnx's files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def fitted(estimator, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y)


def data(rng, dtype=np.float64):
    return (rng.normal(size=(60, 4)) * [1, 2, 3, 4] + 5).astype(dtype)


def targets(kind):
    rows = np.arange(60)
    return {
        "two": np.array(["no", "yes"])[rows % 2],
        "three": np.array(["a", "b", "c"])[rows % 3],
        "several": np.stack([rows % 2, rows % 3 == 0], axis=1).astype(int),
    }[kind]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["two", "three", "several"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classifiers_there_and_back(activation, kind, dtype, rng):
    x, y = data(rng, dtype), targets(kind)
    hidden = {"hidden_layer_sizes": (6, 5), "activation": activation}
    theirs = fitted(MLPClassifier(**hidden, max_iter=20, random_state=0), x, y)
    net = cr.from_sklearn(theirs)
    assert net.dtype == dtype
    assert len(net.layers) == 3
    probabilities = net.predict_proba(x)
    if kind == "two":
        assert probabilities.shape == (60, 1)
        probabilities = np.hstack([1 - probabilities, probabilities])
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(probabilities, theirs.predict_proba(x), rtol=tolerance, atol=1e-7)
    classes = None if kind == "several" else theirs.classes_
    again = cr.to_sklearn(net, classes)
    assert again.out_activation_ == theirs.out_activation_
    np.testing.assert_array_equal(again.classes_, theirs.classes_)
    np.testing.assert_array_equal(again.predict(x), theirs.predict(x))
    np.testing.assert_array_equal(again.predict_proba(x), theirs.predict_proba(x))
    assert again.score(x, y) == theirs.score(x, y)


@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors_there_and_back(outputs, rng):
    x = data(rng)
    y = x[:, :outputs] if outputs > 1 else x[:, 0]
    theirs = fitted(MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0), x, y)
    net = cr.from_sklearn(theirs)
    assert net.loss == cr.losses.MSE()
    expected = theirs.predict(x)
    np.testing.assert_allclose(net.predict(x).reshape(expected.shape), expected, rtol=1e-12)
    np.testing.assert_array_equal(cr.to_sklearn(net).predict(x), expected)


def test_poisson_regressor(rng):
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no Poisson loss")
    x = data(rng)
    theirs = fitted(MLPRegressor(loss="poisson", max_iter=5, random_state=0), x, abs(x[:, 0]))
    net = cr.from_sklearn(theirs)
    assert net.loss == cr.losses.Poisson()
    np.testing.assert_allclose(net.predict_proba(x)[:, 0], theirs.predict(x), rtol=1e-12)
    np.testing.assert_array_equal(cr.to_sklearn(net).predict(x), theirs.predict(x))


class Clipped(MLPRegressor):
    def predict(self, x):
        return super().predict(x).clip(0, None)


class Calibrated(MLPClassifier):
    def predict_proba(self, x):
        return super().predict_proba(x) ** 2


def test_a_class_that_predicts_something_else_is_refused(rng):
    x = data(rng)
    with pytest.raises(ValueError, match="this Clipped predicts something else than its weights"):
        cr.from_sklearn(fitted(Clipped(max_iter=5, random_state=0), x, x[:, 0] - 5))
    with pytest.raises(ValueError, match="this Calibrated predicts something else"):
        cr.from_sklearn(fitted(Calibrated(max_iter=5, random_state=0), x, targets("three")))


def test_no_hidden_layer(rng):
    x = data(rng)
    theirs = fitted(MLPClassifier(hidden_layer_sizes=(), max_iter=5), x, targets("three"))
    net = cr.from_sklearn(theirs)
    assert net.layers == [cr.Dense(3)]
    again = cr.to_sklearn(net, theirs.classes_)
    np.testing.assert_array_equal(again.predict_proba(x), theirs.predict_proba(x))


@pytest.mark.parametrize("front", [cr.Normalization(), cr.Rescaling(0.1, -0.5)])
def test_scaling_becomes_weights(front, rng):
    x = data(rng)
    layers = [
        cr.Input(4),
        front,
        cr.Dense(6, activation="tanh"),
        cr.BatchNormalization(),
        cr.Dropout(0.1),
        cr.Dense(3),
    ]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    net.fit(x, targets_as_numbers(3), loss="cross_entropy", epochs=2, verbose=0)
    theirs = cr.to_sklearn(net, ["a", "b", "c"])
    np.testing.assert_allclose(theirs.predict_proba(x), net.predict_proba(x), rtol=1e-10)
    np.testing.assert_array_equal(
        theirs.predict(x), np.array(["a", "b", "c"])[net.predict(x).argmax(axis=1)]
    )


def targets_as_numbers(classes):
    return np.arange(60) % classes


def test_two_logits_become_one(rng):
    x = data(rng)
    net = cr.Sequential([cr.Input(4), cr.Dense(5, "relu"), cr.Dense(2)], seed=0, dtype="float64")
    net.compile(loss="cross_entropy")
    theirs = cr.to_sklearn(net)
    assert theirs.n_outputs_ == 1
    np.testing.assert_allclose(theirs.predict_proba(x), net.predict_proba(x), rtol=1e-10)
    # The estimator is a whole one: it can be trained further.
    y = (x[:, 3] > 5) * 1
    before = theirs.partial_fit(x, y).loss_
    for _ in range(200):
        theirs.partial_fit(x, y)
    assert theirs.loss_ < 0.8 * before


def test_what_scikit_learn_cannot_hold():
    layers = [
        cr.Input(4),
        cr.Dense(5, "relu"),
        cr.LayerNormalization(),
        cr.Dense(5, "gelu"),
        cr.Dense(2, "elu"),
    ]
    with pytest.raises(ValueError, match="scikit-learn cannot hold this network") as caught:
        cr.to_sklearn(cr.Sequential(layers, seed=0))
    for reason in (
        "LayerNormalization() is none of its layers",
        "activation 'gelu' is none of linear, sigmoid, relu, tanh",
        "its hidden layers share one activation; here are relu, gelu",
        "the last activation is 'elu'",
    ):
        assert reason in str(caught.value)
    with pytest.raises(ValueError, match="it has no Dense layer"):
        cr.to_sklearn(cr.Sequential([cr.Input(4), cr.Activation("relu")]))


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (["a", "b"], "classes must be 3 different labels"),
        (["a", "b", "b"], "classes must be 3 different labels"),
        (["c", "b", "a"], "classes must be sorted"),
    ],
)
def test_wrong_classes(classes, text):
    net = cr.Sequential([cr.Input(4), cr.Dense(3, "softmax")], seed=0)
    with pytest.raises(ValueError, match=text):
        cr.to_sklearn(net, classes)
    regressor = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    with pytest.raises(ValueError, match="classes are for classifiers"):
        cr.to_sklearn(regressor, classes)


def test_what_is_no_fitted_estimator():
    with pytest.raises(ValueError, match="this MLPClassifier is not fitted yet"):
        cr.from_sklearn(MLPClassifier())
    with pytest.raises(TypeError, match="must be an MLPClassifier or MLPRegressor, got str"):
        cr.from_sklearn("estimator")
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        cr.to_sklearn(cr.Sequential([cr.Dense(3)]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["two", "three"])
@pytest.mark.parametrize("zipmap", [True, False])
def test_classifiers_of_skl2onnx(activation, kind, zipmap, rng):
    skl2onnx = pytest.importorskip("skl2onnx")
    x = data(rng, np.float32)
    estimator = MLPClassifier(hidden_layer_sizes=(5,), activation=activation, max_iter=20)
    theirs = fitted(make_pipeline(StandardScaler(), estimator), x, targets(kind))
    options = None if zipmap else {"zipmap": False}
    content = skl2onnx.to_onnx(theirs, x[:1], options=options).SerializeToString()
    net = cr.from_onnx(content)
    assert [layer.kind for layer in net.layers] == ["normalization", "dense", "dense"]
    np.testing.assert_allclose(net.predict(x), theirs.predict_proba(x), rtol=1e-4, atol=1e-6)


def test_regressors_of_skl2onnx(rng):
    skl2onnx = pytest.importorskip("skl2onnx")
    x = data(rng)
    theirs = fitted(MLPRegressor(hidden_layer_sizes=(5,), max_iter=20), x, x[:, 0])
    net = cr.from_onnx(skl2onnx.to_onnx(theirs, x[:1]).SerializeToString())
    assert net.dtype == "float64"
    np.testing.assert_allclose(net.predict(x)[:, 0], theirs.predict(x), rtol=1e-12)


@pytest.mark.parametrize("scale", [0.99, np.nan])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_to_sklearn_compares_outputs(loss, scale, monkeypatch):
    net = cr.Sequential([cr.Input(4), cr.Dense(5, activation="relu"), cr.Dense(3)], seed=0)
    net.compile(loss=loss)
    cr.to_sklearn(net)
    kind, method = {
        "mse": (MLPRegressor, "predict"),
        "cross_entropy": (MLPClassifier, "predict_proba"),
    }[loss]
    genuine = getattr(kind, method)
    monkeypatch.setattr(kind, method, lambda self, x: scale * genuine(self, x))
    with pytest.raises(cr.ExportError, match=f"the {kind.__name__} predicts something else than"):
        cr.to_sklearn(net)

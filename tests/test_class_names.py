# SPDX-License-Identifier: Apache-2.0
"""Class names in the place of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=60)
X = RNG.normal(size=(60, 2)) + 3.0 * np.eye(3, 2)[LABELS]
NAMES = ["cat", "dog", "owl"]
Y = np.array(NAMES)[LABELS]
FIT: dict[str, Any] = {"loss": "cross_entropy", "epochs": 2, "verbose": 0}


def network(outputs: int = 3) -> cr.Sequential:
    return cr.Sequential([cr.Dense(8, activation="relu"), cr.Dense(outputs)], seed=0)


def pandas(kind: str, *arguments: Any, **options: Any) -> Any:
    return getattr(pytest.importorskip("pandas"), kind)(*arguments, **options)


def polars(*arguments: Any, **options: Any) -> Any:
    return pytest.importorskip("polars").Series(*arguments, **options)


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "array": np.array,
    "objects": lambda y: np.array(y, dtype=object),
    "column": lambda y: np.array(y).reshape(-1, 1),
    "list": list,
    "series": lambda y: pandas("Series", y),
    "frame": lambda y: pandas("DataFrame", {"label": y}),
    "categorical": lambda y: pandas("Categorical", y),
    "series of a category": lambda y: pandas("Series", y, dtype="category"),
    "unused category": lambda y: pandas("Categorical", y, categories=[*NAMES, "pig"]),
    "polars": polars,
    "polars categories": lambda y: polars(y, dtype=pytest.importorskip("polars").Categorical),
    "polars enum": lambda y: polars(y, dtype=pytest.importorskip("polars").Enum(NAMES)),
    "polars frame": lambda y: polars("label", y).to_frame(),
    "strings of NumPy": lambda y: np.array(y, dtype=np.dtypes.StringDType()),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_names_train_as_their_labels(container: str) -> None:
    if container == "strings of NumPy" and not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy before 2 has no strings of variable length")
    plain, net = network(), network()
    plain.fit(X, LABELS, validation_data=(X, LABELS), **FIT)
    y = CONTAINERS[container](Y.tolist())
    net.fit(X, y, validation_data=(X, y), **FIT)
    assert net.class_names == ("cat", "dog", "owl")
    assert plain.class_names is None
    assert net.history.to_dict() == plain.history.to_dict()
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))
    assert net.evaluate(X, y) == plain.evaluate(X, LABELS) == net.evaluate(X, LABELS)


def test_a_file_with_only_some_of_the_classes() -> None:
    net = network()
    net.fit(X, Y, **FIT)
    some = np.isin(Y, ["dog", "owl"])
    expected = net.evaluate(X[some], LABELS[some])
    assert net.evaluate(X[some], Y[some]) == expected
    declared = pandas("Categorical", Y[some], categories=["owl", "dog"])
    assert net.evaluate(X[some], declared) == expected
    assert net.train_on_batch(X[:1], Y[:1])["loss"] > 0


def test_unknown_classes_are_named() -> None:
    net = network()
    net.fit(X, Y, **FIT)
    wrong = np.where(Y == "cat", "pig", Y)
    wrong[3] = "cow"
    text = "holds the unknown classes 'cow', 'pig'; the network's class_names are 'cat', 'dog'"
    for call in (net.evaluate, net.train_on_batch):
        with pytest.raises(ValueError, match=text):
            call(X, wrong)
    with pytest.raises(ValueError, match=f"validation_data: y {text}"):
        net.fit(X, Y, validation_data=(X, wrong), **FIT)
    assert net.history.epochs == [1, 2]


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "hinge"])
def test_a_single_output_has_two_classes(loss: str) -> None:
    y = np.where(LABELS > 0, "yes", "no")
    plain, net = network(1), network(1)
    plain.fit(X, LABELS > 0, loss=loss, verbose=0)
    net.fit(X, y, loss=loss, verbose=0)
    assert net.class_names == ("no", "yes")
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))
    assert net.evaluate(X, y) == plain.evaluate(X, LABELS > 0)


def test_the_order_of_categories_is_kept() -> None:
    y = pandas("Categorical", Y, categories=["owl", "cat", "dog"])
    net = network()
    net.fit(X, y, **FIT)
    assert net.class_names == ("owl", "cat", "dog")
    assert net.evaluate(X, Y) == net.evaluate(X, y.codes)


@pytest.mark.parametrize("outputs", [2, 4])
def test_another_number_of_classes_than_the_network_has(outputs: int) -> None:
    net = network(outputs)
    text = f"y holds 3 classes, 'cat', 'dog', 'owl', but the network tells {outputs} apart"
    with pytest.raises(ValueError, match=text):
        net.fit(X, Y, **FIT)
    assert not net.built


def test_class_names_that_are_set_beforehand() -> None:
    net = network(4)
    net.build(2)
    net.class_names = ["owl", "dog", "cat", "pig"]
    net.fit(X, Y, **FIT)
    order = np.array([2, 1, 0])
    assert net.evaluate(X, Y) == net.evaluate(X, order[LABELS])


def test_names_before_there_are_any() -> None:
    net = network()
    with pytest.raises(ValueError, match="y holds class names, but the network has no class_names"):
        net.evaluate(X, Y, loss="cross_entropy")
    assert not net.built


def test_a_fit_that_fails_leaves_no_class_names() -> None:
    net = network()
    net.build(2)
    with pytest.raises(ValueError, match="expected one weight per row"):
        net.fit(X, Y, sample_weight=[1.0], **FIT)
    assert net.class_names is None


@pytest.mark.parametrize("missing", [None, float("nan"), 3])
def test_missing_names_are_found(missing: Any) -> None:
    y = Y.astype(object)
    y[7] = missing
    with pytest.raises(ValueError, match=r"y\[7\] is .*, expected the name of a class"):
        network().fit(X, y, **FIT)
    with pytest.raises(ValueError, match=r"y\[7\] is nan, expected the name of a class"):
        network().fit(X, pandas("Categorical", [*y[:7], None, *y[8:]]), **FIT)


def test_numbers_stay_labels() -> None:
    codes = pandas("Categorical", LABELS)
    plain, net = network(), network()
    plain.fit(X, LABELS, **FIT)
    net.fit(X, codes, **FIT)
    assert net.class_names is None
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))


def test_losses_without_classes_refuse_text() -> None:
    with pytest.raises(TypeError, match=r"y\[0\] is "):
        network(1).fit(X, Y, loss="mse", verbose=0)


def test_class_weights_by_name() -> None:
    plain, net = network(), network()
    plain.fit(X, LABELS, class_weight={1: 5.0, 2: 0.5}, **FIT)
    net.fit(X, Y, class_weight={"dog": 5.0, "owl": 0.5}, **FIT)
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))
    with pytest.raises(ValueError, match="class_weight has the unknown class 'pig'"):
        net.fit(X, Y, class_weight={"pig": 1.0}, **FIT)


def test_scikit_learn_has_the_same_names() -> None:
    neural_network = pytest.importorskip("sklearn.neural_network")
    frame = pandas("DataFrame", X, columns=["width", "height"])
    estimator = neural_network.MLPClassifier((4,), max_iter=200, solver="lbfgs", random_state=0)
    estimator.fit(frame, Y)
    net = cr.from_sklearn(estimator)
    assert net.feature_names == ("width", "height")
    assert net.class_names == ("cat", "dog", "owl")
    labels = np.array(net.class_names)[net.predict(frame[["height", "width"]]).argmax(axis=1)]
    np.testing.assert_array_equal(labels, estimator.predict(frame))
    again = cr.to_sklearn(net)
    np.testing.assert_array_equal(again.feature_names_in_, ["width", "height"])
    np.testing.assert_array_equal(again.predict(frame), estimator.predict(frame))
    net.class_names = ["owl", "dog", "cat"]  # scikit-learn keeps no other order than the sorted one
    np.testing.assert_array_equal(cr.to_sklearn(net).classes_, [0, 1, 2])

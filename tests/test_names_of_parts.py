# SPDX-License-Identifier: Apache-2.0
"""Names of features for each of several inputs, and of classes for each of several outputs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from model_bytes import altered

import chainrule as cr
from chainrule.network.model_file import from_bytes, to_bytes

RNG = np.random.default_rng(0)
ROWS = 60
A, B = RNG.normal(size=(ROWS, 3)), RNG.normal(size=(ROWS, 2))
LABELS, SIDES = RNG.integers(3, size=ROWS), RNG.integers(2, size=ROWS)
SIZE = RNG.normal(size=ROWS)
PETS, ANSWERS = np.array(["cat", "dog", "owl"]), np.array(["no", "yes"])
LOSS = {"pet": "cross_entropy", "answer": "binary_cross_entropy", "size": "mse"}
FIT: dict[str, Any] = {"loss": LOSS, "epochs": 2, "batch_size": 16, "verbose": 0}
X = {"a": A, "b": B}
BY_LABEL = {"pet": LABELS, "answer": SIDES, "size": SIZE}
BY_NAME = {"pet": PETS[LABELS], "answer": ANSWERS[SIDES], "size": SIZE}
NAMES = {"pet": ("cat", "dog", "owl"), "answer": ("no", "yes")}


def network() -> cr.Network:
    a, b = cr.Input(3, name="a"), cr.Input(2, name="b")
    h = cr.Concatenate()([cr.Dense(6, activation="tanh")(a), b])
    outputs = {"pet": cr.Dense(3)(h), "answer": cr.Dense(1)(h), "size": cr.Dense(1)(h)}
    return cr.Network([a, b], outputs, seed=0)


def frames(a: Any = A, b: Any = B) -> dict[str, Any]:
    pandas = pytest.importorskip("pandas")
    return {
        "a": pandas.DataFrame(a, columns=["width", "height", "age"]),
        "b": pandas.DataFrame(b, columns=["age", "weight"]),
    }


def same_weights(one: cr.Network, other: cr.Network) -> None:
    for name, array in one.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[name], err_msg=name)


def test_names_of_classes_train_as_their_labels() -> None:
    plain, net = network(), network()
    plain.fit(X, BY_LABEL, validation_data=(X, BY_LABEL), **FIT)
    net.fit(X, BY_NAME, validation_data=(X, BY_NAME), **FIT)
    assert net.class_names == NAMES
    assert plain.class_names is None
    same_weights(net, plain)
    assert net.history.to_dict() == plain.history.to_dict()
    assert net.evaluate(X, BY_NAME) == plain.evaluate(X, BY_LABEL) == net.evaluate(X, BY_LABEL)
    # What the outputs say by name, in NumPy.
    raw = net.predict(X)
    expected = float((np.array(NAMES["pet"])[raw["pet"].argmax(axis=1)] == BY_NAME["pet"]).mean())
    assert net.evaluate(X, BY_NAME, metrics={"pet": ["accuracy"]})["pet_accuracy"] == (
        pytest.approx(expected)
    )
    assert net.train_on_batch(X, BY_NAME) == plain.train_on_batch(X, BY_LABEL)


def test_some_outputs_have_names_and_others_labels() -> None:
    plain, net = network(), network()
    plain.fit(X, BY_LABEL, **FIT)
    mixed = {**BY_LABEL, "pet": BY_NAME["pet"].tolist()}
    net.fit(X, mixed, **FIT)
    assert net.class_names == {"pet": NAMES["pet"]}
    same_weights(net, plain)
    with pytest.raises(
        ValueError,
        match=r"y\['answer'\] holds class names, but the network has no "
        r"class_names\['answer'\]",
    ):
        net.evaluate(X, BY_NAME)
    net.fit(X, BY_NAME, **FIT)
    assert net.class_names == NAMES


def test_datasets_and_generators_have_names_too() -> None:
    plain, net, streamed = network(), network(), network()
    plain.fit(X, BY_LABEL, shuffle=False, **FIT)
    data = cr.Dataset(X, BY_NAME)
    net.fit(data, shuffle=False, **FIT)
    again = network()
    again.fit(data, shuffle=False, **FIT)

    def batches():
        for first in range(0, ROWS, 16):
            rows = slice(first, first + 16)
            yield (
                {name: part[rows] for name, part in X.items()},
                {name: part[rows] for name, part in BY_NAME.items()},
            )

    options = {**FIT, "batch_size": None}
    streamed.fit(cr.Dataset.from_generator(batches, ROWS, 16), **options)
    for other in (net, again, streamed):
        assert other.class_names == NAMES
        same_weights(other, plain)


def test_weights_of_classes_by_their_names() -> None:
    plain, net = network(), network()
    plain.fit(X, BY_LABEL, class_weight={"pet": {0: 2.0, 2: 0.5}}, **FIT)
    net.class_names = NAMES
    net.fit(X, BY_NAME, class_weight={"pet": {"cat": 2.0, "owl": 0.5}}, **FIT)
    same_weights(net, plain)
    text = r"class_weight\['pet'\] has the unknown class 'pig'; the network's class_names\['pet'\]"
    with pytest.raises(ValueError, match=text):
        net.fit(X, BY_NAME, class_weight={"pet": {"pig": 2.0}}, **FIT)


def test_unknown_classes_are_named_with_their_output() -> None:
    net = network()
    net.fit(X, BY_NAME, **FIT)
    wrong = {**BY_NAME, "answer": np.where(SIDES == 1, "perhaps", "no")}
    text = (
        r"y\['answer'\] holds the unknown class 'perhaps'; the network's class_names\['answer'\] "
        "are 'no', 'yes'"
    )
    for call in (net.evaluate, net.train_on_batch, net.fit):
        with pytest.raises(ValueError, match=text):
            call(X, wrong)
    with pytest.raises(ValueError, match=r"y\['pet'\]\[1\] is 3, expected the name of a class"):
        net.evaluate(X, {**BY_NAME, "pet": np.array(["cat", 3, *PETS[LABELS]][:ROWS], object)})


def test_a_failed_call_leaves_names_as_they_were() -> None:
    net = network()
    few = {**BY_NAME, "answer": np.full(ROWS, "no")}
    with pytest.raises(
        ValueError,
        match=r"y\['answer'\] holds 1 classes, 'no', but the network "
        "tells 2 apart",
    ):
        net.fit(frames(), few, **FIT)
    assert net.class_names is None
    assert net.feature_names is None
    net.class_names = {"pet": PETS}
    with pytest.raises(ValueError, match=r"y\['answer'\] holds 1 classes"):
        net.fit(frames(), few, **FIT)
    assert net.class_names == {"pet": NAMES["pet"]}
    assert net.feature_names is None
    with pytest.raises(ValueError, match="unknown optimizer"):
        net.fit(frames(), BY_NAME, optimizer="sdg", **FIT)
    assert net.feature_names is None


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_are_read_by_the_names_of_each_input(kind: str) -> None:
    library = pytest.importorskip(kind)
    names = {"a": ["width", "height", "age"], "b": ["age", "weight"]}

    def table(part: str, order: list[int]) -> Any:
        columns = {names[part][place]: X[part][:, place] for place in order}
        return library.DataFrame(columns)

    plain, net = network(), network()
    plain.fit(X, BY_LABEL, **FIT)
    net.fit({"a": table("a", [0, 1, 2]), "b": table("b", [0, 1])}, BY_LABEL, **FIT)
    assert net.feature_names == {"a": ("width", "height", "age"), "b": ("age", "weight")}
    same_weights(net, plain)
    turned = [table("a", [2, 0, 1]), table("b", [1, 0])]
    for x in (turned, {"b": turned[1], "a": turned[0]}, {"a": A, "b": turned[1]}):
        for name, values in net.predict(x).items():
            np.testing.assert_array_equal(values, plain.predict(X)[name])
    assert net.evaluate(turned, BY_LABEL) == plain.evaluate(X, BY_LABEL)
    data = cr.Dataset({"a": turned[0], "b": turned[1]}, BY_LABEL)
    assert net.evaluate(data) == plain.evaluate(X, BY_LABEL)
    learnt = network()
    learnt.fit(data, **FIT)
    assert learnt.feature_names == {"a": ("age", "width", "height"), "b": ("weight", "age")}


def test_errors_name_the_input_and_the_columns() -> None:
    net = network()
    net.fit(frames(), BY_LABEL, **FIT)
    wrong = frames()
    wrong["b"] = wrong["b"].rename(columns={"weight": "mass"})
    text = (
        r"x\['b'\] lacks the feature 'weight' and has the unknown column 'mass'; the network's "
        r"feature_names\['b'\] are 'age', 'weight'"
    )
    for call in (net.predict, lambda x: net.evaluate(x, BY_LABEL), net.forward):
        with pytest.raises(ValueError, match=text):
            call(wrong)
    bad = frames()
    bad["b"].loc[7, "weight"] = np.nan
    with pytest.raises(ValueError, match=r"x\['b'\] must be finite; row 7, column 'weight' is NaN"):
        net.evaluate(bad, BY_LABEL)
    bad = {"a": A.copy(), "b": B}
    bad["a"][3, 1] = np.inf
    with pytest.raises(ValueError, match=r"x\['a'\].*row 3, column 1"):
        net.evaluate(bad, BY_LABEL)
    pandas = pytest.importorskip("pandas")
    twice = {"a": pandas.DataFrame(A, columns=["u", "v", "u"]), "b": B}
    with pytest.raises(ValueError, match=r"x\['a'\] has two columns called 'u'"):
        network().fit(twice, BY_LABEL, **FIT)


def test_names_that_are_set() -> None:
    net = network()
    net.feature_names = {"b": ["age", "weight"]}
    assert net.feature_names == {"b": ("age", "weight")}
    with pytest.raises(ValueError, match=r"x\['b'\] lacks the feature 'weight'"):
        net.predict({"a": A, "b": frames()["b"].rename(columns={"weight": "mass"})})
    net.fit(frames(), BY_LABEL, **FIT)  # which adds those of the other
    assert net.feature_names == {"a": ("width", "height", "age"), "b": ("age", "weight")}
    net.feature_names = None
    assert net.feature_names is None


@pytest.mark.parametrize(
    ("kind", "names", "error", "text"),
    [
        (
            "class_names",
            ["a"],
            TypeError,
            r"class_names must be a dict by the names of outputs \(pet",
        ),
        ("feature_names", "ab", TypeError, "feature_names must be a dict by the names of inputs"),
        ("class_names", {"pett": PETS}, ValueError, "class_names: unknown output 'pett'"),
        ("class_names", {"pet": ["a", "b"]}, ValueError, r"class_names\['pet'\] must have 3 names"),
        ("class_names", {"size": ["a"]}, ValueError, r"class_names\['size'\] must have 2 names"),
        ("class_names", {"pet": [*"abc"], "size": ["a"]}, ValueError, r"must have 2 names, got 1"),
        ("class_names", {"pet": []}, ValueError, r"class_names\['pet'\] is empty; None stands for"),
        ("class_names", {"pet": ["a", "b", "a"]}, ValueError, "must differ .* got 'a' twice"),
        ("class_names", {"pet": [1, 2, 3]}, TypeError, r"class_names\['pet'\]\[0\] must be a str"),
        ("feature_names", {"a": "abc"}, TypeError, r"feature_names\['a'\] must be strings or None"),
        ("feature_names", {"c": ["x"]}, ValueError, "feature_names: unknown input 'c'"),
        ("class_names", {"pet": ["\ud800", "b", "c"]}, ValueError, "which is no Unicode text"),
    ],
)
def test_names_that_do_not_fit(kind: str, names: Any, error: type[Exception], text: str) -> None:
    net = network()
    net.class_names, net.feature_names = NAMES, {"b": ["u", "v"]}
    with pytest.raises(error, match=text):
        setattr(net, kind, names)
    assert net.class_names == NAMES
    assert net.feature_names == {"b": ("u", "v")}


def named() -> cr.Network:
    net = network()
    net.fit(frames(), BY_NAME, **FIT)
    return net


def test_files_copies_and_pickles_keep_names(tmp_path) -> None:
    net = named()
    net.save(tmp_path / "net.safetensors")
    for other in (
        cr.load(tmp_path / "net.safetensors"),
        pickle.loads(pickle.dumps(net)),
        copy.deepcopy(net),
        copy.copy(net),
    ):
        assert other.class_names == NAMES
        assert other.feature_names == net.feature_names
        assert other.evaluate(frames(), BY_NAME) == net.evaluate(frames(), BY_NAME)
        other.class_names = None
        assert net.class_names == NAMES


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"pet": ["cat"]}, r"class_names\['pet'\] must have 3 names, got 1"),
        ({"pig": ["cat"]}, "unknown output 'pig'"),
        (["cat"], r"output_class_names must be an object, got \[\"cat\"\]"),
        ({"pet": "cat"}, r"class_names\['pet'\] must be a list, got \"cat\""),
    ],
)
def test_files_whose_names_do_not_fit(value: Any, text: str) -> None:
    def change(described: dict[str, Any]) -> None:
        _replace(described, "output_class_names", value)

    with pytest.raises(cr.ModelFileError, match=text):
        from_bytes(altered(change, to_bytes(named())))


def test_a_file_without_names_of_parts() -> None:
    def change(described: dict[str, Any]) -> None:
        for key in ("output_class_names", "input_feature_names"):
            _replace(described, key, None)

    again = from_bytes(altered(change, to_bytes(named())))
    assert again.class_names is None
    assert again.feature_names is None


def test_files_that_have_them_in_the_record_of_the_training() -> None:
    def change(described: dict[str, Any]) -> None:
        for key in ("output_class_names", "input_feature_names"):
            described["training"][key] = described["network"].pop(key)

    net = named()
    again = from_bytes(altered(change, to_bytes(net)))
    assert again.class_names == NAMES
    assert again.feature_names == net.feature_names
    assert to_bytes(again) == to_bytes(net)


def test_classes_of_each_position_have_names() -> None:
    x = cr.Input((4, 3))
    net = cr.Network(x, cr.Dense(3)(x), seed=0)
    net.class_names = PETS
    assert from_bytes(to_bytes(net)).class_names == NAMES["pet"]
    with pytest.raises(ValueError, match="class_names must have 3 names, got 12"):
        net.class_names = [str(i) for i in range(12)]


def _replace(where: Any, key: str, value: Any) -> None:
    if isinstance(where, dict):
        for name, inner in where.items():
            if name == key:
                where[name] = value
            else:
                _replace(inner, key, value)


def test_several_inputs_with_one_output_and_the_other_way_round() -> None:
    a, b = cr.Input(3, name="a"), cr.Input(2, name="b")
    net = cr.Network([a, b], cr.Dense(3, name="pet")(cr.Concatenate()([a, b])), seed=0)
    net.fit(frames(), BY_NAME["pet"], loss="cross_entropy", verbose=0)
    assert net.class_names == NAMES["pet"]
    assert set(net.feature_names) == {"a", "b"}
    x = cr.Input(3, name="x")
    net = cr.Network(x, {"pet": cr.Dense(3)(x), "answer": cr.Dense(1)(x)}, seed=0)
    y = {"pet": BY_NAME["pet"], "answer": BY_NAME["answer"]}
    loss = {"pet": "cross_entropy", "answer": "hinge"}
    for given in (frames()["a"], {"x": frames()["a"]}):
        net.feature_names = None
        net.fit(given, y, loss=loss, verbose=0)
        assert net.feature_names == ("width", "height", "age")
        assert net.class_names == NAMES
    with pytest.raises(ValueError, match="x lacks the feature 'age'"):
        net.predict({"x": frames()["a"].rename(columns={"age": "years"})})

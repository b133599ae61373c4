# SPDX-License-Identifier: Apache-2.0
"""Frames are read by the names of their columns, whatever the order."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pd = pytest.importorskip("pandas")

NAMES = ["a", "b", "c"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * [1.0, 10.0, 100.0]
Y = X @ [1.0, -0.1, 0.01]
FIT: dict[str, Any] = {"loss": "mse", "epochs": 2, "verbose": 0}


def polars_frame(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("pyarrow").table(columns)


FRAMES = [pd.DataFrame, polars_frame, arrow_table]


def frame(names: list[str], make: Callable[..., Any] = pd.DataFrame, x: Any = X) -> Any:
    """Return a frame of these columns of x, each under its own name."""
    return make({name: x[:, NAMES.index(name)] for name in names})


def network(**options: Any) -> cr.Sequential:
    return cr.Sequential([cr.Normalization(), cr.Dense(4, activation="tanh"), cr.Dense(1)], seed=0)


def fitted(make: Callable[..., Any] = pd.DataFrame) -> cr.Sequential:
    net = network()
    net.fit(frame(NAMES, make), Y, **FIT)
    return net


@pytest.mark.parametrize("make", FRAMES)
def test_fit_records_names_and_another_order_is_put_right(make: Callable[..., Any]) -> None:
    plain = network()
    plain.fit(X, Y, **FIT)
    assert plain.feature_names is None
    net = fitted(make)
    assert net.feature_names == ("a", "b", "c")
    shuffled = frame(["c", "a", "b"], make)
    np.testing.assert_array_equal(net.predict(shuffled), plain.predict(X))
    np.testing.assert_array_equal(net.predict(X), plain.predict(X))
    assert net.evaluate(shuffled, Y) == plain.evaluate(X, Y)


def test_every_entry_reads_by_name() -> None:
    shuffled = frame(["b", "c", "a"])

    def steps(x: Any) -> list[Any]:
        net = fitted()
        done: list[Any] = [net.train_on_batch(x, Y), net.forward(x)]
        net.adapt(x)
        net.fit(x, Y, validation_data=(x, Y), sample_weight=np.ones(60), **FIT)
        report = cr.gradient_check(net, x[:5], Y[:5], training=False, max_entries=3)
        plan = net.plan(x=x)
        done += [net.history.to_dict(), *net.get_weights(), report.max_relative_error]
        return [*done, plan.input]

    for here, there in zip(steps(frame(NAMES)), steps(shuffled), strict=True):
        np.testing.assert_equal(here, there)


def test_probabilities_by_name() -> None:
    net = network()
    net.fit(frame(NAMES), Y > 0, loss="binary_cross_entropy", verbose=0)
    np.testing.assert_array_equal(net.predict_proba(frame(["c", "b", "a"])), net.predict_proba(X))


def test_validation_data_of_the_first_fit_is_read_by_the_names_of_x() -> None:
    expected, net = network(), network()
    expected.fit(X, Y, validation_data=(X, Y), **FIT)
    net.fit(frame(NAMES), Y, validation_data=(frame(["c", "a", "b"]), Y), **FIT)
    assert net.history["val_loss"] == expected.history["val_loss"]


def test_one_row_of_a_frame() -> None:
    net = fitted()
    row = frame(["c", "a", "b"]).iloc[7]
    np.testing.assert_array_equal(net.predict(row), net.predict(X[7]))
    with pytest.raises(ValueError, match="lacks the feature 'b' and has the unknown column 'z'"):
        net.predict(row.rename({"b": "z"}))
    # A Series without names is an array.
    np.testing.assert_array_equal(net.predict(pd.Series(X[7])), net.predict(X[7]))


@pytest.mark.parametrize("make", FRAMES)
@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a", "b"], "x lacks the feature 'c';"),
        (["a"], "x lacks the features 'b', 'c';"),
        (["a", "b", "c", "d"], "x has the unknown column 'd';"),
        (["a", "b", "d"], "x lacks the feature 'c' and has the unknown column 'd';"),
        (["A", "b", "c"], "x lacks the feature 'a' and has the unknown column 'A';"),
        (["d", "e", "a"], "x lacks the features 'b', 'c' and has the unknown columns 'd', 'e';"),
    ],
)
def test_missing_and_unknown_names(make: Callable[..., Any], names: list[str], text: str) -> None:
    net = fitted()
    before = pickle.dumps(net)
    wrong = make({name: X[:, 0] for name in names})
    calls: list[Callable[[], object]] = [
        lambda: net.predict(wrong),
        lambda: net.predict_proba(wrong),
        lambda: net.evaluate(wrong, Y),
        lambda: net.fit(wrong, Y, **FIT),
        lambda: net.train_on_batch(wrong, Y),
        lambda: net.adapt(wrong),
        lambda: net.forward(wrong),
    ]
    net.loss = cr.losses.get("poisson")  # so that there are probabilities
    for call in calls:
        known = " the network's feature_names are 'a', 'b', 'c'"
        with pytest.raises(ValueError, match=f"^{text}{known}$"):
            call()
    net.loss = cr.losses.get("mse")
    assert pickle.dumps(net) == before


def test_the_error_comes_before_that_of_text_in_the_unknown_column() -> None:
    labelled = frame(NAMES).assign(species="cat")
    with pytest.raises(ValueError, match="has the unknown column 'species'"):
        fitted().predict(labelled)


def test_many_names_are_cut_short() -> None:
    wide = pd.DataFrame(np.zeros((2, 30)), columns=[f"column {i}" for i in range(30)])
    net = cr.Sequential([cr.Dense(1)])
    net.fit(wide, np.zeros(2), **FIT)
    with pytest.raises(
        ValueError, match="'column 9' and 20 more and has the unknown column 'z'; the"
    ) as caught:
        net.predict(pd.DataFrame(np.zeros((2, 1)), columns=["z"]))
    assert "'column 10'" not in str(caught.value)


def test_frames_whose_columns_have_no_text_are_arrays() -> None:
    net = network()
    net.fit(pd.DataFrame(X), Y, **FIT)
    assert net.feature_names is None
    named = fitted()
    for columns in (range(3), [2.5, 1.5, 0.5], pd.MultiIndex.from_product([["x"], NAMES])):
        np.testing.assert_array_equal(
            named.predict(pd.DataFrame(X, columns=columns)), named.predict(X)
        )


@pytest.mark.parametrize("columns", [["a", 1, 2], [0, "b", ("c", 1)]])
def test_names_of_mixed_types(columns: list[Any]) -> None:
    mixed = pd.DataFrame(X, columns=pd.Index(columns, dtype=object, tupleize_cols=False))
    for net in (network(), fitted()):
        with pytest.raises(TypeError, match=r"x has column names of types str and int"):
            net.fit(mixed, Y, **FIT)
        with pytest.raises(TypeError, match=r"column names of types str and int"):
            net.predict(mixed)
    assert not network().built


def test_two_columns_of_one_name() -> None:
    twice = pd.DataFrame(X, columns=["a", "b", "a"])
    net = network()
    for call in (net.fit, net.train_on_batch):
        with pytest.raises(ValueError, match="x has two columns called 'a'"):
            call(twice, Y, loss="mse")  # type: ignore[operator]
        assert not net.built
    with pytest.raises(ValueError, match="x has two columns called 'a'"):
        net.adapt(twice)
    assert not net.built
    with pytest.raises(ValueError, match="x has two columns called 'b'"):
        fitted().predict(pd.DataFrame(np.zeros((1, 4)), columns=["a", "b", "c", "b"]))


def test_a_network_trained_on_arrays_takes_over_the_names_of_a_frame() -> None:
    net = network()
    net.fit(X, Y, **FIT)
    net.fit(frame(NAMES), Y, **FIT)
    assert net.feature_names == ("a", "b", "c")


@pytest.mark.parametrize("learn", ["train_on_batch", "adapt", "forward"])
def test_whatever_trains_records_names(learn: str) -> None:
    net = cr.Sequential([cr.Input(3), cr.Normalization(), cr.Dense(1)], seed=0)
    arguments = (frame(NAMES), Y) if learn == "train_on_batch" else (frame(NAMES),)
    net.loss = cr.losses.get("mse")
    getattr(net, learn)(*arguments)
    assert net.feature_names == ("a", "b", "c")


def test_what_does_not_train_records_none() -> None:
    net = network()
    net.build(3)
    net.predict(frame(NAMES))
    net.evaluate(frame(NAMES), Y, loss="mse")
    net.forward(frame(NAMES), training=False)
    assert net.feature_names is None


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"validation_data": (X, Y[:5])}, "validation_data: x has 60 rows"),
        ({"loss": "cross_entropy"}, "needs at least 2 outputs"),
        ({"sample_weight": [1.0]}, "expected one weight per row"),
    ],
)
def test_a_call_that_fails_leaves_no_names(wrong: dict[str, Any], text: str) -> None:
    net = network()
    net.build(3)
    with pytest.raises(ValueError, match=text):
        net.fit(frame(NAMES), Y, **{**FIT, **wrong})
    assert net.feature_names is None
    named = fitted()
    with pytest.raises(ValueError, match=text):
        named.fit(frame(NAMES), Y, **{**FIT, **wrong})
    assert named.feature_names == ("a", "b", "c")


def test_copies_and_files_go_on_by_name(tmp_path: Path) -> None:
    net = fitted()
    net.save(tmp_path / "net")
    expected = net.predict(X)
    for other in (cr.load(tmp_path / "net"), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.predict(frame(["c", "a", "b"])), expected)


def test_names_can_be_set_and_forgotten() -> None:
    net = network()
    net.fit(X, Y, **FIT)
    net.feature_names = NAMES
    np.testing.assert_array_equal(net.predict(frame(["c", "a", "b"])), net.predict(X))
    net.feature_names = None
    shuffled = frame(["c", "a", "b"])
    np.testing.assert_array_equal(net.predict(shuffled), net.predict(shuffled.to_numpy()))


def test_the_order_at_hand_costs_no_copy() -> None:
    values = np.asfortranarray(X)
    same = pd.DataFrame(values, columns=NAMES, copy=False)
    net = fitted()
    assert np.shares_memory(net._features(same), values)
    assert not np.shares_memory(net._features(same[["b", "a", "c"]]), values)


def test_categories_by_name() -> None:
    codes = pd.DataFrame({"day": [0, 6, 3, 3], "hour": [23, 0, 5, 5]})
    net = cr.Sequential([cr.CategoryEncoding([7, 24]), cr.Dense(1)], seed=0)
    net.fit(codes, np.arange(4.0), **FIT)
    np.testing.assert_array_equal(net.predict(codes[["hour", "day"]]), net.predict(codes))


@pytest.mark.parametrize("make", FRAMES)
def test_divided_frames_keep_their_names(make: Callable[..., Any]) -> None:
    given = frame(NAMES, make)
    expected = cr.data.train_test_split(X, Y, seed=3)
    divided = cr.data.train_test_split(given, Y, seed=3)
    for part, array in zip(divided, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(part), array)
    assert type(divided[0]) is type(divided[1]) is type(given)
    net = network()
    net.fit(divided[0], divided[2], **FIT)
    assert net.feature_names == ("a", "b", "c")

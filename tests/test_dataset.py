# SPDX-License-Identifier: Apache-2.0
"""Data sets that are made once: what they hold, what they refuse, and that checks are paid once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import chainrule as cr


def table(rows: int = 60, columns: int = 5, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)), rng.integers(0, 3, rows)


def classifier(**options: Any) -> cr.Sequential:
    return cr.Sequential([cr.Dense(7, activation="tanh"), cr.Dense(3)], seed=3, **options)


def same_weights(a: cr.Network, b: cr.Network) -> None:
    for mine, other in zip(a.get_weights(), b.get_weights(), strict=True):
        assert_array_equal(mine, other)


def test_every_call_takes_it_and_gives_the_same_bits():
    x, y = table()
    weight = np.linspace(0.5, 2.0, len(y))
    classes = {1: 2.0}
    data = cr.Dataset(x, y, sample_weight=weight, class_weight=classes)
    test = cr.Dataset(*table(seed=1))
    a, b = classifier(), classifier()
    options: Any = {"loss": "cross_entropy", "epochs": 3, "batch_size": 16, "verbose": 0}
    mine = a.fit(data, validation_data=test, **options)
    other = b.fit(
        x,
        y,
        sample_weight=weight,
        class_weight=classes,
        validation_data=(test.x, test.y),
        **options,
    )
    assert mine.to_dict() == other.to_dict()
    for _ in range(2):
        assert a.train_on_batch(data) == b.train_on_batch(
            x, y, sample_weight=weight, class_weight=classes
        )
    same_weights(a, b)
    assert a.evaluate(data) == b.evaluate(x, y, sample_weight=weight, class_weight=classes)
    assert_array_equal(a.predict(data), b.predict(x))
    assert_array_equal(a.predict_proba(cr.Dataset(x)), b.predict_proba(x))
    assert len(data) == 60
    assert repr(data) == "<Dataset of 60 rows: x, y, sample_weight, class_weight>"


def test_parts_and_balanced_classes():
    x, y = table()
    data = cr.Dataset(x, y, class_weight="balanced")
    a, b = classifier(), classifier()
    options: Any = {"loss": "cross_entropy", "validation_split": 0.25, "verbose": 0, "epochs": 2}
    assert (
        a.fit(data, **options).to_dict()
        == b.fit(x, y, class_weight="balanced", **options).to_dict()
    )
    same_weights(a, b)


def test_several_inputs_and_outputs_by_name_and_in_order():
    def net() -> cr.Network:
        a, b = cr.Input(5, name="a"), cr.Input(2, name="b")
        h = cr.Concatenate()([cr.Dense(6, activation="relu")(a), b])
        return cr.Network(
            inputs=[a, b], outputs={"label": cr.Dense(3)(h), "size": cr.Dense(1)(h)}, seed=1
        )

    x, y = table()
    other = np.random.default_rng(5).normal(size=(60, 2))
    size = x.sum(axis=1)
    options: Any = {
        "loss": {"label": "cross_entropy", "size": "mse"},
        "epochs": 2,
        "batch_size": 8,
        "verbose": 0,
    }
    nets = [net() for _ in range(3)]
    nets[0].fit({"a": x, "b": other}, {"label": y, "size": size}, **options)
    nets[1].fit(cr.Dataset({"a": x, "b": other}, {"label": y, "size": size}), **options)
    nets[2].fit(cr.Dataset([x, other], [y, size]), **options)
    same_weights(nets[0], nets[1])
    same_weights(nets[0], nets[2])
    predicted = nets[1].predict(cr.Dataset([x, other]))
    assert_array_equal(predicted["label"], nets[0].predict([x, other])["label"])
    with pytest.raises(ValueError, match=r"x\['b'\] has 3 columns"):
        nets[0].predict(
            cr.Dataset([other[:, :1].repeat(5, axis=1), other.repeat(2, axis=1)[:, :3]])
        )


def test_names_of_columns_and_classes_are_learnt_by_each_network():
    pd = pytest.importorskip("pandas")
    x, y = table()
    frame = pd.DataFrame(x, columns=list("abcde"))
    names = np.array(["cat", "dog", "emu"])[y]
    data = cr.Dataset(frame, names)
    reference = classifier()
    reference.fit(frame, names, loss="cross_entropy", verbose=0)
    for _ in range(3):
        net = classifier()
        net.fit(data, loss="cross_entropy", verbose=0)
        assert net.feature_names == tuple("abcde")
        assert net.class_names == ("cat", "dog", "emu")
        same_weights(net, reference)
    other = classifier()
    other.build(5)
    other.feature_names = list("edcba")
    other.fit(data, loss="cross_entropy", verbose=0)
    assert_array_equal(other.predict(data), other.predict(x[:, ::-1]))


def test_checks_are_paid_once(monkeypatch: pytest.MonkeyPatch):
    x, y = table()
    data = cr.Dataset(x, y)
    classifier().fit(data, loss="cross_entropy", verbose=0)

    def checked_again(*_: object, **__: object) -> None:
        raise AssertionError("checked again")

    monkeypatch.setattr("chainrule.network.training_targets.prepare_targets", checked_again)
    monkeypatch.setattr("chainrule.network.reading.as_rows", checked_again)
    reading = "chainrule.network.reading.Reading"
    monkeypatch.setattr(f"{reading}._takes_targets_in_place", checked_again)
    net = classifier()
    net.fit(data, loss="cross_entropy", verbose=0)
    net.fit(data, loss="cross_entropy", verbose=0)
    net.evaluate(data)
    with pytest.raises(AssertionError, match="checked again"):
        net.fit(x, y, verbose=0)
    # Another loss asks other things of the targets.
    monkeypatch.undo()
    with pytest.raises(ValueError, match="3 outputs"):
        net.fit(data, loss="mse", verbose=0)


def test_a_network_that_cannot_take_it_says_so_after_another_did():
    x = np.array([[0.0], [1.0], [4.0]])
    data = cr.Dataset(x, [0.0, 1.0, 2.0])
    plain = cr.Sequential([cr.Dense(1)], seed=0)
    plain.fit(data, loss="mse", verbose=0)
    codes = cr.Sequential([cr.Input(1), cr.CategoryEncoding(3), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="4"):
        codes.fit(data, loss="mse", verbose=0)
    assert codes.history.epochs == []
    wide = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="1 columns"):
        wide.predict(data)
    huge = cr.Dataset([[1e300]], [0.0])
    cr.Sequential([cr.Dense(1)], dtype="float64", seed=0).evaluate(huge, loss="mae")
    with pytest.raises(ValueError, match="float32"):
        cr.Sequential([cr.Dense(1)], seed=0).evaluate(huge, loss="mae")


def test_it_does_not_change():
    x, y = table()
    weights = {0: 1.0}
    data = cr.Dataset(x, y, class_weight=weights)
    weights[0] = 5.0
    assert data.class_weight == {0: 1.0}
    with pytest.raises(AttributeError):
        data.x = x  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 1.0
    assert x.flags.writeable


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"x": [[1.0]], "y": [1.0, 2.0]}, ValueError, "x has 1 rows but y has 2"),
        ({"x": [1.0, 2.0]}, ValueError, "x is 1-D"),
        ({"x": np.empty((0, 2))}, ValueError, "x is empty"),
        ({"x": {}}, ValueError, "x is empty"),
        ({"x": [["a"]]}, TypeError, "expected numbers"),
        ({"x": [[1.0]], "y": []}, ValueError, "y is empty"),
        ({"x": [[1.0]], "y": 3}, TypeError, "y must be an array"),
        ({"x": [[1.0]], "class_weight": {0: 1}}, ValueError, "class_weight needs y"),
        ({"x": [[1.0]], "sample_weight": [-1.0]}, ValueError, r"sample_weight\[0\] = -1.0"),
        ({"x": [[1.0]], "sample_weight": [1.0, 2.0]}, ValueError, "one weight per row"),
        (
            {"x": {"a": np.ones((2, 1)), "b": np.ones((3, 1))}},
            ValueError,
            r"x\['a'\] has 2 rows, x\['b'\] 3",
        ),
        ({"x": cr.Dataset([[1.0]])}, TypeError, "a Dataset already"),
    ],
)
def test_bad_data(given: Any, error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        cr.Dataset(**given)


def test_bad_calls():
    x, y = table()
    net = classifier()
    data = cr.Dataset(x, y)
    with pytest.raises(ValueError, match="y must not be given beside a Dataset"):
        net.fit(data, y, loss="cross_entropy", verbose=0)
    with pytest.raises(ValueError, match="sample_weight must not be given"):
        net.evaluate(data, loss="cross_entropy", sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="class_weight must not be given"):
        net.train_on_batch(data, loss="cross_entropy", class_weight={0: 1})
    with pytest.raises(TypeError, match="y is missing"):
        net.fit(x, loss="cross_entropy", verbose=0)
    with pytest.raises(ValueError, match="the Dataset has no y"):
        net.fit(cr.Dataset(x), loss="cross_entropy", verbose=0)
    with pytest.raises(ValueError, match="validation_data: the Dataset has no y"):
        net.fit(data, loss="cross_entropy", verbose=0, validation_data=cr.Dataset(x))
    bad = x.copy()
    bad[7, 2] = np.nan
    with pytest.raises(ValueError, match="row 7, column 2 is NaN"):
        net.fit(cr.Dataset(bad, y), loss="cross_entropy", verbose=0)
    assert not net.built

# SPDX-License-Identifier: Apache-2.0
"""Model files whose numbers no training leaves behind: what loads can be used and saved again."""

from __future__ import annotations

import copy
import json
import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_bytes import sealed, split

import chainrule as cr
from chainrule.network.model_file import description as model_description
from chainrule.network.model_file import from_bytes, to_bytes

X = np.random.default_rng(0).normal(size=(12, 3)).astype("f4")
Y = np.arange(12) % 2


def trained(learning_rate: object, optimizer: str = "Adam") -> cr.Sequential:
    net = cr.Sequential(
        [
            cr.Input(3),
            cr.Normalization(),
            cr.Dense(4, activation="relu"),
            cr.BatchNormalization(),
            cr.Dropout(0.25),
            cr.Dense(2),
        ],
        seed=0,
    )
    net.fit(
        X,
        Y,
        loss="cross_entropy",
        optimizer=getattr(cr.optimizers, optimizer)(learning_rate=learning_rate),
        metrics=["accuracy"],
        epochs=2,
        batch_size=6,
        verbose=0,
    )
    return net


def parts(content: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The header, the description in it, and the tensors' bytes."""
    header, tensors = split(content)
    return header, json.loads(header["__metadata__"]["chainrule"]), tensors


def assembled(header: dict[str, Any], description: str, tensors: bytes) -> bytes:
    """A file with another description or other values and a checksum that is right."""
    metadata = {**header["__metadata__"], "chainrule": description}
    return sealed({**header, "__metadata__": metadata}, tensors)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values that hold no others, and of all that do."""
    if path:
        yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from leaves(item, (*path, key))


def changed(description: dict[str, Any], path: tuple[Any, ...], value: str) -> str:
    """The description as text, with this JSON text at one place."""
    whole = copy.deepcopy(description)
    at: Any = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "@"
    return json.dumps(whole).replace('"@"', value)


VALUES = [
    "-1",
    "0",
    "1e308",
    "1e999",
    "NaN",
    str(2**63 - 1),
    str(2**63),
    "9" * 5000,
    '"text"',
    "null",
    "[]",
    "{}",
    "1.5",
    "true",
]

NETS: dict[str, Callable[[], cr.Sequential]] = {
    "step": lambda: trained(cr.schedules.Step(0.01, gamma=0.5, period=1)),
    "cosine": lambda: trained(cr.schedules.Cosine(0.01, epochs=1, restart_factor=2.0)),
    "plateau": lambda: trained(cr.schedules.ReduceOnPlateau(0.01, monitor="loss")),
    "one_cycle": lambda: trained(cr.schedules.OneCycle(0.01, epochs=4)),
    "piecewise": lambda: trained(cr.schedules.Piecewise([1], [0.01, 0.001])),
    "adadelta": lambda: trained(0.1, "Adadelta"),
}
CONTENTS = {name: to_bytes(net()) for name, net in NETS.items()}


def use(content: bytes) -> str:
    """Load, predict, train, save and load again; tell how it ended."""
    try:
        net = from_bytes(content)
    except cr.ModelFileError:
        return "refused"
    again = to_bytes(net)
    assert to_bytes(from_bytes(again)) == again
    net.predict(X)
    trains = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X, Y, loss=net.loss or "mse", batch_size=6, verbose=0)
    except cr.DivergenceError:
        trains = False
    except ValueError as error:
        # What a file means is not what it is trained with here.
        text = str(error)
        assert any(word in text for word in ("learning rate", "monitor", "labels", "history"))
        trains = False
    again = to_bytes(net)
    assert to_bytes(from_bytes(again)) == again
    from_bytes(again).predict(X)
    return "trained" if trains else "loaded"


@pytest.mark.parametrize("name", NETS)
def test_every_number_of_a_description_replaced(name: str) -> None:
    header, description, tensors = parts(CONTENTS[name])
    ends = {"refused": 0, "loaded": 0, "trained": 0}
    for path in leaves(description):
        for value in VALUES:
            ends[use(assembled(header, changed(description, path, value), tensors))] += 1
    assert ends["refused"] > 10 * len(VALUES)
    assert ends["trained"] > len(VALUES)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("schedule_origin",), "-1", "schedule_origin must lie in 0..4"),
        (("schedule_origin",), "5", "schedule_origin must lie in 0..4"),
        (("total_steps",), str(2**63 - 1), "total_steps must lie in 0.."),
        (("steps",), "5", "steps must lie in 0..4"),
        (("epochs",), "-1", "epochs must lie in 0.."),
        (("schedule_state", "rate"), "-1", "rate of reduce_on_plateau"),
        (("schedule_state", "bad_epochs"), "-1", "bad_epochs must lie in 0.."),
        (("schedule_state", "cooldown_left"), str(2**63 - 1), "cooldown_left must lie in 0.."),
        (("optimizer", "learning_rate", "monitor"), "3", "monitor must be a name"),
        (("optimizer", "learning_rate", "mode"), '"least"', "reduce_on_plateau mode"),
        (("history", "epochs"), "[2, 1]", "epochs of history must increase"),
        (("history", "epochs"), "[0, 1]", "epochs of history must increase"),
        (("history", "epochs"), "[1, 1.5]", "an epoch of history must be an integer"),
        (("history", "epochs"), f"[1, {2**53 + 1}]", "epochs of history must increase"),
        (("history", "epochs"), "[1]", 'history of "loss" has 2 values for 1 epochs'),
        (("history", "history", "loss"), "[1, 1e999]", "range of double precision"),
        (("history", "history", "loss"), f"[1, {'9' * 5000}]", "at most 4300 digits"),
        (("history", "history", "loss"), '[1, "2"]', "must be a number"),
        (("history", "history", "loss"), "[1, true]", "must be a number"),
        (("metrics",), '["accuracy", "accuracy"]', "different names"),
        (("metrics",), '["no_such_metric"]', "no_such_metric"),
        (("metrics",), '["loss"]', "loss"),
        (("callbacks",), "[]", "callbacks must be an object"),
        (("callbacks",), '{"Mine": 3}', 'state of "Mine" must be an object'),
        (("callbacks",), '{"EarlyStopping(loss)": {"waited": -1}}', "no whole number waited"),
        (("callbacks",), '{"EarlyStopping(loss) 2": {"best": null}}', "no number best"),
        (("callbacks",), '{"EarlyStopping(loss)": {"best_weights": []}}', "other shapes"),
        (("callbacks",), '{"EarlyStopping(loss)": {"best_weights": [{}]}}', "holds no weights"),
        (("callbacks",), '{"ModelCheckpoint(loss)": {"last_path": 3}}', "no text last_path"),
        (("callbacks",), '{"CSVLogger(log)": {"epoch": 1.5}}', "no whole number epoch"),
        (("later",), "9" * 5000, "at most 4300 digits"),
    ],
)
def test_what_no_training_leaves_behind(path: tuple[str, ...], value: str, says: str) -> None:
    header, description, tensors = parts(CONTENTS["plateau"])
    content = assembled(header, changed(description, ("training", *path), value), tensors)
    with pytest.raises(cr.ModelFileError, match=re.escape(says)):
        from_bytes(content)


def test_what_others_may_have_written() -> None:
    header, description, tensors = parts(CONTENTS["plateau"])
    for key, value in {
        "later": "[" * 60 + "]" * 60,
        "seed_of_a_generator": str(2**127),
        "target_name": "null",
        "callbacks": '{"Mine": {"state": [1, {"of": "mine"}]}, "EarlyStopping(mine)": {"x": "y"}}',
    }.items():
        content = assembled(header, changed(description, ("training", key), value), tensors)
        assert use(content) == "trained"


def test_a_description_that_python_cannot_read() -> None:
    header, description, tensors = parts(CONTENTS["step"])
    content = assembled(header, changed(description, ("later",), "9" * 5000), tensors)
    with pytest.raises(cr.ModelFileError, match="4300"):
        model_description(content)


NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**20, -(2**63), 1e308]))
DAMAGE = st.recursive(NUMBERS | st.text(max_size=5) | st.none(), st.lists)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_random_damage(data: st.DataObject) -> None:
    """Whatever a description says, the network can be used and saved or is refused."""
    header, description, tensors = parts(CONTENTS[data.draw(st.sampled_from(sorted(CONTENTS)))])
    text = json.dumps(description)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(leaves(json.loads(text)))))
        value = data.draw(DAMAGE)
        text = changed(json.loads(text), path, json.dumps(value))
    use(assembled(header, text, tensors))


@pytest.mark.parametrize("optimizer", ["Adam", "Adadelta", "RMSprop", "AdaGrad", "SGD"])
def test_values_of_tensors_replaced(optimizer: str) -> None:
    header, description, tensors = parts(to_bytes(trained(0.01, optimizer)))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin = entry["data_offsets"][0]
        for number in (math.nan, math.inf, -math.inf, -1.0, 3e38, 0.0):
            mutated = bytearray(tensors)
            mutated[begin : begin + 4] = struct.pack("<f", number)
            end = use(assembled(header, json.dumps(description), bytes(mutated)))
            slot = name.startswith("optimizer.")
            squares = ("sq.", "square_avg.", "sum.", "delta.")
            positive = "variance" in name or (slot and any(word in name for word in squares))
            bad = math.isnan(number) or (math.isinf(number) and not slot)
            if bad or (positive and number < 0):
                assert end == "refused", (name, number)
            elif number == 0.0:
                assert end == "trained", (name, number)


def test_a_cosine_of_endless_cycles_ends() -> None:
    for factor in (1.0 + 2.0**-52, 1.0 + 1e-9, 1.001, 1.5):
        schedule = cr.schedules.Cosine(0.1, epochs=1, restart_factor=factor)
        for step in (2**40, 2**53):
            rate = schedule._core.rate(step, 1)
            assert 0.0 <= rate <= 0.1


def test_what_load_would_refuse_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    net = trained(0.01)
    net.save(path)
    before = path.read_bytes()

    def refused(text: str) -> None:
        with pytest.raises(ValueError, match=text):
            net.save(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    net.history.append(2**60, {"loss": 1.0})
    refused("epochs of history must increase from 1 to at most")
    net.history.forget_after(2)
    net.metrics = [cr.metrics.get("accuracy")] * 2
    refused("metrics must have different names")
    net.metrics = None
    net.save(path)
    before = path.read_bytes()
    # Squares that float32 cannot hold go into the running variance.
    net.forward(np.tile(np.array([[3e38], [-3e38]], "f4"), (1, 3)), training=True)
    refused("running_mean contain NaN or infinity")


def test_infinities_in_a_saved_history_are_nan() -> None:
    """JSON has neither, and others must be able to read the description."""

    def worst(y_true: Any, y_pred: Any) -> float:
        return math.inf

    def table(y_true: Any, y_pred: Any) -> Any:
        return [[-math.inf, 1.0], [math.nan, 0.5]]

    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    net.fit(X, Y, loss="cross_entropy", metrics=[worst, table], epochs=2, verbose=0)
    assert net.history["worst"] == [math.inf, math.inf]

    def constant(name: str) -> None:
        raise AssertionError(name)

    header, _ = split(to_bytes(net))
    written = json.loads(header["__metadata__"]["chainrule"], parse_constant=constant)
    assert written["training"]["history"]["history"]["worst"] == [None, None]
    assert written["training"]["history"]["history"]["table"] == [[[None, 1.0], [None, 0.5]]] * 2
    read = from_bytes(to_bytes(net))
    np.testing.assert_array_equal(read.history["worst"], [math.nan] * 2)
    np.testing.assert_array_equal(read.history["table"], [[[math.nan, 1.0], [math.nan, 0.5]]] * 2)
    assert read.history["loss"] == net.history["loss"]
    assert to_bytes(read) == to_bytes(net)


def test_a_history_that_has_the_next_epoch_already() -> None:
    """It may come from a training by hand; fit tells before it trains."""
    net = trained(0.01)
    net.history.append(3, {"loss": 0.5})
    read = from_bytes(to_bytes(net))
    assert read.history == net.history
    for each in (net, read):
        before = to_bytes(each)
        with pytest.raises(ValueError, match="history has epoch 3, which is the next"):
            each.fit(X, Y, batch_size=6, verbose=0)
        assert to_bytes(each) == before
        each.history.forget_after(2)
        each.fit(X, Y, batch_size=6, verbose=0)
        assert each.history.epochs == [1, 2, 3]
    assert to_bytes(read) == to_bytes(net)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_callbacks_whose_best_value_is_infinite(tmp_path: Path, mode: str) -> None:
    """What they remember comes back, and the best value of a resumed training with it."""
    values: Iterator[float] = iter(())

    def erratic(y_true: Any, y_pred: Any) -> float:
        return next(values, 0.0)

    def callbacks() -> list[Any]:
        return [
            cr.callbacks.EarlyStopping("erratic", mode=mode, patience=9),
            cr.callbacks.ModelCheckpoint(tmp_path / "best", monitor="erratic", mode=mode),
        ]

    for best in (math.inf, -math.inf):
        net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
        first = callbacks()
        options: dict[str, Any] = {"loss": "cross_entropy", "metrics": [erratic], "verbose": 0}
        values = iter([0.0, best])
        net.fit(X, Y, callbacks=first, **options)
        assert first[0].best == best
        read = from_bytes(to_bytes(net))
        again = callbacks()
        read.fit(X, Y, callbacks=again, **options)
        replaced = best == (math.inf if mode == "min" else -math.inf)
        assert again[0].best == (0.0 if replaced else best)
        assert again[1].best == again[0].best

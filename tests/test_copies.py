# SPDX-License-Identifier: Apache-2.0
"""Copies and pickles are of the same class and keep every attribute, those of subclasses too."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import assert_same_state, blobs

import chainrule as cr
from chainrule import _core, callbacks, losses, metrics, schedules
from chainrule.spec import Spec

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda net, protocol=protocol: pickle.loads(
            pickle.dumps(net, protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


class Tagged(cr.Sequential):
    """Adds attributes and methods, and takes other arguments."""

    def __init__(self, tag: str, *, width: int) -> None:
        super().__init__([cr.Input(4), cr.Dense(width, activation="tanh"), cr.Dense(3)], seed=0)
        self.tag = tag
        self.notes = [tag, np.arange(3)]
        self.calls = 0

    def predict(self, x: object, **options: Any) -> Any:  # type: ignore[override]
        self.calls += 1
        return super().predict(x, **options)


class Slotted(Tagged):
    __slots__ = ("__hidden", "unset", "where")

    def __init__(self) -> None:
        super().__init__("slotted", width=5)
        self.where = {"a": 1}
        self.__hidden = 7

    def hidden(self) -> int:
        return self.__hidden


class WithState(Tagged):
    """Leaves out what cannot be pickled, in the way that Python's documentation shows."""

    def __init__(self) -> None:
        super().__init__("stateful", width=5)
        self.reporter = lambda: "open"

    def __getstate__(self) -> Any:
        state = self.__dict__.copy()
        del state["reporter"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.reporter = lambda: "opened again"


class Compatible(Tagged):
    """Reads the state of the base class and adds to it."""

    def __init__(self) -> None:
        super().__init__("compatible", width=5)

    def __getstate__(self) -> Any:
        return {**super().__getstate__(), "version": 2}


def made(cls: type[Tagged]) -> Tagged:
    return Tagged("plain", width=5) if cls is Tagged else cls()  # type: ignore[call-arg]


SUBCLASSES = [Tagged, Slotted, WithState, Compatible]


@each_way
@pytest.mark.parametrize("cls", SUBCLASSES)
def test_subclasses_stay_what_they_are(cls: type[Tagged], way: Callable[[Any], Any]) -> None:
    x, y = blobs()
    net = made(cls)
    net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=2, verbose=0)
    net.feature_names = ["a", "b", "c", "d"]
    net.predict(x)
    twin = way(net)
    assert type(twin) is cls
    assert (twin.tag, twin.calls, twin.notes[0]) == (net.tag, 1, net.tag)
    np.testing.assert_array_equal(twin.notes[1], np.arange(3))
    assert twin.feature_names == net.feature_names
    assert_same_state(net, twin)
    np.testing.assert_array_equal(twin.predict(x), net.predict(x))
    assert twin.calls == 2
    before = net.parameters
    twin.fit(x, y, epochs=1, verbose=0)
    assert net.history.epochs == [1, 2]
    for name, array in net.parameters.items():
        np.testing.assert_array_equal(array, before[name])
    net.fit(x, y, epochs=1, verbose=0)
    assert_same_state(net, twin)


@each_way
def test_slots_are_kept(way: Callable[[Any], Any]) -> None:
    twin = way(Slotted())
    assert (twin.where, twin.hidden()) == ({"a": 1}, 7)
    assert not hasattr(twin, "unset")


@each_way
def test_a_state_of_the_subclass_is_used(way: Callable[[Any], Any]) -> None:
    assert way(WithState()).reporter() == "opened again"
    assert way(Compatible()).version == 2


@each_way
def test_an_unbuilt_network(way: Callable[[Any], Any]) -> None:
    net = cr.Sequential([cr.Dense(3)], seed=4)
    net.note = "unbuilt"  # type: ignore[attr-defined]
    twin = way(net)
    assert (twin.note, twin.built, twin.seed) == ("unbuilt", False, 4)
    for n in (net, twin):
        n.fit(*blobs(), loss="cross_entropy", verbose=0)
    assert_same_state(net, twin)


@each_way
def test_attributes_that_refer_to_the_network(way: Callable[[Any], Any]) -> None:
    net = Tagged("self", width=2)
    net.me = net  # type: ignore[attr-defined]
    net.last = net.layers[-1]  # type: ignore[attr-defined]
    twin = way(net)
    assert twin.me is twin
    assert twin.last == twin.layers[-1]


def test_a_shallow_copy_shares_what_the_subclass_added() -> None:
    net = Slotted()
    twin = copy.copy(net)
    assert twin.notes is net.notes
    assert twin.where is net.where
    assert twin.history is not net.history
    deep = copy.deepcopy(net)
    assert deep.notes is not net.notes
    assert deep.where is not net.where


def test_copies_train_at_the_same_time() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    x, y = blobs()

    def train_a_copy(epoch: int, logs: Mapping[str, Any]) -> None:
        for way in WAYS.values():
            if epoch == 1:
                way(net).fit(x, y, verbose=0)

    net.fit(x, y, loss="cross_entropy", verbose=0, callbacks=[train_a_copy])


@each_way
def test_copies_let_one_training_at_a_time_run(way: Callable[[Any], Any]) -> None:
    x, y = blobs()
    twin = way(cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0))
    refused = []

    def train(epoch: int, logs: Mapping[str, Any]) -> None:
        with pytest.raises(RuntimeError, match="being trained already"):
            twin.fit(x, y, verbose=0)
        with pytest.raises(RuntimeError, match="being trained already"):
            twin.train_on_batch(x, y)
        refused.append(epoch)

    twin.fit(x, y, loss="cross_entropy", epochs=2, verbose=0, callbacks=[train])
    assert refused == [1, 2]
    assert twin.history.epochs == [1, 2]


def test_the_repr_names_the_subclass() -> None:
    assert repr(Tagged("plain", width=2)).startswith("Tagged([Input(4), Dense(2, ")


# Descriptions, callbacks and what else the package makes.


class Wide(cr.Dense):
    def __init__(self, factor: int, label: str) -> None:
        super().__init__(10 * factor, activation="relu")
        self.label = [label]


class Mine(losses.Huber):
    __slots__ = ("place",)

    def __init__(self) -> None:
        super().__init__(delta=0.5)
        self.place = "slot"


class Warm(cr.Adam):
    def __init__(self, note: str) -> None:
        super().__init__(schedules.Cosine(0.1, epochs=3), clip_norm=1.0)
        self.note = note


class Patient(schedules.ReduceOnPlateau):
    def __init__(self) -> None:
        super().__init__(0.25, monitor="loss", patience=0, gamma=0.5)
        self.note = "patient"


class Custom(cr.Callback):
    def __init__(self) -> None:
        self.seen = [1, 2]


def rate(epoch: int) -> float:
    return 0.1 / (1 + epoch)


class Falling(schedules.PerEpoch):
    def __init__(self, note: str) -> None:
        super().__init__(rate)
        self.note = note


def observed(schedule: Any) -> Any:
    for value in (3.0, 4.0, 5.0):
        schedule.observe({"loss": value})
    return schedule


DESCRIPTIONS: list[Spec] = [
    Wide(2, "label"),
    Mine(),
    Warm("note"),
    Falling("note"),
    observed(Patient()),
    cr.SGD(observed(schedules.ReduceOnPlateau(0.1, monitor="loss", mode="max"))),
]


@each_way
@pytest.mark.parametrize("described", DESCRIPTIONS, ids=lambda d: type(d).__name__)
def test_subclasses_of_descriptions(described: Any, way: Callable[[Any], Any]) -> None:
    twin = way(described)
    assert type(twin) is type(described)
    assert twin == described
    assert repr(twin) == repr(described)
    for name in ("label", "place", "note"):
        assert getattr(twin, name, None) == getattr(described, name, None)
    if hasattr(described, "state"):
        assert twin.state == described.state
        twin.observe({"loss": -1.0})
        assert twin.state != described.state


def test_subclasses_of_layers_stay_in_the_network() -> None:
    net = cr.Sequential([cr.Input(3), Wide(1, "first"), cr.Dense(2)], seed=0)
    for way in WAYS.values():
        twin = way(net)
        assert type(twin.layers[0]) is Wide
        assert twin.layers[0].label == ["first"]


def test_the_repr_of_a_subclass_that_forgets_its_arguments() -> None:
    assert repr(Wide(2, "x")).startswith("<Wide: {'kind': 'dense', 'units': 20, ")


def public_instances() -> dict[str, Any]:
    """Return an instance of every public class that is no description and no error."""
    x, y = blobs(20)
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    history = net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    history.interrupted = True
    stopping = cr.EarlyStopping("loss", patience=3)
    x_in = cr.Input(3)
    net.fit(x, y, epochs=2, verbose=0, callbacks=[stopping])
    return {
        "Bidirectional": cr.Bidirectional(cr.GRU(2, name="r")),
        "Callback": Custom(),
        "CallbackList": callbacks.CallbackList([Custom(), print]),
        "CSVLogger": callbacks.CSVLogger("log.csv"),
        "Dataset": cr.Dataset(x, y, class_weight={0: 2.0}),
        "EarlyStopping": stopping,
        "GradientReport": cr.gradient_check(net, x[:3], y[:3]),
        "History": history,
        "Input": cr.Input(3),
        "LambdaCallback": callbacks.LambdaCallback(on_epoch_end=print),
        "Metric": metrics.get("top_2"),
        "ModelCheckpoint": cr.ModelCheckpoint("net.safetensors", monitor="loss"),
        "GradientFlow": callbacks.GradientFlow([[1.0, 2.0]], [0]),
        "Network": cr.Network(inputs=x_in, outputs=cr.Dense(2)(x_in)),
        "Record": callbacks.Record(every=2),
        "Sequential": net,
        "StopTraining": callbacks.StopTraining("enough"),
    }


# Compared by their values elsewhere, made anew, or pending in a copy where they are in use here.
UNCOPIED = ("_core", "_training", "_callback_states")


def plain(value: Any) -> Any:
    """Return an object's attributes, arrays as lists, for comparison."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict | Mapping) and not hasattr(value, "history"):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, _core.EarlyStoppingMemory):
        return value.__getstate__()  # type: ignore[attr-defined]
    if type(value).__module__.startswith(("chainrule.", __name__)):
        return {n: plain(v) for n, v in vars(value).items() if n not in UNCOPIED}
    return value


def test_every_public_class_is_copied() -> None:
    instances = public_instances()
    for name, instance in instances.items():
        for way in WAYS.values():
            twin = way(instance)
            assert type(twin) is type(instance), name
            assert plain(twin) == plain(instance), name


def test_no_public_class_is_left_out() -> None:
    modules = (cr, cr.callbacks, cr.layers, cr.losses, cr.metrics, cr.optimizers, cr.schedules)
    found = {
        name
        for module in modules
        for name in module.__all__
        if inspect.isclass(value := getattr(module, name))
        and not issubclass(value, Spec | cr.DivergenceError | ValueError | RuntimeError | Warning)
    }
    assert found - set(public_instances()) == {"Predictor", "StreamingPredictor"}


@each_way
def test_predictors_are_not_copied(way: Callable[[Any], Any]) -> None:
    predictor = cr.Predictor(cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0))
    with pytest.raises(TypeError, match="a Predictor cannot be copied or pickled"):
        way(predictor)


def test_plans_and_exports_are_copied(tmp_path: Path) -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    for instance in (net.plan(x=np.eye(4)), cr.export_c(net, tmp_path)):
        for way in WAYS.values():
            assert str(way(instance)) == str(instance)

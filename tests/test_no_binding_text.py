# SPDX-License-Identifier: Apache-2.0
"""No text of the binding reaches a user, whatever is passed to whatever is public."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import chainrule as cr

ODD: list[Any] = [
    None, "", "a", b"x", 0, -1, 10**30, -(10**30), 3.0, np.nan, np.inf, True, 1j, np.float32(2),
    np.int64(3), np.array(3), np.array([1.0, 2]), np.zeros((2, 0)), np.zeros((3, 4)),
    np.array(["a"]), [], (), {}, {"a": 1}, {1}, ["a", "b"], range(3), object(), int, len,
    np.datetime64("2020"),
    scipy.sparse.csr_array(np.eye(5, 4)), cr.Dense, cr.Adam(), cr.losses.MSE(),
]  # fmt: skip
FORBIDDEN = (
    "incompatible function arguments",
    "Invoked with",
    "pybind",
    "Unable to cast",
    "_core.",
)
X, Y = np.zeros((6, 4)), [0, 1] * 3
MODULES = (
    cr, cr.losses, cr.layers, cr.optimizers, cr.schedules, cr.activations, cr.initializers,
    cr.metrics, cr.callbacks,
)  # fmt: skip


def network() -> cr.Sequential:
    net = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0)
    net.train_on_batch(X, Y, loss="cross_entropy")
    net.forward(X)
    return net


def constructors() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and not (isinstance(value, type) and issubclass(value, Exception)):
                yield f"{module.__name__}.{name}", value


METHODS: dict[str, tuple[Any, ...]] = {
    "fit": (X, Y), "evaluate": (X, Y), "train_on_batch": (X, Y), "predict": (X,),
    "predict_proba": (X,), "forward": (X,), "backward": (np.zeros((6, 2)),), "adapt": (X,),
    "set_weights": ([np.zeros((4, 2)), np.zeros(2)],), "build": (4,), "plan": (), "compile": (),
    "count_params": (),
}  # fmt: skip


def check(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> None:
    said = ""
    try:
        function(*arguments, **options)
    except Exception as error:
        said = str(error)
    assert not any(text in said for text in FORBIDDEN), (function, arguments, options)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("name", "function"), dict(constructors()).items())
def test_functions_and_classes(name: str, function: Callable[..., Any]) -> None:
    for value in ODD:
        check(function, value)
        check(function, value, value)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                check(function, **{parameter.name: value})


@pytest.mark.parametrize(("name", "arguments"), METHODS.items())
def test_methods_of_a_network(name: str, arguments: tuple[Any, ...]) -> None:
    always = {"verbose": 0} if name == "fit" else {}
    parameters = list(inspect.signature(getattr(cr.Sequential, name)).parameters)[1:]
    for value in ODD:
        for place in range(len(arguments)):
            given = [*arguments[:place], value, *arguments[place + 1 :]]
            check(getattr(network(), name), *given, **always)
        for parameter in parameters[len(arguments) :]:
            if parameter != "verbose":
                check(getattr(network(), name), *arguments, **(always | {parameter: value}))


def test_losses_optimizers_schedules_and_files() -> None:
    outputs = np.zeros((2, 3))
    for loss, value in itertools.product((cr.losses.CrossEntropy(), cr.losses.MSE()), ODD):
        check(loss.link, value)
        for function in (loss, loss.gradient):
            check(function, value, [0, 1])
            check(function, outputs, value)
            check(function, outputs, [0, 1], value)
            check(function, outputs, [0, 1], None, value)
    for value in ODD:
        check(cr.Adam().step, value)
        check(cr.Adam().step, network(), value)
        check(cr.Sequential, value)
        check(cr.Sequential, [value])
        check(cr.Sequential, [cr.Dense(2)], value)
        check(cr.Sequential, [cr.Dense(2)], 0, value)
        if not isinstance(value, int):  # which open takes for streams
            check(cr.load, value)
        schedule = cr.schedules.Exponential(0.1, gamma=0.9)
        check(schedule.rate, value, 3)
        check(schedule.rate, 3, value)
        check(schedule.rates, value, 3, 3)


def test_sparse_rows_that_are_to_be_normalized() -> None:
    x = scipy.sparse.csr_array(np.eye(6, 4))
    net = cr.Sequential([cr.Normalization(), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match=r"x is sparse and cannot be normalized.*x\.toarray\(\)"):
        net.fit(x, Y, loss="cross_entropy", verbose=0)
    assert not net.built
    net.adapt(np.eye(6, 4))
    with pytest.raises(ValueError, match="sparse x cannot be shifted"):
        net.fit(x, Y, loss="cross_entropy", verbose=0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: cr.Dense(3, activation=cr.activations.Relu), r"activation: got the class Relu"),
        (lambda: cr.Dense(3, weight_initializer=cr.initializers.Zeros), "got the class Zeros"),
        (lambda: cr.Adam(cr.schedules.Cosine), r"got the class Cosine.* pass Cosine\(\.\.\.\)"),
        (lambda: network().fit(X, Y, loss=cr.losses.MSE, verbose=0), r"pass MSE\(\.\.\.\)"),
        (lambda: network().fit(X, Y, optimizer=cr.Adam, verbose=0), r"pass Adam\(\.\.\.\)"),
        (lambda: network().fit(X, Y, metrics=[cr.metrics.Metric]), "got the class Metric"),
        (lambda: network().fit(X, Y, callbacks=[cr.EarlyStopping]), r"pass EarlyStopping\("),
    ],
)
def test_a_class_is_no_instance(call: Callable[[], object], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call()


def test_numbers_are_shown_as_they_are() -> None:
    with pytest.raises(ValueError, match=r"units must be an integer, got 3\.0$"):
        cr.Dense(3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"units must be an integer, got 3\.5$"):
        cr.Dense(3.5)  # type: ignore[arg-type]


def test_predictions_of_one_output_without_their_axis() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(1)], seed=0)
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    np.testing.assert_array_equal(net.predict(x, squeeze=True), net.predict(x)[:, 0])
    assert (x[:, 0] - net.predict(x, squeeze=True)).shape == (7,)
    assert network().predict(X, squeeze=True).shape == (6, 2)
    with pytest.raises(TypeError, match="squeeze must be True or False"):
        net.predict(x, squeeze=1)  # type: ignore[arg-type]

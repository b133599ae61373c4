# SPDX-License-Identifier: Apache-2.0
"""Data sets of generators: bits as from memory, what goes wrong, and no threads left."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import chainrule as cr

ROWS = 50


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def table(seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(2.0, 3.0, size=(ROWS, 4)), rng.integers(0, 3, ROWS)
    return x, y, rng.uniform(0.5, 2.0, ROWS)


def cut(size: int, *arrays: Any) -> Any:
    """Return a function that makes a generator of batches."""

    def batches() -> Iterator[tuple[Any, ...]]:
        for first in range(0, ROWS, size):
            yield tuple(array[first : first + size] for array in arrays)

    return batches


def classifier() -> cr.Sequential:
    layers = [cr.Normalization(), cr.Dense(7, activation="tanh"), cr.Dropout(0.2), cr.Dense(3)]
    return cr.Sequential(layers, seed=3)


def same_weights(a: cr.Network, b: cr.Network) -> None:
    for mine, other in zip(a.get_weights(), b.get_weights(), strict=True):
        assert_array_equal(mine, other)


FIT: Any = {"loss": "cross_entropy", "verbose": 0}


@pytest.mark.parametrize("size", [1, 8, 13, 50])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_bits_as_from_memory(size: int, weighted: bool):
    x, y, w = table()
    arrays = (x, y, w) if weighted else (x, y)
    data = cr.Dataset.from_generator(cut(size, *arrays), rows=ROWS, class_weight={1: 2.0})
    test = cr.Dataset.from_generator(cut(size, *table(1)[:2]), rows=ROWS, batch_size=size)
    a, b = classifier(), classifier()
    options: Any = {**FIT, "epochs": 3, "batch_size": 8}
    mine = a.fit(data, validation_data=test, **options)
    other = b.fit(
        x,
        y,
        shuffle=False,
        sample_weight=w if weighted else None,
        class_weight={1: 2.0},
        validation_data=table(1)[:2],
        **options,
    )
    assert mine.to_dict() == other.to_dict()
    same_weights(a, b)
    weights: Any = {"sample_weight": w if weighted else None, "class_weight": {1: 2.0}}
    assert a.evaluate(data) == b.evaluate(x, y, **weights)
    assert_array_equal(a.predict(data), b.predict(x))
    c, d = classifier(), classifier()
    c.adapt(data)
    d.adapt(x)
    same_weights(c, d)


def test_batches_are_those_of_the_generator():
    x, y, _ = table()
    seen = []
    batch = cr.callbacks.LambdaCallback(on_batch_end=lambda _, b, __: seen.append(b))
    for options in ({}, {"batch_size": 20}):
        seen.clear()
        data = cr.Dataset.from_generator(cut(20, x, y), rows=ROWS, **options)
        classifier().fit(data, callbacks=[batch], **FIT)
        assert seen == [1, 2, 3]


def test_iterables_and_endless_generators():
    x, y, _ = table()

    def endless() -> Iterator[Any]:
        while True:
            yield x, y

    reference = classifier()
    reference.fit(x, y, shuffle=False, epochs=2, batch_size=ROWS, **FIT)
    for source in (endless, [(x, y)]):
        net = classifier()
        net.fit(cr.Dataset.from_generator(source, rows=ROWS), epochs=2, **FIT)
        same_weights(net, reference)


def test_several_inputs_and_outputs():
    def net() -> cr.Network:
        a, b = cr.Input(4, name="a"), cr.Input(2, name="b")
        h = cr.Concatenate()([cr.Dense(6, activation="relu")(a), b])
        return cr.Network(
            inputs=[a, b], outputs={"label": cr.Dense(3)(h), "size": cr.Dense(1)(h)}, seed=1
        )

    x, y, w = table()
    size = x.sum(axis=1)

    def batches() -> Iterator[Any]:
        for first in range(0, ROWS, 10):
            rows = slice(first, first + 10)
            yield {"a": x[rows], "b": x[rows, :2]}, {"label": y[rows], "size": size[rows]}, w[rows]

    options: Any = {
        "loss": {"label": "cross_entropy", "size": "mse"},
        "loss_weights": {"size": 0.5},
        "epochs": 2,
        "batch_size": 7,
        "verbose": 0,
    }
    data = cr.Dataset.from_generator(batches, rows=ROWS)
    mine, other = net(), net()
    got = mine.fit(data, validation_data=data, **options)
    inputs, outputs = {"a": x, "b": x[:, :2]}, {"label": y, "size": size}
    expected = other.fit(
        inputs,
        outputs,
        sample_weight=w,
        shuffle=False,
        validation_data=(inputs, outputs, w),
        **options,
    )
    assert got.to_dict() == expected.to_dict()
    same_weights(mine, other)
    assert_array_equal(mine.predict(data)["size"], other.predict(inputs)["size"])


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"b": None}, "the generator's x has nothing for the input 'b'"),
        ({"c": 1.0}, "the generator's x: unknown input 'c'"),
        ({"b": np.ones((10, 3))}, "3 columns of float64 for 'b' behind 20 rows, at first 2"),
        ({"b": np.ones((9, 2))}, "gave 10 rows for 'a' and 9 for 'b'"),
        ({"b": np.full((10, 2), np.inf)}, r"x\['b'\]\[20:30\] must be finite; row 0, column 0 is"),
    ],
)
def test_errors_name_the_input(changed: dict[str, Any], text: str):
    x, _, _ = table()
    a, b = cr.Input(4, name="a"), cr.Input(2, name="b")
    net = cr.Network([a, b], cr.Dense(1, name="y")(cr.Concatenate()([a, b])), seed=0)

    def batches() -> Iterator[Any]:
        for first in range(0, ROWS, 10):
            part = {"a": x[first : first + 10], "b": x[first : first + 10, :2]}
            if first == 20:
                part = {k: v for k, v in (part | changed).items() if v is not None}
            yield part, x[first : first + 10, 0]

    before = net.parameters
    with pytest.raises(ValueError, match=text):
        net.fit(cr.Dataset.from_generator(batches, ROWS, 10), loss="mse", verbose=0)
    for name, values in net.parameters.items():
        assert_array_equal(values, before[name])


def test_class_names():
    x, y, _ = table()
    names = np.array(["cat", "dog", "emu"])[y]
    net, other = classifier(), classifier()
    net.fit(cr.Dataset.from_generator(cut(25, x, names), rows=ROWS), batch_size=9, **FIT)
    other.fit(x, names, shuffle=False, batch_size=9, **FIT)
    assert net.class_names == ("cat", "dog", "emu")
    same_weights(net, other)


def ends_early(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:40], y[20:40]


def changes_columns(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:, :3], y[20:]


def changes_dtype(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:].astype(np.float32), y[20:]


def changes_targets(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:], np.eye(3)[y[20:]]


def loses_rows(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:], y[21:]


def gives_too_many(x: Any, y: Any) -> Iterator[Any]:
    yield x[:30], y[:30]
    yield x[:30], y[:30]


def holds_nan(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    bad = x[20:].copy()
    bad[3, 1] = np.nan
    yield bad, y[20:]


def wrong_label(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:], y[20:] + 1


def drops_weights(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20], np.ones(20)
    yield x[20:], y[20:]


def no_tuple(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    yield x[20:]


def raises(x: Any, y: Any) -> Iterator[Any]:
    yield x[:20], y[:20]
    raise LookupError("the disk is gone")


@pytest.mark.parametrize(
    ("generator", "error", "text"),
    [
        (ends_early, ValueError, "ended after 40 of 50 rows"),
        (changes_columns, ValueError, "3 columns of float64 behind 20 rows, at first 4"),
        (changes_dtype, ValueError, "4 columns of float32 behind 20 rows, at first 4 of float64"),
        (changes_targets, ValueError, "y as float64"),
        (loses_rows, ValueError, "30 rows of x and 29 of y"),
        (gives_too_many, ValueError, "60 rows in whole batches, expected 50"),
        (holds_nan, ValueError, "NaN"),
        (wrong_label, ValueError, "is out of range"),
        (drops_weights, ValueError, "sample_weight with some batches only"),
        (no_tuple, TypeError, "expected \\(x, y\\)"),
        (raises, LookupError, "the disk is gone"),
    ],
)
def test_what_a_generator_does_wrong_is_told_and_the_epoch_taken_back(
    generator: Any, error: type[Exception], text: str
):
    x, y, _ = table()
    layers = [cr.Dense(7, activation="tanh"), cr.Dense(3)]
    net, other = cr.Sequential(layers, seed=3), cr.Sequential(layers, seed=3)
    passes = 0

    def batches() -> Iterator[Any]:
        nonlocal passes
        passes += 1
        return cut(20, x, y)() if passes == 1 else generator(x, y)

    data = cr.Dataset.from_generator(batches, rows=ROWS)
    with pytest.raises(error, match=text):
        net.fit(data, epochs=3, batch_size=10, **FIT)
    other.fit(x, y, epochs=1, batch_size=10, shuffle=False, **FIT)
    if generator is not drops_weights:
        assert net.history.to_dict() == other.history.to_dict()
        same_weights(net, other)
    assert net.history.epochs == list(range(1, net._built_core().epochs + 1))
    net.evaluate(x, y)


def test_a_generator_that_is_wrong_from_the_start_changes_nothing():
    def broken() -> Iterator[Any]:
        raise LookupError("no such file")
        yield

    net = classifier()
    for source, error, text in (
        (broken, LookupError, "no such file"),
        (iter(()), ValueError, "ended after 0 of 50"),
        ([(np.ones((5, 4)),)], ValueError, "gives no y"),
        ([(np.ones((5, 0)), np.ones(5))], ValueError, "is empty"),
    ):
        with pytest.raises(error, match=text):
            net.fit(cr.Dataset.from_generator(source, rows=ROWS), **FIT)
        assert not net.built


def test_bad_arguments():
    x, y, _ = table()
    with pytest.raises(TypeError, match="batches must be iterable"):
        cr.Dataset.from_generator(3, rows=ROWS)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rows must be"):
        cr.Dataset.from_generator(cut(5, x, y), rows=0)
    net = classifier()
    data = cr.Dataset.from_generator(cut(5, x, y), rows=ROWS)
    for options, text in (
        ({"shuffle": True}, "shuffle=True needs"),
        ({"validation_split": 0.2}, "validation_split needs rows in memory"),
    ):
        with pytest.raises(ValueError, match=text):
            net.fit(data, **options, **FIT)
    with pytest.raises(ValueError, match="takes a batch of the generator"):
        net.train_on_batch(data, loss="cross_entropy")
    balanced = cr.Dataset.from_generator(cut(5, x, y), rows=ROWS, class_weight="balanced")
    with pytest.raises(ValueError, match="needs all rows in memory"):
        net.fit(balanced, **FIT)
    wrong = cr.Dataset.from_generator(cut(5, x, y), rows=ROWS, batch_size=6)
    with pytest.raises(ValueError, match="a batch of 5 rows behind 0, expected 6"):
        net.fit(wrong, **FIT)
    assert not net.built


@pytest.mark.usefixtures("default_signals")
def test_the_callers_interrupt_ends_the_thread():
    x, y, _ = table()
    net = classifier()

    def slow() -> Iterator[Any]:
        for first in range(0, ROWS, 5):
            time.sleep(0.01)
            yield x[first : first + 5], y[first : first + 5]

    def interrupt(epoch: int, batch: int, logs: Any) -> None:
        if epoch == 2 and batch == 3:
            signal.raise_signal(signal.SIGINT)

    data = cr.Dataset.from_generator(slow, rows=ROWS)
    callback = cr.callbacks.LambdaCallback(on_batch_end=interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        history = net.fit(data, epochs=5, callbacks=[callback], **FIT)
    assert history.interrupted
    assert history.epochs == [1]


def test_stopping_within_an_epoch_and_a_prediction_within_one():
    x, y, _ = table()
    data = cr.Dataset.from_generator(cut(10, x, y), rows=ROWS)
    net, other = classifier(), classifier()

    def look(epoch: int, batch: int, logs: Any) -> None:
        net.predict(data)
        if batch == 3:
            raise cr.callbacks.StopTraining

    net.fit(data, callbacks=[cr.callbacks.LambdaCallback(on_batch_end=look)], **FIT)
    other.fit(
        x,
        y,
        shuffle=False,
        batch_size=10,
        callbacks=[cr.callbacks.LambdaCallback(on_batch_end=lambda e, b, _: stop(b))],
        **FIT,
    )
    same_weights(net, other)


def stop(batch: int) -> None:
    if batch == 3:
        raise cr.callbacks.StopTraining

# SPDX-License-Identifier: Apache-2.0
"""Calls whose arrays the core uses as they are do what the same calls do with other containers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses

RNG = np.random.default_rng(4)
ROWS, COLUMNS, CLASSES = 24, 5, 3
NUMBERS = RNG.integers(0, 9, (ROWS, COLUMNS))  # which every type holds
LABELS = RNG.integers(0, CLASSES, ROWS)
ONE_HOT = np.eye(CLASSES)[LABELS]


def network(loss: Any, outputs: int = CLASSES, **options: Any) -> cr.Sequential:
    layers = [
        *(cr.Dense(8, activation="tanh"), cr.BatchNormalization()),
        *(cr.Dropout(0.2), cr.Dense(outputs)),
    ]
    net = cr.Sequential([cr.Input(COLUMNS), *layers], seed=1, **options)
    net.compile(loss=loss, optimizer=cr.Adam(0.01))
    return net


def state(net: cr.Sequential) -> list[bytes]:
    kept = [array.tobytes() for array in net.get_weights()]
    core: Any = net._core
    names = [p.name for p in core.parameters if p.trainable]
    slots = [core.get_slot(s, n).tobytes() for s in core.optimizer_slots for n in names]
    return [*kept, *slots, repr((core.steps, core.total_steps, core.epochs)).encode()]


def unaligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    assert not memory.flags.aligned
    return memory


FEATURES: dict[str, np.ndarray[Any, Any]] = {
    **{kind: NUMBERS.astype(kind) for kind in ("uint8", "int32", "int64", "float32", "float64")},
    "every other column": np.repeat(NUMBERS.astype(np.float32), 2, axis=1)[:, ::2],
    "backwards": NUMBERS.astype(np.float32)[::-1].copy()[::-1],
    "by columns": np.asfortranarray(NUMBERS.astype(np.float64)),
}
TARGETS: dict[str, tuple[Any, Any, int]] = {
    "labels": ("cross_entropy", LABELS.astype(np.int64), CLASSES),
    "probabilities": ("cross_entropy", ONE_HOT.astype(np.float32), CLASSES),
    "numbers": ("mse", ONE_HOT * 2 - 1, CLASSES),
    "bytes": ("binary_cross_entropy", ONE_HOT.astype(np.uint8), CLASSES),
    "a column": ("mse", LABELS.astype(np.float32)[:, None], 1),
    "one dimension": ("huber", LABELS.astype(np.float64)[::2].repeat(2)[:ROWS], 1),
    "quantiles": (losses.Quantile([0.1, 0.9]), LABELS.astype(np.float64)[:, None], 2),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("x", FEATURES.values(), ids=FEATURES)
def test_arrays_in_place_give_the_bits_of_lists(x: Any, y: Any, dtype: str) -> None:
    loss, targets, outputs = y
    there, converted = (network(loss, outputs, dtype=dtype) for _ in range(2))
    core: Any = there._core
    assert core.takes_in_place(x)
    assert core.takes_targets_in_place(x, targets, there.loss._core)
    for _ in range(3):
        logs = there.train_on_batch(x, targets)
        assert logs == converted.train_on_batch(x.tolist(), targets.tolist())
    assert state(there) == state(converted)
    assert there.evaluate(x, targets) == converted.evaluate(x.tolist(), targets.tolist())
    np.testing.assert_array_equal(there.predict(x), converted.predict(x.tolist()))
    np.testing.assert_array_equal(there.forward(x), converted.forward(x.tolist()))
    dy = RNG.normal(size=(ROWS, outputs))
    np.testing.assert_array_equal(there.backward(dy), converted.backward(dy.tolist()))


def test_a_step_in_place_is_one() -> None:
    net = network("mse")
    core: Any = net._core
    x, y = NUMBERS.astype(np.float32), ONE_HOT
    assert net.optimizer is not None
    loss = core.train_in_place(x, y, net.loss._core, net.optimizer._core)
    assert loss == network("mse").train_on_batch(x.tolist(), y.tolist())["loss"]
    assert core.total_steps == 1


def other(array: np.ndarray[Any, Any], value: Any) -> np.ndarray[Any, Any]:
    changed = array.copy()
    changed.flat[7] = value
    return changed


X = NUMBERS.astype(np.float32)
NOT_IN_PLACE: dict[str, tuple[Any, Any, Any]] = {
    "a list": (X.tolist(), LABELS, "cross_entropy"),
    "half precision": (X.astype(np.float16), LABELS, "cross_entropy"),
    "the other byte order": (X.astype(X.dtype.newbyteorder()), LABELS, "cross_entropy"),
    "unaligned": (unaligned(X), LABELS, "cross_entropy"),
    "a class of its own": (X.view(np.recarray), LABELS, "cross_entropy"),
    "three dimensions": (X.reshape(ROWS, 1, COLUMNS), LABELS, "cross_entropy"),
    "short labels": (X, LABELS.astype(np.int32), "cross_entropy"),
    "labels in a column": (X, LABELS[:, None].astype(np.float32), "cross_entropy"),
    "labels with gaps": (X, LABELS.repeat(2)[::2], "cross_entropy"),
    "booleans": (X, ONE_HOT.astype(bool), "mse"),
    "integers": (X, ONE_HOT.astype(np.int64), "mse"),
    "unaligned targets": (X, unaligned(ONE_HOT), "mse"),
}


@pytest.mark.parametrize(("x", "y", "loss"), NOT_IN_PLACE.values(), ids=NOT_IN_PLACE)
def test_other_arrays_are_converted(x: Any, y: Any, loss: str) -> None:
    net, expected = network(loss), network(loss)
    core: Any = net._core
    assert not core.takes_targets_in_place(x, y, net.loss._core)
    assert core.train_in_place(x, y, net.loss._core, expected.optimizer._core) is None  # type: ignore[union-attr]
    assert core.total_steps == 0
    logs = net.train_on_batch(x, y)
    assert logs == expected.train_on_batch(np.asarray(x).tolist(), y.tolist())
    assert state(net) == state(expected)


REFUSED: dict[str, tuple[Any, Any, Any, str]] = {
    "NaN": (other(X, np.nan), LABELS, "cross_entropy", "x must be finite; row 1, column 2 is NaN"),
    "too large": (other(X.astype(float), 1e300), LABELS, "cross_entropy", "x must be finite"),
    "columns": (X[:, 1:].copy(), LABELS, "cross_entropy", "x has 4 columns; the network expects 5"),
    "no rows": (X[:0], LABELS[:0], "cross_entropy", "x is empty: shape (0, 5)"),
    "one dimension": (X[0], LABELS[:1], "cross_entropy", "x is 1-D with shape (5,)"),
    "rows": (X, LABELS[1:], "cross_entropy", "x has 24 rows but y has 23"),
    "label": (X, other(LABELS, 3), "cross_entropy", "y[7] = 3 is out of range: valid labels are"),
    "below": (X, other(LABELS, -1), "cross_entropy", "y[7] = -1 is out of range: valid labels are"),
    "labels": (X, LABELS, "mse", "y has shape (24,); mse on 3 outputs expects 3 columns"),
    "targets": (X, ONE_HOT[:, 1:], "mse", "y has shape (24, 2); mse on 3 outputs expects 3"),
    "NaN in y": (X, other(ONE_HOT, np.nan), "mse", "y must be finite; row 2, column 1 is NaN"),
    "no probability": (X, other(ONE_HOT, 2.0), "cross_entropy", "y[2"),
}


@pytest.mark.parametrize(("x", "y", "loss", "text"), REFUSED.values(), ids=REFUSED)
def test_errors_are_those_of_lists(x: Any, y: Any, loss: str, text: str) -> None:
    net = network(loss)
    net.train_on_batch(X, LABELS if loss == "cross_entropy" else ONE_HOT)
    before = state(net)
    calls: list[Callable[..., object]] = [
        net.train_on_batch,
        net.evaluate,
        lambda x, y: net.train_on_batch(x, y, loss=loss),
        lambda x, y: net.fit(x, y, verbose=0),
    ]
    texts = set()
    for call in calls:
        with pytest.raises(ValueError, match=f"^{re.escape(text)}") as caught:
            call(x, y)
        texts.add(str(caught.value))
        assert state(net) == before
    assert len(texts) == 1


def test_two_trainings_at_once_are_refused() -> None:
    net = network("mse")
    with pytest.raises(RuntimeError, match="is being trained already"):
        net.fit(
            *(X, ONE_HOT),
            callbacks=[lambda epoch, logs: net.train_on_batch(X, ONE_HOT)],
            verbose=0,
        )


def test_schedules_count_the_steps() -> None:
    net, other_way = network("mse"), network("mse")
    net.compile(optimizer=cr.SGD(cr.schedules.Exponential(0.1, gamma=0.5)))
    other_way.compile(optimizer=cr.SGD(0.1))
    for step in range(3):
        net.train_on_batch(X, ONE_HOT)
        other_way.optimizer.learning_rate = 0.1 * 0.5**step  # type: ignore[union-attr]
        other_way.train_on_batch(X, ONE_HOT)
    assert state(net) == state(other_way)


def test_a_lazy_optimizer_works_from_the_nonzeros() -> None:
    nets = [
        cr.Sequential([cr.Input(COLUMNS), cr.Dense(4), cr.Dense(CLASSES)], seed=1) for _ in range(2)
    ]
    x = X * (X > 6)
    x[:, 2] = 0
    for net, given in zip(nets, (x, x.tolist()), strict=True):
        net.compile(loss="mse", optimizer=cr.Adam(0.1, lazy=True))
        for _ in range(2):
            net.train_on_batch(given, ONE_HOT)
    assert state(nets[0]) == state(nets[1])


def test_shared_parameters_stay_together() -> None:
    part = cr.Sequential([cr.Input(COLUMNS), cr.Dense(1)], seed=1, name="part")
    x = cr.Input(COLUMNS)
    whole = cr.Network(inputs=x, outputs=part(x))
    for net in (part, whole, part):
        net.compile(loss="mse", optimizer=cr.SGD(0.001))
        net.train_on_batch(X, LABELS.astype(np.float32))
        np.testing.assert_array_equal(whole.predict(X), part.predict(X))

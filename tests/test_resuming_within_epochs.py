# SPDX-License-Identifier: Apache-2.0
"""A training that was saved in a callback after a batch, and goes on to the same bits."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import chainrule as cr
from chainrule.callbacks import LambdaCallback

ROWS, EPOCHS, BATCH = 41, 4, 8
BATCHES = 6


def data(seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 2.0, size=(ROWS, 5))
    return x, rng.integers(0, 3, ROWS), rng.uniform(0.5, 2.0, ROWS)


def network() -> cr.Sequential:
    layers = [
        cr.Normalization(),
        cr.Dense(8, activation="relu"),
        cr.Dropout(0.2, rate_schedule=cr.schedules.FlatCosine(1.0, epochs=EPOCHS)),
        cr.BatchNormalization(),
        cr.Dense(3),
    ]
    return cr.Sequential(layers, seed=5)


def saves_at(net: cr.Network, path: Any, epoch: int, batch: int) -> LambdaCallback:
    def after(e: int, b: int, _: Any) -> None:
        if (e, b) == (epoch, batch):
            net.save(path)

    return LambdaCallback(on_batch_end=after)


def same(a: cr.Network, b: cr.Network) -> None:
    for mine, other in zip(a.get_weights(), b.get_weights(), strict=True):
        assert_array_equal(mine, other)
    assert a._built_core().epochs == b._built_core().epochs
    assert a._built_core().total_steps == b._built_core().total_steps


def without_metrics(history: cr.History, epoch: int) -> dict[str, list[Any]]:
    """Return the history without training metrics of the epoch that was gone on with."""
    record = {name: list(history[name]) for name in history}
    record["accuracy"][epoch - 1] = None
    return record


OPTIMIZERS = {
    "adam": lambda: cr.Adam(0.01),
    "cosine": lambda: cr.SGD(cr.schedules.Cosine(0.1, epochs=EPOCHS), momentum=0.9),
    "decay": lambda: cr.AdamW(
        0.01, weight_decay=0.3, weight_decay_schedule=cr.schedules.FlatCosine(1.0, epochs=EPOCHS)
    ),
    "plateau": lambda: cr.Adam(
        cr.schedules.ReduceOnPlateau(0.05, monitor="val_accuracy", mode="max", patience=0)
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("epoch", "batch"), [(1, 1), (2, 3), (3, BATCHES), (4, 5)])
def test_the_same_bits_as_without_a_break(
    tmp_path: pathlib.Path, optimizer: str, shuffle: bool, epoch: int, batch: int
):
    x, y, w = data()
    path = tmp_path / "net.safetensors"
    options: Any = {
        "batch_size": BATCH,
        "shuffle": shuffle,
        "sample_weight": w,
        "validation_data": data(1)[:2],
        "verbose": 0,
    }

    def stopping() -> cr.EarlyStopping:
        return cr.EarlyStopping("val_loss", patience=3)

    unbroken = network()
    unbroken.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=OPTIMIZERS[optimizer](),
        epochs=EPOCHS,
        callbacks=[stopping(), saves_at(unbroken, path, epoch, batch)],
        **options,
    )
    resumed = cr.load(path)
    assert resumed.history.epochs == list(range(1, epoch))
    resumed.fit(x, y, epochs=EPOCHS - epoch + 1, callbacks=[stopping()], **options)
    same(resumed, unbroken)
    assert without_metrics(resumed.history, epoch) == without_metrics(unbroken.history, epoch)


def test_metrics_of_the_epoch_are_those_of_the_rows_since(tmp_path: pathlib.Path):
    x, y, _ = data()
    path = tmp_path / "net.safetensors"
    net = network()
    options: Any = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    net.fit(x, y, loss="cross_entropy", callbacks=[saves_at(net, path, 1, 3)], **options)
    seen = []

    def share(labels: Any, predictions: Any) -> float:
        seen.append(labels)
        return float(np.mean(labels))

    resumed = cr.load(path)
    resumed.fit(x, y, metrics=[cr.metrics.Metric("share", share)], **options)
    assert_array_equal(seen[-1].ravel(), y[3 * BATCH :])
    over = network()
    over.fit(x, y, loss="cross_entropy", callbacks=[saves_at(over, path, 1, BATCHES)], **options)
    resumed = cr.load(path)
    resumed.fit(x, y, **options)
    assert resumed.history["loss"] == over.history["loss"]
    assert np.isnan(resumed.history["accuracy"][0])
    same(resumed, over)


def test_several_outputs_and_a_generator(tmp_path: pathlib.Path):
    x, y, _ = data()
    size = x.sum(axis=1)
    path = tmp_path / "net.safetensors"
    a = cr.Input(5, name="a")
    h = cr.Dense(6, activation="relu")(a)
    net = cr.Network(inputs=a, outputs={"label": cr.Dense(3)(h), "size": cr.Dense(1)(h)}, seed=1)

    def batches() -> Any:
        for first in range(0, ROWS, 9):
            rows = slice(first, first + 9)
            yield x[rows], {"label": y[rows], "size": size[rows]}

    rows = cr.Dataset.from_generator(batches, rows=ROWS)
    options: Any = {"batch_size": BATCH, "verbose": 0}
    net.fit(
        rows,
        loss={"label": "cross_entropy", "size": "mse"},
        loss_weights={"size": 0.25},
        epochs=2,
        callbacks=[saves_at(net, path, 2, 4)],
        **options,
    )
    resumed = cr.load(path)
    resumed.fit(rows, **options)
    same(resumed, net)
    for name in ("loss", "label_loss", "size_loss"):
        assert resumed.history[name] == net.history[name]


def test_copies_and_files_of_a_loaded_network_go_on_too(tmp_path: pathlib.Path):
    import copy
    import pickle

    x, y, _ = data()
    net = network()
    options: Any = {"loss": "cross_entropy", "batch_size": BATCH, "verbose": 0}
    net.fit(x, y, callbacks=[saves_at(net, tmp_path / "a", 1, 2)], **options)
    cr.load(tmp_path / "a").save(tmp_path / "b")
    for again in (
        cr.load(tmp_path / "b"),
        copy.deepcopy(cr.load(tmp_path / "a")),
        pickle.loads(pickle.dumps(cr.load(tmp_path / "a"))),
    ):
        again.fit(x, y, **options)
        same(again, net)


def test_another_training_begins_an_epoch_of_its_own(tmp_path: pathlib.Path):
    x, y, _ = data()
    net = network()
    options: Any = {"loss": "cross_entropy", "batch_size": BATCH, "verbose": 0}
    net.fit(x, y, callbacks=[saves_at(net, tmp_path / "a", 1, 2)], **options)
    for change in ({"batch_size": 9}, {"shuffle": False}, {"rows": 30}, {"step": True}):
        again = cr.load(tmp_path / "a")
        rows = change.pop("rows", ROWS)
        if change.pop("step", False):
            again.train_on_batch(x, y)
        steps = again._built_core().total_steps
        again.fit(x[:rows], y[:rows], **{**options, **change})
        size = change.get("batch_size", BATCH)
        assert again._built_core().total_steps == steps - (-rows // size)
    # What was stopped in this process begins its next epoch anew, as ever.
    other = network()

    def stop(_: int, batch: int, __: Any) -> None:
        if batch == 2:
            raise cr.callbacks.StopTraining

    other.fit(x, y, callbacks=[LambdaCallback(on_batch_end=stop)], **options)
    other.fit(x, y, **options)
    assert other._built_core().total_steps == 2 + BATCHES


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0},
        {"batch": 7},
        {"batch": True},
        {"rows": 2**70},
        {"shuffle": 1},
        {"losses": [[None, 1.0, 1.0]]},
        {"losses": [[1.0, -1.0, 1.0]]},
        {"losses": 3},
        {"unknown": 1},
    ],
)
def test_a_file_with_a_wrong_place_is_refused(tmp_path: pathlib.Path, change: Any):
    x, y, _ = data()
    net = network()
    path = tmp_path / "net.safetensors"

    def after(_: int, batch: int, __: Any) -> None:
        if batch == 2:
            assert net._under_way is not None
            record = {**net._under_way.record, **change}
            net._under_way = Wrong(record, net._under_way.total_steps)  # type: ignore[assignment]
            net.save(path)

    batch = LambdaCallback(on_batch_end=after)
    net.fit(x, y, loss="cross_entropy", batch_size=BATCH, callbacks=[batch], verbose=0)
    with pytest.raises(cr.ModelFileError, match="does not fit"):
        cr.load(path)


class Wrong:
    """A place within an epoch whose record is what a test says."""

    def __init__(self, record: Any, total_steps: int) -> None:
        self.record, self.total_steps = record, total_steps

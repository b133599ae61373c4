# SPDX-License-Identifier: Apache-2.0
"""Compressed rows that a caller changes while they are read: an error, and nothing else."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest

import chainrule as cr

scipy_sparse = pytest.importorskip("scipy.sparse")

ROWS, COLUMNS = 300, 200


def rows(index=np.int32):
    x = scipy_sparse.random(ROWS, COLUMNS, 0.1, format="csr", random_state=1, dtype="float32")
    x.indices, x.indptr = x.indices.astype(index), x.indptr.astype(index)
    return x


def network():
    return cr.Sequential([cr.Input(COLUMNS), cr.Dense(32, activation="relu"), cr.Dense(3)], seed=0)


def far_indices(x):
    x.indices[:] = np.iinfo(x.indices.dtype).max - 7


def negative_indices(x):
    x.indices[:] = -(2**30)


def falling_indices(x):
    x.indices[:] = x.indices[::-1].copy()


def wild_offsets(x):
    x.indptr[1:-1] = np.random.default_rng(2).integers(-(2**30), 2**30, ROWS - 1)


def falling_offsets(x):
    x.indptr[1:-1] = x.indptr[1:-1][::-1].copy()


CHANGES = [far_indices, negative_indices, falling_indices, wild_offsets, falling_offsets]


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_in_a_callback(change, index):
    x, y = rows(index), np.arange(ROWS) % 3
    net = network()
    before = [w.tobytes() for w in net.get_weights()]

    def changing(epoch, batch, logs):
        if batch == 2:
            change(x)

    watch = cr.callbacks.LambdaCallback(on_batch_end=changing)
    with pytest.raises(ValueError, match="changed"):
        net.fit(x, y, loss="cross_entropy", batch_size=32, callbacks=[watch], verbose=0)
    assert [w.tobytes() for w in net.get_weights()] == before
    assert net.history.epochs == []
    net.fit(rows(), y, loss="cross_entropy", batch_size=32, verbose=0)


@pytest.mark.parametrize("change", CHANGES)
def test_sparse_targets_changed_in_a_callback(change):
    x, y = np.random.default_rng(0).normal(size=(ROWS, 5)), rows()
    net = cr.Sequential([cr.Input(5), cr.Dense(COLUMNS)], seed=0)
    watch = cr.callbacks.LambdaCallback(on_batch_end=lambda *args: change(y))
    net.fit(x, y, loss="mse", batch_size=32, metrics=[], callbacks=[watch], verbose=0)
    assert all(np.isfinite(w).all() for w in net.get_weights())


def test_changed_by_another_thread():
    """Whatever comes of it, numbers or an error: memory stays as it is."""
    x, y = rows(np.int64), np.arange(ROWS) % 3
    good = x.indices.copy(), x.indptr.copy()
    stop = threading.Event()

    def change():
        rng = np.random.default_rng(0)
        while not stop.is_set():
            at = rng.integers(len(x.indices), size=50)
            x.indices[at] = rng.integers(-(2**60), 2**60, 50)
            x.indptr[rng.integers(ROWS)] = rng.integers(-(2**60), 2**60)
            x.indices[:], x.indptr[:] = good

    thread = threading.Thread(target=change)
    thread.start()
    net = network()
    try:
        for _ in range(60):
            for call in (
                lambda: net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0),
                lambda: net.predict(x),
                lambda: net.evaluate(x, y),
            ):
                with contextlib.suppress(ValueError, RuntimeError, IndexError):
                    call()
    finally:
        stop.set()
        thread.join()
    assert all(np.isfinite(w).all() for w in net.get_weights())


def test_labels_changed_in_a_callback():
    x, y = np.random.default_rng(0).normal(size=(ROWS, 5)), np.arange(ROWS) % 3
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)

    def change(epoch, batch, logs):
        y[:] = 2**60

    with pytest.raises(ValueError, match="label"):
        net.fit(
            x,
            y,
            loss="cross_entropy",
            class_weight=[1, 2, 3],
            metrics=[],
            callbacks=[cr.callbacks.LambdaCallback(on_batch_end=change)],
            verbose=0,
        )

# SPDX-License-Identifier: Apache-2.0
"""Data that are not in memory: the same bits as in memory, and never more than some batches."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.inputs.lazy_rows import LazyRows, is_lazy

Array = np.ndarray[Any, Any]


class Lazy:
    """An array that gives slices of rows, and keeps count of what it is asked for."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.longest = self.reads = self.rows = 0

    def __getitem__(self, rows: slice) -> Array:
        assert isinstance(rows, slice)
        assert rows.step is None
        piece = self._array[rows].copy()
        self.longest = max(self.longest, len(piece))
        self.reads, self.rows = self.reads + 1, self.rows + len(piece)
        return piece

    def __array__(self, *args: object, **kwargs: object) -> Array:
        raise AssertionError("was read whole")

    def __len__(self) -> int:
        return self.shape[0]


def in_h5py(x: Array, tmp_path):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(tmp_path / "x.h5", "w")
    return file.create_dataset("x", data=x, chunks=True, compression="gzip")


def in_zarr(x: Array, tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(str(tmp_path / "x.zarr"), shape=x.shape, dtype=x.dtype)
    array[...] = x
    return array


MAKERS = {"slices": lambda x, _: Lazy(x), "h5py": in_h5py, "zarr": in_zarr}


@pytest.fixture(params=MAKERS)
def make(request, tmp_path):
    """Put an array where it is not in memory."""
    made = []

    def make(x: Array) -> Any:
        made.append(MAKERS[request.param](x, tmp_path))
        return made[-1]

    yield make
    for array in made:
        if hasattr(array, "file"):
            array.file.close()


def data(rows: int = 203, dtype: str = "float32"):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 200, (rows, 6)).astype(dtype)
    return x, rng.integers(3, size=rows)


def network(dtype: str = "float32") -> cr.Sequential:
    layers = [
        cr.Rescaling(1 / 100),
        cr.Dense(8, activation="relu"),
        cr.Dropout(0.3),
        cr.BatchNormalization(),
        cr.Dense(3),
    ]
    return cr.Sequential(layers, seed=5, dtype=dtype)


def assert_same(a: cr.Sequential, b: cr.Sequential) -> None:
    assert a._core.epochs == b._core.epochs
    assert a._core.total_steps == b._core.total_steps
    for name, array in a.parameters.items():
        np.testing.assert_array_equal(array, b.parameters[name], err_msg=name)
    assert a.history == b.history


DTYPES = ["uint8", "int32", "int64", "float16", "float32", "float64", ">f4"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_fit_gives_the_same_bits(make, dtype):
    x, y = data(dtype=dtype)
    memory, lazy = network(), network()
    options = {"loss": "cross_entropy", "epochs": 3, "batch_size": 16, "verbose": 0}
    memory.fit(x, y, **options)
    lazy.fit(make(x), y, **options)
    assert_same(memory, lazy)


OPTIONS: dict[str, dict[str, Any]] = {
    "as they come": {"shuffle": False},
    "validation": {"validation_split": 0.2},
    "weights": {"sample_weight": np.linspace(0.1, 3, 203), "class_weight": {0: 2.0, 2: 0.5}},
    "one batch": {"batch_size": 500},
    "single rows at the end": {"batch_size": 101},
    "batches of two": {"batch_size": 2},
    "schedule": {"optimizer": cr.SGD(cr.schedules.Exponential(0.1, gamma=0.5))},
    "clipped": {"optimizer": cr.Adam(0.01, clip_norm=0.1)},
    "threads": {"num_threads": 2},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("batches", [False, True])
def test_options_give_the_same_bits(name, batches):
    x, y = data()
    seen: list[list[float]] = [[], []]

    class Batches(cr.callbacks.Callback):
        def __init__(self, losses: list[float]) -> None:
            self.losses = losses

        if batches:

            def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
                self.losses.append(logs["loss"])

    nets = network(), network(), network()
    for net, source, losses in zip(nets, (x, Lazy(x), x), (*seen, None), strict=True):
        options = {"loss": "cross_entropy", "epochs": 2, "batch_size": 16, "verbose": 0}
        callbacks = [] if losses is None else [Batches(losses)]
        net.fit(source, y, callbacks=callbacks, **(options | OPTIONS[name]))
        net.fit(source, y, callbacks=callbacks, **(options | OPTIONS[name]))
    assert_same(nets[0], nets[1])
    assert_same(nets[0], nets[2])
    assert seen[0] == seen[1]
    assert bool(seen[0]) == batches


def test_predict_and_evaluate_are_the_same(make):
    x, y = data(rows=600, dtype="uint8")
    net = network()
    net.fit(x, y, loss="cross_entropy", verbose=0)
    lazy = make(x)
    for batch_size in (1, 7, 256, 1000):
        np.testing.assert_array_equal(net.predict(lazy, batch_size=batch_size), net.predict(x))
        weights = {"sample_weight": np.linspace(0, 1, 600), "class_weight": [1, 2, 3]}
        for options in ({}, weights, {"metrics": ["confusion_matrix", "top_2"]}):
            found = net.evaluate(lazy, y, batch_size=batch_size, **options)
            expected = net.evaluate(x, y, batch_size=batch_size, **options)
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_array_equal(found[key], value)
    out = np.empty((600, 3), np.float32)
    assert net.predict(lazy, out=out, num_threads=1) is out
    np.testing.assert_array_equal(out, net.predict(x))
    np.testing.assert_array_equal(net.predict_proba(lazy), net.predict_proba(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_beyond_the_networks_type(dtype):
    x = np.ones((300, 6))
    x[290, 2] = 1e39
    net = cr.Sequential([cr.Input(6), cr.Dense(3)], seed=0, dtype=dtype)
    if dtype == "float64":
        np.testing.assert_array_equal(net.predict(Lazy(x)), net.predict(x))
    else:
        with pytest.raises(ValueError, match=re.escape("x[256:300]")):
            net.predict(Lazy(x))


def test_binary_labels_with_class_weights():
    x, _ = data()
    y = (np.arange(203) % 3 == 0).astype(float)
    net = cr.Sequential([cr.Dense(1)], seed=0)
    options = {"loss": "binary_cross_entropy", "class_weight": {0: 0.5, 1: 3.0}}
    net.fit(Lazy(x), y, verbose=0, **options)
    memory, lazy = (net.evaluate(rows, y, batch_size=9, **options) for rows in (x, Lazy(x)))
    assert lazy == memory


def test_targets_of_several_columns_and_images():
    rng = np.random.default_rng(0)
    x, y = rng.random((90, 4, 3)), rng.random((90, 2))
    memory, lazy = (cr.Sequential([cr.Dense(2)], seed=0, dtype="float64") for _ in range(2))
    options = {"loss": "mse", "epochs": 2, "batch_size": 7, "verbose": 0}
    memory.fit(x, y, validation_data=(x, y), **options)
    lazy.fit(Lazy(x), y, validation_data=(Lazy(x), y), **options)
    assert_same(memory, lazy)


def test_only_slices_of_batches_are_asked_for():
    x, y = data(rows=4000)
    net = network()
    for shuffle in (True, False):
        lazy = Lazy(x)
        net.fit(lazy, y, loss="cross_entropy", batch_size=32, shuffle=shuffle, verbose=0)
        assert lazy.longest <= 256
    lazy = Lazy(x)
    net.predict(lazy, batch_size=50)
    net.evaluate(lazy, y, batch_size=50)
    assert lazy.longest == 50
    assert lazy.rows == 8000


@pytest.mark.parametrize("shuffle", [True, False])
def test_memory_is_that_of_some_batches(shuffle):
    class Rows:
        """Rows that are made when they are read, and would take 80 megabytes."""

        shape, dtype = (20_000, 1000), np.dtype(np.float32)

        def __getitem__(self, rows: slice) -> Array:
            first = np.arange(20_000, dtype=np.float32)[rows, None] % 7
            return np.repeat(first, 1000, axis=1)

    y = np.arange(20_000) % 7
    net = cr.Sequential([cr.Dense(7)], seed=0)
    options = {"batch_size": 500, "verbose": 0, "shuffle": shuffle, "loss": "cross_entropy"}
    net.fit(Rows()[:1000], y[:1000], **options)
    tracemalloc.start()
    try:
        net.predict(Rows())
        net.evaluate(Rows(), y)
        net.fit(Rows(), y, **options)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_gathering_bounds_memory_and_reads():
    x = np.arange(2000).reshape(1000, 2)
    lazy = Lazy(x)
    rows = np.random.default_rng(0).permutation(1000)[:300]
    np.testing.assert_array_equal(LazyRows(lazy).gather(rows, 32), x[rows])
    assert lazy.longest <= 32
    # Far fewer reads than rows, and little more read than wanted.
    assert lazy.reads < 150
    part = LazyRows(lazy)[100:200]
    assert part.shape == (100, 2)
    np.testing.assert_array_equal(part.gather(np.array([99, 0, 5])), x[[199, 100, 105]])


def test_divergence_leaves_the_network_as_the_epoch_found_it():
    x, y = data()
    nets = [cr.Sequential([cr.Dense(8), cr.Dense(1)], seed=0) for _ in range(2)]
    options = {"loss": "mse", "batch_size": 4, "verbose": 0}
    errors = []
    for net, source in zip(nets, (x, Lazy(x)), strict=True):
        net.fit(source, y, optimizer=cr.SGD(1e-9), **options)
        with pytest.raises(cr.DivergenceError) as caught:
            net.fit(source, y, optimizer=cr.SGD(1e-3), **options)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    assert errors[0].batch == errors[1].batch > 1
    assert_same(*nets)
    for net, source in zip(nets, (x, Lazy(x)), strict=True):
        net.fit(source, y, optimizer=cr.SGD(1e-9), **options)
    assert_same(*nets)


@pytest.mark.parametrize(
    ("x", "y", "kind", "text"),
    [
        (np.where(np.eye(300, 6) > 0, np.nan, 1.0), 300, ValueError, "x[0:256]"),
        (np.full((300, 6), "a"), 300, TypeError, "x[0:256] has dtype <U1"),
        (np.ones((300, 6)), 299, ValueError, "x has 300 rows but y has 299"),
        (np.ones((300, 5)), 300, ValueError, "x has 5 columns; the network expects 6"),
        (np.ones((0, 6)), 0, ValueError, "x is empty: shape (0, 6)"),
    ],
)
def test_faults_are_found_before_training(x, y, kind, text):
    net = cr.Sequential([cr.Input(6), cr.Dense(3)], seed=0)
    before = net.get_weights()
    with pytest.raises(kind, match=re.escape(text)):
        net.fit(Lazy(x), np.zeros(y, int), loss="cross_entropy", verbose=0)
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not net.history.epochs


def test_a_source_that_gives_fewer_rows_than_it_promises():
    lazy = Lazy(np.ones((300, 6)))
    lazy.shape = (400, 6)
    net = cr.Sequential([cr.Input(6), cr.Dense(3)], seed=0)
    with pytest.raises(ValueError, match=re.escape("x[256:400] gave 44 rows of 6 numbers")):
        net.predict(lazy)


def timestamps(rows: int, rng: np.random.Generator) -> Array:
    return 1_700_000_000 + np.arange(6) + rng.integers(0, 40, size=(rows, 6))


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 700])
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "timestamps"])
def test_normalization_finds_the_statistics_of_memory(rows, kind, make):
    rng = np.random.default_rng(rows)
    x = rng.normal(50, 20, size=(rows, 6)).clip(0, 255)
    x = timestamps(rows, rng) if kind == "timestamps" else x.astype(kind)
    layers = [cr.Normalization(), cr.Dense(4, activation="tanh"), cr.Normalization(), cr.Dense(3)]
    memory, lazy, adapted = (cr.Sequential(layers, seed=1) for _ in range(3))
    y, unread = np.arange(rows) % 3, make(x)
    for net, source in ((memory, x), (lazy, unread)):
        net.fit(source, y, loss="cross_entropy", verbose=0)
    assert_same(memory, lazy)
    np.testing.assert_array_equal(lazy.predict(x), memory.predict(x))
    adapted.adapt(unread)
    for name in ("0.mean", "0.variance", "2.mean", "2.variance"):
        np.testing.assert_array_equal(adapted.parameters[name], memory.parameters[name])


def test_rows_are_adapted_to_once():
    x, y = data()
    lazy = Lazy(x)
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    net.fit(lazy, y, loss="cross_entropy", verbose=0, shuffle=False)
    first = lazy.rows
    net.fit(lazy, y, loss="cross_entropy", verbose=0, shuffle=False)
    assert lazy.longest <= 256
    assert lazy.rows - first < first - len(x)
    before = net.parameters["0.mean"]
    net.adapt(Lazy(x + 1))
    np.testing.assert_allclose(net.parameters["0.mean"], before + 1, rtol=1e-6)


def test_adaptation_that_fails_changes_nothing():
    x, y = data(700)

    class Failing(Lazy):
        def __getitem__(self, rows: slice) -> Array:
            if self.reads >= 5:
                raise OSError("the disk is gone")
            return super().__getitem__(rows)

    net = cr.Sequential([cr.Input(6), cr.Normalization(), cr.Dense(3)], seed=0)
    before = net.get_weights()
    with pytest.raises(OSError, match="the disk is gone"):
        net.adapt(Failing(x))
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not net._core.adapted
    net.fit(x, y, loss="cross_entropy", verbose=0)


def test_train_on_batch_reads_the_batch():
    x, y = data()
    nets = network(), network()
    for net, source in zip(nets, (x, Lazy(x)), strict=True):
        net.train_on_batch(source, y, loss="cross_entropy")
    assert_same(*nets)


def test_what_is_in_memory_is_not_lazy():
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    x = np.eye(3)
    sparse = pytest.importorskip("scipy.sparse").csr_array(x)
    frames = [pandas.DataFrame(x), pytest.importorskip("polars").DataFrame(x)]
    for value in (
        x,
        x.tolist(),
        memoryview(x),
        torch.eye(3),
        sparse,
        *frames,
        x[0],
        3.0,
        None,
        "x",
    ):
        assert not is_lazy(value)
    assert is_lazy(Lazy(x))

# SPDX-License-Identifier: Apache-2.0
"""Several inputs of which some are not in memory: the same bits as in memory, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_lazy_rows import Lazy

import chainrule as cr

ROWS = 203
RNG = np.random.default_rng(0)
A = RNG.integers(0, 200, (ROWS, 3, 2)).astype(np.float32)
B = RNG.normal(size=(ROWS, 4))
LABELS, SIZE = RNG.integers(3, size=ROWS), RNG.normal(size=ROWS)
Y = {"kind": LABELS, "size": SIZE}
LOSS = {"kind": "cross_entropy", "size": "mse"}
FIT: dict[str, Any] = {"loss": LOSS, "epochs": 2, "batch_size": 16, "verbose": 0}


def network(dtype: str = "float32") -> cr.Network:
    a, b = cr.Input((3, 2), name="a"), cr.Input(4, name="b")
    h = cr.Flatten()(cr.Normalization()(a))
    h = cr.Dense(6, activation="tanh")(cr.Dropout(0.2)(h))
    h = cr.BatchNormalization()(h + cr.Dense(6)(cr.Normalization()(b)))
    outputs = {"kind": cr.Dense(3)(h), "size": cr.Dense(1)(h)}
    return cr.Network([a, b], outputs, seed=3, dtype=dtype)


def assert_same(one: cr.Network, other: cr.Network) -> None:
    for name, array in one.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[name], err_msg=name)
    assert one.history == other.history


def both_lazy() -> dict[str, Any]:
    return {"a": Lazy(A), "b": Lazy(B)}


SOURCES = {
    "both": both_lazy,
    "the first": lambda: {"a": Lazy(A), "b": B},
    "the second": lambda: {"b": Lazy(B), "a": A.tolist()},
    "a list": lambda: [Lazy(A), Lazy(B)],
    "a data set": lambda: cr.Dataset(both_lazy(), Y),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "in order": {"shuffle": False},
    "a part held back": {"validation_split": 0.2, "metrics": {"kind": ["accuracy"]}},
    "weights": {"sample_weight": np.linspace(0.1, 3, ROWS), "class_weight": {"kind": {0: 2.0}}},
    "two threads": {"num_threads": 2},
    "large batches": {"batch_size": 500},
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", OPTIONS)
def test_fit_gives_the_same_bits(source: str, name: str) -> None:
    options = {**FIT, **OPTIONS[name]}
    if source == "a data set" and name == "weights":
        pytest.skip("a data set has weights of its own")
    memory, lazy = network(), network()
    memory.fit({"a": A, "b": B}, Y, **options)
    x = SOURCES[source]()
    lazy.fit(x, *(() if isinstance(x, cr.Dataset) else (Y,)), **options)
    assert_same(memory, lazy)


def trained() -> cr.Network:
    net = network()
    net.fit({"a": A, "b": B}, Y, **FIT)
    return net


@pytest.mark.parametrize("source", SOURCES)
def test_predict_evaluate_and_adapt(source: str) -> None:
    net, x = trained(), SOURCES[source]()
    expected = net.predict({"a": A, "b": B})
    for name, values in net.predict(x, batch_size=17).items():
        np.testing.assert_array_equal(values, expected[name])
    options: dict[str, Any] = {"metrics": {"kind": ["accuracy"], "size": ["mae"]}}
    of_memory = net.evaluate({"a": A, "b": B}, Y, **options)
    y = () if isinstance(x, cr.Dataset) else (Y,)
    assert net.evaluate(x, *y, **options) == pytest.approx(of_memory, rel=1e-12)
    error = float(np.abs(expected["size"][:, 0].astype(float) - SIZE).mean())
    assert of_memory["size_mae"] == pytest.approx(error, rel=1e-6)
    one, other = network(), network()
    one.adapt({"a": A, "b": B})
    other.adapt(x)
    assert_same(one, other)
    mean = one.parameters["normalization.mean"]
    np.testing.assert_allclose(mean, A.astype(float).mean(axis=(0, 1)), rtol=1e-6)


def test_no_more_than_some_batches_are_in_memory() -> None:
    net, x = network(), both_lazy()
    net.fit(x, Y, validation_data=(x, Y), **FIT)
    net.predict(x, batch_size=16)
    assert max(part.longest for part in x.values()) <= 256 < 2 * ROWS
    few = {
        name: Lazy(np.tile(part, (20, *[1] * (part.ndim - 1))))
        for name, part in {"a": A, "b": B}.items()
    }
    net.predict(few, batch_size=16)
    assert max(part.longest for part in few.values()) == 16


def test_memory_maps_are_read_in_place(tmp_path) -> None:
    maps = {}
    for name, part in {"a": A, "b": B}.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, part)
        maps[name] = np.load(path, mmap_mode="r")
    memory, mapped = network(), network()
    memory.fit({"a": A, "b": B}, Y, **FIT)
    mapped.fit(maps, Y, **FIT)
    assert_same(memory, mapped)
    for name, values in mapped.predict(maps).items():
        np.testing.assert_array_equal(values, memory.predict({"a": A, "b": B})[name])


def test_data_sets_of_h5py(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    memory, lazy = network(), network()
    memory.fit({"a": A, "b": B}, Y, validation_split=0.2, **FIT)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        x = {
            "a": file.create_dataset("a", data=A, chunks=True),
            "b": file.create_dataset("b", data=B, chunks=True),
        }
        lazy.fit(x, Y, validation_split=0.2, **FIT)
        assert_same(memory, lazy)
        assert lazy.evaluate(x, Y) == pytest.approx(memory.evaluate({"a": A, "b": B}, Y), rel=1e-12)


def test_a_batch_of_what_is_not_in_memory() -> None:
    memory, lazy = trained(), trained()
    for x in (both_lazy(), cr.Dataset(both_lazy(), Y)):
        y = () if isinstance(x, cr.Dataset) else (Y,)
        assert lazy.train_on_batch(x, *y) == memory.train_on_batch({"a": A, "b": B}, Y)
    assert_same(memory, lazy)
    bad = A.copy()
    bad[7] = np.nan
    with pytest.raises(ValueError, match=r"x\['a'\]\[0:203\] must be finite; row 7, column 0"):
        lazy.train_on_batch({"a": Lazy(bad), "b": B}, Y)
    assert_same(memory, lazy)


def test_one_lazy_input_and_several_outputs() -> None:
    def two() -> cr.Network:
        x = cr.Input(4, name="x")
        h = cr.Dense(5, activation="relu")(x)
        return cr.Network(x, {"kind": cr.Dense(3)(h), "size": cr.Dense(1)(h)}, seed=0)

    memory, lazy = two(), two()
    options = {**FIT, "metrics": {"kind": ["accuracy"]}, "validation_split": 0.1}
    memory.fit(B, Y, **options)
    source = Lazy(B)
    lazy.fit(source, Y, **options)
    assert_same(memory, lazy)
    assert lazy.evaluate(source, Y) == pytest.approx(memory.evaluate(B, Y), rel=1e-12)
    assert source.longest <= 256


def changed(array: Any, row: int, value: float) -> Any:
    array = array.copy()
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (
            lambda: {"a": Lazy(changed(A, 150, np.inf)), "b": B},
            ValueError,
            r"x\['a'\]\[0:203\] must be finite; row 150, column 0",
        ),
        (
            lambda: {"a": Lazy(A), "b": changed(B, 9, np.nan)},
            ValueError,
            r"x\['b'\]\[0:203\] must be finite; row 9, column 0",
        ),
        (
            lambda: {"a": Lazy(A[:, :2]), "b": B},
            ValueError,
            r"x\['a'\] has shape \(203, 2, 2\); the network reads rows of shape \(3, 2\)",
        ),
        (
            lambda: {"a": Lazy(A[:, :2].reshape(203, 4)), "b": B},
            ValueError,
            r"x\['a'\] has 4 columns; the input expects 6, of shape \(3, 2\)",
        ),
        (lambda: {"a": Lazy(A), "b": B[:100]}, ValueError, r"x\['a'\] has 203 rows, x\['b'\] 100"),
        (lambda: {"a": Lazy(A)}, ValueError, "x has nothing for the input 'b'"),
        (lambda: {"a": Lazy(A), "b": Lazy(B[:0])}, ValueError, r"x\['b'\] is empty"),
    ],
)
def test_what_does_not_fit_is_named(x: Any, error: type[Exception], text: str) -> None:
    net = trained()
    before = net.parameters
    for call in (
        lambda: net.fit(x(), Y, **FIT),
        lambda: net.evaluate(x(), Y),
        lambda: net.predict(x()),
    ):
        with pytest.raises(error, match=text):
            call()
    for name, array in net.parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_what_is_sparse_needs_memory() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    net = trained()
    with pytest.raises(TypeError, match=r"x\['b'\] is sparse, which needs all inputs in memory"):
        net.predict({"a": Lazy(A), "b": sparse.csr_array(B)})
    y = {"kind": LABELS, "size": sparse.csr_array(SIZE.reshape(-1, 1))}
    with pytest.raises(TypeError, match="y is sparse, which needs x in memory"):
        net.fit(both_lazy(), y, **FIT)


def test_diagnose_reads_only_some_rows() -> None:
    report = trained().diagnose(both_lazy(), Y)
    assert "NaN" not in repr(report)

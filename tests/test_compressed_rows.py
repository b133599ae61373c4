# SPDX-License-Identifier: Apache-2.0
"""Sparse matrices of SciPy as features: the same bits as their tables, in the memory they have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr

sparse = pytest.importorskip("scipy.sparse", reason="these are tests of SciPy's matrices")

ROWS, COLUMNS, CLASSES = 203, 90, 3


def table(dtype: str = "float32", density: float = 0.08, seed: int = 3) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 200, (ROWS, COLUMNS)) / (1 if dtype == "uint8" else 64)
    x = np.where(rng.random((ROWS, COLUMNS)) < density, values, 0).astype(dtype)
    x[7] = 0  # a row, and a column, of nothing else
    x[:, 11] = 0
    return x


def labels() -> NDArray[np.int64]:
    return np.arange(ROWS) % CLASSES


def network(dtype: str = "float32", *front: cr.Layer) -> cr.Sequential:
    layers = [*front, cr.Dense(70, activation="relu"), cr.Dense(CLASSES)]
    return cr.Sequential(layers, seed=1, dtype=dtype)


def trained(x: Any, optimizer: Any, threads: int = 1, **options: Any) -> list[NDArray[Any]]:
    net = network(**options.pop("network", {}))
    net.fit(
        x,
        labels(),
        loss="cross_entropy",
        optimizer=optimizer,
        epochs=3,
        batch_size=32,
        num_threads=threads,
        validation_split=0.1,
        verbose=0,
        **options,
    )
    return [*net.get_weights(), net.predict(x), np.array(list(net.evaluate(x, labels()).values()))]


def same(a: list[NDArray[Any]], b: list[NDArray[Any]]) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


OPTIMIZERS = [
    cr.SGD(0.1),
    cr.SGD(0.1, momentum=0.9, weight_decay=1e-3),
    cr.AdaGrad(0.05),
    cr.RMSprop(1e-3),
    cr.Adam(1e-3),
    cr.AdamW(1e-3, clip_norm=0.5),
    cr.Adadelta(),
    cr.Lion(1e-3),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: repr(o)[:24])
def test_training_gives_the_bits_of_the_table(optimizer: Any) -> None:
    x = table()
    expected = trained(x, optimizer, input_sparsity="dense")
    assert same(trained(sparse.csr_array(x), optimizer), expected)
    assert same(trained(sparse.csr_array(x), optimizer, threads=3), expected)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int16", "bool"])
def test_every_type_of_values_and_indices(dtype: str, index: type) -> None:
    x = table(dtype if dtype != "bool" else "uint8").astype(dtype)
    csr = sparse.csr_array(x)
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    assert same(trained(csr, "adam"), trained(x, "adam"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("density", [0.0, 0.004, 0.5, 1.0])
def test_every_density_and_precision(dtype: str, density: float) -> None:
    x = table(dtype, density)
    by_rows, by_table = (
        trained(given, "sgd", network={"dtype": dtype}) for given in (sparse.csr_array(x), x)
    )
    assert same(by_rows, by_table)


def test_rows_predict_alone_as_in_any_batch() -> None:
    x = table()
    net = network()
    net.fit(x, labels(), loss="cross_entropy", epochs=1, verbose=0)
    expected = net.predict(x, input_sparsity="dense")
    csr = sparse.csr_array(x)
    assert np.array_equal(net.predict(csr), expected)
    assert np.array_equal(net.predict(csr, batch_size=7, num_threads=2), expected)
    assert np.array_equal(net.predict(csr[5:6]), expected[5:6])
    assert np.array_equal(net.predict_proba(csr), net.predict_proba(x))


def test_one_batch_at_a_time() -> None:
    x = table()
    nets = network(), network()
    for first in range(0, ROWS, 50):
        part = slice(first, first + 50)
        for net, rows in zip(nets, (x[part], sparse.csr_array(x[part])), strict=True):
            net.train_on_batch(rows, labels()[part], loss="cross_entropy", optimizer="adam")
    assert same(nets[0].get_weights(), nets[1].get_weights())


def test_a_rescaling_scales_the_stored_values() -> None:
    x = table("uint8")
    nets = [network("float32", cr.Rescaling(1 / 255)) for _ in range(2)]
    for net, rows in zip(nets, (x, sparse.csr_array(x)), strict=True):
        net.fit(rows, labels(), loss="cross_entropy", optimizer="sgd", epochs=1, verbose=0)
    assert same(nets[0].get_weights(), nets[1].get_weights())


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
def test_a_column_twice_counts_as_the_sum_and_order_does_not_matter(kind: str) -> None:
    x = table("uint8", density=0.2)
    coo = sparse.coo_array(x)
    order = np.random.default_rng(0).permutation(coo.nnz)
    rows, columns, values = coo.row[order], coo.col[order], coo.data[order]
    # Each value in two parts, whose sums of small integers are exact.
    parts = np.concatenate([values // 2, values - values // 2])
    rows, columns = np.tile(rows, 2), np.tile(columns, 2)
    by_row = np.argsort(rows, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=ROWS))])
    given = getattr(sparse, kind)((parts[by_row], columns[by_row], offsets), shape=x.shape)
    before = given.data.copy(), given.indices.copy(), given.indptr.copy()
    assert same(trained(given, "sgd"), trained(x, "sgd"))
    after = given.data, given.indices, given.indptr
    assert same(list(before), list(after))


@pytest.mark.parametrize("layout", ["csc", "coo", "lil"])
def test_other_formats_are_converted_with_a_warning(layout: str) -> None:
    x = table()
    with pytest.warns(UserWarning, match=f"{layout.upper()} format and is converted to CSR"):
        predicted = built().predict(sparse.coo_array(x).asformat(layout))
    assert np.array_equal(predicted, built().predict(x))


def built() -> cr.Sequential:
    net = network()
    net.build(COLUMNS)
    return net


def broken(**parts: Any) -> Any:
    """Return a matrix whose arrays were changed behind SciPy's back."""
    csr = sparse.csr_matrix(table())
    for name, (at, value) in parts.items():
        getattr(csr, name)[at] = value
    return csr


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"indices": (0, COLUMNS)}, f"column index {COLUMNS}, expected 0 to {COLUMNS - 1}"),
        ({"indices": (3, -1)}, "column index -1, expected 0 to"),
        ({"indptr": (2, 10**6)}, "row 1 ends at offset 1000000, expected"),
        ({"indptr": (ROWS, 0)}, f"row {ROWS - 1} ends at offset 0, expected"),
        ({"indptr": (0, -4)}, "offsets of compressed rows begin with -4, expected 0 or more"),
        ({"data": (5, np.nan)}, "must be finite; row 0, column"),
        ({"data": (-1, np.inf)}, f"must be finite; row {ROWS - 1}, column"),
    ],
)
def test_matrices_that_are_not_whole_are_refused(parts: dict[str, Any], text: str) -> None:
    net = built()
    before = net.get_weights()
    with pytest.raises(ValueError, match=text):
        net.predict(broken(**parts))
    with pytest.raises(ValueError, match=text):
        net.fit(broken(**parts), labels(), loss="cross_entropy", verbose=0)
    assert same(net.get_weights(), before)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (sparse.csr_array((0, COLUMNS)), ValueError, "x is empty"),
        (sparse.csr_array((4, COLUMNS + 1)), ValueError, f"{COLUMNS + 1} columns; the network"),
        (sparse.csr_array(table().astype(complex)), TypeError, "x is complex"),
        (sparse.csr_array(table("float64") * 1e300), ValueError, "too large for float32"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(x: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        built().predict(x)


@pytest.mark.parametrize(
    ("front", "text"),
    [
        ([cr.BatchNormalization()], "needs a dense layer first"),
        ([cr.Rescaling(1.0, offset=-1.0)], "cannot be shifted"),
        ([cr.Rescaling(0.5), cr.LayerNormalization()], "needs a dense layer first"),
    ],
)
def test_layers_that_would_fill_the_zeros_are_refused(front: list[cr.Layer], text: str) -> None:
    net = network("float32", *front)
    with pytest.raises(ValueError, match=text):
        net.fit(sparse.csr_array(table()), labels(), loss="cross_entropy", verbose=0)
    assert net.inputs is None


def test_what_takes_tables_only_says_so() -> None:
    net, csr = built(), sparse.csr_array(table())
    with pytest.raises(TypeError, match=r"x is a sparse matrix; pass the dense array"):
        net.forward(csr)
    with pytest.raises(TypeError, match=r"x is a sparse matrix; pass the dense array"):
        cr.gradient_check(net, csr, labels(), loss="cross_entropy")


def test_the_plan_tells_that_they_come_without_zeros() -> None:
    x = sparse.csr_array(table())
    path = built().plan(32, x=x).input
    assert path is not None
    assert (path.path, path.reason) == ("sparse", "compressed")
    assert path.density == pytest.approx(x.nnz / (ROWS * COLUMNS))
    assert str(path).startswith(f"sparse, as it comes: {100 * path.density:.3g} % of the entries")


def test_memory_mapped_rows_are_read_in_place(tmp_path: Any) -> None:
    csr = sparse.csr_array(table())
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(csr, name))
    mapped = [np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in ("data", "indices", "indptr")]
    x = sparse.csr_array(tuple(mapped), shape=csr.shape, copy=False)
    assert same(trained(x, "adam"), trained(csr, "adam"))


def test_a_wide_matrix_is_never_made_dense() -> None:
    # As a table it would take 40 GB, and one batch of it 400 MB.
    rows, columns = 10_000, 1_000_000
    rng = np.random.default_rng(0)
    where = np.sort(rng.choice(columns, (rows, 3)), axis=1)
    x = sparse.csr_array(
        (np.ones(3 * rows, np.float32), where.ravel(), np.arange(0, 3 * rows + 1, 3)),
        shape=(rows, columns),
    )
    net = cr.Sequential([cr.Dense(1)], seed=0)
    y = (where[:, 0] < columns // 4).astype(np.float64)
    history = net.fit(
        x, y, loss="binary_cross_entropy", optimizer=cr.AdaGrad(0.5), epochs=2, batch_size=100,
        verbose=0,
    )  # fmt: skip
    assert history["loss"][-1] < history["loss"][0]

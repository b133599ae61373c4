# SPDX-License-Identifier: Apache-2.0
"""Sparse matrices of SciPy as targets: the same bits as their tables."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule.inputs.compressed_rows import as_rows, as_table
from chainrule.inputs.targets import prepare_sparse_targets

sparse = pytest.importorskip("scipy.sparse", reason="these are tests of SciPy's matrices")

ROWS, INPUTS, OUTPUTS = 101, 9, 6


def targets(dtype: str = "float32") -> NDArray[Any]:
    rng = np.random.default_rng(4)
    y = rng.random((ROWS, OUTPUTS)) < 0.2
    y[13] = False
    y[:, 2] = False
    return y.astype(dtype)


def features() -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=(ROWS, INPUTS)).astype(np.float32)


def trained(y: Any, loss: Any, outputs: int = OUTPUTS, **options: Any) -> list[Any]:
    """Return all that a training makes of the targets, of a table and of a sparse matrix alike."""
    net = cr.Sequential(
        [cr.Dense(8, activation="tanh"), cr.Dense(outputs)], seed=1, dtype=options.pop("dtype")
    )
    x = features()
    weight = np.linspace(0.5, 2, ROWS) if options.pop("weighted", False) else None
    net.fit(
        x, y, loss=loss, epochs=2, batch_size=16, validation_split=0.2, sample_weight=weight,
        verbose=0, **options,
    )  # fmt: skip
    first = y[:16] if not isinstance(y, list) else y
    step = net.train_on_batch(x[:16], first)
    history = {name: net.history[name] for name in net.history}
    evaluated = net.evaluate(x, y, sample_weight=weight)
    return [*(a.tobytes() for a in net.get_weights()), step, history, evaluated]


LOSSES: dict[str, tuple[Any, Any]] = {
    "binary_cross_entropy": ("binary_cross_entropy", lambda y: y),
    "mse": ("mse", lambda y: 3 * y - 7 * (y * np.arange(OUTPUTS) > 2)),
    "poisson": ("poisson", lambda y: 5 * y),
    "hinge": ("hinge", lambda y: y),
    "huber": (cr.losses.Huber(0.5), lambda y: -2.5 * y),
    "cross_entropy": ("cross_entropy", lambda y: np.eye(OUTPUTS)[y.argmax(axis=1)]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_training_gives_the_bits_of_the_table(name: str, dtype: str) -> None:
    loss, transform = LOSSES[name]
    y = transform(targets(dtype)).astype(dtype)
    expected = trained(y, loss, dtype=dtype)
    for threads in (1, 3):
        assert trained(sparse.csr_array(y), loss, dtype=dtype, num_threads=threads) == expected


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float64"])
def test_every_type_of_values_and_indices(dtype: str, index: type) -> None:
    csr = sparse.csr_array(targets(dtype))
    csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
    expected = trained(targets(), "binary_cross_entropy", dtype="float32", weighted=True)
    found = trained(csr, "binary_cross_entropy", dtype="float32", weighted=True)
    assert found == expected


def test_weights_of_classes() -> None:
    y = targets()[:, :1]
    options = {"class_weight": {1: 5.0}, "dtype": "float32", "outputs": 1}
    expected = trained(y, "binary_cross_entropy", **options)
    assert trained(sparse.csr_array(y), "binary_cross_entropy", **options) == expected
    assert expected != trained(y, "binary_cross_entropy", outputs=1, dtype="float32")


def test_a_target_of_several_quantiles() -> None:
    y = 3 * targets()[:, 3:]
    loss = cr.losses.Quantile((0.1, 0.9))
    found = trained(sparse.csr_array(y), loss, dtype="float32")
    assert found == trained(y, loss, dtype="float32")


def test_rows_and_targets_sparse_together() -> None:
    x, y = sparse.csr_array(np.maximum(features(), 0)), targets()
    y[:5, 2] = 1  # without which no auc is defined
    nets = [cr.Sequential([cr.Dense(OUTPUTS)], seed=0) for _ in range(2)]
    for net, given in zip(nets, (y, sparse.csr_array(y)), strict=True):
        net.fit(
            x, given, loss="binary_cross_entropy", validation_data=(x[:20], given[:20]),
            metrics=["f1", "auc"], verbose=0,
        )  # fmt: skip
    assert nets[0].history == nets[1].history
    assert set(nets[0].history) == {"loss", "f1", "auc", "val_loss", "val_f1", "val_auc"}


def test_probabilities_are_not_scored_by_accuracy() -> None:
    y = sparse.csr_array(targets() * np.float32(0.25))
    net = cr.Sequential([cr.Dense(OUTPUTS)], seed=0)
    net.fit(features(), y, loss="binary_cross_entropy", verbose=0)
    assert list(net.history) == ["loss"]


def test_entries_twice_count_as_their_sum_and_other_formats_are_converted() -> None:
    y = targets()
    coo = sparse.coo_array(y)
    twice = sparse.csr_array(
        (np.repeat(coo.data / 2, 2), np.repeat(coo.col, 2), 2 * sparse.csr_array(y).indptr),
        shape=y.shape,
    )
    expected = trained(y, "binary_cross_entropy", dtype="float32")
    assert trained(twice, "binary_cross_entropy", dtype="float32") == expected
    net = cr.Sequential([cr.Dense(OUTPUTS)], seed=0)
    with pytest.warns(UserWarning, match="y is sparse in COO format and is converted to CSR"):
        net.train_on_batch(features(), coo, loss="binary_cross_entropy")


def changed(at: int, value: float) -> Any:
    csr = sparse.csr_matrix(targets())
    csr.data[at] = value
    return csr


def broken(name: str, at: int, value: int) -> Any:
    csr = sparse.csr_matrix(targets())
    getattr(csr, name)[at] = value
    return csr


Y = sparse.csr_matrix(targets())
LAST = f"[{int(Y.nonzero()[0][-1])}, {int(Y.nonzero()[1][-1])}]"


@pytest.mark.parametrize(
    ("y", "loss", "error", "text"),
    [
        (changed(-1, 1.5), "binary_cross_entropy", ValueError, rf"y\{LAST} = 1.5 is not a target"),
        (changed(-1, -1), "hinge", ValueError, rf"y\{LAST} = -1.0 is not a target of hinge"),
        (changed(-1, -3), "poisson", ValueError, rf"y\{LAST} = -3.0 is not a target of poisson"),
        (changed(-1, -3), "cross_entropy", ValueError, rf"y\{LAST} = -3.0 is negative"),
        (sparse.csr_array(targets()), "cross_entropy", ValueError, r"y\[\d+\] sums to [02]: exp"),
        (changed(0, np.nan), "mse", ValueError, "y must be finite; row 0"),
        (sparse.csr_array(targets("float64") * 1e300), "mse", ValueError, "large for float32"),
        (
            broken("indices", 2, OUTPUTS),
            "mse",
            ValueError,
            f"column index {OUTPUTS}, expected 0 to",
        ),
        (broken("indptr", -1, 10**6), "mse", ValueError, f"y: row {ROWS - 1} ends at offset 10000"),
        (Y[:5], "mse", ValueError, f"x has {ROWS} rows but y has 5"),
        (
            Y[:, :4],
            "mse",
            ValueError,
            r"y has shape \(101, 4\); mse on 6 outputs expects 6 columns",
        ),
        (Y[:, :1], "cross_entropy", ValueError, "6 columns of probabilities, or class labels"),
        (sparse.csr_array((0, OUTPUTS)), "mse", ValueError, "y is empty"),
        (Y.astype(complex), "mse", TypeError, "y is complex"),
    ],
)
def test_targets_that_do_not_fit_are_refused(
    y: Any, loss: str, error: type[Exception], text: str
) -> None:
    net = cr.Sequential([cr.Dense(OUTPUTS)], seed=0)
    for call in (net.fit, net.train_on_batch, net.evaluate):
        with pytest.raises(error, match=text):
            call(features(), y, loss=loss)
    with pytest.raises(error, match=f"validation_data: .*{text}"):
        net.fit(
            features(), np.ones((ROWS, OUTPUTS)) / OUTPUTS if loss == "cross_entropy"
            else targets(), loss=loss, validation_data=(features(), y),
        )  # fmt: skip
    assert net.inputs is None


def test_what_takes_tables_only_says_so() -> None:
    y = sparse.csr_array(targets())
    with pytest.raises(TypeError, match=r"y is a sparse matrix; pass the dense array"):
        cr.losses.MSE()(np.zeros((ROWS, OUTPUTS)), y)


def test_rows_become_tables() -> None:
    y = targets("float64")
    y[y > 0] = np.arange(np.count_nonzero(y)) + 2
    rows = as_rows(sparse.csr_array(y))
    np.testing.assert_array_equal(as_table(rows), y)
    np.testing.assert_array_equal(as_table(rows[20:90]), y[20:90])
    assert as_table(y) is y
    flags = as_table(as_rows(sparse.csr_array(targets("float64"))))
    assert flags.dtype == np.uint8
    np.testing.assert_array_equal(flags, targets())


def test_no_table_is_made_where_no_metric_needs_one() -> None:
    rows, columns = 300, 20_000
    y = sparse.random_array((rows, columns), density=1e-3, rng=0, format="csr", dtype=np.float32)
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    net = cr.Sequential([cr.Dense(columns)], seed=0)
    net.build(4)
    tracemalloc.start()
    net.fit(x, y, loss="mse", batch_size=30, metrics=[], verbose=0)
    net.evaluate(x, y, metrics=[])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < rows * columns / 4
    prepared = prepare_sparse_targets(cr.losses.MSE()._core, y, columns)
    assert np.shares_memory(prepared.data, y.data)

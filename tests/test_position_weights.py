# SPDX-License-Identifier: Apache-2.0
"""Weights of positions in data sets and from generators, and where there can be none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import chainrule as cr

ROWS, CLASSES = 24, 3
RNG = np.random.default_rng(0)


def network(positions: tuple[int, ...]) -> cr.Network:
    x = cr.Input((*positions, 4), name="x")
    h = cr.Dense(6, activation="tanh")(x)
    return cr.Network(x, cr.Dense(CLASSES, name="y")(h), seed=0, dtype="float64")


def data(positions: tuple[int, ...]) -> tuple[Any, Any, Any]:
    x = RNG.normal(size=(ROWS, *positions, 4))
    y = RNG.integers(CLASSES, size=(ROWS, *positions))
    return x, y, RNG.uniform(0, 2, (ROWS, *positions))


def batches(x: Any, y: Any, w: Any, size: int = 8) -> Any:
    def generate():
        for first in range(0, len(x), size):
            rows = slice(first, first + size)
            yield x[rows], y[rows], w[rows]

    return generate


def expected_loss(net: cr.Network, x: Any, y: Any, w: Any) -> float:
    z = net.predict(x)
    log = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log, y[..., None], axis=-1)[..., 0]
    return float((w * losses).sum() / w.sum())


@pytest.mark.parametrize("positions", [(5,), (2, 3), (2, 2, 2)])
def test_data_sets_and_generators_have_them(positions: tuple[int, ...]) -> None:
    x, y, w = data(positions)
    options: dict[str, Any] = {"loss": "cross_entropy", "epochs": 2, "verbose": 0}
    arrays, kept, flat, streamed = (network(positions) for _ in range(4))
    arrays.fit(x, y, sample_weight=w, shuffle=False, batch_size=8, **options)
    kept.fit(cr.Dataset(x, y, w), shuffle=False, batch_size=8, **options)
    flat.fit(x, y, sample_weight=w.reshape(ROWS, -1), shuffle=False, batch_size=8, **options)
    source = cr.Dataset.from_generator(batches(x, y, w), ROWS, 8)
    streamed.fit(source, **options)
    for other in (kept, flat, streamed):
        assert other.history.to_dict() == arrays.history.to_dict()
        for name, values in arrays.parameters.items():
            assert_array_equal(other.parameters[name], values, err_msg=name)
    wanted = expected_loss(arrays, x, y, w)
    for given in ((x, y, w), (cr.Dataset(x, y, w),), (source,)):
        call = dict(zip(("x", "y", "sample_weight"), given, strict=False))
        measured = arrays.evaluate(**call, metrics=["accuracy"])
        assert_allclose(measured["loss"], wanted, rtol=1e-12)
        hits = arrays.predict(x).argmax(axis=-1) == y
        assert_allclose(measured["accuracy"], np.average(hits, weights=w), rtol=1e-12)


def test_other_weights_are_refused() -> None:
    x, y, w = data((5,))
    net = network((5,))
    source = cr.Dataset.from_generator(batches(x, y, w[:, :3]), ROWS, 8)
    text = (
        r"the generator's sample_weight has shape \(24, 3\), expected one weight per row: \(24,\)"
    )
    with pytest.raises(ValueError, match=rf"{text}, or per position: \(24, 5\)"):
        net.fit(source, loss="cross_entropy", verbose=0)

    def changing():
        yield x[:8], y[:8], w[:8]
        yield x[8:16], y[8:16], w[8:16, 0]
        yield x[16:], y[16:], w[16:]

    source = cr.Dataset.from_generator(changing, ROWS, 8)
    before = net.parameters
    with pytest.raises(
        ValueError,
        match=r"gave sample_weight of shape \(8,\) behind 8 rows, at "
        r"first \(8, 5\)",
    ):
        net.fit(source, loss="cross_entropy", verbose=0)
    for name, values in net.parameters.items():
        assert_array_equal(values, before[name])
    flat = cr.Sequential([cr.Input(4), cr.Dense(CLASSES)], seed=0)
    source = cr.Dataset.from_generator(batches(x[:, 0], y[:, 0], w), ROWS, 8)
    with pytest.raises(ValueError, match=r"expected one weight per row: \(24,\)$"):
        flat.fit(source, loss="cross_entropy", verbose=0)


def test_a_weight_of_a_row_counts_for_all_of_several_outputs() -> None:
    x, y, w = data((5,))
    given = cr.Input((5, 4), name="x")
    outputs = {
        "kind": cr.Dense(CLASSES)(given),
        "size": cr.Dense(1)(cr.GlobalAveragePooling()(given)),
    }
    net = cr.Network(given, outputs, seed=0, dtype="float64")
    loss = {"kind": "cross_entropy", "size": "mse"}
    targets = {"kind": y, "size": np.ones(ROWS)}
    text = r"sample_weight has shape \(24, 5\), expected one weight per row: \(24,\)$"
    for call in (net.fit, net.evaluate, net.train_on_batch):
        with pytest.raises(ValueError, match=text):
            call(x, targets, loss=loss, sample_weight=w)
    with pytest.raises(ValueError, match=text):
        net.fit(cr.Dataset(x, targets, w), loss=loss, verbose=0)

    def generate():
        for rows in (slice(0, 8), slice(8, 16), slice(16, 24)):
            yield x[rows], {name: part[rows] for name, part in targets.items()}, w[rows]

    with pytest.raises(ValueError, match=f"the generator's {text}"):
        net.fit(cr.Dataset.from_generator(generate, ROWS, 8), loss=loss, verbose=0)
    one = w[:, 0]
    found = net.evaluate(x, targets, loss=loss, sample_weight=one)
    z = net.predict(x)["kind"]
    log = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    each = -np.take_along_axis(log, y[..., None], axis=-1)[..., 0].mean(axis=1)
    assert_allclose(found["kind_loss"], np.average(each, weights=one), rtol=1e-12)


def test_functions_take_weights_of_rows() -> None:
    x, y, w = data((5,))

    def loss(labels: Any, z: Any) -> Any:
        hit = np.eye(CLASSES)[labels]
        return ((z - hit) ** 2).sum(axis=(1, 2)), 2 * (z - hit)

    net = network((5,))
    source = cr.Dataset.from_generator(batches(x, y, w), ROWS, 8)
    for call in (
        lambda: net.fit(x, y, loss=loss, sample_weight=w, verbose=0),
        lambda: net.fit(source, loss=loss, verbose=0),
    ):
        with pytest.raises(
            ValueError,
            match=r"has shape \(24, 5\), expected one weight per row: "
            r"\(24,\)$",
        ):
            call()
    rows = cr.Dataset.from_generator(batches(x, y, w[:, 0]), ROWS, 8)
    streamed, arrays = network((5,)), network((5,))
    streamed.fit(rows, loss=loss, verbose=0)
    arrays.fit(x, y, sample_weight=w[:, 0], loss=loss, batch_size=8, shuffle=False, verbose=0)
    for name, values in arrays.parameters.items():
        assert_array_equal(streamed.parameters[name], values, err_msg=name)


def test_sparse_targets_are_of_one_position() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x, y, _ = data((5,))
    hot = np.eye(CLASSES)[y].reshape(ROWS, -1)
    net = network((5,))
    for call in (net.fit, net.evaluate, net.train_on_batch):
        with pytest.raises(
            ValueError,
            match=r"y is sparse, which outputs of one position alone "
            r"take; they have the shape \(5, 3\): pass y\.toarray\(\)",
        ):
            call(x, sparse.csr_array(hot), loss="cross_entropy")
    # What the text says helps.
    by_value = net.evaluate(x, sparse.csr_array(hot).toarray(), loss="cross_entropy")
    assert by_value["loss"] == pytest.approx(net.evaluate(x, y, loss="cross_entropy")["loss"])

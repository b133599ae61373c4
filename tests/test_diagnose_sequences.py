# SPDX-License-Identifier: Apache-2.0
"""Diagnoses of sequences of different length and of targets for each step."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

ROWS, TIME = 60, 7
RNG = np.random.default_rng(4)
LENGTHS = RNG.integers(2, TIME + 1, ROWS)
SEQUENCES = [RNG.normal(size=(n, 3)).astype(np.float32) for n in LENGTHS]
LABELS = [RNG.integers(0, 4, n) for n in LENGTHS]
NUMBERS = [RNG.normal(size=(n, 2)) for n in LENGTHS]


def network(*, head: cr.layers.Layer, sequences: bool = True, dtype: str = "float32"):
    """Return a network that reads lengths."""
    x, n = cr.Input((TIME, 3), name="x"), cr.Input(1, name="n")
    h = cr.GRU(6, return_sequences=sequences)([x, n])
    return cr.Network([x, n], head(h), seed=0, dtype=dtype)


def padded(rows: list, fill: float) -> np.ndarray:
    """Return rows of one length, with a number behind their ends."""
    made = np.full((len(rows), TIME, *np.shape(rows[0])[1:]), fill, np.asarray(rows[0]).dtype)
    for to, row in zip(made, rows, strict=True):
        to[: len(row)] = row
    return made


def test_labels_of_steps() -> None:
    net = network(head=cr.Dense(4))
    report = net.diagnose(SEQUENCES, LABELS, loss="cross_entropy")
    counts = np.bincount(np.concatenate(LABELS), minlength=4)
    np.testing.assert_allclose(report.data.class_shares, counts / counts.sum(), rtol=1e-12)
    net.compile(loss="cross_entropy")
    expected = net.evaluate(SEQUENCES, LABELS)["loss"]
    assert report.loss == pytest.approx(expected, rel=1e-6)
    assert report.trial.before == pytest.approx(expected, rel=1e-6)
    assert report.trial.of_zeros == pytest.approx(np.log(4), rel=1e-6)
    assert report.curvature.largest > 0
    assert "60 rows of shape (7, 3), (1,), 4 classes" in str(report)


def test_numbers_of_steps() -> None:
    net = network(head=cr.Dense(2))
    report = net.diagnose(SEQUENCES, NUMBERS, loss="mse")
    values = np.concatenate(NUMBERS)
    scale = np.sqrt(np.mean(values**2))
    assert report.data.target_scale == pytest.approx(scale, rel=1e-6)
    assert report.trial.of_zeros == pytest.approx(scale**2, rel=1e-6)


@pytest.mark.parametrize("sequences", [False, True])
def test_what_stands_behind_the_ends_is_not_looked_at(sequences: bool) -> None:
    net = network(head=cr.Dense(4), sequences=sequences)
    y = LABELS if sequences else RNG.integers(0, 4, ROWS)
    listed = net.diagnose(SEQUENCES, y, loss="cross_entropy")
    x = {"x": padded(SEQUENCES, 1e6), "n": LENGTHS[:, None]}
    if sequences:
        y = padded(LABELS, 0)
    given = net.diagnose(x, y, loss="cross_entropy")
    for report in (listed, given):
        values = np.concatenate(SEQUENCES).astype(float)
        scales = np.sqrt(np.mean(values**2, axis=0))
        # The lengths are a column too.
        lengths = np.sqrt(np.mean(LENGTHS.astype(float) ** 2))
        assert report.data.largest_scale == pytest.approx(max(*scales, lengths), rel=1e-6)
        assert report.data.smallest_scale == pytest.approx(min(*scales, lengths), rel=1e-6)
    if not sequences:
        assert [str(each) for each in listed.findings] == [str(each) for each in given.findings]
        assert listed.loss == given.loss


def test_some_of_the_rows() -> None:
    report = network(head=cr.Dense(4)).diagnose(
        SEQUENCES, LABELS, loss="cross_entropy", max_rows=20
    )
    assert report.data.rows == 20
    sequences = [each.copy() for each in SEQUENCES]
    sequences[3][1, 2] = np.nan
    report = network(head=cr.Dense(4)).diagnose(sequences, LABELS, loss="cross_entropy")
    assert report.data.rows == ROWS - 1
    assert report.data.not_finite == [2]


@pytest.mark.parametrize(
    ("head", "y", "loss", "classes"),
    [
        (cr.Dense(4), RNG.integers(0, 4, (ROWS, TIME)), "cross_entropy", 4),
        (cr.Dense(4), np.eye(4)[RNG.integers(0, 4, (ROWS, TIME))], "cross_entropy", 4),
        (cr.Dense(1), RNG.integers(0, 2, (ROWS, TIME)), "binary_cross_entropy", 2),
    ],
)
def test_classes_of_rows_of_one_length(head, y, loss: str, classes: int) -> None:
    layers = [cr.Input((TIME, 3)), cr.GRU(6, return_sequences=True), head]
    net = cr.Sequential(layers, seed=0)
    report = net.diagnose(RNG.normal(size=(ROWS, TIME, 3)), y, loss=loss)
    labels = np.argmax(y, axis=-1) if y.ndim == 3 else y
    shares = np.bincount(labels.ravel(), minlength=classes) / labels.size
    np.testing.assert_allclose(report.data.class_shares, shares, rtol=1e-12)


def test_a_rare_class_of_steps_is_told() -> None:
    labels = [np.where(np.arange(n) + i == 0, 1, 0) for i, n in enumerate(LENGTHS)]
    report = network(head=cr.Dense(2)).diagnose(SEQUENCES, labels, loss="cross_entropy")
    assert "imbalanced_classes" in [finding.kind for finding in report.findings]


def test_learning_rates_of_sequences() -> None:
    found = cr.find_learning_rate(
        network(head=cr.Dense(4)), SEQUENCES, LABELS, loss="cross_entropy", optimizer="sgd"
    )
    assert len(found.rates) == len(found.losses) >= 10
    # Before the first step a batch's loss is that of outputs near 0.
    assert found.losses[0] == pytest.approx(np.log(4), rel=0.2)


def test_dead_channels_of_a_convolution_are_told() -> None:
    layers = [cr.Input((6, 6, 1)), cr.Conv2D(4, 3, activation="relu"), cr.Flatten(), cr.Dense(2)]
    net = cr.Sequential(layers, seed=0)
    bias = {"0.bias": np.array([0.0, 0.0, -1e3, -1e3])}
    net.set_weights({**net.parameters, **bias})
    report = net.diagnose(
        RNG.normal(size=(50, 6, 6, 1)), RNG.integers(0, 2, 50), loss="cross_entropy"
    )
    assert report.layers[0].dead == 0.5

# SPDX-License-Identifier: Apache-2.0
"""Lists of sequences of different length in the place of padded rows and their lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import chainrule as cr

TIME, FEATURES, CLASSES, ROWS = 6, 3, 4, 30
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, TIME + 1, ROWS)
SEQUENCES = [RNG.normal(size=(int(n), FEATURES)) for n in LENGTHS]
LABELS = [RNG.integers(CLASSES, size=int(n)) for n in LENGTHS]
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 8, "verbose": 0}


def network(*, sequences: bool = False, other: bool = False, seed: int = 0) -> cr.Network:
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    h = cr.Bidirectional(cr.GRU(5, return_sequences=True))([steps, length])
    h = cr.LSTM(4, return_sequences=sequences)([h, length])
    if not other:
        return cr.Network([steps, length], cr.Dense(CLASSES)(h), seed=seed, dtype="float64")
    more = cr.Input(2, name="more")
    y = cr.Dense(CLASSES)(cr.Concatenate()([h, more]))
    return cr.Network([length, more, steps], y, seed=seed, dtype="float64")


def padded(sequences: Any = SEQUENCES) -> list[Any]:
    x = np.zeros((len(sequences), TIME, FEATURES))
    for row, sequence in zip(x, sequences, strict=True):
        row[: len(sequence)] = sequence
    return [x, np.array([[len(sequence)] for sequence in sequences])]


def same(a: cr.Network, b: cr.Network) -> None:
    for name, values in a.parameters.items():
        assert_array_equal(values, b.parameters[name], err_msg=name)


@pytest.mark.parametrize("form", [list, tuple, lambda x: {"steps": x}], ids=["list", "tuple", "x"])
def test_they_are_padded_rows_with_lengths(form: Any) -> None:
    x, y = form(SEQUENCES), np.arange(ROWS) % CLASSES
    nets = [network(), network()]
    for net, given in zip(nets, (x, padded()), strict=True):
        net.fit(given, y, loss="cross_entropy", validation_data=(given, y), **OPTIONS)
        net.train_on_batch(given, y)
        net.fit(given, y, validation_split=0.2, **OPTIONS)
    same(*nets)
    assert nets[0].history.to_dict() == nets[1].history.to_dict()
    net = nets[0]
    assert net.evaluate(x, y) == net.evaluate(padded(), y)
    expected = net.predict(padded())
    assert_array_equal(net.predict(x), expected)
    assert_array_equal(net.predict_proba(x), net.predict_proba(padded()))
    assert_array_equal(net.forward(x), expected)
    assert_array_equal(cr.Predictor(net).predict(x), expected)
    assert cr.gradient_check(net, x, y).max_relative_error <= 1e-6


@pytest.mark.parametrize(
    "lengths", [(3,), (TIME,), (2, 5), (TIME, 1), (1, TIME), (4, 4), (3, 3, 3)]
)
def test_whatever_their_number_and_lengths(lengths: tuple[int, ...]) -> None:
    x = [RNG.normal(size=(n, FEATURES)) for n in lengths]
    net = network()
    assert_array_equal(net.predict(x), net.predict(padded(x)))
    assert_array_equal(net.predict([each.tolist() for each in x]), net.predict(padded(x)))


def test_beside_other_inputs_by_name() -> None:
    net, more = network(other=True), RNG.normal(size=(ROWS, 2))
    x, lengths = padded()
    expected = net.predict({"steps": x, "more": more, "length": lengths})
    assert_array_equal(net.predict({"more": more, "steps": SEQUENCES}), expected)
    assert_array_equal(net.predict([lengths, more, x]), expected)


def test_of_one_feature_and_of_tokens() -> None:
    net = cr.Network(
        [steps := cr.Input((TIME, 1), name="steps"), length := cr.Input(1, name="length")],
        cr.GRU(3)([steps, length]),
        seed=0,
    )
    x = [RNG.normal(size=n) for n in (2, 6, 3)]
    filled, lengths = cr.data.pad_sequences(x, TIME)
    assert_array_equal(net.predict({"steps": x}), net.predict([filled, lengths]))
    assert_array_equal(net.predict([each[:, None] for each in x]), net.predict([filled, lengths]))


def test_folds_and_diagnoses() -> None:
    y, options = np.arange(ROWS) % CLASSES, {"loss": "cross_entropy", "epochs": 1}
    x = dict(zip(("steps", "length"), padded(), strict=True))
    found, expected = (
        cr.cross_validate(network(), given, y, folds=3, return_predictions=True, **options)
        for given in (SEQUENCES, x)
    )
    assert_array_equal(found.predictions, expected.predictions)
    reports = [str(network().diagnose(given, y, loss="cross_entropy")) for given in (SEQUENCES, x)]
    assert reports[0] == reports[1]


def test_rows_for_two_inputs_stay_what_they_are() -> None:
    net = network()
    x, lengths = padded(SEQUENCES[:1])
    expected = net.predict([x, lengths])
    for steps in (x, x.reshape(1, -1), x.tolist()):
        assert_array_equal(net.predict([steps, lengths]), expected)
        assert_array_equal(net.predict([steps, lengths.tolist()]), expected)
    assert_array_equal(net.predict([x.reshape(-1), lengths[0]]), expected)
    assert_array_equal(net.predict({"steps": x.tolist(), "length": lengths.tolist()}), expected)


def test_plain_lists_of_rows_stay_what_they_are() -> None:
    steps = cr.Input((TIME, FEATURES))
    net = cr.Network(steps, cr.GRU(4)(steps), seed=0)
    x = RNG.normal(size=(5, TIME, FEATURES))
    assert_array_equal(net.predict(x.tolist()), net.predict(x))
    assert_array_equal(net.predict([*x]), net.predict(x))


def log_softmax(z: Any) -> Any:
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("weights", [None, "rows", "steps"])
def test_targets_of_steps_count_up_to_the_ends(weights: str | None) -> None:
    net = network(sequences=True)
    w = {
        None: None,
        "rows": RNG.uniform(0.5, 2, ROWS),
        "steps": RNG.uniform(0.5, 2, (ROWS, TIME)),
    }[weights]
    found = net.evaluate(SEQUENCES, LABELS, loss="cross_entropy", sample_weight=w)
    losses, hits, counts = [], [], []
    for i, (x, y) in enumerate(zip(SEQUENCES, LABELS, strict=True)):
        z = net.predict([x])[0, : len(x)]
        losses += [-row[label] for row, label in zip(log_softmax(z), y, strict=True)]
        hits += [*(z.argmax(axis=1) == y)]
        counts += [*(np.ones(TIME) if w is None else np.broadcast_to(w[i], TIME))[: len(x)]]
    assert_allclose(found["loss"], np.average(losses, weights=counts), rtol=1e-12)
    assert_allclose(found["accuracy"], np.average(hits, weights=counts), rtol=1e-12)


def test_training_on_targets_of_steps() -> None:
    """Rows and weights by hand give the same bits, whatever stands behind the ends."""
    nets = [network(sequences=True) for _ in range(3)]
    inside = np.arange(TIME) < LENGTHS[:, None]
    y = RNG.integers(CLASSES, size=(ROWS, TIME))
    for row, labels in zip(y, LABELS, strict=True):
        row[: len(labels)] = labels
    nets[0].fit(SEQUENCES, LABELS, loss="cross_entropy", **OPTIONS)
    nets[1].fit(SEQUENCES, y, loss="cross_entropy", **OPTIONS)
    nets[2].fit(padded(), y, sample_weight=inside, loss="cross_entropy", **OPTIONS)
    same(nets[0], nets[1])
    same(nets[0], nets[2])


def test_names_of_classes_for_each_step() -> None:
    names = np.array(["a", "b", "c", "d"])
    nets = [network(sequences=True) for _ in range(2)]
    for net, y in zip(nets, (LABELS, [names[each].tolist() for each in LABELS]), strict=True):
        net.fit(SEQUENCES, y, loss="cross_entropy", **OPTIONS)
    same(*nets)
    assert nets[1].class_names == (*names,)


@pytest.mark.parametrize(
    "loss", ["mse", "mae", "poisson", "binary_cross_entropy", "hinge", "cross_entropy"]
)
def test_numbers_for_each_step(loss: str) -> None:
    net = network(sequences=True)
    y = [RNG.dirichlet(np.ones(CLASSES), size=len(x)) for x in SEQUENCES]
    if loss == "hinge":
        y = [(each > 0.3) * 1 for each in y]
    found = net.evaluate(SEQUENCES, y, loss=loss, metrics=[])["loss"]
    one = cr.losses.get(loss)
    z = np.concatenate([net.predict([x])[0, : len(x)] for x in SEQUENCES])
    assert_allclose(found, one(z, np.concatenate(y)), rtol=1e-12)


BAD = {
    "mixed width": (
        [np.ones((2, 3)), np.ones((3, 3)), np.ones((3, 2))],
        r"x\[2\] has 2 features and x\[0\] has 3",
    ),
    "other width": ([np.ones((2, 4))] * 3, r"x\[0\] has 4 features; the input expects 3"),
    "empty": ([np.ones((2, 3)), np.ones((0, 3)), np.ones((1, 3))], r"x\[1\] has shape \(0, 3\)"),
    "too long": (
        [np.ones((2, 3)), np.ones((7, 3)), np.ones((1, 3))],
        r"x\[1\] has 7 steps, more than time = 6",
    ),
    "flat": ([np.ones(3)] * 3, r"x\[0\] has 1 features; the input expects 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_sequences_that_do_not_fit(case: str) -> None:
    x, text = BAD[case]
    net = network()
    before = net.parameters
    for call in (
        lambda: net.predict(x),
        lambda: net.fit(x, np.zeros(3, int), loss="cross_entropy", verbose=0),
        lambda: net.evaluate(x, np.zeros(3, int), loss="cross_entropy"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(ValueError, match=text.replace(r"x\[", r"x\['steps'\]\[")):
        net.predict({"steps": x})
    for name, values in net.parameters.items():
        assert_array_equal(values, before[name])


def test_targets_that_do_not_fit() -> None:
    net = network(sequences=True)
    wrong = [LABELS[0], *(y[:0] for y in LABELS[1:])]
    for y, text in (
        (wrong, r"y\[1\] has 0 steps and x\[1\] has"),
        (LABELS[:-1], "y is ragged"),
        ([LABELS[0][:, None], *LABELS[1:]], r"y\[1\] has steps of shape \(\) and y\[0\] of \(1,\)"),
    ):
        with pytest.raises(ValueError, match=text):
            net.fit(SEQUENCES, y, loss="cross_entropy", verbose=0)
    with pytest.raises(ValueError, match="y is ragged"):  # rows that were padded by hand
        net.fit(padded(), LABELS, loss="cross_entropy", verbose=0)


def test_networks_that_read_no_lengths() -> None:
    steps = cr.Input((TIME, FEATURES), name="steps")
    plain = cr.Network(steps, cr.GRU(4)(steps), seed=0)
    text = "has sequences of different length, 1 to 6 steps: the network reads no lengths"
    for x in (SEQUENCES, {"steps": SEQUENCES}):
        with pytest.raises(ValueError, match=f"x {text}"):
            plain.predict(x)
    more = cr.Input(2, name="more")
    both = cr.Network([steps, more], cr.Concatenate()([cr.GRU(4)(steps), more]), seed=0)
    with pytest.raises(ValueError, match="x has nothing for the input 'more'"):
        both.predict({"steps": SEQUENCES})
    with pytest.raises(ValueError, match=rf"x\['steps'\] {text}"):
        both.predict({"steps": SEQUENCES, "more": np.ones((ROWS, 2))})
    with pytest.raises(ValueError, match=r"steps: leave out x\['length'\], which then follows"):
        network().predict({"steps": SEQUENCES, "length": LENGTHS[:, None]})
    dense = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="x is ragged"):
        dense.predict(SEQUENCES)


def test_lengths_of_layers_with_another_time_axis() -> None:
    """Lengths of what a convolution of strides gives are not those of the sequences."""
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    half = cr.Conv1D(3, 2, strides=2)(steps)
    net = cr.Network([steps, length], cr.GRU(4)([half, length]), seed=0)
    with pytest.raises(ValueError, match="x has nothing for the input 'length'"):
        net.predict({"steps": SEQUENCES})
    with pytest.raises(ValueError, match=r"x needs an entry for each input \(steps, length\)"):
        net.predict(SEQUENCES)

# SPDX-License-Identifier: Apache-2.0
"""Lists of sequences in data sets, generators, folds and many trainings at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import chainrule as cr

TIME, FEATURES, CLASSES, ROWS = 6, 3, 4, 30
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, TIME + 1, ROWS)
SEQUENCES = [RNG.normal(size=(int(n), FEATURES)) for n in LENGTHS]
STEPS = [RNG.integers(CLASSES, size=int(n)) for n in LENGTHS]
LABELS = np.arange(ROWS) % CLASSES
OPTIONS: dict[str, Any] = {
    "loss": "cross_entropy",
    "epochs": 2,
    "batch_size": 8,
    "verbose": 0,
}


def network(*, sequences: bool = False, seed: int = 0) -> cr.Network:
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    h = cr.GRU(5, return_sequences=sequences)([steps, length])
    return cr.Network([steps, length], cr.Dense(CLASSES)(h), seed=seed, dtype="float64")


def by_hand(rows: Any = slice(None)) -> tuple[dict[str, Any], Any, Any]:
    """Return padded rows and lengths, targets of each step, and their weights."""
    x, y = np.zeros((ROWS, TIME, FEATURES)), np.zeros((ROWS, TIME), int)
    for i, n in enumerate(LENGTHS):
        x[i, :n], y[i, :n] = SEQUENCES[i], STEPS[i]
    inside = (np.arange(TIME) < LENGTHS[:, None]).astype(float)
    return {"steps": x[rows], "length": LENGTHS[rows, None]}, y[rows], inside[rows]


def same(a: Any, b: Any) -> None:
    for name, values in a.parameters.items():
        assert_array_equal(values, b.parameters[name], err_msg=name)


@pytest.mark.parametrize("form", [list, tuple, lambda x: {"steps": x}], ids=["list", "tuple", "x"])
@pytest.mark.parametrize("per_step", [False, True])
def test_data_sets_have_the_bits_of_padded_rows(form: Any, per_step: bool) -> None:
    x, y, weight = by_hand()
    data = cr.Dataset(form(SEQUENCES), STEPS if per_step else LABELS)
    hand = cr.Dataset(x, y, weight) if per_step else cr.Dataset(x, LABELS)
    nets = [network(sequences=per_step) for _ in range(2)]
    for net, given in zip(nets, (data, hand), strict=True):
        part = given.select(np.arange(0, ROWS, 3))
        net.fit(given, validation_data=part, **OPTIONS)
        net.fit(part, validation_split=0.3, **OPTIONS)
        net.train_on_batch(given)
    same(*nets)
    assert nets[0].history.to_dict() == nets[1].history.to_dict()
    assert nets[0].evaluate(data) == nets[1].evaluate(hand)
    assert_array_equal(nets[0].predict(data), nets[0].predict(x))
    chosen = [7, 3, 3]
    assert_array_equal(nets[0].predict(data.select(chosen)), nets[0].predict(x)[chosen])
    assert_array_equal(nets[0].predict(data.select(chosen).x), nets[0].predict(x)[chosen])
    for copied in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert nets[0].evaluate(copied) == nets[0].evaluate(data)
    assert len(data) == ROWS


def test_sequences_of_one_length_by_name() -> None:
    """Which could be rows, or tables of several inputs, as well."""
    x = [RNG.normal(size=(4, FEATURES)) for _ in range(5)]
    net = network()
    expected = net.predict(x)
    assert_array_equal(net.predict(cr.Dataset({"steps": x})), expected)
    nested = [each.tolist() for each in x]
    assert_array_equal(net.predict(cr.Dataset({"steps": nested})), expected)
    y = [RNG.integers(CLASSES, size=4) for _ in x]
    tagger = network(sequences=True)
    found = tagger.evaluate(cr.Dataset({"steps": x}, y), loss="cross_entropy")
    assert found == tagger.evaluate(x, y, loss="cross_entropy")
    assert_array_equal(net.predict(cr.Dataset(x, LABELS[:5])), expected)
    with pytest.raises(ValueError, match=r"list of 5 arrays of 4 rows, .*given by the name of"):
        net.predict(cr.Dataset(x))


def test_steps_of_one_number_and_lists_of_rows() -> None:
    steps, length = cr.Input((TIME, 1), name="steps"), cr.Input(1, name="length")
    net = cr.Network([steps, length], cr.GRU(3)([steps, length]), seed=0)
    x = [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]]
    assert_array_equal(net.predict(cr.Dataset(x)), net.predict(x))
    images = cr.Input((4, 3), name="images")
    plain = cr.Network(images, cr.Dense(2)(cr.Flatten()(images)), seed=0)
    rows = RNG.normal(size=(5, 4, 3))
    for given in ([*rows], rows.tolist()):
        data = cr.Dataset({"images": given})
        assert_array_equal(plain.predict(data), plain.predict(rows))
        assert_array_equal(plain.predict(data.select([2])), plain.predict(rows)[[2]])


def test_a_data_set_does_not_change() -> None:
    data = cr.Dataset(SEQUENCES, STEPS)
    for part in (data.x, data.y):
        with pytest.raises(ValueError, match="read-only"):
            part[0][0] = 1
    assert SEQUENCES[0].flags.writeable


@pytest.mark.parametrize("per_step", [False, True])
def test_folds_are_those_of_padded_rows(per_step: bool) -> None:
    x, y, weight = by_hand()
    options = {**OPTIONS, "folds": 3, "return_predictions": True, "validate": True}
    del options["verbose"]
    net = network(sequences=per_step)
    found = cr.cross_validate(net, SEQUENCES, STEPS if per_step else LABELS, **options)
    if per_step:
        expected = cr.cross_validate(net, x, y, sample_weight=weight, **options)
    else:
        expected = cr.cross_validate(net, x, LABELS, **options)
    assert_array_equal(found.predictions, expected.predictions)
    for name in expected:
        assert_array_equal(found[name], expected[name])


def test_folds_of_sequences_of_one_length() -> None:
    options = {"loss": "cross_entropy", "epochs": 1, "folds": 3, "return_predictions": True}
    x = [each[:1] for each in SEQUENCES]
    rows, lengths = cr.data.pad_sequences(x, TIME)
    found, expected = (
        cr.cross_validate(network(), each, LABELS, **options)
        for each in (x, {"steps": rows, "length": lengths})
    )
    assert_array_equal(found.predictions, expected.predictions)


@pytest.mark.parametrize("per_step", [False, True])
def test_many_trainings_share_them(per_step: bool) -> None:
    options = {name: value for name, value in OPTIONS.items() if name != "verbose"}
    nets, others = ([network(sequences=per_step, seed=s) for s in range(3)] for _ in range(2))
    rows = [np.arange(0, ROWS, 2), np.arange(1, ROWS, 2), np.arange(ROWS)]
    cr.train_many(
        [{"network": net, "rows": own} for net, own in zip(nets, rows, strict=True)],
        SEQUENCES,
        STEPS if per_step else LABELS,
        **options,
    )
    for net, own in zip(others, rows, strict=True):
        part, labels, inside = by_hand(own)
        if per_step:
            net.fit(part, labels, sample_weight=inside, **OPTIONS)
        else:
            net.fit(part, LABELS[own], **OPTIONS)
    for net, other in zip(nets, others, strict=True):
        same(net, other)
    alone = network(sequences=per_step, seed=2)
    own_x = {"network": alone, "x": SEQUENCES, "y": STEPS if per_step else LABELS}
    cr.train_many([own_x], **options)
    same(alone, others[2])


def batches(size: int, *, per_step: bool, weights: Any = None) -> Any:
    def made() -> Iterator[tuple[Any, ...]]:
        y = STEPS if per_step else LABELS
        for first in range(0, ROWS, size):
            rows = slice(first, first + size)
            own = () if weights is None else (weights[rows],)
            yield SEQUENCES[rows], y[rows], *own

    return made


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("weighted", [None, "rows", "steps"])
def test_generators_give_lists(per_step: bool, weighted: str | None) -> None:
    x, y, inside = by_hand()
    shape = {None: None, "rows": (ROWS,), "steps": (ROWS, TIME)}[weighted]
    if not per_step and weighted == "steps":
        shape = (ROWS,)
    weights = None if shape is None else RNG.uniform(0.5, 2.0, shape)
    data = cr.Dataset.from_generator(batches(7, per_step=per_step, weights=weights), rows=ROWS)
    options = {**OPTIONS, "shuffle": False}
    nets = [network(sequences=per_step) for _ in range(2)]
    nets[0].fit(data, validation_data=data, **{**OPTIONS, "batch_size": 8})
    if per_step:
        own = inside if weights is None else inside * np.broadcast_to(weights.T, (TIME, ROWS)).T
        if weighted == "steps":
            own = inside * weights
    else:
        own, y = weights, LABELS
    nets[1].fit(x, y, sample_weight=own, validation_data=(x, y, own), **options)
    same(*nets)
    assert nets[0].history.to_dict() == nets[1].history.to_dict()
    assert nets[0].evaluate(data) == nets[1].evaluate(x, y, sample_weight=own)
    assert_array_equal(nets[0].predict(data), nets[1].predict(x))


def test_generators_whose_lists_do_not_fit() -> None:
    net = network()
    before = net.parameters

    def fails(x: Any, y: Any, text: str, target: cr.Network = net) -> None:
        first = [(SEQUENCES[:10], LABELS[:10])]
        for source in ([(x, y)], [*first, (x, y)]):
            rows = sum(len(each[1]) for each in source)
            data = cr.Dataset.from_generator(source, rows=rows)
            with pytest.raises(ValueError, match=text):
                target.fit(data, loss="cross_entropy", verbose=0)

    fails(
        [np.ones((2, 3)), np.ones((3, 2)), np.ones((1, 3))],
        np.zeros(3, int),
        r"the generator's x\[1\] has 2 features and the generator's x\[0\] has 3",
    )
    fails(
        [np.ones((2, 3)), np.ones((7, 3)), np.ones((1, 3))],
        np.zeros(3, int),
        r"the generator's x\[1\] has 7 steps, more than time = 6",
    )
    for name, values in net.parameters.items():
        assert_array_equal(values, before[name])
    steps = cr.Input((TIME, FEATURES), name="steps")
    plain = cr.Network(steps, cr.Dense(CLASSES)(cr.GRU(4)(steps)), seed=0)
    data = cr.Dataset.from_generator([(SEQUENCES, LABELS)], rows=ROWS)
    with pytest.raises(ValueError, match="the generator's x has sequences of different length"):
        plain.fit(data, loss="cross_entropy", verbose=0)
    tagger = network(sequences=True)
    data = cr.Dataset.from_generator([(SEQUENCES, [y[:0] for y in STEPS])], rows=ROWS)
    with pytest.raises(ValueError, match=r"the generator's y\[0\] has 0 steps and x\[0\] has"):
        tagger.fit(data, loss="cross_entropy", verbose=0)


def test_generators_of_arrays_with_other_axes() -> None:
    image = cr.Input((5, 4, 3), name="image")
    net = cr.Network(image, cr.Dense(2)(cr.Flatten()(image)), seed=0)
    for shape, text in (
        ((6, 3, 5, 4), r"the generator's x has shape \(6, 3, 5, 4\), channels first"),
        ((6, 4, 5, 3), r"the generator's x has shape \(6, 4, 5, 3\); the network reads rows"),
    ):
        data = cr.Dataset.from_generator([(np.ones(shape), np.ones((6, 2)))], rows=6)
        with pytest.raises(ValueError, match=text):
            net.fit(data, loss="mse", verbose=0)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "mixed width": (
        {"x": [np.ones((2, 3)), np.ones((3, 3)), np.ones((3, 2))], "y": [0, 1, 2]},
        r"x\[2\] has 2 features and x\[0\] has 3",
    ),
    "mixed width by name": (
        {"x": {"steps": [np.ones((2, 3)), np.ones((3, 2))]}},
        r"x\['steps'\]\[1\] has 2 features and x\['steps'\]\[0\] has 3",
    ),
    "empty": ({"x": [np.ones((2, 3)), np.ones((0, 3))]}, r"x\[1\] has shape \(0, 3\)"),
    "tables": (
        {"x": [np.ones((6, 3)), np.ones((5, 2))], "y": np.zeros(6)},
        r"x\[0\] has 6 rows, x\[1\] 5",
    ),
    "targets": ({"x": SEQUENCES, "y": STEPS[:-1]}, "y is ragged"),
    "rows": ({"x": SEQUENCES, "y": LABELS[:-1]}, "x has 30 rows but y has 29"),
}


@pytest.mark.parametrize("case", BAD)
def test_lists_that_are_no_data_set(case: str) -> None:
    given, text = BAD[case]
    with pytest.raises(ValueError, match=text):
        cr.Dataset(**given)


def test_data_sets_that_networks_cannot_take() -> None:
    data = cr.Dataset(SEQUENCES, STEPS)
    steps = cr.Input((TIME, FEATURES), name="steps")
    plain = cr.Network(steps, cr.Dense(CLASSES)(cr.GRU(4)(steps)), seed=0)
    with pytest.raises(ValueError, match="x has sequences of different length, 1 to 6 steps"):
        plain.predict(data)
    with pytest.raises(ValueError, match="x is ragged"):
        cr.Sequential([cr.Dense(1)], seed=0).predict(data)
    with pytest.raises(ValueError, match="y is ragged"):  # of one position alone
        network().fit(data, **OPTIONS)
    wrong = cr.Dataset(SEQUENCES, [STEPS[0], *(y[:0] for y in STEPS[1:])])
    with pytest.raises(ValueError, match=r"y\[1\] has 0 steps and x\[1\] has"):
        network(sequences=True).fit(wrong, **OPTIONS)


def test_losses_of_steps_of_several_outputs() -> None:
    """They have no weights of steps, so what stands behind the ends would count."""
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    h = cr.GRU(5, return_sequences=True)([steps, length])
    outputs = {"tags": cr.Dense(CLASSES)(h), "mean": cr.Dense(1)(cr.GRU(3)([h, length]))}
    net = cr.Network([steps, length], outputs, seed=0)
    _, y, _ = by_hand()
    targets = {"tags": y, "mean": np.zeros(ROWS)}
    losses = {"tags": "cross_entropy", "mean": "mse"}
    before = net.parameters
    with pytest.raises(ValueError, match=r"end before time = 6, and the output 'tags' has a loss"):
        net.fit(SEQUENCES, targets, loss=losses, verbose=0)
    for name, values in net.parameters.items():
        assert_array_equal(values, before[name])
    full = [RNG.normal(size=(TIME, FEATURES)) for _ in range(ROWS)]
    net.fit(full, targets, loss=losses, verbose=0)

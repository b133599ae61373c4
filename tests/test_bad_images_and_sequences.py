# SPDX-License-Identifier: Apache-2.0
"""Images and sequences that networks cannot take: a clear error, and nothing has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import chainrule as cr

RNG = np.random.default_rng(0)
ROWS, IMAGE, TIME, FEATURES = 6, (7, 6, 3), 5, 2
IMAGES = RNG.normal(size=(ROWS, *IMAGE))
STEPS, LENGTHS = RNG.normal(size=(ROWS, TIME, FEATURES)), np.array([[5], [1], [3], [2], [5], [4]])
Y = np.arange(ROWS) % 2
FIT: dict[str, Any] = {"loss": "cross_entropy", "verbose": 0}


def images() -> cr.Network:
    image = cr.Input(IMAGE, name="image")
    h = cr.Conv2D(4, 3)(image)
    return cr.Network(image, cr.Dense(2)(cr.Flatten()(h)), seed=0)


def sequences() -> cr.Network:
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    return cr.Network([steps, length], cr.Dense(2)(cr.GRU(4)([steps, length])), seed=0)


def refuses(net: cr.Network, bad: Any, good: Any, text: str) -> None:
    """Check that every entry refuses rows with this text, and leaves the network as it was."""
    before = net.parameters

    def dataset(x: Any) -> cr.Dataset:
        return cr.Dataset(x, Y)

    def generated(x: Any) -> cr.Dataset:
        return cr.Dataset.from_generator([(x, Y)], rows=ROWS)

    calls: list[Callable[[], Any]] = [
        lambda: net.fit(bad, Y, **FIT),
        lambda: net.fit(good, Y, validation_data=(bad, Y), **FIT),
        lambda: net.fit(dataset(bad), **FIT),
        lambda: net.fit(good, Y, validation_data=dataset(bad), **FIT),
        lambda: net.fit(generated(bad), **FIT),
        lambda: net.train_on_batch(bad, Y, loss="cross_entropy"),
        lambda: net.evaluate(bad, Y, loss="cross_entropy"),
        lambda: net.predict(bad),
        lambda: net.predict(dataset(bad)),
        lambda: net.predict(generated(bad)),
        lambda: net.forward(bad),
        lambda: cr.cross_validate(net, bad, Y, loss="cross_entropy", folds=2),
        lambda: cr.train_many([net], bad, Y, loss="cross_entropy"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=text):
            call()
        for name, values in net.parameters.items():
            assert_array_equal(values, before[name])
        assert (net.loss, net.optimizer, net.history.epochs) == (None, None, [])


def test_channels_before_positions() -> None:
    text = r"has shape \(6, 3, 7, 6\), channels first; .*pass np\.ascontiguousarray\(np\.moveaxis\("
    first = np.ascontiguousarray(np.moveaxis(IMAGES, -1, 1))
    refuses(images(), first, IMAGES, text)
    net = images()  # what the text says to pass
    again = np.ascontiguousarray(np.moveaxis(first, 1, -1))
    assert_array_equal(net.predict(again), net.predict(IMAGES))
    steps = cr.Input((TIME, FEATURES), name="steps")
    net = cr.Network(steps, cr.Dense(2)(cr.LSTM(4)(steps)), seed=0)
    text = r"has shape \(6, 2, 5\), channels first; .*\(time, features\): pass np\.ascont"
    refuses(net, np.ascontiguousarray(np.moveaxis(STEPS, -1, 1)), STEPS, text)


def test_images_of_another_size() -> None:
    wide = RNG.normal(size=(ROWS, 7, 8, 3))
    refuses(images(), wide, IMAGES, r"has shape \(6, 7, 8, 3\); the network reads rows of shape")


@pytest.mark.parametrize("other", [(8, 6, 3), (7, 5, 3), (7, 6, 1), (7, 6)])
def test_images_of_two_sizes(other: tuple[int, ...]) -> None:
    listed = [*IMAGES[:4], RNG.normal(size=other), IMAGES[5]]
    text = rf"is ragged: .*\[4\] has shape {re.escape(str(other))} but .*\[0\] has \(7, 6, 3\)"
    refuses(images(), listed, IMAGES, text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0.0, "whole numbers from 1 to 5; row 4 is 0"),
        (6.0, "whole numbers from 1 to 5; row 4 is 6"),
        (-1.0, "whole numbers from 1 to 5; row 4 is -1"),
        (2.5, r"whole numbers from 1 to 5; row 4 is 2\.5"),
        (np.nan, r"row 4 is nan|row 4, column 0 is NaN"),
    ],
)
def test_lengths_that_rows_do_not_have(length: float, text: str) -> None:
    wrong = LENGTHS.astype(float)
    wrong[4] = length
    refuses(sequences(), {"steps": STEPS, "length": wrong}, [STEPS, LENGTHS], text)


BAD_LISTS = {
    "mixed width": ((3, 4), r"\[4\] has 4 features and .*\[0\] has 2"),
    "longer than the time axis": ((6, 2), r"\[4\] has 6 steps, more than time = 5"),
    "no step": ((0, 2), r"\[4\] has shape \(0, 2\), expected \(steps, features\)"),
    "images": ((2, 2, 2), r"\[4\] has shape \(2, 2, 2\), expected \(steps, features\)"),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_lists_of_sequences(case: str) -> None:
    shape, text = BAD_LISTS[case]
    good = [row[: int(n)] for row, (n,) in zip(STEPS, LENGTHS, strict=True)]
    bad = [*good[:4], np.ones(shape), good[5]]
    refuses(sequences(), bad, good, text)
    refuses(sequences(), {"steps": bad}, {"steps": good}, text)


WINDOWS = [
    (lambda **o: cr.Conv1D(2, 3, **o), (5, 2)),
    (lambda **o: cr.Conv1DTranspose(2, 3, **o), (5, 2)),
    (lambda **o: cr.DepthwiseConv1D(3, **o), (5, 2)),
    (lambda **o: cr.Conv2D(2, 3, **o), IMAGE),
    (lambda **o: cr.Conv2DTranspose(2, 3, **o), IMAGE),
    (lambda **o: cr.DepthwiseConv2D(3, **o), IMAGE),
    (lambda **o: cr.MaxPooling(3, **o), IMAGE),
    (lambda **o: cr.AveragePooling(3, **o), IMAGE),
]


@pytest.mark.parametrize(("layer", "shape"), WINDOWS, ids=[make().kind for make, _ in WINDOWS])
def test_strides_of_zero(layer: Any, shape: tuple[int, ...]) -> None:
    for strides in (0, -1, *([(1, 0)] if len(shape) > 2 else [])):
        with pytest.raises(ValueError, match=r"strides(\[1\])? must be >= 1, got"):
            cr.Network(x := cr.Input(shape), layer(strides=strides)(x), seed=0)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (cr.Conv2D(2, 8), "kernel_size"),
        (cr.Conv2D(2, (3, 7)), "kernel_size"),
        (cr.Conv2D(2, 4, dilation=2), "kernel_size"),
        (cr.DepthwiseConv2D(8), "kernel_size"),
        (cr.MaxPooling(8), "pool_size"),
        (cr.AveragePooling((8, 1)), "pool_size"),
    ],
    ids=repr,
)
def test_windows_larger_than_the_image(layer: Any, name: str) -> None:
    text = rf"{layer.kind}: {name} must fit the input, got windows that span \d of \d along axis"
    with pytest.raises(ValueError, match=text):
        cr.Network(x := cr.Input(IMAGE), cr.Flatten()(layer(x)), seed=0)
    net = cr.Sequential([layer, cr.Flatten(), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match=text):
        net.fit(IMAGES, Y, **FIT)
    assert not net.built
    assert (net.loss, net.optimizer, net.history.epochs) == (None, None, [])
    larger = RNG.normal(size=(ROWS, 9, 9, 3))
    net.fit(larger, Y, **FIT)  # of which it knows nothing yet
    assert net.inputs == 9 * 9 * 3


def test_sequences_shorter_than_a_kernel() -> None:
    net = cr.Sequential([cr.Conv1D(2, 6), cr.Flatten(), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match=r"conv1d: kernel_size must fit the input, .* 6 of 5"):
        net.fit(STEPS, Y, **FIT)
    assert not net.built


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([cr.Input(12), cr.Dense(2)], (12,)),
        ([cr.Dense(2)], (12,)),  # of images, whose axes no layer reads
        ([cr.Input((3, 4)), cr.Dense(5), cr.Dense(2)], (12,)),
    ],
)
def test_augmentation_of_rows_that_are_no_images(layers: Any, shape: tuple[int, ...]) -> None:
    net = cr.Sequential(layers, seed=0)
    x = RNG.normal(size=(ROWS, 3, 4))
    text = rf"augment needs an input of images.* got one of shape {re.escape(str(shape))}"
    with pytest.raises(ValueError, match=text):
        net.fit(x, Y, augment=[cr.augment.RandomFlip()], **FIT)
    assert (net.loss, net.optimizer, net.history.epochs) == (None, None, [])
    assert net.built == isinstance(layers[0], cr.Input)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([cr.Embedding(9, 4), cr.GRU(3)], (5,)),
        ([cr.Dense(4), cr.LSTM(3)], (5,)),
        ([cr.Conv2D(4, 3)], (7, 6)),
        ([cr.Conv1D(4, 3)], (5,)),
        ([cr.Position()], (5,)),
    ],
)
def test_layers_that_need_axes_say_what_gives_them(layers: Any, shape: tuple[int, ...]) -> None:
    text = r"got (rows of shape )?\([0-9, ]+\); an Input or a Reshape says their shape"
    with pytest.raises(ValueError, match=text):
        cr.Sequential([cr.Input(shape), *layers], seed=0)


@pytest.mark.parametrize(
    ("layers", "x"),
    [
        ([cr.Input(IMAGE), cr.Conv2D(4, 3), cr.Dense(2)], IMAGES),
        ([cr.Input((TIME, FEATURES)), cr.GRU(4, return_sequences=True), cr.Dense(2)], STEPS),
    ],
)
@pytest.mark.parametrize("y", [Y, Y[:, np.newaxis]])
def test_one_label_for_outputs_of_many_positions(layers: Any, x: Any, y: Any) -> None:
    net = cr.Sequential(layers, seed=0)
    text = r"; for one target a row leave out return_sequences, or put a Flatten or a global pool"
    with pytest.raises(ValueError, match=text):
        net.fit(x, y, **FIT)
    with pytest.raises(ValueError, match=r"class labels \([0-9, ]+\)$"):
        net.fit(x, np.zeros((ROWS, 3), int), **FIT)


def test_a_bidirectional_is_no_layer_of_a_chain() -> None:
    with pytest.raises(TypeError, match=r"got Bidirectional\(GRU\(3\)\); a Network takes it: call"):
        cr.Sequential([cr.Input((TIME, FEATURES)), cr.Bidirectional(cr.GRU(3))], seed=0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.LSTM(hidden_size=3), "'hidden_size': it is units"),
        (lambda: cr.Conv2D(out_channels=3, kernel_size=3), "'out_channels': it is filters"),
        (lambda: cr.Conv2D(3, 3, stride=2), "'stride': it is strides"),
        (lambda: cr.Conv2D(3, 3, dilation_rate=2), "'dilation_rate': it is dilation"),
        (lambda: cr.Conv2D(3, 3, data_format="channels_first"), "channels come last"),
        (lambda: cr.GRU(3, num_layers=2), "layers behind each other"),
        (lambda: cr.GRU(3, activation="relu"), "GRU and LSTM have tanh and sigmoid"),
        (lambda: cr.LSTM(3, dropout=0.2), "put a Dropout before the layer"),
        (lambda: cr.GRU(3, reset_after=True), "reset gate acts behind the product"),
    ],
)
def test_arguments_of_other_libraries(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        make()

# SPDX-License-Identifier: Apache-2.0
"""Networks of layers in a row keep the axes of rows where a layer reads them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr

IMAGES, SEQUENCES = (4, 6, 6, 2), (4, 6, 2)
LAYERS = [
    (IMAGES, cr.Conv2D(3, 3)),
    (IMAGES, cr.Conv2DTranspose(3, 3)),
    (IMAGES, cr.DepthwiseConv2D(3)),
    (IMAGES, cr.MaxPooling(2)),
    (IMAGES, cr.AveragePooling(2)),
    (IMAGES, cr.GlobalMaxPooling()),
    (IMAGES, cr.GlobalAveragePooling()),
    (IMAGES, cr.UpSampling(2)),
    (IMAGES, cr.ZeroPadding(1)),
    (IMAGES, cr.Cropping(1)),
    (IMAGES, cr.Dropout(0.3, per_channel=True)),
    (SEQUENCES, cr.Conv1D(3, 3)),
    (SEQUENCES, cr.Conv1DTranspose(3, 3)),
    (SEQUENCES, cr.DepthwiseConv1D(3)),
    (SEQUENCES, cr.Position(1)),
    (SEQUENCES, cr.MaxPooling(2)),
    (SEQUENCES, cr.SimpleRNN(3)),
    (SEQUENCES, cr.GRU(3)),
    (SEQUENCES, cr.LSTM(3, return_sequences=True)),
]


@pytest.mark.parametrize(("shape", "layer"), LAYERS, ids=[layer.kind for _, layer in LAYERS])
def test_rows_of_several_axes(shape, layer, rng) -> None:
    x, y = rng.normal(size=shape), np.array([0, 1, 1, 0])
    head = [cr.Flatten(), cr.Dense(2)]
    told = cr.Sequential([cr.Input(shape[1:]), cr.Rescaling(0.5), layer, *head], seed=0)
    found = cr.Sequential([cr.Rescaling(0.5), layer, *head], seed=0)  # from the first array
    tensor = cr.Input(shape[1:])
    graph = cr.Network(tensor, head[1](head[0](layer(cr.Rescaling(0.5)(tensor)))), seed=0)
    for net in (told, found, graph):
        net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    expected = graph.predict(x)
    np.testing.assert_array_equal(told.predict(x), expected)
    np.testing.assert_array_equal(found.predict(x), expected)
    np.testing.assert_array_equal(cr.Predictor(told).predict(x), expected)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((8, 6, 3), "(8, 6, 3); the network reads rows of shape (6, 5, 3)"),
        ((5, 6, 3), "(5, 6, 3); the network reads rows of shape (6, 5, 3)"),  # as many numbers
        ((6, 15), "(6, 15); the network reads rows of shape (6, 5, 3)"),
        ((3, 6, 5), "(3, 6, 5), channels first; the network reads rows of shape (6, 5, 3)"),
    ],
)
def test_rows_of_other_axes_are_refused(given, text, rng) -> None:
    net = cr.Sequential([cr.Input((6, 5, 3)), cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(2)], seed=0)
    x, before = rng.normal(size=(4, *given)), net.get_weights()
    text = re.escape("x has shape " + text.replace("(", "(4, ", 1))
    for call in (
        lambda: net.fit(x, np.zeros(4, int), loss="cross_entropy", verbose=0),
        lambda: net.predict(x),
        lambda: net.forward(x),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    for values, kept in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize(
    ("shape", "layer", "given"),
    [
        ((6, 5, 3), cr.Conv2D(2, 3), (6, 5, 3)),
        ((6, 5, 1), cr.Conv2D(2, 3), (6, 5)),
        ((20, 2), cr.GRU(3), (20, 2)),
    ],
)
def test_a_row_by_itself_is_refused(shape, layer, given, rng) -> None:
    net = cr.Sequential([cr.Input(shape), layer], seed=0)
    x = rng.normal(size=given)
    with pytest.raises(ValueError, match=r"that of one row; .* pass x\[np.newaxis\]"):
        net.predict(x)
    assert len(net.predict(x[np.newaxis])) == 1


def test_flat_rows_and_axes_of_one(rng) -> None:
    images, sequences = rng.normal(size=(4, 6, 5, 1)), rng.normal(size=(4, 5, 1))
    pixels = cr.Input((6, 5))
    graph = cr.Network(pixels, cr.Dense(2)(cr.Flatten()(pixels)), seed=0)
    convolution = cr.Sequential([cr.Input((6, 5, 1)), cr.Conv2D(2, 3)], seed=0)
    for net in (graph, convolution):
        expected = net.predict(images)
        np.testing.assert_array_equal(net.predict(images[..., 0]), expected)
        np.testing.assert_array_equal(net.predict(images.reshape(4, 30)), expected)
    recurrent = cr.Sequential([cr.Input((5, 1)), cr.LSTM(2)], seed=0)
    np.testing.assert_array_equal(
        recurrent.predict(sequences[..., 0]), recurrent.predict(sequences)
    )

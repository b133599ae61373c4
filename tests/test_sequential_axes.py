# SPDX-License-Identifier: Apache-2.0
"""Networks of layers in a row keep the axes of rows where a layer reads them."""

from __future__ import annotations

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
    (SEQUENCES, cr.Conv1D(3, 3)),
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

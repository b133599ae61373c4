# SPDX-License-Identifier: Apache-2.0
"""The first layers of a network alone: net[:k]."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import data, network

import chainrule as cr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_first_layers_share_the_networks_parameters(dtype: str) -> None:
    x, y = data()
    net = network(dtype)
    for _ in range(2):
        net.forward(x, training=False)
        for k in (1, 2, 3, 4):
            np.testing.assert_array_equal(net[:k].predict(x), net.activations[k - 1])
            assert len(net[:k]) == k
        net.fit(x, y, loss="mse", verbose=0)
    np.testing.assert_array_equal(net[:].predict(x), net.predict(x))
    np.testing.assert_array_equal(net[:-1].predict(x[0]), net[:3].predict(x[:1]))
    assert list(net[:2].parameters) == [n for n in net.parameters if n[0] in "01"]
    assert net[0] is net.layers[0]
    assert len(net) == 4


def test_first_layers_follow_every_change_and_take_what_predict_takes() -> None:
    x, y = data()
    net = network()
    hidden = net[:2]
    for change in (
        lambda: net.set_weights([2 * w for w in net.get_weights()]),
        lambda: net.interpolate(network(seed=5), 0.5),
        lambda: net.train_on_batch(x, y, loss="mse"),
    ):
        before = hidden.predict(x)
        change()
        assert not np.array_equal(hidden.predict(x), before)
        net.forward(x, training=False)
        np.testing.assert_array_equal(hidden.predict(x), net.activations[1])
    np.testing.assert_array_equal(hidden.predict(x.tolist(), batch_size=2), hidden.predict(x))
    np.testing.assert_array_equal(hidden.predict(x, num_threads=2), hidden.predict(x))
    assert [w.shape for w in hidden.get_weights()] == [(5, 7), (7,), (7,), (7,), (7,), (7,)]
    assert (hidden.inputs, hidden.dtype) == (5, "float64")
    bad = x.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3, column 2 is NaN"):
        hidden.predict(bad)
    with pytest.raises(ValueError, match="x has 4 columns; the network expects 5"):
        hidden.predict(x[:, :4])


def test_first_layers_before_the_number_of_inputs_is_known() -> None:
    net = cr.Sequential([cr.Dense(3), cr.Dense(1)], seed=0)
    assert net[:1].inputs is None
    with pytest.raises(ValueError, match="row 1, column 0 is NaN"):
        net[:1].predict([[0.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
    assert net.inputs is None
    assert net[:1].predict(np.ones((4, 2))).shape == (4, 3)
    assert net.inputs == 2


@pytest.mark.parametrize("piece", [slice(1, 2), slice(0, 0), slice(None, None, 2), slice(1, None)])
def test_other_slices_are_refused(piece: slice) -> None:
    with pytest.raises(ValueError, match="must be its first layers"):
        _ = network()[piece]

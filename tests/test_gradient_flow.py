# SPDX-License-Identifier: Apache-2.0
"""Gradients, outputs and updates recorded over a training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from diagnosed_cases import CROSS, digits, shallow

import chainrule as cr
from chainrule.diagnosis.layers import root_mean_square


def test_gradient_flow_is_that_of_each_epoch(tmp_path) -> None:
    x, y = digits()
    flow = cr.callbacks.GradientFlow(x[:50], y[:50])
    weights: list[np.ndarray] = []
    gradients: list[float] = []

    def note(net: cr.Sequential) -> None:
        weights.append(net.parameters["1.weight"].astype(float))
        wide = cr.Sequential(net.layers, 0, "float64")
        wide.build(64)
        wide.set_weights(net.parameters)
        outputs = wide.forward(x[:50])
        wide.backward(cr.losses.CrossEntropy().gradient(outputs, y[:50]))
        gradients.append(root_mean_square(wide.gradients["1.weight"]))

    class Note(cr.Callback):
        def on_epoch_end(self, net, epoch, logs):
            note(net)

    net = cr.Sequential([cr.Input(64), *shallow()], seed=0)
    note(net)
    net.fit(x, y, loss=CROSS, epochs=2, callbacks=[flow, Note()], verbose=0)
    assert flow.epochs == [0, 1, 2]
    assert flow.gradients[1] == pytest.approx(gradients, rel=1e-4)
    changes = [
        np.sqrt(np.mean((b - a) ** 2) / np.mean(b**2)) for a, b in itertools.pairwise(weights)
    ]
    assert flow.updates[1] == pytest.approx(changes, rel=1e-4)
    assert len(flow.outputs[2]) == 3
    assert list(flow.dead) == [1]
    hidden = net[:2].predict(x[:50])
    assert flow.dead[1][-1] == np.mean((hidden == 0).all(axis=0))
    assert flow.outputs[1][-1] == pytest.approx(root_mean_square(hidden), rel=1e-5)
    assert flow.saturated == {}
    # It goes on in the next fit, and trains nothing by itself.
    net.fit(x, y, epochs=1, callbacks=[flow], verbose=0)
    assert flow.epochs == [0, 1, 2, 3]
    twin = cr.Sequential([cr.Input(64), *shallow()], seed=0)
    twin.fit(x, y, loss=CROSS, epochs=2, verbose=0)
    twin.fit(x, y, epochs=1, verbose=0)
    np.testing.assert_array_equal(twin.get_weights()[0], net.get_weights()[0])
    pytest.importorskip("matplotlib")
    figure = flow.plot(tmp_path / "flow.svg")
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2]


def test_gradient_flow_without_rows_has_updates_alone() -> None:
    flow = cr.callbacks.GradientFlow()
    net = cr.Sequential(shallow(), seed=0)
    with pytest.raises(ValueError, match="nothing was recorded"):
        flow.plot()
    net.fit(*digits(), loss=CROSS, epochs=2, callbacks=[flow], verbose=0)
    assert flow.gradients == {}
    assert len(flow.updates[1]) == 2
    with pytest.raises(ValueError, match="both x and y"):
        cr.callbacks.GradientFlow(np.ones((2, 3)))
    bad = cr.callbacks.GradientFlow(np.ones((2, 3)), [0, 1])
    before = net.get_weights()
    with pytest.raises(ValueError, match="3 columns"):
        net.fit(*digits(), callbacks=[bad], verbose=0)
    np.testing.assert_array_equal(before[0], net.get_weights()[0])

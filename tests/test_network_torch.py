# SPDX-License-Identifier: Apache-2.0
"""Networks of graphs against PyTorch in float64: outputs, gradients and training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph_cases import CASES, as_dict, rows, targets
from torch_graph import TorchGraph, torch

import chainrule as cr

each_case = pytest.mark.parametrize("make", CASES)
TOLERANCE = 1e-12


def close(got: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    scale = max(1e-3, float(np.abs(expected).max()))
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


@each_case
def test_outputs(make: Callable[[], cr.Network]) -> None:
    net = make()
    x = rows(net)
    expected = TorchGraph(net)(x)
    got = as_dict(net, net.predict(x))
    assert list(got) == list(expected)
    for name in expected:
        close(got[name], expected[name].detach().numpy())


@each_case
def test_gradients(make: Callable[[], cr.Network]) -> None:
    net = make()
    x = rows(net)
    twin = TorchGraph(net)
    inputs = {name: torch.tensor(v, requires_grad=True) for name, v in x.items()}
    outputs = twin(inputs)
    rng = np.random.default_rng(3)
    dy = {name: rng.normal(size=tuple(y.shape)) for name, y in outputs.items()}
    sum((torch.tensor(dy[name]) * y).sum() for name, y in outputs.items()).backward()
    net.forward(x)
    dx = net.backward(dy if len(dy) > 1 else next(iter(dy.values())))
    dx = dx if isinstance(dx, dict) else {next(iter(x)): dx}
    for name, tensor in inputs.items():
        close(dx[name], tensor.grad.numpy())
    assert set(net.gradients) == set(twin.parameters)
    for name, gradient in net.gradients.items():
        close(gradient, twin.parameters[name].grad.numpy())


@each_case
def test_twenty_steps(make: Callable[[], cr.Network]) -> None:
    net = make()
    x = rows(net)
    y = targets(net, x)
    twin = TorchGraph(net)
    optimizer = torch.optim.Adam(list(twin.parameters.values()), lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        outputs = twin(x)
        loss = sum(((outputs[n] - torch.tensor(y[n])) ** 2).mean() for n in y)
        loss.backward()
        optimizer.step()
        logs = net.train_on_batch(x, y, loss="mse", optimizer=cr.Adam(1e-2))
        close(logs["loss"], loss.item())
    for name, values in net.parameters.items():
        theirs = twin.parameters[name].detach().numpy()
        assert np.linalg.norm(values - theirs) <= 1e-12 * np.linalg.norm(theirs), name

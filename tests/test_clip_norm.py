# SPDX-License-Identifier: Apache-2.0
"""Clipping by the global norm, where squares of gradients leave the range of their type."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

pytestmark = pytest.mark.filterwarnings("ignore:y is far from unit scale")

CASES = [
    *(("float32", m) for m in (1e-18, 1e-25, 1e-36, 1.0, 1e18, 1e19, 1e25, 1e37)),
    *(("float64", m) for m in (1e-100, 1e-170, 1e-290, 1.0, 1e153, 1e160, 1e200, 1e305)),
]


def clipped(net, optimizer, wanted):
    """Return the gradients and what a step by hand takes off each parameter, in long double."""
    net.forward(np.ones((4, 3)))
    net.backward(wanted)
    gradients = {n: g.astype(np.longdouble) for n, g in net.gradients.items()}
    zeros = {n: np.zeros(g.shape) for n, g in gradients.items()}
    net.set_weights(zeros)
    net.forward(np.ones((4, 3)))
    net.backward(wanted)
    optimizer.step(net)
    return gradients, {n: -net.parameters[n].astype(np.longdouble) for n in gradients}


def norm(gradients):
    return np.sqrt(sum((g**2).sum() for g in gradients.values()))


@pytest.mark.parametrize(("dtype", "magnitude"), CASES)
@pytest.mark.parametrize("clip_norm", [1.0, 1e-3])
def test_a_clipped_step_has_the_length_asked_for(dtype, magnitude, clip_norm, rng):
    net = cr.Sequential([cr.Input(3), cr.Dense(5), cr.Dense(2)], seed=1, dtype=dtype)
    wanted = magnitude * rng.uniform(0.2, 1, size=(4, 2))
    rate = clip_norm if magnitude > 1 else 1.0
    optimizer = cr.SGD(1 / rate, clip_norm=clip_norm)
    gradients, step = clipped(net, optimizer, wanted)
    # After the weights were zeroed only the last layer's bias has a gradient.
    last = {"1.bias": gradients["1.bias"]}
    factor = min(1, clip_norm / (norm(last) + 1e-6)) / rate
    assert np.any(step["1.bias"] != 0)
    np.testing.assert_allclose(
        step["1.bias"].astype(float), (gradients["1.bias"] * factor).astype(float), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("dtype", "magnitude"), [("float32", 1e-30), ("float64", 1e-200), ("float64", 1e-30)]
)
def test_the_norm_of_tiny_gradients_is_not_zero(dtype, magnitude):
    """By a clip_norm that is smaller still, as PyTorch does it."""
    torch = pytest.importorskip("torch")
    net = cr.Sequential([cr.Input(1), cr.Dense(1, use_bias=False)], seed=1, dtype=dtype)
    net.set_weights([[[0.0]]])
    net.forward(np.ones((1, 1)))
    net.backward(np.full((1, 1), magnitude))
    clip_norm = 1e-7
    cr.SGD(1e6, clip_norm=clip_norm).step(net)
    weight = torch.zeros(1, dtype=getattr(torch, dtype), requires_grad=True)
    weight.grad = torch.full((1,), magnitude, dtype=getattr(torch, dtype))
    torch.nn.utils.clip_grad_norm_([weight], clip_norm)
    torch.optim.SGD([weight], 1e6).step()
    assert net.get_weights()[0][0, 0] == pytest.approx(weight.item(), rel=1e-5)
    assert weight.item() != 0


@pytest.mark.parametrize("kind", ["sgd", "adam", "lion"])
def test_huge_targets_still_train_with_clip_norm(kind, rng):
    """The gradients of squared errors of 1e17 have squares beyond float32; on any threads."""
    x = 1e6 * rng.normal(size=(256, 40)).astype(np.float32)
    y = (1e17 * rng.normal(size=(256, 300))).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        net = cr.Sequential([cr.Input(40), cr.Dense(300), cr.Dense(300)], seed=2)
        before = net.get_weights()
        rule = cr.optimizers.get({"kind": kind, "clip_norm": 1.0, "learning_rate": 0.01})
        net.fit(x, y, loss="mse", optimizer=rule, batch_size=64, num_threads=threads, verbose=0)
        after = net.get_weights()
        assert all((a != b).any() for a, b in zip(after, before, strict=True))
        if kind == "sgd":
            moved = norm(
                {str(i): a - b for i, (a, b) in enumerate(zip(after, before, strict=True))}
            )
            assert 0.01 < moved < 0.0401  # four steps of length 0.01
        results.append([w.tobytes() for w in after])
    assert results[0] == results[1] == results[2]


def test_penalties_and_clip_value_count_as_they_do_otherwise(rng):
    """With a factor that float32 cannot hold: in two steps, as float64 does it in one."""
    layers = [cr.Input(3), cr.Dense(2, l1=1e20, l2=1e22)]
    steps = []
    for dtype in ("float32", "float64"):
        net = cr.Sequential(layers, seed=5, dtype=dtype)
        weights = {"0.weight": [[0.5, -0.25], [1.0, 0.125], [-2.0, 0.75]], "0.bias": [1.0, 1.0]}
        net.set_weights(weights)
        net.forward(np.ones((2, 3)))
        net.backward(1e30 * np.array([[1.0, -2.0], [3.0, 0.5]]))
        cr.SGD(1e8, clip_norm=1e-8, clip_value=1e31).step(net)
        steps.append([a - b for a, b in zip(net.get_weights(), weights.values(), strict=True)])
    for single, double in zip(*steps, strict=True):
        assert abs(double).max() > 0.1
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6)

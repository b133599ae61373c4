# SPDX-License-Identifier: Apache-2.0
"""LAMB's norms of whole parameters where they are zero, tiny or huge."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core

X = np.random.default_rng(3).normal(size=(6, 3))
DY = np.random.default_rng(4).normal(size=(6, 2))
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def network(dtype: str, weight: float = 1.0, bias: float = 0.0) -> cr.Sequential:
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=1, dtype=dtype)
    rng = np.random.default_rng(5)
    net.set_weights([weight * rng.normal(size=(3, 2)), bias * rng.normal(size=2)])
    return net


def gradients(net: cr.Sequential, scale: float = 1.0) -> dict[str, np.ndarray]:
    net.forward(X, training=True)
    net.backward(DY * scale)
    return net.gradients


class Plain:
    """Steps in float64, as the paper writes them."""

    def __init__(self, net: cr.Sequential, **options: float) -> None:
        self.w = {name: values.astype(np.float64) for name, values in net.parameters.items()}
        self.m = {name: np.zeros_like(w) for name, w in self.w.items()}
        self.v = {name: np.zeros_like(w) for name, w in self.w.items()}
        self.t = 0
        self.options = {"decay": 0.0, "epsilon": 1e-6, **options}

    def step(self, gradients: dict[str, np.ndarray], rate: float) -> None:
        self.t += 1
        for name, g in gradients.items():
            g = g.astype(np.float64)
            m = self.m[name] = 0.9 * self.m[name] + 0.1 * g
            v = self.v[name] = 0.999 * self.v[name] + 0.001 * g**2
            root = np.sqrt(v / (1 - 0.999**self.t))
            d = m / (1 - 0.9**self.t) / (root + self.options["epsilon"])
            d = d + self.options["decay"] * self.w[name]
            norms = np.linalg.norm(self.w[name]), np.linalg.norm(d)
            ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
            self.w[name] = self.w[name] - rate * ratio * d


@DTYPES
@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_step_is_a_fraction_of_the_norm(dtype: str, scale: float, decay: float) -> None:
    """Squares of the weights may lie beyond float32; a bias that is zero moves by the rate."""
    net = network(dtype, weight=scale)
    plain = Plain(net, decay=decay)
    optimizer = cr.LAMB(0.1, weight_decay=decay)
    for _ in range(4):
        plain.step(gradients(net), 0.1)
        optimizer.step(net)
        for name, values in net.parameters.items():
            tolerance = 2e-6 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(
                values, plain.w[name], rtol=tolerance, atol=tolerance * abs(plain.w[name]).max()
            )


def test_gradients_clipped_to_a_tiny_norm() -> None:
    """The factor of the clipping is beyond float32; the epsilon is so small that it counts."""
    net = network("float32", bias=1.0)
    plain = Plain(net, epsilon=1e-15)
    optimizer = cr.LAMB(0.1, epsilon=1e-15, clip_norm=1e-12)
    for _ in range(3):
        grads = {name: g.astype(np.float64) for name, g in gradients(net, 1e25).items()}
        norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
        assert 1e-12 / norm < 2.0**-100
        plain.step({name: g * (1e-12 / norm) for name, g in grads.items()}, 0.1)
        optimizer.step(net)
        for name, values in net.parameters.items():
            np.testing.assert_allclose(values, plain.w[name], rtol=1e-5, atol=1e-6)


@DTYPES
def test_a_direction_that_vanishes_moves_no_weight_out_of_range(dtype: str) -> None:
    """Averages of gradients that stay zero fall to nothing, through the smallest numbers."""
    net = network(dtype, weight=1e3, bias=1.0)
    zeros = {name: np.zeros_like(g) for name, g in gradients(net).items()}
    cr.LAMB(1e-3).step(net)
    steps = 1500 if dtype == "float32" else 8000
    before = [np.linalg.norm(w) for w in net.get_weights()]
    for _ in range(steps):
        cr.LAMB(1e-3).step(net, gradients=zeros)
    for w, norm in zip(net.get_weights(), before, strict=True):
        assert np.linalg.norm(w) <= norm * 1.001**steps * 1.01


def test_lazy_is_refused() -> None:
    text = "lamb: lazy must be false, since a step needs whole gradients"
    with pytest.raises(ValueError, match=text):
        cr.LAMB(lazy=True)


def test_pieces_of_the_same_training_give_the_same_bits_for_any_threads() -> None:
    """Norms of 300 columns, whose panels threads share, with rows that two threads do not halve."""
    x = np.random.default_rng(0).normal(size=(61, 40)).astype(np.float32)
    y = x[:, :1].copy()
    trained = set()
    for threads in (1, 2, 4):
        layers = [cr.Input(40), cr.Dense(300, activation="tanh"), cr.Dense(1)]
        net = cr.Sequential(layers, seed=0)
        net.fit(
            x, y, loss="mse", optimizer=cr.LAMB(0.01, weight_decay=0.01, clip_norm=0.1),
            epochs=3, batch_size=16, num_threads=threads, verbose=0,
        )  # fmt: skip
        trained.add(b"".join(w.tobytes() for w in net.get_weights()))
    assert len(trained) == 1
    assert _core.Optimizer({"kind": "lamb"}).slots() == ["exp_avg", "exp_avg_sq"]

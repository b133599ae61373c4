# SPDX-License-Identifier: Apache-2.0
"""Hessian-vector products against PyTorch's double backward, in float64."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from graph_cases import siamese, two_by_two, u_shaped  # noqa: E402
from test_hessian import direction, randomized  # noqa: E402
from test_random_graphs import random_network  # noqa: E402
from torch_graph import TorchGraph  # noqa: E402
from torch_network import ACTIVATIONS, torch_loss  # noqa: E402

import chainrule as cr  # noqa: E402

F = torch.nn.functional
BOUND = 1e-10


class Twin(TorchGraph):
    """A network in PyTorch's operations, in inference mode."""

    @staticmethod
    def _value(layer, p, read):
        c = layer.config
        match c["kind"], read:
            case ("dense", [x]) | ("activation", [x]):
                z = x @ p["weight"] + p.get("bias", 0) if p else x
                kind = c["activation"]["kind"]
                if kind == "softmax":
                    return torch.softmax(z, dim=-1)
                if kind == "hard_swish":  # PyTorch's own has no second derivative
                    return z * torch.clamp(z + 3, 0, 6) / 6
                return ACTIVATIONS[kind](c["activation"])(z)
            case "batch_normalization", [x]:
                inverse = 1 / torch.sqrt(p["running_variance"] + c["epsilon"])
                return (x - p["running_mean"]) * inverse * p["gamma"] + p["beta"]
            case (("dropout" | "gaussian_noise"), [x]):
                return x
            case "prelu", [x]:
                return torch.where(x > 0, x, p["slope"] * x)
            case "normalization", [x]:
                return (x - p["mean"]) / torch.sqrt(p["variance"])
            case "embedding", [x]:
                return p["weight"][x.long()].reshape(len(x), -1)
            case "dot", [a, b]:
                return a @ b.mT if a.ndim == 3 else (a * b).sum(-1, keepdim=True)
        return TorchGraph._value(layer, p, read)


def double_backward(net, x, y, loss, v: np.ndarray, **weights) -> np.ndarray:
    """Return H v by PyTorch."""
    twin = Twin(net)
    inputs = [node.name for node in net._graph.inputs]
    rows = (
        x if isinstance(x, dict) else dict(zip(inputs, x if len(inputs) > 1 else [x], strict=True))
    )
    outputs = twin(rows)
    if isinstance(loss, dict):
        value = sum(torch_loss(loss[k].config, z, y[k]) for k, z in outputs.items())
    else:
        (z,) = outputs.values()
        value = torch_loss(loss.config, z, y, **weights)
    names = [p.name for p in net._built_core().parameters if p.trainable]
    parameters = [twin.parameters[name] for name in names]
    options = {"allow_unused": True, "materialize_grads": True}
    gradients = torch.autograd.grad(value, parameters, create_graph=True, **options)
    along = torch.cat([g.reshape(-1) for g in gradients]) @ torch.from_numpy(v)
    if not along.requires_grad:
        return np.zeros_like(v)
    products = torch.autograd.grad(along, parameters, **options)
    return np.concatenate([p.numpy().ravel() for p in products])


def check(net, x, y, loss, **weights) -> None:
    if not isinstance(loss, dict):
        loss = cr.losses.get(loss)
    v = direction(net)
    expected = double_backward(net, x, y, loss, v, **weights)
    product = net.hessian_vector(x, y, v, loss=loss, **weights)
    scale = np.abs(expected).max()
    assert np.abs(product - expected).max() <= BOUND * scale, np.abs(product - expected).max()


def rows(columns: int = 4, count: int = 9):
    return np.random.default_rng(7).normal(size=(count, columns))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    layers = [cr.Input(4), cr.Dense(6, activation), cr.Dense(5, activation), cr.Dense(3)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    check(net, rows(), rows(3), "mse")


def targets(loss, outputs: int, count: int = 9):
    rng = np.random.default_rng(8)
    if loss.kind == "binary_cross_entropy":
        return rng.integers(0, 2, (count, outputs)).astype(float)
    if loss.kind == "hinge":
        return rng.choice([-1.0, 1.0], (count, outputs))
    if loss.kind == "poisson":
        return rng.integers(0, 5, (count, outputs)).astype(float)
    return rng.normal(size=(count, loss._core.target_columns(outputs)))


LOSSES = [
    cr.losses.MSE(),
    cr.losses.MAE(),
    cr.losses.Huber(delta=0.7),
    cr.losses.LogCosh(),
    cr.losses.BinaryCrossEntropy(),
    cr.losses.Hinge(),
    cr.losses.Quantile([0.1, 0.9]),
    cr.losses.Poisson(),
]


def two_layers(outputs: int = 4):
    layers = [cr.Input(4), cr.Dense(6, "tanh"), cr.Dense(outputs)]
    return randomized(cr.Sequential(layers, seed=0, dtype="float64"))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.kind)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(loss, weighted: bool) -> None:
    weights = {"sample_weight": np.random.default_rng(9).uniform(0, 3, 9)} if weighted else {}
    check(two_layers(), rows(), targets(loss, 4), loss, **weights)


@pytest.mark.parametrize("outputs", [3, 20])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("form", ["labels", "probabilities"])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(outputs: int, smoothing: float, form: str, weighted: bool) -> None:
    rng = np.random.default_rng(10)
    y = rng.integers(0, outputs, 9)
    if form == "probabilities":
        y = rng.random((9, outputs))
        y /= y.sum(axis=1, keepdims=True)
    weights = {}
    if weighted:
        weights["class_weight"] = rng.uniform(0.2, 2, outputs)
        if not smoothing:  # PyTorch divides by other sums then
            weights["sample_weight"] = rng.uniform(0, 3, 9)
    check(
        two_layers(outputs), rows(), y, cr.losses.CrossEntropy(label_smoothing=smoothing), **weights
    )


LAYERS = {
    "batch normalisation": [cr.BatchNormalization()],
    "layer normalisation": [cr.LayerNormalization()],
    "dropout": [cr.Dropout(0.5), cr.GaussianNoise(0.3)],
    "prelu": [cr.PReLU()],
    "scale": [cr.Scale(0.3)],
    "clip": [cr.Clip(-0.5, 0.7)],
    "take": [cr.Take((5, 0, 5))],
    "rescaling": [cr.Rescaling(0.3, 0.1)],
    "positions": [cr.Reshape((3, 2)), cr.Dense(4, "tanh"), cr.Permute((2, 1)), cr.Flatten()],
    "softmax of positions": [cr.Reshape((3, 2)), cr.Activation("softmax"), cr.Flatten()],
    "pooling": [cr.Reshape((2, 3)), cr.Dense(4, "gelu"), cr.GlobalAveragePooling()],
    "repeat": [cr.RepeatVector(3), cr.LayerNormalization(), cr.Flatten()],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    layers = [cr.Input(4), cr.Dense(6, "tanh"), *LAYERS[name], cr.Dense(5, "silu"), cr.Dense(3)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    check(net, rows(), rows(3), "log_cosh")


def test_layers_of_the_input() -> None:
    layers = [cr.Normalization(), cr.Dense(6, "tanh"), cr.Dense(3)]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    net.build(4)
    net.adapt(10 + rows(4, 50))
    check(net, 10 + rows(), rows(3), "mse")


def test_embeddings() -> None:
    rng = np.random.default_rng(0)
    layers = [cr.Embedding(5, 3), cr.Dense(4, "tanh"), cr.Dense(1)]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    net.build(2)
    check(randomized(net), rng.integers(0, 5, (30, 2)), rng.normal(size=(30, 1)), "mse")


@pytest.mark.parametrize("make", [siamese, u_shaped])
def test_shared_layers_and_connections_across(make) -> None:
    net = randomized(make())
    x = [rows(*node.shape) for node in net._graph.inputs]
    outputs = net._built_core().outputs
    check(net, x if len(x) > 1 else x[0], rows(outputs), "log_cosh")


def test_several_outputs() -> None:
    net = randomized(two_by_two())
    x = {node.name: rows(*node.shape) for node in net._graph.inputs}
    y = {"digit": np.random.default_rng(0).integers(0, 4, 9), "ink": rows(2)}
    loss = {"digit": cr.losses.CrossEntropy(), "ink": cr.losses.MSE()}
    check(net, x, y, loss)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_random_graphs(first: int) -> None:
    for seed in range(first, first + 50):
        net, x, y = random_network(seed)
        check(randomized(net, seed), x, y, "mse")

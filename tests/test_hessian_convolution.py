# SPDX-License-Identifier: Apache-2.0
"""Second derivatives of convolutions against differences, PyTorch and each other."""

from __future__ import annotations

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set
from test_hessian import differences, direction, randomized

import chainrule as cr

IMAGE, LINE = (6, 5, 3), (7, 3)
# In front of each stands a layer with weights, so that x has tangents too.
CASES = {
    "Conv2D": (IMAGE, lambda: cr.Conv2D(4, (3, 2), strides=(1, 2), activation="tanh")),
    "Conv2D same": (IMAGE, lambda: cr.Conv2D(2, 3, padding="same", dilation=2, use_bias=False)),
    "Conv1D causal": (LINE, lambda: cr.Conv1D(5, 3, padding="causal", activation="softplus")),
    "Conv1D 20 filters": (LINE, lambda: cr.Conv1D(20, 2)),
    "Conv2DTranspose": (IMAGE, lambda: cr.Conv2DTranspose(4, 3, strides=2, activation="tanh")),
    "Conv2DTranspose same": (IMAGE, lambda: cr.Conv2DTranspose(2, 2, strides=2, padding="same")),
    "DepthwiseConv2D": (IMAGE, lambda: cr.DepthwiseConv2D(3, activation="sigmoid")),
    "Conv1DTranspose": (LINE, lambda: cr.Conv1DTranspose(4, 3, strides=2, activation="tanh")),
    "DepthwiseConv1D": (LINE, lambda: cr.DepthwiseConv1D(3, padding="causal", activation="tanh")),
    "DepthwiseConv2D 3": (IMAGE, lambda: cr.DepthwiseConv2D(3, 2, depth_multiplier=3)),
    "DepthwiseConv1D 2": (LINE, lambda: cr.DepthwiseConv1D(2, depth_multiplier=2)),
    "DepthwiseConv2D same": (IMAGE, lambda: cr.DepthwiseConv2D(2, strides=2, padding="same")),
}


def case(name: str, *, first: bool = False):
    """Return a network, x and y; the convolution is the first layer or the second with weights."""
    shape, make = CASES[name]
    before = [] if first else [cr.Dense(shape[-1], activation="tanh")]
    layers = [cr.Input(shape), *before, make(), cr.Flatten(), cr.Dense(2)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    rng = np.random.default_rng(4)
    return net, rng.normal(size=(9, *shape)), rng.normal(size=(9, 2))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_products_against_differences(name: str, first: bool) -> None:
    net, x, y = case(name, first=first)
    v = direction(net)
    expected = differences(net, x, y, "mse", v)
    product = net.hessian_vector(x, y, v, loss="mse")
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-7 * scale)


def test_layers_behind_each_other_pools_and_normalisation() -> None:
    layers = [cr.Conv2D(3, 2, activation="tanh"), cr.BatchNormalization(), cr.MaxPooling(2)]
    layers += [cr.Conv2DTranspose(2, 2, activation="softplus"), cr.DepthwiseConv2D(2)]
    layers = [cr.Input(IMAGE), *layers, cr.GlobalAveragePooling(), cr.Dense(1)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(6, *IMAGE)), rng.normal(size=(6, 1))
    v = direction(net)
    expected = differences(net, x, y, "mse", v)
    product = net.hessian_vector(x, y, v, loss="mse")
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_the_matrix_is_symmetric_and_has_rows_for_each_parameter(name: str) -> None:
    net, x, y = case(name, first=True)
    matrix = net.hessian(x, y, loss="mse")
    assert matrix.shape == (net.count_params(),) * 2
    v = direction(net)
    product = net.hessian_vector(x, y, v, loss="mse")
    np.testing.assert_allclose(matrix @ v, product, rtol=0, atol=1e-12 * np.abs(matrix).max())


def test_frozen_layers_have_no_part() -> None:
    net, x, y = case("Conv2D")
    whole = net.hessian(x, y, loss="mse")
    names, sizes = zip(*((name, w.size) for name, w in net.parameters.items()), strict=True)
    kept = np.repeat([not name.startswith("1.") for name in names], sizes)
    assert 0 < kept.sum() < kept.size
    net.freeze("1")
    matrix = net.hessian(x, y, loss="mse")
    np.testing.assert_allclose(matrix, whole[np.ix_(kept, kept)], rtol=0, atol=1e-14)


HASH = """
import hashlib
from test_hessian_convolution import CASES, case, direction
for threads in (1, 2, 3):
    whole = hashlib.sha256()
    for name in CASES:
        net, x, y = case(name)
        product = net.hessian_vector(x, y, direction(net), loss="mse", num_threads=threads)
        whole.update(product.tobytes())
    print(whole.hexdigest())
"""


def test_bits_are_the_same_for_any_threads_and_instruction_set() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1


def test_products_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for name in ("Conv2D", "Conv1D 20 filters", "Conv2DTranspose", "DepthwiseConv2D"):
        net, x, y = case(name)
        module = cr.to_torch(net).double().eval()
        weights = dict(module.named_parameters())
        rows, targets = torch.tensor(x), torch.tensor(y)

        def loss(*values, module=module, weights=weights, rows=rows, targets=targets):
            out = torch.func.functional_call(module, dict(zip(weights, values, strict=True)), rows)
            return torch.nn.functional.mse_loss(out, targets)

        values = tuple(weights.values())
        # The same direction at each weight: all ones, whatever the layout.
        ones = tuple(torch.ones_like(value) for value in values)
        _, product = torch.autograd.functional.hvp(loss, values, ones)
        v = np.ones(net.count_params())
        found = net.hessian_vector(x, y, v, loss="mse")
        expected = np.concatenate([part.detach().numpy().ravel() for part in product])
        bound = 1e-10 * max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=0, atol=bound)

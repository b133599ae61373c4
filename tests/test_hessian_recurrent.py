# SPDX-License-Identifier: Apache-2.0
"""Second derivatives of recurrent layers against differences, PyTorch and each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from recurrent_networks import FEATURES, KINDS, ROWS, TIME, UNITS
from subprocesses import printed_by_each_instruction_set
from test_hessian import differences, direction, gradient, randomized
from test_initial_states import LENGTHS, network, rows

import chainrule as cr

CASES = list(itertools.product(KINDS, *[(False, True)] * 3))
OTHERS = {
    "softplus": lambda: cr.SimpleRNN(3, activation="softplus"),
    "no bias": lambda: cr.LSTM(3, use_bias=False),
    "recurrent dropout": lambda: cr.GRU(4, recurrent_dropout=0.5, return_sequences=True),
    "several blocks": lambda: cr.GRU(40),
    "both directions": lambda: cr.Bidirectional(cr.LSTM(3, return_sequences=True)),
    "the last of both": lambda: cr.Bidirectional(cr.GRU(4)),
}


def case(layer, *, many: int = 9):
    """Return a network, x and y; the layer stands between two with weights."""
    steps = cr.Input((TIME, FEATURES))
    h = layer(cr.Dense(3, activation="tanh")(steps))
    net = cr.Network(steps, cr.Dense(2)(cr.Flatten()(h)), seed=0, dtype="float64")
    rng = np.random.default_rng(4)
    return randomized(net), rng.normal(size=(many, TIME, FEATURES)), rng.normal(size=(many, 2))


def check(net, x, y) -> None:
    v = direction(net)
    expected = differences(net, x, y, "mse", v)
    product = net.hessian_vector(x, y, v, loss="mse")
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize(("kind", "lengths", "sequences", "backwards"), CASES)
def test_lengths_and_initial_states_against_differences(kind, lengths, sequences, backwards, rng):
    """A dense layer gives the first state, so that it has tangents too."""
    options = {"return_sequences": sequences, "go_backwards": backwards}
    net = randomized(network(kind, rng, lengths, **options))
    x = list(rows(kind, rng, lengths).values())
    flat = [part.reshape(len(part), -1) for part in x]
    y = rng.normal(size=(ROWS, TIME * UNITS if sequences else UNITS))
    v = direction(net)
    expected = differences(net, flat, y, "mse", v)
    product = net.hessian_vector(x, y.reshape(ROWS, -1, UNITS) if sequences else y, v, loss="mse")
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(product, expected, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize("name", OTHERS)
def test_options_against_differences(name: str) -> None:
    check(*case(OTHERS[name]()))


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_and_layers_behind_each_other(kind: str) -> None:
    check(*case(KINDS[kind](UNITS), many=1))
    layers = [cr.Input((TIME, FEATURES)), KINDS[kind](3, return_sequences=True), KINDS[kind](2)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    rng = np.random.default_rng(5)
    check(net, rng.normal(size=(ROWS, TIME, FEATURES)), rng.normal(size=(ROWS, 2)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_is_symmetric_and_has_these_eigenvalues(kind: str) -> None:
    net, x, y = case(KINDS[kind](2))
    matrix = net.hessian(x, y, loss="mse")
    columns = [net.hessian_vector(x, y, unit, loss="mse") for unit in np.eye(len(matrix))]
    scale = np.abs(matrix).max()
    np.testing.assert_allclose(columns, np.transpose(columns), rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(matrix, columns, rtol=0, atol=1e-13 * scale)
    values = np.linalg.eigvalsh(matrix)
    largest = values[np.argsort(-np.abs(values))][:3]
    found = net.hessian_eigenvalues(x, y, 3, loss="mse", tolerance=1e-8)
    np.testing.assert_allclose(found, largest, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_behind_the_ends_changes_no_bit(kind: str, rng) -> None:
    net = network(kind, rng, True, return_sequences=True)
    x = rows(kind, rng, True)
    y = rng.normal(size=(ROWS, TIME, UNITS))
    v = direction(net)
    products = []
    for beyond in (0.0, 40.0):
        steps = np.where(np.arange(TIME)[:, None] < LENGTHS[:, :, None], x["steps"], beyond)
        products.append(net.hessian_vector({**x, "steps": steps}, y, v, loss="mse"))
    np.testing.assert_array_equal(*products)


def test_a_truncated_gradient_is_refused() -> None:
    net, x, y = case(cr.GRU(3, truncate_gradient=2))
    with pytest.raises(
        ValueError, match="gru: a gradient with truncate_gradient = 2 is that of no"
    ):
        net.hessian(x, y, loss="mse")
    gradient(net, x, y, "mse")


HASH = """
import hashlib
from test_hessian_recurrent import KINDS, OTHERS, case, direction
layers = [make() for make in OTHERS.values()] + [layer(9) for layer in KINDS.values()]
for threads in (1, 2, 3):
    whole = hashlib.sha256()
    for layer in layers:
        net, x, y = case(layer)
        product = net.hessian_vector(x, y, direction(net), loss="mse", num_threads=threads)
        whole.update(product.tobytes())
    print(whole.hexdigest())
"""


def test_bits_are_the_same_for_any_threads_and_instruction_set() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_products_against_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    net, x, y = case(KINDS[kind](3))
    module = cr.to_torch(net).double().eval()
    weights = dict(module.named_parameters())
    inputs, targets = torch.tensor(x), torch.tensor(y)

    def loss(*values):
        out = torch.func.functional_call(module, dict(zip(weights, values, strict=True)), inputs)
        return torch.nn.functional.mse_loss(out, targets)

    # The same direction at each weight, whatever the layout: all ones, but for the second bias of
    # cells that have one alone in chainrule.
    known = {n: kind == "gru" or "bias_hh" not in n for n in weights}
    ones = tuple(torch.full_like(w, float(known[n])) for n, w in weights.items())
    _, products = torch.autograd.functional.hvp(loss, tuple(weights.values()), ones)
    found = net.hessian_vector(x, y, np.ones(net.count_params()), loss="mse")
    parts = [p.detach().numpy().ravel() for n, p in zip(weights, products, strict=True) if known[n]]
    expected = np.concatenate(parts)
    bound = 1e-10 * max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=0, atol=bound)

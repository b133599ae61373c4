# SPDX-License-Identifier: Apache-2.0
"""Lazy optimizers leave alone the inputs that are zero in a whole batch, on every path."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model_bytes import altered, split
from numpy.typing import NDArray

import chainrule as cr
from chainrule.network.model_file import from_bytes, to_bytes

ROWS, INPUTS, BATCH = 48, 60, 8

OPTIMIZERS: list[Callable[..., cr.Optimizer]] = [
    lambda **lazy: cr.SGD(0.1, **lazy),
    lambda **lazy: cr.SGD(0.1, weight_decay=0.1, **lazy),
    lambda **lazy: cr.SGD(0.1, momentum=0.9, dampening=0.2, **lazy),
    lambda **lazy: cr.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1, **lazy),
    lambda **lazy: cr.AdaGrad(0.1, weight_decay=0.1, **lazy),
    lambda **lazy: cr.RMSprop(1e-2, momentum=0.5, centered=True, **lazy),
    lambda **lazy: cr.Adam(1e-2, amsgrad=True, clip_value=0.1, **lazy),
    lambda **lazy: cr.AdamW(1e-2, **lazy),
    lambda **lazy: cr.Adadelta(**lazy),
    lambda **lazy: cr.NAdam(1e-2, weight_decay=0.1, **lazy),
    lambda **lazy: cr.RAdam(1e-2, weight_decay=0.1, **lazy),
    lambda **lazy: cr.Lion(1e-3, weight_decay=0.1, **lazy),
]


def table(density: float = 0.06) -> NDArray[np.float32]:
    rng = np.random.default_rng(8)
    x = rng.integers(1, 9, (ROWS, INPUTS)) * (rng.random((ROWS, INPUTS)) < density)
    x[:, 7] = 0
    return x.astype(np.float32)


X = table()
Y = np.arange(ROWS) % 3
FIT: dict[str, Any] = {"loss": "cross_entropy", "batch_size": BATCH, "epochs": 3, "verbose": 0}


def network(dtype: str = "float32", **options: Any) -> cr.Sequential:
    layers = [cr.Input(INPUTS), cr.Dense(70, activation="tanh", **options), cr.Dense(3)]
    return cr.Sequential(layers, seed=1, dtype=dtype)


def arrays(net: cr.Sequential) -> dict[str, NDArray[Any]]:
    core = net._core
    assert core is not None
    found = net.parameters
    for slot in core.optimizer_slots:
        found |= {f"{slot} {p.name}": core.get_slot(slot, p.name) for p in core.parameters}
    return found


def bits(net: cr.Sequential) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in arrays(net).items()}


@pytest.mark.parametrize("penalty", [{}, {"l1": 1e-3, "l2": 1e-2}], ids=repr)
@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: repr(make()))
def test_a_step_is_the_exact_one_but_for_inputs_that_are_zero(
    make: Callable[..., cr.Optimizer], penalty: dict[str, float]
) -> None:
    lazy, exact = network(**penalty), network(**penalty)
    for first in range(0, ROWS, BATCH):
        x, y = X[first : first + BATCH], Y[first : first + BATCH]
        absent = ~x.any(axis=0)
        assert 10 < absent.sum() < INPUTS - 10
        before = arrays(exact)
        lazy.train_on_batch(x, y, loss="cross_entropy", optimizer=make(lazy=True))
        exact.train_on_batch(x, y, loss="cross_entropy", optimizer=make())
        core = exact._core
        assert core is not None
        for name, array in arrays(exact).items():
            if not name.endswith("0.weight"):
                continue
            start = np.zeros_like(array)
            if name.startswith("sum"):
                start += getattr(make(), "initial_accumulator", 0.0)
            array[absent] = before.get(name, start)[absent]
            if name == "0.weight":
                core.set_parameter(name, array)
            else:
                core.set_slot(name.split()[0], "0.weight", array)
        assert bits(lazy) == bits(exact)


def test_momentum_and_decay_by_numpy() -> None:
    rate, momentum, decay = 0.05, 0.9, 0.01
    net = cr.Sequential([cr.Input(INPUTS), cr.Dense(2)], seed=3, dtype="float64")
    weight, bias = net.get_weights()
    y = np.random.default_rng(1).normal(size=(ROWS, 2))
    optimizer = cr.SGD(rate, momentum=momentum, weight_decay=decay, lazy=True)
    net.fit(X, y, **{**FIT, "loss": "mse"}, optimizer=optimizer, shuffle=False)

    weight_momentum, bias_momentum = np.zeros_like(weight), np.zeros_like(bias)
    for step, first in enumerate([*range(0, ROWS, BATCH)] * 3):
        x = X[first : first + BATCH].astype(np.float64)
        slope = 2 * (x @ weight + bias - y[first : first + BATCH]) / (BATCH * 2)
        used = x.any(axis=0)
        kept = momentum if step else 0.0
        weight_momentum[used] *= kept
        weight_momentum[used] += (x.T @ slope + decay * weight)[used]
        bias_momentum = kept * bias_momentum + slope.sum(axis=0) + decay * bias
        weight[used] -= rate * weight_momentum[used]
        bias -= rate * bias_momentum
    for found, expected in zip(net.get_weights(), (weight, bias), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_sparse_adam_of_torch() -> None:
    torch = pytest.importorskip("torch")
    sizes, units, rate, epsilon = np.array([5, 20, 40]), 6, 0.01, 1e-12
    rng = np.random.default_rng(0)
    values = np.stack([rng.zipf(1.5, ROWS) % size for size in sizes], axis=1)
    values += np.cumsum([0, *sizes[:-1]])
    x = np.zeros((ROWS, sizes.sum()))
    np.put_along_axis(x, values, 1.0, axis=1)
    y = rng.integers(0, 2, (ROWS, 1)).astype(np.float64)

    layers = [cr.Input(x.shape[1]), cr.Dense(units, activation="relu"), cr.Dense(1)]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    weight, bias, *last = (torch.from_numpy(array) for array in net.get_weights())
    bag = torch.nn.EmbeddingBag.from_pretrained(
        weight.clone(), freeze=False, mode="sum", sparse=True
    )
    rest = [torch.nn.Parameter(array.clone()) for array in (bias, *last)]
    optimizers = [
        torch.optim.SparseAdam(bag.parameters(), lr=rate, eps=epsilon),
        torch.optim.Adam(rest, lr=rate, eps=epsilon),
    ]
    for first in [*range(0, ROWS, BATCH)] * 3:
        rows = slice(first, first + BATCH)
        hidden = torch.relu(bag(torch.from_numpy(values[rows])) + rest[0])
        outputs = hidden @ rest[1] + rest[2]
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        loss(outputs, torch.from_numpy(y[rows])).backward()
        for optimizer in optimizers:
            optimizer.step()
    adam = cr.Adam(rate, epsilon=epsilon, lazy=True)
    options = {**FIT, "loss": "binary_cross_entropy", "shuffle": False}
    net.fit(x, y, optimizer=adam, **options)
    for found, expected in zip(net.get_weights(), [bag.weight, *rest], strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", OPTIMIZERS[2:], ids=lambda make: repr(make()))
def test_the_same_bits_from_tables_and_compressed_rows(
    make: Callable[..., cr.Optimizer], dtype: str
) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    compressed = sparse.csr_array(X)
    # A zero that is stored is a zero.
    stored = sparse.csr_array(np.where(X == 0, 1, X))
    stored.data[X.ravel() == 0] = 0
    assert stored.nnz == X.size

    def trained(x: Any, **options: Any) -> dict[str, bytes]:
        net = network(dtype)
        net.fit(x, Y, optimizer=make(lazy=True), **FIT, **options)
        return bits(net)

    expected = trained(X)
    assert expected != (lambda net: net.fit(X, Y, optimizer=make(), **FIT) and bits(net))(
        network(dtype)
    )
    for x in (X, X.astype(np.uint8), compressed, stored):
        assert trained(x) == expected
        assert trained(x, num_threads=3, input_sparsity="sparse") == expected


def test_dense_data_train_as_without_it() -> None:
    x = table(1.0)
    x[:, 7] = 1
    nets = network(), network()
    for net, lazy in zip(nets, (False, True), strict=True):
        net.fit(x, Y, optimizer=cr.Adam(1e-2, lazy=lazy), **FIT)
    assert bits(nets[0]) == bits(nets[1])


def test_exact_steps_may_follow() -> None:
    found = []
    for path in ("dense", "sparse"):
        net = network()
        net.fit(X, Y, optimizer=cr.Adam(1e-2), input_sparsity=path, **FIT)
        net.fit(X[:BATCH], Y[:BATCH], optimizer=cr.Adam(1e-2, lazy=True), **FIT)
        net.fit(X, Y, optimizer=cr.Adam(1e-2), input_sparsity=path, **FIT)
        found.append(bits(net))
    assert found[0] == found[1]


def test_the_option() -> None:
    lazy = cr.Adam(1e-2, lazy=True)
    assert lazy.lazy is True
    assert cr.Adam(1e-2).lazy is False
    assert lazy != cr.Adam(1e-2)
    assert repr(lazy) == "Adam(learning_rate=0.01, lazy=True)"
    assert lazy.config["lazy"] is True
    assert "lazy" not in cr.Adam(1e-2).config
    for other in (cr.optimizers.get(lazy.config), pickle.loads(pickle.dumps(lazy))):
        assert other == lazy
    with pytest.raises(ValueError, match="adam: lazy needs clip_norm 0"):
        cr.Adam(clip_norm=1.0, lazy=True)
    with pytest.raises(ValueError, match="adam: lazy must be"):
        cr.Adam(lazy=2)  # type: ignore[arg-type]


def test_files_with_it_are_of_format_2() -> None:
    def version(net: cr.Sequential) -> int:
        header, _ = split(to_bytes(net))
        return int(json.loads(header["__metadata__"]["chainrule"])["format_version"])

    net = network()
    net.fit(X, Y, optimizer=cr.AdaGrad(), **FIT)
    assert version(net) == 1
    net.fit(X, Y, optimizer=cr.AdaGrad(lazy=True, weight_decay=0.1), **FIT)
    assert version(net) == 2
    loaded = from_bytes(to_bytes(net))
    assert loaded.optimizer == net.optimizer
    for each in (net, loaded):
        each.fit(X, Y, **FIT)
    assert bits(loaded) == bits(net)
    with pytest.raises(cr.ModelFileError, match="lazy must be"):
        from_bytes(altered(lambda d: d["training"]["optimizer"].update(lazy="no"), to_bytes(net)))


@pytest.mark.parametrize(
    ("front", "options", "text"),
    [
        ([], {"input_sparsity": "dense"}, r'input_sparsity="dense" does not go with .* lazy=True'),
        ([cr.Dropout(0.5)], {}, r"lazy=True needs a dense layer first, .* here dropout"),
        ([cr.Rescaling(0.5), cr.LayerNormalization()], {}, "lazy=True needs a dense layer first"),
    ],
)
def test_what_cannot_be_lazy_is_refused(
    front: list[cr.Layer], options: dict[str, Any], text: str
) -> None:
    net = cr.Sequential([*front, cr.Dense(3)], seed=0)
    with pytest.raises(ValueError, match=text):
        net.fit(X, Y, optimizer=cr.Adam(lazy=True), **FIT, **options)
    with pytest.raises(ValueError, match=text):
        net.train_on_batch(X, Y, loss="cross_entropy", optimizer=cr.Adam(lazy=True), **options)
    assert (net.inputs, net.optimizer, net.loss) == (None, None, None)


def test_steps_by_hand_do_not_tell_the_zeros() -> None:
    net = network()
    before = bits(net)
    net.backward(cr.losses.CrossEntropy().gradient(net.forward(X), Y))
    with pytest.raises(ValueError, match="lazy=True cannot step by hand"):
        cr.Adam(lazy=True).step(net)
    assert bits(net) == before


def test_a_scaling_goes_before() -> None:
    nets = []
    for front, x in (([cr.Rescaling(0.5)], X), ([], X / 2)):
        net = cr.Sequential([*front, cr.Dense(20), cr.Dense(3)], seed=0)
        net.fit(x, Y, optimizer=cr.Adam(1e-2, lazy=True), **FIT)
        nets.append(net.get_weights()[-4:])
    for a, b in zip(*nets, strict=True):
        assert np.array_equal(a, b)


def test_copies_are_lazy_too() -> None:
    net = network()
    net.fit(X, Y, optimizer=cr.Lion(lazy=True, weight_decay=0.1), **FIT)
    other = copy.deepcopy(net)
    for each in (net, other):
        each.fit(X, Y, **FIT)
    assert bits(net) == bits(other)

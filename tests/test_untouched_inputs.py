# SPDX-License-Identifier: Apache-2.0
"""Inputs that no batch has held yet are skipped, which changes no bit of weights and state."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule.network.model_file import from_bytes, to_bytes

BATCH, BATCHES, INPUTS, CLASSES = 16, 8, 120, 3

# Every optimizer with a state, and forms of them that take other branches.
OPTIMIZERS = [
    cr.SGD(0.1, momentum=0.9),
    cr.SGD(0.1, momentum=0.9, dampening=0.3),
    cr.SGD(0.1, momentum=0.9, nesterov=True),
    cr.SGD(0.1, momentum=0.9, clip_value=0.01),
    cr.AdaGrad(0.1, lr_decay=0.1),
    cr.AdaGrad(0.1, initial_accumulator=0.5),
    cr.RMSprop(1e-2),
    cr.RMSprop(1e-2, centered=True),
    cr.RMSprop(1e-2, momentum=0.5, centered=True),
    cr.Adam(1e-2),
    cr.Adam(1e-2, amsgrad=True),
    cr.Adam(1e-2, beta1=0.0, beta2=0.0),
    cr.AdamW(1e-2, weight_decay=0.0),
    cr.AdamW(1e-2),
    cr.Adadelta(),
    cr.NAdam(1e-2),
    cr.NAdam(1e-2, decoupled_weight_decay=True, weight_decay=0.1),
    cr.RAdam(1e-2),
    cr.RAdam(1e-2, decoupled_weight_decay=True, weight_decay=0.1),
    cr.Lion(1e-3),
    cr.Lion(1e-3, weight_decay=0.1),
    cr.Adam(1e-2, weight_decay=1e-2),
]


def table() -> NDArray[np.float32]:
    """Return batches that each hold some inputs for the first time; some inputs are in none."""
    rng = np.random.default_rng(5)
    x = np.zeros((BATCH * BATCHES, INPUTS), np.float32)
    for batch in range(BATCHES):
        first = 12 * batch
        x[BATCH * batch :][:BATCH, first : first + 20] = rng.integers(-2, 3, (BATCH, 20))
    x[:, ::17] = -0.0
    return x


X = table()
Y = np.arange(len(X)) % CLASSES
FIT: dict[str, Any] = {
    "loss": "cross_entropy",
    "batch_size": BATCH,
    "shuffle": False,
    "verbose": 0,
}


def network(dtype: str = "float32", **options: Any) -> cr.Sequential:
    layers = [cr.Input(INPUTS), cr.Dense(70, activation="tanh", **options), cr.Dense(CLASSES)]
    return cr.Sequential(layers, seed=2, dtype=dtype)


def bits(net: cr.Sequential) -> dict[str, bytes]:
    core = net._core
    assert core is not None
    found = {name: array.tobytes() for name, array in net.parameters.items()}
    for slot in core.optimizer_slots:
        found |= {
            f"{slot} {p.name}": core.get_slot(slot, p.name).tobytes() for p in core.parameters
        }
    return found


def both(run: Callable[[cr.Sequential, str], Any], **options: Any) -> None:
    """Check that a training leaves the same on the dense path as on the sparse one."""
    found = []
    for path in ("dense", "sparse"):
        net = network(**options)
        before = net.parameters["0.weight"]
        result = run(net, path)
        net = result if isinstance(result, cr.Sequential) else net
        assert not np.array_equal(net.parameters["0.weight"], before)
        found.append(bits(net))
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("threads", [1, 3])
def test_every_optimizer(optimizer: cr.Optimizer, dtype: str, threads: int) -> None:
    def run(net: cr.Sequential, path: str) -> None:
        options = {"num_threads": threads, "input_sparsity": path, **FIT}
        net.fit(X, Y, optimizer=optimizer, epochs=2, **options)

    both(run, dtype=dtype)


def test_a_weight_of_minus_zero_stays_one() -> None:
    def run(net: cr.Sequential, path: str) -> None:
        weight = net.parameters["0.weight"]
        weight[-5:] = -0.0
        net.set_weights({"0.weight": weight})
        net.fit(X, Y, optimizer="adam", input_sparsity=path, **FIT)
        assert np.signbit(net.parameters["0.weight"][-5:]).all()

    both(run)


@pytest.mark.parametrize("options", [{"l1": 1e-3}, {"l2": 1e-3}], ids=repr)
def test_penalties_move_what_no_batch_holds(options: dict[str, Any]) -> None:
    both(lambda net, path: net.fit(X, Y, optimizer="adam", input_sparsity=path, **FIT), **options)


def half(net: cr.Sequential, optimizer: Any, path: str, part: int = 0) -> None:
    rows = slice(part * len(X) // 2, (part + 1) * len(X) // 2)
    net.fit(X[rows], Y[rows], optimizer=optimizer, input_sparsity=path, **FIT)


def by_hand(net: cr.Sequential) -> None:
    outputs = net.forward(X[-BATCH:])
    net.backward(cr.losses.CrossEntropy().gradient(outputs, Y[-BATCH:]))
    cr.Adam(1e-2).step(net)


BETWEEN: dict[str, Callable[[cr.Sequential], cr.Sequential | None]] = {
    "nothing": lambda net: None,
    "dense batches": lambda net: half(net, cr.Adam(1e-2), "dense", 1),
    "weight decay": lambda net: half(net, cr.Adam(1e-2, weight_decay=0.1), "sparse"),
    "a clipped norm": lambda net: half(net, cr.Adam(1e-2, clip_norm=0.1), "sparse", 1),
    "another optimizer": lambda net: half(net, cr.SGD(0.1, momentum=0.5), "sparse", 1),
    "a step by hand": by_hand,
    "a file": lambda net: from_bytes(to_bytes(net)),
    "a copy": copy.deepcopy,
}


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_the_state_may_change_elsewhere_in_between(
    between: Callable[[cr.Sequential], cr.Sequential | None],
) -> None:
    def run(net: cr.Sequential, path: str) -> cr.Sequential:
        half(net, cr.Adam(1e-2), path)
        net = between(net) or net
        half(net, cr.Adam(1e-2), path)
        return net

    both(run)


def test_arrays_of_the_state_may_be_set() -> None:
    def run(net: cr.Sequential, path: str) -> None:
        half(net, cr.Adam(1e-2), path)
        core = net._core
        assert core is not None
        average = core.get_slot("exp_avg", "0.weight")
        average[-3:] = 1e-3
        core.set_slot("exp_avg", "0.weight", average)
        half(net, cr.Adam(1e-2), path)

    both(run)


def test_a_divergence_puts_everything_back() -> None:
    def run(net: cr.Sequential, path: str) -> None:
        half(net, cr.Adam(1e-2), path)
        before = bits(net)
        with pytest.raises(cr.DivergenceError):
            net.fit(X, Y, optimizer=cr.Adam(1e38), input_sparsity=path, **FIT)
        assert bits(net) == before
        half(net, cr.Adam(1e-2), path)
        half(net, cr.Adam(1e-2), path, 1)

    both(run)


def test_batches_one_at_a_time_on_either_path() -> None:
    def run(net: cr.Sequential, path: str) -> None:
        for batch in range(BATCHES):
            rows = slice(BATCH * batch, BATCH * (batch + 1))
            net.train_on_batch(
                X[rows],
                Y[rows],
                loss="cross_entropy",
                optimizer=cr.Adadelta(),
                input_sparsity="dense" if batch % 3 == 1 else path,
            )

    both(run)

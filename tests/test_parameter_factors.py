# SPDX-License-Identifier: Apache-2.0
"""Factors of the learning rate and of weight decay, of each parameter its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import reference_optimizers
from factor_cases import FACTORS, data, network
from step_cases import CLIPPED, OPTIMIZERS
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

X, Y = data()


class Groups:
    """An optimizer with a rule for each parameter, whose config has the factors multiplied in."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.rules: dict[str, reference.Optimizer] = {}

    def _rule(self, name: str) -> reference.Optimizer:
        rate, decay = FACTORS.get(name, (1.0, 1.0))
        own = {
            **self.config,
            "learning_rate": rate * self.config["learning_rate"],
            "weight_decay": decay * self.config["weight_decay"],
            "clip_value": 0.0,
            "clip_norm": 0.0,
        }
        return self.rules.setdefault(name, reference.Optimizer(own))

    def step(self, parameters: dict[str, Any], gradients: dict[str, Any]) -> dict[str, Any]:
        new = {}
        for name, g in reference_optimizers.clip(self.config, gradients).items():
            new |= self._rule(name).step({name: parameters[name]}, {name: g})
        return new


def agree(net: cr.Sequential, other: reference.Network) -> None:
    for name, values in net.parameters.items():
        assert reference.relative_error(values, other.parameters[name]) <= 1e-11, name


ALL = OPTIMIZERS | {f"clip-{name}": optimizer for name, optimizer in CLIPPED.items()}


@pytest.mark.parametrize("optimizer", ALL.values(), ids=ALL)
def test_every_optimizer_honours_them(optimizer: cr.optimizers.Optimizer) -> None:
    net = network(dtype="float64")
    other, rule = reference.Network(net), Groups(optimizer.config)
    net.train_on_batch(X, Y, loss="mse", optimizer=optimizer)
    other.train_on_batch(X, Y, {"kind": "mse"}, rule)
    agree(net, other)
    once = {"batch_size": 5, "shuffle": False, "metrics": [], "verbose": 0}
    net.fit(X, Y, loss="mse", optimizer=optimizer, **once)
    for rows in (slice(0, 5), slice(5, 10), slice(10, 13)):
        other.train_on_batch(X[rows], Y[rows], {"kind": "mse"}, rule)
    agree(net, other)


@pytest.mark.parametrize("name", ["sgd-momentum", "adamw", "lamb-all"])
def test_a_step_by_hand_honours_them(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    net = network(dtype="float64")
    other, rule = reference.Network(net), Groups(optimizer.config)
    for _ in range(3):
        y = net.forward(X, training=True)
        net.backward(2 * (y - Y) / Y.size)
        optimizer.step(net)
        other.train_on_batch(X, Y, {"kind": "mse"}, rule)
    agree(net, other)


def test_a_schedule_is_multiplied() -> None:
    schedule = cr.schedules.Exponential(0.1, gamma=0.5)
    net = network(dtype="float64")
    other, rule = reference.Network(net), Groups(cr.SGD(0.1).config)
    net.fit(X, Y, loss="mse", optimizer=cr.SGD(schedule), epochs=3, shuffle=False, verbose=0)
    for epoch in range(3):
        rule.config = {**rule.config, "learning_rate": 0.1 * 0.5**epoch}
        rule.rules.clear()
        other.train_on_batch(X, Y, {"kind": "mse"}, rule)
    agree(net, other)


def test_a_factor_of_zero_trains_nothing() -> None:
    net = cr.Sequential([cr.Input(6), cr.Dense(4, learning_rate_factor=0.0), cr.Dense(3)], seed=1)
    before = net.get_weights()
    net.fit(X, Y, loss="mse", optimizer=cr.AdamW(0.1, weight_decay=0.5), epochs=2, verbose=0)
    after = net.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[2] != after[2]).all()


def test_sparse_rows_give_the_bits_of_dense_ones() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(40, 300)) * (rng.random((40, 300)) < 0.05)
    y = rng.normal(size=(40, 2))
    for optimizer in (cr.Adam(0.01, weight_decay=0.1), cr.AdamW(0.01), cr.SGD(0.1, momentum=0.9)):
        for decay in (0.0, 0.5):
            found = []
            for path in ("dense", "sparse"):
                layer = cr.Dense(2, learning_rate_factor=0.3, weight_decay_factor=decay)
                net = cr.Sequential([cr.Input(300), layer], seed=0)
                net.fit(
                    x, y, loss="mse", optimizer=optimizer, epochs=3, batch_size=8, verbose=0,
                    input_sparsity=path,
                )  # fmt: skip
                found.append(net.get_weights()[0])
            np.testing.assert_array_equal(*found)


def trained(**options: Any) -> cr.Sequential:
    net = network()
    fit = {"epochs": 3, "batch_size": 4, "verbose": 0, **options}
    net.fit(X, Y, loss="mse", optimizer=cr.AdamW(0.02, weight_decay=0.1), **fit)
    return net


def test_threads_and_instruction_sets_agree() -> None:
    program = (
        "import hashlib\n"
        "import test_parameter_factors as t\n"
        "for threads in (1, 2, 3):\n"
        "    w = t.trained(num_threads=threads).get_weights()\n"
        "    print(hashlib.sha256(b''.join(v.tobytes() for v in w)).hexdigest())"
    )
    assert len(printed_by_each_instruction_set(program)) == 1


def test_files_keep_them_and_training_goes_on(tmp_path: Path) -> None:
    whole = trained(epochs=6)
    net = trained(epochs=3)
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    assert again.layers[0].config["learning_rate_factor"] == {"weight": 0.5, "bias": 2.0}
    again.fit(X, Y, epochs=3, batch_size=4, verbose=0)
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_factors_configs_are_as_they_were() -> None:
    assert "learning_rate_factor" not in cr.Dense(3).config
    assert cr.Dense(3, learning_rate_factor=1, weight_decay_factor=1.0) == cr.Dense(3)
    assert cr.Dense(3).learning_rate_factor == 1.0


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"learning_rate_factor": -1}, ValueError, "dense: learning_rate_factor must be >= 0"),
        (
            {"weight_decay_factor": {"bias": float("nan")}},
            ValueError,
            r"dense: weight_decay_factor\['bias'\] must be finite and >= 0, got nan",
        ),
        (
            {"learning_rate_factor": "fast"},
            ValueError,
            "dense: learning_rate_factor must be a number, or a table of numbers, got 'fast'",
        ),
        (
            {"learning_rate_factor": {"bias": "fast"}},
            ValueError,
            r"dense: learning_rate_factor\['bias'\] must be a number, got 'fast'",
        ),
        (
            {"learning_rate_factor": {"kind": "relu"}},
            ValueError,
            "must be a number, or a table of numbers, got the description 'relu'",
        ),
        ({"activation": {"bias": 1.0}}, ValueError, "activation must be a name or a description"),
        ({"learning_rate_factor": None}, TypeError, "learning_rate_factor must not be None"),
    ],
)
def test_bad_factors(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cr.Dense(3, **options)


def test_names_of_other_parameters() -> None:
    text = r"layer 0 \(dense\) on \(4,\): dense: learning_rate_factor: unknown parameter 'weigt'"
    with pytest.raises(ValueError, match=text):
        cr.Sequential([cr.Input(4), cr.Dense(3, learning_rate_factor={"weigt": 1})])
    with pytest.raises(ValueError, match=r"unknown parameter 'running_mean'.*valid: beta, gamma"):
        cr.Sequential([cr.Input(4), cr.BatchNormalization(weight_decay_factor={"running_mean": 1})])

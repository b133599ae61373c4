# SPDX-License-Identifier: Apache-2.0
"""Factors of parameters against the parameter groups of PyTorch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from factor_cases import FACTORS, data, network
from reference import relative_error
from step_cases import OPTIMIZERS
from torch_network import TorchNetwork, torch_optimizer

import chainrule as cr


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_groups_of_parameters(optimizer: cr.optimizers.Optimizer) -> None:
    x, y = data()
    net = network(dtype="float64")
    other = TorchNetwork(net)
    config = optimizer.config
    groups = []
    trained = {name: p for name, p in other._arrays.items() if p.requires_grad}
    for name, parameter in trained.items():
        rate, decay = FACTORS.get(name, (1.0, 1.0))
        own = {
            "params": [parameter],
            "lr": rate * config["learning_rate"],
            "weight_decay": decay * config["weight_decay"],
        }
        groups.append(own)
    rule = torch_optimizer(config, groups)
    for _ in range(4):
        net.train_on_batch(x, y, loss="mse", optimizer=optimizer)
        other.train_on_batch(x, y, {"kind": "mse"}, rule, clipping=config)
    for name, values in net.parameters.items():
        assert relative_error(values, other.parameters[name]) <= 1e-11, name

# SPDX-License-Identifier: Apache-2.0
"""Small networks and data to train them on, and what of a network training changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr

Array = NDArray[Any]


def blobs(rows: int = 90, columns: int = 4, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    centres = rng.normal(size=(classes, columns)) * 2
    x = centres[y] + rng.normal(size=(rows, columns))
    return x.astype(np.float32), y


def network(dtype: str = "float32", seed: int = 1) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Dense(7, activation="relu"),
            cr.BatchNormalization(),
            cr.Dropout(0.2),
            cr.Dense(3),
        ],
        seed=seed,
        dtype=dtype,
    )


def state(net: cr.Sequential) -> dict[str, Any]:
    """Everything that training changes."""
    core = net._core
    assert core is not None
    slots = {
        f"{slot}.{p.name}": core.get_slot(slot, p.name)
        for slot in core.optimizer_slots
        for p in core.parameters
        if p.trainable
    }
    counters = {"steps": core.steps, "total_steps": core.total_steps, "epochs": core.epochs}
    return {**net.parameters, **slots, **counters, "history": net.history.to_dict()}


def assert_same_state(a: cr.Sequential, b: cr.Sequential) -> None:
    left, right = state(a), state(b)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def differs(a: Mapping[str, Any], b: Mapping[str, Any], name: str) -> bool:
    return not np.array_equal(a[name], b[name])


FIT: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 16, "verbose": 0}

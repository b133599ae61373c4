# SPDX-License-Identifier: Apache-2.0
"""A trained network, and the claim that a call is refused and changes nothing of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr

ROWS, COLUMNS, CLASSES = 24, 5, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, COLUMNS)).astype(np.float32)
Y = RNG.integers(CLASSES, size=ROWS)
Y[:3] = 0, 1, 2


def trained(seed: int = 0) -> cr.Sequential:
    """Return a network with optimizer state, running statistics and a history."""
    net = cr.Sequential(
        [cr.Dense(4, activation="relu"), cr.BatchNormalization(), cr.Dense(CLASSES)], seed=seed
    )
    net.fit(X, Y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=2, batch_size=7, verbose=0)
    return net


def snapshot(net: cr.Sequential) -> dict[str, Any]:
    """Return everything that there is to a network, as bytes and plain data."""
    core = net._core
    found: dict[str, Any] = {
        "loss": net.loss,
        "optimizer": net.optimizer,
        "metrics": net.metrics,
        "schedule_origin": net._schedule_origin,
        "adapted": net._adapted,
        "history": net.history.to_dict(),
        "interrupted": net.history.interrupted,
        "built": core is not None,
    }
    if core is not None:
        found["counters"] = (core.optimizer_kind, core.steps, core.total_steps, core.epochs)
        for p in core.parameters:
            found[p.name] = core.get_parameter(p.name).tobytes()
            for slot in core.optimizer_slots:
                found[f"{slot} {p.name}"] = core.get_slot(slot, p.name).tobytes()
    return copy.deepcopy(found)


def assert_refused(
    net: cr.Sequential, call: Callable[[], object], error: type[Exception], text: str
) -> None:
    before = snapshot(net)
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert snapshot(net) == before


def with_value(array: NDArray[Any], place: Any, value: float) -> NDArray[Any]:
    array = np.array(array, dtype=np.float64 if np.issubdtype(array.dtype, np.integer) else None)
    array[place] = value
    return array


class CudaTensor:
    """What a tensor on a graphics card shows of itself."""

    shape = (ROWS, COLUMNS)
    dtype = "torch.float32"

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

# SPDX-License-Identifier: Apache-2.0
"""Numbers too large for memory or for 64 bits are errors that a user can read, or do what fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import chainrule as cr

X = np.zeros((4, 3), "f4")
Y = np.zeros(4, int)
HUGE = [2**40, 2**48, 2**60, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63) - 1]


def net() -> cr.Sequential:
    return cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)


def fit(**options: int) -> object:
    return net().fit(X, Y, loss="cross_entropy", verbose=0, **options)  # type: ignore[arg-type]


def of_layers(*layers: cr.Layer, inputs: int = 3) -> object:
    return cr.Sequential([cr.Input(inputs), *layers], seed=0).predict(np.zeros((1, 3), int))


CALLS: dict[str, Callable[[int], object]] = {
    "fit batch_size": lambda size: fit(batch_size=size),
    "fit num_threads": lambda size: fit(num_threads=size),
    "predict batch_size": lambda size: net().predict(X, batch_size=size),
    "predict num_threads": lambda size: net().predict(X, num_threads=size),
    "plan batch_size": lambda size: net().plan(batch_size=size),
    "forward num_threads": lambda size: net().forward(X, num_threads=size),
    "inputs": lambda size: of_layers(cr.Dense(2), inputs=size),
    "units": lambda size: of_layers(cr.Dense(size)),
    "num_tokens": lambda size: of_layers(cr.CategoryEncoding(size), cr.Dense(2)),
    "num_embeddings": lambda size: of_layers(cr.Embedding(size, 2)),
    "embedding units": lambda size: of_layers(cr.Embedding(2, size)),
    "seed": lambda size: cr.Sequential([cr.Input(3), cr.Dense(2)], seed=size).predict(X),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("size", HUGE)
def test_numbers_that_nothing_holds(name: str, size: int) -> None:
    try:
        CALLS[name](size)
    except (ValueError, MemoryError) as error:
        text = str(error)
        assert text
        assert "incompatible" not in text
        if size >= 2**63 or size < 0:
            assert str(size) in text

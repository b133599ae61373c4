# SPDX-License-Identifier: Apache-2.0
"""What a model file says that callbacks remember, checked before a ``fit`` goes on from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.callbacks.state_values import decoded, number, text, whole_number

# By class, what the fields must be. Other classes check their states themselves.
_FIELDS: Mapping[str, Mapping[str, Callable[[Mapping[str, Any], str], object]]] = {
    "CSVLogger": {"epoch": whole_number},
    "EarlyStopping": {"best": number, "best_epoch": whole_number, "waited": whole_number},
    "ModelCheckpoint": {"best": number, "last_path": text, "path": text},
}

__all__ = ["check_saved"]


def check_saved(states: Mapping[str, Mapping[str, Any]], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ValueError where a callback could not go on from its state.

    Parameters
    ----------
    states : mapping
        What the state of each callback holds.
    shapes : sequence of tuple
        Those of the network's weights.
    """
    for key, state in states.items():
        kind = key.partition("(")[0]
        fields = _FIELDS.get(kind, {})
        # A class derived from one of these may remember something else.
        for name in fields.keys() & state.keys():
            fields[name](state, name)
        if kind == "EarlyStopping" and state.get("best_weights") is not None:
            _check_weights(decoded(state["best_weights"]), shapes)


def _check_weights(weights: list[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    if [array.shape for array in weights] != list(shapes):
        raise ValueError("EarlyStopping keeps weights of other shapes than the network's")
    if not all(np.isfinite(array).all() for array in weights):
        raise ValueError("EarlyStopping keeps weights that hold NaN or infinity")

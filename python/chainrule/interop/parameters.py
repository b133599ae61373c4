# SPDX-License-Identifier: Apache-2.0
"""The layers of networks one by one, and their arrays."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from chainrule.sequential import Sequential

__all__ = ["layer_arrays", "refuse_missing"]


def layer_arrays(net: Sequential, index: int) -> dict[str, NDArray[Any]]:
    """Return copies of the parameters of a built network's layer, by their names within it."""
    core = net._need_core()
    return {
        p.name.partition(".")[2]: core.get_parameter(p.name)
        for p in core.parameters
        if p.layer == index
    }


def refuse_missing(net: Sequential, kinds: Container[str], form: str) -> None:
    """Raise ValueError with all layers whose kind is none of those that `form` can hold."""
    missing = [
        f"layer {index} ({layer.kind})"
        for index, layer in enumerate(net.layers)
        if layer.kind not in kinds
    ]
    if missing:
        raise ValueError(f"{form} cannot hold the network: {', '.join(missing)} has no form there")

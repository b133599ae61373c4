# SPDX-License-Identifier: Apache-2.0
"""The layers of networks one by one, and their arrays."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["built_core", "layer_arrays", "refuse_missing"]


def built_core(net: Sequential) -> CoreNetwork:
    """Return what runs a network; TypeError if it is none, RuntimeError if it is not built."""
    if not isinstance(net, Sequential):
        raise TypeError(f"net must be a Sequential, got {type(net).__name__}")
    return net._built_core()


def layer_arrays(net: Sequential, index: int) -> dict[str, NDArray[Any]]:
    """Return copies of the parameters of a built network's layer, by their names within it."""
    core = net._built_core()
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

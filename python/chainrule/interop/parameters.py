# SPDX-License-Identifier: Apache-2.0
"""The arrays of single layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from chainrule.sequential import Sequential

__all__ = ["layer_arrays"]


def layer_arrays(net: Sequential, index: int) -> dict[str, NDArray[Any]]:
    """Return copies of the parameters of a built network's layer, by their names within it."""
    core = net._need_core()
    return {
        p.name.partition(".")[2]: core.get_parameter(p.name)
        for p in core.parameters
        if p.layer == index
    }

# SPDX-License-Identifier: Apache-2.0
"""The compiled networks of each dtype."""

from __future__ import annotations

from chainrule import _core

__all__ = ["CORE_NETWORKS", "CoreNetwork"]

CoreNetwork = _core.Network32 | _core.Network64
CORE_NETWORKS: dict[str, type[CoreNetwork]] = {
    "float32": _core.Network32,
    "float64": _core.Network64,
}

# SPDX-License-Identifier: Apache-2.0
"""The libraries that are measured, each in a module with ``make`` and ``version``.

Each trains in the way that is quickest for it and that its users would write.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from chainrule.bench.workload import Workload

__all__ = ["PEERS", "Peer", "PeerModule", "installed", "module"]

# Name in tables -> module here and package that it needs.
PEERS = {
    "chainrule": ("chainrule", "chainrule"),
    "NumPy by hand": ("numpy", "numpy"),
    "scikit-learn": ("sklearn", "sklearn"),
    "PyTorch": ("torch", "torch"),
    "JAX": ("jax", "jax"),
}


class Peer(Protocol):
    """A network that a library trains."""

    def train(self, epochs: int, *, shuffle: bool) -> None:
        """Train for some epochs, on the rows in their order or in a new one each epoch."""

    def weights(self) -> list[NDArray[Any]]:
        """Return weight (in, out) and bias (out,) of each layer in turn."""


class PeerModule(Protocol):
    """A module of this package."""

    make: Callable[[Workload, int], Peer]
    version: Callable[[], str]


def installed() -> list[str]:
    """Return the names of the libraries that can be imported, chainrule first."""
    return [name for name, (_, package) in PEERS.items() if importlib.util.find_spec(package)]


def module(name: str) -> PeerModule:
    """Return the module of a library.

    Parameters
    ----------
    name : str
        A key of `PEERS`.

    Returns
    -------
    module
        ``make(workload, threads)`` returns a `Peer`, ``version()`` the library's version.
    """
    found = importlib.import_module(f"chainrule.bench.peers.{PEERS[name][0]}")
    return cast(PeerModule, found)

# SPDX-License-Identifier: Apache-2.0
"""The libraries that are measured, each in a module of its own.

Each works in the way that is quickest for it and that its users would write.
"""

from __future__ import annotations

from harness.peers.chainrule import Chainrule
from harness.peers.jax import Jax
from harness.peers.library import Library, Predictor, Trainer
from harness.peers.numpy import NumpyByHand
from harness.peers.onnxruntime import OnnxRuntime
from harness.peers.sklearn import ScikitLearn
from harness.peers.torch import CompiledTorch, Torch

__all__ = ["PEERS", "Library", "Predictor", "Trainer", "installed"]

_LIBRARIES: tuple[Library, ...] = (
    Chainrule(),
    Torch(),
    CompiledTorch(),
    Jax(),
    ScikitLearn(),
    NumpyByHand(),
    OnnxRuntime(),
)

PEERS = {library.name: library for library in _LIBRARIES}


def installed() -> list[str]:
    """Return the names of the libraries that can be imported, chainrule first."""
    return [name for name, library in PEERS.items() if library.installed()]

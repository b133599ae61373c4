# SPDX-License-Identifier: Apache-2.0
"""`Scaling`, a PyTorch module that PyTorch itself lacks; made on first use, when PyTorch is needed.

Its class is an attribute of this file, so that modules that contain it can be pickled.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike


def scaling(scale: ArrayLike, offset: ArrayLike) -> Any:
    """Return a `Scaling` in double."""
    import torch

    return __getattr__("Scaling")(*(torch.tensor(a, dtype=torch.float64) for a in (scale, offset)))


def __getattr__(name: str) -> Any:
    if name != "Scaling":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in globals():
        globals()[name] = _scaling()
    return globals()[name]


def _scaling() -> type:
    import torch

    class Scaling(torch.nn.Module):
        """x * scale + offset, which are not trained: `Rescaling` and `Normalization` in PyTorch.

        Parameters
        ----------
        scale, offset : torch.Tensor of shape () or (columns,)
            Kept as buffers.
        """

        scale: torch.Tensor
        offset: torch.Tensor

        def __init__(self, scale: torch.Tensor, offset: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x * scale + offset."""
            return x * self.scale + self.offset

    Scaling.__qualname__ = "Scaling"
    return Scaling

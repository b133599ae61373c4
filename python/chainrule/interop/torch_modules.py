# SPDX-License-Identifier: Apache-2.0
"""A PyTorch module that PyTorch itself lacks."""

from __future__ import annotations

import torch

__all__ = ["Scaling"]


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

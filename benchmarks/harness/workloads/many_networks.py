# SPDX-License-Identifier: Apache-2.0
"""Many small networks made and trained one after another, as a search or an ensemble does."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.workloads.network import Network
from harness.workloads.training import Training

_QUICK_COUNT = 8


@dataclass(frozen=True)
class ManyNetworks:
    """How often a network is made anew and trained; making and compiling it counts.

    Attributes
    ----------
    training : Training
        Of each network.
    count : int
        Networks, which differ in their initial weights.
    epochs : int
        Of each network.
    """

    training: Training
    count: int
    epochs: int

    @property
    def network(self) -> Network:
        """Shape of each network."""
        return self.training.network

    @property
    def batch_size(self) -> int:
        """Rows per step."""
        return self.training.batch_size

    @property
    def name(self) -> str:
        """Number of networks and how each is trained."""
        epochs = f"{self.epochs} epochs of {self.training.rows:,}"
        return f"{self.count} networks {self.training.name}, {epochs}"

    @property
    def samples(self) -> int:
        """Samples that all networks see together."""
        return self.count * self.epochs * self.training.samples

    @property
    def flops_per_sample(self) -> int:
        """As for one network."""
        return self.training.flops_per_sample

    def quick(self) -> ManyNetworks:
        """Return the work with fewer networks."""
        return replace(self, count=min(self.count, _QUICK_COUNT))

# SPDX-License-Identifier: Apache-2.0
"""Inference: calls that each take some rows to their outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from harness.workloads.network import Network


@dataclass(frozen=True)
class Inference:
    """A network and the rows that each call gives it.

    Attributes
    ----------
    network : Network
        What predicts.
    batch_size : int
        Rows of a call.
    calls : int
        Calls of a pass, each with other rows.
    """

    network: Network
    batch_size: int
    calls: int

    @property
    def name(self) -> str:
        """Network and rows of a call.

        Examples
        --------
        >>> Inference(Network((8, 4)), 1, calls=10).name
        '8-4, predict batch 1'
        """
        return f"{self.network}, predict batch {self.batch_size}"

    @property
    def samples(self) -> int:
        """Rows of a pass."""
        return self.calls * self.batch_size

    @property
    def flops_per_sample(self) -> int:
        """Operations of the forward products."""
        return 2 * sum(self.network.multiply_adds)

    def quick(self) -> Inference:
        """Return the work itself, which is short."""
        return self

    def batches(self) -> list[NDArray[Any]]:
        """Return what each call is given.

        Returns
        -------
        list of ndarray of shape (batch_size, sizes[0])
        """
        x = self.network.inputs(self.samples)
        return [x[start : start + self.batch_size] for start in range(0, len(x), self.batch_size)]

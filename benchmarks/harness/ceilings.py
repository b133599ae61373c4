# SPDX-License-Identifier: Apache-2.0
"""What the machine could do at best: its FMA peak, and a large product by NumPy's BLAS."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from harness.worker import Worker
from harness.workloads import Network

CEILINGS = ("fma", "gemm")
GEMM_SIZE = 1024


class CeilingWorker(Worker):
    """Measures ceilings in a process of its own, bound as the libraries are.

    Parameters
    ----------
    threads : int
        Threads to use.
    environment : mapping of str to str, optional
        Variables that its process has besides.
    """

    def __init__(self, threads: int, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(Ceilings, threads, threads=threads, environment=environment)

    def __str__(self) -> str:
        """Return what it is and its number of threads."""
        return f"FMA peak and gemm ({self.threads})"

    def gflops(self, name: str, network: Network, seconds: float) -> float:
        """Return the ceiling of a name in `CEILINGS`, in a network's dtype."""
        return float(self.ask(name, network.dtype, seconds))


class Ceilings:
    """The measurements, in that process.

    Parameters
    ----------
    threads : int
        Threads to use; BLAS has those of the environment.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._factors: dict[str, NDArray[Any]] = {}

    def fma(self, dtype: str, seconds: float) -> float:
        """Return the GFLOP/s of fused multiply-adds that stay in registers."""
        return _core.fma_peak(dtype, seconds, self._threads)

    def gemm(self, dtype: str, seconds: float) -> float:
        """Return the GFLOP/s of a square matrix product."""
        if dtype not in self._factors:
            self._factors[dtype] = np.full((2, GEMM_SIZE, GEMM_SIZE), 0.5, dtype)
        factor, product = self._factors[dtype]
        count = 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or count == 0:
            np.matmul(factor, factor, out=product)
            count += 1
        return 2e-9 * GEMM_SIZE**3 * count / elapsed

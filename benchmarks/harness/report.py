# SPDX-License-Identifier: Apache-2.0
"""What was measured, and what follows from it: the better thread count, ratios, shares of peak."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from harness.workloads import Workload

OWN = "chainrule"


@dataclass(frozen=True)
class Rounds:
    """The same thing measured in several rounds.

    Attributes
    ----------
    rates : tuple of float
        One for each round, the more the better.

    Examples
    --------
    >>> rounds = Rounds((90.0, 100.0, 110.0))
    >>> rounds.median, rounds.spread
    (100.0, 0.2)
    """

    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> float:
        """Difference of the best and the worst round, as a share of the median."""
        return (max(self.rates) - min(self.rates)) / self.median


@dataclass(frozen=True)
class Measurement(Rounds):
    """The samples per second of a library at a workload.

    Attributes
    ----------
    workload : Workload
        What it did.
    peer : str
        Name of the library.
    threads : int
        Threads it had.
    """

    workload: Workload
    peer: str
    threads: int


@dataclass(frozen=True)
class Ceiling(Rounds):
    """The GFLOP/s that the machine could do, measured between the libraries.

    Attributes
    ----------
    workload : Workload
        In whose rounds and dtype it was measured.
    name : str
        Of `ceilings.CEILINGS`.
    threads : int
        Threads it had.
    """

    workload: Workload
    name: str
    threads: int


@dataclass
class Report:
    """All measurements of a run.

    Attributes
    ----------
    machine : dict of str to str
        As `machine.describe`.
    threads : tuple of int
        Numbers of threads that each library was given.
    isa : str or None
        Instruction set that all were held to.
    versions : dict of str to str
        Version of each library that took part.
    measurements : list of Measurement
        One for each workload, library and number of threads.
    ceilings : list of Ceiling
        One for each workload, ceiling and number of threads.
    skipped : list of str
        A sentence for everything that failed or computed something else.
    """

    machine: dict[str, str]
    threads: tuple[int, ...]
    isa: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    ceilings: list[Ceiling] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def workloads(self) -> list[Workload]:
        """What was measured, in order."""
        return list(dict.fromkeys(m.workload for m in self.measurements))

    @property
    def peers(self) -> list[str]:
        """The other libraries measured, in order."""
        return list(dict.fromkeys(m.peer for m in self.measurements if m.peer != OWN))

    def best(self, workload: Workload, peer: str = OWN) -> Measurement | None:
        """Return a library's measurement with the better number of threads."""
        found = [m for m in self.measurements if (m.workload, m.peer) == (workload, peer)]
        return max(found, key=lambda m: m.median, default=None)

    def ratio(self, workload: Workload, peer: str) -> float | None:
        """Return how many times as fast chainrule is, each with its better number of threads."""
        own, other = self.best(workload), self.best(workload, peer)
        return None if own is None or other is None else own.median / other.median

    def share_of(self, name: str, workload: Workload) -> float | None:
        """Return chainrule's share of a ceiling with as many threads."""
        own = self.best(workload)
        if own is None:
            return None
        ceiling = self._ceiling(name, workload, own.threads)
        gflops = 1e-9 * workload.flops_per_sample * own.median
        return None if ceiling is None else gflops / ceiling.median

    def scaling(self, workload: Workload) -> float | None:
        """Return how many times as fast chainrule is with the most threads as with the fewest."""
        own = {m.threads: m for m in self.measurements if (m.workload, m.peer) == (workload, OWN)}
        return own[max(own)].median / own[min(own)].median if len(own) > 1 else None

    def spread(self, workload: Workload) -> float:
        """Return the widest spread among the measurements that are compared."""
        best = (self.best(workload, peer) for peer in (OWN, *self.peers))
        return max(m.spread for m in best if m is not None)

    def _ceiling(self, name: str, workload: Workload, threads: int) -> Ceiling | None:
        wanted = (name, workload, threads)
        return next((c for c in self.ceilings if (c.name, c.workload, c.threads) == wanted), None)

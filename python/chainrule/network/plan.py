# SPDX-License-Identifier: Apache-2.0
"""What a training step consists of, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from chainrule import _core
from chainrule.inputs.compressed_rows import Rows

__all__ = ["Plan", "PlanInput", "PlanStage"]

_SECONDS_TO_MEASURE = 0.005


@dataclass(frozen=True)
class PlanStage:
    """A piece of the step between two barriers.

    Attributes
    ----------
    name : str
        What it does.
    threads_own : {"rows", "columns", "fused"}
        What each thread works out; "fused" if the gathering of the input does it on the way.
    operations : float
        Floating-point operations of its matrix products, two a multiply-add.
    bytes : float
        Read and written, forward, backward and in the update.
    seconds : float
        What the machine needs for that at least: the larger of operations by its rate of
        multiply-adds and bytes by its rate of copies.
    """

    name: str
    threads_own: str
    operations: float
    bytes: float
    seconds: float


@dataclass(frozen=True)
class PlanInput:
    """How the first dense layer gets its input, and why.

    Attributes
    ----------
    path : {"sparse", "dense"}
        Whether as lists of nonzeros or as a table.
    reason : {"cheaper", "asked", "compressed", "categories"}
        Its time is the lesser; the caller asks for it; the rows come without their zeros; they come
        as categories.
    density : float
        Density: the fraction of nonzeros, in a sample of the rows; of compressed rows in all;
        of categories at most. NaN where it was not counted.
    sparse_seconds, dense_seconds : float
        What the products of a step with the input take at least by either path: their estimated
        operations by the machine's rate of multiply-adds. "auto" takes the lesser.
    """

    path: str
    reason: str
    density: float
    sparse_seconds: float
    dense_seconds: float

    def __str__(self) -> str:
        """Return path, reason and estimates."""
        reasons = {
            "asked": ", as asked for",
            "compressed": ", as it comes",
            "categories": ", encoded",
        }
        text = self.path + reasons.get(self.reason, "")
        if math.isnan(self.density):
            return text
        sparse, dense = 1e6 * self.sparse_seconds, 1e6 * self.dense_seconds
        return (
            f"{text}: {100 * self.density:.3g} % of the entries are not zero; "
            f"least us {sparse:,.2f} sparse, {dense:,.2f} dense"
        )


@dataclass(frozen=True, repr=False)
class Plan:
    """The stages of a training step; prints as a table.

    Attributes
    ----------
    batch_size : int
        Rows of the step.
    threads : int
        Threads that it deserves, of those it may use.
    stages : tuple of PlanStage
        In the order of the forward pass.
    input : PlanInput or None
        None where no rows have been seen, or the first layer needs every number.

    References
    ----------
    Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
    multicore architectures", Communications of the ACM 52, 2009.
    """

    batch_size: int
    threads: int
    stages: tuple[PlanStage, ...]
    input: PlanInput | None

    @classmethod
    def of(
        cls,
        core: _core.Network32 | _core.Network64,
        batch_size: int,
        threads: int,
        x: Rows | None,
        input_sparsity: str,
    ) -> Plan:
        """Return the plan of a network of the core."""
        dtype = "float32" if isinstance(core, _core.Network32) else "float64"
        info = core.plan(batch_size, threads, x, input_sparsity)
        moved = sum(stage.bytes for stage in info.stages)
        peak = _fma_peak(dtype, info.threads)
        # To the next power of two, so that few sizes are measured.
        speed = _copy_rate(1 << max(12, int(moved).bit_length()), info.threads)
        stages = tuple(
            PlanStage(
                stage.name,
                stage.threads_own,
                stage.operations,
                stage.bytes,
                max(stage.operations / peak, stage.bytes / speed),
            )
            for stage in info.stages
        )
        given = info.input
        path = None
        if given is not None:
            path = PlanInput(
                "sparse" if given.sparse else "dense",
                given.reason,
                given.density,
                given.sparse_operations / peak,
                given.dense_operations / peak,
            )
        return cls(batch_size, info.threads, stages, path)

    @property
    def operations(self) -> float:
        """Floating-point operations of the step: the total over the stages."""
        return sum(stage.operations for stage in self.stages)

    @property
    def bytes(self) -> float:
        """Bytes read and written in the step: the total over the stages."""
        return sum(stage.bytes for stage in self.stages)

    @property
    def seconds(self) -> float:
        """Least time of a step, without waiting, loss and gathering."""
        return sum(stage.seconds for stage in self.stages)

    def __str__(self) -> str:
        """Return the table."""
        head = ("stage", "threads own", "Mflop", "kB", "least us")
        rows: list[tuple[str, ...]] = [head]
        for stage in (*self.stages, PlanStage("a step", "", *self._totals())):
            numbers = (stage.operations * 1e-6, stage.bytes * 1e-3, stage.seconds * 1e6)
            rows.append((stage.name, stage.threads_own, *(f"{n:,.2f}" for n in numbers)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        lines = [f"batches of {self.batch_size} rows on {threads}", *lines]
        lines = [*lines[:2], rule, *lines[2:-1], rule, lines[-1]]
        if self.input is not None:
            lines.append(f"{'input'.ljust(widths[0])}  {self.input}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return the table too, so that the last expression of a notebook cell shows it."""
        return str(self)

    def _repr_html_(self) -> str:
        """Return the table for notebooks."""
        from chainrule.html import html_text

        return html_text(str(self))

    def _totals(self) -> tuple[float, float, float]:
        return self.operations, self.bytes, self.seconds


@cache
def _fma_peak(dtype: str, threads: int) -> float:
    return 1e9 * _core.fma_peak(dtype, _SECONDS_TO_MEASURE, threads)


@cache
def _copy_rate(nbytes: int, threads: int) -> float:
    return 1e9 * _core.copy_rate(nbytes, _SECONDS_TO_MEASURE, threads)

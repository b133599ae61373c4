# SPDX-License-Identifier: Apache-2.0
"""A report as JSON: every timing, and what follows from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from harness.report import Ceiling, Measurement, Report
from harness.workloads import Workload

__all__ = ["as_json"]


def as_json(report: Report) -> str:
    """Return everything that a report holds.

    Parameters
    ----------
    report : Report
        What `measure` found.

    Returns
    -------
    str
        An object with the attributes of `Report`, where each of ``workloads`` holds its
        measurements, in samples per second, and ceilings, in GFLOP/s.
    """
    content = {
        "machine": report.machine,
        "threads": report.threads,
        "isa": report.isa,
        "versions": report.versions,
        "workloads": [_workload(report, work) for work in report.workloads],
        "left_out": report.skipped,
    }
    return json.dumps(content, indent=1) + "\n"


def _workload(report: Report, work: Workload) -> dict[str, Any]:
    return {
        "name": work.name,
        "kind": type(work).__name__,
        **asdict(work),
        "flops_per_sample": work.flops_per_sample,
        "measurements": [
            {"peer": m.peer, **_rounds(m)} for m in report.measurements if m.workload == work
        ],
        "ceilings": [{"name": c.name, **_rounds(c)} for c in report.ceilings if c.workload == work],
        "ratios": {peer: report.ratio(work, peer) for peer in report.peers},
        "share_of_fma_peak": report.share_of("fma", work),
        "share_of_gemm": report.share_of("gemm", work),
        "scaling": report.scaling(work),
        "spread": report.spread(work),
    }


def _rounds(rounds: Measurement | Ceiling) -> dict[str, Any]:
    return {
        "threads": rounds.threads,
        "median": rounds.median,
        "spread": rounds.spread,
        "rates": rounds.rates,
    }

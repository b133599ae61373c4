# SPDX-License-Identifier: Apache-2.0
"""Measurements as a Markdown table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from chainrule.bench.protocol import Report

__all__ = ["as_json", "markdown"]

_OWN = "chainrule"
_QUIET_SPREAD = 0.2


def markdown(report: Report) -> str:
    """Return a line on the machine, a table row per measurement, and what was left out.

    Parameters
    ----------
    report : Report
        What `measure` found.

    Returns
    -------
    str
        The ratio tells how many times as fast chainrule is.
    """
    machine = report.machine
    threads = f"{report.threads} thread{'' if report.threads == 1 else 's'}"
    versions = ", ".join(f"{peer} {version}" for peer, version in report.versions.items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, {threads} each; "
        f"Python {machine['python']}, {versions}.",
        "",
        "| work | library | samples/s | spread | chainrule is |",
        "|---|---|--:|--:|--:|",
    ]
    own = {m.workload: m.median for m in report.measurements if m.peer == _OWN}
    for m in report.measurements:
        ratio = f"{own[m.workload] / m.median:.2f} x" if m.workload in own else ""
        lines.append(
            f"| {m.workload.name} | {m.peer} | {m.median:,.0f} | {m.spread:.0%} | "
            f"{'' if m.peer == _OWN else ratio} |"
        )
    if any(m.spread > _QUIET_SPREAD for m in report.measurements):
        lines += [
            "",
            "The machine was busy: the spread is too wide for these figures to mean much.",
        ]
    if report.left_out:
        lines += ["", *(f"Left out: {sentence}" for sentence in report.left_out)]
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Return everything that a report holds.

    Parameters
    ----------
    report : Report
        What `measure` found.

    Returns
    -------
    str
        JSON: an object with the attributes of `Report`.
    """
    return json.dumps(asdict(report), indent=1) + "\n"

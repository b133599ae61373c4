# SPDX-License-Identifier: Apache-2.0
"""A report as Markdown: one table, a row for each workload."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.ceilings import GEMM_SIZE
from harness.report import OWN, Report
from harness.workloads import Workload

__all__ = ["markdown", "rates", "with_table"]

_QUIET_SPREAD = 0.2
_NONE = "-"


def markdown(report: Report) -> str:
    """Return a line on the machine, a table row per workload, and what was left out.

    Parameters
    ----------
    report : Report
        What `measure` found.

    Returns
    -------
    str
        A library's column tells how many times as fast chainrule is, each with its better number
        of threads.
    """
    columns: dict[str, Callable[[Workload], str]] = {OWN: partial(_speed, report)}
    columns |= {peer: partial(_ratio, report, peer) for peer in report.peers}
    columns |= {
        "of FMA peak": lambda work: _percent(report.share_of("fma", work)),
        "of gemm": lambda work: _percent(report.share_of("gemm", work)),
        "scaling": lambda work: _times(report.scaling(work)),
        "spread": lambda work: _percent(report.spread(work)),
    }
    lines = [_head(report), ""]
    lines += [f"| work | {' | '.join(columns)} |", f"|---|{'--:|' * len(columns)}"]
    for work in report.workloads:
        cells = [work.name, *(cell(work) for cell in columns.values())]
        lines.append(f"| {' | '.join(cells)} |")
    lines += _ceilings(report)
    if any(report.spread(work) > _QUIET_SPREAD for work in report.workloads):
        lines += [
            "",
            "The machine was busy: the spread is too wide for these figures to mean much.",
        ]
    if report.skipped:
        lines += ["", *(f"Left out: {sentence}" for sentence in report.skipped)]
    return "\n".join(lines)


def rates(report: Report) -> str:
    """Return how to read `markdown`, and a table of what every library did by itself.

    Parameters
    ----------
    report : Report
        What `measure` found.

    Returns
    -------
    str
        Samples per second, or microseconds a call for single rows, of each library with its better
        number of threads, which stands behind it.
    """
    libraries = [OWN, *report.peers]
    lines = [
        f"Above, a library's column says how many times as fast as it {OWN} is: more than 1 means "
        f"that {OWN} is faster, less than 1 that the library is. Below, what each library did:",
        "samples per second, or microseconds a call for single rows, with its better number of "
        "threads in brackets.",
        "",
        f"| work | {' | '.join(libraries)} |",
        f"|---|{'--:|' * len(libraries)}",
    ]
    for work in report.workloads:
        cells = [work.name, *(_speed(report, work, library) for library in libraries)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(text: str, table: str, section: str = "table") -> str:
    """Return a text with a table in its section.

    Parameters
    ----------
    text : str
        With the lines ``<!-- section begins -->`` and ``<!-- section ends -->``.
    table : str
        Replaces what is between them.
    section : str, default "table"
        The section's name.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the text has no such lines.
    """
    begin, end = f"<!-- {section} begins -->", f"<!-- {section} ends -->"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the text has no lines {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _head(report: Report) -> str:
    machine = report.machine
    counts = " or ".join(map(str, report.threads))
    threads = f"{counts} thread{'' if report.threads == (1,) else 's'}"
    held = "" if report.isa is None else f", held to {report.isa}"
    versions = ", ".join(f"{peer} {version}" for peer, version in report.versions.items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"{threads} each{held}; Python {machine['python']}, {versions}."
    )


def _speed(report: Report, work: Workload, library: str = OWN) -> str:
    best = report.best(work, library)
    if best is None:
        return _NONE
    if work.batch_size == 1:
        return f"{1e6 / best.median:.2f} µs ({best.threads})"
    return f"{best.median:,.0f}/s ({best.threads})"


def _ratio(report: Report, peer: str, work: Workload) -> str:
    return _times(report.ratio(work, peer))


def _ceilings(report: Report) -> list[str]:
    """Return a sentence on each ceiling, dtype and number of threads."""
    names = {"fma": "FMA peak", "gemm": f"gemm {GEMM_SIZE}^3"}
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for ceiling in report.ceilings:
        by_threads = found.setdefault((names[ceiling.name], ceiling.workload.network.dtype), {})
        by_threads.setdefault(ceiling.threads, []).append(ceiling.median)
    parts = [
        f"{name} {dtype} "
        + " and ".join(
            f"{sum(medians) / len(medians):,.0f} ({threads})"
            for threads, medians in by_threads.items()
        )
        for (name, dtype), by_threads in found.items()
    ]
    return ["", f"In GFLOP/s (threads): {'; '.join(parts)}."] if parts else []


def _times(ratio: float | None) -> str:
    return _NONE if ratio is None else f"{ratio:.2f} x"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.0%}"

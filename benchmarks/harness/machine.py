# SPDX-License-Identifier: Apache-2.0
"""The machine that figures belong to."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from chainrule import _core

__all__ = ["describe"]


def describe() -> dict[str, str]:
    """Return processor, cores, system, Python and how chainrule makes its threads.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(describe())
    ['cores', 'processor', 'python', 'system', 'threading_layer']
    """
    return {
        "processor": _processor(),
        "cores": str(_cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threading_layer": _core.threading_layer(),
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"

# SPDX-License-Identifier: Apache-2.0
"""``chainrule bench``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chainrule import _core, bench
from chainrule.atomic_file import write_atomically

_CHECK_FAILED = 1


def run(options: argparse.Namespace) -> int:
    """Measure the libraries installed, and print a table."""
    if options.json is not None and not Path(options.json).parent.is_dir():
        raise FileNotFoundError(f"--json {options.json}: no such folder")
    workloads = [w.quick() if options.quick else w for w in bench.WORKLOADS]
    report = bench.measure(
        workloads,
        threads=options.threads or _core.default_num_threads(),
        rounds=3 if options.quick else 7,
        seconds=0.1 if options.quick else 0.5,
        say=_say,
    )
    print(bench.markdown(report))
    if options.json is not None:
        write_atomically(options.json, bench.as_json(report).encode())
    return _CHECK_FAILED if report.left_out else 0


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)

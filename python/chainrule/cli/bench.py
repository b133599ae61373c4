# SPDX-License-Identifier: Apache-2.0
"""``chainrule bench``."""

from __future__ import annotations

import argparse
import sys

from chainrule import _core, bench
from chainrule.atomic_file import write_atomically
from chainrule.bench.peers import PEERS, installed
from chainrule.cli.file_kinds import BENCHMARK
from chainrule.cli.output import output_path

_CHECK_FAILED = 1


def run(options: argparse.Namespace) -> int:
    """Measure the libraries installed, and print a table."""
    path = None
    if options.json is not None:
        path = output_path(options.json, BENCHMARK, inputs=[], overwrite=options.overwrite)
    cores = _core.default_num_threads()
    if options.threads is not None:
        threads = [options.threads]
    else:
        threads = [cores] if options.quick else sorted({1, cores})
    report = bench.measure(
        bench.QUICK if options.quick else bench.SMALL,
        names=[name for name in installed() if not (options.quick and PEERS[name].starts_slowly)],
        threads=threads,
        rounds=3 if options.quick else 7,
        seconds=0.1 if options.quick else 0.5,
        log=_say,
    )
    print(bench.markdown(report))
    if report.peers:
        print(f"\n{bench.rates(report)}")
    if path is not None:
        write_atomically(path, bench.as_json(report).encode())
    return _CHECK_FAILED if report.skipped else 0


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)

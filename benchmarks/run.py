# SPDX-License-Identifier: Apache-2.0
"""Measure all the work beside the other libraries, and print the table; see README.md.

    python benchmarks/run.py --write

The protocol and the libraries are in ``harness``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import harness
from chainrule import default_num_threads
from harness.peers import PEERS, installed

FOLDER = Path(__file__).parent


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; 1 if a library failed or computed something else."""
    options = _options(argv)
    names = options.peers
    if names is None and options.quick and options.isa is None:
        names = [name for name in installed() if not PEERS[name].starts_slowly]
    report = harness.measure(
        [work.quick() if options.quick else work for work in options.works],
        names=names,
        threads=options.threads,
        rounds=options.rounds,
        seconds=options.seconds,
        isa=options.isa,
        log=lambda text: print(f"{text} ...", file=sys.stderr, flush=True),
    )
    table = harness.markdown(report)
    print(table)
    if report.peers:
        print(f"\n{harness.rates(report)}")
    if options.json is not None:
        options.json.write_text(harness.as_json(report))
    if options.plot is not None:
        harness.plot_ratios(report, options.plot)
    if options.write:
        readme = FOLDER / "README.md"
        readme.write_text(harness.with_table(readme.read_text(), table, section=options.section))
    return 1 if report.skipped else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure speed beside other libraries.")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, default_num_threads()}),
        help="Each library is given each of these. Default: 1 and one per core.",
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="Default: those installed.")
    parser.add_argument(
        "--work", default="", metavar="TEXT", help="Only work with this in its name."
    )
    parser.add_argument("--rounds", type=int, help="Default: 7, or 3 with --quick.")
    parser.add_argument(
        "--seconds", type=float, help="Of a timing. Default: 0.5, or 0.1 with --quick."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="A first impression: three works of fewer rows unless --work, --sparse or --images "
        "names others, without libraries that start slowly.",
    )
    parser.add_argument(
        "--isa",
        choices=sorted({isa for library in PEERS.values() for isa in library.isa_environment}),
        help="Hold the libraries to this instruction set; those that cannot be are left out.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write every timing here too.")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="Draw the ratios here.")
    parser.add_argument("--write", action="store_true", help="Put the table into README.md.")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--sparse", action="store_true", help="Measure work on tables of zeros.")
    kinds.add_argument("--images", action="store_true", help="Measure convolutional networks.")
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.1 if options.quick else 0.5)
    kind = "sparse" if options.sparse else "images" if options.images else None
    offered = {"sparse": harness.SPARSE, "images": harness.IMAGES, None: harness.WORKLOADS}[kind]
    if options.quick and not options.work and kind is None:
        offered = harness.QUICK
    options.section = kind or options.isa or "table"
    if options.write and kind and options.isa:
        parser.error(f"README.md has no place for --{kind} with --isa")
    options.works = [work for work in offered if options.work in work.name]
    if not options.works:
        names = ", ".join(repr(work.name) for work in offered)
        parser.error(f"no work has {options.work!r} in its name; valid: {names}")
    for name in options.peers or ():
        if options.isa is not None and options.isa not in PEERS[name].isa_environment:
            parser.error(f"{name} cannot be held to {options.isa}")
    return options


if __name__ == "__main__":
    sys.exit(main())

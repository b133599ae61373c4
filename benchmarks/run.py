# SPDX-License-Identifier: Apache-2.0
"""Print the table of training speeds, with one thread and with all; see README.md.

    python benchmarks/run.py --write

The protocol and the libraries are those of ``chainrule bench``, in ``chainrule.bench``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule import bench, default_num_threads
from chainrule.bench.peers import PEERS

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; 1 if a library failed or computed something else."""
    options = _options(argv)
    workloads = [w.quick() if options.quick else w for w in bench.WORKLOADS]
    reports = [
        bench.measure(
            workloads,
            names=options.peers,
            threads=threads,
            rounds=options.rounds,
            seconds=options.seconds,
            say=lambda text: print(f"{text} ...", file=sys.stderr),
        )
        for threads in options.threads
    ]
    tables = "\n\n".join(bench.markdown(report) for report in reports)
    print(tables)
    if options.json is not None:
        text = json.dumps([json.loads(bench.as_json(report)) for report in reports], indent=1)
        options.json.write_text(text + "\n")
    if options.write:
        readme = FOLDER / "README.md"
        readme.write_text(with_table(readme.read_text(), tables))
    return 1 if any(report.left_out for report in reports) else 0


def with_table(text: str, table: str) -> str:
    """Return a text with the table in the place that is marked for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure training speed beside other libraries.")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, default_num_threads()}),
        help="A table for each. Default: 1 and one per core.",
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="Default: those installed.")
    parser.add_argument("--rounds", type=int, default=7, help="Default: 7.")
    parser.add_argument("--seconds", type=float, default=0.5, help="Of a timing. Default: 0.5.")
    parser.add_argument("--quick", action="store_true", help="Fewer rows.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write every timing here too.")
    parser.add_argument("--write", action="store_true", help="Put the table into README.md.")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

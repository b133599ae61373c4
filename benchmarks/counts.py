# SPDX-License-Identifier: Apache-2.0
"""Counts that do not depend on how busy the machine is: instructions and bytes.

    python benchmarks/counts.py

Callgrind counts the instructions of a whole Python process that does the work, once for some
passes and once for more; the difference, divided by the samples between, leaves out everything that
happens once. The kernels are those for AVX2, the widest that Valgrind knows, on one thread. The
bytes are those that the plan of a training step reads and writes.

The allocations of a step are 0; cpp/tests/test_allocations.cpp counts them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import harness
from harness.peers import PEERS
from harness.peers.chainrule import network
from harness.runner import LibraryAtWork
from harness.workloads import Inference, ManyNetworks, Workload

ISA = "avx2"
# Valgrind slows down about fifty times, so large networks are left out.
MOST_WEIGHTS = 150_000
FEW, MANY = 1, 3
_COLLECTED = re.compile(r"Collected : (\d+)")


def small_work() -> list[Workload]:
    """Return the work on small networks, with few rows."""
    return [
        replace(work, calls=100) if isinstance(work, Inference) else work.quick()
        for work in harness.WORKLOADS
        if sum(work.network.multiply_adds) <= MOST_WEIGHTS and not isinstance(work, ManyNetworks)
    ]


def instructions_per_sample(index: int, work: Workload, library: str) -> float:
    """Return the difference of two counts, per sample."""
    few, many = (_instructions(index, passes, library) for passes in (FEW, MANY))
    return (many - few) / ((MANY - FEW) * work.samples)


def _instructions(index: int, passes: int, library: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    command += [__file__, "--only", str(index), str(passes), "--library", library]
    # The order in which sets are walked would change counts from run to run.
    environment = dict(
        os.environ,
        CHAINRULE_ISA=ISA,
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        PYTHONHASHSEED="0",
    )
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = _COLLECTED.search(run.stderr)
    if run.returncode != 0 or found is None:
        raise RuntimeError(f"valgrind ended with status {run.returncode}:\n{run.stderr}")
    return int(found[1])


def bytes_per_step(work: Workload) -> float | None:
    """Return what a training step reads and writes by its plan; None for inference."""
    if isinstance(work, Inference):
        return None
    net = network(work.network, work.network.weights())
    return net.plan(work.batch_size, num_threads=1).bytes


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or with --only do what Valgrind counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", choices=PEERS, default="chainrule")
    parser.add_argument("--work", default="", metavar="TEXT", help="Only work of such a name.")
    parser.add_argument(
        "--only",
        nargs=2,
        type=int,
        metavar=("WORK", "PASSES"),
        help="Do some passes of the work of a number, for Valgrind to count.",
    )
    options = parser.parse_args(argv)
    works = small_work()
    if options.only is not None:
        number, passes = options.only
        at_work = LibraryAtWork(options.library, 1)
        at_work.prepare(works[number])
        at_work.seconds(passes)
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed; it counts the instructions", file=sys.stderr)
        return 2
    chosen = [(index, work) for index, work in enumerate(works) if options.work in work.name]
    print("| work | instructions per sample | per flop | bytes per step |")
    print("|---|--:|--:|--:|")
    for index, work in chosen:
        count = instructions_per_sample(index, work, options.library)
        moved = bytes_per_step(work)
        cells = [work.name, f"{count:,.0f}", f"{count / work.flops_per_sample:.3f}"]
        cells.append("-" if moved is None else f"{moved:,.0f}")
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

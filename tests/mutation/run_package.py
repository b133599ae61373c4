# SPDX-License-Identifier: Apache-2.0
"""Tries the mutants of a session of cosmic-ray that are left, one after the other.

Usage: python tests/mutation/run_package.py SESSION [--least PERCENT]

It prints what noticed each, and the change of each that nothing noticed; it exits with 1 if fewer
than `--least` percent were noticed. The session has the results too, for `cr-report`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import time
from pathlib import Path

from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult
from run_tests import killer

# What the tests import and takes long, so that the process of a mutant need not load it again.
_SLOW = ["matplotlib.pyplot", "numpy", "onnx", "pandas", "scipy.sparse", "sklearn", "torch"]


def main() -> int:
    """Run the mutants that have no result yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("session", type=Path)
    parser.add_argument("--least", type=float, default=90.0, help="percent that must be noticed")
    options = parser.parse_args()
    for name in _SLOW:
        importlib.import_module(name)
    with use_db(options.session, WorkDB.Mode.open) as session:
        for item in session.pending_work_items:
            start = time.monotonic()
            result = _result(item)
            session.set_result(item.job_id, result)
            found = result.output or f"SURVIVED\n{result.diff}"
            (mutation,) = item.mutations
            place = f"{mutation.module_path}:{mutation.start_pos[0]}"
            seconds = time.monotonic() - start
            print(f"{seconds:5.1f} s  {place} {mutation.operator_name}: {found}", flush=True)
        outcomes = [result.test_outcome for _, result in session.results]
    noticed, missed = outcomes.count(TestOutcome.KILLED), outcomes.count(TestOutcome.SURVIVED)
    share = 100 * noticed / (noticed + missed)
    print(f"noticed: {noticed} of {noticed + missed} ({share:.0f} %)")
    return 0 if share >= options.least else 1


def _result(item: WorkItem) -> WorkResult:
    (mutation,) = item.mutations
    path = Path(mutation.module_path)
    source = path.read_text()
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    mutated = MutationVisitor.mutate_code(source, operator, mutation.occurrence)
    lines = difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0, lineterm="")
    path.write_text(mutated)
    try:
        found = killer()
    finally:
        path.write_text(source)
    outcome = TestOutcome.KILLED if found else TestOutcome.SURVIVED
    return WorkResult(WorkerOutcome.NORMAL, found, outcome, "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())

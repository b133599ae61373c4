# SPDX-License-Identifier: Apache-2.0
"""Keeps a random sample of a session's mutants, of those that change what the program does.

Usage: python tests/mutation/select_mutants.py SESSION [--count N] [--seed S] [--part I/N]
"""

from __future__ import annotations

import argparse
import ast
import random
from functools import cache
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult


def main() -> None:
    """Mark all other mutants of the session as skipped, so that `cosmic-ray exec` passes them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("session", type=Path)
    parser.add_argument("--count", type=int, default=300, help="size of the sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--part", default="1/1", help="I/N: this share of the sample, from 1")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.part.split("/"))
    with use_db(options.session, WorkDB.Mode.open) as session:
        items = sorted(session.pending_work_items, key=_place)
        able = [item for item in items if _is_executed(item)]
        sample = random.Random(options.seed).sample(able, min(options.count, len(able)))
        kept = {item.job_id for item in sample[part - 1 :: parts]}
        skipped = WorkResult(output="not in the sample", worker_outcome=WorkerOutcome.SKIPPED)
        session.set_multiple_results(
            [item.job_id for item in items if item.job_id not in kept], skipped
        )
    print(f"{len(items)} mutants, {len(able)} of executed code, {len(kept)} kept")


def _place(item: WorkItem) -> tuple[str, str, int]:
    """Return what orders the mutants the same in every session of the same source."""
    mutation = item.mutations[0]
    return str(mutation.module_path), mutation.operator_name, mutation.occurrence


def _is_executed(item: WorkItem) -> bool:
    """Whether the mutated place is code that runs: no annotation, no branch for type checkers."""
    (mutation,) = item.mutations
    line, column = mutation.start_pos
    return not any(
        begin <= (line, column) < end for begin, end in _inert_spans(Path(mutation.module_path))
    )


@cache
def _inert_spans(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the (line, column) spans of annotations and `if TYPE_CHECKING` bodies of a module."""
    inert: list[ast.AST] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            inert.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inert += [] if node.returns is None else [node.returns]
            # An @overload has no body to run.
            names = [ast.unparse(decorator) for decorator in node.decorator_list]
            inert += [node] if "overload" in names else []
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            inert.append(node)
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in inert]


if __name__ == "__main__":
    main()

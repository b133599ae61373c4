# SPDX-License-Identifier: Apache-2.0
"""Keeps a random sample of a session's mutants, of those that change what the program does.

Usage: python tests/mutation/select_mutants.py SESSION [--count N] [--seed S] [--part I/N]
"""

from __future__ import annotations

import argparse
import ast
import random
from functools import cache
from itertools import islice
from pathlib import Path

from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

_OVERLOADS = {"overload", "typing.overload"}
_CACHES = {"cache", "cached_property"}


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
        random.Random(options.seed).shuffle(able)
        sample = list(islice(filter(_is_program, able), options.count))
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


def _is_program(item: WorkItem) -> bool:
    """Whether the mutant is another program, and one at all.

    1e30 + 1 is 1e30, and the `*` before keyword arguments is no product.
    """
    (mutation,) = item.mutations
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    source = Path(mutation.module_path).read_text()
    mutated = MutationVisitor.mutate_code(source, operator, mutation.occurrence)
    try:
        return ast.dump(ast.parse(mutated or source)) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


@cache
def _inert_spans(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the (line, column) spans of a module that decide nothing.

    These are annotations, `if TYPE_CHECKING`, what is overloaded, which has no body to run, and
    decorators that keep results, which are the same when they are worked out anew.
    """
    spans = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            spans.append(_span(node.annotation))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            spans += [] if node.returns is None else [_span(node.returns)]
            for decorator in node.decorator_list:
                name = ast.unparse(decorator)
                if name in _OVERLOADS:
                    spans.append(_span(node))
                if name in _CACHES | _OVERLOADS:
                    # The mutant lacks the @ as well.
                    (line, _), end = _span(decorator)
                    spans.append(((line, 0), end))
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            spans.append(_span(node))
    return spans


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    place = node.lineno, node.col_offset  # type: ignore[attr-defined]
    return place, (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()

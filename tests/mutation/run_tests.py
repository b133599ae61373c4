# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that a mutant in the working tree can reach, nearest and quickest first.

Which tests run which line is known from `map_tests.py`.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import coverage
import pytest
from map_tests import LINES, SECONDS

TESTS = Path("tests")
# Most mutants that die at all die of these.
FIRST = 20
# Of the others, as many as take so many seconds.
LONGEST = 20.0
# Of pytest: tests failed, collecting was interrupted, internal error; then of a killed process.
DIED = 99
FAILED = (1, 2, 3, DIED)
NOT_FOUND = 4
# Of pytest's runs; a mutant may make a loop endless.
TIMEOUT = 300.0


def killer() -> str:
    """Return what tells the package in the working tree from the committed one, or ""."""
    seconds: dict[str, float] = json.loads(SECONDS.read_text())
    data = coverage.CoverageData(str(LINES))
    data.read()
    for file, line in _changes():
        if _in_child(lambda file=file: importlib.import_module(_module(file)) and 0)[0] != 0:
            return "import"
        reaching = _contexts(data, file, line) & seconds.keys()
        tests = sorted(reaching, key=lambda test: (not _is_near(test, file), seconds[test]))
        rest = tests[FIRST:]
        spent = accumulate(seconds[test] for test in rest)
        rest = [test for test, total in zip(rest, spent, strict=True) if total < LONGEST]
        # Files as a whole have tests that are newer than the map, or run the line in a child.
        files = [str(test) for test in sorted(TESTS.rglob("test_*.py"))]
        near = [test for test in files if file.stem in test] or [
            test for test in files if _is_near(test, file)
        ]
        for some in (tests[:FIRST], rest, [*near, str(file)]):
            if found := _first_failure(some):
                return found
    return ""


def _changes() -> Iterator[tuple[Path, int]]:
    """Return the file and line, before the mutation, of each place where the package differs."""
    difference = subprocess.run(
        ["git", "diff", "-U0", "--", "python"], capture_output=True, text=True, check=True
    ).stdout
    file = Path()
    for text in difference.splitlines():
        if text.startswith("--- a/"):
            file = Path(text.removeprefix("--- a/"))
        elif place := re.match(r"@@ -(\d+)", text):
            yield file, int(place[1])


def _contexts(data: coverage.CoverageData, file: Path, line: int) -> set[str]:
    """Return the tests that run the innermost code around a line that any test runs."""
    by_line = data.contexts_by_lineno(str(file.resolve()))
    original = subprocess.run(
        ["git", "show", f"HEAD:./{file}"], capture_output=True, text=True, check=True
    ).stdout
    for first, last in _spans(ast.parse(original), line):
        found = {test for n in range(first, last + 1) for test in by_line.get(n, ()) if test}
        if found:
            return found
    return {test for tests in by_line.values() for test in tests if test}


def _spans(tree: ast.AST, line: int) -> list[tuple[int, int]]:
    """Return the lines of the statements around a line, the innermost first.

    Of a statement with a body these are its head, and then the whole: a default value belongs to
    no call, but what the body does depends on it.
    """
    spans = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.ExceptHandler):
            continue
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        last = node.end_lineno or first
        if not first <= line <= last:
            continue
        body = getattr(node, "body", None)
        if body and line < body[0].lineno:
            spans.append((first, max(first, body[0].lineno - 1)))
        spans.append((first, last))
    return sorted(spans, key=lambda span: span[1] - span[0])


def _first_failure(tests: list[str]) -> str:
    """Return the first of the tests that fails, or "" if none does."""
    if not tests:
        return ""
    status, output = _pytest(tests)
    if status == NOT_FOUND:
        status, output = _pytest(sorted({test.split("::")[0] for test in tests}))
    if status not in FAILED:
        return ""
    found = re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - |$)", output, re.MULTILINE)
    return found[0] if found else f"status {status}"


def _pytest(tests: list[str]) -> tuple[int, str]:
    options = ["-x", "-q", "-rfE", "-p", "no:cacheprovider", "--tb=no"]
    return _in_child(lambda: int(pytest.main([*options, *(f"./{test}" for test in tests)])))


def _in_child(work: Callable[[], int]) -> tuple[int, str]:
    """Return the status and the output of work done by a fork, which has all modules loaded."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.setsid()
            # The suite needs none of the plugins that happen to be installed.
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            status = 1
            try:
                status = work()
            finally:
                sys.stdout.flush()
                os._exit(status)
        end = time.monotonic() + TIMEOUT
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
            time.sleep(0.01)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else DIED, output.read().decode(errors="replace")


def _is_near(test: str, source: Path) -> bool:
    """Whether a test's file has the name of the source file or of its folder."""
    words = [source.stem, source.parent.name]
    name = Path(test.split("::")[0])
    return name == source or any(
        word in name.stem for word in words if word not in ("__init__", "chainrule")
    )


def _module(source: Path) -> str:
    parts = source.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

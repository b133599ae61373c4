# SPDX-License-Identifier: Apache-2.0
"""Records which tests run each line of the package: a plugin of pytest under coverage.

`run_tests.py` reads what it leaves: of each line the tests, and of each test its seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

FOLDER = Path("build/mutation-map")
LINES = FOLDER / "lines.sqlite"
SECONDS = FOLDER / "seconds.json"

_seconds: dict[str, float] = {}
_useless: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the lines that run from here on count for this test."""
    current = coverage.Coverage.current()
    assert current is not None, "run pytest under coverage, as README.md says"
    current.switch_context(item.nodeid)
    start = time.perf_counter()
    outcome = yield
    _seconds[item.nodeid] = round(time.perf_counter() - start, 3)
    current.switch_context("")
    return outcome


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember tests that tell nothing about a mutant: they fail without one, or are skipped."""
    if not report.passed:
        _useless.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the seconds of all tests that pass."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    useful = {test: seconds for test, seconds in _seconds.items() if test not in _useless}
    SECONDS.write_text(json.dumps(useful))

# SPDX-License-Identifier: Apache-2.0
"""Runs the tests against one mutant, those nearest to the changed file first; 0 if it survives.

cosmic-ray calls it for each mutant that it has written into the working tree.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path("tests")
# What takes half of the suite's time and runs the compiled core alone.
COSTLY = ("test_reproducibility.py", "test_bench_protocol.py", "test_memory.py")


def main() -> int:
    """Return pytest's status of the first run that fails, or 0."""
    changed = _output("git", "diff", "--name-only", "--", "python").split()
    files = sorted(TESTS.rglob("test_*.py"))
    near = [file for file in files if any(_is_near(file, Path(name)) for name in changed)]
    modules = [_module(Path(name)) for name in changed]
    rest = [file for file in files if file not in near and file.name not in COSTLY]
    for tests in ([*near, *modules], [*rest, "docs"]):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
            + ["./" + str(test) if Path(test).exists() else str(test) for test in tests],
            check=False,
        )
        if run.returncode:
            return run.returncode
    return 0


def _is_near(test: Path, source: Path) -> bool:
    """Whether a test file has the name of the source file or of its folder."""
    words = [source.stem, source.parent.name]
    return any(word in test.stem for word in words if word not in ("__init__", "chainrule"))


def _module(source: Path) -> str:
    """Return the importable name of a source file, for its doctests."""
    parts = source.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
